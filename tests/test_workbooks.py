"""Workbooks: the values of their cells, and what people and programs leave in them."""

import io
import json
import re
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from bench.rows import event_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from openpyxl.chart import BarChart
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from openpyxl.worksheet.worksheet import Worksheet
from rulebook import mistake, rule
from test_rows import RULES as ROW_RULES
from test_rows import Place

from wbox_notify.engine.rule_tests import run
from wbox_notify.errors import WboxError
from wbox_notify.rules.loading import load
from wbox_notify.triggers.file.readers.text import Row
from wbox_notify.triggers.file.rows import Reading, Rows, rows

OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600
SHEET = "xl/worksheets/sheet1.xml"


def packed(book: Workbook) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def a_book(*table: Sequence[Any], then: Callable[[Worksheet], Any] | None = None) -> bytes:
    book = Workbook()
    sheet = book.worksheets[0]
    for row in table:
        sheet.append(row)
    if then:
        then(sheet)
    return packed(book)


def repacked(content: bytes, part: str, change: Callable[[str], str | bytes]) -> bytes:
    """Return a workbook with one of its parts changed, or new."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        names = old.namelist()
        for name in names:
            text = old.read(name)
            new.writestr(name, change(text.decode()) if name == part else text)
        if part not in names:
            new.writestr(part, change(""))
    return file.getvalue()


def with_shared(texts: str, row: str = "<row><c t='s'><v>0</v></c></row>", before: str = "") -> bytes:
    """Return a workbook whose texts are apart from its sheet, as Excel writes them."""
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    part = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
    content = repacked(a_book(["a"], ["?"]), SHEET, lambda text: _with_second_row(text, row))
    content = repacked(content, "[Content_Types].xml", lambda text: text.replace("</Types>", part))
    shared = f'{before}<sst xmlns="{namespace}">{texts}</sst>'
    return repacked(content, "xl/sharedStrings.xml", lambda _: shared)


def _with_second_row(text: str, row: str) -> str:
    return re.sub('<row r="2".*?</row>', lambda _: row, text)


def read(content: bytes, name: str = "x.xlsx", **how: Any) -> list[Row]:
    return list(rows(io.BytesIO(content), name, Reading(**how)))


def cell(value: Any, number_format: str = "General") -> Any:
    """Return the value that a rule sees of a cell."""

    def formatted(sheet: Worksheet) -> None:
        sheet["A2"].number_format = number_format

    [row] = read(a_book(["a", "b"], [value, "."], then=formatted))
    assert not row.problem
    return row.value["a"]


@pytest.mark.parametrize(
    ("value", "number_format", "seen"),
    [
        ("Şule", "General", "Şule"),
        (" two\nlines ", "General", " two\nlines "),
        (None, "General", ""),
        (5551234567, "General", 5551234567),
        (5551234567.0, "General", 5551234567),
        (0.1 + 0.2, "General", 0.3),
        (1234.5, "#,##0.00 ₺", 1234.5),
        (-3, "0.0", -3),
        (0.25, "0%", 0.25),
        (True, "General", True),
        (False, "General", False),
        (date(2026, 11, 29), "dd.mm.yyyy", "2026-11-29"),
        (datetime(2026, 11, 29), "dd.mm.yyyy hh:mm", "2026-11-29"),  # noqa: DTZ001 - cells have no zone
        (datetime(2026, 11, 29, 14, 30), "dd.mm.yyyy hh:mm", "2026-11-29T14:30"),  # noqa: DTZ001
        (datetime(2026, 11, 29, 14, 30, 5), "d.m.yy h:mm:ss", "2026-11-29T14:30:05"),  # noqa: DTZ001
        (time(9, 5), "hh:mm", "09:05"),
        (timedelta(hours=30, minutes=30), "[h]:mm", 109_800),
        (46355, "d mmmm yyyy;@", "2026-11-29"),
        (46355, '"day "0', 46355),
    ],
)
def test_a_cell_has_the_value_that_a_spreadsheet_shows(value: Any, number_format: str, seen: Any) -> None:
    found = cell(value, number_format)
    assert (found, type(found)) == (seen, type(seen))


def test_a_workbook_that_counts_days_from_1904_has_the_same_days() -> None:
    book = Workbook()
    book.epoch = CALENDAR_MAC_1904
    for row in (["day"], [date(2026, 11, 29)]):
        book.worksheets[0].append(row)
    assert [row.value for row in read(packed(book))] == [{"day": "2026-11-29"}]


def test_rows_have_the_numbers_that_a_spreadsheet_shows() -> None:
    content = a_book([], ["phone", "name"], [], ["1", "a"], [None, None], ["  ", ""], ["2", "b"])
    assert [(row.number, row.value["name"]) for row in read(content)] == [(4, "a"), (7, "b")]
    [fails] = [row for row in read(a_book(["a", "b"], ["1", "2"], ["1", "2", "3"])) if row.problem]
    assert (fails.number, fails.problem) == (3, "it has 3 cells, and there are 2 columns")


def test_titles_are_skipped_and_names_may_be_given() -> None:
    content = a_book(["Customers of 2026"], [None, "as of May"], ["phone", "Doğum\ntarihi"], ["1", "x"])
    assert [row.value for row in read(content, skip=2)] == [{"phone": "1", "Doğum tarihi": "x"}]
    assert [row.value for row in read(content, skip=3, columns=("p", "d"))] == [{"p": "1", "d": "x"}]


def two_sheets() -> bytes:
    book = Workbook()
    hidden = book.worksheets[0]
    hidden.title, hidden.sheet_state = "Lists", "hidden"
    hidden.append(["hidden"])
    hidden.append([1])
    book.create_chartsheet("Chart").add_chart(BarChart())
    for name in ("Müşteriler", "2025"):
        sheet = book.create_sheet(name)
        sheet.append(["of"])
        sheet.append([name])
    return packed(book)


def test_a_sheet_is_the_first_that_can_be_seen_or_the_one_that_is_named() -> None:
    assert [row.value for row in read(two_sheets())] == [{"of": "Müşteriler"}]
    assert [row.value for row in read(two_sheets(), sheet="2025")] == [{"of": "2025"}]
    assert [row.value for row in read(two_sheets(), sheet="müşteriler")] == [{"of": "Müşteriler"}]
    assert [row.value for row in read(two_sheets(), sheet="lists")] == [{"hidden": 1}]
    with pytest.raises(WboxError, match="there is no sheet 'Müsteriler'") as caught:
        read(two_sheets(), sheet="Müsteriler")
    assert caught.value.hint == "did you mean `Müşteriler`?"
    with pytest.raises(WboxError, match="there is no sheet 'x'") as caught:
        read(two_sheets(), sheet="x")
    assert caught.value.hint == "there are Lists, Müşteriler, 2025"


@pytest.mark.parametrize(
    ("xml", "value"),
    [
        ("<c r='A2'><f>1+1</f><v>2</v></c>", 2),
        ("<c r='A2' t='str'><f>A1</f><v>text</v></c>", "text"),
        ("<c r='A2' t='inlineStr'><is><t>in place</t></is></c>", "in place"),
        ("<c r='A2' t='inlineStr'><is><r><t>two </t></r><r><t>parts</t></r></is></c>", "two parts"),
        ("<c r='A2' t='d'><v>2026-11-29T10:00:00</v></c>", "2026-11-29T10:00"),
        ("<c r='A2'><v>5.551234567E9</v></c>", 5551234567),
        ("<c r='A2' t='str'><v>one_x000D_\ntwo</v></c>", "one\ntwo"),
        ("<c><v>7</v></c>", 7),
    ],
)
def test_a_cell_that_another_program_wrote_is_read(xml: str, value: Any) -> None:
    content = repacked(a_book(["a"], ["?"]), SHEET, lambda text: _with_second_row(text, f"<row>{xml}</row>"))
    assert [(row.value, row.problem) for row in read(content)] == [({"a": value}, "")]


@pytest.mark.parametrize(
    ("xml", "problem"),
    [
        ("<c r='A2'><f>1+1</f></c>", "its formula has not been worked out; open it in Excel or LibreOffice"),
        ("<c r='A2'><f>1+1</f><v></v></c>", "its formula has not been worked out"),
        ("<c r='A2' t='e'><f>1/0</f><v>#DIV/0!</v></c>", "its cell A2 cannot be read: it shows #DIV/0!"),
        ("<c r='A2' t='s'><v>99</v></c>", "its cell A2 cannot be read"),
        ("<c r='A2'><v>1e999</v></c>", "its cell A2 cannot be read: the number is too large"),
        ("<c r='A2'><v>twelve</v></c>", "its cell A2 cannot be read"),
        ("<c r='ZZZZ2'><v>1</v></c>", "its cell ZZZZ2 cannot be read"),
        (f"<c r='{'Z' * 1000}2'><v>1</v></c>", "its cell ZZZZZZZZZZ cannot be read"),
        (f"<c r='A2'><v>{'x' * 1000}</v></c>", "its cell A2 cannot be read"),
        ("<c/>" * 17_000, "it has more than 16384 cells"),
        ("<c r='A2' t='str'><v>" + "x" * 1_100_000 + "</v></c>", "is longer than 1048576 characters"),
    ],
)
def test_a_bad_cell_costs_its_row_and_no_other(xml: str, problem: str) -> None:
    content = a_book(["a"], ["?"], ["good"])
    found = read(repacked(content, SHEET, lambda text: _with_second_row(text, f"<row r='2'>{xml}</row>")))
    assert [row.number for row in found] == [2, 3]
    assert problem in found[0].problem
    assert len(found[0].problem) < 300
    assert found[1].value == {"a": "good"}


@pytest.mark.parametrize(
    ("texts", "value"),
    [
        ("<si><t>Şule</t></si>", "Şule"),
        ("<si><r><t>two </t></r><r><rPr><b/></rPr><t>parts</t></r></si>", "two parts"),
        ("<si><t>東京</t><rPh sb='0' eb='2'><t>とうきょう</t></rPh></si>", "東京"),
        ("<si><t xml:space='preserve'> a_x000D_\nb </t></si>", " a\nb "),
        ("<si/>", ""),
    ],
)
def test_texts_that_are_kept_apart_are_put_into_their_cells(texts: str, value: str) -> None:
    row = "<row><c t='s'><v>0</v></c><c><v>1</v></c></row>"
    found = read(with_shared(texts, row), skip=1, columns=("a", "n"))
    assert [row.value for row in found] == [{"a": value, "n": 1}]


def test_the_size_that_a_sheet_states_cuts_nothing_off() -> None:
    content = a_book(["a", "b"], [1, 2], [3, 4])
    wrong = repacked(
        content, SHEET, lambda text: re.sub('<dimension ref="[^"]*"', '<dimension ref="A1"', text)
    )
    assert [row.value for row in read(wrong)] == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]


def test_what_stands_beside_the_cells_does_not_matter() -> None:
    odd = "</sheetData><pageSetup orientation='sideways'/><conditionalFormatting sqref='??'/>"
    content = repacked(a_book(["a"], [1]), SHEET, lambda text: text.replace("</sheetData>", odd))
    assert [row.value for row in read(content)] == [{"a": 1}]


def test_a_formula_whose_result_is_an_empty_text_has_been_worked_out() -> None:
    row = "<row r='2'><c t='str'><f>IF(TRUE,&quot;&quot;,1)</f><v></v></c><c><v>7</v></c></row>"
    content = repacked(a_book(["a", "b"], ["?"]), SHEET, lambda text: _with_second_row(text, row))
    assert [(row.value, row.problem) for row in read(content)] == [({"a": "", "b": 7}, "")]


def strict() -> bytes:
    """Return a workbook in the form that Excel calls strict."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return repacked(
        a_book(["a"], [1]),
        SHEET,
        lambda text: text.replace(main, "http://purl.oclc.org/ooxml/spreadsheetml/main"),
    )


