"""Dedupe and throttle: what is not followed, or not now."""

from collections.abc import Sequence
from typing import Any

from wbox_notify.engine.item import Subject
from wbox_notify.engine.names import key_of
from wbox_notify.engine.rule_run import RuleRun, values_of
from wbox_notify.rules.rule import Dedupe, Throttle

DEDUPE, THROTTLE = "dedupe", "throttle"

MOST = 1000
"""How many wait in one queue; of more the number is told."""


def is_new(turn: RuleRun, how: Dedupe, subject: Subject) -> bool:
    """Return whether the rule has not followed the same before; it has now.

    Where a value is missing, nothing shows that two events are the same: both are followed.
    """
    values = values_of(how.key, turn.context(subject))
    if (place := _empty(values)) is not None:
        turn.decide(DEDUPE, "passed", f"{how.key[place].source} is empty, so this is no duplicate")
        return True
    key = key_of(values)
    known = turn.recall(DEDUPE, key)
    mine = {"event": subject.event_id, "place": subject.place}
    kept = known is not None and (how.keep is None or known["at"] + how.keep > turn.time)
    if known and kept and {name: known[name] for name in mine} != mine:
        sources = ", ".join(one.source for one in how.key)
        turn.decide(DEDUPE, "stopped", f"{sources} is that of event {known['event']}")
        return False
    turn.remember(DEDUPE, key, {**mine, "at": turn.time}, None if how.keep is None else turn.time + how.keep)
    return True


def _empty(values: Sequence[Any]) -> int | None:
    """Return the place of the first value that is none or an empty text; None where all say something."""
    return next((at for at, one in enumerate(values) if one is None or one == ""), None)


def passes(turn: RuleRun, how: Throttle, subject: Subject) -> bool:
    """Return whether the subject is within the measure; else it is counted, queued or dropped."""
    key = key_of(values_of(how.key, turn.context(subject)))
    state = _state(turn, how, key)
    if len(state["times"]) < how.most and not state["queue"]:
        state["times"].append(turn.time)
        _keep(turn, how, key, state)
        return True
    if how.overflow == "queue" and len(state["queue"]) < MOST:
        state["queue"] = [*state["queue"], subject.dump()]
        turn.decide(THROTTLE, "waits", f"number {len(state['queue'])} in the queue")
    else:
        if how.overflow != "drop":
            state = {**state, "left_out": state["left_out"] + 1, "last": subject.dump()}
        full = ", and the queue is full" if how.overflow == "queue" else ""
        turn.decide(THROTTLE, "stopped", f"more than {how.most} in {how.per:.0f} s{full}")
    _keep(turn, how, key, state)
    return False


def due(turn: RuleRun, how: Throttle, key: str) -> tuple[list[Subject], int, Subject | None]:
    """Return what a throttle lets go now: queued subjects, how many were left out, and the last of them."""
    state = _state(turn, how, key)
    free = max(how.most - len(state["times"]), 0)
    released = [Subject(**one) for one in state["queue"][:free]]
    state["queue"] = state["queue"][free:]
    state["times"] += [turn.time] * len(released)
    left_out, last = state["left_out"], state["last"]
    _keep(turn, how, key, {**state, "left_out": 0, "last": None})
    return released, left_out, Subject(**last) if last else None


def _state(turn: RuleRun, how: Throttle, key: str) -> dict[str, Any]:
    empty = {"times": [], "queue": [], "left_out": 0, "last": None}
    state = {**(turn.look(THROTTLE, key) or empty)}
    state["times"] = [at for at in state["times"] if at > turn.time - how.per]
    return state


def _keep(turn: RuleRun, how: Throttle, key: str, state: dict[str, Any]) -> None:
    if state["times"]:
        turn.remember(THROTTLE, key, state, state["times"][0] + how.per)
    elif state["queue"] or state["left_out"]:
        turn.remember(THROTTLE, key, state, turn.time)
    else:
        turn.forget(THROTTLE, key)
