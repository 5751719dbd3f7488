"""Phone numbers as wbox takes them: digits with the country code, such as 905551234567."""

import re
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Concatenate, ParamSpec

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from wbox_notify.errors import MessageError
from wbox_notify.model.texts import Wording

_P = ParamSpec("_P")

_STRIPPED = (
    # Invisible characters, which copied numbers are full of.
    ("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]", ""),
    # ="…" and '… keep a number as text in a spreadsheet.
    (r'^=?"(.*)"$', r"\1"),
    (r"^'", ""),
    # Links and ids of WhatsApp always have the country code.
    (r"^(?:https?://)?(?:wa\.me/|(?:api|web)\.whatsapp\.com/send/?\?phone=)\+?(\d+)(?:[/?&].*)?$", r"+\1"),
    (r"^\+?(\d+)(?::\d+)?@(?:c\.us|s\.whatsapp\.net)$", r"+\1"),
    (r"^(?:tel|telefon|phone|gsm|cep|mobile?|whatsapp)\.?\s*:", ""),
    (r"[\s().\-/\u2010-\u2015\u2212\ufe58\ufe63\uff0d]", ""),
    (r"(?<![,;])[,;]+$", ""),
    ("^\uff0b", "+"),
)
"""What may stand around and between the digits of a number, and what becomes of it, in this order."""

_PATTERNS = [(re.compile(pattern, re.IGNORECASE), rest) for pattern, rest in _STRIPPED]
_NUMBER = re.compile(r"\+?\d+")
_OTHER_ID = re.compile(r"@(g\.us|lid|newsletter|broadcast)$")

_SPOILED = re.compile(r"\b\d([.,]\d+)?[Ee]\+\d{1,2}\b|\b\d{7,}[.,]0+\b|\b\d{1,3}(,\d{3}){2,}\b")
"""A phone number that a spreadsheet has turned into an amount: ``9.05551E+11``, ``5551234567.0``."""

_OLD_MEXICAN = re.compile(r"\+521(\d{10})")
"""A Mexican mobile number until 2019; WhatsApp keeps it as the id of old accounts."""

_INTERNATIONAL = 11
"""Digits of a number with its country code; one with fewer may be a national number."""

_LONGEST = 15
_WRITTEN = 30
"""Characters with which most people write a number."""

_MOBILE = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}

_WITHOUT_WHATSAPP = {
    PhoneNumberType.PREMIUM_RATE: Wording("a premium-rate number"),
    PhoneNumberType.SHARED_COST: Wording("a shared-cost number"),
    PhoneNumberType.PERSONAL_NUMBER: Wording("a personal number"),
    PhoneNumberType.PAGER: Wording("a pager"),
    PhoneNumberType.UAN: Wording("the nationwide number of a company"),
    PhoneNumberType.VOICEMAIL: Wording("a voice mailbox"),
}
"""The types of numbers that cannot register; landlines, VoIP and toll-free numbers of businesses can."""


def _remembering(read: Callable[Concatenate[str, _P], str]) -> Callable[Concatenate[str, _P], str]:
    """Return a reading that knows what it has read of short texts: those who are told are told again."""
    known = lru_cache(4096)(read)

    @wraps(read)
    def reading(number: str, /, *args: _P.args, **kwargs: _P.kwargs) -> str:
        if len(number) > _WRITTEN:
            return read(number, *args, **kwargs)
        return known(number, *args, **kwargs)  # type: ignore[arg-type] # a region is hashable

    return reading


@_remembering
def normalise(number: str, region: str | None = None) -> str:
    """Return ``number`` as digits with its country code, as ``905551234567``.

    A number that begins with ``+`` names its country. Any other must be valid and is read in this order: as a
    number of the region, with the region's country code first; after ``00``, or without a region, as a number
    of any country. Digits that fit two countries are refused, so that no message goes to a stranger.

    Args:
        number: As people and programs write it: ``+90 555 123 45 67``, ``00905551234567``, ``905551234567``,
            ``wa.me/905551234567``; with a region also ``0555 123 45 67``.
        region: The country of numbers that are written without a code, as two letters (``TR``).

    Raises:
        MessageError: with the field ``phone`` when this cannot be a phone number.
    """
    shown, text = number.strip(), _cleaned(number)
    if text.startswith("+"):
        return _international(shown, text)
    other = _valid(f"+{text.removeprefix('00')}")
    phone = None
    if region:
        phone = _of_region(text, region.upper())
    elif len(text) >= _INTERNATIONAL:
        phone = other
    if phone is None and text.startswith("00"):
        phone = other
    if phone is None:
        raise _unknown(shown, text, region)
    if other in {None, phone} or shown.startswith("(") or _is_usual(text, phone):
        return phone
    hint = "write + and the country code of the right one, in a template before the number"
    raise MessageError(
        "phone",
        Wording("{shown!r} can be +{phone} or +{other}", shown=shown, phone=phone, other=other),
        hint=hint,
    )


@_remembering
def international(number: str) -> str:
    """Return a number that begins with its country code, with or without ``+``, as digits.

    Raises:
        MessageError: with the field ``phone`` when no number of that country is like it.
    """
    text = _cleaned(number)
    if not text.startswith("+"):
        text = f"+{text.removeprefix('00')}"
    return _international(number.strip(), text)


def is_like_number(text: str) -> bool:
    """Return whether a text has no letters but those that stand with a number, so that it is not a name."""
    return not any(map(str.isalpha, _stripped(text))) or bool(_OTHER_ID.search(text))


