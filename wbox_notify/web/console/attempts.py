"""Limits on attempts: some at once, then one after each pause, so that nobody is locked out for long."""

from collections.abc import Callable
from typing import Generic, TypeVar

_Key = TypeVar("_Key")
_MOST_KEYS = 1000


class Attempts(Generic[_Key]):
    """Attempts by a key, such as a client: ``burst`` at once, and one more every ``pause`` seconds."""

    def __init__(self, burst: int, pause: float, clock: Callable[[], float]) -> None:
        self._allowance = (burst - 1) * pause
        self._pause = pause
        self._clock = clock
        self._busy_until: dict[_Key, float] = {}

    def wait(self, key: _Key) -> float:
        """Return after how many seconds the next attempt is allowed: 0 for now."""
        return max(self._busy_until.get(key, 0.0) - self._allowance - self._clock(), 0.0)

    def count(self, key: _Key) -> None:
        """Count an attempt."""
        now = self._clock()
        if key not in self._busy_until and len(self._busy_until) >= _MOST_KEYS:
            self._forget(now)
        self._busy_until[key] = max(self._busy_until.get(key, 0.0), now) + self._pause

    def _forget(self, now: float) -> None:
        """Forget the keys that have been quiet, or else the one that is free soonest."""
        self._busy_until = {key: until for key, until in self._busy_until.items() if until > now}
        if len(self._busy_until) >= _MOST_KEYS:
            del self._busy_until[min(self._busy_until, key=self._busy_until.__getitem__)]
