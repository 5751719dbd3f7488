"""Quarantine for an event whose planning ends the whole process, found after a start."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from wbox_notify.engine import Planned
from wbox_notify.model.deliveries import NO_RULE, Decision, Memory, Plan, PlannedMessage
from wbox_notify.model.events import Event
from wbox_notify.model.texts import Wording
from wbox_notify.store import Store

_MOST_AT_ONCE = 100
"""Calls that come while plans are written wait for all of them."""
_MOST_STARTS = 2
_TEXT_AT_ONCE = 1 << 20
"""Characters of JSON that are planned together: as values they take up to 25 times that room."""
_KIND = "planning"


@dataclass(frozen=True, slots=True)
class _Mark:
    """The first event of what is being planned, whether it is alone, and how many runs began it so."""

    event: str
    alone: bool
    begun: int


class Quarantine:
    """Hands out the events that wait for their plan.

    Until those of before the start are through, what is about to be planned is marked in the store. A mark
    that is found at the start means that the last run ended there: then they are handed out one by one. Each
    ``host`` of those that share a store has its own mark.
    """

    def __init__(self, store: Store, host: str = "") -> None:
        self._store = store
        self._host = host
        value: Mapping[str, Any] | None = store.remembered(NO_RULE, _KIND, host)
        self._found = _Mark(**value) if value else None
        self._one_by_one = self._marked = self._found is not None
        self._through = False

    def next(self, now: float) -> list[Event]:
        """Return the oldest events that no plan was made for; empty when there are none."""
        events = self._store.arrivals.take(1 if self._one_by_one else _MOST_AT_ONCE, _TEXT_AT_ONCE)
        if not self._through:
            self._mark(events, now)
            self._through = not events
            self._one_by_one = self._one_by_one and not self._through
        return events

    def aside(self, events: Sequence[Event]) -> Planned | None:
        """Return a plan that only says so, for an event that has ended each run that planned it alone.

        It stands in the queue as dead: a retry plans it once more.
        """
        if not self._one_by_one or not events or self._begun(events[0]) < _MOST_STARTS:
            return None
        event = events[0]
        detail = Wording("quarantined: wbox-notify crashed each time it processed this event")
        decision = Decision(rule=NO_RULE, stage="engine", outcome="failed", detail=detail)
        dead = PlannedMessage(key=f"{event.id}:{NO_RULE}", rule=NO_RULE, message=None, problem=detail)
        return Planned(Plan(event_id=event.id, decisions=(decision,), messages=(dead,)), event)

    def _begun(self, event: Event) -> int:
        """Return how many runs ended while they planned this event alone."""
        mark = self._found
        return mark.begun if mark and mark.alone and mark.event == event.id else 0

    def _mark(self, events: Sequence[Event], now: float) -> None:
        if not events and not self._marked:
            return
        value = None
        if events:
            mark = _Mark(events[0].id, alone=len(events) == 1, begun=self._begun(events[0]) + 1)
            value = asdict(mark)
        memory = Memory(rule=NO_RULE, kind=_KIND, key=self._host, value=value)
        self._store.put_plans([Plan(event_id="", memories=(memory,))], now).result()
        self._marked = bool(events)
