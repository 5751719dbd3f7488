"""Wall clocks: days of the week (in English and Turkish), times of day, and the moments that they mean."""

# ruff: noqa: RUF001 - the Turkish dotless i is meant

import re
import unicodedata
from datetime import UTC, datetime, timedelta, tzinfo

from wbox_notify.errors import ConfigError
from wbox_notify.model.text import nearest
from wbox_notify.model.texts import Wording

_DAY_NAMES = (
    ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    ("Pazartesi", "Salı", "Çarşamba", "Perşembe", "Cuma", "Cumartesi", "Pazar"),
    ("Pzt", "Sal", "Çar", "Per", "Cum", "Cmt", "Paz"),
)
WEEK = frozenset(range(1, 8))
"""The days of the week as ISO 8601 numbers them: Monday is 1."""

DATE = re.compile("[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
"""A date; of some months it says too many days."""

_TIME = re.compile(r"([0-9]{1,2})(?:[:.]([0-5][0-9]))?(?: ?([ap]m))?")
_NAMED_TIMES = {"midnight": 0, "noon": 12 * 60}
_NOON = 12


def plain(text: str) -> str:
    """Return words without case, accents and spare blanks: ``hafta ici`` for ``HAFTA İÇİ``."""
    letters = unicodedata.normalize("NFKD", text.lower()).replace("ı", "i").replace("\u2013", "-")
    return " ".join("".join(letter for letter in letters if not unicodedata.combining(letter)).split())


def day_number(name: str) -> int | None:
    """Return the ISO number of a day of the week by its English or Turkish name, or None if it is no name."""
    return _NUMBERS.get(plain(name))


def parse_days(text: str) -> frozenset[int]:
    """Return the ISO numbers of days: ``Mon-Fri``, ``Sat,Sun``, ``Mondays``, ``weekdays``, ``hafta içi``."""
    days: set[int] = set()
    for part in re.split(",| and | ve ", plain(text)):
        words = without_every(part.strip())
        group = _GROUPS.get(part.strip()) or _GROUPS.get(words)
        first, ranged, last = re.sub(" (?:to|through) ", "-", words).partition("-")
        if group:
            days |= group
        elif ranged:
            start, end = _number(first), _number(last)
            days.update((start + step - 1) % 7 + 1 for step in range((end - start) % 7 + 1))
        else:
            days.update(map(_number, re.sub(" gun(?:u|leri)(?![a-z])", "", words).split() or [""]))
    return frozenset(days)


def without_every(words: str) -> str:
    """Return plain words without a leading ``every``, ``each``, ``her`` or ``on``."""
    return re.sub("^(?:(?:on|every|each|her) )+", "", words)


def parse_time(text: str) -> int:
    """Return a time of day, ``09:00``, ``09.00``, ``9am`` or ``noon``, as minutes since midnight."""
    words = plain(text)
    clock = _TIME.fullmatch(words)
    if words in _NAMED_TIMES:
        return _NAMED_TIMES[words]
    if clock and clock[3] and 1 <= int(clock[1]) <= _NOON:
        return int(clock[1]) % _NOON * 60 + int(clock[2] or 0) + (clock[3] == "pm") * _NOON * 60
    if clock and clock[2] and not clock[3] and int(clock[1]) < 2 * _NOON:
        return int(clock[1]) * 60 + int(clock[2])
    raise ConfigError(
        Wording("`{text}` is not a time of day", text=text), hint="write it on the 24-hour clock, like 09:00"
    )


def moments(wall: datetime, zone: tzinfo) -> list[datetime]:
    """Return when (UTC) clocks show ``wall``: twice as they go back, never as they skip it, else once."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return [first]
    return [first, second] if first < second else []


def moment(wall: datetime, zone: tzinfo) -> datetime:
    """Return the one moment (UTC) meant by ``wall``: the first of two, or the end of a gap."""
    while not (found := moments(wall, zone)):
        wall = wall.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return found[0]


_ENGLISH, _, _TURKISH, _ = _DAY_NAMES
_SPELLED = {plain(name): name for names in _DAY_NAMES for name in names}
_SPELLED |= {plain(words): words for words in ("hafta içi", "iş günleri", "iş günü", "her gün", "günde bir")}
_NUMBERS = {plain(name): number for names in _DAY_NAMES for number, name in enumerate(names, 1)}
_NUMBERS |= {f"{plain(name)}s": number for number, name in enumerate(_ENGLISH, 1)}
_NUMBERS |= {
    plain(name) + ending: number
    for number, name in enumerate(_TURKISH, 1)
    for ending in ("leri", "lari", "si", "i")
}
_NUMBERS |= {"tues": 2, "weds": 3, "thur": 4, "thurs": 4}
_WORKDAYS = (
    *("weekdays", "weekday", "workdays", "workday", "working days", "business days"),
    *("hafta ici", "haftaici", "hafta ici her gun", "is gunleri", "is gunu"),
)
_GROUPS = {
    **dict.fromkeys(_WORKDAYS, frozenset(range(1, 6))),
    **dict.fromkeys(("weekends", "weekend", "hafta sonu", "haftasonu"), frozenset({6, 7})),
    **dict.fromkeys(("daily", "every day", "each day", "her gun", "gunde bir"), WEEK),
}
WEEKDAY = "|".join([*_NUMBERS, *_GROUPS])
"""The pattern of days of the week and groups of them, in plain words."""


def _number(name: str) -> int:
    number = _NUMBERS.get(name.strip())
    if number is None:
        near = nearest(name, [*_SPELLED, *_GROUPS])
        hint = "write days like Mon-Fri, Sat,Sun, weekdays or Pzt-Cum"
        if near and near != name:
            hint = Wording("did you mean `{word}`?", word=_SPELLED.get(near, near))
        raise ConfigError(Wording("`{name}` is not a day of the week", name=name.strip()), hint=hint)
    return number
