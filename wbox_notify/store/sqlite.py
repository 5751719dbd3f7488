"""SQLite as the engine of the store: one file, one writing connection, one owner."""

import errno
import logging
import os
import shutil
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from pathlib import Path

from wbox_notify.config.private import sync
from wbox_notify.config.stores import BEFORE_UPGRADE
from wbox_notify.errors import StoreError
from wbox_notify.store import migrations
from wbox_notify.store.database import RefusedError, Row, T, Transaction, Values, asked
from wbox_notify.store.integrity import Identity, Owner, UnsoundError, suspicious
from wbox_notify.store.leases import Alone
from wbox_notify.store.migrations import MIGRATIONS
from wbox_notify.store.news import News
from wbox_notify.store.writer import Job, Writer

log = logging.getLogger(__name__)

_PAGE = 4096
_USUAL_LOG, _LEAST_LOG, _LOG_OF_DISK = 1000, 16, 16
"""Pages of the log: SQLite's own measure, the least on a small disk, and which part of one it may be."""


class Sqlite:
    """A database file that this process alone writes.

    All writing goes through one thread that commits what has gathered as one transaction, so that many
    callers share one ``fsync``. Reading has its own connections and never waits for a writer.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader = SqliteReader(path)
        with _explained(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._owner = Owner(path)
        try:
            with _explained(path):
                self._identity = Identity.of(path, self._owner)
                self._owner.hold()
                self._connection = _open_for_writing(path, look=suspicious(path))
                self._upgrade()
                self._owner.made()
        except StoreError:
            self._owner.close()
            raise
        self._broken = False
        self._writer = Writer(self._commit)
        self.leases = Alone()

    def write(self, work: Callable[[Transaction, *Values], T], *values: *Values) -> Future[T]:
        """Do some work in a transaction; the future is done when its effect is on disk.

        The future raises StoreError when nothing was written.
        """
        return self._writer.write(work, *values)

    def read(self, statement: str, values: Row | None = None) -> list[Row]:
        """Return the rows of a query over what is committed."""
        return self._reader.read(statement, values)

    def listen(self, heard: Callable[[], None]) -> None:
        """Call a function after each commit that changed something, from the thread that writes."""
        self._writer.listen(heard)

    def follow(self, heard: Callable[[News], None]) -> None:
        """Do nothing: there are no others."""

    @property
    def clock(self) -> Callable[[], float]:
        """That of the machine."""
        return time.time

    def close(self) -> None:
        """Commit what is queued, then give up the file."""
        self._writer.close()
        self._reader.close()
        self._connection.close()
        self._owner.close()

    def _upgrade(self) -> None:
        """Bring the tables up to date, or refuse what a newer version wrote.

        The store is kept as it was, for an older version that one may want to go back to.
        """
        self._connection.execute(migrations.MADE)
        version = migrations.known(self._connection.execute(migrations.VERSION).fetchone()["version"])
        if 0 < version < len(MIGRATIONS):
            kept = Path(f"{self._path}{BEFORE_UPGRADE}")
            self._reader.keep(kept)
            log.warning(
                "the store goes from schema %d to %d; as it was, it is in %s", version, len(MIGRATIONS), kept
            )
        _migrate(self._connection, version)

    def _commit(self, batch: Sequence[Job]) -> bool:
        try:
            with _explained(self._path):
                self._reopen_if_broken()
                before = self._connection.total_changes
                self._connection.execute("begin immediate")
                for job in batch:
                    job.run(self._connection)
                # Before the commit: what callers hear has failed must not be there later.
                self._identity.check()
                self._connection.execute("commit")
        except Exception as error:
            self._give_back(error)
            raise
        return self._connection.total_changes > before

    def _give_back(self, error: Exception) -> None:
        """Undo what was begun; after an error of the disk, the connection cannot be trusted."""
        name = getattr(error.__cause__, "sqlite_errorname", "")
        self._broken = self._broken or name.startswith("SQLITE_IOERR")
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            if name == "SQLITE_FULL":
                # On a small disk the log may be what fills it; folded into the file it takes no room.
                self._connection.execute("pragma wal_checkpoint(truncate)")

    def _reopen_if_broken(self) -> None:
        """Open the file again and check it, where an error of the disk has made it doubtful."""
        if self._broken:
            self._connection.close()
            self._connection = _open_for_writing(self._path, look=True)
            self._broken = False


class _Writing(sqlite3.Connection):
    """A connection that writes."""

    def tell(self, news: News, /) -> None:
        """Tell nobody: there are no others."""


class SqliteReader:
    """Read-only connections to a database file, as many as read at once; works beside a running owner."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: deque[sqlite3.Connection] = deque()

    def read(self, statement: str, values: Row | None = None) -> list[Row]:
        """Return the rows of a query over what is committed."""
        with _explained(self._path):
            connection = self._connected()
            try:
                rows = connection.execute(statement, asked(values or {})).fetchall()
            except sqlite3.Error:
                connection.close()
                raise
            self._idle.append(connection)
            return rows

    def damage(self) -> str:
        """Return what is wrong with the file itself, which is read whole; empty where it is sound."""
        problem = str(self.read("pragma integrity_check(1)")[0]["integrity_check"])
        return "" if problem == "ok" else " ".join(problem.split())

    def back_up(self, target: Path) -> None:
        """Write all that is committed into a new file, which only its owner can read, and check that file.

        Raises:
            StoreError: there is such a file already, or it cannot be written; nothing is left of it then.
        """
        with _explained(target):
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            with (
                _explained(self._path),
                closing(self._connected()) as connection,
                closing(sqlite3.connect(target)) as copy,
            ):
                copy.row_factory = sqlite3.Row
                connection.backup(copy)
                _check_whole(copy, self._path)
        except BaseException:
            target.unlink()
            raise

    def keep(self, target: Path) -> None:
        """Write all that is committed into a file, in place of what it was before, whole or not at all.

        Raises:
            StoreError: it cannot be written.
        """
        part = target.with_name(f"{target.name}.part")
        part.unlink(missing_ok=True)  # of a start that was cut off
        self.back_up(part)
        with _explained(target):
            part.replace(target)
            sync(target.parent)

    def has_tables(self) -> bool:
        """Return whether there are tables; refuse those of another version."""
        if not self._path.exists() or not self.read(
            "select 1 from sqlite_master where name = 'schema_version'"
        ):
            return False
        return migrations.made(self.read(migrations.VERSION)[0]["version"])

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _connected(self) -> sqlite3.Connection:
        """Return an idle connection, or a new one; threads come and go, connections do not."""
        with suppress(IndexError):
            return self._idle.pop()
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        connection.execute("pragma busy_timeout = 5000")
        return connection


