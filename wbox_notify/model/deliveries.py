"""What becomes of an event: decisions, planned messages, and their delivery."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol

from wbox_notify.model.messages import Message
from wbox_notify.model.outcomes import Answer, Outcome


class State(StrEnum):
    """Where a delivery stands."""

    QUEUED = "queued"
    """Waits for its turn, or for its next try after a failure that sent nothing."""
    SENDING = "sending"
    """Committed before the request leaves; found at start-up it means that the outcome is unknown."""
    SENT = "sent"
    """wbox said success."""
    UNKNOWN = "unknown"
    """May have been sent; is tried once more when due."""
    HELD = "held"
    """Waits for a person: ``queue release`` or ``queue drop``."""
    DEAD = "dead"
    """Cannot be sent as it is; ``queue retry`` tries again."""
    EXPIRED = "expired"
    """Was not sent in time."""
    CANCELLED = "cancelled"
    """Left out; ``LeftOut`` says why."""


class Hold(StrEnum):
    """Why a delivery waits for a person, with its facts."""

    STORM = "storm"
    """The storm guard counted too many ``messages`` at once."""
    ROWS = "rows"
    """The storm guard still counts the messages of all rows of a ``file``."""
    UNKNOWN = "unknown"
    """It may have been sent, with ``delivery`` as a part of that one."""
    SAME_KEY = "same_key"
    """Another ``delivery`` has its key and says something else."""
    RULE_GONE = "rule_gone"
    """Its ``rule`` is gone, which had to tell of a ``number`` of events in a ``kind`` of memory."""
    READER_GONE = "reader_gone"
    """Its rule does not tell a ``reader`` any more, for whom a ``number`` of events waits in a ``kind``."""


class LeftOut(StrEnum):
    """Why a delivery is not sent any more, with its facts."""

    SAME_TEXT = "same_text"
    """Its recipient got the same text some ``seconds`` before."""
    BACKLOG = "backlog"
    """Another ``delivery`` carried its text."""
    BY_HAND = "by_hand"
    """A person dropped it."""
    UNKNOWN = "unknown"
    """It may have been sent, and its rule does not want it twice."""
    DONE = "done"
    """What could not be made has been made after all."""


TOLD_OTHERWISE = (LeftOut.SAME_TEXT, LeftOut.BACKLOG)
"""What the recipient has got all the same."""

Facts = Mapping[str, Any]
"""What a text about a ``Hold`` or ``LeftOut`` names: JSON values."""


WAITING = (State.QUEUED, State.UNKNOWN)
OPEN = (*WAITING, State.SENDING)
STUCK = (State.HELD, State.DEAD, State.EXPIRED)


AGAIN = "failed"
"""The kind of memory in which the ``again`` of a message that could not be made is kept, by its key."""


class Standing(NamedTuple):
    """What became of a delivery: its state, and since when, in seconds since the epoch."""

    state: State
    since: float


Verdict = Literal["passed", "stopped", "waits", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Why something was or was not sent: one step of one rule for one event.

    Attributes:
        rule: The rule's id.
        stage: the key of the rule that decided, such as ``if``, ``dedupe``, ``group`` or ``send``.
        outcome: what it came to.
        detail: One line for a person, with the values that decided.
    """

    rule: str
    stage: str
    outcome: Verdict
    detail: str


LIFETIME = 24 * 3600.0
"""Seconds after which a message that could not be sent expires, where its rule says nothing."""


