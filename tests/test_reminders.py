"""Reminders: messages before and after a date, that wait, move and end with what they are about."""
# ruff: noqa: E501 - a rule or a case is a line

import functools
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from rulebook import mistake, project, rule
from test_rows import NOW, Place

from wbox_notify.cli.output import moment
from wbox_notify.cli.queue import queue
from wbox_notify.daemon.planner import Planner
from wbox_notify.engine import remind
from wbox_notify.engine.replay import ReplayStore
from wbox_notify.engine.rule_run import Change, memory_of
from wbox_notify.engine.rule_tests import _events, run, run_all
from wbox_notify.engine.state import Retry
from wbox_notify.model.deliveries import Hold, Plan, State
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text
from wbox_notify.model.reasons import why
from wbox_notify.model.shown import iso
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Project
from wbox_notify.rules.rule import Given
from wbox_notify.store import open_store

RULES = """
version: 1
rules:
  - id: appointment
    trigger: {file: {path: drop, match: "*.csv"}}
    for_each: {row: file.rows}
    remind: {at: "{{ row.date }} {{ row.time }}", before: [7d, 1d, 2h], key: row.id, unless: row.state == "off"}
    to: "{{ row.phone }}"
    send: {text: "{{ row.id }} {{ remind.at | datetime }} {{ remind.before }}"}
    tests:
      - name: each reminder comes at its time before the date, by the clocks of the zone
        when:
          - at: 2026-10-10 12:00
            file: &first
              name: list.csv
              text: |
                id,date,time,phone,state
                A,25.10.2026,14:00,+905551112233,
        until: 30d
        expect:
          - {at: 2026-10-18 14:00, text: "A 2026-10-25 14:00 604800.0"}
          - {at: 2026-10-24 14:00, text: "A 2026-10-25 14:00 86400.0"}
          - {at: 2026-10-25 12:00, text: "A 2026-10-25 14:00 7200.0"}
      - name: what comes again does not tell again
        when:
          - {at: 2026-10-10 12:00, file: *first}
          - {at: 2026-10-18 14:30, file: *first}
          - {at: 2026-10-25 12:30, file: *first}
          - {at: 2026-10-27 12:30, file: *first}
        until: 30d
        expect:
          - {at: 2026-10-18 14:00}
          - {at: 2026-10-24 14:00}
          - {at: 2026-10-25 12:00}
      - name: a date that moves takes its reminders along
        when:
          - {at: 2026-10-10 12:00, file: *first}
          - at: 2026-10-20 12:00
            file:
              name: list.csv
              text: |
                id,date,time,phone,state
                A,2026-10-30,14:00,+905551112233,
        until: 30d
        expect:
          - {at: 2026-10-18 14:00, text: "A 2026-10-25 14:00 604800.0"}
          - {at: 2026-10-23 14:00, text: "A 2026-10-30 14:00 604800.0"}
          - {at: 2026-10-29 14:00, text: "A 2026-10-30 14:00 86400.0"}
          - {at: 2026-10-30 12:00, text: "A 2026-10-30 14:00 7200.0"}
      - name: a row that is gone from a newer version of its file is not told
        when:
          - {at: 2026-10-10 12:00, file: *first}
          - at: 2026-10-20 12:00
            file:
              name: list.csv
              text: |
                id,date,time,phone,state
                B,25.10.2026,14:00,+905551112244,
        until: 30d
        expect:
          - {at: 2026-10-18 14:00, to: "+905551112233"}
          - {at: 2026-10-24 14:00, to: "+905551112244"}
          - {at: 2026-10-25 12:00, to: "+905551112244"}
      - name: a row that is gone from another file is still told
        when:
          - {at: 2026-10-24 12:00, file: *first}
          - {at: 2026-10-24 13:00, file: {name: other.csv, text: "id,date,time,phone,state\\nZ,25.10.2026,14:00,+905551112299,off\\n"}}
        until: 30d
        expect: [{at: 2026-10-24 14:00}, {at: 2026-10-25 12:00}]
      - name: what cancels a row cancels its reminders, and its return brings them back
        when:
          - {at: 2026-10-10 12:00, file: *first}
          - at: 2026-10-20 12:00
            file:
              name: list.csv
              text: |
                id,date,time,phone,state
                A,25.10.2026,14:00,+905551112233,off
          - {at: 2026-10-25 11:00, file: *first}
        until: 30d
        expect: [{at: 2026-10-18 14:00}, {at: 2026-10-25 12:00}]
      - name: of a date that becomes known late only the last reminder comes, at once
        when:
          - {at: 2026-10-25 13:00, file: *first}
        until: 30d
        expect: [{at: 2026-10-25 13:00, text: "A 2026-10-25 14:00 7200.0"}]
      - name: a reminder whose time was past by less than an hour comes at once, and the others at theirs
        when:
          - {at: 2026-10-18 14:10, file: *first}
        until: 30d
        expect: [{at: 2026-10-18 14:10}, {at: 2026-10-24 14:00}, {at: 2026-10-25 12:00}]
      - name: of a date that is past there is no reminder
        when:
          - {at: 2026-10-25 14:00, file: *first}
        until: 30d
        skipped: remind
        expect: []
      - name: a date that stands for none keeps no other row back
        when:
          - at: 2026-10-25 11:00
            file:
              name: list.csv
              text: |
                id,date,time,phone,state
                X,1970-01-01,00:00,+905551112233,
                Y,0001-01-01,00:00,+905551112233,
                Z,9999-12-31,23:59,+905551112233,
                A,25.10.2026,14:00,+905551112233,
        until: 30d
        expect: [{at: 2026-10-25 12:00, text: {contains: A}}]

  - id: berlin
    trigger: {webhook: {path: a, open: true}}
    remind: {at: "{{ body.at }}", before: [1d, 24h, 25h, 0s], after: 2d, key: [body.shop, body.id]}
    to: "+905551112233"
    send: {text: "{{ body.note }}"}
    tests:
      - name: days are those of the calendar, also where the clocks change; the text is that of the last call
        when:
          - {at: 2026-10-20 12:00, webhook: {body: {shop: 1, id: 7, at: 2026-10-26T02:30, note: first}}}
          - {at: 2026-10-20 13:00, webhook: {body: {shop: 1, id: 7, at: 2026-10-26T02:30, note: second}}}
          - {at: 2026-10-20 13:00, webhook: {body: {shop: 2, id: 7, at: 2026-10-25, note: other}}}
        until: 30d
        expect:
          - {at: 2026-10-23 23:00, text: other}
          - {at: 2026-10-24 00:00, text: other}
          - {at: 2026-10-25 00:00, text: other}
          - {at: "2026-10-25T01:30:00+02:00", text: second}
          - {at: "2026-10-25T02:30:00+02:00", text: second}
          - {at: 2026-10-26 02:30, text: second}
          - {at: 2026-10-27 00:00, text: other}
          - {at: 2026-10-28 02:30, text: second}

  - id: calendar
    trigger: {file: {path: drop, match: "*.ics"}}
    for_each: {e: file.events}
    remind: {at: "{{ e.start }}", before: 1h}
    to: "+905551112233"
    send: {text: "{{ e.summary }}"}
    tests:
      - name: an appointment that a later file cancels or moves is told as that says
        when:
          - at: 2026-11-20 12:00
            file:
              name: a.ics
              text: |
                BEGIN:VCALENDAR
                BEGIN:VEVENT
                UID:1
                SUMMARY:Dentist
                DTSTART:20261126T120000Z
                END:VEVENT
                BEGIN:VEVENT
                UID:2
                SUMMARY:Bank
                DTSTART:20261127T120000Z
                END:VEVENT
                END:VCALENDAR
          - at: 2026-11-21 12:00
            file:
              name: cancel.ics
              text: |
                BEGIN:VCALENDAR
                METHOD:CANCEL
                BEGIN:VEVENT
                UID:1
                DTSTART:20261126T120000Z
                END:VEVENT
                END:VCALENDAR
          - at: 2026-11-22 12:00
            file:
              name: move.ics
              text: |
                BEGIN:VCALENDAR
                BEGIN:VEVENT
                UID:2
                SUMMARY:Bank
                DTSTART:20261128T120000Z
                END:VEVENT
                END:VCALENDAR
        until: 30d
        expect: [{at: 2026-11-28 11:00, text: Bank}]
      - name: one time of a series is cancelled by another file, in whichever zone that writes it
        when:
          - at: 2026-11-20 12:00
            file:
              name: a.ics
              text: |
                BEGIN:VCALENDAR
                BEGIN:VEVENT
                UID:1
                SUMMARY:Team
                DTSTART;TZID=Europe/Istanbul:20261123T120000
                RRULE:FREQ=DAILY;COUNT=3
                END:VEVENT
                END:VCALENDAR
          - at: 2026-11-21 12:00
            file:
              name: cancel.ics
              text: |
                BEGIN:VCALENDAR
                METHOD:CANCEL
                BEGIN:VEVENT
                UID:1
                RECURRENCE-ID:20261124T090000Z
                DTSTART:20261124T090000Z
                END:VEVENT
                END:VCALENDAR
        until: 30d
        expect: [{at: 2026-11-23 08:00, text: Team}, {at: 2026-11-25 08:00, text: Team}]
      - name: appointments that a careless program wrote without a UID are known by what they are about
        when:
          - at: 2026-11-20 12:00
            file:
              name: a.ics
              text: |
                BEGIN:VCALENDAR
                BEGIN:VEVENT
                SUMMARY:Dentist
                DTSTART:20261126T120000Z
                END:VEVENT
                BEGIN:VEVENT
                SUMMARY:Bank
                DTSTART:20261127T120000Z
                END:VEVENT
                END:VCALENDAR
        until: 30d
        expect: [{at: 2026-11-26 11:00, text: Dentist}, {at: 2026-11-27 11:00, text: Bank}]

  - id: weekly
    trigger: {schedule: every day 06:00}
    for_each:
      e: events('team.ics', ahead='60d')
    remind: {at: "{{ e.start }}", before: 30m}
    to: "+905551112233"
    send: {text: "{{ e.summary }}"}
    tests:
      - name: each time of an appointment that recurs has its reminder, also one that is moved or cancelled alone
        when:
          - file:
              text: |
                BEGIN:VCALENDAR
                BEGIN:VEVENT
                UID:1
                SUMMARY:Team
                DTSTART:20261102T100000Z
                RRULE:FREQ=WEEKLY;COUNT=6
                END:VEVENT
                END:VCALENDAR
          - {at: 2026-11-01 06:00, schedule: true}
          - {at: 2026-11-02 06:00, schedule: true}
          - file:
              text: |
                BEGIN:VCALENDAR
                BEGIN:VEVENT
                UID:1
                SUMMARY:Team
                DTSTART:20261102T100000Z
                RRULE:FREQ=WEEKLY;COUNT=6
                EXDATE:20261116T100000Z
                END:VEVENT
                BEGIN:VEVENT
                UID:1
                RECURRENCE-ID:20261109T100000Z
                SUMMARY:Team later
                DTSTART:20261110T150000Z
                END:VEVENT
                BEGIN:VEVENT
                UID:1
                RECURRENCE-ID:20261123T100000Z
                SUMMARY:Team
                STATUS:CANCELLED
                DTSTART:20261123T100000Z
                END:VEVENT
                END:VCALENDAR
          - {at: 2026-11-03 06:00, schedule: true}
        until: 60d
        expect:
          - {at: 2026-11-02 09:30, text: Team}
          - {at: 2026-11-10 14:30, text: Team later}
          - {at: 2026-11-30 09:30, text: Team}
          - {at: 2026-12-07 09:30, text: Team}

  - id: daily
    trigger: {schedule: every day 08:00}
    for_each: {row: rows('invoices.csv')}
    if: row.paid == ""
    remind: {at: "{{ row.due }} 09:00", before: 3d, after: [7d], key: row.no}
    to: "{{ row.phone }}"
    send: {text: "{{ row.no }} {{ remind.before > 0 }}"}
    tests:
      - name: what is paid is not told, and what stands in the list is, before and after its date
        when:
          - file:
              text: |
                no;due;phone;paid
                1;10.11.2026;+905551112233;
                2;10.11.2026;+905551112244;
          - {at: 2026-11-01 08:00, schedule: true}
          - {at: 2026-11-02 08:00, schedule: true}
          - file: {text: "no;due;phone;paid\\n1;10.11.2026;+905551112233;\\n2;10.11.2026;+905551112244;yes\\n"}
          - {at: 2026-11-09 08:00, schedule: true}
        until: 30d
        expect:
          - {at: 2026-11-07 09:00, text: "1 True"}
          - {at: 2026-11-07 09:00, text: "2 True"}
          - {at: 2026-11-17 09:00, text: "1 False"}
      - name: what has no end is never told, and what stands beside it is
        when:
          - file: {text: "no;due;phone;paid\\n1;31.12.9999;+905551112233;\\n2;10.11.2026;+905551112244;\\n"}
          - {at: 2026-11-01 08:00, schedule: true}
        until: 30d
        expect: [{at: 2026-11-07 09:00, text: "2 True"}, {at: 2026-11-17 09:00, text: "2 False"}]

  - id: list
    trigger: {webhook: {path: list, preset: alertmanager, open: true}}
    remind: {at: "{{ alert.labels.due }}", before: 1d, key: alert.labels.id}
    to: "+905551112233"
    send: {text: "{{ alert.labels.id }}"}
    tests:
      - name: an end cancels the reminder
        when:
          - at: 2026-11-01 08:00
            webhook:
              body:
                alerts:
                  - {status: firing, fingerprint: f1, labels: {id: a, due: 2026-11-09 08:00}}
                  - {status: firing, fingerprint: f2, labels: {id: b, due: 2026-11-09 08:00}}
          - at: 2026-11-02 08:00
            webhook: {body: {alerts: [{status: resolved, fingerprint: f1, labels: {id: a, due: 2026-11-09 08:00}}]}}
        until: 30d
        expect: [{at: 2026-11-08 08:00, text: b}]
"""
ZONES = {"berlin": "Europe/Berlin"}


