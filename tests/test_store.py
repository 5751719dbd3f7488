"""The store: what is accepted stays, and each delivery goes one way."""

import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pytest
import turns
from databases import Files, Postgres
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from wbox_notify.errors import ConfigError, StoreError
from wbox_notify.model.deliveries import (
    LIFETIME,
    OPEN,
    STUCK,
    Decision,
    Delivery,
    Hold,
    Memory,
    NextStep,
    Plan,
    PlannedMessage,
    SendOptions,
    State,
)
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Notice, Text
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.model.pace import UNLIMITED, Pace
from wbox_notify.model.reasons import why
from wbox_notify.model.texts import problem_of
from wbox_notify.store import BusyError, SchemaError, Store, open_history, open_store
from wbox_notify.store.migrations import MIGRATIONS, NOTE_VERSION
from wbox_notify.store.rows import event_row
from wbox_notify.store.statements import PUT_EVENT

PHONES = ["905551110001", "905551110002", "905551110003"]


def an_event(name: str) -> Event:
    return Event(
        id=name, type="file", at=datetime(2026, 11, 22, 9, tzinfo=UTC), data={"path": f"/drop/{name}"}
    )


def a_plan(event: str, *phones: str, device: int | None = None, critical: bool = False) -> Plan:
    return Plan(
        event_id=event,
        messages=tuple(
            PlannedMessage(
                key=f"{event}:{place}",
                rule="r",
                message=Text(phone=phone, message=f"{event} {place}", device_id=device),
                terms=SendOptions(critical=critical, expire_after=1e9),
            )
            for place, phone in enumerate(phones)
        ),
    )


def ended(store: Store, delivery: Delivery, state: State, now: float, due: float = 0.0) -> bool:
    outcome = {State.SENT: Outcome.SENT, State.DEAD: Outcome.REFUSED}.get(state, Outcome.NOT_SENT)
    after = NextStep(state=state, due=due, tries=delivery.tries + 1, unknowns=0, reason="because")
    return turns.finish(store, delivery, Answer(outcome=outcome, detail="because", latency=0.1), after, now)


@pytest.fixture
def url(engine: Files | Postgres) -> str:
    return engine.fresh()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "wbox-notify.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = open_store(url)
    yield store
    store.close()


def test_an_event_is_kept_once_whoever_brings_it(store: Store) -> None:
    assert store.put_events([an_event("a"), an_event("b")], 1.0).result() == [True, True]
    assert store.put_events([an_event("b"), an_event("c")], 2.0).result() == [False, True]
    assert [event.id for event in store.unplanned()] == ["a", "b", "c"]
    assert store.unplanned()[0] == an_event("a")
    assert store.known_events(["a", "c", "x"]) == {"a", "c"}


def test_large_events_are_handed_out_a_few_at_a_time(store: Store) -> None:
    names = [f"{number:03}" for number in range(50)]
    store.put_events([an_event(name) for name in names], 1.0).result()
    each = len('{"path": "/drop/000"}')
    for size, count in ((0.5, 1), (1, 1), (1.5, 2), (25, 25), (1000, 50)):
        assert [event.id for event in store.unplanned(size=size * each)] == names[:count]
    assert [event.id for event in store.unplanned(33, 1000 * each)] == names[:33]


def test_what_was_accepted_is_there_after_reopening(url: str) -> None:
    store = open_store(url)
    store.put_events([an_event("a")], 1.0).result()
    store.put_plans([a_plan("a", PHONES[0])], 1.0).result()
    store.put_events([an_event("b")], 1.0).result()
    store.close()
    store = open_store(url)
    assert [event.id for event in store.unplanned()] == ["b"]
    assert [delivery.key for delivery in store.queue(OPEN)] == ["a:0"]
    store.close()


def test_every_commit_waits_for_the_disk(file: Path) -> None:
    def asked(connection: sqlite3.Connection) -> tuple[int, str]:
        (level,) = connection.execute("pragma synchronous").fetchone()
        (mode,) = connection.execute("pragma journal_mode").fetchone()
        return level, mode

    store = open_store(f"sqlite:///{file}")
    assert store._database.write(asked).result() == (2, "wal")
    store.close()


