"""Readers of JSON: a list item by item, and NDJSON with a value in each line."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from wbox_notify.model.texts import Wording
from wbox_notify.triggers.file.readers.text import LONGEST, Row, numbered, odd_byte

_SPACE = " \t\r\n"
_AFTER = frozenset((*_SPACE, ",", "]"))


class _Decoder:
    """Reads JSON as strictly as a webhook does: no NaN, no infinity, and no key twice in one object."""

    def __init__(self) -> None:
        self._problem = ""
        self._json = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._no_number, parse_float=self._finite
        )

    def read(self, text: str, at: int) -> tuple[Any, int, str]:
        """Return the value that begins at an index, its end, and what is wrong with it.

        Raises:
            ValueError: it is not JSON, so its end is unknown.
        """
        self._problem = ""
        value, end = self._json.raw_decode(text, at)
        problem = self._problem or odd_byte(text[at:end])
        return (None if problem else value), end, problem

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
            self._problem = Wording(
                "the key {key} comes twice in one object", key=json.dumps(twice[:60], ensure_ascii=False)
            )
        return fields

    def _no_number(self, name: str) -> None:
        self._problem = Wording("{name} is not a number in JSON", name=name)

    def _finite(self, digits: str) -> float:
        number = float(digits)
        if math.isinf(number):
            self._problem = Wording("the number {digits} is too large", digits=digits[:20])
        return number


def ndjson(text_lines: Iterator[str]) -> Iterator[Row]:
    """Yield the value of each line; a line that is not JSON is a problem, an empty one is left out."""
    for number, line, problem in numbered(text_lines):
        if problem:
            yield Row(number, None, problem)
        elif line.strip():
            try:
                yield Row(number, value_of(line))
            except (ValueError, RecursionError) as error:
                yield Row(number, None, Wording("it is not JSON: {reason}", reason=_reason(error)))


def value_of(text: str) -> Any:
    """Return the one value that a text is.

    Raises:
        ValueError: it is not JSON, or JSON that a webhook would refuse.
        RecursionError: it is too deep.
    """
    whole = text.strip()
    value, end, problem = _Decoder().read(whole, 0)
    if end < len(whole):
        problem = Wording("something follows the value, from character {number} on", number=end + 1)
    if problem:
        raise ValueError(problem)
    return value


def _reason(error: ValueError | RecursionError) -> str:
    """Return why a text is no JSON, in our words where it breaks our own rules."""
    reason = error.args[0]
    return reason if isinstance(reason, Wording) else str(error)


def json_list(pieces: Iterator[str]) -> Iterator[Row]:
    """Yield the items of one list; a wrong one ends it, since the start of the next one is unknown."""
    text = _Buffer(pieces)
    if text.peek() != "[":
        yield Row(1, None, Wording("the file is not a list: it has to begin with ["))
        return
    text.skip()
    if text.peek() == "]":
        return
    number = 1
    while True:
        try:
            yield Row(number, *text.value())
        except (ValueError, RecursionError) as error:
            yield Row(
                number,
                None,
                Wording("it is not JSON, and nothing after it can be read: {reason}", reason=_reason(error)),
            )
            return
        char = text.peek()
        number += 1
        if char == "]":
            text.skip()
            if text.peek():
                yield Row(number, None, Wording("something follows the list; nothing after it is read"))
            return
        if char != ",":
            yield Row(
                number, None, Wording("there has to be a comma or ] before it; nothing after it can be read")
            )
            return
        text.skip()


class _Buffer:
    """A text that is read as far as it has to be."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces
        self._text = ""
        self._at = 0
        self._decoder = _Decoder()

    def peek(self) -> str:
        """Return the next character that is no space; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read_more():
                return ""

    def skip(self) -> None:
        """Pass over one character."""
        self._at += 1

    def value(self) -> tuple[Any, str]:
        """Return the next value and what is wrong with it; ValueError where there is none."""
        self.peek()
        while True:
            try:
                value, end, problem = self._decoder.read(self._text, self._at)
            except ValueError:
                if len(self._text) - self._at > LONGEST or not self._read_more():
                    raise
                continue
            # Half a number is a number too: only what follows shows that it is whole.
            if self._text[end : end + 1] not in _AFTER and self._read_more():
                continue
            self._at = end
            return value, problem

    def _read_more(self) -> bool:
        piece = next(self._pieces, "")
        self._text, self._at = self._text[self._at :] + piece, 0
        return bool(piece)
