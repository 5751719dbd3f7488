"""Schedule: its nominal times, the days that it skips, and the missed runs that are due now."""

import importlib
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from wbox_notify.config.fields import Duration
from wbox_notify.config.yaml.validation import Strict, as_list, parsed
from wbox_notify.errors import ConfigError
from wbox_notify.triggers.schedule.dates import Pattern

Runs = Literal["last", "all", "none"]

ON_TIME = timedelta(minutes=1)
"""How late a run may be and still not count as missed."""

_MOST_MISSED = 100
_GIVE_UP = timedelta(days=30 * 366)
_INSTANT = timedelta(microseconds=1)

_REGION = re.compile(r"([A-Z]{2})(?:-([A-Z0-9]{1,3}))?")
_ANY_YEAR = 2026


def _region(text: str) -> str:
    """Return the code of a country, or of a part of one, whose holidays are known: ``TR``, ``DE-BY``."""
    region = text.strip().upper()
    try:
        _holidays(region, _ANY_YEAR)
    except (NotImplementedError, ValueError):
        hint = "write the code of a country or a part of it: TR, DE-BY"
        raise ConfigError(f"the holidays of `{text}` are not known", hint=hint) from None
    return region


@lru_cache(maxsize=256)
def _holidays(region: str, year: int) -> Mapping[date, str]:
    """Return the public holidays of a year with their English names."""
    codes = _REGION.fullmatch(region)
    if not codes:
        raise ValueError(region)
    # Importing it takes 70 ms, and most projects have no rule that skips holidays.
    package = importlib.import_module("holidays")
    return dict(package.country_holidays(codes[1], subdiv=codes[2], years=year, language="en_US"))


def _day(text: str) -> date:
    try:
        if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ConfigError(f"`{text}` is not a day", hint="write it like 2026-12-31")


class Skip(Strict):
    """Days without runs."""

    holidays: Annotated[str | None, parsed(_region)] = Field(
        default=None, description="a country, or a part of one: `TR`, `DE-BY`"
    )
    days: Annotated[
        list[Annotated[date, parsed(_day)]],
        BeforeValidator(as_list, json_schema_input_type=str | list[str]),
    ] = Field(default=[], description="dates, such as `2026-12-31`")

    def reason(self, day: date) -> str | None:
        """Return why nothing is due on a day, or None."""
        if day in self.days:
            return f"{day} is skipped"
        if self.holidays and (name := _holidays(self.holidays, day.year).get(day)):
            return f"holiday: {name}"
        return None


class Missed(Strict):
    """What to do about runs that were due while the daemon was down."""

    run: Runs = Field(default="last", description="`last`, `all` or `none`")
    within: Duration = Field(default=3600.0, description="how late a run may be")


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something is due. All moments that it returns are in UTC; it takes moments of any time zone."""

    patterns: tuple[Pattern, ...]
    zone: tzinfo = UTC
    skip: Skip = field(default_factory=Skip)

    @property
    def definition(self) -> str:
        """The schedule as text; where it differs from the stored one, somebody edited the rule."""
        parts = [*map(str, self.patterns), f"in {self.zone}"]
        parts += [f"not {day}" for day in sorted(set(self.skip.days))]
        if self.skip.holidays:
            parts.append(f"not {self.skip.holidays}")
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

    def due(self, last: datetime, now: datetime, missed: Missed) -> list[datetime]:
        """Return the nominal times after ``last`` that have to fire now, oldest first.

        Those on time (at most a minute late) always do. With ``run: last`` an older one does if it is the
        newest of all, with ``run: all`` the newest hundred do, if not later than ``within``.
        """
        # In one zone, Python compares what clocks show, which is wrong while they go back.
        last, now = last.astimezone(UTC), now.astimezone(UTC)
        oldest = now - max(timedelta(seconds=missed.within), ON_TIME)
        times = self._latest(max(last, oldest - _INSTANT), now)
        if missed.run == "all":
            return times
        on_time = [due for due in times if now - due <= ON_TIME]
        if on_time or missed.run == "none":
            return on_time
        return times[-1:]

    def skips(self, moment: datetime) -> str | None:
        """Return why nothing is due on the day of a moment (``holiday: Republic Day``), or None."""
        return self.skip.reason(moment.astimezone(self.zone).date())

    def describe(self) -> str:
        """Return the schedule in words, such as ``Monday to Friday at 09:00; every 15m``."""
        return "; ".join(pattern.describe() for pattern in self.patterns)

    def _any_after(self, moment: datetime) -> datetime | None:
        times = [pattern.after(moment, self.zone) for pattern in self.patterns]
        return min((due for due in times if due is not None), default=None)

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
