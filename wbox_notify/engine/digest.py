"""Digest: all that came up to a nominal time, in one message for each reader."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from wbox_notify.engine import quiet
from wbox_notify.engine.deliver import deliver_to, is_told
from wbox_notify.engine.item import Item
from wbox_notify.engine.notification import about, made_of
from wbox_notify.engine.rule_run import RuleRun
from wbox_notify.engine.state import DigestState, Notification, Retry
from wbox_notify.model.deliveries import Hold
from wbox_notify.rules.recipients import Reader
from wbox_notify.rules.rule import Digest

MOST = 2000
"""How many events one digest holds; of more the number is told."""


def add(run: RuleRun, how: Digest, item: Item) -> None:
    """Put an item into the digest of each reader."""
    for reader in run.readers(about(run, Notification.of(item))):
        state = run.recall(DigestState, reader.address) or DigestState(due=next_time(run, how))
        others = tuple(other for other in state.items if other.identity != item.identity)
        if len(others) >= MOST:
            state = replace(state, items=others, more=state.more + 1)
            detail = f"the digest for {reader.name} is full ({MOST:,}); the others are counted"
            run.decide(DigestState.KIND, "stopped", detail)
        else:
            state = replace(state, items=(*others, item))
            number = len(state.items)
            run.decide(DigestState.KIND, "waits", f"number {number} in the digest for {reader.name}")
        run.remember(reader.address, state, state.due)


def next_time(run: RuleRun, how: Digest) -> float:
    """Return the next nominal time; now where there is none."""
    due = how.schedule.after(run.now)
    return due.timestamp() if due else run.time


def wake(run: RuleRun, address: str) -> None:
    """Tell a reader what has come since the last digest."""
    state = run.recall(DigestState, address)
    run.forget(DigestState, address)
    if state is None:
        return
    reader = run.project.reader(address)
    items = _still_told(run, reader, state)
    if not items:
        return
    if run.rule.digest:
        deliver_to(run, reader, _notification(items))
    else:
        _one_by_one(run, reader, items)
    if state.more:
        quiet.tell_left_out(run, DigestState.KIND, [reader], items[-1], state.more)


def _still_told(run: RuleRun, reader: Reader, state: DigestState) -> tuple[Item, ...]:
    """Return what the rule still tells a reader; what it does not waits in the queue for a person."""
    if state.anyway:
        return state.items
    told: list[Item] = []
    others: list[Item] = []
    for item in state.items:
        if is_told(run, reader.address, about(run, Notification.of(item))):
            told.append(item)
        else:
            others.append(item)
    if others:
        left = DigestState(items=tuple(others), due=run.time, anyway=True)
        run.hold(reader.address, left, Hold.READER_GONE, {"reader": reader.name})
    return tuple(told)


def _one_by_one(run: RuleRun, reader: Reader, items: Sequence[Item]) -> None:
    """Tell what waited for a digest that the rule has no more."""
    for item in items:
        notification = Notification.of(item)
        retry = Retry(do="tell", item=item, reader=reader.address)
        origin = f"{notification.origin}:{reader.address}"
        run.guarded(DigestState.KIND, origin, partial(deliver_to, run, reader, notification), retry)


def _notification(items: tuple[Item, ...]) -> Notification:
    return Notification(
        origin=f"{items[0].event_id}:{items[0].place}:digest:{made_of(items)}",
        items=items,
        alert=f"digest:{items[0].identity}",
        digest=True,
    )
