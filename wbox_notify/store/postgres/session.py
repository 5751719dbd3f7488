"""Sessions with PostgreSQL: how they begin, who may write, and what went wrong in words."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import uuid4

import certifi
import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from wbox_notify.errors import StoreError
from wbox_notify.model.texts import Wording
from wbox_notify.store.database import Row
from wbox_notify.store.integrity import BusyError, UnsoundError
from wbox_notify.store.postgres.dialect import ADAPTERS, Connection, Statements

_OLDEST = 15
_MAKE = "createdb -T template0 -E UTF8 NAME"

_USUAL = {
    "application_name": "wbox-notify",
    "client_encoding": "UTF8",
    "connect_timeout": "5",
    # A cut that nobody tells of is noticed within a quarter of a minute.
    "keepalives_idle": "5",
    "keepalives_interval": "5",
    "keepalives_count": "2",
    "tcp_user_timeout": "15000",
    # Of several hosts the one that writes: what was read on another might be a little old.
    "target_session_attrs": "read-write",
}

_LOCK = int.from_bytes(b"wbox") << 32
"""The advisory locks of stores; each adds the number of its schema."""

TABLES = "select to_regclass('schema_version') is not null as found"
_NOBODY = "delete from owner"
_NOTE_OWNER = "insert into owner (id, process, host) values (:id, :process, :host)"
_LAST_OWNER = "select id, process, host from owner"
_ENCODING = "select current_setting('server_encoding') as encoding"
# The session of a process that was just killed may last a moment longer than the process.
_A_MOMENT = "set local lock_timeout = '200ms'"
_TAKE_LOCK = "select pg_advisory_lock(:lock + oid::bigint) from pg_namespace where nspname = current_schema()"
_LEAVE_LOCK = "select pg_advisory_unlock_all()"
# Off would mean that what was answered with 2xx is not on disk yet.
_COMMIT_MEANS_DISK = """
select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'
"""
_SESSION = "select pid, backend_start as begun from pg_stat_activity where pid = pg_backend_pid()"
_END_SESSION = """
select pg_terminate_backend(pid, 5000) from pg_stat_activity where pid = :pid and backend_start = :begun
"""


def parameters(url: str) -> dict[str, Any]:
    """Return what a session begins with; to another machine it is safe unless the address says otherwise."""
    given = conninfo_to_dict(url)
    hosts = str(given.get("hostaddr") or given.get("host") or os.environ.get("PGHOST", ""))
    usual = dict(_USUAL)
    if "PGSSLMODE" not in os.environ and not all(map(_is_here, hosts.split(","))):
        usual["sslmode"] = "verify-full"
    if given.get("sslmode", usual.get("sslmode")) == "verify-full" and not _ROOTS.expanduser().exists():
        usual["sslrootcert"] = certifi.where()
    return {**usual, **given}


_ROOTS = Path("~/.postgresql/root.crt")
"""Where PostgreSQL itself looks for the roots that a user trusts."""


def _is_here(host: str) -> bool:
    """Return whether a host is a socket or an address of this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in {"", "localhost"} or host[0] in "/@"


# The statements are made for indices, and are joined as SQLite does it, whatever the planner thinks of the
# number of rows: it may have thought so when there were few.
SEEKS = "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off"


def connect(url: str) -> Connection:
    """Begin a session; each statement takes effect at once but within an explicit transaction."""
    connection = psycopg.connect(**parameters(url), autocommit=True, row_factory=dict_row, context=ADAPTERS)
    connection.execute(SEEKS)
    return connection


