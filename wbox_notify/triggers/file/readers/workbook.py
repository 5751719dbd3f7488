"""Reader of workbooks (XLSX): the rows of one sheet, with numbers and days as the cells have them."""

import math
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from io import BytesIO
from typing import IO, Any, BinaryIO
from xml.etree.ElementTree import Element
from zipfile import ZipFile

from openpyxl import Workbook
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.worksheet._reader import DATA_TAG, FORMULA_TAG, ROW_TAG, WorkSheetParser
from openpyxl.xml.constants import ARC_STYLE
from openpyxl.xml.functions import fromstring, iterparse

from wbox_notify.errors import WboxError
from wbox_notify.model.text import did_you_mean
from wbox_notify.model.texts import Wording
from wbox_notify.triggers.file.readers.columns import Record
from wbox_notify.triggers.file.readers.text import LONGEST

# It warns of what is in a workbook beside the cells; nobody asked for that.
warnings.filterwarnings("ignore", module=r"openpyxl\.")

MOST_ROWS = 1_048_576
"""The most rows of a sheet, as in Excel."""

_MEGABYTE = 1024 * 1024
_LARGEST_FILE = 64 * _MEGABYTE
_LARGEST_PART = 32 * _MEGABYTE
_MOST_TAGS = 2_000_000
_LARGEST_SHEET = 512 * _MEGABYTE
_LARGEST_ROW = 4 * _MEGABYTE
"""Sizes of what is packed in a workbook, so that a small file cannot use up memory or time. Parts other than
the sheet are held in memory; the largest row that Excel writes has about a megabyte."""

_MOST_COLUMNS = 16_384
"""The most columns of a sheet, as in Excel."""

_LONGEST_FORMAT = 500
_MOST_STEPS = 1_000_000_000
"""The most characters of a format of numbers, of which Excel has no more than 255, and the most steps for all
uses of formats: the library needs as many for one as the square of its characters."""

_BEGINNING = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*(?:<\?xml[^>]*>\s*)?<[A-Za-z_]")
"""No declaration of entities stands before the first element, where each could stand for a million others."""

_EXACT = 2**53
_TOO_LARGE = Wording("save the table as CSV UTF-8, which may have any size")
_SAVE = Wording("open it in Excel or LibreOffice, and save it as XLSX once more")


def workbook(file: BinaryIO, sheet: str, skip: int) -> Iterator[Record]:
    """Yield the rows of a sheet below those to ``skip``; the first visible sheet where none is named.

    Raises:
        WboxError: it is no workbook, it has no such sheet, or it is too large.
    """
    if file.seek(0, 2) > _LARGEST_FILE:
        raise WboxError("the workbook is too large", hint=_TOO_LARGE)
    try:
        with _Archive(file) as archive:
            reader = _opened(file, archive)
            yield from _records(archive, reader, _part_of(reader, sheet), skip)
    except WboxError:
        raise
    except Exception as error:  # the library raises whatever a wrong file leads to
        raise WboxError(
            Wording("this workbook cannot be read: {error}", error=str(error)[:200]), hint=_SAVE
        ) from error


def written(rows: Iterable[Sequence[Any]], sheet: str) -> bytes:
    """Return a workbook with one sheet of these rows."""
    book = Workbook(write_only=True)
    page = book.create_sheet(sheet or None)
    for row in rows:
        page.append(row)
    file = BytesIO()
    book.save(file)
    return file.getvalue()


