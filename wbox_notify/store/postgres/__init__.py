"""PostgreSQL as the engine of the store: one session that writes, others that read."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from wbox_notify.errors import StoreError
from wbox_notify.model.texts import Wording
from wbox_notify.store import migrations
from wbox_notify.store.database import RefusedError, Row, T, Transaction, Values, asked
from wbox_notify.store.news import News, together
from wbox_notify.store.postgres.clock import ServerClock
from wbox_notify.store.postgres.dialect import ADAPTERS, Connection, Statements
from wbox_notify.store.postgres.hearing import Hearing
from wbox_notify.store.postgres.leases import SharedLeases, session_of
from wbox_notify.store.postgres.session import SEEKS, TABLES, WritingSession, connect, explained, parameters
from wbox_notify.store.postgres.upgrade import migrate
from wbox_notify.store.writer import Job, Writer

_READERS = 8
_WAIT = 5.0
"""Seconds after which a reader that gets no session gives up."""

_LONGEST_DOUBT, _PAUSE = 15.0, 0.2
"""Seconds for which the fate of a commit is looked for whose session was lost, and between two tries."""

_TRIES, _BREATH = 5, 0.1
"""How often a transaction is tried that others are in the way of, and the longest pause between two tries."""

_IN_THE_WAY = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.UniqueViolation,  # what was looked for in vain was put there a moment later
    psycopg.errors.IdleInTransactionSessionTimeout,  # this process was frozen
)

_READ_ONLY = "set default_transaction_read_only = on"
_CHANGED = "select pg_current_xact_id_if_assigned() is not null as changed"
# What a session was about when it was lost is found in this row. The number of a transaction would not tell:
# a server that crashed gives the numbers of what was not committed to others.
_WRITE_DOWN = """
insert into written (id, number, at) values (:id, :number, extract(epoch from clock_timestamp()))
on conflict (id) do update set number = excluded.number, at = excluded.at
"""
_WRITTEN = "select number from written where id = :id"
_FORGET_WRITTEN = "delete from written where id = :id"


# What it warns of reaches whoever asked, as an error that names the store.
logging.getLogger("psycopg").setLevel(logging.ERROR)


class Postgres:
    """A database that several daemons may share; what one of them does alone it has a lease for.

    As in SQLite all writing of a process goes through one thread, which commits what has gathered as one
    transaction.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._id, self._number = uuid4().hex, 0
        self._session = WritingSession(url, session_of(self._id))
        with explained(url):
            self._connection = self._session.begin()
            try:
                migrate(self._connection, url)
            except BaseException:
                self._connection.close()
                raise
        self.clock = ServerClock()
        with explained(url):
            self.clock.look(self._connection)
        self._hearing = Hearing(url, self.clock)
        self._reader = PostgresReader(url)
        self._writer = Writer(self._commit)
        self.leases = SharedLeases(url, self, self._id)

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

        def changed() -> None:
            self._hearing.changed()
            heard()

        self._writer.listen(changed)

    def follow(self, heard: Callable[[News], None]) -> None:
        """Call a function, which must not wait, with what other daemons have changed from now on."""
        self._hearing.start(heard)

    def close(self) -> None:
        """Commit what is queued, then let others take over."""
        self._writer.close()
        self.leases.close()
        self._hearing.close()
        self._reader.close()
        with suppress(psycopg.Error):
            Statements(self._connection).execute(_FORGET_WRITTEN, {"id": self._id})
        self._connection.close()

    def _commit(self, batch: Sequence[Job]) -> bool:
        with explained(self._url):
            changed = self._done(batch)
            self._end(changed=changed)
        return changed

    def _done(self, batch: Sequence[Job]) -> bool:
        """Do the jobs in a transaction that is still open; return whether it changed anything.

        Where another process was in the way, nothing is left of a transaction, and all is done once more.
        """
        left = _TRIES
        while True:
            left -= 1
            connection = self._begun()
            try:
                return self._try(connection, batch)
            except (RefusedError, psycopg.Error) as error:
                if not left or not _may_go_well(error, connection):
                    raise
            time.sleep(random.uniform(0.0, _BREATH))  # noqa: S311 - so that two go apart that have met

    def _try(self, connection: Connection, batch: Sequence[Job]) -> bool:
        try:
            with connection.pipeline() as pipeline:
                tx = Statements(connection, pipeline)
                for job in batch:
                    job.run(tx)
                if tx.news:
                    self._hearing.tell(tx, together(tx.news))
                changed: bool = tx.one(_CHANGED)["changed"]
                if changed:
                    self._number += 1
                    tx.execute(_WRITE_DOWN, {"id": self._id, "number": self._number})
        except Exception:
            with suppress(psycopg.Error):
                connection.rollback()
            raise
        return changed

    def _end(self, *, changed: bool) -> None:
        """Commit; where the session was lost over it, find out whether it came about."""
        try:
            self._connection.execute("commit")
        except psycopg.OperationalError:
            if not changed or not self._came_about():
                raise

    def _came_about(self) -> bool:
        """Return whether the last transaction is on disk; its session has been ended when that is asked."""
        deadline = time.monotonic() + _LONGEST_DOUBT
        while time.monotonic() < deadline:
            with suppress(StoreError, psycopg.OperationalError):
                row = Statements(self._connected()).execute(_WRITTEN, {"id": self._id}).fetchone()
                return row is not None and row["number"] == self._number
            time.sleep(_PAUSE)
        return False

    def _begun(self) -> Connection:
        """Return the session that writes, in a new transaction; one that was lost is found out here."""
        if not self._connection.closed:
            with suppress(psycopg.OperationalError):
                self._connection.execute("begin")
                return self._connection
            self._connection.close()
        self._connected().execute("begin")
        return self._connection

    def _connected(self) -> Connection:
        """Return the session that writes, a new one where it was lost."""
        if self._connection.closed:
            self._connection = self._session.begin()
        return self._connection


