"""Regular expressions in linear time: the filters and tests that search a text."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import re2

from wbox_notify.templates.budget import counted, spend
from wbox_notify.templates.errors import TemplateError, brief

_QUIET = re2.Options()
_QUIET.log_errors = False
_QUIET.max_mem = 8 << 20

_MOST_STEPS = 400_000_000
"""The largest pattern for a text: its steps times the bytes; about half a second at the worst."""

_LONGEST = 4000
_MOST_MARKS = 1_000_000
"""The largest pattern by itself: its steps times its groups, which may all be kept at each step."""


def filters() -> dict[str, Callable[..., Any]]:
    """Return the filters by the name they have in templates."""
    return {"regex_search": search, "regex_replace": replace}


def tests() -> dict[str, Callable[..., bool]]:
    """Return the tests by the name that stands after ``is``."""
    return {"search": found, "match": begins}


def search(text: Any, pattern: str) -> str:
    """Return the first group of the first match, the whole match without groups, or nothing: ``""``."""
    compiled, text = _ready(pattern, text)
    match = compiled.search(text)
    if match is None:
        return ""
    if match.re.groups:
        return str(match.group(1) or "")
    return str(match.group())


def replace(text: Any, pattern: str, by: str = "") -> str:
    r"""Return a text with all matches replaced; ``\1`` in ``by`` is the first group."""
    compiled, text = _ready(pattern, text)
    spend((len(text) + 1) * (len(_text(by)) + 1))
    try:
        return str(counted(compiled.sub(by, text)))
    except re2.error as error:
        raise TemplateError(f"regex_replace cannot put in {brief(by)}: {error}") from None


def found(text: Any, pattern: str) -> bool:
    """Return whether a pattern is anywhere in a text."""
    compiled, text = _ready(pattern, text)
    return compiled.search(text) is not None


def begins(text: Any, pattern: str) -> bool:
    """Return whether a text begins with a pattern."""
    compiled, text = _ready(pattern, text)
    return compiled.match(text) is not None


def _ready(pattern: Any, text: Any) -> tuple[Any, str]:
    """Return a compiled pattern and its text; TemplateError where they could take too long together."""
    compiled, ready = _compiled(pattern), _text(text)
    # What a group has caught is copied from step to step.
    if compiled.programsize * (1 + compiled.groups / 2) * len(ready.encode()) > _MOST_STEPS:
        hint = "repeat less often, such as .{0,50}, or look at a part: x[:10000]"
        raise TemplateError(f"this pattern is too large for a text of {len(ready)} characters", hint=hint)
    return compiled, ready


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TemplateError(f"a pattern needs a text, not {brief(value)}", hint="make it one with | string")
    spend(len(value))
    return value.encode("utf-8", "replace").decode("utf-8")


@lru_cache(maxsize=200)
def _compiled(pattern: Any) -> Any:
    if not isinstance(pattern, str):
        raise TemplateError(f"a pattern is a text, not {brief(pattern)}")
    if len(pattern) > _LONGEST:
        raise TemplateError(f"a pattern has at most {_LONGEST} characters, and this one {len(pattern)}")
    try:
        compiled = re2.compile(pattern, _QUIET)
    except (re2.error, UnicodeError) as error:
        reason = str(error)
        if isinstance(error.args[0], bytes):
            reason = error.args[0].decode("utf-8", "replace")
        hint = "look-around and \\1 inside a pattern are not supported here"
        raise TemplateError(f"this is not a pattern: {reason}", hint=hint) from None
    if compiled.programsize * (compiled.groups + 1) > _MOST_MARKS:
        hint = "(?:…) is a group that is not remembered"
        raise TemplateError("this pattern has too many groups for its length", hint=hint)
    return compiled
