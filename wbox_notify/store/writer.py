"""The one thread that writes: what has gathered becomes one transaction, so that many share one wait."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from wbox_notify.errors import StoreError
from wbox_notify.store.database import RefusedError, T, Transaction, Values

_MOST_IN_ONE_COMMIT = 500


@dataclass(slots=True)
class Job:
    """Some work that waits for its transaction."""

    work: Callable[..., Any]
    values: tuple[Any, ...]
    future: Future[Any]
    result: Any = field(default=None, init=False)

    def run(self, tx: Transaction) -> None:
        """Do the work, maybe for the second time."""
        self.result = self.work(tx, *self.values)


class Writer:
    """A thread that hands an engine the jobs which have gathered, to be committed together.

    ``commit`` runs the jobs in one transaction and returns whether it changed anything; whatever it raises,
    nothing of them is on disk.
    """

    def __init__(self, commit: Callable[[Sequence[Job]], bool]) -> None:
        self._commit = commit
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._heard: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._write_all, name="store-writer", daemon=True)
        self._thread.start()

    def write(self, work: Callable[[Transaction, *Values], T], *values: *Values) -> Future[T]:
        """Do some work in a transaction; the future is done when its effect is on disk."""
        future: Future[T] = Future()
        self._jobs.put(Job(work, values, future))
        return future

    def listen(self, heard: Callable[[], None]) -> None:
        """Call a function after each commit that changed something, from the thread that writes."""
        self._heard = heard

    def close(self) -> None:
        """Commit what is queued, then end."""
        self._jobs.put(None)
        self._thread.join()

    def _write_all(self) -> None:
        last = False
        while not last:
            gathered = [self._jobs.get()]
            while len(gathered) < _MOST_IN_ONE_COMMIT:
                try:
                    gathered.append(self._jobs.get_nowait())
                except Empty:
                    break
            batch = [job for job in gathered if job is not None]
            last = len(batch) < len(gathered)
            if batch:
                self._write(batch)

    def _write(self, batch: Sequence[Job]) -> None:
        try:
            changed = self._commit(batch)
        except Exception as error:  # noqa: BLE001 - it is its caller's, who gets it from the future
            is_of_all = isinstance(error, StoreError) and not isinstance(error, RefusedError)
            if is_of_all or len(batch) == 1:
                self._fail(batch, error)
            else:
                self._write_singly(batch)
            return
        for job in batch:
            if not job.future.done():  # its caller may wait no longer
                job.future.set_result(job.result)
        if changed:
            self._heard()

    def _write_singly(self, batch: Sequence[Job]) -> None:
        """Give each job a transaction of its own, so that the one that fails spoils no other."""
        for job in batch:
            self._write([job])

    @staticmethod
    def _fail(batch: Sequence[Job], error: Exception) -> None:
        for job in batch:
            if not job.future.done():
                job.future.set_exception(error)