class _explained:  # noqa: N801 - reads as a word
    """Turn what SQLite and the system say into a StoreError that names the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, sqlite3.Error | OSError):
            problem = error.strerror if isinstance(error, OSError) else str(error)
            kind = RefusedError if isinstance(error, sqlite3.IntegrityError) else StoreError
            raise kind(f"the store {self._path} cannot be used: {problem}", hint=_hint(error)) from error


_SPACE = "free some space; everything that was accepted is kept"
_FOLDER = "WBOX_DATA_DIR must name a folder that can be made and written"
_RIGHTS = "the folder and the file must be writable for the user that runs wbox-notify"
_DISK = "look at the disk: it is full or it fails; everything that was accepted is kept"
_DAMAGED = "move the file away and restore a backup, or start with an empty store"
_HINTS: Mapping[str, str] = {
    **dict.fromkeys(("SQLITE_FULL", "ENOSPC", "EDQUOT"), _SPACE),
    **dict.fromkeys(("ENOTDIR", "ENOENT", "EPERM"), _FOLDER),
    "EEXIST": "name a file that is not there yet",
    **dict.fromkeys(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "EACCES", "EROFS"), _RIGHTS),
    **dict.fromkeys(("SQLITE_CORRUPT", "SQLITE_NOTADB"), _DAMAGED),
    **dict.fromkeys(("SQLITE_IOERR", "EIO"), _DISK),
}


def _hint(error: sqlite3.Error | OSError) -> str | None:
    """Return what a person can do about an error, by its code."""
    if isinstance(error, OSError):
        return _HINTS.get(errno.errorcode.get(error.errno or 0, ""))
    name = getattr(error, "sqlite_errorname", "")
    # Extended codes begin with the plain one: SQLITE_READONLY_DBMOVED.
    return next((hint for code, hint in _HINTS.items() if name.startswith(code)), None)


def _open_for_writing(path: Path, *, look: bool) -> _Writing:
    """Open the file that is there; ``look`` reads the whole of it first."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        factory=_Writing,
    )
    connection.row_factory = sqlite3.Row
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("pragma fullfsync = on")  # without it macOS leaves a commit in the disk's own memory
    connection.execute("pragma busy_timeout = 5000")
    connection.execute(f"pragma wal_autocheckpoint = {_most_of_a_log(path)}")
    if look:
        _check_whole(connection, path)
    return connection


def _check_whole(connection: sqlite3.Connection, path: Path) -> None:
    """Read the whole database.

    Raises:
        UnsoundError: it is damaged.
    """
    problem = connection.execute("pragma quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise UnsoundError(
            f"the store {path} is damaged: {' '.join(problem.split())}",
            hint="it is left as it is: move it away with its -wal file, and restore a backup",
        )


def _most_of_a_log(path: Path) -> int:
    """Return after how many pages the log is folded into the file: a small part of the whole disk.

    A log that may fill a small disk would leave no room to fold it.
    """
    return max(_LEAST_LOG, min(_USUAL_LOG, shutil.disk_usage(path.parent).total // _PAGE // _LOG_OF_DISK))


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring the tables from a version up to date, in one transaction."""
    connection.execute("begin immediate")
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        for statement in script.replace("$key", "integer primary key").split(";"):
            connection.execute(statement)
        connection.execute(migrations.NOTE_VERSION, {"version": number})
    connection.execute("commit")
