"""JSON: a list, item by item, and NDJSON, a value in each line."""

import json
from collections.abc import Iterator
from typing import NoReturn

from wbox_notify.readers.text import LONGEST, Row, ruled

_SPACE = " \t\r\n"
_AFTER = frozenset((*_SPACE, ",", "]"))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no value")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def ndjson(found: Iterator[str]) -> Iterator[Row]:
    """Yield the value of each line; a line that is no JSON is a problem, an empty one is left out."""
    for number, line, problem in ruled(found):
        if problem:
            yield Row(number, None, problem)
        elif line.strip():
            try:
                yield Row(number, _DECODER.decode(line))
            except (ValueError, RecursionError) as error:
                yield Row(number, None, f"it is not JSON: {error}")


def json_list(pieces: Iterator[str]) -> Iterator[Row]:
    """Yield the items of one list; a wrong one ends it, since nothing says where the next one begins."""
    text = _Ahead(pieces)
    if text.sign() != "[":
        yield Row(1, None, "the file is not a list: it has to begin with [")
        return
    text.skip()
    if text.sign() == "]":
        return
    number = 1
    while True:
        try:
            yield Row(number, text.value())
        except (ValueError, RecursionError) as error:
            yield Row(number, None, f"it is not JSON, and nothing after it can be read: {error}")
            return
        sign = text.sign()
        if sign == "]":
            return
        number += 1
        if sign != ",":
            yield Row(number, None, "there has to be a comma or ] before it; nothing after it can be read")
            return
        text.skip()


class _Ahead:
    """A text that is read as far as it has to be."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces
        self._text = ""
        self._at = 0

    def sign(self) -> str:
        """Return the next character that is no space; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def skip(self) -> None:
        """Pass over one character."""
        self._at += 1

    def value(self) -> object:
        """Return the value that comes next; ValueError where there is none."""
        self.sign()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except ValueError:
                if len(self._text) - self._at > LONGEST or not self._more():
                    raise
                continue
            # Half a number is a number too: only what follows shows that it is whole.
            if self._text[end : end + 1] not in _AFTER and self._more():
                continue
            self._at = end
            return value

    def _more(self) -> bool:
        piece = next(self._pieces, "")
        self._text, self._at = self._text[self._at :] + piece, 0
        return bool(piece)
