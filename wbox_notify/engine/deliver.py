"""Delivery of notifications to the readers of a rule, now or after their quiet hours."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from wbox_notify.engine import dedupe, escalate, told
from wbox_notify.engine.item import short
from wbox_notify.engine.notification import about, as_now, tell_left_out, told_again
from wbox_notify.engine.rule_run import RuleRun, messages_of
from wbox_notify.engine.state import GroupState, Notification, QuietState, Retry
from wbox_notify.errors import MessageError
from wbox_notify.model.deliveries import Hold, PlannedMessage
from wbox_notify.model.messages import Message, Text
from wbox_notify.rules import Contact
from wbox_notify.rules.recipients import OnCall, Reader
from wbox_notify.templates import Template

MOST = 500
"""How much waits for one reader at most; of more the number is told."""
_ENDLESS = timedelta(days=1)
_LONGEST = 4000
_WITH = ":with:"
"""What stands in the key of a text before the name of those that it was put together with."""


def deliver(run: RuleRun, notification: Notification) -> None:
    """Make the rule's messages for all readers; those in their quiet hours get them later."""
    context = about(run, notification)
    if not _deliver(run, run.readers(context), notification, context):
        for item in notification.items:
            dedupe.forget(run, item)


def end(run: RuleRun, notification: Notification) -> None:
    """End a trouble without a word: what waits of it for readers is dropped, and nobody is called."""
    for reader in run.readers(about(run, notification)):
        state = run.recall(QuietState, reader.address) or QuietState()
        older, others = state.taken(notification.alert)
        if older:
            _keep(run, reader, others)
        told.note(run, reader, notification, heard=True)
    escalate.end(run, notification.alert)


def deliver_to(run: RuleRun, reader: Reader, notification: Notification) -> None:
    """Make the rule's messages for one reader."""
    _deliver(run, [reader], notification, about(run, notification))


def _deliver(
    run: RuleRun, readers: Sequence[Reader], notification: Notification, context: Mapping[str, Any]
) -> bool:
    """Make messages for readers; return whether any of them is told now, or is to be told later."""
    number, is_held = 0, False
    for reader in readers:
        if _held_back(run, reader, notification, context):
            is_held = not drops(run)
        else:
            number += _tell_now(run, reader, notification)
    if number:
        run.decide("send", "passed", messages_of(number))
    _escalate(run, notification, number)
    return is_held or number > 0


def _tell_now(run: RuleRun, reader: Reader, notification: Notification, *, waited: bool = False) -> int:
    """Make the rule's messages for a reader, also of what still waits of the same alert; return how many."""
    if notification.item.status:
        state = run.recall(QuietState, reader.address) or QuietState()
        older, others = state.taken(notification.alert)
        if older:
            notification, waited = older.joined(notification), True
            _keep(run, reader, others)
    news = told.news(run, reader, notification, waited=waited)
    if news:
        return _tell(run, reader, news, about(run, news), told_again(run, news))
    run.decide("send", "stopped", _no_end(reader))
    return 0


def _no_end(reader: Reader) -> str:
    return f"{reader.name} knows of no trouble that this ends"


def _tell(
    run: RuleRun, reader: Reader, notification: Notification, context: Mapping[str, Any], retry: Retry
) -> int:
    """Make the rule's messages of a notification for a reader; return how many."""
    before = len(run.messages)
    drafts = run.drafts_for(reader, run.rule.send, run.rule.translations)
    number = run.fill(reader, drafts, notification.origin, context, retry)
    events = notification.events
    run.messages[before:] = [replace(planned, events=events) for planned in run.messages[before:]]
    if number:
        told.note(run, reader, notification, heard=True)
    return number


def _escalate(run: RuleRun, notification: Notification, number: int) -> None:
    """Let the clock of the next person run from when somebody was told, until all is well."""
    if notification.healed:
        escalate.end(run, notification.alert)
    elif number:
        escalate.begin(run, notification)


def tell_again(run: RuleRun, reader: Reader, notification: Notification, retry: Retry) -> int:
    """Make those of a notification's messages for a reader that a retry is about; return how many."""
    number = _tell(run, reader, notification, about(run, notification), retry)
    _escalate(run, notification, number)
    return number


