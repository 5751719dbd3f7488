"""The clock of the machine is set: nothing expires of it, and nothing waits longer than it would have."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from steps import NOON, House

from wbox_notify.errors import StoreError
from wbox_notify.model.clock import Clock, Step
from wbox_notify.model.deliveries import LeftOut
from wbox_notify.model.pace import Pace
from wbox_notify.simulator import Simulator

HOUR, DAY = 3600.0, 86400.0
FAR = [HOUR, 2 * DAY, 60 * DAY]


@pytest.fixture
def house(tmp_path: Path, wbox: Simulator) -> Iterator[House]:
    made = House(tmp_path, wbox)
    yield made
    made.close()


def back(house: House, seconds: float) -> None:
    """Set the clock back while it runs."""
    house.wall -= seconds


def back_and_restart(house: House, seconds: float) -> None:
    """Start again with a clock that is right."""
    house.wall -= seconds
    house.restart(20.0)


ways = pytest.mark.parametrize("way", [back, back_and_restart])
far = pytest.mark.parametrize("seconds", FAR)

Way = Callable[[House, float], None]


@ways
@far
def test_T10_a_clock_that_was_ahead_holds_no_device_at_its_pace(
    house: House, way: Way, seconds: float
) -> None:
    house.happen("plain", 1)
    house.look()
    way(house, seconds)
    for n in (2, 3, 4):
        house.happen("plain", n)
    house.run(40.0)
    assert house.said() == ["1", "2", "3", "4"]
    assert house.expired() == 0


@ways
@far
def test_T10_what_was_queued_and_what_came_after_the_step_go_out_in_order(
    house: House, way: Way, seconds: float
) -> None:
    for n in range(6):
        house.happen("plain", n)
    house.look()
    way(house, seconds)
    house.happen("plain", 6)
    house.run(90.0)
    assert house.said() == [str(n) for n in range(7)]


@ways
def test_T10_the_limit_of_an_hour_counts_on_and_no_hour_is_added(
    tmp_path: Path, wbox: Simulator, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    monkeypatch.setattr("steps.PACE", Pace(every=1.0, recipient_every=0.0, recipient_per_hour=0, per_hour=5))
    house = House(tmp_path, wbox)
    for n in range(10):
        house.happen("plain", n)
    house.run(60.0)
    assert len(house.said()) == 5
    way(house, 30 * DAY)
    house.run(HOUR - 200.0, every=20.0)
    assert len(house.said()) == 5
    house.run(300.0)
    assert len(house.said()) == 10
    house.close()


def test_T11_a_clock_that_is_ahead_for_a_moment_lets_nothing_expire(house: House, wbox: Simulator) -> None:
    wbox.unlink()
    house.happen("plain", 1)
    house.run(10.0)
    house.wall += 2 * DAY
    house.run(30.0)
    house.wall -= 2 * DAY
    house.run(30.0)
    wbox.scan()
    house.run(310.0)
    assert house.said() == ["1"]


def test_T11_at_a_boot_with_a_clock_that_is_ahead_there_is_time_to_set_it_right(
    house: House, wbox: Simulator
) -> None:
    wbox.unlink()
    house.happen("plain", 1)
    house.run(10.0)
    house.wall += 2 * DAY
    house.restart()
    house.happen("plain", 2)
    house.run(60.0)
    house.wall -= 2 * DAY
    wbox.scan()
    house.run(310.0)
    assert sorted(house.said()) == ["1", "2"]


def test_what_expired_while_nobody_ran_is_given_up_a_few_minutes_after_the_start(
    house: House, wbox: Simulator
) -> None:
    wbox.unlink()
    house.happen("plain", 1)
    house.run(10.0)
    house.restart(2 * DAY)
    wbox.scan()
    house.happen("plain", 2)
    house.run(240.0)
    assert (house.said(), house.expired()) == (["2"], 0)
    house.run(120.0)
    assert (house.said(), house.expired()) == (["2"], 1)


def kept_by_a_clock_that_is_behind(house: House, wbox: Simulator) -> None:
    """Let a message wait that came after a start with a clock that is behind."""
    house.run(60.0)
    house.wall -= 30 * DAY
    house.restart()
    wbox.unlink()
    house.happen("plain", 1)
    house.run(120.0)


def test_T11_what_a_clock_that_was_behind_kept_goes_on_after_a_boot_with_one_that_is_right(
    house: House, wbox: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    kept_by_a_clock_that_is_behind(house, wbox)
    house.wall = house.right
    house.restart(HOUR)
    wbox.scan()
    house.run(360.0)
    assert (house.said(), house.expired()) == (["1"], 0)
    assert "the clock may have been behind by 2595600 s; what waits keeps its times" in caplog.text


def test_a_clock_that_went_back_is_relied_on_again_once_it_has_run_for_a_day(
    house: House, wbox: Simulator
) -> None:
    kept_by_a_clock_that_is_behind(house, wbox)
    house.run(DAY, every=1200.0)
    house.happen("plain", 2)
    house.look()
    house.restart(2 * DAY)
    wbox.scan()
    house.happen("plain", 3)
    house.run(660.0, every=30.0)
    assert house.said() == ["3"]


@pytest.mark.parametrize("at_boot", [0.0, NOON - 30 * DAY])
def test_T11_at_a_boot_with_a_clock_that_is_behind_what_waits_goes_on(house: House, at_boot: float) -> None:
    for n in range(3):
        house.happen("plain", n)
    house.happen("group", 7, by="x")
    house.look()
    house.wall, right = at_boot, house.wall + HOUR
    house.restart()
    house.happen("plain", 3)
    house.run(10.0)
    house.wall = right
    house.happen("plain", 4)
    house.run(120.0)
    assert sorted(house.said()) == ["0", "1", "2", "3", "4", "group 7"]
    assert house.expired() == 0


@ways
@far
def test_T10_a_try_that_waits_for_its_back_off_waits_no_longer(
    house: House, wbox: Simulator, way: Way, seconds: float
) -> None:
    wbox.fault(lost=True, count=1)
    house.happen("plain", 1)
    house.look()
    way(house, seconds)
    house.run(115.0)
    assert house.said() == ["1", "1"]


@ways
@far
def test_T10_a_device_that_holds_is_looked_at_as_before(
    house: House, wbox: Simulator, way: Way, seconds: float
) -> None:
    wbox.unlink()
    house.happen("plain", 1)
    house.run(10.0)
    way(house, seconds)
    wbox.scan()
    house.run(30.0)
    assert house.said() == ["1"]


@ways
@far
def test_T12_a_group_speaks_when_its_wait_is_over(house: House, way: Way, seconds: float) -> None:
    house.happen("group", 1, by="x")
    house.run(10.0)
    way(house, seconds)
    house.run(35.0)
    assert house.said() == ["group 1"]
    house.happen("group", 2, by="x")
    house.run(65.0)
    assert house.said() == ["group 1", "group 2"]


@ways
@far
def test_T12_an_escalation_goes_to_the_next_person_in_time(house: House, way: Way, seconds: float) -> None:
    house.happen("escalate", 1)
    house.run(30.0)
    way(house, seconds)
    house.run(125.0)
    assert house.said() == ["escalate 1", "nobody answers 1"]


@ways
@far
def test_T12_a_throttle_lets_go_what_it_queued(house: House, way: Way, seconds: float) -> None:
    house.happen("throttle", 1)
    house.happen("throttle", 2)
    house.run(10.0)
    way(house, seconds)
    house.run(65.0)
    assert house.said() == ["throttle 1", "throttle 2"]


@ways
@far
def test_T12_the_same_is_told_again_when_its_time_is_over(house: House, way: Way, seconds: float) -> None:
    house.happen("dedupe", 1, key="k")
    house.run(10.0)
    way(house, seconds)
    house.happen("dedupe", 2, key="k")
    house.run(125.0)
    house.happen("dedupe", 3, key="k")
    house.run(30.0)
    assert house.said() == ["dedupe 1", "dedupe 3"]


@ways
@far
def test_T12_a_digest_comes_at_its_next_time(house: House, way: Way, seconds: float) -> None:
    house.happen("digest", 1)
    house.run(10.0)
    way(house, seconds)
    house.run(305.0)
    assert house.said() == ["digest 1 "]


@ways
def test_T12_quiet_hours_are_those_of_the_clock_that_is_right(house: House, way: Way) -> None:
    house.wall += 11 * HOUR
    house.run(1.0)
    house.happen("quiet", 1)
    house.run(10.0)
    assert house.said() == []
    way(house, 6 * HOUR)
    house.run(35.0)
    assert house.said() == ["quiet 1"]


@ways
def test_T12_a_longer_wait_for_the_end_of_quiet_hours_stays(house: House, way: Way) -> None:
    house.wall += 14 * HOUR
    house.happen("quiet", 1)
    house.run(10.0)
    way(house, 3 * HOUR)
    house.run(7 * HOUR, every=1800.0)
    assert house.said() == []
    house.run(2 * HOUR, every=1800.0)
    assert house.said() == ["quiet 1"]


def test_T12_a_step_ahead_sets_off_no_escalation(house: House) -> None:
    house.happen("escalate", 1)
    house.run(30.0)
    house.wall += HOUR
    house.run(60.0)
    assert house.said() == ["escalate 1"]
    house.run(60.0)
    assert house.said() == ["escalate 1", "nobody answers 1"]


@ways
@far
def test_T13_a_new_text_is_not_taken_for_one_that_has_just_been_sent(
    house: House, way: Way, seconds: float
) -> None:
    house.happen("plain", 1)
    house.run(900.0, every=60.0)
    way(house, seconds)
    house.happen("plain", 1)
    house.run(15.0)
    assert house.said() == ["1", "1"]


def test_T13_the_same_text_is_still_left_out_after_a_step_while_it_runs(house: House) -> None:
    house.happen("plain", 1)
    house.run(60.0)
    back(house, 2 * HOUR)
    house.happen("plain", 1)
    house.run(15.0)
    assert house.said() == ["1"]
    [left_out] = house.store.deliveries("e2")
    assert left_out.left_out is LeftOut.SAME_TEXT
    assert 0 <= left_out.facts["seconds"] < 120


class Hands:
    """Clocks that are set by hand, and what followed their steps."""

    def __init__(self) -> None:
        self.wall, self.ran = NOON, 5.0
        self.steps: list[Step] = []
        self.fails = 0
        self.clock = Clock(lambda: self.wall, lambda: self.ran, self.follow)

    def follow(self, step: Step) -> None:
        if self.fails:
            self.fails -= 1
            raise StoreError("the disk is full")
        self.steps.append(step)


def test_T14_one_thread_follows_a_step_and_the_others_wait_for_it() -> None:
    hands = Hands()
    hands.clock()
    hands.wall += HOUR
    threads = [threading.Thread(target=hands.clock) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [step.jump for step in hands.steps] == [0.0, HOUR]


def test_T14_a_step_that_could_not_be_written_down_is_followed_at_the_next_look() -> None:
    hands = Hands()
    hands.clock()
    hands.wall -= HOUR
    hands.fails = 1
    with pytest.raises(StoreError):
        hands.clock()
    assert hands.clock() == hands.wall
    assert [step.jump for step in hands.steps] == [0.0, -HOUR]
    assert hands.clock() == hands.wall
    assert len(hands.steps) == 2


def test_time_that_passes_and_a_moment_s_difference_are_no_steps() -> None:
    hands = Hands()
    hands.clock()
    for _ in range(100):
        hands.wall += 60.01
        hands.ran += 60.0
        hands.clock()
    assert len(hands.steps) == 1


RIGHT_WITHIN = 420.0
"""Seconds within which all that the rules of the house make is told, once the clock is right."""


def wrong_boot(house: House, by: float) -> None:
    """Start with a clock that is behind, or ahead by less than what messages live."""
    house.wall = house.right + min(by, HOUR)
    house.restart()


def right_boot(house: House, _by: float) -> None:
    """Start with a clock that is right."""
    house.wall = house.right
    house.restart()


MOVES: dict[str, Callable[[House, float], None]] = {
    "is set": lambda house, by: setattr(house, "wall", house.wall + by),
    "is right": lambda house, _by: setattr(house, "wall", house.right),
    "restarts": lambda house, by: house.restart(abs(by) % 60.0),
    "boots with a clock that is wrong": wrong_boot,
    "boots with a clock that is right": right_boot,
    "runs": lambda _house, _by: None,
}


kinds = st.sampled_from(["plain", "group", "throttle", "escalate", "digest"])
moves = st.tuples(
    st.lists(kinds, max_size=3),
    st.sampled_from([1.0, 20.0, 70.0]),
    st.sampled_from(list(MOVES)),
    st.sampled_from([-30 * DAY, -DAY, -HOUR, -90.0, -5.0, 5.0, 90.0, HOUR, DAY, 30 * DAY]),
)


@settings(suppress_health_check=list(HealthCheck))
@given(
    history=st.lists(moves, min_size=2, max_size=8),
    end=st.sampled_from(["is right", "boots with a clock that is right"]),
)
@example(
    history=[
        ([], 1.0, "boots with a clock that is right", DAY),
        ([], 1.0, "is right", 30 * DAY),
        ([], 70.0, "is set", HOUR),
        (["group"], 70.0, "is right", -5.0),
        ([], 1.0, "boots with a clock that is right", 30 * DAY),
        (["plain", "escalate", "escalate"], 1.0, "boots with a clock that is wrong", -30 * DAY),
        ([], 70.0, "boots with a clock that is wrong", 90.0),
    ],
    end="boots with a clock that is right",
)
@example(
    history=[
        ([], 20.0, "is set", -30 * DAY),
        (["plain", "plain", "plain"], 1.0, "is set", DAY),
    ],
    end="boots with a clock that is right",
)
def test_T10_T11_T12_whatever_the_clock_did_all_is_told_in_time_once_it_is_right(
    tmp_path: Path, wbox: Simulator, history: list[tuple[list[str], float, str, float]], end: str
) -> None:
    house = House(tmp_path / f"house-{len(list(tmp_path.iterdir()))}", wbox)
    told: list[str] = []
    for happens, seconds, move, by in history:
        MOVES[move](house, by)
        for kind in happens:
            told.append(f"{kind} {len(told)}")
            house.happen(kind, len(told) - 1, by="x")
        house.run(seconds, every=10.0)
    MOVES[end](house, 0.0)
    house.run(RIGHT_WITHIN + 60.0 * len(told), every=10.0)
    said = " ".join(house.said()).split()
    waits, expired = house.waits(), house.expired()
    house.close()
    assert [one for one in told if one.split()[1] not in said] == []
    assert (waits, expired) == (0, 0)


def test_what_is_read_is_one_moment_though_the_thread_is_held_up() -> None:
    """A thread that is stopped between its two readings sees no step."""
    ran = [100.0]
    pauses = [0.0, 0.0, 30.0]

    def wall() -> float:
        ran[0] += pauses.pop() if pauses else 0.0
        return NOON + ran[0]

    steps: list[Step] = []
    clock = Clock(wall, lambda: ran[0], steps.append)
    clock()
    assert [step.jump for step in steps] == [0.0]
