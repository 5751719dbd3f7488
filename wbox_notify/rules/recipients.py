"""People: contacts, groups, tags and turns, and who is meant by a text."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from wbox_notify.config.yaml.document import Location
from wbox_notify.config.yaml.problems import Problem
from wbox_notify.errors import MessageError
from wbox_notify.model.phones import normalise, refuse_spoiled
from wbox_notify.model.text import did_you_mean
from wbox_notify.triggers.schedule.wallclock import moment as moment_of
from wbox_notify.triggers.schedule.windows import Window

TAG = "tag:"
"""What stands before the name of a tag."""

VIA = "via:"
"""What stands before the name of an outlet where a phone could stand as well."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody with a phone.

    Attributes:
        name: What the person is called; the number where there is no name.
        zone: Where the person's clocks are; None where the settings say it.
        lang: The language of dates and numbers; None where the settings say it.
        quiet_hours: When the person is not to be disturbed.
    """

    name: str
    phone: str
    zone: ZoneInfo | None = None
    lang: str | None = None
    quiet_hours: Window | None = None
    tags: frozenset[str] = frozenset()

    @property
    def address(self) -> str:
        """What a person is remembered by."""
        return self.phone


@dataclass(frozen=True, slots=True)
class Outlet:
    """Another service that is told the same as the contacts, as plain text; it reads as if it were one."""

    name: str
    zone: ZoneInfo | None = None
    lang: str | None = None
    quiet_hours: Window | None = None

    @property
    def address(self) -> str:
        """What it is remembered by; no phone is equal to it."""
        return f"{VIA}{self.name}"

    @property
    def phone(self) -> str:
        """Nothing: it has none."""
        return ""


@dataclass(frozen=True, slots=True)
class OnCall:
    """A turn: ``days`` for each of some contacts, from ``start`` by the clocks of ``zone``."""

    name: str
    rotation: tuple[Contact, ...]
    days: int
    start: datetime
    zone: ZoneInfo

    def at(self, moment: datetime) -> Contact:
        """Return whose turn it is at a moment (with any time zone); before the start, the first."""
        wall = moment.astimezone(self.zone).replace(tzinfo=None)
        turn = max((wall - self.start) // timedelta(days=self.days), 0)
        # Clocks that go back do not give the turn back.
        if wall >= self.start and self._begins(turn + 1) <= moment:
            turn += 1
        return self.rotation[turn % len(self.rotation)]

    def _begins(self, turn: int) -> datetime:
        return moment_of(self.start + timedelta(days=self.days * turn), self.zone)


Person = Contact | OnCall
Reader = Contact | Outlet
P = TypeVar("P", bound=Person)


@dataclass(frozen=True, slots=True)
class People:
    """All that ``to`` can name; ``broken`` are the names whose own entry has a mistake."""

    contacts: Mapping[str, Contact] = field(default_factory=dict)
    groups: Mapping[str, tuple[Person, ...]] = field(default_factory=dict)
    on_call: Mapping[str, OnCall] = field(default_factory=dict)
    windows: Mapping[str, Window] = field(default_factory=dict)
    region: str | None = None
    broken: frozenset[str] = frozenset()

    def find(self, text: str, now: datetime | None = None) -> tuple[Contact, ...]:
        """Return who is meant by names, tags and numbers, with commas between them.

        Whose turn it is has to be asked for a moment: ``now``.

        Raises:
            MessageError: with the field ``to`` for an unknown name, ``phone`` for an impossible number.
        """
        return distinct(_on_duty(person, now) for person in self.named(text))

    def named(self, text: str) -> tuple[Person, ...]:
        """Return the same, with turns as they are; raises the same."""
        if text.lstrip().startswith("["):
            raise MessageError("to", "names a list", hint="join it: {{ … | join(', ') }}")
        refuse_spoiled(text)
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if not parts:
            raise MessageError("to", "names nobody")
        return distinct(person for part in parts for person in self._one(part))

    def _one(self, name: str) -> tuple[Person, ...]:
        if person := self.contacts.get(name) or self.on_call.get(name):
            return (person,)
        if name in self.groups:
            return self.groups[name]
        if name in self.broken:
            raise MessageError("to", f"`{name}` cannot be used: its own entry has a mistake")
        if name.startswith(TAG):
            return tagged(name, self.contacts.values())
        return (numbered(name, self.region, [*self.contacts, *self.groups, *self.on_call], self.contacts),)


def tagged(text: str, contacts: Iterable[Contact]) -> tuple[Contact, ...]:
    """Return who has a tag, which stands after ``tag:``; MessageError where nobody has."""
    tag = text.removeprefix(TAG).strip()
    known = list(contacts)
    found = tuple(contact for contact in known if tag in contact.tags)
    if not found:
        near = did_you_mean(tag, {tag for contact in known for tag in contact.tags})
        raise MessageError("to", f"nobody has the tag `{tag}`", hint=near)
    return found


def numbered(text: str, region: str | None, names: Iterable[str], contacts: Mapping[str, Contact]) -> Contact:
    """Return the contact with a number, or one that is no more than the number.

    A text with letters is taken for a misspelt one of the names: MessageError.
    """
    refuse_spoiled(text)
    if any(map(str.isalpha, text)):
        raise MessageError("to", f"`{text}` is neither a contact nor a group", hint=did_you_mean(text, names))
    phone = normalise(text, region)
    known = (contact for contact in contacts.values() if contact.phone == phone)
    return next(known, Contact(f"+{phone}", phone))


def distinct(people: Iterable[P]) -> tuple[P, ...]:
    """Return people in their order, each phone and each turn once."""
    first: dict[str, P] = {}
    for person in people:
        first.setdefault(person.phone if isinstance(person, Contact) else person.name, person)
    return tuple(first.values())


def plain(error: MessageError) -> str:
    """Return what an error says, without the field that it begins with."""
    return str(error).removeprefix(f"{error.field}: ")


def recipient_problem(error: MessageError, location: Location) -> Problem:
    """Return the problem with a recipient: a name that is not known, or an impossible number."""
    code = "WBX303" if error.field == "to" else "WBX302"
    return location.problem(code, plain(error), hint=error.hint)


def _on_duty(person: Person, now: datetime | None) -> Contact:
    if isinstance(person, Contact):
        return person
    if now is None:
        raise MessageError("to", f"`{person.name}` is somebody else from time to time")
    return person.at(now)