@functools.cache
def project_of(zone: str) -> Project:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rules").mkdir()
        (folder / "rules" / "a.yaml").write_text(RULES)
        (folder / "wbox-notify.yaml").write_text(f"version: 1\ndefaults: {{tz: {zone}}}\n")
        found = load(folder, {"WBOX_API_KEY": "sk_x"})
    assert [problem.message for problem in found.problems if problem.severity == "error"] == []
    return found


CASES = [(rule.id, test.name) for rule in project_of("UTC").rules for test in rule.tests]


@pytest.mark.parametrize(("rule_id", "name"), CASES)
def test_reminders(rule_id: str, name: str) -> None:
    found = project_of(ZONES.get(rule_id, "UTC"))
    rule = found.rule(rule_id)
    assert rule
    [test] = [test for test in rule.tests if test.name == name]
    assert run(found, rule, test).complaints == ()


def happen(world: ReplayStore, text: str, hours: float, name: str = "list.csv") -> None:
    """Let the list of appointments come with some contents."""
    world.wait_for(hours * 3600)
    rule = world.project.rule("appointment")
    assert rule
    given = Given(kind="file", data={"name": name, "text": text})
    for event in _events(world, rule, given, 0):
        world.happen(event)
    world.wait_for(0)


@pytest.fixture
def world() -> ReplayStore:
    """Return a world in which A waits for 2 o'clock in the afternoon of 25 October."""
    found = project_of("UTC")
    made = ReplayStore(found, datetime(2026, 10, 23, 12, tzinfo=UTC))
    happen(made, LIST, 0)
    return made


