"""Durations as people write them, such as ``1h30m``."""

import re

from wbox_notify.errors import ConfigError

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1, "ms": 0.001}
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,9}}) *{unit} *)?" for unit in _UNITS))
_LONGEST = 3_660 * 86_400


def parse_duration(text: object) -> float:
    """Return the seconds of a duration: ``1h30m``, ``90s``, ``2d``, ``500ms``; at most ten years.

    Raises:
        ConfigError: it is none.
    """
    found = _DURATION.fullmatch(text.strip()) if isinstance(text, str) and text.strip() else None
    if not found:
        raise ConfigError(f"`{text}` is not a duration", hint=_hint(text))
    seconds = sum(int(part or 0) * size for part, size in zip(found.groups(), _UNITS.values(), strict=True))
    if seconds > _LONGEST:
        raise ConfigError(f"`{text}` is longer than ten years", hint="write a shorter duration, like 30d")
    return float(seconds)


def _hint(text: object) -> str:
    if re.fullmatch("[0-9]{1,9}", str(text)):
        return f"say what it counts: {text}s or {text}m"
    return "write it like 90s, 15m, 1h30m, 2d or 500ms, the longest unit first"
