"""People: contacts and groups, and who is meant by a text."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator

from wbox_notify.documents.problems import Problem
from wbox_notify.documents.shape import LISTED, Refusal, Strict, fit, later, meant, wrong
from wbox_notify.documents.yamlfile import Document, Spot
from wbox_notify.errors import MessageError
from wbox_notify.phones import normalise

_NAME = re.compile(r"[^\W\d_](?:[\w .-]*[\w.-])?")
_DEEPEST = 20
_SHORTEST, _LONGEST = 10, 15


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody with a phone; the name is the number where there is no other."""

    name: str
    phone: str


@dataclass(frozen=True, slots=True)
class People:
    """All that ``to`` can name; ``broken`` are the names whose own entry has a mistake."""

    contacts: Mapping[str, Contact] = field(default_factory=dict)
    groups: Mapping[str, tuple[Contact, ...]] = field(default_factory=dict)
    region: str | None = None
    broken: frozenset[str] = frozenset()

    def find(self, text: str) -> tuple[Contact, ...]:
        """Return who is meant by names of contacts or groups and numbers, with commas between them.

        Raises:
            MessageError: with the field ``to`` for an unknown name, ``phone`` for an impossible number.
        """
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if not parts:
            raise MessageError("to", "names nobody")
        return distinct(contact for part in parts for contact in self._one(part))

    def _one(self, name: str) -> tuple[Contact, ...]:
        if name in self.contacts:
            return (self.contacts[name],)
        if name in self.groups:
            return self.groups[name]
        if name in self.broken:
            raise MessageError("to", f"`{name}` can not be used: its own entry has a mistake")
        found = _number(name, self.region, {*self.contacts, *self.groups})
        return (_known(found, self.contacts),)


def _number(text: str, region: str | None, names: Iterable[str]) -> Contact:
    """Return the contact of a bare number; a text with letters is taken for a misspelt one of the names."""
    if any(map(str.isalpha, text)):
        raise MessageError("to", f"`{text}` is neither a contact nor a group", hint=meant(text, names))
    phone = normalise(text, region)
    return Contact(f"+{phone}", phone)


def _known(bare: Contact, contacts: Mapping[str, Contact]) -> Contact:
    """Return the contact that has the number, so that somebody known is called by name."""
    return next((contact for contact in contacts.values() if contact.phone == bare.phone), bare)


def distinct(contacts: Iterable[Contact]) -> tuple[Contact, ...]:
    """Return the contacts in their order, each phone once."""
    first: dict[str, Contact] = {}
    for contact in contacts:
        first.setdefault(contact.phone, contact)
    return tuple(first.values())


def plain(error: MessageError) -> str:
    """Return what an error says, without the field that it begins with."""
    return str(error).removeprefix(f"{error.field}: ")


def _unchanged(value: Any) -> Any:
    """Return a number as text if YAML can not have changed it; a bare 0555… is text already."""
    if type(value) is not int:
        return value
    if not _SHORTEST <= len(str(value)) <= _LONGEST or value < 0:
        raise wrong("WBX302", f"{value} is not a whole phone number", 'put it in quotes: "+905551234567"')
    return str(value)


PhoneText = Annotated[str, BeforeValidator(_unchanged)]
"""A phone number or a name; a number without quotes where it is sure to be the one that was written."""


class _ContactSpec(Strict):
    refused: ClassVar[Mapping[str, Refusal]] = later("tags", "quiet_hours", "tz", "lang")

    phone: PhoneText
    name: str | None = None


class _GroupSpec(Strict):
    members: Annotated[list[PhoneText], LISTED]


def gather(documents: Iterable[Document], region: str | None) -> tuple[People, list[Problem]]:
    """Return the people of all files together, and what is wrong with their entries."""
    gathering = _Gathering(region)
    for document in documents:
        gathering.enter(document)
    gathering.fill_groups()
    return gathering.people(), gathering.problems


