"""People: zones, languages, tags, quiet hours and turns, and who is meant by a text at a moment."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rulebook import project, rule_file

from wbox_notify.errors import MessageError
from wbox_notify.rules.project import Project
from wbox_notify.rules.recipients import Contact, OnCall
from wbox_notify.triggers.schedule.wallclock import moment
from wbox_notify.triggers.schedule.windows import Window

PEOPLE = """\
version: 1
contacts:
  ayse: {phone: "+905551112233", name: Ayşe, tz: Europe/Berlin, lang: de, quiet_hours: night, tags: [ops, a]}
  mehmet: {phone: "+905552223344", quiet_hours: [Sat, 23:00-06:00], tags: ops}
  plain: "+905553334455"
groups:
  office: [tag:a, duty, plain]
on_call:
  duty: {rotate: [ayse, mehmet], every: 1w, from: "2026-01-05 09:00"}
  abroad: {rotate: "+4915112345678", every: 2d, from: "2026-01-05 09:00", tz: Europe/Berlin}
time_windows:
  night: 22:00-07:30
"""
AYSE = Contact(
    "Ayşe",
    "905551112233",
    ZoneInfo("Europe/Berlin"),
    "de",
    Window.parse("22:00-07:30"),
    frozenset({"ops", "a"}),
)
MEHMET = Contact(
    "mehmet", "905552223344", quiet_hours=Window.parse("Sat", "23:00-06:00"), tags=frozenset({"ops"})
)
PLAIN = Contact("plain", "905553334455")
FIRST_WEEK = datetime(2026, 1, 6, tzinfo=UTC)
SECOND_WEEK = datetime(2026, 1, 13, tzinfo=UTC)


@pytest.fixture
def people(tmp_path: Path) -> Project:
    found = project(tmp_path, {"wbox-notify.yaml": f"{PEOPLE}defaults: {{tz: Europe/Istanbul}}\n"})
    assert found.problems == ()
    return found


def test_a_contact_has_all_that_its_entry_says(people: Project) -> None:
    assert people.people.contacts == {"ayse": AYSE, "mehmet": MEHMET, "plain": PLAIN}
    assert people.contact("905551112233") is people.people.contacts["ayse"]
    assert people.contact("905559999999") == Contact("+905559999999", "905559999999")


@pytest.mark.parametrize("phone", ["4740612345", "901551234567", "5215512345678"])
def test_a_number_of_the_store_is_a_contact_however_short_or_new(people: Project, phone: str) -> None:
    assert people.contact(phone) == Contact(f"+{phone}", phone)


@pytest.mark.parametrize(
    ("text", "now", "contacts"),
    [
        ("tag:ops", None, (AYSE, MEHMET)),
        ("tag: a, plain", None, (AYSE, PLAIN)),
        ("duty", FIRST_WEEK, (AYSE,)),
        ("duty", SECOND_WEEK, (MEHMET,)),
        ("duty, ayse", FIRST_WEEK, (AYSE,)),
        ("office", SECOND_WEEK, (AYSE, MEHMET, PLAIN)),
        ("abroad", FIRST_WEEK, (Contact("+4915112345678", "4915112345678"),)),
    ],
)
def test_a_text_names_tags_and_turns(
    people: Project, text: str, now: datetime | None, contacts: tuple[Contact, ...]
) -> None:
    assert people.recipients(text, now) == contacts


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("tag:opz", "no contact has the tag `opz`", "did you mean `ops`?"),
        ("dutty", "neither a contact nor a group", "did you mean `duty`?"),
        ("DUTY", "neither a contact nor a group", "did you mean `duty`?"),
        ("duty", "is an on-call rotation", None),
        ('["+905551112233", "+905552223344"]', "names a list", "join it: {{ … | join(', ') }}"),
    ],
)
def test_nobody_is_meant_by_an_unknown_tag_or_a_turn_without_a_moment(
    people: Project, text: str, message: str, hint: str | None
) -> None:
    with pytest.raises(MessageError, match=message) as caught:
        people.recipients(text)
    assert caught.value.hint == hint


def test_turns_have_the_zone_of_the_settings_if_not_their_own(people: Project) -> None:
    zones = [turn.zone for turn in people.people.on_call.values()]
    assert zones == [ZoneInfo("Europe/Istanbul"), ZoneInfo("Europe/Berlin")]


BERLIN = ZoneInfo("Europe/Berlin")
TURNS = OnCall("duty", (AYSE, MEHMET, PLAIN), 7, datetime(2026, 3, 2, 9), BERLIN)  # noqa: DTZ001 - a wall clock


@pytest.mark.parametrize(
    ("wall", "who"),
    [
        ("2020-01-01 00:00", AYSE),
        ("2026-03-02 08:59", AYSE),
        ("2026-03-09 08:59", AYSE),
        ("2026-03-09 09:00", MEHMET),
        ("2026-03-23 09:00", AYSE),
        ("2026-03-30 08:59", AYSE),
        ("2026-03-30 09:00", MEHMET),
        ("2027-03-01 09:00", MEHMET),
    ],
)
def test_turns_change_at_the_same_time_of_day_all_year(wall: str, who: Contact) -> None:
    assert TURNS.at(datetime.fromisoformat(wall).replace(tzinfo=BERLIN)) is who
    assert TURNS.at(datetime.fromisoformat(wall).replace(tzinfo=BERLIN).astimezone(UTC)) is who


def test_a_turn_is_not_given_back_when_clocks_go_back() -> None:
    turns = OnCall("duty", (AYSE, MEHMET), 1, datetime(2026, 10, 20, 2, 30), BERLIN)  # noqa: DTZ001 - a wall clock
    start = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    seen = [turns.at(start + timedelta(minutes=minute)) for minute in range(0, 180, 5)]
    assert sum(one is not other for one, other in pairwise(seen)) == 1


@settings(deadline=None)
@given(
    st.datetimes(datetime(2026, 3, 2, 9), datetime(2028, 1, 1)),  # noqa: DTZ001 - wall clocks
    st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/Havana", "UTC"]),
)
def test_a_turn_lasts_from_its_first_moment_to_that_of_the_next(wall: datetime, zone: str) -> None:
    turns = OnCall("duty", (AYSE, MEHMET, PLAIN), 1, datetime(2026, 3, 2, 2, 15), ZoneInfo(zone))  # noqa: DTZ001
    now = wall.replace(tzinfo=UTC)
    begun = [
        day
        for day in range((wall - turns.start).days - 2, (wall - turns.start).days + 3)
        if moment(turns.start + timedelta(days=day), turns.zone) <= now
    ]
    assert turns.at(now) is turns.rotation[begun[-1] % 3]
    one, two = turns.turns(now, now + timedelta(hours=26))[:2]
    assert (one.contact, one.end) == (turns.at(now), two.start)
    assert one.start <= now < one.end
    assert two.contact is turns.at(two.start) is not turns.at(two.start - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("line", "code", "place", "message", "hint"),
    [
        ("contacts: {a: {phone: 905551112233, tz: Mars}}", "WBX215", (2, 41), "no time zone Mars", None),
        ("contacts: {a: {phone: 905551112233, tz: 5}}", "WBX213", (2, 41), "`tz` must be text", "quotes"),
        (
            "contacts: {a: {phone: 905551112233, lang: Turkish}}",
            "WBX215",
            (2, 43),
            "code of a language",
            "tr",
        ),
        (
            "contacts: {a: {phone: 905551112233, tags: 'a,b'}}",
            "WBX215",
            (2, 43),
            "a word without commas",
            None,
        ),
        ("contacts: {a: {phone: 905551112233, quiet_hours: nite}}", "WBX327", (2, 50), "`nite`", None),
        ("groups: {a: [tag:x]}", "WBX303", (2, 14), "no contact has the tag `x`", None),
        ("on_call: {a: {rotate: [b], every: 1w, from: 2026-01-05 09:00}}", "WBX303", (2, 24), "`b` is", None),
        (
            "on_call: {a: {rotate: [], every: 1w, from: 2026-01-05 09:00}}",
            "WBX215",
            (2, 23),
            "is empty",
            None,
        ),
        (
            "on_call: {a: {rotate: 905551112233, every: 36h, from: 2026-01-05 09:00}}",
            "WBX215",
            (2, 44),
            "a number of whole days",
            "1d or 1w",
        ),
        (
            "on_call: {a: {rotate: 905551112233, every: 1, from: 2026-01-05 09:00}}",
            "WBX215",
            (2, 44),
            "`1` is not a duration",
            None,
        ),
        (
            "on_call: {a: {rotate: 905551112233, every: 1w, from: Monday}}",
            "WBX215",
            (2, 54),
            "`Monday` is not a date with a time",
            "2026-11-23 14:00",
        ),
        ("on_call: {a: {rotate: 905551112233, every: 1w}}", "WBX212", (2, 11), "the key `from` is", None),
        ("on_call: {a: ayse}", "WBX213", (2, 14), "`a` must be a map", None),
        ("time_windows: {a: 22-07}", "WBX327", (2, 19), "not a window of time", "22:00-07:30"),
        (
            "time_windows: {a: [22:00-07:30, Mno]}",
            "WBX327",
            (2, 33),
            "`Mno` is neither a window nor a day",
            None,
        ),
        ("time_windows: {a: {b: c}}", "WBX213", (2, 19), "`a` must be text, not a map", None),
        ("time_windows: {5: 22:00-07:30}", "WBX215", (2, 16), "`5` cannot be a name", None),
        ("owner: nobody", "WBX303", (2, 8), "`nobody` is neither a contact nor a group", None),
        ("owner: '0555'", "WBX302", (2, 8), "has no country code", None),
    ],
)
def test_each_mistake_about_people_has_its_place(
    tmp_path: Path, line: str, code: str, place: tuple[int, int], message: str, hint: str | None
) -> None:
    (problem,) = project(tmp_path, {"wbox-notify.yaml": f"version: 1\n{line}\n"}).problems
    assert (problem.code, (problem.line, problem.column)) == (code, place)
    assert message in problem.message
    assert hint is None or hint in (problem.hint or "")


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("owner: '444 1 555'", (3, 8)),
        ("contacts: {a: '444 1 555'}", (3, 15)),
        ("contacts: {a: {name: A, phone: '444 1 555'}}", (3, 32)),
        ("groups: {a: ['+905551112233', '444 1 555']}", (3, 31)),
        ("on_call: {a: {rotate: '444 1 555', every: 1w, from: 2026-01-05 09:00}}", (3, 23)),
    ],
)
def test_a_number_without_whatsapp_is_warned_of_at_its_place(
    tmp_path: Path, line: str, place: tuple[int, int]
) -> None:
    text = f"version: 1\ndefaults: {{region: TR}}\n{line}\n"
    (problem,) = project(tmp_path, {"wbox-notify.yaml": text}).problems
    assert (problem.code, problem.severity, (problem.line, problem.column)) == ("WBX339", "warning", place)
    assert problem.message == "+904441555 cannot have WhatsApp: it is the nationwide number of a company"


def test_a_recipient_without_whatsapp_is_warned_of_and_a_contact_only_once(tmp_path: Path) -> None:
    text = rule_file('to: [a, "+901551234567, +905551112233"]') + "contacts: {a: '+904441555'}\n"
    found = project(tmp_path, {"rules/a.yaml": text})
    assert [(one.code, one.line, one.message[:13]) for one in found.problems] == [
        ("WBX339", 5, "+901551234567"),
        ("WBX339", 8, "+904441555 ca"),
    ]
    assert [one.severity for one in found.problems] == ["warning", "warning"]
    assert [one.phone for one in found.rules[0].to if isinstance(one, Contact)] == [
        "904441555",
        "901551234567",
        "905551112233",
    ]


@pytest.mark.parametrize(
    "text", ["https://wa.me/905551112233", "wa.me/905551112233", "905551112233@c.us", "tel:+905551112233"]
)
def test_a_recipient_may_be_written_as_whatsapp_writes_it(tmp_path: Path, text: str) -> None:
    found = project(tmp_path, {"rules/a.yaml": rule_file(f'to: "{text}"')})
    assert found.problems == ()
    assert found.rules[0].to == (Contact("+905551112233", "905551112233"),)


def test_turns_are_taken_by_contacts_only(tmp_path: Path) -> None:
    text = PEOPLE.replace("rotate: [ayse, mehmet]", "rotate: [ayse, office]")
    (problem,) = [
        one
        for one in project(tmp_path, {"rules/a.yaml": text}).problems
        if "contacts take turns" in one.message
    ]
    assert (problem.code, problem.line, problem.column) == ("WBX305", 9, 25)


def test_a_name_is_given_once_to_contacts_groups_and_turns(tmp_path: Path) -> None:
    text = f"{PEOPLE}  night: Sat\n"
    more = "version: 1\non_call: {plain: {rotate: ayse, every: 1d, from: 2026-01-05 09:00}}\n"
    more += "time_windows: {night: Sat}\n"
    found = project(tmp_path, {"rules/a.yaml": text.replace("  night: Sat\n", ""), "rules/b.yaml": more})
    assert [(one.file, one.code, one.line) for one in found.problems] == [
        ("rules/b.yaml", "WBX304", 2),
        ("rules/b.yaml", "WBX304", 3),
    ]


def test_who_names_a_broken_turn_or_window_is_told(tmp_path: Path) -> None:
    people = "version: 1\ncontacts: {a: {phone: '+905551112233', quiet_hours: night}}\n"
    people += "on_call: {duty: {rotate: a, every: 5h, from: 2026-01-05 09:00}}\ntime_windows: {night: late}\n"
    found = project(
        tmp_path, {"wbox-notify.yaml": people, "rules/a.yaml": rule_file("to: [a, duty]\nquiet_hours: night")}
    )
    told = [one.message for one in found.problems if one.file == "rules/a.yaml"]
    assert told == [
        "`a` cannot be used: its entry has an error",
        "`duty` cannot be used: its entry has an error",
        "the window `night` cannot be used: its entry has an error",
    ]


def test_an_owner_may_be_anybody_that_a_rule_can_name(tmp_path: Path) -> None:
    for owner in ("ayse", "duty", "office", "tag:ops", "+905551112233"):
        found = project(tmp_path, {"wbox-notify.yaml": f'{PEOPLE}owner: "{owner}"\n'})
        assert (found.problems, found.settings.owner) == ((), owner)
