"""Schedule: its nominal times, the days that it skips, and the missed runs that are due now."""

import importlib
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from wbox_notify.config.fields import Duration
from wbox_notify.config.yaml.validation import Strict, as_list, invalid, parsed
from wbox_notify.errors import ConfigError
from wbox_notify.model.text import SEMICOLON, joined
from wbox_notify.model.texts import Wording
from wbox_notify.triggers.schedule.dates import Pattern
from wbox_notify.triggers.schedule.wallclock import DATE, parse_time
from wbox_notify.triggers.schedule.wallclock import moment as moment_of

Runs = Literal["last", "all", "none"]

ON_TIME = timedelta(minutes=1)
"""How late a run may be and still not count as missed."""

_MOST_MISSED = 100
_GIVE_UP = timedelta(days=30 * 366)
_INSTANT = timedelta(microseconds=1)

_REGION = re.compile(r"([A-Z]{2})(?:-([A-Z0-9]{1,3}))?")
_HALF_DAYS = re.compile("skip|until ((?:[01]?[0-9]|2[0-3]):[0-5][0-9])")
_ANY_YEAR = 2026
_FRIDAY = 5


def _region(text: str) -> str:
    """Return the code of a country, or of a part of one, whose holidays are known: ``TR``, ``DE-BY``."""
    region = text.strip().upper()
    try:
        _holidays(region, _ANY_YEAR)
    except (NotImplementedError, ValueError):
        hint = "write the code of a country or a part of it: TR, DE-BY"
        raise ConfigError(Wording("the holidays of `{text}` are not known", text=text), hint=hint) from None
    return region


@lru_cache(maxsize=256)
def _holidays(region: str, year: int, category: str = "public") -> Mapping[date, str]:
    """Return the public holidays of a year, or those of half a day, with their English names."""
    codes = _REGION.fullmatch(region)
    if not codes:
        raise ValueError(region)
    # Importing it takes 70 ms, and most projects have no rule that skips holidays.
    package = importlib.import_module("holidays")
    options = {"years": year, "language": "en_US", "categories": (category,)}
    return dict(package.country_holidays(codes[1], subdiv=codes[2], **options))


def _half_days(text: str) -> time:
    """Return when nothing is due any more on half a day: at midnight for ``skip``."""
    limit = _HALF_DAYS.fullmatch(text)
    if not limit:
        hint = "write `skip`, or `until 13:00`"
        raise ConfigError(Wording("`{text}` does not say what to do on half days", text=text), hint=hint)
    return time(*divmod(parse_time(limit[1] or "00:00"), 60))


def _day(text: str) -> date:
    try:
        if DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ConfigError(Wording("`{text}` is not a day", text=text), hint="write it like 2026-12-31")


_DayText = Annotated[str, Field(pattern=f"^{DATE.pattern}$")]


