"""What the store counts of the queue and of its history, for the console and ``queue counts``."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.history import DAY, NOW, an_event
from click.testing import CliRunner
from test_history_size import steps
from test_statements import a_queue

from wbox_notify.cli.queue import queue
from wbox_notify.dispatch.queue import Action, Control
from wbox_notify.engine import ahead
from wbox_notify.engine.state import DedupeState, SilenceState
from wbox_notify.model.deliveries import OPEN, STUCK, Hold, LeftOut, Memory, Plan, PlannedMessage, State
from wbox_notify.model.messages import Text
from wbox_notify.model.shown import iso
from wbox_notify.store import Chosen, Store, open_store

QUARTER = 900


def a_message(rule: str, phone: str, hold: Hold | None = None) -> PlannedMessage:
    facts = {"messages": 2} if hold else {}
    return PlannedMessage(
        key=f"{rule}{phone}{hold}",
        rule=rule,
        message=Text(phone=phone, message="hi"),
        hold=hold,
        facts=facts,
    )


def stuck(folder: Path) -> Store:
    """Return a store in which one text waits, and the storm guard holds messages of two events."""
    opened = open_store(f"sqlite:///{folder}/data/wbox-notify.db")
    held = Hold.STORM
    plans = {
        "calm": [a_message("disk", "905550000001")],
        "storm": [a_message("files", "905550000001", held), a_message("files", "905550000002", held)],
        "other": [a_message("rows", "905550000002", held)],
    }
    for name, messages in plans.items():
        opened.put_message(an_event(name), Plan(event_id=name, messages=tuple(messages)), NOW).result()
    return opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = stuck(tmp_path)
    yield opened
    opened.close()


def test_the_queue_is_counted_by_rule_and_state(store: Store) -> None:
    assert store.queue_by_rule([*OPEN, *STUCK]) == {
        "disk": {State.QUEUED: 1},
        "files": {State.HELD: 2},
        "rows": {State.HELD: 1},
    }
    assert store.waiting_since([NOW - 1, NOW, NOW + 1]) == [0, 1, 1]


def test_the_queue_is_filtered_by_recipient_and_read_on_from_a_delivery(store: Store) -> None:
    second = Chosen(recipients=("905550000002",))
    assert [each.id for each in store.queue([*OPEN, *STUCK], chosen=second)] == [3, 4]
    assert [each.id for each in store.queue([*OPEN, *STUCK], 1, second, after=3)] == [4]
    assert store.queued([*STUCK], Chosen(rule="files", recipients=("905550000002",))) == [3]
    assert store.queue_size([*OPEN, *STUCK], second) == 2


def test_a_storm_is_one_thing_that_is_dropped_or_released_as_a_whole(store: Store) -> None:
    control = Control(store)
    assert [(storm["event_id"], storm["rule"], storm["many"]) for storm in store.storms(10)] == [
        ("storm", "files", 2),
        ("other", "rows", 1),
    ]
    assert control.drop_event("storm") == 2
    dropped = store.queue([State.CANCELLED])
    assert {(each.event_id, each.left_out) for each in dropped} == {("storm", LeftOut.BY_HAND)}
    assert control.drop_event("storm") == 0
    assert control.release_event("other") == 1
    assert store.storms(10) == []
    assert store.counts() == {State.QUEUED: 2, State.CANCELLED: 2}


def test_what_came_to_rest_is_counted_by_slots_and_how_long_it_took(store: Store) -> None:
    ended = [("sent", -2), ("sent", -2), ("sent", 0), ("dead", 0), ("cancelled", 0)]
    at = NOW // QUARTER * QUARTER
    for number, (state, slot) in enumerate(ended):
        row = {"key": f"k{number}", "state": state, "changed": at + slot * QUARTER + 1}
        statement = """
            insert into delivery
                (key, event_id, rule, device, recipient, state, due, created, expires, changed)
            values (:key, '', 'disk', '', '', :state, 0, :changed - 3, 0, :changed)
        """
        store._database.write(lambda tx, s=statement, row=row: tx.execute(s, row)).result()
    last = int(NOW // QUARTER)
    assert store.ended([State.SENT, State.DEAD], QUARTER, last - 4, last) == [
        (last - 2, State.SENT, 2),
        (last, State.SENT, 1),
        (last, State.DEAD, 1),
    ]
    assert store.ended([State.SENT], QUARTER, last - 1, last - 1) == []
    assert store.delays(at - DAY, at + DAY, 2) == [3.0, 3.0]
    assert store.delays(at, at + DAY, 2) == [3.0]
    assert store.delays(at - DAY, at, 9) == [3.0, 3.0]


def test_what_rules_hold_is_found_at_once_among_much_that_they_only_forget(tmp_path: Path) -> None:
    costs = []
    for number in (10, 5_000):
        few_or_many = open_store(f"sqlite:///{tmp_path}/{number}.db")
        seen = {"event": "e", "place": 0, "at": NOW}
        memories = [
            Memory(rule="r", kind=DedupeState.KIND, key=str(each), value=seen, due=NOW)
            for each in range(number)
        ]
        memories.append(Memory(rule="quiet", kind=SilenceState.KIND, key="", value={}, due=NOW + DAY))
        few_or_many.put_events([], NOW, memories).result()

        def ask(store: Store = few_or_many) -> None:
            coming = list(ahead.held(store.memories_ahead(ahead.KINDS, 10)))
            assert coming == [ahead.Coming(NOW + DAY, "silence", "quiet", 0, "")]
            assert len(store.memories([SilenceState.KIND])) == 1

        costs.append(steps(few_or_many, ask)[0])
        few_or_many.close()
    few, many = costs
    assert many <= few + 100, f"{few} and {many}"


def test_a_long_history_costs_the_counts_of_a_day_nothing(tmp_path: Path) -> None:
    costs = []
    for number in (100, 5_000):
        store = a_queue(tmp_path / f"{number}.db", number, 1)
        old = "update delivery set state = 'sent', changed = changed - :days * 86400"
        store._database.write(lambda tx, old=old: tx.execute(old, {"days": 10})).result()

        def ask(store: Store = store) -> None:
            last = int(NOW // QUARTER)
            store.ended([State.SENT, State.DEAD, State.EXPIRED], QUARTER, last - 96, last)
            store.delays(NOW - DAY, NOW, 200)
            store.queue_by_rule([*OPEN, *STUCK])
            store.storms(10)

        costs.append(steps(store, ask)[0])
        store.close()
    few, many = costs
    assert many <= few + 100, f"{few} and {many}"


def test_the_queue_is_listed_and_dropped_by_whom_it_is_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck(tmp_path).close()
    monkeypatch.setenv("WBOX_DATA_DIR", str(tmp_path / "data"))
    words = ["list", "--json", "--to", "+905550000002"]
    ran = CliRunner().invoke(queue, words, obj=tmp_path, standalone_mode=False)
    assert [delivery["id"] for delivery in json.loads(ran.stdout)] == [3, 4]
    words = ["drop", "--to", "+905550000002", "--yes", "--json"]
    ran = CliRunner().invoke(queue, words, obj=tmp_path, standalone_mode=False)
    assert json.loads(ran.stdout) == {"ids": [3, 4], "count": 2}


def test_queue_counts_tells_by_rule_what_waits_and_is_stuck(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wbox-notify.yaml").write_text("version: 1\ndefaults: {tz: UTC}\n")
    monkeypatch.setenv("WBOX_DATA_DIR", str(tmp_path / "data"))
    ran = CliRunner().invoke(queue, ["counts", "--json"], obj=tmp_path, standalone_mode=False)
    assert json.loads(ran.stdout) == {
        "states": {"queued": 1, "held": 3},
        "rules": {"disk": {"queued": 1}, "files": {"held": 2}, "rows": {"held": 1}},
        "oldest": iso(NOW),
    }
    shown = CliRunner().invoke(queue, ["counts"], obj=tmp_path, standalone_mode=False).stdout.splitlines()
    assert shown[1] == f"{'files':<24} 2 held"
    assert shown[3] == f"{'all':<24} 1 queued, 3 held   the oldest waits since 2033-05-18 03:33:20"
    Control(store).queue(Action.DROP, None)
    empty = CliRunner().invoke(queue, ["counts"], obj=tmp_path, standalone_mode=False).stdout
    assert empty == "The queue is empty.\n"
