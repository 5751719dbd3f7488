"""Rows: a file whose rows are followed one by one, in slices that a crash can come between."""
# ruff: noqa: E501 - a rule or a case is a line

import functools
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import turns
from bench.rows import event_of
from hypothesis import given, settings
from hypothesis import strategies as st
from rulebook import mistake, rule

from wbox_notify.daemon.planner import Planner
from wbox_notify.engine import Overlay, plan
from wbox_notify.engine.rule_tests import run
from wbox_notify.model.deliveries import Delivery, Plan, State
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileState, FileVersion
from wbox_notify.model.messages import Text
from wbox_notify.rules.check import check
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Live, Project
from wbox_notify.store import Store, open_store
from wbox_notify.triggers.file.rows import Reading, RowFiles

NOW = 1_795_400_000.0

RULES = """
version: 1
contacts: {boss: "+905559990011"}
rules:
  - id: orders
    trigger: {file: {path: drop, match: "*.csv"}}
    for_each: {row: file.rows}
    if: row.status == "shipped"
    dedupe: row.order
    to: "{{ row.phone }}"
    send: {text: "order {{ row.order }}"}
"""


def a_project(folder: Path, rules: str = RULES, guard: int = 50) -> Project:
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "drop").mkdir(exist_ok=True)
    (folder / "rules" / "all.yaml").write_text(rules, encoding="utf-8")
    (folder / "wbox-notify.yaml").write_text(
        f"version: 1\ndefaults: {{tz: UTC}}\nstorm_guard: {guard}\nowner: boss\n"
    )
    loaded = load(folder, {"WBOX_API_KEY": "sk_x"})
    assert [problem.message for problem in loaded.problems if problem.severity == "error"] == []
    return loaded


def csv_of(rows: list[tuple[str, str]]) -> str:
    """Return orders, numbered as a spreadsheet numbers its rows: the first one is 2."""
    lines = (f"{number},+90555{number:07},{status}{more}" for number, (status, more) in enumerate(rows, 2))
    return "\n".join(["order,phone,status", *lines])


class Place:
    """A project folder with a store, whose planner can be restarted between any two steps."""

    def __init__(self, folder: Path, rules: str = RULES, guard: int = 50) -> None:
        self.folder = folder
        self.live = Live(a_project(folder, rules, guard))
        self.now = NOW
        self.store: Store = open_store(f"sqlite:///{folder}/wbox.db")
        self.files = RowFiles()
        self.restart()

    def restart(self) -> None:
        self.files.close()
        self.files = RowFiles()
        self.planner = Planner(
            self.live,
            self.store,
            rows=self.files,
            clock=lambda: self.now,
            steady=lambda: self.now,
        )

    def close(self) -> None:
        self.files.close()
        self.store.close()

    def drop(self, text: str, name: str = "today.csv") -> Event:
        path = self.folder / "drop" / name
        path.write_text(text, encoding="utf-8")
        event = event_of(path)
        self.store.put_events([event], self.now).result()
        return event

    def plan(self) -> None:
        while self.planner.step():
            pass

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.plan()

    def deliveries(self) -> list[Delivery]:
        return self.store.queue([*State], 1_000_000)

    def texts(self, state: State = State.QUEUED) -> list[str]:
        return [
            one.message.message
            for one in self.deliveries()
            if one.state is state and isinstance(one.message, Text)
        ]

    def decisions(self, event: Event) -> list[str]:
        found = self.store._database.read(
            "select * from decision where event_id = :id order by seq", {"id": event.id}
        )
        return [f"{row['stage']} {row['outcome']}: {row['detail']}" for row in found]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


