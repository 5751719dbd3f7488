"""Escalation: the next person, when nobody has answered."""

from collections.abc import Mapping
from typing import Any

from wbox_notify.engine.names import short
from wbox_notify.engine.notification import Notification, about, restore, retold
from wbox_notify.engine.rule_run import RuleRun, messages_of
from wbox_notify.rules.recipients import Reader

KIND = "escalate"

_KEPT = 7 * 86400.0


def begin(turn: RuleRun, occasion: Notification) -> None:
    """Start the clock of the rule's first step, unless it runs already for this trouble."""
    key = short(occasion.alert)
    running = turn.recall(KIND, key)
    if turn.rule.escalate and (running is None or running["resolved"]):
        value = {"occasion": occasion.keep(), "started": turn.time, "step": 0}
        _wait(turn, key, {**value, "acked": False, "resolved": False})


def end(turn: RuleRun, alert: str) -> None:
    """Note that the trouble is over."""
    _mark(turn, short(alert), "resolved")


def acknowledge(turn: RuleRun, key: str) -> None:
    """Note that somebody has answered; ``key`` is the short name of the alert."""
    if _mark(turn, key, "acked"):
        turn.decide("ack", "passed", "acknowledged")
    else:
        turn.decide("ack", "stopped", "there is nothing to acknowledge any more")


def wake(turn: RuleRun, key: str) -> None:
    """Take the step that is due, and wait for the next one."""
    value = turn.recall(KIND, key)
    if value and value["step"] < len(turn.rule.escalate):
        _take(turn, value)
        _wait(turn, key, {**value, "step": value["step"] + 1})
    else:
        turn.forget(KIND, key)


def _take(turn: RuleRun, value: Mapping[str, Any]) -> None:
    number = value["step"]
    step, stage = turn.rule.escalate[number], f"escalate[{number}]"
    occasion = restore(turn, value["occasion"])
    answers = {"acked": value["acked"], "resolved": value["resolved"], "sent": turn.sent(occasion.origin)}
    context = {**about(turn, occasion), **answers}
    if step.unless and step.unless.truth(context):
        turn.decide(stage, "stopped", f"unless {step.unless.source}")
    elif step.condition and not step.condition.truth(context):
        turn.decide(stage, "stopped", f"if {step.condition.source}")
    else:
        again = {**retold(turn, occasion), "step": number, "answers": answers}
        made = sum(
            _say(turn, reader, occasion, context, again)
            for reader in [*turn.recipients(step.to, context), *step.via]
        )
        turn.decide(stage, "passed", messages_of(made))


def tell_again(turn: RuleRun, reader: Reader, occasion: Notification, again: Mapping[str, Any]) -> int:
    """Make those of a step's messages for a reader that a retry is about; return how many."""
    if again["step"] >= len(turn.rule.escalate):
        return 0
    return _say(turn, reader, occasion, {**about(turn, occasion), **again["answers"]}, again)


def _say(
    turn: RuleRun,
    reader: Reader,
    occasion: Notification,
    context: Mapping[str, Any],
    again: Mapping[str, Any],
) -> int:
    number = again["step"]
    step = turn.rule.escalate[number]
    what = step if step.send else turn.rule
    drafts = turn.drafts_for(reader, what.send, what.translations)
    return turn.fill(reader, drafts, f"{occasion.origin}:escalate[{number}]", context, again)


def _wait(turn: RuleRun, key: str, value: Mapping[str, Any]) -> None:
    """Keep an escalation until its next step, which counts from its start.

    After the last one it is kept for a while, so that what is told again does not begin it anew.
    """
    if value["step"] < len(turn.rule.escalate):
        due = value["started"] + turn.rule.escalate[value["step"]].after
        turn.remember(KIND, key, value, max(due, turn.time))
    elif value["resolved"]:
        turn.forget(KIND, key)
    else:
        turn.remember(KIND, key, value, turn.time + _KEPT)


def _mark(turn: RuleRun, key: str, what: str) -> bool:
    value = turn.recall(KIND, key)
    if value:
        _wait(turn, key, {**value, what: True})
    return value is not None