def ods() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", "<office:document-content/>")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "says", "hint"),
    [
        (a_book(["a"], [1]), "x.csv", "this is an Excel workbook", "call it .xlsx"),
        (OLD_EXCEL, "x.xlsx", "an old Excel workbook", "save it as XLSX"),
        (OLD_EXCEL, "x.xls", "of this kind (.xls) is not read", "as XLSX"),
        (b"<html>", "x.XLS", "of this kind (.xls) is not read", "as XLSX or CSV"),
        (ods(), "x.ods", "of this kind (.ods) is not read", "as XLSX"),
        (ods(), "x.xlsx", "this workbook cannot be read", "save it as XLSX once more"),
        (a_book(["a"], [1])[:2000], "x.xlsx", "this workbook cannot be read", "save it as XLSX once more"),
        (b"PK\x03\x04", "x.xlsx", "this workbook cannot be read", "save it as XLSX once more"),
        (b"a;b\n1;2\n", "x.xlsx", "this is no XLSX workbook", "needs `read: csv`"),
        (b"", "x.xlsx", "this is no XLSX workbook", ""),
        (a_book(), "x.xlsx", "the file is empty", ""),
        (strict(), "x.xlsx", "there is no table in this sheet", "save it as XLSX once more"),
    ],
)  # fmt: skip
def test_what_is_no_workbook_is_refused_with_the_way_out(
    content: bytes, name: str, says: str, hint: str
) -> None:
    with pytest.raises(WboxError, match=re.escape(says)) as caught:
        read(content, name)
    assert hint in (caught.value.hint or "")