def test_a_plan_is_kept_whole_and_planning_again_adds_nothing(store: Store) -> None:
    store.put_events([an_event("a")], 1.0).result()
    why = Decision(rule="r", stage="send", outcome="passed", detail="2 messages")
    plan = Plan(
        event_id="a",
        decisions=(why,),
        messages=a_plan("a", PHONES[0], PHONES[1]).messages,
        memories=(Memory(rule="r", kind="dedupe", key="k", value={"event": "a"}),),
    )
    store.put_plans([plan], 2.0).result()
    store.put_plans([plan], 3.0).result()
    assert store.unplanned() == []
    assert [step.detail for step in store.decisions("a")] == ["2 messages"] * 2
    assert [delivery.key for delivery in store.deliveries("a")] == ["a:0", "a:1"]
    assert store.remembered("r", "dedupe", "k") == {"event": "a"}
    assert store.remembered("r", "dedupe", "other") is None


def test_a_plan_returns_what_it_puts_into_the_queue_and_nothing_else(store: Store) -> None:
    store.put_events([an_event("a")], 1.0).result()
    ready = a_plan("a", *PHONES[:2], device=2, critical=True)
    held = replace(ready.messages[0], key="a:held", hold=Hold.STORM, facts={"messages": 60})
    plan = replace(ready, messages=(*ready.messages, held, failed()))
    queued = store.put_plans([plan], 2.0).result()
    assert queued == store.queue([State.QUEUED])
    assert [delivery.key for delivery in queued] == ["a:0", "a:1"]
    assert store.put_plans([plan], 3.0).result() == []
    [released] = store.put_plans([Plan(event_id="a", release=("r",))], 4.0).result()
    assert released == store.queue([State.QUEUED])[-1]
    assert (released.key, released.due) == ("a:held", 4.0)


def test_a_plan_that_can_not_be_written_leaves_nothing_behind(store: Store) -> None:
    store.put_events([an_event("a")], 1.0).result()
    bad = Plan(event_id="a", decisions=(Decision(rule="r", stage="if", outcome=None, detail="x"),))  # type: ignore[arg-type]
    with pytest.raises(StoreError, match=r"(?i)not.null"):
        store.put_plans([a_plan("a", PHONES[0]), bad], 2.0).result()
    assert [event.id for event in store.unplanned()] == ["a"]
    assert store.counts() == {}
    store.put_plans([a_plan("a", PHONES[0])], 3.0).result()
    assert store.counts() == {State.QUEUED: 1}


def test_work_that_fails_spoils_nothing_that_is_committed_with_it(store: Store) -> None:
    gate = threading.Event()
    store._database.write(lambda _: gate.wait(30))  # what comes meanwhile is gathered
    bad = Plan(event_id="a", decisions=(Decision(rule="r", stage="if", outcome=None, detail="x"),))  # type: ignore[arg-type]
    kept = store.put_events([an_event("a")], 1.0)
    broken = store._database.write(lambda tx: [tx.execute(PUT_EVENT, event_row(an_event("b"), 1.0)), 1 / 0])
    refused = store.put_plans([a_plan("a", PHONES[0]), bad], 1.0)
    other = store.put_events([an_event("c")], 1.0)
    gate.set()
    assert kept.result() == other.result() == [True]
    with pytest.raises(ZeroDivisionError):
        broken.result()
    with pytest.raises(StoreError):
        refused.result()
    assert [event.id for event in store.unplanned()] == ["a", "c"]
    assert store.counts() == {}


def test_sending_is_on_disk_before_the_claim_is_answered(store: Store, url: str) -> None:
    store.put_message(an_event("a"), a_plan("a", PHONES[0]), 1.0).result()
    delivery = turns.claim(store, 1.0)
    assert delivery is not None
    history = open_history(url)
    assert history is not None
    assert [seen.state for seen in history.queue(OPEN)] == [State.SENDING]
    assert [row["outcome"] for row in history.attempts(delivery.id)] == [None]
    history.close()


