"""Phrases for days, in English and Turkish: the fields of cron that they mean, and back."""

import re
from datetime import date
from typing import NamedTuple

from wbox_notify.errors import ConfigError
from wbox_notify.model.text import AND, COMMA, joined
from wbox_notify.model.texts import Wording
from wbox_notify.triggers.schedule.wallclock import day_number, parse_days, without_every

_NTHS = {
    **dict.fromkeys(("first", "1st", "ilk", "birinci"), "#1"),
    **dict.fromkeys(("second", "2nd", "ikinci"), "#2"),
    **dict.fromkeys(("third", "3rd", "ucuncu"), "#3"),
    **dict.fromkeys(("fourth", "4th", "dorduncu"), "#4"),
    **dict.fromkeys(("fifth", "5th", "besinci"), "#5"),
    **dict.fromkeys(("last", "son"), "L"),
}
_DAYS_OF_MONTH = {
    **dict.fromkeys(("first day", "ilk gun", "ilk gunu"), "1"),
    **dict.fromkeys(("last day", "son gun", "son gunu"), "L"),
    **dict.fromkeys(
        ("first weekday", "first workday", "first working day", "first business day", "ilk is gunu"), "1W"
    ),
    **dict.fromkeys(
        ("last weekday", "last workday", "last working day", "last business day", "son is gunu"), "LW"
    ),
}
_SAID = {
    "*": Wording("every day"),
    "1W": Wording("first weekday of the month"),
    "L": Wording("last day of the month"),
    "LW": Wording("last weekday of the month"),
}
_SAID_NTHS = {
    "#1": Wording("first"),
    "#2": Wording("second"),
    "#3": Wording("third"),
    "#4": Wording("fourth"),
    "#5": Wording("fifth"),
    "L": Wording("last"),
}
_ENDINGS = {1: Wording("{number}st"), 2: Wording("{number}nd"), 3: Wording("{number}rd")}
_ENDING = Wording("{number}th")
EVERY = Wording("every {days}")
_MONTHS = (
    *(Wording("January"), Wording("February"), Wording("March"), Wording("April"), Wording("May")),
    *(Wording("June"), Wording("July"), Wording("August"), Wording("September"), Wording("October")),
    *(Wording("November"), Wording("December")),
)
_TURKISH_MONTHS = (
    *("ocak", "subat", "mart", "nisan", "mayis", "haziran"),
    *("temmuz", "agustos", "eylul", "ekim", "kasim", "aralik"),
)
_MONTH_NUMBERS = {
    **{name.lower(): number for number, name in enumerate(_MONTHS, 1)},
    **{name[:3].lower(): number for number, name in enumerate(_MONTHS, 1)},
    **{name: number for number, name in enumerate(_TURKISH_MONTHS, 1)},
}
_PERIODS = {
    **dict.fromkeys(("week", "weekly", "hafta", "haftada"), "week"),
    **dict.fromkeys(("month", "monthly", "ay", "ayin"), "month"),
    **dict.fromkeys(("year", "yearly", "yil"), "year"),
}
_NOT_IN = {
    "month": Wording("`{rest}` is not a day of the month"),
    "year": Wording("`{rest}` is not a day of the year"),
}
_WEEKDAYS = (
    *(Wording("Sunday"), Wording("Monday"), Wording("Tuesday"), Wording("Wednesday")),
    *(Wording("Thursday"), Wording("Friday"), Wording("Saturday")),
)

_NTH = "|".join(_NTHS)
_MONTH = "|".join(sorted(_MONTH_NUMBERS, key=len, reverse=True))
_AND = re.compile(" ?, ?| and | ve ")
_LEADING = re.compile(
    r"(?:(?:weekly|monthly|yearly|every (?:week|month|year)|her (?:hafta(?! sonu| ici)|ay|yil)|haftada bir"
    r"|(?:her )?ayin|on|at|saat) )+"
)
_TRAILING = re.compile(r"(?: (?:of|in) (?:(?:the|every|each) )?month| saat| at| on)+$")
_NTH_WEEKDAY = re.compile(rf"((?:{_NTH})(?:(?:,| and| ve)? (?:{_NTH}))*) ([a-z]+)(?: gunu)?")
_WEEKDAY_TERM = re.compile("([0-7])(L|#[1-5])?")
_ORDINAL = re.compile("([0-9]{1,2})(?:st|nd|rd|th)")
_NUMBER = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th|\.)?")
_DAY_TERM = re.compile("l(?:w|-[0-9]{1,2})?|[0-9]{1,2}w")
_NEAREST = re.compile("weekday nearest ([0-9]{1,2})(?:st|nd|rd|th)")
_BEFORE_LAST = re.compile("([0-9]{1,2}) days? before last day")
_DAY_OF_YEAR = re.compile(rf"{_NUMBER.pattern} (?:of )?({_MONTH})|({_MONTH}) ([0-9]{{1,2}})(?:st|nd|rd|th)?")
_DATE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})|([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})"
    rf"|([0-9]{{1,2}}) ({_MONTH}) ([0-9]{{4}})"
)
_OTHER_WEEK = "every other week|every (?:2|two) weeks|(?:iki|2) haftada bir"
_EVERY_OTHER = re.compile(rf"(?:{_OTHER_WEEK})(?: on)? (.+)|(.+) (?:{_OTHER_WEEK})|every other (.+)")
_FROM = re.compile(
    rf"\b(?:from|starting(?: on)?) ({_DATE.pattern})(?![0-9])|({_DATE.pattern})'?[dt][ae]n itibaren\b"
)
_YEARS = range(2000, 2100)


