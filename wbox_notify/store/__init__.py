"""The store: events, what was decided about them, and their deliveries, on disk."""

from pathlib import Path

from wbox_notify.config.stores import is_on_server, on_server
from wbox_notify.errors import ConfigError
from wbox_notify.model.texts import Wording
from wbox_notify.store.claims import Claim, Claimed
from wbox_notify.store.copies import copy, faults, is_unfinished, sizes
from wbox_notify.store.database import Database, Reader
from wbox_notify.store.integrity import BusyError, UnsoundError
from wbox_notify.store.migrations import SchemaError
from wbox_notify.store.queries import Chosen, Queries
from wbox_notify.store.sqlite import Sqlite, SqliteReader
from wbox_notify.store.store import Change, Changed, Store

__all__ = [
    "BusyError",
    "Change",
    "Changed",
    "Chosen",
    "Claim",
    "Claimed",
    "Database",
    "Queries",
    "Reader",
    "SchemaError",
    "Store",
    "UnsoundError",
    "copy",
    "faults",
    "open_database",
    "open_history",
    "open_reader",
    "open_store",
    "sizes",
]


def open_store(url: str, host: str = "") -> Store:
    """Return the store at ``url`` for reading and writing, for a machine with a name.

    Raises:
        UnsoundError: also where a copy into it has not come to its end.
        ConfigError, StoreError: as ``open_database``.
    """
    database = open_database(url)
    if is_unfinished(database):
        database.close()
        raise UnsoundError(
            Wording("a copy into the store {store} was begun and is not whole", store=url),
            hint="end it with the same wbox-notify store copy",
        )
    return Store(database, host)


def open_database(url: str) -> Database:
    """Return the database of a store for reading and writing, as its only owner, made where there is none.

    Raises:
        ConfigError: the address is neither ``sqlite:///PATH`` nor ``postgresql://…``.
        BusyError: another process owns it.
        SchemaError: a newer version wrote it.
        UnsoundError: it is damaged, gone, on another machine's disk, or in a database that cannot hold it.
        StoreError: the file or the database cannot be used.
    """
    if is_on_server(url):
        address = on_server(url)
        from wbox_notify.store.postgres import Postgres  # noqa: PLC0415 - its library is an extra

        return Postgres(address)
    return Sqlite(_path(url))


def open_history(url: str) -> Queries | None:
    """Return a read-only view of the store at ``url``, or None where there is no store yet.

    Raises:
        ConfigError, StoreError: as ``open_reader``.
    """
    reader = open_reader(url)
    return Queries(reader) if reader else None


def open_reader(url: str) -> Reader | None:
    """Return the database of a store for reading alone, beside its owner, or None where there is none yet.

    Raises:
        ConfigError, StoreError: as ``open_database``.
        SchemaError: another version wrote it; an older store is brought up to date by its next owner.
    """
    reader = _reader(url)
    if reader.has_tables():
        return reader
    reader.close()
    return None


def _reader(url: str) -> Reader:
    if is_on_server(url):
        address = on_server(url)
        from wbox_notify.store.postgres import PostgresReader  # noqa: PLC0415 - its library is an extra

        return PostgresReader(address)
    return SqliteReader(_path(url))


def _path(url: str) -> Path:
    scheme, _, path = url.partition(":///")
    if scheme != "sqlite" or not path:
        raise ConfigError(
            f"store: {url!r} is not an address of a store", hint="write it as sqlite:///path/to/file.db"
        )
    return Path(path)
