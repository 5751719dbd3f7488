"""Files that are not finished: for what each waits, and when it is looked at again."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush

from wbox_notify.triggers.file.examine import Until
from wbox_notify.triggers.file.scanner import HINTED
from wbox_notify.triggers.file.watch import ListedFile, full_mark

_SOON, _SELDOM = 0.05, 1.0
"""The first and the longest of the growing pauses, in seconds."""


@dataclass(frozen=True, slots=True)
class Wait:
    """The wait for one file that is not finished.

    Attributes:
        mark: Which version of it.
        first: When the file was waited for first.
        since: Since when it has been the same.
        due: When it is looked at again.
        pause: The last growing pause.
        markers: The other files that must be there before it is finished.
    """

    mark: tuple[int, ...]
    first: float
    since: float
    due: float
    pause: float
    markers: frozenset[str]


class Waits:
    """The files that were looked at and are not finished."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waits: dict[str, Wait] = {}
        self._order: list[tuple[float, str]] = []  # a heap; of a path that is looked at again, old ones stay
        self._awaited: dict[str, set[str]] = {}

    @property
    def next(self) -> float:
        """When to look at one of them again."""
        while self._order and not self._counts(*self._order[0]):
            heappop(self._order)
        return self._order[0][0] if self._order else math.inf

    def due(self) -> dict[str, Wait]:
        """Return those to look at now, by path."""
        due: dict[str, Wait] = {}
        now = self._clock()
        while self.next <= now:
            _, path = heappop(self._order)
            due[path] = self._waits[path]
        for path, wait in due.items():  # until they have been looked at
            heappush(self._order, (wait.due, path))
        return due

    def _counts(self, due: float, path: str) -> bool:
        wait = self._waits.get(path)
        return wait is not None and wait.due == due

    def beside(self, paths: Iterable[str]) -> set[str]:
        """Return those that wait until one of the paths is there."""
        return {path for marker in paths for path in self._awaited.get(marker, ())}

    def rested(self, file: ListedFile) -> float:
        """Return for how many seconds a file has been the same."""
        last = self._waits.get(file.path)
        if last is None or last.mark != full_mark(file.status):
            return 0.0
        return self._clock() - last.since

    def add(self, file: ListedFile, until: Until) -> None:
        """Look at a file again: when it has rested, after a minute, or after a pause that grows."""
        now = self._clock()
        mark = full_mark(file.status)
        last = self._waits.get(file.path)
        first, since, pause = now, now, _SOON
        if last:
            first = last.first
        if until is Until.RESTED:
            if last and last.mark == mark:
                since = last.since
            due = since + file.settle
        else:
            if last:
                pause = min(last.pause * 2, _SELDOM)
            due = now + (HINTED if until is Until.CHANGED else pause)
        self._waits[file.path] = Wait(mark, first, since, due, pause, file.want.markers)
        heappush(self._order, (due, file.path))
        for marker in file.want.markers:
            self._awaited.setdefault(marker, set()).add(file.path)

    def age(self, path: str) -> float:
        """Return for how many seconds a file has been waited for."""
        last = self._waits.get(path)
        return self._clock() - last.first if last else 0.0

    def is_still(self, path: str, wait: Wait) -> bool:
        """Return whether the file has not been looked at since this wait for it began."""
        return self._waits.get(path) is wait

    def drop(self, path: str) -> None:
        """Wait for a file no longer."""
        wait = self._waits.pop(path, None)
        for marker in wait.markers if wait else ():
            self._awaited[marker].discard(path)
            if not self._awaited[marker]:
                del self._awaited[marker]
