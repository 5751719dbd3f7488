"""Private files: written atomically for our own user, read only if no other user could change them."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from wbox_notify.errors import WboxError
from wbox_notify.model.texts import Wording

_MOST = 64 * 1024
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class ForeignError(WboxError):
    """Another user may have read or written a private file."""


def write(path: Path, content: bytes) -> None:
    """Write a private file atomically, also against a power cut. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)  # what a crash left
    try:
        with os.fdopen(os.open(part, _NEW, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    sync(path.parent)


def read(path: Path) -> bytes:
    """Return the first 64 KiB of a private file.

    The owner of its folder may own it too: root reads the files of a daemon that runs as another user.

    Raises:
        ForeignError: it is no plain file, another user owns it, or others can read or change it.
        OSError: it cannot be read.
    """
    try:
        descriptor = os.open(path, _READ)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ForeignError(Wording("{path} is a link", path=path)) from None
        raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ForeignError(Wording("{path} is not a file", path=path))
        if status.st_uid not in {os.geteuid(), path.parent.stat().st_uid}:
            raise ForeignError(Wording("another user owns {path}", path=path))
        if status.st_mode & 0o077:
            raise ForeignError(Wording("others can read or change {path}", path=path))
        return os.pread(descriptor, _MOST, 0)
    finally:
        os.close(descriptor)


def sync(folder: Path) -> None:
    """Write the names in a folder to disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def writers(path: Path) -> str | None:
    """Return who else can write to a file or a folder, as a sentence, or None."""
    try:
        status = path.stat()
    except OSError:
        return None  # a missing file is reported elsewhere
    if status.st_mode & stat.S_IWOTH:
        return Wording("everybody on this machine can write to {path}", path=path)
    # A group of our own is ours: many systems give each user one, and let it write.
    if status.st_mode & stat.S_IWGRP and status.st_gid not in {0, os.getegid()}:
        return Wording("a group can write to {path}", path=path)
    return None


def is_foreign(path: Path) -> bool:
    """Return whether a file or a folder belongs to another user than ours or root."""
    try:
        return path.stat().st_uid not in {0, os.geteuid()}
    except OSError:
        return False


def doorway(path: Path) -> Path | None:
    """Return a folder above a path in which everybody can replace what leads to it, or None."""
    for folder in Path(os.path.realpath(path)).parents:
        with suppress(OSError):
            mode = folder.stat().st_mode
            if stat.S_ISDIR(mode) and mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
                return folder
    return None
