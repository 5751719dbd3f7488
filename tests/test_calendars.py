"""Calendars: the times of events that recur, with their exceptions, and what was moved or cancelled."""

import io
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rulebook import mistake
from test_readers import OWN_ZONE

from wbox_notify.engine.rule_tests import run
from wbox_notify.errors import WboxError
from wbox_notify.rules.loading import load
from wbox_notify.triggers.file.readers import calendar
from wbox_notify.triggers.file.readers.text import Row
from wbox_notify.triggers.file.rows import Reading, rows

ISTANBUL = ZoneInfo("Europe/Istanbul")
NOW = datetime(2026, 11, 24, 15, 0, tzinfo=ISTANBUL)
MONDAYS = """
UID:1
SUMMARY:Weekly
DTSTART;TZID=Turkey Standard Time:20200106T140000
DTEND;TZID=Turkey Standard Time:20200106T150000
RRULE:FREQ=WEEKLY;BYDAY=MO
"""


def a_calendar(*events: str, before: str = "") -> str:
    parts = [f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT" for event in events]
    return "\r\n".join(
        ["BEGIN:VCALENDAR", *before.split(), *"\n".join(parts).split("\n"), "END:VCALENDAR", ""]
    )


def read(*events: str, before: str = "", days: int = 21) -> list[Row]:
    reading = Reading(kind="ics", ahead=days * 86400.0).at(NOW)
    return list(rows(io.BytesIO(a_calendar(*events, before=before).encode()), "x.ics", reading))


def starts(*events: str, **how: Any) -> list[str]:
    found = read(*events, **how)
    assert [row.problem for row in found if row.problem] == []
    return [row.value["start"] for row in found]


def test_an_event_that_recurs_is_given_at_each_of_its_times_from_today_on() -> None:
    first, second, third = read(
        MONDAYS.replace("BYDAY=MO", "BYDAY=TU,WE;INTERVAL=2"), "UID:2\nDTSTART:20200101", days=14
    )
    assert (first.number, first.value["uid"], first.value["repeats"]) == (1, "2", False)
    assert (second.number, third.number) == (2, 3)
    assert second.value == {
        "uid": "1",
        "summary": "Weekly",
        "description": "",
        "location": "",
        "url": "",
        "status": "",
        "sequence": 0,
        "start": "2026-12-01T14:00:00+03:00",
        "end": "2026-12-01T15:00:00+03:00",
        "original": "2026-12-01T14:00:00+03:00",
        "all_day": False,
        "repeats": True,
    }
    assert third.value["start"] == "2026-12-02T14:00:00+03:00"


def test_what_was_earlier_today_is_given_too() -> None:
    assert starts("UID:1\nDTSTART;TZID=Europe/Istanbul:20200101T090000\nRRULE:FREQ=DAILY", days=1) == [
        "2026-11-24T09:00:00+03:00",
        "2026-11-25T09:00:00+03:00",
    ]


def test_times_are_left_out_and_put_in() -> None:
    more = """
EXDATE;TZID=Europe/Istanbul:20261130T140000,20261207T140000
EXDATE:20261214T110000Z
RDATE;TZID=Europe/Istanbul:20261126T100000
RDATE;VALUE=PERIOD:20261127T070000Z/PT1H
"""
    assert starts(MONDAYS + more.strip(), days=28) == [
        "2026-11-26T10:00:00+03:00",
        "2026-11-27T07:00:00+00:00",
        "2026-12-21T14:00:00+03:00",
    ]


def test_what_was_moved_or_cancelled_stands_in_its_place() -> None:
    moved = """
UID:1
SEQUENCE:3
SUMMARY:Moved
RECURRENCE-ID;TZID=Europe/Istanbul:20261130T140000
DTSTART;TZID=Europe/Istanbul:20261201T160000
DTEND;TZID=Europe/Istanbul:20261201T170000
"""
    cancelled = """
UID:1
STATUS:CANCELLED
SUMMARY:Weekly
RECURRENCE-ID:20261207T110000Z
DTSTART;TZID=Europe/Istanbul:20261207T140000
"""
    found = [row.value for row in read(MONDAYS, moved, cancelled)]
    assert [(event["start"], event["original"], event["summary"], event["status"]) for event in found] == [
        ("2026-12-01T16:00:00+03:00", "2026-11-30T14:00:00+03:00", "Moved", ""),
        ("2026-12-07T14:00:00+03:00", "2026-12-07T14:00:00+03:00", "Weekly", "CANCELLED"),
        ("2026-12-14T14:00:00+03:00", "2026-12-14T14:00:00+03:00", "Weekly", ""),
    ]
    assert [event["sequence"] for event in found] == [3, 0, 0]
    later = moved.replace("RECURRENCE-ID;", "RECURRENCE-ID;RANGE=THISANDFUTURE;")
    assert [(row.value["start"], row.value["original"]) for row in read(MONDAYS, later, days=22)] == [
        ("2026-12-01T16:00:00+03:00", "2026-11-30T14:00:00+03:00"),
        ("2026-12-08T16:00:00+03:00", "2026-12-07T14:00:00+03:00"),
        ("2026-12-15T16:00:00+03:00", "2026-12-14T14:00:00+03:00"),
    ]


def test_one_time_of_a_series_that_comes_alone_is_given_as_it_is() -> None:
    lone = "UID:1\nRECURRENCE-ID:20261130T110000Z\nDTSTART:20261201T110000Z"
    [told] = read(lone, before="METHOD:CANCEL")
    assert (told.value["start"], told.value["original"], told.value["status"]) == (
        "2026-12-01T11:00:00+00:00",
        "2026-11-30T11:00:00+00:00",
        "CANCELLED",
    )


def test_days_recur_as_days_and_times_without_a_zone_without_one() -> None:
    [birthday] = read("UID:1\nDTSTART;VALUE=DATE:19801124\nRRULE:FREQ=YEARLY", days=300)
    assert (birthday.value["start"], birthday.value["all_day"]) == ("2026-11-24T00:00:00", True)
    assert starts("UID:1\nDTSTART:20261101T090000\nRRULE:FREQ=DAILY;COUNT=25") == [
        "2026-11-24T09:00:00",
        "2026-11-25T09:00:00",
    ]
    leap = starts("UID:1\nDTSTART;VALUE=DATE:20000229\nRRULE:FREQ=YEARLY", days=1200)
    assert leap == ["2028-02-29T00:00:00"]


@pytest.mark.parametrize(
    ("zone", "before", "expected"),
    [
        ("Europe/Berlin", "", ["2027-03-21T09:00:00+01:00", "2027-03-28T09:00:00+02:00"]),
        ("W. Europe Standard Time", "", ["2027-03-21T09:00:00+01:00", "2027-03-28T09:00:00+02:00"]),
        ("Mine", OWN_ZONE, ["2027-03-21T09:00:00+01:00", "2027-03-28T09:00:00+02:00"]),
    ],
)
def test_a_time_stays_the_same_on_the_clock_where_the_clock_changes(
    zone: str, before: str, expected: list[str]
) -> None:
    text = f"UID:1\nDTSTART;TZID={zone}:20261004T090000\nRRULE:FREQ=WEEKLY;UNTIL=20270328T235900Z"
    assert starts(text, before=before, days=200)[-2:] == expected


@pytest.mark.parametrize(
    ("lines", "end"),
    [
        ("DTSTART:20261201T090000Z\nDURATION:PT1H30M", "2026-12-01T10:30:00+00:00"),
        ("DTSTART;VALUE=DATE:20261201\nDURATION:P2D", "2026-12-03T00:00:00"),
        ("DTSTART:20261201T090000Z\nDURATION:P1W", "2026-12-08T09:00:00+00:00"),
        ("DTSTART:20261201T090000Z\nDURATION:nonsense", ""),
        ("DTSTART:20261201T090000Z", ""),
        ("DTSTART:20200101T090000Z\nRRULE:FREQ=DAILY\nDURATION:PT15M", "2026-11-24T09:15:00+00:00"),
        ("DTSTART:20200101T090000Z\nRRULE:FREQ=DAILY", ""),
    ],
)
def test_an_event_ends_at_its_end_or_after_its_duration(lines: str, end: str) -> None:
    assert read(f"UID:1\n{lines}")[0].value["end"] == end


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("FREQ=SECONDLY", "it recurs SECONDLY, which is none of DAILY, WEEKLY, MONTHLY, YEARLY"),
        ("FREQ=HOURLY;COUNT=3", "it recurs HOURLY"),
        ("COUNT=3", "it recurs without FREQ"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL in its RRULE is not supported with DAILY"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "BYMONTHDAY in its RRULE is not supported with DAILY"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=TU", "BYDAY in its RRULE is not supported with DAILY"),
        ("FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24))), "BYHOUR in its RRULE is not supported"),
        ("FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2", "BYSETPOS in its RRULE is not supported with WEEKLY"),
        ("FREQ=WEEKLY;BYDAY=XX", "its times cannot be worked out: FREQ=WEEKLY;BYDAY=XX"),
        ("FREQ=DAILY;BYHOUR=25", "its times cannot be worked out: FREQ=DAILY;BYHOUR=25"),
        ("FREQ=DAILY;BYMONTH=13", "BYMONTH in its RRULE is not supported with DAILY"),
        ("FREQ=WEEKLY;BYMONTH=0", "BYMONTH in its RRULE is not supported with WEEKLY"),
        ("FREQ=WEEKLY;BYDAY=" + "MO," * 200 + "MO", "BYDAY in its RRULE is not supported"),
    ],
)
def test_a_rule_that_cannot_be_followed_costs_its_series_alone(rule: str, problem: str) -> None:
    found = read(f"UID:1\nDTSTART:20261123T090000Z\nRRULE:{rule}", MONDAYS.replace("UID:1", "UID:2"))
    assert problem in found[0].problem
    assert [row.value["uid"] for row in found[1:]] == ["2", "2", "2"]


