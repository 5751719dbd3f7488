"""Signatures: the schemes by which senders prove who they are, and the check of a call."""

import base64
import hmac
import re
from binascii import unhexlify
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

from wbox_notify.errors import ConfigError, WboxError
from wbox_notify.model.text import did_you_mean
from wbox_notify.model.texts import Wording
from wbox_notify.triggers.webhook.bodies import MAX_FIELDS, BodyError, json_body

SHORT = 24
"""A secret of fewer bytes is weak."""

WINDOW = 300
"""How far a signed time may be from ours, before or after, in seconds."""

_FIELD = re.compile(rb"\{(id|timestamp|body)\}")


class SignatureError(WboxError):
    """A call does not prove who sent it. The text is for our log; the caller is told nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request to a hook; the names of headers are in lower case, and a header may be there twice."""

    method: str
    path: str
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of a header, one for each time that it came."""
        return [value for header, value in self.headers if header == name]

    def single(self, name: bytes) -> bytes:
        """Return the value of a header that came once; else raise SignatureError."""
        values = self.values(name)
        if not values:
            raise SignatureError(Wording("the header {name} is missing", name=name.decode()))
        if len(values) > 1:
            raise SignatureError(
                Wording("the header {name} came {number} times", name=name.decode(), number=len(values))
            )
        return values[0]

    def parameter(self, name: str) -> bytes:
        """Return the value of a parameter in the address that came once; else raise SignatureError."""
        text = self.query.decode("latin-1")
        try:
            pairs = parse_qsl(text, True, errors="surrogateescape", max_num_fields=MAX_FIELDS)
        except ValueError:
            raise SignatureError("the address has too many parameters") from None
        values = [value for parameter, value in pairs if parameter == name]
        if not values:
            raise SignatureError(Wording("the parameter {name} is missing in the address", name=name))
        if len(values) > 1:
            raise SignatureError(
                Wording("the parameter {name} came {number} times", name=name, number=len(values))
            )
        return values[0].encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class DeliveryId:
    """Where a sender puts the id that a delivery keeps when it comes again."""

    headers: tuple[str, ...] = ()
    body: tuple[str, ...] = ()

    def find(self, headers: Mapping[str, str], body: Any) -> str | None:
        """Return the id, or None where there is none that can be one; the body is plain data."""
        for name in self.headers:
            if _is_id(headers.get(name)):
                return headers[name]
        if not self.body:
            return None
        for name in self.body:
            body = body.get(name) if isinstance(body, dict) else None
        return body if _is_id(body) else None


@dataclass(frozen=True, slots=True)
class ProofHeaders:
    """The headers of a proof: the code, and what is signed with the body."""

    code: bytes
    timestamp: bytes | None = None
    id: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How a sender proves itself: which header holds which code over what, made with which keys.

    Attributes:
        headers: The headers, under each name that the sender may give them.
        prefix: The text before a code; in any case of letters.
        separator: The text between several codes in one header.
        encoding: How the code is written.
        algorithm: The hash of the HMAC; None where the secret itself is the code.
        signed: What the HMAC is over. A time that has no header of its own stands beside the code, as ``t=``.
        user: The text before the secret where the secret is the code.
        parameter: The parameter of the address that holds the secret, in place of a header.
        base64_key: Whether the secret is the key in base64.
        delivery: Where the sender puts the id of a delivery.
        keys: The keys of the secrets; any of them will do.
    """

    headers: tuple[ProofHeaders, ...]
    prefix: bytes = b""
    separator: bytes | None = None
    encoding: str = "hex"
    algorithm: str | None = "sha256"
    signed: bytes = b"{body}"
    user: bytes = b""
    parameter: str | None = None
    base64_key: bool = False
    delivery: DeliveryId = DeliveryId(
        ("webhook-id", "idempotency-key", "x-gitea-delivery", "x-amz-sns-message-id")
    )
    keys: Sequence[bytes] = field(default=(), repr=False)

    @property
    def weak(self) -> bool:
        """Whether a secret is short enough to be guessed."""
        return any(len(key) < SHORT for key in self.keys)

    @property
    def secret_headers(self) -> frozenset[bytes]:
        """The headers that hold a secret or a signature: never keep them."""
        return frozenset(headers.code for headers in self.headers)

    @property
    def notes(self) -> tuple[str, ...]:
        """The weaknesses of the proof, in a few words."""
        notes: list[str] = []
        if self.algorithm == "sha1":
            notes.append("SHA-1")
        if self.algorithm and b"{timestamp}" not in self.signed:
            notes.append(Wording("no signed time"))
        return tuple(notes)

    def verify(self, call: Call, now: float) -> None:
        """Raise SignatureError unless one of the keys made this call, about ``now`` (Unix seconds)."""
        headers = next((headers for headers in self.headers if call.values(headers.code)), self.headers[0])
        parts = [self._shown(call, headers)]
        if self.separator is not None:
            parts = parts[0].split(self.separator)
        message = self._message(call, headers, parts, now)
        codes = [self._code(key, message) for key in self.keys]
        claims = self._claims(parts)
        # All are compared, so that the time tells nothing.
        if not sum(_equal(claim, code) for claim in claims for code in codes):
            raise self._mismatch(headers)

    def _shown(self, call: Call, headers: ProofHeaders) -> bytes:
        return call.parameter(self.parameter) if self.parameter else call.single(headers.code)

    def _mismatch(self, headers: ProofHeaders) -> SignatureError:
        if self.parameter:
            return SignatureError(
                Wording("the parameter {name} of the address does not match our secret", name=self.parameter)
            )
        return SignatureError(
            Wording("the header {name} does not match our secret", name=headers.code.decode())
        )

    def _message(self, call: Call, headers: ProofHeaders, parts: list[bytes], now: float) -> bytes:
        """Return what is signed; SignatureError where a part of it is missing, or its time is not now."""
        if self.signed == b"{body}" and not headers.id:
            return call.body
        fields = {b"body": call.body}
        if headers.id:
            fields[b"id"] = _signed_id(call, headers.id)
        if b"{timestamp}" in self.signed:
            fields[b"timestamp"] = _signed_time(call, headers, parts, now)
        return _FIELD.sub(lambda match: fields[match[1]], self.signed)

    def _claims(self, parts: list[bytes]) -> list[bytes]:
        """Return the codes that the sender shows; one that is not written as it must be is ignored."""
        claims = []
        for text in _after(self.prefix, parts):
            with suppress(ValueError):
                claims.append(_ENCODINGS[self.encoding](text))
        return claims

    def _code(self, key: bytes, message: bytes) -> bytes:
        if self.algorithm is None:
            return self.user + key
        # Not hmac.digest, which lets the other threads go first, for a text as small as it may be.
        return hmac.new(key, message, self.algorithm).digest()

    def delivery_id(self, call: Call) -> str | None:
        """Return the id that the sender gave this delivery, or None if it gave none."""
        headers = {}
        for name in self.delivery.headers:
            values = call.values(name.encode())
            if len(values) == 1:
                headers[name] = values[0].decode("latin-1")
        body = None
        if self.delivery.body:
            with suppress(BodyError):
                body = json_body(call.body)
        return self.delivery.find(headers, body)


