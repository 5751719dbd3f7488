"""Group: one message for what belongs together, as Alertmanager does it."""

from contextlib import suppress
from dataclasses import replace

from wbox_notify.engine import deliver, escalate, told
from wbox_notify.engine.item import Item, key_of, short
from wbox_notify.engine.notification import made_of
from wbox_notify.engine.rule_run import RuleRun, values_of
from wbox_notify.engine.state import GroupState, Notification
from wbox_notify.errors import WboxError
from wbox_notify.model.texts import Wording
from wbox_notify.rules.rule import Group

_NEVER = 366 * 86400.0


def add(run: RuleRun, how: Group, item: Item) -> None:
    """Put an item into its group; the group speaks when it is due.

    The end of what was told before the rule had groups is told by itself.
    """
    key = key_of(values_of(how.by, run.context(item)))
    state = run.recall(GroupState, key)
    if item.is_resolved and told.is_heard_alone(run, item):
        deliver.deliver(run, Notification.of(item))
        if state is None:
            return
    if state is None and item.is_resolved:
        run.decide(GroupState.KIND, "stopped", Wording("resolved, and its beginning was never notified"))
        return
    if state is None:
        state = GroupState(opened=item.event_id, since=run.time, due=run.time + how.wait)
    state = _hurried(replace(state, items={**state.items, item.identity: item}), how, item, run.time)
    if state.last is None and not state.fires:
        escalate.end(run, state.alert(key))  # it may have begun though nobody could be told
    run.remember(key, state, state.due)
    seconds = round(state.due - run.time)
    detail = Wording("added to group {key}; notification in {seconds} s", key=key, seconds=seconds)
    run.decide(GroupState.KIND, "waits", detail)


def _hurried(state: GroupState, how: Group, item: Item, now: float) -> GroupState:
    """Return a group that speaks sooner where a member is news."""
    if state.last is None or not _is_news(state, item):
        return state
    return replace(state, due=min(state.due, max(now, state.last + how.interval)))


def end(run: RuleRun, item: Item) -> None:
    """End the trouble of an item without a word, as the rule does not tell of its end."""
    run.decide("send", "stopped", Wording("resolved; the rule does not notify of that"))
    if run.rule.group:
        _leave(run, run.rule.group, item)
    else:
        deliver.end(run, Notification.of(item))


def _leave(run: RuleRun, how: Group, item: Item) -> None:
    key = key_of(values_of(how.by, run.context(item)))
    state = run.recall(GroupState, key)
    if state is None:
        return
    others = {name: other for name, other in state.items.items() if name != item.identity}
    if others:
        run.remember(key, replace(state, items=others), state.due)
    else:
        escalate.end(run, state.alert(key))
        run.forget(GroupState, key)


def _is_news(state: GroupState, item: Item) -> bool:
    """Return whether a group has not said what it has to say of a member."""
    return item.is_resolved == state.was_told(item)


def wake(run: RuleRun, how: Group, key: str) -> None:
    """Let a group speak that is due, if it has something to say."""
    state = run.recall(GroupState, key)
    if state is None:
        return
    if state.fires:
        _speak_or_wait(run, how, key, state)
        return
    if state.told is None:
        run.decide(GroupState.KIND, "stopped", Wording("resolved before the first notification"))
    elif state.items and how.resolved:
        _speak(run, key, state)
    elif state.items:
        escalate.end(run, state.alert(key))
        run.decide(GroupState.KIND, "stopped", Wording("resolved; the rule does not notify of that"))
    run.forget(GroupState, key)


def is_current(run: RuleRun, how: Group, key: str) -> bool:
    """Return whether the rule still puts what is in a group into that one, where its end will look for it."""
    state = run.recall(GroupState, key)
    item = next(iter(state.items.values()), None) if state else None
    if item is None:
        return True
    with suppress(WboxError):
        return key_of(values_of(how.by, run.context(item))) == key
    return False


def scattered(run: RuleRun, key: str) -> list[Item]:
    """Forget a group, as the rule has no such groups any more; return what it has not told."""
    state = run.recall(GroupState, key)
    run.forget(GroupState, key)
    run.decide(GroupState.KIND, "stopped", Wording("the rule has no group {key} any more", key=key))
    return [*state.untold, *state.resolved] if state else []


def _speak_or_wait(run: RuleRun, how: Group, key: str, state: GroupState) -> None:
    """Let a group speak of news, or of the same again when that is due."""
    repeat = _NEVER if how.repeat is None else how.repeat
    if state.last is not None and not state.untold and not state.resolved:
        again = state.last + repeat
        if again > run.time + 1.0:  # a member came and went, or readers were told after quiet hours
            run.remember(key, replace(state, due=again), again)
            run.decide(GroupState.KIND, "stopped", Wording("nothing new since the last notification"))
            return
    is_told = _speak(run, key, state)
    lasting = _lasting(state, is_told=is_told)
    due = run.time + (repeat if lasting else how.interval)
    state = replace(state, items=lasting, last=run.time, spoken=state.spoken + 1, due=due)
    if is_told:
        state = replace(state, told=frozenset(lasting))
    run.remember(key, state, due)


def _lasting(state: GroupState, *, is_told: bool) -> dict[str, Item]:
    """Return what stays in a group that has spoken: what fires, and an end of which nobody was told."""
    statuses = {"firing"} if is_told else {"firing", "resolved"}
    return {item.identity: item for item in state.members if item.status in statuses}


def _speak(run: RuleRun, key: str, state: GroupState) -> bool:
    """Let a group speak; return whether anybody is told, now, later or by a retry of what failed."""
    before = len(run.messages)
    items = state.members
    notification = Notification(
        origin=f"{state.opened}:{short(key)}:{state.spoken}:{made_of(items)}",
        items=items,
        alert=state.alert(key),
        group=key,
        since=state.since,
    )
    return deliver.deliver(run, notification) or len(run.messages) > before
