"""Filters: sizes, times and names for readers of a language."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property
from typing import Any

from jinja2.runtime import Undefined

from wbox_notify.model.texts import Wording
from wbox_notify.templates.budget import counted
from wbox_notify.templates.dates import iso
from wbox_notify.templates.errors import TemplateError
from wbox_notify.templates.marks import defused
from wbox_notify.templates.moments import Moment, Moments
from wbox_notify.templates.numbers import Fraction, Numbers, Whole
from wbox_notify.templates.words import Words

SHOWN = (datetime, timedelta, Fraction, Whole)
"""What a message shows otherwise than Python does."""


@dataclass(frozen=True)
class Locale:
    """The language and the time zone in which values are shown to the readers of a message."""

    tz: tzinfo = UTC
    lang: str = "en"
    home: "Locale | None" = None
    """That of the project, in which its data is written; None for the same."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return our own filters by the name they have in templates."""
        own: dict[str, Callable[..., Any]] = {
            "firstline": self.firstline,
            "plain": self.plain,
            "string": self.text,
            "tojson": self.tojson,
            **self.moments.filters(),
            **self.numbers.filters(),
            **Words(self.lang, self.text).filters(),
        }
        return dict(sorted(own.items()))

    @cached_property
    def moments(self) -> Moments:
        """The filters for times."""
        home = self.home or self
        return Moments(self.tz, self.lang, (home.tz, home.lang))

    @cached_property
    def numbers(self) -> Numbers:
        """The filters for numbers."""
        return Numbers(self.lang, (self.home or self).lang)

    def text(self, value: Any) -> str:
        """Return a value as a message shows it: none is empty, a list or map is JSON, a time is ISO 8601."""
        if value is None:
            return ""
        if isinstance(value, SHOWN):
            return self._shown(value)
        if isinstance(value, str | int | float | Undefined):
            return str(value)  # of an Undefined: raises what it has to say
        if isinstance(value, list | tuple | Mapping | range):
            return self.tojson(value)
        if isinstance(value, date | time):
            return value.isoformat()
        if callable(value):
            raise TemplateError("this is something to call, not a value", hint="write () after it")
        raise TemplateError(
            Wording("a {kind} is not a value that a message can show", kind=type(value).__name__)
        )

    def _shown(self, value: datetime | timedelta | Fraction | Whole) -> str:
        if isinstance(value, timedelta):
            return self.moments.show_duration(value)
        if isinstance(value, Moment):
            return self.moments.show(value)
        if isinstance(value, datetime):
            return self.iso(value)
        return self.numbers.show(value)

    def iso(self, value: Any) -> str:
        """Return the time that a value means as ISO 8601 in the zone of the readers; a day as a day."""
        return iso(value, self.tz, self.lang)

    def tojson(self, value: Any, indent: int | None = None) -> str:
        """Return a value as JSON, for example ``{"a": 1}``; ``indent`` (at most 8) puts it on many lines."""
        if not indent:
            return json.dumps(value, default=self._json, ensure_ascii=False)
        encoder = json.JSONEncoder(default=self._json, ensure_ascii=False, indent=min(indent, 8))
        return "".join(map(counted, encoder.iterencode(value)))  # deep inside, each line is long

    def firstline(self, value: Any) -> str:
        """Return the first line of a text that is not blank, without the spaces around it."""
        return next((line.strip() for line in self.text(value).splitlines() if line.strip()), "")

    def plain(self, value: Any) -> str:
        """Return a text whose ``*``, ``_``, ``~``, backticks, ``> `` and ``- `` WhatsApp shows as written."""
        return defused(self.text(value))

    def _json(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return dict(value)
        if isinstance(value, range):
            return list(value)
        return self.text(value)
