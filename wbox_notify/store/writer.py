"""The one thread that writes: what has gathered becomes one transaction, so that many share one wait."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from wbox_notify.errors import StoreError
from wbox_notify.store.database import T, Transaction, Values

_MOST_IN_ONE_COMMIT = 500


@dataclass(slots=True)
class Job:
    """Some work that waits for its transaction."""

    work: Callable[..., Any]
    values: tuple[Any, ...]
    future: Future[Any]
    result: Any = field(default=None, init=False)

    def run(self, tx: Transaction, *, fatal: type[Exception]) -> None:
        """Do the work; an error of its own spoils it alone, a ``fatal`` one the whole batch."""
        tx.execute("savepoint job")
        try:
            self.result = self.work(tx, *self.values)
        except fatal:
            raise
        except Exception as error:  # noqa: BLE001 - it is the caller's, who gets it from the future
            tx.execute("rollback to job")
            self.future.set_exception(error)
        tx.execute("release job")


class Writer:
    """A thread that hands an engine the jobs which have gathered, to be committed together.

    ``commit`` runs the jobs in one transaction and returns whether it changed anything; it raises StoreError
    when nothing of them is on disk.
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
        except StoreError as error:
            for job in batch:
                if not job.future.done():
                    job.future.set_exception(error)
            return
        for job in batch:
            if not job.future.done():
                job.future.set_result(job.result)
        if changed:
            self._heard()
