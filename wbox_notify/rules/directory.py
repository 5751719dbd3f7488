"""Directory: contacts, groups, on-call rotations and named time windows of all files of a project."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from wbox_notify.config.yaml.document import Document, Location
from wbox_notify.config.yaml.problems import Problem
from wbox_notify.config.yaml.validation import fit
from wbox_notify.errors import ConfigError, MessageError
from wbox_notify.model.phones import normalise
from wbox_notify.model.text import did_you_mean
from wbox_notify.rules.models import ContactSpec, GroupMembersSpec, OnCallSpec, WindowSpec, as_contact
from wbox_notify.rules.recipients import (
    TAG,
    Contact,
    OnCall,
    People,
    Person,
    distinct,
    numbered,
    recipient_problem,
    tagged,
)
from wbox_notify.triggers.schedule.windows import Span, Window

_NAME = re.compile(r"[^\W\d_](?:[\w .-]*[\w.-])?")
_DEEPEST = 20


_FORM = "write it like 22:00-07:30 or Mon-Fri 09:00-18:00"


class Windows:
    """The windows of all files; what is wrong joins the problems of whoever asks."""

    def __init__(self) -> None:
        self.named: dict[str, Window] = {}
        self._entries: dict[str, Location] = {}

    def declare(self, name: str, entry: Any, location: Location, problems: list[Problem]) -> None:
        """Take in an entry of ``time_windows``."""
        if earlier := self._entries.get(name):
            hint = f"it is given at {earlier.document.source.file}:{earlier.key.line}"
            problems.append(location.key_problem("WBX304", f"the name `{name}` is taken", hint=hint))
            return
        self._entries[name] = location
        spec, wrong = fit(WindowSpec, {"spans": entry}, location)
        problems += wrong
        if spec is not None and (window := _window(spec.spans, location, problems, self._parsed)):
            self.named[name] = window

    def read(self, written: Sequence[str], location: Location, problems: list[Problem]) -> Window | None:
        """Return the window that stands at a location, of names and spans; None where it is wrong."""
        return _window(written, location, problems, self._meant)

    def _meant(self, text: str) -> Window:
        if text in self.named:
            return self.named[text]
        if text in self._entries:
            raise ConfigError(f"the window `{text}` cannot be used: its own entry has a mistake")
        return self._parsed(text)

    def _parsed(self, text: str) -> Window:
        try:
            return Window.parse(text)
        except ConfigError as error:
            near = did_you_mean(text, self._entries)
            if any(map(str.isdigit, text)):
                raise ConfigError(str(error), hint=near or error.hint) from None
            hint = near or f"write its hours, or `time_windows: {{{text}: 22:00-07:30}}`"
            raise ConfigError(f"there is no window `{text}`, and no such day", hint=hint) from None


def _window(
    written: Sequence[str], location: Location, problems: list[Problem], read: Callable[[str], Window]
) -> Window | None:
    spans: list[Span] = []
    for index, text in enumerate(written):
        try:
            spans += read(text).spans
        except ConfigError as error:
            problems.append(location.at(index).problem("WBX327", str(error), hint=error.hint))
            return None
    window = Window(tuple(spans))
    if window.never_opens or window.always_open:
        message = "this window never opens" if window.never_opens else "this window is always open"
        problems.append(location.problem("WBX331", message, hint=_FORM, severity="warning"))
    return window


def gather(
    documents: Iterable[Document], region: str | None, zone: ZoneInfo
) -> tuple[People, Windows, list[Problem]]:
    """Return the people and the windows of all files together, and what is wrong with their entries.

    ``region`` is that of numbers without a country code, ``zone`` that of turns without their own.
    """
    gathering = _Gathering(region, zone)
    every = list(documents)
    for document in every:
        gathering.enter_windows(document)
    for document in every:
        gathering.enter(document)
    gathering.finish()
    return gathering.people(), gathering.windows, gathering.problems


class _Gathering:
    """The entries of all files on their way to contacts, turns and groups."""

    def __init__(self, region: str | None, zone: ZoneInfo) -> None:
        self.region, self.zone = region, zone
        self.problems: list[Problem] = []
        self.windows = Windows()
        self.entries: dict[str, Location] = {}
        self.contacts: dict[str, Contact] = {}
        self.turns: dict[str, OnCallSpec] = {}
        self.on_call: dict[str, OnCall] = {}
        self.members: dict[str, list[str]] = {}
        self.groups: dict[str, tuple[Person, ...]] = {}

    def people(self) -> People:
        good = {name: group for name, group in self.groups.items() if group}
        broken = self.entries.keys() - self.contacts.keys() - self.on_call.keys() - good.keys()
        named = self.windows.named
        return People(self.contacts, good, self.on_call, named, self.region, frozenset(broken))

    def enter_windows(self, document: Document) -> None:
        for location, name, entry in _section(document, "time_windows"):
            if self._is_name(name, location):
                self.windows.declare(name, entry, location, self.problems)

    def enter(self, document: Document) -> None:
        for section, take in (
            ("contacts", self._contact),
            ("on_call", self._turn),
            ("groups", self._group),
        ):
            for location, name, entry in _section(document, section):
                if self._is_name(name, location) and self._is_new(name, location):
                    take(name, entry, location)

    def finish(self) -> None:
        """Fill what names others, once all names are known."""
        for name, spec in self.turns.items():
            self._filled_turn(name, spec)
        for name in self.members:
            self._filled(name, ())

    def _is_name(self, name: str, location: Location) -> bool:
        if not _NAME.fullmatch(name):
            hint = "a name starts with a letter and has letters, digits, blanks, `.`, `-` and `_`"
            self.problems.append(location.key_problem("WBX215", f"`{name}` cannot be a name", hint=hint))
            return False
        return True

    def _is_new(self, name: str, location: Location) -> bool:
        if earlier := self.entries.get(name):
            at = f"{earlier.document.source.file}:{earlier.key.line}"
            self.problems.append(
                location.key_problem("WBX304", f"the name `{name}` is taken", hint=f"it is given at {at}")
            )
            return False
        self.entries[name] = location
        return True

    def _contact(self, name: str, entry: Any, location: Location) -> None:
        spec, problems = fit(ContactSpec, as_contact(entry), location)
        self.problems += problems
        if spec is None:
            return
        hours = None
        if spec.quiet_hours:
            hours = self.windows.read(spec.quiet_hours, location.at("quiet_hours"), self.problems)
        try:
            phone = normalise(spec.phone, self.region)
        except MessageError as error:
            self.problems.append(recipient_problem(error, location.at("phone")))
            return
        if hours or not spec.quiet_hours:
            tags = frozenset(spec.tags)
            self.contacts[name] = Contact(spec.name or name, phone, spec.tz, spec.lang, hours, tags)

    def _turn(self, name: str, entry: Any, location: Location) -> None:
        spec, problems = fit(OnCallSpec, entry, location)
        self.problems += problems
        if spec is not None:
            self.turns[name] = spec

    def _group(self, name: str, entry: Any, location: Location) -> None:
        spec, problems = fit(GroupMembersSpec, {"members": entry}, location)
        self.problems += problems
        if spec is not None and not spec.members:
            self.problems.append(location.key_problem("WBX305", f"the group `{name}` is empty"))
        elif spec is not None:
            self.members[name] = spec.members

    def _filled_turn(self, name: str, spec: OnCallSpec) -> None:
        found = []
        for index, member in enumerate(spec.rotate):
            location = self.entries[name].at("rotate", index)
            if member in self.contacts:
                found.append(self.contacts[member])
            elif member in self.turns or member in self.members:
                message = f"`{member}` is no contact, and contacts take turns"
                self.problems.append(location.problem("WBX305", message))
            elif member not in self.entries:
                found += self._number(member, location)
        if len(found) == len(spec.rotate):
            zone = spec.tz or self.zone
            self.on_call[name] = OnCall(name, tuple(found), spec.every, spec.start, zone)

    def _filled(self, name: str, above: tuple[str, ...]) -> tuple[Person, ...]:
        """Return who is in a group, nobody if a member is wrong; the groups that lead to it are ``above``."""
        if name not in self.groups:
            found = [self._member(name, index, (*above, name)) for index in range(len(self.members[name]))]
            self.groups[name] = (
                distinct(person for member in found for person in member) if all(found) else ()
            )
        return self.groups[name]

    def _member(self, group: str, index: int, above: tuple[str, ...]) -> tuple[Person, ...]:
        name, location = self.members[group][index], self.entries[group].at(index)
        if person := self.contacts.get(name) or self.on_call.get(name):
            return (person,)
        if name in above:
            trail = " > ".join((*above[above.index(name) :], name))
            self.problems.append(location.problem("WBX305", f"the group `{name}` holds itself: {trail}"))
            return ()
        if len(above) > _DEEPEST:
            self.problems.append(location.problem("WBX305", f"groups are nested more than {_DEEPEST} deep"))
            return ()
        if name in self.members:
            return self._filled(name, above)
        return () if name in self.entries else self._number(name, location)

    def _number(self, text: str, location: Location) -> tuple[Contact, ...]:
        try:
            if text.startswith(TAG):
                return tagged(text, self.contacts.values())
            return (numbered(text, self.region, self.entries, self.contacts),)
        except MessageError as error:
            self.problems.append(recipient_problem(error, location))
            return ()


def _section(document: Document, name: str) -> Iterator[tuple[Location, str, Any]]:
    section = document.value.get(name) if isinstance(document.value, dict) else None
    if isinstance(section, dict):
        for key, entry in section.items():
            yield document.at(name, key), key, entry
