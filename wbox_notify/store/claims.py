"""Claims: a delivery has its turn, what is left out on the way, and how its attempt ends.

Many texts that have waited for one phone go out as one, and none is given up for it: the others stay in the
queue behind the delivery that carries them, and are left out only when wbox has taken it.
"""

import json
from collections.abc import Callable, Collection, Container, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeGuard

from wbox_notify.model import messages, reasons
from wbox_notify.model.deliveries import (
    WAITING,
    Attempt,
    Decision,
    Delivery,
    Facts,
    Hold,
    LeftOut,
    State,
    Waiting,
)
from wbox_notify.model.messages import Message, Notice, Text
from wbox_notify.model.outcomes import Outcome
from wbox_notify.model.pace import Begun, Pace, digest, next_turns
from wbox_notify.store import rows, statements
from wbox_notify.store.database import Row, Transaction

_WAITED = 60.0
"""Seconds after which a text that still waits counts as a part of a backlog."""

_MERGED = "merged"
"""The kind of memory that holds which texts a delivery carries."""


class Claim(NamedTuple):
    """What is to be claimed, as the claimer knows it.

    Attributes:
        waiting: the delivery whose turn it is.
        chance: in [0, 1): where in the jitter of the pace.
        begun: the earlier attempts of its device in the last day, the newest first.
        has_backlog: whether there may be more texts behind it than may go out singly.
    """

    waiting: Waiting
    chance: float = 0.5
    begun: Sequence[Begun] = ()
    has_backlog: bool = True


class Claimed(NamedTuple):
    """What became of a claim.

    Attributes:
        delivery: as it is now: being sent, or left out; None where it does not wait as the claimer thought.
        turns: when its device and its recipient have their next turns, where there is a pace.
    """

    delivery: Delivery | None
    turns: tuple[float, float] | None = None

    @property
    def has_begun(self) -> bool:
        """Whether the delivery is being sent."""
        return self.delivery is not None and self.delivery.state is State.SENDING


class Turnover(NamedTuple):
    """What was claimed, the devices of which what waits is to be read anew, and those that are not held."""

    claimed: Sequence[Claimed]
    doubtful: set[str]
    lost: set[str]


def turn_over(
    tx: Transaction,
    ended: Sequence[Attempt],
    claims: Sequence[Claim],
    now: float,
    pace: Pace,
    held: Callable[[Transaction, Collection[str]], set[str]],
) -> Turnover:
    """Keep how attempts ended, and claim what has its turn now, of the devices that are ``held``."""
    doubtful = _finish(tx, ended, now)
    if not claims:
        return Turnover((), doubtful, set())
    devices = {claim.waiting.device for claim in claims}
    # Before all else: whoever takes one of them from now on has to wait until this is on disk.
    ours = held(tx, devices)
    if pace.has_turns:
        tx.execute(statements.END_TURNS, {"now": now, "devices": rows.listed(ours)})
    claimed = [_claim(tx, claim, now, pace, ours) for claim in claims]
    for claim, done in zip(claims, claimed, strict=True):
        if done.delivery is None:
            doubtful.add(claim.waiting.device)
    return Turnover(claimed, doubtful, devices - ours)


def _claim(tx: Transaction, claim: Claim, now: float, pace: Pace, ours: Container[str]) -> Claimed:
    """Mark a delivery as being sent, or leave it out."""
    if claim.waiting.device not in ours:
        return Claimed(None)
    known = {"id": claim.waiting.id, "claims": claim.waiting.claims}
    row = tx.execute(statements.STILL_WAITS, known).fetchone()
    if row is None:
        return Claimed(None)
    delivery = rows.delivery(row)
    if _leave_out_same(tx, row, now, pace):
        return Claimed(replace(delivery, state=State.CANCELLED))
    message = delivery.message
    if delivery.claims or claim.has_backlog:
        message = _message(tx, row, delivery, now, pace)
    if not tx.execute(statements.BEGIN, {**known, "now": now}).rowcount:
        return Claimed(None)
    begun = replace(delivery, message=message, state=State.SENDING, claims=delivery.claims + 1)
    tx.execute(statements.BEGIN_ATTEMPT, {"id": begun.id, "claims": begun.claims, "now": now})
    return Claimed(begun, _take_turns(tx, delivery, claim, now, pace))


