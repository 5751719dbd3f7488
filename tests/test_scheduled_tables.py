"""A table that a rule reads when it is due: its rows are followed as those of a dropped file are."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rulebook import mistake, project, rule
from test_rows import NOW, Place

from wbox_notify.engine.rule_tests import run_all
from wbox_notify.model.deliveries import State
from wbox_notify.model.events import Event
from wbox_notify.rules.check import check

RULES = """
version: 1
contacts: {boss: "+905559990011"}
rules:
  - id: birthdays
    trigger: {schedule: every day 09:00}
    for_each: {row: rows('people.csv')}
    if: row.birthday.startswith(now.strftime('%d.%m'))
    to: "{{ row.phone }}"
    send: {text: "Happy birthday, {{ row.name }}!"}
"""
TODAY = datetime.fromtimestamp(NOW, UTC).strftime("%d.%m.1980")
PEOPLE = f"name;phone;birthday\nAnna;+905551112233;{TODAY}\nBert;+905551112244;01.01.1990\n"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, RULES)
    yield made
    made.close()


def due(place: Place, number: int = 1) -> Event:
    at = datetime.fromtimestamp(place.now, UTC)
    data = {"rule": "birthdays", "at": at.isoformat(), "late": 0.0}
    event = Event(id=f"schedule:birthdays:{number}", type="schedule", at=at, data=data)
    place.store.put_events([event], place.now).result()
    return event


def put(place: Place, text: str) -> None:
    (place.folder / "people.csv").write_text(text, encoding="utf-8")


def failures(place: Place) -> list[str]:
    return [delivery.reason for delivery in place.deliveries() if delivery.state is State.DEAD]


def test_each_row_that_counts_today_is_a_message(place: Place) -> None:
    put(place, PEOPLE)
    event = due(place)
    place.plan()
    assert place.texts() == ["Happy birthday, Anna!"]
    assert place.decisions(event)[-1] == "rows passed: 1 message of 2 rows"


def test_the_table_is_read_as_it_is_when_the_rule_is_due(place: Place) -> None:
    put(place, PEOPLE)
    due(place, 1)
    place.plan()
    put(place, PEOPLE.replace("Anna", "Zoe").replace("2233", "2255"))
    place.now += 86400 * 365.25 * 4
    due(place, 2)
    place.plan()
    assert place.texts() == ["Happy birthday, Anna!", "Happy birthday, Zoe!"]


def test_a_table_that_is_not_there_is_told_and_a_retry_reads_it_from_its_first_row(place: Place) -> None:
    due(place)
    place.plan()
    [reason] = failures(place)
    assert reason.startswith("people.csv: ")
    assert reason.endswith("cannot be read: No such file or directory")
    put(place, PEOPLE)
    [dead] = place.deliveries()
    place.store.requeue([dead.id], [State.DEAD], place.now).result()
    place.plan()
    assert place.texts() == ["Happy birthday, Anna!"]
    assert failures(place) == []


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_text(PEOPLE), "has changed since it was reported"),
        (lambda path: path.unlink(), "cannot be read: No such file"),
        (lambda path: (path.unlink(), path.mkdir()), "has changed"),
    ],
)
def test_a_table_that_changes_while_it_is_read_fails_from_that_row_on(
    place: Place, spoil: Any, words: str
) -> None:
    put(place, PEOPLE + "Carl;+905551112255;01.01.1990\n" * 900)
    due(place)
    place.planner.step()
    place.planner.step()
    spoil(place.folder / "people.csv")
    place.plan()
    [reason] = failures(place)
    assert reason.startswith("people.csv from row 502 on: ")
    assert words in reason
    assert place.texts() == ["Happy birthday, Anna!"]


def test_a_folder_is_no_table(place: Place) -> None:
    (place.folder / "people.csv").mkdir()
    due(place)
    place.plan()
    [reason] = failures(place)
    assert reason.endswith("is not a file")


def test_a_restart_between_two_slices_reads_on_where_it_was(place: Place) -> None:
    put(place, PEOPLE + f"Carl;+905551112255;{TODAY}\n" * 1200)
    due(place)
    for _ in range(2):
        place.planner.step()
        place.restart()
    place.plan()
    assert len({delivery.key for delivery in place.deliveries()}) == 1202, "with the question to the owner"


def test_the_storm_guard_counts_all_rows_of_a_table(place: Place) -> None:
    put(place, PEOPLE + f"Carl;+905551112255;{TODAY}\n" * 60)
    event = due(place)
    place.plan()
    [question] = place.texts()
    assert "the rule birthdays would send 61 messages at once for people.csv" in question
    assert len(place.texts(State.HELD)) == 61
    assert place.store.release_event(event.id, place.now).result() == 61


def test_a_rule_that_reads_another_table_by_now_does_not_go_on_with_the_first_one(place: Place) -> None:
    put(place, PEOPLE)
    due(place)
    place.planner.step()
    text = (place.folder / "rules" / "all.yaml").read_text()
    place.live.project = project(place.folder, {"rules/all.yaml": text.replace("people", "others")})
    place.restart()
    place.plan()
    assert failures(place) == ["people.csv: the rule does not read this file any more"]


TESTED = """
trigger: {schedule: every day 09:00}
for_each: {row: rows('people.csv')}
to: "{{ row.phone }}"
send: {text: "{{ row.name }}"}
tests:
  - name: the table of a test is that of its last file
    when:
      - file: {text: "name,phone\\nAnna,+905551112233\\n"}
      - {at: 2026-11-23 09:00, schedule: true}
      - file: {name: people.csv, text: "name,phone\\nBert,+905551112244\\n"}
      - {at: 2026-11-24 09:00, schedule: true}
    expect: [{text: Anna}, {text: Bert}]
  - name: a test without a table says so
    when: [{schedule: true}]
    expect: []
  - name: another table is none of the rule
    when: [{file: {name: other.csv}}]
    expect: []
