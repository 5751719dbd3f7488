"""Housekeeping: forgets what is older than it has to be, a little at a time."""

import logging
import threading
import time
from collections.abc import Callable

from wbox_notify.model.clock import Clock, Step, steady
from wbox_notify.store import Store

log = logging.getLogger(__name__)

_ROWS = 500
_SLICES = 100
_BREATH = 0.05
_CLOCK_RIGHT_WITHIN = 300.0


class Housekeeping:
    """A thread that prunes the store; ``history`` says for how many seconds finished things are kept.

    It looks ``every`` so many seconds; 50,000 rows can go in one look. What waits for the disk waits for one
    slice of 500 rows at most. ``sweep`` is told the time at each look, and deletes copies that are over.
    After the clock was set nothing is forgotten for some minutes: it may be set once more. ``clock`` gives
    seconds since the epoch, ``steady`` those that nobody sets.
    """

    def __init__(
        self,
        store: Store,
        history: Callable[[], float],
        *,
        sweep: Callable[[float], object] = lambda _now: None,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = steady,
        every: float = 60.0,
    ) -> None:
        self._store = store
        self._history = history
        self._sweep = sweep
        self._clock = clock
        self._steady = steady
        self._now = Clock(clock, steady, self._follow_clock)
        self._rests_until = 0.0
        self._every = every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Begin to prune."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the slice in hand and end."""
        self._stopping.set()
        self._thread.join(1.0)

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
            if not self.step() or self._stopping.wait(_BREATH):
                break

    def _follow_clock(self, step: Step) -> None:
        if step.jump:
            self._rests_until = self._steady() + _CLOCK_RIGHT_WITHIN

    def _run(self) -> None:
        while not self._stopping.wait(self._every):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - the worker's loop: nothing may end it
                log.error("old history stays for now: %s", error)  # noqa: TRY400 - no traceback reaches a user
