"""One rule at work on an event, or on a memory that is due."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from wbox_notify.engine.item import Item, context, key_of, moment, short
from wbox_notify.engine.state import Retry, State, state_of
from wbox_notify.errors import MessageError, WboxError
from wbox_notify.model import reasons
from wbox_notify.model.addresses import check_public
from wbox_notify.model.deliveries import (
    Decision,
    Facts,
    Hold,
    Memory,
    PlannedMessage,
    Remembered,
    Verdict,
)
from wbox_notify.model.messages import Media, Message, Notice, Text
from wbox_notify.model.redaction import redacted
from wbox_notify.model.text import one_line
from wbox_notify.model.texts import Wording, problem_with_hint, with_hint, worded
from wbox_notify.rules.project import Project
from wbox_notify.rules.recipients import Contact, OnCall, Outlet, Person, Reader, distinct
from wbox_notify.rules.rule import Draft, Rule, Translations
from wbox_notify.templates import Expression, Template

_S = TypeVar("_S", bound=State)
_LONGEST_VALUES = 400
_ENCODER = json.JSONEncoder(default=str)
_Place = tuple[str, str, str]
"""The rule, the kind and the key of a memory."""


class StateReader(Protocol):
    """A store of what rules keep in mind."""

    def remembered(self, rule: str, kind: str, key: str) -> Mapping[str, Any] | Remembered | None:
        """Return what a rule keeps under a key, or None."""

    def sent(self, prefix: str) -> bool:
        """Return whether wbox took a message whose key begins with a prefix."""


class Change(NamedTuple):
    """A state as a rule leaves it, and when the rule wants to be woken with it; None forgets it."""

    state: State | None
    due: float | None = None


class Overlay:
    """What rules keep in mind, with changes on top that are not stored yet."""

    def __init__(self, store: StateReader) -> None:
        self._store = store
        self._changed: dict[_Place, State | None] = {}

    def add(self, memories: Iterable[Memory]) -> None:
        """Take in memories as they are about to be stored."""
        for memory in memories:
            self._changed[memory.rule, memory.kind, memory.key] = state_of(memory)

    def keep(self, changes: Mapping[_Place, Change]) -> None:
        """Take in the states that a rule leaves."""
        for place, change in changes.items():
            self._changed[place] = change.state

    def recall(self, kind: type[_S], rule: str, key: str) -> _S | None:
        """Return the state that a rule keeps under a key, or None."""
        place = (rule, kind.KIND, key)
        if place in self._changed:
            return cast("_S | None", self._changed[place])
        value = self._store.remembered(*place)
        return None if value is None else kind.read(value)

    def sent(self, prefix: str) -> bool:
        """Return whether wbox took a message whose key begins with a prefix."""
        return self._store.sent(prefix)


class RuleRun:
    """One rule's run at an event, or at a memory that is due.

    Each stage reads and writes its state here, and leaves decisions and messages.
    """

    def __init__(self, project: Project, rule: Rule, overlay: Overlay, now: datetime) -> None:
        self.project = project
        self.rule = rule
        self.now = now
        self.time = now.timestamp()
        self.decisions: list[Decision] = []
        self.messages: list[PlannedMessage] = []
        self.stage = ""
        self.event_id = ""
        """The event that is followed, where an item can be found in it again by its place."""
        self.despite: list[Callable[[], None]] = []
        """What follows although the work that is guarded now fails."""
        self.changes: dict[_Place, Change] = {}
        """The states that the rule leaves."""
        self._context: tuple[Item, Mapping[str, Any]] | None = None
        """The item that was looked at last, and its names: each stage looks at the same."""
        self._overlay = overlay
        self._undo: list[dict[_Place, Change | None]] = []
        """What stood in ``changes`` before each work that is guarded now: a failure undoes its own alone."""

    def clock(self, seconds: float) -> str:
        """Return a time as the clocks of the project show it."""
        return f"{moment(seconds).astimezone(self.project.settings.tz):%Y-%m-%d %H:%M}"

    @property
    def memories(self) -> tuple[Memory, ...]:
        """All that the rule has come to remember or forget in this run."""
        return tuple(memory_of(*place, change) for place, change in self.changes.items())

    def recall(self, kind: type[_S], key: str, rule: str = "") -> _S | None:
        """Return the state that the rule, or another one, keeps under a key."""
        rule = rule or self.rule.id
        change = self.changes.get((rule, kind.KIND, key))
        if change is None:
            return self._overlay.recall(kind, rule, key)
        return cast("_S | None", change.state)

    def remember(self, key: str, state: State, due: float | None = None) -> None:
        """Keep a state, and be woken with it when it is due."""
        self._change((self.rule.id, state.KIND, key), Change(state, due))

    def forget(self, kind: type[State], key: str, rule: str = "") -> None:
        """Let the rule, or another one, keep a state no longer."""
        self._change((rule or self.rule.id, kind.KIND, key), Change(None))

    def _change(self, place: _Place, change: Change) -> None:
        self._note(place, self.changes.get(place))
        self.changes[place] = change

    def _note(self, place: _Place, before: Change | None) -> None:
        if self._undo:
            self._undo[-1].setdefault(place, before)

    def decide(self, stage: str, outcome: Verdict, detail: str) -> None:
        """Note why something was or was not done."""
        self.decisions.append(
            Decision(rule=self.rule.id, stage=stage, outcome=outcome, detail=one_line(detail))
        )

    def fail(self, stage: str, problem: str, origin: str, retry: Retry, *, names_stage: bool = False) -> None:
        """Note that the rule cannot be followed: that stays in the queue as dead until it is retried.

        With ``names_stage`` it stands before the problem in the queue, in which nothing else says it.
        """
        problem = one_line(problem)
        self.decide(stage, "failed", problem)
        if names_stage:
            problem = Wording("{stage}: {problem}", stage=stage, problem=problem)
        self.messages.append(
            PlannedMessage(
                key=f"{origin}:{self.rule.id}:-",
                rule=self.rule.id,
                message=None,
                problem=problem,
                again=retry.again(),
            )
        )

    def hold(self, key: str, state: State, code: Hold, facts: Facts) -> None:
        """Let a state wait in the queue for a person."""
        planned = held(self.rule.id, key, state, code, facts)
        self.messages.append(planned)
        self.decide(
            state.KIND, "waits", Wording("for a person: {why}", why=reasons.hold(code, planned.facts))
        )

    def guarded(self, stage: str, origin: str, work: Callable[[], None], retry: Retry) -> bool:
        """Do some work; where the rule cannot be followed, undo what it remembered and note the failure."""
        self._undo.append({})
        try:
            work()
        except WboxError as error:
            for place, change in self._undo.pop().items():
                if change is None:
                    del self.changes[place]
                else:
                    self.changes[place] = change
            stage = self.stage or stage
            self.fail(stage, _problem_at(stage, error), origin, retry, names_stage=True)
            while self.despite:
                self.despite.pop()()
            return False
        finally:
            self.stage = ""
        for place, change in self._undo.pop().items():
            self._note(place, change)
        return True

    def say(self, message: Message, origin: str, place: str) -> None:
        """Add a message; ``origin`` and ``place`` are the same whenever this is planned again."""
        key = f"{origin}:{self.rule.id}:{place}:{message.recipient}"
        self.messages.append(
            PlannedMessage(key=key, rule=self.rule.id, message=message, terms=self.rule.terms)
        )

    def sent(self, origin: str) -> bool:
        """Return whether wbox took one of the rule's messages of an origin."""
        return self._overlay.sent(f"{origin}:{self.rule.id}:")

    def drafts_for(
        self, reader: Reader, drafts: Sequence[Draft], translations: Translations
    ) -> Sequence[Draft]:
        """Return messages as they are for the language and the zone of a reader."""
        settings = self.project.settings
        locale = (str(reader.zone or settings.tz), reader.lang or settings.lang)
        return translations.get(locale, drafts)

    def fill(
        self, reader: Reader, drafts: Sequence[Draft], origin: str, about: Mapping[str, Any], retry: Retry
    ) -> int:
        """Make messages of drafts for one reader; one that fails spoils no other. Return how many.

        ``retry`` says what a retry of one tells of; where it names a ``draft``, that one alone is made.
        """
        person = {"name": reader.name, "phone": reader.phone, "lang": reader.lang or ""}
        context = {**about, "contact": person}
        number_made = 0
        for number, draft in enumerate(drafts):
            if retry.draft not in {None, number}:
                continue
            try:
                message = addressed(draft, context, reader)
                if isinstance(message, Media) and message.url:
                    check_public(message.url, self.project.settings.url)
            except WboxError as error:
                problem = Wording(
                    "send[{number}].{kind} to {name}: {problem}",
                    number=number,
                    kind=draft.kind,
                    name=reader.name,
                    problem=problem_with_hint(error),
                )
                once_more = replace(retry, do="tell", reader=reader.address, draft=number)
                self.fail("send", problem, f"{origin}:{number}:{reader.address}", once_more)
            else:
                self.say(message, origin, str(number))
                number_made += 1
        return number_made

    def context(self, item: Item) -> dict[str, Any]:
        """Return the values of all names that an item gives."""
        if self._context is None or self._context[0] is not item:
            self._context = item, context(self.project, self.rule, item, self.now)
        return {**self._context[1]}

    def people(self, to: Sequence[Person | Template], about: Mapping[str, Any]) -> tuple[Person, ...]:
        """Return who is meant, rotations as they are; MessageError where somebody is not known."""
        self.stage = "to"
        named: list[Person] = []
        for part in to:
            if isinstance(part, Template):
                named += self.project.people.named(part.render(about))
            else:
                named.append(part)
        self.stage = "send"
        return distinct(named)

    def recipients(self, to: Sequence[Person | Template], about: Mapping[str, Any]) -> list[Contact]:
        """Return who is meant now, each phone once; raises the same."""
        people = self.people(to, about)
        return list(
            distinct(person.at(self.now) if isinstance(person, OnCall) else person for person in people)
        )

    def readers(self, about: Mapping[str, Any]) -> list[Reader]:
        """Return all who are told by the rule: its recipients and its outlets."""
        return [*self.recipients(self.rule.to, about), *self.rule.via]


