"""One rule at work on an event, or on a memory that is due."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from wbox_notify.engine.item import Item, context, first_event, key_of, short
from wbox_notify.errors import WboxError
from wbox_notify.model import reasons
from wbox_notify.model.addresses import check_public
from wbox_notify.model.deliveries import Decision, Facts, Hold, Memory, PlannedMessage, Verdict
from wbox_notify.model.messages import Media, Message, Notice, Text
from wbox_notify.model.text import one_line
from wbox_notify.rules import Contact, Project, Rule
from wbox_notify.rules.recipients import OnCall, Outlet, Reader
from wbox_notify.rules.rule import Draft, Translations
from wbox_notify.templates import Expression, Template


class StateReader(Protocol):
    """Whoever knows what rules have kept in mind from earlier events."""

    def remembered(self, rule: str, kind: str, key: str) -> Mapping[str, Any] | None:
        """Return what a rule keeps under a key, or None."""

    def sent(self, prefix: str) -> bool:
        """Return whether wbox took a message whose key begins with a prefix."""


class Overlay:
    """A memory with changes on top that are not stored yet."""

    def __init__(self, below: StateReader) -> None:
        self._below = below
        self._above: dict[tuple[str, str, str], Mapping[str, Any] | None] = {}

    def add(self, memories: Iterable[Memory]) -> None:
        """Remember changes."""
        for memory in memories:
            self._above[memory.rule, memory.kind, memory.key] = memory.value

    def remembered(self, rule: str, kind: str, key: str) -> Mapping[str, Any] | None:
        """Return what a rule keeps under a key, or None."""
        if (rule, kind, key) in self._above:
            return self._above[rule, kind, key]
        return self._below.remembered(rule, kind, key)

    def sent(self, prefix: str) -> bool:
        """Return whether wbox took a message whose key begins with a prefix."""
        return self._below.sent(prefix)


class RuleRun:
    """One rule's run at an event, or at a memory that is due.

    Each stage reads and writes its memory here, and leaves decisions and messages.
    """

    def __init__(self, project: Project, rule: Rule, memory: StateReader, now: datetime) -> None:
        self.project = project
        self.rule = rule
        self.now = now
        self.time = now.timestamp()
        self.decisions: list[Decision] = []
        self.messages: list[PlannedMessage] = []
        self.stage = ""
        self.event_id = ""
        """The event that is followed, where an item can be found in it again by its place."""
        self._memory = memory
        self._changes: dict[tuple[str, str, str], Memory] = {}

    @property
    def memories(self) -> tuple[Memory, ...]:
        """All that the rule has come to remember or forget in this run."""
        return tuple(_with_events(memory) for memory in self._changes.values())

    def snapshot(self) -> dict[tuple[str, str, str], Memory]:
        """Return what has changed in memory so far, for ``restore``."""
        return dict(self._changes)

    def restore(self, snapshot: Mapping[tuple[str, str, str], Memory]) -> None:
        """Go back to what had changed in memory at a snapshot."""
        self._changes = dict(snapshot)

    def recall(self, kind: str, key: str, rule: str = "") -> dict[str, Any] | None:
        """Return what the rule, or another one, keeps under a key, as a copy that may be changed."""
        copy: dict[str, Any] | None = json.loads(json.dumps(self.look(kind, key, rule)))
        return copy

    def look(self, kind: str, key: str, rule: str = "") -> Mapping[str, Any] | None:
        """Return the same itself, not to be changed: a copy for each of thousands of items is too dear."""
        rule = rule or self.rule.id
        changed = self._changes.get((rule, kind, key))
        return changed.value if changed else self._memory.remembered(rule, kind, key)

    def remember(self, kind: str, key: str, value: Mapping[str, Any], due: float | None = None) -> None:
        """Keep something in mind, and be woken with it when it is due."""
        rule = self.rule.id
        self._changes[rule, kind, key] = Memory(rule=rule, kind=kind, key=key, value=value, due=due)

    def forget(self, kind: str, key: str, rule: str = "") -> None:
        """Let the rule, or another one, keep something in mind no longer."""
        rule = rule or self.rule.id
        self._changes[rule, kind, key] = Memory(rule=rule, kind=kind, key=key, value=None)

    def decide(self, stage: str, outcome: Verdict, detail: str) -> None:
        """Note why something was or was not done."""
        self.decisions.append(
            Decision(rule=self.rule.id, stage=stage, outcome=outcome, detail=one_line(detail))
        )

    def fail(
        self, stage: str, problem: str, origin: str, again: Mapping[str, Any], *, where: str = ""
    ) -> None:
        """Note that the rule cannot be followed: that stays in the queue as dead until it is mended.

        ``again`` says what a retry follows; ``engine.retry`` reads it. ``where`` stands before the problem in
        the queue, in which nothing else says the stage.
        """
        problem = one_line(problem)
        self.decide(stage, "failed", problem)
        key = f"{origin}:{self.rule.id}:-"
        self.messages.append(
            PlannedMessage(key=key, rule=self.rule.id, message=None, problem=f"{where}{problem}", again=again)
        )

    def hold(self, kind: str, key: str, value: Mapping[str, Any], code: Hold, facts: Facts) -> None:
        """Let something that the rule keeps in mind wait in the queue for a person."""
        planned = held(self.rule.id, kind, key, value, code, facts)
        self.messages.append(planned)
        self.decide(kind, "waits", f"for a person: {reasons.hold(code, planned.facts)}")

    def guarded(self, stage: str, origin: str, work: Callable[[], None], again: Mapping[str, Any]) -> bool:
        """Do some work; where the rule cannot be followed, undo what it remembered and note the failure."""
        before = self.snapshot()
        try:
            work()
        except WboxError as error:
            self.restore(before)
            stage = self.stage or stage
            where = f"{stage}: "  # the error of a message begins with its field, which may be the same word
            self.fail(stage, told(error).removeprefix(where), origin, again, where=where)
            return False
        finally:
            self.stage = ""
        return True

    def say(self, message: Message, origin: str, place: str) -> None:
        """Add a message; ``origin`` and ``place`` are the same whenever this is planned again."""
        key = f"{origin}:{self.rule.id}:{place}:{message.recipient}"
        self.messages.append(
            PlannedMessage(key=key, rule=self.rule.id, message=message, terms=self.rule.terms)
        )

    def sent(self, origin: str) -> bool:
        """Return whether wbox took one of the rule's messages of an origin."""
        return self._memory.sent(f"{origin}:{self.rule.id}:")

    def drafts_for(
        self, reader: Reader, drafts: Sequence[Draft], translations: Translations
    ) -> Sequence[Draft]:
        """Return messages as they are for the language and the zone of a reader."""
        settings = self.project.settings
        locale = (str(reader.zone or settings.tz), reader.lang or settings.lang)
        return translations.get(locale, drafts)

    def fill(
        self,
        reader: Reader,
        drafts: Sequence[Draft],
        origin: str,
        about: Mapping[str, Any],
        again: Mapping[str, Any],
    ) -> int:
        """Make messages of drafts for one reader; one that fails spoils no other. Return how many.

        ``again`` says what a retry of one tells of; where it names a ``draft``, that one alone is made.
        """
        person = {"name": reader.name, "phone": reader.phone, "lang": reader.lang or ""}
        context = {**about, "contact": person}
        made = 0
        for number, draft in enumerate(drafts):
            if again.get("draft") not in {None, number}:
                continue
            try:
                message = addressed(draft, context, reader)
                if isinstance(message, Media) and message.url:
                    check_public(message.url, self.project.settings.url)
            except WboxError as error:
                problem = f"send[{number}].{draft.kind} to {reader.name}: {told(error)}"
                retry = {**again, "do": "tell", "reader": reader.address, "draft": number}
                self.fail("send", problem, f"{origin}:{number}:{reader.address}", retry)
                continue
            self.say(message, origin, str(number))
            made += 1
        return made

    def context(self, item: Item) -> dict[str, Any]:
        """Return the values of all names that an item gives."""
        return context(self.project, self.rule, item, self.now)

    def recipients(
        self, to: Sequence[Contact | OnCall | Template], about: Mapping[str, Any]
    ) -> list[Contact]:
        """Return who is meant, each phone once; MessageError where somebody is not known."""
        self.stage = "to"
        found: dict[str, Contact] = {}
        for one in to:
            if isinstance(one, Contact):
                contacts: Sequence[Contact] = (one,)
            elif isinstance(one, OnCall):
                contacts = (one.at(self.now),)
            else:
                contacts = self.project.recipients(one.render(about), self.now)
            for contact in contacts:
                found.setdefault(contact.phone, contact)
        self.stage = "send"
        return list(found.values())

    def readers(self, about: Mapping[str, Any]) -> list[Reader]:
        """Return all who are told by the rule: its recipients and its outlets."""
        return [*self.recipients(self.rule.to, about), *self.rule.via]