class Days(NamedTuple):
    """Days as the last three fields of cron."""

    day: str = "*"
    month: str = "*"
    weekday: str = "*"


def read_date(words: str) -> date | None:
    """Return the date of plain words such as ``2026-12-31``, ``31.12.2026``, ``31 aralik 2026``, if any."""
    parts = _DATE.fullmatch(words.removeprefix("on "))
    if not parts:
        return None
    numbers = [_MONTH_NUMBERS.get(part) or int(part) for part in parts.groups() if part]
    day, month, year = numbers
    if parts[1]:
        year, month, day = numbers
    try:
        if year in _YEARS:
            return date(year, month, day)
    except ValueError:
        pass
    raise ConfigError(Wording("`{words}` is not a date", words=words), hint="write it like 2026-12-31")


def split_start(words: str) -> tuple[str, date | None]:
    """Return plain words without ``from 2026-12-07`` (or ``2026-12-07'den itibaren``), and its date."""
    start = _FROM.search(words)
    if not start:
        return words, None
    rest = words[: start.start()] + words[start.end() :]
    return " ".join(rest.split()), read_date(start[1] or start[11])


def every_other(words: str) -> str | None:
    """Return the days of the week in plain words such as ``every other monday``, if they are of this kind."""
    phrase = _EVERY_OTHER.fullmatch(_TRAILING.sub("", words))
    return phrase and (phrase[1] or phrase[2] or phrase[3])


def read_days(words: str) -> list[Days]:
    """Return the days of plain words such as ``mon-fri``, ``first monday``, ``1st and 15th``, ``ayin 15``.

    Raises:
        ConfigError: they are not known, or can mean two things.
    """
    if not words:
        return [Days()]
    rest, period = _without_period(words)
    days: list[Days] = []
    if period in {"", "month"}:
        days = _in_month(rest, of_month=period == "month")
    if not days and period in {"", "year"}:
        days = _in_year(rest)
    if not days and period in {"", "week"}:
        days = [Days(weekday=weekday_field(rest))]
    if not days:
        hint = "write it like `15th 09:00`, `first Monday 09:00` or `15 January 09:00`"
        raise ConfigError(_NOT_IN[period].about(rest=rest), hint=hint)
    return days


def _without_period(words: str) -> tuple[str, str]:
    """Return words without such as ``on the`` and ``of the month``, and the period that they name, if any."""
    rest = f"{re.sub('(?<![a-z])the ', '', words)} "
    if leading := _LEADING.match(rest):
        rest = rest[leading.end() :]
    rest = _TRAILING.sub("", rest.strip())
    periods = {_PERIODS[word] for word in words.split() if word in _PERIODS}
    if not rest or len(periods) > 1:
        raise ConfigError(
            Wording("`{words}` does not name a day", words=words),
            hint="write it like `every Monday` or `15th`",
        )
    return rest, "".join(periods)


def weekday_field(words: str) -> str:
    """Return days of the week as a field of cron."""
    return ",".join(str(day % 7) for day in sorted(parse_days(words)))


def _in_month(rest: str, *, of_month: bool) -> list[Days]:
    words = without_every(rest)
    if words in _DAYS_OF_MONTH:
        return [Days(day=_DAYS_OF_MONTH[words])]
    if nearest := _NEAREST.fullmatch(words):
        return [Days(day=f"{nearest[1]}W")]
    if before := _BEFORE_LAST.fullmatch(words):
        return [Days(day=f"L-{before[1]}")]
    if days := _days_of_month(words, of_month=of_month):
        return [Days(day=",".join(days))]
    return _nth_weekday(words, is_clear=of_month or words == rest)


