"""FileVersion: one version of one file, the id that it always has, and what became of it."""

import hashlib
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

WHOLE = 1024 * 1024
"""Up to so many bytes a file's ``digest`` is that of all that is in it; of a larger one, of samples."""

_MOST = 2**63 - 1
"""Numbers of files may be larger than those of a database."""

_SOON = 60 * 10**9
"""Nanoseconds for which a time that is set on a file is taken for the end of its copying."""

_SAMPLES = 16

_EARLIEST, _LATEST = -62_104_000_000.0, 253_370_000_000.0
"""The years 1 and 9999 in seconds since the epoch, about: file systems have times that no calendar has."""


def digest(descriptor: int, size: int) -> str:
    """Return what tells the content of an open file from another of the same size.

    It costs the reading of ``WHOLE`` bytes at most: of a larger file, samples from one end to the other.
    """
    found = hashlib.sha256()
    if size <= WHOLE:
        found.update(os.pread(descriptor, WHOLE, 0))
    else:
        length = WHOLE // _SAMPLES
        for number in range(_SAMPLES):
            found.update(os.pread(descriptor, length, (size - length) * number // (_SAMPLES - 1)))
    return found.hexdigest()


def mtime(status: os.stat_result) -> float:
    """Return when a file was changed, as its event says it: in seconds since the epoch."""
    return max(_EARLIEST, min(status.st_mtime, _LATEST))


def is_told(descriptor: int, told: Mapping[str, Any]) -> bool:
    """Return whether an open file is what an event told of, by its ``size``, ``mtime`` and ``digest``."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or told["size"] != status.st_size:
        return False
    if told["mtime"] == mtime(status):
        return True
    # Its time may have been set since.
    return bool(told.get("digest")) and told["digest"] == digest(descriptor, status.st_size)


@dataclass(frozen=True, slots=True)
class FileVersion:
    """A file as it was at one time.

    Attributes:
        path: Its absolute path; undecodable bytes in it are surrogates.
        root: The watched folder that it was found in.
        ctime_ns: When its content, name, times, mode or owner changed last; None where nobody noted it.
        digest: What tells its content from another of the same size, see ``WHOLE``; empty where unread.
        told_as: The id of the event that told of it, where that is not what the other facts give now.
    """

    path: str
    root: str
    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int | None = None
    digest: str = ""
    told_as: str | None = None

    @classmethod
    def of(cls, path: str, root: str, status: os.stat_result) -> Self:
        """Return the version that a file's status tells of."""
        device, inode = status.st_dev & _MOST, status.st_ino & _MOST
        return cls(path, root, device, inode, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    @property
    def id(self) -> str:
        """The id of the event that tells of it: the same after a restart, a reboot and on any machine.

        So neither device nor inode is in it: on network file systems they change.
        """
        return self.told_as or self.first_id

    @property
    def first_id(self) -> str:
        """The id that its path, size and time give."""
        return _id(b"%s\0%d\0%d" % (os.fsencode(self.path), self.size, self.mtime_ns))

    @property
    def next_id(self) -> str:
        """The id of another file that has the path, size and time of one that was told before."""
        facts = (os.fsencode(self.path), self.size, self.mtime_ns, self.ctime_ns or 0, self.digest.encode())
        return _id(b"%s\0%d\0%d\0%d\0%s" % facts)

    def repeats(self, told: "FileVersion") -> bool | None:
        """Return whether it has the content of a version that was told before; None: only a digest can tell.

        A change of time, mode, owner or name is no new content. A time that equals the change of the file
        itself was not set by anybody: then it was written, or somebody used ``touch`` to have it told again.
        """
        if told.size != self.size:
            return False
        alike, stays = told.mtime_ns == self.mtime_ns, told.inode == self.inode
        untouched = told.ctime_ns is None or told.ctime_ns == self.ctime_ns
        if alike and untouched and (stays or not told.digest):
            return True
        if not alike and (not stays or self.mtime_ns == self.ctime_ns):
            return False
        return self._compared(told, alike=alike, stays=stays)

    def _compared(self, told: "FileVersion", *, alike: bool, stays: bool) -> bool | None:
        """Compare what is in both, as far as it is known."""
        noted = self.ctime_ns is not None and told.ctime_ns is not None
        soon = noted and (self.ctime_ns or 0) - (told.ctime_ns or 0) <= _SOON
        if not told.digest:
            return stays and (alike or soon)
        if not self.digest:
            return None
        return told.digest == self.digest and (alike or soon or self.size <= WHOLE)


def _id(facts: bytes) -> str:
    return f"file:{hashlib.sha256(facts).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a file that was just listed.

    Attributes:
        told: Versions under its path that were told before: the last one, and one of its own id.
        moved: Versions that were told, mostly under another path, and have its inode, size, time and name.
        taken: Whether its id is that of another event already.
    """

    told: tuple[FileVersion, ...] = ()
    moved: tuple[FileVersion, ...] = ()
    taken: bool = False


Known = Callable[[Sequence[FileVersion]], Mapping[FileVersion, Past]]
"""Returns the past of those files that have one."""


class FileState(StrEnum):
    """What became of a version of a file."""

    SEEN = "seen"
    """Its event is kept; the file stays where it is."""
    IGNORED = "ignored"
    """It was there before its rule, which does not want such files: there is no event."""
    OPEN = "open"
    """Its event is kept; the file is put away when all its messages are final."""
    DONE = "done"
    FAILED = "failed"
    DUPLICATE = "duplicate"
    LEFT = "left"
    """It was to be put away, but stays where it is; why is kept with it."""
    PUT = "put"
    """We put it there ourselves."""
