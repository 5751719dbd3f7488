"""Rows of a dropped file: how they are read, and slices of them from the very version that was reported."""

import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import PurePath
from typing import Any, BinaryIO

from wbox_notify.errors import WboxError
from wbox_notify.model.file_version import is_told, mtime
from wbox_notify.model.texts import Wording, problem_with_hint
from wbox_notify.triggers.file.opening import opened
from wbox_notify.triggers.file.readers.calendar import calendar
from wbox_notify.triggers.file.readers.columns import Record, by_name
from wbox_notify.triggers.file.readers.json_items import json_list, ndjson
from wbox_notify.triggers.file.readers.recurrence import Span
from wbox_notify.triggers.file.readers.table import table
from wbox_notify.triggers.file.readers.text import (
    Row,
    characters,
    check_text,
    check_workbook,
    lines,
    numbered,
    replace_odd,
)

KINDS = ("csv", "xlsx", "json", "ndjson", "lines")
"""The kinds of rows; the events of a calendar are ``ics``, which is never guessed."""

_ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".txt": "lines",
    ".log": "lines",
}
_OTHER_WORKBOOKS = frozenset({".xls", ".xlsb", ".ods", ".numbers"})
YEAR = 366 * 86400.0
_KEPT_OPEN = 8
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the rows of a file are read.

    Attributes:
        kind: One of ``KINDS`` or ``ics``; empty to use the ending of the file's name.
        encoding: The name of a codec; empty to guess it from the bytes.
        delimiter: The separator of the cells of a CSV; empty to guess it from its first rows.
        columns: The names of the columns of a table that has no row with them.
        sheet: The name of the sheet of a workbook; empty for the first one.
        skip: The rows of a table above its columns.
        uses: The columns of a table that the rule uses, of which it has to have one; any if none is named.
        ahead: For how many seconds ahead the events of a calendar that recur are given.
        span: Within which time they are given; None gives each as it stands.
    """

    kind: str = ""
    encoding: str = ""
    delimiter: str = ""
    columns: tuple[str, ...] = ()
    sheet: str = ""
    skip: int = 0
    uses: frozenset[str] = frozenset()
    ahead: float = YEAR
    span: Span | None = None

    def of(self, field: str) -> "Reading":
        """Return how a field of the file is read: ``rows``, ``lines`` or ``events``."""
        return replace(self, kind={"lines": "lines", "events": "ics"}.get(field, self.kind))

    def at(self, now: datetime) -> "Reading":
        """Return how the file is read at a time: what recurs is given from the beginning of that day on."""
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return replace(self, span=(day, now + timedelta(seconds=self.ahead)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Some rows of one version of a file: at most ``most``, from row ``start`` on.

    Attributes:
        reader: The key under which the file stays open from slice to slice.
        root: The folder below which no link is followed on the way to ``path``.
        version: The ``size`` and ``mtime`` of the version, with its ``digest`` if it is known; None takes the
            file as it is.
    """

    reader: str
    path: str
    root: str
    version: Mapping[str, Any] | None
    reading: Reading
    start: int
    most: int


@dataclass(frozen=True, slots=True)
class Slice:
    """Some rows of a ``version``, and whether there are ``more``; or the ``problem`` why there are none."""

    rows: tuple[Row, ...] = ()
    more: bool = False
    problem: str = ""
    version: Mapping[str, Any] | None = None


class Rows:
    """An open file, read once from its beginning to its end.

    Attributes:
        at: The number after that of the last row that was taken.
    """

    def __init__(self, file: BinaryIO, name: str, reading: Reading) -> None:
        self._file = file
        self._rows = self._read(name, reading)
        self._ahead: Row | None = Row(0, None)
        self.at = 1

    def take(self, start: int, most: int) -> Slice:
        """Return at most so many rows, from row ``start`` on. Raises what ``rows`` does."""
        while self._ahead and self._ahead.number < start:
            self._ahead = next(self._rows, None)
        if self._ahead is None:
            return Slice()
        taken = (self._ahead, *islice(self._rows, most - 1))
        self._ahead = next(self._rows, None)
        self.at = taken[-1].number + 1
        return Slice(taken, self._ahead is not None)

    def fileno(self) -> int:
        """Return the descriptor of the file."""
        return self._file.fileno()

    def close(self) -> None:
        """Close the file."""
        self._rows.close()
        self._file.close()

    def _read(self, name: str, reading: Reading) -> Generator[Row, None, None]:
        yield from rows(self._file, name, reading)


def rows(file: BinaryIO, name: str, reading: Reading) -> Iterator[Row]:
    """Yield the rows of a file; one that is wrong has a problem, and the others follow.

    Raises:
        WboxError: the kind of the file is unknown, or it is not text.
    """
    kind = reading.kind or kind_of(name)
    if kind == "xlsx":
        return by_name(_workbook(file, reading), reading.columns, reading.uses)
    check_text(file, reading.encoding, strict=kind != "lines")
    if kind == "csv":
        records = table(file, reading.encoding, reading.delimiter, reading.skip)
        return by_name(records, reading.columns, reading.uses)
    if kind == "ics":
        return calendar(file, reading.encoding, reading.span)
    return _READERS[kind](file, reading.encoding)