def _with_events(memory: Memory) -> Memory:
    events = _events_of(memory.value)
    return replace(memory, event_id=next(iter(events), ""), events=events)


def addressed(draft: Draft, context: Mapping[str, Any], reader: Reader) -> Message:
    """Return a message for a reader; raises what its draft does."""
    if isinstance(reader, Outlet):
        return draft.notice(context, reader.name)
    return draft.build(context, reader.phone)


def text_to(reader: Reader, text: str, title: str) -> Message:
    """Return a text of our own for a reader."""
    if isinstance(reader, Outlet):
        return Notice(outlet=reader.name, text=text, title=title)
    return Text(phone=reader.phone, message=text)


def values_of(expressions: Sequence[Expression], about: Mapping[str, Any]) -> list[Any]:
    """Return the values of expressions as JSON values."""
    made: list[Any] = json.loads(json.dumps([one.value(about) for one in expressions], default=str))
    return made


def messages_of(number: int) -> str:
    """Return ``1 message`` or ``2 messages``."""
    return f"{number} message{'' if number == 1 else 's'}"


def told(error: WboxError) -> str:
    """Return what is wrong, and what can be done about it."""
    return f"{error}; {error.hint}" if error.hint else str(error)


_TOLD_LATER: Mapping[str, str] = {
    "group": "items",
    "digest": "subjects",
    "quiet_hours": "held",
    "throttle": "queue",
    "burst": "subjects",
}
"""The part of a memory's value that is still to be told, by its kind."""


