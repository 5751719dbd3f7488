"""Pace: messages follow each other as slowly as is set, and what waits too long is told as one."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import turns
from databases import Files, Postgres
from hypothesis import given
from hypothesis import strategies as st

from wbox_notify.model.deliveries import Delivery, NextStep, Plan, PlannedMessage, SendOptions, State
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Media, Message, Notice, Text
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.model.pace import UNLIMITED, Begun, Pace, digest, next_turns
from wbox_notify.model.reasons import why
from wbox_notify.store import Store, open_store

AYSE, CAN = "905551110001", "905551110002"
EVEN = 0.5
"""The chance for which the jitter is nothing."""


@pytest.fixture
def store(engine: Files | Postgres) -> Iterator[Store]:
    store = open_store(engine.fresh())
    yield store
    store.close()


def put(
    store: Store, name: str, *messages: Message, now: float = 0.0, terms: SendOptions = SendOptions()
) -> list[int]:
    planned = tuple(
        PlannedMessage(key=f"{name}:{place}", rule="r", message=message, terms=terms)
        for place, message in enumerate(messages)
    )
    event = Event(id=name, type="file", at=datetime(2026, 11, 22, tzinfo=UTC), data={})
    return store.put_message(event, Plan(event_id=name, messages=planned), now).result()


def text(words: str, phone: str = AYSE, device: int | None = None) -> Text:
    return Text(phone=phone, message=words, device_id=device)


def end(store: Store, delivery: Delivery, state: State, now: float, due: float = 0.0) -> None:
    outcome = {State.SENT: Outcome.SENT, State.HELD: Outcome.UNKNOWN}.get(state, Outcome.NOT_SENT)
    then = NextStep(state=state, due=due, tries=1, unknowns=0, reason="")
    assert turns.finish(store, delivery, Answer(outcome=outcome, detail=""), then, now)


def send(store: Store, now: float, pace: Pace) -> Delivery | None:
    """Send the next one at once, as a wbox that takes no time would."""
    delivery = turns.claim(store, now, pace, chance=EVEN)
    if delivery:
        end(store, delivery, State.SENT, now)
    return delivery


def sent_over_time(store: Store, pace: Pace, until: float) -> list[tuple[float, str]]:
    """Return what goes out when, if somebody looks whenever the store says that there is work."""
    now, sent = 0.0, []
    while True:
        while delivery := send(store, now, pace):
            assert delivery.message
            sent.append((now, delivery.message.recipient))
        due = turns.next_due(store, now)
        if due is None or due > until:
            return sent
        assert due > now
        now = due


def test_a_device_sends_every_three_seconds_and_a_phone_gets_every_ten(store: Store) -> None:
    put(store, "e", text("1"), text("2"), text("3", CAN), text("4", CAN))
    assert sent_over_time(store, Pace(), 60) == [(0.0, AYSE), (3.0, CAN), (10.0, AYSE), (13.0, CAN)]


def test_media_keeps_a_longer_distance(store: Store) -> None:
    picture = Media(phone=AYSE, url="https://example.com/x.png")
    put(store, "e", picture, text("1", CAN))
    assert sent_over_time(store, Pace(), 60) == [(0.0, AYSE), (5.0, CAN)]


def test_devices_have_their_turns_by_themselves(store: Store) -> None:
    put(store, "e", text("1"), text("2", CAN, device=2))
    assert sent_over_time(store, Pace(), 60) == [(0.0, AYSE), (0.0, CAN)]


def test_a_device_sends_no_more_than_so_many_in_an_hour_and_in_a_day(store: Store) -> None:
    terms = SendOptions(expire_after=1e9)
    put(store, "e", *(text(str(number), f"9055511100{number:02}") for number in range(30)), terms=terms)
    pace = replace(UNLIMITED, every=1.0, per_hour=5, per_day=12)
    times = [at for at, _ in sent_over_time(store, pace, 5 * 86400.0)]
    assert len(times) == 30
    for begin in times:
        assert len([at for at in times if begin <= at < begin + 3600]) <= 5
        assert len([at for at in times if begin <= at < begin + 86400]) <= 12


def test_a_phone_gets_no_more_than_so_many_in_an_hour_and_the_rest_waits(store: Store) -> None:
    put(store, "e", *(text(str(number)) for number in range(10)))
    pace = replace(UNLIMITED, recipient_per_hour=3)
    times = [at for at, _ in sent_over_time(store, pace, 86400.0)]
    assert times == [0, 0, 0, 3600, 3600, 3600, 7200, 7200, 7200, 10800]


def test_what_is_critical_goes_first_but_not_quicker(store: Store) -> None:
    put(store, "many", *(text(str(number)) for number in range(3)))
    put(store, "fire", text("fire"), terms=SendOptions(critical=True))
    told = [send(store, now, Pace()) for now in (0.0, 9.0, 10.0, 20.0)]
    assert [one.message if one else None for one in told] == [text("fire"), None, text("0"), text("1")]


def test_a_retry_keeps_its_place_before_what_came_later(store: Store) -> None:
    first, _ = put(store, "e", text("first"), text("second"))
    delivery = turns.claim(store, 0.0)
    assert delivery
    end(store, delivery, State.QUEUED, 0.0, due=60.0)
    assert turns.claim(store, 30.0) is None
    retried = turns.claim(store, 60.0)
    assert retried
    assert retried.id == first


def test_the_same_text_to_the_same_phone_goes_out_once_in_ten_minutes_and_is_accounted_for(
    store: Store,
) -> None:
    put(store, "a", text("down"), text("down", CAN))
    put(store, "b", text("down"))
    put(store, "c", text("up"))
    assert [to for _, to in sent_over_time(store, Pace(), 300)] == [AYSE, CAN, AYSE]
    [left_out] = store.deliveries("b")
    assert (left_out.state, why(left_out)) == (State.CANCELLED, "the same text was sent 10 s before")
    assert [step.stage for step in store.decisions("b")] == ["same_text"]
    assert (store.repeated_since(0.0), store.repeated_since(60.0)) == (1, 0)
    put(store, "d", text("down"), now=700.0)
    assert send(store, 700.0, Pace())


def test_what_a_person_sends_goes_out_though_it_is_the_same(store: Store) -> None:
    put(store, "a", text("hello"), text("hello"), terms=SendOptions(once=False))
    assert len(sent_over_time(store, Pace(), 300)) == 2


def test_a_text_that_a_person_lets_go_again_goes_out_though_it_is_the_same(store: Store) -> None:
    [first, _] = put(store, "a", text("hello"), text("hello"))
    held = turns.claim(store, 0.0)
    assert held
    end(store, held, State.HELD, 0.0)
    assert send(store, 1.0, Pace())
    store.requeue([first], [State.HELD], 2.0).result()
    again = send(store, 30.0, Pace())
    assert again
    assert again.id == first


def test_many_texts_that_have_waited_for_one_phone_become_one_and_none_is_lost(store: Store) -> None:
    put(store, "e", *(text(f"line {number}") for number in range(25)))
    told = send(store, 120.0, Pace(lang="tr"))
    assert told
    assert isinstance(told.message, Text)
    head, *lines = told.message.message.split("\n\n")
    assert head == "📬 Bekleyen 25 mesaj:"
    assert lines == [f"line {number}" for number in range(25)]
    states = [delivery.state for delivery in store.deliveries("e")]
    assert states == [State.SENT] + [State.CANCELLED] * 24
    assert why(store.deliveries("e")[1]) == f"sent with delivery {told.id}"


def test_a_backlog_is_what_has_waited_a_minute_and_is_texts_alone(store: Store) -> None:
    picture = Media(phone=CAN, url="https://example.com/x.png")
    put(store, "fresh", *(text(f"line {number}") for number in range(25)), now=100.0)
    put(store, "pairs", *(picture, text("its text", CAN)) * 20)
    told = [send(store, now, Pace()) for now in (120.0, 124.0)]
    assert [one.message if one else None for one in told] == [text("line 0"), picture]


def test_texts_that_do_not_fit_into_one_message_follow_in_the_next(store: Store) -> None:
    put(store, "e", *(text(f"{number} " + "x" * 1500) for number in range(25)))
    told = [send(store, 100.0 + 10 * turn, Pace()) for turn in range(2)]
    sizes = [len(one.message.message) if one and isinstance(one.message, Text) else 0 for one in told]
    assert all(3000 < size < 4100 for size in sizes)
    left = [delivery for delivery in store.deliveries("e") if delivery.state is State.QUEUED]
    assert len(left) == 25 - 2 * 2


@given(st.lists(st.text(min_size=1, max_size=5000), min_size=1, max_size=40))
def test_a_digest_holds_whole_texts_in_their_order(texts: list[str]) -> None:
    whole, number = digest(texts, "en")
    assert whole.endswith("\n\n".join(texts[:number]))
    assert len(whole) < 4100
    assert number == len(texts) or len("\n\n".join(texts[: number + 1])) >= 3998


def test_another_service_has_no_pace(store: Store) -> None:
    put(store, "e", *(Notice(outlet="mail", text=str(number)) for number in range(3)))
    assert len(sent_over_time(store, Pace(), 0.0)) == 3


@given(
    st.lists(st.floats(0, 86400), min_size=1, max_size=60, unique=True),
    st.integers(1, 50),
    st.integers(1, 50),
    st.floats(0, 1, exclude_max=True),
)
def test_turns_are_never_before_what_the_limits_allow(
    times: list[float], per_hour: int, per_day: int, chance: float
) -> None:
    begun = [Begun(at, AYSE) for at in sorted(times, reverse=True)]
    now = begun[0].at
    pace = Pace(per_hour=per_hour, per_day=per_day, recipient_per_hour=per_hour)
    device, them = next_turns(pace, now, kind="text", recipient=AYSE, begun=begun, chance=chance)
    assert device >= now + 3 * 0.6
    assert them >= now + 10
    for turn in (device, them):
        assert sum(one.at > turn - 3600 + 0.001 for one in begun) < per_hour
    assert sum(one.at > device - 86400 + 0.001 for one in begun) < per_day


def test_the_jitter_is_forty_percent_to_both_sides() -> None:
    begun = [Begun(100.0, AYSE)]
    turns = [
        next_turns(Pace(), 100.0, kind="text", recipient=AYSE, begun=begun, chance=chance)[0]
        for chance in (0.0, EVEN, 1.0)
    ]
    assert turns == pytest.approx([101.8, 103.0, 104.2])
