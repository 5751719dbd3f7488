"""Recipients: contacts, groups, tags, on-call rotations and outlets, and whom a text names."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from wbox_notify.config.yaml.document import Location
from wbox_notify.config.yaml.problems import Problem
from wbox_notify.errors import MessageError
from wbox_notify.model.phones import doubt, is_like_number, masked, normalise, refuse_spoiled
from wbox_notify.model.text import did_you_mean
from wbox_notify.model.texts import Wording
from wbox_notify.triggers.schedule.wallclock import moment as moment_of
from wbox_notify.triggers.schedule.windows import Window

TAG = "tag:"
"""The prefix of the name of a tag."""

VIA = "via:"
"""The prefix of the name of an outlet where a phone could stand as well."""

ON_CALL = "on_call:"
"""The same for a rotation."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A person with a phone.

    Attributes:
        name: The person's name; the number where there is none.
        zone: The person's time zone; None for that of the settings.
        lang: The language of dates and numbers; None for that of the settings.
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
        """The key of the person in the store."""
        return self.phone

    @property
    def is_number(self) -> bool:
        """Whether nothing is known of the person but the number."""
        return self.name == f"+{self.phone}"


@dataclass(frozen=True, slots=True)
class Outlet:
    """Another service that gets the same as the contacts, as plain text; it has the fields of a contact."""

    name: str
    zone: ZoneInfo | None = None
    lang: str | None = None
    quiet_hours: Window | None = None

    @property
    def address(self) -> str:
        """The key of the outlet in the store; no phone is equal to it."""
        return f"{VIA}{self.name}"

    @property
    def phone(self) -> str:
        """Empty: an outlet has none."""
        return ""


