"""WhatsApp's formatting in a text, shown instead of obeyed."""

import re

from wbox_notify.templates.loader import clean

# WhatsApp formats between two marks. A zero-width non-joiner on both sides of every mark leaves the text
# looking the same but gives no mark an edge of a word, where formatting has to begin and end. Before what
# makes a line a quote or an item of a list, one takes it from the begin of the line. In an address it would
# lead elsewhere, and WhatsApp formats nothing in one.
_GUARD = "\u200c"
_MARK = re.compile(
    rf"""
    (?P<address>(?<![^\W_])https?://[^\s<>"'`{_GUARD}]*[^\s<>"'`{_GUARD}.,;:!?)\]*_~])
    | (?P<line>^[^\S\n]*)(?=(?:[>-]|\d+\.)\s)
    | {_GUARD}?(?P<mark>[*_~`]){_GUARD}?
    """,
    re.MULTILINE | re.VERBOSE,
)


def defused(text: str) -> str:
    """Return a text that WhatsApp shows as it is written; addresses in it stay what they are."""
    return _MARK.sub(_guarded, clean(text))


def _guarded(match: re.Match[str]) -> str:
    if match["address"]:
        return match[0]
    if match["mark"]:
        return f"{_GUARD}{match['mark']}{_GUARD}"
    return f"{match['line']}{_GUARD}"
