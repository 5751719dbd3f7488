"""To and send: messages for everybody who is to have them, when they may be disturbed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from wbox_notify.deliveries import Planned
from wbox_notify.engine import escalate, quiet
from wbox_notify.engine.occasion import Occasion, about, restore
from wbox_notify.engine.turn import Turn, messages_of
from wbox_notify.messages import Message, Text
from wbox_notify.rules.people import Reader

_LONGEST = 4000


def deliver(turn: Turn, occasion: Occasion) -> None:
    """Make the rule's messages for all readers; those in their quiet hours get them later."""
    context = about(turn, occasion)
    _deliver(turn, turn.readers(context), occasion, context)


def deliver_to(turn: Turn, reader: Reader, occasion: Occasion) -> None:
    """Make the rule's messages for one reader."""
    _deliver(turn, [reader], occasion, about(turn, occasion))


def _deliver(turn: Turn, readers: list[Reader], occasion: Occasion, context: Mapping[str, Any]) -> None:
    told = sum(
        _tell(turn, reader, occasion, context)
        for reader in readers
        if not quiet.holds(turn, reader, occasion, context)
    )
    if told:
        turn.decide("send", "passed", messages_of(told))
    _escalate(turn, occasion, told)


def _escalate(turn: Turn, occasion: Occasion, told: int) -> None:
    """Let the clock of the next person run from when somebody was told, until all is well."""
    if occasion.healed:
        escalate.end(turn, occasion.alert)
    elif told:
        escalate.begin(turn, occasion)


def release(turn: Turn, address: str) -> None:
    """Tell a reader, whose quiet hours are over, what still matters; texts to a phone arrive as one."""
    held = turn.recall(quiet.KIND, address)
    turn.forget(quiet.KIND, address)
    reader = turn.project.reader(address)
    before = len(turn.messages)
    for kept in held["held"] if held else ():
        occasion = restore(turn, kept)
        context = about(turn, occasion)
        if _still_matters(turn, occasion, context) and not quiet.holds(turn, reader, occasion, context):
            _escalate(turn, occasion, _tell(turn, reader, occasion, context))
    if not _asks_sent(turn):
        turn.messages[before:] = _merged(turn.messages[before:])
    made = len(turn.messages) - before
    if made:
        turn.decide(quiet.KIND, "passed", f"{messages_of(made)} to {reader.name}")


def _still_matters(turn: Turn, occasion: Occasion, context: Mapping[str, Any]) -> bool:
    if occasion.group is not None and not occasion.healed and not occasion.extra["group"]["items"]:
        turn.decide(quiet.KIND, "stopped", "healed, never told")
        return False
    if all(condition.truth(context) for condition in turn.rule.conditions):
        return True
    turn.decide(quiet.KIND, "stopped", "it does not matter any more")
    return False


def _tell(turn: Turn, reader: Reader, occasion: Occasion, context: Mapping[str, Any]) -> int:
    drafts = turn.drafts_for(reader, turn.rule.send, turn.rule.translations)
    before = len(turn.messages)
    made = turn.fill(reader, drafts, occasion.origin, context)
    turn.messages[before:] = [replace(one, events=occasion.events) for one in turn.messages[before:]]
    return made


def _asks_sent(turn: Turn) -> bool:
    """Say whether a step asks what was sent, so that the messages of each occasion have to be found again."""
    steps = turn.rule.escalate
    asked = (one for step in steps for one in (step.unless, step.condition) if one)
    return any("sent" in one.names for one in asked)


def _merged(planned: list[Planned]) -> list[Planned]:
    """Return the messages with the texts of each device put together, as far as one message can hold them."""
    merged: list[Planned] = []
    last: dict[int | None, int] = {}
    for one in planned:
        text = one.message
        place = last.get(text.device_id) if isinstance(text, Text) else None
        joined = _joined(merged[place].message, text) if place is not None else None
        if place is not None and joined:
            merged[place] = replace(
                merged[place], message=joined, events=(*merged[place].events, *one.events)
            )
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
