"""Rules at work without a store: replays with a clock that is moved by hand, and dry runs."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from io import BytesIO
from typing import Any

from wbox_notify.engine.driver import Driver
from wbox_notify.engine.item import moment
from wbox_notify.engine.rule_run import StateReader
from wbox_notify.engine.state import RowsState
from wbox_notify.errors import WboxError
from wbox_notify.model.deliveries import Decision, Memory, Plan, PlannedMessage, Remembered
from wbox_notify.model.events import Event
from wbox_notify.model.messages import WhatsAppMessage, notice_of
from wbox_notify.model.texts import problem_of
from wbox_notify.rules.project import Project
from wbox_notify.triggers.file.rows import Rows, Slice, Wanted

_MOST_WAKES = 1000


@dataclass
class ReplayStore:
    """All that rules remember, all that they decided and all that they said, and when.

    It is what store, planner and clock are for the daemon. While ``api_down``, wbox takes nothing;
    what it should have taken goes to the fallback of the rule, if any. ``contents`` are those of files whose
    rows are followed, by path; without ``rows``, which reads them where they lie. ``below`` is the store that
    knows what rules kept in mind before, if any does.
    """

    project: Project
    now: datetime
    api_down: bool = False
    memories: dict[tuple[str, str, str], Memory] = field(default_factory=dict)
    decisions: list[tuple[datetime, Decision]] = field(default_factory=list)
    messages: list[tuple[datetime, PlannedMessage]] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)
    rows: Callable[[Wanted], Slice] | None = None
    below: StateReader | None = None
    _events: set[str] = field(default_factory=set)
    _keys: set[str] = field(default_factory=set)
    _taken: list[str] = field(default_factory=list)
    """The keys of the messages that wbox took, sorted, so that those of a prefix stand together."""
    _forgotten: set[tuple[str, str, str]] = field(default_factory=set)
    _number: int = 0
    _begun: dict[tuple[str, str, str], int] = field(default_factory=dict)
    _due: list[tuple[float, int, tuple[str, str, str]]] = field(default_factory=list)
    """A heap of what rules want to be woken with, of one instant what began first; also outdated entries."""

    def __post_init__(self) -> None:
        for place, memory in self.memories.items():
            self._keep(place, memory)
        for _, planned in self.messages:
            self._hand_over(planned)

    def remembered(self, rule: str, kind: str, key: str) -> Mapping[str, Any] | Remembered | None:
        """Return what a rule keeps under a key, or None."""
        place = (rule, kind, key)
        if place in self.memories:
            return self.memories[place].value
        if self.below is None or place in self._forgotten:
            return None
        return self.below.remembered(rule, kind, key)

    def sent(self, prefix: str) -> bool:
        """Return whether wbox took a message whose key begins with a prefix."""
        place = bisect_left(self._taken, prefix)
        if any(key.startswith(prefix) for key in self._taken[place : place + 1]):
            return True
        return self.below is not None and self.below.sent(prefix)

    def happen(self, event: Event) -> None:
        """Let an event happen now; one that has happened before changes nothing."""
        if event.id not in self._events:
            self._events.add(event.id)
            self._step(events=[event])

    def wait(self, until: datetime) -> None:
        """Move the clock on, and wake rules when they want to be woken."""
        while (due := self._next(until)) is not None:
            self.now = max(self.now, moment(due.due or 0.0))
            self._step(due=[due])
        self.now = max(self.now, until)

    def wait_for(self, seconds: float) -> None:
        """Move the clock on by some seconds."""
        self.wait(self.now + timedelta(seconds=seconds))

    def wait_for_a_message(self, until: datetime) -> None:
        """Move the clock on until something is said, at most until a time, and for a thousand wakes."""
        for _ in range(_MOST_WAKES):
            due = self._next(until)
            if self.messages or due is None:
                return
            self.now = max(self.now, moment(due.due or 0.0))
            self._step(due=[due])

    def follow_rows(self) -> None:
        """Follow all rows that files have now."""
        while due := [memory for memory in self.memories.values() if self._has_rows(memory)]:
            self._step(due=due)

    def _has_rows(self, memory: Memory) -> bool:
        is_due = memory.due is not None and memory.due <= self.now.timestamp()
        return is_due and memory.kind == RowsState.KIND

    def _next(self, until: datetime) -> Memory | None:
        while self._due:
            due, _, place = self._due[0]
            memory = self.memories.get(place)
            if memory and memory.due == due:
                return memory if due <= until.timestamp() else None
            heappop(self._due)
        return None

    def _step(self, due: Sequence[Memory] = (), events: Sequence[Event] = ()) -> None:
        driver = Driver(self.project, self, self.rows or self._rows, self.now)
        driver.wake(due)
        driver.plan(events)
        for planned in driver.planned:
            if planned.fault:
                raise planned.fault
            self._put(planned.plan)

    def _rows(self, asked: Wanted) -> Slice:
        """Return rows of the files whose contents are given."""
        if asked.path not in self.contents:
            return Slice(problem="no input gives its contents before: begin with `file: {text: …}`")
        try:
            file = BytesIO(self.contents[asked.path])
            return Rows(file, asked.path, asked.reading).take(asked.start, asked.most)
        except WboxError as error:
            return Slice(problem=problem_of(error))

    def _put(self, plan: Plan) -> None:
        for memory in plan.memories:
            place = (memory.rule, memory.kind, memory.key)
            if memory.value is None:
                self.memories.pop(place, None)
                self._begun.pop(place, None)
                self._forgotten.add(place)
            else:
                self._keep(place, memory)
        self.decisions += [(self.now, decision) for decision in plan.decisions]
        new = list(self._new(plan.messages))
        self.messages += [(self.now, planned) for planned in new]
        for planned in new:
            self._hand_over(planned)
        if plan.release:
            self.messages = [(at, self._released(planned, plan)) for at, planned in self.messages]

    def _hand_over(self, planned: PlannedMessage) -> None:
        """Let wbox take a message that waits for nobody."""
        if isinstance(planned.message, WhatsAppMessage) and planned.hold is None:
            insort(self._taken, planned.key)

    def _keep(self, place: tuple[str, str, str], memory: Memory) -> None:
        self.memories[place] = memory
        self._number += 1
        begun = self._begun.setdefault(place, self._number)
        if memory.due is not None:
            heappush(self._due, (memory.due, begun, place))

    def _released(self, planned: PlannedMessage, plan: Plan) -> PlannedMessage:
        mine = planned.rule in plan.release and planned.key.startswith(f"{plan.event_id}:")
        if not mine:
            return planned
        released = replace(planned, hold=None)
        self._hand_over(released)
        return released

    def _new(self, messages: Sequence[PlannedMessage]) -> Iterator[PlannedMessage]:
        for planned in messages:
            if planned.key not in self._keys:
                self._keys.add(planned.key)
                yield from self._arriving(planned)

    def _arriving(self, planned: PlannedMessage) -> Iterator[PlannedMessage]:
        """Yield a message as it is sent: by wbox, or by the fallback of its rule."""
        message, rule = planned.message, self.project.rule(planned.rule)
        if not self.api_down or not isinstance(message, WhatsAppMessage):
            yield planned
        elif rule:
            for outlet in rule.fallback:
                notice = notice_of(message, outlet, rule.name)
                yield replace(planned, key=f"{planned.key}:{outlet}", message=notice)