LIST = "id,date,time,phone,state\nA,25.10.2026,14:00,+905551112233,\n"
OTHER = LIST.replace("A,", "B,")


def told(world: ReplayStore) -> list[tuple[str, str]]:
    texts = [(at, planned.message) for at, planned in world.messages]
    return [(f"{at:%d %H:%M}", text.message[0]) for at, text in texts if isinstance(text, Text)]


def failures(world: ReplayStore) -> list[str]:
    return [planned.problem for _, planned in world.messages if planned.problem]


def decisions(world: ReplayStore) -> list[str]:
    return [f"{made.outcome}: {made.detail}" for _, made in world.decisions if made.stage == "remind"]


def test_what_was_decided_is_told_with_its_times(world: ReplayStore) -> None:
    happen(world, LIST.replace("25.10", "26.10"), 1)
    happen(world, LIST.replace("25.10", "22.10"), 1)
    happen(world, LIST, 1)
    happen(world, OTHER, 1)
    world.wait_for(86400)
    details = [detail.partition("in row 2: ")[2] or detail for detail in decisions(world)]
    assert details == [
        "until 2026-10-24 14:00, for 2026-10-25 14:00",
        "moved from 2026-10-25 14:00",
        "until 2026-10-25 14:00, for 2026-10-26 14:00",
        "it is past: 2026-10-22 14:00",
        "until 2026-10-24 14:00, for 2026-10-25 14:00",
        "until 2026-10-24 14:00, for 2026-10-25 14:00",
        "stopped: list.csv does not have it any more",
    ]