"""


def test_a_test_of_a_rule_gives_the_table(tmp_path: Path) -> None:
    found = rule(tmp_path, TESTED)
    results = list(run_all(project(tmp_path, {}), [found]))
    assert [result.complaints for result in results] == [
        (),
        ("people.csv: no input gives its contents before: begin with `file: {text: …}`",),
        ("the rule reads people.csv, not other.csv",),
    ]


@pytest.mark.parametrize(
    ("written", "kind", "path"),
    [
        ("rows('/srv/people.csv')", "", "/srv/people.csv"),
        ('{{ rows("/srv/people.csv") }}', "", "/srv/people.csv"),
        ("rows('/srv/people.dat', as='csv')", "csv", "/srv/people.dat"),
        ("lines('/srv/people.csv')", "lines", "/srv/people.csv"),
        ("events('/srv/team.ics')", "ics", "/srv/team.ics"),
    ],
)
def test_a_function_says_how_a_table_is_read(tmp_path: Path, written: str, kind: str, path: str) -> None:
    table = rule(
        tmp_path, f"trigger: {{schedule: every day 09:00}}\nfor_each:\n  row: >-\n    {written}\n"
    ).table
    assert table is not None
    assert (str(table.path), table.reading.kind) == (path, kind)


def test_the_options_of_a_table_are_those_of_read_and_a_relative_path_begins_in_the_project(
    tmp_path: Path,
) -> None:
    call = "rows('a.csv', delimiter=';', encoding='windows-1254', columns=['a', 'b'])"
    table = rule(tmp_path, f'trigger: {{schedule: every day 09:00}}\nfor_each: {{row: "{call}"}}').table
    assert table is not None
    assert table.path == tmp_path / "a.csv"
    assert (table.reading.delimiter, table.reading.encoding) == (";", "windows-1254")
    assert table.reading.columns == ("a", "b")


DAILY = "{schedule: every day 09:00}"


@pytest.mark.parametrize(
    ("trigger", "written", "said"),
    [
        (DAILY, "rows('a.csv') | first", "'rows' cannot be called"),
        (DAILY, "rows", "`rows` takes the path of a file, and must stand alone"),
        (DAILY, "rows(event.id)", "'rows' cannot be called"),
        (DAILY, "rows('a.csv', 'b.csv')", "`rows` takes the path of a file, and must stand alone"),
        (DAILY, "rows('a.csv', encoding='klingon')", "`klingon` is not an encoding"),
        (DAILY, "rows('a.csv', delimeter=';')", "unknown key `delimeter`"),
        (DAILY, "rows('wbox-notify.yaml')", "wbox-notify.yaml belongs to the daemon (its settings)"),
        ("{file: {path: /srv}}", "rows('a.csv')", "`rows('…')` needs a schedule from each trigger"),
    ],
)
def test_what_cannot_be_a_table_is_refused(tmp_path: Path, trigger: str, written: str, said: str) -> None:
    problem = mistake(tmp_path, f'trigger: {trigger}\nfor_each: {{row: "{written}"}}')
    assert said in problem.message
    assert problem.line == 6
    assert "leave out the ()" not in (problem.hint or "")


def warnings(folder: Path, content: str | None) -> list[str]:
    text = RULES + "    tests: [{name: t, when: [{schedule: true}], expect: []}]\n"
    files = {"rules/a.yaml": text} | ({"people.csv": content} if content is not None else {})
    return [problem.message for problem in check(project(folder, files)) if problem.code == "WBX357"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PEOPLE, []),
        (PEOPLE.replace("birthday", "born"), ["there is no column `birthday` in people.csv"]),
        ("PK\x03\x04", ["people.csv: this is an Excel workbook"]),
        (None, ["people.csv: "]),
    ],
)
def test_check_looks_at_the_table_before_the_rule_is_due(
    tmp_path: Path, content: str | None, said: list[str]
) -> None:
    found = warnings(tmp_path, content)
    assert [message.startswith(words) for message, words in zip(found, said, strict=True)] == [True] * len(
        said
    )
