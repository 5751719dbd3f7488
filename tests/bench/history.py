"""What a million rows of history cost: each verb of the store with little and with much of it, in one run."""

import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import turns

from wbox_notify.model.deliveries import OPEN, STUCK, NextStep, Plan, PlannedMessage, State
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text, dump
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.store import Store, open_store

FEW, MANY = 1_000, 1_000_000
ROUNDS = 40
DAY = 86_400.0
NOW = 2_000_000_000.0
WAITING = 200


def main() -> None:
    """Print the cost of each verb with few and with many rows, then that of pruning."""
    many = int(sys.argv[1]) if len(sys.argv) > 1 else MANY
    with tempfile.TemporaryDirectory() as folder:
        stores = [a_store(Path(folder, f"{number}.db"), number) for number in (FEW, many)]
        show(f"rows of history: {FEW:,} and {many:,}; median and longest of {ROUNDS}, in ms")
        for title, work in VERBS.items():
            compare(title, work, stores)
        pruning(stores[1])
        for store in stores:
            store.close()


def a_store(path: Path, number: int) -> Store:
    """Return a store with so many sent deliveries, all of them over 180 days, and some that wait."""
    fill(path, number, NOW)
    store = open_store(f"sqlite:///{path}")
    for place in range(WAITING):
        put_message(store, f"waits{place}", f"90555{place:07}")
    return store


def fill(path: Path, number: int, end: float) -> None:
    """Make a store with so many sent deliveries, all of them over the 180 days before a time."""
    open_store(f"sqlite:///{path}").close()
    connection = sqlite3.connect(path)
    connection.execute("pragma synchronous = off")
    for table, columns, rows in (
        ("event", 7, events(number, end)),
        ("decision", 7, decisions(number, end)),
        ("delivery", 16, deliveries(number, end)),
        ("attempt", 7, attempts(number, end)),
    ):
        marks = ", ".join("?" * columns)
        connection.executemany(f"insert into {table} ({COLUMNS[table]}) values ({marks})", rows)
    connection.commit()
    connection.close()


def moments(number: int, end: float) -> Iterator[tuple[int, float]]:
    """Return places from 1, each with its time, over the last 180 days."""
    step = 180 * DAY / number
    return ((place, end - (number - place + 1) * step) for place in range(1, number + 1))


BODY = json.dumps({"method": "POST", "path": "disk", "body": {"disk": "/var", "used": 91, "more": "x" * 200}})
MESSAGE = json.dumps(dump(Text(phone="905551234567", message="/var is 91 % full, on server-1 " * 3)))


COLUMNS = {
    "event": "seq, id, type, at, data, received, planned",
    "decision": "seq, event_id, rule, stage, outcome, detail, at",
    "delivery": "id, key, event_id, rule, device, recipient, message, state, due, created, expires, changed, "
    "claims, tries, unknowns, reason",
    "attempt": "delivery_id, number, started, latency, outcome, status, detail",
}


def events(number: int, end: float) -> Iterable[tuple[Any, ...]]:
    """Return the rows of planned events."""
    return ((place, name(place), "webhook", at, BODY, at, at) for place, at in moments(number, end))


def decisions(number: int, end: float) -> Iterable[tuple[Any, ...]]:
    """Return a decision for each event."""
    return (
        (place, name(place), "disk", "if", "passed", "body.used >= 90: 91", at)
        for place, at in moments(number, end)
    )


def deliveries(number: int, end: float) -> Iterable[tuple[Any, ...]]:
    """Return a sent delivery for each event, over 50 phones."""
    return (
        (
            *(place, f"{place}", name(place), "disk", "", f"9055500000{place % 50:02}", MESSAGE),
            *("sent", at, at, at + DAY, at, 1, 1, 0, ""),
        )
        for place, at in moments(number, end)
    )


def attempts(number: int, end: float) -> Iterable[tuple[Any, ...]]:
    """Return an attempt for each delivery."""
    return ((place, 1, at, 0.2, "sent", 200, "ok") for place, at in moments(number, end))


def name(place: int) -> str:
    """Return the id of an event of the history."""
    return f"webhook:disk:{place}"


def put_message(store: Store, key: str, phone: str) -> None:
    """Put a text into the queue."""
    planned = PlannedMessage(key=key, rule="r", message=Text(phone=phone, message=key))
    store.put_message(an_event(key), Plan(event_id=key, messages=(planned,)), NOW).result()


def an_event(key: str) -> Event:
    """Return a call of a webhook."""
    return Event(id=key, type="webhook", at=datetime.fromtimestamp(NOW, UTC), data=json.loads(BODY))


