"""The thread that loops: what wakes it, what ends it, and what does not."""

import logging
import threading

import pytest
from workplace import until

from wbox_notify.errors import StoreError
from wbox_notify.model import loop
from wbox_notify.model.loop import PeriodicThread
from wbox_notify.store.leases import LateError


def test_a_wake_cuts_the_pause_short_and_one_during_a_step_is_not_lost() -> None:
    begun, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def step() -> float:
        begun.release()
        go_on.acquire()
        return 600.0

    thread = PeriodicThread("test", step, "paused")
    thread.start()
    assert begun.acquire(timeout=10)
    thread.wake()
    go_on.release()
    assert begun.acquire(timeout=10), "it was woken during the first step"
    go_on.release()
    assert not begun.acquire(timeout=0.2)
    thread.wake()
    assert begun.acquire(timeout=10)
    go_on.release()
    assert thread.stop(10)


def test_an_error_is_told_and_ends_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_PAUSE", 0.01)
    steps: list[int] = []

    def step() -> float:
        steps.append(1)
        raise ZeroDivisionError("by nought")

    caplog.set_level(logging.ERROR)
    thread = PeriodicThread("test", step, "testing paused")
    assert not thread.alive
    thread.start()
    until(lambda: len(steps) > 2)
    assert thread.alive
    assert thread.stop(10)
    assert not thread.alive
    assert {(record.levelname, record.getMessage()) for record in caplog.records} == {
        ("ERROR", "testing paused: by nought")
    }


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (StoreError("the database is away"), "the database is away"),
        (LateError(), "another daemon took over what was planned here, as this one was late"),
    ],
)
def test_an_error_that_passes_by_itself_is_a_warning(
    error: Exception, text: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_PAUSE", 0.01)
    steps: list[int] = []

    def step() -> float:
        steps.append(1)
        raise error

    thread = PeriodicThread("test", step, "planning paused")
    thread.start()
    until(lambda: len(steps) > 2)
    thread.stop(10)
    assert {(record.levelname, record.getMessage()) for record in caplog.records} == {
        ("WARNING", f"planning paused: {text}; it is tried again")
    }


def test_a_stop_waits_for_the_step_in_hand_but_no_longer_than_it_may() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def step() -> float:
        begun.set()
        go_on.wait(10)
        return 0.0

    thread = PeriodicThread("test", step, "paused")
    thread.start()
    assert begun.wait(10)
    assert not thread.stop(0.1)
    go_on.set()
    assert thread.stop(10)


def test_the_first_step_comes_after_the_delay_and_a_stop_ends_that_too() -> None:
    steps: list[int] = []
    thread = PeriodicThread("test", lambda: steps.append(1) or 0.1, "paused", delay=600.0)
    thread.start()
    assert thread.stop(10)
    assert steps == []
