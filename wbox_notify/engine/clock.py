"""What rules remember, after the clock was set: nothing waits longer than its rule says."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from wbox_notify.engine import burst, digest, escalate, group, missing, quiet_hours, rows, throttle
from wbox_notify.engine.item import moment
from wbox_notify.engine.rule_run import RuleRun, StateReader
from wbox_notify.errors import WboxError
from wbox_notify.model.clock import SLACK, Step
from wbox_notify.model.deliveries import Memory
from wbox_notify.rules import Project
from wbox_notify.rules.triggers import FileTrigger

_PAST = ("since", "last", "started", "at", "times")
_BY_THE_WALL = {digest.KIND, quiet_hours.KIND}
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


def _burst(turn: RuleRun, _key: str, _value: Mapping[str, Any]) -> float:
    bursts = [trigger.burst for trigger in turn.rule.triggers if isinstance(trigger, FileTrigger)]
    return turn.time + max((one.within for one in bursts if one), default=0.0)


def _digest(turn: RuleRun, _key: str, _value: Mapping[str, Any]) -> float:
    due = turn.rule.digest.schedule.after(turn.now) if turn.rule.digest else None
    return due.timestamp() if due else turn.time


def _quiet(turn: RuleRun, address: str, _value: Mapping[str, Any]) -> float:
    try:
        end = quiet_hours.ends(turn, turn.project.reader(address))
    except WboxError:
        end = None
    return end.timestamp() if end else turn.time


def _escalation(turn: RuleRun, _key: str, value: Mapping[str, Any]) -> float:
    steps, number = turn.rule.escalate, value["step"]
    return float(value["started"]) + steps[number].after if number < len(steps) else math.inf


def _throttle(turn: RuleRun, _key: str, value: Mapping[str, Any]) -> float:
    return min(value["times"], default=0.0) + (turn.rule.throttle.per if turn.rule.throttle else 0.0)


_LATEST: Mapping[str, Callable[[RuleRun, str, Mapping[str, Any]], float]] = {
    burst.KIND: _burst,
    digest.KIND: _digest,
    escalate.KIND: _escalation,
    group.KIND: lambda _turn, _key, value: float(value["due"]),
    throttle.DEDUPE: lambda _turn, _key, _value: math.inf,
    throttle.THROTTLE: _throttle,
    missing.SEEN: lambda _turn, _key, _value: math.inf,
    quiet_hours.KIND: _quiet,
    rows.KIND: lambda turn, _key, _value: turn.time,
}
"""When a memory is due at the latest, for a rule that is followed."""

KINDS = tuple(_LATEST)
"""The kinds of memory that have times."""