@pytest.mark.parametrize(
    ("newer", "problem"),
    [
        (OTHER + "C,25.10.2026\n,,,,,\nD,soon,,,\n", "row 5 of list.csv: remind: 'soon ' is not a time"),
        (OTHER + "D,25.10.2026,14:00,1,,,x\n", "row 3 of list.csv: it has 7 cells"),
        (OTHER + ",25.10.2026,14:00,1,\n", "row 3 of list.csv: remind: key: row.id is empty"),
        ("<html>", "list.csv: this is HTML"),
    ],
)
def test_a_version_of_which_something_failed_takes_nothing_back(
    world: ReplayStore, newer: str, problem: str
) -> None:
    happen(world, newer, 1)
    world.wait_for(30 * 86400)
    assert failures(world)[0].startswith(problem)
    assert [text for text in told(world) if text[1] == "A"] == [("24 14:00", "A"), ("25 12:00", "A")]


def test_after_a_version_that_failed_the_next_whole_one_counts(world: ReplayStore) -> None:
    happen(world, "<html>", 1)
    happen(world, OTHER, 1)
    world.wait_for(30 * 86400)
    assert told(world) == [("24 14:00", "B"), ("25 12:00", "B")]


@pytest.mark.parametrize("change", [(",\n", ",off\n"), ("25.10", "22.10"), ("25.10", "26.10"), ("25", "9")])
def test_a_date_that_goes_and_comes_back_is_not_told_twice(
    world: ReplayStore, change: tuple[str, str]
) -> None:
    happen(world, LIST.replace("2026", "9999").replace(*change), 0)
    happen(world, LIST, 1)
    happen(world, LIST.replace(*change), 25.1)
    happen(world, LIST, 0.1)
    happen(world, LIST.replace(*change), 0.1)
    happen(world, LIST, 0.1)
    world.wait_for(30 * 86400)
    assert told(world) == [("24 14:00", "A"), ("25 12:00", "A")]


