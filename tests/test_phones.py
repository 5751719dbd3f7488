"""Phones: a number is read as its writer means it or refused, and never as a stranger's."""

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from wbox_notify.errors import MessageError
from wbox_notify.model.phones import doubt, international, is_like_number, normalise, region_of

LOOK_ALIKES = {
    "TR": "BZ CU",
    "DE": "",
    "AT": "BN CK FJ FM MH NC NF NR NU PW SB TK TO TV VU WF WS",
    "IT": "AD IS",
    "FR": "NC NF TV WF",
    "GB": "",
    "US": "BZ GM IS KM MM NU PW SC ST VU",
    "BR": "BN CU DK IS MH NO NR NU SB SJ WS",
    "NL": "NC TV WF",
    "ES": "NC NF TV WF",
    "RU": "MM MV",
    "AE": "PM",
}
"""Regions, and countries with a mobile number whose digits are a number as people of the region write it."""

REGIONS = list(LOOK_ALIKES)
MOBILE = phonenumbers.PhoneNumberType.MOBILE
NATIONAL = phonenumbers.PhoneNumberFormat.NATIONAL
E164 = phonenumbers.PhoneNumberFormat.E164
COUNTRIES = [
    country
    for country in sorted(phonenumbers.SUPPORTED_REGIONS)
    if phonenumbers.example_number_for_type(country, MOBILE)
]


def mobile(country: str) -> str:
    """Return libphonenumber's own example of a mobile number, as digits with the country code."""
    return phonenumbers.format_number(phonenumbers.example_number_for_type(country, MOBILE), E164)[1:]


def read(text: str, region: str | None = None) -> str | None:
    """Return what a number is read as, None where it is refused."""
    try:
        return normalise(text, region)
    except MessageError:
        return None


SPELLINGS = [
    "+905551234567",
    "00905551234567",
    "905551234567",
    "+90 (555) 123-45-67",
    "+90 (0) 555 123 45 67",
    "90 (0) 555 123 45 67",
    "+90/555/123.45.67",
    "+90 555 123 45 67,",
    "+90\u00a0555\u2009123\u202f45\u300067",
    "+90 555\u2010123\u201145\u201367",
    "+90 555\u2014123\u221245\uff0d67",
    "\ufeff+90\u200b555\u200f1234567\u2069",
    "\u202a+90 555 123 45 67\u202c",
    "\uff0b\uff19\uff10 555 123 45 67",
    "\u0669\u0660\u0665\u0665\u0665\u0661\u0662\u0663\u0664\u0665\u0666\u0667",
    "tel:+90-555-123-45-67",
    "Tel.: +90 555 123 45 67",
    "GSM: +90 555 123 45 67",
    "Cep : 905551234567",
    "whatsapp:+905551234567",
    "wa.me/905551234567",
    "https://wa.me/+905551234567?text=Hello%20there",
    "https://api.whatsapp.com/send?phone=905551234567&text=Hello",
    "905551234567@c.us",
    "905551234567@s.whatsapp.net",
    "905551234567:12@s.whatsapp.net",
    '="905551234567"',
    "'905551234567",
]

NATIONAL_SPELLINGS = [
    "0555 123 45 67",
    "5551234567",
    "555.123.45.67",
    "(0555) 123 45 67",
    "0555\u2013123\u201345\u201367",
    "0555\u2009123\u202f45\u00a067",
    "\ufeff0555 123 45 67",
    "tel:0555-123-45-67",
    "GSM: 0555 123 45 67",
    '="05551234567"',
    "'05551234567",
    "0555 123 45 67,",
    "0905551234567",
]


@pytest.mark.parametrize("text", SPELLINGS)
@pytest.mark.parametrize("region", [None, "TR", "tr"])
def test_a_number_with_its_country_code_is_read_with_and_without_a_region(
    text: str, region: str | None
) -> None:
    assert normalise(text, region) == "905551234567"
    assert international(text) == "905551234567"
    assert is_like_number(text)


@pytest.mark.parametrize("text", NATIONAL_SPELLINGS)
def test_a_national_number_needs_a_region(text: str) -> None:
    assert normalise(text, "TR") == "905551234567"
    with pytest.raises(MessageError, match="has no country code") as caught:
        normalise(text)
    assert caught.value.hint == "write it as +905551234567 with your own code, or set defaults.region"


