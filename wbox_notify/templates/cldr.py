"""What CLDR knows of a language, by Babel, which takes 100 ms to load and is imported when it is needed."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import cached_property
from typing import Literal

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import format_date, format_time, format_timedelta
from babel.lists import format_list
from babel.numbers import get_currency_precision, get_decimal_precision, parse_pattern
from babel.units import format_unit

_PRECISION = 400  # digits: no float has more before its point
_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
# CLDR cuts even these short words, and nobody writes them with a point.
_WHOLE_WORDS = {"sa.": "saat", "dk.": "dk", "sn.": "sn"}
_ORDINALS = {
    "en": {"one": "st", "two": "nd", "few": "rd", "other": "th"},
    "fr": {"one": "er", "other": "e"},
    "nl": {"other": "e"},
    **{code: {"other": "º"} for code in ("ca", "es", "gl", "it", "pt")},
}


def only_zone(country: str) -> str | None:
    """Return the time zone of a country (``TR``) that has one only."""
    zones = get_global("territory_zones").get(country, ())
    return zones[0] if len(zones) == 1 else None


class Language:
    """A language by its code, such as ``tr`` or ``de_AT``; English where CLDR does not know it.

    Attributes:
        is_known: Whether CLDR knows it.
    """

    def __init__(self, code: str) -> None:
        self.is_known = True
        try:
            self._locale = Locale.parse(code.replace("-", "_"))
        except (UnknownLocaleError, ValueError):
            self.is_known = False
            self._locale = Locale("en")

    @cached_property
    def decimal(self) -> str:
        """The sign before the fraction of a number."""
        return str(self._locale.number_symbols["latn"]["decimal"])

    @cached_property
    def group(self) -> str:
        """The sign between thousands."""
        return str(self._locale.number_symbols["latn"]["group"])

    @cached_property
    def currencies(self) -> Mapping[str, str]:
        """The names of all currencies by their codes, such as ``TRY``."""
        return self._locale.currencies

    @cached_property
    def signs(self) -> frozenset[str]:
        """The signs of currencies."""
        return frozenset(self._locale.currency_symbols.values())

    def number(self, value: float, digits: int | None) -> str:
        """Return a number with so many digits after the sign, or up to three, or all of a very small one."""
        pattern = self._locale.decimal_formats[None].pattern
        if digits is None and abs(value) < 0.001:  # noqa: PLR2004 - it would be 0
            digits = get_decimal_precision(Decimal(str(value)))
        return self._number(value, pattern, digits)

    def money(self, value: float, currency: str, digits: int | None) -> str:
        """Return an amount of money with so many digits after the sign, or as many as the currency has."""
        pattern = self._locale.currency_formats["standard"].pattern
        if digits is None:
            digits = get_currency_precision(currency)
        return self._number(value, pattern, digits, currency)

    def percent(self, value: float, digits: int | None) -> str:
        """Return a share of 1 in percent."""
        return self._number(value, self._locale.percent_formats[None].pattern, digits)

    def _number(self, value: float, pattern: str, digits: int | None, currency: str | None = None) -> str:
        form = parse_pattern(pattern)
        if digits is not None:
            form.frac_prec = (digits, digits)
        with localcontext(prec=_PRECISION, rounding=ROUND_HALF_UP):
            return str(form.apply(value, self._locale, currency=currency, currency_digits=False))

    def ordinal(self, number: int) -> str:
        """Return a number of order: ``3rd``, ``3.``."""
        endings = _ORDINALS.get(self._locale.language, {"other": "."})
        return f"{number}{endings.get(self._locale.ordinal_form(number), endings['other'])}"

    def plural(self, number: float) -> str:
        """Return which form of a word stands with a number: ``one``, ``few``, ``many``, ``other`` …."""
        return str(self._locale.plural_form(number))

    def listed(self, texts: Sequence[str]) -> str:
        """Return texts with commas between them, and with "and" before the last."""
        if len(texts) < 3:  # noqa: PLR2004 - two have a form of their own
            return format_list(texts, locale=self._locale)
        forms = self._locale.list_patterns["standard"]
        comma = forms["middle"].format("", "")
        return str(forms["end"].format(comma.join(texts[:-1]), texts[-1]))

    @cached_property
    def begins_with_day(self) -> bool:
        """Whether the day stands before the month where a date is all digits."""
        pattern: str = self._locale.date_formats["short"].pattern
        return pattern.find("d") < pattern.find("M")

    @cached_property
    def _digits(self) -> str:
        """The pattern of a date in digits with its whole year; in English, which has two ways, ISO 8601."""
        if self._locale.language == "en":
            return "yyyy-MM-dd"
        pattern: str = self._locale.date_formats["short"].pattern
        return re.sub("d+", "dd", re.sub("M+", "MM", re.sub("y+", "yyyy", pattern)))

    def day(self, moment: date, length: str | None = None) -> str:
        """Return a day in a length of CLDR, or else in digits with its whole year."""
        return format_date(moment, length or self._digits, self._locale)

    def clock(self, moment: datetime | time, form: str) -> str:
        """Return the time of day in a length or a pattern of CLDR, such as ``a`` for AM or PM."""
        return format_time(moment, form, locale=self._locale)

    def moment(self, moment: datetime, length: str) -> str:
        """Return a day in a length of CLDR with the time of day, in hours and minutes."""
        form = str(self._locale.datetime_formats[length]).replace("'", "")
        return form.replace("{0}", self.clock(moment, "short")).replace("{1}", self.day(moment, length))

    def name(self, moment: date, pattern: str) -> str:
        """Return a name in a pattern of CLDR, such as ``MMMM`` for the month."""
        return format_date(moment, pattern, self._locale)

    def ago(self, distance: timedelta) -> str:
        """Return how long ago something was, or in how long it will be: ``3 hours ago``, ``in 3 hours``."""
        return format_timedelta(distance, add_direction=True, locale=self._locale)

    def duration(self, seconds: int, length: Literal["short", "long"]) -> str:
        """Return a duration in its two largest units: ``2 hours 5 minutes``."""
        parts: list[str] = []
        for unit, size in _UNITS:
            number, seconds = divmod(seconds, size)
            if parts or number or size == 1:
                parts.append(self._unit(number, unit, length) if number or not parts else "")
        return " ".join(part for part in parts[:2] if part)

    def _unit(self, number: int, unit: str, length: Literal["short", "long"]) -> str:
        text = format_unit(number, f"duration-{unit}", length, locale=self._locale)
        if self._locale.language != "tr":
            return text
        return re.sub(r"\w+\.", lambda word: _WHOLE_WORDS.get(word[0], word[0]), text)

    def month(self, name: str) -> int:
        """Return the number of a month by its name or short name; 0 where there is none of that name."""
        return self._months.get(_folded(name), 0)

    @cached_property
    def _months(self) -> Mapping[str, int]:
        months = self._locale.months
        return {
            _folded(name): number
            for names in (*months["format"].values(), *months["stand-alone"].values())
            for number, name in names.items()
        }


def _folded(name: str) -> str:
    """Return a name in small letters, with one i for all that Turkish writes."""
    return name.casefold().replace("\u0131", "i").replace("i\u0307", "i").rstrip(".")
