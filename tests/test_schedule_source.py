"""The clock as a trigger: each nominal time once, whatever the machine's clock and the store do."""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rulebook import missed_runs, parse_schedule, runs

from wbox_notify.errors import StoreError
from wbox_notify.model.events import Event
from wbox_notify.triggers.schedule.schedule import ON_TIME, Missed
from wbox_notify.triggers.schedule.source import LONGEST_PAUSE, Mark, ScheduleSource, Timetable

BOUND = 30
"""Seconds after which a test that waits for something gives up."""

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 11, 23, tzinfo=UTC).timestamp()


class Memory:
    """Stands where the store will: keeps events by their ids, and marks; refuses when told to."""

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self.marks: dict[str, Mark] = {}
        self.emitted: list[str] = []
        self.commits = 0
        self.reports: list[str] = []
        self.away = False
        self.changed = threading.Condition()

    def last(self, rule: str) -> Mark | None:
        if self.away:
            raise StoreError("the disk is full")
        return self.marks.get(rule)

    def emit(self, events: Sequence[Event], marks: Mapping[str, Mark]) -> None:
        if self.away:
            raise StoreError("the disk is full")
        with self.changed:
            for event in events:
                self.events.setdefault(event.id, event)
            self.emitted += [event.id for event in events]
            self.marks.update(marks)
            self.commits += 1
            self.changed.notify_all()

    @property
    def ids(self) -> list[str]:
        return list(self.events)


class Machine:
    """A clock that can be set, and the source that runs by it; time goes on only in ``run``."""

    def __init__(self, memory: Memory, *timetables: Timetable, now: float = MONDAY) -> None:
        self.memory = memory
        self.now = now
        self.boot(*timetables or (table(),))

    def __call__(self) -> float:
        return self.now

    def boot(self, *timetables: Timetable) -> None:
        """Start the source anew, with the timetables that it had where none is given."""
        if timetables:
            self.timetables = timetables
        memory = self.memory
        self.source = ScheduleSource(
            self.timetables, last=memory.last, emit=memory.emit, report=memory.reports.append, clock=self
        )

    def run(self, seconds: float = 0.0) -> list[str]:
        """Let time go on as the thread would; return the ids of the new events."""
        before = len(self.memory.events)
        end = self.now + seconds
        pause = self.source.step()
        while self.now + pause <= end:
            assert 0 < pause <= LONGEST_PAUSE
            self.now += pause
            pause = self.source.step()
        self.now = end
        self.source.step()
        return self.memory.ids[before:]


def table(at: object = "09:00", missed: Missed | None = None, zone: str = "UTC", **given: Any) -> Timetable:
    facts: dict[str, Any] = {
        "rule": "report",
        "kind": "schedule",
        "schedule": parse_schedule(at, ZoneInfo(zone)),
    } | given
    return Timetable(missed=missed or Missed(), **facts)


@pytest.fixture
def memory() -> Memory:
    return Memory()


def test_a_nominal_time_makes_one_event_with_its_facts(memory: Memory) -> None:
    machine = Machine(memory, table(zone="Europe/Berlin"))
    machine.run(7 * HOUR + 59 * MINUTE)
    assert memory.events == {}
    assert machine.run(DAY - HOUR) == ["schedule:report:2026-11-23T08:00Z"]
    (event,) = memory.events.values()
    assert event.type == "schedule"
    assert event.at == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert event.at.utcoffset() == timedelta()
    assert event.data == {"rule": "report", "at": "2026-11-23T09:00:00+01:00", "late": 0.0}


def test_something_missing_is_told_under_an_id_and_a_type_of_its_own(memory: Memory) -> None:
    machine = Machine(memory, table(), table(kind="missing"))
    assert set(machine.run(10 * HOUR)) == {
        "schedule:report:2026-11-23T09:00Z",
        "missing:report:2026-11-23T09:00Z",
    }
    event = memory.events["missing:report:2026-11-23T09:00Z"]
    assert event.type == "missing"
    assert event.data == {"rule": "report", "at": "2026-11-23T09:00:00+00:00"}


def test_all_that_is_due_comes_in_the_order_of_its_times(memory: Memory) -> None:
    machine = Machine(memory, *(table(f"09:0{4 - number}", rule=f"r{number}") for number in (1, 3, 2)))
    machine.run(8 * HOUR)
    machine.now += HOUR + 5 * MINUTE
    assert [name.split(":")[1] for name in machine.run()] == ["r3", "r2", "r1"]


