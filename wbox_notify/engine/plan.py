"""The plan of an event, of a memory that is due, and of a clock that was set."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from wbox_notify.engine import burst, deliver, digest, escalate, group, pipeline, retry, rows, throttle
from wbox_notify.engine.item import first_event, key_of, moment, short
from wbox_notify.engine.notification import about, single, tell_left_out
from wbox_notify.engine.rule_run import RuleRun, StateReader, held, holds
from wbox_notify.errors import WboxError
from wbox_notify.model.clock import SLACK, Step
from wbox_notify.model.deliveries import Decision, Hold, Memory, Plan, PlannedMessage, Verdict
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text
from wbox_notify.model.reasons import hold
from wbox_notify.model.signed_links import RELEASE, page_url
from wbox_notify.model.text import one_line
from wbox_notify.rules import Project, Rule
from wbox_notify.rules.rule import Throttle
from wbox_notify.rules.triggers import FileTrigger
from wbox_notify.triggers.file.rows import Slice

_AGAIN = 300.0
"""Seconds until a memory is tried again whose rule failed."""

_UNTHROTTLED = Throttle(most=1_000_000, per=1.0)


def plan(project: Project, event: Event, memory: StateReader, now: datetime) -> Plan:
    """Return all that follows from an event; a rule that fails spoils no other."""
    turns = []
    for rule in _concerned(project, event):
        run = RuleRun(project, rule, memory, now)
        run.guarded("trigger", event.id, partial(_event, run, event), {"do": "event"})
        turns.append(run)
    return _gathered(project, event.id, turns, now)


def wake(
    project: Project, due: Memory, memory: StateReader, now: datetime, found: Slice | None = None
) -> Plan:
    """Return all that follows when a memory is due; ``found`` is what ``rows.wanted`` says that it needs."""
    rule = project.rule(due.rule)
    if rule is None:
        return _gone(due)
    run = RuleRun(project, rule, memory, now)
    first = first_event(due.value)
    if due.kind == rows.KIND:
        return _of_rows(run, due.key, found)
    if due.kind == retry.KIND:
        retry.wake(run, due.key)
        return _gathered(project, first, [run], now)
    failure = f"{due.kind}:{first}:{short(due.key)}"
    again = {"do": "wake", "kind": due.kind, "key_of_memory": due.key}
    if run.guarded(due.kind, failure, partial(_woken, run, due), again):
        key = f"{failure}:{rule.id}:-"
        made = _gathered(project, first, [run], now)
        return replace(made, over=(key,)) if run.recall(retry.KIND, key) else made
    # All of it is tried again, so nothing of it is told yet.
    run.messages[:-1] = []
    run.remember(due.kind, due.key, due.value or {}, now.timestamp() + _AGAIN)
    return _gathered(project, first, [run], now)


def _gone(due: Memory) -> Plan:
    """Return what follows when the rule of a memory is gone: what nobody was told of waits for a person."""
    why = f"the rule {due.rule} is gone"
    forgotten = Memory(rule=due.rule, kind=due.kind, key=due.key, value=None)
    value = due.value or {}
    if due.kind == retry.KIND:
        left = [retry.left(due.rule, value)]
    elif holds(due.kind, value):
        left = [held(due.rule, due.kind, due.key, value, Hold.RULE_GONE, {"rule": due.rule})]
    else:
        left = []
    then = "what it has not told waits for a person" if left else f"its {due.kind} is forgotten"
    outcome: Verdict = "waits" if left else "stopped"
    decision = Decision(rule=due.rule, stage=due.kind, outcome=outcome, detail=f"{why}; {then}")
    return Plan(
        event_id=first_event(value), decisions=(decision,), messages=tuple(left), memories=(forgotten,)
    )


def _of_rows(run: RuleRun, event_id: str, found: Slice | None) -> Plan:
    """Return what follows from some rows of a file: all its messages count together for the storm guard."""
    pipeline.begin(run, event_id)
    storm = rows.wake(run, event_id, found, pipeline.follow, retry.follow)
    made = Plan(
        event_id=event_id,
        decisions=tuple(run.decisions),
        messages=tuple(run.messages),
        memories=run.memories,
    )
    if storm is None:
        return made
    if not storm.asks:
        return replace(made, release=storm.rules)
    reason = hold(Hold.STORM, {"messages": storm.made})
    asked = Decision(rule=run.rule.id, stage="storm_guard", outcome="waits", detail=reason)
    what = f"{storm.made} messages at once for {storm.about}"
    question = _question(run.project, event_id, run.rule.id, what, made.messages, run.now)
    return replace(made, decisions=(*made.decisions, asked), messages=(*made.messages, *question))


def _concerned(project: Project, event: Event) -> Sequence[Rule]:
    if event.type == "ack":
        rule = project.rule(event.data["rule"])
        return [rule] if rule else []
    rules = {rule.id: rule for rule in (*project.rules_for(event), *project.awaiting(event))}
    return list(rules.values())


def _event(run: RuleRun, event: Event) -> None:
    if event.type == "ack":
        escalate.acknowledge(run, event.data["key"])
    else:
        pipeline.follow_event(run, event)


def _woken(run: RuleRun, due: Memory) -> None:
    match due.kind:
        case group.KIND:
            _group(run, due.key)
        case digest.KIND:
            digest.wake(run, due.key)
        case deliver.QUIET_HOURS:
            deliver.release(run, due.key)
        case escalate.KIND:
            escalate.wake(run, due.key)
        case throttle.THROTTLE:
            _let_go(run, due.key)
        case burst.KIND:
            pipeline.go_on(run, throttle.THROTTLE, burst.wake(run, due.key))
        case _:
            run.forget(due.kind, due.key)


def _group(run: RuleRun, key: str) -> None:
    """Let a group speak; where the rule has none any more, each of it goes its own way."""
    if run.rule.group:
        group.wake(run, run.rule.group, key)
    else:
        pipeline.go_on(run, "send", group.scattered(run, key))


def _let_go(run: RuleRun, key: str) -> None:
    """Follow what a throttle lets go, and tell how many it left out."""
    released, number, last = throttle.due(run, run.rule.throttle or _UNTHROTTLED, key)
    pipeline.go_on(run, "send", released)
    if number and last:
        tell_left_out(run, throttle.THROTTLE, run.readers(about(run, single(last))), last, number)


def _gathered(project: Project, event_id: str, turns: Sequence[RuleRun], now: datetime) -> Plan:
    decisions = [decision for run in turns for decision in run.decisions]
    messages = [planned for run in turns for planned in run.messages]
    made = sum(planned.message is not None for planned in messages)
    if made > project.settings.storm_guard:
        rule = next(run.rule.id for run in turns if run.messages)
        facts = {"messages": made}
        reason = hold(Hold.STORM, facts)
        decisions.append(Decision(rule=rule, stage="storm_guard", outcome="waits", detail=reason))
        messages = [
            replace(planned, hold=Hold.STORM, facts=facts) if planned.message else planned
            for planned in messages
        ]
        messages += _question(project, event_id, rule, f"{made} messages at once", messages, now)
    return Plan(
        event_id=event_id,
        decisions=tuple(decisions),
        messages=tuple(messages),
        memories=tuple(memory for run in turns for memory in run.memories),
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


_PAST = ("since", "last", "started", "at", "times")
_BY_THE_WALL = {digest.KIND, deliver.QUIET_HOURS}
"""What is due at a time of day; all else counts from the moments in its value."""


def reset(project: Project, due: Memory, memory: StateReader, step: Step) -> Memory:
    """Return a memory as it is to be after a step of the clock, and after any before the start.

    What counts from a moment keeps its distance to now; what waits for a time of day waits for the next one.
    """
    if due.kind not in _BY_THE_WALL:
        due = _moved(due, step.jump)
        due = _moved(due, min(step.now - _newest(due.value or {}), 0.0))
    rule = project.rule(due.rule)
    if due.due is None or rule is None or due.value is None:
        return due
    latest = _LATEST[due.kind](RuleRun(project, rule, memory, moment(step.now)), due.key, due.value)
    if due.due <= latest + SLACK:
        return due
    return replace(due, value={**due.value, "due": latest} if "due" in due.value else due.value, due=latest)


def _moved(due: Memory, by: float) -> Memory:
    if not by:
        return due
    value = {
        name: _plus(found, by) if name in (*_PAST, "due") else found
        for name, found in (due.value or {}).items()
    }
    return replace(due, value=value, due=None if due.due is None else due.due + by)


def _plus(found: Any, by: float) -> Any:
    if isinstance(found, list):
        return [one + by for one in found]
    return found if found is None else found + by


def _newest(value: Mapping[str, Any]) -> float:
    """Return the newest of the moments that have been, as the memory has it; minus infinity for none."""
    found = [value.get(name) for name in _PAST]
    times = [at for one in found for at in (one if isinstance(one, list) else [one]) if at is not None]
    return max(times, default=-math.inf)


def _burst(run: RuleRun, _key: str, _value: Mapping[str, Any]) -> float:
    bursts = [trigger.burst for trigger in run.rule.triggers if isinstance(trigger, FileTrigger)]
    return run.time + max((one.within for one in bursts if one), default=0.0)


def _digest(run: RuleRun, _key: str, _value: Mapping[str, Any]) -> float:
    due = run.rule.digest.schedule.after(run.now) if run.rule.digest else None
    return due.timestamp() if due else run.time


def _quiet(run: RuleRun, address: str, _value: Mapping[str, Any]) -> float:
    try:
        end = deliver.ends(run, run.project.reader(address))
    except WboxError:
        end = None
    return end.timestamp() if end else run.time


def _escalation(run: RuleRun, _key: str, value: Mapping[str, Any]) -> float:
    steps, number = run.rule.escalate, value["step"]
    return float(value["started"]) + steps[number].after if number < len(steps) else math.inf


def _throttle(run: RuleRun, _key: str, value: Mapping[str, Any]) -> float:
    return min(value["times"], default=0.0) + (run.rule.throttle.per if run.rule.throttle else 0.0)


_LATEST: Mapping[str, Callable[[RuleRun, str, Mapping[str, Any]], float]] = {
    burst.KIND: _burst,
    digest.KIND: _digest,
    escalate.KIND: _escalation,
    group.KIND: lambda _turn, _key, value: float(value["due"]),
    throttle.DEDUPE: lambda _turn, _key, _value: math.inf,
    throttle.THROTTLE: _throttle,
    pipeline.SEEN: lambda _turn, _key, _value: math.inf,
    deliver.QUIET_HOURS: _quiet,
    rows.KIND: lambda run, _key, _value: run.time,
}
"""When a memory is due at the latest, for a rule that is followed."""

KINDS = tuple(_LATEST)
"""The kinds of memory that have times."""