def test_each_row_is_a_message_and_what_was_decided_is_summed_up(place: Place) -> None:
    event = place.drop(
        csv_of([("shipped", ""), ("packed", ""), ("shipped", ",x"), ("packed", ""), ("shipped", "")])
    )
    place.plan()
    assert place.texts() == ["order 2", "order 6"]
    (dead,) = [one for one in place.deliveries() if one.state is State.DEAD]
    assert dead.reason == "row 4 of today.csv: it has 4 cells, and there are 3 columns"
    assert place.decisions(event) == [
        "rows waits: rows queued",
        "rows failed: row 4 of today.csv: it has 4 cells, and there are 3 columns",
        """if passed: rows 2-6: 2 times, the first in row 2: if[0] row.status == "shipped" (row.status = 'shipped')""",
        "send passed: rows 2-6: 2 times, the first in row 2: 1 message",
        """if stopped: rows 2-6: 2 times, the first in row 3: if[0] row.status == "shipped" (row.status = 'packed')""",
        "rows passed: 2 messages of 5 rows",
    ]
    assert place.store.next_memory() is None


@pytest.mark.parametrize(
    ("header", "cell", "said"),
    [
        ("order,Phone", "a,+905551112233", "if: no field 'phone' in row; did you mean 'Phone'?"),
        ("order,TUTAR", "a,3", "if: no field 'phone' in row; its fields are: order, TUTAR"),
        ("phone,isim", "boss2,a", "to: `boss2` is neither a contact nor a group; did you mean `boss`?"),
        ("phone,isim", "9.05551E+11,a", "to: phone: `9.05551E+11` is what a spreadsheet makes of"),
        ("phone;isim", "9,05551E+11;a", "to: phone: `9,05551E+11` is what a spreadsheet makes of"),
    ],
)
def test_what_a_row_lacks_is_said_with_its_file_and_what_it_has(
    place: Place, header: str, cell: str, said: str
) -> None:
    place.live.project = a_project(
        place.folder,
        RULES.replace('row.status == "shipped"', "row.phone").replace("    dedupe: row.order\n", ""),
    )
    place.restart()
    event = place.drop(f"{header}\n{cell}\n")
    place.plan()
    [dead] = [one for one in place.deliveries() if one.state is State.DEAD]
    assert dead.reason.startswith(f"row 2 of today.csv: {said}")
    stage, _, rest = said.partition(": ")
    assert any(
        one.startswith(f"{stage} failed: row 2 of today.csv: {rest}") for one in place.decisions(event)
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("PK\x03\x04", "today.csv: this is an Excel workbook"),
        ("", "today.csv: the file is empty"),
        ("<html>", "today.csv: this is HTML"),
        ('[{"no": 1}]', "today.csv: this is JSON, not CSV"),
        ("%PDF-1.4\n1 0 obj", "today.csv: this is a PDF, not CSV"),
        ("a,a,a_1\n1,2,3\n", "today.csv: there are two columns with the name 'a_1'; give each"),
        ("order,phone,status\n", "today.csv: there are no rows in it"),
        ("order,phone,status\n,,\n\n", "today.csv: there are no rows in it"),
        (
            "a,Phone\n1,2\n",
            "today.csv: there is no column order, phone, status in it; its columns are: a, Phone; did",
        ),
    ],
)
def test_what_is_no_csv_at_all_has_failed(place: Place, content: str, said: str) -> None:
    place.drop(content)
    place.plan()
    [dead] = place.deliveries()
    assert dead.state is State.DEAD
    assert dead.reason.startswith(said)


def test_a_row_whose_message_can_not_be_made_fails_alone_too(place: Place) -> None:
    place.drop("order,phone,status\n1,nobody,shipped\n2,+905551112233,shipped\n3,,shipped\n")
    place.plan()
    assert place.texts() == ["order 2"]
    dead = [one.reason for one in place.deliveries() if one.state is State.DEAD]
    assert [reason.partition(":")[0] for reason in dead] == ["row 2 of today.csv", "row 4 of today.csv"]
    assert "nobody" in dead[0]


