"""Careful: after a start, finds the event whose planning ends the whole process, and puts it aside."""

from collections.abc import Mapping, Sequence
from typing import Any

from wbox_notify.model.deliveries import NO_RULE, Decision, Memory, Plan, PlannedMessage
from wbox_notify.model.events import Event
from wbox_notify.store import Store

_MOST_AT_ONCE = 200
_MOST_STARTS = 2
_TEXT_AT_ONCE = 1 << 20
"""Characters of JSON that are planned together: as values they take up to 25 times that room."""


class Backlog:
    """Hands out the events that wait for their plan.

    Until those of before the start are through, what is about to be planned is written down first. A mark
    that is found at the start means that the last run ended there: then they are handed out one by one.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: Mapping[str, Any] = store.remembered("-", "planning", "") or {}
        self._one_by_one = self._marked = bool(self._found)
        self._through = False

    def next(self, now: float) -> list[Event]:
        """Return the oldest events that no plan was made for; empty when there are none."""
        events = self._store.unplanned(1 if self._one_by_one else _MOST_AT_ONCE, _TEXT_AT_ONCE)
        if not self._through:
            self._write_down(events, now)
            self._through = not events
            self._one_by_one = self._one_by_one and not self._through
        return events

    def aside(self, event: Event) -> Plan | None:
        """Return a plan that only says so, for an event that has ended each run that planned it alone.

        It stands in the queue as dead: a retry plans it once more.
        """
        if not self._one_by_one or self._begun(event) < _MOST_STARTS:
            return None
        detail = "put aside: wbox-notify ended each time that it planned this event"
        return Plan(
            event_id=event.id,
            decisions=(Decision(rule=NO_RULE, stage="engine", outcome="failed", detail=detail),),
            messages=(
                PlannedMessage(key=f"{event.id}:{NO_RULE}", rule=NO_RULE, message=None, problem=detail),
            ),
        )

    def _begun(self, event: Event) -> int:
        """Return how many runs ended while they planned this event alone."""
        known = self._found.get("event") == event.id and self._found["alone"]
        return int(self._found["begun"]) if known else 0

    def _write_down(self, events: Sequence[Event], now: float) -> None:
        if not events and not self._marked:
            return
        value = None
        if events:
            value = {"event": events[0].id, "alone": len(events) == 1, "begun": self._begun(events[0]) + 1}
        mark = Memory(rule="-", kind="planning", key="", value=value)
        self._store.put_plans([Plan(event_id="", memories=(mark,))], now).result()
        self._marked = bool(events)