def test_only_the_oldest_delivery_to_a_phone_can_be_claimed(store: Store) -> None:
    store.put_message(an_event("a"), a_plan("a", PHONES[0], PHONES[0], PHONES[1]), 1.0).result()
    first, other = turns.claim(store, 1.0), turns.claim(store, 1.0)
    assert first
    assert other
    assert (first.key, other.key) == ("a:0", "a:2")
    assert turns.claim(store, 1.0) is None
    ended(store, first, State.QUEUED, 2.0, due=50.0)
    assert turns.claim(store, 40.0) is None, "a retry keeps its place"
    assert turns.next_due(store, 40.0) == 50.0
    again = turns.claim(store, 50.0)
    assert again
    ended(store, again, State.SENT, 51.0)
    assert (second := turns.claim(store, 51.0))
    assert second.key == "a:1"


def test_sent_is_what_wbox_took_of_just_these_keys(store: Store) -> None:
    told = {
        "a:r:0:1": (Text(phone="905550000001", message="hi"), State.SENT),
        "a0:r:0:2": (Text(phone="905550000002", message="hi"), State.DEAD),
        "b:r:0:3": (Text(phone="905550000003", message="hi"), None),
        "b:r:0:ops": (Notice(outlet="ops", text="hi"), State.SENT),
    }
    messages = tuple(PlannedMessage(key=key, rule="r", message=message) for key, (message, _) in told.items())
    store.put_plans([Plan(event_id="a", messages=messages)], 1.0).result()
    origins = ["a:r:", "a0:r:", "b:r:", "c:r:", "a:%", "a:_:"]
    assert not any(map(store.sent, origins))
    for _, state in told.values():
        delivery = turns.claim(store, 2.0)
        assert delivery
        if state:
            ended(store, delivery, state, 3.0)
    assert [store.sent(origin) for origin in origins] == [True, *[False] * 5]


def test_a_late_answer_changes_nothing_of_a_newer_claim(store: Store) -> None:
    store.put_message(an_event("a"), a_plan("a", PHONES[0]), 1.0).result()
    late = turns.claim(store, 1.0)
    assert late
    ended(store, late, State.QUEUED, 2.0)
    newer = turns.claim(store, 3.0)
    assert newer
    assert not ended(store, late, State.DEAD, 4.0)
    assert ended(store, newer, State.SENT, 5.0)
    assert store.counts() == {State.SENT: 1}


def test_an_open_circuit_holds_its_device_alone(store: Store) -> None:
    store.put_message(an_event("a"), a_plan("a", PHONES[0]), 1.0).result()
    store.put_message(an_event("b"), a_plan("b", PHONES[0], device=2), 1.0).result()
    store.open_circuit("", "not ready", 10.0, 1.0).result()
    other = turns.claim(store, 1.0)
    assert other
    assert other.key == "b:0"
    assert turns.claim(store, 1.0) is None
    assert turns.next_due(store, 1.0) == 1.0 + 1e9, "it waits for its circuit alone"
    assert [(circuit.device, circuit.until) for circuit in store.circuits()] == [("", 10.0)]
    store.keep_circuit_open("", "not ready", 20.0).result()
    assert [circuit.until for circuit in store.circuits()] == [20.0]
    store.close_circuit("").result()
    assert (mine := turns.claim(store, 11.0))
    assert mine.key == "a:0"


def test_what_was_not_sent_in_time_expires(store: Store) -> None:
    message = Text(phone=PHONES[0], message="x")
    for name, terms in (("day", SendOptions()), ("hour", SendOptions(expire_after=3600.0))):
        plan = Plan(
            event_id=name, messages=(PlannedMessage(key=name, rule="r", message=message, terms=terms),)
        )
        store.put_message(an_event(name), plan, 1.0).result()
    assert turns.next_due(store, 1.0) == 1.0
    assert store.expire(1.0 + 3600).result() == 1
    assert turns.claim(store, 1.0 + LIFETIME) is None
    assert store.expire(1.0 + LIFETIME).result() == 1
    assert store.counts() == {State.EXPIRED: 2}


def test_stuck_deliveries_can_be_requeued_and_dropped(store: Store) -> None:
    ids = store.put_message(an_event("a"), a_plan("a", *PHONES), 1.0).result()
    for state in (State.DEAD, State.HELD):
        delivery = turns.claim(store, 1.0)
        assert delivery
        ended(store, delivery, state, 2.0)
    assert store.requeue(None, [State.HELD], 3.0).result() == [ids[1]]
    assert store.drop([ids[0], 999], 4.0).result() == [ids[0]]
    assert store.requeue(ids, STUCK, 5.0).result() == []
    assert store.counts() == {State.QUEUED: 2, State.CANCELLED: 1}