def test_a_table_that_gave_no_message_says_which_columns_it_lacks(place: Place) -> None:
    rules = RULES.replace("row.status ==", "row.status | default('') ==")
    place.live.project = a_project(place.folder, rules)
    event = place.drop("order,phone,durum\n1,+905551112233,shipped\n2,+905551112233,shipped\n")
    place.plan()
    assert place.decisions(event)[-1] == "rows passed: 0 messages of 2 rows; row 3 has no status"
    other = place.drop("order,phone,status\n1,+905551112233,packed\n", "other.csv")
    place.plan()
    assert place.decisions(other)[-1] == "rows passed: 0 messages of 1 rows"


def test_a_million_alike_rows_leave_a_few_decisions_a_slice(place: Place) -> None:
    event = place.drop(csv_of([("packed", "")] * 5000))
    place.plan()
    assert len(place.decisions(event)) == 12
    assert place.deliveries() == []


def test_rows_that_fail_are_listed_by_number_and_of_very_many_the_numbers_alone(place: Place) -> None:
    event = place.drop(csv_of([("shipped", ",x" if number % 2 else "") for number in range(3000)]))
    place.plan()
    dead = [one for one in place.deliveries() if one.state is State.DEAD]
    assert len(dead) == 1000
    told = " ".join(place.decisions(event))
    listed = {number for number in range(2, 3002) if f"row {number} of today.csv: it has" in told}
    assert {number for number in range(3, 3002, 2) if number in listed or f" {number}" in told} == set(
        range(3, 3002, 2)
    )
    assert "rows passed: 1500 messages of 3000 rows" in told


@functools.cache
def whole(rows: tuple[tuple[str, str], ...], guard: int) -> list[tuple[str, str]]:
    """Return all deliveries of some rows where nothing comes in between."""
    return outcome(rows, guard, ())


def outcome(
    rows: tuple[tuple[str, str], ...], guard: int, restarts: tuple[int, ...]
) -> list[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), guard=guard)
        place.drop(csv_of(list(rows)))
        steps = 0
        while place.planner.step():
            steps += 1
            if steps in restarts:
                place.restart()
        found = [(one.key.split(":", 2)[2], one.state.value) for one in place.deliveries()]
        place.close()
        return found


@settings(max_examples=25, deadline=None)
@given(
    kinds=st.lists(
        st.tuples(st.sampled_from(["shipped", "packed"]), st.sampled_from(["", "", "", ",x", '"'])),
        min_size=1,
        max_size=12,
    ),
    times=st.integers(1, 150),
    guard=st.sampled_from([1, 50, 100_000]),
    restarts=st.sets(st.integers(1, 6)),
)
def test_a_restart_at_any_slice_gives_the_same_messages_once(
    kinds: list[tuple[str, str]], times: int, guard: int, restarts: set[int]
) -> None:
    rows = tuple(kinds * times)
    found = outcome(rows, guard, tuple(sorted(restarts)))
    assert found == whole(rows, guard)
    assert len({key for key, _ in found}) == len(found)


def test_a_slice_that_is_planned_again_adds_nothing(place: Place) -> None:
    """As after a power cut between the commit and its answer."""
    event = place.drop(csv_of([("shipped", "")] * 700))
    place.planner.step()
    before = {(one.rule, one.kind, one.key): one for one in place.store.memories_due(place.now)}
    place.planner.step()
    first = len(place.deliveries())
    assert first == 500
    place.store.put_plans([Plan(event_id=event.id, memories=tuple(before.values()))], place.now).result()
    place.plan()
    assert len({one.key for one in place.deliveries()}) == len(place.deliveries()) == 701


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "cannot be read: No such file"),
        (lambda path: path.write_text("order,phone,status\n"), "has changed since it was reported"),
        (lambda path: (path.unlink(), path.symlink_to("/etc/hostname")), "cannot be read"),
        (lambda path: (path.unlink(), path.mkdir()), "has changed"),
    ],
)
def test_a_file_that_changes_between_two_slices_fails_from_that_row_on(
    place: Place, spoil: Any, words: str
) -> None:
    place.drop(csv_of([("shipped", "")] + [("packed", "")] * 1200))
    place.planner.step()
    place.planner.step()
    spoil(place.folder / "drop" / "today.csv")
    place.plan()
    (dead,) = [one for one in place.deliveries() if one.state is State.DEAD]
    assert dead.reason.startswith("today.csv from row 502 on: ")
    assert words in dead.reason
    assert place.texts() == ["order 2"], "what was read before goes"
    assert place.store.next_memory() is None


