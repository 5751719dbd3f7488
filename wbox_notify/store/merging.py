"""Merging: many texts that have waited for one phone go out as one, and none is given up for it.

The others stay in the queue behind the delivery that carries them; only when wbox has taken it are they told.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from wbox_notify.model import messages, reasons
from wbox_notify.model.deliveries import Delivery, Facts, Hold, LeftOut, State
from wbox_notify.model.messages import Message, Text
from wbox_notify.model.pace import Pace, digest
from wbox_notify.store import mapping, sql

_WAITED = 60.0
"""Seconds after which a text that still waits counts as a part of a backlog."""

_KIND = "merged"


class _Part(NamedTuple):
    """A delivery that waits, and its text."""

    row: Mapping[str, Any]
    text: str


def message_of(
    connection: sqlite3.Connection, row: Mapping[str, Any], first: Delivery, now: float, pace: Pace
) -> Message | None:
    """Return what a delivery is to say now: its own message, or with it those of the backlog behind it."""
    kept = _kept(connection, first.id)
    if kept and row["unknowns"]:
        return messages.load(kept["message"])  # it may have arrived, and wbox may know it by its key
    _forget(connection, first.id)
    run = _backlog(connection, row, first, now, pace)
    if len(run) <= pace.backlog or not isinstance(first.message, Text):
        return first.message
    text, number = digest([part.text for part in run], pace.lang)
    if number < 2:  # noqa: PLR2004 - one is no digest
        return first.message
    whole = replace(first.message, message=text)
    value = {"message": messages.dump(whole), "parts": [part.row["id"] for part in run[1:number]]}
    connection.execute(
        sql.REMEMBER, {**_place(first.id), "value": json.dumps(value), "due": None, "event_id": ""}
    )
    return whole


def settle(connection: sqlite3.Connection, delivery: Delivery, state: str, now: float) -> None:
    """Let what a delivery carried follow its end: told with it, in doubt with it, or by itself again."""
    kept = _kept(connection, delivery.id)
    if kept is None or state in {State.QUEUED, State.UNKNOWN}:
        return
    waiting = _waiting(connection, kept["parts"])
    if state == State.SENT:
        for part in waiting:
            leave_out(connection, part, LeftOut.BACKLOG, {"delivery": delivery.id}, now)
    elif state in {State.HELD, State.CANCELLED}:
        _doubt(connection, waiting, delivery.id, state, now)
    else:
        # It was refused as a whole: whose text is to blame shows when each goes by itself.
        connection.execute(sql.ALONE_AGAIN, {"id": delivery.id, "now": now})
    _forget(connection, delivery.id)


def give_up(connection: sqlite3.Connection, number: int, unknowns: int, now: float) -> None:
    """Keep for a person what was carried by a delivery that was given up and may have been sent."""
    kept = _kept(connection, number)
    if kept and unknowns:
        waiting = [part for part in _waiting(connection, kept["parts"]) if part["state"] == State.QUEUED]
        _doubt(connection, waiting, number, State.HELD, now)
    _forget(connection, number)


def leave_out(
    connection: sqlite3.Connection, row: Mapping[str, Any], code: LeftOut, facts: Facts, now: float
) -> None:
    """Cancel a delivery whose text has reached its recipient otherwise, and say so."""
    left_out = {"id": row["id"], "now": now, "left_out": code, "facts": json.dumps(facts)}
    connection.execute(sql.LEAVE_OUT, left_out)
    detail = reasons.left_out(code, facts)
    decided = {"stage": code, "outcome": "stopped", "detail": detail, "at": now}
    connection.execute(sql.DECIDE, {"event_id": row["event_id"], "rule": row["rule"], **decided})


def _backlog(
    connection: sqlite3.Connection, row: Mapping[str, Any], first: Delivery, now: float, pace: Pace
) -> Sequence[_Part]:
    """Return the texts that have waited for one phone on the same terms, without a gap, from the first on."""
    if not pace.backlog or not isinstance(first.message, Text) or row["claims"]:
        return []
    asked = {name: row[name] for name in ("device", "recipient", "priority")}
    run: list[_Part] = []
    for other in connection.execute(sql.WAITED, {**asked, "before": now - _WAITED}):
        message = mapping.delivery(other).message
        # What was tried keeps its text: wbox may know it by its key.
        if not isinstance(message, Text) or other["claims"] or _terms(other) != _terms(row):
            break
        run.append(_Part(other, message.message))
    return run if run and run[0].row["id"] == first.id else []


def _terms(row: Mapping[str, Any]) -> tuple[str, float]:
    """Return what becomes of a text that may have been sent, and how long it is worth sending."""
    return row["on_unknown"] or "retry_once", row["lifetime"]


def _waiting(connection: sqlite3.Connection, ids: Sequence[int]) -> Sequence[Mapping[str, Any]]:
    """Return those of the parts that nobody has decided about meanwhile."""
    marks, values = mapping.among(ids)
    waiting = f"select * from delivery where id in ({marks}) and state in ('queued', 'expired') order by id"  # noqa: S608 - marks are ours
    return connection.execute(waiting, values).fetchall()


def _doubt(
    connection: sqlite3.Connection, parts: Sequence[Mapping[str, Any]], number: int, state: str, now: float
) -> None:
    held = state == State.HELD
    doubt = {
        "state": state,
        "hold": Hold.UNKNOWN if held else None,
        "left_out": None if held else LeftOut.UNKNOWN,
        "facts": json.dumps({"delivery": number}),
        "now": now,
    }
    connection.executemany(sql.DOUBT, [{**doubt, "id": part["id"]} for part in parts])


def _place(number: int) -> dict[str, str]:
    return {"rule": "-", "kind": _KIND, "key": str(number)}


def _kept(connection: sqlite3.Connection, number: int) -> dict[str, Any] | None:
    found = connection.execute(sql.REMEMBERED, _place(number)).fetchone()
    kept: dict[str, Any] | None = json.loads(found["value"]) if found else None
    return kept


def _forget(connection: sqlite3.Connection, number: int) -> None:
    connection.execute(sql.FORGET, _place(number))
