"""Ingest of a file into the spool: opened without following links or blocking, checked, copied."""

import errno
import fcntl
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wbox_notify.config.media import Media
from wbox_notify.config.own import Own
from wbox_notify.config.settings import Settings
from wbox_notify.errors import WboxError
from wbox_notify.media.kinds import HEAD, recognise, safe_name
from wbox_notify.media.spool import Copy, Spool
from wbox_notify.model.file_version import is_told
from wbox_notify.model.text import one_line
from wbox_notify.model.texts import Wording

_PASSING = frozenset(
    {
        *(errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE, errno.ETIMEDOUT),
        *(errno.EAGAIN, errno.EINTR, errno.EBUSY, errno.EMFILE, errno.ENFILE, errno.ENOMEM),
    }
)
"""Errors of a disk or a system that may pass."""

_WHAT = {
    "image": Wording("a picture"),
    "video": Wording("a video"),
    "audio": Wording("a sound"),
    "document": Wording("a document"),
}
_LOOKING = getattr(os, "O_PATH", os.O_RDONLY | os.O_NONBLOCK)
_LONGEST_PATH = 1024
_OPEN_FILES = Path("/dev/fd" if sys.platform == "darwin" else "/proc/self/fd")
_UNITS = (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10))


class MediaError(WboxError):
    """A file cannot be sent as media; ``retry`` where it may be possible later."""

    def __init__(self, problem: str, *, hint: str | None = None, retry: bool = False) -> None:
        # A name may hold characters that no database takes, and line breaks.
        super().__init__(one_line(problem), hint=hint)
        self.retry = retry


class FullError(MediaError):
    """There is no room for a file."""


def passes(error: OSError | ValueError) -> bool:
    """Return whether an error may pass."""
    return isinstance(error, OSError) and error.errno in _PASSING


@contextmanager
def opened(path: Path, roots: Iterable[Path] | None, own: Own) -> Iterator[int]:
    """Give a descriptor of a regular file, and close it afterwards.

    Args:
        path: The file; neither a link nor a second name of a file.
        roots: The folders of which one must hold it; None allows any.
        own: The files of the daemon, which are refused.

    Raises:
        MediaError: it cannot be sent.
    """
    try:
        # Checked before it is opened: opening a device or a pipe may act on it, or wait for its other end.
        handle = os.open(path, _LOOKING | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise MediaError(
            Wording("{path} cannot be opened: {reason}", path=path, reason=_reason(error)),
            retry=passes(error),
        ) from None
    try:
        _check(path, os.fstat(handle), _place(handle), roots, own)
        descriptor = os.open(_OPEN_FILES / str(handle), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise MediaError(
            Wording("{path} cannot be read: {reason}", path=path, reason=_reason(error)), retry=passes(error)
        ) from None
    finally:
        os.close(handle)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _place(handle: int) -> Path:
    """Return where an open file is."""
    if hasattr(fcntl, "F_GETPATH"):  # on macOS
        return Path(os.fsdecode(fcntl.fcntl(handle, fcntl.F_GETPATH, bytes(_LONGEST_PATH)).rstrip(b"\0")))
    return (_OPEN_FILES / str(handle)).readlink()


def _check(path: Path, status: os.stat_result, real: Path, roots: Iterable[Path] | None, own: Own) -> None:
    """Refuse what is not a regular file with one name, in an allowed folder and not of the daemon."""
    if stat.S_ISLNK(status.st_mode):
        raise MediaError(
            Wording("{path} is a link, and links are not followed", path=path), hint="name the file itself"
        )
    if not stat.S_ISREG(status.st_mode):
        raise MediaError(Wording("{path} is not a file", path=path))
    if status.st_nlink > 1:
        hint = "it may be the file of another user under a second name: copy it instead"
        raise MediaError(Wording("{path} has a second name (a hard link)", path=path), hint=hint)
    if part := own.at(real):
        raise MediaError(
            Wording("{path} belongs to the daemon ({what}) and is never sent", path=path, what=part.what)
        )
    if roots is not None and not any(real.is_relative_to(os.path.realpath(root)) for root in roots):
        hint = "begin `file:` with a folder, as in `file: /srv/charts/{{ body.name }}.png`"
        raise MediaError(
            Wording("{path} is in no folder that the rule watches or names", path=path), hint=hint
        )


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return str(error.strerror)
    return Wording("no file can have this name")


def take(
    spool: Spool,
    path: Path,
    allowed: Iterable[Path] | None,
    settings: Settings,
    told: Sequence[Mapping[str, Any]] = (),
) -> Copy:
    """Copy a file into the spool, from one of the allowed folders or, with None, from any.

    Where events ``told`` of a file at this path, it must be the version that one of them told of.

    Raises:
        MediaError: it cannot be sent.
    """
    with opened(path, allowed, settings.own) as descriptor:
        if told and not any(is_told(descriptor, data) for data in told):
            raise MediaError(Wording("{path} has changed since it was reported", path=path))
        before = os.fstat(descriptor)
        size = before.st_size
        try:
            kind = recognise(os.pread(descriptor, HEAD, 0), path.name)
            _check_size(path, size, kind.family, settings.media)
            _check_room(path, size, spool.used(), settings.media)
            sha256 = spool.copy(descriptor, size)
            after = os.fstat(descriptor)
            # Perhaps only its time was set meanwhile: then a second copy has the same content.
            if _changed(before, after) and spool.copy(descriptor, size) == sha256:
                before, after = after, os.fstat(descriptor)
        except OSError as error:
            raise MediaError(
                Wording("{path} cannot be copied: {reason}", path=path, reason=error.strerror),
                retry=passes(error),
            ) from None
    if size != after.st_size or _changed(before, after):
        raise MediaError(Wording("{path} was changed while it was copied", path=path))
    name = safe_name(path.name, kind)
    return Copy(sha256=sha256, name=name, type=kind.type, family=kind.family, size=size)


def _changed(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)


def _check_size(path: Path, size: int, family: str, media: Media) -> None:
    largest = media.largest[family]
    if size == 0:
        raise MediaError(Wording("{path} is empty", path=path))
    if size > largest:
        hint = Wording("`media: {{{family}: …}}` in wbox-notify.yaml sets another limit", family=family)
        raise MediaError(
            Wording(
                "{path} has {size}, and {what} may have {most}",
                path=path,
                size=_shown(size),
                what=_WHAT[family],
                most=_shown(largest),
            ),
            hint=hint,
        )


def _check_room(path: Path, size: int, used: int, media: Media) -> None:
    if used + size > media.quota:
        hint = (
            "make room (wbox-notify queue list, queue drop) or set a larger `media.quota`,"
            " then wbox-notify queue retry"
        )
        raise FullError(
            Wording(
                "there is no room for {path} ({size}): queued files use {used} of the quota of {quota}",
                path=path,
                size=_shown(size),
                used=_shown(used),
                quota=_shown(media.quota),
            ),
            hint=hint,
        )


def _shown(size: int) -> str:
    """Return bytes as a person reads them."""
    for unit, power in _UNITS:
        if size >= power:
            return f"{size / power:.4g} {unit}"
    return Wording("{size} bytes", size=size)