OnUnknown = Literal["retry_once", "retry", "hold", "drop"]
"""What becomes of a message that may have been sent: once more after a while, again and again, a person
decides, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """How a rule wants its messages to be sent.

    Attributes:
        critical: Whether they go before what others sent.
        expire_after: Seconds after which it is too late to send them.
        once: Whether a text that the recipient has just got is left out.
        on_unknown: What becomes of one that may have been sent; None leaves it to its kind.
    """

    critical: bool = False
    expire_after: float = LIFETIME
    once: bool = True
    on_unknown: OnUnknown | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMessage:
    """A message that an event calls for, or the ``problem`` why it could not be made or cannot be sent.

    ``key`` is made of the event, the rule, the message's place in it and the recipient, so that planning
    the same event again adds nothing; of what is made of several events it names all of them. ``hold`` and
    its ``facts`` say why the message waits for a person, if it does; ``events`` are the ids of all events
    that it tells of, where they are more than the one it follows from. ``again`` are the JSON values that
    say what a retry follows, where there is no message to send again.
    """

    key: str
    rule: str
    message: Message | None
    problem: str | None = None
    hold: Hold | None = None
    facts: Facts = field(default_factory=dict, hash=False)
    events: tuple[str, ...] = ()
    again: Mapping[str, Any] | None = None
    terms: SendOptions = SendOptions()


NO_RULE = "-"
"""The rule of what no rule came to see: an event that could not be planned at all."""


class Remembered(Protocol):
    """What a rule keeps in mind, before it is stored."""

    @property
    def events(self) -> tuple[str, ...]:
        """The ids of all events that it is about."""

    def to_json(self) -> Mapping[str, Any]:
        """Return it as JSON values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One thing that a rule keeps in mind between events.

    Attributes:
        kind: What it is for, such as ``dedupe`` or ``group``.
        key: Which one of that kind.
        value: JSON values as they were stored, or what is to be stored; None forgets it.
        due: When the rule wants to be woken with it, in seconds since the epoch, if ever.
        event_id: The first event that it is about, if any.
    """

    rule: str
    kind: str
    key: str
    value: Mapping[str, Any] | Remembered | None
    due: float | None = None
    event_id: str = ""

    @property
    def json(self) -> Mapping[str, Any] | None:
        """The value as JSON values. They are made when they are asked for: a replay never does."""
        if self.value is None or isinstance(self.value, Mapping):
            return self.value
        return self.value.to_json()

    @property
    def events(self) -> tuple[str, ...] | None:
        """The ids of all events that it is about; None leaves those that are stored with it."""
        if isinstance(self.value, Mapping):
            return None
        return self.value.events if self.value else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that follows from an event, or from a memory that was due; it is stored in one transaction.

    ``release`` are the rules whose messages of the event the storm guard holds no longer; ``over`` are the
    keys of failures that are over, since what failed has been done after all.
    """

    event_id: str
    decisions: tuple[Decision, ...] = ()
    messages: tuple[PlannedMessage, ...] = ()
    memories: tuple[Memory, ...] = ()
    release: tuple[str, ...] = ()
    over: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message on its way to one phone, or to one outlet.

    Times are seconds since the epoch. ``claims`` counts all hand-overs begun, ``tries`` those that count
    for the back-off, ``unknowns`` those whose outcome stayed unknown, ``failures`` those of which wbox said
    that it did not send. ``message`` is None where the rule could not make one; ``reason`` then says why,
    else what wbox said last. ``model.reasons`` makes a text of it, with ``hold``, ``left_out`` and ``facts``.
    """

    id: int
    key: str
    event_id: str
    rule: str
    device: str
    message: Message | None
    state: State
    due: float
    created: float
    expires: float
    claims: int = 0
    tries: int = 0
    unknowns: int = 0
    failures: int = 0
    reason: str = ""
    hold: Hold | None = None
    left_out: LeftOut | None = None
    facts: Facts = field(default_factory=dict, hash=False)
    priority: int = 0
    on_unknown: OnUnknown | None = None

    @property
    def recipient(self) -> str:
        """The phone or outlet that it goes to; empty where there is no message."""
        return self.message.recipient if self.message else ""

    @property
    def waiting(self) -> "Waiting":
        """What decides when it has its turn."""
        return Waiting(
            self.id,
            self.device,
            self.recipient,
            self.rule,
            self.priority,
            self.due,
            self.expires,
            self.claims,
            self.state,
        )


Place = tuple[int, int]
"""The place of a delivery in a queue: critical first, then the oldest."""


class Waiting(NamedTuple):
    """What decides when an open delivery has its turn; the names are those of ``Delivery``.

    Attributes:
        recipient: The phone or outlet that it goes to.
    """

    id: int
    device: str
    recipient: str
    rule: str
    priority: int
    due: float
    expires: float
    claims: int
    state: State

    @property
    def place(self) -> Place:
        """Its place in the queue."""
        return (-self.priority, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """What follows an attempt: the delivery's next state, and how long its device pauses, if it does.

    ``failed`` says that the failure was its own.
    """

    state: State
    due: float
    tries: int
    unknowns: int
    reason: str
    hold: Hold | None = None
    left_out: LeftOut | None = None
    pause: float | None = None
    failed: bool = False


class Attempt(NamedTuple):
    """One hand-over of a delivery that has ended: what was answered, and what follows."""

    delivery: Delivery
    answer: Answer
    then: NextStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """A device that cannot send, or ``*`` for all of them.

    Attributes:
        reason: What the attempt came to that opened it.
        since: When that was, in seconds since the epoch.
        until: When the device is looked at again.
        probes: How often it was looked at in vain.
        trying: Whether it lets one message at a time through.
        told: Whether the fallback knows of it.
    """

    device: str
    reason: Outcome
    since: float
    until: float
    probes: int
    trying: bool
    told: bool