def test_a_date_that_was_cancelled_in_time_and_comes_back_late_is_told_at_once(world: ReplayStore) -> None:
    happen(world, LIST.replace(",\n", ",off\n"), 1)
    happen(world, LIST, 48.5)
    world.wait_for(30 * 86400)
    assert told(world) == [("25 13:30", "A")]


def test_two_dates_with_one_key_in_one_table_are_a_problem_and_not_told_again_and_again(
    world: ReplayStore,
) -> None:
    both = LIST + LIST.splitlines()[1].replace("25.10", "28.10")
    happen(world, both, 1)
    happen(world, both + "\n", 1)
    problem = "row 3 of list.csv: remind: its key is that of row 2 too, which has another date"
    assert failures(world) == [problem, problem]
    world.wait_for(30 * 86400)
    assert told(world) == [("24 14:00", "A"), ("25 12:00", "A")]


def test_a_date_that_is_past_does_not_let_the_next_one_with_its_key_come_again(world: ReplayStore) -> None:
    both = "id,date,time,phone,state\nA,22.10.2026,14:00,1,\nA,24.10.2026,13:00,+905551112233,\n"
    for hours in (1, 1.2, 20, 3, 0.5):
        happen(world, both, hours)
    world.wait_for(30 * 86400)
    assert told(world) == [("23 13:00", "A"), ("24 11:00", "A")]


