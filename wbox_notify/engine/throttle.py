"""Throttle: the most that is followed in a time."""

from dataclasses import replace

from wbox_notify.config.values import duration_text
from wbox_notify.engine import dedupe, quiet, told
from wbox_notify.engine.item import Item, key_of
from wbox_notify.engine.rule_run import RuleRun, values_of
from wbox_notify.engine.state import ThrottleState
from wbox_notify.model.texts import Wording
from wbox_notify.rules.rule import Throttle

MOST = 1000
"""How many wait in one queue; of more the number is told."""

_UNTHROTTLED = Throttle(most=1_000_000, per=1.0)


def passes(run: RuleRun, item: Item) -> bool:
    """Return whether the item is within the measure; else it is counted, queued or dropped.

    The end of what was told passes without being counted, and takes its trouble out of the queue.
    """
    how = run.rule.throttle
    if how is None:
        return True
    measured = values_of(how.key, run.context(item))
    # What waits for the morning must not fill the measure of what is urgent at night.
    usual, urgent = key_of(measured), key_of([*measured, "urgent"])
    if item.is_resolved:
        waited = [_withdraw(run, how, key, item) for key in (usual, urgent)]
        if _is_heard_of(run, item):
            return True
        if any(waited):
            run.decide(ThrottleState.KIND, "stopped", Wording("resolved before its turn in the queue"))
            return False
    key = urgent if quiet.is_urgent(run, item) else usual
    state = _state(run, how, key)
    if len(state.times) >= how.most or state.queue:
        _keep(run, how, key, _put_off(run, how, state, item))
        return False
    _keep(run, how, key, replace(state, times=(*state.times, run.time)))
    return True


def _is_heard_of(run: RuleRun, item: Item) -> bool:
    """Return whether somebody may have heard of the trouble of an item; a group and a digest see to it."""
    return bool(run.rule.group or run.rule.digest) or told.is_known(run, item)


def _withdraw(run: RuleRun, how: Throttle, key: str, item: Item) -> bool:
    """Take what waits of the alert of an item out of a queue; return whether anything did."""
    state = _state(run, how, key)
    others = state.without(item)
    if others == state:
        return False
    _keep(run, how, key, others)
    return True


def _put_off(run: RuleRun, how: Throttle, state: ThrottleState, item: Item) -> ThrottleState:
    """Return the state with an item that is too much: it waits in the queue, or nobody is told of it."""
    if how.overflow == "queue" and len(state.queue) < MOST:
        state = replace(state, queue=(*state.queue, item))
        run.decide(
            ThrottleState.KIND, "waits", Wording("number {number} in the queue", number=len(state.queue))
        )
        return state
    detail = Wording("more than {most} in {time}")
    if how.overflow == "queue":
        detail = Wording("more than {most} in {time}, and the queue is full")
    run.decide(ThrottleState.KIND, "stopped", detail.about(most=how.most, time=duration_text(how.per)))
    dedupe.forget(run, item)
    if how.overflow == "drop":
        return state
    return replace(state, left_out=state.left_out + 1, last=item)


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