def test_an_event_and_its_mark_are_handed_over_together(memory: Memory) -> None:
    machine = Machine(memory)
    machine.run(10 * HOUR)
    assert memory.commits == 2  # the first: where the new rule starts
    assert memory.marks == {
        "report": Mark(f"schedule: {parse_schedule('09:00').definition}", MONDAY + 9 * HOUR)
    }


def test_a_look_is_never_more_than_half_a_minute_away_and_never_before_the_time(memory: Memory) -> None:
    machine = Machine(memory)
    assert machine.source.step() == LONGEST_PAUSE < ON_TIME.total_seconds()
    machine.now = MONDAY + 9 * HOUR - 12.5
    assert machine.source.step() == 12.5
    machine.now += 12.5
    assert machine.source.step() == LONGEST_PAUSE
    assert len(memory.events) == 1


def test_without_rules_nothing_is_asked_and_nothing_emitted(memory: Memory) -> None:
    source = ScheduleSource((), last=memory.last, emit=memory.emit, report=memory.reports.append)
    assert source.step() == LONGEST_PAUSE
    assert memory.commits == 0


def test_a_restart_in_the_very_second_does_not_fire_again(memory: Memory) -> None:
    machine = Machine(memory)
    machine.run(9 * HOUR)
    machine.boot()
    machine.run(HOUR)
    assert memory.emitted == ["schedule:report:2026-11-23T09:00Z"]


def test_two_daemons_on_one_store_make_one_event(memory: Memory) -> None:
    one, two = Machine(memory), Machine(memory, now=MONDAY + 2.5)
    for _ in range(3 * 24):
        one.run(HOUR)
        two.run(HOUR)
    assert len(memory.events) == 3
    assert len(memory.emitted) == 6


def test_T01_a_clock_that_goes_back_an_hour_fires_nothing_twice(memory: Memory) -> None:
    machine = Machine(memory, table(at="*/20 * * * *"))
    machine.run(9 * HOUR + 10 * MINUTE)
    before = len(memory.events)
    machine.now -= HOUR
    assert machine.run(HOUR) == []
    assert machine.run(HOUR) == [
        f"schedule:report:2026-11-23T{shown}Z" for shown in ("09:20", "09:40", "10:00")
    ]
    assert before == 27


@pytest.mark.parametrize("restarted", [False, True])
def test_a_clock_that_was_90_days_ahead_for_a_while_does_not_silence_the_days_between(
    memory: Memory, *, restarted: bool
) -> None:
    machine = Machine(memory)
    machine.run(8 * HOUR)
    machine.now += 90 * DAY + 3 * HOUR
    assert machine.run(HOUR) == []
    machine.now = MONDAY + 8.5 * HOUR
    if restarted:
        machine.boot()
    assert machine.run(DAY) == ["schedule:report:2026-11-23T09:00Z"]


SLEPT = [
    (Missed(), 0.5 * HOUR, ["09:00"]),
    (Missed(), 1.5 * HOUR, []),
    (missed_runs("last", timedelta(hours=12)), 8 * HOUR, ["09:00"]),
    (missed_runs("none"), 0.5 * HOUR, []),
    (missed_runs("none"), 0.5 * MINUTE, ["09:00"]),
    (missed_runs("all", timedelta(hours=12)), 8 * HOUR, ["09:00"]),
]


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize(("missed", "late", "fired"), SLEPT)
def test_T05_after_sleep_or_a_pause_a_missed_run_follows_its_policy(
    memory: Memory, missed: Missed, late: float, fired: list[str], *, restarted: bool
) -> None:
    machine = Machine(memory, table(missed=missed))
    machine.run(HOUR)
    machine.now = MONDAY + 9 * HOUR + late
    if restarted:
        machine.boot()
    assert machine.run() == [f"schedule:report:2026-11-23T{shown}Z" for shown in fired]
    assert [event.data["late"] for event in memory.events.values()] == [late for _ in fired]
    assert machine.run(DAY) == ["schedule:report:2026-11-24T09:00Z"]


MANY = [
    (Missed(), ["08:00"]),
    (missed_runs("all"), ["07:30", "08:00"]),
    (missed_runs("all", timedelta(hours=2)), ["06:30", "07:00", "07:30", "08:00"]),
    (missed_runs("none"), []),
]


@pytest.mark.parametrize(("missed", "fired"), MANY)
def test_T05_after_eight_hours_of_sleep_there_is_no_flood(
    memory: Memory, missed: Missed, fired: list[str]
) -> None:
    machine = Machine(memory, table(at="*/30 * * * *", missed=missed))
    machine.run(15 * MINUTE)
    machine.now += 8 * HOUR
    assert machine.run() == [f"schedule:report:2026-11-23T{shown}Z" for shown in fired]
    assert machine.run(15 * MINUTE) == ["schedule:report:2026-11-23T08:30Z"]


