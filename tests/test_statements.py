"""Each statement of the store is found by an index, and its cost does not grow with the queue."""

import ast
import inspect
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
import turns
from bench.history import NOW, put_message
from databases import Postgres
from test_history_size import steps

from wbox_notify.dispatch.outbox import Outbox
from wbox_notify.model.deliveries import STUCK, WAITING
from wbox_notify.model.pace import UNLIMITED
from wbox_notify.store import Store, open_store, statements
from wbox_notify.store.postgres import Postgres as PostgresDatabase
from wbox_notify.store.postgres.dialect import _translated

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
        *("slice", "equal", "lower"),
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
    "daemon": "a row for each daemon of a day",
    "circuit": "a row for each device that cannot send",
    "turn": "a row for each recipient within its pace",
    "delivery_sending": "four deliveries for each device at most",
}

SCANS: Mapping[str, Mapping[str, str]] = {
    "WAITING": {"delivery_expiry": "the queue is counted when a device is probed, for a message about it"},
    "COUNTS": {"delivery_expiry": "the queue is counted for `status`; the index alone is read"},
    "QUEUE": {"delivery_expiry": "the queue is listed; the index alone is read to the end"},
    "ALL_IN_STATES": {"delivery_expiry": "the same"},
    "ADOPT": {"event_unplanned": "what waits for its plan is looked through for what others have left"},
    "LEFT_FILES": {"event_unplanned": "the same", "file_open": "and what is to be put away"},
    "QUEUE_IDS": {"delivery_expiry": "the same"},
    "QUEUE_COUNT": {"delivery_expiry": "the same"},
    "QUEUE_BY_RULE": {"delivery_expiry": "the queue is counted for a person"},
    "WAITING_SINCE": {"delivery_expiry": "the same; the index alone is read"},
    "UNHEARD": {"delivery_expiry": "while the fallback knows of a device that cannot send"},
    "SHIFT_DUE": {"delivery_expiry": "the clock was set, and the queue follows"},
    "SHIFT_OPEN": {"delivery_expiry": "the same"},
    "LOWER_OPEN": {"delivery_expiry": "once a minute, for times of the future; the index alone is read"},
    "FAILED_EVENTS": {"decision_failed": "what failed is listed, up to a limit; the index alone is read"},
}
"""What a statement may read from end to end, and why."""