def refuse_spoiled(text: str) -> None:
    """Raise MessageError where a spreadsheet has made an amount of a phone number in a text."""
    if spoiled := _SPOILED.search(text):
        hint = "format the column as text and export it again: digits may be lost"
        raise MessageError(
            "phone",
            Wording("`{text}` is what a spreadsheet makes of a phone number", text=spoiled[0]),
            hint=hint,
        )


def doubt(phone: str) -> str | None:
    """Return why a number in digits hardly has WhatsApp, None where nothing speaks against it."""
    parsed = _parsed(f"+{phone}")
    if parsed is None or _OLD_MEXICAN.fullmatch(f"+{phone}"):
        return None
    kind = phonenumbers.number_type(parsed)
    if kind == PhoneNumberType.UNKNOWN:
        return Wording("+{phone} is not a number of a known network", phone=phone)
    if kind in _WITHOUT_WHATSAPP:
        return Wording(
            "+{phone} cannot have WhatsApp: it is {what}", phone=phone, what=_WITHOUT_WHATSAPP[kind]
        )
    return None


def region_of(phone: str) -> str | None:
    """Return the country of a number in digits, as two letters (``TR``); None for a number of no country."""
    region: str | None = phonenumbers.region_code_for_number(phonenumbers.parse(f"+{phone}"))
    return None if region == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY else region


def masked(phone: str) -> str:
    """Return a number that can be shown in a log: ``+90555***4567``."""
    return f"+{phone[:5]}***{phone[-4:]}" if len(phone) > 9 else f"+{phone[:2]}***"  # noqa: PLR2004


def _stripped(text: str) -> str:
    """Return a text without what may stand around and between the digits of a phone number."""
    if _NUMBER.fullmatch(text):
        return text
    for pattern, rest in _PATTERNS:
        text = pattern.sub(rest, text).strip()
    return text


def _cleaned(number: str) -> str:
    """Return the digits of a number, with its ``+`` if any; MessageError where it is something else."""
    shown, text = number.strip(), _stripped(number)
    if _OTHER_ID.search(shown):
        message = Wording("{shown!r} is a WhatsApp id of a group, a channel or a hidden number", shown=shown)
        raise MessageError("phone", message, hint="wbox takes phone numbers only")
    refuse_spoiled(shown)
    if not _NUMBER.fullmatch(text):
        raise MessageError(
            "phone", Wording("{shown!r} is not a phone number", shown=shown), hint="write it as +905551234567"
        )
    digits = phonenumbers.normalize_digits_only(text)
    if len(digits.lstrip("0")) > _LONGEST or len(digits) > _LONGEST + len("00"):
        hint = "write one number; in `to`, put a comma between two"
        raise MessageError(
            "phone", Wording("{shown!r} has more digits than a phone number", shown=shown), hint=hint
        )
    if text.startswith("+"):
        return f"+{digits}"
    return digits


def _international(shown: str, text: str) -> str:
    """Return a number with ``+`` as digits; it has to be possible, for new networks are not known at once."""
    phone = _valid(text)
    if phone:
        return phone
    parsed = _parsed(text)
    if parsed and phonenumbers.is_possible_number(parsed):
        phone = _digits(parsed)
        if _parsed(f"+{phone}") == parsed:  # not so with two zeros after the country code
            return phone
    hint = "country code first, then the whole number: +905551234567"
    raise MessageError("phone", Wording("{shown!r} is not a possible phone number", shown=shown), hint=hint)


def _of_region(text: str, region: str) -> str | None:
    """Return digits without ``+`` as people in a region read them; None where they are not valid there."""
    code = str(phonenumbers.country_code_for_region(region))
    phone = None
    if text.startswith(code):
        phone = _valid(f"+{text}")
    phone = phone or _valid(text, region)
    if phone is None and text.startswith(f"0{code}"):
        phone = _valid(f"+{text[1:]}")
    return phone


def _is_usual(text: str, phone: str) -> bool:
    """Return whether people write a number of their own country with just these digits."""
    if len(text) >= _INTERNATIONAL:
        return False
    parsed = phonenumbers.parse(f"+{phone}")
    national = phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)
    return phonenumbers.number_type(parsed) in _MOBILE or _stripped(national) == text


def _unknown(shown: str, text: str, region: str | None) -> MessageError:
    """Return what is wrong with digits without ``+``, and what to write."""
    if not region:
        example = _of_region(text, "TR") or "905551234567"
        hint = Wording("write it as +{example} with your own code, or set defaults.region", example=example)
        return MessageError("phone", Wording("{shown!r} has no country code", shown=shown), hint=hint)
    hint = Wording(
        "look for a wrong or missing digit; a number of another country begins with + and its code"
    )
    other = _valid(f"+{text}")
    if other:
        country = region_of(other)
        hint = Wording(
            "look for a wrong or missing digit; if it is a number of {country}, write it as +{other}",
            country=country,
            other=other,
        )
    return MessageError(
        "phone",
        Wording("{shown!r} is not a phone number of {region}", shown=shown, region=region.upper()),
        hint=hint,
    )


@lru_cache(maxsize=4096)  # the same few people get most messages
def _valid(text: str, region: str | None = None) -> str | None:
    """Return a number as digits, None where its country has no such number."""
    old = _OLD_MEXICAN.fullmatch(text)
    if old and _valid(f"+52{old[1]}"):
        return text[1:]
    parsed = _parsed(text, region)
    if parsed is None or not phonenumbers.is_valid_number(parsed):
        return None
    phone = _digits(parsed)
    return phone if len(phone) <= _LONGEST else None  # Germany's plan has room for more


def _parsed(text: str, region: str | None = None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None


def _digits(parsed: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)[1:]
