"""Delivery of notifications to the readers of a rule, now or after their quiet hours."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from wbox_notify.engine import dedupe, escalate, quiet, remind, silence, told
from wbox_notify.engine.item import short
from wbox_notify.engine.notification import about, as_now, told_again
from wbox_notify.engine.rule_run import RuleRun, messages_of
from wbox_notify.engine.state import GroupState, Notification, QuietState, Retry
from wbox_notify.errors import MessageError, WboxError
from wbox_notify.model.deliveries import Hold, PlannedMessage
from wbox_notify.model.messages import Message, Text
from wbox_notify.model.texts import Wording
from wbox_notify.rules.recipients import Contact, OnCall, Reader
from wbox_notify.rules.rule import Step
from wbox_notify.templates import Template

_LONGEST = 4000
_WITH = ":with:"
"""What stands in the key of a text before the name of those that it was put together with."""


def deliver(run: RuleRun, notification: Notification) -> bool:
    """Make the rule's messages for all readers; return whether anybody is told, now or later."""
    with _escalating(run, notification):
        context = about(run, notification)
        readers = run.readers(context)
        if notification.healed:
            readers += _before(run, notification, readers, context)
        is_told = _deliver(run, readers, notification, context)
    if not is_told:
        for item in notification.items:
            dedupe.forget(run, item)
    return is_told


@contextmanager
def _escalating(run: RuleRun, notification: Notification) -> Iterator[None]:
    """Let an escalation begin, or end, though nobody can be told: the next person is to hear of trouble."""
    try:
        yield
    except WboxError:
        follow = partial(escalate.begin, run, notification)
        if notification.healed:
            follow = partial(escalate.end, run, notification.alert)
        run.despite.append(follow)
        raise


def _before(
    run: RuleRun, notification: Notification, readers: Sequence[Reader], context: Mapping[str, Any]
) -> list[Reader]:
    """Return who heard of a trouble that is over, and has handed the turn over since."""
    now = {reader.address for reader in readers}
    others = (address for address in told.who(run, notification) if address not in now)
    return [run.project.reader(address) for address in others if is_told(run, address, context)]


def end(run: RuleRun, notification: Notification) -> None:
    """End a trouble without a word: what waits of it for readers is dropped, and nobody is called."""
    with _escalating(run, notification):
        for reader in run.readers(about(run, notification)):
            quiet.take(run, reader, notification)
            told.note(run, reader, notification, heard=True)
    escalate.end(run, notification.alert)


def deliver_to(run: RuleRun, reader: Reader, notification: Notification) -> None:
    """Make the rule's messages for one reader."""
    with _escalating(run, notification):
        _deliver(run, [reader], notification, about(run, notification))


def _deliver(
    run: RuleRun, readers: Sequence[Reader], notification: Notification, context: Mapping[str, Any]
) -> bool:
    """Make messages for readers; return whether any of them is told now, or is to be told later."""
    if silence.holds(run, readers, notification):
        return False
    number, is_held, before = 0, False, len(run.messages)
    for reader in readers:
        if quiet.holds(run, reader, notification, context):
            is_held = not quiet.drops(run)
        else:
            number += _tell_now(run, reader, notification, context)
    if number:
        run.decide("send", "passed", messages_of(number))
    _escalate(run, notification, len(run.messages) - before)
    return is_held or number > 0


def _tell_now(
    run: RuleRun,
    reader: Reader,
    notification: Notification,
    context: Mapping[str, Any],
    *,
    waited: bool = False,
) -> int:
    """Make the rule's messages for a reader, also of what still waits of the same alert; return how many.

    ``context`` are the names that the notification gives.
    """
    whole = notification
    if notification.item.status:
        older = quiet.take(run, reader, notification)
        if older:
            notification, waited = older.joined(notification), True
    news = told.news(run, reader, notification, waited=waited)
    if news:
        if news is not whole:
            context = about(run, news)
        return _tell(run, reader, news, context, told_again(run, news))
    run.decide("send", "stopped", told.unknown(reader))
    return 0