def _take_turns(
    tx: Transaction, delivery: Delivery, claim: Claim, now: float, pace: Pace
) -> tuple[float, float] | None:
    """Keep when a device and a recipient have their next turns; other services have none."""
    message = delivery.message
    if message is None or isinstance(message, Notice) or not pace.has_turns:
        return None
    recipient = message.recipient
    begun = (Begun(now, recipient), *claim.begun)
    turns = next_turns(pace, now, kind=message.kind, recipient=recipient, begun=begun, chance=claim.chance)
    for name, turn in zip(("", recipient), turns, strict=True):
        tx.execute(statements.TAKE_TURN, {"device": delivery.device, "recipient": name, "next": turn})
    return turns


def _leave_out_same(tx: Transaction, row: Row, now: float, pace: Pace) -> bool:
    """Leave a text out that its recipient got a moment ago; False where it is to be sent."""
    if not row["same"] or not pace.same_text or row["state"] != "queued":
        return False
    values = {"recipient": row["recipient"], "same": row["same"], "since": now - pace.same_text, "now": now}
    at = tx.execute(statements.SAME_SENT, values).fetchone()["at"]
    if at is None:
        return False
    _leave_out(tx, row, LeftOut.SAME_TEXT, {"seconds": round(now - at)}, now)
    return True


def _leave_out(tx: Transaction, row: Row, code: LeftOut, facts: Facts, now: float) -> None:
    """Cancel a delivery whose text has reached its recipient otherwise, and say so."""
    cancelled = {"id": row["id"], "now": now, "left_out": code, "facts": json.dumps(facts)}
    tx.execute(statements.LEAVE_OUT, cancelled)
    detail = reasons.left_out(code, facts)
    decision = Decision(rule=row["rule"], stage=code, outcome="stopped", detail=detail)
    tx.execute(statements.DECIDE, rows.decision_row(decision, row["event_id"], now))


# How an attempt ends


def _finish(tx: Transaction, ended: Sequence[Attempt], now: float) -> set[str]:
    """Keep how attempts ended and what follows.

    Returns the devices of deliveries that are not what their attempt says, or with which others wait again.
    """
    doubtful = set()
    carried = _carried_by(tx, [attempt.delivery for attempt in ended if attempt.then.state not in WAITING])
    for attempt in ended:
        delivery, then = attempt.delivery, attempt.then
        result = tx.execute(statements.FINISH, _end(attempt, now))
        if not result.rowcount:  # it was claimed again meanwhile
            doubtful.add(delivery.device)
        elif merged := carried.get(delivery.id):
            _settle_parts(tx, delivery, merged, then.state, now)
            doubtful.add(delivery.device)
    if ended:
        tx.executemany(statements.FINISH_ATTEMPT, [_end_of_attempt(attempt) for attempt in ended])
    return doubtful


def _end(attempt: Attempt, now: float) -> Row:
    """Return what of a delivery changes with the end of an attempt."""
    delivery, answer, then = attempt
    return {
        "id": delivery.id,
        "claims": delivery.claims,
        "state": then.state.value,
        "due": then.due,
        "tries": then.tries,
        "unknowns": then.unknowns,
        "failed": int(then.failed or answer.outcome is Outcome.FAILED),
        "reason": then.reason,
        "hold": then.hold and then.hold.value,
        "left_out": then.left_out and then.left_out.value,
        "now": now,
    }


def _end_of_attempt(attempt: Attempt) -> Row:
    delivery, answer, _ = attempt
    return {
        "id": delivery.id,
        "claims": delivery.claims,
        "latency": answer.latency,
        "outcome": answer.outcome.value,
        "status": answer.status,
        "detail": answer.detail,
    }


def expire(tx: Transaction, now: float, after: float) -> int:
    """Give up on waiting deliveries whose time was over after some time; return how many."""
    values = {"now": now, "after": after}
    doubtful = tx.execute(statements.EXPIRES_IN_DOUBT, values).fetchall()
    expired = tx.execute(statements.EXPIRE, values).rowcount
    for row in doubtful:
        _give_up(tx, row, now)
    return expired


def drop(tx: Transaction, row: Row, now: float) -> None:
    """Cancel a delivery for a person."""
    dropped = {"id": row["id"], "now": now, "left_out": LeftOut.BY_HAND, "facts": "{}"}
    tx.execute(statements.LEAVE_OUT, dropped)
    _give_up(tx, row, now)


# Texts that go out as one


class _Part(NamedTuple):
    """A delivery that waits, and its text."""

    row: Row
    text: str


