"""The verbs of the store. Each that changes something returns when its effect is on disk."""

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from functools import partial
from types import MappingProxyType
from typing import Any

from wbox_notify.model.clock import Step
from wbox_notify.model.deliveries import (
    STUCK,
    WAITING,
    Circuit,
    Delivery,
    LeftOut,
    Memory,
    NextStep,
    Plan,
    State,
)
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileState, FileVersion
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.model.pace import UNLIMITED, Pace
from wbox_notify.store import claims, clock, mapping, merging, retries, sql
from wbox_notify.store.file_versions import Files, link, see
from wbox_notify.store.queries import Queries
from wbox_notify.store.retention import prune
from wbox_notify.store.sqlite import Sqlite

Connection = sqlite3.Connection

_ROWS_AT_ONCE = 20
_ANSWERED = 90 * 86400.0
"""Seconds for which the answer to a storm holds, also for rows that are tried again."""


class Store:
    """Where everything lives between the event and the phone.

    Every time argument ``now`` is in seconds since the epoch.
    """

    def __init__(self, database: Sqlite) -> None:
        self._database = database
        self.history = Queries(database)
        self.files = Files(database)

    def close(self) -> None:
        """Finish what is being written and give the store up."""
        self._database.close()

    def put_events(
        self,
        events: Sequence[Event],
        now: float,
        memories: Sequence[Memory] = (),
        files: Mapping[FileVersion, FileState] = MappingProxyType({}),
    ) -> Future[list[bool]]:
        """Keep events; once the future is done they are never forgotten. False marks one known before.

        What their source wants to remember, and the files that they tell of, are kept together with them.
        """

        def work(connection: Connection) -> list[bool]:
            _remember(connection, memories)
            see(connection, files, now)
            return [_insert_event(connection, event, now) for event in events]

        return self._database.write(work)

    def known(self, ids: Sequence[str]) -> set[str]:
        """Return those of the event ids that the store has."""
        marks, values = mapping.among(ids)
        found = self._database.read(f"select id from event where id in ({marks})", values)  # noqa: S608 - marks are ours
        return {row["id"] for row in found}

    def unplanned(self, most: int = 200, size: float = math.inf) -> list[Event]:
        """Return events that no plan was made for yet, oldest first.

        Args:
            most: how many at most.
            size: once the text of those that were read has so many characters, no more are read.
        """
        events: list[Event] = []
        last, wanted = 0, _ROWS_AT_ONCE
        while wanted == _ROWS_AT_ONCE and len(events) < most and size > 0:
            found = self._database.read(
                "select * from event where planned is null and seq > :last order by seq limit :most",
                {"last": last, "most": min(wanted, most - len(events))},
            )
            for row in found:
                if size > 0:
                    events.append(mapping.event(row))
                    size -= len(row["data"])
                    last = row["seq"]
            wanted = len(found)
        return events

    def remembered(self, rule: str, kind: str, key: str) -> Mapping[str, Any] | None:
        """Return what a rule remembers under a key."""
        return self.history.remembered(rule, kind, key)

    def sent(self, prefix: str) -> bool:
        """Return whether wbox took a message whose key begins with a prefix."""
        return self.history.sent(prefix)

    def memories_due(self, now: float, most: int = 200) -> list[Memory]:
        """Return what rules want to be woken with now, the earliest first."""
        found = self._database.read(
            "select * from memory where due <= :now order by due, rule, kind, key limit :most",
            {"now": now, "most": most},
        )
        return [mapping.memory(row) for row in found]

    def memories(self, kinds: Sequence[str]) -> list[Memory]:
        """Return all that rules remember of some kinds."""
        marks, values = mapping.among(kinds)
        found = self._database.read(f"select * from memory where kind in ({marks})", values)  # noqa: S608 - marks are ours
        return [mapping.memory(row) for row in found]

    def next_memory(self) -> float | None:
        """Return when the next rule wants to be woken, or None."""
        due: float | None = self._database.read("select min(due) as due from memory")[0]["due"]
        return due

    def put_plans(self, plans: Sequence[Plan], now: float) -> Future[None]:
        """Keep all that follows from events, in one transaction with the mark that they are planned."""

        def work(connection: Connection) -> None:
            for plan in plans:
                _insert_plan(connection, plan, now)

        return self._database.write(work)

    def put_message(self, event: Event, plan: Plan, now: float) -> Future[list[int]]:
        """Keep an event together with its plan; return the ids of its deliveries."""

        def work(connection: Connection) -> list[int]:
            _insert_event(connection, event, now)
            _insert_plan(connection, plan, now)
            found = connection.execute("select id from delivery where event_id = ? order by id", (event.id,))
            return [row["id"] for row in found]

        return self._database.write(work)

    def claim(
        self, now: float, pace: Pace = UNLIMITED, *, recipient: str = "", chance: float = 0.5
    ) -> Future[Delivery | None]:
        """Take the delivery whose turn it is; that it is being sent is on disk before the future is done.

        What is critical goes first, else the oldest; never two at a time to one recipient, nothing of a
        device whose circuit is open, nothing before its turn. What the pace leaves out has a decision.

        Args:
            now: the time.
            pace: how quickly messages may follow each other.
            recipient: where only what goes there is wanted.
            chance: in [0, 1): where in the jitter of the pace.
        """

        def work(connection: Connection) -> Delivery | None:
            return claims.claim(connection, now, pace, recipient=recipient, chance=chance)

        return self._database.write(work)

    def finish(self, delivery: Delivery, answer: Answer, then: NextStep, now: float) -> Future[bool]:
        """Record how an attempt ended and what follows.

        Args:
            delivery: as ``claim`` returned it; one that was claimed anew meanwhile is left alone.
            answer: what wbox said.
            then: what follows it.
            now: the time of the end.
        """

        def work(connection: Connection) -> bool:
            claim = {"id": delivery.id, "claims": delivery.claims}
            failed = int(then.failed or answer.outcome is Outcome.FAILED)
            changed = connection.execute(sql.FINISH, {**asdict(then), **claim, "failed": failed, "now": now})
            ended = {**asdict(answer), **claim}
            connection.execute(sql.FINISH_ATTEMPT, ended)
            if changed.rowcount:
                merging.settle(connection, delivery, then.state, now)
            return changed.rowcount == 1

        return self._database.write(work)

    def interrupted(self) -> list[Delivery]:
        """Return the deliveries that were being sent when the last owner of the store ended."""
        found = self._database.read("select * from delivery where state = 'sending' order by id")
        return [mapping.delivery(row) for row in found]

    def expire(self, now: float, after: float = -math.inf) -> Future[int]:
        """Give up on waiting deliveries whose time was over ``after`` some time; return how many."""
        asked = {"now": now, "after": after}

        def work(connection: Connection) -> int:
            doubtful = connection.execute(sql.EXPIRES_IN_DOUBT, asked).fetchall()
            expired = connection.execute(sql.EXPIRE, asked).rowcount
            for row in doubtful:
                merging.give_up(connection, row["id"], row["unknowns"], now)
            return expired

        return self._database.write(work)

    def clock_was_set(self, step: Step) -> Future[int]:
        """Follow a clock that was set: nothing expires of it, and nothing waits longer than it would have.

        What an earlier clock wrote that was ahead counts from now; returns how many rows that were.
        """

        def work(connection: Connection) -> int:
            if step.jump:
                clock.follow(connection, step)
            return clock.bring_down(connection, step.now)

        return self._database.write(work)

    def next_due(self, now: float, after: float = -math.inf) -> float | None:
        """Return when a delivery has its next turn or expires, or a circuit is to be looked at; or None.

        What expires counts as for ``expire``.
        """
        found = self._database.read(sql.NEXT_OTHERWISE, {"after": after})
        for row in self._database.read(sql.DEVICES):
            if row["next"] > now:
                found.append({"due": row["next"]})
            else:
                found += self._database.read(sql.NEXT_DUE, {"device": row["device"], "now": now})
        return min((row["due"] for row in found if row["due"] is not None), default=None)

    def circuits(self) -> list[Circuit]:
        """Return the circuits that are not closed."""
        return self.history.circuits()

    def open_circuit(self, device: str, reason: Outcome, until: float, now: float) -> Future[None]:
        """Stop sending through a device and look at it at ``until``; an open circuit stays as it is."""
        row = {"device": device, "reason": reason, "until": until, "now": now}
        return self._run(sql.OPEN_CIRCUIT, row)

    def keep_circuit_open(self, device: str, reason: Outcome, until: float) -> Future[None]:
        """Record that a device was looked at and cannot send yet."""
        return self._run(
            "update circuit set reason = :reason, until = :until, probes = probes + 1 where device = :device",
            {"device": device, "reason": reason, "until": until},
        )

    def try_circuit(self, device: str) -> Future[None]:
        """Let one message at a time through a device, until one has arrived."""
        return self._run("update circuit set trying = 1 where device = :device", {"device": device})

    def tell_circuit(self, device: str) -> Future[None]:
        """Record that the fallback knows of an open circuit."""
        return self._run("update circuit set told = 1 where device = :device", {"device": device})

    def close_circuit(self, device: str) -> Future[None]:
        """Let a device send again."""
        return self._run("delete from circuit where device = :device", {"device": device})

    def requeue(self, ids: Sequence[int] | None, states: Sequence[State], now: float) -> Future[list[int]]:
        """Put deliveries in the given states back into the queue, due now; all of them where ids is None.

        Where one has no message, since its rule failed, the rule follows again what failed, and that alone.
        """

        def work(connection: Connection) -> list[int]:
            found = _chosen(connection, ids, states)
            if ids is None and State.HELD in states:
                _answer_storms(connection, "released", now)
            return [row["id"] for row in found if _requeue(connection, row, now)]

        return self._database.write(work)

    def release_event(self, event_id: str, now: float) -> Future[int]:
        """Let go all that the storm guard holds of one event; return how many."""

        def work(connection: Connection) -> int:
            _answer_storms(connection, "released", now, event_id)
            return connection.execute(sql.LET_GO, {"id": event_id, "rule": "", "now": now}).rowcount

        return self._database.write(work)

    def drop(self, ids: Sequence[int] | None, now: float) -> Future[list[int]]:
        """Cancel deliveries that are waiting or stuck; all of them where ids is None."""

        def work(connection: Connection) -> list[int]:
            found = _chosen(connection, ids, (*WAITING, *STUCK))
            if ids is None:
                _answer_storms(connection, "dropped", now)
            for row in found:
                dropped = {"id": row["id"], "now": now, "left_out": LeftOut.BY_HAND, "facts": "{}"}
                connection.execute(sql.LEAVE_OUT, dropped)
                merging.give_up(connection, row["id"], row["unknowns"], now)
            return [row["id"] for row in found]

        return self._database.write(work)

    def prune(self, before: float, most: int) -> Future[int]:
        """Forget at most ``most`` rows of what was finished by then; return how many, 0 when none is left."""
        return self._database.write(partial(prune, before=before, most=most))

    def _run(self, statement: str, parameters: Mapping[str, Any]) -> Future[None]:
        def work(connection: Connection) -> None:
            connection.execute(statement, parameters)

        return self._database.write(work)


