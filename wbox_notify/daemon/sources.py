"""What the rules of a project wait for, as their sources want it."""

from collections.abc import Iterator
from pathlib import Path
from posixpath import normpath
from typing import Protocol

from wbox_notify.config.own import Own, Part
from wbox_notify.config.settings import Settings
from wbox_notify.rules import Project, Rule
from wbox_notify.rules.triggers import FileTrigger, MissingTrigger, ScheduleTrigger, Trigger
from wbox_notify.triggers.file.watch import Watch
from wbox_notify.triggers.schedule.source import Timetable


class Beginnings(Protocol):
    """Whoever knows which rules have listed their folders once, as `existing: ignore` needs it."""

    def is_new(self, rule: str, root: Path) -> bool:
        """Return whether a rule has never listed a folder."""

    def begun(self, rule: str, root: Path) -> None:
        """Note that it has now. Raises StoreError."""


def watches(project: Project, beginnings: Beginnings | None = None) -> list[Watch]:
    """Return one watch for each folder that rules name."""
    by_root: dict[Path, list[tuple[FileTrigger, Rule]]] = {}
    for rule in project.rules:
        for trigger in rule.sources():
            if isinstance(trigger, FileTrigger):
                by_root.setdefault(trigger.root, []).append((trigger, rule))
    return [_watch(root, group, project.settings, beginnings) for root, group in by_root.items()]


def timetables(project: Project) -> list[Timetable]:
    """Return when rules are due."""
    return [
        timetable
        for rule in project.rules
        for trigger in rule.triggers
        if (timetable := _timetable(rule.id, trigger))
    ]


def _own(root: Path, settings: Settings) -> tuple[str, ...]:
    """Return the paths below a folder that are not reported, with all below them."""
    if settings.own.at(root):
        return (normpath(root),)
    own, static = settings.own, settings.media.static
    if static:  # what is put there for wbox would be reported, sent and put there again
        own = Own((*own.parts, Part(static.folder, "")))
    return tuple(normpath(root / below) for _, below in own.below(root))


def _watch(
    root: Path, group: list[tuple[FileTrigger, Rule]], settings: Settings, beginnings: Beginnings | None
) -> Watch:
    own = _own(root, settings)
    new = {
        rule.id: trigger
        for trigger, rule in group
        if trigger.existing == "ignore" and beginnings and beginnings.is_new(rule.id, root)
    }

    def taking(path: str) -> Iterator[tuple[FileTrigger, Rule]]:
        return (one for one in group if one[0].accepts(path))

    def reads(path: str) -> frozenset[str]:
        return frozenset().union(*(rule.needs - {"json"} for _, rule in taking(path)))

    hidden, below = frozenset(own), tuple(f"{path.rstrip('/')}/" for path in own)

    def accepts(path: str) -> bool:
        return path not in hidden and not path.startswith(below) and any(True for _ in taking(path))

    def begun() -> None:
        for rule in new:
            if beginnings:
                beginnings.begun(rule, root)

    return Watch(
        root=root,
        accepts=accepts,
        own=settings.own.has,
        reads=reads,
        miss=lambda path: next(
            (miss.text for trigger, _ in group if (miss := trigger.miss(path)) and miss.near), None
        ),
        rest=lambda path: max(
            (trigger.settle for trigger, _ in taking(path) if trigger.settle is not None), default=None
        ),
        poll=min((trigger.poll for trigger, _ in group if trigger.poll is not None), default=None),
        least=lambda path: min(trigger.min_size for trigger, _ in taking(path)),
        markers=lambda path: [mark for trigger, _ in taking(path) if (mark := trigger.marker(path))],
        followers=lambda path: frozenset(rule.id for _, rule in taking(path)),
        history=lambda path: all(rule.id in new for _, rule in taking(path)),
        begun=begun,
    )


def _timetable(rule: str, trigger: Trigger) -> Timetable | None:
    if isinstance(trigger, ScheduleTrigger):
        return Timetable(rule=rule, kind="schedule", schedule=trigger.schedule, missed=trigger.missed)
    if isinstance(trigger, MissingTrigger):
        return Timetable(rule=rule, kind="missing", schedule=trigger.by)
    return None