class _Gathering:
    """The entries of all files on their way to contacts and groups."""

    def __init__(self, region: str | None) -> None:
        self.region = region
        self.problems: list[Problem] = []
        self.entries: dict[str, Spot] = {}
        self.contacts: dict[str, Contact] = {}
        self.members: dict[str, list[str]] = {}
        self.groups: dict[str, tuple[Contact, ...]] = {}

    def people(self) -> People:
        good = {name: group for name, group in self.groups.items() if group}
        broken = self.entries.keys() - self.contacts.keys() - good.keys()
        return People(self.contacts, good, self.region, frozenset(broken))

    def enter(self, document: Document) -> None:
        for spot, name, entry in _section(document, "contacts"):
            if self._is_new(name, spot):
                self._contact(name, entry, spot)
        for spot, name, entry in _section(document, "groups"):
            if self._is_new(name, spot):
                self._group(name, entry, spot)

    def fill_groups(self) -> None:
        for name in self.members:
            self._filled(name, ())

    def _is_new(self, name: str, spot: Spot) -> bool:
        if not _NAME.fullmatch(name):
            hint = "a name starts with a letter and has letters, digits, blanks, `.`, `-` and `_`"
            self.problems.append(spot.key_problem("WBX215", f"`{name}` can not be a name", hint=hint))
            return False
        if earlier := self.entries.get(name):
            at = f"{earlier.document.source.file}:{earlier.key.line}"
            self.problems.append(
                spot.key_problem("WBX304", f"the name `{name}` is taken", hint=f"it is given at {at}")
            )
            return False
        self.entries[name] = spot
        return True

    def _contact(self, name: str, entry: Any, spot: Spot) -> None:
        spec, problems = fit(_ContactSpec, entry if isinstance(entry, dict) else {"phone": entry}, spot)
        self.problems += problems
        if spec is None:
            return
        try:
            self.contacts[name] = Contact(spec.name or name, normalise(spec.phone, self.region))
        except MessageError as error:
            self.problems.append(spot.at("phone").problem("WBX302", plain(error), hint=error.hint))

    def _group(self, name: str, entry: Any, spot: Spot) -> None:
        spec, problems = fit(_GroupSpec, {"members": entry}, spot)
        self.problems += problems
        if spec is not None and not spec.members:
            self.problems.append(spot.key_problem("WBX305", f"the group `{name}` is empty"))
        elif spec is not None:
            self.members[name] = spec.members

    def _filled(self, name: str, above: tuple[str, ...]) -> tuple[Contact, ...]:
        """Return who is in a group, nobody if a member is wrong; the groups that lead to it are ``above``."""
        if name not in self.groups:
            found = [self._member(name, index, (*above, name)) for index in range(len(self.members[name]))]
            self.groups[name] = (
                distinct(contact for member in found for contact in member) if all(found) else ()
            )
        return self.groups[name]

    def _member(self, group: str, index: int, above: tuple[str, ...]) -> tuple[Contact, ...]:
        name, spot = self.members[group][index], self.entries[group].at(index)
        if name in self.contacts:
            return (self.contacts[name],)
        if name in above:
            trail = " > ".join((*above[above.index(name) :], name))
            self.problems.append(spot.problem("WBX305", f"the group `{name}` holds itself: {trail}"))
            return ()
        if len(above) > _DEEPEST:
            self.problems.append(spot.problem("WBX305", f"groups are nested more than {_DEEPEST} deep"))
            return ()
        if name in self.members:
            return self._filled(name, above)
        return () if name in self.entries else self._number(name, spot)

    def _number(self, text: str, spot: Spot) -> tuple[Contact, ...]:
        try:
            return (_known(_number(text, self.region, self.entries), self.contacts),)
        except MessageError as error:
            code = "WBX303" if error.field == "to" else "WBX302"
            self.problems.append(spot.problem(code, plain(error), hint=error.hint))
            return ()


def _section(document: Document, name: str) -> Iterator[tuple[Spot, str, Any]]:
    section = document.value.get(name) if isinstance(document.value, dict) else None
    if isinstance(section, dict):
        for key, entry in section.items():
            yield document.at(name, key), key, entry