BY: Mapping[str, set[str]] = {
    "EXPIRE": {"delivery_expiry"},
    "EXPIRES_IN_DOUBT": {"delivery_expiry"},
    "NEXT_EXPIRY": {"delivery_expiry"},
    "WAITING_DEVICES": {"delivery_lane"},
    "WAITING_AFTER": {"delivery_open"},
    "SENDING": {"delivery_sending"},
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


# PostgreSQL

HISTORY = """
insert into event (id, type, at, data, received, planned)
    select 'e' || n, 'file', n, '{}', n, n from generate_series(1, 10000) n;
insert into decision (event_id, rule, stage, outcome, detail, at)
    select 'e' || n, 'r' || n % 20, 'send', 'passed', 'x', n from generate_series(1, 10000) n;
insert into delivery
    (key, event_id, rule, device, recipient, message, state, due, created, expires, changed, same)
    select 'k' || n, 'e' || n, 'r' || n % 20, '', n % 1000, '{}',
        case n % 50 when 0 then 'queued' when 1 then 'dead' else 'sent' end, n, n, n + 86400, n, 's' || n
    from generate_series(1, 10000) n;
insert into attempt (delivery_id, number, started, outcome)
    select n, 1, n, 'sent' from generate_series(1, 10000) n;
insert into told select 'e' || n, 'k' || n - 1 from generate_series(1, 10000) n;
insert into memory (rule, kind, key, value, due, event_id)
    select 'r' || n % 20, 'k' || n % 10, n, '{}', n, 'e' || n from generate_series(1, 10000) n;
insert into memory_event select event_id, rule, kind, key from memory;
insert into file (event_id, path, root, device, inode, size, mtime_ns, fate, changed, looked, gone)
    select 'e' || n, decode(to_hex(256 + n), 'escape'), decode(to_hex(n % 7), 'escape'), 1, n, n, n,
        case when n % 100 = 0 then 'open' else 'seen' end, n, n, case when n % 50 = 0 then n end
    from generate_series(1, 10000) n;
analyze;
"""

KINDS = {
    **dict.fromkeys(("now", "day", "limit", "look", "due"), "double precision"),
    **dict.fromkeys(("v0", "v1"), "bytea"),
}
"""Types of parameters that PostgreSQL cannot tell by their places everywhere."""

EXAMPLES = {"text": '["5", "7"]', "bigint": "5", "integer": "5", "double precision": "9000", "boolean": "f"}
"""A value of each type that a parameter has; a text is also a list."""

QUEUE = {"delivery_lane", "delivery_open"}
"""Indices of the queue alone: what reads one of them from end to end might read any."""

ALSO: Mapping[str, set[str]] = {"OLDEST_WAITING": {"delivery_expiry"}}
"""What PostgreSQL reads from end to end besides: it counts the queue for the console."""


@pytest.fixture(scope="module")
def planner(postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    store = open_store(postgres.fresh())
    database = store._database
    assert isinstance(database, PostgresDatabase)
    database._connection.execute(HISTORY)
    yield database._connection
    store.close()


def postgres_plan(planner: psycopg.Connection[Any], statement: str) -> dict[str, Any]:
    """Return the steps by which PostgreSQL finds the rows of a statement, as a tree."""
    names: dict[str, str] = {}
    text = re.sub(
        r"%\((\w+)\)s", lambda match: names.setdefault(match[1], f"${len(names) + 1}"), _translated(statement)
    )
    kinds = ", ".join(KINDS.get(name, "unknown") for name in names)
    planner.execute(f"prepare asked{kinds and f'({kinds})'} as {text.replace('%%', '%')}")
    [row] = planner.execute(
        "select parameter_types::text[] as types from pg_prepared_statements where name = 'asked'"
    )
    values = [f"'{EXAMPLES.get(kind, '5')}'::{kind}" for kind in row["types"]]
    given = f"({', '.join(values)})" if values else ""
    [row] = planner.execute(f"explain (format json) execute asked{given}")
    planner.execute("deallocate asked")
    tree: dict[str, Any] = row["QUERY PLAN"][0]["Plan"]
    return tree


def whole(tree: dict[str, Any], above: str = "") -> Iterator[str]:
    """Yield the tables that are read from end to end, or the index by which they are."""
    kind = tree["Node Type"]
    if kind == "Seq Scan":
        yield tree["Relation Name"]
    elif "Index" in kind and "Index Cond" not in tree and above != "Limit":
        yield "delivery_expiry" if tree["Index Name"] in QUEUE else tree["Index Name"].removesuffix("_pkey")
    for part in tree.get("Plans", ()):
        yield from whole(part, kind)


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_finds_its_rows_by_an_index_on_postgresql_too(
    planner: psycopg.Connection[Any], name: str
) -> None:
    allowed = SCANS.get(name, {}).keys() | ALSO.get(name, set())
    assert {*whole(postgres_plan(planner, STATEMENTS[name]))} - SMALL.keys() <= allowed


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
    for path in SCHEMA.parent.glob(
        "*.py"
    ):  # those that only one engine has stand in the folder of that engine
        if path.stem in {"statements", "migrations"}:
            continue
        text = path.read_text("utf-8")
        found = re.findall(r"[\"'](?:select|insert|update|delete) .*", text)
        known = [line for line in found if "schema_version" in line or "sqlite_master" in line]
        assert found == known, path.name


@pytest.mark.parametrize("path", sorted(SCHEMA.parent.rglob("*.py")), ids=str)
def test_only_an_engine_knows_its_database(path: Path) -> None:
    text = path.read_text("utf-8")
    assert ("import sqlite3" in text) == (path.stem == "sqlite")
    assert "import psycopg" not in text or path.parent.stem == "postgres"


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

outbox_of = cache(Outbox)
"""The outbox of a store, which has read its queue once."""

QUEUE_VERBS: Mapping[str, Callable[[Store], object]] = {
    "claim (nothing due)": lambda store: outbox_of(store).turn_over([], NOW - 1, UNLIMITED, [0.5]),
    "claim": lambda store: turns.claim(store, NOW + 1),
    "next_expiry": lambda store: store.next_expiry(),
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
    for store in (few, many):
        outbox_of(store).next_due(NOW - 1)
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
