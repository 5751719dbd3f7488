"""Phone numbers as wbox takes them: digits with the country code, such as 905551234567."""

import re

import phonenumbers

from wbox_notify.errors import MessageError

_JID = re.compile(r"@(g\.us|s\.whatsapp\.net|c\.us|lid|newsletter|broadcast)$")
_ALLOWED = re.compile(r"[+\d\s().\-/\u00a0\u200e\u202a\u202c]+")
_SPOILED = re.compile(r"\b\d([.,]\d+)?[Ee]\+\d{1,2}\b|\b\d{7,}[.,]0+\b|\b\d{1,3}(,\d{3}){2,}\b")
"""A phone number that a spreadsheet has turned into an amount: ``9.05551E+11``, ``5551234567.0``."""

_INTERNATIONAL = 11
"""Digits of a number with its country code; one with fewer may be a national number."""


def normalise(number: str, region: str | None = None) -> str:
    """Return ``number`` as digits with its country code, as ``905551234567``.

    A number that begins with ``+`` or ``00`` names its country. Any other must be a valid number of one
    country only (of the region, where there is one), so that a missing digit sends nothing to a stranger.

    Args:
        number: As a person writes it: ``+90 555 123 45 67``, ``00905551234567``, ``905551234567``; with a
            region also ``0555 123 45 67``.
        region: The country of numbers that are written without a code, as two letters (``TR``).

    Raises:
        MessageError: with the field ``phone`` when this cannot be a phone number.
    """
    text = _cleaned(number)
    if text.startswith("+"):
        return international(text)
    complete = _complete(text)
    home = complete
    if region:
        home = _national(text, region.upper())
    if home is None:
        raise _unknown(text, region)
    if complete and complete != home:
        hint = "write the + of the one that you mean"
        raise MessageError("phone", f"{text!r} can be +{home} or +{complete}", hint=hint)
    return home


def international(number: str) -> str:
    """Return a number that begins with its country code, with or without ``+``, as digits.

    Raises:
        MessageError: with the field ``phone`` when no number of that country is like it.
    """
    text = _cleaned(number)
    parsed = _parsed(f"+{text.removeprefix('+')}")
    if parsed is None or not phonenumbers.is_possible_number(parsed):
        hint = "country code first, then the whole number: +905551234567"
        raise MessageError("phone", f"{number.strip()!r} is not a possible phone number", hint=hint)
    return _digits(parsed)


def refuse_spoiled(text: str) -> None:
    """Raise MessageError where a spreadsheet has made an amount of a phone number in a text."""
    if spoiled := _SPOILED.search(text):
        hint = "format the column as text and export it again: digits are lost"
        raise MessageError(
            "phone", f"`{spoiled[0]}` is what a spreadsheet makes of a phone number", hint=hint
        )


def masked(phone: str) -> str:
    """Return a number that can be shown in a log: ``+90555***4567``."""
    return f"+{phone[:5]}***{phone[-4:]}" if len(phone) > 9 else f"+{phone[:2]}***"  # noqa: PLR2004


def _cleaned(number: str) -> str:
    """Return a number with ``+`` for ``00``; MessageError where it is something else."""
    text = number.strip()
    if _JID.search(text):
        raise MessageError("phone", f"{text!r} is a WhatsApp id; wbox takes phone numbers only")
    refuse_spoiled(text)
    if not _ALLOWED.fullmatch(text) or not any(map(str.isdigit, text)):
        raise MessageError("phone", f"{text!r} is not a phone number", hint="write it as +905551234567")
    if text.startswith("00"):
        return f"+{text[2:]}"
    return text


def _national(text: str, region: str) -> str | None:
    """Return a number without ``+`` as a region reads it, as digits; None where it is not valid there."""
    code = str(phonenumbers.country_code_for_region(region))
    digits = re.sub(r"\D", "", text)
    if digits.startswith(code) and (whole := _valid(f"+{digits}")):
        return whole
    return _valid(text, region)


def _complete(text: str) -> str | None:
    """Return a number that begins with its country code though it has no ``+``."""
    if text.startswith("0") or sum(map(str.isdigit, text)) < _INTERNATIONAL:
        return None
    return _valid(f"+{text}")


def _unknown(text: str, region: str | None) -> MessageError:
    """Return what is wrong with a number without ``+``, and what to write."""
    if region:
        hint = "look for a missing digit; a number of another country begins with + and its code"
        return MessageError("phone", f"{text!r} is not a phone number of {region.upper()}", hint=hint)
    example = f"+90{text.removeprefix('0').replace(' ', '')}"
    hint = f"write it as {example} with your own code, or set defaults.region"
    return MessageError("phone", f"{text!r} has no country code", hint=hint)


def _valid(text: str, region: str | None = None) -> str | None:
    parsed = _parsed(text, region)
    if parsed and phonenumbers.is_valid_number(parsed):
        return _digits(parsed)
    return None


def _parsed(text: str, region: str | None = None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None


def _digits(parsed: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)[1:]
