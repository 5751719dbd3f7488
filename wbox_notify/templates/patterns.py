"""Patterns: regular expressions whose time grows with the text and no faster, whatever is in it."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import re2

from wbox_notify.templates.budget import counted, spend
from wbox_notify.templates.faults import TemplateError, brief

_QUIET = re2.Options()
_QUIET.log_errors = False
_QUIET.max_mem = 8 << 20


def filters() -> dict[str, Callable[..., Any]]:
    """Return the filters by the name they have in templates."""
    return {"regex_search": search, "regex_replace": replace}


def tests() -> dict[str, Callable[..., bool]]:
    """Return the tests by the name that stands after ``is``."""
    return {"search": found, "match": begins}


def search(text: Any, pattern: str) -> str:
    """Return the first group of the first match, the whole match without groups, or nothing: ``""``."""
    match = _compiled(pattern).search(_text(text))
    if match is None:
        return ""
    return str(match.group(1) or "") if match.re.groups else str(match.group())


def replace(text: Any, pattern: str, by: str = "") -> str:
    r"""Return a text with all matches replaced; ``\1`` in ``by`` is the first group."""
    text = _text(text)
    spend((len(text) + 1) * (len(_text(by)) + 1))
    try:
        return str(counted(_compiled(pattern).sub(by, text)))
    except re2.error as error:
        raise TemplateError(f"regex_replace can not put in {brief(by)}: {error}") from None


def found(text: Any, pattern: str) -> bool:
    """Return whether a pattern is anywhere in a text."""
    return _compiled(pattern).search(_text(text)) is not None


def begins(text: Any, pattern: str) -> bool:
    """Return whether a text begins with a pattern."""
    return _compiled(pattern).match(_text(text)) is not None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TemplateError(f"a pattern needs a text, not {brief(value)}", hint="make it one with | string")
    spend(len(value))
    return value.encode("utf-8", "replace").decode("utf-8")


@lru_cache(maxsize=200)
def _compiled(pattern: Any) -> Any:
    if not isinstance(pattern, str):
        raise TemplateError(f"a pattern is a text, not {brief(pattern)}")
    try:
        return re2.compile(pattern, _QUIET)
    except (re2.error, UnicodeError) as error:
        said = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        hint = "look-around and \\1 inside a pattern are not known here"
        raise TemplateError(f"this is not a pattern: {said}", hint=hint) from None
