"""Trials: the ``tests:`` of a rule, run through the engine with a clock of their own."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import zip_longest
from typing import Any

from wbox_notify.engine.escalate import KIND as ESCALATE
from wbox_notify.engine.replay import ReplayStore
from wbox_notify.errors import WboxError
from wbox_notify.model.deliveries import Decision, PlannedMessage
from wbox_notify.model.events import Event
from wbox_notify.model.messages import CalendarEvent, Media, Message, Notice, Poll, Text
from wbox_notify.rules import Project, Rule
from wbox_notify.rules.rule import Given, RuleTest
from wbox_notify.rules.triggers import FileTrigger, MissingTrigger, ScheduleTrigger, WebhookTrigger

_BEGINNING = datetime(2026, 1, 5, 9, 0)  # noqa: DTZ001 - a Monday morning, in the zone of the project


@dataclass(frozen=True, slots=True)
class Trial:
    """How a test ended; ``complaints`` say what was not as expected."""

    rule: Rule
    test: RuleTest
    complaints: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return not self.complaints


def run(project: Project, rule: Rule, test: RuleTest) -> Trial:
    """Return how one test of a rule ends."""
    zone = project.settings.tz
    begin = next((given.at for given in test.when if given.at), _BEGINNING)
    store = ReplayStore(project.only(rule), _local(begin, zone))
    try:
        for number, given in enumerate(test.when):
            store.wait(_local(given.at, zone)) if given.at else store.wait_for(given.after)
            store.api_down = store.api_down or given.api_down
            for event in _events(store, rule, given, number):
                store.happen(event)
        store.wait_for(test.until)
    except WboxError as error:
        return Trial(rule, test, (str(error),))
    return Trial(rule, test, tuple(_complaints(store, rule, test)))


def _events(store: ReplayStore, rule: Rule, given: Given, number: int) -> Iterator[Event]:
    """Yield the events that an input of a test stands for."""
    match given.kind:
        case "file":
            yield _file(store, rule, given)
        case "webhook":
            yield _call(store, rule, given, number)
        case "schedule":
            yield from _nominal(store, rule)
        case "missing":
            data = {"rule": rule.id, "at": store.now.isoformat()}
            yield Event(id=f"missing:{store.now.isoformat()}", type="missing", at=store.now, data=data)
        case "ack":
            keys = [key for (_, kind, key) in store.memories if kind == ESCALATE]
            for key in keys:
                yield Event(
                    id=f"ack:{key}:{number}", type="ack", at=store.now, data={"rule": rule.id, "key": key}
                )


def _file(store: ReplayStore, rule: Rule, given: Given) -> Event:
    trigger = _trigger(rule, FileTrigger)
    name = str(given.data.get("name", "file.txt"))
    path = trigger.root / name
    text = str(given.data.get("text", ""))
    store.contents[str(path)] = text.encode("utf-8", "surrogatepass")
    facts = {
        "path": str(path),
        "name": path.name,
        "stem": path.stem,
        "ext": path.suffix,
        "folder": str(path.parent),
        "size": len(text.encode()) or 1,
        "mtime": store.now.timestamp(),
        "sha256": hashlib.sha256((text or name).encode()).hexdigest(),
        "text": text,
        **{field: value for field, value in given.data.items() if field != "name"},
    }
    return Event(id=f"file:{path}:{store.now.timestamp()}", type="file", at=store.now, data=facts)


def _call(store: ReplayStore, rule: Rule, given: Given, number: int) -> Event:
    trigger = _trigger(rule, WebhookTrigger)
    headers = {str(name).lower(): str(value) for name, value in (given.data.get("headers") or {}).items()}
    call = {"body": given.data.get("body"), "headers": headers, "query": given.data.get("query") or {}}
    found = trigger.delivery_id(call) or trigger.preset.delivery_id(call["body"], headers)
    data = {"path": trigger.path, "method": "POST", **call}
    return Event(id=f"webhook:{trigger.path}:{found or number}", type="webhook", at=store.now, data=data)


def _nominal(store: ReplayStore, rule: Rule) -> Iterator[Event]:
    reason = _trigger(rule, ScheduleTrigger).schedule.skips(store.now)
    if reason:
        skipped = Decision(rule=rule.id, stage="holiday", outcome="stopped", detail=reason)
        store.decisions.append((store.now, skipped))
        return
    data = {"rule": rule.id, "at": store.now.isoformat(), "late": 0.0}
    yield Event(id=f"schedule:{store.now.isoformat()}", type="schedule", at=store.now, data=data)


def _trigger(rule: Rule, kind: type[Any]) -> Any:
    """Return the rule's trigger of a kind, also one that it only waits for."""
    for trigger in rule.triggers:
        for one in (trigger, trigger.of if isinstance(trigger, MissingTrigger) else None):
            if isinstance(one, kind):
                return one
    raise WboxError(f"the rule {rule.id} has no such trigger", hint="`when` has to fit `trigger`")


