"""Times and durations as people and programs write them."""

import re
from contextlib import suppress
from datetime import date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from wbox_notify.config.values import parse_duration
from wbox_notify.errors import ConfigError
from wbox_notify.model.texts import Wording
from wbox_notify.templates.errors import TemplateError, brief, kind

if TYPE_CHECKING:
    from wbox_notify.templates.cldr import Language

_LONGEST = 64
_MILLISECONDS, _TOO_FAR = 1e11, 1e14  # 1973 and the year 5138, as milliseconds and as either
_SECONDS = 1e8
"""Seconds until 1973: a smaller number is a day of a spreadsheet (46355), or has no dashes (20261129)."""
_EPOCH = re.compile(r"-?\d{10}(\.\d{1,9})?|\d{13}")
_ISO = re.compile(r"(\d{4}-\d\d-\d\d|\d{8})[T ].+")
_CLOCK = re.compile(
    r"(?P<day>.+?)(?:,? |T)(?P<hour>\d{1,2})[:.](?P<minute>\d\d)(?:[:.](?P<second>\d\d))?"
    r"(?: ?(?P<half>[AP])M)?(?: ?(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d))?",
    re.IGNORECASE,
)
_DAYS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"(?P<year>\d{4})(?P<sign>[./-])(?P<month>\d{1,2})(?P=sign)(?P<day>\d{1,2})",
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)",
        r"(?P<day>\d{1,2})(?P<sign>[./-])(?P<month>\d{1,2})(?P=sign)(?P<year>\d{4})",
        r"(?:\w+\W{0,2} )?(?P<day>\d\d?)\.? (?:de )?(?P<month>[^\W\d]+)\.? (?:de )?(?P<year>\d{4})(?: \w+)?",
        r"(?:\w+\.?,? )?(?P<month>[^\W\d]+)\.? (?P<day>\d{1,2}),? (?P<year>\d{4})",
    )
)


@lru_cache(maxsize=64)
def language(code: str) -> "Language":
    """Return a language by its code."""
    from wbox_notify.templates.cldr import Language  # noqa: PLC0415 - it takes longer to load than all of ours

    return Language(code)


def read_time(value: Any, tz: tzinfo, lang: str) -> datetime | date:
    """Return the time that a value means, with a zone, or the day where no time of day is given.

    Args:
        value: A time; seconds or milliseconds since 1970; or a text, such as ``2026-11-23T09:00``,
            ``23.11.2026 09:00``, ``23 November 2026`` or what stands in the head of a mail.
        tz: The zone of a text that names none.
        lang: The language of the text, which knows names of months, and what comes first in 03/04/2026.

    Raises:
        TemplateError: it is no time, or could be two.
    """
    try:
        moment = _read(value, tz, lang)
    except (ValueError, OverflowError, OSError):
        raise TemplateError(
            Wording("{value} is not a time", value=brief(value)),
            hint="a time is like 2026-11-23T09:00, 23.11.2026 09:00 or a number of seconds since 1970",
        ) from None
    if isinstance(moment, datetime) and moment.tzinfo is None:
        return moment.replace(tzinfo=tz)
    return moment


def iso(value: Any, tz: tzinfo, lang: str) -> str:
    """Return a time as ISO 8601 by the clocks of a zone, ``2026-11-23T09:00``; a day alone as a day."""
    moment = read_time(value, tz, lang)
    if not isinstance(moment, datetime):
        return moment.isoformat()
    return local(moment, tz).replace(tzinfo=None, microsecond=0).isoformat().removesuffix(":00")


def local(moment: datetime, tz: tzinfo) -> datetime:
    """Return a time by the clocks of a zone; TemplateError if it is then out of the calendar."""
    try:
        return moment.astimezone(tz)
    except OverflowError:
        raise TemplateError(Wording("{value} is not a time in {tz}", value=brief(moment), tz=tz)) from None


def read_duration(value: Any) -> timedelta:
    """Return the duration that a value means: one, a text such as ``1d`` or ``1h30m``, or seconds."""
    try:
        if isinstance(value, timedelta):
            return value
        if isinstance(value, str):
            return timedelta(seconds=parse_duration(value))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return timedelta(seconds=value)
    except ConfigError as error:
        raise TemplateError(
            Wording("{value} is not a duration", value=brief(value)), hint=error.hint
        ) from None
    except (ValueError, OverflowError):
        pass
    raise TemplateError(
        Wording("{value} is not a duration", value=brief(value)), hint="write it like '90s', '1h30m' or '2d'"
    )


def _read(value: Any, tz: tzinfo, lang: str) -> datetime | date:
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        return _read_text(" ".join(value.replace("\u200f", "").split()), tz, lang)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _since_1970(value, tz)
    raise TemplateError(Wording("{kind} is not a time", kind=kind(value)))


def _since_1970(number: float, tz: tzinfo) -> datetime:
    if 0 < abs(number) < _SECONDS:
        raise TemplateError(
            Wording("{number} is not a time", number=number),
            hint="seconds since 1970 have ten digits; give a day of a spreadsheet the format of a date there",
        )
    if abs(number) >= _TOO_FAR:
        raise OverflowError
    if abs(number) >= _MILLISECONDS:
        number /= 1000
    return datetime.fromtimestamp(number, tz)


def _read_text(text: str, tz: tzinfo, lang: str) -> datetime | date:
    if len(text) > _LONGEST:
        raise ValueError(text)
    if _EPOCH.fullmatch(text):
        return _since_1970(float(text), tz)
    if _ISO.fullmatch(text):
        with suppress(ValueError):
            return datetime.fromisoformat(re.sub(" ?(?:UTC|GMT)$", "Z", text))
    clock = _CLOCK.fullmatch(text)
    if not clock:
        return _read_day(text, lang)
    zone = (clock["zone"] or "").upper()
    if zone in {"Z", "UTC", "GMT"}:
        zone = "+00:00"
    of_day = time.fromisoformat(f"{_hour(clock):02}:{clock['minute']}:{clock['second'] or '00'}{zone}")
    return datetime.combine(_read_day(clock["day"], lang), of_day)


def _hour(clock: re.Match[str]) -> int:
    hour = int(clock["hour"])
    if not clock["half"]:
        return hour
    if not 1 <= hour <= 12:  # noqa: PLR2004
        raise ValueError(clock[0])
    return hour % 12 + 12 * (clock["half"] in "pP")


def _read_day(text: str, lang: str) -> date:
    match = next(filter(None, (form.fullmatch(text) for form in _DAYS)), None)
    if match is None:
        raise ValueError(text)
    year, month, day = match["year"], match["month"], match["day"]
    if match.re is _DAYS[2] and match["sign"] != "." and not language(lang).begins_with_day:
        day, month = _in_order(text, day, month)
    if not month.isdecimal():
        month = language(lang).month(month) or language("en").month(month)
    return date(int(year), int(month), int(day))


def _in_order(text: str, first: str, second: str) -> tuple[str, str]:
    """Return the day and the month of a text in a language that may write either of them first."""
    if int(second) > 12:  # noqa: PLR2004 - of a year
        return second, first
    if int(first) <= 12 and first != second:  # noqa: PLR2004
        raise TemplateError(
            Wording("'{text}' can be two days", text=text),
            hint="write 2026-12-31, or 31.12.2026, where the day is first",
        )
    return first, second
