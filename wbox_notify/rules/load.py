"""Loading a project folder: whatever a person wrote, the answer is a project and its problems."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from wbox_notify.config import settings
from wbox_notify.config.settings import Setup
from wbox_notify.config.yaml.document import Document, Location, open_document
from wbox_notify.config.yaml.problems import Problem, errors, in_order
from wbox_notify.config.yaml.validation import fit
from wbox_notify.errors import MessageError
from wbox_notify.rules.compile import BuildContext, build
from wbox_notify.rules.directory import gather
from wbox_notify.rules.models import SECTIONS, RuleFile, RuleSpec
from wbox_notify.rules.project import Project
from wbox_notify.rules.recipients import plain
from wbox_notify.rules.rule import Rule
from wbox_notify.rules.shared_hooks import Hooks

_SUFFIXES = (".yaml", ".yml")


def load(folder: Path, environ: Mapping[str, str]) -> Project:
    """Return the project in a folder with ``wbox-notify.yaml``, ``rules`` and ``templates``; never raises."""
    setup = settings.read(folder, environ)
    chosen = setup.settings
    documents, problems = _rule_documents(chosen.folder)
    people, windows, wrong = gather([setup.document, *documents], chosen.region, chosen.tz)
    problems += [*setup.problems, *wrong]
    shop = BuildContext(chosen, people, windows, setup.secrets, problems)
    loading = _Loading(shop)
    for document in documents:
        loading.take(document)
    _check_owner(setup, shop)
    return Project(
        settings=replace(chosen, secrets=dict(setup.secrets.found)),
        rules=tuple(loading.rules),
        people=people,
        outlets=shop.outlets.found,
        problems=in_order(shop.problems),
    )


class _Loading:
    """The rules of the files read so far, and all problems."""

    def __init__(self, shop: BuildContext) -> None:
        self.rules: list[Rule] = []
        self.problems = shop.problems
        self._shop = shop
        self._ids: dict[str, Location] = {}
        self._hooks = Hooks()

    def take(self, document: Document) -> None:
        """Add the rules of a file, all or none."""
        file = document.source.file
        self.problems += document.problems
        rules = [rule for value, spot in self._found(document) if (rule := self._rule(value, spot))]
        if not errors(problem for problem in self.problems if problem.file == file):
            self.rules += rules

    def _found(self, document: Document) -> Iterator[tuple[Any, Location]]:
        if document.value is None and errors(document.problems):
            return
        value = {"version": 1} if document.value is None else document.value
        _, wrong = fit(RuleFile, value, document.at())
        self.problems += wrong
        rules = value.get("rules") if isinstance(value, dict) else None
        for index, rule in enumerate(rules if isinstance(rules, list) else ()):
            yield rule, document.at("rules", index)
        if not wrong and not any(map(value.get, ("rules", *SECTIONS))):
            hint = "a rule stands under `rules:` and begins with `- id:`"
            problem = document.at().problem("WBX314", "this file has no rules", hint=hint, severity="warning")
            self.problems.append(problem)

    def _rule(self, value: Any, spot: Location) -> Rule | None:
        spec, problems = fit(RuleSpec, value, spot)
        self.problems += problems
        if spec is None:
            return None
        earlier = self._ids.setdefault(spec.id, spot)
        if earlier is not spot:
            hint = f"the other one is at {earlier.document.source.file}:{earlier.place.line}"
            message = f"two rules have the id `{spec.id}`"
            self.problems.append(spot.at("id").problem("WBX301", message, hint=hint))
        self.problems += self._hooks.take(spec, spot)
        return build(self._shop, spec, spot)


def _check_owner(setup: Setup, shop: BuildContext) -> None:
    if setup.settings.owner is None:
        return
    try:
        shop.people.named(setup.settings.owner)
    except MessageError as error:
        code = "WBX303" if error.field == "to" else "WBX302"
        shop.problems.append(setup.document.at("owner").problem(code, plain(error), hint=error.hint))


def _rule_documents(folder: Path) -> tuple[list[Document], list[Problem]]:
    if not folder.is_dir():
        return [], [Problem(file=_shown(folder), code="WBX101", message="there is no such project folder")]
    try:
        names = sorted(path.name for path in (folder / "rules").iterdir())
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [Problem(file="rules", code="WBX101", message=f"this cannot be listed: {error.strerror}")]
    chosen = [name for name in names if name.lower().endswith(_SUFFIXES) and not name.startswith(".")]
    return [open_document(folder / "rules" / name, f"rules/{_shown(name)}") for name in chosen], []


def _shown(path: str | Path) -> str:
    return os.fsencode(path).decode("utf-8", "replace")