_SCHEMES: Mapping[str, Scheme] = {
    "standard": Scheme(
        headers=tuple(
            ProofHeaders(b"%s-signature" % brand, b"%s-timestamp" % brand, b"%s-id" % brand)
            for brand in (b"webhook", b"svix")
        ),
        prefix=b"v1,",
        separator=b" ",
        encoding="base64",
        signed=b"{id}.{timestamp}.{body}",
        base64_key=True,
        delivery=DeliveryId(("webhook-id", "svix-id")),
    ),
    "github": Scheme(
        headers=(ProofHeaders(b"x-hub-signature-256"),),
        prefix=b"sha256=",
        delivery=DeliveryId(("x-github-delivery",)),
    ),
    "stripe": Scheme(
        headers=(ProofHeaders(b"stripe-signature"),),
        prefix=b"v1=",
        separator=b",",
        signed=b"{timestamp}.{body}",
        delivery=DeliveryId(body=("id",)),
    ),
    "slack": Scheme(
        headers=(ProofHeaders(b"x-slack-signature", b"x-slack-request-timestamp"),),
        prefix=b"v0=",
        signed=b"v0:{timestamp}:{body}",
        delivery=DeliveryId(body=("event_id",)),
    ),
    "shopify": Scheme(
        headers=(ProofHeaders(b"x-shopify-hmac-sha256"), ProofHeaders(b"shopify-hmac-sha256")),
        encoding="base64",
        delivery=DeliveryId(("x-shopify-webhook-id",)),
    ),
    # X-Gitlab-Event-UUID is no id of a delivery: all hooks that one event triggers share it.
    "gitlab": Scheme(
        headers=(ProofHeaders(b"x-gitlab-token"),),
        encoding="plain",
        algorithm=None,
        delivery=DeliveryId(("idempotency-key", "webhook-id")),
    ),
    "pagerduty": Scheme(
        headers=(ProofHeaders(b"x-pagerduty-signature"),),
        prefix=b"v1=",
        separator=b",",
        delivery=DeliveryId(body=("event", "id")),
    ),
    "grafana": Scheme(headers=(ProofHeaders(b"x-grafana-alerting-signature"),)),
    "waha": Scheme(
        headers=(ProofHeaders(b"x-webhook-hmac"),),
        algorithm="sha512",
        delivery=DeliveryId(("x-webhook-request-id",)),
    ),
    "hmac": Scheme(headers=(ProofHeaders(b""),)),
    "bearer": Scheme(
        headers=(ProofHeaders(b"authorization"),), prefix=b"Bearer ", encoding="plain", algorithm=None
    ),
    "header": Scheme(headers=(ProofHeaders(b""),), encoding="plain", algorithm=None),
    "basic": Scheme(
        headers=(ProofHeaders(b"authorization"),), prefix=b"Basic ", encoding="base64", algorithm=None
    ),
    "query": Scheme(headers=(ProofHeaders(b""),), parameter="token", encoding="plain", algorithm=None),
}