def test_digits_that_begin_with_the_code_of_the_region_are_international_first() -> None:
    assert normalise("4915123456789", "DE") == "4915123456789"


@pytest.mark.parametrize("region", REGIONS)
def test_a_number_of_any_country_is_itself_or_refused_in_every_region(region: str) -> None:
    misread = set()
    for country in COUNTRIES:
        number = mobile(country)
        assert read(f"+{number}", region) == number
        assert read(f"00{number}", region) in {number, None}
        if read(number, region) not in {number, None}:
            misread.add(country)
            assert len(number) < 11
    assert misread <= set(LOOK_ALIKES[region].split())


@pytest.mark.parametrize("region", sorted(set(REGIONS) - {"BR"}))  # there a carrier comes after the 00
def test_00_is_as_good_as_a_plus_in_every_region(region: str) -> None:
    assert [read(f"00{mobile(country)}", region) for country in COUNTRIES] == [*map(mobile, COUNTRIES)]


def test_without_a_region_a_number_of_any_country_is_itself_or_refused() -> None:
    for country in COUNTRIES:
        number = mobile(country)
        assert read(number) == (number if len(number) >= 11 else None)


@pytest.mark.parametrize("region", REGIONS)
def test_a_number_of_the_region_is_read_with_and_without_its_code(region: str) -> None:
    number = mobile(region)
    parsed = phonenumbers.parse(f"+{number}")
    assert read(number, region) == number
    if region != "DE":  # there they look like numbers of the USA: see below
        assert read(phonenumbers.national_significant_number(parsed), region) == number
    assert read(phonenumbers.format_number(parsed, NATIONAL), region) == number


@pytest.mark.parametrize(
    ("text", "region", "other"),
    [
        ("15123456789", "DE", "4915123456789 or \\+15123456789"),
        ("4534412345", "DE", "494534412345 or \\+4534412345"),
        ("51912345678", "BR", "5551912345678 or \\+51912345678"),
    ],
)
def test_what_can_be_of_two_countries_is_refused_with_both(text: str, region: str, other: str) -> None:
    with pytest.raises(MessageError, match=f"can be \\+{other}") as caught:
        normalise(text, region)
    assert "write + and the country code" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "region", "phone"),
    [
        ("015123456789", "DE", "4915123456789"),
        ("04534 412345", "DE", "494534412345"),
        ("(51) 91234-5678", "BR", "5551912345678"),
        ("051 91234-5678", "BR", "5551912345678"),
        ("011 90 555 123 45 67", "US", "905551234567"),
        ("0011 65 8123 4567", "AU", "6581234567"),
        ("06 5512 3456", "IT", "390655123456"),
    ],
)
def test_the_form_of_a_country_is_read_in_that_country(text: str, region: str, phone: str) -> None:
    assert normalise(text, region) == phone


@pytest.mark.parametrize(
    "text", ["+5215512345678", "5215512345678", "5215512345678@c.us", "0052 1 55 1234 5678"]
)
@pytest.mark.parametrize("region", [None, "MX"])
def test_an_old_mexican_id_stays_as_whatsapp_has_it(text: str, region: str | None) -> None:
    assert normalise(text, region) == "5215512345678"
    assert doubt("5215512345678") is None


@given(st.from_regex(r"5[0-9]{9}", fullmatch=True), st.integers(0, 9), st.sampled_from(["lost", "doubled"]))
def test_a_digit_too_few_or_too_many_goes_to_nobody_abroad(number: str, place: int, slip: str) -> None:
    typed = number[:place] + ("" if slip == "lost" else number[place] * 2) + number[place + 1 :]
    assume(not typed.startswith("00"))  # which says that a country's code follows
    assert (read(typed, "TR") or "90").startswith("90")
    assert read(typed) is None or slip == "doubled"


