"""A rush of calls: who waits for an answer goes first, and the rest of the work never stops."""

import pytest

from wbox_notify.daemon.rush import Rush


class Time:
    """A clock that goes on only while somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def rush(time: Time) -> Rush:
    return Rush(lambda: time.now, time.wait)


def test_a_few_calls_hold_nothing_up(rush: Rush, time: Time) -> None:
    rush.let_pass()
    rush.note(63)
    rush.let_pass()
    assert time.now == 1000


def test_many_calls_hold_other_work_up_for_a_fifth_of_a_second_at_each_turn(rush: Rush, time: Time) -> None:
    rush.note(40)
    rush.note(24)
    rush.let_pass()
    assert time.now == pytest.approx(1000.2)
    rush.note(500)
    rush.let_pass()
    assert time.now == pytest.approx(1000.4)


def test_a_rush_is_over_when_no_more_calls_come(rush: Rush, time: Time) -> None:
    rush.note(64)
    rush.let_pass()
    rush.let_pass()
    assert time.now == pytest.approx(1000.2)


def test_calls_one_after_the_other_hold_nothing_up(rush: Rush, time: Time) -> None:
    for _ in range(100):
        rush.note(1)
        time.wait(0.01)
        before = time.now
        rush.let_pass()
        assert time.now == before
