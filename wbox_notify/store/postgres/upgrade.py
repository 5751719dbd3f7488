"""The tables of a store in PostgreSQL, made or brought up to date by one process at a time."""

import psycopg

from wbox_notify.model.texts import Wording
from wbox_notify.store import migrations, statements
from wbox_notify.store.integrity import BusyError
from wbox_notify.store.migrations import MIGRATIONS
from wbox_notify.store.postgres.dialect import FUNCTIONS, Connection, Statements, scripts

_LOCK = int.from_bytes(b"wbox") << 32
"""The advisory locks of stores; each adds the number of its schema."""

# A daemon of a version that had to be alone has this lock for as long as it runs.
_PATIENCE = "set local lock_timeout = '5s'"
_TAKE_LOCK = """
select pg_advisory_xact_lock(:lock + oid::bigint) from pg_namespace where nspname = current_schema()
"""
_NO_PATIENCE = "set local lock_timeout = 0"

# Only here: the last transaction of each process that writes. What one that was killed has left goes later.
_WRITTEN = """
create table if not exists written (
    id text collate "C" primary key, number bigint not null, at double precision not null
);
delete from written where at < extract(epoch from clock_timestamp()) - 86400;
"""

_FIRST_SHARED = 14
"""The first schema that several daemons may share."""

_NUMBERED = ("event", "decision", "memory", "file")
"""The tables whose rows are numbered by PostgreSQL."""

# A copy brings rows with their numbers, which the sequence has not given out. While others write it has.
_GO_ON = """
select setval(sequence, last)
from (select pg_get_serial_sequence('{table}', 'seq') as sequence, max(seq) as last from {table}) as numbers
where last > coalesce(pg_sequence_last_value(sequence::regclass), 0)
"""


def migrate(connection: Connection, url: str) -> None:
    """Bring the tables up to date.

    Raises:
        BusyError: daemons of an older version run.
        SchemaError: a newer version wrote them.
    """
    tx = Statements(connection)
    with connection.transaction():
        try:
            tx.execute(_PATIENCE)
            tx.execute(_TAKE_LOCK, {"lock": _LOCK})
        except psycopg.errors.LockNotAvailable:
            raise BusyError(
                Wording("the store {store} is in use by an older version of wbox_notify", store=url),
                hint=Wording("stop the daemons of the older version, then start those of this one"),
            ) from None
        tx.execute(_NO_PATIENCE)
        connection.execute(migrations.MADE)
        version = migrations.known(tx.one(migrations.VERSION)["version"])
        if _FIRST_SHARED <= version < len(MIGRATIONS):
            _check_nobody_runs(tx, url)
        for script in (_WRITTEN, FUNCTIONS, *scripts(version)):
            connection.execute(script)
        for table in _NUMBERED:
            tx.execute(_GO_ON.format(table=table))
        if version < len(MIGRATIONS):
            tx.execute(migrations.NOTE_VERSION, {"version": len(MIGRATIONS)})


def _check_nobody_runs(tx: Statements, url: str) -> None:
    """Refuse to change tables that daemons of an older version use."""
    hosts = sorted({row["host"] for row in tx.execute(statements.DAEMONS).fetchall()})
    if hosts:
        raise BusyError(
            Wording(
                "daemons of an older version use the store {store}: on {hosts}",
                store=url,
                hosts=", ".join(hosts),
            ),
            hint=Wording("stop the daemons of the older version, then start those of this one"),
        )
