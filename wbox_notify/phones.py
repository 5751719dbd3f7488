"""Phone numbers as wbox wants them: digits with the country code, such as 905551234567."""

import re

import phonenumbers

from wbox_notify.errors import MessageError

_JID = re.compile(r"@(g\.us|s\.whatsapp\.net|c\.us|lid|newsletter|broadcast)$")
_ALLOWED = re.compile(r"[+\d\s().\-/\u00a0\u200e\u202a\u202c]+")


def normalise(number: str, region: str | None = None) -> str:
    """Return ``number`` as digits with its country code, as ``905551234567``.

    Args:
        number: As a person writes it: ``+90 555 123 45 67``, ``00905551234567``, ``905551234567``; with a
            region also ``0555 123 45 67``.
        region: The country of numbers that are written without a code, as two letters (``TR``).

    Raises:
        MessageError: with the field ``phone`` when this can not be a phone number.
    """
    text = number.strip()
    if _JID.search(text):
        raise MessageError("phone", f"{text!r} is a WhatsApp id; wbox takes phone numbers only")
    if not _ALLOWED.fullmatch(text) or not any(map(str.isdigit, text)):
        raise MessageError("phone", f"{text!r} is not a phone number", hint="write it as +905551234567")
    if text.startswith("00"):
        text = "+" + text[2:]
    if text.startswith("+"):
        return _international(text, number)
    if region and (national := _national(text, region)):
        return national
    if text.startswith("0"):
        raise MessageError(
            "phone",
            f"{number.strip()!r} has no country code",
            hint=f"write it as +90{text[1:].replace(' ', '')} with your own code, or set defaults.region",
        )
    return _international("+" + text, number)


def masked(phone: str) -> str:
    """Return a number that can be shown in a log: ``+90555***4567``."""
    return f"+{phone[:5]}***{phone[-4:]}" if len(phone) > 9 else f"+{phone[:2]}***"  # noqa: PLR2004


def _international(text: str, asked: str) -> str:
    try:
        parsed = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        parsed = None
    if parsed is None or not phonenumbers.is_possible_number(parsed):
        raise MessageError(
            "phone",
            f"{asked.strip()!r} is not a possible phone number",
            hint="country code first, then the whole number: +905551234567",
        )
    return _digits(parsed)


def _national(text: str, region: str) -> str | None:
    try:
        parsed = phonenumbers.parse(text, region.upper())
    except phonenumbers.NumberParseException:
        return None
    return _digits(parsed) if phonenumbers.is_valid_number(parsed) else None


def _digits(parsed: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)[1:]
