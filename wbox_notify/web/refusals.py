"""Refusals in the log: a few in full, the rest as a number, so that nobody can fill the disk from outside."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)

_WINDOW = 60.0
_MOST = 10


@dataclass(slots=True)
class _Window:
    began: float
    count: int = 0


class Refusals:
    """Writes at most ten lines a minute about each hook; of the others it tells how many there were."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def tell(self, hook: str, line: str) -> None:
        """Write a line about a hook, or count it; what is no hook of ours shares one name."""
        now = self._clock()
        window = self._windows.setdefault(hook, _Window(now))
        if now - window.began >= _WINDOW:
            if window.count > _MOST:
                log.warning("%d more calls like these were refused", window.count - _MOST)
            self._windows[hook] = window = _Window(now)
        window.count += 1
        if window.count <= _MOST:
            log.warning("%s", line)
