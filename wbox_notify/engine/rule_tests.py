"""The ``tests:`` of a rule, run through the engine with a clock of their own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import zip_longest
from typing import Any, NoReturn, TypeVar

from wbox_notify.engine.rehearsal import dropped
from wbox_notify.engine.replay import ReplayStore
from wbox_notify.engine.state import EscalationState
from wbox_notify.errors import WboxError
from wbox_notify.model.deliveries import Decision
from wbox_notify.model.events import Event
from wbox_notify.model.messages import CalendarEvent, Media, Message, Notice, Poll, Text
from wbox_notify.model.text import SEMICOLON, joined
from wbox_notify.model.texts import Wording, problem_of
from wbox_notify.rules.project import Project
from wbox_notify.rules.recipients import shown
from wbox_notify.rules.rule import Given, Rule, RuleTest
from wbox_notify.rules.triggers import FileTrigger, MissingTrigger, ScheduleTrigger, Table, WebhookTrigger
from wbox_notify.triggers.file.rows import Reading, workbook_of
from wbox_notify.triggers.schedule.schedule import Schedule

_BEGINNING = datetime(2026, 1, 5, 9, 0)  # noqa: DTZ001 - a Monday morning, in the zone of the project
_T = TypeVar("_T", FileTrigger, WebhookTrigger)


@dataclass(frozen=True, slots=True)
class RuleTestResult:
    """How a test of a rule ended; ``complaints`` say what was not as expected."""

    rule: Rule
    test: RuleTest
    complaints: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return not self.complaints


def run_all(project: Project, rules: Sequence[Rule]) -> Iterator[RuleTestResult]:
    """Yield how each test of the rules ends."""
    for rule in rules:
        for test in rule.tests:
            yield run(project, rule, test)


def run(project: Project, rule: Rule, test: RuleTest) -> RuleTestResult:
    """Return how one test of a rule ends."""
    zone = project.settings.tz
    begin = next((given.at for given in test.when if given.at), _BEGINNING)
    store = ReplayStore(project.only(rule), _local(begin, zone))
    try:
        for number, given in enumerate(test.when):
            store.wait(_time_of(store, rule, given))
            store.api_down = store.api_down or given.api_down
            for event in _events(store, rule, given, number):
                store.happen(event)
        store.wait_for(test.until)
    except WboxError as error:
        return RuleTestResult(rule, test, (problem_of(error),))
    return RuleTestResult(rule, test, tuple(_complaints(store, rule, test)))


def _time_of(store: ReplayStore, rule: Rule, given: Given) -> datetime:
    """Return when an input comes: where a test does not say, what has a schedule comes when it is due."""
    passed = timedelta(seconds=given.after)
    if given.at:
        at = _local(given.at, store.project.settings.tz)
        if at < store.now:
            message = Wording("an input at {at:%Y-%m-%d %H:%M:%S} comes before the one above it", at=given.at)
            raise WboxError(message, hint="put the inputs in the order of their times")
        return at + passed
    at = store.now + passed
    if given.kind in {"schedule", "missing"}:
        return _due_from(_schedules(rule, given.kind), at) or at
    return at


def _schedules(rule: Rule, kind: str) -> list[Schedule]:
    """Return when the daemon makes events of a kind for a rule."""
    if kind == "schedule":
        schedules = [trigger.schedule for trigger in rule.triggers if isinstance(trigger, ScheduleTrigger)]
    else:
        schedules = [trigger.by for trigger in rule.triggers if isinstance(trigger, MissingTrigger)]
    return schedules or _no_trigger(rule)


def _due_from(schedules: Sequence[Schedule], moment: datetime) -> datetime | None:
    """Return the first time from a moment on at which one of some schedules is due; None if there is none."""
    times = [schedule.after(moment - timedelta(microseconds=1)) for schedule in schedules]
    return min(filter(None, times), default=None)


def _events(store: ReplayStore, rule: Rule, given: Given, number: int) -> Iterator[Event]:
    """Yield the events that an input of a test stands for."""
    match given.kind:
        case "file":
            yield from _files(store, rule, given)
        case "webhook":
            yield _call(store, rule, given, number)
        case "schedule" | "missing":
            yield from _nominal(store, rule, given.kind)
        case "ack":
            keys = [key for (_, kind, key) in store.memories if kind == EscalationState.KIND]
            for key in keys:
                yield Event(
                    id=f"ack:{key}:{number}", type="ack", at=store.now, data={"rule": rule.id, "key": key}
                )


def _files(store: ReplayStore, rule: Rule, given: Given) -> Iterator[Event]:
    """Yield the event of a file; none where it is the table that the rule reads when it is due."""
    if rule.table:
        _put_table(store, rule.table, given)
    else:
        yield _file(store, rule, given)


def _put_table(store: ReplayStore, table: Table, given: Given) -> None:
    """Let a table have the contents of an input from now on."""
    name = given.data.get("name", table.path.name)
    if name != table.path.name:
        raise WboxError(Wording("the rule reads {table}, not {name}", table=table.path.name, name=name))
    store.contents[str(table.path)] = _contents(given, table.reading)


def _contents(given: Given, reading: Reading) -> bytes:
    """Return the contents of the file of an input."""
    if rows := given.data.get("rows"):
        return workbook_of(rows, reading)
    return str(given.data.get("text", "")).encode("utf-8", "surrogatepass")


def _file(store: ReplayStore, rule: Rule, given: Given) -> Event:
    trigger = _trigger(rule, FileTrigger)
    name = str(given.data.get("name", "file.txt"))
    path = trigger.root / name
    text = str(given.data.get("text", ""))
    store.contents[str(path)] = _contents(given, trigger.read)
    given_facts = {field: value for field, value in given.data.items() if field not in {"name", "rows"}}
    facts = {**dropped(trigger.root, name, text, store.now), **given_facts}
    return Event(id=f"file:{path}:{store.now.timestamp()}", type="file", at=store.now, data=facts)


def _call(store: ReplayStore, rule: Rule, given: Given, number: int) -> Event:
    trigger = _trigger(rule, WebhookTrigger)
    headers = {str(name).lower(): str(value) for name, value in (given.data.get("headers") or {}).items()}
    call = {"body": given.data.get("body"), "headers": headers, "query": given.data.get("query") or {}}
    delivery_id = trigger.delivery_id(call) or trigger.preset.delivery_id(call["body"], headers)
    data = {"path": trigger.path, "method": "POST", **call}
    return Event(
        id=f"webhook:{trigger.path}:{delivery_id or number}", type="webhook", at=store.now, data=data
    )


def _nominal(store: ReplayStore, rule: Rule, kind: str) -> Iterator[Event]:
    """Yield the event of a nominal time if it is one, as the daemon does."""
    schedules, now = _schedules(rule, kind), store.now
    due = _due_from(schedules, now)
    if due == now:
        data = {"rule": rule.id, "at": now.isoformat(), "late": 0.0}
        yield Event(id=f"{kind}:{now.isoformat()}", type=kind, at=now, data=data)
        return
    stage, reason = "holiday", next(filter(None, (schedule.skips(now) for schedule in schedules)), "")
    if not reason:
        zone, stage = schedules[0].zone, kind
        reason = Wording(
            "{at} is none of its times; the next is {due}", at=_said(now, zone), due=_said(due, zone)
        )
    decision = Decision(rule=rule.id, stage=stage, outcome="stopped", detail=reason)
    store.decisions.append((now, decision))


def _trigger(rule: Rule, kind: type[_T]) -> _T:
    """Return the rule's source of a kind, also one that it only waits for."""
    return next((source for source in rule.sources() if isinstance(source, kind)), None) or _no_trigger(rule)


