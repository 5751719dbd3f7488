"""Times as they are shown to the readers of a message."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal

from wbox_notify.model.texts import Wording
from wbox_notify.templates.budget import data
from wbox_notify.templates.dates import language, local, read_duration, read_time
from wbox_notify.templates.errors import TemplateError, brief

if TYPE_CHECKING:
    from wbox_notify.templates.cldr import Language

_LONGEST_PATTERN = 200
_LENGTHS = ("short", "medium", "long", "full")
_DIRECTIVE = re.compile(r"%[-_0^#]?(.?)", re.DOTALL)
_KNOWN = frozenset("aAbBcdeDFgGhHIjklmMnpPrRsStTuUVwWxXyYzZC%")
# The names in the words of CLDR: in a date, beside its day, a month may have another form than alone.
_NAMES = {"a": "EEE", "A": "EEEE", "b": "MMM", "h": "MMM", "B": "MMMM"}
_ALONE = {"MMM": "LLL", "MMMM": "LLLL"}
_OF_DAY = re.compile("%[-_0]?[deDFcx]")


def _comparing(name: str) -> Callable[[datetime, Any], Any]:
    """Return a comparison that reads a text on its other side: to Python, no text is equal to a time."""
    native = getattr(datetime, name)

    @wraps(native)
    def compare(self: datetime, other: Any) -> Any:
        if isinstance(other, str) or type(other) is date:
            other = _at(read_time(other, self.tzinfo or UTC, "en"), self.tzinfo or UTC)
        return native(self, other)

    return compare


class Moment(datetime):
    """A time that a message shows as its readers write it: with its day and time of day."""

    __eq__ = _comparing("__eq__")
    __ne__ = _comparing("__ne__")
    __lt__ = _comparing("__lt__")
    __le__ = _comparing("__le__")
    __gt__ = _comparing("__gt__")
    __ge__ = _comparing("__ge__")
    __hash__ = datetime.__hash__


class Day(Moment):
    """The beginning of a day, which a message shows without the time of day."""


class Moments:
    """Filters for times, shown in a zone and a language.

    ``written`` are the zone and the language of texts, where they tell one time from another.
    """

    def __init__(self, tz: tzinfo, lang: str, written: tuple[tzinfo, str]) -> None:
        self._tz, self._lang, self._written = tz, lang, written

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by their names in templates; what never was has no time: none stays none."""
        own = {
            "ago": self.ago,
            "date": self.show_date,
            "datetime": self.show_datetime,
            "duration": self.duration,
            "time": self.show_time,
        }
        return {name: _none_stays(filter_) for name, filter_ in own.items()}

    @property
    def _words(self) -> "Language":
        return language(self._lang)

    def show(self, moment: Moment) -> str:
        """Return a time as the readers write it."""
        day = self._words.day(local(moment, self._tz))
        if isinstance(moment, Day):
            return day
        return f"{day} {local(moment, self._tz):%H:%M}"

    def show_date(self, value: Any, form: str | None = None) -> Any:
        """Return the day of a time: ``2026-11-23``, or ``23.11.2026`` where the language writes it so.

        The form is ``short``, ``medium``, ``long`` (``23 November 2026``), ``full`` (with the day of the
        week) or a pattern of strftime; with one, the result is a text, and else a time to compare and
        to count with.
        """
        moment = self._moment(value)
        if form:
            return self._formed(moment, form, lambda: self._words.day(moment, form))
        return Day.combine(moment, time(), self._tz)

    def show_time(self, value: Any, form: str = "%H:%M") -> str:
        """Return the time of day: ``09:00``; the form is as that of date."""
        moment = self._moment(value)
        return self._formed(moment, form, lambda: self._words.clock(moment, form))

    def show_datetime(self, value: Any, form: str | None = None) -> Any:
        """Return day and time of day: ``2026-11-23 09:00``; the form is as that of date."""
        moment = self._moment(value)
        if form:
            return self._formed(moment, form, lambda: self._words.moment(moment, form))
        return Moment.combine(moment, moment.timetz())

    def ago(self, value: Any) -> str:
        """Return how long ago a time was, or in how long it will be: ``3 hours ago``, ``in 3 hours``."""
        now = data().get("now")
        if not isinstance(now, datetime):
            raise TemplateError("ago needs the time that is now, and there is no 'now' here")
        return self._words.ago(self._moment(value) - now)

    def duration(self, value: Any, form: str = "short") -> Any:
        """Return a duration of seconds, or of a text such as ``1h30m``: ``2 hr 5 min``; or ``long``."""
        duration = read_duration(value)
        if form == "short":
            return duration
        if form != "long":
            raise TemplateError(
                Wording("{value} is not a form of a duration", value=brief(form)), hint="write short or long"
            )
        return self.show_duration(duration, "long")

    def show_duration(self, duration: timedelta, length: Literal["short", "long"] = "short") -> str:
        """Return a duration in its two largest units."""
        seconds = round(duration.total_seconds())
        text = self._words.duration(abs(seconds), length)
        return f"-{text}" if seconds < 0 else text

    def _formed(self, moment: datetime, form: Any, in_words: Callable[[], str]) -> str:
        """Return a time in a length of CLDR, such as ``long``, or by a pattern of strftime."""
        if isinstance(form, str) and form in _LENGTHS:
            return in_words()
        return self.strftime(moment, form)

    def strftime(self, moment: date | time, pattern: Any) -> str:
        """Return a time in the form of a strftime pattern, with the names of the language."""
        check_pattern(pattern)
        return _DIRECTIVE.sub(lambda part: self._part(moment, part, pattern), pattern)

    def _part(self, moment: date | time, part: re.Match[str], pattern: str) -> str:
        """Return what a directive of a pattern shows."""
        named = _NAMES.get(part[1])
        if named and isinstance(moment, date):
            if not _OF_DAY.search(pattern):
                named = _ALONE.get(named, named)
            return self._words.name(moment, named)
        if part[1] == "p" and isinstance(moment, datetime | time):
            return self._words.clock(moment, "a")
        return moment.strftime(part[0])

    def _moment(self, value: Any) -> datetime:
        """Return the time that a value means, by the clocks of the readers; a day is one in every zone."""
        return local(_at(read_time(value, *self._written), self._tz), self._tz)


def check_form(form: Any) -> None:
    """Raise TemplateError for a form that is none of a day or a time."""
    if form and form not in _LENGTHS:
        check_pattern(form)


def check_pattern(pattern: Any) -> None:
    """Raise TemplateError for what is no pattern of strftime, or shows nothing of a time."""
    problem = None
    if not isinstance(pattern, str) or len(pattern) > _LONGEST_PATTERN:
        problem = Wording("{value} is not a pattern for a time")
    elif "%" not in pattern:
        problem = Wording("{value} shows no time")
    elif any(part[1] not in _KNOWN for part in _DIRECTIVE.finditer(pattern)):
        problem = Wording("{value} has a % that means nothing")
    if problem:
        hint = "write '%d.%m.%Y %H:%M', or short, medium, long or full"
        raise TemplateError(problem.about(value=brief(pattern)), hint=hint)


def _at(moment: date, tz: tzinfo) -> datetime:
    """Return a time, of a day its beginning."""
    if isinstance(moment, datetime):
        return moment
    return datetime.combine(moment, time(), tz)


def _none_stays(filter_: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(filter_)
    def filtered(value: Any, *args: Any, **kwargs: Any) -> Any:
        return None if value is None else filter_(value, *args, **kwargs)

    return filtered
