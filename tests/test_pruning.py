"""Pruning: what is finished and old goes, in small steps, and nothing else changes."""

import math
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import turns
from databases import Files, Postgres
from hypothesis import given
from hypothesis import strategies as st
from workplace import until

from wbox_notify.daemon.housekeeping import Housekeeping
from wbox_notify.model.deliveries import (
    OPEN,
    STUCK,
    WAITING,
    Decision,
    Delivery,
    Memory,
    NextStep,
    Plan,
    PlannedMessage,
    State,
)
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileState, FileVersion
from wbox_notify.model.messages import Text
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.store import Store, open_store

DAY = 86_400.0
NOW = 1_000 * DAY
HISTORY = 90 * DAY
OLD = NOW - 100 * DAY
FINISHED = (State.SENT, State.CANCELLED, State.DEAD, State.EXPIRED)


@dataclass(frozen=True)
class Past:
    """An event that came ``age`` days ago, and the states in which its deliveries ended up so long ago."""

    type: str = "webhook"
    age: float = 100
    planned: bool = True
    deliveries: tuple[tuple[State, float], ...] = ()


@pytest.fixture
def store(engine: Files | Postgres) -> Iterator[Store]:
    opened = open_store(engine.fresh())
    yield opened
    opened.close()


def live_through(store: Store, name: str, past: Past) -> None:
    """Bring a store to where it would be had this happened."""
    event = Event(id=name, type=past.type, at=datetime(2026, 1, 1, tzinfo=UTC), data={"rule": name})
    began = NOW - past.age * DAY
    store.put_events([event], began).result()
    if not past.planned:
        return
    messages = tuple(
        PlannedMessage(
            key=f"{name}:{place}",
            rule="r",
            # A device of its own, since one has no more than four messages in flight.
            message=Text(phone=phone(name, place), message="hi", device_id=int(name[1:]) + 1),
        )
        for place, _ in enumerate(past.deliveries)
    )
    decision = Decision(rule="r", stage="if", outcome="passed", detail="yes")
    memory = Memory(rule="r", kind="dedupe", key=name, value={"event_id": name})
    plan = Plan(event_id=name, decisions=(decision,), messages=messages, memories=(memory,))
    store.put_plans([plan], began).result()
    for place, (state, age) in enumerate(past.deliveries):
        bring(store, phone(name, place), state, began, NOW - min(age, past.age) * DAY)


def phone(name: str, place: int) -> str:
    return f"90555{int(name[1:]):04}{place:03}"


def bring(store: Store, to: str, state: State, began: float, ended: float) -> None:
    """Bring the delivery to a phone into a state."""
    if state is State.QUEUED:
        return
    delivery = claimed(store, to, began)
    if state is State.SENDING:
        return
    finish(store, delivery, State.QUEUED if state is State.CANCELLED else state, ended)
    if state is State.CANCELLED:
        store.drop([delivery.id], ended).result()


def claimed(store: Store, to: str, at: float) -> Delivery:
    delivery = turns.claim(store, at, recipient=to)
    assert delivery
    return delivery


def finish(store: Store, delivery: Delivery, state: State, at: float) -> None:
    answer = Answer(outcome=Outcome.SENT if state is State.SENT else Outcome.FAILED, detail="x")
    after = NextStep(state=state, due=at, tries=1, unknowns=0, reason="x")
    assert turns.finish(store, delivery, answer, after, at)


def pruned(store: Store, before: float = NOW - HISTORY, most: int = 500) -> int:
    """Prune until nothing is left; return how many rows went."""
    total = 0
    while rows := store.prune(before, most).result():
        assert rows <= most
        total += rows
    return total


def numbers(store: Store) -> dict[str, int]:
    tables = ("event", "decision", "delivery", "attempt", "memory")
    found = (store._database.read(f"select count(*) as many from {table}") for table in tables)
    return dict(zip(tables, (rows[0]["many"] for rows in found), strict=True))


@pytest.mark.parametrize("state", FINISHED)
def test_an_old_event_goes_with_its_decisions_deliveries_and_attempts(store: Store, state: State) -> None:
    live_through(store, "e1", Past(deliveries=((state, 100), (state, 100))))
    assert pruned(store) == 6
    assert numbers(store) == {"event": 0, "decision": 0, "delivery": 0, "attempt": 0, "memory": 1}


