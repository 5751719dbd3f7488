"""Bounds of operators, methods and filters that can make something huge: they are paid for first."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import partial, wraps
from typing import Any

import jinja2
from jinja2.filters import FILTERS, ignore_case, make_attrgetter
from jinja2.runtime import Undefined
from jinja2.sandbox import SandboxedFormatter

from wbox_notify.model.texts import Wording
from wbox_notify.templates.budget import STEP, counted, spend, weigh, weighed
from wbox_notify.templates.dates import read_duration
from wbox_notify.templates.errors import TemplateError, brief
from wbox_notify.templates.filters import SHOWN, Locale

_LONGEST_RANGE = 10_000
_MOST_BITS = 10_000
_FINEST = 20
_LONGEST_ATTRIBUTE = 300
_TOO_LARGE = Wording("this number would have more than 3000 digits")
# No part of it backtracks, so a text is searched once, whatever it holds.
_FIELD = re.compile(
    r"%(?:\([^()]*+\))?+[-+ #0]*+(?P<width>\*|\d*+)(?:\.(?P<precision>\*|\d*+))?+[hlL]?+(?P<kind>.?)",
    re.DOTALL,
)
_WIDE_SPEC = re.compile(r"\d{4}")
_WIDEST_FIELD = 999
_ESCAPED = len(r"\U0001f468")
_LONGEST_HASHED = 60  # bits: of longer numbers, many can be chosen that have one hash

# What a call can make at most, from its arguments; a call that costs more than there is room for is not made.
_PRICES: Mapping[str, Callable[..., int]] = {
    "batch": lambda _, linecount, fill_with=None: _times(linecount, fill_with or ""),
    "center": lambda _, width=80: width,
    # Their time for an item is that of four steps, and of two.
    "groupby": lambda _, value, __, default=None, *___, **____: len(value) * (4 * STEP + weigh(default)),
    "indent": lambda s, width=4, *_, **__: (
        (str(s).count("\n") + 1) * (width if isinstance(width, int) else len(width))
    ),
    "map": lambda _, value, *args, default=None, **kwargs: (
        _times(len(value), default) + _times(len(value), _containers([*args, *kwargs.values()]))
    ),
    "replace": lambda _, s, old, new, *__, **___: str(s).count(str(old)) * len(str(new)),
    "sort": lambda _, value, *__, **___: len(value) * 2 * STEP,
    "slice": lambda _, __, slices, fill_with=None: _times(slices, fill_with or ""),
    # Its time grows with the square of the length.
    "wordwrap": lambda _, s, *args, **kwargs: (
        len(str(s)) * max(_longest([*args, *kwargs.values()]), len(str(s)) // STEP)
    ),
}
_METHOD_PRICES: Mapping[str, Callable[..., int]] = {
    "center": lambda _, width, *__: width,
    "ljust": lambda _, width, *__: width,
    "replace": lambda text, old, new, *__: text.count(old) * len(new),
    "rjust": lambda _, width, *__: width,
    "zfill": lambda _, width: width,
}
# Where the name of an attribute stands among the arguments, if it is not named.
_ATTRIBUTE_AT = {
    "groupby": 2,
    "join": 3,
    "map": 99,
    "max": 3,
    "min": 3,
    "rejectattr": 2,
    "selectattr": 2,
    "sort": 4,
    "sum": 2,
    "unique": 3,
}
METHODS = frozenset({*_METHOD_PRICES, "format", "join"})
"""The methods of a text that are bounded; those that make nothing long are in ``sandbox``."""

# The methods that are as the filters of their names: those know the language, and where a word begins.
_CASES = frozenset({"capitalize", "lower", "title", "upper"})

# Left out: what reaches around the sandbox, what makes HTML, and what gives another answer each time.
WITHOUT = {
    "attr": Wording("write x.name or x['name']"),
    "e": Wording("a message is plain text: nothing has to be escaped"),
    "escape": Wording("a message is plain text: nothing has to be escaped"),
    "forceescape": Wording("a message is plain text: nothing has to be escaped"),
    "pprint": Wording("use tojson(2)"),
    "random": Wording("the same event has to give the same message each time"),
    "safe": Wording("a message is plain text: nothing has to be escaped"),
    "urlize": Wording("WhatsApp makes links by itself"),
    "xmlattr": Wording("a message is plain text"),
}

# The filters that read a value, and may be told what to give where there is none to read.
_READING = ("as_datetime", "as_timestamp", "bool", "float", "from_json", "int", "number")

# Jinja's filters of texts, to which none would be the word None.
_TEXTS = (
    *("capitalize", "center", "indent", "lower", "replace", "title"),
    *("trim", "truncate", "upper", "urlencode", "wordcount", "wordwrap"),
)


_AS_SHOWN = (type(None), *SHOWN)


def filters(locale: Locale, more: Mapping[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Return all filters by name: Jinja's, with those that could grow bounded, our own, and more."""
    jinjas = {name: filter_ for name, filter_ in FILTERS.items() if name not in WITHOUT}
    bounded = {
        "format": printf,
        "join": _join(locale),
        "round": _round,
        "sum": _sum,
        "to_json": locale.tojson,
        "unique": _unique,
    }
    every = {**jinjas, **bounded, **locale.filters(), **more}
    every |= {name: _of_text(every[name], locale) for name in _TEXTS}
    every = {name: _bounded(name, filter_) for name, filter_ in every.items()}
    return every | {name: _or_default(every[name]) for name in _READING}


