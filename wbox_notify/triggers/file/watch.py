"""What is watched, and what is found there."""

import math
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wbox_notify.model.file_version import FileVersion

_DOWNLOADS = (".part", ".partial", ".crdownload", ".opdownload", ".download", ".filepart", ".aria2")
"""What browsers and other programs add to the name of a file while they fetch it."""


@dataclass(frozen=True, slots=True)
class Watch:
    """One folder that rules watch.

    Attributes:
        root: The folder, a plain path; all below it is watched too. It may be a link, nothing below it is
            followed.
        accepts: Says of an absolute path whether some rule wants it.
        own: Says by its status that a file is one of the daemon's own, by another name.
        miss: Says of a path that nobody accepts why, where some rule hardly misses it.
        reads: What to read of a file: any of ``sha256`` and ``text``, or a function of the path.
        settle: Seconds that a file must rest where the kernel cannot tell that it is finished.
        rest: Says of a path how many seconds a file must rest whatever the kernel says, if any.
        lease: False if writers come and go within one file (a folder that this machine serves to others).
        poll: Seconds between two listings; None leaves it to the source.
        least: Says of a path how many bytes a file must have; a smaller one is waited for.
        markers: Says of a path which other files must be there before it is finished.
        followers: Says of a path which rules it sets off.
        history: Says of a path whether it is passed over if it is there at the first listing.
        begun: Is called when the first listing of the folder is over, and all in it is kept.
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
class Place:
    """A folder given as a root, and all below it that is not below another root."""

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
        """Seconds between two listings, if somebody has said so."""
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

    place: Place
    path: str
    status: os.stat_result
    watches: Sequence[Watch]

    @property
    def version(self) -> FileVersion:
        """What it is known by."""
        return FileVersion.of(self.path, self.place.path, self.status)

    @property
    def is_history(self) -> bool:
        """Whether it was there before anybody watched, and nobody wants it for that."""
        return not self.place.begun and all(watch.history(self.path) for watch in self.watches)

    @property
    def markers(self) -> frozenset[str]:
        """The other files that must be there before it is finished."""
        return frozenset().union(*(watch.markers(self.path) for watch in self.watches))

    @property
    def reads(self) -> frozenset[str]:
        """All that some watch wants to know of it."""
        return frozenset().union(*(watch.reads_of(self.path) for watch in self.watches))

    @property
    def lease(self) -> bool:
        """Whether a lease tells the truth about it."""
        return all(watch.lease for watch in self.watches)

    @property
    def rest(self) -> float | None:
        """Seconds that it must rest in any case, if somebody has said so."""
        given = (watch.rest(self.path) for watch in self.watches)
        return max((seconds for seconds in given if seconds is not None), default=None)

    @property
    def settle(self) -> float:
        """Seconds that it must rest if a lease does not tell."""
        return max(watch.settle for watch in self.watches) if self.rest is None else self.rest

    @property
    def awaits_download(self) -> bool:
        """Whether it holds the place for what is being downloaded beside it."""
        beside = (f"{self.path}{ending}" for ending in _DOWNLOADS)
        return self.status.st_size == 0 and any(map(os.path.lexists, beside))
