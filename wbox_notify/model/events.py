"""Events that may set off rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.

    Attributes:
        id: The key of idempotency. The same file version, webhook delivery or nominal time has the same
            id each time it is seen, also after a restart and on another machine.
        type: ``file``, ``webhook``, ``schedule``, ``missing``, or ``ack`` when a person answers.
        at: When it happened, with a time zone.
        data: The data of the event under the name of its type; JSON values only.
    """

    id: str
    type: str
    at: datetime
    data: Mapping[str, Any]


def event_fields(event: Event) -> dict[str, Any]:
    """Return an event as JSON values; ``event_of`` is the inverse."""
    return {"id": event.id, "type": event.type, "at": event.at.timestamp(), "data": dict(event.data)}


def event_of(fields: Mapping[str, Any]) -> Event:
    """Return the event that ``event_fields`` gave the values of.

    Raises:
        KeyError, TypeError, ValueError, OverflowError: they are not the fields of an event.
    """
    try:
        at = datetime.fromtimestamp(fields["at"], UTC)
    except OSError as error:  # so far away that the C library gives up
        raise ValueError(str(error)) from None
    for text in (fields["id"], fields["type"]):
        str.encode(text)
    if not isinstance(fields["data"], Mapping):
        raise TypeError("the data of an event are a map")
    return Event(id=fields["id"], type=fields["type"], at=at, data=fields["data"])