@pytest.mark.parametrize("policy", ["last", "all"])
@pytest.mark.parametrize("pause", [0.0, 30 * MINUTE, 30 * DAY])
def test_an_edit_never_fires_back(memory: Memory, policy: Any, pause: float) -> None:
    missed = missed_runs(policy, timedelta(days=60))
    machine = Machine(memory, table(at="10:00", missed=missed))
    machine.run(9.5 * HOUR)
    machine.now += pause
    for at in ("09:00", "09:29", "10:00", ["09:00", "09:15"]):
        machine.boot(table(at=at, missed=missed))
        machine.run()
    assert memory.events == {}
    machine.run(DAY)
    assert len(memory.events) == 2


def test_another_text_for_missed_runs_is_no_edit_of_the_times(memory: Memory) -> None:
    machine = Machine(memory, table(missed=missed_runs("none")))
    machine.run(DAY)
    machine.boot(table(missed=missed_runs("all", timedelta(days=3))))
    machine.run()
    assert len(memory.events) == 1
    machine.now += 2 * DAY
    assert len(machine.run()) == 2


def test_one_more_trigger_in_a_rule_starts_that_rule_anew_and_no_other(memory: Memory) -> None:
    missed, other = missed_runs("last", timedelta(days=2)), table("08:00", rule="other")
    machine = Machine(memory, table("08:00", missed), other)
    machine.run(HOUR)
    machine.now = MONDAY + 8.5 * HOUR
    machine.boot(table("08:00", missed), table("08:15", missed), other)
    assert machine.run() == ["schedule:other:2026-11-23T08:00Z"]


def test_nothing_comes_on_a_skipped_day_and_nothing_is_made_up_for(memory: Memory) -> None:
    machine = Machine(memory, table(at={"at": "09:00", "skip": {"days": ["2026-11-24"]}}))
    machine.run(3 * DAY)
    assert [name[16:26] for name in memory.ids] == ["2026-11-23", "2026-11-25"]


def test_what_a_full_store_refuses_is_emitted_later_even_if_it_is_too_late_for_the_policy(
    memory: Memory,
) -> None:
    machine = Machine(memory, table(at="09:00, 09:30", missed=missed_runs("none")))
    machine.run(8.9 * HOUR)
    memory.away = True
    machine.run(3 * HOUR)
    assert memory.events == {}
    memory.away = False
    machine.run(MINUTE)
    assert memory.ids == ["schedule:report:2026-11-23T09:00Z", "schedule:report:2026-11-23T09:30Z"]
    assert memory.events[memory.ids[0]].data["late"] > 2 * HOUR
    assert memory.reports == [
        "The store cannot take schedules now (the disk is full); they are tried again.",
        "The store takes schedules again.",
    ]


def test_a_full_store_is_tried_again_after_growing_pauses(memory: Memory) -> None:
    machine = Machine(memory)
    memory.away = True
    pauses = [machine.source.step() for _ in range(9)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[1], pauses[-1]) == (0.5, 1.0, 30.0)
    memory.away = False
    machine.source.step()
    memory.away = True
    machine.now += 10 * HOUR
    assert machine.source.step() == 0.5


def test_a_commit_whose_answer_was_lost_changes_nothing_when_repeated(memory: Memory) -> None:
    machine = Machine(memory)
    machine.run(8 * HOUR)
    commit = memory.emit
    lost = iter([True])

    def emit(events: Sequence[Event], marks: Mapping[str, Mark]) -> None:
        commit(events, marks)
        if len(events) > 0 and next(lost, False):
            raise StoreError("the connection broke")

    machine.source = ScheduleSource(
        machine.timetables, last=memory.last, emit=emit, report=memory.reports.append, clock=machine
    )
    machine.run(2 * HOUR)
    assert memory.emitted == ["schedule:report:2026-11-23T09:00Z"] * 2
    assert len(memory.events) == 1


CLOCK_CHANGES = [
    pytest.param("02:30", 2026, 3, 29, ["01:00Z"], id="T03 02:30 does not come: 03:00 summer time"),
    pytest.param("02:30", 2026, 10, 25, ["00:30Z"], id="T04 02:30 comes twice: the first"),
    ("09:00", 2026, 3, 29, ["07:00Z"]),
    ("09:00", 2026, 10, 25, ["08:00Z"]),
    ("0 * * * *", 2026, 3, 29, 23),
    ("0 * * * *", 2026, 10, 25, 25),
]


