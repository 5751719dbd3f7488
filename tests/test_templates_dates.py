"""Times as people and programs write them: read as they are meant, or refused by their name."""

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rulebook import mistake, project, rule_file

from wbox_notify.engine.rule_tests import run_all
from wbox_notify.templates import TemplateError, Templates
from wbox_notify.templates.dates import iso, read_time

ISTANBUL = timezone(timedelta(hours=3))
HALF_PAST_TWO = datetime(2026, 11, 29, 14, 30, tzinfo=ISTANBUL)
DAY = date(2026, 11, 29)


@pytest.mark.parametrize(
    "written",
    [
        HALF_PAST_TWO,
        HALF_PAST_TWO.astimezone(UTC),
        HALF_PAST_TWO.replace(tzinfo=None),
        1795951800,
        1795951800.0,
        1795951800000,
        "1795951800",
        "1795951800.0",
        "1795951800000",
        "2026-11-29T14:30",
        "2026-11-29T14:30:00+03:00",
        "2026-11-29T11:30:00Z",
        "2026-11-29T11:30:00.123456789Z",
        "2026-11-29 14:30:00",
        "2026-11-29 14:30:00 +0300",
        "2026-11-29 11:30:00 UTC",
        "20261129T113000Z",
        "2026/11/29 14:30",
        "2026-11-29 2:30 PM",
        "29.11.2026 14:30",
        "29.11.2026, 14:30",
        "29.11.2026 14.30",
        "29.11.2026\u00a014:30:00",
        "29/11/2026 14:30",
        "29-11-2026 14:30",
        "29.11.2026 11:30 GMT",
        "29.11.2026 14:30 +03:00",
        "Sun, 29 Nov 2026 14:30:00 +0300",
        "Sun, 29 Nov 2026 11:30:00 GMT",
        "29 Kasım 2026 14:30",
        "29 KASIM 2026 14:30",
        "29 Kas 2026 14:30",
        "29 Kasım 2026 Pazar 14:30",
        "November 29, 2026 2:30 pm",
        "Nov 29, 2026, 2:30 PM",
    ],
    ids=repr,
)
def test_one_time_in_many_forms(written: Any) -> None:
    moment = read_time(written, ISTANBUL, "tr")
    assert isinstance(moment, datetime)
    assert moment.replace(microsecond=0) == HALF_PAST_TWO
    assert moment.tzinfo


@pytest.mark.parametrize(
    ("lang", "written"),
    [
        ("tr", DAY),
        ("tr", "2026-11-29"),
        ("tr", "20261129"),
        ("tr", "29.11.2026"),
        ("tr", " 29.11.2026\n"),
        ("tr", "29/11/2026"),
        ("tr", "29 Kasım 2026"),
        ("en", "29/11/2026"),
        ("en", "11/29/2026"),
        ("en", "29.11.2026"),
        ("de", "29. November 2026"),
        ("de", "Sonntag, 29. November 2026"),
        ("fr", "dimanche 29 novembre 2026"),
        ("fr", "29 nov. 2026"),
        ("es", "29 de noviembre de 2026"),
        ("nl", "29-11-2026"),
        ("nl", "zondag 29 november 2026"),
        ("ar", "29\u200f/11\u200f/2026"),
        ("ar", "29 نوفمبر 2026"),
        ("??", "29 November 2026"),
    ],
)
def test_one_day_in_many_languages(lang: str, written: Any) -> None:
    assert read_time(written, ISTANBUL, lang) == DAY