def test_one_row_too_many_holds_the_first_one_too_and_the_owner_is_asked_once(tmp_path: Path) -> None:
    place = Place(tmp_path, guard=600)
    event = place.drop(csv_of([("shipped", "")] * 601))
    place.planner.step()
    place.planner.step()
    assert place.texts() == []
    assert len(place.texts(State.HELD)) == 500
    assert turns.claim(place.store, place.now) is None
    place.plan()
    (question,) = place.texts()
    assert "the rule orders would send 601 messages at once for today.csv" in question
    assert "the first of them: “order 2”" in question
    assert len(place.texts(State.HELD)) == 601
    assert "storm_guard waits: storm guard: 601 messages at once" in place.decisions(event)
    assert place.store.release_event(event.id, place.now).result() == 601
    assert len(place.texts()) == 602
    place.close()


def test_as_many_rows_as_the_storm_guard_allows_go_by_themselves(tmp_path: Path) -> None:
    place = Place(tmp_path, guard=600)
    place.drop(csv_of([("shipped", "")] * 600))
    place.plan()
    assert len(place.texts()) == 600
    assert place.texts(State.HELD) == []
    place.close()


TWO = (
    RULES
    + """
  - id: office
    trigger: {file: {path: drop, match: "*.csv"}}
    for_each: {row: file.rows}
    if: row.status != "packed"
    to: boss
    send: {text: "office {{ row.order }}"}
"""
)


@pytest.mark.parametrize(("guard", "asked"), [(1199, True), (1200, False)])
def test_the_rows_of_all_rules_of_one_file_count_together(tmp_path: Path, guard: int, *, asked: bool) -> None:
    place = Place(tmp_path, TWO, guard=guard)
    place.drop(csv_of([("shipped", "")] * 600))
    for _ in range(20):
        place.wait(2)
        place.restart()
    assert len(place.texts(State.HELD)) == (1200 if asked else 0)
    texts = place.texts()
    assert len(texts) == (1 if asked else 1200)
    assert ("1200 messages at once" in texts[-1]) == asked
    assert place.store.next_memory() is None
    place.close()


def test_a_rule_that_is_gone_keeps_no_message_of_another_back(tmp_path: Path) -> None:
    place = Place(tmp_path, TWO, guard=1200)
    place.drop(csv_of([("shipped", "")] * 600))
    place.planner.step()
    place.planner.step()
    place.live.project = a_project(tmp_path, RULES, 1200)
    for _ in range(5):
        place.wait(2)
    assert len([text for text in place.texts() if text.startswith("order")]) == 600
    place.close()


def test_what_is_let_go_before_the_end_is_let_go_to_the_end(place: Place) -> None:
    event = place.drop(csv_of([("shipped", "")] * 1201))
    place.planner.step()
    place.planner.step()
    assert place.store.release_event(event.id, place.now).result() == 500
    place.restart()
    place.plan()
    assert len(place.texts()) == 1201
    assert place.texts(State.HELD) == []


def test_what_is_dropped_before_the_end_is_dropped_to_the_end(place: Place) -> None:
    event = place.drop(csv_of([("shipped", "")] * 1201))
    place.planner.step()
    place.planner.step()
    place.store.drop(None, place.now).result()
    place.restart()
    place.plan()
    assert {one.state for one in place.deliveries()} == {State.CANCELLED}
    assert len(place.deliveries()) == 500
    assert "rows stopped: dropped by hand, from row 502 on" in place.decisions(event)


