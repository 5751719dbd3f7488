"""From rules, what they remember, an event and the time to a plan."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from wbox_notify.deliveries import Decision, Memory, Plan, Planned
from wbox_notify.engine import burst, deliver, digest, escalate, group, missing, noise, quiet, rows
from wbox_notify.engine.occasion import about, single
from wbox_notify.engine.subject import Subject, subjects
from wbox_notify.engine.turn import Remembers, Turn, one_line, short, text_to, told
from wbox_notify.errors import WboxError
from wbox_notify.events import Event
from wbox_notify.links import token
from wbox_notify.messages import Text
from wbox_notify.readers import Slice
from wbox_notify.rules import Project, Rule
from wbox_notify.rules.rule import Group, MissingTrigger, Throttle

_AGAIN = 300.0
"""Seconds until a memory is tried again whose rule failed."""

_UNTHROTTLED = Throttle(most=1_000_000, per=1.0)


def plan(project: Project, event: Event, memory: Remembers, now: datetime) -> Plan:
    """Return all that follows from an event; a rule that fails spoils no other."""
    turns = []
    for rule in _concerned(project, event):
        turn = Turn(project, rule, memory, now)
        _guarded(turn, "trigger", event.id, partial(_event, turn, event))
        turns.append(turn)
    return _gathered(project, event.id, turns, now)


def wake(project: Project, due: Memory, memory: Remembers, now: datetime, found: Slice | None = None) -> Plan:
    """Return all that follows when a memory is due; ``found`` is what ``rows.wanted`` says that it needs."""
    rule = project.rule(due.rule)
    if rule is None:
        gone = f"the rule {due.rule} is gone; its {due.kind} is forgotten"
        forgotten = Memory(rule=due.rule, kind=due.kind, key=due.key, value=None)
        decision = Decision(rule=due.rule, stage=due.kind, outcome="stopped", detail=gone)
        return Plan(event_id=_event_of(due.value), decisions=(decision,), memories=(forgotten,))
    turn = Turn(project, rule, memory, now)
    if due.kind == rows.KIND:
        return _of_rows(turn, due.key, found)
    if not _guarded(turn, due.kind, f"{due.kind}:{short(due.key)}", partial(_woken, turn, due)):
        turn.remember(due.kind, due.key, due.value or {}, now.timestamp() + _AGAIN)
    return _gathered(project, _event_of(due.value), [turn], now)


def _of_rows(turn: Turn, event_id: str, found: Slice | None) -> Plan:
    """Return what follows from some rows of a file: all its messages count together for the storm guard."""
    storm = rows.wake(turn, event_id, found, _one)
    made = Plan(
        event_id=event_id,
        decisions=tuple(turn.decisions),
        messages=tuple(turn.messages),
        memories=turn.memories,
    )
    if storm is None:
        return made
    if not storm.asks:
        return replace(made, release=storm.rules)
    reason = f"storm guard: {storm.made} messages at once"
    asked = Decision(rule=turn.rule.id, stage="storm_guard", outcome="waits", detail=reason)
    what = f"{storm.made} messages at once for {storm.about}"
    question = _question(turn.project, event_id, turn.rule.id, what, turn.now)
    return replace(made, decisions=(*made.decisions, asked), messages=(*made.messages, *question))


def _concerned(project: Project, event: Event) -> Sequence[Rule]:
    if event.type == "ack":
        rule = project.rule(event.data["rule"])
        return [rule] if rule else []
    rules = {rule.id: rule for rule in (*project.rules_for(event), *project.awaiting(event))}
    return list(rules.values())


def _guarded(turn: Turn, stage: str, origin: str, work: Callable[[], None]) -> bool:
    """Do some work; where the rule can not be followed, undo what it remembered and note the failure."""
    before = turn.snapshot()
    try:
        work()
    except WboxError as error:
        turn.restore(before)
        stage = turn.stage or stage
        where = f"{stage}: "  # the error of a message begins with its field, which may be the same word
        turn.fail(stage, told(error).removeprefix(where), origin, where=where)
        return False
    finally:
        turn.stage = ""
    return True


def _event(turn: Turn, event: Event) -> None:
    if event.type == "ack":
        escalate.acknowledge(turn, event.data["key"])
        return
    if turn.rule.reads:
        rows.begin(turn, event)
        return
    for place, subject in enumerate(_each(turn, event)):
        _one(turn, replace(subject, place=place))


def _one(turn: Turn, subject: Subject) -> None:
    origin = f"{subject.event_id}:{subject.place}" if subject.place else subject.event_id
    _guarded(turn, "if", origin, partial(_follow, turn, subject))


def _each(turn: Turn, event: Event) -> Iterator[Subject]:
    """Yield what the rule is to follow of an event, for each item of ``for_each`` one."""
    for subject in _told(turn, event):
        if turn.rule.for_each is None:
            yield subject
            continue
        turn.stage = "for_each"
        name, expression = turn.rule.for_each
        items = expression.value(turn.context(subject))
        if not isinstance(items, list):
            raise WboxError(f"{expression.source} is not a list", hint="for_each takes a list")
        for item in json.loads(json.dumps(items, default=str)):
            yield replace(subject, data={**subject.data, name: item}, key=None, status=None)


def _told(turn: Turn, event: Event) -> Iterator[Subject]:
    awaited = next((one for one in turn.rule.triggers if isinstance(one, MissingTrigger)), None)
    if event.type == "missing" and awaited:
        found = missing.due(turn, awaited, event)
        yield from [found] if found else []
        return
    if awaited and turn.rule in turn.project.awaiting(event):
        late = missing.arrived(turn, awaited, event)
        yield from [late] if late else []
    if turn.rule in turn.project.rules_for(event):
        yield from subjects(turn.rule, event)


def _follow(turn: Turn, subject: Subject) -> None:
    """Take one subject through the stages of the rule, as far as it gets."""
    rule = turn.rule
    turn.stage = "if"
    if not _holds(turn, subject):
        return
    turn.stage = noise.DEDUPE
    if rule.dedupe and not noise.is_new(turn, rule.dedupe, subject):
        return
    trigger = rule.trigger_of(subject.data["file"]["path"]) if subject.type == "file" else None
    if trigger and trigger.burst:
        turn.stage = burst.KIND
        burst.add(turn, trigger.burst, str(trigger.root), subject)
    else:
        _throttled(turn, subject)


def _throttled(turn: Turn, subject: Subject) -> None:
    rule = turn.rule
    turn.stage = noise.THROTTLE
    if rule.throttle and not noise.passes(turn, rule.throttle, subject):
        return
    _place(turn, subject)


def _holds(turn: Turn, subject: Subject) -> bool:
    about = turn.context(subject)
    for number, condition in enumerate(turn.rule.conditions):
        if not condition.truth(about):
            seen = ", ".join(f"{name} = {value!r}" for name, value in condition.seen(about).items())
            turn.decide("if", "stopped", f"if[{number}] {condition.source} ({seen})")
            return False
    return True


def _place(turn: Turn, subject: Subject) -> None:
    """Put a subject where the rule wants it: into a group, into a digest, or on its way."""
    if turn.rule.group:
        turn.stage = group.KIND
        group.add(turn, turn.rule.group, subject)
    elif turn.rule.digest:
        turn.stage = digest.KIND
        digest.add(turn, turn.rule.digest, subject)
    else:
        turn.stage = "send"
        deliver.deliver(turn, single(subject))


def _woken(turn: Turn, due: Memory) -> None:
    match due.kind:
        case group.KIND:
            group.wake(turn, turn.rule.group or Group(), due.key)
        case digest.KIND:
            digest.wake(turn, due.key)
        case quiet.KIND:
            deliver.release(turn, due.key)
        case escalate.KIND:
            escalate.wake(turn, due.key)
        case noise.THROTTLE:
            _let_go(turn, due.key)
        case burst.KIND:
            for subject in burst.wake(turn, due.key):
                _throttled(turn, subject)
        case _:
            turn.forget(due.kind, due.key)


def _let_go(turn: Turn, key: str) -> None:
    """Follow what a throttle lets go, and tell how many it left out."""
    released, left_out, last = noise.due(turn, turn.rule.throttle or _UNTHROTTLED, key)
    for subject in released:
        _place(turn, subject)
    if left_out and last:
        occasion = single(last)
        for reader in turn.readers(about(turn, occasion)):
            words = _LEFT_OUT.get(reader.lang or turn.project.settings.lang, _LEFT_OUT["en"])
            message = text_to(reader, words.format(number=left_out, rule=turn.rule.name), turn.rule.name)
            turn.say(message, f"{occasion.origin}:left out", "0")
        turn.decide(noise.THROTTLE, "passed", f"told that {left_out} were left out")


_LEFT_OUT: Mapping[str, str] = {
    "en": "… and {number} more of “{rule}” that were left out",
    "tr": "… ve “{rule}” için {number} bildirim daha geldi, gönderilmedi",
}


def _gathered(project: Project, event_id: str, turns: Sequence[Turn], now: datetime) -> Plan:
    decisions = [decision for turn in turns for decision in turn.decisions]
    messages = [planned for turn in turns for planned in turn.messages]
    made = sum(planned.message is not None for planned in messages)
    if made > project.settings.storm_guard:
        rule = next(turn.rule.id for turn in turns if turn.messages)
        reason = f"storm guard: {made} messages at once"
        decisions.append(Decision(rule=rule, stage="storm_guard", outcome="waits", detail=reason))
        messages = [replace(planned, held=reason) for planned in messages]
        messages += _question(project, event_id, rule, f"{made} messages at once", now)
    return Plan(
        event_id=event_id,
        decisions=tuple(decisions),
        messages=tuple(messages),
        memories=tuple(memory for turn in turns for memory in turn.memories),
    )


def _question(project: Project, event_id: str, rule: str, what: str, now: datetime) -> list[Planned]:
    """Return the messages that ask the owner what is to become of a storm."""
    settings = project.settings
    if not settings.owner:
        return []
    link = f"{settings.public_url or ''}/ack/{token(settings.link_key, 'release', event_id)}"
    text = one_line(f"wbox-notify: the rule {rule} would send {what}. They wait. {link}")
    return [
        Planned(
            key=f"{event_id}:storm:{contact.phone}",
            rule=rule,
            message=Text(phone=contact.phone, message=text),
        )
        for contact in project.recipients(settings.owner, now)
    ]


def _event_of(value: Any) -> str:
    """Return the id of the first event that a memory tells of."""
    if isinstance(value, Mapping):
        if isinstance(value.get("event_id"), str):
            return str(value["event_id"])
        value = list(value.values())
    if isinstance(value, list):
        return next(filter(None, map(_event_of, value)), "")
    return ""
