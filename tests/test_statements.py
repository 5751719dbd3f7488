"""Each statement of the store is found by an index, and its cost does not grow with the queue."""

import ast
import inspect
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from bench.history import NOW, put_message
from test_history_size import steps

from wbox_notify.model.deliveries import STUCK, WAITING
from wbox_notify.store import Store, open_store, statements

SCHEMA = Path(statements.__file__).with_name("schema.sql")

STATEMENTS = {
    name: text.format(paths="(:v0), (:v1)") if name == "FILES_AT" else text
    for name, text in vars(statements).items()
    if isinstance(text, str)
    and name.isupper()
    and not name.startswith("_")
    and name not in {"OPEN", "CLOSED"}
}

GIVEN = {
    *(
        "json_each",
        "asked",
        "CONSTANT",
        "used",
        "newest",
        "devices",
        "lanes",
        "first",
        "counted",
        "hours",
        "looked",
        "slots",
        "rules",
    ),
    *("unheard", "versions"),
}
"""What a statement makes itself, of rows that it has found."""

SMALL = {
    "circuit": "a row for each device that cannot send",
    "turn": "a row for each recipient within its pace",
    "delivery_sending": "four deliveries for each device at most",
}

SCANS: Mapping[str, Mapping[str, str]] = {
    "WAITING": {"delivery_expiry": "the queue is counted when a device is probed, for a message about it"},
    "COUNTS": {"delivery_expiry": "the queue is counted for `status`; the index alone is read"},
    "QUEUE": {"delivery_expiry": "the queue is listed; the index alone is read to the end"},
    "QUEUE_IDS": {"delivery_expiry": "the same"},
    "QUEUE_COUNT": {"delivery_expiry": "the same"},
    "QUEUE_BY_RULE": {"delivery_expiry": "the queue is counted for a person"},
    "WAITING_SINCE": {"delivery_expiry": "the same; the index alone is read"},
    "UNHEARD": {"delivery_expiry": "while the fallback knows of a device that cannot send"},
    "SHIFT_DUE": {"delivery_expiry": "the clock was set, and the queue follows"},
    "SHIFT_OPEN": {"delivery_expiry": "the same"},
    "LOWER_OPEN": {"delivery_expiry": "once a minute, for times of the future; the index alone is read"},
}
"""What a statement may read from end to end, and why."""

BY: Mapping[str, set[str]] = {
    "EXPIRE": {"delivery_expiry"},
    "EXPIRES_IN_DOUBT": {"delivery_expiry"},
    "NEXT_EXPIRY": {"delivery_expiry"},
    "NEXT": {"delivery_open", "delivery_lane", "delivery_sending"},
    "FIRST_DUE": {"delivery_due"},
    "NEXT_OF_LANES": {"delivery_lane", "delivery_sending"},
    "NEXT_TO_TRY": {"delivery_lane", "delivery_sending"},
    "NEXT_DUE": {"delivery_lane", "delivery_sending"},
    "DEVICES": {"delivery_due", "delivery_sending"},
    "BACKLOG": {"delivery_lane"},
    "SAME_SENT": {"delivery_same"},
    "INTERRUPTED": {"delivery_sending"},
    "SENT_SINCE": {"delivery_closed"},
    "REPEATED_SINCE": {"delivery_closed"},
    "OTHERS_PASSED": {"delivery_closed"},
    "GIVEN_UP": {"delivery_closed"},
    "OLD_DELIVERIES": {"delivery_closed", "delivery_event"},
    "LOWER_CLOSED": {"delivery_closed"},
    "LAST_OF_RULES": {"delivery_of_rule"},
    "MADE_BY_RULES": {"delivery_of_rule"},
    "MADE_FOR_RECIPIENTS": {"delivery_of_rule"},
    "LAST_EVENT_OF_RULE": {"delivery_of_rule"},
}
"""Which indices a statement uses, where another one would cost more with a longer queue."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("plans") / "data.db"
    open_store(f"sqlite:///{path}").close()
    connection = sqlite3.connect(path)
    yield connection
    connection.close()


def plan(database: sqlite3.Connection, statement: str) -> list[str]:
    """Return the steps by which SQLite would find the rows of a statement."""
    values = dict.fromkeys(re.findall(r":(\w+)", statement), 0)
    return [row[3] for row in database.execute(f"explain query plan {statement}", values)]


def scans(database: sqlite3.Connection, name: str) -> set[str]:
    """Return the tables that a statement reads from end to end, or the index by which it reads them."""
    found = set()
    for step in plan(database, STATEMENTS[name]):
        if match := re.match(r"SCAN (?:\d+ )?(\w+)(?: USING (?:COVERING )?INDEX (\w+))?", step):
            table, index = match.groups()
            found.add(index if index and not index.startswith("sqlite_") else table)
    return found - GIVEN - SMALL.keys()


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_finds_its_rows_by_an_index(database: sqlite3.Connection, name: str) -> None:
    assert scans(database, name) == set(SCANS.get(name, ()))


@pytest.mark.parametrize("name", BY)
def test_a_statement_about_the_queue_uses_the_index_that_was_made_for_it(
    database: sqlite3.Connection, name: str
) -> None:
    steps_ = plan(database, STATEMENTS[name])
    used = {index for step in steps_ for index in re.findall(r"INDEX (delivery_\w+)", step)}
    assert used == BY[name], steps_


def test_every_statement_says_what_it_is_for() -> None:
    body = ast.parse(inspect.getsource(statements)).body
    said = {
        node.targets[0].id
        for node, after in pairwise(body)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
    }
    assert set(STATEMENTS) - said == set()


def test_no_statement_stands_outside_of_its_file() -> None:
    for path in SCHEMA.parent.glob("*.py"):
        if path.stem in {"statements", "migrations"}:
            continue
        text = path.read_text("utf-8")
        found = re.findall(r"[\"'](?:select|insert|update|delete) .*", text)
        known = [line for line in found if "schema_version" in line or "sqlite_master" in line]
        assert found == known, path.name


@pytest.mark.parametrize("path", sorted(SCHEMA.parent.glob("*.py")), ids=lambda path: path.stem)
def test_only_the_engine_knows_sqlite(path: Path) -> None:
    assert ("import sqlite3" in path.read_text("utf-8")) == (path.stem == "sqlite")


def test_the_schema_says_what_the_migrations_make(database: sqlite3.Connection) -> None:
    written = sqlite3.connect(":memory:")
    written.executescript(SCHEMA.read_text("utf-8").replace("$key", "integer primary key"))
    assert columns(written) == columns(database)
    assert indices(written) == indices(database)
    written.close()


def columns(database: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Return the columns of each table: name, type, whether null is allowed, default, place in the key."""
    names = "select name from sqlite_master where type = 'table' and name <> 'schema_version'"
    return {
        table: [tuple(row[1:]) for row in database.execute(f"pragma table_info({table})")]
        for (table,) in database.execute(names)
    }