def test_a_row_that_is_tried_again_after_a_storm_was_let_go_goes_without_a_question(place: Place) -> None:
    event = place.drop(csv_of([("shipped", "")] * 60 + [("shipped", ",x")]))
    place.plan()
    place.store.release_event(event.id, place.now).result()
    (dead,) = [one for one in place.deliveries() if one.state is State.DEAD]
    place.store.requeue([dead.id], [State.DEAD], place.now).result()
    place.plan()
    assert place.texts(State.HELD) == []
    assert len(place.texts()) == 61


COUNTED = RULES.replace("dedupe: row.order", "throttle: {max: 3, per: 1h, overflow: queue}")


def test_Q04_a_retry_of_rows_follows_those_rows_and_counts_no_other_again(tmp_path: Path) -> None:
    broken = COUNTED.replace(
        "{{ row.order }}", "{% if row.order in ['3', '700'] %}{{ row.nothing }}{% endif %}{{ row.order }}"
    )
    place = Place(tmp_path, broken, guard=100_000)
    rows = [("packed", "")] * 800
    rows[0] = rows[1] = rows[2] = rows[698] = ("shipped", "")
    place.drop(csv_of(rows))
    place.plan()
    place.wait(3600)
    assert [row.reason[:6] for row in place.deliveries() if row.state is State.DEAD] == ["row 3 ", "send[0"]
    place.live.project = a_project(tmp_path, COUNTED, 100_000)
    place.restart()
    place.store.requeue(None, [State.DEAD], place.now).result()
    place.wait(10)
    assert sorted(place.texts()) == ["order 2", "order 3", "order 4", "order 700"]
    assert {row.state for row in place.deliveries()} == {State.QUEUED}
    place.close()


def test_a_retry_reads_a_row_of_a_file_that_was_put_away_where_it_lies_now(
    place: Place, tmp_path: Path
) -> None:
    event = place.drop("order,phone,status\n1,nobody,shipped\n2,+905551112233,shipped\n")
    path = tmp_path / "drop" / "today.csv"
    version = FileVersion.of(str(path), str(path.parent), path.stat())
    version = replace(version, told_as=event.id)
    place.store.put_events([], place.now, files={version: FileState.OPEN}).result()
    place.plan()
    (tmp_path / "failed").mkdir()
    put = path.rename(tmp_path / "failed" / "today.csv")
    place.store.files.settle(version, FileState.FAILED, place.now, moved_to=str(put)).result()
    place.live.project = a_project(tmp_path, RULES.replace('"{{ row.phone }}"', "boss"))
    place.restart()
    place.store.requeue(None, [State.DEAD], place.now).result()
    place.plan()
    assert sorted(place.texts()) == ["order 1", "order 2"]


def test_a_corrected_file_tells_only_the_rows_that_had_failed(place: Place) -> None:
    wrong = "order,phone,status\n1,+905551112233,shipped\n2,nobody,shipped\n"
    place.drop(wrong)
    place.plan()
    assert place.texts() == ["order 1"]
    place.drop(wrong.replace("nobody", "+905551112244"))
    place.plan()
    assert place.texts() == ["order 1", "order 2"]


def test_Q04_rows_that_are_not_there_any_more_stand_on_the_list_again(place: Place) -> None:
    place.drop(csv_of([("shipped", ",x"), ("shipped", ""), ("shipped", ",x")]))
    place.plan()
    (place.folder / "drop" / "today.csv").unlink()
    before = {row.key for row in place.deliveries() if row.state is State.DEAD}
    place.store.requeue(None, [State.DEAD], place.now).result()
    place.wait(10)
    dead = [row for row in place.deliveries() if row.state is State.DEAD]
    assert {row.key for row in dead} == before
    assert all("cannot be read: No such file" in row.reason for row in dead)
    assert place.texts() == ["order 3"]


