"""Retries: deliveries as plans make them, and what is followed again where there was no message."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from wbox_notify.model import reasons
from wbox_notify.model.deliveries import AGAIN, NO_RULE, Hold, PlannedMessage
from wbox_notify.model.events import event_fields
from wbox_notify.store import mapping, sql

_THE_RULE: Mapping[str, Any] = {"do": "event"}
"""What is followed again where an older version did not say what failed: the rule, for the whole event."""


def put(connection: sqlite3.Connection, planned: PlannedMessage, event_id: str, now: float) -> None:
    """Keep a delivery, with what a retry follows where it has no message.

    One with its key that says the same is the same. Of one that says something else nobody knows which is
    meant, so the new one waits for a person.
    """
    row = mapping.delivery_row(planned, event_id, now)
    if connection.execute(sql.INSERT_DELIVERY, row).rowcount:
        if planned.again is not None:
            place = {"rule": planned.rule, "event_id": event_id, "key": planned.key}
            _remember(connection, place, planned.again, None)
        return
    if row["message"] is None:
        return
    found = connection.execute(sql.OF_KEY, {"key": planned.key}).fetchone()
    if found["message"] in {None, row["message"]}:
        return
    name = hashlib.sha256(row["message"].encode("utf-8", "surrogatepass")).hexdigest()[:20]
    facts = {"delivery": found["id"]}
    other = replace(planned, key=f"{planned.key}:{name}", hold=Hold.SAME_KEY, facts=facts, problem=None)
    if connection.execute(sql.INSERT_DELIVERY, mapping.delivery_row(other, event_id, now)).rowcount:
        detail = f"held: {reasons.hold(Hold.SAME_KEY, facts)}"
        decided = {"stage": "send", "outcome": "waits", "detail": detail, "at": now}
        connection.execute(sql.DECIDE, {"event_id": event_id, "rule": planned.rule, **decided})


def again(connection: sqlite3.Connection, row: sqlite3.Row, now: float) -> bool:
    """Let what failed be followed again by its rule; False where nothing is known of it any more."""
    if row["rule"] == NO_RULE:
        connection.execute("update event set planned = null where id = :id", {"id": row["event_id"]})
        _forget(connection, row)
        return True
    place = {"rule": row["rule"], "kind": AGAIN, "key": row["key"]}
    kept = connection.execute(sql.REMEMBERED, place).fetchone()
    value = json.loads(kept["value"]) if kept else dict(_THE_RULE)
    found = connection.execute("select * from event where id = :id", {"id": row["event_id"]}).fetchone()
    if found is None and _needs_event(value):
        return False
    if _needs_event(value):
        value["event"] = _as_it_lies_now(connection, event_fields(mapping.event(found)))
    value |= {"event_id": row["event_id"], "key": row["key"]}
    _remember(connection, row, value, now)
    _forget(connection, row)
    return True


def _forget(connection: sqlite3.Connection, row: sqlite3.Row) -> None:
    connection.execute(sql.KEEP_NUMBER, {"id": row["id"]})
    connection.execute(sql.FORGET_DELIVERY, {"id": row["id"]})


def _as_it_lies_now(connection: sqlite3.Connection, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the values of an event; of a file that we have put away, with the place where it is read now."""
    file = connection.execute(sql.MOVED_TO, {"id": fields["id"]}).fetchone()
    if file:
        fields["data"]["source"] = os.fsdecode(file["moved_to"])
    return fields


def over(connection: sqlite3.Connection, key: str, now: float) -> None:
    """Take a failure off the list, since what failed has been done after all."""
    connection.execute(sql.DONE_AFTER_ALL, {"key": key, "now": now})
    connection.execute(sql.FORGET_EVENTS_OF_AGAIN, {"key": key})
    connection.execute(sql.FORGET_AGAIN, {"key": key})


def _needs_event(value: Mapping[str, Any]) -> bool:
    return "place" in value or value["do"] == "event"


def _remember(
    connection: sqlite3.Connection,
    of: sqlite3.Row | Mapping[str, Any],
    value: Mapping[str, Any],
    due: float | None,
) -> None:
    """Keep what a retry follows; one that is due keeps the file of its event where it lies."""
    place = {"rule": of["rule"], "kind": AGAIN, "key": of["key"], "event_id": of["event_id"]}
    connection.execute(sql.REMEMBER, {**place, "value": json.dumps(value), "due": due})
    connection.execute(sql.FORGET_EVENTS, place)
    if due is not None:
        connection.execute(sql.REMEMBER_EVENT, place)
