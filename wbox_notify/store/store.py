"""The verbs of the store. Each that changes something returns when its effect is on disk."""

import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from wbox_notify.deliveries import LIFETIME, STUCK, WAITING, Delivery, Memory, Plan, State
from wbox_notify.events import Event
from wbox_notify.files import Fate, FileVersion
from wbox_notify.outcomes import Answer
from wbox_notify.store import rows, sql
from wbox_notify.store.files import Files, link, see
from wbox_notify.store.history import History
from wbox_notify.store.sqlite import Sqlite

Connection = sqlite3.Connection


class Store:
    """Where everything lives between the event and the phone.

    Every time argument ``now`` is in seconds since the epoch.
    """

    def __init__(self, database: Sqlite) -> None:
        self._database = database
        self.history = History(database)
        self.files = Files(database)

    def close(self) -> None:
        """Finish what is being written and give the store up."""
        self._database.close()

    def put_events(
        self,
        events: Sequence[Event],
        now: float,
        memories: Sequence[Memory] = (),
        files: Mapping[FileVersion, Fate] = MappingProxyType({}),
    ) -> Future[list[bool]]:
        """Keep events; once the future is done they are never forgotten. False marks one known before.

        What their source wants to remember, and the files that they tell of, are kept together with them.
        """

        def work(connection: Connection) -> list[bool]:
            _remember(connection, memories)
            see(connection, files, now)
            return [_insert_event(connection, event, now) for event in events]

        return self._database.write(work)

    def unplanned(self, most: int = 200) -> list[Event]:
        """Return events that no plan was made for yet, oldest first."""
        found = self._database.read(
            "select * from event where planned is null order by seq limit :most", {"most": most}
        )
        return [rows.event(row) for row in found]

    def remembered(self, rule: str, kind: str, key: str) -> Mapping[str, Any] | None:
        """Return what a rule remembers under a key."""
        return self.history.remembered(rule, kind, key)

    def memories_due(self, now: float, most: int = 200) -> list[Memory]:
        """Return what rules want to be woken with now, the earliest first."""
        found = self._database.read(
            "select * from memory where due <= :now order by due, rule, kind, key limit :most",
            {"now": now, "most": most},
        )
        return [rows.memory(row) for row in found]

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

    def claim(self, now: float, phone: str = "") -> Future[Delivery | None]:
        """Take the next delivery that is due; that it is being sent is on disk before the future is done.

        Only the oldest open delivery to a phone can be taken, and none of a device whose circuit is open;
        with ``phone`` only what goes there.
        """

        def work(connection: Connection) -> Delivery | None:
            row = connection.execute(sql.CLAIM, {"now": now, "phone": phone}).fetchone()
            if row is None:
                return None
            connection.execute(
                "insert into attempt (delivery_id, number, started) values (:id, :claims, :now)",
                {"id": row["id"], "claims": row["claims"], "now": now},
            )
            return rows.delivery(row)

        return self._database.write(work)

    def finish(
        self, delivery: Delivery, answer: Answer, after: Mapping[str, Any], now: float
    ) -> Future[bool]:
        """Record how an attempt ended and what follows.

        Args:
            delivery: as ``claim`` returned it; one that was claimed anew meanwhile is left alone.
            answer: what wbox said.
            after: the new ``state``, ``due``, ``tries``, ``unknowns`` and ``reason``.
            now: the time of the end.
        """

        def work(connection: Connection) -> bool:
            changed = connection.execute(
                sql.FINISH, {**after, "id": delivery.id, "claims": delivery.claims, "now": now}
            )
            connection.execute(
                "update attempt"
                " set latency = :latency, outcome = :outcome, status = :status, detail = :detail"
                " where delivery_id = :id and number = :claims",
                {**asdict(answer), "id": delivery.id, "claims": delivery.claims},
            )
            return changed.rowcount == 1

        return self._database.write(work)

    def interrupted(self) -> list[Delivery]:
        """Return the deliveries that were being sent when the last owner of the store ended."""
        found = self._database.read("select * from delivery where state = 'sending' order by id")
        return [rows.delivery(row) for row in found]

    def expire(self, now: float) -> Future[int]:
        """Give up on waiting deliveries whose time is over; return how many."""

        def work(connection: Connection) -> int:
            return connection.execute(
                "update delivery set state = 'expired', changed = :now,"
                " reason = 'was not sent in time: ' || reason"
                " where state in ('queued', 'unknown') and expires <= :now",
                {"now": now},
            ).rowcount

        return self._database.write(work)

    def next_due(self) -> float | None:
        """Return when the next delivery of a closed circuit or the next probe is due, or None."""
        found = self._database.read(sql.NEXT_DUE)
        return min((row["due"] for row in found if row["due"] is not None), default=None)

    def circuits_due(self, now: float) -> list[Mapping[str, Any]]:
        """Return the open circuits that are to be looked at now: ``device``, ``reason``, ``probes``."""
        return list(self._database.read("select * from circuit where until <= :now", {"now": now}))

    def open_circuit(self, device: str, reason: str, until: float, now: float) -> Future[None]:
        """Stop sending through a device and look at it at ``until``; an open circuit stays as it is."""

        def work(connection: Connection) -> None:
            connection.execute(
                "insert into circuit (device, reason, since, until, probes)"
                " values (:device, :reason, :now, :until, 0) on conflict (device) do nothing",
                {"device": device, "reason": reason, "until": until, "now": now},
            )

        return self._database.write(work)

    def keep_circuit_open(self, device: str, reason: str, until: float) -> Future[None]:
        """Record that a device was looked at and can not send yet."""

        def work(connection: Connection) -> None:
            connection.execute(
                "update circuit set reason = :reason, until = :until, probes = probes + 1"
                " where device = :device",
                {"device": device, "reason": reason, "until": until},
            )

        return self._database.write(work)

    def close_circuit(self, device: str) -> Future[None]:
        """Let a device send again."""

        def work(connection: Connection) -> None:
            connection.execute("delete from circuit where device = :device", {"device": device})

        return self._database.write(work)

    def requeue(self, ids: Sequence[int] | None, states: Sequence[State], now: float) -> Future[list[int]]:
        """Put deliveries in the given states back into the queue, due now; all of them where ids is None.

        One that has no message, since its rule failed, gets its event planned anew instead.
        """

        def work(connection: Connection) -> list[int]:
            found = _chosen(connection, ids, states)
            parameters = {"now": now, "expires": now + LIFETIME}
            for row in found:
                statements = sql.REQUEUE if row["message"] else sql.REPLAN
                for statement in statements:
                    connection.execute(statement, {**parameters, "id": row["id"]})
            return [row["id"] for row in found]

        return self._database.write(work)

    def release_event(self, event_id: str, now: float) -> Future[int]:
        """Let go all that the storm guard holds of one event; return how many."""

        def work(connection: Connection) -> int:
            return connection.execute(
                "update delivery"
                " set state = 'queued', due = :now, expires = :expires, changed = :now, reason = ''"
                " where event_id = :id and state = 'held' and reason like 'storm guard:%'",
                {"id": event_id, "now": now, "expires": now + LIFETIME},
            ).rowcount

        return self._database.write(work)

    def drop(self, ids: Sequence[int] | None, now: float) -> Future[list[int]]:
        """Cancel deliveries that are waiting or stuck; all of them where ids is None."""

        def work(connection: Connection) -> list[int]:
            found = _chosen(connection, ids, (*WAITING, *STUCK))
            for row in found:
                connection.execute(
                    "update delivery set state = 'cancelled', changed = :now, reason = 'dropped by hand'"
                    " where id = :id",
                    {"id": row["id"], "now": now},
                )
            return [row["id"] for row in found]

        return self._database.write(work)