def _no_trigger(rule: Rule) -> NoReturn:
    raise WboxError(
        Wording("the rule {id} has no such trigger", id=rule.id), hint="`when` has to fit `trigger`"
    )


def _complaints(store: ReplayStore, rule: Rule, test: RuleTest) -> Iterator[str]:
    yield from (planned.problem for _, planned in store.messages if planned.problem)
    yield from _unlike_messages(store, test)
    if test.skipped:
        yield from _not_skipped(store, test.skipped)
    if test.next_runs_from:
        yield from _runs(rule, test, store.project.settings.tz)


def _unlike_messages(store: ReplayStore, test: RuleTest) -> Iterator[str]:
    sent = [(at, planned.message) for at, planned in store.messages if planned.message]
    for number, (expected, got) in enumerate(zip_longest(test.expect, sent), start=1):
        if expected is None and got:
            yield Wording(
                "message {number} is not expected: {message}", number=number, message=_shown(store, *got)
            )
        elif got is None:
            yield Wording(
                "message {number} did not come: {parts} ({why})",
                number=number,
                parts=_plain(expected),
                why=_stopped(store),
            )
        elif differences := list(_differences(store, expected or {}, *got)):
            yield Wording("message {number}: {message}", number=number, message=_shown(store, *got))
            yield from (Wording("  {difference}", difference=difference) for difference in differences)