def holds(kind: str, value: Mapping[str, Any]) -> int:
    """Return of how many events nobody was told yet that a memory holds; 0 where it can be forgotten."""
    if kind == "rows":
        return int(not value["done"])
    if kind not in _TOLD_LATER:
        return 0
    waiting = value[_TOLD_LATER[kind]]
    if kind == "group":
        told = value["told"] or {}
        return sum(name not in told and one["status"] != "resolved" for name, one in waiting.items())
    return max(len(waiting), int(value.get("number", 0)))


def held(
    rule: str, kind: str, key: str, value: Mapping[str, Any], code: Hold, facts: Facts
) -> PlannedMessage:
    """Return what stands in the queue for a memory, until a person lets it be told or drops it."""
    return PlannedMessage(
        key=f"{kind}:{first_event(value)}:{short(key_of([key, value]))}:{rule}:-",
        rule=rule,
        message=None,
        hold=code,
        facts={**facts, "kind": kind, "number": holds(kind, value)},
        events=_events_of(value),
        again={"do": "remember", "kind": kind, "key_of_memory": key, "value": value},
    )


def _events_of(value: Any) -> tuple[str, ...]:
    """Return the ids of all events that a memory tells of."""
    return tuple(dict.fromkeys(_event_ids(value)))


def _event_ids(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("event_id"), str):
            yield value["event_id"]
            return
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _event_ids(one)
