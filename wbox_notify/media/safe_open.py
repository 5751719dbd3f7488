"""Opening: a file that somebody dropped, without being led astray and without waiting."""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wbox_notify.config.own import Own
from wbox_notify.errors import WboxError

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
        line = problem.encode("utf-8", "backslashreplace").decode().replace("\n", " ").replace("\0", "")
        super().__init__(line, hint=hint)
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
