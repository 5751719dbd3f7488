"""Readers: what is inside a file, whatever wrote it."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import count, islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wbox_notify.errors import WboxError
from wbox_notify.readers import Reading, Row, Rows, rows
from wbox_notify.readers.jsons import json_list
from wbox_notify.readers.text import LONGEST

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1254")
TURKISH = "abcçğıöşüĞİŞ 019'-_."
cells = st.text(TURKISH + '";,\t|\n', max_size=8)
plain_cells = st.text(TURKISH, min_size=1, max_size=8).filter(str.strip)


def read(content: str | bytes, name: str = "x.csv", **how: Any) -> list[Row]:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    return list(rows(file, name, Reading(**how)))


def values(found: list[Row]) -> list[Any]:
    assert [row for row in found if row.problem] == []
    return [row.value for row in found]


def problems(found: list[Row]) -> dict[int, str]:
    return {row.number: row.problem for row in found if row.problem}


@st.composite
def tables(draw: st.DrawFn, cell: st.SearchStrategy[str] = cells) -> tuple[list[str], list[list[str]]]:
    width = draw(st.integers(2, 5))
    row = st.lists(cell, min_size=width, max_size=width).filter(lambda one: any(map(str.strip, one)))
    return [f"name_{place}" for place in range(width)], draw(st.lists(row, max_size=30))


@given(
    table=tables(),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    encoding=st.sampled_from(ENCODINGS),
)
def test_a_csv_of_any_dialect_is_read_as_python_wrote_it(
    table: tuple[list[str], list[list[str]]], delimiter: str, end: str, quoting: Any, encoding: str
) -> None:
    names, body = table
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows([names, *body])
    given_encoding = encoding if encoding == "cp1254" else ""
    found = read(text.getvalue().encode(encoding), delimiter=delimiter, encoding=given_encoding)
    assert values(found) == [dict(zip(names, row, strict=True)) for row in body]
    assert [row.number for row in found] == list(range(2, len(body) + 2))


@given(
    table=tables(plain_cells),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(ENCODINGS),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_the_delimiter_and_the_encoding_are_found(
    table: tuple[list[str], list[list[str]]], delimiter: str, encoding: str, quoting: Any
) -> None:
    names, body = table
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=quoting).writerows([names, *body])
    raw = text.getvalue().encode(encoding)
    assert values(read(raw)) == [dict(zip(names, row, strict=True)) for row in body]


@given(st.lists(st.text(min_size=1, max_size=30), max_size=20), st.binary(max_size=200))
def test_nothing_that_is_in_a_file_ends_the_reading_otherwise_than_by_saying_so(
    found: list[str], raw: bytes
) -> None:
    content = "\n".join(found).encode("utf-8", "replace") + raw
    for name, kind in (("x.csv", ""), ("x.json", ""), ("x.ndjson", ""), ("x.txt", ""), ("x", "ics")):
        with suppress(WboxError):
            for row in read(content, name, kind=kind):
                json.dumps(row.value)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('a,b\n1,2\n3,"4\n5,6\n', {3: "a quote is not closed"}),
        ('a,b\n1,2\n3,"4" x\n5,6\n', {3: "there is something between a closing quote and the next cell"}),
        ("a,b\n1,2\n3\n5,6\n", {3: "it has 1 cells, and there are 2 columns"}),
        ("a,b\n1,2\n3,4,5\n5,6\n", {3: "it has 3 cells, and there are 2 columns"}),
        (
            "a,b\n1,2\n3," + "x" * 131073 + "\n5,6\n",
            {3: "a cell is longer than 131072 characters, or a quote is not closed"},
        ),
    ],
)
def test_a_bad_row_fails_alone_with_its_number(text: str, wrong: dict[int, str]) -> None:
    found = read(text)
    assert problems(found) == wrong
    assert [row.value for row in found if not row.problem] == [{"a": "1", "b": "2"}, {"a": "5", "b": "6"}]


def test_many_bad_rows_are_many_errors() -> None:
    text = "a,b\n" + 'x,"y"z\n1,2\n' * 20_000
    found = read(text)
    assert len(problems(found)) == 20_000
    assert len(found) == 40_000


def test_a_quote_that_is_never_closed_costs_one_row_of_a_long_file() -> None:
    found = read('a,b\n1,"2\n' + "3,4\n" * 100_000)
    assert list(problems(found)) == [2]
    assert len(found) == 100_001


@pytest.mark.parametrize(
    ("text", "how", "expected"),
    [
        ("sep=;\r\na;b\r\n1,5;2\r\n", {}, [(3, {"a": "1,5", "b": "2"})]),
        ("a;b\n;\n\n1;2\n", {}, [(4, {"a": "1", "b": "2"})]),
        ("1;2\n3;4\n", {"columns": ("x", "y")}, [(1, {"x": "1", "y": "2"}), (2, {"x": "3", "y": "4"})]),
        ("ad;fiyat, TL\nelma;1,5\narmut;2,5\n", {}, [(2, {"ad": "elma", "fiyat, TL": "1,5"}), (3, {"ad": "armut", "fiyat, TL": "2,5"})]),  # noqa: E501 - a table
        ("a,,b \n1,2,3\n", {}, [(2, {"a": "1", "column_2": "2", "b": "3"})]),
        ("one\n1\n", {}, [(2, {"one": "1"})]),
        ("a,b\r1,2\r", {}, [(2, {"a": "1", "b": "2"})]),
        ("", {}, []),
        ("a,b\n", {}, []),
    ],
)  # fmt: skip
def test_what_spreadsheets_export(text: str, how: Any, expected: list[Any]) -> None:
    assert [(row.number, row.value) for row in read(text, **how)] == expected


def test_two_columns_with_one_name_are_refused_for_the_whole_file() -> None:
    with pytest.raises(WboxError, match="two columns with the name 'a'"):
        read("a,a\n1,2\n")


def test_windows_1254_is_found_far_into_a_file() -> None:
    raw = b"ad;il\n" + b"Ali;Van\n" * 100_000 + "Ayşe;Muğla\n".encode("cp1254")
    assert read(raw)[-1].value == {"ad": "Ayşe", "il": "Muğla"}


def test_a_file_whose_name_says_nothing_is_refused_with_the_way_out() -> None:
    with pytest.raises(WboxError, match="does not say") as error:
        read("a", "x.dat")
    assert "read: csv" in str(error.value.hint)
    assert read("a,b\n1,2\n", "x.dat", kind="csv")


@given(st.lists(st.recursive(st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.booleans(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=5), max_size=10), st.integers(1, 7), st.sampled_from([None, 1]))  # noqa: E501 - one line of shapes  # fmt: skip
def test_a_json_list_is_read_in_pieces_of_any_size_as_python_reads_it_whole(
    items: list[Any], size: int, indent: int | None
) -> None:
    text = json.dumps(items, indent=indent)
    pieces = (text[at : at + size] for at in range(0, len(text), size))
    assert [row.value for row in json_list(pieces)] == items


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers(), max_size=3), max_size=10))
def test_ndjson_is_a_value_a_line(items: list[Any]) -> None:
    text = "\n".join(map(json.dumps, items))
    assert values(read(text, "x.ndjson")) == items


@pytest.mark.parametrize(
    ("name", "text", "numbers", "words"),
    [
        ("x.ndjson", '{"a": 1}\n{"a": \n\n{"a": 3}', [2], "it is not JSON"),
        ("x.ndjson", '1\nNaN\n"a"', [2], "NaN is no value"),
        ("x.ndjson", "1\n" + "[" * 100_000 + "\n3", [2], "it is not JSON"),
        ("x.json", "[1, 2, {]", [3], "nothing after it can be read"),
        ("x.json", "[1 2]", [2], "a comma or ]"),
        ("x.json", '{"rows": []}', [1], "has to begin with ["),
        ("x.json", "[1, 2", [3], "nothing after it can be read"),
        ("x.txt", "a\n" + "b" * (LONGEST + 5) + "\nc", [2], "is longer than"),
    ],
)
def test_what_is_wrong_is_said_with_its_number(name: str, text: str, numbers: list[int], words: str) -> None:
    found = problems(read(text, name))
    assert list(found) == numbers
    assert all(words in problem for problem in found.values())


CALENDAR = """BEGIN:VCALENDAR
BEGIN:VTIMEZONE
TZID:Europe/Istanbul
END:VTIMEZONE
BEGIN:VEVENT
UID:42
DTSTART;TZID=Europe/Istanbul:20261124T140000
DTEND:20261124T120000Z
SUMMARY;LANGUAGE=tr:Weekly\\, long
  review
