"""States: what a rule keeps in mind between events, one class for each kind of memory.

Their JSON values are those that stores of older versions hold.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import PurePath
from types import UnionType
from typing import Any, ClassVar, Self, cast, get_args, get_origin, get_type_hints

from wbox_notify.engine.item import Item
from wbox_notify.model.deliveries import AGAIN, Memory, Remembered
from wbox_notify.model.events import Event, event_fields, event_of


class Kept:
    """A dataclass that is kept as JSON values; ``NAMES`` are the names there of fields with another name."""

    __slots__ = ()
    NAMES: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the object that ``to_json`` gave the values of."""
        parts = {name: read(value[json]) for name, json, read in _fields(cls) if json in value}
        return cls(**parts)

    def to_json(self) -> dict[str, Any]:
        """Return the object as JSON values, without those that say nothing."""
        values = {json: _to_json(getattr(self, name)) for name, json, _ in _fields(type(self))}
        return {json: value for json, value in values.items() if value is not None and value != ""}


_Field = tuple[str, str, Callable[[Any], Any]]
_FIELDS: dict[Any, list[_Field]] = {}


def _fields(kept: Any) -> list[_Field]:
    """Return the fields of a class: their names, their names in JSON, and what reads them."""
    if kept not in _FIELDS:
        hints, names = get_type_hints(kept), [part.name for part in fields(kept)]
        _FIELDS[kept] = [(name, kept.NAMES.get(name, name), _reader(hints[name])) for name in names]
    return _FIELDS[kept]


_READ: Mapping[Any, Callable[[Any], Any]] = {Event: event_of, frozenset[str]: frozenset}


def _as_it_is(value: Any) -> Any:
    return value


_READ_QUICKLY = (_as_it_is, tuple, frozenset)
"""What reads a value in which there is no item, so that nobody looks for its events."""


def _reader(hint: Any) -> Callable[[Any], Any]:
    """Return what reads a JSON value as a type."""
    if hint in _READ:
        return _READ[hint]
    if isinstance(hint, type) and issubclass(hint, Item | Kept):
        return hint.from_json
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Mapping:
        key, read = parts[0], _reader(parts[1])
        return lambda value: {key(name): read(part) for name, part in value.items()}
    if origin in {UnionType, tuple}:
        return _reader_of_parts(origin, _reader(parts[0]))
    return _as_it_is


