"""Plans: what follows from an event comes into the store, and what failed is followed again."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from wbox_notify.model import reasons
from wbox_notify.model.deliveries import (
    AGAIN,
    NO_RULE,
    STUCK,
    WAITING,
    Decision,
    Delivery,
    Hold,
    Memory,
    Plan,
    PlannedMessage,
    State,
)
from wbox_notify.model.events import Event, event_fields
from wbox_notify.model.file_version import FileState, FileVersion
from wbox_notify.model.texts import Wording
from wbox_notify.store import claims, rows, statements
from wbox_notify.store.database import Row, Transaction
from wbox_notify.store.files import see
from wbox_notify.store.news import News

_STORM_ANSWERED = 90 * 86400.0
"""Seconds for which the answer to a storm holds, also for rows that are tried again."""

_WHOLE_EVENT: Mapping[str, Any] = {"do": "event"}
"""What is followed again where an older version did not say what failed."""


def put_events(
    tx: Transaction,
    events: Sequence[Row],
    now: float,
    memories: Sequence[Memory],
    files: Mapping[FileVersion, FileState],
    host: str,
) -> list[bool]:
    """Keep events with what their source remembers; False marks one known before."""
    _remember(tx, memories)
    see(tx, files, now, host)
    return _put_events(tx, events)


def put_plans(tx: Transaction, plans: Sequence[Plan], now: float) -> list[Delivery]:
    """Keep all that follows from events, with the mark that they are planned; return what is to be sent."""
    tx.executemany(statements.MARK_PLANNED, [{"now": now, "id": plan.event_id} for plan in plans])
    tx.executemany(
        statements.DECIDE,
        [rows.decision_row(decision, plan.event_id, now) for plan in plans for decision in plan.decisions],
    )
    return [delivery for plan in plans for delivery in _follow_plan(tx, plan, now)]


def put_message(tx: Transaction, event: Event, plan: Plan, now: float) -> list[int]:
    """Keep an event together with its plan; return the ids of its deliveries."""
    _put_events(tx, [rows.event_row(event, now)])
    put_plans(tx, [plan], now)
    made = {"id": event.id, "most": statements.ALL}
    return [row["id"] for row in tx.execute(statements.DELIVERIES_OF_EVENT, made).fetchall()]


def _put_events(tx: Transaction, events: Sequence[Row]) -> list[bool]:
    ids = rows.listed(event["id"] for event in events)
    known = {row["id"] for row in tx.execute(statements.KNOWN_EVENTS, {"ids": ids}).fetchall()}
    new: list[Row] = []
    marks: list[bool] = []
    for event in events:
        marks.append(event["id"] not in known)
        if marks[-1]:
            known.add(event["id"])
            new.append(event)
    tx.executemany(statements.PUT_EVENT, new)
    return marks


def _follow_plan(tx: Transaction, plan: Plan, now: float) -> list[Delivery]:
    """Keep what follows from an event; return the deliveries that it puts into the queue."""
    _remember(tx, plan.memories)
    queued = _put_deliveries(tx, plan, now)
    for key in plan.over:
        _end_failure(tx, key, now)
    for rule in plan.release:
        let_go = tx.execute(statements.LET_GO, {"id": plan.event_id, "rule": rule, "now": now}).fetchall()
        queued += map(rows.delivery, let_go)
    return queued


def _put_deliveries(tx: Transaction, plan: Plan, now: float) -> list[Delivery]:
    kept = [_put_delivery(tx, planned, plan.event_id, now) for planned in plan.messages]
    told = [
        {"event_id": event_id, "delivery": planned.key}
        for planned in plan.messages
        for event_id in planned.events
        if event_id != plan.event_id
    ]
    tx.executemany(statements.TELL_EVENT, told)
    return [delivery for delivery in kept if delivery and delivery.state is State.QUEUED]


def _remember(tx: Transaction, memories: Sequence[Memory]) -> None:
    for memory in memories:
        row = rows.memory_row(memory)
        if memory.value is None:
            tx.execute(statements.FORGET, row)
            tx.execute(statements.FORGET_EVENTS, row)
            continue
        tx.execute(statements.REMEMBER, row)
        if memory.events is not None:
            about = {**row, "events": rows.listed(memory.events)}
            tx.execute(statements.FORGET_OTHER_EVENTS, about)
            tx.execute(statements.REMEMBER_EVENTS, about)


def _put_delivery(tx: Transaction, planned: PlannedMessage, event_id: str, now: float) -> Delivery | None:
    """Keep a delivery, with what a retry follows where it has no message; return it, or None if it is known.

    A delivery with the same key and the same message is the same. Where the message differs, it is unclear
    which one is meant, so the new one waits for a person.
    """
    row = rows.delivery_row(planned, event_id, now)
    is_new = tx.execute(statements.PUT_DELIVERY, row).rowcount == 1
    known = tx.execute(statements.OF_KEY, {"key": planned.key}).fetchone()
    if is_new:
        if planned.again is not None:
            place = {"rule": planned.rule, "event_id": event_id, "key": planned.key}
            _keep_failure(tx, place, planned.again, None)
        return rows.new_delivery(planned, known["id"], row)
    if row["message"] is None or known["message"] in {None, row["message"]}:
        return None
    name = hashlib.sha256(row["message"].encode("utf-8", "surrogatepass")).hexdigest()[:20]
    facts = {"delivery": known["id"]}
    other = replace(planned, key=f"{planned.key}:{name}", hold=Hold.SAME_KEY, facts=facts, problem=None)
    if tx.execute(statements.PUT_DELIVERY, rows.delivery_row(other, event_id, now)).rowcount:
        detail = Wording("held: {why}", why=reasons.hold(Hold.SAME_KEY, facts))
        decision = Decision(rule=planned.rule, stage="send", outcome="waits", detail=detail)
        tx.execute(statements.DECIDE, rows.decision_row(decision, event_id, now))
    return None


# What a person does to the queue


def requeue(tx: Transaction, ids: Sequence[int] | None, states: Sequence[State], now: float) -> list[int]:
    """Put deliveries in the given states back into the queue; all of them where ids is None."""
    tx.tell(News(events=True))  # some may lose their plans
    chosen = _chosen(tx, ids, states)
    if ids is None and State.HELD in states:
        _answer_storms(tx, "released", "", now)
    return [row["id"] for row in chosen if _requeue(tx, row, now)]


def release_event(tx: Transaction, event_id: str, now: float) -> int:
    """Let go all that the storm guard holds of one event; return how many."""
    _answer_storms(tx, "released", event_id, now)
    return len(tx.execute(statements.LET_GO, {"id": event_id, "rule": "", "now": now}).fetchall())


def drop_event(tx: Transaction, event_id: str, now: float) -> int:
    """Cancel what the storm guard holds of one event; return how many."""
    _answer_storms(tx, "dropped", event_id, now)
    held = tx.execute(statements.OF_STORM, {"id": event_id}).fetchall()
    for row in held:
        claims.drop(tx, row, now)
    return len(held)


def drop(tx: Transaction, ids: Sequence[int] | None, now: float) -> list[int]:
    """Cancel deliveries that are waiting or stuck; all of them where ids is None."""
    chosen = _chosen(tx, ids, (*WAITING, *STUCK))
    if ids is None:
        _answer_storms(tx, "dropped", "", now)
    for row in chosen:
        claims.drop(tx, row, now)
    return [row["id"] for row in chosen]


def _chosen(tx: Transaction, ids: Sequence[int] | None, states: Sequence[State]) -> list[Row]:
    """Return the deliveries in the states, of the ids or all of them, oldest first."""
    listed = rows.listed(states)
    if ids is not None:
        return tx.execute(statements.DELIVERIES, {"ids": rows.listed(ids), "states": listed}).fetchall()
    values = {"states": listed, "rule": "", "event": "", "recipients": "[]", "after": 0}
    return tx.execute(statements.ALL_IN_STATES, values).fetchall()


def _answer_storms(tx: Transaction, then: str, event_id: str, now: float) -> None:
    """Keep what a person says of the storm of one event, or of all."""
    answer = {"value": json.dumps({"then": then}), "id": event_id, "due": now + _STORM_ANSWERED}
    tx.execute(statements.ANSWER_STORMS, answer)


def _requeue(tx: Transaction, row: Row, now: float) -> bool:
    if row["message"] is None:
        return _follow_again(tx, row, now)
    tx.execute(statements.REQUEUE, {"now": now, "id": row["id"]})
    return True


def plan_again(tx: Transaction, ids: Sequence[str]) -> int:
    """Let events be planned once more; return how many there are."""
    tx.tell(News(events=True))
    return sum(tx.execute(statements.PLAN_AGAIN, {"id": event_id}).rowcount for event_id in ids)


# What failed and is followed again


def _follow_again(tx: Transaction, row: Row, now: float) -> bool:
    """Let its rule follow again what failed; False where nothing is known of it any more."""
    if row["rule"] == NO_RULE:
        tx.execute(statements.PLAN_AGAIN, {"id": row["event_id"]})
        _forget_delivery(tx, row)
        return True
    place = {"rule": row["rule"], "kind": AGAIN, "key": row["key"]}
    kept = tx.execute(statements.REMEMBERED, place).fetchone()
    value = json.loads(kept["value"]) if kept else dict(_WHOLE_EVENT)
    if "place" in value or value["do"] == "event":
        event = tx.execute(statements.EVENTS, {"ids": rows.listed([row["event_id"]])}).fetchone()
        if event is None:
            return False
        value["event"] = _as_it_lies_now(tx, event_fields(rows.event(event)))
    value |= {"event_id": row["event_id"], "key": row["key"]}
    _keep_failure(tx, row, value, now)
    _forget_delivery(tx, row)
    return True


def _as_it_lies_now(tx: Transaction, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the values of an event; of a file that we have put away, with the path where it is read now."""
    file = tx.execute(statements.MOVED_TO, {"id": fields["id"]}).fetchone()
    if file:
        fields["data"]["source"] = os.fsdecode(file["moved_to"])
    return fields


def _forget_delivery(tx: Transaction, row: Row) -> None:
    tx.execute(statements.KEEP_NUMBER, {"id": row["id"]})
    tx.execute(statements.FORGET_DELIVERY, {"id": row["id"]})


def _keep_failure(tx: Transaction, of: Row, value: Mapping[str, Any], due: float | None) -> None:
    """Keep what a retry follows; while one is due, the file of its event stays where it is."""
    place = {"rule": of["rule"], "kind": AGAIN, "key": of["key"], "event_id": of["event_id"]}
    tx.execute(statements.REMEMBER, {**place, "value": json.dumps(value), "due": due})
    tx.execute(statements.FORGET_EVENTS, place)
    if due is not None:
        tx.execute(statements.REMEMBER_EVENTS, {**place, "events": rows.listed([of["event_id"]])})


def _end_failure(tx: Transaction, key: str, now: float) -> None:
    """Take a failure off the list, since what failed has been done after all."""
    tx.execute(statements.DONE_AFTER_ALL, {"key": key, "now": now})
    tx.execute(statements.FORGET_FAILURE_EVENTS, {"key": key})
    tx.execute(statements.FORGET_FAILURE, {"key": key})