@pytest.mark.parametrize("state", [State.QUEUED, State.SENDING, State.UNKNOWN, State.HELD])
def test_what_is_not_finished_keeps_all_of_its_event(store: Store, state: State) -> None:
    live_through(store, "e1", Past(deliveries=((State.SENT, 100), (state, 100))))
    before = numbers(store)
    assert pruned(store) == 0
    assert numbers(store) == before


@pytest.mark.parametrize(
    "past",
    [
        Past(age=89, deliveries=((State.SENT, 89),)),
        Past(age=100, deliveries=((State.SENT, 100), (State.DEAD, 89))),
        Past(age=100, planned=False),
        Past(age=89),
    ],
)
def test_what_happened_within_the_history_stays(store: Store, past: Past) -> None:
    live_through(store, "e1", past)
    assert pruned(store) == 0


def test_an_event_that_was_planned_late_stays_as_long_after_that(store: Store) -> None:
    live_through(store, "e1", Past(age=100, planned=False))
    store.put_plans([Plan(event_id="e1")], NOW - DAY).result()
    assert pruned(store) == 0
    assert pruned(store, before=NOW) == 1


def test_of_a_file_stays_that_it_was_seen(store: Store) -> None:
    version = FileVersion("/drop/a", "/drop", device=1, inode=1, size=1, mtime_ns=1)
    event = Event(id=version.id, type="file", at=datetime(2026, 1, 1, tzinfo=UTC), data={"path": "/drop/a"})
    store.put_events([event], OLD, files={version: FileState.SEEN}).result()
    store.put_plans([Plan(event_id=event.id)], OLD).result()
    assert pruned(store) == 1
    assert store.known_events([event.id]) == set()
    assert store.files.known([version])[version].told == (version,)


def test_a_file_that_is_still_to_be_put_away_keeps_its_event(store: Store) -> None:
    version = FileVersion("/drop/a", "/drop", device=1, inode=1, size=1, mtime_ns=1)
    event = Event(id=version.id, type="file", at=datetime(2026, 1, 1, tzinfo=UTC), data={"path": "/drop/a"})
    store.put_events([event], OLD, files={version: FileState.OPEN}).result()
    store.put_plans([Plan(event_id=event.id)], OLD).result()
    assert pruned(store) == 0
    store.files.settle(version, FileState.DONE, OLD).result()
    assert pruned(store) == 1


def test_what_a_group_told_of_an_event_that_is_gone_goes_too(store: Store) -> None:
    """A group or digest that is woken late speaks in the name of an event that may be forgotten by then."""
    for name in ("e1", ""):
        later = Plan(
            event_id=name,
            decisions=(Decision(rule="r", stage="group", outcome="passed", detail="told"),),
            messages=(
                PlannedMessage(key=f"{name}:g", rule="r", message=Text(phone="905551112233", message="x")),
            ),
        )
        store.put_plans([later], OLD).result()
        bring(store, "905551112233", State.SENT, OLD, OLD)
    assert pruned(store) == 6
    assert sum(numbers(store).values()) == 0


@pytest.mark.parametrize("most", [1, 2, 7])
def test_a_slice_has_no_more_rows_than_it_may_and_all_of_them_end_it(store: Store, most: int) -> None:
    for number in range(5):
        live_through(store, f"e{number}", Past(deliveries=((State.SENT, 100),) * number))
    assert pruned(store, most=most) == 5 + 5 + 10 + 10
    assert numbers(store)["event"] == 0


def test_housekeeping_follows_the_clock_and_what_the_settings_say_now(store: Store) -> None:
    live_through(store, "e1", Past(age=100))
    said = [math.inf]
    time = [NOW]
    keeping = Housekeeping(store, lambda: said[0], clock=lambda: time[0])
    assert keeping.step() == 0
    said[0] = HISTORY
    time[0] = NOW - 11 * DAY
    assert keeping.step() == 0
    time[0] = NOW
    assert [keeping.step() for _ in range(3)] == [1, 1, 0]


