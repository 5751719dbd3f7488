"""Outlines: what texts have in common that differ only in the words around tags and in what is compared.

Texts of one outline have the same tree but for these words and values. No check looks at them, so all of
them are right, and use the same names, as soon as one is known to be.
"""

import re

Outline = tuple[str, ...]

_INSIDE = r"""(?:[^'"\\{}]|'[^'\\{}]*'|"[^"\\{}]*")*+"""
_TAG = re.compile(rf"(\{{\{{{_INSIDE}\}}\}}|\{{%{_INSIDE}(?<=%)\}})")
_EXPRESSION = re.compile(r"""(?:[^'"\\]|'[^'\\]*'|"[^"\\]*")*+""")
# A text or a whole number that follows a comparison is never the argument of a call, nor the name of a field.
_COMPARED = re.compile(
    r"""
    (?P<operator>(?:[=!<>]=|[<>])\s*)
    (?:(?P<text>'[^'\\]*'|"[^"\\]*")|(?:0|[1-9][0-9]{0,14})(?![\w.]))
    | '[^'\\]*' | "[^"\\]*"
    """,
    re.VERBOSE,
)


def of_text(source: str) -> Outline | None:
    """Return the outline of a text; None where only Jinja can tell its tags from the words around them."""
    parts = _TAG.split(source)
    words, tags = parts[::2], parts[1::2]
    if any("{" in part for part in words):
        return None
    # Whether there is nothing, only blanks, or more between two tags stays part of the outline.
    kinds = ["words" if part.strip() else part for part in words]
    return (*kinds, *map(_without_values, tags))


def of_expression(source: str) -> Outline | None:
    """Return the outline of an expression; None where only Jinja can tell where its texts end."""
    return (_without_values(source),) if _EXPRESSION.fullmatch(source) else None


def _without_values(code: str) -> str:
    return _COMPARED.sub(_without_value, code)


def _without_value(match: re.Match[str]) -> str:
    if match["operator"] is None:
        return match[0]
    return match["operator"] + ("''" if match["text"] else "0")
