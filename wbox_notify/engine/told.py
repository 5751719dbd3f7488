"""Told: which troubles each reader has heard of, so that whoever heard of one also hears that it is over."""

from dataclasses import replace

from wbox_notify.engine.item import Item, key_of, short
from wbox_notify.engine.notification import about
from wbox_notify.engine.rule_run import RuleRun, values_of
from wbox_notify.engine.state import EscalationState, GroupState, Notification, QuietState, ToldState
from wbox_notify.errors import WboxError
from wbox_notify.model.texts import Wording
from wbox_notify.rules.recipients import Reader
from wbox_notify.rules.rule import Group

_DAY = 86400.0
_LASTING, _OVER = 30 * _DAY, _DAY
"""Seconds for which it is known who heard of a trouble: while it lasts, and after its end."""


def note(run: RuleRun, reader: Reader, notification: Notification, *, heard: bool) -> None:
    """Note what a reader knows now of a trouble: all of it, or no more than before."""
    firing, over = _members(notification, "firing"), _members(notification, "resolved")
    if notification.digest or not firing | over:
        return
    key = short(notification.alert)
    readers = {**(run.recall(ToldState, key) or ToldState()).readers}
    known = readers.get(reader.address, frozenset())
    readers[reader.address] = known - over | firing if heard else known
    kept = _LASTING if firing or any(readers.values()) else _OVER
    run.remember(key, ToldState(readers=readers), run.time + kept)


def _members(notification: Notification, status: str) -> frozenset[str]:
    return frozenset(item.identity for item in notification.items if item.status == status)


def who(run: RuleRun, notification: Notification) -> list[str]:
    """Return the addresses of all who heard of a trouble."""
    state = run.recall(ToldState, short(notification.alert)) or ToldState()
    return [address for address, members in state.readers.items() if members]


def unknown(reader: Reader) -> Wording:
    """Return why a reader is not told that something is over."""
    return Wording("{reader} knows of no trouble that this ends", reader=reader.name)


def is_known(run: RuleRun, item: Item) -> bool:
    """Return whether anybody was told of the alert of an item, or is to be told of it by now."""
    key = short(item.identity)
    known = (run.recall(ToldState, key), run.recall(EscalationState, key))
    return any(known) or _waits(run, item)


def is_heard(run: RuleRun, item: Item) -> bool:
    """Return whether the trouble of an item need not be told once more: somebody heard of it, or it waits."""
    queues = run.rule.throttle is not None and run.rule.throttle.overflow == "queue"
    if run.rule.digest or queues:
        return True
    if run.rule.group:
        return _is_in_group(run, run.rule.group, item)
    return is_heard_alone(run, item)


def _is_in_group(run: RuleRun, how: Group, item: Item) -> bool:
    """Return whether a group has told of an item, or is yet to speak for the first time."""
    state = run.recall(GroupState, key_of(values_of(how.by, run.context(item))))
    if state is None or item.identity not in state.items:
        return False
    return state.last is None or state.was_told(item)


def is_heard_alone(run: RuleRun, item: Item) -> bool:
    """Return whether somebody heard of the trouble of an item by itself, or it waits."""
    state = run.recall(ToldState, short(item.identity)) or ToldState()
    return any(item.identity in known for known in state.readers.values()) or _waits(run, item)


def _waits(run: RuleRun, item: Item) -> bool:
    try:
        readers = run.readers(about(run, Notification.of(item)))
    except WboxError:
        return False  # for nobody; a stage that tells them says what is wrong
    for reader in readers:
        waiting = run.recall(QuietState, reader.address) or QuietState()
        if waiting.taken(Notification.of(item))[0]:
            return True
    return False


def _tells_of_ends(notification: Notification) -> bool:
    """Return whether a notification tells of ends that somebody may not have heard the beginning of."""
    if notification.digest or notification.step is not None:
        return False
    return any(item.is_resolved for item in notification.items)


def news(
    run: RuleRun, reader: Reader, notification: Notification, *, waited: bool = False
) -> Notification | None:
    """Return a notification without the ends of what a reader did not hear of; None where nothing is left.

    Where nothing is known of a trouble, its end is told, unless all of it ``waited`` for the reader.
    """
    if not _tells_of_ends(notification):
        return notification
    state = run.recall(ToldState, short(notification.alert)) or ToldState()
    if reader.address not in state.readers and not waited:
        return notification
    known = state.readers.get(reader.address, frozenset())
    items = tuple(item for item in notification.items if item.identity in known or not item.is_resolved)
    if items:
        return replace(notification, items=items)
    note(run, reader, notification, heard=False)
    return None
