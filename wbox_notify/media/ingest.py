"""Taking a file into the spool: opened without following links or blocking, checked, copied."""

import errno
import os
import stat
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

_PASSING = frozenset(
    {
        *(errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE, errno.ETIMEDOUT),
        *(errno.EAGAIN, errno.EINTR, errno.EBUSY, errno.EMFILE, errno.ENFILE, errno.ENOMEM),
    }
)
"""What a disk or a system says when it cannot do now what it may do later."""


class MediaError(WboxError):
    """A file cannot be sent as media; ``retry`` where it may be possible later."""

    def __init__(self, problem: str, *, hint: str | None = None, retry: bool = False) -> None:
        # A name may hold what no database takes and no line of a log should.
        super().__init__(one_line(problem), hint=hint)
        self.retry = retry


def passes(error: OSError | ValueError) -> bool:
    """Return whether the same may go well later."""
    return isinstance(error, OSError) and error.errno in _PASSING


@contextmanager
def opened(path: Path, roots: Iterable[Path] | None, own: Own) -> Iterator[int]:
    """Give a descriptor of a regular file, and close it after.

    Args:
        path: The file; no link, and no second name of a file.
        roots: The folders of which it must be in one; None allows any.
        own: What belongs to the daemon, of which it must be no part.

    Raises:
        MediaError: it cannot be sent, and why.
    """
    try:
        # Looked at before it is opened: to open a device or a pipe may do something, or wait for somebody.
        found = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise MediaError(f"{path} cannot be opened: {_reason(error)}", retry=passes(error)) from None
    try:
        _check(path, os.fstat(found), Path(f"/proc/self/fd/{found}").readlink(), roots, own)
        descriptor = os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {_reason(error)}", retry=passes(error)) from None
    finally:
        os.close(found)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _check(path: Path, status: os.stat_result, real: Path, roots: Iterable[Path] | None, own: Own) -> None:
    """Refuse what is no file of its own, and what is not where files may be taken from."""
    if stat.S_ISLNK(status.st_mode):
        raise MediaError(f"{path} is a link, and links are not followed", hint="name the file itself")
    if not stat.S_ISREG(status.st_mode):
        raise MediaError(f"{path} is not a file")
    if status.st_nlink > 1:
        hint = "somebody may have put another's file there under a name of their own: copy it instead"
        raise MediaError(f"{path} has a second name (a hard link)", hint=hint)
    if part := own.at(real):
        raise MediaError(f"{path} belongs to the daemon ({part.what}) and is never sent")
    if roots is not None and not any(real.is_relative_to(os.path.realpath(root)) for root in roots):
        hint = "begin `file:` with a folder, as in `file: /srv/charts/{{ body.name }}.png`"
        raise MediaError(f"{path} is in no folder that the rule watches or names", hint=hint)


def _reason(error: OSError | ValueError) -> str:
    return str(error.strerror) if isinstance(error, OSError) else "no file has such a name"


_WHAT = {"image": "a picture", "video": "a video", "audio": "a sound", "document": "a document"}
_UNITS = (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10))


class FullError(MediaError):
    """There is no room for a file."""


def take(
    spool: Spool,
    path: Path,
    allowed: Iterable[Path] | None,
    settings: Settings,
    told: Sequence[Mapping[str, Any]] = (),
) -> Copy:
    """Copy a file into the spool, from one of the allowed folders or, with None, from any.

    Where events ``told`` of a file at this path, it must be what one of them told of.

    Raises:
        MediaError: it cannot be sent, and why.
    """
    with opened(path, allowed, settings.own) as descriptor:
        if told and not any(is_told(descriptor, one) for one in told):
            raise MediaError(f"{path} has changed since it was reported")
        before = os.fstat(descriptor)
        size = before.st_size
        try:
            kind = recognise(os.pread(descriptor, HEAD, 0), path.name)
            _check_size(path, size, kind.family, settings.media)
            _check_room(path, size, spool.used(), settings.media)
            sha256 = spool.copy(descriptor, size)
            after = os.fstat(descriptor)
            # Whoever brought it may only have set its time since: then what is in it is the same once more.
            if _changed(before, after) and spool.copy(descriptor, size) == sha256:
                before, after = after, os.fstat(descriptor)
        except OSError as error:
            raise MediaError(f"{path} cannot be copied: {error.strerror}", retry=passes(error)) from None
    if size != after.st_size or _changed(before, after):
        raise MediaError(f"{path} was changed while it was copied")
    name = safe_name(path.name, kind)
    return Copy(sha256=sha256, name=name, type=kind.type, family=kind.family, size=size)


def _changed(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)


def _check_size(path: Path, size: int, family: str, media: Media) -> None:
    largest = media.largest[family]
    if size == 0:
        raise MediaError(f"{path} is empty")
    if size > largest:
        hint = f"`media: {{{family}: …}}` in wbox-notify.yaml sets another limit"
        raise MediaError(
            f"{path} has {_shown(size)}, and {_WHAT[family]} may have {_shown(largest)}", hint=hint
        )


def _check_room(path: Path, size: int, used: int, media: Media) -> None:
    if used + size > media.quota:
        taken = f"what waits takes {_shown(used)} of {_shown(media.quota)}"
        hint = (
            "make room (wbox-notify queue list, queue drop) or set a larger `media.quota`,"
            " then wbox-notify queue retry"
        )
        raise FullError(f"there is no room for {path} ({_shown(size)}): {taken}", hint=hint)


def _shown(size: int) -> str:
    """Return bytes as a person reads them."""
    for unit, power in _UNITS:
        if size >= power:
            return f"{size / power:.4g} {unit}"
    return f"{size} bytes"
