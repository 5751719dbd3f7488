"""Dedupe and throttle: what is not followed, or not now."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from wbox_notify.engine.item import Item, key_of
from wbox_notify.engine.rule_run import RuleRun, values_of
from wbox_notify.engine.state import DedupeState, ThrottleState
from wbox_notify.rules.rule import Throttle

MOST = 1000
"""How many wait in one queue; of more the number is told."""

_UNTHROTTLED = Throttle(most=1_000_000, per=1.0)


def is_new(run: RuleRun, item: Item) -> bool:
    """Return whether the rule has not followed the same before; it has now.

    Where a value is missing, nothing shows that two events are the same: both are followed.
    """
    how = run.rule.dedupe
    if how is None:
        return True
    values = values_of(how.key, run.context(item))
    sources = [expression.source for expression in how.key]
    if empty := _empty(sources, values):
        run.decide(DedupeState.KIND, "passed", f"{empty} is empty, so this is no duplicate")
        return True
    keep = math.inf if how.keep is None else how.keep
    key = key_of(values)
    first = run.recall(DedupeState, key)
    if first and first.at + keep > run.time and (first.event, first.place) != (item.event_id, item.place):
        detail = f"{', '.join(sources)} is that of event {first.event}"
        run.decide(DedupeState.KIND, "stopped", detail)
        return False
    state = DedupeState(event=item.event_id, place=item.place, at=run.time)
    run.remember(key, state, None if how.keep is None else run.time + how.keep)
    return True


def _empty(sources: Sequence[str], values: Sequence[Any]) -> str:
    """Return the first expression whose value is none or an empty text, if there is one."""
    for source, value in zip(sources, values, strict=True):
        if value is None or value == "":
            return source
    return ""


def passes(run: RuleRun, item: Item) -> bool:
    """Return whether the item is within the measure; else it is counted, queued or dropped."""
    how = run.rule.throttle
    if how is None:
        return True
    key = key_of(values_of(how.key, run.context(item)))
    state = _state(run, how, key)
    if len(state.times) < how.most and not state.queue:
        _keep(run, how, key, replace(state, times=(*state.times, run.time)))
        return True
    if how.overflow == "queue" and len(state.queue) < MOST:
        state = replace(state, queue=(*state.queue, item))
        run.decide(ThrottleState.KIND, "waits", f"number {len(state.queue)} in the queue")
    else:
        if how.overflow != "drop":
            state = replace(state, left_out=state.left_out + 1, last=item)
        detail = f"more than {how.most} in {how.per:.0f} s"
        if how.overflow == "queue":
            detail += ", and the queue is full"
        run.decide(ThrottleState.KIND, "stopped", detail)
    _keep(run, how, key, state)
    return False


def wake(run: RuleRun, key: str) -> tuple[tuple[Item, ...], int, Item | None]:
    """Return what a throttle lets go now: queued items, how many were left out, and the last of them."""
    how = run.rule.throttle or _UNTHROTTLED
    state = _state(run, how, key)
    free = max(how.most - len(state.times), 0)
    released, queue = state.queue[:free], state.queue[free:]
    times = (*state.times, *[run.time] * len(released))
    _keep(run, how, key, ThrottleState(times=times, queue=queue))
    return released, state.left_out, state.last


def _state(run: RuleRun, how: Throttle, key: str) -> ThrottleState:
    """Return what is known under a key, of the times only those that still count."""
    state = run.recall(ThrottleState, key) or ThrottleState()
    times = tuple(at for at in state.times if at > run.time - how.per)
    if times == state.times:
        return state
    return replace(state, times=times)


def _keep(run: RuleRun, how: Throttle, key: str, state: ThrottleState) -> None:
    if state.times:
        run.remember(key, state, state.times[0] + how.per)
    elif state.queue or state.left_out:
        run.remember(key, state, run.time)
    else:
        run.forget(ThrottleState, key)