def test_what_was_not_told_in_time_is_dead_until_a_person_decides() -> None:
    """As after two days without the daemon."""
    world = ReplayStore(project_of("UTC"), datetime(2026, 10, 23, 12, tzinfo=UTC))
    happen(world, LIST, 0)
    world.now += timedelta(days=3)
    world.wait_for(0)
    assert told(world) == []
    assert failures(world) == ["not told in time: 2026-10-25 14:00 is past"]
    [planned] = [planned for _, planned in world.messages]
    retry = Retry.from_json(planned.again or {})
    memory = memory_of("appointment", "failed", planned.key, Change(retry, world.now.timestamp()))
    world._put(Plan(event_id="", memories=(memory,)))
    world.wait_for(0)
    assert told(world) == [("26 12:00", "A")]


def test_what_is_late_but_ahead_of_its_date_is_told_once() -> None:
    world = ReplayStore(project_of("UTC"), datetime(2026, 10, 10, 12, tzinfo=UTC))
    happen(world, LIST, 0)
    world.now = datetime(2026, 10, 25, 13, tzinfo=UTC)
    world.wait_for(0)
    assert told(world) == [("25 13:00", "A")]
    assert "stopped: 2 older of the same date left out" in decisions(world)
    world.wait_for(30 * 86400)
    assert told(world) == [("25 13:00", "A")]
    assert all(kind == "table" for _, kind, _ in world.memories), "nothing but the count of readings is left"


KEPT = """
version: 1
contacts: {boss: "+905559990011"}
rules:
  - id: appointment
    trigger: {file: {path: drop, match: "*.csv"}}
    for_each: {row: file.rows}
    remind: {at: "{{ row.date }}", before: 1d, key: row.id}
    to: "{{ row.phone }}"
    send: {text: "{{ row.id }}"}
"""
DAY = 86400.0


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, KEPT)
    yield made
    made.close()


def entered(*ids: str, days: int = 10) -> str:
    """Return a list of appointments some days after the beginning, at 0 o'clock."""
    date = datetime.fromtimestamp(NOW + days * DAY, UTC).date()
    rows = [f"{name},{date},+9055511122{number:02}" for number, name in enumerate(ids)]
    return "\n".join(["id,date,phone", *rows])


def test_a_reminder_outlasts_a_restart_and_comes_once(place: Place) -> None:
    place.drop(entered("A"))
    place.plan()
    place.restart()
    place.wait(8 * DAY)
    assert place.texts() == []
    place.restart()
    place.wait(DAY)
    assert place.texts() == ["A"]
    place.restart()
    place.wait(30 * DAY)
    assert place.texts() == ["A"]
    assert [memory.kind for memory in place.store.memories(["remind", "table"])] == ["table"]
    place.wait(400 * DAY)
    assert place.store.memories(["remind", "table"]) == []


@pytest.mark.parametrize("step", [-5 * DAY, 3600.0])
def test_a_reminder_comes_at_its_time_by_the_clock_that_was_set(place: Place, step: float) -> None:
    ahead = [0.0]
    place.planner = Planner(
        place.live,
        place.store,
        rows=place.files,
        clock=lambda: place.now + ahead[0],
        steady=lambda: place.now,
    )
    place.drop(entered("A"))
    place.plan()
    place.wait(DAY)
    ahead[0] = step
    place.plan()
    due = 9 * DAY - NOW % DAY
    place.now = NOW + due - step - 1.0
    place.plan()
    assert place.texts() == []
    place.wait(1.0)
    assert place.texts() == ["A"]


def test_what_a_removed_rule_should_tell_waits_for_a_person_at_its_time(place: Place) -> None:
    place.drop(entered("A"))
    place.plan()
    rules = place.live.project
    place.live.project = replace(rules, rules=())
    place.wait(DAY)
    assert place.deliveries() == []
    place.wait(8 * DAY)
    [held] = place.deliveries()
    assert (held.state, held.hold) == (State.HELD, Hold.RULE_GONE)
    assert "1 event of its reminders waits" in why(held)
    place.live.project = rules
    place.store.requeue([held.id], [State.HELD], place.now).result()
    place.plan()
    assert place.texts() == ["A"]


