"""Items of an event, and the names that expressions and templates see of them."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from wbox_notify.errors import WboxError
from wbox_notify.model.events import Event
from wbox_notify.model.texts import Wording
from wbox_notify.rules.project import Project
from wbox_notify.rules.rule import Rule
from wbox_notify.rules.triggers import WebhookTrigger
from wbox_notify.triggers.file.readers.json_items import value_of
from wbox_notify.triggers.webhook.hooks import Headers


class Item(NamedTuple):
    """One file, call, alert, row or nominal time. A tuple, since thousands may wait in one state.

    Attributes:
        event_id: The event that told of it.
        type: What ``event.type`` is in the rule.
        at: When it happened, in seconds since the epoch.
        data: The names that the rule sees, JSON values only.
        key: The same in all that is told of one alert.
        status: ``firing`` or ``resolved``; None where the sender has no such thing.
        place: Its number among those of the event.
        reminder: Which reminder of it this is, if it is one.
    """

    event_id: str
    type: str
    at: float
    data: Mapping[str, Any]
    key: str | None = None
    status: str | None = None
    place: int = 0
    reminder: str = ""

    @property
    def identity(self) -> str:
        """What is the same when the same alert, or the same event, is told of again."""
        return self.key or f"{self.event_id}:{self.place}"

    @property
    def is_resolved(self) -> bool:
        """Whether it says that all is well again."""
        return self.status == "resolved"

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Item":
        """Return the item that ``to_json`` gave the values of."""
        return cls(**value)

    def to_json(self) -> dict[str, Any]:
        """Return the item as JSON values, without those that say nothing."""
        value = {"event_id": self.event_id, "type": self.type, "at": self.at, "data": self.data}
        if self.key is not None:
            value["key"] = self.key
        if self.status is not None:
            value["status"] = self.status
        if self.place:
            value["place"] = self.place
        if self.reminder:
            value["reminder"] = self.reminder
        return value


def items_of(rule: Rule, event: Event) -> Iterator[Item]:
    """Yield what an event tells of, as the rule's trigger understands it.

    Raises:
        BodyError: a call is not what its sender usually sends.
    """
    if event.type != "webhook":
        data = {event.type: event.data}
        yield Item(event_id=event.id, type=event.type, at=event.at.timestamp(), data=data)
        return
    webhooks = (trigger for trigger in rule.triggers if isinstance(trigger, WebhookTrigger))
    trigger = next(webhook for webhook in webhooks if webhook.path == event.data["path"])
    call = {name: event.data.get(name) for name in ("body", "headers", "query")}
    for place, part in enumerate(trigger.preset.items(call["body"], call["headers"] or {})):
        yield Item(
            event_id=event.id,
            type=part.type or event.type,
            at=event.at.timestamp(),
            data={**call, **part.data},
            key=part.key,
            status=part.status,
            place=place,
        )


def moment(seconds: float) -> datetime:
    """Return a time that was kept as seconds since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


def key_of(values: Any) -> str:
    """Return one text for JSON values, the same whenever they are."""
    return json.dumps(values, sort_keys=True)


def short(key: str) -> str:
    """Return a short name of a key that can stand in an id or an address."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:20]


_TIMES = {
    "file": ("mtime",),
    "schedule": ("at",),
    "remind": ("at",),
    "missing": ("by", "last_seen"),
}
"""What is a time in the data of an event, kept as seconds since the epoch or as ISO 8601 text."""


def context(project: Project, rule: Rule, item: Item, now: datetime) -> dict[str, Any]:
    """Return the values of all names that one item gives; times are in the project's zone."""
    zone = project.settings.tz
    data = {name: _with_times(name, value, project) for name, value in item.data.items()}
    if data.get("headers"):
        data["headers"] = Headers(data["headers"])
    if "json" in rule.needs and "file" in data:
        data["file"] = {**data["file"], "json": _json(data["file"])}
    if rule.reads == "events" and rule.for_each and rule.for_each[0] in data:
        name = rule.for_each[0]
        data[name] = {**data[name], **_begin_and_end(data[name], project)}
    if rule.status and "alert" in data:
        data["alert"] = {**data["alert"], "since": moment(data["alert"]["since"]).astimezone(zone)}
    return {
        **data,
        "event": {"id": item.event_id, "type": item.type, "at": moment(item.at).astimezone(zone)},
        "rule": {"id": rule.id, "name": rule.name},
        "now": now.astimezone(zone),
    }


def _with_times(name: str, value: Any, project: Project) -> Any:
    if name not in _TIMES or not isinstance(value, Mapping):
        return value
    times = {field: _time(value[field], project) for field in _TIMES[name] if value.get(field) is not None}
    return {**value, **times}


def _begin_and_end(event: Mapping[str, Any], project: Project) -> dict[str, datetime]:
    """Return the times of an event of a calendar; where they have no zone, they are in the project's."""
    zone = project.settings.tz
    times: dict[str, datetime] = {}
    for name in ("start", "end"):
        if event[name]:
            at = datetime.fromisoformat(event[name])
            times[name] = at.astimezone(zone) if at.tzinfo else at.replace(tzinfo=zone)
    return times


def _time(value: float | str, project: Project) -> datetime:
    at = datetime.fromisoformat(value) if isinstance(value, str) else moment(value)
    return at.astimezone(project.settings.tz)


def _json(file: Mapping[str, Any]) -> Any:
    try:
        return value_of(file["text"])
    except (ValueError, RecursionError) as error:
        raise WboxError(
            Wording("file.json: {name} is not JSON: {error}", name=file["name"], error=error)
        ) from None