@pytest.mark.parametrize(
    ("rule", "days", "expected"),
    [
        ("FREQ=DAILY;BYHOUR=9,17", 1, ["24T09", "24T17", "25T09"]),
        ("FREQ=WEEKLY;WKST=SU;BYDAY=TU,TH;BYHOUR=9;BYMINUTE=0;BYSECOND=0", 7, ["24T09", "26T09", "01T09"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", 40, ["30T09", "31T09"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", 40, ["30T09", "31T09"]),
        ("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", 10, ["26T09"]),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", 1000, []),
        ("FREQ=WEEKLY;UNTIL=20261124", 30, []),
    ],
)
def test_rules_that_programs_write_are_followed(rule: str, days: int, expected: list[str]) -> None:
    found = starts(f"UID:1\nDTSTART:20200107T090000\nRRULE:{rule}", days=days)
    assert [start[8:13] for start in found] == expected


def test_a_series_of_an_unknown_zone_or_from_another_age_is_a_problem() -> None:
    for line, problem in (
        ("DTSTART;TZID=Nowhere:20261123T090000", "the time zone 'Nowhere' is not known"),
        (f"DTSTART;TZID={'a/' * 5000}:20261123T090000", f"the time zone '{'a/' * 50}' is not known"),
        ("DTSTART:00010101T090000", "it recurs from 1 on, which is too long ago"),
        ("SUMMARY:x", "it has no DTSTART"),
        ("DTSTART:20261123T090000\nEXDATE:never", "'never' is not a time"),
    ):
        [row] = read(f"UID:1\nRRULE:FREQ=DAILY\n{line}")
        assert problem in row.problem


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("DTSTART:20261130T090000\nDURATION:P9999W\nDTSTART:99991231T235959Z", "it ends after the year 9999"),
        (f"{MONDAYS}RRULE:FREQ=DAILY", "more than one RRULE, and EXRULE, are not supported"),
        (f"{MONDAYS}EXRULE:FREQ=MONTHLY", "more than one RRULE, and EXRULE, are not supported"),
        (f"{MONDAYS}DTEND:20191231T120000Z", "it ends before it begins"),
    ],
)
def test_what_a_calendar_says_of_a_time_and_is_not_followed_costs_that_event_alone(
    lines: str, problem: str
) -> None:
    wrong, good = sorted(read(lines, "UID:2\nDTSTART:20261130T090000"), key=lambda row: row.value is not None)
    assert (wrong.problem, good.value["uid"]) == (problem, "2")


