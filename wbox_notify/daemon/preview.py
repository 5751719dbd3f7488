"""Look at the watched folders: the new files of each rule, the files that no rule takes, and warnings."""

import math
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from wbox_notify.config.yaml.document import Location
from wbox_notify.config.yaml.problems import Problem
from wbox_notify.daemon.file_intake import watches
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileVersion, Known, Past
from wbox_notify.model.loop import PeriodicThread
from wbox_notify.model.texts import Wording
from wbox_notify.rules.patterns import Miss
from wbox_notify.rules.project import Live, Project
from wbox_notify.rules.rule import Rule
from wbox_notify.rules.triggers import FileTrigger, Nearness
from wbox_notify.triggers.file.identity import Candidate
from wbox_notify.triggers.file.opening import is_local
from wbox_notify.triggers.file.scanner import UNHINTED, Scanner
from wbox_notify.triggers.file.watch import ListedFile
from wbox_notify.triggers.health import HealthReporter

_WITHIN = 10.0
_FRESH, _NOW_AND_THEN = 60.0, 600.0
_BATCH = 500
_MOST = 20_000
_MOST_NAMES = 3


class Unwanted(NamedTuple):
    """The number of files in a folder that no rule takes, and the names of some."""

    folder: str
    number: int
    names: list[str]

    @property
    def text(self) -> Wording:
        """How many they are, with some of their names, for any language."""
        names: str = ", ".join(self.names)
        if self.number > len(self.names):
            names = Wording("{names} and {number} more", names=names, number=self.number - len(self.names))
        text = Wording("{number} files in {folder} that no rule takes: {names}")
        if self.number == 1:
            text = Wording("1 file in {folder} that no rule takes: {names}")
        return text.about(number=self.number, folder=self.folder, names=names)


class Preview(NamedTuple):
    """The watched folders at this moment.

    Attributes:
        new: The number of new files that each rule would take, by its id.
        problems: Warnings about folders.
        unwanted: The files that no rule takes.
        complete: False where the folders hold more than ten seconds are enough for.
    """

    new: Counter[str]
    problems: list[Problem]
    unwanted: list[Unwanted]
    complete: bool


def preview(project: Project, known: Known) -> Preview:
    """Look through all watched folders, without reading a file."""
    deadline = time.monotonic() + _WITHIN
    new = _new_files(project, known, deadline)
    problems: list[Problem] = []
    unwanted = []
    roots: dict[Path, Location] = {}
    for rule in project.rules:
        for trigger, spot in _file_triggers(rule):
            problems += _warnings(project, rule, trigger, spot, new[rule.id])
            roots.setdefault(trigger.root, spot)
    triggers = _triggers(project)
    for root, spot in roots.items():
        near, others = _unmatched(triggers, root, deadline)
        if near.number:
            problems.append(spot.warning("WBX355", near.text))
        if others.number:
            unwanted.append(others)
    return Preview(new, problems, unwanted, time.monotonic() < deadline)


def unwanted(project: Project, within: float = _WITHIN) -> list[Unwanted]:
    """Return the files in the watched folders that no rule takes, those first that one nearly takes."""
    deadline, triggers = time.monotonic() + within, _triggers(project)
    found = []
    for root in dict.fromkeys(trigger.root for trigger in triggers):
        near, others = _unmatched(triggers, root, deadline)
        if number := near.number + others.number:
            found.append(Unwanted(str(root), number, [*near.names, *others.names][:_MOST_NAMES]))
    return found


class UnwantedFiles(PeriodicThread):
    """Counts the files that no rule takes, now and then, and while somebody looks once a minute."""

    def __init__(self, live: Live) -> None:
        super().__init__("unwanted files", self._count, "files that no rule takes are not counted")
        self._live = live
        self._project: Project | None = None
        self._at = -math.inf
        self._found: Sequence[Unwanted] = ()

    def found(self) -> Sequence[Unwanted]:
        """Return what was found last; what is old is counted anew."""
        if self._project is not self._live.project or time.monotonic() - self._at > _FRESH:
            self.wake()
        return self._found

    def _count(self) -> float:
        project = self._live.project
        self._found, self._at, self._project = unwanted(project), time.monotonic(), project
        return _NOW_AND_THEN


def _triggers(project: Project) -> list[FileTrigger]:
    sources = [source for rule in project.rules for source in rule.sources()]
    return [source for source in sources if isinstance(source, FileTrigger)]


