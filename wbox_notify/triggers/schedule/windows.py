"""Windows of time such as ``22:00-07:30``, as people write them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple, Self

from wbox_notify.errors import ConfigError
from wbox_notify.model.texts import Wording
from wbox_notify.triggers.schedule.wallclock import WEEK, moment, moments, parse_days, parse_time

_CLOCK = r"([0-9]{1,2}(?:[:.][0-9]{2}(?: ?[ap]m)?| ?[ap]m))"
_WINDOW = re.compile(rf"(.*?)\s*{_CLOCK}\s*[-\u2013]\s*{_CLOCK}")
_LONGEST_TEXT = 200
_FORM = Wording("write it like 22:00-07:30 or Mon-Fri 09:00-18:00; several windows are a list")
_DAY = 24 * 60


class Span(NamedTuple):
    """A part of a window: the ISO days on which it opens, and minutes since the midnight before it opens."""

    days: frozenset[int]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Window:
    """A window of time that comes back each week; a start belongs to it, an end does not.

    Where clocks change, a skipped time counts as the end of the gap. Of a time that comes twice, a window
    opens at the first and closes at the last.
    """

    spans: tuple[Span, ...]

    @classmethod
    def parse(cls, *texts: str) -> Self:
        """Return a window from texts: ``22:00-07:30``, ``Mon-Fri 09:00-18:00``, ``Sat,Sun`` (whole days).

        Raises:
            ConfigError: one of them cannot be read.
        """
        return cls(tuple(map(_span, texts)))

    @property
    def never_opens(self) -> bool:
        """Whether no moment can be in it, as in ``09:00-09:00``."""
        return all(span.start == span.end for span in self.spans)

    @property
    def always_open(self) -> bool:
        """Whether every moment is in it."""
        week = 7 * _DAY
        open_until = 0
        for start, end in sorted(_weekly(self.spans)):
            if start <= open_until:
                open_until = max(open_until, end)
        return open_until >= week

    def contains(self, at: datetime, zone: tzinfo) -> bool:
        """Return whether a moment (with any time zone) is in the window by the clocks of ``zone``."""
        return self._end(at.astimezone(UTC), zone) is not None

    def ends_after(self, at: datetime, zone: tzinfo) -> datetime | None:
        """Return when (UTC) the window that is open at a moment is over.

        That is the moment itself when none is open, and None when it is always open.
        """
        if self.always_open:
            return None
        over = at.astimezone(UTC)
        while (end := self._end(over, zone)) is not None:
            over = end
        return over

    def _end(self, at: datetime, zone: tzinfo) -> datetime | None:
        today = at.astimezone(zone).date()
        # Clocks that go back across midnight show yesterday's date after today's, hence tomorrow too.
        opened = [today + timedelta(days=offset) for offset in (-1, 0, 1)]
        ends = [end for day in opened for start, end in self._openings(day, zone) if start <= at < end]
        return max(ends, default=None)

    def _openings(self, day: date, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
        midnight = datetime.combine(day, time())
        for span in self.spans:
            if day.isoweekday() in span.days:
                start, end = (midnight + timedelta(minutes=minutes) for minutes in (span.start, span.end))
                yield moment(start, zone), (moments(end, zone) or [moment(end, zone)])[-1]


def _span(text: str) -> Span:
    text = text.strip()
    if not text or len(text) > _LONGEST_TEXT:
        raise ConfigError(Wording("`{text}` is not a window of time", text=text[:40]), hint=_FORM)
    window = _WINDOW.fullmatch(text)
    if not window and re.search("[0-9]", text):
        raise ConfigError(Wording("`{text}` is not a window of time", text=text), hint=_FORM)
    if not window:
        return Span(parse_days(text), 0, _DAY)
    days = parse_days(window[1]) if window[1] else WEEK
    start = parse_time(window[2])
    end = _DAY if window[3] in {"24:00", "24.00"} else parse_time(window[3])
    if end < start:
        end += _DAY
    return Span(days, start, end)


def _weekly(spans: tuple[Span, ...]) -> Iterator[tuple[int, int]]:
    for span in spans:
        for day in span.days:
            # Sunday's window may reach into Monday, where the week begins again.
            for midnight in ((day - 1) * _DAY, (day - 8) * _DAY):
                yield midnight + span.start, midnight + span.end