def test_a_time_and_lists_are_read_as_careless_programs_write_them() -> None:
    assert starts("UID:1\nDTSTART:2026-11-26 10:00\nRDATE:\nEXDATE:20261201T100000,") == [
        "2026-11-26T10:00:00"
    ]


def test_events_without_a_uid_are_not_taken_for_one_series() -> None:
    series = [f"DTSTART:20261125T{hour}0000Z\nRRULE:FREQ=DAILY;COUNT=1" for hour in (10, 11)]
    assert starts(*series) == ["2026-11-25T10:00:00+00:00", "2026-11-25T11:00:00+00:00"]


def test_the_time_that_rows_are_followed_in_does_not_count_as_that_of_the_calendar(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(calendar, "thread_time", lambda: now)
    content = io.BytesIO(a_calendar(MONDAYS, MONDAYS.replace("UID:1", "UID:2")).encode())
    uids = []
    for row in rows(content, "x.ics", Reading(kind="ics", ahead=8 * 86400.0).at(NOW)):
        uids.append(row.value["uid"])
        now += 60.0
    assert uids == ["1", "2"]


def test_too_much_that_recurs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WboxError, match="too many recurring events"):
        read(*[f"{MONDAYS}DESCRIPTION:{'x' * 900_000}"] * 5)
    monkeypatch.setattr(calendar, "_MOST_SECONDS", -1.0)
    with pytest.raises(WboxError, match="takes too long"):
        read(MONDAYS)


