"""Claiming: whose turn it is, and what is left out on the way."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from wbox_notify import messages
from wbox_notify.deliveries import Delivery
from wbox_notify.messages import Notice, Text
from wbox_notify.pace import DAY, UNLIMITED, Begun, Pace, digest, next_turns
from wbox_notify.store import rows, sql

_WAITED = 60.0
"""Seconds after which a text that still waits counts as a part of a backlog."""


def claim(
    connection: sqlite3.Connection, now: float, pace: Pace, *, recipient: str, chance: float
) -> Delivery | None:
    """Return the delivery whose turn it is, marked as being sent, or None where there is none."""
    while found := _first(connection, now, recipient):
        delivery = rows.delivery(found)
        if not _has_just_been_said(connection, found, now, pace):
            _gather_backlog(connection, found, delivery, now, pace)
            return _begin(connection, delivery, now, pace, chance)
    return None


def _first(connection: sqlite3.Connection, now: float, recipient: str) -> Mapping[str, Any] | None:
    """Return the first of all devices that may send now."""
    free = [row["device"] for row in connection.execute(sql.DEVICES).fetchall() if row["next"] <= now]
    asked = {"now": now, "recipient": recipient}
    found = (connection.execute(sql.NEXT, {**asked, "device": device}).fetchone() for device in free)
    return min(filter(None, found), key=lambda row: (-row["priority"], row["id"]), default=None)


def _begin(
    connection: sqlite3.Connection, delivery: Delivery, now: float, pace: Pace, chance: float
) -> Delivery:
    begun = rows.delivery(connection.execute(sql.BEGIN, {"id": delivery.id, "now": now}).fetchone())
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
    _leave_out(connection, row, "same_text", f"the same text went out {now - at:.0f} s before", now)
    return True


def _gather_backlog(
    connection: sqlite3.Connection, row: Mapping[str, Any], first: Delivery, now: float, pace: Pace
) -> None:
    """Where many texts have waited for one phone, put as many of them as fit into the first."""
    if not pace.backlog or not isinstance(first.message, Text):
        return
    asked = {name: row[name] for name in ("device", "recipient", "priority")}
    waited = connection.execute(sql.WAITED, {**asked, "before": now - _WAITED}).fetchall()
    run: list[tuple[Mapping[str, Any], Text]] = []
    for other in waited:
        message = rows.delivery(other).message
        # What was tried keeps its text: wbox may know it by its key.
        if not isinstance(message, Text) or other["claims"]:
            break
        run.append((other, message))
    if len(run) <= pace.backlog or run[0][0]["id"] != first.id:
        return
    text, number = digest([message.message for _, message in run], pace.lang)
    if number > 1:
        whole = json.dumps(messages.dump(replace(first.message, message=text)))
        connection.execute(
            "update delivery set message = :whole where id = :id", {"whole": whole, "id": first.id}
        )
        for other, _ in run[1:number]:
            _leave_out(connection, other, "backlog", f"told in delivery {first.id}", now)


def _leave_out(
    connection: sqlite3.Connection, row: Mapping[str, Any], stage: str, reason: str, now: float
) -> None:
    connection.execute(sql.LEAVE_OUT, {"id": row["id"], "now": now, "reason": reason})
    decided = {"stage": stage, "outcome": "stopped", "detail": reason, "at": now}
    connection.execute(sql.DECIDE, {"event_id": row["event_id"], "rule": row["rule"], **decided})
