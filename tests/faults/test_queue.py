"""What can happen to messages while they wait: merging, retries, rules that change, limits of a list."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import turns

from wbox_notify.model.deliveries import (
    OPEN,
    STUCK,
    Delivery,
    NextStep,
    OnUnknown,
    Plan,
    PlannedMessage,
    SendOptions,
    State,
)
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.model.pace import UNLIMITED, Pace
from wbox_notify.model.reasons import why
from wbox_notify.store import Store, open_store

AYSE = "905551110001"
MERGING = replace(UNLIMITED, backlog=20)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/wbox.db")
    yield store
    store.close()


def put(
    store: Store, name: str, number: int, terms: SendOptions = SendOptions(), rule: str = "r"
) -> list[int]:
    """Queue so many texts to one phone at the time 0."""
    planned = tuple(
        PlannedMessage(
            key=f"{name}:{place}",
            rule=rule,
            message=Text(phone=AYSE, message=f"{name} {place}"),
            terms=terms,
        )
        for place in range(number)
    )
    event = Event(id=name, type="file", at=datetime(2026, 11, 22, tzinfo=UTC), data={})
    return store.put_message(event, Plan(event_id=name, messages=planned), 0.0).result()


def claimed(store: Store, now: float, pace: Pace = MERGING) -> Delivery:
    delivery = turns.claim(store, now, pace)
    assert delivery
    return delivery


def lines(delivery: Delivery) -> int:
    """Return how many texts a message carries."""
    assert isinstance(delivery.message, Text)
    whole = delivery.message.message.split("\n\n")
    return len(whole) - 1 if "waited" in whole[0] else 1


def end(store: Store, delivery: Delivery, state: State, now: float, unknowns: int = 0) -> None:
    outcome = {State.SENT: Outcome.SENT, State.DEAD: Outcome.REFUSED}.get(state, Outcome.UNKNOWN)
    then = NextStep(state=state, due=now + 90, tries=0, unknowns=unknowns, reason="why")
    assert turns.finish(store, delivery, Answer(outcome=outcome, detail="why"), then, now)


def test_Q01_texts_on_other_terms_are_not_merged(store: Store) -> None:
    put(store, "drop", 15, SendOptions(on_unknown="drop"))
    put(store, "retry", 30, SendOptions(on_unknown="retry"))
    put(store, "short", 30, SendOptions(on_unknown="retry", expire_after=600))
    sizes = []
    while delivery := turns.claim(store, 100.0, MERGING):
        sizes.append(lines(delivery))
        end(store, delivery, State.SENT, 100.0)
    assert sizes == [*[1] * 15, 30, 30]


@pytest.mark.parametrize(
    ("on_unknown", "state", "others"),
    [("hold", State.HELD, State.HELD), ("drop", State.CANCELLED, State.CANCELLED)],
)
def test_Q02_what_is_merged_into_a_message_in_doubt_is_in_doubt_with_it(
    store: Store, on_unknown: OnUnknown, state: State, others: State
) -> None:
    ids = put(store, "e", 25, SendOptions(on_unknown=on_unknown))
    end(store, claimed(store, 100.0), state, 100.0, unknowns=1)
    found = store.deliveries("e")
    assert [delivery.state for delivery in found] == [state, *[others] * 24]
    assert {why(delivery) for delivery in found[1:]} == {f"may have been sent in delivery {ids[0]}"}


def test_Q02_what_is_merged_is_told_only_when_wbox_has_taken_it(store: Store) -> None:
    ids = put(store, "e", 25)
    first = claimed(store, 100.0)
    assert lines(first) == 25
    assert {delivery.state for delivery in store.deliveries("e")} == {State.SENDING, State.QUEUED}
    end(store, first, State.UNKNOWN, 100.0, unknowns=1)
    assert turns.claim(store, 150.0, MERGING) is None, "the others wait for what becomes of it"
    again = claimed(store, 200.0)
    assert again.message == first.message, "wbox may know it by its key"
    end(store, again, State.SENT, 200.0, unknowns=1)
    told = [State.SENT, *[State.CANCELLED] * 24]
    assert [delivery.state for delivery in store.deliveries("e")] == told
    assert {why(delivery) for delivery in store.deliveries("e")[1:]} == {f"sent with delivery {ids[0]}"}
    assert [step.stage for step in store.decisions("e")] == ["backlog"] * 24


def test_Q02_when_a_merged_message_is_refused_each_goes_by_itself_and_one_alone_is_given_up(
    store: Store,
) -> None:
    put(store, "e", 25)
    now, sent = 100.0, []
    while delivery := turns.claim(store, now, MERGING):
        assert isinstance(delivery.message, Text)
        refused = "e 7" in delivery.message.message.split("\n\n")
        end(store, delivery, State.DEAD if refused else State.SENT, now)
        sent += [] if refused else delivery.message.message.split("\n\n")
        now += 100
    assert store.counts()[State.DEAD] == 1
    assert sorted(line for line in sent if line.startswith("e ")) == sorted(
        f"e {number}" for number in range(25) if number != 7
    )


def test_Q02_a_merged_message_that_is_dropped_or_expires_takes_nothing_with_it(store: Store) -> None:
    ids = put(store, "e", 25, SendOptions(expire_after=1000))
    put(store, "late", 1, SendOptions(expire_after=5000))
    first = claimed(store, 100.0)
    end(store, first, State.QUEUED, 100.0)
    assert store.drop([first.id], 110.0).result() == [first.id]
    assert len(store.queue(OPEN)) == 25
    second = claimed(store, 200.0)
    assert second.id == ids[1]
    end(store, second, State.UNKNOWN, 200.0, unknowns=1)
    store.drop([second.id], 210.0).result()
    held = store.queue(STUCK)
    assert [delivery.id for delivery in held] == ids[2:]
    assert {why(delivery) for delivery in held} == {f"may have been sent in delivery {second.id}"}
    assert [delivery.event_id for delivery in store.queue(OPEN)] == ["late"]


def test_Q02_a_crash_while_a_merged_message_is_sent_leaves_the_others_behind_it(store: Store) -> None:
    put(store, "e", 25)
    claimed(store, 100.0)
    [interrupted] = store.interrupted()
    end(store, interrupted, State.UNKNOWN, 110.0, unknowns=1)
    assert lines(claimed(store, 210.0)) == 25
