"""What may come out of an expression: plain data."""

from collections.abc import Mapping
from datetime import date, time, timedelta
from typing import Any

from jinja2.runtime import Undefined

from wbox_notify.templates.errors import TemplateError

_LONGEST_TEXT = 200
_MOST_PARTS = 10
_DEEPEST = 3


def plain(value: Any) -> Any:
    """Return a value as plain data of its own; TemplateError if a part of it is missing or no data."""
    if value is None or isinstance(value, str | int | float | date | time | timedelta):
        return value
    if isinstance(value, Mapping):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain(part) for part in value]
    if isinstance(value, Undefined):
        return str(value)  # raises what it has to say
    if callable(value):
        raise TemplateError("the result is something to call, not a value", hint="write () after it")
    raise TemplateError(f"the result is a {type(value).__name__}, not a value")


def short(value: Any, depth: int = _DEEPEST) -> Any:
    """Return a value as JSON, short enough for one line of a log."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Undefined):
        return "(not there)"
    if isinstance(value, Mapping | list | tuple) and not depth:
        return "…"
    if isinstance(value, Mapping):
        more = {"…": len(value) - _MOST_PARTS} if len(value) > _MOST_PARTS else {}
        return {str(name): short(value[name], depth - 1) for name in list(value)[:_MOST_PARTS]} | more
    if isinstance(value, list | tuple):
        more_items = [f"… {len(value) - _MOST_PARTS} more"] if len(value) > _MOST_PARTS else []
        return [short(part, depth - 1) for part in value[:_MOST_PARTS]] + more_items
    text = value.isoformat() if isinstance(value, date | time) else str(value)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
