"""The filters for people: what they show, in which language and zone, and what they refuse."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wbox_notify.templates import TemplateError, Templates
from wbox_notify.templates.filters import Locale

ISTANBUL = timezone(timedelta(hours=3))
NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)

templates = Templates()


def render(source: str, **data: Any) -> str:
    return templates.text(source).render(data)


@pytest.mark.parametrize(
    ("size", "english", "turkish"),
    [
        (0, "0 B", "0 B"),
        (512, "512 B", "512 B"),
        (1023, "1023 B", "1023 B"),
        (1024, "1 kB", "1 kB"),
        (4810, "4.7 kB", "4,7 kB"),
        (48210, "47 kB", "47 kB"),
        (10_189, "10 kB", "10 kB"),
        (1_048_575, "1 MB", "1 MB"),
        (52_428_800, "50 MB", "50 MB"),
        (1.5 * 1024**4, "1.5 TB", "1,5 TB"),
        (5000 * 1024**5, "5000 PB", "5000 PB"),
    ],
)
def test_filesize(size: float, english: str, turkish: str) -> None:
    assert Locale().numbers.filesize(size) == english
    assert Locale(lang="tr-TR").numbers.filesize(size) == turkish


@pytest.mark.parametrize("wrong", ["48210", None, True, -1, float("nan"), float("inf"), [1]])
def test_filesize_of_anything_else_is_an_error(wrong: Any) -> None:
    with pytest.raises(TemplateError, match="filesize needs a number of bytes"):
        render("{{ x | filesize }}", x=wrong)


@pytest.mark.parametrize(
    ("lang", "date", "month"),
    [
        ("en", "2026-11-23", "23 Nov"),
        ("tr", "23.11.2026", "23 Kas"),
        ("de_DE", "23.11.2026", "23 Nov."),
        ("fr", "23/11/2026", "23 nov."),
        ("ja", "2026/11/23", "23 11月"),
    ],
)
@pytest.mark.parametrize(
    "moment", [NOW, "2026-11-23T06:00:00Z", "2026-11-23 09:00", NOW.timestamp(), int(NOW.timestamp())]
)
def test_times_are_shown_in_the_zone_and_language_of_the_readers(
    moment: Any, lang: str, date: str, month: str
) -> None:
    local = Templates(tz=ISTANBUL, lang=lang)
    shown = local.text("{{ x | date }}|{{ x | datetime }}|{{ x | time }}|{{ x | date('%d %b') }}").render(
        {"x": moment}
    )
    assert shown == f"{date}|{date} 09:00|09:00|{month}"


def test_a_date_alone_is_the_same_day_in_every_zone() -> None:
    for zone in (ISTANBUL, timezone(timedelta(hours=-9))):
        local = Templates(tz=zone).text("{{ '2026-11-23' | date }} {{ day | date }}")
        assert local.render({"day": NOW.date()}) == "2026-11-23 2026-11-23"


def test_a_bare_time_is_iso_8601_in_the_zone_of_the_readers() -> None:
    assert Templates(tz=ISTANBUL).text("{{ x }}").render({"x": NOW}) == "2026-11-23T09:00"


@pytest.mark.parametrize(
    "wrong",
    ["", "soon", True, [], {}, 10**18, float("nan"), "170000000", datetime.max.replace(tzinfo=UTC)],
)
def test_what_is_not_a_time_is_an_error(wrong: Any) -> None:
    with pytest.raises(TemplateError, match="is not a time"):
        Templates(tz=ISTANBUL).text("{{ x | datetime }}").render({"x": wrong})


ARGUMENTS = {"currency": "('TRY')", "groupby": "('a')", "plural": "('a', 'b')"}
PEOPLE = [
    Templates(tz=ISTANBUL, lang="tr").text(f"{{{{ x | {name}{ARGUMENTS.get(name, '')} }}}}")
    for name in Locale().filters()
]


@given(
    st.text() | st.integers() | st.floats() | st.datetimes() | st.none() | st.booleans() | st.lists(st.text())
)
def test_every_filter_for_people_is_total(data: Any) -> None:
    for template in PEOPLE:
        try:
            template.render({"x": data})
        except TemplateError as error:
            assert error.problem  # noqa: PT017 - an answer or a TemplateError, nothing else


@pytest.mark.parametrize(
    ("text", "line"), [("Fix\n\nlong", "Fix"), ("\n  a \nb", "a"), ("", ""), (None, ""), (7, "7")]
)
def test_firstline(text: Any, line: str) -> None:
    assert Locale().firstline(text) == line


def test_what_never_was_has_no_time_to_show() -> None:
    source = "{{ x | date }}{{ x | datetime('long') }}{{ x | time }}{{ x | ago }}{{ x | duration }}"
    assert render(source, x=None) == ""
    assert render("{{ x | ago or 'never' }}", x=None) == "never"


def test_turkish_letters_keep_their_dots() -> None:
    turkish = Templates(lang="tr")
    for source, shown in [
        ("'istanbul'.upper() ~ 'ILICA'.lower() ~ 'izmir'.title()", "İSTANBUL\u0131l\u0131caİzmir"),
        ("'I\u0307ZM\u0130R' | lower", "izmir"),
        ("'i\u0307zmir' | upper", "İZMİR"),
        ('"ali\'nin evi" | title', "Ali'nin Evi"),
        ("'(iç) DIŞ-iç' | title", "(İç) D\u0131ş-İç"),
        ("'istanbul \u0131l\u0131ca' | upper", "İSTANBUL ILICA"),
        ("'I\u011eDIR İL' | lower", "\u0131ğd\u0131r il"),
        ("'izmir' | capitalize", "İzmir"),
        ("'\u0131lgaz ilçe' | title", "Ilgaz İlçe"),
    ]:
        assert turkish.expression(source).value({}) == shown
    assert render("{{ 'istanbul' | upper }} {{ 'IT' | lower }}") == "ISTANBUL it"
    assert render('{{ "ali\'nin evi".title() }} {{ "ali\'nin" | title }}') == "Ali'nin Evi Ali'nin"


@given(
    st.lists(st.sampled_from([*"a1 *_~`.>-/\n\u200c\x00", "https://a.b/", "> ", "- ", "1. "])).map("".join)
)
def test_plain_leaves_nothing_that_whatsapp_would_obey(text: str) -> None:
    """It formats between two marks at the edges of words, and lines that begin in a certain way."""
    shown = Locale().plain(text)
    words = re.sub(r"(?<![^\W_])https://[^\s`\u200c]*[^\s`\u200c.*_~]", "", shown)
    assert not re.search("(?<!\u200c)[*_~`]|[*_~`](?!\u200c)", words)
    assert not re.search(r"^\s*(?:[>*-]|\d+\.)\s", shown, re.MULTILINE)
    assert shown.replace("\u200c", "") == re.sub("[\u200c\0]", "", text)
    assert Locale().plain(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://x.com/a_b?c=~d, a_b", "see https://x.com/a_b?c=~d, a\u200c_\u200cb"),
        ("(https://x.com/a_)", "(https://x.com/a\u200c_\u200c)"),
        (
            "> no quote\n  - no item\n12. no number",
            "\u200c> no quote\n  \u200c- no item\n\u200c12. no number",
        ),
        ("1 > 0 - 1. x\n-5\n1.5 kg", "1 > 0 - 1. x\n-5\n1.5 kg"),
    ],
)
def test_plain_changes_neither_addresses_nor_what_means_nothing(text: str, shown: str) -> None:
    assert Locale().plain(text) == shown


def test_plain_keeps_the_formatting_of_the_template() -> None:
    assert render("*{{ name | plain }}*", name="a_b.pdf") == "*a\u200c_\u200cb.pdf*"


def test_tojson_is_for_reading() -> None:
    shown = render("{{ x | tojson(2) }}", x={"ş": ["<", NOW]})
    assert shown == '{\n  "ş": [\n    "<",\n    "2026-11-23T06:00"\n  ]\n}'


@pytest.mark.parametrize(
    ("source", "result"),
    [
        (r"{{ x | regex_search('no\\. (\\d+)') }}", "42"),
        ("{{ x | regex_search('[a-z]+') }}", "rder"),
        ("{{ x | regex_search('zzz') }}", ""),
        (r"{{ x | regex_replace('\\d', '#') }}", "Order no. ## of Ayşe"),
        (r"{{ x | regex_replace('(no)', '<\\1>') }}", "Order <no>. 42 of Ayşe"),
        (r"{{ x | regex_replace('(?P<of>no)', 'ş€ \\g<of>\\g<0>') }}", "Order ş€ nono. 42 of Ayşe"),
        (r"{{ x | regex_replace('no.*', 'a\\\\b\\t\\d') }}", "Order a\\b\t\\d"),
        (r"{{ x | regex_search('(4)', 'ş\\1') | first }}", "ş4"),
        ("{{ x is search('Ay.e$') }} {{ x is match('no') }} {{ x is match('Ord') }}", "True False True"),
    ],
)
def test_patterns(source: str, result: str) -> None:
    assert render(source, x="Order no. 42 of Ayşe") == result


@pytest.mark.parametrize("pattern", ["(", "(?=x)", "(a)\\1", "[z-a]", "a{2000}"])
def test_what_is_no_pattern_is_an_error(pattern: str) -> None:
    with pytest.raises(TemplateError, match="not a pattern"):
        render("{{ 'x' is search(p) }}", p=pattern)


def test_a_pattern_of_something_else_is_an_error() -> None:
    with pytest.raises(TemplateError, match="needs a text"):
        render("{{ 5 is search('x') }}")


def test_K09_a_pattern_that_makes_other_engines_hang_ends_at_once() -> None:
    assert render("{{ x is search('(a+)+$') }}", x="a" * 60_000 + "!") == "False"


def test_a_replacement_that_would_be_huge_is_an_error() -> None:
    with pytest.raises(TemplateError):
        render("{{ x | regex_replace('a', x) }}", x="a" * 60_000)


@given(st.text(max_size=40), st.text(max_size=15))
def test_any_text_and_any_pattern_give_an_answer_or_an_error(text: str, pattern: str) -> None:
    for source in ("{{ x is search(p) }}", "{{ x | regex_replace(p, 'y') }}", "{{ x | regex_search(p) }}"):
        with suppress(TemplateError):
            render(source, x=text, p=pattern)
