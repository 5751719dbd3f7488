"""From rules, what they remember, an event and the time to a plan."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from wbox_notify.engine import (
    again,
    burst,
    course,
    deliver,
    digest,
    escalate,
    group,
    left_out,
    quiet_hours,
    rows,
    throttle,
)
from wbox_notify.engine.held import held, holds
from wbox_notify.engine.names import first_event, key_of, short
from wbox_notify.engine.notification import about, single
from wbox_notify.engine.rule_run import RuleRun, StateReader
from wbox_notify.model.deliveries import Decision, Memory, Plan, PlannedMessage
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text
from wbox_notify.model.signed_links import RELEASE, page_url
from wbox_notify.model.text import one_line
from wbox_notify.rules import Project, Rule
from wbox_notify.rules.rule import Throttle
from wbox_notify.triggers.file.rows import Slice

_AGAIN = 300.0
"""Seconds until a memory is tried again whose rule failed."""

_UNTHROTTLED = Throttle(most=1_000_000, per=1.0)


def plan(project: Project, event: Event, memory: StateReader, now: datetime) -> Plan:
    """Return all that follows from an event; a rule that fails spoils no other."""
    turns = []
    for rule in _concerned(project, event):
        turn = RuleRun(project, rule, memory, now)
        turn.guarded("trigger", event.id, partial(_event, turn, event), {"do": "event"})
        turns.append(turn)
    return _gathered(project, event.id, turns, now)


def wake(
    project: Project, due: Memory, memory: StateReader, now: datetime, found: Slice | None = None
) -> Plan:
    """Return all that follows when a memory is due; ``found`` is what ``rows.wanted`` says that it needs."""
    rule = project.rule(due.rule)
    if rule is None:
        return _gone(due)
    turn = RuleRun(project, rule, memory, now)
    first = first_event(due.value)
    if due.kind == rows.KIND:
        return _of_rows(turn, due.key, found)
    if due.kind == again.KIND:
        again.wake(turn, due.key)
        return _gathered(project, first, [turn], now)
    failure = f"{due.kind}:{first}:{short(due.key)}"
    retry = {"do": "wake", "kind": due.kind, "key_of_memory": due.key}
    if turn.guarded(due.kind, failure, partial(_woken, turn, due), retry):
        key = f"{failure}:{rule.id}:-"
        made = _gathered(project, first, [turn], now)
        return replace(made, over=(key,)) if turn.recall(again.KIND, key) else made
    # All of it is tried again, so nothing of it is told yet.
    turn.messages[:-1] = []
    turn.remember(due.kind, due.key, due.value or {}, now.timestamp() + _AGAIN)
    return _gathered(project, first, [turn], now)


def _gone(due: Memory) -> Plan:
    """Return what follows when the rule of a memory is gone: what nobody was told of waits for a person."""
    why = f"the rule {due.rule} is gone"
    forgotten = Memory(rule=due.rule, kind=due.kind, key=due.key, value=None)
    value = due.value or {}
    if due.kind == again.KIND:
        left: tuple[PlannedMessage, ...] = (again.left(due.rule, value, why),)
    else:
        left = (held(due.rule, due.kind, due.key, value, why),) if holds(due.kind, value) else ()
    then = "what it has not told waits for a person" if left else f"its {due.kind} is forgotten"
    outcome = "waits" if left else "stopped"
    decision = Decision(rule=due.rule, stage=due.kind, outcome=outcome, detail=f"{why}; {then}")
    return Plan(event_id=first_event(value), decisions=(decision,), messages=left, memories=(forgotten,))


def _of_rows(turn: RuleRun, event_id: str, found: Slice | None) -> Plan:
    """Return what follows from some rows of a file: all its messages count together for the storm guard."""
    course.begin(turn, event_id)
    storm = rows.wake(turn, event_id, found, course.follow, again.follow)
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
    question = _question(turn.project, event_id, turn.rule.id, what, made.messages, turn.now)
    return replace(made, decisions=(*made.decisions, asked), messages=(*made.messages, *question))


def _concerned(project: Project, event: Event) -> Sequence[Rule]:
    if event.type == "ack":
        rule = project.rule(event.data["rule"])
        return [rule] if rule else []
    rules = {rule.id: rule for rule in (*project.rules_for(event), *project.awaiting(event))}
    return list(rules.values())


def _event(turn: RuleRun, event: Event) -> None:
    if event.type == "ack":
        escalate.acknowledge(turn, event.data["key"])
    else:
        course.run(turn, event)


def _woken(turn: RuleRun, due: Memory) -> None:
    match due.kind:
        case group.KIND:
            _group(turn, due.key)
        case digest.KIND:
            digest.wake(turn, due.key)
        case quiet_hours.KIND:
            deliver.release(turn, due.key)
        case escalate.KIND:
            escalate.wake(turn, due.key)
        case throttle.THROTTLE:
            _let_go(turn, due.key)
        case burst.KIND:
            course.go_on(turn, throttle.THROTTLE, burst.wake(turn, due.key))
        case _:
            turn.forget(due.kind, due.key)


def _group(turn: RuleRun, key: str) -> None:
    """Let a group speak; where the rule has none any more, each of it goes its own way."""
    if turn.rule.group:
        group.wake(turn, turn.rule.group, key)
    else:
        course.go_on(turn, "send", group.scattered(turn, key))


def _let_go(turn: RuleRun, key: str) -> None:
    """Follow what a throttle lets go, and tell how many it left out."""
    released, number, last = throttle.due(turn, turn.rule.throttle or _UNTHROTTLED, key)
    course.go_on(turn, "send", released)
    if number and last:
        left_out.tell(turn, throttle.THROTTLE, turn.readers(about(turn, single(last))), last, number)


def _gathered(project: Project, event_id: str, turns: Sequence[RuleRun], now: datetime) -> Plan:
    decisions = [decision for turn in turns for decision in turn.decisions]
    messages = [planned for turn in turns for planned in turn.messages]
    made = sum(planned.message is not None for planned in messages)
    if made > project.settings.storm_guard:
        rule = next(turn.rule.id for turn in turns if turn.messages)
        reason = f"storm guard: {made} messages at once"
        decisions.append(Decision(rule=rule, stage="storm_guard", outcome="waits", detail=reason))
        messages = [replace(planned, held=reason) if planned.message else planned for planned in messages]
        messages += _question(project, event_id, rule, f"{made} messages at once", messages, now)
    return Plan(
        event_id=event_id,
        decisions=tuple(decisions),
        messages=tuple(messages),
        memories=tuple(memory for turn in turns for memory in turn.memories),
    )


def _question(
    project: Project, event_id: str, rule: str, what: str, about: Sequence[PlannedMessage], now: datetime
) -> list[PlannedMessage]:
    """Return the messages that ask the owner what is to become of a storm."""
    name = short(key_of([what, [planned.key.removeprefix(event_id) for planned in about]]))
    settings = project.settings
    if not settings.owner:
        return []
    link = page_url(settings.public_url, settings.link_key, RELEASE, event_id)
    text = one_line(f"wbox-notify: the rule {rule} would send {what}. They wait. {link}")
    return [
        PlannedMessage(
            key=f"{event_id}:storm:{name}:{contact.phone}",
            rule=rule,
            message=Text(phone=contact.phone, message=text),
        )
        for contact in project.recipients(settings.owner, now)
    ]
