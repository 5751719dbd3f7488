"""Numbers, money, dates and words as the readers of each language write them, and reading them back."""

import subprocess
import sys
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from babel.localedata import locale_identifiers
from hypothesis import given
from hypothesis import strategies as st
from rulebook import project, rule_file

from wbox_notify.engine.rule_tests import run_all
from wbox_notify.templates import TemplateError, Templates
from wbox_notify.templates.cldr import Language
from wbox_notify.templates.dates import read_time
from wbox_notify.templates.filters import Locale

ISTANBUL = timezone(timedelta(hours=3))
NOW = datetime(2026, 11, 29, 14, 30, tzinfo=ISTANBUL)
DATA: dict[str, Any] = {"now": NOW, "t": NOW, "b": NOW - timedelta(hours=3), "c": NOW + timedelta(days=2)}
LANGUAGES = ("tr", "en", "de", "fr", "es", "nl", "ar")


def show(source: str, lang: str = "en", **data: Any) -> str:
    """Return what a message shows, with plain spaces and without marks of direction."""
    shown = Templates(tz=ISTANBUL, lang=lang).text(f"{{{{ {source} }}}}").render(DATA | data)
    return " ".join(shown.replace("\u200f", "").split())


def value(source: str, lang: str = "en", **data: Any) -> Any:
    return Templates(tz=ISTANBUL, lang=lang).expression(source).value(DATA | data)


