"""Rows of the tables as the package's own nouns, and back."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from wbox_notify.model import messages
from wbox_notify.model.deliveries import (
    Circuit,
    Decision,
    Delivery,
    Hold,
    LeftOut,
    Memory,
    PlannedMessage,
    State,
    Waiting,
)
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Message, Text
from wbox_notify.model.outcomes import Outcome
from wbox_notify.model.texts import Wording
from wbox_notify.store.database import Row

_PROBLEM = "problem"
"""The name among the facts of a message of what is wrong with it."""


def event_row(event: Event, now: float, host: str = "") -> dict[str, Any]:
    """Return the columns of an event that a machine received ``now``."""
    return {
        "id": event.id,
        "type": event.type,
        "at": event.at.timestamp(),
        "data": json.dumps(dict(event.data)),
        "received": now,
        "host": host,
    }


def event(row: Row) -> Event:
    """Return the event of a row."""
    return Event(
        id=row["id"],
        type=row["type"],
        at=datetime.fromtimestamp(row["at"], UTC),
        data=json.loads(row["data"]),
    )


def delivery_row(planned: PlannedMessage, event_id: str, now: float) -> dict[str, Any]:
    """Return the columns of a new delivery: queued, held for a person, or dead for a reason."""
    row = {
        "key": planned.key,
        "event_id": event_id,
        "rule": planned.rule,
        "device": "",
        "recipient": "",
        "message": None,
        "state": _first_state(planned).value,
        "reason": planned.problem or "",
        "hold": planned.hold and planned.hold.value,
        "facts": json.dumps(_facts(planned), default=str),
        "now": now,
        "expires": now + planned.terms.expire_after,
        "lifetime": planned.terms.expire_after,
        "priority": int(planned.terms.critical),
        "on_unknown": planned.terms.on_unknown,
        "same": "",
    }
    if message := planned.message:
        row |= {"device": message.device, "recipient": message.recipient}
        row["message"] = json.dumps(messages.dump(message))
        row["same"] = _same(message) if planned.terms.once else ""
    return row


def _facts(planned: PlannedMessage) -> dict[str, Any]:
    """Return the facts of texts about a message; what is wrong with it is among them for other languages."""
    if isinstance(planned.problem, Wording):
        return {**planned.facts, _PROBLEM: planned.problem.to_json()}
    return dict(planned.facts)


def new_delivery(planned: PlannedMessage, number: int, row: Row) -> Delivery:
    """Return a delivery as it was just kept with these columns, under a number."""
    return Delivery(
        id=number,
        key=row["key"],
        event_id=row["event_id"],
        rule=row["rule"],
        device=row["device"],
        message=planned.message,
        state=State(row["state"]),
        due=row["now"],
        created=row["now"],
        expires=row["expires"],
        reason=row["reason"],
        hold=planned.hold,
        facts=planned.facts,
        priority=row["priority"],
        on_unknown=row["on_unknown"],
    )


def _same(message: Message) -> str:
    """Return what is equal in texts that say the same; empty for all else."""
    if not isinstance(message, Text):
        return ""
    return hashlib.sha256(message.message.encode("utf-8", "surrogatepass")).hexdigest()


def _first_state(planned: PlannedMessage) -> State:
    if planned.problem or not (planned.message or planned.hold):
        return State.DEAD
    return State.HELD if planned.hold else State.QUEUED


def memory_row(memory: Memory) -> dict[str, Any]:
    """Return the columns of something that a rule keeps in mind."""
    return {
        "rule": memory.rule,
        "kind": memory.kind,
        "key": memory.key,
        "value": json.dumps(memory.json),
        "due": memory.due,
        "event_id": memory.event_id,
    }


def memory(row: Row) -> Memory:
    """Return what a rule keeps in mind, of a row."""
    names = ("rule", "kind", "key", "due", "event_id")
    return Memory(value=json.loads(row["value"]), **{name: row[name] for name in names})


def delivery(row: Row) -> Delivery:
    """Return the delivery of a row."""
    facts, reason = json.loads(row["facts"]), row["reason"]
    if problem := facts.pop(_PROBLEM, None):
        reason = Wording.from_json(problem)
    return Delivery(
        id=row["id"],
        key=row["key"],
        event_id=row["event_id"],
        rule=row["rule"],
        device=row["device"],
        message=row["message"] and messages.load(json.loads(row["message"])),
        state=State(row["state"]),
        due=row["due"],
        created=row["created"],
        expires=row["expires"],
        claims=row["claims"],
        tries=row["tries"],
        unknowns=row["unknowns"],
        failures=row["failures"],
        reason=reason,
        hold=row["hold"] and Hold(row["hold"]),
        left_out=row["left_out"] and LeftOut(row["left_out"]),
        facts=facts,
        priority=row["priority"],
        on_unknown=row["on_unknown"],
    )


def waiting(row: Row) -> Waiting:
    """Return when the delivery of a row has its turn."""
    return Waiting(**{**row, "state": State(row["state"])})


def decision_row(decision: Decision, event_id: str, now: float) -> dict[str, Any]:
    """Return the columns of a decision about an event."""
    wording = None
    if isinstance(decision.detail, Wording):
        wording = json.dumps(decision.detail.to_json(), default=str)
    return {
        "event_id": event_id,
        "rule": decision.rule,
        "stage": decision.stage,
        "outcome": decision.outcome,
        "detail": str(decision.detail),  # SQLite looks long at what is not plain text
        "wording": wording,
        "at": now,
    }


def decision(row: Row) -> Decision:
    """Return the decision of a row; what an older version has kept is in English alone."""
    detail = row["detail"]
    if row["wording"]:
        detail = Wording.from_json(json.loads(row["wording"]))
    return Decision(detail=detail, **{name: row[name] for name in ("rule", "stage", "outcome")})


def circuit(row: Row) -> Circuit:
    """Return the circuit of a row."""
    return Circuit(
        reason=Outcome(row["reason"]),
        trying=bool(row["trying"]),
        told=bool(row["told"]),
        **{name: row[name] for name in ("device", "since", "until", "probes")},
    )


def listed(values: Iterable[Any]) -> str:
    """Return a list as the JSON that ``json_each`` in a statement takes; half a character is in no row."""
    return json.dumps(list(values), ensure_ascii=False).encode("utf-8", "replace").decode()
