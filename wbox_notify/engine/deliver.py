"""Delivery to the readers of a rule, now or after their quiet hours."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from wbox_notify.engine import escalate
from wbox_notify.engine.item import Item, short
from wbox_notify.engine.notification import Notification, about, restore, retold, single, tell_left_out
from wbox_notify.engine.rule_run import RuleRun, messages_of
from wbox_notify.errors import MessageError
from wbox_notify.model.deliveries import Hold, PlannedMessage
from wbox_notify.model.messages import Message, Text
from wbox_notify.rules import Contact
from wbox_notify.rules.recipients import OnCall, Reader
from wbox_notify.rules.rule import Draft
from wbox_notify.templates import Template

QUIET_HOURS = "quiet_hours"

MOST = 500
"""How much waits for one reader at most; of more the number is told."""
_ENDLESS = timedelta(days=1)


def holds(run: RuleRun, reader: Reader, notification: Notification, context: Mapping[str, Any]) -> bool:
    """Return whether a reader is not to be disturbed now; what is to be told then waits, or is dropped."""
    end = ends(run, reader)
    if end is None or _is_urgent(run, notification, context):
        return False
    hours = run.rule.quiet_hours
    if hours and hours.then == "drop":
        run.decide(QUIET_HOURS, "stopped", f"dropped: quiet hours of {reader.name} until {end:%H:%M}")
        return True
    kept = {**(run.look(QUIET_HOURS, reader.address) or {"held": []})}
    others = [one for one in kept["held"] if one["alert"] != notification.alert]
    if notification.healed and len(others) < len(kept["held"]):
        run.decide(QUIET_HOURS, "stopped", f"healed before {reader.name} was told")
    elif len(others) >= MOST:
        kept["more"] = kept.get("more", 0) + 1
        run.decide(
            QUIET_HOURS, "stopped", f"{MOST} wait for {reader.name} already, who learns how many more came"
        )
    else:
        others.append(notification.keep())
        run.decide(QUIET_HOURS, "waits", f"{reader.name} is not disturbed before {end:%H:%M}")
    if others:
        run.remember(QUIET_HOURS, reader.address, {**kept, "held": others}, end.timestamp())
    else:
        run.forget(QUIET_HOURS, reader.address)
    return True


def ends(run: RuleRun, reader: Reader) -> datetime | None:
    """Return when the quiet hours end that are now, in the zone of the reader; None outside of them."""
    zone = reader.zone or run.project.settings.tz
    windows = [run.rule.quiet_hours.window] if run.rule.quiet_hours else []
    windows += [reader.quiet_hours] if reader.quiet_hours else []
    found = [
        (window.ends_after(run.now, zone) or run.now + _ENDLESS).astimezone(zone)
        for window in windows
        if window.contains(run.now, zone)
    ]
    return max(found, default=None)


def _is_urgent(run: RuleRun, notification: Notification, context: Mapping[str, Any]) -> bool:
    unless = run.rule.quiet_hours.unless if run.rule.quiet_hours else None
    return unless is not None and any(
        unless.truth({**context, **run.context(item)}) for item in notification.items
    )


_LONGEST = 4000
_WITH = ":with:"
"""What stands in the key of a text before the name of those that it was put together with."""


def deliver(run: RuleRun, notification: Notification) -> None:
    """Make the rule's messages for all readers; those in their quiet hours get them later."""
    context = about(run, notification)
    _deliver(run, run.readers(context), notification, context)


def deliver_to(run: RuleRun, reader: Reader, notification: Notification) -> None:
    """Make the rule's messages for one reader."""
    _deliver(run, [reader], notification, about(run, notification))


def _deliver(
    run: RuleRun, readers: list[Reader], notification: Notification, context: Mapping[str, Any]
) -> None:
    told = sum(
        _tell(run, reader, notification, context)
        for reader in readers
        if not holds(run, reader, notification, context)
    )
    if told:
        run.decide("send", "passed", messages_of(told))
    _escalate(run, notification, told)


def _escalate(run: RuleRun, notification: Notification, told: int) -> None:
    """Let the clock of the next person run from when somebody was told, until all is well."""
    if notification.healed:
        escalate.end(run, notification.alert)
    elif told:
        escalate.begin(run, notification)


def release(run: RuleRun, address: str) -> None:
    """Tell a reader, whose quiet hours are over, what still matters; texts to a phone arrive as one."""
    held = run.recall(QUIET_HOURS, address) or {"held": []}
    run.forget(QUIET_HOURS, address)
    reader = run.project.reader(address)
    before, left = len(run.messages), []
    for kept in _as_they_are_told_now(run, held["held"]):
        origin = f"{kept['origin']}:{address}"
        again = {"do": "tell", "occasion": kept, "reader": address}
        if not held.get("anyway") and not _is_told_of(run, address, kept):
            left.append(kept)
        else:
            run.guarded(QUIET_HOURS, origin, partial(_release, run, reader, kept), again)
    if not _asks_sent(run):
        run.messages[before:] = _merged(run.messages[before:])
    made = len([one for one in run.messages[before:] if one.message])
    if held["held"] and held.get("more"):
        tell_left_out(run, QUIET_HOURS, [reader], Item(**held["held"][-1]["subjects"][-1]), held["more"])
    if left:
        value = {"held": left, "anyway": True}
        run.hold(QUIET_HOURS, address, value, Hold.READER_GONE, {"reader": reader.name})
    if made:
        run.decide(QUIET_HOURS, "passed", f"{messages_of(made)} to {reader.name}")


