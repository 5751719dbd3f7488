"""FileSource: finds, waits for, reads and emits what is dropped into folders."""

import errno
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from wbox_notify.errors import StoreError
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileVersion, Known, Past
from wbox_notify.model.loop import PeriodicThread
from wbox_notify.triggers.file.facts import describe, read
from wbox_notify.triggers.file.identity import Candidate, listed, repeated
from wbox_notify.triggers.file.inotify import Inotify
from wbox_notify.triggers.file.opening import is_local, nobody_writes, opened
from wbox_notify.triggers.file.scanner import HINTED, UNHINTED, Scanner
from wbox_notify.triggers.file.unfinished import Waiting, mark
from wbox_notify.triggers.file.watch import ListedFile, Watch
from wbox_notify.triggers.health import Alarm, HealthReporter, StoreHealth, no_alarm

_BATCH = 500
_BATCH_TEXT = 8 * 1024 * 1024
_ROOTS_EVERY = 5.0
_BREATH = 0.005
_LONG = 3600.0
_NOT_A_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV})

_Finished = tuple[FileVersion, dict[str, Any]]


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
            emit: Commits events, and versions as known, of which some have no event: nobody wants those, or
                they were told before, and what changed about them is no new content. Raises StoreError if
                it could not, and all are emitted again later.
            report: Takes one line for a person: what is wrong with a folder, and when that is over.
            alarm: Takes the same where a folder cannot be watched as it should be.
            clock: Gives seconds that only ever grow.
        """
        self._known = known
        self._emit = emit
        self._clock = clock
        super().__init__("file-source", self._follow, "folders are not looked at")
        self._troubles = HealthReporter(report, alarm)
        self._listing = Scanner(watches, self._troubles, clock=clock, going=self._going)
        self._waiting = Waiting(clock)
        self._store = StoreHealth("files", self._troubles)
        self._asked = False
        self._listed = threading.Event()

    def start(self) -> None:
        """Begin to watch, in a thread of its own."""
        try:
            self._listing.hints = Inotify(self._news)
        except OSError as error:
            self._without_hints(str(error.strerror))
        super().start()

    def stop(self, within: float = 1.5) -> bool:
        """Stop watching; when this returns no more is emitted, unless the store hangs."""
        ended = super().stop(within)
        if self._listing.hints is not None:
            self._listing.hints.close()
        return ended

    def listed(self, within: float) -> bool:
        """Wait until what was there at the start has been listed and emitted; False if it takes longer."""
        return self._listed.wait(within)

    def sweep(self) -> float:
        """List everything and emit what is finished; return in how many seconds to look again.

        It is what the thread does, and not for calling beside it.
        """
        self._listing.expect()
        return self._look(())

    def _follow(self) -> float:
        pause = self._look(self._hinted())
        self._listed.set()
        # The store is left in peace for the whole pause. Otherwise a hint ends it, but not at once, so that
        # what comes together is looked at together.
        if self._store.pause:
            self._stopping.wait(self._store.pause)
            return 0.0
        self._stopping.wait(min(pause, _BREATH))
        return pause

    def _going(self) -> bool:
        return not self._stopping.is_set()

    def _hinted(self) -> Iterable[str]:
        """Return the paths to look at; if the hints cannot be trusted, all places become due."""
        hints = self._listing.hints
        if hints is None:
            return ()
        if not hints.alive:
            self._listing.hints = None
            self._without_hints("its reader ended")
        paths = hints.take()
        if paths is None or self._listing.hints is None:
            self._listing.expect()
        return paths or ()

    def _without_hints(self, why: str) -> None:
        self._troubles.tell(
            "inotify",
            f"inotify cannot be used ({why}): folders are listed every {UNHINTED:.0f} seconds instead.",
        )

    def _look(self, hinted: Iterable[str]) -> float:
        """Look at these paths and at what is due; return in how many seconds to look again."""
        due = self._waiting.due()
        hinted = {*hinted}
        self._asked = False
        try:
            for batch in _batches(self._listing.find({*hinted, *self._waiting.beside(hinted), *due})):
                self._take(batch)
            self._listing.begin()
        except StoreError as error:
            self._listing.expect()
            return self._store.refused(error)
        self._store.pause = 0.0
        if self._asked:  # where there is nothing to keep, the store was not needed
            self._store.accepted()
        for path, wait in due.items():
            if self._waiting.is_still(path, wait):  # not come across any more: it is gone
                self._forget(path)
        return self._until_next()

    def _until_next(self) -> float:
        pause = min(self._waiting.next, self._listing.due) - self._clock()
        return max(0.0, min(pause, _ROOTS_EVERY))

    def _take(self, batch: Sequence[ListedFile]) -> None:
        """Emit what is finished of a batch and not known."""
        fresh = {found.path: found for found in batch}
        pasts = self._known([found.version for found in fresh.values()])
        files = [listed(found, pasts.get(found.version, Past())) for found in fresh.values()]
        self._asked = True
        kept, unknown = [], []
        for file in files:
            told = repeated(file.version, file.told)
            if told or file.found.is_history:
                kept.append((file, told))
            else:
                unknown.append(file)
        # What has changed about a file is kept too, so that it is not read again after the next start.
        if changed := [told or file.new for file, told in kept if told not in file.told]:
            self._emit([], changed)
        for file, _ in kept:
            self._done(file.found)
        self._emit_finished(unknown)

    def _emit_finished(self, files: Iterable[Candidate]) -> None:
        ready: list[tuple[ListedFile, FileVersion, Event | None]] = []
        weight = 0
        for file in files:
            if self._going() and (finished := self._examine(file)) is not None:
                version, data = finished
                event = Event(id=version.id, type="file", at=datetime.now(UTC), data=data) if data else None
                ready.append((file.found, version, event))
                weight += len(data.get("text", "")) if data else 0
            if weight > _BATCH_TEXT:
                self._hand_over(ready)
                ready, weight = [], 0
        self._hand_over(ready)

    def _hand_over(self, ready: Sequence[tuple[ListedFile, FileVersion, Event | None]]) -> None:
        if ready:
            self._emit([event for _, _, event in ready if event], [version for _, version, _ in ready])
        for found, _, _ in ready:
            self._done(found)

    def _done(self, found: ListedFile) -> None:
        self._listing.mark(found)
        self._forget(found.path)

    def _forget(self, path: str) -> None:
        self._waiting.drop(path)
        self._troubles.over(path)

    def _examine(self, file: Candidate) -> _Finished | None:
        """Return a version and an event's data, none where it was told before; None if it is not finished."""
        found = file.found
        if found.awaits_download or not all(map(os.path.lexists, found.markers)):
            self._unfinished(found, HINTED)
            return None
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
        try:
            with opened(found.place.path, found.path, flags) as descriptor:
                return self._examine_open(file, descriptor)
        except OSError as error:
            return self._examine_closed(file, error)

    def _examine_open(self, file: Candidate, descriptor: int) -> _Finished | None:
        found, size = file.found, file.version.size
        free = nobody_writes(descriptor) if found.lease and is_local(descriptor) else None
        if mark(os.fstat(descriptor)) != mark(found.status) or free is False:
            self._unfinished(found)
            return None
        must_rest = free is None or size == 0 or found.rest is not None
        if must_rest and not found.markers and not self._waiting.settled(found):
            return None
        file = file.read(descriptor)
        told = repeated(file.version, file.told)
        data = {} if told else self._data(file, descriptor)
        if mark(os.fstat(descriptor)) != mark(found.status) or not self._going():
            self._unfinished(found)
            return None
        return told or file.new, data

    def _data(self, file: Candidate, descriptor: int) -> dict[str, Any]:
        found = file.found
        data = describe(found.path, found.status) | {"digest": file.version.digest}
        return data | read(descriptor, found.reads, size=file.version.size, going=self._going)

    def _unfinished(self, found: ListedFile, pause: float | None = None) -> None:
        """Look at a file again later; one that takes very long is told, once."""
        self._waiting.again(found, pause)
        if self._waiting.age(found.path) > _LONG:
            what = (
                f"One of {sorted(found.markers)} is missing" if found.markers else "Somebody still writes it"
            )
            self._troubles.tell(found.path, f"The file {found.path!r} waits for over an hour. {what}.")

    def _examine_closed(self, file: Candidate, error: OSError) -> _Finished | None:
        found = file.found
        if error.errno in _NOT_A_FILE:
            self._forget(found.path)
        elif error.errno == errno.EAGAIN:  # someone has a write lease, as Samba does for its clients
            self._waiting.again(found)
        elif told := repeated(file.version, file.unread().told):
            return told, {}
        elif found.reads or error.errno != errno.EACCES:
            self._troubles.tell(found.path, f"The file {found.path!r} cannot be read: {error.strerror}.")
            self._waiting.again(found, HINTED)
        elif self._waiting.settled(found):
            return file.new, describe(found.path, found.status)
        return None


def _batches(found: Iterator[ListedFile]) -> Iterator[Sequence[ListedFile]]:
    while batch := list(islice(found, _BATCH)):
        yield batch
