"""Sessions with PostgreSQL: how they begin, who may write, and what went wrong in words."""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import certifi
import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from wbox_notify.errors import StoreError
from wbox_notify.model.texts import Wording
from wbox_notify.store.database import Row
from wbox_notify.store.integrity import UnsoundError
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

TABLES = "select to_regclass('schema_version') is not null as found"
_ENCODING = "select current_setting('server_encoding') as encoding"
# Off would mean that what was answered with 2xx is not on disk yet.
_COMMIT_MEANS_DISK = """
select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'
"""
# A process that is frozen within a transaction must not keep rows locked that others wait for.
_LONGEST_PAUSE = """
select set_config('idle_in_transaction_session_timeout', '5s', false)
where current_setting('idle_in_transaction_session_timeout') = '0'
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
# number of rows: it may have thought so when there were few. To compile them, as it would by what it
# counts for that, takes a hundred times as long as to run them.
SEEKS = "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set jit = off"


def connect(url: str) -> Connection:
    """Begin a session; each statement takes effect at once but within an explicit transaction."""
    connection = psycopg.connect(**parameters(url), autocommit=True, row_factory=dict_row, context=ADAPTERS)
    connection.execute(SEEKS)
    return connection


BE_KNOWN = "select set_config('application_name', :name, false)"


class WritingSession:
    """The session that writes; only one of a process at a time. ``name`` is what it is known by."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._last: Row | None = None

    def begin(self) -> Connection:
        """Begin it, and end the one before.

        Raises:
            UnsoundError: the database cannot hold a store.
        """
        connection = connect(self._url)
        try:
            _check(connection, self._url)
            _check_pool(connection, self._url)
            tx = Statements(connection)
            if self._last:
                # The database may not know yet that it was cut, and what it did last has to be over.
                tx.execute(_END_SESSION, self._last)
            self._last = tx.one(_SESSION)
            tx.execute(BE_KNOWN, {"name": self._name})
            tx.execute(_COMMIT_MEANS_DISK)
            tx.execute(_LONGEST_PAUSE)
        except BaseException:
            connection.close()
            raise
        return connection


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


def _check_pool(connection: Connection, url: str) -> None:
    """Refuse a pool that gives the sessions of the server to others between two transactions."""
    pid = Statements(connection).one(_SESSION)["pid"]
    if pid == connection.info.backend_pid:  # nobody is in between
        return
    with connect(url) as other:
        pids = [Statements(each).one(_SESSION)["pid"] for each in (connection, other) * 3]
    if pids[0] == pids[1] or pids != pids[:2] * 3:
        raise UnsoundError(
            Wording("between here and the store {store} is a pool that shares its sessions out", store=url),
            hint="let it keep one for each of ours (`pool_mode = session` in PgBouncer), or go without it",
        )


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
    "must be owner": Wording("let all daemons of a store log in as one user, the one who made its tables"),
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
