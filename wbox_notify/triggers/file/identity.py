"""Identity of a listed file: whether it is a version that was told before."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from wbox_notify.model.file_version import FileVersion, Past, digest
from wbox_notify.triggers.file.watch import ListedFile, Watch

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Candidate:
    """A listed file, and the versions told before that it may be.

    Attributes:
        told: The versions that it may be.
        taken: Whether its id is that of another event already.
    """

    file: ListedFile
    version: FileVersion
    told: Sequence[FileVersion] = ()
    taken: bool = False

    @classmethod
    def of(cls, file: ListedFile, version: FileVersion, past: Past) -> "Candidate":
        """Return a file, in its version, with what is known of it."""
        moved = (told for told in past.moved if _was_moved(file, told))
        return cls(file, version, (*past.told, *moved), past.taken)

    @property
    def new(self) -> FileVersion:
        """The version to be told, where it is new."""
        if self.taken:
            return replace(self.version, told_as=self.version.next_id)
        return self.version

    def repeated(self) -> FileVersion | None:
        """Return the version as it is kept where it repeats one of those that were told, else None."""
        for told in self.told:
            if self.version.repeats(told):
                told_as = None if told.id == self.version.first_id else told.id
                return replace(self.version, told_as=told_as, digest=self.version.digest or told.digest)
        return None

    def read(self, descriptor: int) -> "Candidate":
        """Return the same with the digest of its content."""
        return replace(self, version=replace(self.version, digest=digest(descriptor, self.version.size)))

    def unread(self) -> "Candidate":
        """Return the same where its content cannot be read, so that only its other facts are compared."""
        return replace(self, told=[replace(version, digest="") for version in self.told])


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


def _was_moved(file: ListedFile, told: FileVersion) -> bool:
    """Return whether a file has left another path, and no rule takes it here that did not take it there."""
    if told.path == file.path:  # it came here from another one before
        return True
    try:
        if os.lstat(told.path).st_ino == file.status.st_ino:
            return False
    except OSError:
        pass  # nothing is there any more
    watches = file.root.watches
    return all(_rules(watch, file.path) <= _rules(watch, told.path) for watch in watches)


def _rules(watch: Watch, path: str) -> frozenset[str]:
    return watch.want(path).rules if watch.accepts(path) else frozenset()
