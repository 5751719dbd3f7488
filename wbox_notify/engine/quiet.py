"""Quiet hours: who is not to be disturbed now, and what waits for the end of them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from wbox_notify.engine.occasion import Occasion
from wbox_notify.engine.turn import Turn
from wbox_notify.rules import Contact

KIND = "quiet_hours"

_MOST_HELD = 500
_ENDLESS = timedelta(days=1)


def holds(turn: Turn, contact: Contact, occasion: Occasion, context: Mapping[str, Any]) -> bool:
    """Return whether a contact is not to be disturbed now; what is to be told then waits, or is dropped."""
    end = ends(turn, contact)
    if end is None or _is_urgent(turn, occasion, context):
        return False
    hours = turn.rule.quiet_hours
    if hours and hours.then == "drop":
        turn.decide(KIND, "stopped", f"dropped: quiet hours of {contact.name} until {end:%H:%M}")
        return True
    held = (turn.recall(KIND, contact.phone) or {"held": []})["held"]
    others = [one for one in held if one["alert"] != occasion.alert]
    if occasion.healed and len(others) < len(held):
        turn.decide(KIND, "stopped", f"healed before {contact.name} was told")
    elif len(others) >= _MOST_HELD:
        turn.decide(KIND, "stopped", f"dropped: {_MOST_HELD} wait for {contact.name} already")
    else:
        others.append(occasion.keep())
        turn.decide(KIND, "waits", f"{contact.name} is not disturbed before {end:%H:%M}")
    if others:
        turn.remember(KIND, contact.phone, {"held": others}, end.timestamp())
    else:
        turn.forget(KIND, contact.phone)
    return True


def ends(turn: Turn, contact: Contact) -> datetime | None:
    """Return when the quiet hours end that are now, in the zone of the contact; None outside of them."""
    zone = contact.zone or turn.project.settings.tz
    windows = [turn.rule.quiet_hours.window] if turn.rule.quiet_hours else []
    windows += [contact.quiet_hours] if contact.quiet_hours else []
    found = [
        (window.ends_after(turn.now, zone) or turn.now + _ENDLESS).astimezone(zone)
        for window in windows
        if window.contains(turn.now, zone)
    ]
    return max(found, default=None)


def _is_urgent(turn: Turn, occasion: Occasion, context: Mapping[str, Any]) -> bool:
    unless = turn.rule.quiet_hours.unless if turn.rule.quiet_hours else None
    return unless is not None and any(
        unless.truth({**context, **turn.context(subject)}) for subject in occasion.subjects
    )
