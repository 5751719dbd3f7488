"""Schedule source: one event for each nominal time of each rule, whatever the clock of the machine does."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from wbox_notify.errors import StoreError
from wbox_notify.model.events import Event
from wbox_notify.model.loop import PeriodicThread
from wbox_notify.triggers.health import HealthReporter, StoreHealth
from wbox_notify.triggers.schedule.schedule import Missed, Schedule, nominal_id

LONGEST_PAUSE = 30.0
"""Seconds after which the clock is read again at the latest: it may be set, and the machine may sleep."""

_NEVER = datetime.max.replace(tzinfo=UTC)


class Mark(NamedTuple):
    """How far the times of a rule have been handled; it is stored with the events.

    Attributes:
        definition: The schedules of the rule as text; where it differs, the rule starts again from now.
        handled: The time up to which nothing is due any more, in seconds since the epoch.
    """

    definition: str
    handled: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """A schedule of a rule and the kind of its events; a rule may have several."""

    rule: str
    kind: Literal["schedule", "missing"]
    schedule: Schedule
    missed: Missed = field(default_factory=Missed)

    def event_id(self, at: datetime) -> str:
        """Return the id of the event of a nominal time."""
        _, _, name = nominal_id(self.rule, at).partition(":")
        return f"{self.kind}:{name}"

    def event(self, at: datetime, now: datetime) -> Event:
        """Return the event of a nominal time that is found to be due now."""
        data: dict[str, str | float] = {
            "rule": self.rule,
            "at": at.astimezone(self.schedule.zone).isoformat(),
        }
        if self.kind == "schedule":
            data["late"] = round(max(now - at, timedelta()).total_seconds(), 3)
        return Event(id=self.event_id(at), type=self.kind, at=at, data=data)


class ScheduleSource(PeriodicThread):
    """Emits an event for each nominal time, and for missed ones as their rules say."""

    def __init__(
        self,
        timetables: Iterable[Timetable],
        *,
        last: Callable[[str], Mark | None],
        emit: Callable[[Sequence[Event], Mapping[str, Mark]], None],
        report: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Set up; nothing is read or emitted yet.

        Args:
            timetables: Those of all rules.
            last: Returns the stored mark of a rule id. May raise StoreError.
            emit: Commits events, and marks by rule id, together; an event with a known id changes nothing.
                Raises StoreError if it fails, and both are emitted again later.
            report: Takes a line for a person when the store fails, and when it works again.
            clock: Returns the seconds since the epoch; it may jump.
        """
        self._last = last
        self._emit = emit
        self._clock = clock
        super().__init__("schedule-source", self.step, "schedules paused")
        self._store = StoreHealth("schedules", HealthReporter(report))
        self._timetables: dict[str, list[Timetable]] = {}
        for timetable in timetables:
            self._timetables.setdefault(timetable.rule, []).append(timetable)
        self._rules: list[_Rule] | None = None
        self._due: dict[str, _Due] = {}
        self._marks: dict[str, Mark] = {}

    def step(self) -> float:
        """Emit what is due; return in how many seconds to look again, at most ``LONGEST_PAUSE``.

        The thread calls it; nothing else may call it at the same time.
        """
        try:
            rules = self._known_rules()
            self._collect(rules)
            self._emit_due()
        except StoreError as error:
            return self._store.refused(error)
        self._store.accepted()
        return self._until_next(rules)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _known_rules(self) -> Sequence["_Rule"]:
        """Return the rules; at first each from its mark, and new and edited ones from now."""
        if self._rules is None:
            now = self._now()
            marks = {rule: self._last(rule) for rule in self._timetables}
            self._rules = [_Rule(tables, marks[rule], now) for rule, tables in self._timetables.items()]
            self._marks = {rule.id: rule.mark for rule in self._rules if rule.mark != marks[rule.id]}
        return self._rules

    def _collect(self, rules: Iterable["_Rule"]) -> None:
        """Add the times that are due to those that wait for the store, so that none is found twice."""
        now = self._now()
        for rule in rules:
            if not rule.handled <= now < rule.next:
                self._due.update((due.timetable.event_id(due.at), due) for due in rule.handle(now))
                self._marks[rule.id] = rule.mark

    def _emit_due(self) -> None:
        if not self._marks:
            return
        now = self._now()
        in_order = sorted(self._due.values(), key=lambda due: due.at)
        self._emit([due.timetable.event(due.at, now) for due in in_order], self._marks)
        self._due, self._marks = {}, {}

    def _until_next(self, rules: Iterable["_Rule"]) -> float:
        left = min((rule.next for rule in rules), default=_NEVER) - self._now()
        return min(max(0.0, left.total_seconds()), LONGEST_PAUSE)


class _Due(NamedTuple):
    """A nominal time that has come."""

    timetable: Timetable
    at: datetime


class _Rule:
    """How far the times of one rule have been handled, and when the next one is."""

    def __init__(self, timetables: Sequence[Timetable], mark: Mark | None, now: datetime) -> None:
        self.id = timetables[0].rule
        self._timetables = timetables
        self._definition = "\n".join(f"{table.kind}: {table.schedule.definition}" for table in timetables)
        if mark is not None and mark.definition == self._definition:
            now = datetime.fromtimestamp(mark.handled, UTC)
        self._set(now)

    @property
    def mark(self) -> Mark:
        return Mark(self._definition, self.handled.timestamp())

    def handle(self, now: datetime) -> list[_Due]:
        """Return the times that are due, and continue from ``now``, also where the clock went back.

        The times in between come again then; their events have the same ids.
        """
        due: list[_Due] = []
        for table in self._timetables:
            due += [_Due(table, at) for at in table.schedule.due(self.handled, now, table.missed)]
        self._set(now)
        return due

    def _set(self, handled: datetime) -> None:
        self.handled = handled
        times = [table.schedule.after(handled) for table in self._timetables]
        self.next = min(filter(None, times), default=_NEVER)
