"""Source of file events: finds, waits for, reads and emits what is dropped into folders."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import islice

from wbox_notify.errors import StoreError
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileVersion, Known, Past
from wbox_notify.model.loop import PeriodicThread
from wbox_notify.triggers.file.examine import Finished, Unfinished, Until, examine
from wbox_notify.triggers.file.identity import Candidate
from wbox_notify.triggers.file.inotify import Inotify
from wbox_notify.triggers.file.scanner import HINTED, UNHINTED, Scanner
from wbox_notify.triggers.file.watch import ListedFile, Watch, full_mark
from wbox_notify.triggers.health import Alarm, HealthReporter, StoreHealth, no_alarm

_BATCH = 500
_BATCH_TEXT = 8 * 1024 * 1024
_ROOTS_EVERY = 5.0
_BREATH = 0.005
_LONG = 3600.0
_SOON, _SELDOM = 0.05, 1.0


class FileSource(PeriodicThread):
    """Watches folders and emits one event for each finished version of each file."""

    def __init__(
        self,
        watches: Sequence[Watch],
        *,
        known: Known,
        emit: Callable[[Sequence[Event], Sequence[FileVersion]], None],
        report: Callable[[str], None],
        alarm: Alarm = no_alarm,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set up; nothing is touched yet.

        Args:
            watches: The folders; they may overlap.
            known: Returns what is known of files. May raise StoreError.
            emit: Commits events, and versions as known; a version has no event where no rule wants it, or it
                was told before and only other facts than its content have changed. Raises StoreError if it
                cannot, and all are emitted again later.
            report: Takes one line for a person: what is wrong with a folder, and when that is over.
            alarm: Takes the same where a folder cannot be watched as it should be.
            clock: Gives seconds that only ever grow.
        """
        self._known = known
        self._emit = emit
        self._clock = clock
        super().__init__("file-source", self._follow, "folders are not looked at")
        self._health = HealthReporter(report, alarm)
        self._scanner = Scanner(watches, self._health, clock=clock, going=self._going)
        self._waits = Waits(clock)
        self._store = StoreHealth("files", self._health)
        self._used_store = False
        self._listed = threading.Event()

    def start(self) -> None:
        """Begin to watch, in a thread of its own."""
        try:
            self._scanner.hints = Inotify(self._news)
        except OSError as error:
            self._without_hints(str(error.strerror))
        super().start()

    def stop(self, within: float = 1.5) -> bool:
        """Stop watching; when this returns no more is emitted, unless the store hangs."""
        ended = super().stop(within)
        if self._scanner.hints is not None:
            self._scanner.hints.close()
        return ended

    def listed(self, within: float) -> bool:
        """Wait until what was there at the start has been listed and emitted; False if it takes longer."""
        return self._listed.wait(within)

    def sweep(self) -> float:
        """List everything and emit what is finished; return in how many seconds to look again.

        It is what the thread does; do not call it while the thread runs.
        """
        self._scanner.expect()
        return self._look(())

    def _follow(self) -> float:
        hints = self._scanner.hints
        if hints and hints.awaits_closing:  # looked at now, it would be found open, and looked at once more
            self._news.wait(_BREATH)
        pause = self._look(self._hinted())
        self._listed.set()
        if self._store.pause:  # no hint ends this one: the store is left in peace
            self._stopping.wait(self._store.pause)
            return 0.0
        return pause

    def _going(self) -> bool:
        return not self._stopping.is_set()

    def _hinted(self) -> Iterable[str]:
        """Return the paths to look at; where hints are missing, all roots become due."""
        hints = self._scanner.hints
        if hints is None:
            return ()
        if not hints.alive:
            self._scanner.hints = None
            self._without_hints("its reader ended")
        paths = hints.take()
        if paths is None or self._scanner.hints is None:
            self._scanner.expect()
        return paths or ()

    def _without_hints(self, why: str) -> None:
        self._health.tell(
            "inotify",
            f"inotify cannot be used ({why}): folders are listed every {UNHINTED:.0f} seconds instead.",
        )

    def _look(self, hinted: Iterable[str]) -> float:
        """Look at these paths and at what is due; return in how many seconds to look again."""
        due = self._waits.due()
        hinted = {*hinted}
        self._used_store = False
        try:
            for batch in _batches(self._scanner.find({*hinted, *self._waits.beside(hinted), *due})):
                self._take(batch)
            self._scanner.begin()
        except StoreError as error:
            self._scanner.expect()
            return self._store.refused(error)
        self._store.pause = 0.0
        if self._used_store:  # where there is nothing to keep, the store was not needed
            self._store.accepted()
        for path, wait in due.items():
            if self._waits.is_still(path, wait):  # the scanner did not find it any more: it is gone
                self._forget(path)
        pause = min(self._waits.next, self._scanner.due) - self._clock()
        return max(0.0, min(pause, _ROOTS_EVERY))

    def _take(self, batch: Sequence[ListedFile]) -> None:
        """Emit what is finished of a batch and not known."""
        files = {file.version: file for file in {file.path: file for file in batch}.values()}
        pasts = self._known([*files])
        self._used_store = True
        finished: list[Finished] = []
        text = 0
        for version, file in files.items():
            candidate = Candidate.of(file, version, pasts.get(version, Past()))
            result = examine(candidate, self._waits.rested(file), self._going)
            if isinstance(result, Unfinished):
                self._wait(file, result)
            elif result is None:
                self._forget(file.path)
            else:
                finished.append(result)
                text += _text_size(result.event)
            if text > _BATCH_TEXT:
                self._hand_over(finished)
                finished, text = [], 0
        self._hand_over(finished)

    def _hand_over(self, finished: Sequence[Finished]) -> None:
        events = [result.event for result in finished if result.event]
        # What has changed about a known file is kept too, so that it is not read again after the next start.
        versions = [result.version for result in finished if result.version not in result.candidate.told]
        if versions:
            self._emit(events, versions)
        for result in finished:
            self._scanner.mark(result.candidate.file)
            self._forget(result.candidate.file.path)

    def _wait(self, file: ListedFile, unfinished: Unfinished) -> None:
        """Look at a file again later; report what is wrong with it, or that it takes very long, once."""
        self._waits.add(file, unfinished.until)
        if unfinished.problem:
            self._health.tell(file.path, unfinished.problem)
        elif unfinished.hinders and self._waits.age(file.path) > _LONG:
            self._health.tell(
                file.path, f"The file {file.path!r} has been waiting for over an hour: {unfinished.hinders}."
            )

    def _forget(self, path: str) -> None:
        self._waits.drop(path)
        self._health.over(path)


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


def _batches(files: Iterator[ListedFile]) -> Iterator[Sequence[ListedFile]]:
    while batch := list(islice(files, _BATCH)):
        yield batch


def _text_size(event: Event | None) -> int:
    return len(event.data.get("text", "")) if event else 0
