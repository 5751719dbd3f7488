"""What the store does when the clock was set: its times keep their distance to now.

A row tells by its own stamp by which clock it was written, so that rows from before and after a step can
stand side by side.
"""

import sqlite3

from wbox_notify.model.clock import SLACK, Step
from wbox_notify.model.pace import DAY

_OPEN = "state in ('queued', 'unknown', 'sending')"
_CLOSED = "state in ('sent', 'held', 'dead', 'expired', 'cancelled')"

_MOMENT = 60.0
"""Seconds for which what others write by the new clock may be later than the reading that showed the step."""

_LONGEST_LOOK, _LONGEST_LIMIT = 300.0, 3600.0
"""Seconds after which a device that holds is looked at, and after which what wbox calls a limit ends."""

# What was written since the step is right already.
_SHIFT = (
    # After a step back this may be of a clock that was right before: it lives as long as it was to live.
    f"update delivery set due = due + :jump where {_OPEN} and changed < :since and :jump < 0",  # noqa: S608 - ours
    f"""
    update delivery
    set due = due + :jump, expires = expires + :jump, created = created + :jump, changed = changed + :jump
    where {_OPEN} and (changed > :until or changed < :since and :jump > 0)
    """,  # noqa: S608 - all of it is ours
    f"""
    update delivery set changed = changed + :jump
    where {_CLOSED} and changed > :recent and not changed between :since and :until
    """,  # noqa: S608 - all of it is ours
    """
    update attempt set started = started + :jump
    where started > :recent and not started between :since and :until
    """,
    "update file set gone = gone + :jump where gone is not null",
    # After a step ahead these are over a little early, which does no harm.
    "update turn set next = next + :jump where :jump < 0 and next > :now",
    """
    update circuit set since = since + :jump, until = until + :jump
    where :jump < 0 and not since between :since and :until
    """,
)

_BRING_DOWN = (
    f"""
    update delivery
    set due = :now + (due - changed), expires = :now + (expires - changed),
        created = case when created > :now then :now else created end, changed = :now
    where {_OPEN} and changed > :ahead
    """,  # noqa: S608 - all of it is ours
    # Nobody knows how long ago it really was, so nothing is left out for having just been sent.
    f"update delivery set changed = :now, same = '' where {_CLOSED} and changed > :ahead",  # noqa: S608 - ours
    "update turn set next = :now + :day where next > :now + :day",
    "update circuit set until = :now + (until - since), since = :now where since > :ahead",
    """
    update circuit set until = :now + case when reason = 'limited' then :limit else :look end
    where until > :now + case when reason = 'limited' then :limit else :look end
    """,
    "update file set looked = :now where looked > :ahead and path is not null and fate <> 'open'",
    "update file set gone = :now where gone > :ahead",
    "update decision set at = :now where at > :ahead",
    "update event set received = :now where received > :ahead and planned is not null",
)

_ATTEMPTS_DOWN = (
    "update attempt set started = started - :by where started > :now",
    "update turn set next = next - :by where next > :now",
)


def follow(connection: sqlite3.Connection, step: Step) -> None:
    """Let nothing expire or wait because of a step."""
    asked = {
        "jump": step.jump,
        "now": step.now,
        "since": step.now - step.lag - SLACK,
        "until": step.now + _MOMENT,
        "recent": min(step.now - step.jump - DAY, step.now),
    }
    for statement in _SHIFT:
        connection.execute(statement, asked)


def bring_down(connection: sqlite3.Connection, now: float) -> int:
    """Let what was written by a clock that was ahead count from now; return how many rows that were."""
    asked = {"now": now, "ahead": now + SLACK, "day": DAY, "limit": _LONGEST_LIMIT, "look": _LONGEST_LOOK}
    changed = 0
    newest = connection.execute("select max(started) as at from attempt").fetchone()["at"] or 0.0
    if newest > now + SLACK:
        # All of them together, so that they keep their distances, of which the limits of an hour are made.
        for statement in _ATTEMPTS_DOWN:
            changed += connection.execute(statement, {"now": now, "by": newest - now}).rowcount
    return changed + sum(connection.execute(statement, asked).rowcount for statement in _BRING_DOWN)
