"""Housekeeping: old history is deleted, a little at a time."""

import time
from collections.abc import Callable

from wbox_notify.model.clock import Clock, Step, steady
from wbox_notify.model.loop import PeriodicThread
from wbox_notify.store import Store

_ROWS = 500
_SLICES = 100
_BREATH = 0.05
_CLOCK_RIGHT_WITHIN = 300.0


class Housekeeping(PeriodicThread):
    """Prunes the store; ``history`` returns for how many seconds finished deliveries are kept.

    It runs ``every`` so many seconds and deletes up to 50,000 rows, in slices of 500, so that other writers
    wait for one slice at most, where ``may`` says that no other daemon does. ``sweep`` is called with the
    time, and deletes copies of files. Nothing is deleted for some minutes after the clock was set, as it may
    be set once more. ``clock`` returns seconds since the epoch, ``steady`` seconds of a clock that cannot be
    set.
    """

    def __init__(  # noqa: PLR0913 - one for each neighbour
        self,
        store: Store,
        history: Callable[[], float],
        *,
        may: Callable[[], bool] = lambda: True,
        sweep: Callable[[float], object] = lambda _now: None,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = steady,
        every: float = 60.0,
    ) -> None:
        self._store = store
        self._history = history
        self._may = may
        self._sweep = sweep
        self._clock = clock
        self._steady = steady
        self._now = Clock(clock, steady, self._follow_clock)
        self._rests_until = 0.0
        self._every = every
        super().__init__("housekeeping", self._turn, "could not delete old history", delay=every)

    def step(self) -> int:
        """Forget one slice of what is too old; return how many rows it had."""
        return self._store.prune(self._clock() - self._history(), _ROWS).result()

    def look(self) -> None:
        """Forget what is too old, unless the clock was set some minutes ago."""
        now = self._now()
        if self._steady() < self._rests_until:
            return
        self._sweep(now)
        for _ in range(_SLICES):
            if not self._may() or not self.step() or self._stopping.wait(_BREATH):
                break

    def _follow_clock(self, step: Step) -> None:
        if step.jump:
            self._rests_until = self._steady() + _CLOCK_RIGHT_WITHIN

    def _turn(self) -> float:
        self.look()
        return self._every
