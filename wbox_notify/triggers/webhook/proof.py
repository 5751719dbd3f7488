"""Proof: the one way in which a call is shown to come from whom it says, whoever that is."""

import base64
import hmac
import re
from binascii import unhexlify
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from wbox_notify.errors import WboxError

WINDOW = 300
"""How far a signed time may be from ours, before or after, in seconds."""

_FIELD = re.compile(rb"\{(id|timestamp|body)\}")


class SignatureError(WboxError):
    """A call does not prove who sent it. The text is for our log; the caller is told nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What came in; the names of headers are in lower case, and a header that came twice is there twice."""

    method: str
    path: str
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        """Return what a header holds, each time that it came."""
        return [value for each, value in self.headers if each == name]


@dataclass(frozen=True, slots=True)
class DeliveryId:
    """Where a sender puts the id that a delivery keeps when it comes again."""

    headers: tuple[str, ...] = ()
    body: tuple[str, ...] = ()

    def find(self, headers: Mapping[str, str], body: Any) -> str | None:
        """Return the id, or None where there is none that can be one; the body is plain data."""
        for name in self.body:
            body = body.get(name) if isinstance(body, dict) else None
        found = [headers.get(name) for name in self.headers] + ([body] if self.body else [])
        return next((one for one in found if _usable(one)), None)


@dataclass(frozen=True, slots=True)
class Names:
    """The headers of a proof."""

    code: bytes
    timestamp: bytes | None = None
    id: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureScheme:
    """How senders of a kind prove themselves: which header holds which code over what.

    Attributes:
        names: The headers, under each name that the sender may give them.
        prefix: What stands before a code; in any case of letters.
        apart: What stands between several codes in one header.
        encoding: How the code is written.
        algorithm: The hash of the HMAC; None where the secret itself is the code.
        signed: What the HMAC is over. A time that has no header of its own stands beside the code, as ``t=``.
        user: What stands before the secret where the secret is the code.
        base64_key: Whether the secret is the key in base64.
    """

    names: tuple[Names, ...]
    prefix: bytes = b""
    apart: bytes | None = None
    encoding: str = "hex"
    algorithm: str | None = "sha256"
    signed: bytes = b"{body}"
    user: bytes = b""
    base64_key: bool = False
    delivery: DeliveryId = DeliveryId(
        ("webhook-id", "idempotency-key", "x-gitea-delivery", "x-amz-sns-message-id")
    )


def check(proof: SignatureScheme, keys: Sequence[bytes], call: Call, now: float) -> None:
    """Raise SignatureError unless the call was made with one of the keys, about ``now`` (Unix seconds)."""
    names = next((names for names in proof.names if call.values(names.code)), proof.names[0])
    shown = _only(call, names.code)
    parts = [shown] if proof.apart is None else shown.split(proof.apart)
    signed = {b"body": call.body}
    if names.id:
        signed[b"id"] = _id(call, names.id)
    if b"{timestamp}" in proof.signed:
        signed[b"timestamp"] = _timestamp(call, names, parts, now)
    message = _FIELD.sub(lambda found: signed[found[1]], proof.signed)
    wanted = [_code(proof, key, message) for key in keys]
    if not sum(_same(claim, code) for claim in _claims(proof, parts) for code in wanted):
        raise SignatureError(f"the header {names.code.decode()} is not made with our secret")


def _usable(one: Any) -> bool:
    return isinstance(one, str) and bool(one.strip())


def _only(call: Call, name: bytes) -> bytes:
    values = call.values(name)
    if len(values) != 1:
        came = f"came {len(values)} times" if values else "is missing"
        raise SignatureError(f"the header {name.decode()} {came}")
    return values[0]


def _id(call: Call, name: bytes) -> bytes:
    """Return the id that was signed; a dot in it could be moved into the time or the body behind it."""
    value = _only(call, name)
    if not value or b"." in value:
        raise SignatureError(f"the header {name.decode()} is empty or has a dot in it")
    return value


def _timestamp(call: Call, names: Names, parts: list[bytes], now: float) -> bytes:
    """Return the time that was signed, in Unix seconds, if it is near enough."""
    times = [_only(call, names.timestamp)] if names.timestamp else _after(b"t=", parts)
    if len(times) != 1 or not re.fullmatch(rb"[0-9]{1,12}", times[0]):
        raise SignatureError("the call has no time that can be read")
    late = now - int(times[0])
    if abs(late) > WINDOW:
        raise SignatureError(f"the call was signed {abs(late):.0f} s {'ago' if late > 0 else 'ahead of now'}")
    return times[0]


def _after(prefix: bytes, parts: list[bytes]) -> list[bytes]:
    """Return what stands after a prefix, of the parts that have it."""
    trimmed = [part.strip() for part in parts]
    known = prefix.lower()
    return [part[len(known) :].strip() for part in trimmed if part[: len(known)].lower() == known]


def _claims(proof: SignatureScheme, parts: list[bytes]) -> list[bytes]:
    """Return the codes that the sender shows; what is not written as it must be is none."""
    claims = []
    for text in _after(proof.prefix, parts):
        with suppress(ValueError):
            claims.append(_ENCODINGS[proof.encoding](text))
    return claims


def _code(proof: SignatureScheme, key: bytes, message: bytes) -> bytes:
    if proof.algorithm is None:
        return proof.user + key
    return hmac.digest(key, message, proof.algorithm)


def _same(one: bytes, other: bytes) -> bool:
    """Compare in a time that tells neither the content nor the length."""
    return hmac.compare_digest(sha256(one).digest(), sha256(other).digest())


def _base64(text: bytes) -> bytes:
    return base64.b64decode(text, validate=True)


_ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = {"hex": unhexlify, "base64": _base64, "plain": bytes}