class Skip(Strict):
    """Days without runs."""

    holidays: Annotated[str | None, parsed(_region)] = Field(
        default=None, description="a country, or a part of one: `TR`, `DE-BY`"
    )
    days: Annotated[
        list[Annotated[date, parsed(_day)]],
        BeforeValidator(as_list, json_schema_input_type=_DayText | list[_DayText]),
    ] = Field(default=[], description="dates, such as `2026-12-31`")

    half_days: Annotated[
        time | None,
        parsed(_half_days, schema=Annotated[str, Field(pattern=f"^({_HALF_DAYS.pattern})$")]),
    ] = Field(
        default=None,
        description="what to do on half holidays, which are usual days by default: `skip`, or `until 13:00` "
        "to run before that time only",
    )
    weekends: bool = Field(default=False, description="`true` skips Saturdays and Sundays too")
    move: Literal["next"] | None = Field(
        default=None,
        description="`next` moves a skipped run to the next workday, at the same time: Monday to Friday, and "
        "not skipped",
    )

    @model_validator(mode="after")
    def _knows_half_days(self) -> Self:
        if self.half_days is None:
            return self
        if not self.holidays:
            raise invalid("WBX211", "`half_days` needs `holidays`", "add `holidays: TR`")
        try:
            _holidays(self.holidays, _ANY_YEAR, "half_day")
        except ValueError:
            message = Wording("the half days of {holidays} are not known", holidays=self.holidays)
            raise invalid("WBX215", message, "leave out `half_days`, or list dates in `days`") from None
        return self

    def reason(self, wall: datetime) -> str | None:
        """Return why nothing is due at a reading of the clock, or None."""
        day = wall.date()
        if day in self.days:
            return Wording("{day} is skipped", day=day)
        if self.weekends and day.isoweekday() > _FRIDAY:
            return Wording("weekend")
        if not self.holidays:
            return None
        if name := _holidays(self.holidays, day.year).get(day):
            return Wording("holiday: {name}", name=name)
        if self.half_days is None or wall.time() < self.half_days:
            return None
        name = _holidays(self.holidays, day.year, "half_day").get(day)
        return name and Wording("half day: {name}", name=name)

    def is_workday(self, wall: datetime) -> bool:
        """Return whether a run may be moved to a reading of the clock."""
        return wall.isoweekday() <= _FRIDAY and self.reason(wall) is None


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
        if self.skip.half_days is not None:
            parts.append(f"half days until {self.skip.half_days:%H:%M}")
        if self.skip.weekends:
            parts.append("not weekends")
        if self.skip.move:
            parts.append(f"move {self.skip.move}")
        return "; ".join(parts)

    def after(self, moment: datetime) -> datetime | None:
        """Return the first nominal time strictly after a moment, or None if there is no more."""
        moment = moment.astimezone(UTC)
        if self.skip.move:
            return self._moved_after(moment)
        give_up = moment + _GIVE_UP
        while (due := self._any_after(moment)) is not None and self.skips(due):
            moment = max(due, self._end_of_day(due))
            if moment > give_up:
                return None
        return due

    def times(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the nominal times after ``start`` up to and with ``end``."""
        due = self.after(start)
        while due is not None and due <= end:
            yield due
            due = self.after(due)

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
        """Return why nothing is due at a moment (``holiday: Republic Day``), or None."""
        return self.skip.reason(moment.astimezone(self.zone))

    def describe(self) -> str:
        """Return the schedule in words, such as ``Monday to Friday at 09:00; every 15m``."""
        return joined((pattern.describe() for pattern in self.patterns), SEMICOLON)

    def _moved_after(self, moment: datetime) -> datetime | None:
        """Return the first time after a moment, where skipped runs move to the next workday."""
        # Before the moment, only runs since the last workday can move beyond it.
        midnight = datetime.combine(moment.astimezone(self.zone).date(), time())
        give_up = moment + _GIVE_UP
        earliest = midnight - _GIVE_UP
        while midnight > earliest and not self.skip.is_workday(midnight - timedelta(minutes=1)):
            midnight -= timedelta(days=1)
        due = self._any_after(moment_of(midnight, self.zone) - _INSTANT)
        first: datetime | None = None
        while due is not None and due <= min(first or give_up, give_up):
            moved = self._moved(due)
            if moved is not None and moved > moment:
                first = min(first or moved, moved)
            due = self._any_after(due)
        return first

    def _moved(self, due: datetime) -> datetime | None:
        """Return when a run takes place that is due at a moment; None if no workday comes."""
        wall = due.astimezone(self.zone).replace(tzinfo=None)
        if self.skip.reason(wall) is None:
            return due
        for days in range(1, _GIVE_UP.days):
            later = wall + timedelta(days=days)
            if self.skip.is_workday(later):
                return moment_of(later, self.zone)
        return None

    def _any_after(self, moment: datetime) -> datetime | None:
        times = [pattern.after(moment, self.zone) for pattern in self.patterns]
        return min((due for due in times if due is not None), default=None)

    def _end_of_day(self, moment: datetime) -> datetime:
        wall = datetime.combine(moment.astimezone(self.zone).date(), time(23, 59, 59))
        return wall.replace(tzinfo=self.zone, fold=1).astimezone(UTC)

    def _latest(self, start: datetime, end: datetime) -> list[datetime]:
        """Return the newest hundred of the times after ``start`` up to and with ``end``."""
        reach = ON_TIME
        while True:
            since = max(start, end - reach)
            times = deque(self.times(since, end), maxlen=_MOST_MISSED)
            if since == start or len(times) == _MOST_MISSED:
                return list(times)
            reach *= 4


def nominal_id(rule_id: str, moment: datetime) -> str:
    """Return the id of the event that a rule is due: the same on every machine, whatever its zone."""
    at = moment.astimezone(UTC)
    shown = at.replace(tzinfo=None).isoformat(timespec="seconds" if at.second else "minutes")
    return f"schedule:{rule_id}:{shown}Z"
