"""Cron expressions and intervals: the times at which they are due. A normaliser stands before cronsim."""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from cronsim import CronSim, CronSimError

from wbox_notify.config.values import parse_duration
from wbox_notify.errors import ConfigError
from wbox_notify.model.text import did_you_mean
from wbox_notify.model.texts import Wording
from wbox_notify.triggers.schedule.phrases import Days, say_days
from wbox_notify.triggers.schedule.wallclock import day_number, moment, moments

AT = Wording("{days} at {time}")
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@noon": "0 12 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = (
    (Wording("minute"), 59, Wording("write 0-59, for example 0, 0,30 or */15")),
    (Wording("hour"), 23, Wording("write 0-23, for example 9, 9-17 or */2; a range runs upwards: 22-23,0-6")),
    (
        Wording("day of the month"),
        31,
        Wording(
            "write 1-31, L (the last day), L-3, LW (the last weekday) or 15W (the weekday nearest the 15th)"
        ),
    ),
    (Wording("month"), 12, Wording("write 1-12 or JAN-DEC; a range runs upwards: 11-12,1-2")),
    (
        Wording("day of the week"),
        7,
        Wording(
            "write 0-7 or SUN-SAT, for example MON-FRI, MON#1 for the first Monday, 5L for the last Friday"
        ),
    ),
)
_DAY_OF_MONTH, _DAY_OF_WEEK = 2, 4
_FRIDAY = 5
_MOVING = re.compile("L-(?:[1-9]|[12][0-9]|30)|(?:[1-9]|[12][0-9]|3[01])W")
_LAST = re.compile(r"L(\w+)|(\w+)L")
_RANGE = re.compile(r"([0-7])-([0-7])(?:/([1-9][0-9]?))?")
_START = datetime(2000, 1, 1)  # noqa: DTZ001 - cronsim is given the readings of a clock, which have no zone
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHORTEST = timedelta(seconds=10)
_DAY = timedelta(days=1)


class _Simulation(CronSim):
    """Adds to cronsim ``15W``, the weekday nearest the 15th, and ``L-3``, three days before the last."""

    def __init__(self, expression: str, wall: datetime) -> None:
        fields = expression.split()
        terms = fields[_DAY_OF_MONTH].split(",")
        self._moving = [term for term in terms if _MOVING.fullmatch(term)]
        self._has_fixed = len(self._moving) < len(terms)
        fields[_DAY_OF_MONTH] = ",".join(term for term in terms if term not in self._moving) or "*"
        super().__init__(" ".join(fields), wall)

    def match_dom(self, d: date) -> bool:
        """Return whether a date is one of the days of the month."""
        if any(_moved(term, d.year, d.month) == d.day for term in self._moving):
            return True
        return self._has_fixed and super().match_dom(d)


