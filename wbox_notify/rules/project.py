"""Project: settings, rules and people of one folder, and how it is loaded with all its problems."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from wbox_notify.config import reading
from wbox_notify.config.reading import Setup
from wbox_notify.config.settings import Settings
from wbox_notify.config.yaml.document import Document, Location, open_document
from wbox_notify.config.yaml.problems import Problem, errors, in_order
from wbox_notify.config.yaml.validation import fit
from wbox_notify.errors import MessageError
from wbox_notify.model.events import Event
from wbox_notify.rules.compile import BuildContext, build
from wbox_notify.rules.directory import gather
from wbox_notify.rules.models import SECTIONS, RuleFile, RuleSpec
from wbox_notify.rules.models.triggers import WebhookSpec
from wbox_notify.rules.recipients import VIA, Contact, Outlet, People, Reader, numbered, recipient_problem
from wbox_notify.rules.rule import Rule
from wbox_notify.rules.triggers import FileTrigger, MissingTrigger, ScheduleTrigger, WebhookTrigger
from wbox_notify.triggers.webhook.hooks import Hook

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
        hooks: The webhooks that rules wait for, by path.
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
    hooks: dict[str, Hook] = field(default_factory=dict, init=False, repr=False, compare=False)

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
        self.hooks.update(_hooks(self.rules))

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


class Live:
    """The project as it is now: a reload replaces it as a whole for all that read it here."""

    def __init__(self, project: Project) -> None:
        self.project = project


def _hooks(rules: Iterable[Rule]) -> dict[str, Hook]:
    """Return one hook for each path that rules name."""
    by_path: dict[str, list[tuple[WebhookTrigger, Rule]]] = {}
    for rule in rules:
        for trigger in rule.sources():
            if isinstance(trigger, WebhookTrigger):
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


_SUFFIXES = (".yaml", ".yml")


def load(folder: Path, environ: Mapping[str, str]) -> Project:
    """Return the project in a folder with ``wbox-notify.yaml``, ``rules`` and ``templates``; never raises."""
    setup = reading.read(folder, environ)
    chosen = setup.settings
    documents, problems = _rule_documents(chosen.folder)
    people, windows, wrong = gather([setup.document, *documents], chosen.region, chosen.tz)
    problems += [*setup.problems, *wrong]
    context = BuildContext(chosen, people, windows, setup.secrets, problems)
    loading = _Loading(context)
    for document in documents:
        loading.take(document)
    _check_owner(setup, context)
    return Project(
        settings=replace(chosen, secrets=dict(setup.secrets.values)),
        rules=tuple(loading.rules),
        people=people,
        outlets=context.outlets.urls,
        problems=in_order(context.problems),
    )


class _Loading:
    """The rules of the files read so far, and all problems."""

    def __init__(self, context: BuildContext) -> None:
        self.rules: list[Rule] = []
        self.problems = context.problems
        self._context = context
        self._ids: dict[str, Location] = {}
        self._hooks = Hooks()

    def take(self, document: Document) -> None:
        """Add the rules of a file, all or none."""
        file = document.source.file
        self.problems += document.problems
        rules = [rule for value, location in self._found(document) if (rule := self._rule(value, location))]
        if not errors(problem for problem in self.problems if problem.file == file):
            self.rules += rules

    def _found(self, document: Document) -> Iterator[tuple[Any, Location]]:
        if document.value is None and errors(document.problems):
            return
        value = {"version": 1} if document.value is None else document.value
        _, wrong = fit(RuleFile, value, document.at())
        self.problems += wrong
        rules = value.get("rules") if isinstance(value, dict) else None
        for index, rule in enumerate(rules if isinstance(rules, list) else ()):
            yield rule, document.at("rules", index)
        if not wrong and not any(map(value.get, ("rules", *SECTIONS))):
            hint = "a rule stands under `rules:` and begins with `- id:`"
            problem = document.at().problem("WBX314", "this file has no rules", hint=hint, severity="warning")
            self.problems.append(problem)

    def _rule(self, value: Any, location: Location) -> Rule | None:
        spec, problems = fit(RuleSpec, value, location)
        self.problems += problems
        if spec is None:
            return None
        earlier = self._ids.setdefault(spec.id, location)
        if earlier is not location:
            hint = f"the other one is at {earlier.document.source.file}:{earlier.place.line}"
            message = f"two rules have the id `{spec.id}`"
            self.problems.append(location.at("id").problem("WBX301", message, hint=hint))
        self.problems += self._hooks.take(spec, location)
        return build(self._context, spec, location)


def _check_owner(setup: Setup, context: BuildContext) -> None:
    if setup.settings.owner is None:
        return
    try:
        context.people.named(setup.settings.owner)
    except MessageError as error:
        context.problems.append(recipient_problem(error, setup.document.at("owner")))


def _rule_documents(folder: Path) -> tuple[list[Document], list[Problem]]:
    if not folder.is_dir():
        return [], [Problem(file=_shown(folder), code="WBX101", message="there is no such project folder")]
    try:
        names = sorted(path.name for path in (folder / "rules").iterdir())
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [Problem(file="rules", code="WBX101", message=f"this cannot be listed: {error.strerror}")]
    chosen = [name for name in names if name.lower().endswith(_SUFFIXES) and not name.startswith(".")]
    return [open_document(folder / "rules" / name, f"rules/{_shown(name)}") for name in chosen], []


def _shown(path: str | Path) -> str:
    return os.fsencode(path).decode("utf-8", "replace")


_SHARED = ("preset", "secret", "verify", "open", "id")


class Hooks:
    """The hooks of all rules so far."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[dict[str, Any], Location]] = {}

    def take(self, spec: RuleSpec, location: Location) -> Iterator[Problem]:
        """Yield a problem for each hook of a rule that differs from an earlier one with its path."""
        for index, trigger in enumerate(spec.trigger):
            at = location.at("trigger").at(index)
            if trigger.webhook:
                yield from self._one(trigger.webhook, at.at("webhook"))
            if trigger.missing and trigger.missing.of.webhook:
                yield from self._one(trigger.missing.of.webhook, at.at("missing", "of", "webhook"))

    def _one(self, hook: WebhookSpec, location: Location) -> Iterator[Problem]:
        settings = hook.model_dump(include={*_SHARED})
        first, earlier = self._first.setdefault(hook.path, (settings, location))
        differs = [name for name in _SHARED if settings[name] != first[name]]
        if differs:
            message = f"the path `{hook.path}` has another {' and '.join(differs)} elsewhere"
            hint = (
                f"see {earlier.document.source.file}:{earlier.place.line}: give it the same, or another path"
            )
            yield location.at("path").problem("WBX319", message, hint=hint)
