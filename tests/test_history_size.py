"""How much history there is costs nothing: SQLite does the same work, counted in its own steps."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from bench.history import NOW, VERBS, a_store

from wbox_notify.store import Store

T = TypeVar("T")

FEW, MANY = 200, 20_000
STEPS = 10


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Store]]:
    folder: Path = tmp_path_factory.mktemp("history")
    opened = [a_store(folder / f"{number}.db", number) for number in (FEW, MANY)]
    yield opened
    for store in opened:
        store.close()


@pytest.mark.parametrize("verb", VERBS)
def test_a_hundred_times_the_history_is_not_more_work(stores: list[Store], verb: str) -> None:
    few, many = (work(store, verb) for store in stores)
    assert many <= 2 * few + 200, f"{verb}: {few} and {many} times {STEPS} steps"


def work(store: Store, verb: str) -> int:
    """Return what a verb costs SQLite."""
    return steps(store, lambda: VERBS[verb](store, f"work of {verb}"))[0]


def steps(store: Store, do: Callable[[], T]) -> tuple[int, T]:
    """Return what something costs SQLite, counted in tens of its instructions, and what came of it."""
    taken = [0]

    def step() -> None:
        taken[0] += 1

    database = store._database
    reading = database._reader._connected()
    database._reader._idle.append(reading)  # the next to read takes it
    connections = (database._connection, reading)
    for connection in connections:
        connection.set_progress_handler(step, STEPS)
    result = do()
    for connection in connections:
        connection.set_progress_handler(None, 0)
    return taken[0], result


@pytest.mark.parametrize("share", [0, 7])
def test_pruning_is_as_much_work_for_a_row_however_many_there_are(tmp_path: Path, share: int) -> None:
    """Also where some of the events are files, which keep their row."""
    few, many = (cost_of_a_row(tmp_path / f"{number}.db", number, share) for number in (MANY // 10, MANY))
    assert many <= 1.5 * few


def cost_of_a_row(path: Path, number: int, share: int) -> float:
    store = a_store(path, number)
    files = "update event set type = 'file' where :share > 0 and seq % :share = 0"
    store._database.write(lambda connection: connection.execute(files, {"share": share})).result()
    taken, rows, gone = 0, 0, 1
    while gone:
        cost, gone = steps(store, lambda: store.prune(NOW, 500).result())
        taken, rows = taken + cost, rows + gone
    store.close()
    assert rows >= 4 * number
    return taken / rows
