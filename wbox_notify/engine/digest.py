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
from wbox_notify.model.texts import Wording
from wbox_notify.rules.recipients import ON_CALL, Reader
from wbox_notify.rules.rule import Digest

MOST = 2000
"""How many events one digest holds; of more the number is told."""

_KEY = ""


def add(run: RuleRun, how: Digest, item: Item) -> None:
    """Put an item into the digest of each reader; who takes a turn is seen when it is told."""
    readers = [*run.people(run.rule.to, about(run, Notification.of(item))), *run.rule.via]
    names = ", ".join(reader.name for reader in readers)
    state = _state(run, how)
    others = _others(state, item.identity)
    if len(others) >= MOST:
        leave_out(run, how, item, 1)
        detail = Wording(
            "the digest for {names} is full ({most}); the others are counted", names=names, most=MOST
        )
        run.decide(DigestState.KIND, "stopped", detail)
        return
    shares = {**state.readers}
    for reader in readers:
        before = _without(shares.get(reader.address, ()), item.identity)
        shares[reader.address] = (*before, item.identity)
    state = replace(state, items=(*others, item), readers=shares)
    run.remember(_KEY, state, state.due)
    detail = Wording("number {number} in the digest for {names}", number=len(state.items), names=names)
    run.decide(DigestState.KIND, "waits", detail)


def _others(state: DigestState, identity: str) -> tuple[Item, ...]:
    """Return the other items of a digest: of thousands none is looked at where no share has this one."""
    if any(identity in share for share in state.readers.values()):
        return tuple(other for other in state.items if other.identity != identity)
    return state.items


def _without(share: tuple[str, ...], identity: str) -> tuple[str, ...]:
    if identity in share:
        return tuple(other for other in share if other != identity)
    return share


def leave_out(run: RuleRun, how: Digest, last: Item, number: int) -> None:
    """Count items that the next digest only tells the number of; ``last`` is the last of them."""
    state = _state(run, how)
    state = replace(state, more=state.more + number, last=last)
    run.remember(_KEY, state, state.due)


def _state(run: RuleRun, how: Digest) -> DigestState:
    return run.recall(DigestState, _KEY) or DigestState(due=next_time(run, how))


def next_time(run: RuleRun, how: Digest) -> float:
    """Return the next nominal time; now where there is none."""
    due = how.schedule.after(run.now)
    return due.timestamp() if due else run.time


def wake(run: RuleRun, key: str) -> None:
    """Tell readers what has come since the last digest."""
    state = run.recall(DigestState, key)
    run.forget(DigestState, key)
    if state is None:
        return
    readers: list[Reader] = []
    for reader, items in _shares(run, key, state):
        told = items if state.anyway else _still_told(run, reader, items)
        if told:
            readers.append(reader)
            _tell(run, reader, told)
    last = state.last or next(reversed(state.items), None)
    if state.more and last:
        readers = readers or run.readers(about(run, Notification.of(last)))
        quiet.tell_left_out(run, DigestState.KIND, readers, last, state.more)


def _shares(run: RuleRun, key: str, state: DigestState) -> list[tuple[Reader, tuple[Item, ...]]]:
    """Return who is told now, with the items for each; those of a rotation that is gone wait for a person."""
    by_address: dict[str, tuple[Reader, set[str]]] = {}
    shares = state.readers
    if key != _KEY:  # an older version kept a digest for each reader, and what a person lets go is for one
        shares = {key: tuple(item.identity for item in state.items)}
    for address, identities in shares.items():
        reader = _reader(run, address)
        if reader:
            by_address.setdefault(reader.address, (reader, set()))[1].update(identities)
        else:
            items = tuple(item for item in state.items if item.identity in identities)
            _leave(run, address, address.removeprefix(ON_CALL), items)
    return [
        (reader, tuple(item for item in state.items if item.identity in identities))
        for reader, identities in by_address.values()
    ]


def _reader(run: RuleRun, address: str) -> Reader | None:
    """Return the reader with an address: of a rotation the one whose turn it is, None where it is gone."""
    if not address.startswith(ON_CALL):
        return run.project.reader(address)
    rotation = run.project.people.on_call.get(address.removeprefix(ON_CALL))
    return rotation.at(run.now) if rotation else None


def _still_told(run: RuleRun, reader: Reader, items: Sequence[Item]) -> tuple[Item, ...]:
    """Return what the rule still tells a reader; what it does not waits in the queue for a person."""
    told: list[Item] = []
    others: list[Item] = []
    for item in items:
        if is_told(run, reader.address, about(run, Notification.of(item))):
            told.append(item)
        else:
            others.append(item)
    _leave(run, reader.address, reader.name, tuple(others))
    return tuple(told)


def _leave(run: RuleRun, address: str, name: str, items: tuple[Item, ...]) -> None:
    """Let items wait in the queue for a person, as nobody says any more whom to tell of them."""
    if items:
        left = DigestState(items=items, due=run.time, anyway=True)
        run.hold(address, left, Hold.READER_GONE, {"reader": name})


def _tell(run: RuleRun, reader: Reader, items: tuple[Item, ...]) -> None:
    """Tell a reader of items: in one message, or one by one where the rule has no digest any more."""
    notifications = [_notification(items)] if run.rule.digest else list(map(Notification.of, items))
    for notification in notifications:
        retry = Retry(do="tell", notification=notification, reader=reader.address)
        origin = f"{notification.origin}:{reader.address}"
        run.guarded(DigestState.KIND, origin, partial(deliver_to, run, reader, notification), retry)


def _notification(items: tuple[Item, ...]) -> Notification:
    return Notification(
        origin=f"{items[0].event_id}:{items[0].place}:digest:{made_of(items)}",
        items=items,
        alert=f"digest:{items[0].identity}",
        digest=True,
    )
