"""Tables: CSV with any delimiter, each row as a map of its columns."""

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice, zip_longest
from typing import BinaryIO

from wbox_notify.errors import WboxError
from wbox_notify.triggers.file.readers.text import LONGEST, Row, lines, spoiled

_DELIMITERS = ";\t|,"
"""Those that are rare in cells come first: where two fit as well, it is the first."""

_LOOKED_AT = 20
_SAID = re.compile(r'sep=([^"\w ])[\r\n]*', re.IGNORECASE)

_HTML = re.compile(
    r"\s*<(?:!--|(?:!doctype|\?xml|html|head|body|table|meta|div|script|style)\b)", re.IGNORECASE
)

_OTHER = {re.compile(r'\s*[\[{]\s*[\[{"]'): "JSON", re.compile("%PDF-"): "a PDF"}

_MOST_LINES = 10_000
"""How many lines a record may have; Excel allows 254 in a cell. A quote that is never closed ends there, so
that lines which each open one are not read again from each of them to the end."""

_TOO_MANY = f"has more than {_MOST_LINES} lines: a quote in it is not closed"
_TOO_LONG = f"is longer than {LONGEST} characters, or a quote in it is not closed"
_WORDS = {
    "field larger than field limit": "a cell is longer than 131072 characters, or a quote is not closed",
    "unexpected end of data": "a quote is not closed",
    "expected after": "there is something between a closing quote and the next cell",
    "new-line character": "a line ends in the middle of a cell",
}


def table(file: BinaryIO, encoding: str, delimiter: str, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a CSV by the names in its first row, or by ``columns`` where it has no such row.

    Rows are counted as a spreadsheet does, that with the names and empty ones too; empty ones are left out.

    Raises:
        WboxError: there are no names, they are of no use, or it is a page of the web.
    """
    found = lines(file, encoding)
    head = list(islice(found, _LOOKED_AT))
    _refuse_others(next(filter(str.strip, head), ""))
    if head and (said := _SAID.fullmatch(head[0])):
        delimiter = delimiter or said[1]
        records = _Records(chain(head[1:], found), delimiter, first=2)
    else:
        records = _Records(chain(head, found), delimiter or delimiter_of(head), first=1)
    names: Sequence[str] = _named(columns) if columns else ()
    for number, cells, problem in records:
        if problem:
            yield Row(number, None, problem)
        elif not any(cell.strip() for cell in cells):
            continue
        elif not names:
            names = _named(cells)
        else:
            yield _row(number, cells, names)
    if not names:
        raise WboxError("the file is empty: not even the names of its columns are there")


def _refuse_others(first: str) -> None:
    """Raise WboxError where the first line is that of another kind of file."""
    for looks, what in _OTHER.items():
        if looks.match(first):
            raise WboxError(f"this is {what} and no CSV", hint="give it its own ending, or export it as CSV")
    if _HTML.match(first):
        hint = "export it anew as CSV; a page to log in may have been saved in its place"
        raise WboxError("this is HTML, a page of the web, and no CSV", hint=hint)


def _row(number: int, cells: Sequence[str], names: Sequence[str]) -> Row:
    """Return a row; spreadsheets leave out empty cells at its end, and add some."""
    if problem := spoiled("".join(cells)):
        return Row(number, None, problem)
    if any(cell.strip() for cell in cells[len(names) :]):
        return Row(number, None, f"it has {len(cells)} cells, and there are {len(names)} columns")
    return Row(number, dict(zip_longest(names, cells[: len(names)], fillvalue="")))


def delimiter_of(head: Sequence[str]) -> str:
    """Return what stands between the cells of a CSV that begins with these lines."""
    return max(_DELIMITERS, key=lambda one: _fit(head, one))


def _fit(head: Sequence[str], delimiter: str) -> tuple[bool, int, int]:
    """Return how well a delimiter fits: how many rows are as wide as the first one, and how wide that is."""
    widths: list[int] = []
    with suppress(csv.Error):
        for cells in csv.reader(head, delimiter=delimiter):
            widths += [len(cells)] if cells else []
    first = widths[0] if widths else 0
    return first > 1, Counter(widths)[first], first


def _named(cells: Sequence[str]) -> list[str]:
    """Return the names of columns; one without a name is called by its place, such as ``column_3``."""
    names = [cell.strip() or f"column_{place}" for place, cell in enumerate(cells, 1)]
    if problem := spoiled("".join(names)):
        raise WboxError(f"in the row with the names of the columns, {problem}")
    twice = [name for name, many in Counter(names).items() if many > 1]
    if twice:
        raise WboxError(f"there are two columns with the name {twice[0]!r}", hint="give each its own name")
    return names


class _Records:
    """The records of a CSV with their numbers; after one that is wrong, the next line goes on."""

    def __init__(self, found: Iterable[str], delimiter: str, *, first: int) -> None:
        self._lines = iter(found)
        self._again: deque[str] = deque()
        self._delimiter = delimiter
        self._number = first - 1
        self._mine: list[str] = []

    def __iter__(self) -> Iterator[tuple[int, list[str], str]]:
        """Yield the number of each record, its cells, and what is wrong with it."""
        reader = self._reader()
        while True:
            self._mine = []
            try:
                cells, problem = next(reader), ""
            except StopIteration:
                return
            except csv.Error as error:
                cells, problem = [], _said(str(error))
                self._again.extendleft(reversed(self._mine[1:]))
                reader = self._reader()
            self._number += 1
            yield self._number, cells, problem

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._pulled(), delimiter=self._delimiter, strict=True)

    def _pulled(self) -> Iterator[str]:
        """Yield the lines, and keep those of the present record."""
        size = 0
        while line := self._again.popleft() if self._again else next(self._lines, ""):
            size = size + len(line) if self._mine else len(line)
            self._mine.append(line)
            if size > LONGEST:
                raise csv.Error(_TOO_LONG)
            if len(self._mine) > _MOST_LINES:
                raise csv.Error(_TOO_MANY)
            yield line


def _said(error: str) -> str:
    return next((words for part, words in _WORDS.items() if part in error), error)
