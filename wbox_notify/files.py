"""FileVersion: one version of one file, the id that it always has, and what became of it."""

import hashlib
import os
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


@dataclass(frozen=True, slots=True)
class FileVersion:
    """A file as it was at one time.

    Attributes:
        path: Its absolute path; undecodable bytes in it are surrogates.
        root: The watched folder that it was found in.
    """

    path: str
    root: str
    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: str, root: str, status: os.stat_result) -> Self:
        """Return the version that a file's status tells of."""
        return cls(path, root, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)

    @property
    def id(self) -> str:
        """The id of the event that tells of it: the same after a restart, a reboot and on any machine.

        So neither device nor inode is in it: on network file systems they change.
        """
        digest = hashlib.sha256(b"%s\0%d\0%d" % (os.fsencode(self.path), self.size, self.mtime_ns))
        return f"file:{digest.hexdigest()[:32]}"


class Fate(StrEnum):
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