def _nth_weekday(words: str, *, is_clear: bool) -> list[Days]:
    phrase = _NTH_WEEKDAY.fullmatch(words)
    number = phrase and day_number(phrase[2])
    if not phrase or not number:
        return []
    nths = [_NTHS[nth] for nth in re.findall(_NTH, phrase[1])]
    if not is_clear and set(nths) - {"#1", "L"}:
        hint = Wording("write `{words} of the month`, or `every other {unit}`", words=words, unit=phrase[2])
        raise ConfigError(Wording("`{phrase}` can mean two things", phrase=f"every {words}"), hint=hint)
    return [Days(weekday=",".join(f"{number % 7}{nth}" for nth in nths))]


def _days_of_month(words: str, *, of_month: bool) -> list[str] | None:
    """Return the terms of ``1st and 15th``, ``15w``, ``l-3``; of ``1, 15`` after `ayin`."""
    pattern = _NUMBER if of_month else _ORDINAL
    terms: list[str] = []
    for part in re.split(r" ?, ?| and | ve | ", re.sub(r" (?:gunu|gunleri|days?)$|^days? ", "", words)):
        number = pattern.fullmatch(part)
        if number:
            terms.append(_day_of_month(number[1]))
        elif _DAY_TERM.fullmatch(part):
            terms.append(part.upper())
        else:
            return None
    return terms


def _day_of_month(digits: str) -> str:
    if not 1 <= int(digits) <= 31:  # noqa: PLR2004 - the days of the longest month
        raise ConfigError(
            Wording("no month has a day {digits}", digits=digits), hint="write `1st` to `31st`, or `last day`"
        )
    return str(int(digits))


def _in_year(rest: str) -> list[Days]:
    dates = _AND.split(without_every(rest))
    if not all(map(_DAY_OF_YEAR.fullmatch, dates)):
        return []
    return list(map(_day_of_year, dates))


def _day_of_year(words: str) -> Days:
    number, month = re.findall("[0-9]+|[a-z]{3,}", words)
    if month.isdecimal():
        number, month = month, number
    return Days(day=_day_of_month(number), month=str(_MONTH_NUMBERS[month]))


def say_days(days: Days) -> Wording | None:
    """Return the phrase for days, which ``read_days`` reads; None where there is none."""
    day, month, weekday = days
    if month != "*":
        if day.isdecimal() and month.isdecimal() and weekday == "*":
            return Wording("{day} {month}", day=day, month=_MONTHS[int(month) - 1])
        return None
    if weekday == "*":
        return _say_day_of_month(day)
    if day == "*":
        return _say_weekdays(weekday)
    return None


def _say_day_of_month(day: str) -> Wording | None:
    if day in _SAID:
        return _SAID[day]
    if re.fullmatch("[0-9,]+", day):
        return Wording("{days} of the month", days=_listed([_ordinal(term) for term in day.split(",")]))
    if re.fullmatch("[0-9]+W", day):
        return Wording("weekday nearest the {day} of the month", day=_ordinal(day[:-1]))
    if re.fullmatch("L-[0-9]+", day):
        return Wording("{number} days before the last day of the month", number=day[2:])
    return None


def _say_weekdays(weekday: str) -> Wording | None:
    weekday = weekday.replace("1-5", "1,2,3,4,5")
    if not all(map(_WEEKDAY_TERM.fullmatch, weekday.split(","))):
        return None
    terms = _WEEKDAY_TERM.findall(weekday)
    numbers = {int(digit) % 7 for digit, _ in terms}
    nths = [nth for _, nth in terms]
    if not any(nths):
        return _say_week(numbers)
    if len(numbers) > 1 or not all(nths):
        return None
    return Wording(
        "{nths} {weekday} of the month",
        nths=_listed([_SAID_NTHS[nth] for nth in nths]),
        weekday=_WEEKDAYS[numbers.pop()],
    )


def _say_week(numbers: set[int]) -> Wording:
    if len(numbers) == len(_WEEKDAYS):
        return _SAID["*"]
    if numbers == {1, 2, 3, 4, 5}:
        return Wording("Monday to Friday")
    from_monday = sorted(numbers, key=lambda number: (number - 1) % 7)
    return EVERY.about(days=_listed([_WEEKDAYS[number] for number in from_monday]))


def _listed(items: list[Wording]) -> str:
    *most, last = items
    if not most:
        return last
    return AND.about(some=joined(most, COMMA), last=last)


def _ordinal(digits: str) -> Wording:
    number = int(digits)
    ending = _ENDING
    if number not in {11, 12, 13}:
        ending = _ENDINGS.get(number % 10, _ENDING)
    return ending.about(number=number)