def _tell(
    run: RuleRun, reader: Reader, notification: Notification, context: Mapping[str, Any], retry: Retry
) -> int:
    """Make the rule's messages of a notification for a reader; return how many."""
    before = len(run.messages)
    drafts = run.drafts_for(reader, run.rule.send, run.rule.translations)
    number = run.fill(reader, drafts, notification.origin, context, retry)
    events, terms = notification.events, remind.terms(run, notification.item)
    run.messages[before:] = [
        replace(planned, events=events, terms=terms) for planned in run.messages[before:]
    ]
    if number:
        told.note(run, reader, notification, heard=True)
    return number


def _escalate(run: RuleRun, notification: Notification, number: int) -> None:
    """Let the clock of the next person run from the first messages, made or failed, until all is well."""
    if notification.healed:
        escalate.end(run, notification.alert)
    elif number:
        escalate.begin(run, notification)


def tell_again(run: RuleRun, reader: Reader, notification: Notification, retry: Retry) -> int:
    """Make those of a notification's messages for a reader that a retry is about; return how many."""
    number = _tell(run, reader, notification, about(run, notification), retry)
    _escalate(run, notification, number)
    return number


def is_told(run: RuleRun, address: str, context: Mapping[str, Any], step: Step | None = None) -> bool:
    """Return whether the rule, or a step of it, still tells a reader; turns count with all who take them."""
    by = step or run.rule
    if any(outlet.address == address for outlet in by.via):
        return True
    return any(address in _phones(run, part, context) for part in by.to)


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


def release(run: RuleRun, address: str) -> None:
    """Tell a reader, whose quiet hours are over, what still matters; texts to a phone arrive as one."""
    state = run.recall(QuietState, address) or QuietState()
    run.forget(QuietState, address)
    reader = run.project.reader(address)
    left: list[Notification] = []
    wanted: list[Notification] = []
    for notification in _as_told_now(run, state.held):
        is_wanted = state.anyway or _is_wanted(run, reader, notification)
        (wanted if is_wanted else left).append(notification)
    number = _release_all(run, reader, wanted)
    if state.more:
        last = state.last or state.held[-1].item
        quiet.tell_left_out(run, QuietState.KIND, [reader], last, state.more)
    for origin, text in state.notes.items():
        quiet.say(run, reader, text, origin)
    if left:
        facts = {"reader": reader.name}
        run.hold(address, QuietState(held=tuple(left), anyway=True), Hold.READER_GONE, facts)
    if number:
        run.decide(
            QuietState.KIND,
            "passed",
            Wording("{messages} to {reader}", messages=messages_of(number), reader=reader.name),
        )


def _is_wanted(run: RuleRun, reader: Reader, notification: Notification) -> bool:
    """Return whether the rule still tells a reader of something."""
    context = about(run, Notification.of(notification.item))
    if notification.step is None:
        return is_told(run, reader.address, context)
    step = escalate.step_of(run, notification.step)
    return step is not None and is_told(run, reader.address, {**context, **escalate.UNANSWERED}, step)


def _release_all(run: RuleRun, reader: Reader, held: Sequence[Notification]) -> int:
    """Tell a reader of notifications, one that fails spoils no other; return how many messages that are."""
    before = len(run.messages)
    for notification in held:
        step = notification.step
        retry = Retry(do="tell", notification=notification, reader=reader.address, step=step)
        work = partial(_release, run, reader, notification)
        run.guarded(QuietState.KIND, f"{notification.origin}:{reader.address}", work, retry)
    if not _asks_sent(run):
        run.messages[before:] = _merged(run.messages[before:])
    return sum(planned.message is not None for planned in run.messages[before:])


def _release(run: RuleRun, reader: Reader, held: Notification) -> None:
    if held.step is not None:
        escalate.tell_late(run, reader, held)
        return
    with _escalating(run, held):
        _release_first(run, reader, as_now(run, held))


def _release_first(run: RuleRun, reader: Reader, notification: Notification) -> None:
    if remind.is_past(run, notification.item):
        run.decide(QuietState.KIND, "stopped", Wording("the date of the reminder is past"))
    elif _ends_silently(run, notification):
        run.decide(QuietState.KIND, "stopped", Wording("resolved; the rule does not notify of that"))
    elif silence.holds(run, [reader], notification):
        return
    elif not quiet.holds(run, reader, notification, context := about(run, notification)):
        before = len(run.messages)
        _tell_now(run, reader, notification, context, waited=True)
        _escalate(run, notification, len(run.messages) - before)
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
