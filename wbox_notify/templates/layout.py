"""The layout of a text: which tags leave a line behind, and what is cleaned from the result."""

import re
import unicodedata

_PARTS = re.compile(
    r"""
    \{%[-+]?\s*raw\s*[-+]?%\}.*?\{%[-+]?\s*endraw\s*[-+]?%\}  # kept as it is
    | \{\{.*?\}\}
    | (?P<open>\{[%#])(?P<before>[-+]?)(?P<inside>.*?)(?P<after>[-+]?)(?P<close>[%#]\})(?P<blank>[ \t]*)
    """,
    re.DOTALL | re.VERBOSE,
)
_FAR_ON = re.compile("[\u0300-\U0010ffff]{31,}")  # no combining mark stands before U+0300
_MOST_MARKS = 30
_JOINER = "\u034f"
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def layout(source: str) -> str:
    """Return a template in which only a tag that stands alone on its line takes the line away with it.

    A person who writes a message gives ``{% for … %}`` and ``{% endfor %}`` lines of their own and does not
    expect them to be blank lines of the message; so Jinja's trimming is on. But the same person ends a line
    with ``{% endif %}`` and does expect the next line to stay the next line; so trimming is switched off,
    by Jinja's own plus sign, for each tag that shares its line with something.
    """
    return _PARTS.sub(_untrimmed, source)


def clean(text: str) -> str:
    """Return a text without control characters (but with its newlines and tabs), normalised to NFC."""
    return composed(_CONTROLS.sub("", text))


def composed(text: str) -> str:
    """Return a text in NFC, with a joiner that nobody sees after each 30 combining marks in a row.

    This is Unicode's own Stream-Safe Text Format (UAX #15): marks are put in order as far as a letter goes,
    and the time for that grows with the square of their number. No language writes so many on one letter.
    """
    return unicodedata.normalize("NFC", _FAR_ON.sub(_parted, text))


def _parted(found: re.Match[str]) -> str:
    parts, marks = [], 0
    for char in found[0]:
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks > _MOST_MARKS:
            parts.append(_JOINER)
            marks = 1
        parts.append(char)
    return "".join(parts)


def _untrimmed(found: re.Match[str]) -> str:
    if found["open"] is None:
        return found[0]
    source = found.string
    start = source.rfind("\n", 0, found.start()) + 1
    end = source.find("\n", found.end())
    around = source[start : found.start()] + source[found.end() : end if end >= 0 else None]
    if not around.strip():
        return found[0].removesuffix(found["blank"])
    before, after = found["before"] or "+", found["after"] or "+"
    return f"{found['open']}{before}{found['inside']}{after}{found['close']}{found['blank']}"
