"""Folder: the files of a project, and all that they say but for their rules."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from wbox_notify.config import reading
from wbox_notify.config.yaml.document import Document, Location, open_document
from wbox_notify.config.yaml.problems import Problem, in_order
from wbox_notify.errors import MessageError
from wbox_notify.model.texts import Wording
from wbox_notify.rules.directory import gather
from wbox_notify.rules.project import Project
from wbox_notify.rules.recipients import People, number_problems, recipient_problem

_SUFFIXES = (".yaml", ".yml")


def without_rules(folder: Path, environ: Mapping[str, str]) -> Project:
    """Return the project in a folder as if there were no rules in its files; never raises."""
    setup = reading.read(folder, environ)
    settings = setup.settings
    documents, problems = rule_documents(settings.folder, setup.secrets.names)
    problems += setup.problems
    people, _ = gather([setup.document, *documents], settings.region, settings.tz, problems)
    problems += owner_problems(settings.owner, people, setup.document.at("owner"))
    return Project(
        settings=settings, people=people, outlets=dict(settings.outlets), problems=in_order(problems)
    )


def owner_problems(owner: str | None, people: People, location: Location) -> list[Problem]:
    """Return what is wrong with the owner."""
    if owner is None:
        return []
    try:
        return list(number_problems(people.named(owner), location))
    except MessageError as error:
        return [recipient_problem(error, location)]


def rule_documents(
    folder: Path, secrets: frozenset[str], known: Mapping[str, Document] = MappingProxyType({})
) -> tuple[list[Document], list[Problem]]:
    """Return the files of rules; of those that are as they were, the documents that are known."""
    if not folder.is_dir():
        return [], [Problem(file=_shown(folder), code="WBX101", message="there is no such project folder")]
    try:
        names = sorted(path.name for path in (folder / "rules").iterdir())
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [
            Problem(
                file="rules",
                code="WBX101",
                message=Wording("this cannot be listed: {reason}", reason=error.strerror),
            )
        ]
    files = [name for name in names if name.lower().endswith(_SUFFIXES) and not name.startswith(".")]
    documents = []
    for name in files:
        file = f"rules/{_shown(name)}"
        documents.append(open_document(folder / "rules" / name, file, secrets, known.get(file)))
    return documents, []


def _shown(path: str | Path) -> str:
    return os.fsencode(path).decode("utf-8", "replace")
