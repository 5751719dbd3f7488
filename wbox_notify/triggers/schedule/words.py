"""A schedule in a few words, in English and Turkish."""

# ruff: noqa: RUF001 - the Turkish dotless i is meant

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from wbox_notify.triggers.schedule.cron import Cron, Every
from wbox_notify.triggers.schedule.wallclock import DAY_NAMES, WEEK, show_days

_MINUTES, _DAY_OF_MONTH = 60, 31


class _Words(NamedTuple):
    at: str
    joined: str
    daily: str
    hourly: str
    day: str
    nth: str
    nths: tuple[str, str, str, str, str, str]
    last_day: str
    last_weekday: str
    every: str
    units: tuple[tuple[str, str, str], ...]
    """Of hours, minutes and seconds: one, many, and what is put to the last of them."""


_WORDS = {
    "en": _Words(
        at="{} at {}",
        joined="and",
        daily="every day",
        hourly="every hour at {}",
        day="day {} of the month",
        nth="the {} {} of the month",
        nths=("last", "first", "second", "third", "fourth", "fifth"),
        last_day="the last day of the month",
        last_weekday="the last weekday of the month",
        every="every {}",
        units=(("hour", "hours", ""), ("minute", "minutes", ""), ("second", "seconds", "")),
    ),
    "tr": _Words(
        at="{} {}",
        joined="ve",
        daily="her gün",
        hourly="her saat {}",
        day="ayın {}. günü",
        nth="ayın {} {} günü",
        nths=("son", "ilk", "ikinci", "üçüncü", "dördüncü", "beşinci"),
        last_day="ayın son günü",
        last_weekday="ayın son iş günü",
        every="her {}",
        units=(("saat", "saat", "te"), ("dakika", "dakika", "da"), ("saniye", "saniye", "de")),
    ),
}


def describe(patterns: Sequence[Cron | Every], lang: str) -> str:
    """Return patterns in words; a cron expression that has no short words stands as it is."""
    lang = lang if lang in _WORDS else "en"
    words, times = _WORDS[lang], dict[str, list[str]]()
    for pattern in patterns:
        if isinstance(pattern, Every):
            times[_every(pattern.step, words)] = []
        else:
            days, time = _cron(pattern, lang)
            times.setdefault(days, []).extend(time)
    return "; ".join(words.at.format(days, _joined(at, words)) if at else days for days, at in times.items())


def _cron(cron: Cron, lang: str) -> tuple[str, list[str]]:
    """Return the days of a cron expression in words, and its time; or all of it and no time."""
    words = _WORDS[lang]
    minute, hour, day, month, weekday = cron.expression.split()
    if (hour, day, month, weekday) == ("*", "*", "*", "*"):
        return _within_hours(minute, words) or f"cron {cron.expression}", []
    said = _days(day, month, weekday, lang)
    if said is None or not (minute.isdigit() and hour.isdigit()):
        return f"cron {cron.expression}", []
    return said, [f"{int(hour):02}:{int(minute):02}"]


def _within_hours(minute: str, words: _Words) -> str | None:
    if minute.isdigit():
        return words.hourly.format(f":{int(minute):02}")
    step = "1" if minute == "*" else minute.removeprefix("*/")
    if step.isdigit() and _MINUTES % int(step) == 0:
        return _every(timedelta(minutes=int(step)), words)
    return None


def _days(day: str, month: str, weekday: str, lang: str) -> str | None:
    if month != "*" or "*" not in {day, weekday}:
        return None
    words = _WORDS[lang]
    if day != "*":
        fixed = {"L": words.last_day, "LW": words.last_weekday}
        return fixed.get(day) or (words.day.format(day) if re.fullmatch("[0-9,]+", day) else None)
    if found := re.fullmatch(r"([0-7])(?:L|#([1-5]))", weekday):
        return words.nth.format(words.nths[int(found[2] or 0)], DAY_NAMES[lang][int(found[1]) - 1])
    return _weekdays(weekday, lang)


def _weekdays(weekday: str, lang: str) -> str | None:
    if weekday == "*":
        return _WORDS[lang].daily
    days: set[int] = set()
    for term in weekday.split(","):
        found = re.fullmatch("([0-7])(?:-([0-7]))?", term)
        if not found:
            return None
        days.update((day - 1) % 7 + 1 for day in range(int(found[1]), int(found[2] or found[1]) + 1))
    return _WORDS[lang].daily if days == WEEK else show_days(frozenset(days), lang)


def _every(step: timedelta, words: _Words) -> str:
    hours, rest = divmod(step, timedelta(hours=1))
    minutes, rest = divmod(rest, timedelta(minutes=1))
    counted = zip((hours, minutes, rest.seconds), words.units, strict=True)
    parts = [(count, unit) for count, unit in counted if count]
    last, (one, _, ending) = parts[-1]
    if len(parts) == 1 and last == 1:
        return words.every.format(one)
    shown = " ".join(f"{count} {unit[0] if count == 1 else unit[1]}" for count, unit in parts)
    return words.every.format(shown + ending)


def _joined(times: list[str], words: _Words) -> str:
    *before, last = sorted(times)
    return f"{', '.join(before)} {words.joined} {last}" if before else last
