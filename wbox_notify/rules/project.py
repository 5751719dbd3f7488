"""Project: settings, rules and people of one folder, and what is wrong with them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from wbox_notify.config.settings import Settings
from wbox_notify.config.yaml.problems import Problem
from wbox_notify.model.events import Event
from wbox_notify.rules.recipients import VIA, Contact, Outlet, People, Reader, numbered
from wbox_notify.rules.rule import FileTrigger, MissingTrigger, Rule, ScheduleTrigger, WebhookTrigger

_Found = dict[int, Rule]


class _Sources:
    """Rules by what sets them off, so that an event looks only at those that it can set off."""

    def __init__(self) -> None:
        self._folders: dict[str, list[tuple[int, Rule, FileTrigger]]] = {}
        self._hooks: dict[str, _Found] = {}

    def add(self, place: int, rule: Rule, source: FileTrigger | WebhookTrigger) -> None:
        """Take a rule in; ``place`` is where it stands among all."""
        if isinstance(source, WebhookTrigger):
            self._hooks.setdefault(source.path, {})[place] = rule
        else:
            root = str(source.root).rstrip("/")
            self._folders.setdefault(root, []).append((place, rule, source))

    def find(self, event: Event) -> Sequence[Rule]:
        """Return the rules that an event sets off, in their order."""
        if event.type == "file":
            path = event.data["path"]
            watching = (entry for root in _above(path) for entry in self._folders.get(root, ()))
            found = {place: rule for place, rule, source in watching if source.takes(event.data)}
        else:
            found = self._hooks.get(event.data.get("path", ""), {})
        return tuple(found[place] for place in sorted(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """All that a project folder says.

    Attributes:
        rules: The rules of all files without errors, in the order of the files.
        people: Who and when: contacts, groups, turns and windows of all files.
        outlets: The Apprise URLs of all outlets, of the settings and of the rules, by name.
        problems: What is wrong, in order; a file with an error gives no rules.
    """

    settings: Settings
    rules: tuple[Rule, ...] = ()
    people: People = field(default_factory=People, repr=False)
    outlets: Mapping[str, str] = field(default_factory=dict, repr=False)
    problems: tuple[Problem, ...] = ()
    _started: _Sources = field(default_factory=_Sources, init=False, repr=False, compare=False)
    _awaited: _Sources = field(default_factory=_Sources, init=False, repr=False, compare=False)
    _timed: dict[tuple[str, str], Rule] = field(default_factory=dict, init=False, repr=False, compare=False)

    _by_id: dict[str, Rule] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for place, rule in enumerate(self.rules):
            self._by_id[rule.id] = rule
            for trigger in rule.triggers:
                if isinstance(trigger, ScheduleTrigger):
                    self._timed["schedule", rule.id] = rule
                elif isinstance(trigger, MissingTrigger):
                    self._timed["missing", rule.id] = rule
                    self._awaited.add(place, rule, trigger.of)
                else:
                    self._started.add(place, rule, trigger)

    @property
    def contacts(self) -> Mapping[str, Contact]:
        """The contacts by their names in the files."""
        return self.people.contacts

    def recipients(self, text: str, now: datetime | None = None) -> tuple[Contact, ...]:
        """Return who is meant by names, tags and numbers, with commas between them.

        Whose turn it is has to be asked for a moment: ``now``.

        Raises:
            MessageError: somebody in it is not known, or nobody is named.
        """
        return self.people.find(text, now)

    def only(self, rule: Rule) -> "Project":
        """Return the project as if it had this rule alone."""
        return replace(self, rules=(rule,))

    def rule(self, rule_id: str) -> Rule | None:
        """Return the rule with an id, or None."""
        return self._by_id.get(rule_id)

    def contact(self, phone: str) -> Contact:
        """Return the contact with a number, or one that is no more than the number."""
        return numbered(phone, None, (), self.people.contacts)

    def reader(self, address: str) -> Reader:
        """Return the contact or the outlet that has an address."""
        return Outlet(address.removeprefix(VIA)) if address.startswith(VIA) else self.contact(address)

    def rules_for(self, event: Event) -> Sequence[Rule]:
        """Return the rules that an event sets off, in their order; the others cost nothing."""
        if event.type in {"schedule", "missing"}:
            rule = self._timed.get((event.type, event.data["rule"]))
            return (rule,) if rule else ()
        return self._started.find(event)

    def awaiting(self, event: Event) -> Sequence[Rule]:
        """Return the rules that would have missed what an event tells of, in their order."""
        return () if event.type in {"schedule", "missing"} else self._awaited.find(event)


def _above(path: str) -> Iterator[str]:
    """Yield the folders that a path is in, without a slash at their end."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