def is_told(run: RuleRun, address: str, context: Mapping[str, Any]) -> bool:
    """Return whether the rule still tells a reader of something; turns count with all who take them."""
    if any(outlet.address == address for outlet in run.rule.via):
        return True
    return any(address in _phones(run, part, context) for part in run.rule.to)


def _phones(run: RuleRun, part: Contact | OnCall | Template, context: Mapping[str, Any]) -> set[str]:
    """Return the phones of all that a part of `to` may mean; none where it means nobody that is known."""
    people: Sequence[Contact | OnCall]
    if isinstance(part, Template):
        try:
            people = run.project.people.named(part.render(context))
        except MessageError:
            return set()
    else:
        people = (part,)
    phones: set[str] = set()
    for person in people:
        contacts = person.rotation if isinstance(person, OnCall) else (person,)
        phones |= {contact.phone for contact in contacts}
    return phones


def _held_back(run: RuleRun, reader: Reader, notification: Notification, context: Mapping[str, Any]) -> bool:
    """Return whether quiet hours keep a notification from a reader now: it waits, or is dropped."""
    end = quiet_until(run, reader)
    if end is None or _is_urgent(run, notification, context):
        return False
    if drops(run):
        run.decide(QuietState.KIND, "stopped", f"dropped: quiet hours of {reader.name} until {end:%H:%M}")
        told.note(run, reader, notification, heard=False)
    else:
        _hold(run, reader, notification, end)
    return True


def drops(run: RuleRun) -> bool:
    """Return whether the rule drops what it would tell in quiet hours."""
    return run.rule.quiet_hours is not None and run.rule.quiet_hours.then == "drop"


def _hold(run: RuleRun, reader: Reader, notification: Notification, end: datetime) -> None:
    """Let a notification wait for the end of quiet hours, together with an older one of the same alert."""
    state = run.recall(QuietState, reader.address) or QuietState()
    older, state = state.taken(notification.alert)
    if older:
        notification = older.joined(notification)
    news = told.news(run, reader, notification, waited=older is not None)
    if news is None:
        run.decide(QuietState.KIND, "stopped", _no_end(reader))
    elif len(state.held) >= MOST:
        state = replace(state, more=state.more + 1)
        detail = f"{MOST} notifications wait for {reader.name} already; the others are counted"
        run.decide(QuietState.KIND, "stopped", detail)
    else:
        state = replace(state, held=(*state.held, news))
        run.decide(QuietState.KIND, "waits", f"held until {end:%H:%M} (quiet hours of {reader.name})")
    _keep(run, reader, state)


def _keep(run: RuleRun, reader: Reader, state: QuietState) -> None:
    """Keep what waits for a reader until the end of quiet hours; where there are none any more, until now."""
    if state.held:
        end = quiet_until(run, reader) or run.now
        run.remember(reader.address, state, end.timestamp())
    else:
        run.forget(QuietState, reader.address)


def quiet_until(run: RuleRun, reader: Reader) -> datetime | None:
    """Return when the quiet hours end that are now, in the zone of the reader; None outside of them."""
    zone = reader.zone or run.project.settings.tz
    windows = [reader.quiet_hours]
    if run.rule.quiet_hours:
        windows.append(run.rule.quiet_hours.window)
    ends = []
    for window in windows:
        if window and window.contains(run.now, zone):
            end = window.ends_after(run.now, zone) or run.now + _ENDLESS
            ends.append(end.astimezone(zone))
    return max(ends, default=None)


def _is_urgent(run: RuleRun, notification: Notification, context: Mapping[str, Any]) -> bool:
    if run.rule.quiet_hours is None or run.rule.quiet_hours.unless is None:
        return False
    unless = run.rule.quiet_hours.unless
    return any(unless.truth({**context, **run.context(item)}) for item in notification.items)


