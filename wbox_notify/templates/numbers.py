"""Numbers: read as people write them, and shown as their readers do."""

import math
import re
from collections.abc import Callable
from typing import Any

from wbox_notify.model.texts import Wording
from wbox_notify.templates.dates import language
from wbox_notify.templates.errors import TemplateError, brief, kind, near

_LONGEST = 64
_LONGEST_OF_PROGRAMS = 1000
_LARGEST = 1e300
_MOST_DIGITS = 20
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_REFUSED = object()
"""The default of those that have none: what cannot be read is an error."""

_WRITTEN = re.compile(
    r"(?P<sign>[-+]?)(?P<before>[^\d\s.,'+-]{0,4}) ?(?P<sign_after>[-+]?)(?P<digits>[\d.,'\u066b ]*\d)"
    r" ?(?P<after>[^\d\s,'+-]{0,4})"
)
_ALIKE = str.maketrans(
    {"\u2212": "-", "\u2019": "'", "\u066c": "'", **dict.fromkeys("\u00a0\u2007\u2009\u202f", " ")}
)
_WHOLE = re.compile(r"\d+|\d{1,3}(?:(?P<group>[ .,'])\d{3})(?:(?P=group)\d{3})*|\d{1,2}(?:,\d\d)+,\d{3}")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")


class Whole(int):
    """A whole number that a message shows as its readers write it."""

    digits: int | None = None


class Fraction(float):
    """Any other number that a message shows as its readers write it."""

    digits: int | None = None


class Numbers:
    """Filters for numbers, shown in a language; ``written`` is that in which texts have them."""

    def __init__(self, lang: str, written: str) -> None:
        self._lang, self._written = lang, written

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by the name they have in templates."""
        return {
            "currency": self.currency,
            "filesize": self.filesize,
            "float": self.to_float,
            "int": self.to_int,
            "number": self.number,
            "ordinal": self.ordinal,
            "percent": self.percent,
            "plural": self.plural,
        }

    def show(self, number: Whole | Fraction) -> str:
        """Return a number as the readers write it."""
        return language(self._lang).number(number, number.digits)

    def number(
        self, value: Any, digits: int | None = None, *, lang: str | None = None, default: Any = _REFUSED
    ) -> Any:
        """Return a number, also of a text such as ``1.234,50``, that a message shows as its readers write it.

        Args:
            value: A number or a text.
            digits: How many digits are shown after the sign; up to three by default.
            lang: The language that the text is written in, if not that of the project.
            default: What is returned for what is no number.
        """
        digits = _digits(digits)
        if lang is not None and not language(str(lang)).is_known:
            raise TemplateError(
                Wording("{value} is not the code of a language", value=brief(lang)),
                hint="write one like 'tr' or 'en'",
            )
        try:
            number = self._read(value, lang)
        except TemplateError:
            if default is _REFUSED:
                raise
            return default
        shown: Whole | Fraction
        shown = Whole(number) if isinstance(number, int) else Fraction(number)
        shown.digits = digits
        return shown

    def currency(self, value: Any, code: Any, digits: int | None = None) -> str:
        """Return an amount of money, ``$1,234.50``; a currency is named by its code: ``currency('USD')``."""
        check_currency(code)
        return language(self._lang).money(self._read(value), code, _digits(digits))

    def percent(self, value: Any, digits: int = 0) -> str:
        """Return a share of 1 in percent: ``0.256 | percent`` is ``26%``, in Turkish ``%26``."""
        return language(self._lang).percent(self._read(value), _digits(digits))

    def ordinal(self, value: Any) -> str:
        """Return a number of order: ``3rd``, in Turkish ``3.``, in French ``3e``."""
        number = self._read(value)
        if number != int(number) or number < 0:
            raise TemplateError(Wording("ordinal needs a whole number, not {value}", value=brief(value)))
        return language(self._lang).ordinal(int(number))

    def plural(self, value: Any, one: str, other: str | None = None, **forms: str) -> str:
        """Return which word stands with a number, ``plural('file', 'files')``; also ``few`` and ``many``."""
        forms |= {"one": one, "other": one if other is None else other}
        return forms.get(language(self._lang).plural(self._read(value)), forms["other"])

    def filesize(self, value: Any) -> str:
        """Return a number of bytes as people say it: ``512 B``, ``4.7 kB`` (1 kB is 1024 bytes)."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise TemplateError(
                Wording("filesize needs a number of bytes, not {value}", value=brief(value)),
                hint="a text becomes a number with | number" if isinstance(value, str) else None,
            )
        size, unit = float(value), 0
        while round(size) >= 1024 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - as in the docstring
            size, unit = size / 1024, unit + 1
        number = f"{size:.0f}"
        if size < 9.95:  # noqa: PLR2004 - more would be "10.0"
            number = f"{size:.1f}".removesuffix(".0").replace(".", language(self._lang).decimal)
        return f"{number} {_UNITS[unit]}"

    def to_float(self, value: Any, default: Any = _REFUSED) -> Any:
        """Return a number of a text as programs write it, ``1234.5``; or the default, if there is one."""
        return self._converted(value, default, float)

    def to_int(self, value: Any, default: Any = _REFUSED, base: int = 10) -> Any:
        """Return a whole number of a text as programs write it, without what stands after its point."""

        def convert(value: Any) -> int:
            try:
                return int(value, base) if isinstance(value, str) else int(value)
            except ValueError:
                return int(float(value))

        return self._converted(value, default, convert)

    def _converted(self, value: Any, default: Any, convert: Callable[[Any], Any]) -> Any:
        try:
            if isinstance(value, str | int | float) and len(str(value)) <= _LONGEST_OF_PROGRAMS:
                number = convert(value)
                if math.isfinite(number):
                    return number
        except (ValueError, OverflowError):
            pass
        if default is not _REFUSED:
            return default
        raise self._no_number(value, "float(0)")

    def _no_number(self, value: Any, instead: str = "number(default=0)") -> TemplateError:
        hint = Wording("say what to take instead: | {instead}", instead=instead)
        if isinstance(value, str) and _written(value, self._written) is not None:
            hint = Wording("a number as people write it is read with | number")
        what = kind(value) if value is None else brief(value)
        return TemplateError(Wording("{what} is not a number", what=what), hint=hint)

    def _read(self, value: Any, lang: str | None = None) -> Any:
        """Return the number that a value means."""
        number = value
        if isinstance(value, str):
            number = _written(value, lang or self._written)
        if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) < _LARGEST:
            raise self._no_number(value)
        return number