class Turn(NamedTuple):
    """A turn of a rotation, with its beginning and its end in UTC."""

    contact: Contact
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class OnCall:
    """An on-call rotation: ``days`` for each contact, from ``start`` by the clocks of ``zone``."""

    name: str
    rotation: tuple[Contact, ...]
    days: int
    start: datetime
    zone: ZoneInfo

    @property
    def address(self) -> str:
        """The key of the rotation in the store; no phone is equal to it."""
        return f"{ON_CALL}{self.name}"

    def at(self, moment: datetime) -> Contact:
        """Return who is on call at a moment (with any time zone); before the start, the first."""
        return self.rotation[self._number(moment) % len(self.rotation)]

    def turns(self, moment: datetime, until: datetime) -> list[Turn]:
        """Return the turns from the one at a moment on, up to those that begin before another moment."""
        turns = [self._turn(self._number(moment))]
        while turns[-1].end < until:
            turns.append(self._turn(self._number(turns[-1].end)))
        return turns

    def _number(self, moment: datetime) -> int:
        """Return which turn a moment is in; before the start, the first."""
        wall = moment.astimezone(self.zone).replace(tzinfo=None)
        number = max((wall - self.start) // timedelta(days=self.days), 0)
        # Where clocks go back, the next turn may have begun already.
        if wall >= self.start and self._turn(number).end <= moment:
            number += 1
        return number

    def _turn(self, number: int) -> Turn:
        first = self.start + timedelta(days=self.days) * number
        last = first + timedelta(days=self.days)
        contact = self.rotation[number % len(self.rotation)]
        return Turn(contact, moment_of(first, self.zone), moment_of(last, self.zone))


Person = Contact | OnCall
Reader = Contact | Outlet
P = TypeVar("P", bound=Person)


@dataclass(frozen=True, slots=True)
class People:
    """All that ``to`` can name; ``broken`` are names whose own entry has a mistake."""

    contacts: Mapping[str, Contact] = field(default_factory=dict)
    groups: Mapping[str, tuple[Person, ...]] = field(default_factory=dict)
    on_call: Mapping[str, OnCall] = field(default_factory=dict)
    windows: Mapping[str, Window] = field(default_factory=dict)
    region: str | None = None
    broken: frozenset[str] = frozenset()

    def find(self, text: str, now: datetime | None = None) -> tuple[Contact, ...]:
        """Return the contacts that names, tags and numbers with commas between them stand for.

        Without ``now`` no rotation can be named.

        Raises:
            MessageError: with the field ``to`` for an unknown name, ``phone`` for an impossible number.
        """
        return distinct(_on_duty(person, now) for person in self.named(text))

    def named(self, text: str) -> tuple[Person, ...]:
        """Return the same with rotations as they are; raises the same."""
        if text.lstrip().startswith("["):
            raise MessageError("to", "names a list", hint="join it: {{ … | join(', ') }}")
        refuse_spoiled(text)
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if not parts:
            raise MessageError("to", "names no recipient")
        return distinct(person for part in parts for person in self._one(part))

    def _one(self, name: str) -> tuple[Person, ...]:
        if person := self.contacts.get(name) or self.on_call.get(name):
            return (person,)
        if name in self.groups:
            return self.groups[name]
        if name in self.broken:
            raise MessageError("to", Wording("`{name}` cannot be used: its entry has an error", name=name))
        if name.startswith(TAG):
            return tagged(name, self.contacts.values())
        names = chain(self.contacts, self.groups, self.on_call)
        return (numbered(name, self.region, names, self.contacts),)


def shown(person: Person | Outlet) -> str:
    """Return the name of a person or an outlet; of one who is only a number, what others may see of it."""
    if isinstance(person, Contact) and person.is_number:
        return masked(person.phone)
    return person.name


def tagged(text: str, contacts: Iterable[Contact]) -> tuple[Contact, ...]:
    """Return the contacts with the tag after ``tag:``; MessageError where there are none."""
    tag = text.removeprefix(TAG).strip()
    known = list(contacts)
    members = tuple(contact for contact in known if tag in contact.tags)
    if not members:
        near = did_you_mean(tag, frozenset().union(*(contact.tags for contact in known)))
        raise MessageError("to", Wording("no contact has the tag `{tag}`", tag=tag), hint=near)
    return members


def numbered(text: str, region: str | None, names: Iterable[str], contacts: Mapping[str, Contact]) -> Contact:
    """Return the contact with a number, or a new one that has nothing else.

    A text with letters that no phone number has is taken for a misspelt name: MessageError.
    """
    refuse_spoiled(text)
    if not is_like_number(text):
        raise MessageError(
            "to",
            Wording("`{text}` is neither a contact nor a group", text=text),
            hint=did_you_mean(text, names),
        )
    phone = normalise(text, region)
    for contact in contacts.values():
        if contact.phone == phone:
            return contact
    return Contact(f"+{phone}", phone)


def distinct(people: Iterable[P]) -> tuple[P, ...]:
    """Return people in their order, each phone and each rotation once."""
    first: dict[str, P] = {}
    for person in people:
        key = person.phone if isinstance(person, Contact) else person.name
        first.setdefault(key, person)
    return tuple(first.values())


def recipient_problem(error: MessageError, location: Location) -> Problem:
    """Return the problem with a recipient: a name that is not known, or an impossible number."""
    code = {"to": "WBX303"}.get(error.field, "WBX302")
    return location.problem(code, error.problem, hint=error.hint)


def number_problems(people: Iterable[Person], location: Location) -> Iterator[Problem]:
    """Yield a warning for each person that is only a number, and one without WhatsApp."""
    for person in people:
        if isinstance(person, Contact) and person.is_number:
            yield from phone_problems(person.phone, location)


def phone_problems(phone: str, location: Location) -> Iterator[Problem]:
    """Yield a warning where a number hardly has WhatsApp."""
    message = doubt(phone)
    if message:
        hint = "check the number: messages to it may never arrive"
        yield location.warning("WBX339", message, hint)


def _on_duty(person: Person, now: datetime | None) -> Contact:
    if isinstance(person, Contact):
        return person
    if now is None:
        raise MessageError(
            "to", Wording("`{name}` is an on-call rotation, and nothing says at which time", name=person.name)
        )
    return person.at(now)
