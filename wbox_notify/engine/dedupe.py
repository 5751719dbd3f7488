"""Dedupe: the same is followed once."""

import math
from collections.abc import Sequence
from typing import Any

from wbox_notify.engine import told
from wbox_notify.engine.item import Item, key_of
from wbox_notify.engine.rule_run import RuleRun, values_of
from wbox_notify.engine.state import DedupeState
from wbox_notify.model.texts import Wording


def is_new(run: RuleRun, item: Item) -> bool:
    """Return whether the rule has not followed the same before; it has now.

    Where a value is missing, nothing shows that two events are the same: both are followed. The end of a
    trouble is not the same as the trouble, nor is another trouble after it.
    """
    how = run.rule.dedupe
    if how is None:
        return True
    values = values_of(how.key, run.context(item))
    sources = [expression.source for expression in how.key]
    if empty := _empty(sources, values):
        detail = Wording("{empty} is empty, so this is no duplicate", empty=empty)
        run.decide(DedupeState.KIND, "passed", detail)
        return True
    keep = math.inf if how.keep is None else how.keep
    key = key_of(values)
    first = run.recall(DedupeState, key)
    if first and first.at + keep > run.time and _is_repeated(run, first, item):
        detail = Wording("{key} is that of event {event}", key=", ".join(sources), event=first.event)
        run.decide(DedupeState.KIND, "stopped", detail)
        return False
    state = DedupeState(event=item.event_id, place=item.place, at=run.time, resolved=item.is_resolved)
    run.remember(key, state, None if how.keep is None else run.time + how.keep)
    return True


def _is_repeated(run: RuleRun, first: DedupeState, item: Item) -> bool:
    if first.resolved != item.is_resolved or _is_of(first, item):
        return False
    return not item.is_resolved or not told.is_known(run, item)  # it is told to whoever heard of the trouble


def forget(run: RuleRun, item: Item) -> None:
    """Follow the same once more, since nobody is told of this item."""
    if run.rule.dedupe:
        key = key_of(values_of(run.rule.dedupe.key, run.context(item)))
        first = run.recall(DedupeState, key)
        if first and _is_of(first, item):
            run.forget(DedupeState, key)


def _is_of(state: DedupeState, item: Item) -> bool:
    return (state.event, state.place) == (item.event_id, item.place)


def _empty(sources: Sequence[str], values: Sequence[Any]) -> str:
    """Return the first expression whose value is none or an empty text, if there is one."""
    for source, value in zip(sources, values, strict=True):
        if value is None or value == "":
            return source
    return ""