def test_a_rule_that_reminds_no_more_tells_at_its_time_what_waits(place: Place) -> None:
    place.drop(entered("A"))
    place.plan()
    [rule] = place.live.project.rules
    place.live.project = replace(place.live.project, rules=(replace(rule, remind=None),))
    place.wait(8 * DAY)
    assert place.texts() == []
    place.wait(DAY)
    assert place.texts() == ["A"]


def test_the_queue_lists_the_reminders_to_come_with_their_times(place: Place) -> None:
    place.drop(entered("A", "B"), "a.csv")
    place.plan()
    place.drop(entered("C", days=5), "b.csv")
    place.plan()
    place.drop(entered("B"), "a.csv")
    place.plan()
    reminders = remind.waiting(place.store.memories(remind.KINDS))
    assert [(memory.key, (memory.due or 0.0) - NOW // DAY * DAY) for memory, _ in reminders] == [
        ('["C"]', 4 * DAY),
        ('["B"]', 9 * DAY),
    ]
    place.wait(4 * DAY)
    assert [memory.key for memory, _ in remind.waiting(place.store.memories(remind.KINDS))] == ['["B"]']


@settings(max_examples=30, deadline=None)
@given(
    versions=st.lists(
        st.tuples(
            st.integers(1, 60), st.dictionaries(st.sampled_from("ABC"), st.integers(5, 20), min_size=1)
        ),
        min_size=1,
        max_size=4,
    )
)
def test_each_row_of_the_last_version_is_told_once_for_its_date_and_nothing_else_is(
    versions: list[tuple[int, dict[str, int]]],
) -> None:
    """What the versions before the last one say may have been told before that came."""
    world = ReplayStore(project_of("UTC"), datetime(2026, 11, 1, tzinfo=UTC))
    for hours, dates in versions:
        rows = [f"{name},2026-11-{day:02},12:00,+905551112233,\n" for name, day in dates.items()]
        happen(world, "".join(["id,date,time,phone,state\n", *rows]), hours)
    last = world.now
    world.wait_for(60 * DAY)
    assert failures(world) == []
    to_come = [
        (name, at - timedelta(seconds=before))
        for name, day in versions[-1][1].items()
        for at in [datetime(2026, 11, day, 12, tzinfo=UTC)]
        for before in (7 * DAY, DAY, 7200.0)
        if at - timedelta(seconds=before) > last
    ]
    texts = [(planned.message.message[0], at) for at, planned in world.messages if at > last]
    assert sorted(texts) == sorted(to_come)


def test_a_message_before_a_date_is_not_worth_sending_after_it(place: Place) -> None:
    place.drop(entered("A"))
    place.plan()
    place.wait(9 * DAY)
    [delivery] = place.deliveries()
    assert delivery.expires == NOW // DAY * DAY + 10 * DAY
    assert delivery.expires < place.now + DAY


QUIET = """
trigger: {webhook: {path: a, open: true}}
remind: {at: "{{ body.at }}", before: 2h, after: 1h, key: body.id}
quiet_hours: 20:00-09:00
to: "+905551112233"
send: {text: "{{ body.id }} {{ remind.before > 0 }}"}
tests:
  - name: what quiet hours hold is told afterwards if its date is ahead or was past before
    when:
      - {at: 2026-11-20 12:00, webhook: {body: {id: A, at: 2026-11-21T10:00}}}
      - {at: 2026-11-20 12:00, webhook: {body: {id: B, at: 2026-11-21T08:00}}}
    until: 10d
    expect:
      - {at: 2026-11-21 09:00, text: B False}
      - {at: 2026-11-21 09:00, text: A True}
      - {at: 2026-11-21 11:00, text: A False}
"""


def test_what_quiet_hours_hold_past_its_date_is_not_told(tmp_path: Path) -> None:
    found = rule(tmp_path, QUIET)
    [result] = run_all(project(tmp_path, {"wbox-notify.yaml": "version: 1\ndefaults: {tz: UTC}\n"}), [found])
    assert result.complaints == ()


ROWS = "trigger: {file: {path: /srv}}\nfor_each: {row: file.rows}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('remind: {at: "{{ row.date }}"}', "`remind` needs a `key`"),
        ("remind: {at: tomorrow, key: row.id}", "'tomorrow' is not a time"),
        ('remind: {at: "{{ rwo.date }}", key: row.id}', "there is no `rwo` here"),
        ('remind: {at: "{{ row.date }}", key: row.id, before: 1}', "`1` is not a duration"),
        ('remind: {at: "{{ row.date }}", key: row.id, unless: rwo.state}', "there is no `rwo` here"),
        (
            'remind: {at: "{{ row.date }}", key: row.id}\nstatus: {firing: row.x, key: row.id}',
            "`status` lets a date that moves not pass",
        ),
        ('if: remind.at\nremind: {at: "{{ row.date }}", key: row.id}', "there is no `remind` here"),
    ],
)
def test_a_mistake_is_found_before_the_first_event(tmp_path: Path, text: str, said: str) -> None:
    assert said in mistake(tmp_path, f"{ROWS}{text}").message


