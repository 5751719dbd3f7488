"""Waiting: the files that are not finished, and when to look at each of them again."""

import math
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from posixpath import dirname

from wbox_notify.triggers.file import facts
from wbox_notify.triggers.file.watch import ListedFile

_SOON, _SELDOM = 0.05, 1.0


@dataclass(frozen=True, slots=True)
class Wait:
    """One file that is waited for: which version, since when, until when, and the last growing pause.

    ``long`` is a wait for something else than its writer, ``first`` when the file was waited for first.
    """

    mark: tuple[int, ...]
    since: float
    until: float
    pause: float
    first: float
    long: bool = False


class Waiting:
    """The files that were looked at and found unfinished."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waits: dict[str, Wait] = {}

    @property
    def next(self) -> float:
        """When to look at one of them again."""
        return min((wait.until for wait in self._waits.values()), default=math.inf)

    def due(self) -> dict[str, Wait]:
        """Return those to look at now, by path."""
        now = self._clock()
        return {path: wait for path, wait in self._waits.items() if wait.until <= now}

    def beside(self, paths: Iterable[str]) -> set[str]:
        """Return those that wait long and lie in the folder of one of the paths."""
        folders = {dirname(path) for path in paths}
        return {path for path, wait in self._waits.items() if wait.long and dirname(path) in folders}

    def again(self, found: ListedFile, pause: float | None = None) -> None:
        """Look at a file again after a pause: that given, or one that grows from time to time."""
        last = self._waits.get(found.path)
        grown = min(last.pause * 2, _SELDOM) if last else _SOON
        now = self._clock()
        first = last.first if last else now
        self._waits[found.path] = Wait(
            mark(found.status), now, now + (pause or grown), grown, first, pause is not None
        )

    def age(self, path: str) -> float:
        """Return for how many seconds a file has been waited for."""
        last = self._waits.get(path)
        return self._clock() - last.first if last else 0.0

    def settled(self, found: ListedFile) -> bool:
        """Whether a file has rested as long as it must; if not, it is looked at when it may have."""
        now = self._clock()
        last = self._waits.get(found.path)
        since = last.since if last is not None and last.mark == mark(found.status) else now
        if now - since >= found.settle:
            return True
        first = last.first if last else since
        self._waits[found.path] = Wait(mark(found.status), since, since + found.settle, _SOON, first)
        return False

    def is_still(self, path: str, wait: Wait) -> bool:
        """Whether nobody has looked at a file since this wait for it began."""
        return self._waits.get(path) is wait

    def drop(self, path: str) -> None:
        """Wait for a file no longer."""
        self._waits.pop(path, None)


def mark(status: os.stat_result) -> tuple[int, ...]:
    """Return what is the same as long as it is the same file in the same version."""
    return (status.st_dev, stat.S_IFMT(status.st_mode), *facts.mark(status))