def kind_of(name: str) -> str:
    """Return the kind of rows that a file with this name has. Raises WboxError where it does not show."""
    path = PurePath(name)
    suffix = path.suffix.lower()
    if suffix in _OTHER_WORKBOOKS:
        raise WboxError(
            Wording("a workbook of this kind ({suffix}) is not read", suffix=suffix),
            hint="save it as XLSX or CSV UTF-8",
        )
    if suffix not in _ENDINGS:
        hint = Wording(
            "say it with `read: csv` beside `path` ({kinds}); of a calendar follow `file.events`",
            kinds=", ".join(KINDS),
        )
        raise WboxError(
            Wording("the name of {name!r} does not show what its rows are", name=path.name), hint=hint
        )
    return _ENDINGS[suffix]


def _workbook(file: BinaryIO, reading: Reading) -> Iterator[Record]:
    from wbox_notify.triggers.file.readers.workbook import workbook  # noqa: PLC0415 - its library takes long to load

    check_workbook(file)
    return workbook(file, reading.sheet, reading.skip)


def workbook_of(rows: Sequence[Mapping[str, Any]], reading: Reading) -> bytes:
    """Return a workbook with rows, to try a rule that reads one in this way."""
    from wbox_notify.triggers.file.readers.workbook import written  # noqa: PLC0415 - its library takes long to load

    names = reading.columns or tuple({name: None for row in rows for name in row})
    table = [[row.get(name) for name in names] for row in rows]
    titles = [["-"]] * reading.skip
    header = [] if reading.columns else [names]
    return written([*titles, *header, *table], reading.sheet)


def _text_rows(file: BinaryIO, encoding: str) -> Iterator[Row]:
    for number, line, problem in numbered(lines(file, encoding)):
        if problem or line.strip():
            yield Row(number, replace_odd(line.rstrip("\r\n")), problem)


def _ndjson(file: BinaryIO, encoding: str) -> Iterator[Row]:
    return ndjson(lines(file, encoding))


def _json(file: BinaryIO, encoding: str) -> Iterator[Row]:
    return json_list(characters(file, encoding))


_READERS: Mapping[str, Callable[[BinaryIO, str], Iterator[Row]]] = {
    "json": _json,
    "ndjson": _ndjson,
    "lines": _text_rows,
}


class RowFiles:
    """Reads rows of files; some files stay open from one slice to the next."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Rows] = OrderedDict()

    def __call__(self, wanted: Wanted) -> Slice:
        """Return some rows of a file, or why they cannot be read."""
        rows = self._open.pop(wanted.reader, None)
        try:
            with opened(wanted.root, wanted.path, _FLAGS) as descriptor:
                version = wanted.version or _version_of(descriptor, wanted.path)
                _check(descriptor, wanted.path, version)
                if rows and not _continues(rows, wanted, descriptor):
                    rows.close()
                    rows = None
                if rows is None:
                    rows = Rows(os.fdopen(os.dup(descriptor), "rb"), wanted.path, wanted.reading)
                part = replace(rows.take(wanted.start, wanted.most), version=version)
                _check(descriptor, wanted.path, version)
        except OSError as error:
            part = Slice(
                problem=Wording("{path!r} cannot be read: {reason}", path=wanted.path, reason=error.strerror)
            )
        except WboxError as error:
            part = Slice(problem=problem_with_hint(error))
        if rows and part.more:
            self._keep(wanted.reader, rows)
        elif rows:
            rows.close()
        return part

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._open.popitem()[1].close()

    def _keep(self, reader: str, rows: Rows) -> None:
        self._open[reader] = rows
        while len(self._open) > _KEPT_OPEN:
            self._open.popitem(last=False)[1].close()


def _continues(rows: Rows, wanted: Wanted, descriptor: int) -> bool:
    """Return whether rows that are open go on with those that are wanted, in the same file."""
    return rows.at == wanted.start and os.path.samestat(os.fstat(rows.fileno()), os.fstat(descriptor))


def _version_of(descriptor: int, path: str) -> Mapping[str, Any]:
    """Return what tells a file from its other versions; WboxError where it is none."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise WboxError(Wording("{path!r} is not a file", path=path))
    return {"size": status.st_size, "mtime": mtime(status)}


def _check(descriptor: int, path: str, version: Mapping[str, Any]) -> None:
    """Raise WboxError where a file is not the version that is wanted."""
    if not is_told(descriptor, version):
        raise WboxError(Wording("{path!r} has changed since it was reported", path=path))
