"""The names that expressions and templates of a rule see."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wbox_notify.engine.item import Subject, moment
from wbox_notify.errors import WboxError
from wbox_notify.rules import Project, Rule
from wbox_notify.triggers.file.readers.json_items import value_of

_TIMES = {
    "file": ("mtime",),
    "schedule": ("at",),
    "missing": ("by", "last_seen"),
}
"""What is a time in the data of an event, kept as seconds since the epoch or as ISO 8601 text."""


def context(project: Project, rule: Rule, subject: Subject, now: datetime) -> dict[str, Any]:
    """Return the values of all names that one subject gives; times are in the project's zone."""
    zone = project.settings.tz
    data = {name: _with_times(name, value, project) for name, value in subject.data.items()}
    if "json" in rule.needs and "file" in data:
        data["file"] = {**data["file"], "json": _json(data["file"])}
    if rule.reads == "events" and rule.for_each and rule.for_each[0] in data:
        name = rule.for_each[0]
        data[name] = {**data[name], **_begin_and_end(data[name], project)}
    return {
        **data,
        "event": {"id": subject.event_id, "type": subject.type, "at": moment(subject.at).astimezone(zone)},
        "rule": {"id": rule.id, "name": rule.name},
        "now": now.astimezone(zone),
    }


def _with_times(name: str, value: Any, project: Project) -> Any:
    if name not in _TIMES or not isinstance(value, Mapping):
        return value
    times = {field: _time(value[field], project) for field in _TIMES[name] if value.get(field) is not None}
    return {**value, **times}


def _begin_and_end(event: Mapping[str, Any], project: Project) -> dict[str, Any]:
    """Return the times of an event of a calendar; where they have no zone, they are in the project's."""
    zone = project.settings.tz
    texts = {name: event[name] for name in ("start", "end") if event[name]}
    found = {name: datetime.fromisoformat(text) for name, text in texts.items()}
    return {name: at.astimezone(zone) if at.tzinfo else at.replace(tzinfo=zone) for name, at in found.items()}


def _time(value: float | str, project: Project) -> datetime:
    found = datetime.fromisoformat(value) if isinstance(value, str) else moment(value)
    return found.astimezone(project.settings.tz)


def _json(file: Mapping[str, Any]) -> Any:
    try:
        return value_of(file["text"])
    except (ValueError, RecursionError) as error:
        raise WboxError(f"file.json: {file['name']} is not JSON: {error}") from None
