"""Regular expressions in linear time: the filters and tests that search a text."""

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import count
from typing import Any

import re2

from wbox_notify.model.texts import Wording
from wbox_notify.templates.budget import spend, weigh
from wbox_notify.templates.errors import TemplateError, brief

_QUIET = re2.Options()
_QUIET.log_errors = False
_QUIET.max_mem = 8 << 20

_MOST_STEPS = 400_000_000
"""The largest pattern for a text: its steps times the bytes; about half a second at the worst."""

_NAMED = re.compile(r"\\(?:(?P<number>[1-9][0-9]?)|g<(?P<name>\w+)>|(?P<sign>[\\nrt]))")
_SIGNS = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
"""What stands for a group of a match, and for a sign, in the text that is put in its place."""

_MOST_MATCHES = 40_000
_LONGEST = 4000
_MOST_MARKS = 1_000_000
"""The largest pattern by itself: its steps times its groups, which may all be kept at each step."""


def filters() -> dict[str, Callable[..., Any]]:
    """Return the filters by the name they have in templates."""
    return {
        "regex_search": search,
        "regex_replace": replace,
        "regex_findall": findall,
        "regex_findall_index": findall_index,
        "regex_match": begins,
        "regex_escape": escape,
    }


def tests() -> dict[str, Callable[..., bool]]:
    """Return the tests by the name that stands after ``is``."""
    return {"search": found, "match": begins}


def search(text: Any, find: str, *groups: str, ignorecase: bool = False) -> str | list[str]:
    r"""Return the first group of the first match, the whole match without groups, or ``""``.

    Where groups are asked for, such as ``'\\1', '\\2'``, it is their list, which is empty without a match.
    """
    compiled, text = _ready(find, text, ignorecase)
    match = compiled.search(text)
    if groups:
        return [_expanded(match, _text(group)) for group in groups] if match else []
    if match is None:
        return ""
    if match.re.groups:
        return str(match.group(1) or "")
    return str(match.group())


def _expanded(match: Any, form: str) -> str:
    """Return a text with groups of a match in place of their names; re2 itself knows ASCII alone in it."""
    spend(len(form) * (len(match.group()) + 1))

    def part(named: re.Match[str]) -> str:
        if named["sign"]:
            return _SIGNS[named["sign"]]
        group = named["number"] or named["name"]
        return match.group(int(group) if group.isdecimal() else group) or ""

    return _NAMED.sub(part, form)


def replace(text: Any, find: str, replace: str = "", *, ignorecase: bool = False) -> str:
    r"""Return a text with all matches replaced; ``\1`` in ``replace`` is the first group."""
    compiled, text = _ready(find, text, ignorecase)
    form, numbers = _text(replace), count(1)

    def expanded(match: Any) -> str:
        _bound(next(numbers))
        return _expanded(match, form)

    return str(compiled.sub(expanded, text))


def findall(text: Any, find: str, ignorecase: bool = False) -> list[Any]:  # noqa: FBT001, FBT002 - known so
    """Return all matches, or what the group in each holds; with several groups a list of them."""
    compiled, text = _ready(find, text, ignorecase)
    matches: list[Any] = []
    for number, match in enumerate(compiled.finditer(text), start=1):
        _bound(number)
        groups = list(match.groups(default="")) or [match.group()]
        spend(weigh(groups))
        matches.append(groups if len(groups) > 1 else groups[0])
    return matches


def findall_index(text: Any, find: str, index: int = 0, ignorecase: bool = False) -> Any:  # noqa: FBT001, FBT002 - known so
    """Return one of all matches, from 0; an error if there are fewer."""
    matches = findall(text, find, ignorecase)
    try:
        return matches[index]
    except IndexError:
        raise TemplateError(
            Wording(
                "there is no match {index} of {pattern}: there are {number}",
                index=index,
                pattern=brief(find),
                number=len(matches),
            )
        ) from None


def _bound(number: int) -> None:
    if number > _MOST_MATCHES:
        hint = "look at a part of the text: x[:10000]"
        raise TemplateError(
            Wording("the pattern has more than {most} matches", most=_MOST_MATCHES), hint=hint
        )


def escape(text: Any) -> str:
    """Return a pattern that finds exactly this text."""
    return str(re2.escape(_text(text)))


def found(text: Any, find: str, ignorecase: bool = False) -> bool:  # noqa: FBT001, FBT002 - known so
    """Return whether a pattern is anywhere in a text."""
    compiled, text = _ready(find, text, ignorecase)
    return compiled.search(text) is not None


def begins(text: Any, find: str, ignorecase: bool = False) -> bool:  # noqa: FBT001, FBT002 - known so
    """Return whether a text begins with a pattern."""
    compiled, text = _ready(find, text, ignorecase)
    return compiled.match(text) is not None


def _ready(pattern: Any, text: Any, ignorecase: bool) -> tuple[Any, str]:  # noqa: FBT001 - known so
    """Return a compiled pattern and its text; TemplateError where they could take too long together."""
    if ignorecase and isinstance(pattern, str):
        pattern = f"(?i){pattern}"
    compiled, ready = compiled_pattern(pattern), _text(text)
    # What a group has caught is copied from step to step.
    if compiled.programsize * (1 + compiled.groups / 2) * len(ready.encode()) > _MOST_STEPS:
        hint = "repeat less often, such as .{0,50}, or look at a part: x[:10000]"
        raise TemplateError(
            Wording("this pattern is too large for a text of {number} characters", number=len(ready)),
            hint=hint,
        )
    return compiled, ready


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TemplateError(
            Wording("a pattern needs a text, not {value}", value=brief(value)),
            hint="make it one with | string",
        )
    spend(len(value))
    return value.encode("utf-8", "replace").decode("utf-8")


@lru_cache(maxsize=200)
def compiled_pattern(pattern: Any) -> Any:
    """Return a pattern that is ready to search; TemplateError where it is none, or could take too long."""
    if not isinstance(pattern, str):
        raise TemplateError(Wording("a pattern is a text, not {value}", value=brief(pattern)))
    if len(pattern) > _LONGEST:
        raise TemplateError(
            Wording(
                "a pattern has at most {most} characters, and this one {number}",
                most=_LONGEST,
                number=len(pattern),
            )
        )
    try:
        compiled = re2.compile(pattern, _QUIET)
    except (re2.error, UnicodeError) as error:
        reason = str(error)
        if isinstance(error.args[0], bytes):
            reason = error.args[0].decode("utf-8", "replace")
        hint = "look-around and \\1 inside a pattern are not supported here"
        raise TemplateError(Wording("this is not a pattern: {reason}", reason=reason), hint=hint) from None
    if compiled.programsize * (compiled.groups + 1) > _MOST_MARKS:
        hint = "(?:…) is a group that is not remembered"
        raise TemplateError("this pattern has too many groups for its length", hint=hint)
    return compiled