@pytest.mark.parametrize(("at", "year", "month", "day", "fired"), CLOCK_CHANGES)
def test_on_the_days_when_berlin_changes_its_clocks(
    memory: Memory, at: str, year: int, month: int, day: int, fired: list[str] | int
) -> None:
    start, end = (
        (datetime(year, month, day, tzinfo=BERLIN) + timedelta(days=days)).timestamp() for days in (0, 1)
    )
    machine = Machine(memory, table(at, zone="Europe/Berlin"), now=start - 0.5)
    machine.run(end - start)
    assert memory.emitted == memory.ids
    times = [name.rsplit("T")[1] for name in memory.ids]
    assert times == fired if isinstance(fired, list) else len(times) == fired


STEPS = st.one_of(
    st.tuples(st.just("run"), st.floats(0, 3 * HOUR)),
    st.tuples(st.just("jump"), st.floats(0, 12 * HOUR)),
    st.tuples(st.just("restart"), st.floats(0, 2 * HOUR)),
    st.tuples(st.just("store away"), st.floats(0, HOUR)),
)
SCHEDULES = st.sampled_from(["*/15 * * * *", {"every": "7m"}, "09:00, 13:30", "30 2 * * *", "every 1h30m"])
POLICIES = st.sampled_from(
    [Missed(), missed_runs("none"), missed_runs("all"), missed_runs("all", timedelta(hours=5))]
)


@given(at=SCHEDULES, missed=POLICIES, walk=st.lists(STEPS, max_size=12))
def test_each_time_that_a_running_source_lives_through_is_emitted_exactly_once(
    at: object, missed: Missed, walk: list[tuple[str, float]]
) -> None:
    memory = Memory()
    machine = Machine(memory, table(at, missed, "Europe/Berlin"), now=MONDAY - 20 * HOUR)
    schedule = machine.timetables[0].schedule
    machine.run()
    expected: set[datetime] = set()
    for deed, seconds in [*walk, ("run", MINUTE)]:
        before = datetime.fromtimestamp(machine.now, UTC)
        memory.away = deed == "store away"
        if deed in {"jump", "restart"}:
            machine.now += seconds
        if deed == "restart":
            machine.boot()
        machine.run(0.0 if deed in {"jump", "restart"} else seconds)
        memory.away = False
        machine.run()
        now = datetime.fromtimestamp(machine.now, UTC)
        since = max(before, now - ON_TIME) if deed in {"jump", "restart"} else before
        expected.update(runs(schedule, since, now, 1000))
    emitted = Counter(memory.emitted)
    assert set(emitted.values()) <= {1}
    assert expected <= {event.at for event in memory.events.values()}
    assert all(
        schedule.after(event.at - timedelta(seconds=1)) == event.at for event in memory.events.values()
    )
    times = [event.at for event in memory.events.values()]
    assert all(one < two for one, two in pairwise(times))


@given(at=SCHEDULES, walk=st.lists(st.tuples(st.booleans(), st.floats(-DAY, DAY)), max_size=10))
def test_wherever_the_clock_goes_the_next_times_come(at: object, walk: list[tuple[bool, float]]) -> None:
    memory = Memory()
    machine = Machine(memory, table(at=at))
    for restarted, seconds in walk:
        machine.now += seconds
        if restarted:
            machine.boot()
        machine.run(10 * MINUTE)
    now = datetime.fromtimestamp(machine.now, UTC)
    machine.run(DAY)
    due = runs(machine.timetables[0].schedule, now, now + timedelta(days=1), 1000)
    assert set(due) <= {event.at for event in memory.events.values()}


def test_the_thread_wakes_at_the_time_and_stops(memory: Memory) -> None:
    ahead = MONDAY + 9 * HOUR - 0.2 - time.time()
    memory.marks["report"] = Mark(f"schedule: {parse_schedule('09:00').definition}", MONDAY)
    source = ScheduleSource(
        (table(),),
        last=memory.last,
        emit=memory.emit,
        report=memory.reports.append,
        clock=lambda: time.time() + ahead,
    )
    assert not source.alive
    source.start()
    assert source.alive
    with memory.changed:
        assert memory.changed.wait_for(lambda: memory.events, BOUND)
    assert source.stop(BOUND / 2), "though it has 30 s to sleep"
    assert not source.alive
    assert memory.ids == ["schedule:report:2026-11-23T09:00Z"]
