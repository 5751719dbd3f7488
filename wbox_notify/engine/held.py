"""Held: what rules keep in mind and cannot tell waits in the queue for a person."""

from collections.abc import Iterator, Mapping
from typing import Any

from wbox_notify.engine.names import first_event, key_of, short
from wbox_notify.model.deliveries import PlannedMessage

_TOLD_LATER: Mapping[str, tuple[str, str]] = {
    "group": ("group", "items"),
    "digest": ("digest", "subjects"),
    "quiet_hours": ("quiet hours", "held"),
    "throttle": ("throttle", "queue"),
    "burst": ("burst", "subjects"),
}
"""What a kind of memory is called, and the part of its value that is still to be told."""


def holds(kind: str, value: Mapping[str, Any]) -> int:
    """Return of how many events nobody was told yet that a memory holds; 0 where it can be forgotten."""
    if kind == "rows":
        return int(not value["done"])
    if kind not in _TOLD_LATER:
        return 0
    waiting = value[_TOLD_LATER[kind][1]]
    if kind == "group":
        told = value["told"] or {}
        return sum(name not in told and one["status"] != "resolved" for name, one in waiting.items())
    return max(len(waiting), int(value.get("number", 0)))


def held(rule: str, kind: str, key: str, value: Mapping[str, Any], why: str) -> PlannedMessage:
    """Return what stands in the queue for a memory, until a person lets it be told or drops it."""
    number = holds(kind, value)
    name = _TOLD_LATER.get(kind, (kind, ""))[0]
    what = f"{_events(number)} of its {name} {'waits' if number == 1 else 'wait'}"
    return PlannedMessage(
        key=f"{kind}:{first_event(value)}:{short(key_of([key, value]))}:{rule}:-",
        rule=rule,
        message=None,
        held=f"{why}, and {what}: put it right and `queue release`, or `queue drop`",
        events=tuple(dict.fromkeys(_events_of(value))),
        again={"do": "remember", "kind": kind, "key_of_memory": key, "value": value},
    )


def _events(number: int) -> str:
    return f"{number} event{'' if number == 1 else 's'}"


def _events_of(value: Any) -> Iterator[str]:
    """Yield the ids of all events that a memory tells of."""
    if isinstance(value, Mapping):
        if isinstance(value.get("event_id"), str):
            yield value["event_id"]
            return
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _events_of(one)
