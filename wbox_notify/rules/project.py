"""Project: settings, rules and people of one folder, and how it is loaded with all its problems."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from wbox_notify.config import reading
from wbox_notify.config.settings import Settings
from wbox_notify.config.yaml.document import Document, Location, open_document
from wbox_notify.config.yaml.problems import Problem, errors, in_order
from wbox_notify.config.yaml.validation import validate
from wbox_notify.errors import MessageError
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Message, Notice
from wbox_notify.rules.compile import BuildContext, build
from wbox_notify.rules.directory import gather
from wbox_notify.rules.models import SECTIONS, RuleFile, RuleSpec
from wbox_notify.rules.models.triggers import WebhookSpec
from wbox_notify.rules.recipients import (
    VIA,
    Contact,
    Outlet,
    People,
    Reader,
    number_problems,
    numbered,
    recipient_problem,
)
from wbox_notify.rules.rule import Rule
from wbox_notify.rules.triggers import FileTrigger, MissingTrigger, ScheduleTrigger, WebhookTrigger
from wbox_notify.triggers.schedule.source import Timetable
from wbox_notify.triggers.webhook.hooks import Hook

_SUFFIXES = (".yaml", ".yml")
_OF_A_HOOK = ("preset", "secret", "verify", "open", "id")


class _Sources:
    """Rules by their folders and hooks, so that an event looks only at those that it can set off."""

    def __init__(self) -> None:
        self._folders: dict[str, list[tuple[int, Rule, FileTrigger]]] = {}
        self._hooks: dict[str, dict[int, Rule]] = {}

    def add(self, index: int, rule: Rule, source: FileTrigger | WebhookTrigger) -> None:
        """Take a rule in; ``index`` is its place among all."""
        if isinstance(source, WebhookTrigger):
            self._hooks.setdefault(source.path, {})[index] = rule
        else:
            root = str(source.root).rstrip("/")
            self._folders.setdefault(root, []).append((index, rule, source))

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """All that a project folder says.

    Attributes:
        rules: The rules of all files without errors, in the order of the files.
        people: Contacts, groups, rotations and windows of all files.
        outlets: The Apprise URLs of all outlets, of the settings and of the rules, by name.
        problems: All mistakes, in order; a file with an error gives no rules.
        hooks: The webhooks that rules wait for, by path.
    """

    settings: Settings
    rules: tuple[Rule, ...] = ()
    people: People = field(default_factory=People, repr=False)
    outlets: Mapping[str, str] = field(default_factory=dict, repr=False)
    problems: tuple[Problem, ...] = ()
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
        id=trigger.delivery_id if trigger.id else None,
        named=frozenset().union(*(rule.headers for _, rule in group)),
    )


def _above(path: str) -> Iterator[str]:
    """Yield the folders that a path is in, without a slash at their end."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def load(folder: Path, environ: Mapping[str, str], copy: Path | None = None) -> Project:
    """Return the project in a folder with ``wbox-notify.yaml``, ``rules`` and ``templates``; never raises.

    With ``copy`` these are read from there; relative paths in them still start in ``folder``.
    """
    setup = reading.read(folder, environ, copy or folder)
    settings = setup.settings
    documents, problems = _rule_documents(copy or settings.folder, setup.secrets.names)
    problems += setup.problems
    people, windows = gather([setup.document, *documents], settings.region, settings.tz, problems)
    context = BuildContext(settings, people, windows, setup.secrets, problems, copy)
    loading = _Loading(context)
    for document in documents:
        loading.read(document)
    if settings.owner is not None:
        try:
            problems += number_problems(people.named(settings.owner), setup.document.at("owner"))
        except MessageError as error:
            problems.append(recipient_problem(error, setup.document.at("owner")))
    return Project(
        settings=replace(settings, secrets=dict(setup.secrets.values)),
        rules=tuple(loading.rules),
        people=people,
        outlets=context.outlets.urls,
        problems=in_order(problems),
    )


class _Loading:
    """The rules of the files read so far, and all problems."""

    def __init__(self, context: BuildContext) -> None:
        self.rules: list[Rule] = []
        self._context = context
        self._problems = context.problems
        self._ids: dict[str, Location] = {}
        self._hooks: dict[str, tuple[WebhookSpec, Location]] = {}

    def read(self, document: Document) -> None:
        """Add the rules of a file, all or none."""
        file = document.source.file
        self._problems += document.problems
        rules = [self._rule(value, location) for value, location in self._values(document)]
        if not errors(problem for problem in self._problems if problem.file == file):
            self.rules += filter(None, rules)

    def _values(self, document: Document) -> Iterator[tuple[Any, Location]]:
        """Yield the rules of a file as they are written, and report the mistakes around them."""
        value = document.value
        if value is None:
            if errors(document.problems):
                return
            value = {"version": 1}
        _, problems = validate(RuleFile, value, document.at())
        self._problems += problems
        if isinstance(value, dict) and isinstance(value.get("rules"), list):
            for index, rule in enumerate(value["rules"]):
                yield rule, document.at("rules", index)
        if not problems and not any(map(value.get, ("rules", *SECTIONS))):
            hint = "a rule stands under `rules:` and begins with `- id:`"
            problem = document.at().warning("WBX314", "this file has no rules", hint)
            self._problems.append(problem)

    def _rule(self, value: Any, location: Location) -> Rule | None:
        spec, problems = validate(RuleSpec, value, location)
        self._problems += problems
        if spec is None:
            return None
        earlier = self._ids.setdefault(spec.id, location)
        if earlier is not location:
            hint = f"the other one is at {earlier.where}"
            self._context.report(location.at("id"), "WBX301", f"two rules have the id `{spec.id}`", hint)
        for index, trigger in enumerate(spec.trigger):
            place = location.at("trigger", index)
            if trigger.webhook:
                self._compare(trigger.webhook, place.at("webhook"))
            if trigger.missing and trigger.missing.of.webhook:
                self._compare(trigger.missing.of.webhook, place.at("missing", "of", "webhook"))
        return build(self._context, spec, location)

    def _compare(self, hook: WebhookSpec, location: Location) -> None:
        """Report a hook that differs from an earlier one with its path: they share a sender and a proof."""
        first, earlier = self._hooks.setdefault(hook.path, (hook, location))
        different = [name for name in _OF_A_HOOK if getattr(hook, name) != getattr(first, name)]
        if different:
            message = f"the path `{hook.path}` has another {' and '.join(different)} elsewhere"
            hint = f"see {earlier.where}: give it the same, or another path"
            self._context.report(location.at("path"), "WBX319", message, hint)


def _rule_documents(folder: Path, secrets: frozenset[str]) -> tuple[list[Document], list[Problem]]:
    if not folder.is_dir():
        return [], [Problem(file=_shown(folder), code="WBX101", message="there is no such project folder")]
    try:
        names = sorted(path.name for path in (folder / "rules").iterdir())
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [Problem(file="rules", code="WBX101", message=f"this cannot be listed: {error.strerror}")]
    files = [name for name in names if name.lower().endswith(_SUFFIXES) and not name.startswith(".")]
    return [open_document(folder / "rules" / name, f"rules/{_shown(name)}", secrets) for name in files], []


def _shown(path: str | Path) -> str:
    return os.fsencode(path).decode("utf-8", "replace")
