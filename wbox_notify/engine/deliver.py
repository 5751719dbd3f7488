"""To and send: messages for everybody who is to have them, when they may be disturbed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from wbox_notify.engine import escalate, left_out, quiet_hours
from wbox_notify.engine.item import Subject
from wbox_notify.engine.names import short
from wbox_notify.engine.notification import Notification, about, restore, retold, single
from wbox_notify.engine.rule_run import RuleRun, messages_of
from wbox_notify.errors import MessageError
from wbox_notify.model.deliveries import PlannedMessage
from wbox_notify.model.messages import Message, Text
from wbox_notify.rules import Contact
from wbox_notify.rules.recipients import OnCall, Reader
from wbox_notify.rules.rule import Draft
from wbox_notify.templates import Template

_LONGEST = 4000
_WITH = ":with:"
"""What stands in the key of a text before the name of those that it was put together with."""


def deliver(turn: RuleRun, occasion: Notification) -> None:
    """Make the rule's messages for all readers; those in their quiet hours get them later."""
    context = about(turn, occasion)
    _deliver(turn, turn.readers(context), occasion, context)


def deliver_to(turn: RuleRun, reader: Reader, occasion: Notification) -> None:
    """Make the rule's messages for one reader."""
    _deliver(turn, [reader], occasion, about(turn, occasion))


def _deliver(
    turn: RuleRun, readers: list[Reader], occasion: Notification, context: Mapping[str, Any]
) -> None:
    told = sum(
        _tell(turn, reader, occasion, context)
        for reader in readers
        if not quiet_hours.holds(turn, reader, occasion, context)
    )
    if told:
        turn.decide("send", "passed", messages_of(told))
    _escalate(turn, occasion, told)


def _escalate(turn: RuleRun, occasion: Notification, told: int) -> None:
    """Let the clock of the next person run from when somebody was told, until all is well."""
    if occasion.healed:
        escalate.end(turn, occasion.alert)
    elif told:
        escalate.begin(turn, occasion)


def release(turn: RuleRun, address: str) -> None:
    """Tell a reader, whose quiet hours are over, what still matters; texts to a phone arrive as one."""
    held = turn.recall(quiet_hours.KIND, address) or {"held": []}
    turn.forget(quiet_hours.KIND, address)
    reader = turn.project.reader(address)
    before, left = len(turn.messages), []
    for kept in _as_they_are_told_now(turn, held["held"]):
        origin = f"{kept['origin']}:{address}"
        again = {"do": "tell", "occasion": kept, "reader": address}
        if not held.get("anyway") and not _is_told_of(turn, address, kept):
            left.append(kept)
        else:
            turn.guarded(quiet_hours.KIND, origin, partial(_release, turn, reader, kept), again)
    if not _asks_sent(turn):
        turn.messages[before:] = _merged(turn.messages[before:])
    made = len([one for one in turn.messages[before:] if one.message])
    if held["held"] and held.get("more"):
        left_out.tell(
            turn, quiet_hours.KIND, [reader], Subject(**held["held"][-1]["subjects"][-1]), held["more"]
        )
    if left:
        why = f"{reader.name} is not told by this rule any more"
        turn.hold(quiet_hours.KIND, address, {"held": left, "anyway": True}, why)
    if made:
        turn.decide(quiet_hours.KIND, "passed", f"{messages_of(made)} to {reader.name}")


def tell_again(turn: RuleRun, reader: Reader, occasion: Notification, again: Mapping[str, Any]) -> int:
    """Make those of an occasion's messages for a reader that a retry is about; return how many."""
    drafts = turn.drafts_for(reader, turn.rule.send, turn.rule.translations)
    made = _told(turn, reader, drafts, occasion, about(turn, occasion), again)
    _escalate(turn, occasion, made)
    return made


def is_told(turn: RuleRun, address: str, context: Mapping[str, Any]) -> bool:
    """Return whether the rule still tells a reader of something; turns count with all who take them."""
    if any(outlet.address == address for outlet in turn.rule.via):
        return True
    return any(address in _phones(turn, one, context) for one in turn.rule.to)


def _phones(turn: RuleRun, one: Contact | OnCall | Template, context: Mapping[str, Any]) -> set[str]:
    """Return the phones of all that a part of `to` may mean; none where it means nobody that is known."""
    try:
        people = turn.project.people.named(one.render(context)) if isinstance(one, Template) else (one,)
    except MessageError:
        return set()
    return {
        contact.phone
        for person in people
        for contact in (person.rotation if isinstance(person, OnCall) else (person,))
    }


def _is_told_of(turn: RuleRun, address: str, kept: Mapping[str, Any]) -> bool:
    return is_told(turn, address, about(turn, single(Subject(**kept["subjects"][-1]))))


def _release(turn: RuleRun, reader: Reader, kept: Mapping[str, Any]) -> None:
    occasion = restore(turn, kept)
    context = about(turn, occasion)
    if _still_matters(turn, occasion, context) and not quiet_hours.holds(turn, reader, occasion, context):
        _escalate(turn, occasion, _tell(turn, reader, occasion, context))


def _as_they_are_told_now(turn: RuleRun, held: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield occasions; the parts of a group or a digest by themselves where the rule has none any more."""
    for kept in held:
        ungrouped = kept["group"] is not None and not turn.rule.group
        if (ungrouped or (kept["digest"] and not turn.rule.digest)) and not kept["healed"]:
            yield from (single(Subject(**subject)).keep() for subject in kept["subjects"])
        else:
            yield kept


def _still_matters(turn: RuleRun, occasion: Notification, context: Mapping[str, Any]) -> bool:
    if occasion.group is not None and not occasion.healed and not occasion.extra["group"]["items"]:
        turn.decide(quiet_hours.KIND, "stopped", "healed, never told")
        return False
    if all(condition.truth(context) for condition in turn.rule.conditions):
        return True
    turn.decide(quiet_hours.KIND, "stopped", "it does not matter any more")
    return False


def _tell(turn: RuleRun, reader: Reader, occasion: Notification, context: Mapping[str, Any]) -> int:
    drafts = turn.drafts_for(reader, turn.rule.send, turn.rule.translations)
    return _told(turn, reader, drafts, occasion, context, retold(turn, occasion))


def _told(
    turn: RuleRun,
    reader: Reader,
    drafts: Sequence[Draft],
    occasion: Notification,
    context: Mapping[str, Any],
    again: Mapping[str, Any],
) -> int:
    before = len(turn.messages)
    made = turn.fill(reader, drafts, occasion.origin, context, again)
    turn.messages[before:] = [replace(one, events=occasion.events) for one in turn.messages[before:]]
    return made


def _asks_sent(turn: RuleRun) -> bool:
    """Say whether a step asks what was sent, so that the messages of each occasion have to be found again."""
    steps = turn.rule.escalate
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
