"""The clock of the machine, which notices when it is set."""

import math
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

SLACK = 2.0
"""Seconds by which clocks may differ before one counts as set, and a time as one of the future."""

_READ_WITHIN = 0.1
_MOST_READINGS = 5


def steady() -> float:
    """Return seconds that only go forward, also while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Step(NamedTuple):
    """A clock that was set.

    Attributes:
        now: What it shows, in seconds since the epoch.
        jump: By how many seconds it was set; 0 where it was not, and at the start, when that is unknown.
        lag: How many seconds ago that was at most.
        first: Whether this is the first look since the start.
    """

    now: float
    jump: float
    lag: float
    first: bool = False


class Clock:
    """Tells the time; when the clock was set, ``follow`` is called before a caller gets the new time.

    Any thread may call; one of them follows, the others wait for it.

    Args:
        wall: gives seconds since the epoch; may jump.
        steady: gives seconds that cannot be set.
        follow: is called at the first look, after each jump of more than ``SLACK``, and now and then between
            them; what it raises reaches the caller, and the next call tries again.
        every: seconds from one of those calls to the next.
    """

    def __init__(
        self,
        wall: Callable[[], float],
        steady: Callable[[], float],
        follow: Callable[[Step], None],
        every: float = math.inf,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._follow = follow
        self._lock = threading.Lock()
        self._every = every
        self._next = -math.inf
        now, self._looked = self._read()
        self._offset = now - self._looked

    def __call__(self) -> float:
        """Return the seconds since the epoch."""
        with self._lock:
            now, ran = self._read()
            jump = now - ran - self._offset
            jumped = abs(jump) > SLACK
            if jumped or ran >= self._next:
                reported = jump if jumped else 0.0
                first = self._next == -math.inf
                self._follow(Step(now, reported, ran - self._looked, first))
                self._offset += jump
                self._next = ran + self._every
            self._looked = ran
            return now

    def _read(self) -> tuple[float, float]:
        """Return what both clocks show at one moment, as far as this thread is not held up in between."""
        for _ in range(_MOST_READINGS):
            before, now, after = self._steady(), self._wall(), self._steady()
            if after - before < _READ_WITHIN:
                break
        return now, after
