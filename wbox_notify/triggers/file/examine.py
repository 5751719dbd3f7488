"""Examination of a listed file: whether it is finished, and what its event says."""

import errno
import hashlib
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import PurePath
from typing import Any

from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileVersion, blocks, mtime
from wbox_notify.triggers.file.identity import Candidate
from wbox_notify.triggers.file.opening import has_no_writer, is_local, opened
from wbox_notify.triggers.file.readers.text import decode
from wbox_notify.triggers.file.watch import ListedFile, full_mark

TEXT_LIMIT = 256 * 1024
"""The most bytes of a file that are given as text."""

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
_NOT_A_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV})


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished version of a file, and its event; there is none where the version was told before."""

    candidate: Candidate
    version: FileVersion
    event: Event | None = None


class Until(Enum):
    """The event for which an unfinished file waits."""

    WRITTEN = auto()
    """Its writer."""
    RESTED = auto()
    """The time that it has to rest."""
    CHANGED = auto()
    """Something else than its writer: another file, or the permission to read it."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Why a file is looked at again later: a ``problem`` to report, and what ``hinders`` it for too long."""

    until: Until
    problem: str = ""
    hinders: str = ""


_WRITTEN = Unfinished(Until.WRITTEN, hinders="another process is still writing it")
_RESTS = Unfinished(Until.RESTED)


def examine(candidate: Candidate, rested: float, going: Callable[[], bool]) -> Finished | Unfinished | None:
    """Return what a file is found to be; None where there is no file any more.

    Args:
        candidate: The file.
        rested: For how many seconds it has been the same.
        going: Whether to go on; reading stops early when it returns False.
    """
    file = candidate.file
    if told := candidate.repeated():
        return Finished(candidate, told)
    if file.is_history:
        return Finished(candidate, candidate.new)
    if not going():
        return Unfinished(Until.WRITTEN)
    if hinders := _hinders(file):
        return Unfinished(Until.CHANGED, hinders=hinders)
    try:
        with opened(file.root.path, file.path, _FLAGS) as descriptor:
            return _examine_open(candidate, descriptor, rested, going)
    except OSError as error:
        return _examine_closed(candidate, error, rested)


def _hinders(file: ListedFile) -> str:
    """Return which other file shows that this one is not finished; nothing where none does."""
    if file.awaits_download:
        return "a download beside it is not complete"
    missing = (marker for marker in sorted(file.want.markers) if not os.path.lexists(marker))
    return next((f"{marker!r} is missing" for marker in missing), "")


def _examine_open(
    candidate: Candidate, descriptor: int, rested: float, going: Callable[[], bool]
) -> Finished | Unfinished:
    file = candidate.file
    free = None
    if file.want.lease and is_local(descriptor):
        free = has_no_writer(descriptor)
    if free is False or _has_changed(file, descriptor):
        return _WRITTEN
    if rested < _least_rest(file, free=free):
        return _RESTS
    candidate = candidate.read(descriptor)
    told = candidate.repeated()
    data = {} if told else read(descriptor, file.want.reads, size=file.status.st_size, going=going)
    # What was read is worth nothing where the file has changed meanwhile, or reading was stopped.
    if _has_changed(file, descriptor) or not going():
        return _WRITTEN
    if told:
        return Finished(candidate, told)
    return _new(candidate, {"digest": candidate.version.digest} | data)


def _least_rest(file: ListedFile, *, free: bool | None) -> float:
    """Return for how many seconds a file must have been the same; a marker is a better sign than a lease."""
    if file.want.markers:
        return 0.0
    if free and file.status.st_size and file.want.rest is None:
        return 0.0
    return file.settle


def _examine_closed(candidate: Candidate, error: OSError, rested: float) -> Finished | Unfinished | None:
    """Return what a file that cannot be opened is found to be, by its other facts."""
    file = candidate.file
    if error.errno in _NOT_A_FILE:
        return None
    if error.errno == errno.EAGAIN:  # another process has a write lease, as Samba does for its clients
        return Unfinished(Until.WRITTEN)
    if told := candidate.unread().repeated():
        return Finished(candidate, told)
    if file.want.reads or error.errno != errno.EACCES:
        return Unfinished(Until.CHANGED, f"The file {file.path!r} cannot be read: {error.strerror}.")
    if rested < file.settle:
        return _RESTS
    return _new(candidate, {})


def _has_changed(file: ListedFile, descriptor: int) -> bool:
    return full_mark(os.fstat(descriptor)) != full_mark(file.status)


def _new(candidate: Candidate, data: dict[str, Any]) -> Finished:
    version = candidate.new
    facts = describe(candidate.file.path, candidate.file.status)
    event = Event(id=version.id, type="file", at=datetime.now(UTC), data=facts | data)
    return Finished(candidate, version, event)


def describe(path: str, status: os.stat_result) -> dict[str, Any]:
    """Return the event's data that needs no reading."""
    pure = PurePath(path)
    return {
        "path": path,
        "name": pure.name,
        "stem": pure.stem,
        "ext": pure.suffix,
        "folder": str(pure.parent),
        "size": status.st_size,
        "mtime": mtime(status),
    }


def read(descriptor: int, reads: Collection[str], *, size: int, going: Callable[[], bool]) -> dict[str, Any]:
    """Return the parts of the event's data that ``reads`` names: ``sha256`` and ``text``.

    It reads ``size`` bytes at most, and stops early when ``going`` returns False.
    """
    data: dict[str, Any] = {}
    if "sha256" in reads:
        digest = hashlib.sha256()
        for block in blocks(descriptor, size, going):
            digest.update(block)
        data["sha256"] = digest.hexdigest()
    if "text" in reads:
        whole = size <= TEXT_LIMIT
        data["text"] = decode(b"".join(blocks(descriptor, min(size, TEXT_LIMIT), going)), whole=whole)
        if not whole:
            data["truncated"] = True
    return data