class _Archive(ZipFile):
    """The parts of a workbook, of which none is larger than it says it is."""

    def open(self, name: Any, *args: Any, **kwargs: Any) -> IO[bytes]:
        """Open a part that is read as a whole. Raises WboxError where it is too large."""
        if self.getinfo(name).file_size > _LARGEST_PART:
            raise WboxError("the workbook is too large", hint=_TOO_LARGE)
        with self.bare(name) as part:
            tags = sum(block.count(b"<") for block in iter(lambda: part.read(_MEGABYTE), b""))
        if tags > _MOST_TAGS:
            raise WboxError("the workbook has too many different texts", hint=_TOO_LARGE)
        return self.bare(name, *args, **kwargs)

    def bare(self, name: Any, *args: Any, **kwargs: Any) -> IO[bytes]:
        """Open a part of any size."""
        with super().open(name) as part:
            head = part.read(_MEGABYTE // 1024).replace(b"\0", b"")
        if not _BEGINNING.match(head):
            raise WboxError(
                Wording("there is something before the first element of {name!r}", name=name), hint=_SAVE
            )
        return super().open(name, *args, **kwargs)


def _opened(file: BinaryIO, archive: _Archive) -> ExcelReader:
    """Return a workbook with its texts and formats; its sheets are not looked at."""
    reader = ExcelReader(file, read_only=True, data_only=True, keep_links=False)
    reader.archive = archive
    reader.read_manifest()
    reader.read_strings()
    reader.read_workbook()
    _check_formats(archive)
    apply_stylesheet(archive, reader.wb)
    return reader


def _check_formats(archive: _Archive) -> None:
    if ARC_STYLE not in archive.namelist():
        return
    elements = list(fromstring(archive.read(ARC_STYLE)).iter())
    longest = max(len(element.get("formatCode", "")) for element in elements)
    uses = sum("numFmtId" in element.keys() for element in elements)  # noqa: SIM118 - it is no map
    if longest > _LONGEST_FORMAT or longest**2 * uses > _MOST_STEPS:
        raise WboxError("the formats of numbers in this workbook are too long", hint=_SAVE)


def _part_of(reader: ExcelReader, name: str) -> str:
    """Return the part with the rows of a sheet."""
    sheets = {
        sheet.name: (relation.target, sheet.state)
        for sheet, relation in reader.parser.find_sheets()
        if "chartsheet" not in relation.Type
    }
    for title, (target, state) in sheets.items():
        if title.casefold() == name.casefold() or (not name and state == "visible"):
            return str(target)
    if not name:
        raise WboxError("there is no sheet in this workbook", hint=_SAVE)
    hint = did_you_mean(name, sheets) or Wording("there are {sheets}", sheets=", ".join(sheets))
    raise WboxError(Wording("there is no sheet {name!r} in this workbook", name=name), hint=hint)


class _Part:
    """What is read of a sheet, of which no row may be too long."""

    def __init__(self, part: IO[bytes]) -> None:
        self._part = part
        self.row = 0
        """The bytes since the last row."""

    def read(self, size: int) -> bytes:
        self.row += size
        if self.row > _LARGEST_ROW:
            raise WboxError("a row of this sheet is too long", hint=_TOO_LARGE)
        return self._part.read(size)


def _records(archive: _Archive, reader: ExcelReader, name: str, skip: int) -> Iterator[Record]:
    if archive.getinfo(name).file_size > _LARGEST_SHEET:
        raise WboxError("the sheet is too large", hint=_TOO_LARGE)
    book = reader.wb
    with archive.bare(name) as whole:
        part = _Part(whole)
        cells = WorkSheetParser(
            part,
            reader.shared_strings,
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,  # noqa: SLF001 - there is no other way to them
            timedelta_formats=book._timedelta_formats,  # noqa: SLF001
        )
        number, table = 0, Element("")
        for event, element in iterparse(part, ("start", "end")):
            if element.tag == DATA_TAG and event == "start":
                table = element
            elif element.tag == DATA_TAG:
                return
            elif element.tag == ROW_TAG and event == "end":
                number = max(number + 1, int(element.get("r", 0)))
                if number > MOST_ROWS:
                    raise WboxError("the sheet has too many rows", hint=_TOO_LARGE)
                if number > skip:
                    yield _record(number, element, cells)
                table.clear()
                part.row = 0
    raise WboxError("there is no table in this sheet", hint=_SAVE)


def _record(number: int, row: Element, parser: WorkSheetParser) -> Record:
    """Return the values of the cells of a row."""
    values: list[Any] = []
    if len(row) > _MOST_COLUMNS:
        return Record(number, (), Wording("it has more than {most} cells", most=_MOST_COLUMNS))
    parser.row_counter, parser.col_counter = number, 0
    for element in row:
        try:
            cell = parser.parse_cell(element)
            values += [""] * (cell["column"] - len(values))
            values[cell["column"] - 1] = _value(cell, element)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            problem = Wording(
                "its cell {cell} cannot be read: {error}",
                cell=element.get("r", "")[:10],
                error=_reason(error),
            )
            return Record(number, (), problem)
    if sum(len(value) for value in values if isinstance(value, str)) > LONGEST:
        return Record(number, (), Wording("is longer than {most} characters", most=LONGEST))
    return Record(number, values)


def _reason(error: Exception) -> str:
    """Return why a cell has no value, in our words where they are known."""
    reason = next(iter(error.args), "")
    return reason if isinstance(reason, Wording) else str(error)[:200]


def _value(cell: dict[str, Any], element: Element) -> Any:
    """Return the value of a cell: a text, a number, or true or false; ValueError where it has none."""
    value = cell["value"]
    if cell["data_type"] == "e":
        raise ValueError(Wording("it shows {value}", value=value))
    if value is None and element.get("t") != "str" and element.find(FORMULA_TAG) is not None:
        raise ValueError(Wording("its formula has not been worked out; {hint}", hint=_SAVE))
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, timedelta):
        return _number(value.total_seconds())
    if isinstance(value, date | time):
        return _moment(value)
    if isinstance(value, int):
        return value
    return (value or "").replace("_x000D_", "")


def _number(value: float) -> float:
    """Return a number with the 15 digits that a spreadsheet shows, so that 0.1 + 0.2 is 0.3."""
    if not math.isfinite(value):
        raise ValueError(Wording("the number is too large"))
    value = float(f"{value:.15g}")
    if value.is_integer() and abs(value) < _EXACT:
        return int(value)
    return value


def _moment(value: date | time) -> str:
    """Return a day, a time of day, or both as ISO 8601; a cell with a day alone has midnight as its time."""
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    if isinstance(value, datetime | time):
        value = value.replace(microsecond=0)
    return value.isoformat().removesuffix(":00")
