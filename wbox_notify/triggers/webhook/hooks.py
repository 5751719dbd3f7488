"""Hooks: the paths below ``/hook/``, how each is guarded, and the event that a call becomes."""

import re
import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from typing import Any

from wbox_notify.model.events import Event
from wbox_notify.triggers.webhook.bodies import form_body
from wbox_notify.triggers.webhook.presets import Preset
from wbox_notify.triggers.webhook.signatures import Call, Scheme, SignatureError, scheme

KNOWN_HEADERS = frozenset(
    """
    content-type user-agent idempotency-key x-request-id x-attempt-number
    webhook-id webhook-timestamp svix-id svix-timestamp x-webhook-id x-webhook-request-id x-webhook-timestamp
    x-github-event x-github-delivery x-github-hook-id
    x-github-hook-installation-target-id x-github-hook-installation-target-type
    x-gitlab-event x-gitlab-event-uuid x-gitlab-webhook-uuid x-gitlab-instance
    x-gitea-event x-gitea-event-type x-gitea-delivery x-event-key x-hook-uuid x-request-uuid
    x-shopify-topic x-shopify-webhook-id x-shopify-event-id x-shopify-shop-domain x-shopify-api-version
    shopify-topic shopify-webhook-id shopify-event-id shopify-shop-domain shopify-api-version
    x-wc-webhook-topic x-wc-webhook-resource x-wc-webhook-event x-wc-webhook-id x-wc-webhook-delivery-id
    x-wc-webhook-source x-slack-request-timestamp x-slack-retry-num x-slack-retry-reason
    x-amz-sns-message-type x-amz-sns-message-id x-amz-sns-topic-arn x-amz-sns-subscription-arn
    aeg-event-type aeg-subscription-name aeg-delivery-count aeg-data-version aeg-metadata-version
    ce-id ce-source ce-specversion ce-type ce-subject ce-time ce-dataschema
    sentry-hook-resource sentry-hook-timestamp x-atlassian-webhook-identifier x-atlassian-webhook-retry
    linear-event linear-delivery
    """.split()  # noqa: SIM905 - shorter
)
"""The headers that rules see of every call: its kind, its delivery and who claims to send it."""

_SECRET = re.compile(
    r"signature|hmac|token|secret|passw|cookie|credential|session|principal|assertion|jwt|oidc|saml|otp"
    r"|bearer|api-?key|(^|-)(auth|authentication|authorization|cert|key|nonce|pass|pin|pwd|sig|sign|ticket)(-|$)"
)
_MAX_ID = 300
_NO_HOOK = scheme("github", [secrets.token_bytes(32)], {})
"""What a call to a path that is no hook is checked against, so that it is refused as any other is."""


class Headers(dict[str, str]):
    """Headers by their name in lower case, found by the name in any case."""

    def get(self, name: object, default: Any = None) -> Any:
        """Return the value of a header; the default if it was not sent."""
        return super().get(str(name).lower(), default)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())


def _new_ids() -> Iterator[str]:
    """Return ids that nothing else has; each question to the system would let other threads go first."""
    return map(f"{uuid.uuid4()}-{{}}".format, count())


@dataclass(frozen=True, kw_only=True)
class Hook:
    """One path and how it is guarded.

    Attributes:
        path: The part after ``/hook/``.
        scheme: How a call proves its sender; None accepts all calls.
        preset: The kind of sender.
        methods: How it may be called; with GET also by HEAD, which is no event.
        origins: The origins whose pages may call it from a browser.
        redirect: Where a browser goes from a call that is taken; None shows it the answer.
        id: Returns what makes two deliveries the same, from ``body``, ``headers`` and ``query``; where it
            gives nothing, the sender's own id counts. A WboxError from it refuses the call.
        named: The headers that rules name, in lower case; rules see them besides ``KNOWN_HEADERS``.
    """

    path: str
    scheme: Scheme | None
    preset: Preset
    methods: tuple[str, ...] = ("POST", "PUT")
    origins: frozenset[str] = frozenset()
    redirect: str | None = None
    id: Callable[[Mapping[str, Any]], str | None] | None = None
    named: frozenset[str] = frozenset()
    _fresh: Iterator[str] = field(default_factory=_new_ids, init=False, repr=False, compare=False)

    def head_is_proven(self, head: Call, now: float) -> bool | None:
        """Return whether the head of a call shows the secret; None where the proof takes its body too."""
        if not self.scheme or self.scheme.algorithm:
            return None
        try:
            self.scheme.verify(head, now)
        except SignatureError:
            return False
        return True

    def event(self, call: Call) -> Event | Mapping[str, Any]:
        """Return the event that a verified call is, or the answer to one that only tests the hook.

        Raises:
            WboxError: It cannot be used; what the preset could not read later is refused now.
        """
        content_type = b",".join(call.values(b"content-type")).decode("latin-1")
        query = form_body(call.query) if call.query else {}
        if self.scheme and self.scheme.parameter:
            query.pop(self.scheme.parameter, None)
        body = query if call.method == "GET" else self.preset.read(content_type, call.body)
        headers = self._visible_headers(call)
        answer = self.preset.answer(body, headers)
        if answer is not None:
            return answer
        self.preset.items(body, headers)
        values = {"query": query, "body": body, "headers": headers}
        return Event(
            id=self._event_id(call, values),
            type="webhook",
            at=datetime.now(UTC),
            data={"method": call.method, "path": self.path, **values},
        )

    def _visible_headers(self, call: Call) -> dict[str, str]:
        """Return the headers that rules may see; one that came twice is joined with a comma."""
        secret = self.scheme.secret_headers if self.scheme else frozenset()
        visible: dict[str, str] = {}
        for raw_name, value in call.headers:
            name = raw_name.decode("latin-1")
            asked_for = name in KNOWN_HEADERS or (name in self.named and not may_be_secret(name))
            if not asked_for or raw_name in secret:
                continue
            text = value.decode("latin-1")
            if name in visible:
                text = f"{visible[name]}, {text}"
            visible[name] = text
        return visible

    def _event_id(self, call: Call, values: Mapping[str, Any]) -> str:
        """Return the id of the event: the same for a delivery that comes again, new where nothing tells."""
        delivery = None
        if self.id:
            delivery = self.id(values)
        if not delivery and self.scheme:
            delivery = self.scheme.delivery_id(call)
        if not delivery:
            delivery = self.preset.delivery_id(values["body"], values["headers"])
        event_id = f"webhook:{self.path}:{delivery or next(self._fresh)}"
        if len(event_id) <= _MAX_ID and event_id.isprintable():
            return event_id
        return f"webhook:{sha256(event_id.encode('utf-8', 'surrogatepass')).hexdigest()}"


def verified(hook: Hook | None, call: Call, now: float) -> Hook:
    """Return the hook of a call that proves its sender about ``now`` (Unix seconds).

    Raises:
        SignatureError: The call proves nothing, or its path is no hook.
    """
    if hook is None:
        with suppress(SignatureError):
            _NO_HOOK.verify(call, now)
        raise SignatureError("no rule has this path")
    if hook.scheme:
        hook.scheme.verify(call, now)
    return hook


def may_be_secret(name: str) -> bool:
    """Return whether a header, by its name in lower case, may be a proof or let somebody in."""
    return name not in KNOWN_HEADERS and bool(_SECRET.search(name))
