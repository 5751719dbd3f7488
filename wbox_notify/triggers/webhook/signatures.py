"""Signatures: the schemes by which senders prove who they are, and the check of a call."""

import base64
import hmac
import re
from base64 import b64decode
from binascii import unhexlify
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from wbox_notify.errors import ConfigError, WboxError
from wbox_notify.model.text import did_you_mean
from wbox_notify.triggers.webhook.bodies import BodyError, json_body

SHORT = 24
"""A secret of fewer bytes is weak."""

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


_PROOFS: Mapping[str, SignatureScheme] = {
    "standard": SignatureScheme(
        names=tuple(
            Names(b"%s-signature" % brand, b"%s-timestamp" % brand, b"%s-id" % brand)
            for brand in (b"webhook", b"svix")
        ),
        prefix=b"v1,",
        apart=b" ",
        encoding="base64",
        signed=b"{id}.{timestamp}.{body}",
        base64_key=True,
        delivery=DeliveryId(("webhook-id", "svix-id")),
    ),
    "github": SignatureScheme(
        names=(Names(b"x-hub-signature-256"),),
        prefix=b"sha256=",
        delivery=DeliveryId(("x-github-delivery",)),
    ),
    "stripe": SignatureScheme(
        names=(Names(b"stripe-signature"),),
        prefix=b"v1=",
        apart=b",",
        signed=b"{timestamp}.{body}",
        delivery=DeliveryId(body=("id",)),
    ),
    "slack": SignatureScheme(
        names=(Names(b"x-slack-signature", b"x-slack-request-timestamp"),),
        prefix=b"v0=",
        signed=b"v0:{timestamp}:{body}",
        delivery=DeliveryId(body=("event_id",)),
    ),
    "shopify": SignatureScheme(
        names=(Names(b"x-shopify-hmac-sha256"), Names(b"shopify-hmac-sha256")),
        encoding="base64",
        delivery=DeliveryId(("x-shopify-webhook-id",)),
    ),
    # X-Gitlab-Event-UUID is no id of a delivery: hooks that one hook sets off share it.
    "gitlab": SignatureScheme(
        names=(Names(b"x-gitlab-token"),),
        encoding="plain",
        algorithm=None,
        delivery=DeliveryId(("idempotency-key", "webhook-id")),
    ),
    "pagerduty": SignatureScheme(
        names=(Names(b"x-pagerduty-signature"),),
        prefix=b"v1=",
        apart=b",",
        delivery=DeliveryId(body=("event", "id")),
    ),
    "grafana": SignatureScheme(names=(Names(b"x-grafana-alerting-signature"),)),
    "waha": SignatureScheme(
        names=(Names(b"x-webhook-hmac"),),
        algorithm="sha512",
        delivery=DeliveryId(("x-webhook-request-id",)),
    ),
    "hmac": SignatureScheme(names=(Names(b""),)),
    "bearer": SignatureScheme(
        names=(Names(b"authorization"),), prefix=b"Bearer ", encoding="plain", algorithm=None
    ),
    "header": SignatureScheme(names=(Names(b""),), encoding="plain", algorithm=None),
    "basic": SignatureScheme(
        names=(Names(b"authorization"),), prefix=b"Basic ", encoding="base64", algorithm=None
    ),
}

_TAKES: Mapping[str, tuple[str, ...]] = {
    "grafana": ("header", "timestamp_header"),
    "hmac": ("header", "algorithm", "encoding", "prefix", "signed", "timestamp_header"),
    "header": ("header",),
    "basic": ("user",),
}
_NEEDS = {"hmac": "header", "header": "header", "basic": "user"}