@pytest.mark.parametrize(
    ("lang", "day"), [("tr", date(2026, 4, 3)), ("fr", date(2026, 4, 3)), ("ar", date(2026, 4, 3))]
)
def test_the_day_is_first_where_the_language_has_it_first(lang: str, day: date) -> None:
    assert read_time("03/04/2026", ISTANBUL, lang) == read_time("03-04-2026", ISTANBUL, lang) == day


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_what_can_be_two_days_is_refused(lang: str) -> None:
    assert read_time("04/04/2026", ISTANBUL, lang) == date(2026, 4, 4)
    assert read_time("03.04.2026", ISTANBUL, lang) == date(2026, 4, 3)
    with pytest.raises(TemplateError, match="'03/04/2026' can be two days"):
        read_time("03/04/2026", ISTANBUL, lang)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "nope",
        "tomorrow",
        "2026-13-45",
        "2026-02-30",
        "31.11.2026",
        "29.11.26",
        "29.11",
        "2026",
        "14:30",
        "29.11.2026 25:00",
        "29.11.2026 13:30 PM",
        "29 Foo 2026",
        "Kasım 2026",
        "202611291430",
        "1e9",
        "1" * 14,
        True,
        None,
        [],
        float("nan"),
        float("inf"),
        10**18,
        46355,
        20261129,
        "29.11.2026" + " " * 10 + "x" * 100,
    ],
)
def test_what_is_no_time_is_named(wrong: Any) -> None:
    with pytest.raises(TemplateError, match="is not a time"):
        read_time(wrong, ISTANBUL, "tr")


@given(st.integers(10**9, 10**10 - 1))
def test_each_form_is_read_as_the_time_that_was_written(seconds: int) -> None:
    moment = datetime.fromtimestamp(seconds, ISTANBUL)
    for form in (
        "%Y-%m-%dT%H:%M:%S",
        "%d.%m.%Y %H:%M:%S",
        "%d/%m/%Y %I:%M:%S %p",
        "%a, %d %b %Y %H:%M:%S +0300",
    ):
        assert read_time(moment.strftime(form), ISTANBUL, "tr") == moment
    for epoch in (seconds, seconds * 1000, str(seconds), str(seconds * 1000)):
        assert read_time(epoch, ISTANBUL, "tr") == moment


@given(st.text() | st.text(st.sampled_from("0123456789 .:/-+TZ")) | st.floats() | st.integers())
def test_anything_else_is_read_or_refused(value: Any) -> None:
    try:
        moment = iso(value, ISTANBUL, "tr")
    except TemplateError as error:
        assert error.problem  # noqa: PT017 - an answer or a TemplateError, nothing else
    else:
        assert iso(moment, ISTANBUL, "tr") == moment


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("2026-12-01T14:00", "2026-12-01T14:00"),
        ("2026-12-01T14:00:30", "2026-12-01T14:00:30"),
        ("2026-12-01T11:00:00Z", "2026-12-01T14:00"),
        ("01.12.2026 14:00", "2026-12-01T14:00"),
        ("1 Aralık 2026", "2026-12-01"),
        ("1796122800", "2026-12-01T14:00"),
        ("", ""),
    ],
)
def test_the_start_of_an_invitation_is_sent_as_wbox_takes_it(written: str, sent: str) -> None:
    start = Templates(tz=ISTANBUL, lang="tr").moment("{{ body.start }}")
    assert start.render({"body": {"start": written}}) == sent


INVITATION = """
    trigger: {webhook: {path: a, open: true}}
    send: {event: {title: Review, start: "{{ body.start }}"}}
    tests:
      - name: a day first
        when: [{webhook: {body: {start: 01.12.2026 14:00}}}]
        expect: [{event: {title: Review, start: 2026-12-01T14:00}}]
      - name: words
        when: [{webhook: {body: {start: tomorrow}}}]
        expect: []
"""


def test_what_is_no_start_fails_by_its_name_and_sends_nothing(tmp_path: Path) -> None:
    loaded = project(
        tmp_path,
        {"rules/a.yaml": rule_file(INVITATION), "wbox-notify.yaml": "version: 1\ndefaults: {lang: tr}\n"},
    )
    assert loaded.problems == ()
    first, second = run_all(loaded, loaded.rules)
    assert first.passed
    assert "'tomorrow' is not a time" in str(second)


@pytest.mark.parametrize("written", ["tomorrow", "2026-13-45", "nope"])
def test_a_start_that_is_written_out_wrong_is_seen_before_the_first_event(
    tmp_path: Path, written: str
) -> None:
    problem = mistake(tmp_path, f"send: {{event: {{title: Review, start: {written}}}}}")
    assert (problem.code, problem.line, problem.column) == ("WBX306", 5, 42)
    assert f"'{written}' is not a time" in problem.message