def _insert_event(connection: Connection, event: Event, now: float) -> bool:
    inserted = connection.execute(
        "insert into event (id, type, at, data, received) values (:id, :type, :at, :data, :received)"
        " on conflict (id) do nothing",
        rows.event_row(event, now),
    )
    return inserted.rowcount == 1


def _remember(connection: Connection, memories: Sequence[Memory]) -> None:
    for memory in memories:
        connection.execute(sql.FORGET if memory.value is None else sql.REMEMBER, rows.memory_row(memory))


def _insert_plan(connection: Connection, plan: Plan, now: float) -> None:
    connection.execute(
        "update event set planned = :now where id = :id and planned is null",
        {"now": now, "id": plan.event_id},
    )
    connection.executemany(
        "insert into decision (event_id, rule, stage, outcome, detail, at)"
        " values (:event_id, :rule, :stage, :outcome, :detail, :at)",
        [{**asdict(decision), "event_id": plan.event_id, "at": now} for decision in plan.decisions],
    )
    _remember(connection, plan.memories)
    connection.executemany(
        sql.INSERT_DELIVERY,
        [rows.delivery_row(planned, plan.event_id, now, LIFETIME) for planned in plan.messages],
    )
    link(connection, plan)


def _chosen(connection: Connection, ids: Sequence[int] | None, states: Sequence[State]) -> list[sqlite3.Row]:
    """Return the deliveries in the states, of the ids or all of them, oldest first."""
    marks, values = rows.among(states)
    found = connection.execute(
        f"select id, message from delivery where state in ({marks}) order by id",  # noqa: S608 - marks are ours
        values,
    ).fetchall()
    return found if ids is None else [row for row in found if row["id"] in set(ids)]
