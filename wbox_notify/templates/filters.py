"""Filters: sizes, times and names for readers of a language."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from jinja2.runtime import Undefined

from wbox_notify.templates.dates import iso, local, read_time
from wbox_notify.templates.errors import TemplateError, brief
from wbox_notify.templates.marks import defused

_DATES = {
    language: pattern
    for pattern, languages in {
        "%d.%m.%Y": "az bg cs da de et fi hr nb no pl ro ru sk sl sr tr uk",
        "%d/%m/%Y": "ca el es fr gl it pt",
        "%d-%m-%Y": "nl",
    }.items()
    for language in languages.split()
}
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_LONGEST_PATTERN = 200


@dataclass(frozen=True)
class Locale:
    """The language and the time zone in which values are shown to the readers of a message."""

    tz: tzinfo = UTC
    lang: str = "en"

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return our own filters by the name they have in templates."""
        own: dict[str, Callable[..., Any]] = {
            "date": self.show_date,
            "datetime": self.show_datetime,
            "filesize": self.filesize,
            "firstline": self.firstline,
            "plain": self.plain,
            "string": self.text,
            "time": self.show_time,
            "tojson": self.tojson,
        }
        turkish = {
            "capitalize": self._capitalize,
            "lower": self._lower,
            "title": self._title,
            "upper": self._upper,
        }
        if self._language in {"az", "tr"}:
            own |= turkish
        return own

    def text(self, value: Any) -> str:
        """Return a value as a message shows it: none is empty, a list or map is JSON, a time is ISO 8601."""
        if isinstance(value, str | int | float | timedelta | Undefined):
            return str(value)  # of an Undefined: raises what it has to say
        if value is None:
            return ""
        if isinstance(value, datetime):
            return self.iso(value)
        if isinstance(value, list | tuple | Mapping | range):
            return self.tojson(value)
        if isinstance(value, date | time):
            return value.isoformat()
        if callable(value):
            raise TemplateError("this is something to call, not a value", hint="write () after it")
        raise TemplateError(f"a {type(value).__name__} is not a value that a message can show")

    def iso(self, value: Any) -> str:
        """Return the time that a value means as ISO 8601 in the zone of the readers; a day as a day."""
        return iso(value, self.tz, self.lang)

    def tojson(self, value: Any, indent: int | None = None) -> str:
        """Return a value as JSON, for example ``{"a": 1}``; ``indent`` (at most 8) puts it on many lines."""
        indent = min(indent, 8) if indent else None
        return json.dumps(value, default=self._json, ensure_ascii=False, indent=indent)

    def filesize(self, value: Any) -> str:
        """Return a number of bytes as people say it: ``512 B``, ``4.7 kB`` (1 kB is 1024 bytes)."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise TemplateError(
                f"filesize needs a number of bytes, not {brief(value)}",
                hint="a text becomes a number with | int" if isinstance(value, str) else None,
            )
        size, unit = float(value), 0
        while round(size) >= 1024 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - as in the docstring
            size, unit = size / 1024, unit + 1
        number = f"{size:.0f}"
        if size < 9.95:  # noqa: PLR2004 - more would be "10.0"
            number = f"{size:.1f}".removesuffix(".0")
        if self._language in _DATES:
            number = number.replace(".", ",")
        return f"{number} {_UNITS[unit]}"

    def show_date(self, value: Any, pattern: str | None = None) -> str:
        """Return the day of a time: ``2026-11-23``, or ``23.11.2026`` where the language writes it so."""
        return strftime(self._moment(value), pattern or self._day)

    def show_time(self, value: Any, pattern: str | None = None) -> str:
        """Return the time of day: ``09:00``."""
        return strftime(self._moment(value), pattern or "%H:%M")

    def show_datetime(self, value: Any, pattern: str | None = None) -> str:
        """Return day and time of day: ``2026-11-23 09:00``; the pattern is one of strftime."""
        return strftime(self._moment(value), pattern or f"{self._day} %H:%M")

    def firstline(self, value: Any) -> str:
        """Return the first line of a text that is not blank, without the spaces around it."""
        return next((line.strip() for line in self.text(value).splitlines() if line.strip()), "")

    def plain(self, value: Any) -> str:
        """Return a text whose ``*``, ``_``, ``~``, backticks, ``> `` and ``- `` WhatsApp shows as written."""
        return defused(self.text(value))

    @property
    def _language(self) -> str:
        return re.split("[-_]", self.lang)[0].lower()

    @property
    def _day(self) -> str:
        return _DATES.get(self._language, "%Y-%m-%d")

    def _moment(self, value: Any) -> datetime:
        """Return the time that a value means, in the zone of the readers."""
        moment = read_time(value, self.tz, self.lang)
        if not isinstance(moment, datetime):
            return datetime.combine(moment, time(), self.tz)
        return local(moment, self.tz)

    def _json(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return dict(value)
        if isinstance(value, range):
            return list(value)
        return self.text(value)

    # In Turkish i and İ are one letter, and I and the i without a dot (U+0131) another.
    def _upper(self, value: Any) -> str:
        return self.text(value).replace("i", "İ").replace("\u0131", "I").upper()

    def _lower(self, value: Any) -> str:
        return self.text(value).replace("İ", "i").replace("I", "\u0131").lower()

    def _capitalize(self, value: Any) -> str:
        text = self.text(value)
        return self._upper(text[:1]) + self._lower(text[1:])

    def _title(self, value: Any) -> str:
        return re.sub(r"\w+", lambda word: self._capitalize(word[0]), self.text(value))


def strftime(moment: date | time, pattern: Any) -> str:
    """Return a time in the form of a strftime pattern."""
    if not isinstance(pattern, str) or len(pattern) > _LONGEST_PATTERN:
        raise TemplateError(
            f"{brief(pattern)} is not a pattern for a time", hint='write one like "%d.%m.%Y %H:%M"'
        )
    return moment.strftime(pattern)
