"""Texts of schedules: ``Mon-Fri 09:00``, ``1st 08:00``, ``every 15m``, ``@daily`` or cron."""

import re
from collections.abc import Iterator

from wbox_notify.errors import ConfigError
from wbox_notify.triggers.schedule.cron import Cron, Every, parse_cron, parse_every
from wbox_notify.triggers.schedule.wallclock import day_number, parse_days, parse_time, plain

_FORMS = "write it like `Mon-Fri 09:00`, `1st 08:00`, `last weekday 17:00`, `@daily` or `0 9 * * 1-5`"
_LONGEST = 500
_LAST_DAY_OF_MONTH = 31

_TIME = "[0-9]{1,2}:[0-9]{2}(?![0-9:])"
_CLAUSE = re.compile(rf"\s*([^:]*?)\s*({_TIME}(?:\s*,\s*{_TIME})*)\s*(?:[,;]|$)")
_ORDINAL = re.compile("([0-9]{1,2})(?:st|nd|rd|th)")
_NTHS = {
    **dict.fromkeys(("first", "1st", "ilk", "birinci"), "#1"),
    **dict.fromkeys(("second", "2nd", "ikinci"), "#2"),
    **dict.fromkeys(("third", "3rd", "ucuncu"), "#3"),
    **dict.fromkeys(("fourth", "4th", "dorduncu"), "#4"),
    **dict.fromkeys(("last", "son"), "L"),
}
_ENDS_OF_MONTH = {
    **dict.fromkeys(("last day", "son gun", "ayin son gunu"), "L"),
    **dict.fromkeys(("last weekday", "son is gunu", "ayin son is gunu"), "LW"),
}


def parse_times(text: str) -> tuple[Cron | Every, ...]:
    """Return when something is due, from a text under ``at`` or ``cron``.

    Raises:
        ConfigError: it cannot be read, or no such time ever comes.
    """
    if not text.strip() or len(text) > _LONGEST:
        raise ConfigError(f"`{text[:40]}` is not a schedule", hint=_FORMS)
    text = " ".join(text.split())
    if repeated := re.fullmatch(r"every:?\s*([0-9].*)", text, re.IGNORECASE):
        return (parse_every(repeated[1]),)
    if ":" in text:
        return tuple(_days_and_times(text))
    return (parse_cron(text),)


def _days_and_times(text: str) -> Iterator[Cron]:
    """Yield a cron expression for each time of a text such as ``Fri 17:00, Sat 10:00, 12:00``."""
    end = 0
    while end < len(text):
        clause = _CLAUSE.match(text, end)
        if not clause:
            raise ConfigError(f"`{text}` is not a schedule", hint=_FORMS)
        day, weekday = _days(clause[1])
        for time in clause[2].split(","):
            hour, minute = divmod(parse_time(time.strip()), 60)
            yield Cron(f"{minute} {hour} {day} * {weekday}")
        end = clause.end()


def _days(text: str) -> tuple[str, str]:
    """Return the days before a time as two fields of cron: day of the month, day of the week."""
    words = plain(text)
    if not words:
        return "*", "*"
    if words in _ENDS_OF_MONTH:
        return _ENDS_OF_MONTH[words], "*"
    ordinals = [_ORDINAL.fullmatch(part.strip()) for part in words.split(",")]
    if all(ordinals):
        return ",".join(_day_of_month(ordinal[1]) for ordinal in ordinals if ordinal), "*"
    nth, _, name = words.partition(" ")
    number = day_number(name)
    if nth in _NTHS and number:
        return "*", f"{number % 7}{_NTHS[nth]}"
    return "*", ",".join(str(day % 7) for day in sorted(parse_days(text)))


def _day_of_month(digits: str) -> str:
    if not 1 <= int(digits) <= _LAST_DAY_OF_MONTH:
        raise ConfigError(f"no month has a day {digits}", hint="write `1st` to `31st`, or `last day`")
    return str(int(digits))
