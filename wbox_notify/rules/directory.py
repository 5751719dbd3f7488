"""Directory: contacts, groups, on-call rotations and named time windows of all files of a project."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from wbox_notify.config.yaml.document import Document, Location
from wbox_notify.config.yaml.problems import Problem
from wbox_notify.config.yaml.validation import validate
from wbox_notify.errors import ConfigError, MessageError
from wbox_notify.model.phones import normalise
from wbox_notify.model.text import did_you_mean
from wbox_notify.model.texts import Wording, problem_of
from wbox_notify.rules.models.people import ContactSpec, GroupMembersSpec, OnCallSpec, WindowSpec, as_contact
from wbox_notify.rules.recipients import (
    TAG,
    Contact,
    OnCall,
    People,
    Person,
    distinct,
    number_problems,
    numbered,
    phone_problems,
    recipient_problem,
    tagged,
)
from wbox_notify.triggers.schedule.windows import Span, Window

_FORM = Wording("write it like 22:00-07:30 or Mon-Fri 09:00-18:00")
_NAME = re.compile(r"[^\W\d_](?:[\w .-]*[\w.-])?")
_DEEPEST = 20


class Windows:
    """The named windows of all files; mistakes join ``problems``."""

    def __init__(self, problems: list[Problem]) -> None:
        self.named: dict[str, Window] = {}
        self._entries: dict[str, Location] = {}
        self._problems = problems

    def declare(self, name: str, entry: Any, location: Location) -> None:
        """Take in an entry of ``time_windows``."""
        earlier = self._entries.setdefault(name, location)
        if earlier is not location:
            self._problems.append(_taken(name, location, earlier))
            return
        spec, mistakes = validate(WindowSpec, {"spans": entry}, location)
        self._problems += mistakes
        if spec:
            window = self._window(spec.spans, location, self._parse)
            if window:
                self.named[name] = window

    def read(self, texts: Sequence[str], location: Location) -> Window | None:
        """Return a window of names and spans; None where it is wrong."""
        return self._window(texts, location, self._find)

    def _find(self, text: str) -> Window:
        if text in self.named:
            return self.named[text]
        if text in self._entries:
            raise ConfigError(
                Wording("the window `{text}` cannot be used: its entry has an error", text=text)
            )
        return self._parse(text)

    def _parse(self, text: str) -> Window:
        try:
            return Window.parse(text)
        except ConfigError as error:
            near = did_you_mean(text, self._entries)
            if any(map(str.isdigit, text)):
                raise ConfigError(problem_of(error), hint=near or error.hint) from None
            hint = near or Wording("write its hours, or `time_windows: {{{text}: 22:00-07:30}}`", text=text)
            raise ConfigError(
                Wording("`{text}` is neither a window nor a day", text=text), hint=hint
            ) from None

    def _window(
        self, texts: Sequence[str], location: Location, read: Callable[[str], Window]
    ) -> Window | None:
        spans: list[Span] = []
        for index, text in enumerate(texts):
            try:
                spans += read(text).spans
            except ConfigError as error:
                self._problems.append(
                    location.at(index).problem("WBX327", problem_of(error), hint=error.hint)
                )
                return None
        window = Window(tuple(spans))
        if window.never_opens or window.always_open:
            message = "this window never opens" if window.never_opens else "this window is always open"
            self._problems.append(location.warning("WBX331", message, _FORM))
        return window


def gather(
    documents: Sequence[Document], region: str | None, zone: ZoneInfo, problems: list[Problem]
) -> tuple[People, Windows]:
    """Return the people and the windows of all files together; mistakes join ``problems``.

    ``region`` is that of numbers without a country code, ``zone`` that of rotations without their own.
    """
    directory = _Directory(region, zone, problems)
    for document in documents:
        directory.read_windows(document)
    for document in documents:
        directory.read_people(document)
    directory.link()
    return directory.people(), directory.windows


class _Directory:
    """The entries of all files on their way to contacts, rotations and groups."""

    def __init__(self, region: str | None, zone: ZoneInfo, problems: list[Problem]) -> None:
        self.region, self.zone, self.problems = region, zone, problems
        self.windows = Windows(problems)
        self.entries: dict[str, Location] = {}
        self.contacts: dict[str, Contact] = {}
        self.rotations: dict[str, OnCallSpec] = {}
        self.on_call: dict[str, OnCall] = {}
        self.members: dict[str, list[str]] = {}
        self.groups: dict[str, tuple[Person, ...]] = {}

    def people(self) -> People:
        good = {name: group for name, group in self.groups.items() if group}
        broken = self.entries.keys() - self.contacts.keys() - self.on_call.keys() - good.keys()
        named = self.windows.named
        return People(self.contacts, good, self.on_call, named, self.region, frozenset(broken))

    def read_windows(self, document: Document) -> None:
        for location, name, entry in _section(document, "time_windows"):
            if self._is_name(name, location):
                self.windows.declare(name, entry, location)

    def read_people(self, document: Document) -> None:
        sections = {
            "contacts": self._read_contact,
            "on_call": self._read_rotation,
            "groups": self._read_group,
        }
        for section, read in sections.items():
            for location, name, entry in _section(document, section):
                if self._is_name(name, location) and self._is_new(name, location):
                    read(name, entry, location)

    def link(self) -> None:
        """Fill rotations and groups, once all names are known."""
        for name, spec in self.rotations.items():
            self._link_rotation(name, spec)
        for name in self.members:
            self._link_group(name, ())

    def _is_name(self, name: str, location: Location) -> bool:
        if _NAME.fullmatch(name):
            return True
        hint = "a name starts with a letter and has letters, digits, blanks, `.`, `-` and `_`"
        self.problems.append(
            location.key_problem("WBX215", Wording("`{name}` cannot be a name", name=name), hint=hint)
        )
        return False

    def _is_new(self, name: str, location: Location) -> bool:
        earlier = self.entries.setdefault(name, location)
        if earlier is location:
            return True
        self.problems.append(_taken(name, location, earlier))
        return False

    def _read_contact(self, name: str, entry: Any, location: Location) -> None:
        spec, problems = validate(ContactSpec, as_contact(entry), location)
        self.problems += problems
        if spec is None:
            return
        quiet_hours = None
        if spec.quiet_hours:
            quiet_hours = self.windows.read(spec.quiet_hours, location.at("quiet_hours"))
        try:
            phone = normalise(spec.phone, self.region)
        except MessageError as error:
            self.problems.append(recipient_problem(error, location.at("phone")))
            return
        self.problems += phone_problems(phone, location.at("phone"))
        if quiet_hours or not spec.quiet_hours:
            tags = frozenset(spec.tags)
            self.contacts[name] = Contact(spec.name or name, phone, spec.tz, spec.lang, quiet_hours, tags)

    def _read_rotation(self, name: str, entry: Any, location: Location) -> None:
        spec, problems = validate(OnCallSpec, entry, location)
        self.problems += problems
        if spec is not None:
            self.rotations[name] = spec

    def _read_group(self, name: str, entry: Any, location: Location) -> None:
        spec, problems = validate(GroupMembersSpec, {"members": entry}, location)
        self.problems += problems
        if spec is None:
            return
        if spec.members:
            self.members[name] = spec.members
        else:
            self.problems.append(
                location.key_problem("WBX305", Wording("the group `{name}` is empty", name=name))
            )

    def _link_rotation(self, name: str, spec: OnCallSpec) -> None:
        contacts: list[Contact] = []
        for index, member in enumerate(spec.rotate):
            location = self.entries[name].at("rotate", index)
            if member in self.contacts:
                contacts.append(self.contacts[member])
            elif member in self.rotations or member in self.members:
                message = Wording("`{member}` is not a contact, and only contacts take turns", member=member)
                self.problems.append(location.problem("WBX305", message))
            elif member not in self.entries:
                contacts += self._number(member, location)
        if len(contacts) == len(spec.rotate):
            zone = spec.tz or self.zone
            self.on_call[name] = OnCall(name, tuple(contacts), spec.every, spec.start, zone)

    def _link_group(self, name: str, above: tuple[str, ...]) -> tuple[Person, ...]:
        """Return who is in a group, nobody if a member is wrong; ``above`` are the groups that lead to it."""
        if name not in self.groups:
            members = [self._member(name, i, (*above, name)) for i in range(len(self.members[name]))]
            self.groups[name] = ()
            if all(members):
                self.groups[name] = distinct(person for people in members for person in people)
        return self.groups[name]

    def _member(self, group: str, index: int, above: tuple[str, ...]) -> tuple[Person, ...]:
        name, location = self.members[group][index], self.entries[group].at(index)
        person = self.contacts.get(name) or self.on_call.get(name)
        if person:
            return (person,)
        if name in above:
            trail = " > ".join((*above[above.index(name) :], name))
            self.problems.append(
                location.problem(
                    "WBX305", Wording("the group `{name}` holds itself: {trail}", name=name, trail=trail)
                )
            )
            return ()
        if len(above) > _DEEPEST:
            self.problems.append(
                location.problem("WBX305", Wording("groups are nested more than {most} deep", most=_DEEPEST))
            )
            return ()
        if name in self.members:
            return self._link_group(name, above)
        if name in self.entries:  # it has a mistake of its own
            return ()
        return self._number(name, location)

    def _number(self, text: str, location: Location) -> tuple[Contact, ...]:
        try:
            if text.startswith(TAG):
                return tagged(text, self.contacts.values())
            contact = numbered(text, self.region, self.entries, self.contacts)
        except MessageError as error:
            self.problems.append(recipient_problem(error, location))
            return ()
        self.problems += number_problems([contact], location)
        return (contact,)


def _taken(name: str, location: Location, earlier: Location) -> Problem:
    hint = Wording("it is given at {where}: remove one of the two", where=earlier.where)
    return location.key_problem("WBX304", Wording("the name `{name}` is taken", name=name), hint=hint)


def _section(document: Document, name: str) -> Iterator[tuple[Location, str, Any]]:
    if isinstance(document.value, dict) and isinstance(document.value.get(name), dict):
        for key, entry in document.value[name].items():
            yield document.at(name, key), key, entry