def _message(tx: Transaction, row: Row, first: Delivery, now: float, pace: Pace) -> Message | None:
    """Return what a delivery is to say now: its own message, or with it those of the backlog behind it."""
    merged = _merged(tx, first.id)
    if merged and row["unknowns"]:
        return messages.load(merged["message"])  # it may have arrived, and wbox may know it by its key
    _forget(tx, first.id)
    run = _backlog(tx, row, first, now, pace)
    if len(run) <= pace.backlog or not isinstance(first.message, Text):
        return first.message
    text, number = digest([part.text for part in run], pace.lang)
    if number < 2:  # noqa: PLR2004 - one is no digest
        return first.message
    whole = replace(first.message, message=text)
    value = {"message": messages.dump(whole), "parts": [part.row["id"] for part in run[1:number]]}
    memory = {**_place(first.id), "value": json.dumps(value), "due": None, "event_id": ""}
    tx.execute(statements.REMEMBER, memory)
    return whole


def _backlog(tx: Transaction, row: Row, first: Delivery, now: float, pace: Pace) -> Sequence[_Part]:
    """Return the texts that have waited for one phone on the same terms, without a gap, from the first on."""
    if not pace.backlog or not _can_merge(first.message, row):
        return []
    run: list[_Part] = []
    lane = {"device": first.device, "recipient": row["recipient"], "priority": first.priority}
    for other in tx.execute(statements.BACKLOG, {**lane, "before": now - _WAITED}).fetchall():
        message = rows.delivery(other).message
        if not _can_merge(message, other) or _terms(other) != _terms(row):
            break
        run.append(_Part(other, message.message))
    if run and run[0].row["id"] != first.id:
        return []
    return run


def _can_merge(message: Message | None, row: Row) -> TypeGuard[Text]:
    """Return whether a message may be merged; what was tried keeps its text: wbox may know it by its key."""
    return isinstance(message, Text) and not row["claims"]


def _terms(row: Row) -> tuple[str, float]:
    """Return what becomes of a text that may have been sent, and how long it is worth sending."""
    return row["on_unknown"] or "retry_once", row["lifetime"]


def _settle_parts(
    tx: Transaction, delivery: Delivery, merged: dict[str, Any], state: State, now: float
) -> None:
    """Let what a delivery carried follow its end: left out with it, in doubt with it, or by itself again."""
    parts = _parts(tx, merged)
    if state is State.SENT:
        for part in parts:
            _leave_out(tx, part, LeftOut.BACKLOG, {"delivery": delivery.id}, now)
    elif state in {State.HELD, State.CANCELLED}:
        _doubt(tx, parts, delivery.id, state, now)
    else:
        # It was refused as a whole: whose text is to blame shows when each goes by itself.
        tx.execute(statements.ALONE_AGAIN, {"id": delivery.id, "now": now})
    _forget(tx, delivery.id)


def _give_up(tx: Transaction, row: Row, now: float) -> None:
    """Keep for a person what was carried by a delivery that was given up and may have been sent."""
    merged = _merged(tx, row["id"])
    if merged and row["unknowns"]:
        queued = [part for part in _parts(tx, merged) if part["state"] == State.QUEUED]
        _doubt(tx, queued, row["id"], State.HELD, now)
    _forget(tx, row["id"])


def _doubt(tx: Transaction, parts: Sequence[Row], number: int, state: State, now: float) -> None:
    doubt = {"state": state, "facts": json.dumps({"delivery": number}), "now": now}
    if state is State.HELD:
        doubt |= {"hold": Hold.UNKNOWN, "left_out": None}
    else:
        doubt |= {"hold": None, "left_out": LeftOut.UNKNOWN}
    tx.executemany(statements.DOUBT, [{**doubt, "id": part["id"]} for part in parts])


def _parts(tx: Transaction, merged: dict[str, Any]) -> Sequence[Row]:
    """Return those of the parts that were not decided about meanwhile."""
    return tx.execute(statements.PARTS, {"ids": rows.listed(merged["parts"])}).fetchall()


def _carried_by(tx: Transaction, deliveries: Sequence[Delivery]) -> dict[int, dict[str, Any]]:
    """Return the messages and the other parts that some deliveries carry, by their ids."""
    if not deliveries:
        return {}
    keys = rows.listed(str(delivery.id) for delivery in deliveries)
    found = tx.execute(statements.CARRIED, {"keys": keys}).fetchall()
    return {int(row["key"]): json.loads(row["value"]) for row in found}


def _merged(tx: Transaction, number: int) -> dict[str, Any] | None:
    """Return the message and the other parts that a delivery carries."""
    row = tx.execute(statements.REMEMBERED, _place(number)).fetchone()
    merged: dict[str, Any] | None = json.loads(row["value"]) if row else None
    return merged


def _forget(tx: Transaction, number: int) -> None:
    tx.execute(statements.FORGET, _place(number))


def _place(number: int) -> dict[str, str]:
    return {"rule": "-", "kind": _MERGED, "key": str(number)}