def _moved(term: str, year: int, month: int) -> int:
    """Return the day of a month that ``15W`` or ``L-3`` is; 0 where the month has none."""
    _, last = calendar.monthrange(year, month)
    if term.startswith("L-"):
        return max(last - int(term[2:]), 0)
    day = int(term[:-1])
    if day > last:
        return 0
    past_friday = calendar.weekday(year, month, day) + 1 - _FRIDAY
    if past_friday <= 0:
        return day
    if past_friday == 1:
        return day - 1 if day > 1 else day + 2
    return day + 1 if day < last else day - 2


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression of five fields, as cronsim takes it."""

    expression: str

    def __str__(self) -> str:
        return self.expression

    @property
    def takes_either_day(self) -> bool:
        """Whether a day of the month and a day of the week are both given: one of them is enough then."""
        _, _, day, _, weekday = self.expression.split()
        return not day.startswith("*") and not weekday.startswith("*")

    def after(self, last: datetime, zone: tzinfo) -> datetime | None:
        """Return the first moment (UTC) after ``last`` at which it is due, or None."""
        wall = last.astimezone(zone).replace(tzinfo=None)
        shown = moments(wall, zone)
        times: list[datetime] = []
        # Before clocks go back, readings up to now come once more, so those are looked at too.
        for reading in _Simulation(self.expression, wall - (shown[-1] - shown[0])):
            times += [due for due in self._due(reading, zone) if due > last]
            if times and reading > wall:
                return min(times)
        return None

    @property
    def is_fixed(self) -> bool:
        """Whether it is due at fixed times of day, and not at steps of minutes or hours."""
        minute, hour, *_ = self.expression.split()
        return not minute.startswith("*") and not hour.startswith("*")

    def describe(self) -> Wording:
        """Return words that can be read again: ``Monday to Friday at 09:00``, or the fields with words."""
        minute, hour, *days = self.expression.split()
        phrase = say_days(Days(*days))
        if phrase and minute.isdecimal() and hour.isdecimal():
            return AT.about(days=phrase, time=f"{int(hour):02}:{int(minute):02}")
        if any(map(_MOVING.fullmatch, days[0].split(","))):
            return Wording(self.expression)
        words = CronSim(self.expression, _START).explain()
        return Wording(
            "{expression} ({words})", expression=self.expression, words=words[0].lower() + words[1:]
        )

    def _due(self, reading: datetime, zone: tzinfo) -> list[datetime]:
        if self.is_fixed:
            return [moment(reading, zone)]
        return moments(reading, zone)


def parse_cron(text: str) -> Cron:
    """Return a cron expression of five fields or a nickname such as ``@daily``."""
    if text.startswith("@"):
        return Cron(_nickname(text))
    fields = text.upper().split()
    if len(fields) != len(_FIELDS):
        raise _miscounted(text, len(fields))
    for place in (_DAY_OF_MONTH, _DAY_OF_WEEK):
        if fields[place] == "?":
            fields[place] = "*"
    fields[_DAY_OF_WEEK] = ",".join(map(_day_of_week, fields[_DAY_OF_WEEK].split(",")))
    for place, written in enumerate(text.split()):
        # Of the steps of a range that is one value, cronsim makes steps up to the end of the field.
        fields[place] = re.sub(r"(?<![^,])(\w+)-\1/[1-9][0-9]*(?![^,])", r"\1", fields[place])
        _check_field(place, fields[place], written)
    expression = " ".join(fields)
    moving = any(map(_MOVING.fullmatch, fields[_DAY_OF_MONTH].split(",")))
    if moving and fields[_DAY_OF_WEEK] != "*":
        hint = "write `*` as the day of the week"
        raise ConfigError(
            Wording("`{text}` has a day such as 15W or L-3, and a day of the week", text=text), hint=hint
        )
    try:
        next(_Simulation(expression, _START))
    except (CronSimError, StopIteration):
        hint = "L is the last day of a month"
        raise ConfigError(Wording("`{text}` is never due: no such day comes", text=text), hint=hint) from None
    return Cron(expression)


def _nickname(text: str) -> str:
    try:
        return _NICKNAMES[text.lower()]
    except KeyError:
        hint = did_you_mean(text.lower(), _NICKNAMES) or Wording(
            "there are {names}", names=", ".join(_NICKNAMES)
        )
        raise ConfigError(Wording("`{text}` is not a schedule", text=text), hint=hint) from None


def _miscounted(text: str, count: int) -> ConfigError:
    if count == len(_FIELDS) + 1:
        return ConfigError(
            Wording("`{text}` has six fields, and a cron expression has five, without seconds", text=text),
            hint="leave out the seconds, or write `every: 10s`",
        )
    hint = "write it like `Mon-Fri 09:00`, `every: 15m`, `@daily` or as the five fields of cron"
    return ConfigError(Wording("`{text}` is not a schedule", text=text), hint=hint)


def _check_field(place: int, field: str, written: str) -> None:
    name, most, hint = _FIELDS[place]
    alone = ["*"] * len(_FIELDS)
    alone[place] = field
    try:
        _Simulation(" ".join(alone), _START)
    except CronSimError:
        raise ConfigError(
            Wording("`{written}` cannot be the {name} of a cron expression", written=written, name=name),
            hint=hint,
        ) from None
    for step in re.findall("/([0-9]+)", field):
        if int(step) > most:
            hint = Wording("for an interval, write `every: 90m`")
            raise ConfigError(
                Wording(
                    "`{written}`: a step of the {name} is at most {most}",
                    written=written,
                    name=name,
                    most=most,
                ),
                hint=hint,
            )


def _day_of_week(term: str) -> str:
    """Return a day of the week or a range of them in the spelling that cronsim takes."""
    if day_number(term) is not None:
        return _digit(term)
    if last := _LAST.fullmatch(term):
        return f"{_digit(last[1] or last[2])}L"
    term = re.sub(r"[^\W\d]+", lambda name: _digit(name[0]), term)
    ranged = _RANGE.fullmatch(term)
    if not ranged or ranged[1] <= ranged[2]:
        return term
    start, end, step = int(ranged[1]), int(ranged[2]), int(ranged[3] or 1)
    return ",".join(str(day % 7) for day in range(start, end + 8, step))


def _digit(name: str) -> str:
    number = day_number(name)
    return name if number is None else str(number % 7)


@dataclass(frozen=True, slots=True)
class Every:
    """A step of time counted from a fixed moment, so that neither a restart nor an edit shifts it."""

    step: timedelta

    def __str__(self) -> str:
        return f"every {self.step}"

    def describe(self) -> Wording:
        """Return it in words, such as ``every 1h30m``."""
        minutes, seconds = divmod(int(self.step.total_seconds()), 60)
        hours, minutes = divmod(minutes, 60)
        counts = {"h": hours, "m": minutes, "s": seconds}
        step = "".join(f"{count}{unit}" for unit, count in counts.items() if count)
        return Wording("every {step}", step=step)

    def after(self, last: datetime, zone: tzinfo) -> datetime:  # noqa: ARG002 - a cron expression needs the zone
        """Return the first moment (UTC) after ``last`` at which it is due."""
        return _EPOCH + ((last - _EPOCH) // self.step + 1) * self.step


def parse_every(text: object) -> Every:
    """Return a step of whole seconds, from ten seconds to less than a day: ``15m``, ``1h30m``."""
    step = timedelta(seconds=parse_duration(text))
    if step >= _DAY:
        raise ConfigError(
            Wording("every {text} would be at another time of day after the clocks change", text=text),
            hint="use `at: 09:00` for each day, `at: Mon 09:00` for each week",
        )
    if step < _SHORTEST or step.microseconds:
        raise ConfigError(
            Wording("every {text} is not possible", text=text), hint="write whole seconds, 10s at least"
        )
    return Every(step)
