"""Dedupe and throttle: what is not followed, or not now."""

from collections.abc import Sequence
from typing import Any

from wbox_notify.engine.item import Item, key_of
from wbox_notify.engine.rule_run import RuleRun, values_of
from wbox_notify.rules.rule import Dedupe, Throttle

DEDUPE, THROTTLE = "dedupe", "throttle"

MOST = 1000
"""How many wait in one queue; of more the number is told."""


def is_new(run: RuleRun, how: Dedupe, item: Item) -> bool:
    """Return whether the rule has not followed the same before; it has now.

    Where a value is missing, nothing shows that two events are the same: both are followed.
    """
    values = values_of(how.key, run.context(item))
    if (place := _empty(values)) is not None:
        run.decide(DEDUPE, "passed", f"{how.key[place].source} is empty, so this is no duplicate")
        return True
    key = key_of(values)
    known = run.recall(DEDUPE, key)
    mine = {"event": item.event_id, "place": item.place}
    kept = known is not None and (how.keep is None or known["at"] + how.keep > run.time)
    if known and kept and {name: known[name] for name in mine} != mine:
        sources = ", ".join(one.source for one in how.key)
        run.decide(DEDUPE, "stopped", f"{sources} is that of event {known['event']}")
        return False
    run.remember(DEDUPE, key, {**mine, "at": run.time}, None if how.keep is None else run.time + how.keep)
    return True


def _empty(values: Sequence[Any]) -> int | None:
    """Return the place of the first value that is none or an empty text; None where all say something."""
    return next((at for at, one in enumerate(values) if one is None or one == ""), None)


def passes(run: RuleRun, how: Throttle, item: Item) -> bool:
    """Return whether the item is within the measure; else it is counted, queued or dropped."""
    key = key_of(values_of(how.key, run.context(item)))
    state = _state(run, how, key)
    if len(state["times"]) < how.most and not state["queue"]:
        state["times"].append(run.time)
        _keep(run, how, key, state)
        return True
    if how.overflow == "queue" and len(state["queue"]) < MOST:
        state["queue"] = [*state["queue"], item.dump()]
        run.decide(THROTTLE, "waits", f"number {len(state['queue'])} in the queue")
    else:
        if how.overflow != "drop":
            state = {**state, "left_out": state["left_out"] + 1, "last": item.dump()}
        full = ", and the queue is full" if how.overflow == "queue" else ""
        run.decide(THROTTLE, "stopped", f"more than {how.most} in {how.per:.0f} s{full}")
    _keep(run, how, key, state)
    return False


def due(run: RuleRun, how: Throttle, key: str) -> tuple[list[Item], int, Item | None]:
    """Return what a throttle lets go now: queued items, how many were left out, and the last of them."""
    state = _state(run, how, key)
    free = max(how.most - len(state["times"]), 0)
    released = [Item(**one) for one in state["queue"][:free]]
    state["queue"] = state["queue"][free:]
    state["times"] += [run.time] * len(released)
    left_out, last = state["left_out"], state["last"]
    _keep(run, how, key, {**state, "left_out": 0, "last": None})
    return released, left_out, Item(**last) if last else None


def _state(run: RuleRun, how: Throttle, key: str) -> dict[str, Any]:
    empty = {"times": [], "queue": [], "left_out": 0, "last": None}
    state = {**(run.look(THROTTLE, key) or empty)}
    state["times"] = [at for at in state["times"] if at > run.time - how.per]
    return state


def _keep(run: RuleRun, how: Throttle, key: str, state: dict[str, Any]) -> None:
    if state["times"]:
        run.remember(THROTTLE, key, state, state["times"][0] + how.per)
    elif state["queue"] or state["left_out"]:
        run.remember(THROTTLE, key, state, run.time)
    else:
        run.forget(THROTTLE, key)
