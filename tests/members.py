"""Daemons that share a PostgreSQL, in one process, with all clocks in the hand of a test."""

from typing import Any
from urllib.parse import quote

import psycopg
from databases import Postgres
from workplace import a_live

from wbox_notify.clients.wbox import Client
from wbox_notify.dispatch import Dispatcher
from wbox_notify.model.deliveries import Delivery
from wbox_notify.model.pace import UNLIMITED, Pace
from wbox_notify.store import open_store
from wbox_notify.store.postgres.leases import SharedLeases

_TIME = """
create table moment (now double precision);
insert into moment values (0);
create function clock_timestamp() returns timestamptz language sql volatile as
$$ select to_timestamp(now) from public.moment $$
"""


class Time:
    """The time of a database and of all daemons on it, which stands still until it is moved."""

    def __init__(self, postgres: Postgres) -> None:
        # A name is looked for where the path says, so that our clock comes before that of the server.
        self.url = f"{postgres.fresh()}&options={quote('-csearch_path=public,pg_catalog')}"
        self._connection = psycopg.connect(self.url, autocommit=True)
        self._connection.execute(_TIME)
        self.now = 0.0
        self.go(1_000_000.0)

    def __call__(self) -> float:
        return self.now

    def go(self, seconds: float) -> None:
        """Let some time pass."""
        self.now += seconds
        self._connection.execute("update moment set now = %s", (self.now,))

    def close(self) -> None:
        self._connection.close()

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """Return what the database says."""
        return self._connection.execute(query, values).fetchall()  # type: ignore[arg-type] # it is the test's own text


class Member:
    """A daemon's store and its way out. It lives, looks and sends when it is told to."""

    def __init__(self, time: Time, wbox: str, pace: Pace = UNLIMITED, host: str = "") -> None:
        self.time = time
        self.store = open_store(time.url, host)
        assert isinstance(self.store.leases, SharedLeases)
        self.leases = self.store.leases
        self.leases._steady = time
        self.leases._heart._delay = 1e6
        self.dispatcher = Dispatcher(self.store, a_live(wbox, pace=pace), clock=time, steady=time)
        self.outbox = self.dispatcher._outbox
        self.client = Client(wbox, "sk_test")

    def look(self) -> None:
        """Say that it lives, and look round."""
        if self.leases._term.id:
            self.leases.renew()
        self.dispatcher._next_round = 0.0
        self.dispatcher.recover()

    def send(self) -> None:
        """Send all that has its turn."""
        while self.dispatcher.step(self.client):
            pass

    def has(self, device: str) -> bool:
        """Return whether it believes that it may send through a device."""
        return device in self.outbox.ownership and self.leases.lasts(self.outbox.ownership.holder)

    def claim(self) -> Delivery | None:
        """Claim what has its turn of what it had when it looked last, and stop before the request."""
        claimed = self.outbox.turn_over([], self.time(), UNLIMITED, [0.5], self.dispatcher._circuits.open)
        for delivery in claimed:
            self.dispatcher._in_flight[delivery.id, delivery.claims] = delivery
        return claimed[0] if claimed else None

    def request(self, delivery: Delivery, holder: str) -> None:
        """Go on with what was claimed under an id; what came of it is not written yet."""
        self.dispatcher._attempt(delivery, holder, self.client)

    def die(self) -> None:
        """End without a word, as when it is killed."""
        self.leases._term = self.leases._term._replace(id="")
        self.close()

    def close(self) -> None:
        self.client.close()
        self.store.close()