@dataclass(frozen=True, slots=True)
class Scheme:
    """How one source proves itself; ``weak`` says that a secret is short enough to be guessed."""

    proof: SignatureScheme
    keys: Sequence[bytes] = field(repr=False)
    weak: bool

    @property
    def secret_headers(self) -> frozenset[bytes]:
        """The headers that hold a secret or a signature: never keep them."""
        return frozenset(names.code for names in self.proof.names)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth knowing of the proof, in a few words."""
        hashed = self.proof.algorithm is not None
        old = ("SHA-1",) if self.proof.algorithm == "sha1" else ()
        return (*old, "no signed time") if hashed and b"{timestamp}" not in self.proof.signed else old

    def verify(self, call: Call, now: float) -> None:
        """Raise SignatureError unless one of the secrets made this call, about ``now`` (Unix seconds)."""
        check(self.proof, self.keys, call, now)

    def delivery_id(self, call: Call) -> str | None:
        """Return the id that the sender gave this delivery, or None if it gave none."""
        where = self.proof.delivery
        single = {name: call.values(name.encode()) for name in where.headers}
        headers = {name: values[0].decode("latin-1") for name, values in single.items() if len(values) == 1}
        body = None
        if where.body:
            with suppress(BodyError):
                body = json_body(call.body)
        return where.find(headers, body)


def delivery(kind: str) -> DeliveryId:
    """Return where the senders that prove themselves in this way put the id of a delivery."""
    return _PROOFS[kind].delivery


def scheme(kind: str, secrets: Sequence[bytes | str], options: Mapping[str, Any]) -> Scheme:
    """Return the scheme of a kind: any of the secrets will do, so that they can be changed one by one.

    Raises:
        ConfigError: The kind, a secret or an option cannot be used; it names the option.
    """
    if kind not in _PROOFS:
        hint = did_you_mean(kind, _PROOFS) or f"there are {', '.join(_PROOFS)}"
        raise ConfigError(f"there is no way to verify called `{kind}`", hint=hint)
    proof = _configured(kind, options)
    if not secrets:
        raise ConfigError(f"`{kind}` needs a secret")
    keys = [_key(secret, base64_key=proof.base64_key) for secret in secrets]
    return Scheme(proof, keys, weak=any(len(key) < SHORT for key in keys))


def _key(secret: bytes | str, *, base64_key: bool) -> bytes:
    key = secret if isinstance(secret, bytes) else _text("secret", secret)
    if base64_key:
        try:
            key = b64decode(key.removeprefix(b"whsec_"), validate=True)
        except ValueError:
            raise ConfigError("the secret must be in base64, with or without whsec_ before it") from None
    if not key:
        raise ConfigError("the secret is empty, so anybody could sign with it")
    return key


def _configured(kind: str, options: Mapping[str, Any]) -> SignatureScheme:
    """Return the proof of a kind with what the options change of it."""
    takes, needed = _TAKES.get(kind, ()), _NEEDS.get(kind)
    for name in options:
        if name not in takes:
            hint = did_you_mean(name, takes) or (f"there are {', '.join(takes)}" if takes else None)
            raise ConfigError(f"`{kind}` has no option `{name}`", hint=hint)
    if needed and needed not in options:
        raise ConfigError(f"`{kind}` needs the option `{needed}`")
    changes = {name: _OPTIONS[name](_text(name, value), name) for name, value in options.items()}
    first, *others = _PROOFS[kind].names
    code = changes.pop("header", first.code)
    names = replace(first, code=code, timestamp=changes.pop("timestamp_header", first.timestamp))
    if kind == "grafana" and names.timestamp:
        changes["signed"] = b"{timestamp}:{body}"
    proof = replace(_PROOFS[kind], names=(names, *others), **changes)
    if takes and bool(names.timestamp) != (b"{timestamp}" in proof.signed):
        raise ConfigError("`timestamp_header` and {timestamp} in `signed` need each other")
    return proof


def _text(name: str, value: Any) -> bytes:
    try:
        return str.encode(value)
    except (TypeError, UnicodeEncodeError):
        raise ConfigError(f"`{name}` must be text") from None


def _header(text: bytes, name: str) -> bytes:
    if not re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+", text):
        raise ConfigError(f"`{name}` is not the name of a header")
    return text.lower()


def _signed(text: bytes, name: str) -> bytes:
    fields = set(re.findall(rb"\{(.*?)\}", text))
    if not {b"body"} <= fields <= {b"body", b"timestamp"}:
        raise ConfigError(f"`{name}` must have {{body}} in it, and besides it only {{timestamp}}")
    return text


def _user(text: bytes, name: str) -> bytes:
    if b":" in text:
        raise ConfigError(f"`{name}` cannot have a colon in it")
    return text + b":"


def _one_of(*known: str) -> Callable[[bytes, str], str]:
    def chosen(text: bytes, name: str) -> str:
        if text.decode() not in known:
            raise ConfigError(
                f"`{name}` must be one of {', '.join(known)}", hint=did_you_mean(text.decode(), known)
            )
        return text.decode()

    return chosen


_OPTIONS: Mapping[str, Callable[[bytes, str], Any]] = {
    "header": _header,
    "timestamp_header": _header,
    "algorithm": _one_of("sha256", "sha512", "sha1"),
    "encoding": _one_of("hex", "base64"),
    "prefix": lambda text, _: text,
    "signed": _signed,
    "user": _user,
}


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
