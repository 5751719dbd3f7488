"""Leases in PostgreSQL: a row for each daemon, which it renews while it lives, and one for each lease."""

import itertools
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

import psycopg

from wbox_notify import __version__
from wbox_notify.errors import StoreError
from wbox_notify.model.clock import steady
from wbox_notify.model.loop import PeriodicThread
from wbox_notify.model.texts import Wording
from wbox_notify.store.database import Database, Row, Transaction
from wbox_notify.store.integrity import BusyError
from wbox_notify.store.leases import TERM, Daemon, LateError, StrangerError, Turn, lives
from wbox_notify.store.postgres.dialect import Connection, Statements
from wbox_notify.store.postgres.session import BE_KNOWN, connect, explained
from wbox_notify.store.rows import listed

log = logging.getLogger(__name__)

_EVERY, _AGAIN, _MARGIN = 2.0, 0.5, 0.5
"""Seconds from one renewal to the next, after one that failed, and for which what is relied on must last."""

_PATIENCE = 2 * TERM
"""Seconds in which the daemon that this one follows comes to its end, or is taken for dead."""

_DAY = 86400.0

# Who lives is decided by one clock alone, that of the database.
_CLOCK = "extract(epoch from clock_timestamp())::double precision"
_LIVES = lives(_CLOCK)

_BEGIN = f"""
insert into daemon (id, host, version, since, until, link)
values (:id, :host, :version, {_CLOCK}, {_CLOCK} + :term, :link)
"""
# Who is late does not come back to life: others may hold by now what it held.
_RENEW = f"update daemon d set until = {_CLOCK} + :term where id = :id and {_LIVES} returning id"
_END = "delete from daemon where id = :id"
_FORGET_DEAD = f"delete from daemon where until < {_CLOCK} - :day"
_STRANGER = f"""
select host from daemon d where {_LIVES} and link not in ('', :link) and :link <> '' order by since limit 1
"""
# What a machine took in is known by its name. A command that sends has no key of links, and takes nothing in.
# One that was killed has no session any more, though its row lives for some seconds.
_SESSION = "wbox-notify lives "
_NAMESAKE = f"""
select 1 from daemon d
where {_LIVES} and host = :host and link <> '' and :link <> '' and split_part(id, '.', 1) <> :run
and exists (select 1 from pg_stat_activity where application_name = '{_SESSION}' || split_part(d.id, '.', 1))
limit 1
"""
_LIVING = f"select id, host, version, since from daemon d where {_LIVES} order by id"


def session_of(run: str) -> str:
    """Return what the session that writes for a run of a daemon is known by."""
    return f"wbox-notify {run}"


# A daemon that is frozen in a transaction keeps rows and locks that all others need, and the server waits for
# its next word for as long as its machine is there (no time-out counts within a pipeline). What it did is
# undone; should it wake, it does it again.
_END_SESSIONS = f"""
select pg_terminate_backend(a.pid)
from pg_stat_activity a
where a.datname = current_database() and a.usename = current_user and a.application_name in (
    select '{session_of("")}' || split_part(d.id, '.', 1) from daemon d
    group by split_part(d.id, '.', 1) having not bool_or({_LIVES})
)
"""