def _reader_of_parts(origin: Any, read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return what reads a tuple of parts, or one that may be None."""
    if origin is tuple:
        return tuple if read is _as_it_is else lambda value: tuple(read(part) for part in value)
    if read is _as_it_is:
        return read
    return lambda value: None if value is None else read(value)


def _to_json(value: Any) -> Any:
    if isinstance(value, (Item, Kept)):
        return value.to_json()
    if isinstance(value, Event):
        return event_fields(value)
    if isinstance(value, tuple):
        return [_to_json(part) for part in value]
    if isinstance(value, frozenset):
        return dict.fromkeys(sorted(value), True)
    if isinstance(value, dict):
        return {str(name): _to_json(part) for name, part in value.items()}
    return value


def _events(value: Any) -> Iterator[str]:
    """Yield the ids of the events of all items in a value."""
    if isinstance(value, Item):
        yield value.event_id
    elif isinstance(value, Event):
        yield value.id
    else:
        for part in _parts(value):
            yield from _events(part)


def _parts(value: Any) -> Iterable[Any]:
    """Return the parts of a value in which there may be items."""
    if isinstance(value, Kept):
        return (getattr(value, name) for name, _, read in _fields(type(value)) if read not in _READ_QUICKLY)
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, tuple) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification(Kept):
    """What messages are about: one item, a group or a digest.

    Attributes:
        origin: The same whenever the same notification is planned again; keys of deliveries begin with it.
        items: What it is made of, the newest last.
        alert: What an acknowledgement and the end of the trouble refer to.
        group: The key of the group, if it is one.
        since: When the group began.
        digest: Whether it is a digest.
        step: The number of the step of an escalation that tells it, if one does.
    """

    NAMES: ClassVar = {"items": "subjects"}

    origin: str
    items: tuple[Item, ...]
    alert: str
    group: str | None = None
    since: float | None = None
    digest: bool = False
    step: int | None = None

    @classmethod
    def of(cls, item: Item) -> Self:
        """Return the notification of one item."""
        origin = ":".join(filter(None, (item.event_id, str(item.place), item.reminder)))
        return cls(origin=origin, items=(item,), alert=item.identity)

    @property
    def item(self) -> Item:
        """The newest of the items, whose data the message sees."""
        return self.items[-1]

    @property
    def healed(self) -> bool:
        """Whether it says that all is well again."""
        return not self.digest and all(item.is_resolved for item in self.items)

    def joined(self, newer: Self) -> Self:
        """Return a newer notification of the same alert, with the items that only this one has."""
        again = {item.identity for item in newer.items}
        before = tuple(item for item in self.items if item.identity not in again)
        return replace(newer, items=(*before, *newer.items))

    @property
    def events(self) -> tuple[str, ...]:
        """The ids of all events that it is made of."""
        return tuple(dict.fromkeys(item.event_id for item in self.items))


@dataclass(frozen=True, slots=True, kw_only=True)
class State(Kept):
    """What a rule keeps under one key.

    ``TIMES`` are the fields that hold moments which have been: they move when the clock is set.
    """

    KIND: ClassVar[str]
    TIMES: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def read(cls, value: Mapping[str, Any] | Remembered) -> Self:
        """Return the state of a memory's value, which is the state itself where it was not stored yet."""
        return value if isinstance(value, cls) else cls.from_json(cast("Mapping[str, Any]", value))

    @property
    def events(self) -> tuple[str, ...]:
        """The ids of all events that it is about, the first of them first."""
        return tuple(dict.fromkeys(self.about()))

    @property
    def first_event(self) -> str:
        """The id of the first event that it is about; empty where there is none."""
        return next(iter(self.about()), "")

    def about(self) -> Iterable[str]:
        """Return the ids of the events that it is about, as often as it holds something of each."""
        return _events(self)

    @property
    def waiting(self) -> int:
        """How many events nobody was told of yet; a state without any can be forgotten."""
        return 0

    @property
    def newest(self) -> float:
        """The newest of its moments that have been; minus infinity where there is none."""
        newest = -math.inf
        for name in self.TIMES:
            value = getattr(self, name)
            if isinstance(value, tuple):
                newest = max((newest, *value))
            elif value is not None:
                newest = max(newest, value)
        return newest

    def moved(self, by: float) -> Self:
        """Return the state with all its times moved by some seconds."""
        changes: dict[str, Any] = {}
        for name in (*self.TIMES, "due"):
            value = getattr(self, name, None)
            if isinstance(value, tuple):
                changes[name] = tuple(at + by for at in value)
            elif value is not None:
                changes[name] = value + by
        return replace(self, **changes)

    def due_at(self, due: float) -> Self:
        """Return the state as it is when it is due at another time."""
        changes: dict[str, Any] = {"due": due} if hasattr(self, "due") else {}
        return replace(self, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class DedupeState(State):
    """The event that a value was seen in first, the place of its item, and whether that was ``resolved``."""

    KIND = "dedupe"
    TIMES = ("at",)

    event: str
    place: int
    at: float
    resolved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleState(State):
    """The times of what a throttle let through, and what waits or was left out since, with the ``last``."""

    KIND = "throttle"
    TIMES = ("times",)

    times: tuple[float, ...] = ()
    queue: tuple[Item, ...] = ()
    left_out: int = 0
    last: Item | None = None

    @property
    def waiting(self) -> int:
        """How many items wait in its queue, and how many were left out."""
        return len(self.queue) + self.left_out

    def without(self, item: Item) -> Self:
        """Return the state without what waits of the same alert."""
        return replace(self, queue=tuple(other for other in self.queue if other.identity != item.identity))


@dataclass(frozen=True, slots=True)
class Names(Kept):
    """How many files there are for a reader, and the names of the first of them."""

    number: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstState(State):
    """Files that came together: how many, the first of them as items, and their names for each reader."""

    KIND = "burst"
    NAMES: ClassVar = {"items": "subjects"}

    event_id: str
    number: int = 0
    items: tuple[Item, ...] = ()
    readers: Mapping[str, Names] = field(default_factory=dict)
    due: float = 0.0

    def about(self) -> Iterable[str]:
        """Return the ids of the first event, and of those of the items."""
        return (self.event_id, *_events(self.items))

    @property
    def waiting(self) -> int:
        """How many files nobody was told of."""
        return max(len(self.items), self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupState(State):
    """The members of a group, and which of them were told.

    Attributes:
        opened: The event that opened it.
        since: When that was.
        items: Its members by their identity.
        told: The identities of the members that were told; None before the first message.
        last: When it spoke last.
        spoken: How often it spoke.
        due: When it speaks next.
    """

    KIND = "group"
    TIMES = ("since", "last")

    opened: str
    since: float
    items: Mapping[str, Item] = field(default_factory=dict)
    told: frozenset[str] | None = None
    last: float | None = None
    spoken: int = 0
    due: float

    @property
    def waiting(self) -> int:
        """How many members fire and were not told."""
        return len(self.untold)

    @property
    def fires(self) -> bool:
        """Whether any member fires."""
        return any(not item.is_resolved for item in self.items.values())

    @property
    def members(self) -> tuple[Item, ...]:
        """What the group tells of: the members that fire, and those that were told and are resolved."""
        return tuple(item for item in self.items.values() if not item.is_resolved or self.was_told(item))

    @property
    def untold(self) -> list[Item]:
        """The members that fire and were not told."""
        return [item for item in self.items.values() if not (item.is_resolved or self.was_told(item))]

    @property
    def resolved(self) -> list[Item]:
        """The members that were told and are resolved."""
        return [item for item in self.items.values() if item.is_resolved and self.was_told(item)]

    def was_told(self, item: Item) -> bool:
        """Return whether a member was told."""
        return item.identity in (self.told or ())

    def alert(self, key: str) -> str:
        """Return what an acknowledgement and the end refer to; ``key`` is that of the group."""
        return f"{self.opened}:{key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestState(State):
    """What waits for a digest, the newest last.

    Attributes:
        items: What waits.
        readers: The identities of the items for each reader or rotation, by their addresses. Where there are
            none, the key of the state is the address of the only reader.
        due: When it is told.
        more: How many found no room or were left out, with the ``last`` of them.
        anyway: Whether a person let it go, also where the rule does not tell that reader any more.
    """

    KIND = "digest"
    NAMES: ClassVar = {"items": "subjects"}

    items: tuple[Item, ...] = ()
    readers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    due: float
    more: int = 0
    last: Item | None = None
    anyway: bool = False

    @property
    def waiting(self) -> int:
        """How many items wait, and how many are counted only."""
        return len(self.items) + self.more


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietState(State):
    """What waits for the end of a reader's quiet hours; ``anyway`` is as in a digest.

    ``more`` counts what found no room or was left out, with the ``last`` of it; ``notes`` are texts of our
    own by the origins of their messages.
    """

    KIND = "quiet_hours"

    held: tuple[Notification, ...] = ()
    more: int = 0
    last: Item | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    anyway: bool = False

    @property
    def waiting(self) -> int:
        """How many notifications wait, and how many are counted only."""
        return len(self.held) + self.more + len(self.notes)

    def taken(self, newer: Notification) -> tuple[Notification | None, Self]:
        """Return what waits of the same alert, if anything, and the state without it."""
        for held in self.held:
            if held.alert == newer.alert and held.step == newer.step:
                return held, replace(self, held=tuple(other for other in self.held if other is not held))
        return None, self


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationState(State):
    """A notification that somebody is to answer, and the number of the step that comes next.

    ``over`` says that no step comes any more.
    """

    KIND = "escalate"
    NAMES: ClassVar = {"notification": "occasion"}
    TIMES = ("started",)

    notification: Notification
    started: float
    step: int = 0
    acked: bool = False
    resolved: bool = False
    over: bool = False

    @property
    def waiting(self) -> int:
        """One while nobody has answered and a step is to come."""
        return int(not (self.acked or self.resolved or self.over))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldState(State):
    """The members of an alert that fire as far as each reader knows, by the address of the reader."""

    KIND = "told"

    readers: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceState(State):
    """That a rule is silent, until it is woken with this."""

    KIND = "silence"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenState(State):
    """When what a rule awaits came last, and with which event."""

    KIND = "seen"
    TIMES = ("at",)

    at: float
    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingState(State):
    """What did not come: the event of the first missed deadline, and the facts that the rule sees.

    ``told`` is how often the rule told of it; older versions did so at once.
    """

    KIND = "missing"

    event: str
    facts: Mapping[str, Any]
    told: int = 1

    def about(self) -> Iterable[str]:
        """Return the id of the event of the first missed deadline."""
        return (self.event,)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusState(State):
    """Since when something is in trouble, by the rule's own ``status``; none is kept of what is well."""

    KIND = "status"
    TIMES = ("since",)

    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StormState(State):
    """What a person answered to the storm of a file: ``released`` or ``dropped``."""

    KIND = "storm"

    then: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry(State):
    """What a retry follows after a failure, and that alone.

    Attributes:
        do: ``event`` follows the whole event, ``wake`` a memory, ``rest`` the rest of a file, ``follow`` an
            item from a ``stage`` on, ``tell`` a reader a notification, ``remember`` gives a state back.
        kind: The kind of the memory, with its ``memory_key``.
        state: The values of the state.
        place: The number of the item in the event, or of the row in the file.
        item: The item itself, where its event does not give it again.
        notification: The group or digest to tell.
        reader: The address of a reader, with the number of the one ``draft`` to send, if it is one.
        step: The number of the step of an escalation, with the ``answers`` that it saw.
        event: The event that it belongs to, as the store knows it, and its id.
        key: The key of the delivery that failed.
    """

    KIND = AGAIN
    NAMES: ClassVar = {
        "memory_key": "key_of_memory",
        "state": "value",
        "item": "subject",
        "notification": "occasion",
    }

    do: str
    kind: str = ""
    memory_key: str = ""
    state: Mapping[str, Any] | None = None
    stage: str = ""
    place: int | None = None
    item: Item | None = None
    notification: Notification | None = None
    reader: str = ""
    draft: int | None = None
    step: int | None = None
    answers: Mapping[str, Any] | None = None
    event_id: str = ""
    event: Event | None = None
    key: str = ""

    def about(self) -> Iterable[str]:
        """Return the id of the event that it belongs to."""
        return (self.event_id,) if self.event_id else ()

    def again(self) -> dict[str, Any]:
        """Return the JSON values of a delivery's ``again``: the store knows its event and its key."""
        return replace(self, event=None, event_id="", key="").to_json()


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsState(State):
    """A file whose rows are followed.

    Attributes:
        event: The event of the file, or the one at which a table is read.
        table: The path of the table; empty where the event tells of the file.
        version: What tells the table from its other versions, once its first rows were read.
        next: The number of the next row.
        rows: How many were followed, of which so many ``failed``.
        made: How many messages they made; ``first`` is what the first of these says.
        done: Whether all were followed.
        only: What failed about some rows, by their numbers, where these alone are read again.
        reading: The number of the reading, see ``TableState``; 0 once something of it failed.
    """

    KIND = "rows"

    event: Event
    next: int
    rows: int = 0
    made: int = 0
    failed: int = 0
    first: str = ""
    done: bool = False
    only: Mapping[int, tuple[Retry, ...]] | None = None
    table: str = ""
    version: Mapping[str, Any] | None = None
    reading: int = 0

    @property
    def name(self) -> str:
        """The name of the file."""
        return PurePath(self.table).name or str(self.event.data["name"])

    @property
    def waiting(self) -> int:
        """One while there are rows to follow."""
        return int(not self.done)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableState(State):
    """How often the rows of a file were begun to be read, and the number of the last reading that was whole.

    Whole is a reading in which no row failed.
    """

    KIND = "table"

    begun: int = 0
    whole: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RemindState(State):
    """An item that waits for some time before or after a date.

    Attributes:
        item: The item as it came last.
        at: The date, in seconds since the epoch.
        left: The reminders to come, in seconds from the date; negative before it.
        source: The path of the table that the item is a row of, and the number of its ``reading``.
        dropped: Whether a person has cancelled what is to come of this date.
        told: The reminders that were told, each with the time until which it is not told again: its date may
            go and come back.
    """

    KIND = "remind"

    item: Item
    at: float
    left: tuple[float, ...] = ()
    source: str = ""
    reading: int = 0
    dropped: bool = False
    told: Mapping[str, float] = field(default_factory=dict)

    def about(self) -> Iterable[str]:
        """Return the id of its event while there is a reminder to come."""
        return (self.item.event_id,) if self.left else ()

    @property
    def waiting(self) -> int:
        """One while there is a reminder to come."""
        return int(bool(self.left))

    def is_gone(self, table: TableState | None) -> bool:
        """Return whether its table does not have the row any more."""
        return table is not None and self.reading < table.whole


STATES: Mapping[str, type[State]] = {
    state.KIND: state
    for state in (
        BurstState,
        DedupeState,
        DigestState,
        EscalationState,
        GroupState,
        MissingState,
        QuietState,
        RemindState,
        Retry,
        RowsState,
        SeenState,
        SilenceState,
        StatusState,
        StormState,
        TableState,
        ThrottleState,
        ToldState,
    )
}
"""The class of each kind of memory."""


def state_of(memory: Memory) -> State | None:
    """Return what a rule keeps in a memory; None where it forgets it, or the kind is not known any more."""
    kind = STATES.get(memory.kind)
    if kind is None or memory.value is None:
        return None
    return kind.read(memory.value)