# For each of the languages above, in their order.
SHOWN: dict[str, tuple[str, ...]] = {
    "1234567.5 | number": (
        "1.234.567,5",
        "1,234,567.5",
        "1.234.567,5",
        "1 234 567,5",
        "1.234.567,5",
        "1.234.567,5",
        "1,234,567.5",
    ),
    "1234.5 | number(2)": (
        "1.234,50",
        "1,234.50",
        "1.234,50",
        "1 234,50",
        "1.234,50",
        "1.234,50",
        "1,234.50",
    ),
    "0.125 | number(2)": ("0,13", "0.13", "0,13", "0,13", "0,13", "0,13", "0.13"),
    "1234.5 | currency('TRY')": (
        "₺1.234,50",
        "TRY1,234.50",
        "1.234,50 TRY",
        "1 234,50 TRY",
        "1.234,50 TRY",
        "TRY 1.234,50",
        "1,234.50 TRY",
    ),
    "1234.5 | currency('EUR')": (
        "€1.234,50",
        "€1,234.50",
        "1.234,50 €",
        "1 234,50 €",
        "1.234,50 €",
        "€ 1.234,50",
        "1,234.50 €",
    ),
    "1234.5 | currency('USD', 0)": (
        "$1.235",
        "$1,235",
        "1.235 $",
        "1 235 $US",
        "1.235 US$",
        "US$ 1.235",
        "1,235 US$",
    ),
    "0.256 | percent": ("%26", "26%", "26 %", "26 %", "26 %", "26%", "26%"),
    "0.256 | percent(1)": ("%25,6", "25.6%", "25,6 %", "25,6 %", "25,6 %", "25,6%", "25.6%"),
    "3 | ordinal": ("3.", "3rd", "3.", "3e", "3º", "3e", "3."),
    "t | date": (
        "29.11.2026",
        "2026-11-29",
        "29.11.2026",
        "29/11/2026",
        "29/11/2026",
        "29-11-2026",
        "29/11/2026",
    ),
    "t | datetime": (
        "29.11.2026 14:30",
        "2026-11-29 14:30",
        "29.11.2026 14:30",
        "29/11/2026 14:30",
        "29/11/2026 14:30",
        "29-11-2026 14:30",
        "29/11/2026 14:30",
    ),
    "t | date('short')": (
        "29.11.2026",
        "11/29/26",
        "29.11.26",
        "29/11/2026",
        "29/11/26",
        "29-11-2026",
        "29/11/2026",
    ),
    "t | date('medium')": (
        "29 Kas 2026",
        "Nov 29, 2026",
        "29.11.2026",
        "29 nov. 2026",
        "29 nov 2026",
        "29 nov 2026",
        "29/11/2026",
    ),
    "t | date('long')": (
        "29 Kasım 2026",
        "November 29, 2026",
        "29. November 2026",
        "29 novembre 2026",
        "29 de noviembre de 2026",
        "29 november 2026",
        "29 نوفمبر 2026",
    ),
    "t | date('full')": (
        "29 Kasım 2026 Pazar",
        "Sunday, November 29, 2026",
        "Sonntag, 29. November 2026",
        "dimanche 29 novembre 2026",
        "domingo, 29 de noviembre de 2026",
        "zondag 29 november 2026",
        "الأحد، 29 نوفمبر 2026",
    ),
    "t | datetime('long')": (
        "29 Kasım 2026 14:30",
        "November 29, 2026, 2:30 PM",
        "29. November 2026, 14:30",
        "29 novembre 2026, 14:30",
        "29 de noviembre de 2026, 14:30",
        "29 november 2026, 14:30",
        "29 نوفمبر 2026، 2:30 م",
    ),
    "t | time('short')": ("14:30", "2:30 PM", "14:30", "14:30", "14:30", "14:30", "2:30 م"),
    "t | date('%d %B %Y %A')": (
        "29 Kasım 2026 Pazar",
        "29 November 2026 Sunday",
        "29 November 2026 Sonntag",
        "29 novembre 2026 dimanche",
        "29 noviembre 2026 domingo",
        "29 november 2026 zondag",
        "29 نوفمبر 2026 الأحد",
    ),
    "t | date('%B')": ("Kasım", "November", "November", "novembre", "noviembre", "november", "نوفمبر"),
    "t.strftime('%a %b')": (
        "Paz Kas",
        "Sun Nov",
        "So. Nov",
        "dim. nov.",
        "dom nov",
        "zo nov",
        "الأحد نوفمبر",
    ),
    "7500 | duration": (
        "2 saat 5 dk",
        "2 hr 5 min",
        "2 Std. 5 Min.",
        "2 h 5 min",
        "2 h 5 min",
        "2 uur 5 min",
        "2 س 5 د",
    ),
    "7500 | duration('long')": (
        "2 saat 5 dakika",
        "2 hours 5 minutes",
        "2 Stunden 5 Minuten",
        "2 heures 5 minutes",
        "2 horas 5 minutos",
        "2 uur 5 minuten",
        "ساعتان 5 دقائق",
    ),
    "c - now": ("2 gün", "2 days", "2 Tg.", "2 j", "2 d", "2 dagen", "يومان"),
    "b | ago": (
        "3 saat önce",
        "3 hours ago",
        "vor 3 Stunden",
        "il y a 3 heures",
        "hace 3 horas",
        "3 uur geleden",
        "قبل 3 ساعات",
    ),
    "c | ago": (
        "2 gün sonra",
        "in 2 days",
        "in 2 Tagen",
        "dans 2 jours",
        "dentro de 2 días",
        "over 2 dagen",
        "خلال يومين",
    ),
    "['a', 'b', 'c'] | join_and": (
        "a, b ve c",
        "a, b, and c",
        "a, b und c",
        "a, b et c",
        "a, b y c",
        "a, b en c",
        "a وb وc",
    ),
    "['a', 'b'] | join_and": ("a ve b", "a and b", "a und b", "a et b", "a y b", "a en b", "a وb"),
    "['Zeki', 'Çan', 'Cem', 'ali', 'Éva', 'Ida'] | sort | join(' ')": (
        "ali Cem Çan Éva Ida Zeki",
        "ali Çan Cem Éva Ida Zeki",
        "ali Çan Cem Éva Ida Zeki",
        "ali Çan Cem Éva Ida Zeki",
        "ali Çan Cem Éva Ida Zeki",
        "ali Çan Cem Éva Ida Zeki",
        "ali Çan Cem Éva Ida Zeki",
    ),
    "'istanbul' | upper": (
        "İSTANBUL",
        "ISTANBUL",
        "ISTANBUL",
        "ISTANBUL",
        "ISTANBUL",
        "ISTANBUL",
        "ISTANBUL",
    ),
    "4810 | filesize": ("4,7 kB", "4.7 kB", "4,7 kB", "4,7 kB", "4,7 kB", "4,7 kB", "4.7 kB"),
}


@pytest.mark.parametrize("source", SHOWN)
def test_each_reader_gets_what_his_language_writes(source: str) -> None:
    assert tuple(show(source, lang) for lang in LANGUAGES) == SHOWN[source]


