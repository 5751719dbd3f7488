"""A whole store in another database, of the same kind or of another one, and what is wrong inside a store."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b

from wbox_notify.errors import StoreError
from wbox_notify.model.texts import Wording
from wbox_notify.store import statements
from wbox_notify.store.database import Database, Readable, Row, Transaction
from wbox_notify.store.integrity import BusyError

_AT_ONCE = 500
_DIGEST = 16

Moved = Callable[[int], None]
"""Is told each time that so many more rows were read."""


def sizes(database: Readable) -> dict[str, int]:
    """Return how many rows each table has."""
    return {table: database.read(statements.size(table))[0]["many"] for table in statements.TABLES}


def copy(source: Readable, target: Database, moved: Moved) -> None:
    """Write all rows of a store into one that is empty, or that a copy was begun into; both have one owner.

    Until all rows are there and are the same, the target is marked, and nobody can run with it.

    Raises:
        BusyError: daemons run with one of them.
        StoreError: the target has rows that are not of the source.
    """
    for database in (source, target):
        _check_nobody_runs(database)
    if any(sizes(target).values()) and not is_unfinished(target):
        raise StoreError(
            Wording("the store that is to be filled is not empty"), hint="copy into one that is new"
        )
    target.write(_mark).result()
    copied = {}
    for table in statements.TABLES:
        copied[table] = _Digest()
        for rows in _slices(source, table):
            target.write(_put, table, rows).result()
            copied[table].add(rows, moved)
    for table, digest in copied.items():
        there = _Digest()
        for rows in _slices(target, table):
            there.add(rows, moved)
        if there.value != digest.value:
            raise StoreError(
                Wording("the rows of {table} are not the same in both stores", table=table),
                hint="the first one was used since the copy was begun: copy again, into one that is new",
            )
    target.write(_finish).result()


def _check_nobody_runs(database: Readable) -> None:
    """Refuse a store that daemons share; one that a daemon has alone cannot be opened beside it."""
    hosts = {row["host"] for row in database.read(statements.DAEMONS)}
    if hosts:
        raise BusyError(
            Wording("the store is in use by daemons on {hosts}", hosts=", ".join(sorted(hosts))),
            hint="stop all of them first; one that was killed counts for some seconds more",
        )


def is_unfinished(database: Readable) -> bool:
    """Return whether a copy into the store was begun and has not come to its end."""
    return bool(database.read(statements.REMEMBERED, statements.UNFINISHED_COPY))


def faults(database: Readable) -> Mapping[str, int]:
    """Return how often something in a store is not as we write it, by the name of the fault."""
    found = {name: database.read(text)[0]["many"] for name, text in statements.FAULTS.items()}
    return {name: many for name, many in found.items() if many}


class _Digest:
    """A number that is the same for the same rows in any order: each engine has its own order of texts."""

    def __init__(self) -> None:
        self.value = 0

    def add(self, rows: Sequence[Row], moved: Moved) -> None:
        for row in rows:
            text = repr(tuple(row[name] for name in sorted(row.keys())))
            digest = blake2b(text.encode("utf-8", "backslashreplace"), digest_size=_DIGEST)
            self.value += int.from_bytes(digest.digest())
        moved(len(rows))


def _slices(database: Readable, table: str) -> Iterator[Sequence[Row]]:
    """Yield the rows of a table in the order of its key, without the mark of an unfinished copy."""
    rows = database.read(statements.first_rows(table), {"most": _AT_ONCE})
    while rows:
        yield rows
        place = {name: rows[-1][name] for name in statements.TABLES[table]}
        rows = database.read(statements.next_rows(table), {**place, "most": _AT_ONCE})


def _put(tx: Transaction, table: str, rows: Sequence[Row]) -> None:
    tx.executemany(statements.put(table, rows[0].keys()), map(dict, rows))


def _mark(tx: Transaction) -> None:
    tx.execute(statements.BEGIN_COPY, statements.UNFINISHED_COPY)


def _finish(tx: Transaction) -> None:
    tx.execute(statements.FORGET, statements.UNFINISHED_COPY)