_MAKE = """
insert into lease (name, daemon) select value, '' from json_each(:names) on conflict (name) do nothing
"""
# A row that is locked is one that its holder relies on just now, or that another daemon takes: nobody waits
# for it, as whoever locked it may be frozen. One that was taken since this statement began may be held
# by a daemon that joined since, which is not seen here.
_TAKE = f"""
with free as (
    select name, taken from lease l
    where name in (select value from json_each(:names)) and daemon <> :holder
    and not exists (select 1 from daemon d where d.id = l.daemon and {_LIVES})
    order by name for update skip locked
)
update lease set daemon = :holder, taken = lease.taken + 1
from free where lease.name = free.name and lease.taken = free.taken
"""
_TAKEN = """
select name, taken from lease where name in (select value from json_each(:names)) and daemon = :holder
"""
_WAIT = f"update daemon set waits = {_CLOCK} where id = :holder and waits is null"
_WAIT_NO_MORE = "update daemon set waits = null where id = :holder and waits is not null"
# It goes on to who has waited longest, so that all have their turn, however busy one of them is.
_PASS_ON = f"""
with next as (
    select coalesce((
        select d.id from daemon d where d.waits is not null and d.id <> :holder and {_LIVES}
        order by d.waits, d.id limit 1
    ), '') as id
)
update lease l set daemon = next.id, taken = taken + case when next.id = '' then 0 else 1 end
from next
where l.name = :name and l.daemon = :holder
and exists (select 1 from daemon d where d.id = l.daemon and {_LIVES})
"""
_GIVE = """
update lease set daemon = '' where name in (select value from json_each(:names)) and daemon = :holder
"""
# The rows stay locked up to the commit: who takes one afterwards finds what this transaction wrote.
_HELD = f"""
select name from lease l
where name in (select value from json_each(:names)) and daemon = :holder
and exists (select 1 from daemon d where d.id = l.daemon and {_LIVES})
order by name for share of l
"""


class _Term(NamedTuple):
    """The id of a daemon, and until when it lives for certain, by the clock that nobody sets."""

    id: str
    until: float


