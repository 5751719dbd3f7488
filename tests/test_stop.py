"""The end of a command by a signal, which may come at any point of its wait."""

import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from wbox_notify.cli import stop_on_signals


@pytest.fixture(autouse=True)
def _handlers_come_back() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)}
    yield
    signal.alarm(0)
    for number, handler in before.items():
        signal.signal(number, handler)


class Interruption:
    """Sends SIGTERM to this process before one instruction of what is traced, counted from 0."""

    def __init__(self, at: int) -> None:
        self.left = at

    def trace(self, frame: FrameType, event: str, _argument: object) -> Any:
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.left -= 1
            if self.left == -1:
                sys.settrace(None)
                signal.raise_signal(signal.SIGTERM)
        return self.trace


def hung(_number: int, _frame: object) -> None:
    raise AssertionError("the signal waits for what it has interrupted")


def test_a_signal_at_any_point_of_a_wait_ends_it() -> None:
    signal.signal(signal.SIGALRM, hung)
    at = 0
    while True:
        stop, interruption = stop_on_signals(), Interruption(at)
        signal.alarm(60)
        sys.settrace(interruption.trace)
        stop.wait(0.001)
        stop.wait(0.001)
        sys.settrace(None)
        if interruption.left >= 0:
            break  # the waits have fewer instructions
        assert stop.wait(60)
        at += 1
    assert at > 10, "nothing was interrupted"
    assert not stop.wait(0)
