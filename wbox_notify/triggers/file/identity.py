"""Identity: whether a listed file is a version that was told before."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from wbox_notify.model.file_version import FileVersion, Past, digest
from wbox_notify.triggers.file.watch import ListedFile

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file as it was listed, and what was told before that it may be.

    Attributes:
        told: The versions that it may be.
        taken: Whether its id is that of another event already.
    """

    found: ListedFile
    version: FileVersion
    told: Sequence[FileVersion] = ()
    taken: bool = False

    @property
    def new(self) -> FileVersion:
        """The version to be told, where it is new."""
        return replace(self.version, told_as=self.version.next_id) if self.taken else self.version

    def read(self, descriptor: int) -> "Candidate":
        """Return the same with the digest of what is in the file."""
        return replace(self, version=replace(self.version, digest=digest(descriptor, self.version.size)))

    def unread(self) -> "Candidate":
        """Return the same where nothing of it can be read, so that only its other facts are compared."""
        return replace(self, told=[replace(one, digest="") for one in self.told])


def listed(found: ListedFile, past: Past) -> Candidate:
    """Return what is known of a file that was found."""
    moved = (one for one in past.moved if _was_moved(found, one))
    return Candidate(found, found.version, (*past.told, *moved), past.taken)


def repeated(version: FileVersion, told: Iterable[FileVersion]) -> FileVersion | None:
    """Return a version as it is kept where it repeats one of those that were told, else None."""
    for one in told:
        if version.repeats(one):
            told_as = None if one.id == version.first_id else one.id
            return replace(version, told_as=told_as, digest=version.digest or one.digest)
    return None


def is_still(told: FileVersion, folder: int, name: str, status: os.stat_result) -> bool:
    """Return whether a file in an open folder is the version that was told. Raises OSError."""
    now = FileVersion.of(told.path, told.root, status)
    same = now.repeats(told)
    if same is not None:
        return same
    try:
        descriptor = os.open(name, _FLAGS, dir_fd=folder)
    except PermissionError:
        return bool(now.repeats(replace(told, digest="")))
    try:
        return bool(replace(now, digest=digest(descriptor, now.size)).repeats(told))
    finally:
        os.close(descriptor)


def _was_moved(found: ListedFile, told: FileVersion) -> bool:
    """Return whether a file has left another path, and no rule takes it here that did not take it there."""
    if told.path == found.path:  # it came here from another one before
        return True
    try:
        if os.lstat(told.path).st_ino == found.status.st_ino:
            return False
    except OSError:
        pass  # nothing is there any more
    watches = found.place.watches
    return all(watch.followers(found.path) <= watch.followers(told.path) for watch in watches)
