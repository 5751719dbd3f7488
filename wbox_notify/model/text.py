"""Texts for people and for the store: suggestions, one-line texts, escaped control characters."""

import difflib
import unicodedata
from collections.abc import Iterable
from functools import reduce

from wbox_notify.model.texts import Wording

AND = Wording("{some} and {last}")
OR = Wording("{some} or {last}")
COMMA = Wording("{some}, {last}")
SEMICOLON = Wording("{some}; {last}")
"""What may stand between the parts of a list."""

_TAB = " " * 4
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
JOINERS = "\u200c\u200d"
"""Characters of no width that scripts and emoji are written with."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is the nearest, in small or capital letters, or None where none is near."""
    folded = {other.casefold(): other for other in reversed([*known])}
    return next(map(folded.__getitem__, difflib.get_close_matches(word.casefold(), folded, n=1)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return "did you mean …?" with the nearest of the known words, or None where none is near."""
    near = nearest(word, known)
    return near and Wording("did you mean `{word}`?", word=near)


def joined(parts: Iterable[str], link: Wording) -> str:
    """Return one or more parts with a link between them, such as ``OR``."""
    return reduce(lambda some, last: link.about(some=some, last=last), parts)


def one_line(text: str) -> str:
    """Return text on one line that any database accepts; a wording stays one."""
    if text.isprintable():
        return text
    if isinstance(text, Wording):
        return text.each(one_line)
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\n", " ").replace("\0", "")


def printable(text: str) -> str:
    """Return text with escapes in place of characters that move the cursor, hide or reverse text."""
    if text.isprintable():
        return text
    return "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if character == "\t":
        return _TAB
    if unicodedata.category(character) in _UNSEEN and character not in JOINERS:
        return ascii(character)[1:-1]  # as `unicode_escape`, which is read from disk when it is first needed
    return character
