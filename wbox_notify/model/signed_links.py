"""Signed links: tokens in addresses that only the holder of the key can have made."""

import base64
import hmac

ACK = "ack"
"""The kind of link that acknowledges; its value is the rule, ``\\x1f`` and the key of the alert."""

RELEASE = "release"
"""The kind of link that releases messages on hold; its value is the id of their event."""

_SIGNATURE_SIZE = 16


def page_url(public_url: str | None, key: bytes, kind: str, value: str) -> str:
    """Return the address of the page that acknowledges or releases something."""
    return f"{public_url or ''}/ack/{token(key, kind, value)}"


def token(key: bytes, kind: str, value: str) -> str:
    """Return a token for an address that stands for a kind (without a colon in it) and a value.

    It is the same whenever it is made. It has lower-case letters and digits alone, since a chat may leave
    out a ``-`` at the end of an address.
    """
    content = f"{kind}:{value}".encode("utf-8", "surrogatepass")
    signature = hmac.digest(key, content, "sha256")[:_SIGNATURE_SIZE]
    return base64.b32encode(signature + content).decode("ascii").rstrip("=").lower()


def fingerprint(key: bytes) -> str:
    """Return by what keys are told apart; it says nothing of the key itself."""
    return hmac.digest(key, b"fingerprint", "sha256")[:_SIGNATURE_SIZE].hex()


def read(key: bytes, text: str) -> tuple[str, str] | None:
    """Return the kind and the value of a token, or None unless it was made with this key."""
    try:
        content = base64.b32decode(text.upper() + "=" * (-len(text) % 8))[_SIGNATURE_SIZE:]
        kind, _, value = content.decode("utf-8", "surrogatepass").partition(":")
    except ValueError:
        return None
    # The whole token is compared with one that is made again, so that there is one way only to write it.
    if not hmac.compare_digest(token(key, kind, value).encode(), text.encode()):
        return None
    return kind, value
