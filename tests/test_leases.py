"""Leases: whoever freezes, dies or wakes, no two daemons send through a device, and no late one writes."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import ClassVar
from urllib.parse import quote

import psycopg
from databases import Postgres
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from members import Member, Time
from test_ownership import put
from workplace import until

from wbox_notify.model.deliveries import Delivery, State
from wbox_notify.model.outcomes import Outcome
from wbox_notify.simulator import Simulator
from wbox_notify.store import open_store

NUMBER = st.integers(0, 2)
LIVING = """
select l.daemon from lease l join daemon d on d.id = l.daemon
where l.name = 'device:' || %s and d.until > extract(epoch from clock_timestamp())
"""


class LeasesMachine(RuleBasedStateMachine):
    """Three daemons that look, freeze, die and wake, each at any point between a claim and its answer."""

    postgres: ClassVar[Postgres]
    wbox: ClassVar[Simulator]

    @initialize()
    def begin(self) -> None:
        self.wbox.clear()
        self.time = Time(self.postgres)
        self.members = [Member(self.time, self.wbox.url) for _ in range(3)]
        self.claimed: list[list[tuple[Delivery, str]]] = [[], [], []]
        self.events = 0
        self.put({1, 2}, 0)
        for _ in range(2):
            for member in self.members:
                member.look()

    @rule(devices=st.sets(st.integers(1, 2), min_size=1), number=NUMBER)
    def put(self, devices: set[int], number: int) -> None:
        self.events += 1
        put(self.members[number].store, f"e{self.events}", self.time(), devices)

    @rule(frozen=st.sets(NUMBER, max_size=2), seconds=st.sampled_from([1, 8, 8, 100]))
    def pass_time(self, frozen: set[int], seconds: int) -> None:
        """Let some time pass, in which some are frozen."""
        for _ in range(0, seconds, 4):
            self.time.go(min(seconds, 4.0))
            for number in {0, 1, 2} - frozen:
                self.members[number].look()

    @rule(number=NUMBER)
    def look(self, number: int) -> None:
        self.members[number].look()

    @rule(number=NUMBER)
    def claim(self, number: int) -> None:
        member = self.members[number]
        delivery = member.claim()
        if delivery:
            holder = member.outbox.ownership.holder
            [(lessee,)] = self.time.rows(LIVING, (delivery.device,))
            assert lessee == holder, "nothing is claimed by who is late"
            self.claimed[number].append((delivery, holder))

    @rule(number=NUMBER)
    def request(self, number: int) -> None:
        if self.claimed[number]:
            delivery, holder = self.claimed[number].pop(0)
            before = len(self.wbox.messages())
            self.members[number].request(delivery, holder)
            if len(self.wbox.messages()) > before:
                others = [each for each in self.members if each is not self.members[number]]
                assert not any(each.has(delivery.device) for each in others)

    @rule(number=NUMBER)
    def write_down(self, number: int) -> None:
        self.members[number].dispatcher._turn_over(0)

    @rule(number=NUMBER)
    def die(self, number: int) -> None:
        self.members[number].die()
        self.claimed[number].clear()
        self.members[number] = Member(self.time, self.wbox.url)

    @invariant()
    def a_device_is_one_daemon_s(self) -> None:
        for device in "12":
            assert sum(member.has(device) for member in self.members) <= 1

    def teardown(self) -> None:
        if not hasattr(self, "members"):
            return
        for number, claimed in enumerate(self.claimed):
            for delivery, holder in claimed:
                self.members[number].request(delivery, holder)
        self.go_on_until_all_is_over()
        keys = [message["idempotency_key"] for message in self.wbox.messages()]
        store = self.members[0].store
        for delivery in store.queue([*State]):
            doubts = [row["outcome"] for row in store.attempts(delivery.id)].count(Outcome.UNKNOWN)
            assert delivery.state is State.SENT or (delivery.state is State.HELD and doubts)
            assert keys.count(delivery.key) <= 1 + doubts
            assert keys.count(delivery.key) or doubts
        for member in self.members:
            member.close()
        self.time.close()

    def go_on_until_all_is_over(self) -> None:
        for _ in range(200):
            self.time.go(5.0)
            for member in self.members:
                member.look()
                member.send()
            if self.members[0].store.counts().keys() <= {State.SENT, State.HELD}:
                break


def test_however_daemons_freeze_die_and_wake_a_device_is_one_daemon_s(
    postgres: Postgres, wbox: Simulator
) -> None:
    LeasesMachine.postgres, LeasesMachine.wbox = postgres, wbox
    run_state_machine_as_test(
        LeasesMachine,
        settings=settings(
            max_examples=max(settings().max_examples // 8, 5),
            stateful_step_count=30,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # each step is many statements
        ),
    )


SLOW_CLOCK = """
create function clock_timestamp() returns timestamptz language plpgsql as
$$ begin perform pg_advisory_xact_lock_shared(1); return pg_catalog.clock_timestamp(); end $$
"""
DEAD = """
insert into daemon (id, host, version, since, until) values ('dead', '', '', 0, extract(epoch from now()))
"""
WAITS = "select 1 from pg_locks where locktype = 'advisory' and objid = 1 and not granted"


def test_a_lease_is_not_taken_from_who_joined_and_took_it_while_it_was_looked_at(postgres: Postgres) -> None:
    url = postgres.fresh()
    slow_url = f"{url}&options={quote('-csearch_path=public,pg_catalog')}"  # its clock is the one in public
    with (
        closing(open_store(url)) as other,
        closing(open_store(slow_url)) as slow,
        psycopg.connect(url, autocommit=True) as session,
        ThreadPoolExecutor(1) as pool,
    ):
        session.execute(DEAD)
        session.execute("insert into lease (name, daemon) values ('device:1', 'dead')")
        session.execute(SLOW_CLOCK)
        holder = slow.leases.join()
        session.execute("select pg_advisory_lock(1)")
        taking = pool.submit(slow.leases.take, holder, ["device:1"])
        until(lambda: session.execute(WAITS).fetchone())
        assert other.leases.take(other.leases.join(), ["device:1"]) == {"device:1"}
        session.execute("select pg_advisory_unlock(1)")
        assert taking.result() == set()
