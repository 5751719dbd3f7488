"""What the rules of a project wait for, as their sources want it."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wbox_notify.rules import Project, Rule
from wbox_notify.rules.rule import FileTrigger, MissingTrigger, ScheduleTrigger, Trigger, WebhookTrigger
from wbox_notify.settings import Settings
from wbox_notify.triggers.file import Watch
from wbox_notify.triggers.schedule import Timetable
from wbox_notify.web import Hook


def watches(project: Project) -> list[Watch]:
    """Return one watch for each folder that rules name."""
    by_root: dict[Path, list[tuple[FileTrigger, Rule]]] = {}
    for rule in project.rules:
        for trigger in _awaited(rule):
            if isinstance(trigger, FileTrigger):
                by_root.setdefault(trigger.root, []).append((trigger, rule))
    return [_watch(root, group, _own(root, project.settings)) for root, group in by_root.items()]


def hooks(project: Project) -> list[Hook]:
    """Return one hook for each path that rules name."""
    found = {
        trigger.path: _hook(trigger)
        for rule in project.rules
        for trigger in _awaited(rule)
        if isinstance(trigger, WebhookTrigger)
    }
    return list(found.values())


def timetables(project: Project) -> list[Timetable]:
    """Return when rules are due."""
    return [
        timetable
        for rule in project.rules
        for trigger in rule.triggers
        if (timetable := _timetable(rule.id, trigger))
    ]


def _awaited(rule: Rule) -> Iterator[Trigger]:
    for trigger in rule.triggers:
        yield trigger.of if isinstance(trigger, MissingTrigger) else trigger


def _own(root: Path, settings: Settings) -> tuple[str, ...]:
    """Return how the daemon's own paths below a folder begin: to report one would write another."""
    # Path.resolve raises where links go round in circles.
    places = (root, settings.data_dir, settings.store.removeprefix("sqlite:///"))
    real, folder, store = (Path(os.path.realpath(place)) for place in places)
    if real.is_relative_to(folder):
        return (str(root),)
    begins = {folder: "/", store: ""}
    return tuple(
        f"{root / own.relative_to(real)}{end}" for own, end in begins.items() if own.is_relative_to(real)
    )


def _watch(root: Path, group: list[tuple[FileTrigger, Rule]], own: tuple[str, ...]) -> Watch:
    def reads(path: str) -> frozenset[str]:
        needs = (rule.needs - {"json"} for trigger, rule in group if trigger.accepts(path))
        return frozenset().union(*needs)

    return Watch(
        root=root,
        accepts=lambda path: not path.startswith(own) and any(trigger.accepts(path) for trigger, _ in group),
        reads=reads,
        settle=max(trigger.settle for trigger, _ in group),
    )


def _hook(trigger: WebhookTrigger) -> Hook:
    def delivery_id(call: Mapping[str, Any]) -> str | None:
        return str(trigger.id.value(call)) if trigger.id else None

    return Hook(
        path=trigger.path,
        scheme=trigger.scheme,
        preset=trigger.preset,
        id=delivery_id if trigger.id else None,
    )


def _timetable(rule: str, trigger: Trigger) -> Timetable | None:
    if isinstance(trigger, ScheduleTrigger):
        return Timetable(rule=rule, kind="schedule", schedule=trigger.schedule, missed=trigger.missed)
    if isinstance(trigger, MissingTrigger):
        return Timetable(rule=rule, kind="missing", schedule=trigger.by)
    return None