_OPTIONS_OF: Mapping[str, tuple[str, ...]] = {
    "grafana": ("header", "timestamp_header"),
    "hmac": ("header", "algorithm", "encoding", "prefix", "signed", "timestamp_header"),
    "header": ("header",),
    "basic": ("user",),
    "query": ("parameter",),
}
_REQUIRED = {"hmac": "header", "header": "header", "basic": "user"}


def delivery(kind: str) -> DeliveryId:
    """Return where the senders that prove themselves in this way put the id of a delivery."""
    return _SCHEMES[kind].delivery


def scheme(kind: str, secrets: Sequence[bytes | str], options: Mapping[str, Any]) -> Scheme:
    """Return the scheme of a kind: any of the secrets will do, so that they can be changed one by one.

    Raises:
        ConfigError: The kind, a secret or an option cannot be used; it names the option.
    """
    if kind not in _SCHEMES:
        hint = did_you_mean(kind, _SCHEMES) or Wording("there are {names}", names=", ".join(_SCHEMES))
        raise ConfigError(Wording("there is no scheme `{kind}`", kind=kind), hint=hint)
    _check_options(kind, options)
    configured = _configured(kind, options)
    if not secrets:
        raise ConfigError(Wording("`{kind}` needs a secret", kind=kind))
    keys = tuple(_key(secret, base64_key=configured.base64_key) for secret in secrets)
    return replace(configured, keys=keys)


def _check_options(kind: str, options: Mapping[str, Any]) -> None:
    known = _OPTIONS_OF.get(kind, ())
    for name in options:
        if name in known:
            continue
        hint = did_you_mean(name, known)
        if not hint and known:
            hint = Wording("there are {names}", names=", ".join(known))
        raise ConfigError(Wording("`{kind}` has no option `{name}`", kind=kind, name=name), hint=hint)
    required = _REQUIRED.get(kind)
    if required and required not in options:
        raise ConfigError(Wording("`{kind}` needs the option `{required}`", kind=kind, required=required))


def _configured(kind: str, options: Mapping[str, Any]) -> Scheme:
    """Return the scheme of a kind with the changes that its options make."""
    changes = {name: _OPTIONS[name](_text(name, value), name) for name, value in options.items()}
    first, *others = _SCHEMES[kind].headers
    code = changes.pop("header", first.code)
    timestamp = changes.pop("timestamp_header", first.timestamp)
    if kind == "grafana" and timestamp:
        changes["signed"] = b"{timestamp}:{body}"
    headers = (replace(first, code=code, timestamp=timestamp), *others)
    configured = replace(_SCHEMES[kind], headers=headers, **changes)
    if kind in _OPTIONS_OF and bool(timestamp) != (b"{timestamp}" in configured.signed):
        raise ConfigError("`timestamp_header` and {timestamp} in `signed` need each other")
    return configured


