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
    return unicodedata.normalize("NFC", _CONTROLS.sub("", text))


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