def release(run: RuleRun, address: str) -> None:
    """Tell a reader, whose quiet hours are over, what still matters; texts to a phone arrive as one."""
    state = run.recall(QuietState, address) or QuietState()
    run.forget(QuietState, address)
    reader = run.project.reader(address)
    left: list[Notification] = []
    wanted: list[Notification] = []
    for notification in _as_told_now(run, state.held):
        if state.anyway or is_told(run, address, about(run, Notification.of(notification.item))):
            wanted.append(notification)
        else:
            left.append(notification)
    number = _release_all(run, reader, wanted)
    if state.held and state.more:
        tell_left_out(run, QuietState.KIND, [reader], state.held[-1].item, state.more)
    if left:
        facts = {"reader": reader.name}
        run.hold(address, QuietState(held=tuple(left), anyway=True), Hold.READER_GONE, facts)
    if number:
        run.decide(QuietState.KIND, "passed", f"{messages_of(number)} to {reader.name}")


def _release_all(run: RuleRun, reader: Reader, held: Sequence[Notification]) -> int:
    """Tell a reader of notifications, one that fails spoils no other; return how many messages that are."""
    before = len(run.messages)
    for notification in held:
        retry = Retry(do="tell", notification=notification, reader=reader.address)
        work = partial(_release, run, reader, notification)
        run.guarded(QuietState.KIND, f"{notification.origin}:{reader.address}", work, retry)
    if not _asks_sent(run):
        run.messages[before:] = _merged(run.messages[before:])
    return sum(planned.message is not None for planned in run.messages[before:])


def _release(run: RuleRun, reader: Reader, held: Notification) -> None:
    notification = as_now(run, held)
    if _ends_silently(run, notification):
        run.decide(QuietState.KIND, "stopped", "resolved; the rule does not notify of that")
    elif not _held_back(run, reader, notification, about(run, notification)):
        number = _tell_now(run, reader, notification, waited=True)
        _escalate(run, notification, number)
        _note_repeat(run, notification)


def _ends_silently(run: RuleRun, notification: Notification) -> bool:
    return notification.healed and run.rule.group is not None and not run.rule.group.resolved


def _note_repeat(run: RuleRun, notification: Notification) -> None:
    """Let the time after which a group says the same again count from now."""
    if notification.group is not None:
        state = run.recall(GroupState, notification.group)
        if state and state.alert(notification.group) == notification.alert:
            run.remember(notification.group, replace(state, last=run.time), state.due)


def _as_told_now(run: RuleRun, held: Sequence[Notification]) -> Iterator[Notification]:
    """Yield notifications; parts of a group or a digest by themselves where the rule has none any more."""
    for notification in held:
        ungrouped = notification.group is not None and not run.rule.group
        undigested = notification.digest and not run.rule.digest
        if (ungrouped or undigested) and not notification.healed:
            yield from map(Notification.of, notification.items)
        else:
            yield notification


def _asks_sent(run: RuleRun) -> bool:
    """Say whether a step asks what was sent, so that the messages of each have to be found again."""
    for step in run.rule.escalate:
        for expression in (step.unless, step.condition):
            if expression and "sent" in expression.names:
                return True
    return False


def _merged(planned: list[PlannedMessage]) -> list[PlannedMessage]:
    """Return the messages with the texts of each device put together, as far as one message can hold them.

    What comes between two of them, such as a picture, stays between them.

    The key of what is put together names all that is in it.
    """
    merged: list[PlannedMessage] = []
    places: dict[int | None, int] = {}
    for message in planned:
        text = message.message
        if not isinstance(text, Text):
            places.clear()
            merged.append(message)
            continue
        place = places.get(text.device_id)
        if place is not None:
            first = merged[place]
            joined = _joined(first.message, text)
            if joined:
                key = f"{first.key.partition(_WITH)[0]}{_WITH}{short(f'{first.key} {message.key}')}"
                events = (*first.events, *message.events)
                merged[place] = replace(first, key=key, message=joined, events=events)
                continue
        places[text.device_id] = len(merged)
        merged.append(message)
    return merged


def _joined(first: Message | None, second: Text) -> Text | None:
    """Return two texts as one, or None where that would be too long."""
    if not isinstance(first, Text):
        return None
    text = f"{first.message}\n\n{second.message}"
    if len(text) > _LONGEST:
        return None
    return replace(first, message=text)