def _key(secret: bytes | str, *, base64_key: bool) -> bytes:
    key = secret if isinstance(secret, bytes) else _text("secret", secret)
    if base64_key:
        try:
            key = _base64(key.removeprefix(b"whsec_"))
        except ValueError:
            raise ConfigError("the secret must be in base64, with or without whsec_ before it") from None
    if not key:
        raise ConfigError("the secret is empty, so anybody could sign with it")
    return key


def _text(name: str, value: Any) -> bytes:
    try:
        return str.encode(value)
    except (TypeError, UnicodeEncodeError):
        raise ConfigError(Wording("`{name}` must be text", name=name)) from None


def _header(text: bytes, name: str) -> bytes:
    if not re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+", text):
        raise ConfigError(Wording("`{name}` is not the name of a header", name=name))
    return text.lower()


def _signed(text: bytes, name: str) -> bytes:
    fields = set(re.findall(rb"\{(.*?)\}", text))
    if not {b"body"} <= fields <= {b"body", b"timestamp"}:
        raise ConfigError(Wording("`{name}` must contain {{body}}, and may contain {{timestamp}}", name=name))
    return text


def _user(text: bytes, name: str) -> bytes:
    if b":" in text:
        raise ConfigError(Wording("`{name}` cannot contain a colon", name=name))
    return text + b":"


def _parameter(text: bytes, name: str) -> str:
    if not re.fullmatch(rb"[A-Za-z0-9_.-]{1,60}", text):
        raise ConfigError(
            Wording("`{name}` has letters, digits, `-`, `_` and `.`", name=name), hint="write it like `token`"
        )
    return text.decode()


def _one_of(*known: str) -> Callable[[bytes, str], str]:
    def choice(text: bytes, name: str) -> str:
        value = text.decode()
        if value not in known:
            raise ConfigError(
                Wording("`{name}` must be one of {names}", name=name, names=", ".join(known)),
                hint=did_you_mean(value, known),
            )
        return value

    return choice


def _signed_id(call: Call, header: bytes) -> bytes:
    """Return the id that was signed; a dot in it could be moved into the time or the body behind it."""
    value = call.single(header)
    if not value or b"." in value:
        raise SignatureError(Wording("the header {name} is empty or contains a dot", name=header.decode()))
    return value


def _signed_time(call: Call, headers: ProofHeaders, parts: list[bytes], now: float) -> bytes:
    """Return the time that was signed, in Unix seconds, if it is near enough."""
    times = [call.single(headers.timestamp)] if headers.timestamp else _after(b"t=", parts)
    if len(times) != 1 or not re.fullmatch(rb"[0-9]{1,12}", times[0]):
        raise SignatureError("the call has no readable time")
    age = now - int(times[0])
    if age > WINDOW:
        raise SignatureError(Wording("the call was signed {seconds:.0f} s ago", seconds=age))
    if age < -WINDOW:
        raise SignatureError(Wording("the call was signed {seconds:.0f} s ahead of now", seconds=-age))
    return times[0]


def _after(prefix: bytes, parts: list[bytes]) -> list[bytes]:
    """Return the text after a prefix, of the parts that have it."""
    prefix = prefix.lower()
    trimmed = [part.strip() for part in parts]
    return [part[len(prefix) :].strip() for part in trimmed if part.lower().startswith(prefix)]


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _equal(claim: bytes, code: bytes) -> bool:
    """Compare in a time that tells neither the content nor the length."""
    return hmac.compare_digest(sha256(claim).digest(), sha256(code).digest())


def _base64(text: bytes) -> bytes:
    return base64.b64decode(text, validate=True)


_ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = {"hex": unhexlify, "base64": _base64, "plain": bytes}
_OPTIONS: Mapping[str, Callable[[bytes, str], Any]] = {
    "header": _header,
    "timestamp_header": _header,
    "algorithm": _one_of("sha256", "sha512", "sha1"),
    "encoding": _one_of("hex", "base64"),
    "prefix": lambda text, _name: text,
    "signed": _signed,
    "user": _user,
    "parameter": _parameter,
}
