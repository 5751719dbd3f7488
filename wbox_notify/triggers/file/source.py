"""Source of file events: finds, waits for, reads and emits what is dropped into folders."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from wbox_notify.errors import StoreError
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileVersion, Known, Past
from wbox_notify.model.loop import PeriodicThread
from wbox_notify.triggers.file.examine import Finished, Unfinished, examine
from wbox_notify.triggers.file.identity import Candidate
from wbox_notify.triggers.file.scanner import UNHINTED, Scanner
from wbox_notify.triggers.file.waits import Waits
from wbox_notify.triggers.file.watch import ListedFile, Watch
from wbox_notify.triggers.health import Alarm, HealthReporter, StoreHealth, no_alarm

_BATCH = 500
_BATCH_TEXT = 8 * 1024 * 1024
_ROOTS_EVERY = 5.0
_BREATH = 0.005
_LONG = 3600.0


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
            from wbox_notify.triggers.file.inotify import Inotify  # noqa: PLC0415 - commands work without it

            self._scanner.hints = Inotify(self._news)
        except ImportError:
            self._without_hints("only Linux has it")
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


def _batches(files: Iterator[ListedFile]) -> Iterator[Sequence[ListedFile]]:
    while batch := list(islice(files, _BATCH)):
        yield batch


def _text_size(event: Event | None) -> int:
    return len(event.data.get("text", "")) if event else 0
