"""Dispatch: what follows each outcome, shown on the pure table and against the simulator."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wbox_notify.client import Client
from wbox_notify.deliveries import Delivery, Plan, Planned, State
from wbox_notify.dispatch import Dispatcher, after, back_off, probe_pause
from wbox_notify.events import Event
from wbox_notify.messages import Message, Poll, Text
from wbox_notify.outcomes import Answer, Outcome
from wbox_notify.simulator import Simulator
from wbox_notify.store import Store, open_store

NOW = 1000.0
TEXT = Text(phone="905551234567", message="hello")
POLL = Poll(phone="905551234567", question="Tea?", options=("yes", "no"))


def a_delivery(message: Message = TEXT, *, tries: int = 0, unknowns: int = 0) -> Delivery:
    return Delivery(
        id=1,
        key="k",
        event_id="e",
        rule="r",
        device="",
        message=message,
        state=State.SENDING,
        due=NOW,
        created=NOW,
        expires=NOW + 86400,
        claims=tries + unknowns + 1,
        tries=tries,
        unknowns=unknowns,
    )


@pytest.mark.parametrize(
    ("outcome", "delivery", "state", "tries", "unknowns"),
    [
        (Outcome.SENT, a_delivery(), State.SENT, 1, 0),
        (Outcome.NOT_SENT, a_delivery(), State.QUEUED, 1, 0),
        (Outcome.NOT_SENT, a_delivery(tries=50), State.QUEUED, 51, 0),
        (Outcome.REFUSED, a_delivery(), State.DEAD, 1, 0),
        (Outcome.FAILED, a_delivery(), State.QUEUED, 1, 0),
        (Outcome.FAILED, a_delivery(tries=2), State.DEAD, 3, 0),
        (Outcome.UNKNOWN, a_delivery(TEXT), State.UNKNOWN, 0, 1),
        (Outcome.UNKNOWN, a_delivery(TEXT, unknowns=1), State.HELD, 0, 2),
        (Outcome.UNKNOWN, a_delivery(POLL), State.HELD, 0, 1),
        (Outcome.NOT_READY, a_delivery(tries=3), State.QUEUED, 3, 0),
        (Outcome.UNAUTHORIZED, a_delivery(tries=3), State.QUEUED, 3, 0),
        (Outcome.LIMITED, a_delivery(tries=3), State.QUEUED, 3, 0),
    ],
)
def test_each_outcome_has_one_consequence(
    outcome: Outcome, delivery: Delivery, state: State, tries: int, unknowns: int
) -> None:
    then = after(delivery, Answer(outcome=outcome, detail="why"), NOW, 0.5)
    assert (then.state, then.tries, then.unknowns) == (state, tries, unknowns)
    assert "why" in then.reason


def test_only_a_circuit_pauses_the_device_and_a_wait_that_was_asked_for_is_kept() -> None:
    pauses = {
        outcome: after(a_delivery(), Answer(outcome=outcome, detail=""), NOW, 0.0).pause
        for outcome in Outcome
    }
    assert {outcome for outcome, pause in pauses.items() if pause} == {
        Outcome.NOT_READY,
        Outcome.UNAUTHORIZED,
        Outcome.LIMITED,
    }
    limited = Answer(outcome=Outcome.LIMITED, detail="", wait=77.0)
    assert after(a_delivery(), limited, NOW, 0.0).pause == 77.0


def test_a_text_with_an_unknown_outcome_waits_at_least_90_seconds() -> None:
    then = after(a_delivery(), Answer(outcome=Outcome.UNKNOWN, detail=""), NOW, 0.0)
    assert then.due == NOW + 90


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_back_off_grows_stays_within_half_an_hour_and_is_spread(tries: int, chance: float) -> None:
    assert 2.5 <= back_off(tries, chance) <= 1800
    assert back_off(tries, chance) <= back_off(tries + 1, 0.999999) * 1.000001
    assert back_off(tries, 0.0) < back_off(tries, 0.9)


@given(st.integers(0, 10_000))
def test_the_pause_between_looks_at_a_device_grows_to_five_minutes(probes: int) -> None:
    assert 5 <= probe_pause(probes) <= probe_pause(probes + 1) <= 300


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wbox() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/wbox.db")
    yield store
    store.close()


@pytest.fixture
def client(wbox: Simulator) -> Iterator[Client]:
    client = Client(wbox.url, "sk_test")
    yield client
    client.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dispatcher(store: Store, wbox: Simulator, clock: Clock) -> Dispatcher:
    return Dispatcher(store, lambda: Client(wbox.url, "sk_test"), clock=clock)


def put(store: Store, *messages: Message, event: str = "e") -> list[int]:
    planned = tuple(
        Planned(key=f"{event}:{place}", rule="r", message=message) for place, message in enumerate(messages)
    )
    at = datetime(2026, 11, 22, tzinfo=UTC)
    happened = Event(id=event, type="file", at=at, data={})
    return store.put_message(happened, Plan(event_id=event, messages=planned), NOW).result()


def texts(wbox: Simulator) -> list[str]:
    return [message["body"]["message"] for message in wbox.messages()]


def drain(dispatcher: Dispatcher, client: Client) -> None:
    while dispatcher.step(client):
        pass


def test_what_is_due_goes_out_once_in_order_with_its_key(
    dispatcher: Dispatcher, client: Client, store: Store, wbox: Simulator
) -> None:
    put(store, *(replace(TEXT, message=str(number)) for number in range(3)))
    drain(dispatcher, client)
    drain(dispatcher, client)
    assert texts(wbox) == ["0", "1", "2"]
    assert [message["idempotency_key"] for message in wbox.messages()] == ["e:0", "e:1", "e:2"]
    assert store.history.counts() == {State.SENT: 3}


def test_503_holds_the_device_without_using_up_a_try_and_releases_by_itself(
    dispatcher: Dispatcher, client: Client, store: Store, wbox: Simulator, clock: Clock
) -> None:
    [first, second] = put(store, TEXT, replace(TEXT, phone="905551234568"))
    wbox.unlink(1)
    drain(dispatcher, client)
    held = store.history.delivery(first)
    assert held
    assert (held.state, held.tries, held.claims) == (State.QUEUED, 0, 1)
    other = store.history.delivery(second)
    assert other
    assert other.claims == 0, "the next message is not even tried"
    clock.now += 5
    dispatcher.look_at_circuits(client, clock.now)
    assert not dispatcher.step(client), "it still holds"
    wbox.scan(1)
    dispatcher.look_at_circuits(client, clock.now + 5)
    assert not dispatcher.step(client), "the second look comes later than the first"
    dispatcher.look_at_circuits(client, clock.now + 10)
    drain(dispatcher, client)
    assert store.history.counts() == {State.SENT: 2}
    assert len(wbox.messages()) == 2


def test_a_refused_key_stops_all_sending_until_it_is_good_again(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    assert tmp_path
    put(store, TEXT)
    with Simulator(api_key="sk_right") as strict:
        wrong, right = Client(strict.url, "sk_wrong"), Client(strict.url, "sk_right")
        dispatcher = Dispatcher(store, lambda: wrong, clock=clock)
        drain(dispatcher, wrong)
        clock.now += 3600
        dispatcher.look_at_circuits(wrong, clock.now)
        assert not dispatcher.step(wrong)
        assert [row["reason"] for row in store.history.circuits()] == [Outcome.UNAUTHORIZED]
        clock.now += 3600
        dispatcher.look_at_circuits(right, clock.now)
        drain(dispatcher, right)
        assert len(strict.messages()) == 1
        wrong.close()
        right.close()


def test_a_text_whose_answer_was_lost_goes_out_once_more_and_is_listed(
    dispatcher: Dispatcher, client: Client, store: Store, wbox: Simulator, clock: Clock
) -> None:
    [number] = put(store, TEXT)
    wbox.fault(lost=True, count=1)
    drain(dispatcher, client)
    delivery = store.history.delivery(number)
    assert delivery
    assert delivery.state is State.UNKNOWN
    assert len(wbox.messages()) == 1
    clock.now += 120
    drain(dispatcher, client)
    assert len(wbox.messages()) == 2
    assert [row["outcome"] for row in store.history.attempts(number)] == [Outcome.UNKNOWN, Outcome.SENT]


def test_a_poll_whose_answer_was_lost_waits_for_a_person(
    dispatcher: Dispatcher, client: Client, store: Store, wbox: Simulator, clock: Clock
) -> None:
    [number] = put(store, POLL)
    wbox.fault(lost=True, count=1)
    drain(dispatcher, client)
    clock.now += 3600
    drain(dispatcher, client)
    delivery = store.history.delivery(number)
    assert delivery
    assert (delivery.state, len(wbox.messages())) == (State.HELD, 1)
    assert "may have been sent" in delivery.reason


def test_an_unreachable_wbox_costs_nothing_but_time(store: Store, clock: Clock, wbox: Simulator) -> None:
    put(store, TEXT)
    away = Client("http://127.0.0.1:9", "sk_test")
    dispatcher = Dispatcher(store, lambda: away, clock=clock)
    for _ in range(5):
        drain(dispatcher, away)
        clock.now += 1800
    here = Client(wbox.url, "sk_test")
    drain(dispatcher, here)
    assert store.history.counts() == {State.SENT: 1}
    assert len(wbox.messages()) == 1
    away.close()
    here.close()


def test_a_message_that_wbox_will_never_take_is_dead_with_its_reason(
    dispatcher: Dispatcher, client: Client, store: Store, wbox: Simulator
) -> None:
    [number] = put(store, TEXT)
    wbox.fault(status=422, message="number not on WhatsApp", count=1)
    drain(dispatcher, client)
    delivery = store.history.delivery(number)
    assert delivery
    assert delivery.state is State.DEAD
    assert "number not on WhatsApp" in delivery.reason


def test_what_was_being_sent_when_the_last_run_ended_is_unknown_and_never_just_queued(
    store: Store, wbox: Simulator, clock: Clock
) -> None:
    text, poll = put(store, TEXT, replace(POLL, phone="905551234568"))
    assert store.claim(NOW).result()
    assert store.claim(NOW).result()
    Dispatcher(store, lambda: Client(wbox.url, "sk_test"), clock=clock).recover()
    states = [delivery.state for number in (text, poll) if (delivery := store.history.delivery(number))]
    assert states == [State.UNKNOWN, State.HELD]


def test_the_threads_send_what_comes_and_end_when_they_are_told_to(store: Store, wbox: Simulator) -> None:
    dispatcher = Dispatcher(store, lambda: Client(wbox.url, "sk_test"), clock=lambda: NOW)
    put(store, TEXT)
    dispatcher.start()
    wbox.wait_for(1, 10)
    put(store, POLL, event="later")
    dispatcher.wake()
    wbox.wait_for(2, 10)
    assert dispatcher.stop(10)
    assert store.history.counts() == {State.SENT: 2}