BEGIN:VALARM
DESCRIPTION:not this one
END:VALARM
DESCRIPTION:a\\nb
END:VEVENT
BEGIN:VEVENT
UID:43
SUMMARY:no time
END:VEVENT
BEGIN:VEVENT
DTSTART;VALUE=DATE:20261201
RRULE:FREQ=DAILY
SEQUENCE:3
END:VEVENT
BEGIN:VEVENT
DTSTART;TZID=Nowhere:20261201T100000
END:VEVENT
END:VCALENDAR
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_calendar_gives_its_events(end: str) -> None:
    first, second, third, fourth = read(CALENDAR.replace("\n", end), "x.ics", kind="ics")
    assert first.value == {
        "uid": "42",
        "summary": "Weekly, long review",
        "description": "a\nb",
        "location": "",
        "url": "",
        "status": "",
        "sequence": 0,
        "start": "2026-11-24T14:00:00+03:00",
        "end": "2026-11-24T12:00:00+00:00",
        "all_day": False,
        "repeats": False,
    }
    assert second.problem == "it has no DTSTART"
    assert (third.value["start"], third.value["all_day"], third.value["repeats"]) == (
        "2026-12-01T00:00:00",
        True,
        True,
    )
    assert fourth.problem == "the time zone 'Nowhere' is not known"


def test_outlook_s_name_of_a_zone_is_understood() -> None:
    text = CALENDAR.replace("TZID=Europe/Istanbul:", 'TZID="Turkey Standard Time":')
    assert read(text, "x.ics", kind="ics")[0].value["start"] == "2026-11-24T14:00:00+03:00"


class Endless(io.RawIOBase):
    """A CSV that goes on as long as somebody reads, and whose encoding is given."""

    def __init__(self) -> None:
        self._lines = (f"{number},x\n".encode() for number in count())
        self._rest = b"a,b\n"

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest += b"".join(islice(self._lines, 100))
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


def test_rows_are_read_as_they_are_asked_for() -> None:
    found = Rows(io.BufferedReader(Endless()), "x.csv", Reading(encoding="utf-8"))
    assert [row.number for row in found.take(1, 3).rows] == [2, 3, 4]
    again = found.take(1000, 2)
    assert [row.value["a"] for row in again.rows] == ["998", "999"]
    assert (again.more, found.at) == (True, 1002)


@given(st.integers(0, 12), st.integers(1, 5))
def test_slices_together_are_the_whole(number: int, most: int) -> None:
    raw = b"a,b\n" + b"1,2\n\n" * number

    def slices() -> Iterator[Row]:
        at, more = 1, True
        while more:
            anew = Rows(io.BytesIO(raw), "x.csv", Reading())
            found = anew.take(at, most)
            at, more = anew.at, found.more
            yield from found.rows

    assert list(slices()) == read(raw)
