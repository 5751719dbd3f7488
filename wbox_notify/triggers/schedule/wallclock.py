"""What calendars and wall clocks show: days of the week, times of day, and at which moments.

English and Turkish names of days are known.
"""

# ruff: noqa: RUF001 - the Turkish dotless i is meant

import re
import unicodedata
from datetime import UTC, datetime, timedelta, tzinfo

from wbox_notify.errors import ConfigError
from wbox_notify.model.text import did_you_mean

DAY_NAMES = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "tr": ("Pazartesi", "Salı", "Çarşamba", "Perşembe", "Cuma", "Cumartesi", "Pazar"),
}
SHORT_DAY_NAMES = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "tr": ("Pzt", "Sal", "Çar", "Per", "Cum", "Cmt", "Paz"),
}
WEEK = frozenset(range(1, 8))
"""The days of the week as ISO 8601 numbers them: Monday is 1."""

_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_LEAST_RANGE = 3


def plain(text: str) -> str:
    """Return words without case, accents and spare blanks: ``hafta ici`` for ``HAFTA İÇİ``."""
    letters = unicodedata.normalize("NFKD", text.lower()).replace("ı", "i").replace("\u2013", "-")
    return " ".join("".join(letter for letter in letters if not unicodedata.combining(letter)).split())


def day_number(name: str) -> int | None:
    """Return the ISO number of a day of the week by its English or Turkish name, or None if it is no name."""
    return _NUMBERS.get(plain(name))


def parse_days(text: str) -> frozenset[int]:
    """Return the ISO numbers of days: ``Mon-Fri``, ``Sat,Sun``, ``Fri-Mon``, ``weekdays``, ``hafta içi``."""
    days: set[int] = set()
    for part in text.split(","):
        first, ranged, last = plain(part).partition("-")
        if ranged:
            start, end = _number(first), _number(last)
            days.update((start + step - 1) % 7 + 1 for step in range((end - start) % 7 + 1))
        else:
            days |= _GROUPS.get(first) or {_number(first)}
    return frozenset(days)


def show_days(days: frozenset[int], lang: str) -> str:
    """Return days in short: ``Mon-Fri``, ``Sat,Sun``."""
    names, shown = SHORT_DAY_NAMES[lang], []
    for first in sorted(days):
        if first - 1 not in days:
            last = next(day for day in range(first, 8) if day + 1 not in days)
            short = [names[day - 1] for day in range(first, last + 1)]
            shown.append(f"{short[0]}-{short[-1]}" if len(short) >= _LEAST_RANGE else ",".join(short))
    return ",".join(shown)


def parse_time(text: str) -> int:
    """Return a time of day, ``09:00`` to ``23:59``, as minutes since midnight."""
    found = _TIME.fullmatch(text.strip())
    if not found:
        raise ConfigError(f"`{text}` is not a time of day", hint="write it on the 24-hour clock, like 09:00")
    return int(found[1]) * 60 + int(found[2])


def moments(wall: datetime, zone: tzinfo) -> list[datetime]:
    """Return when (UTC) clocks show ``wall``: twice as they go back, never as they skip it, else once."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return [first] if first == second else [first, second] if first < second else []


def moment(wall: datetime, zone: tzinfo) -> datetime:
    """Return the one moment (UTC) meant by ``wall``: the first of two, or the end of a gap."""
    while not (found := moments(wall, zone)):
        wall = wall.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return found[0]


_NUMBERS = {
    plain(name): number
    for names in (*DAY_NAMES.values(), *SHORT_DAY_NAMES.values())
    for number, name in enumerate(names, 1)
}
_GROUPS = {
    **dict.fromkeys(("weekdays", "weekday", "hafta ici", "haftaici"), frozenset(range(1, 6))),
    **dict.fromkeys(("weekends", "weekend", "hafta sonu", "haftasonu"), frozenset({6, 7})),
    **dict.fromkeys(("daily", "every day", "her gun"), WEEK),
}


def _number(name: str) -> int:
    number = _NUMBERS.get(name.strip())
    if number is None:
        hint = (
            did_you_mean(name, [*_NUMBERS, *_GROUPS])
            or "days are written Mon-Fri, Sat,Sun, weekdays or Pzt-Cum"
        )
        raise ConfigError(f"`{name.strip()}` is not a day of the week", hint=hint)
    return number
