"""Arrivals: the events that wait for their plan, in memory while it is sure that there are no others."""

import threading
from collections import deque
from collections.abc import Callable, Iterable

from wbox_notify.model.events import Event
from wbox_notify.store import rows
from wbox_notify.store.database import Row

_MOST_TEXT = 1 << 20
"""Characters of JSON that are kept; where more waits, the store alone knows it."""


class Arrivals:
    """Events without a plan, oldest first, for the one planner.

    The store is the truth; what is in memory saves the planner from asking it for what has just been put
    there. At the start, and after each doubt, the store is asked until it has nothing more: then what was put
    there since the question is all that waits.

    Args:
        unplanned: returns the oldest events in the store that have no plan, at most so many, and none after
            those whose text has so many characters.
    """

    def __init__(self, unplanned: Callable[[int, float], list[Event]]) -> None:
        self._unplanned = unplanned
        self._lock = threading.Lock()
        self._rows: deque[Row] = deque()
        self._size = 0
        self._sure = False
        self._doubts = 0

    def add(self, new: Iterable[Row]) -> None:
        """Take in events that are on disk now."""
        with self._lock:
            for row in new:
                self._rows.append(row)
                self._size += len(row["data"])
        if self._size > _MOST_TEXT:
            self.doubt()

    def doubt(self) -> None:
        """Ask the store from now on: others may wait too, or what was taken did not get its plan."""
        with self._lock:
            self._doubts += 1
            self._sure = False
            self._forget()

    def wait(self) -> bool:
        """Return whether there may be any."""
        with self._lock:
            if self._sure:
                return bool(self._rows)
            doubts = self._doubts
        any_waits = bool(self._unplanned(1, 1))
        with self._lock:
            if not any_waits and doubts == self._doubts:
                self._sure = True
        return any_waits

    def take(self, most: int, size: float) -> list[Event]:
        """Return the oldest events, each once; whoever does not plan them must ``doubt``."""
        with self._lock:
            if self._sure:
                return self._from_memory(most, size)
            self._forget()
            doubts = self._doubts
        events = self._unplanned(most, size)
        with self._lock:
            self._sure = not events and doubts == self._doubts
        return events

    def _forget(self) -> None:
        self._rows.clear()
        self._size = 0

    def _from_memory(self, most: int, size: float) -> list[Event]:
        events: list[Event] = []
        while self._rows and len(events) < most and size > 0:
            row = self._rows.popleft()
            events.append(rows.event(row))
            size -= len(row["data"])
            self._size -= len(row["data"])
        return events