class PostgresReader:
    """Sessions that only read, as many as read at once; works beside a running owner."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = ConnectionPool(
            kwargs={**parameters(url), "autocommit": True, "row_factory": dict_row, "context": ADAPTERS},
            connection_class=Connection,
            configure=_configure,
            min_size=0,
            max_size=_READERS,
            timeout=_WAIT,
            open=False,
        )

    def read(self, statement: str, values: Row | None = None) -> list[Row]:
        """Return the rows of a query over what is committed."""
        with explained(self._url):
            self._pool.open()
            try:
                return self._rows(statement, asked(values or {}))
            except PoolTimeout:
                raise
            except psycopg.OperationalError:
                # All sessions may have been cut, as when the server was restarted; those go.
                self._pool.check()
                return self._rows(statement, asked(values or {}))

    def has_tables(self) -> bool:
        """Return whether there are tables; refuse those of another version."""
        with explained(self._url), connect(self._url) as connection:
            tx = Statements(connection)
            if not tx.one(TABLES)["found"]:
                return False
            return migrations.made(tx.one(migrations.VERSION)["version"])

    def damage(self) -> str:
        """Return nothing: PostgreSQL tells of damage when it reads."""
        return ""

    def back_up(self, target: Path) -> None:
        """Refuse to write into a file, as PostgreSQL does that better itself."""
        raise StoreError(
            Wording("the store {store} is not backed up into {file}", store=self._url, file=target),
            hint=Wording(
                "PostgreSQL has tools for that, such as {command}", command="pg_dump -Fc -f FILE NAME"
            ),
        )

    def close(self) -> None:
        """End the sessions."""
        self._pool.close()

    def _rows(self, statement: str, values: Row) -> list[Row]:
        with self._pool.connection() as connection:
            return [*Statements(connection).execute(statement, values).fetchall()]


def _may_go_well(error: Exception, connection: Connection) -> bool:
    """Return whether a transaction that was not committed may go well when all of it is done again."""
    cause = error.__cause__ if isinstance(error, RefusedError) else error
    return connection.closed or isinstance(cause, _IN_THE_WAY)


def _configure(connection: Connection) -> None:
    connection.execute(f"{SEEKS}; {_READ_ONLY}")
