"""Several daemons on one PostgreSQL: who sends through which device, and what the dead leave."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
from databases import Postgres
from members import Member, Time
from workplace import a_live, until

from wbox_notify.dispatch import Dispatcher
from wbox_notify.model.deliveries import Attempt, Delivery, NextStep, Plan, PlannedMessage, State
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.model.pace import UNLIMITED, Pace
from wbox_notify.simulator import Simulator
from wbox_notify.store import Store, open_store
from wbox_notify.store.database import Transaction
from wbox_notify.store.news import News

DEVICES = range(1, 9)
TERM = 8
"""Seconds after which a daemon that says nothing is dead."""


@pytest.fixture
def time(postgres: Postgres) -> Iterator[Time]:
    with closing(Time(postgres)) as time:
        yield time


@pytest.fixture
def member(time: Time, wbox: Simulator) -> Iterator[Callable[..., Member]]:
    members: list[Member] = []

    def begun(**options: Pace) -> Member:
        members.append(Member(time, wbox.url, **options))
        members[-1].look()
        return members[-1]

    yield begun
    for each in members:
        each.close()


def put(store: Store, event: str, now: float, devices: Iterable[int] = DEVICES) -> list[int]:
    """Queue a message for each of some devices."""
    planned = tuple(
        PlannedMessage(
            key=f"{event}:{device}",
            rule="r",
            message=Text(phone=f"90555111{device:04}", message=f"{event} {device}", device_id=device),
        )
        for device in devices
    )
    happened = Event(id=event, type="file", at=datetime.now(UTC), data={})
    return store.put_message(happened, Plan(event_id=event, messages=planned), now).result()


def pass_time(seconds: int, *living: Member) -> None:
    """Let some time pass, in which only some daemons say that they live."""
    for _ in range(0, seconds, 2):
        living[0].time.go(2.0)
        for each in living:
            each.look()


def texts(wbox: Simulator) -> list[str]:
    return [message["body"]["message"] for message in wbox.messages()]


def devices_of(member: Member) -> set[int]:
    return {number for number in DEVICES if member.has(str(number))}


def claimed(member: Member) -> Delivery:
    """Let a member claim what has its turn, as if it were frozen before the request."""
    member.dispatcher._look_round()
    delivery = member.claim()
    assert delivery
    return delivery


def test_threads_of_two_daemons_split_the_devices_and_each_message_goes_out_once(
    postgres: Postgres, wbox: Simulator
) -> None:
    url = postgres.fresh()
    stores = [open_store(url) for _ in range(2)]
    dispatchers = [Dispatcher(store, a_live(wbox.url)) for store in stores]
    for number, dispatcher in enumerate(dispatchers):
        dispatcher.start()
        put(stores[number], f"event {number}", datetime.now(UTC).timestamp())
    until(lambda: stores[0].counts() == {State.SENT: 2 * len(DEVICES)})
    assert all(dispatcher.stop(10.0) for dispatcher in dispatchers)
    for store in stores:
        store.close()
    assert len(texts(wbox)) == 2 * len(DEVICES)


def test_each_device_is_one_daemon_s_and_most_stay_when_another_one_comes(
    time: Time, member: Callable[..., Member]
) -> None:
    one, two = member(), member()
    put(one.store, "e", time())
    for _ in range(2):
        one.look()
        two.look()
    before = devices_of(one), devices_of(two)
    assert before[0] | before[1] == {*DEVICES}
    assert not before[0] & before[1]
    three = member()
    for _ in range(2):
        for each in (one, two, three):
            each.look()
    after = devices_of(one), devices_of(two)
    assert after[0] <= before[0]
    assert after[1] <= before[1]
    assert devices_of(three) == {*DEVICES} - after[0] - after[1]


def test_a_device_goes_to_another_daemon_when_its_requests_have_ended(
    time: Time, member: Callable[..., Member], wbox: Simulator
) -> None:
    one = member()
    put(one.store, "e", time())
    deliveries = {claimed(one).device for _ in DEVICES}
    assert len(deliveries) == len(DEVICES)
    two = member()
    for each in (one, two, one, two):
        each.look()
    assert not devices_of(two), "all of them are busy"
    assert devices_of(one) < {*DEVICES}, "but for some nothing more is begun"
    for delivery in [*one.dispatcher._in_flight.values()]:
        one.request(delivery, one.outbox.ownership.holder)
    put(one.store, "later", time())
    for each in (one, one, two):
        each.look()
    assert devices_of(one) | devices_of(two) == {*DEVICES}
    for each in (one, two):
        each.send()
    assert one.store.counts() == {State.SENT: 2 * len(DEVICES)}
    assert len(texts(wbox)) == 2 * len(DEVICES)


def test_what_a_daemon_had_in_flight_when_it_was_killed_is_unknown_and_goes_out_once_more_later(
    time: Time, member: Callable[..., Member], wbox: Simulator
) -> None:
    dead = member()
    first, second = put(dead.store, "a", time(), range(1, 2)), put(dead.store, "b", time(), range(1, 2))
    delivery = claimed(dead)
    assert [delivery.id] == first
    other = member()
    pass_time(TERM, other)
    assert other.has("1")
    found = other.store.delivery(delivery.id)
    assert found
    assert (found.state, found.unknowns) == (State.UNKNOWN, 1)
    assert other.store.attempts(delivery.id)[0]["detail"] == "wbox-notify ended during the request"
    other.send()
    assert texts(wbox) == [], "of one rule the order is kept"
    pass_time(120, other)
    other.send()
    assert texts(wbox) == ["a 1", "b 1"]
    assert [other.store.delivery(number).state for number in first + second] == [State.SENT] * 2  # type: ignore[union-attr]


def test_a_frozen_daemon_that_wakes_sends_nothing_and_writes_nothing(
    time: Time, member: Callable[..., Member], wbox: Simulator
) -> None:
    frozen = member()
    put(frozen.store, "e", time(), range(1, 2))
    delivery = claimed(frozen)
    holder = frozen.outbox.ownership.holder
    other = member()
    pass_time(TERM, other)
    put(other.store, "later", time(), range(1, 3))
    before = time.rows("select * from delivery order by id"), time.rows("select * from attempt")
    frozen.request(delivery, holder)
    frozen.send()
    assert texts(wbox) == []
    assert before == (time.rows("select * from delivery order by id"), time.rows("select * from attempt"))
    frozen.look()
    assert frozen.outbox.ownership.holder != holder
    assert not devices_of(frozen) & devices_of(other)


def test_a_daemon_that_is_frozen_in_a_transaction_holds_nobody_up(
    time: Time, member: Callable[..., Member]
) -> None:
    frozen = member()
    put(frozen.store, "e", time(), range(1, 2))
    frozen.look()
    holder = frozen.outbox.ownership.holder
    begun, woken = threading.Event(), threading.Event()

    def claim(tx: Transaction) -> set[str]:
        held = frozen.leases.held(tx, holder, ["device:1"])
        begun.set()
        woken.wait(60)
        return held

    written = frozen.store._database.write(claim)
    assert begun.wait(10)
    other = member()
    pass_time(TERM, other)

    def has_taken_over() -> bool:
        other.look()
        return devices_of(other) == {1}

    until(has_taken_over)
    woken.set()
    assert written.result(30) == set(), "when it wakes, it does again what was undone"


def test_a_daemon_that_was_frozen_over_its_answer_still_tells_that_the_message_was_sent(
    time: Time, member: Callable[..., Member], wbox: Simulator
) -> None:
    frozen = member()
    [number] = put(frozen.store, "e", time(), range(1, 2))
    delivery = claimed(frozen)
    frozen.request(delivery, frozen.outbox.ownership.holder)
    other = member()
    pass_time(TERM, other)
    found = other.store.delivery(number)
    assert found
    assert found.state is State.UNKNOWN
    frozen.look()
    pass_time(120, frozen, other)
    for each in (frozen, other):
        each.send()
    assert texts(wbox) == ["e 1"]
    found = other.store.delivery(number)
    assert found
    assert found.state is State.SENT


def test_what_is_late_says_nothing_of_a_delivery_that_was_claimed_again(
    time: Time, member: Callable[..., Member], wbox: Simulator
) -> None:
    frozen = member()
    [number] = put(frozen.store, "e", time(), range(1, 2))
    late = claimed(frozen)
    other = member()
    pass_time(TERM, other)
    pass_time(120, other)
    again = claimed(other)
    assert (again.id, again.claims) == (number, 2)
    sent = NextStep(state=State.SENT, due=time(), tries=1, unknowns=0, reason="sent")
    ended = Attempt(late, Answer(outcome=Outcome.SENT, detail="sent"), sent)
    frozen.store.turn_over([ended], [], time(), UNLIMITED).result()
    found = other.store.delivery(number)
    assert found
    assert (found.state, found.claims) == (State.SENDING, 2)
    assert [attempt["outcome"] for attempt in other.store.attempts(number)] == [Outcome.UNKNOWN, None]
    assert texts(wbox) == []


def test_when_the_database_was_away_daemons_go_on_with_what_they_had_and_know_what_they_sent(
    time: Time, member: Callable[..., Member], wbox: Simulator
) -> None:
    one, two = member(), member()
    put(one.store, "e", time())
    for each in (one, two, one, two):
        each.look()
    before = devices_of(one), devices_of(two)
    assert all(before)
    for each, devices in zip((one, two), before, strict=True):
        for _ in devices:
            delivery = claimed(each)
            each.request(delivery, each.outbox.ownership.holder)
    time.go(float(TERM))
    for each in (one, two):
        each.look()
    assert (devices_of(one), devices_of(two)) == before
    assert one.store.counts() == {State.SENT: len(DEVICES)}
    assert len(texts(wbox)) == len(DEVICES)


def test_who_ends_as_it_should_leaves_its_devices_at_once(time: Time, member: Callable[..., Member]) -> None:
    one, two = member(), member()
    put(one.store, "e", time())
    for each in (one, two, one, two):
        each.look()
    one.store.close()
    two.look()
    assert devices_of(two) == {*DEVICES}


def test_the_pace_of_a_device_holds_across_daemons(
    time: Time, member: Callable[..., Member], wbox: Simulator
) -> None:
    pace = Pace(every=60.0)
    one = member(pace=pace)
    put(one.store, "a", time(), range(1, 2))
    put(one.store, "b", time(), range(1, 2))
    one.send()
    assert texts(wbox) == ["a 1"]
    one.store.close()
    two = member(pace=pace)
    two.send()
    pass_time(34, two)
    two.send()
    assert texts(wbox) == ["a 1"]
    pass_time(52, two)
    two.send()
    assert texts(wbox) == ["a 1", "b 1"]


def test_only_who_has_a_device_asks_about_it_and_what_holds_all_is_asked_about_by_one(
    time: Time, member: Callable[..., Member], wbox: Simulator
) -> None:
    wbox.unlink(1)
    one, two = member(), member()
    put(one.store, "e", time(), range(1, 2))
    for each in (one, two):
        each.look()
        each.send()
    pass_time(6, one, two)
    assert [bool(each.dispatcher._circuits.due(time())) for each in (one, two)].count(True) == 1
    assert [each.dispatcher.does_chores for each in (one, two)].count(True) == 1


def test_what_another_daemon_queued_before_goes_before_one_s_own(
    time: Time, member: Callable[..., Member], wbox: Simulator
) -> None:
    one, two = member(), member()
    hears = threading.Event()
    for each in (one, two):
        follow_when(hears, each.store)
        each.look()
    for number in range(2):
        # Both are committed, and nothing of it was heard yet: who knew its own at once would send that first.
        put(two.store, f"{number} a", time())
        put(one.store, f"{number} b", time())
        one.send()
        two.send()
    assert texts(wbox) == []
    hears.set()
    until(lambda: one.send() or two.send() or one.store.counts().keys() == {State.SENT})
    for device in DEVICES:
        said = [text.removesuffix(f" {device}") for text in texts(wbox) if text.endswith(f" {device}")]
        assert said == sorted(said)
        assert len(said) == 4


def test_who_is_dead_stays_dead_when_the_clock_of_the_database_is_put_back(
    time: Time, member: Callable[..., Member]
) -> None:
    one, two = member(), member()
    put(one.store, "e", time())
    two.die()
    pass_time(34, one)
    time.rows("update moment set now = now - 3600 returning now")
    one.leases.renew()
    assert [daemon.id for daemon in one.leases.living()] == [one.leases.join()]
    assert len(one.store.daemons()) == 1, "nor is it shown"


def follow_when(hears: threading.Event, store: Store) -> None:
    """Let a store listen to what is changed from now on, and hear of it later."""
    database = store._database
    follow = database.follow
    listens = threading.Event()

    def late(heard: Callable[[News], None]) -> None:
        def hear(news: News) -> None:
            listens.set()
            hears.wait(30.0)
            heard(news)

        follow(hear)

    database.follow = late  # type: ignore[method-assign]
    store.follow_others(lambda: None)
    assert listens.wait(30.0)