def present(test: Any) -> Callable[..., Any]:
    """Return a test that is counted, and raises an error for a missing value, where Jinja's returns False."""

    @wraps(test)
    def checked(*args: Any, **kwargs: Any) -> Any:
        _demand(args)
        spend()
        return test(*args, **kwargs)

    return checked


def operate(operator: str, left: Any, right: Any, native: Callable[[Any, Any], Any]) -> Any:
    """Return the result of ``+ - * ** %``, or a TemplateError if it would be huge; a time takes ``'1d'``."""
    if isinstance(left, date):
        return _operate_time(operator, left, right, native)
    if isinstance(left, int) and isinstance(right, int):
        _bound_bits(operator, left, right)
    elif operator == "%" and isinstance(left, str):
        return printf(left, *right) if isinstance(right, tuple) else printf(left, right)
    elif operator == "*":
        _spend_repetition(left, right)
        _spend_repetition(right, left)
    result = native(left, right)
    if operator == "+" and isinstance(result, str | list | tuple):
        return weighed(result)
    return result


def _operate_time(operator: str, left: date, right: Any, native: Callable[[Any, Any], Any]) -> Any:
    if operator in "+-" and isinstance(right, str):
        try:
            right = read_duration(right)
        except TemplateError as error:
            hint = "write a duration like '90m' or '1d'; a text becomes a time with | datetime"
            raise TemplateError(error.problem, hint=hint) from None
    return native(left, right)


def _spend_repetition(sequence: Any, count: Any) -> None:
    if isinstance(sequence, str | list | tuple) and isinstance(count, int):
        spend(weigh(sequence) * count)


def printf(value: str, *args: Any, **kwargs: Any) -> str:
    """Return printf-style formatted text, such as ``"%.2f" | format(3.14159)`` for ``3.14``."""
    if args and kwargs:
        raise TemplateError("format takes values with names or without, not both")
    _demand(args)
    values: Any = kwargs or args
    if len(args) == 1 and isinstance(args[0], Mapping):
        values = args[0]
    fields, size = value.count("%"), weigh(values)
    spend(fields * (_WIDEST_FIELD + size))
    if _kinds(value) & {"a", "r"}:
        spend(fields * size * _ESCAPED)
    text: str = value % values
    return text


