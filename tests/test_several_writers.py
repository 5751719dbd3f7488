"""One PostgreSQL that several daemons write at once: each statement means what it means for one."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from databases import Postgres
from hypothesis import given, settings
from hypothesis import strategies as st

from wbox_notify.model.deliveries import Hold, Plan, PlannedMessage, State, Waiting
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileState, FileVersion
from wbox_notify.model.messages import Text
from wbox_notify.model.outcomes import Outcome
from wbox_notify.model.pace import UNLIMITED
from wbox_notify.store import Claim, Store, open_store, statements
from wbox_notify.store.database import RefusedError, Transaction
from wbox_notify.store.leases import LateError, Turn
from wbox_notify.store.rows import event_row

T = TypeVar("T")

PHONES = ["905551110001", "905551110002"]


def an_event(name: str) -> Event:
    return Event(id=name, type="webhook", at=datetime(2026, 11, 30, 9, tzinfo=UTC), data={})


def a_plan(event: str, key: str, text: str = "hello", device: int | None = None) -> Plan:
    message = Text(phone=PHONES[0], message=text, device_id=device)
    return Plan(event_id=event, messages=(PlannedMessage(key=key, rule="r", message=message),))


@pytest.fixture(scope="module")
def stores(postgres: Postgres) -> Iterator[list[Store]]:
    url = postgres.fresh()
    stores = [open_store(url) for _ in range(3)]
    yield stores
    for store in stores:
        store.close()


def at_once(stores: list[Store], work: Callable[[Store], T]) -> list[T]:
    """Return what some work comes to for each store, done at the same moment as far as that can be."""
    ready = threading.Barrier(len(stores))

    def begin(store: Store) -> T:
        ready.wait(30)
        return work(store)

    with ThreadPoolExecutor(len(stores)) as pool:
        return list(pool.map(begin, stores))


names = map(str, range(1_000_000))


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), many=st.integers(1, 40), jobs=st.integers(1, 5))
def test_an_event_that_several_put_at_once_is_new_for_exactly_one(
    stores: list[Store], seed: int, many: int, jobs: int
) -> None:
    events = [an_event(f"event {next(names)}") for _ in range(many)]

    def put(store: Store) -> list[tuple[str, bool]]:
        # Each has others beside them, in an order of its own, and in several transactions.
        own = random.Random(f"{seed} {id(store)}")
        mine = [*events, *(an_event(f"own {next(names)}") for _ in range(5))]
        start = own.randrange(len(mine))
        mine = mine[start:] + mine[:start]
        parts = [mine[part::jobs] for part in range(jobs)]
        marks = [(part, store.put_events(part, 1.0)) for part in parts]
        return [
            (event.id, is_new)
            for part, kept in marks
            for event, is_new in zip(part, kept.result(), strict=True)
        ]

    new = [name for told in at_once(stores, put) for name, is_new in told if is_new]
    assert sorted(new) == sorted({*new})
    assert {event.id for event in events} <= {*new}
    assert len(new) == many + 5 * len(stores)


def test_daemons_that_see_the_same_files_in_different_orders_are_not_in_each_other_s_way(
    postgres: Postgres,
) -> None:
    url = postgres.fresh()
    stores = [open_store(url, host) for host in ("one", "two", "three")]
    before = postgres.log.count("deadlock detected")
    files = [
        FileVersion(f"/drop/{n}", "/drop", device=1, inode=n, size=1, mtime_ns=n, ctime_ns=n)
        for n in range(500)
    ]

    def see(store: Store) -> None:
        mine = random.Random(id(store)).sample(files, len(files))
        store.files.see(dict.fromkeys(mine, FileState.SEEN), 1.0).result()

    at_once(stores, see)
    for store in stores:
        store.close()
    assert postgres.log.count("deadlock detected") == before


def test_who_reads_on_in_the_queue_while_several_write_it_misses_nothing(stores: list[Store]) -> None:
    written = threading.Event()

    def read() -> list[int]:
        found: list[int] = []
        while True:
            is_last = written.is_set()
            more = stores[0].waiting_after("7", (0, found[-1] if found else 0), 100)
            found += [waiting.id for waiting in more]
            if is_last and not more:
                return found

    def write(store: Store) -> list[int]:
        kept = [store.put_message(an_event(name), a_plan(name, name, device=7), 1.0) for name in _some(200)]
        return [number for future in kept for number in future.result()]

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        made = [number for numbers in at_once(stores, write) for number in numbers]
        written.set()
        assert reader.result(60) == sorted(made)
    assert len(made) == 600


def _some(many: int) -> list[str]:
    return [f"message {next(names)}" for _ in range(many)]


def test_a_message_that_several_put_under_one_key_is_one_and_another_one_waits_for_a_person(
    stores: list[Store],
) -> None:
    for name in _some(20):
        plans = {id(store): a_plan(name, name, text) for store, text in zip(stores, "aab", strict=True)}
        queued = at_once(stores, lambda store, plans=plans: store.put_plans([plans[id(store)]], 1.0).result())  # type: ignore[misc]
        assert sorted(map(len, queued)) == [0, 0, 1]
        deliveries = stores[0].deliveries(name)
        assert [delivery.hold for delivery in deliveries] == [None, Hold.SAME_KEY]
        assert {
            delivery.message.message for delivery in deliveries if isinstance(delivery.message, Text)
        } == {*"ab"}


def test_what_one_claims_while_another_drops_it_is_either_sent_or_dropped(stores: list[Store]) -> None:
    claimer, dropper, _ = stores
    claimed_first = 0
    for name in _some(40):
        [number] = claimer.put_message(an_event(name), a_plan(name, name), 1.0).result()
        [waiting] = claimer.waiting_of([number])

        def change(store: Store, number: int = number, waiting: Waiting = waiting) -> bool:
            if store is dropper:
                return bool(store.drop([number], 2.0).result())
            [claimed] = store.turn_over([], [Claim(waiting)], 2.0, UNLIMITED).result().claimed
            return claimed.has_begun

        claimed, dropped = at_once([claimer, dropper], change)
        kept = claimer.delivery(number)
        assert kept is not None
        assert (kept.state, claimed, dropped) in [
            (State.SENDING, True, False),
            (State.CANCELLED, False, True),
        ]
        claimed_first += claimed
    assert claimed_first >= 0


def test_two_that_wait_for_each_other_both_come_through(stores: list[Store]) -> None:
    both = threading.Barrier(2)
    runs: list[str] = []

    def open_both(tx: Transaction, *devices: str) -> None:
        runs.append(devices[0])
        for place, device in enumerate(devices):
            tx.execute(
                statements.OPEN_CIRCUIT,
                {"device": device, "reason": Outcome.NOT_READY, "until": 9.0, "now": 1.0},
            )
            tx.execute(statements.TRY_CIRCUIT, {"device": device}).rowcount  # noqa: B018 - is done when that is known
            if not place and runs.count(devices[0]) == 1:
                both.wait(30)

    futures = [
        store._database.write(open_both, *devices)
        for store, devices in zip(stores, (("x", "y"), ("y", "x")), strict=False)
    ]
    for future in futures:
        future.result(30)
    assert len(runs) == 3, "one of them was done again"
    for device in "xy":
        stores[0].close_circuit(device).result()


def test_what_cannot_go_well_is_refused_in_the_end_and_spoils_nothing_else(stores: list[Store]) -> None:
    [name] = _some(1)
    row = event_row(an_event(name), 1.0)
    runs = 0

    def twice(tx: Transaction) -> None:
        nonlocal runs
        runs += 1
        tx.executemany(statements.PUT_EVENT, [row, row])

    futures = [stores[0].put_events([an_event(f"{name} {side}")], 1.0) for side in "ab"]
    refused = stores[0]._database.write(twice)
    with pytest.raises(RefusedError, match="duplicate key"):
        refused.result(30)
    assert [future.result(30) for future in futures] == [[True], [True]]
    assert 5 <= runs <= 10


def test_who_is_late_with_a_plan_spoils_nothing_that_is_written_with_it(stores: list[Store]) -> None:
    one, other = _some(2)
    gathered = threading.Event()
    waits = stores[0]._database.write(lambda _tx: gathered.wait(30))
    kept = stores[0].put_events([an_event(one)], 1.0)
    late = stores[0].put_plans([a_plan(one, one)], 1.0, Turn("plan", "nobody", 1))
    sent = stores[0].put_message(an_event(other), a_plan(other, other), 1.0)
    gathered.set()
    assert waits.result(30)
    with pytest.raises(LateError):
        late.result(30)
    assert kept.result(30) == [True]
    assert len(sent.result(30)) == 1
    assert stores[0].deliveries(one) == []
    assert stores[0].event(one)["planned"] is None  # type: ignore[index]


def test_a_frozen_writer_keeps_no_row_locked_and_does_its_work_when_it_wakes(postgres: Postgres) -> None:
    url = postgres.fresh()
    frozen = open_store(f"{url}&options=-cidle_in_transaction_session_timeout%3D200")
    other = open_store(url)
    frozen.open_circuit("d", Outcome.NOT_READY, 9.0, 1.0).result()
    locked, woken = threading.Event(), threading.Event()

    def try_circuit(tx: Transaction) -> None:
        assert tx.execute(statements.TRY_CIRCUIT, {"device": "d"}).rowcount == 1
        locked.set()
        woken.wait(30)

    late = frozen._database.write(try_circuit)
    assert locked.wait(30)
    other.tell_circuit("d").result(30)
    woken.set()
    late.result(30)
    [circuit] = other.circuits()
    assert (circuit.trying, circuit.told) == (True, True)
    for store in (frozen, other):
        store.close()
