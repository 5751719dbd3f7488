"""The store: events, what was decided about them, and their deliveries, on disk."""

from pathlib import Path

from wbox_notify.errors import ConfigError
from wbox_notify.store.integrity import BusyError, UnsoundError
from wbox_notify.store.queries import Chosen, Queries
from wbox_notify.store.sqlite import Reader, SchemaError, Sqlite
from wbox_notify.store.store import Store

__all__ = [
    "BusyError",
    "Chosen",
    "Queries",
    "SchemaError",
    "Store",
    "UnsoundError",
    "open_history",
    "open_store",
]


def open_store(url: str) -> Store:
    """Return the store at ``url`` for reading and writing, as its only owner.

    Raises:
        ConfigError: the address is not ``sqlite:///PATH``.
        BusyError: another process owns it.
        SchemaError: a newer version wrote it.
        UnsoundError: it is damaged, gone, or on another machine's disk.
        StoreError: the file cannot be used.
    """
    return Store(Sqlite(_path(url)))


def open_history(url: str) -> Queries | None:
    """Return a read-only view of the store at ``url``, or None where there is no store yet.

    Raises:
        ConfigError, StoreError: as ``open_store``.
        SchemaError: another version wrote it; an older store is brought up to date by its next owner.
    """
    path = _path(url)
    reader = Reader(path)
    if path.exists() and reader.has_tables():
        return Queries(reader)
    reader.close()
    return None


def _path(url: str) -> Path:
    scheme, _, path = url.partition(":///")
    if scheme != "sqlite" or not path:
        raise ConfigError(
            f"store: {url!r} is not an address of a store", hint="write it as sqlite:///path/to/file.db"
        )
    return Path(path)