def test_Q04_the_rest_of_a_file_that_could_not_be_read_is_followed_by_a_retry(place: Place) -> None:
    text = csv_of([("shipped", "")] * 1200)
    place.drop(text)
    path = place.folder / "drop" / "today.csv"
    place.planner.step()
    place.planner.step()
    path.rename(place.folder / "away")
    place.plan()
    (dead,) = [row for row in place.deliveries() if row.state is State.DEAD]
    assert dead.reason.startswith("today.csv from row 502 on: ")
    (place.folder / "away").rename(path)
    place.restart()
    place.store.release_event(dead.event_id, place.now).result()
    place.store.requeue([dead.id], [State.DEAD], place.now).result()
    place.wait(10)
    assert len({text for text in place.texts() if text.startswith("order")}) == 1200


def test_many_files_are_read_side_by_side_and_each_row_once(tmp_path: Path) -> None:
    rules = RULES.replace("dedupe: row.order\n", "dedupe: [file.name, row.order]\n")
    place = Place(tmp_path, rules, guard=100_000)
    for number in range(30):
        place.drop(csv_of([("shipped", "")] * 100), f"{number}.csv")
    place.drop(csv_of([("shipped", "")] * 2000), "large.csv")
    place.plan()
    assert len(place.texts()) == 30 * 100 + 2000
    assert len(list(Path("/proc/self/fd").iterdir())) < 100
    place.close()


FORMS = """
version: 1
contacts: {me: "+905551112233", boss: "+905559990011"}
rules:
  - id: lines
    trigger: {file: {path: drop, match: "*.log"}}
    for_each: {line: file.lines}
    if: line | lower is search("error")
    to: me
    send: {text: "{{ line }}"}
    tests:
      - name: a line
        when: [{file: {name: a.log, text: "fine\\nERROR one\\nerror two"}}]
        expect: [{text: ERROR one}, {text: error two}]
  - id: calendar
    trigger: {file: {path: drop, match: "*.ics"}}
    for_each: {ev: file.events}
    if: ev.start > now
    dedupe: {key: [ev.uid, ev.sequence, ev.start], for: 90d}
    to: me
    send:
      event:
        title: "{{ ev.summary }}"
        description: "{{ ev.location | default('') }}"
        start: "{{ ev.start }}"
    tests:
      - name: a meeting
        when:
          - at: 2026-11-23 10:00
            file:
              name: meeting.ics
              text: |
                BEGIN:VCALENDAR
                BEGIN:VEVENT
                UID:42
                DTSTART;TZID=Europe/Istanbul:20261124T140000
                SUMMARY:Weekly review
                LOCATION:Room 2
                END:VEVENT
                BEGIN:VEVENT
                UID:41
                DTSTART:20261122T140000
                SUMMARY:over
                END:VEVENT
                END:VCALENDAR
        expect: [{event: {title: Weekly review, description: Room 2, start: 2026-11-24T11:00}}]
  - id: columns
    trigger:
      file: {path: drop, match: "*.dat", read: {as: csv, delimiter: "|", columns: [a, b], encoding: windows-1254}}
    for_each: {row: file.rows}
    to: me
    send: {text: "{{ row.a }} and {{ row.b }}"}
    tests:
      - name: columns
        when: [{file: {name: x.dat, text: "1|2\\n3|4"}}]
        expect: [{text: 1 and 2}, {text: 3 and 4}]
  - id: json
    trigger: {file: {path: drop, match: "*.json*"}}
    for_each: {row: file.rows}
    to: me
    send: {text: "{{ row.n }}"}
    tests:
      - name: a list, and a value in each line
        when:
          - file: {name: x.json, text: '[{"n": 1}, {"n": 2}]'}
          - file: {name: x.jsonl, text: '{"n": 3}'}
        expect: [{text: "1"}, {text: "2"}, {text: "3"}]
  - id: digest
    trigger: {file: {path: drop, match: "*.csv"}}
    for_each: {row: file.rows}
    digest: {at: "18:00"}
    to: me
    send: {text: "{{ events | map(attribute='row.name') | join(', ') }}"}
    tests:
      - name: the rows of two files in one message
        when:
          - {at: 2026-11-23 10:00, file: {name: a.csv, text: "name\\nAli\\nVeli"}}
          - {at: 2026-11-23 11:00, file: {name: b.csv, text: "name\\nCan"}}
        expect: [{at: 2026-11-23 18:00, text: "Ali, Veli, Can"}]
  - id: burst
    trigger: {file: {path: drop, match: "*.pdf", burst: {over: 3}}}
    to: me
    send: {text: "{{ file.name }}"}
    quiet_hours: "22:00-07:00"
    tests:
      - name: as many as may be are told of one by one
        when: [{at: 2026-11-23 10:00, file: {name: 1.pdf}}, {file: {name: 2.pdf}}, {after: 5s, file: {name: 3.pdf}}]
        expect: [{at: 2026-11-23 10:00:10, text: 1.pdf}, {text: 2.pdf}, {text: 3.pdf}]
      - name: more are one message
        when: [{file: {name: 1.pdf}}, {file: {name: 2.pdf}}, {file: {name: 3.pdf}}, {file: {name: 4.pdf}}]
        expect: [{text: "4 files for “burst”: 1.pdf, 2.pdf, 3.pdf, 4.pdf"}]
      - name: those that come later are others
        when: [{file: {name: 1.pdf}}, {file: {name: 2.pdf}}, {file: {name: 3.pdf}}, {after: 11s, file: {name: 4.pdf}}]
        expect: [{text: 1.pdf}, {text: 2.pdf}, {text: 3.pdf}, {text: 4.pdf}]
      - name: the message waits for the end of quiet hours
        when:
          - {at: 2026-11-23 23:00, file: {name: 1.pdf}}
          - file: {name: 2.pdf}
          - file: {name: 3.pdf}
          - file: {name: 4.pdf}
        expect: [{at: 2026-11-24 07:00, text: {contains: "4 files"}}]
"""