def check_currency(code: Any) -> None:
    """Raise TemplateError for what is not the code of a currency."""
    known = language("en").currencies
    if not isinstance(code, str) or code not in known:
        hint = near(code, known, what=Wording("it has a code of three letters: {names}"))
        if str(code) in {"TL", "₺"}:  # the nearest is the lira of before 2005
            hint = "write 'TRY'"
        raise TemplateError(Wording("{value} is not the code of a currency", value=brief(code)), hint=hint)


def _digits(number: Any) -> int | None:
    if number is not None and (type(number) is not int or not 0 <= number <= _MOST_DIGITS):
        raise TemplateError(
            Wording("{value} is not a number of digits", value=brief(number)),
            hint=Wording("write a number from 0 to {most}", most=_MOST_DIGITS),
        )
    return number


def _written(text: str, lang: str) -> int | float | None:
    """Return the number that somebody wrote, perhaps with a currency; None if it is none."""
    match = None
    if len(text) <= _LONGEST:
        match = _WRITTEN.fullmatch(text.translate(_ALIKE).strip())
    if not match:
        return None
    sign = match["sign"] + match["sign_after"]
    whole, fraction = _parts(match["digits"], lang)
    currencies = (match["before"], match["after"])
    is_number = len(sign) < 2 and _WHOLE.fullmatch(whole) and (fraction or "0").isdecimal()  # noqa: PLR2004
    if not is_number or not all(_is_currency(text, lang) for text in currencies):
        return None
    number = sign + re.sub(r"\D", "", whole)
    return float(f"{number}.{fraction}") if fraction else int(number)


def _parts(digits: str, lang: str) -> tuple[str, str]:
    """Return the whole of a number, perhaps with signs between its thousands, and its fraction.

    Raises:
        TemplateError: it is not clear which sign stands between them.
    """
    sign = _sign_before_fraction(digits, lang)
    if not sign:
        return digits, ""
    whole, _, fraction = digits.rpartition(sign)
    return whole or "0", fraction


def _sign_before_fraction(digits: str, lang: str) -> str:
    """Return the sign that stands before the fraction; empty where there is none."""
    signs = [sign for sign in digits if sign in ".,\u066b"]
    if len(set(signs)) > 1 or signs == ["\u066b"]:
        return signs[-1]
    if len(signs) != 1:
        return ""
    if not _THOUSANDS.fullmatch(digits) or language(lang).decimal == signs[0]:
        return signs[0]
    if language(lang).group == signs[0]:
        return ""
    raise TemplateError(
        Wording("'{digits}' can be two numbers", digits=digits),
        hint="say in which language it is written: | number(lang='de')",
    )


def _is_currency(text: str, lang: str) -> bool:
    """Return whether a text is the sign or the code of a currency, or none at all."""
    return text in {"", "TL", *"$€£¥₺₽₹"} or text in language(lang).currencies or text in language(lang).signs
