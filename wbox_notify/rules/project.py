"""Project: settings, rules and people of one folder."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from wbox_notify.config.settings import Settings
from wbox_notify.config.yaml.document import Document, Location
from wbox_notify.config.yaml.problems import Problem
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Message, Notice
from wbox_notify.rules.models.triggers import WebhookSpec
from wbox_notify.rules.recipients import (
    VIA,
    Contact,
    Outlet,
    People,
    Reader,
    numbered,
)
from wbox_notify.rules.rule import Rule
from wbox_notify.rules.triggers import FileTrigger, MissingTrigger, ScheduleTrigger, WebhookTrigger
from wbox_notify.triggers.schedule.source import Timetable
from wbox_notify.triggers.webhook.hooks import Hook


class _Sources:
    """Rules by their folders and hooks, so that an event looks only at those that it can set off."""

    def __init__(self) -> None:
        self._folders: dict[str, list[tuple[int, Rule, FileTrigger]]] = {}
        self._hooks: dict[str, dict[int, Rule]] = {}
        self._of_rules: dict[str, list[FileTrigger | WebhookTrigger]] = {}

    def add(self, index: int, rule: Rule, source: FileTrigger | WebhookTrigger) -> None:
        """Take a rule in; ``index`` is its place among all."""
        self._of_rules.setdefault(rule.id, []).append(source)
        if isinstance(source, WebhookTrigger):
            self._hooks.setdefault(source.path, {})[index] = rule
        else:
            self._folders.setdefault(source.folder[:-1], []).append((index, rule, source))

    def find(self, event: Event) -> Sequence[Rule]:
        """Return the rules that an event sets off, in their order."""
        if event.type != "file":
            return tuple(self._hooks.get(event.data.get("path", ""), {}).values())
        rules = {
            index: rule
            for root in _above(event.data["path"])
            for index, rule, source in self._folders.get(root, ())
            if source.takes(event.data)
        }
        return tuple(rules[index] for index in sorted(rules))

    def sets_off(self, event: Event, rule: Rule) -> bool:
        """Return whether an event sets off a rule; the others cost nothing."""
        sources = self._of_rules.get(rule.id, ())
        path = event.data.get("path", "")
        if event.type != "file":
            return any(isinstance(source, WebhookTrigger) and source.path == path for source in sources)
        folders = {*_above(path)}
        return any(
            isinstance(source, FileTrigger) and source.folder[:-1] in folders and source.takes(event.data)
            for source in sources
        )


class Ground(NamedTuple):
    """What the rules of all files are built on; while it stays, only files that change are built again.

    Attributes:
        settings: The settings, with the declared secrets.
        people: The sections about people of all files, by file and name.
        templates: The files of templates, with what shows that they have changed.
    """

    settings: Settings
    people: Mapping[tuple[str, str], Any]
    templates: frozenset[tuple[str, int, int, int, int]]


class Built(NamedTuple):
    """What became of one file.

    Attributes:
        document: The file.
        rules: Its right rules.
        problems: The mistakes in it, but for those that the comparison with other files shows.
        ids: The ids of its rules.
        hooks: The webhooks that it names.
        outlets: The Apprise URLs that it names and the settings do not.
        secrets: The secrets that it names and the settings do not.
    """

    document: Document
    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]
    ids: tuple[tuple[str, Location], ...]
    hooks: tuple[tuple[WebhookSpec, Location], ...]
    outlets: Mapping[str, str]
    secrets: Mapping[str, str]


class Reading(NamedTuple):
    """One reading of a project folder: the ground, and what became of each file, by its name."""

    ground: Ground
    files: Mapping[str, Built]


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """All that a project folder says.

    Attributes:
        rules: The rules of all files without errors, in the order of the files.
        people: Contacts, groups, rotations and windows of all files.
        outlets: The Apprise URLs of all outlets, of the settings and of the rules, by name.
        problems: All mistakes, in order; a file with an error gives no rules.
        reading: How the folder was read, for the next reading.
        hooks: The webhooks that rules wait for, by path.
    """

    settings: Settings
    rules: tuple[Rule, ...] = ()
    people: People = field(default_factory=People, repr=False)
    outlets: Mapping[str, str] = field(default_factory=dict, repr=False)
    problems: tuple[Problem, ...] = ()
    reading: Reading | None = field(default=None, repr=False, compare=False)
    hooks: dict[str, Hook] = field(default_factory=dict, init=False, repr=False, compare=False)
    _started: _Sources = field(default_factory=_Sources, init=False, repr=False, compare=False)
    _awaited: _Sources = field(default_factory=_Sources, init=False, repr=False, compare=False)
    _timed: dict[tuple[str, str], Rule] = field(default_factory=dict, init=False, repr=False, compare=False)
    _by_id: dict[str, Rule] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for index, rule in enumerate(self.rules):
            self._by_id[rule.id] = rule
            for trigger in rule.triggers:
                if isinstance(trigger, ScheduleTrigger):
                    self._timed["schedule", rule.id] = rule
                elif isinstance(trigger, MissingTrigger):
                    self._timed["missing", rule.id] = rule
                    self._awaited.add(index, rule, trigger.of)
                else:
                    self._started.add(index, rule, trigger)
        self.hooks.update(_hooks(self.rules))

    def recipients(self, text: str, now: datetime | None = None) -> tuple[Contact, ...]:
        """Return the contacts that a text names; see ``People.find``, which raises the same."""
        return self.people.find(text, now)

    def only(self, rule: Rule) -> "Project":
        """Return the project as if it had this rule alone."""
        return replace(self, rules=(rule,))

    def rule(self, rule_id: str) -> Rule | None:
        """Return the rule with an id, or None."""
        return self._by_id.get(rule_id)

    def contact(self, phone: str) -> Contact:
        """Return the contact with a number, or one that is no more than the number."""
        return numbered(f"+{phone}", None, (), self.people.contacts)

    def reader(self, address: str) -> Reader:
        """Return the contact or the outlet that has an address."""
        if address.startswith(VIA):
            return Outlet(address.removeprefix(VIA))
        return self.contact(address)

    def reader_of(self, message: Message) -> Reader:
        """Return the contact or the outlet that a message is for."""
        if isinstance(message, Notice):
            return Outlet(message.outlet)
        return self.contact(message.phone)

    def rules_for(self, event: Event) -> Sequence[Rule]:
        """Return the rules that an event sets off, in their order; the others cost nothing."""
        if event.type in {"schedule", "missing"}:
            rule = self._timed.get((event.type, event.data["rule"]))
            return (rule,) if rule else ()
        return self._started.find(event)

    def sets_off(self, event: Event, rule: Rule) -> bool:
        """Return whether a rule is among ``rules_for`` an event."""
        if event.type in {"schedule", "missing"}:
            return (event.type, rule.id) in self._timed and event.data["rule"] == rule.id
        return self._started.sets_off(event, rule)

    def awaiting(self, event: Event) -> Sequence[Rule]:
        """Return the rules that await an event, in their order."""
        if event.type in {"schedule", "missing"}:
            return ()
        return self._awaited.find(event)

    def timetables(self) -> Iterator[Timetable]:
        """Yield when rules are due."""
        for rule in self.rules:
            for trigger in rule.triggers:
                if isinstance(trigger, ScheduleTrigger):
                    yield Timetable(
                        rule=rule.id, kind="schedule", schedule=trigger.schedule, missed=trigger.missed
                    )
                elif isinstance(trigger, MissingTrigger):
                    yield Timetable(rule=rule.id, kind="missing", schedule=trigger.by, missed=trigger.missed)


class Live:
    """The project as it is now: a reload replaces it as a whole for all that read it here."""

    def __init__(self, project: Project) -> None:
        self.project = project


def _hooks(rules: Iterable[Rule]) -> dict[str, Hook]:
    """Return one hook for each path that rules name."""
    by_path: dict[str, list[tuple[WebhookTrigger, Rule]]] = {}
    for rule in rules:
        for trigger in rule.hooks():
            by_path.setdefault(trigger.path, []).append((trigger, rule))
    return {path: _hook(group) for path, group in by_path.items()}


def _hook(group: Sequence[tuple[WebhookTrigger, Rule]]) -> Hook:
    trigger, _ = group[0]  # they say the same of it, or one of them is a mistake and not here
    return Hook(
        path=trigger.path,
        scheme=trigger.scheme,
        preset=trigger.preset,
        methods=trigger.methods,
        origins=trigger.origins,
        redirect=trigger.redirect,
        id=trigger.delivery_id if trigger.id else None,
        named=frozenset().union(*(rule.headers for _, rule in group)),
    )


def _above(path: str) -> Iterator[str]:
    """Yield the folders that a path is in, without a slash at their end."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