def _not_skipped(store: ReplayStore, by: str) -> Iterator[str]:
    """Yield a complaint unless a stage stopped the rule, named by its key or the beginning of its reason."""
    for _, decision in store.decisions:
        skipped = decision.stage == by or decision.detail.startswith(by)
        if skipped and decision.outcome == "stopped":
            return
    yield Wording("expected to be skipped by {by}, but {why}", by=by, why=_stopped(store))


def _stopped(store: ReplayStore) -> str:
    """Return what stopped the rule, in words."""
    reasons = [decision.detail for _, decision in store.decisions if decision.outcome == "stopped"]
    if not reasons:
        return Wording("nothing stopped it")
    return joined(reasons, SEMICOLON)


def _differences(
    store: ReplayStore, expected: Mapping[str, Any], at: datetime, message: Message
) -> Iterator[str]:
    parts = dict(expected)
    when, to, via = parts.pop("at", None), parts.pop("to", None), parts.pop("via", None)
    zone = store.project.settings.tz
    if when is not None and _local(when, zone) != at.replace(microsecond=0):
        yield Wording("expected at {when}", when=_written(_local(when, zone).astimezone(zone)))
    if to is not None:
        phones = [contact.phone for contact in store.project.recipients(str(to), at)]
        if message.recipient not in phones:
            yield Wording("expected to {to}", to=to)
    if via is not None and (not isinstance(message, Notice) or message.outlet != via):
        yield Wording("expected via {via}", via=via)
    yield from _unlike_parts(parts, message)


def _unlike_parts(expected: Mapping[str, Any], message: Message) -> Iterator[str]:
    parts = _parts(message)
    own_kind = "text" if isinstance(message, Notice) else message.kind
    for kind, value in expected.items():
        if kind != own_kind:
            yield Wording("expected a {kind}", kind=kind)
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
    text = "" if got is None else str(got)
    if isinstance(expected, Mapping) and "contains" in expected:
        parts = expected["contains"]
        for part in parts if isinstance(parts, list) else [parts]:
            if str(part) not in text:
                yield Wording("{what} does not contain {part!r}", what=what, part=str(part))
    elif isinstance(expected, list):
        if list(map(str, expected)) != got:
            yield Wording("expected {what} {value}", what=what, value=expected)
    elif str(expected).strip() != text.strip():
        yield Wording("expected {what} {value!r}", what=what, value=str(expected).strip())


def _runs(rule: Rule, test: RuleTest, zone: tzinfo) -> Iterator[str]:
    schedules = _schedules(rule, "schedule")
    now = _local(test.next_runs_from, zone)
    for expected in test.next_runs:
        due = _due_from(schedules, now + timedelta(microseconds=1))
        if due is None or due != _local(expected, zone):
            said = _said(_local(expected, zone), zone)
            yield Wording("next run: expected {expected}, got {due}", expected=said, due=_said(due, zone))
            return
        now = due


def _said(moment: datetime | None, zone: tzinfo) -> str:
    if moment is None:
        return Wording("never")
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _local(moment: datetime | str | None, zone: tzinfo) -> datetime:
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    at = at or _BEGINNING
    return at if at.tzinfo else at.replace(tzinfo=zone)


def _shown(store: ReplayStore, at: datetime, message: Message) -> str:
    local = at.astimezone(store.project.settings.tz)
    reader = shown(store.project.reader_of(message))
    return Wording(
        "{at:%Y-%m-%d %H:%M:%S} {kind} to {reader} {parts}",
        at=local,
        kind=message.kind,
        reader=reader,
        parts=_plain(_parts(message)),
    )


def _plain(parts: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name}: {_written(value)}" for name, value in (parts or {}).items())


def _written(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else repr(value)
