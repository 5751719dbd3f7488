"""Readers: what is inside a file, whatever wrote it."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import count, islice
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wbox_notify.errors import WboxError
from wbox_notify.triggers.file.readers.json_items import json_list
from wbox_notify.triggers.file.readers.text import LONGEST, Row, characters, decode, replace_odd
from wbox_notify.triggers.file.readers.zones import WINDOWS, Zones
from wbox_notify.triggers.file.rows import Reading, Rows, rows

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
        ("a,b\n", {}, []),
        ("", {"columns": ("x", "y")}, []),
        ("a;b;c\n1;2\n3\n4;5;6;;\n", {}, [(2, {"a": "1", "b": "2", "c": ""}), (3, {"a": "3", "b": "", "c": ""}), (4, {"a": "4", "b": "5", "c": "6"})]),  # noqa: E501 - a table
        ("a;b\n1;2\n\x1a", {}, [(2, {"a": "1", "b": "2"})]),
        ("a;b\n1;2\x1a", {}, [(2, {"a": "1", "b": "2"})]),
    ],
)  # fmt: skip
def test_what_spreadsheets_export(text: str, how: Any, expected: list[Any]) -> None:
    assert [(row.number, row.value) for row in read(text, **how)] == expected


def test_columns_with_one_name_are_numbered_so_that_none_is_taken_for_the_other() -> None:
    [row] = read("tel;ad;tel;;\n1;a;2;;\n")
    assert row.value == {"tel_1": "1", "ad": "a", "tel_2": "2", "column_4": "", "column_5": ""}
    with pytest.raises(WboxError, match="two columns with the name 'a_1'"):
        read("a,a,a_1\n1,2,3\n")
    with pytest.raises(WboxError, match="two columns with the name 'a'"):
        read("1,2\n", columns=("a", "a"))


def test_what_nobody_sees_is_no_part_of_a_name() -> None:
    assert [row.value for row in read("\ufeff\ufeffno;pho\u00adne\u200b\n1;2\u200b\n")] == [
        {"no": "1", "phone": "2\u200b"}
    ]


def test_no_row_stands_in_for_names_that_cannot_be_read() -> None:
    with pytest.raises(
        WboxError, match="the names of the columns cannot be read: there is something between"
    ):
        read('a,"b"c\n1,2\n3,4\n')


def test_lines_above_the_names_are_skipped_and_rows_keep_their_numbers() -> None:
    text = "Liste;;\n2026, Kasım;;\nad;tel;\nAli;1;\n;;\n\nVeli;2;\n;;\n"
    for head, first in (("", 4), ("sep=;\n", 5)):
        found = read(head + text, skip=2)
        assert [(row.number, row.value["ad"]) for row in found] == [(first, "Ali"), (first + 3, "Veli")]
    with pytest.raises(WboxError, match="is empty"):
        read(text, skip=20)


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        ("ad;Phone", "did you mean `Phone` by `phone`?"),
        ("isim;tutar", "if the names stand further down, set `skip` to the number of rows above them"),
        ("Liste", "if the names stand further down, set `skip` to the number of rows above them"),
    ],
)
def test_a_table_with_none_of_the_columns_that_a_rule_uses_is_another_table(header: str, hint: str) -> None:
    uses = frozenset({"phone", "order"})
    with pytest.raises(WboxError, match="there is no column order, phone in it; its columns are: ") as caught:
        read(f"{header}\n1;2\n", uses=uses)
    assert caught.value.hint == hint
    assert read("x;order\n1;2\n", uses=uses)
    assert read("x;y\n1;2\n", uses=frozenset())


def test_a_cell_holds_lines_where_it_is_in_quotes() -> None:
    found = read('ad;"adres\nsatırı"\r\nAli;"Ev 1\r\nVan"\r\nVeli;Muş\r\n')
    assert [(row.number, row.value["adres satırı"]) for row in found] == [(2, "Ev 1\r\nVan"), (3, "Muş")]


def test_windows_1254_is_found_far_into_a_file() -> None:
    raw = b"ad;il\n" + b"Ali;Van\n" * 100_000 + "Ayşe;Muğla\n".encode("cp1254")
    assert read(raw)[-1].value == {"ad": "Ayşe", "il": "Muğla"}


def test_a_file_whose_name_says_nothing_is_refused_with_the_way_out() -> None:
    with pytest.raises(WboxError, match="does not show what its rows are") as error:
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
        ("x.ndjson", '1\nNaN\n"a"', [2], "NaN is not a number"),
        ("x.ndjson", '1\n[1e999]\n"a"', [2], "1e999 is too large"),
        ("x.ndjson", '1\n[-Infinity]\n"a"', [2], "-Infinity is not a number"),
        ("x.ndjson", '{"a": 1}\n{"a": 1, "a": 2}\n1', [2], 'the key "a" comes twice in one object'),
        ("x.ndjson", "1\n2 3\n4", [2], "something follows the value"),
        ("x.json", '[{"a": 1, "a": 2}, {"a": 3}]', [1], 'the key "a" comes twice in one object'),
        ("x.json", "[1, [NaN], 3]", [2], "NaN is not a number"),
        ("x.ndjson", "1\n" + "[" * 100_000 + "\n3", [2], "it is not JSON"),
        ("x.json", "[1, 2, {]", [3], "nothing after it can be read"),
        ("x.json", "[1 2]", [2], "a comma or ]"),
        ("x.json", "[1]\n[2]\n", [2], "something follows the list"),
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
        "original": "",
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


def an_event(*lines: str, before: str = "") -> str:
    return "\r\n".join(
        ["BEGIN:VCALENDAR", *before.split(), "BEGIN:VEVENT", "UID:1", *lines, "END:VEVENT", ""]
    )


def start_of(zone: str, before: str = "") -> str:
    [found] = read(an_event(f"DTSTART;TZID={zone}:20261201T140000", before=before), "x.ics", kind="ics")
    return str(found.problem or found.value["start"])


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Europe/Istanbul", "2026-12-01T14:00:00+03:00"),
        ("Turkey Standard Time", "2026-12-01T14:00:00+03:00"),
        ('"Eastern Standard Time"', "2026-12-01T14:00:00-05:00"),
        ("Arab Standard Time", "2026-12-01T14:00:00+03:00"),
        ("/Europe/Vienna", "2026-12-01T14:00:00+01:00"),
        ("/freeassociation.sourceforge.net/Europe/Berlin", "2026-12-01T14:00:00+01:00"),
        ("/mozilla.org/20050126_1/America/Argentina/Ushuaia", "2026-12-01T14:00:00-03:00"),
        ('"(UTC+03:00) Nowhere"', "the time zone '(UTC+03:00) Nowhere' is not known"),
        ("../../etc/passwd", "the time zone '../../etc/passwd' is not known"),
    ],
)
def test_a_zone_is_known_by_each_of_its_names(zone: str, start: str) -> None:
    assert start_of(zone) == start


def test_each_name_of_windows_is_of_a_zone_that_there_is() -> None:
    assert len(WINDOWS) > 130
    assert {Zones().find(name).key for name in WINDOWS} == set(WINDOWS.values())  # type: ignore[attr-defined]


OWN_ZONE = """BEGIN:VTIMEZONE
TZID:Mine
X-LIC-LOCATION:Somewhere
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE"""


def test_a_zone_that_the_calendar_explains_is_known() -> None:
    assert start_of("Mine", OWN_ZONE) == "2026-12-01T14:00:00+01:00"
    summer = an_event("DTSTART;TZID=Mine:20260701T140000", before=OWN_ZONE)
    assert read(summer, "x.ics", kind="ics")[0].value["start"] == "2026-07-01T14:00:00+02:00"
    named = OWN_ZONE.replace("Mine", "(UTC+01:00)")
    assert start_of('"(UTC+01:00)"', named) == "2026-12-01T14:00:00+01:00"


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=YEARLY;BYHOUR=1,2,3;BYMINUTE=1",
        "FREQ=YEARLY;BYMONTHDAY=1;BYSECOND=1",
        "FREQ=DAILY;UNTIL=20261201",
        "FREQ=YEARLY;BYMONTH=99",
        "",
    ],
)
def test_rules_of_a_zone_that_would_take_for_ever_are_none(rule: str) -> None:
    asks = OWN_ZONE.replace("FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", rule)
    assert "is not known" in start_of("Mine", asks)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_line_that_is_cut_inside_a_letter_is_put_together_first(mark: bytes) -> None:
    raw = an_event("SUMMARY:Toplantı", "LOCATION:şart", "DTSTART:20261201T110000Z").encode()
    cut = raw.replace("ı".encode(), b"\xc4\r\n \xb1").replace("ş".encode(), b"\xc5\r\n\t\x9f")
    [found] = read(mark + cut, "x.ics", kind="ics")
    assert (found.value["summary"], found.value["location"]) == ("Toplantı", "şart")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1254"])
def test_a_calendar_is_read_in_any_usual_encoding(encoding: str) -> None:
    [found] = read(an_event("SUMMARY:Muğla", "DTSTART:20261201").encode(encoding), "x.ics", kind="ics")
    assert found.value["summary"] == "Muğla"


def test_what_a_calendar_cancels_is_cancelled() -> None:
    event = ("DTSTART:20261201T110000Z", "SEQUENCE:")
    [told] = read(an_event(*event, before="METHOD:CANCEL"), "x.ics", kind="ics")
    assert (told.value["status"], told.value["sequence"]) == ("CANCELLED", 0)
    [kept] = read(an_event(*event, "STATUS:CONFIRMED", before="METHOD:CANCEL"), "x.ics", kind="ics")
    assert kept.value["status"] == "CONFIRMED"
    [asked] = read(an_event(*event, before="METHOD:REQUEST"), "x.ics", kind="ics")
    assert asked.value["status"] == ""


def test_a_number_that_is_none_is_said_in_words() -> None:
    for number in ("x", "9" * 5000, "-1"):
        [found] = read(an_event("DTSTART:20261201", f"SEQUENCE:{number}"), "x.ics", kind="ics")
        assert "SEQUENCE" in found.problem
        assert "has to be a number" in found.problem


def test_an_event_that_is_too_long_or_has_no_end_is_a_problem_of_its_own() -> None:
    long = an_event("DTSTART:20261201", *["DESCRIPTION:" + "x" * 9000] * 200)
    found = read(long + an_event("DTSTART:20261201") + "BEGIN:VEVENT\nUID:3\n", "x.ics", kind="ics")
    assert list(problems(found)) == [1, 3]
    assert "is longer than" in found[0].problem
    assert found[2].problem == "the calendar ends within this event"


@pytest.mark.parametrize("name", ["x.csv", "x.json", "x.ndjson", "x.txt", "x.ics"])
@pytest.mark.parametrize("head", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"])
def test_a_workbook_is_refused_as_a_whole_whatever_its_name(name: str, head: bytes) -> None:
    with pytest.raises(WboxError, match="Excel workbook") as caught:
        read(head + b"\x14\x00\x06\x00" * 50, name, kind="ics" if name == "x.ics" else "")
    assert "CSV UTF-8" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["x.csv", "x.json", "x.ndjson"])
def test_a_file_with_nul_in_it_is_no_text(name: str) -> None:
    with pytest.raises(WboxError, match="NUL"):
        read(b"a;b\n1;\0\n\0\0\xff2", name)


def test_a_log_with_nul_in_it_is_read_all_the_same() -> None:
    assert values(read(b"one\n\0\0\0\ntwo\n", "x.log")) == ["one", "\0\0\0", "two"]


@pytest.mark.parametrize("text", ["", "\n", " \n\r\n", "\x1a"])
def test_a_csv_without_anything_is_not_done_in_silence(text: str) -> None:
    with pytest.raises(WboxError, match="is empty"):
        read(text)


@pytest.mark.parametrize(
    "text",
    [
        "<table>\n<tr><td>phone</td></tr>\n</table>",
        "\n  <!DOCTYPE html><html>",
        "<?xml version='1.0'?>",
        "<!-- x -->",
    ],
)
def test_a_page_of_the_web_is_no_csv(text: str) -> None:
    with pytest.raises(WboxError, match="HTML"):
        read(text)


@pytest.mark.parametrize("text", ["", "uid,summary\n1,x\n", "<html></html>"])
def test_what_is_no_calendar_is_not_done_in_silence(text: str) -> None:
    with pytest.raises(WboxError, match="no calendar"):
        read(text, "x.ics", kind="ics")
    assert read("BEGIN:VCALENDAR\nEND:VCALENDAR\n", "x.ics", kind="ics") == []


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_seen_without_its_mark(encoding: str) -> None:
    raw = "phone;name\r\n+905551110003;Şule\r\n".encode(encoding)
    assert values(read(raw)) == [{"phone": "+905551110003", "name": "Şule"}]
    assert values(read(raw, "x.txt")) == ["phone;name", "+905551110003;Şule"]


@given(st.binary() | st.text().map(lambda text: text.encode("utf-32", "replace")))
@example(b"\xff\xfeodd")
@example(b"a\x81b\xe9")
def test_the_text_of_a_file_is_that_of_its_lines(raw: bytes) -> None:
    assert decode(raw) == replace_odd("".join(characters(io.BytesIO(raw), "")))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "windows-1254"])
def test_what_a_turkish_spreadsheet_saves_is_read_in_each_of_its_encodings(encoding: str) -> None:
    text = 'sep=;\r\nTelefon;Açıklama;\r\n0555 111 00 03;"Şule;\r\nİğdır";\r\n;;\r\n'
    [row] = read(text.encode(encoding))
    assert row.value == {"Telefon": "0555 111 00 03", "Açıklama": "Şule;\r\nİğdır", "column_3": ""}


def test_one_odd_byte_costs_one_row_and_spoils_no_other() -> None:
    raw = b"phone;name\n1;\xc5\x9eule\n2;\x9eule\n3;Ay\xc5\x9fe\n"
    found = read(raw)
    assert [row.value for row in found if not row.problem] == [
        {"phone": "1", "name": "Şule"},
        {"phone": "3", "name": "Ayşe"},
    ]
    assert "0x9E" in problems(found)[3]
    assert values(read(raw, "x.txt")) == ["phone;name", "1;Şule", "2;\ufffdule", "3;Ayşe"]
    assert list(problems(read(b'"\xc5\x9e"\n"\x9e"\n"\xc5\x9e"', "x.ndjson"))) == [2]
    assert list(problems(read(b'["\xc5\x9e", "\x9e", "\xc5\x9e"]', "x.json"))) == [2]
    assert decode(raw) == "phone;name\n1;Şule\n2;\ufffdule\n3;Ayşe\n"


def test_lines_that_each_open_a_quote_are_not_read_again_to_the_end() -> None:
    file = io.BytesIO(b"a,b,c\n" + b'x",y,"z\n' * 100_000)
    assert len(Rows(file, "x.csv", Reading()).take(1, 50).rows) == 50
    assert file.tell() < 100_000, "and an eighth of it has been read"


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
