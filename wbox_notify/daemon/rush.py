"""A rush of calls, in which work that can wait stands back."""

import time
from collections import deque
from collections.abc import Callable

_MANY = 64
_SPELL = 0.2
"""Seconds. A rush is when so many calls come within a spell."""


class Rush:
    """Holds up other threads while many calls come in.

    Python runs one thread at a time. A caller waits for an answer, and may give up; what it has brought is on
    disk by then, and can wait for its plan and for its turn to be sent.

    Args:
        clock: returns seconds that only go forward.
        wait: lets so many seconds pass.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, wait: Callable[[float], object] = time.sleep
    ) -> None:
        self._clock = clock
        self._wait = wait
        self._calls: deque[float] = deque(maxlen=_MANY)

    def note(self, calls: int) -> None:
        """Take note of calls that come now."""
        self._calls.extend([self._clock()] * calls)

    def let_pass(self) -> None:
        """Wait for one spell in a rush, so that the other work goes on too, only slower."""
        if len(self._calls) == _MANY and self._clock() - self._calls[0] < _SPELL:
            self._wait(_SPELL)