class SharedLeases:
    """The leases of a store that daemons share; ``steady`` returns seconds of a clock that nobody sets.

    A thread of its own, with a session of its own, says every two seconds that this daemon lives.
    """

    is_shared = True

    def __init__(self, url: str, database: Database, run: str, steady: Callable[[], float] = steady) -> None:
        self._url = url
        self._database = database
        self._steady = steady
        self._run = run
        self._numbers = itertools.count(1)
        self._host, self._link = socket.gethostname(), ""
        self._term = _Term("", 0.0)
        self._joining = threading.Lock()
        self._session: Connection | None = None
        self._heart = PeriodicThread("heartbeat", self._beat, "leases are not renewed", delay=_EVERY)

    def introduce(self, host: str, link: str) -> None:
        """Say, before this daemon joins, on which host it runs and by what its key of links is told apart."""
        self._host, self._link = host, link

    def join(self) -> str:
        """Count as a daemon from now on; return the id by which this one holds leases at this moment.

        Raises:
            StoreError: the database cannot be asked.
            BusyError: a daemon that lives has the same name.
            StrangerError: the daemons that live have another key.
        """
        with self._joining:
            if not self._term.id:
                self._begin()
                self._heart.start()
        return self._term.id

    def lasts(self, holder: str) -> bool:
        """Return whether what an id holds is certainly held for a moment longer; asks nobody."""
        term = self._term
        return term.id == holder and self._steady() + _MARGIN < term.until

    def living(self) -> list[Daemon]:
        """Return the daemons that live."""
        return [Daemon(**row) for row in self._database.read(_LIVING)]

    def take(self, holder: str, names: Iterable[str]) -> set[str]:
        """Take leases that no living daemon has; return those that the id holds then."""
        return self._database.write(_take, holder, listed(names)).result()

    def give(self, holder: str, names: Iterable[str]) -> None:
        """Let others take leases."""
        self._database.write(_give, holder, listed(names)).result()

    def held(self, tx: Transaction, holder: str, names: Iterable[str]) -> set[str]:
        """Return which of some leases an id holds; nobody can take those before the transaction has ended."""
        found = tx.execute(_HELD, {"holder": holder, "names": listed(names)}).fetchall()
        return {row["name"] for row in found}

    def begin(self, name: str) -> Turn | None:
        """Take one lease for a turn; where another daemon has it, queue for it, and return None."""
        return self._database.write(_begin, name, self.join()).result()

    def end(self, tx: Transaction, turn: Turn) -> None:
        """Let the next one have its turn. Raises LateError where this was not ours any more."""
        if not tx.execute(_PASS_ON, {"name": turn.lease, "holder": turn.holder}).rowcount:
            raise LateError

    def renew(self) -> None:
        """Say that this daemon lives; where it is too late for that, live on under another id.

        Raises:
            StoreError: nobody heard it.
        """
        # Counted from before the question, so that the database takes this daemon for dead later than itself.
        until = self._steady() + TERM
        with explained(self._url):
            try:
                number = self._said(self._term.id)
                Statements(self._connected()).execute(_END_SESSIONS)
            except psycopg.Error:
                self._hang_up()
                raise
        self._term = _Term(number, until)

    def close(self) -> None:
        """Count as a daemon no longer; all leases are free."""
        self._heart.stop()
        if self._term.id:
            with suppress(psycopg.Error, StoreError):
                Statements(self._connected()).execute(_END, {"id": self._term.id})
        self._term = _Term("", 0.0)
        self._hang_up()

    def _begin(self) -> None:
        """Say for the first time that this daemon lives, when the one that it follows has ended."""
        deadline = self._steady() + _PATIENCE
        while True:
            try:
                return self.renew()
            except BusyError:
                if self._steady() > deadline:
                    raise
            time.sleep(random.uniform(0.0, _AGAIN))  # noqa: S311 - so that two go apart that have met

    def _said(self, number: str) -> str:
        """Return the id that lives from now on."""
        tx = Statements(self._connected())
        if number:
            if tx.execute(_RENEW, {"id": number, "term": TERM}).fetchone():
                return number
            log.warning("the database was not reached in time: others may have taken over what was sent here")
        tx.execute(_FORGET_DEAD, {"day": _DAY})
        new = f"{self._run}.{next(self._numbers)}"
        about = {"host": self._host, "version": __version__, "term": TERM, "link": self._link}
        self._check_name(tx)
        tx.execute(_BEGIN, {**about, "id": new})
        try:
            self._check_name(tx)
            self._check_link(tx)
        except StoreError:
            tx.execute(_END, {"id": new})
            raise
        return new

    def _check_name(self, tx: Statements) -> None:
        """Refuse to live beside another machine of this name; of two that come at once, both may leave."""
        about = {"host": self._host, "link": self._link, "run": self._run}
        if tx.execute(_NAMESAKE, about).fetchone() is None:
            return
        raise BusyError(
            Wording("another machine named {host} uses the store {store}", host=self._host, store=self._url),
            hint="files are known by the machine that took them in: name each one in `host:` (WBOX_HOST)",
        )

    def _check_link(self, tx: Statements) -> None:
        """Refuse to live beside daemons that have another key; of two that come at once, both may leave."""
        stranger = tx.execute(_STRANGER, {"link": self._link}).fetchone()
        if stranger is None:
            return
        raise StrangerError(
            Wording("the daemon on {host} has another key for its links", host=stranger["host"]),
            hint="all daemons of a store need the same one: copy link.key from its data folder to this one",
        )

    def _connected(self) -> Connection:
        if self._session is None:
            self._session = connect(self._url)
            Statements(self._session).execute(BE_KNOWN, {"name": f"{_SESSION}{self._run}"})
            # An answer that comes too late is as good as none, and the next question may have a better way.
            self._session.execute("set statement_timeout = 2000")
        return self._session

    def _hang_up(self) -> None:
        if self._session:
            self._session.close()
        self._session = None

    def _beat(self) -> float:
        try:
            self.renew()
        except (BusyError, StrangerError) as error:
            log.error("%s", error.with_hint)  # noqa: TRY400 - no traceback reaches a user
            return _PATIENCE
        except StoreError as error:
            log.debug("%s", error)  # whoever writes now tells it aloud
            return _AGAIN
        return _EVERY


def _take(tx: Transaction, holder: str, names: str) -> set[str]:
    return {row["name"] for row in _taken(tx, holder, names)}


def _begin(tx: Transaction, name: str, holder: str) -> Turn | None:
    found = _taken(tx, holder, listed([name]))
    tx.execute(_WAIT_NO_MORE if found else _WAIT, {"holder": holder})
    return Turn(name, holder, found[0]["taken"]) if found else None


def _taken(tx: Transaction, holder: str, names: str) -> Sequence[Row]:
    """Take what is free; return what is held then."""
    values = {"holder": holder, "names": names}
    tx.execute(_MAKE, {"names": names})
    tx.execute(_TAKE, values)
    return tx.execute(_TAKEN, values).fetchall()


def _give(tx: Transaction, holder: str, names: str) -> None:
    tx.execute(_GIVE, {"holder": holder, "names": names})
