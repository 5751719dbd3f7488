"""Texts of schedules: ``Mon-Fri 09:00``, ``1st 08:00``, ``every 15 minutes``, ``@daily``, a date or cron."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from wbox_notify.errors import ConfigError
from wbox_notify.model.texts import Wording, problem_of
from wbox_notify.triggers.schedule.cron import Cron, Every, parse_cron, parse_every
from wbox_notify.triggers.schedule.dates import FIRST_WEEK, EveryOtherWeek, Once, Pattern
from wbox_notify.triggers.schedule.phrases import (
    every_other,
    read_date,
    read_days,
    split_start,
    weekday_field,
)
from wbox_notify.triggers.schedule.wallclock import WEEKDAY, parse_time, plain

_FORMS = Wording(
    "write it like `Mon-Fri 09:00`, `1st 08:00`, `last weekday 17:00`, `@daily` or `0 9 * * 1-5`"
)
_LONGEST = 500

_CLOCK = (
    r"(?<![0-9:./-])(?:[0-9]{1,2}[:.][0-9]{2}(?: ?[ap]m)?|[0-9]{1,2} ?[ap]m|\bnoon|\bmidnight)(?![\w:.-])"
)
_CLOCKS = rf"{_CLOCK}(?:(?: ?, ?| and | ve ){_CLOCK})*"
_CLAUSE = re.compile(rf"\s*(.*?)\s*(?:\b(?:at|saat)\s+)?({_CLOCKS})\s*(?:,|\band\b|\bve\b|$)")
_TIMES_FIRST = re.compile(
    rf"(?:at |saat )?({_CLOCKS}) (?:on |(?=every |each |her |daily|weekday|weekend|hafta ?(?:ici|sonu)))(.+)"
)
_MORNING = {hour: hour for hour in range(4, 12)}
_NOON = {hour: (hour - 10) % 12 + 10 for hour in (11, 12, 13, 14, 1, 2)}
_AFTERNOON = {hour: hour % 12 + 12 for hour in (*range(1, 7), *range(12, 19))}
_EVENING = {hour: hour % 12 + 12 for hour in (*range(4, 12), *range(16, 24))}
_NIGHT = {hour: hour % 12 + 12 for hour in (*range(8, 12), *range(20, 24))}
_PARTS = {
    **dict.fromkeys(("sabah", "sabahi", "sabahlari", "morning"), _MORNING),
    **dict.fromkeys(("ogle", "oglen", "ogleyin"), _NOON),
    **dict.fromkeys(("ogleden sonra", "afternoon"), _AFTERNOON),
    **dict.fromkeys(("aksam", "aksami", "aksamlari", "evening"), _EVENING),
    **dict.fromkeys(("gece", "geceleri", "night"), _NIGHT),
}
_HOURS_SAID = {
    **_PARTS,
    **{f"{each} {part}": hours for part, hours in _PARTS.items() for each in ("her", "every", "each")},
    # The small hours of a named day would leave open whether they begin or follow it.
    **dict.fromkeys(("her gece", "every night", "each night"), _NIGHT | {hour: hour for hour in range(6)}),
    "saat": {hour: hour for hour in range(24)},
}
_HOUR_SAID = re.compile(
    rf"\b({'|'.join(_HOURS_SAID)})(?: saat| at)? ([0-9]{{1,2}})((?:[:.][0-5][0-9])?)(?![\w:.])"
)
_HOUR_OF_DAYS = re.compile(
    rf"\b({WEEKDAY}|gunu|gunleri) (?:at )?(9|1[0-9]|2[0-3])(?= ?(?:,|\band\b|\bve\b|$))"
)
_TURKISH_ENDING = re.compile(r"(?:(?<=[0-9])'?|(?<=[a-z])')(?:s?[iu](?:nde)?|[dt][ae]|l[ae]ri)\b")
_UNITS = {
    **dict.fromkeys(("hours", "hour", "hrs", "hr", "h", "saatte", "saat"), "h"),
    **dict.fromkeys(("minutes", "minute", "mins", "min", "m", "dakikada", "dakika", "dk"), "m"),
    **dict.fromkeys(("seconds", "second", "secs", "sec", "s", "saniyede", "saniye", "sn"), "s"),
}
_AMOUNT = rf"([0-9]{{1,9}} ?|)({'|'.join(_UNITS)})(?![a-z])"
_AMOUNTS = rf"{_AMOUNT}(?: ?{_AMOUNT})*"
_INTERVAL = re.compile(rf"(?:every|each|her) ({_AMOUNTS})(?: bir)?|({_AMOUNTS}) bir")
_CRON = re.compile(r"[0-9*?]\S*(?: \S+){4,5}|[0-9*?]+(?: \S+)*|@\S*")
_BETTER_HINTS = (
    (
        re.compile("[0-9]/[0-9]{1,2}/[0-9]"),
        Wording("write a date like `2026-12-31 09:00`"),
    ),
    (
        re.compile(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{2}(?![0-9])"),
        Wording("write the whole year: `31.12.2026 09:00`"),
    ),
    (
        re.compile(r"\b(?:except|haric|disinda|other than|but not)\b"),
        Wording(
            "name the days that are meant, such as `Mon-Sat 09:00`; holidays and dates stand under `skip`"
        ),
    ),
    (
        re.compile("[0-9]{2} ?- ?[0-9]{1,2}[:.]|every .*(?:from|between) [0-9]"),
        Wording("for steps between two hours, write cron: `*/30 9-16 * * 1-5`"),
    ),
    (
        re.compile("(?:[6-9]|[1-9][0-9])(?:st|nd|rd|th) [a-z]+day"),
        Wording("no month has more than five of a weekday"),
    ),
    (
        re.compile("every (?:[3-9]|[1-9][0-9]|three|four|six) weeks|[3-9] haftada bir"),
        Wording("there is `every other Monday 09:00 from 2026-12-07`; for other weeks, list the dates"),
    ),
    (
        re.compile("every (?:[0-9]+|two|three|six) months|[0-9] ayda bir"),
        Wording("write cron: `0 9 1 */3 *`"),
    ),
    (
        re.compile("[a-z]/[a-z]|\\b(?:utc|gmt)\\b"),
        Wording("write the time zone as `tz: Europe/Istanbul`"),
    ),
    (
        re.compile("every (?:other day|(?:[0-9]+|two|three) days)|[0-9] gunde bir"),
        Wording("name the days: `Mon,Wed,Fri 09:00`, `1st,16th 09:00`"),
    ),
    (
        re.compile("biweekly|fortnight"),
        Wording("write it like `every other Monday 09:00 from 2026-12-07`"),
    ),
    (
        re.compile(rf"\b(?:{WEEKDAY}) (?:at )?0?[0-8]$"),
        Wording("write the hour with minutes, on the 24-hour clock: `06:00` or `18:00`"),
    ),
    (re.compile("quarterly"), Wording("write cron: `0 9 1 1,4,7,10 *`")),
)


def parse_times(text: str) -> tuple[Pattern, ...]:
    """Return when something is due, from a text under ``at`` or ``cron``.

    Raises:
        ConfigError: it cannot be read, or no such time ever comes.
    """
    if not text.strip() or len(text) > _LONGEST:
        raise ConfigError(Wording("`{text}` is not a schedule", text=text[:40]), hint=_FORMS)
    parts = [" ".join(part.split()) for part in text.split(";")]
    patterns = [pattern for part in parts if part for pattern in _patterns(part)]
    if not patterns:
        raise ConfigError(Wording("`{text}` is not a schedule", text=text), hint=_FORMS)
    return tuple(patterns)


def _patterns(text: str) -> list[Pattern]:
    words = _TURKISH_ENDING.sub("", re.sub("[\u2018\u2019\u02bc]", "'", plain(text)))
    try:
        return _read(words, text)
    except ConfigError as error:
        hints = [hint for pattern, hint in _BETTER_HINTS if pattern.search(words)]
        problem = _as_written(problem_of(error), text)
        raise ConfigError(problem, hint=next(iter(hints), error.hint)) from None


def _as_written(problem: Wording, text: str) -> Wording:
    """Return a problem with its quoted phrases of plain words as they are in a text."""
    quoted = {name: fact for name, fact in problem.facts.items() if f"`{{{name}}}`" in problem.text}
    return problem.about(
        **{**problem.facts, **{name: _written(str(fact), text) for name, fact in quoted.items()}}
    )


def _written(phrase: str, text: str) -> str:
    """Return the part of a text that a phrase of plain words comes from."""
    words = list(re.finditer("[^ ,]+", text))
    length = len(phrase.split())
    for first, last in zip(words, words[length - 1 :], strict=False):
        part = text[first.start() : last.end()]
        if plain(part) == phrase:
            return part
    return phrase


def _read(words: str, text: str) -> list[Pattern]:
    if step := _interval(words):
        return [step]
    words = _HOUR_SAID.sub(_hour, words)
    words = _HOUR_OF_DAYS.sub(r"\1 \2:00", words)
    explained = re.fullmatch(r"([^()]+) \(.*\)", text)
    if explained and _CRON.fullmatch(explained[1]):
        # Only the explanation that this program gives is read, for it says nothing else than the fields.
        cron = parse_cron(explained[1])
        if cron.describe() == text:
            return [cron]
    elif re.search(_CLOCK, words) and not words.startswith("@"):
        return list(_clauses(words, text))
    elif _CRON.fullmatch(words):
        return [parse_cron(text)]
    raise ConfigError(Wording("`{text}` is not a schedule", text=text), hint=_hint(words, text))


def _hint(words: str, text: str) -> str:
    try:
        list(_at(words, 0, None))
    except ConfigError:
        return _FORMS
    return Wording("add the time: `{text} 09:00`; or write it like `Mon-Fri 09:00`", text=text)


def _interval(words: str) -> Every | None:
    """Return the step of ``every 15m``, ``every 2 hours``, ``her saat``, ``15 dakikada bir``."""
    words = re.sub("^@every |^every:? ?(?=[0-9])|^@every:? ?(?=[0-9])", "every ", words)
    words = re.sub("half (?:an )?hour|yarim saatte", "30m", re.sub("^hourly$", "every hour", words))
    if interval := _INTERVAL.fullmatch(words):
        amounts = re.findall(_AMOUNT, interval[1] or interval[6])
        return parse_every("".join(f"{number.strip() or 1}{_UNITS[unit]}" for number, unit in amounts))
    if re.match("every [0-9]", words) and not re.search(f"week|{_CLOCK}", words):
        return parse_every(words.removeprefix("every "))
    return None


def _hour(said: re.Match[str]) -> str:
    """Return ``sabah 9``, ``aksam 6``, ``saat 14`` on the 24-hour clock; any other hour as it is."""
    hour = _HOURS_SAID[said[1]].get(int(said[2]))
    return said[0] if hour is None else f"{hour}{said[3] or ':00'}"


def _clauses(words: str, text: str) -> Iterator[Pattern]:
    """Yield the patterns of plain words such as ``fri 17:00, sat 10:00, 12:00``."""
    words, start = split_start(re.sub(r"(?<=[0-9]-[0-9]{2})t(?=[0-9])", " ", words))
    turned = _TIMES_FIRST.fullmatch(words)
    if turned and not re.search(_CLOCK, turned[2]):
        words = f"{turned[2]} {turned[1]}"
    end = 0
    while end < len(words):
        clause = _CLAUSE.match(words, end)
        if not clause:
            raise ConfigError(Wording("`{text}` is not a schedule", text=text), hint=_FORMS)
        for time in re.findall(_CLOCK, clause[2]):
            yield from _at(clause[1], parse_time(time), start)
        end = clause.end()


def _at(words: str, minutes: int, start: date | None) -> Iterator[Pattern]:
    """Yield the patterns for days in plain words at a time of day."""
    hour, minute = divmod(minutes, 60)
    if day := read_date(words):
        yield Once(datetime(day.year, day.month, day.day) + timedelta(minutes=minutes))  # noqa: DTZ001
    elif weekdays := every_other(words):
        yield EveryOtherWeek(Cron(f"{minute} {hour} * * {weekday_field(weekdays)}"), start or FIRST_WEEK)
        return
    else:
        for days in read_days(words):
            yield parse_cron(f"{minute} {hour} {' '.join(days)}")
    if start:
        raise ConfigError(
            Wording("`{phrase}` has no effect here", phrase="from"),
            hint="write it like `every other Monday 09:00 from 2026-12-07`",
        )