def test_a_csv_with_the_ending_of_a_workbook_is_read_where_the_rule_says_so() -> None:
    assert [row.value for row in read(b"a;b\n1;2\n", "x.xls", kind="csv")] == [{"a": "1", "b": "2"}]
    assert [row.value for row in read(a_book(["a"], [1]), "x.dat", kind="xlsx")] == [{"a": 1}]


def changed(part: str, old: str, new: str) -> Callable[[], bytes]:
    return lambda: repacked(a_book(["a"], ["text"]), part, lambda text: text.replace(old, new, 1))


ENTITIES = f"<!DOCTYPE x [<!ENTITY a '{'x' * 1000}'>]>"
BOMBS = {
    "a part that is very large": (lambda: with_shared(" " * 40_000_000), "the workbook is too large"),
    "very many texts": (lambda: with_shared("<si/>" * 2_100_000), "too many different texts"),
    "very many formats": (
        changed("xl/styles.xml", "</cellXfs>", "<xf/>" * 2_100_000 + "</cellXfs>"),
        "too many different texts",
    ),
    "a format that takes for ever to understand": (
        changed(
            "xl/styles.xml",
            '<numFmts count="0" />',
            f"<numFmts><numFmt numFmtId='164' formatCode='{'[' * 600}'/></numFmts>",
        ),
        "the formats of numbers in this workbook are too long",
    ),
    "a format that takes long, very often": (
        lambda: repacked(
            changed(
                "xl/styles.xml",
                '<numFmts count="0" />',
                f"<numFmts><numFmt numFmtId='164' formatCode='{'[' * 400}'/></numFmts>",
            )(),
            "xl/styles.xml",
            lambda text: text.replace("</cellXfs>", "<xf numFmtId='164'/>" * 10_000 + "</cellXfs>"),
        ),
        "the formats of numbers in this workbook are too long",
    ),
    "a row that does not end": (
        changed(SHEET, "</row>", "<c/>" * 2_000_000 + "</row>"),
        "a row of this sheet is too long",
    ),
    "a text that does not end": (
        changed(SHEET, "</row>", "<c><v>" + "1" * 9_000_000 + "</v></c></row>"),
        "a row of this sheet is too long",
    ),
    "a row far below": (
        changed(SHEET, "</sheetData>", '<row r="99999999999"><c><v>1</v></c></row></sheetData>'),
        "too many rows",
    ),
    "entities": (changed(SHEET, "<worksheet", f"{ENTITIES}<worksheet"), "before the first element"),
    "entities in the texts": (
        lambda: with_shared("", before=f"<?xml version='1.0'?>\n{ENTITIES}"),
        "before the first element",
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_file_cannot_use_up_the_memory(bomb: str) -> None:
    make, says = BOMBS[bomb]
    content = make()
    assert len(content) < 100_000
    tracemalloc.start()
    try:
        with pytest.raises(WboxError, match=says) as caught:
            read(content)
        assert tracemalloc.get_traced_memory()[1] < 500_000_000
    finally:
        tracemalloc.stop()
    assert caught.value.hint


def test_rows_are_read_as_they_are_asked_for_and_again_from_any_place() -> None:
    content = a_book(["n"], *([number] for number in range(2, 3002)))
    first = Rows(io.BytesIO(content), "x.xlsx", Reading())
    assert [row.value["n"] for row in first.take(1, 3).rows] == [2, 3, 4]
    assert [row.value["n"] for row in first.take(5, 2).rows] == [5, 6]
    first.close()
    later = Rows(io.BytesIO(content), "x.xlsx", Reading()).take(3000, 500)
    assert ([row.value["n"] for row in later.rows], later.more) == ([3000, 3001], False)


cells = st.none() | st.booleans() | st.integers(-(10**14), 10**14) | st.text("abş ;,\"'\n", max_size=8)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.lists(cells, min_size=3, max_size=3), max_size=8))
def test_what_was_written_is_read(table: list[list[Any]]) -> None:
    content = a_book(["a", "b", "c"], *table)
    expected = [
        dict(zip("abc", ("" if value is None else value for value in row), strict=True))
        for row in table
        if any(value is not None and str(value).strip() for value in row)
    ]
    assert [row.value for row in read(content)] == expected
    json.dumps(expected)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_nothing_in_a_workbook_ends_the_reading_otherwise_than_by_saying_so(data: st.DataObject) -> None:
    content = a_book(["a", "b"], [1, "x"], [date(2026, 1, 1), True])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        part = data.draw(st.sampled_from(archive.namelist()))
    change = data.draw(st.sampled_from(["cut", "insert", "twice"]))
    place, other = data.draw(st.integers(0, 3000)), data.draw(st.binary(max_size=5))

    def changed(text: str) -> bytes:
        raw = text.encode()
        parts = {"cut": raw[:place], "insert": raw[:place] + other + raw[place:], "twice": raw + raw[place:]}
        return parts[change]

    try:
        found = read(repacked(content, part, changed))
    except WboxError:
        return
    json.dumps([row.value for row in found])


