"""Reader of CSV with any delimiter; each row is a map of its columns."""

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice, zip_longest
from typing import BinaryIO

from wbox_notify.errors import WboxError
from wbox_notify.triggers.file.readers.text import LONGEST, Row, lines, odd_byte

_DELIMITERS = ";\t|,"
"""The rarest in cells come first: where two fit equally well, the first one is used."""

_HEAD_LINES = 20
_SEPARATOR_LINE = re.compile(r'sep=([^"\w ])[\r\n]*', re.IGNORECASE)

_HTML = re.compile(
    r"\s*<(?:!--|(?:!doctype|\?xml|html|head|body|table|meta|div|script|style)\b)", re.IGNORECASE
)

_OTHER_KINDS = {re.compile(r'\s*[\[{]\s*[\[{"]'): "JSON", re.compile("%PDF-"): "a PDF"}

_MOST_LINES = 10_000
"""The most lines of a record; Excel allows 254 in a cell. An unclosed quote ends there, so that lines
which each open one are not read again from each of them to the end of the file."""

_TOO_MANY = f"has more than {_MOST_LINES} lines: a quote in it is not closed"
_TOO_LONG = f"is longer than {LONGEST} characters, or a quote in it is not closed"
_PROBLEMS = {
    "field larger than field limit": "a cell is longer than 131072 characters, or a quote is not closed",
    "unexpected end of data": "a quote is not closed",
    "expected after": "there is something between a closing quote and the next cell",
    "new-line character": "a line ends in the middle of a cell",
}


def table(file: BinaryIO, encoding: str, delimiter: str, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a CSV by the names in its first row, or by ``columns`` where it has no such row.

    Rows are counted as a spreadsheet does, with the row of names and empty rows; empty rows are left out.

    Raises:
        WboxError: there are no names, they cannot be used, or the file is a web page.
    """
    text_lines = lines(file, encoding)
    head = list(islice(text_lines, _HEAD_LINES))
    _refuse_others(next(filter(str.strip, head), ""))
    names = _column_names(columns)
    for number, cells, problem in _records(head, text_lines, delimiter):
        if problem:
            yield Row(number, None, problem)
        elif not any(map(str.strip, cells)):
            continue
        elif names:
            yield _row(number, cells, names)
        else:
            names = _column_names(cells)
    if not names:
        raise WboxError("the file is empty: it does not even have a row with the names of its columns")


def _refuse_others(first: str) -> None:
    """Raise WboxError where the first line is that of another kind of file."""
    for pattern, kind in _OTHER_KINDS.items():
        if pattern.match(first):
            raise WboxError(f"this is {kind}, not CSV", hint="give it its own ending, or export it as CSV")
    if _HTML.match(first):
        hint = "export it again as CSV; a login page may have been saved in its place"
        raise WboxError("this is HTML, a web page, and not CSV", hint=hint)


def _row(number: int, cells: Sequence[str], names: Sequence[str]) -> Row:
    """Return a row; spreadsheets leave out empty cells at its end, and add some."""
    if problem := odd_byte("".join(cells)):
        return Row(number, None, problem)
    if any(cell.strip() for cell in cells[len(names) :]):
        return Row(number, None, f"it has {len(cells)} cells, and there are {len(names)} columns")
    return Row(number, dict(zip_longest(names, cells[: len(names)], fillvalue="")))


def _delimiter_of(head: Sequence[str]) -> str:
    """Return what stands between the cells of a CSV that begins with these lines."""
    return max(_DELIMITERS, key=lambda delimiter: _fit(head, delimiter))


def _fit(head: Sequence[str], delimiter: str) -> tuple[bool, int, int]:
    """Return how well a delimiter fits: how many rows are as wide as the first one, and how wide that is."""
    widths: list[int] = []
    with suppress(csv.Error):
        for cells in csv.reader(head, delimiter=delimiter):
            if cells:
                widths.append(len(cells))  # noqa: PERF401 - those before an error count
    if not widths:
        return False, 0, 0
    return widths[0] > 1, widths.count(widths[0]), widths[0]


def _column_names(cells: Sequence[str]) -> list[str]:
    """Return the names of columns; one without a name gets its number, such as ``column_3``."""
    names = [cell.strip() or f"column_{number}" for number, cell in enumerate(cells, 1)]
    if problem := odd_byte("".join(names)):
        raise WboxError(f"in the row with the names of the columns, {problem}")
    for name, count in Counter(names).items():
        if count > 1:
            raise WboxError(f"there are two columns with the name {name!r}", hint="give each its own name")
    return names


def _records(head: Sequence[str], rest: Iterator[str], delimiter: str) -> "_Records":
    """Return the records of a CSV; Excel's first line ``sep=;`` is none of them."""
    separator = _SEPARATOR_LINE.fullmatch(head[0]) if head else None
    if separator:
        return _Records(chain(head[1:], rest), delimiter or separator[1], first=2)
    return _Records(chain(head, rest), delimiter or _delimiter_of(head), first=1)


class _Records:
    """The records of a CSV with their numbers; after one that is wrong, the next line is read on its own."""

    def __init__(self, text_lines: Iterable[str], delimiter: str, *, first: int) -> None:
        self._lines = iter(text_lines)
        self._again: deque[str] = deque()
        self._delimiter = delimiter
        self._number = first - 1
        self._record: list[str] = []

    def __iter__(self) -> Iterator[tuple[int, list[str], str]]:
        """Yield the number of each record, its cells, and what is wrong with it."""
        reader = self._reader()
        while True:
            self._record = []
            try:
                cells, problem = next(reader), ""
            except StopIteration:
                return
            except csv.Error as error:
                cells, problem = [], _problem(str(error))
                self._again.extendleft(reversed(self._record[1:]))
                reader = self._reader()
            self._number += 1
            yield self._number, cells, problem

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._pull(), delimiter=self._delimiter, strict=True)

    def _pull(self) -> Iterator[str]:
        """Yield the lines, and keep those of the present record."""
        size = 0
        while line := self._next_line():
            if not self._record:
                size = 0
            size += len(line)
            self._record.append(line)
            if size > LONGEST:
                raise csv.Error(_TOO_LONG)
            if len(self._record) > _MOST_LINES:
                raise csv.Error(_TOO_MANY)
            yield line

    def _next_line(self) -> str:
        if self._again:
            return self._again.popleft()
        return next(self._lines, "")


def _problem(error: str) -> str:
    return next((problem for part, problem in _PROBLEMS.items() if part in error), error)
