"""Values: what texts of settings and rules mean; a text that means nothing is a ConfigError."""

import math
import os
import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from posixpath import dirname, join
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from wbox_notify.errors import ConfigError
from wbox_notify.model.addresses import host_of, is_in_the_clear
from wbox_notify.model.text import did_you_mean

SECRET_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")

_LEAST_BODY, _MOST_BODY = 1 << 10, 64 << 20
_LEAST_HISTORY = 7 * 86_400.0

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1, "ms": 0.001}
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,9}}) *{unit} *)?" for unit in _UNITS))
_LONGEST = 3_660 * 86_400

_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([KMGT]?)(?:I?B)?")

_ADDRESS = re.compile(r"(?:(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/]*):)?([0-9]{1,5})")
_LAST_PORT = 65535


def parse_duration(text: object) -> float:
    """Return the seconds of a duration: ``1h30m``, ``90s``, ``2d``, ``500ms``; at most ten years.

    Raises:
        ConfigError: it is none.
    """
    found = _DURATION.fullmatch(text.strip()) if isinstance(text, str) and text.strip() else None
    if not found:
        raise ConfigError(f"`{text}` is not a duration", hint=_duration_hint(text))
    seconds = sum(int(part or 0) * size for part, size in zip(found.groups(), _UNITS.values(), strict=True))
    if seconds > _LONGEST:
        raise ConfigError(f"`{text}` is longer than ten years", hint="write a shorter duration, like 30d")
    return float(seconds)


def _duration_hint(text: object) -> str:
    if re.fullmatch("[0-9]{1,9}", str(text)):
        return f"say what it counts: {text}s or {text}m"
    return "write it like 90s, 15m, 1h30m, 2d or 500ms, the longest unit first"


def duration_text(seconds: float) -> str:
    """Return a duration as people write it, in one unit: ``90d``, ``3s``."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"


def parse_size(text: object) -> int:
    """Return the bytes of a size: ``10MB``, ``1.5 GiB``, ``500``; 1 kB and 1 KiB are 1024 bytes.

    Raises:
        ConfigError: it is none.
    """
    found = _SIZE.fullmatch(text.strip().upper()) if isinstance(text, str) else None
    if not found:
        raise ConfigError(f"`{text}` is not a size", hint="write it like 500, 200kB, 10MB or 1.5GB")
    return int(Fraction(found[1]) * 1024 ** _POWERS[found[2]])


def plain(path: Path) -> Path:
    """Return an absolute path without ``..``, ``.`` and slashes at its end; what it leads to stays the same.

    A link stays as it is written, but for one that ``..`` leaves: the folder above is that of what it leads
    to, as it is for the kernel.
    """
    found = "/"
    for part in path.absolute().parts[1:]:
        found = dirname(os.path.realpath(found)) if part == ".." else join(found, part)
    return Path(found)


def as_path(text: str, folder: Path) -> Path:
    """Return a plain path; a relative one starts in ``folder``, and ``~`` is somebody's home."""
    if "\0" in text:
        raise ConfigError("no path has a NUL character in it")
    try:
        return plain(folder / Path(text).expanduser())
    except RuntimeError:
        raise ConfigError(f"{text} begins with the home of somebody unknown") from None


def as_url(text: str, *, insecure: bool = False) -> str:
    """Return the address of a wbox server, which may end in a path; without TLS only if ``insecure``."""
    if not _is_address(text):
        raise ConfigError(
            "this is not the address of a wbox server", hint="write it as https://server.wbox.me"
        )
    if is_in_the_clear(text) and not insecure:
        raise ConfigError(
            "over http:// everybody on the way could read the API key",
            hint="write https://, or `insecure: true` beside it if the way is yours alone",
        )
    return text.rstrip("/")


def as_flag(text: str) -> bool:
    """Return whether a text says yes."""
    if text.lower() not in {"true", "false"}:
        raise ConfigError(f"{text} is neither true nor false")
    return text.lower() == "true"


def as_public_url(text: str) -> str:
    """Return the address at which others reach the daemon, which may end in a path."""
    if not _is_address(text):
        raise ConfigError("this is not an address", hint="write it as https://notify.example.com")
    return text.rstrip("/")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return False
    return bool(usable and host_of(text)) and not re.search(r"[@?#\s]", text)


def as_device(text: str) -> int:
    """Return the number of a device."""
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise ConfigError(f"{text} is not the number of a device", hint="devices count from 1")
    return int(text)


def as_store(text: str, folder: Path) -> str:
    """Return the address of a store, with an absolute path."""
    scheme, _, path = text.partition("://")
    if scheme in {"postgres", "postgresql"}:
        raise ConfigError("a PostgreSQL store is not in this version yet", hint="use sqlite:///PATH")
    if scheme != "sqlite" or not path.removeprefix("/") or not path.startswith("/"):
        raise ConfigError("this is not the address of a store", hint="write it as sqlite:///PATH")
    return f"sqlite:///{as_path(path[1:], folder)}"


def as_address(text: str) -> tuple[str, int]:
    """Return the host and the port to answer at."""
    found = _ADDRESS.fullmatch(text)
    if not found or int(found[2]) > _LAST_PORT:
        raise ConfigError(f"{text} is not a host and a port", hint="write it as 127.0.0.1:8725")
    return (found[1] or "127.0.0.1").strip("[]"), int(found[2])


def as_body(text: str) -> int:
    """Return how many bytes the body of a webhook may have."""
    size = parse_size(text)
    if not _LEAST_BODY <= size <= _MOST_BODY:
        raise ConfigError(f"{text} is not between 1KiB and 64MiB", hint="write a size, such as 4MiB")
    return size


def as_zone(text: str) -> ZoneInfo:
    """Return a time zone."""
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = did_you_mean(text, available_timezones()) or "write it as Europe/Istanbul"
        raise ConfigError(f"there is no time zone {text}", hint=hint) from None


def as_language(text: str) -> str:
    """Return the code of a language."""
    if not re.fullmatch(r"[a-z]{2,3}", text):
        raise ConfigError(f"{text} is not the code of a language", hint="two small letters: en, tr")
    return text


def as_region(text: str) -> str:
    """Return the code of a country."""
    if not re.fullmatch(r"[A-Za-z]{2}", text):
        raise ConfigError(f"{text} is not the code of a country", hint="two letters: TR")
    return text.upper()


def as_history(text: str) -> float:
    """Return for how many seconds finished things are kept; infinity for ``forever``."""
    if text == "forever":
        return math.inf
    seconds = parse_duration(text)
    if seconds < _LEAST_HISTORY:
        raise ConfigError(
            f"{text} is too short: a webhook that comes again is known by its history for 7 days",
            hint="write at least 7d, such as 90d, or forever",
        )
    return seconds


def as_secret_name(text: str) -> str:
    """Return the name of a secret."""
    if not SECRET_NAME.fullmatch(text):
        message = "a secret is given by its name: letters, digits, `-` and `_`"
        raise ConfigError(message, hint="write `secret: my-hook`, and `secrets: {my-hook: {env: MY_HOOK}}`")
    return text


def system_zone(environ: Mapping[str, str]) -> ZoneInfo:
    """Return the time zone of the machine, or UTC where it cannot be told."""
    linked = os.path.realpath("/etc/localtime").rpartition("zoneinfo/")[2]
    for name in (environ.get("TZ", "").removeprefix(":"), linked):
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return ZoneInfo("UTC")
