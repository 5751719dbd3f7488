"""What an event says of a file."""

import hashlib
import os
from collections.abc import Callable, Collection, Iterator
from pathlib import PurePath
from typing import Any

from wbox_notify.model.file_version import mtime
from wbox_notify.triggers.file.readers.text import decode

TEXT_LIMIT = 256 * 1024
"""How much of a file is given as text, in bytes."""

_BLOCK = 1024 * 1024


def mark(status: os.stat_result) -> tuple[int, ...]:
    """Return what is the same as long as nothing has happened to a file: which it is, its size and times."""
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


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
    """Return the parts of the event's data that ``reads`` asks for: ``sha256`` and ``text``.

    It reads ``size`` bytes at most, and stops early when ``going`` says no; the answer is worthless then.
    """
    data: dict[str, Any] = {}
    if "sha256" in reads:
        digest = hashlib.sha256()
        for block in _blocks(descriptor, size, going):
            digest.update(block)
        data["sha256"] = digest.hexdigest()
    if "text" in reads:
        whole = size <= TEXT_LIMIT
        data["text"] = decode(b"".join(_blocks(descriptor, min(size, TEXT_LIMIT), going)), whole=whole)
        if not whole:
            data["truncated"] = True
    return data


def _blocks(descriptor: int, size: int, going: Callable[[], bool]) -> Iterator[bytes]:
    position = 0
    while position < size and going():
        block = os.pread(descriptor, min(_BLOCK, size - position), position)
        if not block:
            return
        position += len(block)
        yield block