def test_T11_a_clock_that_is_ahead_for_a_moment_forgets_nothing(store: Store) -> None:
    live_through(store, "e1", Past(age=1))
    wall, ran, swept = [NOW], [0.0], list[float]()
    keeping = Housekeeping(
        store, lambda: HISTORY, sweep=swept.append, clock=lambda: wall[0], steady=lambda: ran[0]
    )
    keeping.look()
    wall[0] += 200 * DAY
    keeping.look()
    wall[0] -= 200 * DAY
    keeping.look()
    assert (numbers(store)["event"], swept) == (1, [NOW])
    wall[0] += 200 * DAY
    keeping.look()
    wall[0] += 400
    ran[0] += 400
    keeping.look()
    assert numbers(store)["event"] == 0


def test_housekeeping_runs_beside_intake_and_ends_when_told(store: Store) -> None:
    for number in range(30):
        live_through(store, f"e{number}", Past(age=100))
    keeping = Housekeeping(store, lambda: HISTORY, clock=lambda: NOW, steady=lambda: NOW, every=0.0)
    keeping.start()
    kept = [store.put_events([Event(id=f"n{n}", type="webhook", at=datetime.now(UTC), data={"n": n})], NOW)
            for n in range(100)]  # fmt: skip
    assert all(future.result() == [True] for future in kept)
    until(lambda: numbers(store)["event"] == 100)
    keeping.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "housekeeping"]


PASTS = st.lists(
    st.builds(
        Past,
        type=st.sampled_from(["webhook", "file", "schedule"]),
        age=st.sampled_from([0.5, 6.9, 50, 89.9, 90.1, 200]),
        planned=st.booleans(),
        deliveries=st.lists(
            st.tuples(st.sampled_from([*State]), st.sampled_from([0.1, 80, 95, 150])), max_size=3
        ).map(tuple),
    ),
    max_size=8,
)


def told(store: Store) -> dict[str, Any]:
    """Return what people and the daemon are told, but for what was given up longer ago than the history."""
    recent = [
        delivery
        for delivery in store.queue([*OPEN, *STUCK])
        if delivery.state in {*OPEN, State.HELD} or changed(store, delivery) > NOW - HISTORY
    ]
    return {
        "queue": recent,
        "attempts": [[tuple(row) for row in store.attempts(delivery.id)] for delivery in recent],
        "counts": store.counts((*OPEN, State.HELD)),
        "sent": store.sent_since(NOW - DAY),
        "oldest": store.oldest_waiting(),
        "next": turns.next_due(store, NOW),
        "unplanned": store.unplanned(),
        "interrupted": store.interrupted(),
        "memories": [tuple(row) for row in store._database.read("select * from memory order by key")],
    }


def changed(store: Store, delivery: Delivery) -> float:
    [row] = store._database.read("select changed from delivery where id = :id", {"id": delivery.id})
    return float(row["changed"])


def to_be_sent(store: Store) -> list[str]:
    """Send what waits; return the keys in the order in which they went."""
    keys = []
    later = NOW + 1
    store.requeue(None, WAITING, later).result()
    while delivery := turns.claim(store, later):
        finish(store, delivery, State.SENT, later)
        keys.append(delivery.key)
    return keys


@given(PASTS, st.sampled_from([1, 5, 500]))
def test_pruning_changes_nothing_that_is_still_to_be_told_or_sent(pasts: Sequence[Past], most: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        kept, untouched = (open_store(f"sqlite:///{folder}/{name}.db") for name in ("a", "b"))
        for store in (kept, untouched):
            for number, past in enumerate(pasts):
                live_through(store, f"e{number}", past)
        pruned(kept, most=most)
        assert told(kept) == told(untouched)
        again = [f"e{number}" for number, past in enumerate(pasts) if past.age < 7]
        assert kept.known_events(again) == set(again)
        for number, past in enumerate(pasts):
            gone = past.planned and past.age > 90
            gone = gone and all(state in FINISHED and age > 90 for state, age in past.deliveries)
            assert bool(kept.known_events([f"e{number}"])) is not gone
        assert to_be_sent(kept) == to_be_sent(untouched)
        kept.close()
        untouched.close()
