"""Project: settings, rules and people of one folder."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from wbox_notify.config.settings import Settings
from wbox_notify.config.yaml.problems import Problem
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Message, Notice
from wbox_notify.rules.recipients import VIA, Contact, Outlet, People, Reader, numbered

if TYPE_CHECKING:  # commands that need no rules do not wait for their language
    from wbox_notify.rules.reading import Reading
    from wbox_notify.rules.rule import Rule
    from wbox_notify.rules.sources import Sources
    from wbox_notify.triggers.schedule.source import Timetable
    from wbox_notify.triggers.webhook.hooks import Hook


@dataclass(frozen=True, kw_only=True)
class Project:
    """All that a project folder says.

    Attributes:
        rules: The rules of all files without errors, in the order of the files.
        people: Contacts, groups, rotations and windows of all files.
        outlets: The Apprise URLs of all outlets, of the settings and of the rules, by name.
        problems: All mistakes, in order; a file with an error gives no rules.
        reading: How the folder was read, for the next reading.
    """

    settings: Settings
    rules: "tuple[Rule, ...]" = ()
    people: People = field(default_factory=People, repr=False)
    outlets: Mapping[str, str] = field(default_factory=dict, repr=False)
    problems: tuple[Problem, ...] = ()
    reading: "Reading | None" = field(default=None, repr=False, compare=False)

    @cached_property
    def _by_id(self) -> "Mapping[str, Rule]":
        return {rule.id: rule for rule in self.rules}

    @cached_property
    def _sources(self) -> "Sources":
        from wbox_notify.rules.sources import Sources  # noqa: PLC0415 - see above

        return Sources(self.rules)

    @property
    def hooks(self) -> "Mapping[str, Hook]":
        """The webhooks that rules wait for, by path."""
        return self._sources.hooks

    def recipients(self, text: str, now: datetime | None = None) -> tuple[Contact, ...]:
        """Return the contacts that a text names; see ``People.find``, which raises the same."""
        return self.people.find(text, now)

    def only(self, rule: "Rule") -> "Project":
        """Return the project as if it had this rule alone."""
        return replace(self, rules=(rule,))

    def rule(self, rule_id: str) -> "Rule | None":
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

    def rules_for(self, event: Event) -> "Sequence[Rule]":
        """Return the rules that an event sets off, in their order; the others cost nothing."""
        return self._sources.rules_for(event)

    def sets_off(self, event: Event, rule: "Rule") -> bool:
        """Return whether a rule is among ``rules_for`` an event."""
        return self._sources.sets_off(event, rule)

    def awaiting(self, event: Event) -> "Sequence[Rule]":
        """Return the rules that await an event, in their order."""
        return self._sources.awaiting(event)

    def timetables(self) -> "Iterator[Timetable]":
        """Yield when rules are due."""
        return self._sources.timetables()


class Live:
    """The project as it is now: a reload replaces it as a whole for all that read it here."""

    def __init__(self, project: Project) -> None:
        self.project = project