class Ownership:
    """The lock that makes this process the only one that writes; it goes with the session that took it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._id = uuid4().hex
        self._session: Row | None = None

    def connect(self) -> Connection:
        """Begin a session that has the lock, and end the one before it.

        Raises:
            BusyError: another process has it.
            UnsoundError: the database cannot hold a store.
        """
        connection = connect(self._url)
        try:
            self._take(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _take(self, connection: Connection) -> None:
        _check(connection, self._url)
        tx = Statements(connection)
        if self._session:
            # The database may not know yet that it was cut, and would keep the lock for it.
            tx.execute(_END_SESSION, self._session)
        try:
            with connection.transaction():
                tx.execute(_A_MOMENT)
                tx.execute(_TAKE_LOCK, {"lock": _LOCK})
        except psycopg.errors.LockNotAvailable:
            raise BusyError(
                Wording("the store {store} is in use by {who}", store=self._url, who=_who(_owner(tx))),
                hint=Wording("one daemon for each store: stop the other one, or name another database"),
            ) from None
        self._session = tx.one(_SESSION)
        tx.execute(_COMMIT_MEANS_DISK)

    def leave(self, connection: Connection) -> None:
        """Let another process have the lock, at once; it would be free a moment after the session else."""
        with suppress(psycopg.Error):
            connection.execute(_LEAVE_LOCK)
        connection.close()

    def note(self, connection: Connection) -> None:
        """Keep that this process has the lock."""
        tx = Statements(connection)
        with connection.transaction():
            tx.execute(_NOBODY)
            tx.execute(_NOTE_OWNER, {"id": self._id, "process": os.getpid(), "host": socket.gethostname()})

    def check(self, connection: Connection) -> None:
        """Raise a StoreError where another process had the lock: what this one has in mind may be old."""
        owner = _owner(Statements(connection))
        if owner.get("id") != self._id:
            raise StoreError(
                Wording("{who} has written to the store {store} meanwhile", who=_who(owner), store=self._url),
                hint=Wording("restart wbox-notify, or stop it if the other one is to go on"),
            )


def _check(connection: Connection, url: str) -> None:
    """Refuse a database that cannot hold a store."""
    release = connection.info.server_version // 10_000
    encoding = Statements(connection).one(_ENCODING)["encoding"]
    if release < _OLDEST:
        raise UnsoundError(
            Wording("the store {store} is on PostgreSQL {release}", store=url, release=release),
            hint=Wording("PostgreSQL {oldest} or newer is needed", oldest=_OLDEST),
        )
    if encoding != "UTF8":
        raise UnsoundError(
            Wording(
                "the database of the store {store} has the encoding {encoding}", store=url, encoding=encoding
            ),
            hint=Wording(
                "make one that holds all texts: {command}", command="createdb -T template0 -E UTF8 NAME"
            ),
        )


def _owner(tx: Statements) -> Row:
    """Return which process has the lock, or had it last."""
    if not tx.one(TABLES)["found"]:
        return {}
    return tx.execute(_LAST_OWNER).fetchone() or {}


def _who(owner: Row) -> Wording:
    if not owner:
        return Wording("another process")
    return Wording("process {process} on {host}", process=owner["process"], host=owner["host"])


class explained:  # noqa: N801 - reads as a word
    """Turn what PostgreSQL says into a StoreError that names the store; its address holds no password."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, psycopg.Error):
            problem = " ".join(str(error).split()) or type(error).__name__
            raise StoreError(
                Wording("the store {store} cannot be used: {problem}", store=self._url, problem=problem),
                hint=_hint(error, problem),
            ) from error


_HINTS: Mapping[str, Wording] = {
    "password": Wording(
        "write {line} into a file that you alone can read, and name it in PGPASSFILE",
        line="`host:port:database:user:password`",
    ),
    "SSL": Wording(
        "another machine is spoken to with TLS: name the roots of its certificate with `?sslrootcert=FILE`,"
        " or write `?sslmode=disable` if you trust the network"
    ),
    "certificate": Wording(
        "name the roots of its certificate with `?sslrootcert=FILE`, and its host as the certificate does"
    ),
    "does not exist": Wording("make it: {command}", command=_MAKE),
    "permission denied": Wording(
        "let the user make tables: {command}", command="grant create on schema public to USER"
    ),
    "No space left": Wording(
        "free some space on the disk of the database; everything that was accepted is kept"
    ),
}
"""What a person can do, by what PostgreSQL says; what comes first counts."""


def _hint(error: psycopg.Error, problem: str) -> Wording | None:
    for word, hint in _HINTS.items():
        if word in problem:
            return hint
    if isinstance(error, psycopg.OperationalError):
        return Wording(
            "look whether PostgreSQL runs and can be reached; everything that was accepted is kept"
        )
    return None