RULES = """
version: 1
rules:
  - id: due
    trigger:
      file: {path: drop, match: "*.xlsx", read: {sheet: Açık, skip: 1}}
    for_each: {row: file.rows}
    if: row.amount > 50
    to: "{{ row.phone }}"
    send: {text: "{{ row.amount }} until {{ row.due }}"}
    tests:
      - name: the rows of a workbook
        when:
          - file:
              name: a.xlsx
              rows:
                - {phone: "+905551112233", amount: 99.5, due: 2026-12-01}
                - {phone: "+905551112244", amount: 10}
        expect: [{to: "+905551112233", text: 99.5 until 2026-12-01}]
      - name: a text is no workbook
        when: [{file: {name: a.xlsx, text: "phone"}}]
        expect: []
"""


def test_the_rows_of_a_dropped_workbook_are_followed_once_whatever_restarts(tmp_path: Path) -> None:
    place = Place(tmp_path, ROW_RULES.replace("*.csv", "*.xlsx"), guard=100_000)
    table = [[number, f"+90555{number:07}", "shipped"] for number in range(2, 1402)]
    path = tmp_path / "drop" / "orders.xlsx"
    path.write_bytes(a_book(["order", "phone", "status"], *table, ["x", "+905551112233"]))
    place.store.put_events([event_of(path)], place.now).result()
    while place.planner.step():
        place.restart()
    assert place.texts() == [f"order {number}" for number in range(2, 1402)]
    place.close()


