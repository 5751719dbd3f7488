"""A path that is served below ``/hook/``, and how it is guarded."""

import re
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from wbox_notify.triggers.webhook.presets import Preset
from wbox_notify.triggers.webhook.signatures import Scheme

KNOWN = frozenset(
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
"""The headers that are kept of every call: what it is, which delivery it is, and who says so."""

_PROOF = re.compile(
    r"signature|hmac|token|secret|passw|cookie|credential|session|principal|assertion|jwt|oidc|saml|otp"
    r"|bearer|api-?key|(^|-)(auth|authentication|authorization|cert|key|nonce|pass|pin|pwd|sig|sign|ticket)(-|$)"
)


@dataclass(frozen=True, kw_only=True)
class Hook:
    """One path and how it is guarded.

    Attributes:
        path: What stands after ``/hook/``.
        scheme: How a call proves itself; None lets anybody in.
        preset: What is known of the sender.
        id: Returns what makes two deliveries the same, from ``body``, ``headers`` and ``query``; where it
            gives nothing, the sender's own id counts. A WboxError from it refuses the call.
        named: The headers that rules name, in lower case; they are kept besides those that all senders have.
    """

    path: str
    scheme: Scheme | None
    preset: Preset
    id: Callable[[Mapping[str, Any]], str | None] | None = None
    named: frozenset[str] = frozenset()

    @property
    def secret_headers(self) -> frozenset[bytes]:
        """The headers that hold the proof of a call, in lower case."""
        return self.scheme.secret_headers if self.scheme else frozenset()


def proves(name: str) -> bool:
    """Return whether a header may prove something or let somebody in, by its name, in lower case."""
    return name not in KNOWN and bool(_PROOF.search(name))


def visible(
    headers: Iterable[tuple[bytes, bytes]], named: AbstractSet[str], secret: AbstractSet[bytes] = frozenset()
) -> dict[str, str]:
    """Return the headers of a call that rules may see; one that came twice is joined with a comma.

    Args:
        headers: All that came, with names in lower case.
        named: What rules name besides ``KNOWN``.
        secret: The headers that hold the proof of this call.
    """
    found: dict[str, str] = {}
    for raw, value in headers:
        name, text = raw.decode("latin-1"), value.decode("latin-1")
        if raw not in secret and (name in KNOWN or (name in named and not proves(name))):
            found[name] = f"{found[name]}, {text}" if name in found else text
    return found
