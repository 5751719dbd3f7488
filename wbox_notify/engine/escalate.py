"""Escalation: the next person, when nobody has answered."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from wbox_notify.engine import quiet, silence
from wbox_notify.engine.item import short
from wbox_notify.engine.notification import about, as_now, told_again
from wbox_notify.engine.rule_run import RuleRun, messages_of, with_values
from wbox_notify.engine.state import EscalationState, Notification, Retry, state_of
from wbox_notify.model.deliveries import Memory
from wbox_notify.model.texts import Wording
from wbox_notify.rules.recipients import Reader
from wbox_notify.rules.rule import Step

_KEPT = 7 * 86400.0
UNANSWERED: Mapping[str, bool] = {"acked": False, "resolved": False, "sent": False}
"""What a step sees where nothing is known of answers."""


def begin(run: RuleRun, notification: Notification) -> None:
    """Start the clock of the rule's first step; where it runs already for this trouble, keep it running."""
    if not run.rule.escalate:
        return
    key = short(notification.alert)
    running = run.recall(EscalationState, key)
    if running is None or running.resolved:
        running = EscalationState(notification=notification, started=run.time)
    _wait(run, key, running)


def end(run: RuleRun, alert: str) -> None:
    """Note that the trouble is over."""
    key = short(alert)
    if state := run.recall(EscalationState, key):
        _wait(run, key, replace(state, resolved=True))


def acknowledge(run: RuleRun, key: str) -> None:
    """Note that somebody has answered; ``key`` is the short name of the alert."""
    if state := run.recall(EscalationState, key):
        _wait(run, key, replace(state, acked=True))
        run.decide("ack", "passed", Wording("acknowledged"))
    else:
        run.decide("ack", "stopped", Wording("nothing left to acknowledge"))


def is_open(memory: Memory) -> bool:
    """Return whether a memory is an escalation of which somebody is still to be told."""
    state = state_of(memory)
    return isinstance(state, EscalationState) and state.waiting > 0


def wake(run: RuleRun, key: str) -> None:
    """Take the step that is due, and wait for the next one."""
    state = run.recall(EscalationState, key)
    if state and state.step < len(run.rule.escalate):
        _take(run, state)
        _wait(run, key, replace(state, step=state.step + 1))
    else:
        run.forget(EscalationState, key)


def next_time(run: RuleRun, state: EscalationState) -> float:
    """Return when the next step of an escalation is due; infinity after the last one."""
    if state.step < len(run.rule.escalate):
        return state.started + run.rule.escalate[state.step].after
    return math.inf


def step_of(run: RuleRun, number: int) -> Step | None:
    """Return a step by its number in the order of time; None where the rule has none any more."""
    return run.rule.escalate[number] if number < len(run.rule.escalate) else None


def _take(run: RuleRun, state: EscalationState) -> None:
    step = run.rule.escalate[state.step]
    notification = as_now(run, replace(state.notification, step=state.step))
    answers = _answers(run, state)
    context = {**about(run, notification), **answers}
    if not _is_due(run, step, context):
        return
    readers: list[Reader] = [*run.recipients(step.to, context), *step.via]
    if silence.holds(run, readers, notification):
        return
    number = 0
    for reader in readers:
        if step.at_any_hour or not quiet.holds(run, reader, notification, context):
            number += _say(run, reader, notification, context, answers)
    if number:
        run.decide(_stage(step), "passed", messages_of(number))


def tell_late(run: RuleRun, reader: Reader, held: Notification) -> None:
    """Tell a reader, whose quiet hours are over, what a step says, unless somebody has answered meanwhile."""
    state = run.recall(EscalationState, short(held.alert))
    step = step_of(run, held.step or 0)
    if state is None or step is None:
        run.decide(EscalationState.KIND, "stopped", Wording("over before the end of quiet hours"))
        return
    notification = as_now(run, held)
    answers = _answers(run, state)
    context = {**about(run, notification), **answers}
    if not _is_due(run, step, context) or silence.holds(run, [reader], notification):
        return
    if not quiet.holds(run, reader, notification, context):
        _say(run, reader, notification, context, answers)


def _answers(run: RuleRun, state: EscalationState) -> dict[str, bool]:
    sent = run.sent(state.notification.origin)
    return {"acked": state.acked, "resolved": state.resolved, "sent": sent}


def _is_due(run: RuleRun, step: Step, context: Mapping[str, Any]) -> bool:
    """Return whether a step is to be taken, as it says itself."""
    if step.unless and step.unless.truth(context):
        run.decide(_stage(step), "stopped", f"unless {with_values(step.unless, context)}")
        return False
    if step.condition and not step.condition.truth(context):
        run.decide(_stage(step), "stopped", f"if {with_values(step.condition, context)}")
        return False
    return True


def _stage(step: Step) -> str:
    return f"escalate[{step.number}]"


def tell_again(run: RuleRun, reader: Reader, notification: Notification, retry: Retry) -> int:
    """Make those of a step's messages for a reader that a retry is about; return how many."""
    if step_of(run, retry.step or 0) is None:
        return 0
    context = {**about(run, notification), **UNANSWERED, **(retry.answers or {})}
    return _fill(run, reader, notification, context, retry)


def _say(
    run: RuleRun,
    reader: Reader,
    notification: Notification,
    context: Mapping[str, Any],
    answers: Mapping[str, bool],
) -> int:
    retry = replace(told_again(run, notification), step=notification.step, answers=answers)
    return _fill(run, reader, notification, context, retry)


def _fill(
    run: RuleRun, reader: Reader, notification: Notification, context: Mapping[str, Any], retry: Retry
) -> int:
    """Make the messages of a step, or the rule's where it has none, for a reader; return how many."""
    number = retry.step or 0
    step = run.rule.escalate[number]
    what = step if step.send else run.rule
    drafts = run.drafts_for(reader, what.send, what.translations)
    return run.fill(reader, drafts, f"{notification.origin}:escalate[{number}]", context, retry)


def _wait(run: RuleRun, key: str, state: EscalationState) -> None:
    """Keep an escalation until its next step, which counts from its start.

    After the last one it is kept for a while, so that what is told again does not begin it once more.
    """
    due = next_time(run, state)
    if due < math.inf:
        run.remember(key, state, max(due, run.time))
    elif state.resolved:
        run.forget(EscalationState, key)
    else:
        run.remember(key, replace(state, over=True), run.time + _KEPT)
