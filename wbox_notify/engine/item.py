"""Subject: one thing that an event tells of, on its way through a rule."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from wbox_notify.model.events import Event
from wbox_notify.rules.rule import Rule
from wbox_notify.rules.triggers import WebhookTrigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One file, call, alert, row or nominal time.

    Attributes:
        event_id: The event that told of it.
        type: What ``event.type`` is in the rule.
        at: When it happened, in seconds since the epoch.
        data: The names that the rule sees, JSON values only.
        key: The same in all that is told of one alert.
        status: ``firing`` or ``resolved``; None where the sender has no such thing.
        place: Its number among those of the event.
    """

    event_id: str
    type: str
    at: float
    data: Mapping[str, Any]
    key: str | None = None
    status: str | None = None
    place: int = 0

    @property
    def identity(self) -> str:
        """What is the same when the same alert, or the same event, is told of again."""
        return identity_of({"key": self.key, "event_id": self.event_id, "place": self.place})

    def dump(self) -> dict[str, Any]:
        """Return the subject as JSON values; ``Subject(**…)`` is the inverse."""
        return asdict(self)


def identity_of(dump: Mapping[str, Any]) -> str:
    """Return the identity of a subject that is kept as JSON values."""
    return dump["key"] or f"{dump['event_id']}:{dump['place']}"


def subjects(rule: Rule, event: Event) -> Iterator[Subject]:
    """Yield what an event tells of, as the rule's trigger understands it.

    Raises:
        BodyError: a call is not what its sender usually sends.
    """
    if event.type != "webhook":
        yield _subject(event, {event.type: event.data})
        return
    trigger = next(
        found
        for found in rule.triggers
        if isinstance(found, WebhookTrigger) and found.path == event.data["path"]
    )
    call = {name: event.data.get(name) for name in ("body", "headers", "query")}
    for place, item in enumerate(trigger.preset.items(call["body"], call["headers"] or {})):
        yield Subject(
            event_id=event.id,
            type=item.type or event.type,
            at=event.at.timestamp(),
            data={**call, **item.data},
            key=item.key,
            status=item.status,
            place=place,
        )


def _subject(event: Event, data: Mapping[str, Any]) -> Subject:
    return Subject(event_id=event.id, type=event.type, at=event.at.timestamp(), data=data)


def moment(seconds: float) -> datetime:
    """Return a time that was kept as seconds since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)
