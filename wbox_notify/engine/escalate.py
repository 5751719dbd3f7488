"""Escalation: the next person, when nobody has answered."""

from collections.abc import Mapping
from typing import Any

from wbox_notify.engine.item import short
from wbox_notify.engine.notification import Notification, about, restore, retold
from wbox_notify.engine.rule_run import RuleRun, messages_of
from wbox_notify.rules.recipients import Reader

KIND = "escalate"

_KEPT = 7 * 86400.0


def begin(run: RuleRun, notification: Notification) -> None:
    """Start the clock of the rule's first step, unless it runs already for this trouble."""
    key = short(notification.alert)
    running = run.recall(KIND, key)
    if run.rule.escalate and (running is None or running["resolved"]):
        value = {"occasion": notification.keep(), "started": run.time, "step": 0}
        _wait(run, key, {**value, "acked": False, "resolved": False})


def end(run: RuleRun, alert: str) -> None:
    """Note that the trouble is over."""
    _mark(run, short(alert), "resolved")


def acknowledge(run: RuleRun, key: str) -> None:
    """Note that somebody has answered; ``key`` is the short name of the alert."""
    if _mark(run, key, "acked"):
        run.decide("ack", "passed", "acknowledged")
    else:
        run.decide("ack", "stopped", "there is nothing to acknowledge any more")


def wake(run: RuleRun, key: str) -> None:
    """Take the step that is due, and wait for the next one."""
    value = run.recall(KIND, key)
    if value and value["step"] < len(run.rule.escalate):
        _take(run, value)
        _wait(run, key, {**value, "step": value["step"] + 1})
    else:
        run.forget(KIND, key)


def _take(run: RuleRun, value: Mapping[str, Any]) -> None:
    number = value["step"]
    step, stage = run.rule.escalate[number], f"escalate[{number}]"
    notification = restore(run, value["occasion"])
    answers = {"acked": value["acked"], "resolved": value["resolved"], "sent": run.sent(notification.origin)}
    context = {**about(run, notification), **answers}
    if step.unless and step.unless.truth(context):
        run.decide(stage, "stopped", f"unless {step.unless.source}")
    elif step.condition and not step.condition.truth(context):
        run.decide(stage, "stopped", f"if {step.condition.source}")
    else:
        again = {**retold(run, notification), "step": number, "answers": answers}
        made = sum(
            _say(run, reader, notification, context, again)
            for reader in [*run.recipients(step.to, context), *step.via]
        )
        run.decide(stage, "passed", messages_of(made))


def tell_again(run: RuleRun, reader: Reader, notification: Notification, again: Mapping[str, Any]) -> int:
    """Make those of a step's messages for a reader that a retry is about; return how many."""
    if again["step"] >= len(run.rule.escalate):
        return 0
    return _say(run, reader, notification, {**about(run, notification), **again["answers"]}, again)


def _say(
    run: RuleRun,
    reader: Reader,
    notification: Notification,
    context: Mapping[str, Any],
    again: Mapping[str, Any],
) -> int:
    number = again["step"]
    step = run.rule.escalate[number]
    what = step if step.send else run.rule
    drafts = run.drafts_for(reader, what.send, what.translations)
    return run.fill(reader, drafts, f"{notification.origin}:escalate[{number}]", context, again)


def _wait(run: RuleRun, key: str, value: Mapping[str, Any]) -> None:
    """Keep an escalation until its next step, which counts from its start.

    After the last one it is kept for a while, so that what is told again does not begin it anew.
    """
    if value["step"] < len(run.rule.escalate):
        due = value["started"] + run.rule.escalate[value["step"]].after
        run.remember(KIND, key, value, max(due, run.time))
    elif value["resolved"]:
        run.forget(KIND, key)
    else:
        run.remember(KIND, key, value, run.time + _KEPT)


def _mark(run: RuleRun, key: str, what: str) -> bool:
    value = run.recall(KIND, key)
    if value:
        _wait(run, key, {**value, what: True})
    return value is not None
