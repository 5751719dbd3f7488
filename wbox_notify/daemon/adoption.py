"""Adoption: what a machine took in on which no daemon lives any more goes on here."""

import os
from collections.abc import Callable, Container

from wbox_notify.model.file_version import FileVersion
from wbox_notify.model.loop import PeriodicThread
from wbox_notify.store import Store

_EVERY = 3.0


class Adoption(PeriodicThread):
    """Looks, where several daemons share a store, for what others have left.

    Events are planned anywhere; what follows from a file, only where that very file is seen, as on a folder
    that machines share and rules watch here too; else it waits for its machine. ``watched`` returns the
    folders that rules watch; ``wake`` lets the planner look for what was taken over.
    """

    def __init__(self, store: Store, watched: Callable[[], Container[str]], wake: Callable[[], None]) -> None:
        super().__init__("adoption", self.step, "what other machines have left waits", delay=_EVERY)
        self._store = store
        self._watched = watched
        self._wake = wake

    def step(self) -> float:
        """Take over what can go on here; return the seconds until the next look."""
        adopted = self._store.adopt().result()
        left = self._store.files.left()
        watched = self._watched() if left else ()
        seen = [version for version in left if version.root in watched and _is_seen(version)]
        if seen:
            self._store.adopt_files(seen).result()
        if adopted or seen:
            self._wake()
        return _EVERY


def _is_seen(version: FileVersion) -> bool:
    """Return whether the very file that an event told of lies at its path."""
    try:
        status = os.lstat(version.path)
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (version.size, version.mtime_ns)
