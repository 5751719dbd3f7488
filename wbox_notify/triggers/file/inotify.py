"""Hints of inotify on what has changed. They make the next look quick; the listing alone is the truth."""

import errno
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from posixpath import join

from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchDescriptor,
)

_MASK = Mask(
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MOVED_TO
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ONLYDIR
)


@dataclass
class _Watched:
    """A folder that the kernel watches: its device and number, and the paths that it was listed under."""

    identity: tuple[int, int]
    paths: set[str] = field(default_factory=set)


class Inotify:
    """The paths below the watched folders that have changed since they were last taken.

    It uses watchdog's reader of inotify and not its Observer: that one is silent when the kernel's queue
    overflows, swallows the limits of inotify, and holds back half a second when a file is moved out.
    """

    limit = 4096
    """The most paths that are kept; with more, everything is to be looked at."""

    def __init__(self, wake: threading.Event) -> None:
        """Begin to listen; ``wake`` is set at each hint. Raises OSError if inotify is not available."""
        self._wake = wake
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        self._everything = False
        self._closed = False
        self._watched: dict[WatchDescriptor, _Watched] = {}
        self._by_identity: dict[tuple[int, int], WatchDescriptor] = {}
        self._by_path: dict[str, WatchDescriptor] = {}
        self._me = CallbackId(id(self))
        self._inotify = InotifyFD()
        self._inotify.start()

    @property
    def alive(self) -> bool:
        """Whether hints still come."""
        return self._inotify.is_alive()

    def close(self) -> None:
        """Stop listening."""
        self._inotify.stop()
        self._inotify.join(1.0)

    def take(self) -> set[str] | None:
        """Return the paths that have changed since the last call; None where all may have."""
        with self._lock:
            taken = None if self._everything else self._paths
            self._paths, self._everything, self._closed = set(), False, False
        return taken

    @property
    def awaits_closing(self) -> bool:
        """Whether all that has changed was just made, so that it is most likely being written."""
        with self._lock:
            return bool(self._paths) and not self._closed

    def watch(self, path: str, descriptor: int) -> None:
        """Watch the folder open as ``descriptor``, and report its hints under ``path``. Raises OSError."""
        status = os.fstat(descriptor)
        identity = (status.st_dev, status.st_ino)
        with self._lock:
            watch = self._by_identity.get(identity)
            if watch is None:
                watch = self._by_identity[identity] = self._add(descriptor)
                self._watched[watch] = _Watched(identity)
            if self._by_path.get(path, watch) != watch:
                self._leave(path)
            self._by_path[path] = watch
            self._watched[watch].paths.add(path)

    def _add(self, descriptor: int) -> WatchDescriptor:
        # By its descriptor, so that it is the very folder being listed, whatever its name means by now.
        watch = self._inotify.add_callback(b"/proc/self/fd/%d" % descriptor, _MASK, self, self._me)
        if watch < 0:  # watchdog keeps silent about EACCES
            self._inotify.remove_callbacks([(watch, self._me)])
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return watch

    def leave(self, paths: Iterable[str]) -> None:
        """Stop watching these folders."""
        with self._lock:
            for path in paths:
                self._leave(path)

    def _leave(self, path: str) -> None:
        watch = self._by_path.pop(path, None)
        if watch is None:
            return
        watched = self._watched[watch]
        watched.paths.discard(path)
        if not watched.paths:
            del self._watched[watch], self._by_identity[watched.identity]
            self._inotify.remove_callbacks([(watch, self._me)])

    def on_event(self, event: InotifyEvent) -> None:
        """Note what has changed; watchdog calls it, and an exception here would end its thread."""
        with self._lock:
            watched = self._watched.get(event.wd)
            if watched is not None:
                name = os.fsdecode(event.name)
                self._closed = self._closed or not event.is_create
                self._note(join(path, name) if name else path for path in watched.paths)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """Forget a folder that is gone, and note it as changed; watchdog calls it."""
        with self._lock:
            watched = self._watched.pop(wd, None)
            if watched is not None:
                del self._by_identity[watched.identity]
                for path in watched.paths:
                    self._by_path.pop(path, None)
                self._closed = True
                self._note(watched.paths)

    def on_queue_overflow(self) -> None:
        """Forget all watches: hints were lost, perhaps of folders that are gone; watchdog calls it."""
        with self._lock:
            self._inotify.remove_callbacks([(watch, self._me) for watch in self._watched])
            for known in (self._watched, self._by_identity, self._by_path):
                known.clear()
            self._everything = True
            self._wake.set()

    def _note(self, paths: Iterable[str]) -> None:
        self._paths.update(paths)
        if len(self._paths) > self.limit:
            self._everything = True
        if self._everything:
            self._paths.clear()
        self._wake.set()
