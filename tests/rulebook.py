"""Projects for tests: files in a folder, and a rule of which only some lines are given."""

import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from wbox_notify.config import reading
from wbox_notify.config.yaml.document import Document
from wbox_notify.config.yaml.problems import Problem, Source, render
from wbox_notify.config.yaml.validation import validate
from wbox_notify.errors import ConfigError
from wbox_notify.model.texts import Wording, translation, worded
from wbox_notify.rules.compile.context import BuildContext
from wbox_notify.rules.compile.triggers import times
from wbox_notify.rules.directory import Windows
from wbox_notify.rules.loading import load
from wbox_notify.rules.models.triggers import TimesSpec
from wbox_notify.rules.project import Project
from wbox_notify.rules.recipients import People
from wbox_notify.rules.rule import Rule
from wbox_notify.triggers.schedule.schedule import Missed, Schedule

_NO_WORDS = re.compile(r"^(?:mkdir|chmod|chown|pip) .*|^templates/|`[^`]*`|\{\w*[^}]*\}")
"""Commands, code and places for facts."""

LONGEST = 400
"""Longer texts of problems are cut, and stay in English."""

PHONE = "905551112233"


def project(folder: Path, files: Mapping[str, str | bytes], **environ: str) -> Project:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = load(folder, environ)
    assert untold(found.problems) == []
    return found


def untold(problems: Iterable[Problem]) -> list[str]:
    """Return the texts of problems that a Turkish reader is told in English."""
    texts = [text for problem in problems for text in (problem.message, problem.hint) if text]
    return [part for text in texts if len(text) <= LONGEST for part in english_parts(text)]


def english_parts(text: str) -> list[str]:
    """Return the texts of a wording, and of the wordings in it, that say something and are not translated."""
    wording = worded(text)
    inner = [fact for fact in wording.facts.values() if isinstance(fact, Wording)]
    parts = [part for fact in inner for part in english_parts(fact)]
    is_said = re.search("[a-z]{2}", _NO_WORDS.sub("", wording.text))
    if is_said and translation("tr").gettext(wording.text) == wording.text:
        parts.append(wording.text)
    return parts


@cache
def whole(rules: str, settings: str = "version: 1\ndefaults: {tz: UTC}\n") -> Project:
    """Return the project of a whole rule file without any mistake."""
    with tempfile.TemporaryDirectory() as folder:
        made = project(Path(folder), {"rules/all.yaml": rules, "wbox-notify.yaml": settings})
    assert [problem.message for problem in made.problems if problem.severity == "error"] == []
    return made


def rule_tests(rules: str) -> list[Any]:
    """Return the tests of the rules of a whole rule file, as parameters: the rule, and its test."""
    return [
        pytest.param(rule, test, id=f"{rule.id}: {test.name}")
        for rule in whole(rules).rules
        for test in rule.tests
    ]


def rule_file(rule: str) -> str:
    """Return a whole file with a good rule ``a``, of which some lines are given: they begin on line 5."""
    rule = dedent(rule)
    lines = {"trigger": "{file: {path: /srv}}", "to": '"+905551112233"', "send": '{text: "hi"}'}
    given = re.findall(r"^(\w+):", rule, re.MULTILINE)
    rest = "".join(f"    {key}: {value}\n" for key, value in lines.items() if key not in given)
    body = "".join(f"    {line}\n" for line in rule.splitlines())
    return f"version: 1\nrules:\n  - id: a\n    name: A\n{body}{rest}"


def rule(folder: Path, text: str, **files: str) -> Rule:
    """Return the rule of a project without any problem."""
    found = project(folder, {"rules/a.yaml": rule_file(text), **files})
    assert found.problems == ()
    (only,) = found.rules
    return only


def mistake(folder: Path, text: str, **files: str) -> Problem:
    """Return the one thing that is wrong with a rule, which is then not there."""
    found = project(folder, {"rules/a.yaml": rule_file(text), **files})
    (problem,) = found.problems
    assert (problem.file, problem.severity) == ("rules/a.yaml", "error")
    assert found.rules == ()
    return problem


def sane(found: Project) -> None:
    """Problems have places, can be shown, and say nothing in the words of a library."""
    for problem in found.problems:
        assert render(problem)
        said = re.sub(
            r"`[^`]*`|'[^']*'", "", f"{problem.message} {problem.hint or ''}"
        )  # but for what was typed
        assert not re.search(r"pydantic|Input should|not permitted|Field required|\bNone\b|object at", said)
        assert problem.line > 0 or problem.file != "rules/a.yaml" or problem.code == "WBX102"


@cache
def _build_context(zone: ZoneInfo) -> BuildContext:
    setup = reading.read(Path("nowhere"), {})
    chosen = replace(setup.settings, tz=zone)
    return BuildContext(chosen, People(), Windows([]), setup.secrets, [])


def parse_schedule(written: object, zone: ZoneInfo = ZoneInfo("UTC")) -> Schedule:  # noqa: B008 - zones are frozen
    """Return what stands under `schedule` of a rule; ConfigError with the first problem if it is wrong."""
    context = _build_context(zone)
    context.problems.clear()
    spot = Document(Source("a.yaml", ())).at()
    spec, problems = validate(TimesSpec, written if isinstance(written, dict) else {"at": written}, spot)
    found = times(context, spec, spot) if spec else None
    for problem in (*problems, *context.problems):
        if problem.severity == "error":
            raise ConfigError(problem.message, hint=problem.hint)
    assert found
    return found


def runs(schedule: Schedule, start: datetime, end: datetime, most: int = 100) -> list[datetime]:
    """Return the nominal times after ``start`` up to and with ``end``, the first ``most`` of them."""
    times = []
    due = schedule.after(start)
    while due is not None and due <= end and len(times) < most:
        times.append(due)
        due = schedule.after(due)
    return times


def missed_runs(run: str = "last", within: timedelta = timedelta(hours=1)) -> Missed:
    return Missed.model_construct(run=run, within=within.total_seconds())
