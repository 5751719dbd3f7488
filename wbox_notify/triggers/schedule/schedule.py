"""Schedule: its nominal times, the public holidays that it skips, and the runs that are due now."""

import importlib
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import islice
from typing import Literal

from wbox_notify.errors import ConfigError
from wbox_notify.triggers.schedule.cron import Cron, Every
from wbox_notify.triggers.schedule.words import describe

_PLACE = re.compile(r"([A-Z]{2})(?:-([A-Z0-9]{1,3}))?")
_SOME_YEAR = 2026


def parse_place(text: object) -> str:
    """Return the code of a country, or of a part of one, whose holidays are known: ``TR``, ``DE-BY``."""
    place = text.strip().upper() if isinstance(text, str) else ""
    try:
        _year(place, _SOME_YEAR)
    except (NotImplementedError, ValueError):
        raise ConfigError(
            f"the holidays of `{text}` are not known",
            hint="write the code of a country or a part of it: TR, DE-BY",
        ) from None
    return place


def holiday(place: str, day: date) -> str | None:
    """Return the English name of the public holiday of a day, or None on other days."""
    return _year(place, day.year).get(day)


@lru_cache(maxsize=256)
def _year(place: str, year: int) -> Mapping[date, str]:
    found = _PLACE.fullmatch(place)
    if not found:
        raise ValueError(place)
    # Importing it takes 70 ms, and most projects have no rule that skips holidays.
    package = importlib.import_module("holidays")
    return dict(package.country_holidays(found[1], subdiv=found[2], years=year, language="en_US"))


ON_TIME = timedelta(minutes=1)
"""How late a run may be and still not count as missed."""

_MOST_MISSED = 100
_GIVE_UP = timedelta(days=30 * 366)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Missed:
    """Which of the runs are made up for that were missed, and how late one may be."""

    run: Literal["last", "all", "none"] = "last"
    within: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Skip:
    """Days on which nothing is due: some dates, and the holidays of a place."""

    days: frozenset[date] = frozenset()
    holidays: str | None = None

    def reason(self, day: date) -> str | None:
        """Return why nothing is due on a day, or None."""
        if day in self.days:
            return f"{day} is skipped"
        name = holiday(self.holidays, day) if self.holidays else None
        return f"holiday: {name}" if name else None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something is due. All moments that it returns are in UTC; it takes moments of any time zone."""

    patterns: tuple[Cron | Every, ...]
    zone: tzinfo = UTC
    skip: Skip = field(default_factory=Skip)

    @property
    def definition(self) -> str:
        """The schedule as text; where it differs from the one stored, the rule was edited and starts anew."""
        skipped = [*map(str, sorted(self.skip.days)), *filter(None, [self.skip.holidays])]
        parts = [*map(str, self.patterns), f"in {self.zone}", *(f"not {what}" for what in skipped)]
        return "; ".join(parts)

    def after(self, moment: datetime) -> datetime | None:
        """Return the first nominal time strictly after a moment, or None if there is no more."""
        moment = moment.astimezone(UTC)
        give_up = moment + _GIVE_UP
        while (due := self._any_after(moment)) is not None and self.skips(due):
            moment = max(due, self._end_of_day(due))
            if moment > give_up:
                return None
        return due

    def between(self, start: datetime, end: datetime, most: int = 100) -> list[datetime]:
        """Return the nominal times after ``start`` up to and with ``end``, the first ``most`` of them."""
        return list(islice(self._times(start, end.astimezone(UTC)), most))

    def due(self, last: datetime, now: datetime, missed: Missed) -> list[datetime]:
        """Return the nominal times after ``last`` that have to fire now, oldest first.

        Those on time (at most a minute late) always do. With ``run: last`` an older one does if it is the
        newest of all, with ``run: all`` the newest hundred do, if not later than ``within``.
        """
        # In one zone, Python compares what clocks show, which is wrong while they go back.
        last, now = last.astimezone(UTC), now.astimezone(UTC)
        oldest = now - max(missed.within, ON_TIME)
        times = self._latest(max(last, oldest - _INSTANT), now)
        if missed.run == "all":
            return times
        on_time = [due for due in times if now - due <= ON_TIME]
        return on_time or (times[-1:] if missed.run == "last" else [])

    def skips(self, moment: datetime) -> str | None:
        """Return why nothing is due on the day of a moment (``holiday: Republic Day``), or None."""
        return self.skip.reason(moment.astimezone(self.zone).date())

    def describe(self, lang: str) -> str:
        """Return the schedule in a few words of a language (``en``, ``tr``; others read English)."""
        return describe(self.patterns, lang)

    def _any_after(self, moment: datetime) -> datetime | None:
        found = (pattern.after(moment, self.zone) for pattern in self.patterns)
        return min((due for due in found if due is not None), default=None)

    def _end_of_day(self, moment: datetime) -> datetime:
        wall = datetime.combine(moment.astimezone(self.zone).date(), time(23, 59, 59))
        return wall.replace(tzinfo=self.zone, fold=1).astimezone(UTC)

    def _times(self, start: datetime, end: datetime) -> Iterator[datetime]:
        due = self.after(start)
        while due is not None and due <= end:
            yield due
            due = self.after(due)

    def _latest(self, start: datetime, end: datetime) -> list[datetime]:
        """Return the newest hundred of the times after ``start`` up to and with ``end``."""
        reach = ON_TIME
        while True:
            since = max(start, end - reach)
            times = deque(self._times(since, end), maxlen=_MOST_MISSED)
            if since == start or len(times) == _MOST_MISSED:
                return list(times)
            reach *= 4


def nominal_id(rule_id: str, moment: datetime) -> str:
    """Return the id of the event that a rule is due: the same on every machine, whatever its zone."""
    at = moment.astimezone(UTC)
    shown = at.replace(tzinfo=None).isoformat(timespec="seconds" if at.second else "minutes")
    return f"schedule:{rule_id}:{shown}Z"
