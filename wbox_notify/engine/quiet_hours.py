"""Quiet hours: who is not to be disturbed now, and what waits for the end of them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from wbox_notify.engine.notification import Notification
from wbox_notify.engine.rule_run import RuleRun
from wbox_notify.rules.recipients import Reader

KIND = "quiet_hours"

MOST = 500
"""How much waits for one reader at most; of more the number is told."""
_ENDLESS = timedelta(days=1)


def holds(turn: RuleRun, reader: Reader, occasion: Notification, context: Mapping[str, Any]) -> bool:
    """Return whether a reader is not to be disturbed now; what is to be told then waits, or is dropped."""
    end = ends(turn, reader)
    if end is None or _is_urgent(turn, occasion, context):
        return False
    hours = turn.rule.quiet_hours
    if hours and hours.then == "drop":
        turn.decide(KIND, "stopped", f"dropped: quiet hours of {reader.name} until {end:%H:%M}")
        return True
    kept = {**(turn.look(KIND, reader.address) or {"held": []})}
    others = [one for one in kept["held"] if one["alert"] != occasion.alert]
    if occasion.healed and len(others) < len(kept["held"]):
        turn.decide(KIND, "stopped", f"healed before {reader.name} was told")
    elif len(others) >= MOST:
        kept["more"] = kept.get("more", 0) + 1
        turn.decide(KIND, "stopped", f"{MOST} wait for {reader.name} already, who is told how many more came")
    else:
        others.append(occasion.keep())
        turn.decide(KIND, "waits", f"{reader.name} is not disturbed before {end:%H:%M}")
    if others:
        turn.remember(KIND, reader.address, {**kept, "held": others}, end.timestamp())
    else:
        turn.forget(KIND, reader.address)
    return True


def ends(turn: RuleRun, reader: Reader) -> datetime | None:
    """Return when the quiet hours end that are now, in the zone of the reader; None outside of them."""
    zone = reader.zone or turn.project.settings.tz
    windows = [turn.rule.quiet_hours.window] if turn.rule.quiet_hours else []
    windows += [reader.quiet_hours] if reader.quiet_hours else []
    found = [
        (window.ends_after(turn.now, zone) or turn.now + _ENDLESS).astimezone(zone)
        for window in windows
        if window.contains(turn.now, zone)
    ]
    return max(found, default=None)


def _is_urgent(turn: RuleRun, occasion: Notification, context: Mapping[str, Any]) -> bool:
    unless = turn.rule.quiet_hours.unless if turn.rule.quiet_hours else None
    return unless is not None and any(
        unless.truth({**context, **turn.context(subject)}) for subject in occasion.subjects
    )
