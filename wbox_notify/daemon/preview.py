"""Survey: what lies in the watched folders now, and what would come of it."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from wbox_notify.config.yaml.document import Location
from wbox_notify.config.yaml.problems import Problem
from wbox_notify.daemon.file_intake import watches
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileVersion, Known, Past
from wbox_notify.rules import Project, Rule
from wbox_notify.rules.triggers import FileTrigger
from wbox_notify.triggers.file.identity import listed
from wbox_notify.triggers.file.opening import is_local
from wbox_notify.triggers.file.scanner import UNHINTED, Scanner
from wbox_notify.triggers.file.watch import ListedFile
from wbox_notify.triggers.health import HealthReporter

_WITHIN = 10.0
_BATCH = 500
_MOST = 20_000
_SHOWN = 3


class Unwanted(NamedTuple):
    """How many files in a folder no rule takes, and some of their names."""

    folder: str
    number: int
    names: list[str]

    def __str__(self) -> str:
        files = "1 file" if self.number == 1 else f"{self.number} files"
        more = f" and {self.number - len(self.names)} more" if self.number > len(self.names) else ""
        return f"{files} in {self.folder} that no rule takes: {', '.join(self.names)}{more}"


class Survey(NamedTuple):
    """What was found: how many new files each rule would take, by its id, and warnings about folders.

    ``unwanted`` are files that no rule takes. ``whole`` is False where the folders hold more than can be
    looked at in ten seconds.
    """

    files: Counter[str]
    problems: list[Problem]
    unwanted: list[Unwanted]
    whole: bool


def survey(project: Project, known: Known) -> Survey:
    """Look through all watched folders, without reading a file."""
    deadline = time.monotonic() + _WITHIN
    listing = Scanner(
        watches(project),
        HealthReporter(lambda _line: None),
        clock=time.monotonic,
        going=lambda: time.monotonic() < deadline,
    )
    files = Counter[str]()
    found = listing.find(())
    while batch := list(islice(found, _BATCH)):
        pasts = known([one.version for one in batch])
        new = (_event(one.version) for one in batch if _is_new(one, pasts.get(one.version, Past())))
        files.update(rule.id for event in new for rule in project.rules_for(event))
    problems = [problem for rule in project.rules for problem in _warnings(project, rule, files[rule.id])]
    unwanted = []
    for root, spot in _roots(project).items():
        near, others = _passed_over(project, root, deadline)
        if near.number:
            problems.append(spot.problem("WBX355", str(near), severity="warning"))
        if others.number:
            unwanted.append(others)
    return Survey(files, problems, unwanted, time.monotonic() < deadline)


def _roots(project: Project) -> dict[Path, Location]:
    """Return the watched folders, and where each of them is named first."""
    found: dict[Path, Location] = {}
    for rule in project.rules:
        for trigger, spot in _triggers(rule):
            found.setdefault(trigger.root, spot)
    return found


def _passed_over(project: Project, root: Path, deadline: float) -> tuple[Unwanted, Unwanted]:
    """Return the files below a folder that rules hardly miss, and those that they do not mean."""
    triggers = [one for rule in project.rules for one in rule.sources() if isinstance(one, FileTrigger)]
    near, others = Unwanted(str(root), 0, []), Unwanted(str(root), 0, [])
    for path in islice(_files(root, deadline), _MOST):
        watching = [one for one in triggers if path.startswith(f"{str(one.root).rstrip('/')}/")]
        if os.path.dirname(path) != str(root) and any(any(one.targets) for one in watching):  # noqa: PTH120
            continue  # it may have been put away there
        misses = [one.miss(path) for one in watching]
        if not all(misses) or all(miss.purpose for miss in misses if miss):
            continue
        why = next((miss for miss in misses if miss and miss.near), None)
        name = os.path.relpath(path, root)
        if why:
            near = _with(near, f"{name} ({why.text})")
        else:
            others = _with(others, name)
    return near, others


def _with(unwanted: Unwanted, name: str) -> Unwanted:
    names = [*unwanted.names, name][:_SHOWN]
    return unwanted._replace(number=unwanted.number + 1, names=names)


def _files(root: Path, deadline: float) -> Iterator[str]:
    """Yield the plain files below a folder; no link is followed."""
    for folder, _, names in os.walk(root):
        for name in sorted(names):
            if time.monotonic() > deadline:
                return
            path = os.path.join(folder, name)  # noqa: PTH118 - names of files may be no text
            if not os.path.islink(path):  # noqa: PTH114 - the same
                yield path


def _is_new(found: ListedFile, past: Past) -> bool:
    """Return whether a file is surely new; what may be a file that is known is no news to count."""
    return all(found.version.repeats(told) is False for told in listed(found, past).told)


def _event(version: FileVersion) -> Event:
    """Return as much of an event as tells which rules it would set off."""
    data = {"path": version.path, "size": version.size}
    return Event(id=version.id, type="file", at=datetime.now(UTC), data=data)


def _triggers(rule: Rule) -> Iterator[tuple[FileTrigger, Location]]:
    """Yield the folders that set off a rule, and where they are named."""
    for index, trigger in enumerate(rule.triggers):
        if isinstance(trigger, FileTrigger):
            yield trigger, rule.spot.at("trigger").at(index).at("file", "path")


def _warnings(project: Project, rule: Rule, files: int) -> Iterator[Problem]:
    for trigger, spot in _triggers(rule):
        if trigger.existing is None and files > project.settings.storm_guard:
            yield spot.problem(
                "WBX337",
                f"{files} files wait that were never seen: `{rule.id}` would send {_messages(rule, files)}",
                hint="`existing: ignore` passes over them, `existing: process` says that you want this",
                severity="warning",
            )
        if trigger.poll is None and _is_shared(trigger.root):
            yield spot.problem(
                "WBX338",
                f"nothing tells of new files in {trigger.root}: it is listed every {UNHINTED:.0f} seconds",
                hint="it is on a network or a special file system; `poll` says how often is right",
                severity="warning",
            )


def _messages(rule: Rule, files: int) -> str:
    if rule.group or rule.digest:
        return "messages about all of them"
    return f"{files * len(rule.to) * len(rule.send)} messages"


def _is_shared(root: Path) -> bool:
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False  # that is said elsewhere
    try:
        return not is_local(descriptor)
    finally:
        os.close(descriptor)
