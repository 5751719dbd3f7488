"""Sources: which rules an event sets off, and when others are due."""

from collections.abc import Iterable, Iterator, Sequence

from wbox_notify.model.events import Event
from wbox_notify.rules.rule import Rule
from wbox_notify.rules.triggers import FileTrigger, MissingTrigger, ScheduleTrigger, WebhookTrigger
from wbox_notify.triggers.schedule.source import Timetable
from wbox_notify.triggers.webhook.hooks import Hook


class Sources:
    """The rules of a project by what sets them off.

    Attributes:
        hooks: The webhooks that rules wait for, by path.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.hooks = _hooks(rules)
        self._rules = rules
        self._started, self._awaited = _Places(), _Places()
        self._timed: dict[tuple[str, str], Rule] = {}
        for index, rule in enumerate(rules):
            for trigger in rule.triggers:
                if isinstance(trigger, ScheduleTrigger):
                    self._timed["schedule", rule.id] = rule
                elif isinstance(trigger, MissingTrigger):
                    self._timed["missing", rule.id] = rule
                    self._awaited.add(index, rule, trigger.of)
                else:
                    self._started.add(index, rule, trigger)

    def rules_for(self, event: Event) -> Sequence[Rule]:
        """Return the rules that an event sets off, in their order."""
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
        for rule in self._rules:
            for trigger in rule.triggers:
                if isinstance(trigger, ScheduleTrigger):
                    yield Timetable(
                        rule=rule.id, kind="schedule", schedule=trigger.schedule, missed=trigger.missed
                    )
                elif isinstance(trigger, MissingTrigger):
                    yield Timetable(rule=rule.id, kind="missing", schedule=trigger.by, missed=trigger.missed)


class _Places:
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
