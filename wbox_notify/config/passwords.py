"""The password of the console: only its scrypt hash is kept, with the parameters that it was made with."""

import hashlib
import hmac
import json
import secrets

LEAST = 8
"""The fewest characters of a password."""

_LONGEST = 1024
_COST = {"n": 1 << 15, "r": 8, "p": 1}
_MOST_MEMORY = 1 << 27
_SALT_BYTES = 16


def hashed(password: str) -> bytes:
    """Return what is kept of a password."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = _scrypt(password, salt, **_COST)
    return json.dumps({**_COST, "salt": salt.hex(), "hash": digest.hex()}).encode("ascii")


def matches(kept: bytes, password: str) -> bool:
    """Return whether a password is the one of which this was kept; False for what is damaged."""
    if len(password) > _LONGEST:
        return False
    try:
        fields = json.loads(kept)
        cost = {name: int(fields[name]) for name in _COST}
        digest = _scrypt(password, bytes.fromhex(fields["salt"]), **cost)
        return hmac.compare_digest(digest, bytes.fromhex(fields["hash"]))
    except (ValueError, LookupError, TypeError, MemoryError):
        return False


def _scrypt(password: str, salt: bytes, *, n: int, r: int, p: int) -> bytes:
    text = password.encode("utf-8", "replace")
    return hashlib.scrypt(text, salt=salt, n=n, r=r, p=p, maxmem=_MOST_MEMORY, dklen=32)
