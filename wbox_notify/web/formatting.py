"""WhatsApp's own text formatting, shown as a browser would show it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

_TOKEN = re.compile(
    r"""```(?P<mono>.+?)```                     # may span lines
    |   `(?P<code>[^`\n]+)`
    |   (?P<link>(?<![^\W_])https?://[^\s<>"'`]*[^\s<>"'`.,;:!?)\]*_~])
    |   (?P<mark>[*_~])
    |   (?P<line>\n+)""",
    re.DOTALL | re.VERBOSE,
)
_MARKS = {"*": "strong", "_": "em", "~": "s"}
_CODES = {"mono": "samp", "code": "code"}


@dataclass(slots=True)
class _Piece:
    """A piece of the text and its HTML."""

    start: int
    html: str


def to_html(text: str) -> str:
    """Return WhatsApp text as HTML that is safe to put into a page.

    ``*bold*``, ``_italic_``, ``~strike~``, ```` `code` ````, ```` ```mono``` ```` and web addresses become
    ``strong``, ``em``, ``s``, ``code``, ``samp`` and ``a``; all else is escaped and stays as written, line
    breaks too (show it with ``white-space: pre-wrap``). A mark counts as WhatsApp counts it: at the edge of a
    word, without a space inside it, on one line. The time taken grows with the length and no faster.
    """
    pieces: list[_Piece] = []
    opened: dict[str, _Piece] = {}
    for piece, kind in _pieces(text):
        pieces.append(piece)
        if kind == "line":
            opened.clear()
        elif kind == "mark":
            _pair(text, piece, opened)
    return "".join(piece.html for piece in pieces)


def _pieces(text: str) -> Iterator[tuple[_Piece, str]]:
    """Cut the text at its tokens; marks stay as written until their partner is found."""
    end = 0
    for match in _TOKEN.finditer(text):
        if match.start() > end:
            yield _Piece(end, escape(text[end : match.start()])), "text"
        kind = match.lastgroup or "text"
        yield _Piece(match.start(), _shown(kind, match)), kind
        end = match.end()
    if end < len(text):
        yield _Piece(end, escape(text[end:])), "text"


def _shown(kind: str, match: re.Match[str]) -> str:
    content = escape(match[kind])
    if kind in _CODES and content.strip():
        return f"<{_CODES[kind]}>{content}</{_CODES[kind]}>"
    if kind == "link":
        return f'<a href="{content}" rel="noreferrer" target="_blank">{content}</a>'
    return escape(match[0])


def _pair(text: str, piece: _Piece, opened: dict[str, _Piece]) -> None:
    """Close the open partner of a mark, or open the mark; marks between two partners stay as written."""
    at, mark = piece.start, text[piece.start]
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    partner = opened.get(mark)
    if partner and not before.isspace() and not after.isalnum():
        tag = _MARKS[mark]
        partner.html, piece.html = f"<{tag}>", f"</{tag}>"
        while opened.popitem()[0] != mark:
            pass
    elif not partner and not before.isalnum() and after not in {"", mark} and not after.isspace():
        opened[mark] = piece
