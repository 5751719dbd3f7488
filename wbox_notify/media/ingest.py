"""Taking a file into the spool: what may be sent, and how large it may be."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wbox_notify.config.media import Media
from wbox_notify.config.settings import Settings
from wbox_notify.media.kinds import HEAD, recognise, safe_name
from wbox_notify.media.safe_open import MediaError, opened, passes
from wbox_notify.media.spool import Copy, Spool
from wbox_notify.model.file_version import is_told

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