def failed(again: dict[str, object] | None = None) -> PlannedMessage:
    problem = "template: no field x"
    return PlannedMessage(key="a:r:-", rule="r", message=None, problem=problem, again=again)


def test_of_a_delivery_without_a_message_what_failed_is_followed_again_and_nothing_else(
    store: Store,
) -> None:
    store.put_events([an_event("a")], 1.0).result()
    store.put_plans([Plan(event_id="a", messages=(failed({"do": "follow", "place": 3}),))], 1.0).result()
    [dead] = store.queue(STUCK)
    assert (dead.state, dead.message, dead.reason) == (State.DEAD, None, "template: no field x")
    assert turns.claim(store, 2.0) is None
    assert store.memories_due(3.0) == []
    store.requeue([dead.id], STUCK, 3.0).result()
    assert store.unplanned() == []
    assert store.queue(STUCK) == []
    [due] = store.memories_due(3.0)
    assert due.value
    assert (due.rule, due.key, due.value["place"]) == ("r", "a:r:-", 3)
    assert due.value["event"]["id"] == "a"


def test_what_an_older_version_could_not_make_is_followed_again_by_its_rule_alone(store: Store) -> None:
    store.put_events([an_event("a")], 1.0).result()
    store.put_plans([Plan(event_id="a", messages=(failed(),))], 1.0).result()
    store.requeue(None, STUCK, 3.0).result()
    assert store.unplanned() == []
    [due] = store.memories_due(3.0)
    assert due.value
    assert (due.rule, due.value["do"], due.value["event"]["id"]) == ("r", "event", "a")


def test_a_failure_of_which_nothing_is_known_any_more_stays_on_the_list(store: Store) -> None:
    store.put_plans([Plan(event_id="", messages=(failed(),))], 1.0).result()
    assert store.requeue(None, STUCK, 3.0).result() == []
    assert len(store.queue(STUCK)) == 1


def test_a_failure_that_is_over_is_taken_off_the_list(store: Store) -> None:
    store.put_plans([Plan(event_id="a", messages=(failed({"do": "wake"}),))], 1.0).result()
    store.put_plans([Plan(event_id="a", over=("a:r:-",))], 2.0).result()
    assert store.queue(STUCK) == []
    [over] = store.deliveries("a")
    assert (over.state, why(over)) == (State.CANCELLED, "done after all: template: no field x")
    assert store.remembered("r", "failed", "a:r:-") is None


def test_names_that_are_not_unicode_and_odd_texts_come_back_as_they_were(store: Store) -> None:
    odd = Event(id="odd", type="file", at=datetime(2026, 1, 1, tzinfo=UTC), data={"path": "/\udcff\n😀\0"})
    store.put_events([odd], 1.0).result()
    assert store.unplanned() == [odd]


def test_S10_a_second_owner_of_a_file_is_refused_and_told_who_has_the_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/wbox-notify.db"
    with closing(open_store(url)), pytest.raises(BusyError, match=r"in use by process \d+") as refused:
        open_store(url)
    assert re.search(r"deposunu \d+ numaralı süreç kullanıyor", problem_of(refused.value).to("tr"))