ENDS = ("", "COUNT=5", "BYDAY=MO", "UNTIL=20261201", "BYMONTHDAY=31", "BYDAY=-1FR")
NAMES = ("DTEND", "DURATION", "RRULE", "SEQUENCE")
days = st.integers(1, 28).map(lambda day: f"202611{day:02}T090000")
recurrences = st.builds(
    "\n".join,
    st.lists(
        st.one_of(
            st.builds("DTSTART:{}".format, days),
            st.builds("RRULE:FREQ={};INTERVAL={};{}".format,
                      st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]), st.integers(0, 3),
                      st.sampled_from(ENDS)),
            st.builds("EXDATE:{}".format, days),
            st.builds("RDATE:{}Z".format, days),
            st.builds("RECURRENCE-ID;VALUE=DATE:{}".format, days),
            st.builds("{}:{}".format, st.sampled_from(NAMES), st.text("0123 -PTHMZ;=,/ÄX\\", max_size=9)),
        ),
        max_size=6,
    ),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(recurrences, min_size=1, max_size=3))
@example(["DTSTART:20261101T090000\nRRULE:FREQ=DAILY;INTERVAL=1;\nRDATE:20261101T090000Z"])
def test_whatever_recurs_is_given_in_the_span_or_is_a_problem(events: list[str]) -> None:
    for row in read(*events):
        assert bool(row.problem) != bool(row.value)
        if row.value and row.value["repeats"] and row.value["original"]:
            start = datetime.fromisoformat(row.value["start"]).replace(tzinfo=None)
            assert NOW.replace(tzinfo=None) - timedelta(days=400) < start < datetime(2026, 12, 17)  # noqa: DTZ001


RULES = """
version: 1
rules:
  - id: today
    trigger: {schedule: every day 08:00}
    for_each: {e: "events('team.ics', ahead='1d')"}
    if: e.start | date == now | date and e.status != "CANCELLED"
    to: "+905551112233"
    send: {text: "{{ e.start | time }} {{ e.summary }}"}
    tests:
      - name: the appointments of the day
        when:
          - file:
              text: |
                BEGIN:VCALENDAR
                BEGIN:VEVENT
                UID:1
                SUMMARY:Standup
                DTSTART;TZID=Europe/Istanbul:20260105T093000
                RRULE:FREQ=WEEKLY;BYDAY=MO,TU
                EXDATE;TZID=Europe/Istanbul:20261124T093000
                END:VEVENT
                END:VCALENDAR
          - {at: 2026-11-23 08:00, schedule: true}
          - {at: 2026-11-24 08:00, schedule: true}
          - {at: 2026-11-30 08:00, schedule: true}
        until: 1h
        expect:
          - {at: 2026-11-23 08:00, text: 09:30 Standup}
          - {at: 2026-11-30 08:00, text: 09:30 Standup}
"""


def test_a_schedule_tells_what_is_today(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "all.yaml").write_text(RULES, encoding="utf-8")
    (tmp_path / "wbox-notify.yaml").write_text("version: 1\ndefaults: {tz: Europe/Istanbul}\n")
    project = load(tmp_path, {"WBOX_API_KEY": "sk_x"})
    [today] = project.rules
    assert run(project, today, today.tests[0]).complaints == ()


def test_how_far_ahead_is_only_for_calendars(tmp_path: Path) -> None:
    found = mistake(
        tmp_path, "trigger: {file: {path: x, read: {as: csv, ahead: 1d}}}\nfor_each: {row: file.rows}"
    )
    assert found.message == "`ahead` is for file.events, not for csv"
