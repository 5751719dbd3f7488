"""Patterns of dates: once, and every other week."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from wbox_notify.model.texts import Wording
from wbox_notify.triggers.schedule.cron import AT, Cron, Every
from wbox_notify.triggers.schedule.wallclock import moment

FIRST_WEEK = date(1970, 1, 5)
"""The Monday that every other week is counted from where no date is given."""


_OTHER = {"every day": Wording("day")}
"""Of what the other one is said in other words."""


@dataclass(frozen=True, slots=True)
class Once:
    """One time on one date, by the clocks of the zone."""

    wall: datetime

    def __str__(self) -> str:
        return f"{self.wall:%Y-%m-%d %H:%M}"

    def describe(self) -> Wording:
        """Return it in words: ``2026-12-31 at 09:00``."""
        return AT.about(days=f"{self.wall:%Y-%m-%d}", time=f"{self.wall:%H:%M}")

    def after(self, last: datetime, zone: tzinfo) -> datetime | None:
        """Return its moment (UTC) if that is after ``last``, else None."""
        due = moment(self.wall, zone)
        if due > last:
            return due
        return None


@dataclass(frozen=True, slots=True)
class EveryOtherWeek:
    """A weekly time in every other week, from Monday to Sunday, beginning with the week of ``start``."""

    cron: Cron
    start: date

    def __str__(self) -> str:
        return f"{self.cron} every other week from {self.start}"

    def describe(self) -> Wording:
        """Return it in words: ``every other Monday at 09:00 from 2026-12-07``."""
        facts: Mapping[str, Any] = self.cron.describe().facts
        days = facts["days"]
        days = days.facts.get("days") or _OTHER.get(days, days)
        text = Wording("every other {days} at {time} from {start}")
        if self.start == FIRST_WEEK:
            text = Wording("every other {days} at {time}")
        return text.about(days=days, time=facts["time"], start=self.start)

    def after(self, last: datetime, zone: tzinfo) -> datetime | None:
        """Return the first moment (UTC) after ``last`` at which it is due, or None."""
        opening = moment(datetime.combine(self.start, time()), zone)
        last = max(last.astimezone(UTC), opening - timedelta(microseconds=1))
        due = self.cron.after(last, zone)
        while due is not None and not self._is_on(due.astimezone(zone).date()):
            due = self.cron.after(due, zone)
        return due

    def _is_on(self, day: date) -> bool:
        monday = self.start - timedelta(days=self.start.weekday())
        return (day - monday).days // 7 % 2 == 0


Pattern = Cron | Every | Once | EveryOtherWeek
