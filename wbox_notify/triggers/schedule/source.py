"""The clock as a trigger: tells of each nominal time of each rule once, whatever the machine's clock does."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from wbox_notify.errors import StoreError
from wbox_notify.model.events import Event
from wbox_notify.model.loop import PeriodicThread
from wbox_notify.triggers.health import HealthReporter, StoreHealth
from wbox_notify.triggers.schedule import Missed, Schedule, nominal_id

LONGEST_PAUSE = 30.0
"""Seconds until the clock is looked at again at the latest: it may be set, and the machine may sleep."""

_NEVER = datetime.max.replace(tzinfo=UTC)


class Mark(NamedTuple):
    """How far a rule's times have been handled; it is kept with the events.

    Attributes:
        definition: The rule's schedules as text; where that differs, the rule starts anew.
        handled: Up to when, in seconds since the epoch, nothing is due any more.
    """

    definition: str
    handled: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """When a rule is due, and by which kind of event it is told; a rule may have several."""

    rule: str
    kind: Literal["schedule", "missing"]
    schedule: Schedule
    missed: Missed = field(default_factory=Missed)


class ScheduleSource(PeriodicThread):
    """Emits an event for each nominal time that comes, and for missed ones as their rules want it."""

    def __init__(
        self,
        timetables: Iterable[Timetable],
        *,
        last: Callable[[str], Mark | None],
        emit: Callable[[Sequence[Event], Mapping[str, Mark]], None],
        report: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Set up; nothing is asked or emitted yet.

        Args:
            timetables: Of all rules.
            last: Returns the mark kept for a rule id. May raise StoreError.
            emit: Commits events, and marks by rule id, together; an event whose id is known already changes
                nothing. Raises StoreError if it could not, and both are emitted again later.
            report: Takes one line for a person: that the store takes nothing, and when that is over.
            clock: Gives the seconds since the epoch; it may jump.
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

        It is what the thread does, and not for calling beside it.
        """
        try:
            rules = self._begun()
            self._gather(rules)
            self._hand_over()
        except StoreError as error:
            return self._store.refused(error)
        self._store.accepted()
        return self._until_next(rules)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _begun(self) -> Sequence["_Rule"]:
        """Return the rules; the first time, each where its mark stands, and new and edited ones from now."""
        if self._rules is None:
            now = self._now()
            marks = {rule: self._last(rule) for rule in self._timetables}
            self._rules = [_Rule(tables, marks[rule], now) for rule, tables in self._timetables.items()]
            self._marks = {rule.id: rule.mark for rule in self._rules if rule.mark != marks[rule.id]}
        return self._rules

    def _gather(self, rules: Iterable["_Rule"]) -> None:
        """Add what is due to what waits for the store, so that it cannot be late twice."""
        now = self._now()
        for rule in rules:
            if not rule.handled <= now < rule.next:
                self._due.update((due.id, due) for due in rule.handle(now))
                self._marks[rule.id] = rule.mark

    def _hand_over(self) -> None:
        if not self._marks:
            return
        now = self._now()
        due = sorted(self._due.values(), key=lambda due: due.at)
        self._emit([one.event(now) for one in due], self._marks)
        self._due, self._marks = {}, {}

    def _until_next(self, rules: Iterable["_Rule"]) -> float:
        left = min((rule.next for rule in rules), default=_NEVER) - self._now()
        return min(max(0.0, left.total_seconds()), LONGEST_PAUSE)


class _Due(NamedTuple):
    """A nominal time that has come."""

    timetable: Timetable
    at: datetime

    @property
    def id(self) -> str:
        known_by = nominal_id(self.timetable.rule, self.at).partition(":")[2]
        return f"{self.timetable.kind}:{known_by}"

    def event(self, now: datetime) -> Event:
        table = self.timetable
        data: dict[str, str | float] = {
            "rule": table.rule,
            "at": self.at.astimezone(table.schedule.zone).isoformat(),
        }
        if table.kind == "schedule":
            data["late"] = round(max(now - self.at, timedelta()).total_seconds(), 3)
        return Event(id=self.id, type=table.kind, at=self.at, data=data)


class _Rule:
    """How far the times of one rule have been handled, and when the next one is."""

    def __init__(self, timetables: Sequence[Timetable], mark: Mark | None, now: datetime) -> None:
        self.id = timetables[0].rule
        self._timetables = timetables
        self._definition = "\n".join(f"{table.kind}: {table.schedule.definition}" for table in timetables)
        known = mark is not None and mark.definition == self._definition
        self._set(datetime.fromtimestamp(mark.handled, UTC) if mark and known else now)

    @property
    def mark(self) -> Mark:
        return Mark(self._definition, self.handled.timestamp())

    def handle(self, now: datetime) -> list[_Due]:
        """Return what is due, and go on from ``now``, also where the clock went back behind the mark.

        What it had passed over comes again then; an event that was emitted before has the same id.
        """
        due = [
            _Due(table, at)
            for table in self._timetables
            for at in table.schedule.due(self.handled, now, table.missed)
        ]
        self._set(now)
        return due

    def _set(self, handled: datetime) -> None:
        self.handled = handled
        following = (table.schedule.after(handled) for table in self._timetables)
        self.next = min((at for at in following if at is not None), default=_NEVER)
