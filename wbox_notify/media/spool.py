"""Spool: copies of files by their content, and the messages that need them."""

import hashlib
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wbox_notify.config.private import sync
from wbox_notify.errors import StoreError
from wbox_notify.model.deliveries import OPEN, Standing, State
from wbox_notify.model.file_version import blocks
from wbox_notify.model.texts import Wording

_PARTIAL = ".part-"
_DATABASE = "spool.db"
_TABLE = """
create table if not exists item (
    id text primary key,
    key text not null unique,
    sha256 text not null,
    name text not null,
    type text not null,
    family text not null,
    size integer not null,
    created real not null,
    served integer not null default 0
)
"""
_ADD = """
insert into item (id, key, sha256, name, type, family, size, created)
values (:id, :key, :sha256, :name, :type, :family, :size, :now) on conflict (key) do nothing
"""
_FIELDS = "id, key, sha256, name, type, family, size, created"

GRACE = 3600.0
"""Seconds for which a link goes on working after the message was sent."""

LATEST = 7 * 86400.0
"""Seconds after which every link ends, and after which a delivery that has finally failed is not retried."""

Standings = Callable[[Sequence[str]], Mapping[str, Standing]]
"""Returns the standings of the deliveries with some keys; what is missing is not (or not yet) there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A file that has been copied.

    Attributes:
        sha256: The digest of its content, which is its name in the spool.
        name: Its name for people, fit for an address.
        type: Its media type.
        family: What WhatsApp shows it as: ``image``, ``video``, ``audio`` or ``document``.
        size: Its bytes.
    """

    sha256: str
    name: str
    type: str
    family: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Item(Copy):
    """A copy that one message needs.

    Attributes:
        id: Random, so that links do not show that two files are the same.
        key: The key of the delivery.
        created: When it was copied, in seconds since the epoch.
    """

    id: str
    key: str
    created: float

    def is_needed(self, standing: Standing | None, now: float) -> bool:
        """Return whether the message needs the copy, or may need it when a person retries it."""
        if standing is None:
            return now < self.created + GRACE  # its message is about to be stored
        if standing.state in (*OPEN, State.HELD):
            return True
        if standing.state is State.SENT:
            return now < standing.since + GRACE
        return standing.state is not State.CANCELLED and now < standing.since + LATEST


class Spool:
    """A folder with a small database; it is made with the first copy. Any thread may call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            if self._connection:
                self._connection.close()
                self._connection = None

    def path(self, sha256: str) -> Path:
        """Return where a copy is."""
        return self._folder / sha256

    def used(self) -> int:
        """Return the bytes of all copies."""
        return sum(copy.stat().st_size for copy in self._copies())

    def of(self, key: str) -> Item | None:
        """Return the item of the delivery with a key, or None."""
        return next(iter(self._items("where key = ?", key)), None)

    def item(self, item_id: str) -> Item | None:
        """Return an item by its id, or None."""
        return next(iter(self._items("where id = ?", item_id)), None)

    def items(self) -> list[Item]:
        """Return all items, oldest first."""
        return self._items("order by created")

    def copy(self, descriptor: int, size: int) -> str:
        """Copy the first ``size`` bytes of a file, so that they survive a power cut; return their SHA-256."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self._folder / f"{_PARTIAL}{secrets.token_hex(8)}"
        digest = hashlib.sha256()
        try:
            with part.open("xb") as file:
                for block in blocks(descriptor, size):
                    digest.update(block)
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path(digest.hexdigest()))
        finally:
            part.unlink(missing_ok=True)
        sync(self._folder)
        return digest.hexdigest()

    def add(self, needs: Mapping[str, Copy], now: float) -> None:
        """Note which deliveries, by their keys, need which copies; an item that is there stays as it is."""
        rows = [{**asdict(copy), "id": _new_id(), "key": key, "now": now} for key, copy in needs.items()]
        with self._transaction() as connection:
            connection.executemany(_ADD, rows)

    def reserve(self, item: Item, size: int, most: int) -> bool:
        """Count bytes that are about to be served; return False, counting nothing, beyond ``most``."""
        with self._transaction() as connection:
            cursor = connection.execute(
                "update item set served = served + :size where id = :id and served + :size <= :most",
                {"size": size, "id": item.id, "most": most},
            )
            return cursor.rowcount == 1

    def give_back(self, item: Item, size: int) -> None:
        """Subtract bytes that were reserved and not served."""
        with self._transaction() as connection:
            connection.execute("update item set served = served - ? where id = ?", (size, item.id))

    def remove(self, items: Sequence[Item]) -> None:
        """Delete items, and every copy that no item needs, also those that a crash left."""
        if items:
            with self._transaction() as connection:
                connection.executemany("delete from item where id = ?", [(item.id,) for item in items])
        needed = {item.sha256 for item in self.items()}
        for copy in self._copies():
            if copy.name not in needed:
                copy.unlink(missing_ok=True)

    def _copies(self) -> list[Path]:
        """Return all copies, also those that a crash left half done."""
        if not self._folder.is_dir():
            return []
        return [path for path in self._folder.iterdir() if not path.name.startswith(_DATABASE)]

    def _items(self, rest: str, *values: object) -> list[Item]:
        names = _FIELDS.split(", ")
        rows = self._read(f"select {_FIELDS} from item {rest}", *values)  # noqa: S608 - ours
        return [Item(**dict(zip(names, row, strict=True))) for row in rows]

    def _read(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        if self._connection is None and not (self._folder / _DATABASE).exists():
            return []
        with self._transaction() as connection:
            return connection.execute(sql, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for one transaction; StoreError where the database cannot be used."""
        try:
            with self._lock, self._open() as connection:
                yield connection
        except sqlite3.Error as error:
            raise StoreError(
                Wording("{path} cannot be used: {error}", path=self._folder / _DATABASE, error=error)
            ) from None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._folder / _DATABASE, check_same_thread=False)
            self._connection.execute("pragma synchronous = full")
            self._connection.execute(_TABLE)
        return self._connection


def _new_id() -> str:
    return secrets.token_hex(16)