def tell_again(run: RuleRun, reader: Reader, notification: Notification, again: Mapping[str, Any]) -> int:
    """Make those of an occasion's messages for a reader that a retry is about; return how many."""
    drafts = run.drafts_for(reader, run.rule.send, run.rule.translations)
    made = _told(run, reader, drafts, notification, about(run, notification), again)
    _escalate(run, notification, made)
    return made


def is_told(run: RuleRun, address: str, context: Mapping[str, Any]) -> bool:
    """Return whether the rule still tells a reader of something; turns count with all who take them."""
    if any(outlet.address == address for outlet in run.rule.via):
        return True
    return any(address in _phones(run, one, context) for one in run.rule.to)


def _phones(run: RuleRun, one: Contact | OnCall | Template, context: Mapping[str, Any]) -> set[str]:
    """Return the phones of all that a part of `to` may mean; none where it means nobody that is known."""
    try:
        people = run.project.people.named(one.render(context)) if isinstance(one, Template) else (one,)
    except MessageError:
        return set()
    return {
        contact.phone
        for person in people
        for contact in (person.rotation if isinstance(person, OnCall) else (person,))
    }


def _is_told_of(run: RuleRun, address: str, kept: Mapping[str, Any]) -> bool:
    return is_told(run, address, about(run, single(Item(**kept["subjects"][-1]))))


def _release(run: RuleRun, reader: Reader, kept: Mapping[str, Any]) -> None:
    notification = restore(run, kept)
    context = about(run, notification)
    if _still_matters(run, notification, context) and not holds(run, reader, notification, context):
        _escalate(run, notification, _tell(run, reader, notification, context))


def _as_they_are_told_now(run: RuleRun, held: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield notifications; parts of a group or a digest by themselves where the rule has none any more."""
    for kept in held:
        ungrouped = kept["group"] is not None and not run.rule.group
        if (ungrouped or (kept["digest"] and not run.rule.digest)) and not kept["healed"]:
            yield from (single(Item(**item)).keep() for item in kept["subjects"])
        else:
            yield kept


def _still_matters(run: RuleRun, notification: Notification, context: Mapping[str, Any]) -> bool:
    if (
        notification.group is not None
        and not notification.healed
        and not notification.extra["group"]["items"]
    ):
        run.decide(QUIET_HOURS, "stopped", "healed, never told")
        return False
    if all(condition.truth(context) for condition in run.rule.conditions):
        return True
    run.decide(QUIET_HOURS, "stopped", "it does not matter any more")
    return False


def _tell(run: RuleRun, reader: Reader, notification: Notification, context: Mapping[str, Any]) -> int:
    drafts = run.drafts_for(reader, run.rule.send, run.rule.translations)
    return _told(run, reader, drafts, notification, context, retold(run, notification))


def _told(
    run: RuleRun,
    reader: Reader,
    drafts: Sequence[Draft],
    notification: Notification,
    context: Mapping[str, Any],
    again: Mapping[str, Any],
) -> int:
    before = len(run.messages)
    made = run.fill(reader, drafts, notification.origin, context, again)
    run.messages[before:] = [replace(one, events=notification.events) for one in run.messages[before:]]
    return made


def _asks_sent(run: RuleRun) -> bool:
    """Say whether a step asks what was sent, so that the messages of each have to be found again."""
    steps = run.rule.escalate
    asked = (one for step in steps for one in (step.unless, step.condition) if one)
    return any("sent" in one.names for one in asked)


def _merged(planned: list[PlannedMessage]) -> list[PlannedMessage]:
    """Return the messages with the texts of each device put together, as far as one message can hold them.

    The key of what is put together names all that is in it.
    """
    merged: list[PlannedMessage] = []
    last: dict[int | None, int] = {}
    for one in planned:
        text = one.message
        place = last.get(text.device_id) if isinstance(text, Text) else None
        joined = _joined(merged[place].message, text) if place is not None else None
        if place is not None and joined:
            first = merged[place]
            key = f"{first.key.partition(_WITH)[0]}{_WITH}{short(f'{first.key} {one.key}')}"
            merged[place] = replace(first, key=key, message=joined, events=(*first.events, *one.events))
            continue
        if isinstance(text, Text):
            last[text.device_id] = len(merged)
        merged.append(one)
    return merged


def _joined(first: Message | None, second: Message | None) -> Text | None:
    """Return two texts as one, or None where that would be too long."""
    if not isinstance(first, Text) or not isinstance(second, Text):
        return None
    text = f"{first.message}\n\n{second.message}"
    return replace(first, message=text) if len(text) <= _LONGEST else None