def cancelled(place: Place, key: str) -> None:
    at = datetime.fromtimestamp(place.now, UTC)
    data = {"rule": "appointment", "key": key}
    place.store.put_events(
        [Event(id=f"cancel:{place.now}", type="cancel", at=at, data=data)], place.now
    ).result()
    place.plan()


def test_what_a_person_cancels_does_not_come_again_unless_its_date_changes(place: Place) -> None:
    place.drop(entered("A", "B"))
    place.plan()
    cancelled(place, '["A"]')
    place.drop(entered("A", "B"), "other.csv")
    place.wait(9 * DAY)
    assert place.texts() == ["B"]
    place.drop(entered("A", days=20), "later.csv")
    place.plan()
    place.wait(10 * DAY)
    assert place.texts() == ["B", "A"]
    cancelled(place, '["A"]')
    assert any("stopped: cancelled, and no reminder waits" in text for text in place_decisions(place))


def place_decisions(place: Place) -> list[str]:
    rows = place.store._database.read("select * from decision order by seq")
    return [f"{row['outcome']}: {row['detail']}" for row in rows]


def test_the_commands_list_a_reminder_and_cancel_it_by_its_key(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "STORE": f"sqlite:///{place.folder}/wbox.db",
        "DATA_DIR": place.folder / "data",
    }.items():
        monkeypatch.setenv(f"WBOX_{name}", str(value))
    monkeypatch.setenv("WBOX_API_KEY", "sk_x")

    def command(*words: str) -> tuple[int, str]:
        ran = CliRunner().invoke(queue, words, obj=place.folder, standalone_mode=False)
        assert ran.exception is None
        return ran.return_value, ran.output

    assert command("list") == (0, "The queue is empty.\n")
    event = place.drop(entered("A", "B"))
    place.plan()
    due = NOW // DAY * DAY + 9 * DAY
    code, text = command("list", "-n", "1")
    assert code == 0
    assert f"waits      at {moment(due)}, for {moment(due + DAY)}  appointment  " in text
    assert text.endswith(
        'today.csv (67 B)  ["A"]\n1 of 2: -n 2 shows all; or use --rule, --event, --state, --to\n'
    )
    assert json.loads(command("list", "--rule", "appointment", "--json")[1])[1] == {
        "id": None,
        "event": event.id,
        "rule": "appointment",
        "kind": "remind",
        "state": "waits",
        "due": iso(due),
        "created": iso(event.at.timestamp()),
        "key": ["B"],
        "at": iso(due + DAY),
    }
    assert command("list", "--rule", "other") == (0, "no matching deliveries\n")
    assert command("list", "--state", "queued") == (0, "no matching deliveries\n")
    place.store.close()
    assert command("cancel", "appointment", "C") == (3, "cancelled: 0 reminders of appointment\n")
    assert command("cancel", "appointment", "A") == (0, "cancelled: 1 reminder of appointment\n")
    place.store = open_store(f"sqlite:///{place.folder}/wbox.db")
    place.restart()
    place.plan()
    assert [one["key"] for one in json.loads(command("list", "--json")[1])] == [["B"]]
