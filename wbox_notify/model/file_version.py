"""Versions of files: the id that each always has, and its state."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

WHOLE = 1024 * 1024
"""Up to so many bytes a file's ``digest`` is that of its whole content; of a larger one, of samples."""

_MOST = 2**63 - 1
"""Numbers of files may be larger than those of a database."""

_SOON = 60 * 10**9
"""Nanoseconds within which a time that is set on a file counts as the end of its copying."""

_SAMPLES = 16
_BLOCK = 1024 * 1024

_EARLIEST, _LATEST = -62_104_000_000.0, 253_370_000_000.0
"""The years 1 and 9999 in seconds since the epoch, about: file systems have times that no calendar has."""


def digest(descriptor: int, size: int) -> str:
    """Return a digest of the content of an open file, to compare it with another of the same size.

    At most ``WHOLE`` bytes are read: of a larger file, samples from one end to the other.
    """
    sha256 = hashlib.sha256()
    if size <= WHOLE:
        sha256.update(os.pread(descriptor, size, 0))
    else:
        length = WHOLE // _SAMPLES
        for number in range(_SAMPLES):
            sha256.update(os.pread(descriptor, length, (size - length) * number // (_SAMPLES - 1)))
    return sha256.hexdigest()


def blocks(descriptor: int, size: int, going: Callable[[], bool] = lambda: True) -> Iterator[bytes]:
    """Yield the first ``size`` bytes of an open file, as far as there are any and ``going`` returns True."""
    position = 0
    while position < size and going():
        block = os.pread(descriptor, min(_BLOCK, size - position), position)
        if not block:
            return
        position += len(block)
        yield block


def mtime(status: os.stat_result) -> float:
    """Return when a file was changed, as in its event: in seconds since the epoch."""
    return max(_EARLIEST, min(status.st_mtime, _LATEST))


def is_told(descriptor: int, told: Mapping[str, Any]) -> bool:
    """Return whether an open file is the version of an event, by ``size``, ``mtime`` and ``digest``."""
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
        ctime_ns: When its content, name, times, mode or owner changed last; None where it was not noted.
        digest: The digest of its content, see ``WHOLE``; empty where it was not read.
        told_as: The id of its event, where the other facts give another id now.
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
        """Return the version of a file by its status."""
        device, inode = status.st_dev & _MOST, status.st_ino & _MOST
        return cls(path, root, device, inode, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    @property
    def id(self) -> str:
        """The id of its event: the same after a restart, a reboot and on any machine.

        So neither device nor inode is in it: on network file systems they change.
        """
        return self.told_as or self.first_id

    @property
    def first_id(self) -> str:
        """The id by its path, size and time."""
        return _id(b"%s\0%d\0%d" % (os.fsencode(self.path), self.size, self.mtime_ns))

    @property
    def next_id(self) -> str:
        """The id of another file that has the path, size and time of one that was told before."""
        facts = (os.fsencode(self.path), self.size, self.mtime_ns, self.ctime_ns or 0, self.digest.encode())
        return _id(b"%s\0%d\0%d\0%d\0%s" % facts)

    def repeats(self, told: "FileVersion") -> bool | None:
        """Return whether it has the content of a version that was told before; None if a digest must decide.

        A change of time, mode, owner or name is no new content. A time that equals the change of the file
        itself was not set afterwards: the file was written, or touched in order to be told again.
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
        """Compare the content of both, as far as it is known."""
        near = alike or self._was_changed_soon_after(told)
        if not told.digest:
            return stays and near
        if not self.digest:
            return None
        return told.digest == self.digest and (near or self.size <= WHOLE)

    def _was_changed_soon_after(self, told: "FileVersion") -> bool:
        if self.ctime_ns is None or told.ctime_ns is None:
            return False
        return self.ctime_ns - told.ctime_ns <= _SOON


def _id(facts: bytes) -> str:
    return f"file:{hashlib.sha256(facts).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class Past:
    """The versions that were told before, of a file that was just listed.

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
    """The state of a version of a file."""

    SEEN = "seen"
    """Its event is kept; the file stays where it is."""
    IGNORED = "ignored"
    """It was there before its rule, which passes over such files: there is no event."""
    OPEN = "open"
    """Its event is kept; the file is archived when all its messages are final."""
    DONE = "done"
    FAILED = "failed"
    DUPLICATE = "duplicate"
    LEFT = "left"
    """It should be archived, but stays where it is; the reason is kept with it."""
    PUT = "put"
    """The daemon has put it there."""