def text_method(environment: jinja2.Environment, text: str, name: str) -> Callable[..., Any] | None:
    """Return the bounded method of a text that could grow; None if there is none of that name."""
    if name == "format":
        return partial(_Fields(environment).format, text)
    if name == "join":
        return lambda parts: _joined(text, list(parts))
    if name in _CASES:
        return partial(environment.filters[name], text)
    price = _METHOD_PRICES.get(name)
    if price is None:
        return None

    def method(*args: Any) -> Any:
        spend(price(text, *args))
        return getattr(text, name)(*args)

    return method


def short_range(*args: int) -> range:
    """Return a range of at most 10,000 numbers."""
    numbers = range(*args)
    # A length above sys.maxsize has no len(), but its end can be asked for.
    if numbers[_LONGEST_RANGE:]:
        raise TemplateError(Wording("a range can have at most {most} numbers", most=_LONGEST_RANGE))
    return numbers


def mapping(*args: Any, **fields: Any) -> dict[Any, Any]:
    """Return what ``dict`` makes; TemplateError for a number as a name that is too large for one."""
    sources: list[Any] = []
    for source in args:
        if isinstance(source, Mapping):
            sources.append(source)
            continue
        pairs = list(source)
        sources.append(pairs)
        if any(_is_large_name(pair) for pair in pairs):
            raise TemplateError(
                "a number this large cannot be the name of a field", hint="make it a text: | string"
            )
    return weighed(dict(*sources, **fields))  # type: ignore[no-any-return]


def _is_large_name(pair: Any) -> bool:
    return isinstance(pair, list | tuple) and bool(pair) and spread(pair[0]) is not pair[0]


class _Fields(SandboxedFormatter):
    """``"{:.2f}".format(x)`` with the sandbox's rules for fields, and a bound on widths."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if _WIDE_SPEC.search(format_spec):
            raise TemplateError(
                Wording("a width in {value} has more than 3 digits", value=brief(format_spec))
            )
        _demand((value,))
        text = str(super().format_field(value, format_spec))
        spend(len(text))
        return text


def _kinds(value: str) -> set[str]:
    """Return the letters that end the fields of a printf-style text; TemplateError if one is too wide."""
    kinds = set()
    for field in _FIELD.finditer(value):
        if field["kind"] == "(":
            raise TemplateError(
                Wording("a name in {value} is not closed, or has a parenthesis in it", value=brief(value))
            )
        if any(part == "*" or len(part or "") > len(str(_WIDEST_FIELD)) for part in field.group(1, 2)):
            raise TemplateError(
                Wording("a width in {value} has more than 3 digits, or is a *", value=brief(value))
            )
        kinds.add(field["kind"])
    return kinds


def _bounded(name: str, filter_: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that is paid for, gives no generator, and does not pass over a missing value."""
    price = _PRICES.get(name)

    @wraps(filter_)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        if name not in {"d", "default"}:
            _demand(args)
        if name in _ATTRIBUTE_AT:
            _bound_attribute(kwargs.get("attribute"), *args[_ATTRIBUTE_AT[name] :][:1])
        if price:
            spend(price(*args, **kwargs))
        else:
            spend()
        return counted(filter_(*args, **kwargs))

    return bounded