def _complaints(store: ReplayStore, rule: Rule, test: RuleTest) -> Iterator[str]:
    for _, planned in store.messages:
        if planned.problem:
            yield planned.problem
    said = [(at, planned) for at, planned in store.messages if planned.message]
    for number, (expected, got) in enumerate(zip_longest(test.expect, said)):
        yield from _compared(store, number, expected, got)
    if test.skipped and not any(_is_reason(decision, test.skipped) for _, decision in store.decisions):
        reasons = [decision.detail for _, decision in store.decisions if decision.outcome == "stopped"]
        yield f"expected to be skipped by {test.skipped}, but {'; '.join(reasons) or 'nothing stopped it'}"
    if test.next_runs_from:
        yield from _runs(rule, test, store.project.settings.tz)


def _compared(
    store: ReplayStore,
    number: int,
    expected: Mapping[str, Any] | None,
    got: tuple[datetime, PlannedMessage] | None,
) -> Iterator[str]:
    if expected is None and got:
        yield f"message {number + 1} is not expected: {_shown(store, *got)}"
    elif got is None:
        yield f"message {number + 1} did not come: {_plain(expected)}"
    elif expected is not None:
        differences = list(_differences(store, expected, *got))
        if differences:
            yield f"message {number + 1}: {_shown(store, *got)}"
            yield from (f"  {difference}" for difference in differences)


def _differences(
    store: ReplayStore, expected: Mapping[str, Any], at: datetime, planned: PlannedMessage
) -> Iterator[str]:
    message = planned.message
    zone = store.project.settings.tz
    if message is None:
        return
    if "at" in expected and _local(expected["at"], zone) != at.replace(microsecond=0):
        yield f"expected at {expected['at']}"
    if "to" in expected:
        phones = [contact.phone for contact in store.project.recipients(str(expected["to"]), at)]
        if message.recipient not in phones:
            yield f"expected to {expected['to']}"
    if "via" in expected and (not isinstance(message, Notice) or message.outlet != expected["via"]):
        yield f"expected via {expected['via']}"
    yield from _unlike_parts(
        {kind: value for kind, value in expected.items() if kind not in {"at", "to", "via"}}, message
    )


def _unlike_parts(wanted: Mapping[str, Any], message: Message) -> Iterator[str]:
    parts = _parts(message)
    for kind, value in wanted.items():
        if kind != ("text" if isinstance(message, Notice) else message.kind):
            yield f"expected a {kind}"
        elif isinstance(value, Mapping) and "contains" not in value:
            for field, part in value.items():
                yield from _unlike(f"{kind}.{field}", part, parts.get(field))
        else:
            yield from _unlike(kind, value, next(iter(parts.values())))


def _parts(message: Message) -> dict[str, Any]:
    """Return the parts of a message by their names in ``expect``."""
    match message:
        case Text():
            return {"text": message.message}
        case Media():
            return {"caption": message.caption, "url": message.url, "file": message.file}
        case CalendarEvent():
            start = message.start
            return {
                "title": message.title,
                "description": message.description,
                "start": start,
                "startDate": start,
            }
        case Poll():
            return {"question": message.question, "options": list(message.options)}
        case Notice():
            return {"text": message.text, "title": message.title}


def _unlike(what: str, expected: Any, got: Any) -> Iterator[str]:
    if isinstance(expected, Mapping) and "contains" in expected:
        parts = expected["contains"] if isinstance(expected["contains"], list) else [expected["contains"]]
        for part in parts:
            if str(part) not in str(got or ""):
                yield f"{what} does not contain {str(part)!r}"
    elif isinstance(expected, list):
        if [str(one) for one in expected] != got:
            yield f"expected {what} {expected}"
    elif str(expected).strip() != str(got or "").strip():
        yield f"expected {what} {str(expected).strip()!r}"


def _runs(rule: Rule, test: RuleTest, zone: tzinfo) -> Iterator[str]:
    schedule = _trigger(rule, ScheduleTrigger).schedule
    now = _local(test.next_runs_from, zone)
    for expected in test.next_runs:
        now = schedule.after(now)
        if now is None or now != _local(expected, zone):
            got = now.astimezone(zone).strftime("%Y-%m-%d %H:%M") if now else "never"
            yield f"next run: expected {expected}, got {got}"
            return


def _local(moment: datetime | str | None, zone: tzinfo) -> datetime:
    found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment or _BEGINNING
    return found if found.tzinfo else found.replace(tzinfo=zone)


def _is_reason(decision: Decision, skipped: str) -> bool:
    return decision.outcome == "stopped" and (
        decision.stage == skipped or decision.detail.startswith(skipped)
    )


def _shown(store: ReplayStore, at: datetime, planned: PlannedMessage) -> str:
    message = planned.message
    local = at.astimezone(store.project.settings.tz)
    parts = _parts(message) if message else {}
    recipient = message.recipient if message else ""
    kind = message.kind if message else ""
    return f"{local:%Y-%m-%d %H:%M:%S} {kind} to {recipient} {_plain(parts)}"


def _plain(parts: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name}: {value!r}" for name, value in (parts or {}).items())


def run_all(project: Project, rules: Sequence[Rule]) -> Iterator[Trial]:
    """Yield how each test of the rules ends."""
    for rule in rules:
        for test in rule.tests:
            yield run(project, rule, test)
