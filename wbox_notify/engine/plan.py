"""From rules, what they remember, an event and the time to a plan."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

from wbox_notify.deliveries import Decision, Memory, Plan, Planned
from wbox_notify.engine.context import context
from wbox_notify.errors import WboxError
from wbox_notify.events import Event
from wbox_notify.rules import Contact, Project, Rule


class Remembers(Protocol):
    """Whoever knows what rules have kept in mind from earlier events."""

    def remembered(self, rule: str, kind: str, key: str) -> Mapping[str, Any] | None:
        """Return what a rule keeps under a key, or None."""


class Overlay:
    """A memory with plans on top that are not stored yet, so that events can be planned in batches."""

    def __init__(self, below: Remembers) -> None:
        self._below = below
        self._above: dict[tuple[str, str, str], Mapping[str, Any]] = {}

    def add(self, made: Plan) -> None:
        """Remember what a plan adds."""
        for memory in made.memories:
            self._above[memory.rule, memory.kind, memory.key] = memory.value

    def remembered(self, rule: str, kind: str, key: str) -> Mapping[str, Any] | None:
        """Return what a rule keeps under a key, or None."""
        value = self._above.get((rule, kind, key))
        return self._below.remembered(rule, kind, key) if value is None else value


def plan(project: Project, event: Event, memory: Remembers, now: datetime) -> Plan:
    """Return all that follows from an event; a rule that fails spoils no other."""
    decisions: list[Decision] = []
    messages: list[Planned] = []
    memories: list[Memory] = []
    for rule in project.rules:
        if event.type == "file" and rule.trigger.accepts(event.data["path"]):
            followed = _Following(project, rule, event, memory, now)
            followed.run()
            decisions += followed.decisions
            messages += followed.messages
            memories += followed.memories
    return Plan(
        event_id=event.id, decisions=tuple(decisions), messages=tuple(messages), memories=tuple(memories)
    )


class _Following:
    """One rule following one event, stage by stage; each stage says whether the next is reached."""

    def __init__(self, project: Project, rule: Rule, event: Event, memory: Remembers, now: datetime) -> None:
        self._project = project
        self._rule = rule
        self._event = event
        self._memory = memory
        self._now = now
        self._context: Mapping[str, Any] = {}
        self.decisions: list[Decision] = []
        self.messages: list[Planned] = []
        self.memories: list[Memory] = []

    def run(self) -> None:
        """Go through the stages in the order of the language."""
        stage = "if"
        try:
            self._context = context(self._project, self._rule, self._event, self._now)
            if not self._holds():
                return
            stage = "dedupe"
            if not self._is_new():
                return
            stage = "to"
            recipients = list(self._recipients())
            stage = "send"
            self._send(recipients)
        except WboxError as error:
            self._fail(stage, f"{stage}: {error}", "-")
            self.memories.clear()

    def _holds(self) -> bool:
        for number, condition in enumerate(self._rule.conditions):
            if not condition.truth(self._context):
                seen = ", ".join(
                    f"{name} = {value!r}" for name, value in condition.seen(self._context).items()
                )
                self._decide("if", "stopped", f"if[{number}] {condition.source} ({seen})")
                return False
        return True

    def _is_new(self) -> bool:
        if not self._rule.dedupe:
            return True
        values = [expression.value(self._context) for expression in self._rule.dedupe]
        key = json.dumps(values, default=str)
        known = self._memory.remembered(self._rule.id, "dedupe", key)
        if known and known["event"] != self._event.id:
            sources = ", ".join(expression.source for expression in self._rule.dedupe)
            self._decide("dedupe", "stopped", f"{sources} is that of event {known['event']}")
            return False
        value = {"event": self._event.id}
        self.memories.append(Memory(rule=self._rule.id, kind="dedupe", key=key, value=value))
        return True

    def _recipients(self) -> Iterator[Contact]:
        seen = set()
        for to in self._rule.to:
            contacts = [to] if isinstance(to, Contact) else self._project.recipients(to.render(self._context))
            for contact in contacts:
                if contact.phone not in seen:
                    seen.add(contact.phone)
                    yield contact

    def _send(self, recipients: list[Contact]) -> None:
        for contact in recipients:
            about = {**self._context, "contact": {"name": contact.name, "phone": contact.phone}}
            for number, draft in enumerate(self._rule.send):
                place = f"{number}:{contact.phone}"
                try:
                    message = draft.build(about, contact.phone)
                except WboxError as error:
                    self._fail("send", f"send[{number}].{draft.kind} to {contact.name}: {error}", place)
                    self.memories.clear()
                    continue
                self.messages.append(Planned(key=self._key(place), rule=self._rule.id, message=message))
        made = sum(planned.message is not None for planned in self.messages)
        if made or not recipients:
            self._decide("send", "passed", f"{made} message{'' if made == 1 else 's'}")

    def _fail(self, stage: str, problem: str, place: str) -> None:
        self._decide(stage, "failed", problem)
        self.messages.append(
            Planned(key=self._key(place), rule=self._rule.id, message=None, problem=_clean(problem))
        )

    def _decide(self, stage: str, outcome: str, detail: str) -> None:
        self.decisions.append(
            Decision(rule=self._rule.id, stage=stage, outcome=outcome, detail=_clean(detail))
        )

    def _key(self, place: str) -> str:
        return f"{self._event.id}:{self._rule.id}:{place}"


def _clean(text: str) -> str:
    """Return text that any database takes, on one line."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\n", " ").replace("\0", "")