@given(st.from_regex(r"[+]?[0-9]{7,16}", fullmatch=True), st.sampled_from([None, *REGIONS, "MX", "AR", "CN"]))
def test_what_is_read_is_read_as_the_same_again(text: str, region: str | None) -> None:
    phone = read(text, region)
    if phone:
        assert phone.isascii()
        assert international(phone) == normalise(f"+{phone}", region) == phone


@pytest.mark.parametrize("text", ["532 123 45 6", "5991234567", "11223344556", "542914177", "4915112345678"])
def test_what_is_no_number_of_the_region_is_refused(text: str) -> None:
    with pytest.raises(MessageError, match="is not a phone number of TR"):
        normalise(text, "TR")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("4915112345678", "if it is a number of DE, write it as +4915112345678"),
        ("532 123 45 6", "look for a wrong or missing digit; "),
    ],
)
def test_a_number_that_the_region_does_not_have_is_told_what_to_write(text: str, hint: str) -> None:
    with pytest.raises(MessageError) as caught:
        normalise(text, "TR")
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("phone", "region"), [("905551234567", "TR"), ("12025550100", "US"), ("80012345678", None)]
)
def test_a_number_is_of_one_country_or_of_none(phone: str, region: str | None) -> None:
    assert region_of(phone) == region


@pytest.mark.parametrize("text", ["5321234567", "5551112233", "05321234567", "4740612345", "444 1 555"])
def test_ten_digits_without_a_region_are_nobody_s(text: str) -> None:
    with pytest.raises(MessageError, match="has no country code"):
        normalise(text)


@pytest.mark.parametrize(
    "text",
    [
        "5551234567.0",
        "9.05551E+11",
        "9,05551E+11",
        "5.55E+09",
        "905551234567.0",
        "5553150013,00",
        "5,553,150,014",
    ],
)
@pytest.mark.parametrize("region", [None, "TR"])
def test_a_number_that_a_spreadsheet_spoiled_is_said_to_be_so(text: str, region: str | None) -> None:
    with pytest.raises(MessageError, match="is what a spreadsheet makes of a phone number") as caught:
        normalise(text, region)
    assert "format the column as text" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "text", ["120363021@g.us", "905551234567@lid", "1203@newsletter", "status@broadcast"]
)
def test_an_id_of_whatsapp_without_a_phone_is_called_what_it_is(text: str) -> None:
    with pytest.raises(MessageError, match="a WhatsApp id of a group, a channel or a hidden number"):
        normalise(text)
    assert is_like_number(text)


def test_two_numbers_are_told_to_be_two() -> None:
    with pytest.raises(MessageError, match="has more digits than a phone number") as caught:
        normalise("0555 123 45 67 / 0532 123 45 67", "TR")
    assert "put a comma between two" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "text",
    ["", "hello", "1-800-FLOWERS", "+", "tel:", "wa.me/message/ABC", "ali@example.com", "@c.us", "\u00b2"],
)
@pytest.mark.parametrize("region", [None, "TR"])
def test_what_is_no_number_is_none(text: str, region: str | None) -> None:
    with pytest.raises(MessageError, match="is not a phone number"):
        normalise(text, region)
    with pytest.raises(MessageError):
        international(text)


@pytest.mark.parametrize(
    "text", ["ayse", "tag:ops", "mobile", "tel 5", "ali@example.com", "mailto://a@b.example"]
)
def test_a_name_is_not_like_a_number(text: str) -> None:
    assert not is_like_number(text)


@pytest.mark.parametrize(
    ("phone", "message"),
    [
        ("904441555", "+904441555 cannot have WhatsApp: it is the nationwide number of a company"),
        ("909001234567", "+909001234567 cannot have WhatsApp: it is a premium-rate number"),
        ("39848123456", "+39848123456 cannot have WhatsApp: it is a shared-cost number"),
        ("447012345678", "+447012345678 cannot have WhatsApp: it is a personal number"),
        ("905123456789", "+905123456789 cannot have WhatsApp: it is a pager"),
        ("901551234567", "+901551234567 is not a number of a known network"),
        ("905551234567", None),
        ("902125551234", None),
        ("908501234567", None),
        ("18002345678", None),
    ],
)
def test_a_number_that_hardly_has_whatsapp_is_doubted(phone: str, message: str | None) -> None:
    assert doubt(phone) == message
