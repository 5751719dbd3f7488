"""Signatures: the schemes by which senders prove themselves, each a row of one table."""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from wbox_notify.config.yaml.validation import did_you_mean
from wbox_notify.errors import ConfigError
from wbox_notify.triggers.webhook.bodies import BodyError, json_body
from wbox_notify.triggers.webhook.proof import Call, DeliveryId, Names, SignatureError, SignatureScheme, check

__all__ = ["Call", "Scheme", "SignatureError", "delivery", "scheme"]

SHORT = 24
"""A secret of fewer bytes is weak."""

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