def test_every_language_of_cldr_shows_everything() -> None:
    for code in locale_identifiers():
        if "_" not in code:
            language = Language(code)
            assert language.number(-1234.5, 2)
            assert language.money(1234.5, "EUR", None)
            assert "d" in language.listed(["a", "b", "c", "d"])
            assert all(language.day(NOW, length) for length in (None, "short", "medium", "long", "full"))
            assert "duration" not in language.duration(7500, "short") + language.duration(7500, "long")
            assert language.ago(timedelta(hours=-3)) != language.ago(timedelta(hours=3))


def test_the_languages_are_loaded_when_they_are_needed(tmp_path: Path) -> None:
    rules = rule_file(
        "if: now | date > '2026-01-01'\nsend: {text: \"{{ now | date('long') }} {{ 5 | number }}\"}"
    )
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text(rules)
    program = f"""
import sys, pathlib
from wbox_notify.rules.loading import load
from wbox_notify.templates import Templates
print(len(load(pathlib.Path({str(tmp_path)!r}), {{}}).rules), 'babel' in sys.modules)
template = Templates().text("{{{{ 0 | time }}}} {{{{ 0 | date('%d.%m.%Y') }}}}")
print(template.render({{}}), 'babel' in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "1 False\n00:00 01.01.1970 False\n"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("1", "1st"),
        ("2", "2nd"),
        ("3", "3rd"),
        ("4", "4th"),
        ("11", "11th"),
        ("22", "22nd"),
        ("113", "113th"),
    ],
)
def test_ordinals_of_english(number: str, shown: str) -> None:
    assert show(f"{number} | ordinal") == shown
    assert show("1 | ordinal", "fr") == "1er"


def test_the_word_that_stands_with_a_number() -> None:
    assert [show("n | plural('file', 'files')", n=n) for n in (0, 1, 2)] == ["files", "file", "files"]
    russian = "n | plural('файл', few='файла', many='файлов')"
    assert [show(russian, "ru", n=n) for n in (1, 3, 11, 21)] == ["файл", "файла", "файлов", "файл"]
    assert show("3 | plural('dosya')", "tr") == "dosya"


@pytest.mark.parametrize(
    ("text", "in_turkish", "in_english"),
    [
        ("1.234,50", 1234.5, 1234.5),
        ("1,234.50", 1234.5, 1234.5),
        ("1.234.567", 1234567, 1234567),
        ("1,234,567.8", 1234567.8, 1234567.8),
        ("12,34,567.8", 1234567.8, 1234567.8),
        ("1234,5", 1234.5, 1234.5),
        ("1234.5", 1234.5, 1234.5),
        ("1.234", 1234, 1.234),
        ("1,234", 1.234, 1234),
        ("0.125", 0.125, 0.125),
        ("1 234,50", 1234.5, 1234.5),
        ("1\u202f234,50", 1234.5, 1234.5),
        ("1\u2019234.50", 1234.5, 1234.5),
        ("99,90", 99.9, 99.9),
        ("-5", -5, -5),
        ("- 5", -5, -5),
        ("\u22125,5", -5.5, -5.5),
        (",5", 0.5, 0.5),
        ("007", 7, 7),
        (" 12 ", 12, 12),
        ("1.234,50 ₺", 1234.5, 1234.5),
        ("1.234,50 TL", 1234.5, 1234.5),
        ("-₺1.234,50", -1234.5, -1234.5),
        ("USD 12", 12, 12),
        ("$-12", -12, -12),
        ("١٬٢٣٤٫٥", 1234.5, 1234.5),
    ],
)
def test_a_number_is_read_as_people_write_it(text: str, in_turkish: float, in_english: float) -> None:
    for lang, number in (("tr", in_turkish), ("en", in_english)):
        read = value("x | number", lang, x=text)
        assert (read, isinstance(read, int)) == (number, isinstance(number, int))


def test_the_language_of_a_text_may_be_named() -> None:
    assert value("'1.234' | number(lang='en')", "tr") == 1.234
    for wrong in ("'turkish'", "'xx'", "7"):
        with pytest.raises(TemplateError, match="is not the code of a language"):
            value(f"'1.234' | number(lang={wrong})")
    with pytest.raises(TemplateError, match="can be two numbers"):
        value("'1.234' | number", "fr")


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "abc", "12 kg", "1.2.3", "1.23.456", "1,2,3", "1..2", "1.234,5,6", "12.", "5-", "--5"),
        *("1 2", "12 34 567", "1e5", "nan", "inf", "0x1f", "1/2", "%5", "9" * 65, True, None, [], {}),
        float("nan"),
        float("inf"),
        10**400,
    ],
    ids=repr,
)
def test_what_is_no_number_is_named_and_never_0(wrong: Any) -> None:
    for source in ("x | number", "x | currency('TRY')", "x | percent"):
        with pytest.raises(TemplateError, match="is not a number"):
            value(source, "tr", x=wrong)
    assert value("x | number(default=7)", "tr", x=wrong) == 7


@given(st.integers(-(10**12), 10**12), st.sampled_from(LANGUAGES), st.integers(0, 4))
def test_what_is_shown_is_read_back(number: int, lang: str, digits: int) -> None:
    shown = Locale(lang=lang).text(Locale(lang=lang).numbers.number(number / 10**digits, digits))
    if not (lang == "fr" and digits == 3):  # where 1,234 has one reading, and 1.234 has two
        assert value("x | number", lang, x=shown) == pytest.approx(number / 10**digits)


@given(st.text() | st.text(st.sampled_from("0123456789.,' -₺TL")))
def test_any_text_is_a_number_or_is_refused(text: str) -> None:
    try:
        assert isinstance(value("x | number", "tr", x=text), int | float)
    except TemplateError as error:
        assert error.problem  # noqa: PT017 - an answer or a TemplateError, nothing else


def test_a_number_is_counted_with_and_shown_as_the_reader_writes_it() -> None:
    assert show("x | number", "tr", x="1.234,50") == "1.234,5"
    assert (
        show("[0.0001234, -0.0005, 0, 0.0, 0.12345] | map('number') | join(' ')", "tr")
        == "0,0001234 -0,0005 0 0 0,123"
    )
    assert show("x | number(2) ~ ' TL'", "tr", x="1.234,50") == "1.234,50 TL"
    assert show("x | number(2) | replace(',', ';')", "tr", x="1.234,50") == "1.234;50"
    assert show("[x, '0,50'] | map('number') | sum | number(2)", "tr", x="1.234,50") == "1.235,00"
    assert value("x | number > 100", "tr", x="1.234,50") is True
    assert value("(x | number) * 2", "tr", x="12") == 24
    assert value("{'a': x | number} | tojson", "tr", x="1.234,50") == '{"a": 1234.5}'


@pytest.mark.parametrize("wrong", ["1.234,50", "", "12 kg", "nan", "inf", None, [], "9" * 2000])
def test_float_and_int_refuse_what_they_can_not_read(wrong: Any) -> None:
    for name in ("float", "int"):
        with pytest.raises(TemplateError, match="is not a number"):
            value(f"x | {name}", x=wrong)
        assert value(f"x | {name}(-1)", x=wrong) == value(f"x | {name}(default=-1)", x=wrong) == -1


def test_float_and_int_read_what_programs_write() -> None:
    assert value("['1234.5', ' 7 ', 3, true] | map('float') | list") == [1234.5, 7.0, 3.0, 1.0]
    assert value("['1234.5', ' 7 ', 3.9, true] | map('int') | list") == [1234, 7, 3, 1]
    assert value("'ff' | int(base=16)") == 255
    with pytest.raises(TemplateError) as caught:
        value("'1.234,50' | float", "tr")
    assert caught.value.hint == "a number as people write it is read with | number"


@pytest.mark.parametrize(
    "source", ["5 | currency('TL')", "5 | currency('try')", "5 | currency(7)", "5 | currency('XXY')"]
)
def test_a_currency_has_a_code(source: str) -> None:
    with pytest.raises(TemplateError, match="is not the code of a currency"):
        value(source)


@pytest.mark.parametrize(("written", "code"), [("TL", "TRY"), ("₺", "TRY"), ("try", "TRY"), ("EURO", "EUR")])
def test_what_people_write_for_a_currency_leads_to_its_code_of_today(written: str, code: str) -> None:
    with pytest.raises(TemplateError) as caught:
        value(f"5 | currency('{written}')")
    assert code in str(caught.value.hint)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_day_in_words_is_read_back(lang: str) -> None:
    for form in (
        ("short", "medium", "long", "full") if lang not in {"en", "de", "es"} else ("medium", "long", "full")
    ):
        shown = Templates(tz=ISTANBUL, lang=lang).text(f"{{{{ t | date('{form}') }}}}").render(DATA)
        assert read_time(shown, ISTANBUL, lang) == date(2026, 11, 29), shown


@pytest.mark.parametrize(
    "pattern", ["%Q", "%", "100%", "%d %", "yyyy-MM-dd", "DD.MM.YYYY", "long ", "x" * 201, "%d" * 101]
)
def test_a_pattern_that_shows_no_time_is_refused(pattern: str) -> None:
    for source in ("t | date(p)", "t | time(p)", "t | datetime(p)", "t.strftime(p)"):
        with pytest.raises(TemplateError):
            value(source, p=pattern)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("now | date('%Q')", "'%Q' has a % that means nothing"),
        ("now | time('100%')", "'100%' has a % that means nothing"),
        ("now | datetime('yyyy')", "'yyyy' shows no time"),
        ("now.strftime('%Q')", "'%Q' has a % that means nothing"),
        ("5 | currency('TL')", "'TL' is not the code of a currency"),
        ("5 | currency", "these arguments do not fit"),
    ],
)
def test_a_form_that_is_written_out_wrong_is_seen_before_the_first_event(source: str, problem: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Templates().text(f"{{{{ {source} }}}}")
    assert problem in caught.value.problem


def test_a_pattern_shows_what_strftime_shows() -> None:
    for pattern in (
        "%Y-%m-%d %H:%M:%S",
        "%-d.%-m.%y",
        "%j %U %V %%",
        "%I:%M %p",
        "%F %T",
        "%e",
        "%a %A %b %B %h",
    ):
        assert show("t | datetime(p)", p=pattern) == " ".join(NOW.strftime(pattern).split())


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("now + '1d'", "2026-11-30T14:30"),
        ("now - '90m'", "2026-11-29T13:00"),
        ("now + ('1d' | duration)", "2026-11-30T14:30"),
        ("(now + '1d') | date('long')", "30 Kasım 2026"),
        ("(now | date) + '1d'", "30.11.2026"),
        ("now | datetime - '1h'", "29.11.2026 13:30"),
        ("('01.12.2026 14:30' | datetime) - now", "2 gün"),
        ("('30.11.2026' | date) - now", "9 saat 30 dk"),
        ("(('01.12.2026' | date) - (now | date)).days", "2"),
        ("now - ('29.11.2026 12:25' | datetime)", "2 saat 5 dk"),
        ("('29.11.2026 12:25' | datetime) - now", "-2 saat 5 dk"),
        ("45 | duration", "45 sn"),
        ("59.7 | duration", "1 dk"),
        ("0 | duration", "0 sn"),
        ("86700 | duration", "1 gün"),
        ("'1h30m' | duration", "1 saat 30 dk"),
        ("'29.11.2026 11:30' | ago", "3 saat önce"),
    ],
)
def test_counting_with_times(source: str, shown: str) -> None:
    assert show(source, "tr") == shown


@pytest.mark.parametrize(
    "source",
    [
        "('29.11.2026 14:30' | datetime) == now",
        "(now | date) == ('29.11.2026' | date)",
        "(now | date) == '29.11.2026'",
        "'2026-11-29' == (now | date)",
        "(now | date) != '30.11.2026'",
        "(now | date) < '30.11.2026'",
        "(now | date) in ['28.11.2026', '29.11.2026']",
        "(now | date) < now",
        "now < ('30.11.2026' | date)",
        "(now | date) == day",
        "('30.11.2026' | date) - now < '1d' | duration",
    ],
)
def test_comparing_times(source: str) -> None:
    assert value(source, "tr", day=date(2026, 11, 29)) is True


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("now + 'tomorrow'", "'tomorrow' is not a duration"),
        ("now - '29.11.2026'", "'29.11.2026' is not a duration"),
        ("'1x' | duration", "'1x' is not a duration"),
        ("[] | duration", "is not a duration"),
        ("60 | duration('x')", "'x' is not a form of a duration"),
        ("(now | date) == 'soon'", "'soon' is not a time"),
        ("now + '10y'", "'10y' is not a duration"),
        ("1.5 | ordinal", "ordinal needs a whole number"),
        ("5 | number(99)", "99 is not a number of digits"),
    ],
)
def test_what_can_not_be_counted_is_said(source: str, problem: str) -> None:
    with pytest.raises(TemplateError) as caught:
        value(source, "tr")
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("now - '29.11.2026'", "a text becomes a time with | datetime"),
        ("'29.11.2026' - now", "a text becomes a time with | datetime"),
        ("'29.11.2026' < now", "a text becomes a time with | datetime"),
        ("now + 3", "a duration has a unit: '3d', '90m'"),
        ("day - now", "a day becomes a time with | date"),
        ("'5' - 5", "a text becomes a number with | number"),
        ("'' | number", "say what to take instead: | number(default=0)"),
        ("none | int", "say what to take instead: | float(0)"),
    ],
)
def test_what_does_not_go_together_has_a_hint(source: str, hint: str) -> None:
    with pytest.raises(TemplateError) as caught:
        value(source, "tr", day=date(2026, 11, 29))
    assert hint in str(caught.value.hint)


def test_data_is_read_in_the_language_of_the_project_and_shown_in_that_of_the_reader() -> None:
    turkish = Locale(ISTANBUL, "tr")
    german = Templates(tz=timezone(timedelta(hours=1)), lang="de", home=turkish)
    english = Templates(tz=ISTANBUL, lang="en", home=turkish)
    source = "{{ '1.234' | number }} {{ '03/04/2026 14:30' | datetime }}"
    assert german.text(source).render({}) == "1.234 03.04.2026 12:30"
    assert english.text(source).render({}) == "1,234 2026-04-03 14:30"


INVOICE = """
version: 1
rules:
  - id: invoice
    name: An invoice
    trigger: {webhook: {path: a, open: true}}
    if: body.total | number > 1000
    to: [ali, joe]
    send: {text: "{{ body.total | currency('EUR') }} {{ body.due | date('long') }} {{ body.due | ago }}"}
    tests:
      - name: each is told in his language, and in his zone, of what is written in that of the project
        when:
          - at: 2026-11-29 14:30
            webhook: {body: {total: "1.234", due: 01.12.2026 00:30}}
        expect:
          - {to: ali, text: "€1.234,00 1 Aralık 2026 1 gün sonra"}
          - {to: joe, text: "€1,234.00 November 30, 2026 in 1 day"}
      - name: a small one is no matter
        when: [{webhook: {body: {total: "999,99", due: 1.12.2026}}}]
        skipped: if