def _new_files(project: Project, known: Known, deadline: float) -> Counter[str]:
    """Return the number of new files that each rule would take, by its id."""
    scanner = Scanner(
        watches(project),
        HealthReporter(lambda _line: None),
        clock=time.monotonic,
        going=lambda: time.monotonic() < deadline,
    )
    new = Counter[str]()
    files = scanner.find(())
    while batch := list(islice(files, _BATCH)):
        pasts = known([file.version for file in batch])
        for file in batch:
            if _is_new(file, pasts.get(file.version, Past())):
                new.update(rule.id for rule in project.rules_for(_event(file.version)))
    return new


def _is_new(file: ListedFile, past: Past) -> bool:
    """Return whether a file is surely new; one that may be a known file does not count."""
    version = file.version
    return all(version.repeats(told) is False for told in Candidate.of(file, version, past).told)


def _event(version: FileVersion) -> Event:
    """Return the part of a file's event that decides which rules it sets off."""
    data = {"path": version.path, "size": version.size}
    return Event(id=version.id, type="file", at=datetime.now(UTC), data=data)


def _file_triggers(rule: Rule) -> Iterator[tuple[FileTrigger, Location]]:
    """Yield the file triggers of a rule, and where each names its folder."""
    for index, trigger in enumerate(rule.triggers):
        if isinstance(trigger, FileTrigger):
            yield trigger, rule.location.at("trigger").at(index).at("file", "path")


def _unmatched(triggers: Sequence[FileTrigger], root: Path, deadline: float) -> tuple[Unwanted, Unwanted]:
    """Return the files below a folder that rules nearly match, and those that they do not match at all."""
    near, others = [], []
    nearness = Nearness(triggers)
    for path in islice(_files(root, deadline), _MOST):
        misses = _misses(path, root, triggers, nearness)
        if all(miss.purpose for miss in misses):
            continue
        name = os.path.relpath(path, root)
        reason = next((miss.text for miss in misses if miss.near), None)
        if reason:
            near.append(f"{name} ({reason})")
        else:
            others.append(name)
    return _unwanted(root, near), _unwanted(root, others)


def _misses(path: str, root: Path, triggers: Sequence[FileTrigger], nearness: Nearness) -> list[Miss]:
    """Return why each trigger does not take a file; nothing where one does, or may have put it away there.

    Of a file that no trigger nearly takes, it is one miss that is not on purpose, if there is one.
    """
    misses = (trigger.miss(path) for trigger in _watching(path, root, triggers))
    if path not in nearness:
        return list(islice((miss for miss in misses if miss and not miss.purpose), 1))
    told = list(misses)
    return [] if None in told else [miss for miss in told if miss]


def _watching(path: str, root: Path, triggers: Sequence[FileTrigger]) -> list[FileTrigger]:
    """Return the triggers that watch for a file; none where one may have put it away."""
    watching = [trigger for trigger in triggers if path.startswith(trigger.folder)]
    below = os.path.dirname(path) != str(root)  # noqa: PTH120 - names of files may be no text
    if below and any(any(trigger.targets) for trigger in watching):
        return []
    return watching


def _unwanted(root: Path, names: Sequence[str]) -> Unwanted:
    return Unwanted(str(root), len(names), list(names[:_MOST_NAMES]))


def _files(root: Path, deadline: float) -> Iterator[str]:
    """Yield the plain files below a folder; no link is followed."""
    for folder, _, names in os.walk(root):
        for name in sorted(names):
            if time.monotonic() > deadline:
                return
            path = os.path.join(folder, name)  # noqa: PTH118 - names of files may be no text
            if not os.path.islink(path):  # noqa: PTH114 - the same
                yield path


def _warnings(
    project: Project, rule: Rule, trigger: FileTrigger, spot: Location, files: int
) -> Iterator[Problem]:
    if trigger.existing is None and files > project.settings.storm_guard:
        yield spot.warning(
            "WBX337",
            Wording(
                "{files} new files: `{id}` would send {messages}",
                files=files,
                id=rule.id,
                messages=_messages(rule, files),
            ),
            "`existing: ignore` leaves them out, `existing: process` confirms that you want this",
        )
    if trigger.poll is None and _is_shared(trigger.root):
        yield spot.warning(
            "WBX338",
            Wording(
                "{root} reports no changes: it is listed every {seconds:.0f} seconds",
                root=trigger.root,
                seconds=UNHINTED,
            ),
            "it is on a network or special file system; `poll` sets the interval",
        )


def _messages(rule: Rule, files: int) -> str:
    if rule.group or rule.digest:
        return Wording("messages about all of them")
    return Wording("{number} messages", number=files * len(rule.to) * len(rule.send))


def _is_shared(root: Path) -> bool:
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False  # another check reports this
    try:
        return not is_local(descriptor)
    finally:
        os.close(descriptor)