def _problem_at(stage: str, error: WboxError) -> Wording:
    """Return what an error says at a stage, but for its field where that is the same word."""
    if isinstance(error, MessageError) and error.field == stage:
        return with_hint(worded(error.problem), error.hint)
    return problem_with_hint(error)


def memory_of(rule: str, kind: str, key: str, change: Change) -> Memory:
    """Return a change of a state as the store keeps it."""
    first = change.state.first_event if change.state else ""
    return Memory(rule=rule, kind=kind, key=key, value=change.state, due=change.due, event_id=first)


def held(rule: str, key: str, state: State, code: Hold, facts: Facts) -> PlannedMessage:
    """Return what stands in the queue for a state, until a person lets it be told or drops it."""
    kind, value = state.KIND, state.to_json()
    return PlannedMessage(
        key=f"{kind}:{state.first_event}:{short(key_of([key, value]))}:{rule}:-",
        rule=rule,
        message=None,
        hold=code,
        facts={**facts, "kind": kind, "number": state.waiting},
        events=state.events,
        again=Retry(do="remember", kind=kind, memory_key=key, state=value).again(),
    )


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


def with_values(expression: Expression, about: Mapping[str, Any]) -> str:
    """Return an expression with what it looks at, as ``file.size > 9 (file.size = 3)``, without secrets."""
    seen = ", ".join(f"{redacted(name)} = {value!r}" for name, value in expression.seen(about).items())
    if len(seen) > _LONGEST_VALUES:
        seen = f"{seen[:_LONGEST_VALUES]}…"
    if seen:
        seen = f" ({seen})"
    return f"{redacted(expression.source)}{seen}"


def values_of(expressions: Sequence[Expression], about: Mapping[str, Any]) -> list[Any]:
    """Return the values of expressions as JSON values."""
    values = [expression.value(about) for expression in expressions]
    return cast("list[Any]", json.loads(_ENCODER.encode(values)))


def messages_of(number: int) -> Wording:
    """Return ``1 message`` or ``2 messages``."""
    if number == 1:
        return Wording("1 message")
    return Wording("{number} messages", number=number)