"""
SETTINGS = """
version: 1
defaults: {lang: tr, tz: Europe/Istanbul}
contacts:
  ali: "+90 555 123 45 67"
  joe: {phone: "+1 212 555 01 23", lang: en, tz: America/New_York}
"""


def test_a_rule_tells_each_reader_in_his_language(tmp_path: Path) -> None:
    loaded = project(tmp_path, {"rules/a.yaml": INVOICE, "wbox-notify.yaml": SETTINGS})
    assert loaded.problems == ()
    assert [result.complaints for result in run_all(loaded, loaded.rules)] == [(), ()]


def test_groups_are_in_the_order_of_the_alphabet() -> None:
    source = "{% for city, rows in x | groupby('city') %}{{ city }}{{ rows | length }} {% endfor %}"
    rows = [{"city": city} for city in ("Zile", "Çan", "Cide", "Ilgaz", "Çan", "İzmir")]
    assert Templates(lang="tr").text(source).render({"x": rows}) == "Cide1 Çan2 Ilgaz1 İzmir1 Zile1 "


def test_the_order_of_a_list_is_that_of_the_alphabet() -> None:
    assert value("['Işık', 'İnci', 'Irmak', 'ılıca', 'Şen', 'Su', 'Tan'] | sort", "tr") == [
        "ılıca", "Irmak", "Işık", "İnci", "Su", "Şen", "Tan",
    ]  # fmt: skip
    assert value("['z', 'ö', 'å', 'ä', 'a'] | sort", "sv") == ["a", "z", "å", "ä", "ö"]
    assert value("['ñu', 'nz', 'o'] | sort", "es") == ["nz", "ñu", "o"]
    assert value("['Öl', 'Ofen', 'oz'] | sort", "de") == ["Ofen", "Öl", "oz"]
    assert value("[3, 1, 2] | sort(reverse=true)") == [3, 2, 1]
    assert value("['b', 'A', 'a', 'B'] | sort(case_sensitive=true)") == ["A", "B", "a", "b"]
    assert (
        value("[{'n': 'Ç'}, {'n': 'D'}, {'n': 'C'}] | sort(attribute='n') | map(attribute='n') | join", "tr")
        == "CÇD"
    )
