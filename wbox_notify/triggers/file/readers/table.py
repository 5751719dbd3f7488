"""Reader of CSV with any delimiter."""

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from typing import BinaryIO

from wbox_notify.errors import WboxError
from wbox_notify.model.texts import Wording
from wbox_notify.triggers.file.readers.columns import Record
from wbox_notify.triggers.file.readers.text import LONGEST, lines

_DELIMITERS = ";\t|,"
"""The rarest in cells come first: where two fit equally well, the first one is used."""

_HEAD_LINES = 20
_SEPARATOR_LINE = re.compile(r'sep=([^"\w ])[\r\n]*', re.IGNORECASE)

_HTML = re.compile(
    r"\s*<(?:!--|(?:!doctype|\?xml|html|head|body|table|meta|div|script|style)\b)", re.IGNORECASE
)

_OTHER_KINDS = {re.compile(r'\s*[\[{]\s*[\[{"]'): "JSON", re.compile("%PDF-"): Wording("a PDF")}

_MOST_LINES = 10_000
"""The most lines of a record; Excel allows 254 in a cell. An unclosed quote ends there, so that lines
which each open one are not read again from each of them to the end of the file."""

_TOO_MANY = Wording("has more than {most} lines: a quote in it is not closed", most=_MOST_LINES)
_TOO_LONG = Wording("is longer than {most} characters, or a quote in it is not closed", most=LONGEST)
_PROBLEMS = {
    "field larger than field limit": Wording(
        "a cell is longer than 131072 characters, or a quote is not closed"
    ),
    "unexpected end of data": Wording("a quote is not closed"),
    "expected after": Wording("there is something between a closing quote and the next cell"),
    "new-line character": Wording("a line ends in the middle of a cell"),
}


def table(file: BinaryIO, encoding: str, delimiter: str, skip: int) -> Iterator[Record]:
    """Yield the rows of a CSV below the lines to ``skip``.

    Rows are counted as a spreadsheet does, with those above the names of the columns and with empty ones.

    Raises:
        WboxError: the file is a web page or of another kind.
    """
    text_lines = lines(file, encoding)
    first = next(text_lines, "")
    separator = _SEPARATOR_LINE.fullmatch(first)
    if separator:  # Excel's first line, which is not a row of the table
        delimiter, skip = delimiter or separator[1], skip + 1
    text_lines = islice(chain([first], text_lines), skip, None)
    head = list(islice(text_lines, _HEAD_LINES))
    _refuse_others(next(filter(str.strip, [first, *head]), ""))
    return iter(_Records(chain(head, text_lines), delimiter or _delimiter_of(head), first=skip + 1))


def _refuse_others(first: str) -> None:
    """Raise WboxError where the first line is that of another kind of file."""
    for pattern, kind in _OTHER_KINDS.items():
        if pattern.match(first):
            raise WboxError(
                Wording("this is {kind}, not CSV", kind=kind),
                hint="give it its own ending, or export it as CSV",
            )
    if _HTML.match(first):
        hint = "export it again as CSV; a login page may have been saved in its place"
        raise WboxError("this is HTML, a web page, and not CSV", hint=hint)


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


class _Records:
    """The records of a CSV with their numbers; after one that is wrong, the next line is read on its own."""

    def __init__(self, text_lines: Iterable[str], delimiter: str, *, first: int) -> None:
        self._lines = iter(text_lines)
        self._again: deque[str] = deque()
        self._delimiter = delimiter
        self._number = first - 1
        self._record: list[str] = []

    def __iter__(self) -> Iterator[Record]:
        """Yield the records; one that is wrong has a problem, and the others follow."""
        reader = self._reader()
        while True:
            self._record = []
            try:
                cells, problem = next(reader), ""
            except StopIteration:
                return
            except csv.Error as error:
                cells, problem = [], _problem(error.args[0])
                self._again.extendleft(reversed(self._record[1:]))
                reader = self._reader()
            self._number += 1
            yield Record(self._number, cells, problem)

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
