"""The console's pages about rules and people, and what they ask of the store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.history import DAY, NOW, an_event
from test_history_size import steps

from wbox_notify.model.deliveries import Memory, Plan, PlannedMessage
from wbox_notify.model.messages import Text
from wbox_notify.store import Store, open_store

HOUR = 3600.0


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store in which the rule `disk` told two people within a day, and `old` one of them before."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('told')}/data.db")
    for number, (rule, phone, at) in enumerate(
        [
            ("old", "905550000001", NOW - 3 * DAY),
            ("disk", "905550000001", NOW - 2 * HOUR - 60),
            ("disk", "905550000002", NOW - 2 * HOUR - 60),
            ("disk", "905550000001", NOW - 60),
        ]
    ):
        event = an_event(f"{rule}{number}")
        planned = PlannedMessage(key=event.id, rule=rule, message=Text(phone=phone, message="hi"))
        silence = Memory(rule="old", kind="silence", key="", value={}, due=NOW + HOUR)
        store.put_message(
            event, Plan(event_id=event.id, messages=(planned,), memories=(silence,)), at
        ).result()
    yield store
    store.close()


def test_the_store_tells_when_a_rule_spoke_last_and_until_when_it_is_silent(told: Store) -> None:
    assert told.standing_of(["disk", "old", "new"]) == {
        "disk": (NOW - 60, None),
        "old": (NOW - 3 * DAY, NOW + HOUR),
        "new": (None, None),
    }


def test_the_store_counts_messages_by_rule_and_hour_and_by_recipient(told: Store) -> None:
    made = told.made_by(["disk", "old"], NOW - DAY, HOUR)
    assert made == {"disk": {21: 2, 23: 1}, "old": {}}
    assert told.made_for(["disk", "old"], NOW - DAY) == {"905550000001": 2, "905550000002": 1}
    assert told.made_for(["old"], NOW - DAY) == {}


def test_the_store_finds_the_event_of_a_rules_last_message(told: Store) -> None:
    event = told.last_event_of("disk")
    assert event
    assert event.id == "disk3"
    assert told.last_event_of("new") is None


COPIES = """
    with recursive n (n) as (select 1 union all select n + 1 from n where n < :number)
    insert into delivery (key, event_id, rule, device, recipient, state, due, created, expires, changed)
    select n, n, iif(n % 2, 'disk', 'other'), '', '905550000001', 'sent', 0, :now - 86400 * n, 0, 0 from n
"""


def ask(store: Store) -> None:
    """Ask what the pages ask of the store."""
    store.standing_of(["disk"])
    store.made_by(["disk"], NOW - 7 * DAY, HOUR)
    store.made_for(["disk"], NOW - 7 * DAY)
    store.last_event_of("disk")


def test_a_long_history_of_other_rules_and_days_costs_the_pages_nothing(tmp_path: Path) -> None:
    costs = []
    for number in (100, 5_000):
        store = open_store(f"sqlite:///{tmp_path}/{number}.db")
        rows = {"number": number, "now": NOW}
        store._database.write(lambda tx, rows=rows: tx.execute(COPIES, rows)).result()
        costs.append(steps(store, lambda store=store: ask(store))[0])  # type: ignore[misc]
        store.close()
    few, many = costs
    assert many <= few + 100, f"{few} and {many}"