def test_a_workbook_without_results_has_failed_with_what_to_do(tmp_path: Path) -> None:
    place = Place(tmp_path, ROW_RULES.replace("*.csv", "*.xlsx"))
    path = tmp_path / "drop" / "orders.xlsx"
    path.write_bytes(a_book(["order", "phone", "status"], [1, "+905551112233", '="ship"&"ped"']))
    place.store.put_events([event_of(path)], place.now).result()
    place.plan()
    [dead] = place.deliveries()
    assert dead.reason == (
        "row 2 of orders.xlsx: its cell C2 cannot be read: its formula has not been worked out; "
        "open it in Excel or LibreOffice, and save it as XLSX once more"
    )
    place.close()


SCHEDULED = """
version: 1
rules:
  - id: due
    trigger: {schedule: every day 09:00}
    for_each: {row: "rows('open.xlsx', sheet='Open', skip=1)"}
    if: row.amount > 50
    to: "{{ row.phone }}"
    send: {text: "{{ row.amount }}"}
    tests:
      - name: the rows of a workbook
        when:
          - file: {rows: [{phone: "+905551112233", amount: 99.5}, {phone: "+905551112244", amount: 10}]}
          - schedule: true
        expect: [{to: "+905551112233", text: "99.5"}]
"""


def test_the_test_of_a_rule_has_the_rows_of_a_workbook(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "all.yaml").write_text(RULES, encoding="utf-8")
    (tmp_path / "wbox-notify.yaml").write_text("version: 1\n")
    project = load(tmp_path, {"WBOX_API_KEY": "sk_x"})
    [due] = project.rules
    rows_test, text_test = due.tests
    assert run(project, due, rows_test).complaints == ()
    assert "no XLSX workbook" in str(run(project, due, text_test).complaints)


