"""The plan of an event, of a memory that is due, and of a clock that was set."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial

from wbox_notify.engine import (
    burst,
    deliver,
    digest,
    escalate,
    group,
    missing,
    pipeline,
    quiet,
    remind,
    retry,
    rows,
    silence,
    throttle,
)
from wbox_notify.engine.item import key_of, moment, short
from wbox_notify.engine.notification import about
from wbox_notify.engine.rule_run import Change, Overlay, RuleRun, held, memory_of
from wbox_notify.engine.state import (
    BurstState,
    DedupeState,
    DigestState,
    EscalationState,
    GroupState,
    MissingState,
    Notification,
    QuietState,
    RemindState,
    Retry,
    RowsState,
    SeenState,
    State,
    StatusState,
    ThrottleState,
    state_of,
)
from wbox_notify.errors import WboxError
from wbox_notify.model.clock import SLACK, Step
from wbox_notify.model.deliveries import Decision, Hold, Memory, Plan, PlannedMessage, SendOptions, Verdict
from wbox_notify.model.events import Event
from wbox_notify.model.reasons import hold, kind
from wbox_notify.model.signed_links import RELEASE, page_url
from wbox_notify.model.text import one_line
from wbox_notify.model.texts import Wording
from wbox_notify.rules.project import Project
from wbox_notify.rules.rule import Rule
from wbox_notify.rules.triggers import FileTrigger
from wbox_notify.triggers.file.rows import Slice

AGAIN = 300.0
"""Seconds until a memory is tried again whose rule failed."""


def plan(project: Project, event: Event, overlay: Overlay, now: datetime) -> Plan:
    """Return all that follows from an event; a rule that fails spoils no other."""
    runs: list[RuleRun] = []
    for rule in _concerned(project, event):
        run = RuleRun(project, rule, overlay, now)
        run.guarded("trigger", event.id, partial(_follow, run, event), Retry(do="event"))
        runs.append(run)
    return _gathered(project, event.id, runs, overlay)


def _concerned(project: Project, event: Event) -> Sequence[Rule]:
    if event.type in {"ack", "cancel", "silence"}:
        rule = project.rule(event.data["rule"])
        return [rule] if rule else []
    rules = {rule.id: rule for rule in (*project.rules_for(event), *project.awaiting(event))}
    return list(rules.values())


def _follow(run: RuleRun, event: Event) -> None:
    if event.type == "ack":
        escalate.acknowledge(run, event.data["key"])
    elif event.type == "cancel":
        remind.cancel(run, event.data["key"])
    elif event.type == "silence":
        silence.begin(run, event.data["until"])
    else:
        pipeline.follow_event(run, event)


def wake(project: Project, due: Memory, overlay: Overlay, now: datetime, slice_: Slice | None = None) -> Plan:
    """Return all that follows when a memory is due, with the rows that ``rows.wanted`` asks for."""
    rule = project.rule(due.rule)
    state = state_of(due)
    if state is None:
        return Plan(event_id=due.event_id, memories=(_forgotten(due),))
    first = state.first_event
    if rule is None:
        return _gone(due, state, first)
    run = RuleRun(project, rule, overlay, now)
    if isinstance(state, RowsState):
        return _of_rows(run, due.key, overlay, slice_)
    if isinstance(state, Retry):
        retry.wake(run, due.key)
        return _gathered(project, first, [run], overlay)
    failure = f"{due.kind}:{first}:{short(due.key)}"
    once_more = Retry(do="wake", kind=due.kind, memory_key=due.key)
    over: tuple[str, ...] = ()
    if not run.guarded(due.kind, failure, partial(_wake, run, state, due.key), once_more):
        run.messages[:-1] = []  # all of it is tried again, so nothing of it is told yet
        run.remember(due.key, state, run.time + AGAIN)
    elif run.recall(Retry, f"{failure}:{rule.id}:-"):
        over = (f"{failure}:{rule.id}:-",)
    return replace(_gathered(project, first, [run], overlay), over=over)


def _wake(run: RuleRun, state: State, key: str) -> None:
    work = _WAKE.get(type(state))
    if work:
        work(run, key)
    else:
        run.forget(type(state), key)


def _wake_group(run: RuleRun, key: str) -> None:
    if run.rule.group and group.is_current(run, run.rule.group, key):
        group.wake(run, run.rule.group, key)
    else:  # the rule has no such groups any more, so each member goes its own way
        pipeline.go_on(run, "send", group.scattered(run, key))


def _let_go(run: RuleRun, key: str) -> None:
    """Follow what a throttle lets go, and tell how many it left out."""
    released, number, last = throttle.wake(run, key)
    pipeline.go_on(run, "send", released)
    if number and last and run.rule.digest:
        digest.leave_out(run, run.rule.digest, last, number)
    elif number and last:
        readers = run.readers(about(run, Notification.of(last)))
        quiet.tell_left_out(run, ThrottleState.KIND, readers, last, number)


def _wake_burst(run: RuleRun, key: str) -> None:
    pipeline.go_on(run, "throttle", burst.wake(run, key))


def _wake_missing(run: RuleRun, key: str) -> None:
    state = run.recall(MissingState, key)
    if state and missing.awaited(run):
        pipeline.still_missing(run, state.told)
    else:
        run.forget(MissingState, key)


def _remind(run: RuleRun, key: str) -> None:
    pipeline.go_on(run, "dedupe", remind.wake(run, key))


_WAKE: Mapping[type[State], Callable[[RuleRun, str], None]] = {
    GroupState: _wake_group,
    DigestState: digest.wake,
    QuietState: deliver.release,
    EscalationState: escalate.wake,
    ThrottleState: _let_go,
    BurstState: _wake_burst,
    RemindState: _remind,
    MissingState: _wake_missing,
}
"""What a state is due for; any other is over then."""


def _forgotten(due: Memory) -> Memory:
    return memory_of(due.rule, due.kind, due.key, Change(None))


def _gone(due: Memory, state: State, first: str) -> Plan:
    """Return what follows when the rule of a memory is gone: what nobody was told of waits for a person."""
    left: tuple[PlannedMessage, ...] = ()
    if isinstance(state, Retry):
        left = (retry.left(due.rule, state),)
    elif state.waiting:
        left = (held(due.rule, due.key, state, Hold.RULE_GONE, {"rule": due.rule}),)
    outcome: Verdict = "stopped"
    detail = Wording("the rule {rule} is gone; forgotten: {what}", rule=due.rule, what=kind(due.kind))
    if left:
        outcome = "waits"
        detail = Wording("the rule {rule} is gone; what it has not told waits for a person", rule=due.rule)
    decision = Decision(rule=due.rule, stage=due.kind, outcome=outcome, detail=detail)
    return Plan(event_id=first, decisions=(decision,), messages=left, memories=(_forgotten(due),))


def _of_rows(run: RuleRun, event_id: str, overlay: Overlay, slice_: Slice | None) -> Plan:
    """Return what follows from some rows of a file: all its messages count together for the storm guard."""
    pipeline.begin(run, event_id)
    storm = rows.wake(run, event_id, slice_, pipeline.follow, retry.follow)
    made = _plan_of(event_id, [run], overlay)
    if storm is None:
        return made
    if not storm.asks:
        return replace(made, release=storm.rules)
    what = f"{storm.made} messages at once for {storm.about}"
    return _asking(made, run, overlay, storm.made, what)


def _gathered(project: Project, event_id: str, runs: Sequence[RuleRun], overlay: Overlay) -> Plan:
    """Return what rules leave as one plan; too many messages wait for the owner."""
    plan = _plan_of(event_id, runs, overlay)
    made = sum(planned.message is not None for planned in plan.messages)
    if made <= project.settings.storm_guard:
        return plan
    messages = list(plan.messages)
    for number, planned in enumerate(messages):
        if planned.message:
            messages[number] = replace(planned, hold=Hold.STORM, facts={"messages": made})
    run = next(run for run in runs if run.messages)
    plan = replace(plan, messages=tuple(messages))
    return _asking(plan, run, overlay, made, f"{made} messages at once")


def _plan_of(event_id: str, runs: Sequence[RuleRun], overlay: Overlay) -> Plan:
    """Return what rules leave as one plan, which those after it in a batch see through the overlay."""
    for run in runs:
        overlay.keep(run.changes)
    return Plan(
        event_id=event_id,
        decisions=tuple(decision for run in runs for decision in run.decisions),
        messages=tuple(planned for run in runs for planned in run.messages),
        memories=tuple(memory for run in runs for memory in run.memories),
    )


def _asking(plan: Plan, of: RuleRun, overlay: Overlay, made: int, what: str) -> Plan:
    """Return a plan in which the storm guard asks the owner what is to become of its messages."""
    settings = of.project.settings
    terms = SendOptions(critical=of.rule.terms.critical)
    run = RuleRun(of.project, replace(of.rule, terms=terms), overlay, of.now)
    run.decide("storm_guard", "waits", hold(Hold.STORM, {"messages": made}))
    if settings.owner:
        keys = [planned.key.removeprefix(plan.event_id) for planned in plan.messages]
        name = short(key_of([what, keys]))
        link = page_url(settings.public_url, settings.link_key, RELEASE, plan.event_id)
        text = one_line(f"wbox-notify: the rule {of.rule.id} would send {what}. They wait. {link}")
        for contact in of.project.recipients(settings.owner, of.now):
            quiet.say(run, contact, text, f"{plan.event_id}:storm:{name}")
    asking = _plan_of(plan.event_id, [run], overlay)
    return replace(
        plan,
        decisions=(*plan.decisions, *asking.decisions),
        messages=(*plan.messages, *asking.messages),
        memories=(*plan.memories, *asking.memories),
    )


_TIMED = (
    BurstState,
    DedupeState,
    DigestState,
    EscalationState,
    GroupState,
    MissingState,
    QuietState,
    RowsState,
    SeenState,
    StatusState,
    ThrottleState,
)
KINDS = tuple(state.KIND for state in _TIMED)
"""The kinds of memory that have times."""


def reset(project: Project, due: Memory, overlay: Overlay, step: Step) -> Memory:
    """Return a memory as it is to be after a step of the clock, and after any before the start.

    What counts from a moment keeps its distance to now; what waits for a time of day waits for the next one.
    """
    state = state_of(due)
    if state is None:
        return due
    at, by = due.due, 0.0
    if not isinstance(state, DigestState | QuietState):
        by = step.jump + min(step.now - step.jump - state.newest, 0.0)
    if by:
        state = state.moved(by)
        if at is not None:
            at += by
    rule = project.rule(due.rule)
    if at is not None and rule is not None:
        latest = _latest(RuleRun(project, rule, overlay, moment(step.now)), due.key, state)
        if at > latest + SLACK:
            state, at = state.due_at(latest), latest
    if not by and at == due.due:
        return due
    return replace(due, value=state.to_json(), due=at)


def _latest(run: RuleRun, key: str, state: State) -> float:
    """Return when a state is due at the latest, for a rule that is followed."""
    match state:
        case GroupState():
            return state.due
        case EscalationState():
            return escalate.next_time(run, state)
        case ThrottleState():
            oldest = min(state.times, default=0.0)
            return oldest + run.rule.throttle.per if run.rule.throttle else oldest
        case MissingState():
            return missing.next_time(run) or run.time
        case DedupeState() | SeenState() | StatusState():
            return math.inf
        case _:
            return _end_of_wait(run, key, state)


def _end_of_wait(run: RuleRun, key: str, state: State) -> float:
    """Return when a state that counts from now, or waits for a time of day, is due at the latest."""
    end = run.time
    if isinstance(state, BurstState):
        for trigger in run.rule.triggers:
            if isinstance(trigger, FileTrigger) and trigger.burst:
                end = max(end, run.time + trigger.burst.within)
    elif isinstance(state, DigestState) and run.rule.digest:
        end = digest.next_time(run, run.rule.digest)
    elif isinstance(state, QuietState):
        with suppress(WboxError):
            until = quiet.until(run, run.project.reader(key))
            if until:
                end = until.timestamp()
    return end
