"""RowFiles: the rows of dropped files, read from the very version that was reported."""

import os
from collections import OrderedDict

from wbox_notify.errors import WboxError
from wbox_notify.model.file_version import is_told
from wbox_notify.triggers.file.opening import opened
from wbox_notify.triggers.file.readers import Rows, Slice, Wanted

_KEPT_OPEN = 8
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY


class RowFiles:
    """Reads rows of files; some files stay open from one slice to the next."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Rows] = OrderedDict()

    def __call__(self, wanted: Wanted) -> Slice:
        """Return some rows of a file, or why they cannot be had."""
        known = self._open.pop(wanted.reader, None)
        try:
            with opened(wanted.root, wanted.path, _FLAGS) as descriptor:
                _check(descriptor, wanted)
                if known is None or known.at != wanted.start or not _is_same(known.fileno(), descriptor):
                    known = _anew(wanted, descriptor, known)
                found = known.take(wanted.start, wanted.most)
                _check(descriptor, wanted)
        except OSError as error:
            found = Slice(problem=f"{wanted.path!r} cannot be read: {error.strerror}")
        except WboxError as error:
            found = Slice(problem=f"{error}; {error.hint}" if error.hint else str(error))
        if known:
            self._keep(wanted.reader, known) if found.more else known.close()
        return found

    def _keep(self, reader: str, rows: Rows) -> None:
        self._open[reader] = rows
        while len(self._open) > _KEPT_OPEN:
            self._open.popitem(last=False)[1].close()

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._open.popitem()[1].close()


def _anew(wanted: Wanted, descriptor: int, other: Rows | None) -> Rows:
    if other:
        other.close()
    return Rows(os.fdopen(os.dup(descriptor), "rb"), wanted.path, wanted.reading)


def _is_same(one: int, other: int) -> bool:
    return os.path.samestat(os.fstat(one), os.fstat(other))


def _check(descriptor: int, wanted: Wanted) -> None:
    """Raise WboxError where a file is not the version that is wanted."""
    if not is_told(descriptor, {"size": wanted.size, "mtime": wanted.mtime, "digest": wanted.digest}):
        raise WboxError(f"{wanted.path!r} has changed since it was reported")