def test_a_schedule_reads_a_workbook(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "all.yaml").write_text(SCHEDULED, encoding="utf-8")
    (tmp_path / "wbox-notify.yaml").write_text("version: 1\n")
    project = load(tmp_path, {"WBOX_API_KEY": "sk_x"})
    [rule] = project.rules
    assert run(project, rule, rule.tests[0]).complaints == ()


def test_the_libraries_of_workbooks_and_calendars_are_loaded_with_the_first_one() -> None:
    heavy = "{'openpyxl', 'icalendar', 'recurring_ical_events'}"
    program = f"import sys, wbox_notify.daemon.daemon; print(sorted({heavy} & {{*sys.modules}}))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_the_shape_of_a_reading(tmp_path: Path) -> None:
    text = (
        "trigger: {file: {path: /srv, read: {sheet: Açık, skip: 2, columns: a}}}\nfor_each: {row: file.rows}"
    )
    trigger = rule(tmp_path, text).trigger_of("/srv/a.xlsx")
    assert trigger
    assert trigger.read == Reading(sheet="Açık", skip=2, columns=("a",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{as: csv, sheet: a}", "`sheet` is for xlsx, not for csv"),
        ("{as: xlsx, delimiter: ;}", "`delimiter` is for csv, not for xlsx"),
        ("{as: json, skip: 1}", "`skip` is for csv and xlsx, not for json"),
        ("{skip: 0}", "0 is too few"),
    ],
)
def test_a_key_that_does_not_fit_is_refused(tmp_path: Path, text: str, message: str) -> None:
    found = mistake(tmp_path, f"trigger: {{file: {{path: x, read: {text}}}}}\nfor_each: {{row: file.rows}}")
    assert found.message == message