def _insert_event(connection: Connection, event: Event, now: float) -> bool:
    inserted = connection.execute(
        "insert into event (id, type, at, data, received) values (:id, :type, :at, :data, :received)"
        " on conflict (id) do nothing",
        mapping.event_row(event, now),
    )
    return inserted.rowcount == 1


def _remember(connection: Connection, memories: Sequence[Memory]) -> None:
    for memory in memories:
        row = mapping.memory_row(memory)
        if memory.value is None:
            connection.execute(sql.FORGET, row)
            connection.execute(sql.FORGET_EVENTS, row)
            continue
        connection.execute(sql.REMEMBER, row)
        if memory.events is not None:
            connection.execute(sql.FORGET_EVENTS, row)
            events = [{**row, "event_id": event_id} for event_id in memory.events]
            connection.executemany(sql.REMEMBER_EVENT, events)


def _insert_plan(connection: Connection, plan: Plan, now: float) -> None:
    connection.execute(
        "update event set planned = :now where id = :id and planned is null",
        {"now": now, "id": plan.event_id},
    )
    connection.executemany(
        sql.DECIDE,
        [{**asdict(decision), "event_id": plan.event_id, "at": now} for decision in plan.decisions],
    )
    _remember(connection, plan.memories)
    for planned in plan.messages:
        retries.put(connection, planned, plan.event_id, now)
    for key in plan.over:
        retries.over(connection, key, now)
    link(connection, plan)
    for rule in plan.release:
        connection.execute(sql.LET_GO, {"id": plan.event_id, "rule": rule, "now": now})


def _requeue(connection: Connection, row: sqlite3.Row, now: float) -> bool:
    if row["message"] is None:
        return retries.again(connection, row, now)
    connection.execute(sql.REQUEUE, {"now": now, "id": row["id"]})
    return True


def _answer_storms(connection: Connection, then: str, now: float, event_id: str = "") -> None:
    """Keep what a person says of the storm of one event, or of all."""
    answer = {"value": json.dumps({"then": then}), "id": event_id, "due": now + _ANSWERED}
    connection.execute(sql.ANSWER_STORMS, answer)


def _chosen(connection: Connection, ids: Sequence[int] | None, states: Sequence[State]) -> list[sqlite3.Row]:
    """Return the deliveries in the states, of the ids or all of them, oldest first."""
    marks, values = mapping.among(states)
    of_these = "" if ids is None else "and id in (select value from json_each(:ids))"
    return connection.execute(
        f"select * from delivery where state in ({marks}) {of_these} order by id",  # noqa: S608 - ours
        {**values, "ids": json.dumps(ids)},
    ).fetchall()
