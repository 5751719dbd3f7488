"""Links: texts for addresses that say what they are for, signed, so that only we can have made them."""

import base64
import hmac

_CODE = 16


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
