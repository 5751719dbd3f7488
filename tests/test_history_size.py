"""How much history there is costs nothing: SQLite does the same work, counted in its own steps."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.history import VERBS, a_store

from wbox_notify.store import Store

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
    """Return what a verb costs SQLite, counted in tens of its instructions."""
    taken = [0]

    def step() -> None:
        taken[0] += 1

    database = store._database
    connections = (database._connection, database._reader._connected())
    for connection in connections:
        connection.set_progress_handler(step, STEPS)
    VERBS[verb](store, f"work of {verb}")
    for connection in connections:
        connection.set_progress_handler(None, 0)
    return taken[0]
