"""Phones: a number is read as its writer means it or refused, and never as a stranger's."""

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from wbox_notify.errors import MessageError
from wbox_notify.model.phones import international, normalise

REGIONS = ["TR", "DE", "AT", "IT", "FR", "GB", "US", "BR", "NL", "ES", "RU", "AE"]
MOBILE = phonenumbers.PhoneNumberType.MOBILE
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


@pytest.mark.parametrize("text", ["+905551234567", "00905551234567", "+90 (555) 123-45-67", "905551234567"])
@pytest.mark.parametrize("region", [None, "TR", "tr"])
def test_a_number_with_its_country_code_is_read_with_and_without_a_region(
    text: str, region: str | None
) -> None:
    assert normalise(text, region) == "905551234567"


@pytest.mark.parametrize("text", ["0555 123 45 67", "5551234567", "555.123.45.67", "(0555) 123 45 67"])
def test_a_national_number_needs_a_region(text: str) -> None:
    assert normalise(text, "TR") == "905551234567"
    with pytest.raises(MessageError, match="has no country code") as caught:
        normalise(text)
    assert "defaults.region" in (caught.value.hint or "")


def test_digits_that_begin_with_the_code_of_the_region_are_international_first() -> None:
    assert normalise("4915123456789", "DE") == "4915123456789"


@pytest.mark.parametrize("region", REGIONS)
def test_a_number_of_any_country_is_itself_or_refused_in_every_region(region: str) -> None:
    for number in filter(is_long, map(mobile, COUNTRIES)):
        assert read(f"+{number}", region) == number
        assert read(number, region) in {number, None}


def is_long(number: str) -> bool:
    """Return whether a number cannot be told from one of the region that lacks its code."""
    return len(number) >= 11


@pytest.mark.parametrize("region", REGIONS)
def test_a_number_of_the_region_is_read_with_and_without_its_code(region: str) -> None:
    number = mobile(region)
    parsed = phonenumbers.parse(f"+{number}")
    assert read(number, region) == number
    if region != "DE":  # there they look like numbers of the USA: see below
        assert read(phonenumbers.national_significant_number(parsed), region) == number
    assert read(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL), region) == number


def test_what_can_be_of_two_countries_is_refused_with_both() -> None:
    with pytest.raises(MessageError, match="can be \\+4915123456789 or \\+15123456789"):
        normalise("15123456789", "DE")
    assert normalise("015123456789", "DE") == "4915123456789"


@given(st.from_regex(r"5[0-9]{9}", fullmatch=True), st.integers(0, 9), st.sampled_from(["lost", "doubled"]))
def test_a_digit_too_few_or_too_many_goes_to_nobody_abroad(number: str, place: int, slip: str) -> None:
    typed = number[:place] + ("" if slip == "lost" else number[place] * 2) + number[place + 1 :]
    assume(not typed.startswith("00"))  # which says that a country's code follows
    assert (read(typed, "TR") or "90").startswith("90")
    assert read(typed) is None or slip == "doubled"


@pytest.mark.parametrize("text", ["532 123 45 6", "5991234567", "11223344556", "542914177", "4915112345678"])
def test_what_is_no_number_of_the_region_is_refused(text: str) -> None:
    with pytest.raises(MessageError, match="is not a phone number of TR"):
        normalise(text, "TR")


@pytest.mark.parametrize("text", ["5321234567", "5551112233", "05321234567"])
def test_ten_digits_without_a_region_are_nobody_s(text: str) -> None:
    assert read(text) is None


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


@pytest.mark.parametrize("text", ["", "hello", "1-800-FLOWERS", "+", "90555@g.us", "905551234567@lid"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert read(text) is None
    with pytest.raises(MessageError):
        international(text)