@functools.cache
def forms() -> Project:
    with tempfile.TemporaryDirectory() as folder:
        return a_project(Path(folder), FORMS)


@pytest.mark.parametrize("name", [rule.id for rule in forms().rules])
def test_a_rule_sees_the_rows_of_the_files_in_its_tests(name: str) -> None:
    found = forms().rule(name)
    assert found
    for test in found.tests:
        assert run(forms(), found, test).complaints == (), test.name


def test_many_files_are_told_of_with_ten_names_in_the_reader_s_language(tmp_path: Path) -> None:
    rules = """
version: 1
contacts:
  ali: {phone: "+905551112233", lang: tr}
  boss: "+905559990011"
rules:
  - id: invoices
    name: Yeni faturalar
    trigger: {file: {path: drop, burst: {over: 20}}}
    to: ali
    send: {text: "{{ file.name }}"}
"""
    place = Place(tmp_path, rules)
    for number in range(37):
        place.drop("x", f"{number:02}.pdf")
    place.plan()
    assert place.texts() == []
    place.restart()
    place.wait(11)
    names = ", ".join(f"{number:02}.pdf" for number in range(10))
    assert place.texts() == [f"“Yeni faturalar” için 37 dosya geldi: {names} … ve 27 dosya daha"]
    place.close()


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("for_each: {row: file.rows | list}", "`file.rows` must stand alone", "choose rows with `if`"),
        ("for_each: {row: file.rosw}", "`file` has no `rosw`", "did you mean `rows`?"),
        ("if: file.rows", "`file` has no `rows`", "write `for_each: {row: file.rows}`"),
        ('send: {text: "{{ file.lines }}"}', "`file` has no `lines`", "write `for_each: {row: file.lines}`"),
        (
            "trigger: [{file: {path: x}}, {schedule: '09:00'}]\nfor_each: {row: file.rows}",
            "`file.rows` needs a file from each trigger",
            "make every `trigger` of the rule a `file`",
        ),
        ("trigger: {file: {path: x, read: csvs}}", "`csvs` is not known here", "did you mean `csv`?"),
        ("trigger: {file: {path: x, read: {delimeter: x}}}", "unknown key `delimeter`", "did you mean `delimiter`?"),
        ("trigger: {file: {path: x, read: {delimiter: ab}}}", "a delimiter is one character", "write it like"),
        ("trigger: {file: {path: x, read: {encoding: klingon}}}", "`klingon` is not an encoding", "windows-1254"),
        ("trigger: {file: {path: x, read: {as: json, columns: [a]}}}", "`columns` is for csv and xlsx, not for json", None),
        (
            "trigger: {missing: {of: {file: {path: x, read: csv}}, by: '09:00', window: 1h}}",
            "`read` has no effect here: this rule does not take the file",
            None,
        ),
        ("trigger: {file: {path: x, burst: {over: 0}}}", "0 is too few", "write 1 or more"),
        ("trigger: {file: {path: x, burst: {over: 3, then: drop}}}", "unknown key `then`", ""),
        (
            "trigger: {file: {path: x, burst: {over: 3}}}\nfor_each: {row: file.rows}",
            "`burst` counts files, and `for_each` follows their contents",
            "leave one of them out",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_said_with_the_way_out(
    tmp_path: Path, text: str, message: str, hint: str | None
) -> None:
    found = mistake(tmp_path, text)
    assert found.message == message
    assert (hint or "") in (found.hint or "")


def test_the_shape_of_a_reading(tmp_path: Path) -> None:
    text = 'trigger: {file: {path: /srv, read: {as: csv, delimiter: "\\t", columns: a}}}\nfor_each: {row: file.rows}'
    found = rule(tmp_path, text)
    assert found.reads == "rows"
    trigger = found.trigger_of("/srv/a.csv")
    assert trigger
    assert trigger.read == Reading(kind="csv", delimiter="\t", columns=("a",))


def test_a_rule_that_no_longer_reads_rows_fails_with_the_row(place: Place) -> None:
    event = place.drop(csv_of([("packed", "")] * 700))
    place.planner.step()
    place.planner.step()
    place.live.project = a_project(
        place.folder, RULES.replace("for_each: {row: file.rows}", 'for_each: {row: "[]"}')
    )
    place.plan()
    assert any("from row 502 on: the rule does not read" in line for line in place.decisions(event))
    assert place.store.next_memory() is None


def test_planning_an_event_reads_nothing(tmp_path: Path) -> None:
    """The engine stays pure: it says which rows it wants."""

    class Nothing:
        def remembered(self, rule: str, kind: str, key: str) -> None:
            del rule, kind, key

        def sent(self, prefix: str) -> bool:
            del prefix
            return False

    project = a_project(tmp_path)
    path = tmp_path / "drop" / "a.csv"
    path.write_text(csv_of([("shipped", "")]))
    event = event_of(path)
    path.unlink()
    made = plan(project, event, Overlay(Nothing()), datetime.fromtimestamp(NOW, UTC))
    assert made.messages == ()
    assert [memory.kind for memory in made.memories] == ["rows"]


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        ("match: '*.xls'", "a workbook of this kind (.xls) is not read"),
        ("match: ['*.csv', 'a/*.ODS']", "a workbook of this kind (.ods) is not read"),
        ("match: '*.dat'", "the name of '*.dat' does not show what its rows are"),
        ("match: '*.dat', read: csv", None),
        ("match: ['*.csv', '**/*', '*.*', '*.xlsx']", None),
    ],
)
def test_check_tells_of_patterns_of_files_whose_rows_cannot_be_read(
    tmp_path: Path, trigger: str, message: str | None
) -> None:
    made = a_project(tmp_path, RULES.replace('match: "*.csv"', trigger))
    assert [one.message for one in check(made) if one.code == "WBX357"] == ([message] if message else [])
