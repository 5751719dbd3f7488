"""Claiming: whose turn it is, and what is left out on the way."""

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from wbox_notify.model.deliveries import Delivery, LeftOut
from wbox_notify.model.messages import Notice
from wbox_notify.model.pace import DAY, UNLIMITED, Begun, Pace, next_turns
from wbox_notify.store import mapping, merging, sql


def claim(
    connection: sqlite3.Connection, now: float, pace: Pace, *, recipient: str, chance: float
) -> Delivery | None:
    """Return the delivery whose turn it is, marked as being sent, or None where there is none."""
    while found := _first(connection, now, recipient):
        delivery = mapping.delivery(found)
        if not _has_just_been_said(connection, found, now, pace):
            message = merging.message_of(connection, found, delivery, now, pace)
            begun = _begin(connection, delivery, now, pace, chance)
            return replace(begun, message=message)
    return None


def _first(connection: sqlite3.Connection, now: float, recipient: str) -> Mapping[str, Any] | None:
    """Return the first of all devices that may send now."""
    free = [row for row in connection.execute(sql.DEVICES).fetchall() if row["next"] <= now]
    asked = {"now": now, "recipient": recipient}
    found = (
        connection.execute(
            sql.NEXT_TO_TRY if row["tried"] else sql.NEXT, {**asked, "device": row["device"]}
        ).fetchone()
        for row in free
    )
    return min(filter(None, found), key=lambda row: (-row["priority"], row["id"]), default=None)


def _begin(
    connection: sqlite3.Connection, delivery: Delivery, now: float, pace: Pace, chance: float
) -> Delivery:
    begun = mapping.delivery(connection.execute(sql.BEGIN, {"id": delivery.id, "now": now}).fetchone())
    connection.execute(sql.BEGIN_ATTEMPT, {"id": begun.id, "claims": begun.claims, "now": now})
    if pace != UNLIMITED and begun.message and not isinstance(begun.message, Notice):
        _take_turns(connection, begun, pace, now, chance)
    return begun


def _take_turns(
    connection: sqlite3.Connection, delivery: Delivery, pace: Pace, now: float, chance: float
) -> None:
    message = delivery.message
    if message is None:
        return
    found = connection.execute(
        sql.BEGUN, {"device": delivery.device, "since": now - DAY, "now": now}
    ).fetchall()
    begun = [Begun(row["started"], row["recipient"]) for row in found]
    device, them = next_turns(
        pace, now, kind=message.kind, recipient=message.recipient, begun=begun, chance=chance
    )
    connection.execute("delete from turn where next <= :now", {"now": now})
    for recipient, turn in (("", device), (message.recipient, them)):
        connection.execute(sql.TAKE_TURN, {"device": delivery.device, "recipient": recipient, "next": turn})


def _has_just_been_said(
    connection: sqlite3.Connection, row: Mapping[str, Any], now: float, pace: Pace
) -> bool:
    """Leave a text out that its recipient has got a moment ago; False where it is to be sent."""
    if not row["same"] or not pace.same_text or row["state"] != "queued":
        return False
    asked = {"recipient": row["recipient"], "same": row["same"], "since": now - pace.same_text, "now": now}
    at = connection.execute(sql.SAME_SENT, asked).fetchone()["at"]
    if at is None:
        return False
    merging.leave_out(connection, row, LeftOut.SAME_TEXT, {"seconds": round(now - at)}, now)
    return True