def indices(database: sqlite3.Connection) -> dict[str, str]:
    """Return the definition of each index, on one line."""
    found = database.execute("select name, sql from sqlite_master where type = 'index' and sql is not null")
    return {name: " ".join(text.split()) for name, text in found}


FEW, MANY = 200, 10_000

QUEUE_VERBS: Mapping[str, Callable[[Store], object]] = {
    "claim (nothing due)": lambda store: store.claim(NOW - 1).result(),
    "claim": lambda store: store.claim(NOW + 1).result(),
    "next_due": lambda store: store.next_due(NOW - 1),
    "expire": lambda store: store.expire(NOW).result(),
    "put": lambda store: put_message(store, "fresh", "905559999999"),
    "interrupted": lambda store: store.interrupted(),
    "sent_since": lambda store: store.sent_since(NOW - 1),
    "given_up": lambda store: store.given_up(NOW - 1),
    "unheard": lambda store: store.unheard(["r"], NOW - 1),
}


@pytest.fixture(scope="module", params=[1, 100, MANY], ids=["one phone", "a hundred phones", "a phone each"])
def queues(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[Store, Store]]:
    folder = tmp_path_factory.mktemp("queues")
    few, many = (a_queue(folder / f"{number}.db", number, request.param) for number in (FEW, MANY))
    yield few, many
    few.close()
    many.close()


def a_queue(path: Path, number: int, phones: int) -> Store:
    """Return a store in which so many texts wait for some phones."""
    store = open_store(f"sqlite:///{path}")
    put_message(store, "first", "905550000000")
    copy = """
        with recursive n (n) as (select 1 union all select n + 1 from n where n < :number)
        insert into delivery
            (key, event_id, rule, device, recipient, message, state, due, created, expires, changed)
        select 'k' || n, 'e' || n, rule, device, 905550000000 + n % :phones, message, state, due, created,
            expires, changed
        from delivery, n where key = 'first'
    """
    store._database.write(lambda tx: tx.execute(copy, {"number": number, "phones": phones})).result()
    return store


@pytest.mark.parametrize("verb", QUEUE_VERBS)
def test_a_long_queue_is_not_more_work(queues: tuple[Store, Store], verb: str) -> None:
    few, many = (steps(store, lambda store=store: QUEUE_VERBS[verb](store))[0] for store in queues)  # type: ignore[misc]
    assert many <= 2 * few + 100, f"{few} and {many}"


def test_a_long_history_is_not_more_work_for_those_who_ask_for_the_queue(tmp_path: Path) -> None:
    few, many = (a_queue(tmp_path / f"{number}.db", number, 1) for number in (FEW, MANY))
    for store in (few, many):
        store._database.write(lambda tx: tx.execute("update delivery set state = 'sent'", {})).result()
    states = (*WAITING, *STUCK)
    verbs: list[Callable[[Store], object]] = [
        lambda store: store.counts(states),
        lambda store: store.queue(states),
        lambda store: store.queued(states),
        lambda store: store.queue_size(states),
    ]
    for verb in verbs:
        assert steps(many, lambda verb=verb: verb(many))[0] <= 2 * steps(few, lambda verb=verb: verb(few))[0]  # type: ignore[misc]
    few.close()
    many.close()