def test_many_threads_share_commits_and_all_is_kept(store: Store) -> None:
    def bring(thread: int) -> None:
        for future in [store.put_events([an_event(f"{thread}-{n}")], 1.0) for n in range(50)]:
            assert future.result() == [True]

    threads = [threading.Thread(target=bring, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(store.unplanned(1000)) == 400


def test_S14_a_newer_schema_is_refused_with_the_way_out(url: str) -> None:
    store = open_store(url)
    newer = {"version": len(MIGRATIONS) + 1}
    store._database.write(lambda tx: tx.execute(NOTE_VERSION, newer)).result()
    store.close()
    with pytest.raises(SchemaError, match=f"schema {len(MIGRATIONS) + 1}") as refused:
        open_store(url)
    assert "upgrade" in str(refused.value.hint)
    assert refused.value.exit_code == 78


def test_S14_commands_say_that_an_older_store_is_still_to_be_brought_up_to_date(file: Path) -> None:
    file.parent.mkdir()
    with sqlite3.connect(file) as old:
        old.execute("create table schema_version (version integer not null)")
        old.execute("insert into schema_version values (1)")
    old.close()
    with pytest.raises(SchemaError, match=f"needs {len(MIGRATIONS)}") as refused:
        open_history(f"sqlite:///{file}")
    assert "restart" in str(refused.value.hint)


def test_S14_an_older_schema_is_brought_up_to_date_and_keeps_what_is_in_it(file: Path) -> None:
    file.parent.mkdir()
    connection = sqlite3.connect(file)
    connection.executescript(MIGRATIONS[0].replace("$key", "integer primary key"))
    connection.execute("create table schema_version (version integer not null)")
    connection.execute("insert into schema_version values (1)")
    connection.execute("insert into event values (1, 'a', 'file', 1.0, '{}', 1.0, null)")
    connection.commit()
    connection.close()
    store = open_store(f"sqlite:///{file}")
    assert [event.id for event in store.unplanned()] == ["a"]
    due = Memory(rule="r", kind="group", key="k", value={"n": 1}, due=5.0)
    store.put_plans([Plan(event_id="a", memories=(due,))], 2.0).result()
    assert store.memories_due(4.0) == []
    assert store.memories_due(5.0) == [due]
    assert store.next_memory() == 5.0
    store.put_plans([Plan(event_id="a", memories=(replace(due, value=None),))], 6.0).result()
    assert store.next_memory() is None
    store.close()


def test_what_the_storm_guard_holds_goes_when_its_event_is_released(store: Store) -> None:
    storm = {"messages": 3}
    held = [replace(planned, hold=Hold.STORM, facts=storm) for planned in a_plan("a", *PHONES).messages]
    store.put_message(an_event("a"), Plan(event_id="a", messages=tuple(held)), 1.0).result()
    assert store.counts() == {State.HELD: 3}
    assert turns.claim(store, 1.0) is None
    assert store.release_event("other", 2.0).result() == 0
    assert store.release_event("a", 2.0).result() == 3
    assert store.counts() == {State.QUEUED: 3}


@pytest.mark.parametrize("address", ["", "mysql://x", "sqlite://", "sqlite:///", "/tmp/x.db"])
def test_an_address_that_names_no_store_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="not an address of a store"):
        open_store(address)


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "wbox.db"
    path.write_text("my shopping list, which is longer than a header\n" * 10)
    with pytest.raises(StoreError, match="not a database") as refused:
        open_store(f"sqlite:///{path}")
    assert refused.value.hint
    assert path.read_text().startswith("my shopping list")


def test_S01_a_full_disk_is_said_and_nothing_accepted_is_lost(tmp_path: Path) -> None:
    """In a process whose files may not grow beyond 400 kB, as on a full disk."""
    script = f"""
import resource, signal
from datetime import UTC, datetime
from wbox_notify.model.events import Event
from wbox_notify.store import open_store
from wbox_notify.errors import StoreError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = open_store("sqlite:///{tmp_path}/wbox.db")
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
kept = 0
try:
    for number in range(1000):
        event = Event(id=str(number), type="file", at=datetime.now(UTC), data={{"text": "x" * 5000}})
        kept += store.put_events([event], 1.0).result()[0]
except StoreError as error:
    print(kept, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert store.put_events([event], 2.0).result() == [True], "it goes on when there is room again"
print(len(store.unplanned(2000)))
store.close()
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    kept, _, error = ran.stdout.splitlines()[0].partition(" ")
    assert "cannot be used" in error, ran.stderr
    assert int(kept) > 5
    assert int(ran.stdout.splitlines()[1]) == int(kept) + 1
    assert "Traceback" not in ran.stderr


def test_there_is_no_history_before_there_is_a_store(url: str) -> None:
    assert open_history(url) is None


class StoreMachine(RuleBasedStateMachine):
    """Whatever is done to it, a store neither loses nor invents, and keeps the order of each phone."""

    engine: ClassVar[Files | Postgres]
    claimed = Bundle("claimed")

    @initialize(pace=st.sampled_from([UNLIMITED, Pace(backlog=0, recipient_per_hour=3, per_hour=5)]))
    def begin(self, pace: Pace) -> None:
        self.pace = pace
        self.url = self.engine.fresh()
        self.store = open_store(self.url)
        self.now = 1000.0
        self.known: set[str] = set()
        self.planned: set[str] = set()
        self.expected: dict[str, str] = {}
        self.ended: dict[str, list[str]] = {}

    @rule(name=st.sampled_from("abcdefgh"))
    def put(self, name: str) -> None:
        assert self.store.put_events([an_event(name)], self.now).result() == [name not in self.known]
        self.known.add(name)

    @rule(phones=st.lists(st.sampled_from(PHONES), max_size=3), critical=st.booleans())
    def plan(self, phones: list[str], critical: bool) -> None:  # noqa: FBT001
        for event in self.store.unplanned(1):
            self.store.put_plans([a_plan(event.id, *phones, critical=critical)], self.now).result()
            self.planned.add(event.id)
            self.expected.update({f"{event.id}:{place}": phone for place, phone in enumerate(phones)})

    @rule(target=claimed)
    def claim(self) -> object:
        due = turns.next_due(self.store, self.now)
        delivery = turns.claim(self.store, self.now, self.pace)
        assert (delivery is not None) == (due is not None and due <= self.now), "it says when there is work"
        if delivery is None:
            return multiple()
        assert delivery.message
        open_to_them = [
            seen
            for seen in self.store.queue(OPEN)
            if seen.message and seen.message.recipient == delivery.message.recipient
        ]
        first = min(open_to_them, key=lambda seen: (-seen.priority, seen.id))
        assert first.id == delivery.id, "what is critical goes first, else the oldest, and one at a time"
        return delivery

    @rule(
        delivery=consumes(claimed), state=st.sampled_from([State.SENT, State.QUEUED, State.HELD, State.DEAD])
    )
    def finish(self, delivery: Delivery, state: State) -> None:
        if ended(self.store, delivery, state, self.now, due=self.now + 5) and state is State.SENT:
            self.ended.setdefault(delivery.key, []).append("sent")

    @rule(seconds=st.integers(1, 60))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(state=st.sampled_from(STUCK))
    def requeue(self, state: State) -> None:
        self.store.requeue(None, [state], self.now).result()

    @rule()
    def circuit(self) -> None:
        self.store.open_circuit("", "not ready", self.now + 5, self.now).result()
        assert turns.claim(self.store, self.now) is None
        self.store.close_circuit("").result()

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = open_store(self.url)
        for delivery in self.store.interrupted():
            ended(self.store, delivery, State.HELD, self.now)

    @invariant()
    def nothing_is_lost_or_invented(self) -> None:
        if not hasattr(self, "store"):
            return
        assert {event.id for event in self.store.unplanned()} == self.known - self.planned
        kept = {
            delivery.key: delivery.message.phone
            for event in self.planned
            for delivery in self.store.deliveries(event)
            if delivery.message
        }
        assert kept == self.expected
        assert all(times == ["sent"] for times in self.ended.values()), "sent is final"

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()


def test_whatever_is_done_to_it_a_store_neither_loses_nor_invents(engine: Files | Postgres) -> None:
    class Machine(StoreMachine):
        pass

    Machine.engine = engine
    run_state_machine_as_test(Machine, settings=settings(stateful_step_count=30))


def test_events_are_found_by_more_ids_than_one_statement_takes(store: Store) -> None:
    ids = [f"e{number}" for number in range(1200)]
    store.put_events([an_event(name) for name in ids], 1.0).result()
    assert store.events_by_id([*ids, "none"]).keys() == {*ids}


def test_rules_are_woken_in_the_order_in_which_they_began_to_wait(store: Store) -> None:
    waits = [Memory(rule="r", kind="k", key=key, value={}, due=5.0) for key in "cab"]
    store.put_plans([Plan(event_id="", memories=tuple(waits))], 1.0).result()
    store.put_plans([Plan(event_id="", memories=(replace(waits[0], value={"n": 1}),))], 2.0).result()
    assert [memory.key for memory in store.memories_due(5.0)] == ["c", "a", "b"]
    store.put_plans([Plan(event_id="", memories=(replace(waits[2], due=4.0),))], 3.0).result()
    assert [memory.key for memory in store.memories_due(5.0)] == ["b", "c", "a"]
