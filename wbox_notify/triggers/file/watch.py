"""Watched folders, and the files that are listed in them."""

import math
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from wbox_notify.model.file_version import FileVersion

_DOWNLOADS = (".part", ".partial", ".crdownload", ".opdownload", ".download", ".filepart", ".aria2")
"""Endings that browsers and other programs add to the name of a file while they download it."""

_MOST_PASSED = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """The wishes of the rules that take a file.

    Attributes:
        rules: Their ids.
        reads: What to read of it: any of ``sha256`` and ``text``.
        rest: Seconds that it must rest whatever the kernel says; None for none.
        settle: Seconds that it must rest where the kernel cannot tell that it is finished.
        lease: False if writers come and go within one file (a folder that this machine serves to others).
        least: Its smallest size in bytes; a smaller one is waited for.
        markers: The other files that must be there before it is finished.
        history: Whether it is passed over if it is there at the first listing.
    """

    rules: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    rest: float | None = None
    settle: float = 2.0
    lease: bool = True
    least: int = 0
    markers: frozenset[str] = frozenset()
    history: bool = False

    def __or__(self, other: "Want") -> "Want":
        """Return what both want together."""
        rests = [want.rest for want in (self, other) if want.rest is not None]
        return Want(
            rules=self.rules | other.rules,
            reads=self.reads | other.reads,
            rest=max(rests, default=None),
            settle=max(self.settle, other.settle),
            lease=self.lease and other.lease,
            least=min(self.least, other.least),
            markers=self.markers | other.markers,
            history=self.history and other.history,
        )


@dataclass(frozen=True, slots=True)
class Watch:
    """One folder that rules watch.

    Attributes:
        root: The folder, a plain path; all below it is watched too. It may be a link; links below it are not
            followed.
        accepts: Whether some rule takes a file, by its absolute path.
        want: What the rules that take a file want of it, by its path.
        own: Whether a file belongs to the daemon, by its status.
        miss: Why no rule accepts a path, where one nearly does.
        poll: Seconds between two listings; None leaves it to the source.
        begun: Called when the first listing of the folder is over, and all in it is kept.
    """

    root: Path
    accepts: Callable[[str], bool]
    want: Callable[[str], Want] = lambda _path: Want()
    own: Callable[[os.stat_result], bool] = lambda _status: False
    miss: Callable[[str], str | None] = lambda _path: None
    poll: float | None = None
    begun: Callable[[], None] = lambda: None


@dataclass(slots=True)
class Root:
    """A watched folder and all below it that is not below another root.

    Attributes:
        identity: The device and number of the folder at its last listing; None where it was not there.
        due: When it is listed again.
        hinted: Whether inotify reports all changes in it.
        mounted: Whether something was mounted at it.
        listed: Whether its last listing was complete.
        begun: Whether all that was there at first is kept.
        seen: The marks of the files that were seen, by folder and name.
        passed: Paths that no watch accepts, so that it is asked once; it is emptied when there are too many.
    """

    path: str
    watches: list[Watch]
    identity: tuple[int, int] | None = None
    due: float = -math.inf
    hinted: bool = False
    mounted: bool = False
    listed: bool = False
    begun: bool = False
    seen: dict[str, dict[str, tuple[int, ...]]] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)

    @property
    def poll(self) -> float | None:
        """Seconds between two listings, if a watch sets them."""
        return min((watch.poll for watch in self.watches if watch.poll is not None), default=None)

    def accepting(self, path: str) -> list[Watch]:
        """Return the watches that accept a path."""
        if path in self.passed:
            return []
        watches = [watch for watch in self.watches if watch.accepts(path)]
        if not watches:
            if len(self.passed) >= _MOST_PASSED:
                self.passed.clear()
            self.passed.add(path)
        return watches

    def begin(self) -> None:
        """Note that all that was there at first is kept."""
        self.begun = True
        for watch in self.watches:
            if str(watch.root) == self.path:
                watch.begun()


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file as it was listed, and what the rules that take it want of it."""

    root: Root
    path: str
    status: os.stat_result
    want: Want

    @property
    def version(self) -> FileVersion:
        """The facts by which it is known."""
        return FileVersion.of(self.path, self.root.path, self.status)

    @property
    def is_history(self) -> bool:
        """Whether it was there before the first listing, and is passed over for that."""
        return self.want.history and not self.root.begun

    @property
    def settle(self) -> float:
        """Seconds that it must rest where a lease does not show that it is finished."""
        if self.want.rest is not None:
            return self.want.rest
        return self.want.settle

    @property
    def awaits_download(self) -> bool:
        """Whether it is an empty placeholder of a download beside it."""
        downloads = (f"{self.path}{ending}" for ending in _DOWNLOADS)
        return self.status.st_size == 0 and any(map(os.path.lexists, downloads))


def mark(status: os.stat_result) -> tuple[int, ...]:
    """Return what stays the same as long as nothing happens to a file: its number, size and times."""
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def full_mark(status: os.stat_result) -> tuple[int, ...]:
    """Return the same with its device and type, for a file that may be another one when it is opened."""
    return (status.st_dev, stat.S_IFMT(status.st_mode), *mark(status))
