"""Watched folders, and the files that are listed in them."""

import math
import os
import stat
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wbox_notify.model.file_version import FileVersion

_DOWNLOADS = (".part", ".partial", ".crdownload", ".opdownload", ".download", ".filepart", ".aria2")
"""What browsers and other programs add to the name of a file while they download it."""


@dataclass(frozen=True, slots=True)
class Watch:
    """One folder that rules watch.

    Attributes:
        root: The folder, a plain path; all below it is watched too. It may be a link; links below it are not
            followed.
        accepts: Whether some rule wants a file, by its absolute path.
        own: Whether a file belongs to the daemon, by its status.
        miss: Why no rule accepts a path, where one nearly does.
        reads: What to read of a file: any of ``sha256`` and ``text``, or a function of the path.
        settle: Seconds that a file must rest where the kernel cannot tell that it is finished.
        rest: Seconds that a file must rest whatever the kernel says, by its path; None for none.
        lease: False if writers come and go within one file (a folder that this machine serves to others).
        poll: Seconds between two listings; None leaves it to the source.
        least: The smallest size of a file in bytes, by its path.
        markers: The other files that must be there before one is finished, by its path.
        followers: The rules that a file sets off, by its path.
        history: Whether a file is passed over if it is there at the first listing, by its path.
        begun: Called when the first listing of the folder is over, and all in it is kept.
    """

    root: Path
    accepts: Callable[[str], bool]
    reads: frozenset[str] | Callable[[str], frozenset[str]]
    own: Callable[[os.stat_result], bool] = lambda _status: False
    miss: Callable[[str], str | None] = lambda _path: None
    settle: float = 2.0
    rest: Callable[[str], float | None] = lambda _path: None
    lease: bool = True
    poll: float | None = None
    least: Callable[[str], int] = lambda _path: 0
    markers: Callable[[str], Collection[str]] = lambda _path: ()
    followers: Callable[[str], frozenset[str]] = lambda _path: frozenset()
    history: Callable[[str], bool] = lambda _path: False
    begun: Callable[[], None] = lambda: None

    def reads_of(self, path: str) -> frozenset[str]:
        """Return what to read of one file."""
        return self.reads(path) if callable(self.reads) else self.reads


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

    @property
    def poll(self) -> float | None:
        """Seconds between two listings, if a watch sets them."""
        return min((watch.poll for watch in self.watches if watch.poll is not None), default=None)

    def begin(self) -> None:
        """Note that all that was there at first is kept."""
        self.begun = True
        for watch in self.watches:
            if str(watch.root) == self.path:
                watch.begun()


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file as it was listed, and the watches that want it."""

    root: Root
    path: str
    status: os.stat_result
    watches: Sequence[Watch]

    @property
    def version(self) -> FileVersion:
        """The facts by which it is known."""
        return FileVersion.of(self.path, self.root.path, self.status)

    @property
    def is_wanted(self) -> bool:
        """Whether it is a plain file, large enough, and not the daemon's own."""
        if not stat.S_ISREG(self.status.st_mode):
            return False
        if self.status.st_size < min(watch.least(self.path) for watch in self.watches):
            return False
        return not any(watch.own(self.status) for watch in self.watches)

    @property
    def is_history(self) -> bool:
        """Whether it was there before the first listing, and every watch passes over such files."""
        return not self.root.begun and all(watch.history(self.path) for watch in self.watches)

    @property
    def markers(self) -> frozenset[str]:
        """The other files that must be there before it is finished."""
        return frozenset().union(*(watch.markers(self.path) for watch in self.watches))

    @property
    def reads(self) -> frozenset[str]:
        """All that a watch reads of it."""
        return frozenset().union(*(watch.reads_of(self.path) for watch in self.watches))

    @property
    def lease(self) -> bool:
        """Whether a lease shows that it is finished."""
        return all(watch.lease for watch in self.watches)

    @property
    def rest(self) -> float | None:
        """Seconds that it must rest in any case; None for none."""
        rests = (watch.rest(self.path) for watch in self.watches)
        return max((seconds for seconds in rests if seconds is not None), default=None)

    @property
    def settle(self) -> float:
        """Seconds that it must rest where a lease does not show that it is finished."""
        if self.rest is not None:
            return self.rest
        return max(watch.settle for watch in self.watches)

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
