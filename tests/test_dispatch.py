"""Dispatch: what follows each outcome, shown on the pure table and against the simulator."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import turns
from databases import Files, Postgres
from hypothesis import given
from hypothesis import strategies as st
from workplace import a_live, until

from wbox_notify.clients.wbox import Client, SessionStatus
from wbox_notify.dispatch import Dispatcher, after, back_off, probe_pause
from wbox_notify.errors import StoreError
from wbox_notify.media import MediaError
from wbox_notify.model.deliveries import Delivery, OnUnknown, Plan, PlannedMessage, State
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Message, Notice, Poll, Text
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.model.reasons import why
from wbox_notify.simulator import Simulator
from wbox_notify.store import Store, open_store

NOW = 1_700_000_000.0
TEXT = Text(phone="905551234567", message="hello")
NOTICE = Notice(outlet="mail", text="hello")
POLL = Poll(phone="905551234567", question="Tea?", options=("yes", "no"))


def a_delivery(
    message: Message = TEXT, *, tries: int = 0, unknowns: int = 0, on_unknown: OnUnknown | None = None
) -> Delivery:
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
        on_unknown=on_unknown,
    )


@pytest.mark.parametrize(
    ("outcome", "delivery", "state", "tries", "unknowns"),
    [
        (Outcome.SENT, a_delivery(), State.SENT, 1, 0),
        (Outcome.NOT_SENT, a_delivery(), State.QUEUED, 1, 0),
        (Outcome.NOT_SENT, a_delivery(tries=50), State.QUEUED, 51, 0),
        (Outcome.REFUSED, a_delivery(), State.DEAD, 1, 0),
        (Outcome.FAILED, a_delivery(), State.QUEUED, 1, 0),
        (Outcome.FAILED, a_delivery(tries=2), State.QUEUED, 3, 0),
        (Outcome.FAILED, replace(a_delivery(tries=50), failures=1), State.QUEUED, 51, 0),
        (Outcome.FAILED, replace(a_delivery(tries=50), failures=2), State.DEAD, 51, 0),
        (Outcome.UNKNOWN, a_delivery(TEXT), State.UNKNOWN, 0, 1),
        (Outcome.UNKNOWN, a_delivery(TEXT, unknowns=1), State.HELD, 0, 2),
        (Outcome.UNKNOWN, a_delivery(POLL), State.HELD, 0, 1),
        (Outcome.UNKNOWN, a_delivery(TEXT, on_unknown="hold"), State.HELD, 0, 1),
        (Outcome.UNKNOWN, a_delivery(TEXT, on_unknown="drop"), State.CANCELLED, 0, 1),
        (Outcome.UNKNOWN, a_delivery(POLL, on_unknown="retry_once"), State.UNKNOWN, 0, 1),
        (Outcome.UNKNOWN, a_delivery(POLL, on_unknown="retry_once", unknowns=1), State.HELD, 0, 2),
        (Outcome.UNKNOWN, a_delivery(POLL, on_unknown="retry", unknowns=7), State.UNKNOWN, 0, 8),
        (Outcome.UNKNOWN, a_delivery(NOTICE), State.UNKNOWN, 0, 1),
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
        Outcome.NOT_SENT,
        Outcome.LIMITED,
    }
    limited = Answer(outcome=Outcome.LIMITED, detail="", wait=77.0)
    assert after(a_delivery(), limited, NOW, 0.0).pause == 77.0


@pytest.mark.parametrize(
    ("outcome", "status", "failures", "state"),
    [
        (Outcome.UNAUTHORIZED, 403, 0, State.QUEUED),
        (Outcome.UNAUTHORIZED, 403, 5, State.DEAD),
        (Outcome.NOT_SENT, 404, 5, State.DEAD),
        (Outcome.NOT_READY, 503, 50, State.QUEUED),
        (Outcome.LIMITED, 429, 50, State.QUEUED),
    ],
)
def test_what_is_refused_while_others_pass_is_a_message_s_own_failure(
    outcome: Outcome, status: int, failures: int, state: State
) -> None:
    answer = Answer(outcome=outcome, detail="why", status=status, wait=1000.0)
    tried = replace(a_delivery(tries=1), failures=failures)
    then = after(tried, answer, NOW, 0.0, alone=True)
    assert (then.state, then.pause, then.failed, then.tries) == (state, None, True, 2)
    assert then.due >= NOW + 1000, "it waits as long as was asked, and for itself alone"
    first = after(a_delivery(), answer, NOW, 0.0, alone=True)
    assert (first.state, first.pause) == (State.QUEUED, 1000.0), "the first time it speaks of the device"


@pytest.mark.parametrize("status", [None, 503])
def test_a_wbox_that_is_away_or_busy_is_never_a_message_s_own_failure(status: int | None) -> None:
    answer = Answer(outcome=Outcome.NOT_SENT, detail="why", status=status)
    then = after(replace(a_delivery(tries=5), failures=50), answer, NOW, 0.0, alone=True)
    assert (then.state, then.failed) == (State.QUEUED, False)


def test_a_text_with_an_unknown_outcome_waits_at_least_90_seconds() -> None:
    then = after(a_delivery(), Answer(outcome=Outcome.UNKNOWN, detail=""), NOW, 0.0)
    assert then.due == NOW + 90


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_back_off_grows_stays_within_half_an_hour_and_is_spread(tries: int, chance: float) -> None:
    assert 2.5 <= back_off(tries, chance) <= 1800
    assert back_off(tries, chance) <= back_off(tries + 1, 0.999999) * 1.000001
    assert back_off(tries, 0.0) < back_off(tries, 0.9)


@given(st.integers(0, 10_000))
def test_the_pause_between_looks_at_a_device_grows_to_five_minutes_or_one(probes: int) -> None:
    assert 5 <= probe_pause(probes) <= probe_pause(probes + 1) <= 300
    assert 5 <= probe_pause(probes, Outcome.NOT_SENT) <= probe_pause(probes + 1, Outcome.UNKNOWN) <= 60


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(engine: Files | Postgres) -> Iterator[Store]:
    store = open_store(engine.fresh())
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
    return Dispatcher(store, a_live(wbox.url), clock=clock)


def put(store: Store, *messages: Message, event: str = "e", rule: str = "r") -> list[int]:
    planned = tuple(
        PlannedMessage(key=f"{event}:{place}", rule=rule, message=message)
        for place, message in enumerate(messages)
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
    assert store.counts() == {State.SENT: 3}


def test_503_holds_the_device_without_using_up_a_try_and_releases_by_itself(
    dispatcher: Dispatcher, client: Client, store: Store, wbox: Simulator, clock: Clock
) -> None:
    [first, second] = put(store, TEXT, replace(TEXT, phone="905551234568"))
    wbox.unlink(1)
    drain(dispatcher, client)
    held = store.delivery(first)
    assert held
    assert (held.state, held.tries, held.claims) == (State.QUEUED, 0, 1)
    other = store.delivery(second)
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
    assert store.counts() == {State.SENT: 2}
    assert len(wbox.messages()) == 2
    assert store.circuits() == []


def test_who_has_linked_a_device_need_not_wait_for_the_next_look_at_it(
    dispatcher: Dispatcher, client: Client, store: Store, wbox: Simulator, clock: Clock
) -> None:
    put(store, TEXT)
    wbox.unlink(1)
    dispatcher.round(client)
    [circuit] = store.circuits()
    wbox.scan(1)
    dispatcher.round(client)
    assert wbox.messages() == []
    dispatcher.probe()
    while dispatcher.round(client) == 0:
        pass
    assert (texts(wbox), store.circuits()) == (["hello"], [])
    assert clock.now < circuit.until


class Unpublished:
    """Publishes nothing that goes to one phone, for a reason that may pass or that may not."""

    def __init__(self, *, retry: bool) -> None:
        self.retry = retry
        self.away = True

    def __call__(self, _delivery: Delivery, message: Message) -> Message:
        if self.away and message.recipient == TEXT.phone:
            raise MediaError("the folder is away", retry=self.retry)
        return message


@pytest.mark.parametrize(("retry", "state"), [(True, State.QUEUED), (False, State.DEAD)])
def test_what_can_not_be_published_holds_no_device_and_no_other_message(
    store: Store,
    wbox: Simulator,
    client: Client,
    clock: Clock,
    retry: bool,  # noqa: FBT001 - a column of the table
    state: State,
) -> None:
    dispatcher = Dispatcher(store, a_live(), publish=Unpublished(retry=retry), clock=clock)
    [first, _] = put(store, TEXT, replace(TEXT, phone="905551234568"))
    drain(dispatcher, client)
    left = store.delivery(first)
    assert left
    assert (left.state, left.tries, left.reason) == (state, 1, "the folder is away")
    assert (left.due > clock.now) is retry, "it is tried again after a while, where that may help"
    assert store.circuits() == []
    assert len(wbox.messages()) == 1


@pytest.mark.parametrize("retry", [True, False])
def test_what_can_not_be_published_shows_nothing_of_a_device_that_is_being_tried(
    store: Store,
    clock: Clock,
    wbox: Simulator,
    client: Client,
    retry: bool,  # noqa: FBT001 - a column of the table
) -> None:
    publish = Unpublished(retry=retry)
    dispatcher = Dispatcher(store, a_live(), publish=publish, clock=clock)
    publish.away = False
    put(store, replace(TEXT, phone="905551234568"), TEXT)
    wbox.unlink(1)
    drain(dispatcher, client)
    wbox.scan(1)
    dispatcher.look_at_circuits(client)
    [trying] = store.circuits()
    assert trying.trying
    publish.away = True
    assert dispatcher.step(client)
    assert store.circuits() == [trying], "wbox was not asked, so nothing is known"
    drain(dispatcher, client)
    assert store.circuits() == []
    assert len(wbox.messages()) == 1


def test_after_a_good_answer_one_message_tries_it_and_the_others_follow_it(
    dispatcher: Dispatcher, client: Client, store: Store, wbox: Simulator
) -> None:
    put(store, TEXT, replace(TEXT, phone="905551234568"), replace(TEXT, phone="905551234569"))
    wbox.unlink(1)
    drain(dispatcher, client)
    wbox.scan(1)
    dispatcher.look_at_circuits(client)
    trying = turns.claim(store, NOW)
    assert trying
    assert turns.claim(store, NOW) is None, "the second waits for what becomes of the first"


def test_a_device_that_comes_and_goes_costs_one_attempt_each_time_and_doubles_nothing(
    dispatcher: Dispatcher, client: Client, store: Store, wbox: Simulator, clock: Clock
) -> None:
    ids = put(store, *(replace(TEXT, phone=f"90555123456{number}") for number in range(5)))
    pauses = []
    for _ in range(6):
        wbox.unlink(1)
        drain(dispatcher, client)
        [circuit] = store.circuits()
        pauses.append(circuit.until - clock.now)
        clock.now = circuit.until
        wbox.scan(1)
        dispatcher.look_at_circuits(client, clock.now)
        assert [circuit.trying for circuit in store.circuits()] == [True]
    assert pauses == sorted(pauses), "it is looked at less and less often"
    claims = [delivery.claims for number in ids if (delivery := store.delivery(number))]
    assert claims == [2, 1, 1, 1, 1], "each time another one tries it"
    drain(dispatcher, client)
    assert len(wbox.messages()) == 5
    assert store.circuits() == []


def test_three_unclear_answers_in_a_row_hold_the_device_so_that_few_messages_are_in_doubt(
    dispatcher: Dispatcher, client: Client, store: Store, wbox: Simulator, clock: Clock
) -> None:
    put(store, *(replace(TEXT, phone=f"90555123456{number}") for number in range(9)))
    wbox.fault(status=500)
    drain(dispatcher, client)
    assert store.counts() == {State.UNKNOWN: 3, State.QUEUED: 6}
    clock.now += 5
    dispatcher.look_at_circuits(client, clock.now)
    drain(dispatcher, client)
    assert store.counts() == {State.UNKNOWN: 4, State.QUEUED: 5}, "one more tried it"
    wbox.clear_faults()
    clock.now += 3600
    dispatcher.look_at_circuits(client, clock.now)
    drain(dispatcher, client)
    assert store.counts() == {State.SENT: 9}


def test_a_refused_key_and_an_absent_wbox_hold_all_devices_but_no_other_service(
    store: Store, clock: Clock
) -> None:
    away = Client("http://127.0.0.1:9", "sk_test")
    dispatcher = Dispatcher(store, a_live(), clock=clock)
    put(store, TEXT, replace(TEXT, phone="905551234568", device_id=2), NOTICE)
    drain(dispatcher, away)
    claims = [delivery.claims for delivery in store.deliveries("e")]
    assert claims == [1, 0, 1]
    assert [circuit.device for circuit in store.circuits()] == ["*"]
    away.close()


def test_S02_what_came_of_a_message_is_written_before_anything_else_is_sent(
    dispatcher: Dispatcher, client: Client, store: Store, wbox: Simulator, tmp_path: Path
) -> None:
    """S02: the outcome cannot be written, so nothing more is sent; then it is, and nothing was doubled."""
    put(store, TEXT, replace(TEXT, phone="905551234568"))
    blocked = "alter table attempt rename column latency to hidden"
    store._database.write(lambda tx: tx.execute(blocked)).result()
    with pytest.raises(StoreError):
        dispatcher.step(client)
    with pytest.raises(StoreError):
        dispatcher.step(client)
    assert len(wbox.messages()) == 1
    free = "alter table attempt rename column hidden to latency"
    store._database.write(lambda tx: tx.execute(free)).result()
    drain(dispatcher, client)
    assert store.counts() == {State.SENT: 2}
    assert len(wbox.messages()) == 2
    assert tmp_path


# In PostgreSQL the times are those of the database, which all daemons have in common: nobody moves them.
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("days", [90, -90, 1 / 24, -1 / 24])
def test_T01_T02_a_clock_that_is_set_makes_nothing_expire_and_nothing_wait(
    dispatcher: Dispatcher, client: Client, store: Store, wbox: Simulator, clock: Clock, days: float
) -> None:
    """T01, T02: what was queued before the jump goes out after it."""
    [number] = put(store, TEXT)
    wbox.fault(status=503, message="busy", count=1)
    drain(dispatcher, client)
    clock.now += days * 86400
    dispatcher.mind_the_clock()
    assert store.expire(clock.now).result() == 0
    clock.now += 10
    dispatcher.look_at_circuits(client, clock.now)
    drain(dispatcher, client)
    delivery = store.delivery(number)
    assert delivery
    assert delivery.state is State.SENT


def test_another_key_is_followed_at_once(store: Store) -> None:
    put(store, TEXT)
    with Simulator(api_key="sk_right") as strict:
        live = a_live(strict.url, key="sk_wrong")
        dispatcher = Dispatcher(store, live, clock=lambda: NOW)
        dispatcher.start()
        until(store.circuits)
        live.project = a_live(strict.url, key="sk_right").project
        dispatcher.wake()
        strict.wait_for(1, 20)
        assert dispatcher.stop(10)


def test_a_refused_key_stops_all_sending_until_it_is_good_again(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    assert tmp_path
    put(store, TEXT)
    with Simulator(api_key="sk_right") as strict:
        wrong, right = Client(strict.url, "sk_wrong"), Client(strict.url, "sk_right")
        dispatcher = Dispatcher(store, a_live(), clock=clock)
        drain(dispatcher, wrong)
        clock.now += 3600
        dispatcher.look_at_circuits(wrong, clock.now)
        assert not dispatcher.step(wrong)
        assert [circuit.reason for circuit in store.circuits()] == [Outcome.UNAUTHORIZED]
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
    delivery = store.delivery(number)
    assert delivery
    assert delivery.state is State.UNKNOWN
    assert len(wbox.messages()) == 1
    clock.now += 120
    drain(dispatcher, client)
    assert len(wbox.messages()) == 2
    assert [row["outcome"] for row in store.attempts(number)] == [Outcome.UNKNOWN, Outcome.SENT]


def test_a_poll_whose_answer_was_lost_waits_for_a_person(
    dispatcher: Dispatcher, client: Client, store: Store, wbox: Simulator, clock: Clock
) -> None:
    [number] = put(store, POLL)
    wbox.fault(lost=True, count=1)
    drain(dispatcher, client)
    clock.now += 3600
    drain(dispatcher, client)
    delivery = store.delivery(number)
    assert delivery
    assert (delivery.state, len(wbox.messages())) == (State.HELD, 1)
    assert why(delivery).startswith("may have been sent: ")


def test_an_unreachable_wbox_costs_nothing_but_time(store: Store, clock: Clock, wbox: Simulator) -> None:
    put(store, TEXT)
    away = Client("http://127.0.0.1:9", "sk_test")
    dispatcher = Dispatcher(store, a_live(), clock=clock)
    for _ in range(5):
        drain(dispatcher, away)
        clock.now += 1800
        dispatcher.look_at_circuits(away)
    here = Client(wbox.url, "sk_test")
    dispatcher.look_at_circuits(here)
    drain(dispatcher, here)
    assert store.counts() == {State.SENT: 1}
    assert len(wbox.messages()) == 1
    away.close()
    here.close()


def test_a_message_that_wbox_will_never_take_is_dead_with_its_reason(
    dispatcher: Dispatcher, client: Client, store: Store, wbox: Simulator
) -> None:
    [number] = put(store, TEXT)
    wbox.fault(status=422, message="number not on WhatsApp", count=1)
    drain(dispatcher, client)
    delivery = store.delivery(number)
    assert delivery
    assert delivery.state is State.DEAD
    assert "number not on WhatsApp" in delivery.reason


def test_what_was_being_sent_when_the_last_run_ended_is_unknown_and_never_just_queued(
    store: Store, wbox: Simulator, clock: Clock
) -> None:
    text, poll = put(store, TEXT, replace(POLL, phone="905551234568"))
    assert turns.claim(store, NOW)
    assert turns.claim(store, NOW)
    Dispatcher(store, a_live(wbox.url), clock=clock).recover()
    states = [delivery.state for number in (text, poll) if (delivery := store.delivery(number))]
    assert states == [State.UNKNOWN, State.HELD]


def test_C13_behind_an_unknown_message_only_those_of_its_rule_to_that_phone_wait(
    store: Store, client: Client, wbox: Simulator, clock: Clock
) -> None:
    put(store, replace(TEXT, message="in doubt"), event="a")
    assert turns.claim(store, NOW)
    dispatcher = Dispatcher(store, a_live(wbox.url), clock=clock)
    dispatcher.recover()
    put(store, replace(TEXT, message="of its rule"), event="b")
    put(store, replace(TEXT, message="of another rule"), event="c", rule="other")
    put(store, replace(TEXT, phone="905551234568", message="to another phone"), event="d")
    drain(dispatcher, client)
    assert texts(wbox) == ["of another rule", "to another phone"]
    clock.now += 120
    drain(dispatcher, client)
    assert texts(wbox)[2:] == ["in doubt", "of its rule"]


def test_the_threads_send_what_comes_and_end_when_they_are_told_to(store: Store, wbox: Simulator) -> None:
    dispatcher = Dispatcher(store, a_live(wbox.url), clock=lambda: NOW)
    put(store, TEXT)
    dispatcher.start()
    wbox.wait_for(1, 10)
    put(store, POLL, event="later")
    dispatcher.wake()
    wbox.wait_for(2, 10)
    assert dispatcher.stop(10)
    assert store.counts() == {State.SENT: 2}


def test_a_session_that_does_not_answer_holds_nothing_else_up(
    store: Store, wbox: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answered = threading.Event(), threading.Event()

    def silent(_client: Client, _device: int | None = None) -> SessionStatus:
        asked.set()
        answered.wait(20)
        return SessionStatus(device_id=2, ready=True, state=None, status=None, qr=None)

    monkeypatch.setattr(Client, "session_status", silent)
    store.open_circuit("2", Outcome.NOT_READY, NOW - 1, NOW - 60).result()
    put(store, replace(TEXT, device_id=2, phone="905551234568"), TEXT)
    dispatcher = Dispatcher(store, a_live(wbox.url), clock=lambda: NOW)
    dispatcher.start()
    assert asked.wait(10)
    wbox.wait_for(1, 10)
    assert [message["body"]["phone"] for message in wbox.messages()] == [TEXT.phone]
    answered.set()
    wbox.wait_for(2, 10)
    assert dispatcher.stop(10)


def test_what_ends_after_the_stop_is_written_down(store: Store, wbox: Simulator) -> None:
    wbox.fault(delay=0.5)
    put(store, *(replace(TEXT, phone=f"9055512345{number}") for number in range(10, 50)))
    dispatcher = Dispatcher(store, a_live(wbox.url), clock=lambda: NOW)
    dispatcher.start()
    until(lambda: store.counts().get(State.SENDING))
    assert dispatcher.stop(10)
    counts = store.counts()
    assert State.SENDING not in counts
    assert counts[State.SENT] == len(wbox.messages()), "and nothing more goes out"
    assert counts[State.QUEUED] > 0


def test_a_stop_waits_no_longer_than_it_may_and_leaves_the_rest_as_being_sent(
    store: Store, wbox: Simulator
) -> None:
    go_on = threading.Event()

    def publish(_delivery: Delivery, message: Message) -> Message:
        go_on.wait()
        return message

    put(store, TEXT)
    dispatcher = Dispatcher(store, a_live(wbox.url), clock=lambda: NOW, publish=publish)
    dispatcher.start()
    until(lambda: store.counts().get(State.SENDING))
    assert not dispatcher.stop(0.1)
    assert store.counts() == {State.SENDING: 1}
    go_on.set()
    until(lambda: store.counts() == {State.SENT: 1})


def test_one_message_takes_three_transactions_and_one_read(
    store: Store, wbox: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, TEXT)
    dispatcher = Dispatcher(store, a_live(wbox.url), clock=lambda: NOW)
    dispatcher.start()
    until(lambda: store.counts() == {State.SENT: 1})
    calls: Counter[str] = Counter()
    for name in ("write", "read"):
        monkeypatch.setattr(store._database, name, counted(calls, name, getattr(store._database, name)))
    put(store, replace(TEXT, message="again"), event="again")
    until(lambda: calls["write"] == 3)
    assert dispatcher.stop(10)
    assert calls == {"write": 3, "read": 1}, "to put it, to claim it, to end it; to see what was put"


def counted(calls: Counter[str], name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **named: Any) -> Any:
        calls[name] += 1
        return verb(*args, **named)

    return call
