"""Rehearsal: rules at work in a store of their own, whose clock is moved by hand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from io import BytesIO

from wbox_notify.engine.item import moment
from wbox_notify.engine.plan import plan, wake
from wbox_notify.engine.rows import SLICE, wanted
from wbox_notify.errors import WboxError
from wbox_notify.model.deliveries import Decision, Memory, Plan, PlannedMessage
from wbox_notify.model.events import Event
from wbox_notify.model.messages import WhatsAppMessage, notice_of
from wbox_notify.rules import Project
from wbox_notify.triggers.file.rows import Rows, Slice


@dataclass
class ReplayStore:
    """All that rules remember, all that they decided and all that they said, and when.

    It is what the store, the planner and the clock are for the daemon, and the same engine. While
    ``api_down``, wbox takes nothing; what it should have taken goes to the fallback of the rule, if any.
    ``contents`` are those of files whose rows are followed, by path.
    """

    project: Project
    now: datetime
    api_down: bool = False
    memories: dict[tuple[str, str, str], Memory] = field(default_factory=dict)
    decisions: list[tuple[datetime, Decision]] = field(default_factory=list)
    messages: list[tuple[datetime, PlannedMessage]] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)
    _events: set[str] = field(default_factory=set)
    _keys: set[str] = field(default_factory=set)

    def remembered(self, rule: str, kind: str, key: str) -> Mapping[str, object] | None:
        """Return what a rule keeps under a key, or None."""
        memory = self.memories.get((rule, kind, key))
        return memory.value if memory else None

    def sent(self, prefix: str) -> bool:
        """Return whether wbox took a message whose key begins with a prefix."""
        return any(
            planned.key.startswith(prefix)
            and isinstance(planned.message, WhatsAppMessage)
            and planned.hold is None
            for _, planned in self.messages
        )

    def happen(self, event: Event) -> None:
        """Let an event happen now; one that has happened before changes nothing."""
        if event.id not in self._events:
            self._events.add(event.id)
            self._take(plan(self.project, event, self, self.now))

    def wait(self, until: datetime) -> None:
        """Move the clock on, and wake rules when they want to be woken."""
        while (due := self._next(until)) is not None:
            self.now = max(self.now, moment(due.due or 0.0))
            self._take(wake(self.project, due, self, self.now, self._rows(due)))
        self.now = max(self.now, until)

    def wait_for(self, seconds: float) -> None:
        """Move the clock on by some seconds."""
        self.wait(self.now + timedelta(seconds=seconds))

    def _next(self, until: datetime) -> Memory | None:
        due = [memory for memory in self.memories.values() if memory.due is not None]
        first = min(due, key=lambda memory: (memory.due, memory.rule, memory.kind, memory.key), default=None)
        return first if first and (first.due or 0.0) <= until.timestamp() else None

    def _rows(self, due: Memory) -> Slice | None:
        """Return the rows that a memory needs, of the files whose contents are given."""
        asked = wanted(self.project, due, SLICE)
        if asked is None:
            return None
        try:
            file = BytesIO(self.contents.get(asked.path, b""))
            return Rows(file, asked.path, asked.reading).take(asked.start, asked.most)
        except WboxError as error:
            return Slice(problem=str(error))

    def _take(self, made: Plan) -> None:
        for memory in made.memories:
            place = memory.rule, memory.kind, memory.key
            if memory.value is None:
                self.memories.pop(place, None)
            else:
                self.memories[place] = memory
        self.decisions += [(self.now, decision) for decision in made.decisions]
        self.messages += [(self.now, planned) for planned in self._new(made.messages)]
        if made.release:
            self.messages = [(at, self._released(planned, made)) for at, planned in self.messages]

    def _released(self, planned: PlannedMessage, made: Plan) -> PlannedMessage:
        mine = planned.rule in made.release and planned.key.startswith(f"{made.event_id}:")
        return replace(planned, hold=None) if mine else planned

    def _new(self, messages: Sequence[PlannedMessage]) -> Iterator[PlannedMessage]:
        for planned in messages:
            if planned.key not in self._keys:
                self._keys.add(planned.key)
                yield from self._arriving(planned)

    def _arriving(self, planned: PlannedMessage) -> Iterator[PlannedMessage]:
        message, rule = planned.message, self.project.rule(planned.rule)
        if not self.api_down or not isinstance(message, WhatsAppMessage):
            yield planned
            return
        for outlet in rule.fallback if rule else ():
            notice = notice_of(message, outlet, rule.name if rule else "")
            yield replace(planned, key=f"{planned.key}:{outlet}", message=notice)