def claim_and_finish(store: Store, _fresh: str) -> None:
    """Take a delivery and put it back."""
    delivery = turns.claim(store, NOW + 1)
    if delivery is None:
        raise SystemExit("nothing to claim")
    after = NextStep(state=State.QUEUED, due=NOW + 1, tries=0, unknowns=0, reason="")
    turns.finish(store, delivery, Answer(outcome=Outcome.NOT_SENT, detail=""), after, NOW + 1)


def status(store: Store, _fresh: str) -> None:
    """Ask what ``wbox-notify status`` asks of the store."""
    store.counts((*OPEN, *STUCK))
    store.oldest_waiting()
    store.sent_since(NOW - DAY)
    store.circuits()


def pictures(store: Store, _fresh: str) -> None:
    """Ask what the console's overview and queue ask of the store."""
    slot = int(NOW) // 900
    store.ended([State.SENT, State.DEAD, State.EXPIRED], 900, slot - 96, slot)
    for hour in range(24):
        store.delays(NOW - (hour + 1) * 3600, NOW - hour * 3600, 200)
    store.waiting_since([NOW, NOW - 3600, NOW - DAY])
    store.queue_by_rule([*OPEN, *STUCK])
    store.storms(20)


def rule_pages(store: Store, _fresh: str) -> None:
    """Ask what the console's pages about rules and people ask of the store.

    It is an hour in place of their day: the messages of that time are counted, however many are older.
    """
    store.standing_of(["disk"])
    store.made_by(["disk"], NOW - 3600.0, 3600.0)
    store.made_for(NOW - 3600.0)
    store.last_event_of("disk")


Work = Callable[[Store, str], object]
VERBS: dict[str, Work] = {
    "put_events": lambda store, fresh: store.put_events([an_event(fresh)], NOW).result(),
    "put_message": lambda store, fresh: put_message(store, fresh, "905559999999"),
    "claim and finish": claim_and_finish,
    "next_due": lambda store, _: turns.next_due(store, NOW),
    "expire (none)": lambda store, _: store.expire(NOW).result(),
    "interrupted (none)": lambda store, _: store.interrupted(),
    "requeue (none)": lambda store, _: store.requeue([1], [State.HELD], NOW).result(),
    "unplanned": lambda store, _: store.unplanned(),
    "known, 200 ids": lambda store, _: store.known_events([*map(name, range(200))]),
    "status": status,
    "console": pictures,
    "four weeks": lambda store, _: store.ended([State.SENT], 900, int(NOW) // 900 - 2688, int(NOW) // 900),
    "queue list": lambda store, _: store.queue([*OPEN, *STUCK]),
    "rule pages": rule_pages,
    "log": lambda store, _: store.events(most=20),
    "prune (none)": lambda store, _: store.prune(0.0, 500).result(),
}


def compare(title: str, work: Work, stores: list[Store]) -> None:
    """Print what a verb costs in each store, by turns after two rounds that do not count."""
    costs: list[list[float]] = [[] for _ in stores]
    for number in range(ROUNDS + 2):
        for store, seconds in zip(stores, costs, strict=True):
            began = time.perf_counter()
            work(store, f"{title} {number}")
            if number > 1:
                seconds.append((time.perf_counter() - began) * 1000)
    few, many = (statistics.median(each) for each in costs)
    show(f"  {title:<20} {few:8.3f} {many:8.3f} (longest {max(costs[1]):8.3f})   x {many / few:.2f}")


def pruning(store: Store) -> None:
    """Print how long intake waits while history is pruned, beside how long it waits otherwise."""
    alone = [intake(store, f"alone {number}") for number in range(200)]
    slices, beside, rows = [], [], 0
    gone = 1
    while gone:
        began = time.perf_counter()
        pruned = store.prune(NOW - 170 * DAY, 500)
        beside.append(intake(store, f"beside {rows}"))
        gone = pruned.result()
        rows += gone
        slices.append((time.perf_counter() - began) * 1000)
    show(f"pruning {rows:,} rows in slices of 500, an event put right behind each; in ms")
    for title, each in (("a slice", slices), ("intake beside it", beside), ("intake alone", alone)):
        ordered = sorted(each)
        middle, late = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
        show(f"  {title:<20} median {middle:7.2f}   99 % {late:7.2f}   longest {ordered[-1]:7.2f}")


def intake(store: Store, fresh: str) -> float:
    """Return the milliseconds until an event is on disk."""
    began = time.perf_counter()
    store.put_events([an_event(fresh)], NOW).result()
    return (time.perf_counter() - began) * 1000


def show(line: str) -> None:
    """Print a line."""
    print(line, flush=True)  # noqa: T201 - what it is for


if __name__ == "__main__":
    main()
