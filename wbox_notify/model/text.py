"""Text for people and for the store: suggestions, one line, nothing that a terminal would obey."""

import difflib
import unicodedata
from collections.abc import Iterable

_TAB = " " * 4
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
JOINERS = "\u200c\u200d"
"""Characters of no width that scripts and emoji are written with."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the word that was probably meant, or None where none of the known ones is near."""
    matches = difflib.get_close_matches(word, list(known), n=1)
    return matches[0] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return "did you mean …?" with the nearest of the known words, or None where none is near."""
    near = nearest(word, known)
    return f"did you mean `{near}`?" if near else None


def one_line(text: str) -> str:
    """Return text that any database takes, on one line."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\n", " ").replace("\0", "")


def printable(text: str) -> str:
    """Return text that cannot move the cursor, hide itself or turn the writing around."""
    if text.isprintable():
        return text
    return "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if character == "\t":
        return _TAB
    if unicodedata.category(character) in _UNSEEN and character not in JOINERS:
        return character.encode("unicode_escape").decode("ascii")
    return character
