"""Taking a file into the spool: what may be sent, and how large it may be."""

import os
from collections.abc import Iterable
from pathlib import Path

from wbox_notify.media.kinds import HEAD, recognise, safe_name
from wbox_notify.media.opening import MediaError, opened, passes
from wbox_notify.media.spool import Copy, Spool
from wbox_notify.settings import Settings
from wbox_notify.settings.media import Media

_WHAT = {"image": "a picture", "video": "a video", "audio": "a sound", "document": "a document"}
_UNITS = (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10))


class FullError(MediaError):
    """There is no room for a file."""


def take(spool: Spool, path: Path, allowed: Iterable[Path] | None, settings: Settings) -> Copy:
    """Copy a file into the spool, from one of the allowed folders or, with None, from any.

    Raises:
        MediaError: it can not be sent, and why.
    """
    with opened(path, allowed, settings.own) as descriptor:
        before = os.fstat(descriptor)
        try:
            kind = recognise(os.pread(descriptor, HEAD, 0), path.name)
            _check_size(path, before.st_size, kind.family, settings.media)
            _check_room(path, before.st_size, spool.used(), settings.media)
            sha256 = spool.copy(descriptor, before.st_size)
        except OSError as error:
            raise MediaError(f"{path} can not be copied: {error.strerror}", retry=passes(error)) from None
        after = os.fstat(descriptor)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise MediaError(f"{path} was changed while it was copied")
    name = safe_name(path.name, kind)
    return Copy(sha256=sha256, name=name, type=kind.type, family=kind.family, size=before.st_size)


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
