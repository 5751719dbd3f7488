"""Durations, sizes and paths as people write them, and the time zone of the machine."""

import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from fractions import Fraction
from pathlib import Path
from posixpath import dirname, join
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wbox_notify.errors import ConfigError
from wbox_notify.model.texts import Wording

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1, "ms": 0.001}
_SAID = {
    "w": "w|weeks?|hafta",
    "d": "d|days?|gün|gun",
    "h": "h|hrs?|hours?|saat|sa",
    "m": "m|mins?|minutes?|dakika|dk",
    "s": "s|secs?|seconds?|saniye|sn",
    "ms": "ms",
}
DURATION = "".join(rf"(?:([0-9]{{1,9}}) *(?:{words}) *)?" for words in _SAID.values())
"""The pattern of durations; it also fits an empty text."""
_LONGEST = 3_660 * 86_400

_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([KMGT]?)(?:I?B)?")


def parse_duration(text: object) -> float:
    """Return the seconds of a duration: ``1h30m``, ``90s``, ``2 days``, ``10 dk``; at most ten years.

    Raises:
        ConfigError: it is none.
    """
    match = None
    if isinstance(text, str) and text.strip():
        match = re.fullmatch(DURATION, text.strip())
    if not match:
        hint = "write it like 90s, 15m, 1h30m, 2d or 500ms, the longest unit first"
        if re.fullmatch("[0-9]{1,9}", str(text)):
            hint = Wording("add its unit: {text}s or {text}m", text=text)
        raise ConfigError(Wording("`{text}` is not a duration", text=text), hint=hint)
    seconds = sum(int(part or 0) * size for part, size in zip(match.groups(), _UNITS.values(), strict=True))
    if seconds > _LONGEST:
        raise ConfigError(
            Wording("`{text}` is longer than ten years", text=text), hint="write a shorter duration, like 30d"
        )
    return float(seconds)


def parse_moment(text: str, now: float, zone: Callable[[], tzinfo]) -> float:
    """Return a time in seconds since the epoch: ``2h`` before now, or a date, in the zone where it has none.

    Raises:
        ConfigError: it is none.
    """
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone())).timestamp()
    except (ValueError, OverflowError):
        pass
    try:
        return now - parse_duration(text)
    except ConfigError:
        hint = "write 2h, 7d, 2026-11-29 or 2026-11-29T09:00"
        raise ConfigError(Wording("`{text}` is no time", text=text), hint=hint) from None


def duration_text(seconds: float) -> str:
    """Return a duration in the largest unit that fits: ``90d``, ``3s``."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds / _UNITS[unit]:.0f}{unit}"
    return f"{seconds:g}s"


def parse_size(text: object) -> int:
    """Return the bytes of a size: ``10MB``, ``1.5 GiB``, ``500``; 1 kB and 1 KiB are 1024 bytes.

    Raises:
        ConfigError: it is none.
    """
    match = _SIZE.fullmatch(text.strip().upper()) if isinstance(text, str) else None
    if not match:
        raise ConfigError(
            Wording("`{text}` is not a size", text=text), hint="write it like 500, 200kB, 10MB or 1.5GB"
        )
    return int(Fraction(match[1]) * 1024 ** _POWERS[match[2]])


def plain(path: Path) -> Path:
    """Return an absolute path without ``..``, ``.`` and slashes at its end; what it leads to stays the same.

    A link stays as it is written, but for one that ``..`` leaves: the folder above is that of what it leads
    to, as it is for the kernel.
    """
    clean = "/"
    for part in path.absolute().parts[1:]:
        clean = dirname(os.path.realpath(clean)) if part == ".." else join(clean, part)
    return Path(clean)


def as_path(text: str, folder: Path) -> Path:
    """Return a plain path; a relative one starts in ``folder``, and ``~`` is a home.

    Raises:
        ConfigError: it is none.
    """
    if "\0" in text:
        raise ConfigError("a path cannot hold a NUL character")
    try:
        return plain(folder / Path(text).expanduser())
    except RuntimeError:
        raise ConfigError(Wording("unknown user in the path {text}", text=text)) from None


def system_zone(environ: Mapping[str, str]) -> ZoneInfo:
    """Return the time zone of the machine, or UTC where it cannot be told."""
    linked = os.path.realpath("/etc/localtime").rpartition("zoneinfo/")[2]
    for name in (environ.get("TZ", "").removeprefix(":"), linked):
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return ZoneInfo("UTC")