def _or_default(filter_: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter whose default, where one is given, is also for what is missing."""
    signature = inspect.signature(filter_)

    @wraps(filter_)
    def reading(*args: Any, **kwargs: Any) -> Any:
        if isinstance(args[0], Undefined):
            given = signature.bind(*args, **kwargs).arguments
            if "default" in given:
                return given["default"]
        return filter_(*args, **kwargs)

    return reading


def _bound_attribute(*names: Any) -> None:
    """Refuse a name that has many parts: each of them is looked up in each item."""
    if any(isinstance(name, str) and len(name) > _LONGEST_ATTRIBUTE for name in names):
        raise TemplateError(
            Wording("the name of an attribute has at most {most} characters", most=_LONGEST_ATTRIBUTE)
        )


def _of_text(filter_: Callable[..., Any], locale: Locale) -> Callable[..., Any]:
    """Return a filter of texts, to which none is an empty text, and a time what a message shows of it."""

    @wraps(filter_)
    def of_text(*args: Any, **kwargs: Any) -> Any:
        texts = [locale.text(value) if isinstance(value, _AS_SHOWN) else value for value in args]
        return filter_(*texts, **kwargs)

    return of_text


def _demand(values: tuple[Any, ...]) -> None:
    """Raise what an Undefined among the values has to say."""
    for value in values:
        if isinstance(value, Undefined):
            str(value)


def _times(count: Any, value: Any) -> int:
    """Return the size of a value so many times; a count that is no number is for the filter to refuse."""
    if isinstance(count, int) and value is not None:
        return count * weigh(value)
    return 0


def _containers(values: list[Any]) -> list[Any] | None:
    """Return the lists and maps among values, which a filter may give for each item; None for none."""
    return [value for value in values if isinstance(value, Mapping | list | tuple)] or None


def _longest(values: Iterable[Any]) -> int:
    """Return the length of the longest text among the values, at least 1."""
    return max([1, *(len(value) for value in values if isinstance(value, str))])


def _bound_bits(operator: str, left: int, right: int) -> None:
    bits = {"*": left.bit_length() + right.bit_length(), "**": left.bit_length() * max(right, 0)}
    if bits.get(operator, 0) > _MOST_BITS:
        raise TemplateError(_TOO_LARGE)


def _join(locale: Locale) -> Callable[..., str]:
    @jinja2.pass_environment
    def join(
        environment: jinja2.Environment, value: Any, d: str = "", attribute: str | int | None = None
    ) -> str:
        parts = _attributes(environment, value, attribute)
        return _joined(locale.text(d), [locale.text(part) for part in parts])

    return join


def _joined(glue: str, parts: list[str]) -> str:
    spend(weigh(parts) + len(glue) * len(parts))
    return glue.join(parts)


def _round(value: float, precision: int = 0, method: str = "common") -> float:
    if not isinstance(value, int | float):
        raise TemplateError(
            Wording("round needs a number, not {value}", value=brief(value)),
            hint="a text becomes a number with | number",
        )
    if abs(precision) > _FINEST:
        raise TemplateError(Wording("round takes at most {most} digits", most=_FINEST))
    rounded: float = FILTERS["round"](value, precision, method)
    return rounded


@jinja2.pass_environment
def _sum(
    environment: jinja2.Environment, iterable: Any, attribute: str | int | None = None, start: float = 0
) -> Any:
    if not isinstance(start, int | float):
        raise TemplateError("sum adds numbers: start has to be one")
    return sum(_attributes(environment, iterable, attribute), start)


def _attributes(environment: jinja2.Environment, items: Any, attribute: str | int | None) -> Any:
    """Return the attributes of items, or the items themselves where no attribute is named."""
    if attribute is None:
        return items
    return map(make_attrgetter(environment, attribute), items)


@jinja2.pass_environment
def _unique(
    environment: jinja2.Environment,
    value: Any,
    case_sensitive: bool = False,  # noqa: FBT001, FBT002 - Jinja's
    attribute: str | int | None = None,
) -> list[Any]:
    key_of = make_attrgetter(environment, attribute, None if case_sensitive else ignore_case)
    items: dict[Any, Any] = {}
    for item in value:
        items.setdefault(spread(key_of(item)), item)
    return list(items.values())


def spread(key: Any) -> Any:
    """Return a key for the same value whose hash cannot be chosen, so that many keys cannot collide in a set.

    Python's hash of a number is the rest of a division; that of a text is not known in advance.
    """
    number = int(key) if isinstance(key, float) and key.is_integer() else key
    if isinstance(number, int) and number.bit_length() > _LONGEST_HASHED:
        return hex(number), "number"
    return key
