"""Signed links: tokens in addresses that only the holder of the key can have made."""

import base64
import hmac

ACK = "ack"
"""The kind of link that acknowledges; its value is the rule, ``\\x1f`` and the key of what happened."""

RELEASE = "release"
"""The kind of link that releases what the storm guard holds; its value is the id of the event."""

_CODE = 16


def page_url(public_url: str | None, key: bytes, kind: str, value: str) -> str:
    """Return the address of the page that acknowledges or releases something."""
    return f"{public_url or ''}/ack/{token(key, kind, value)}"


def token(key: bytes, kind: str, value: str) -> str:
    """Return a text for an address that stands for a kind (without a colon in it) and a value.

    It is the same whenever it is made. It has lower-case letters and digits alone, since a chat may leave
    out a ``-`` at the end of an address.
    """
    said = f"{kind}:{value}".encode("utf-8", "surrogatepass")
    code = hmac.digest(key, said, "sha256")[:_CODE]
    return base64.b32encode(code + said).decode("ascii").rstrip("=").lower()


def read(key: bytes, text: str) -> tuple[str, str] | None:
    """Return the kind and the value that a text stands for, or None unless it was made with this key."""
    try:
        said = base64.b32decode(text.upper() + "=" * (-len(text) % 8))[_CODE:]
        kind, _, value = said.decode("utf-8", "surrogatepass").partition(":")
    except ValueError:
        return None
    # Made anew and compared whole: so there is one way only to write a token.
    if not hmac.compare_digest(token(key, kind, value).encode(), text.encode()):
        return None
    return kind, value
