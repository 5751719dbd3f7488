"""Pings: calls that prove nothing, set off nothing, and still want to hear that somebody is there."""

import re

from wbox_notify.triggers.webhook.signatures import Call, Scheme

_SIGNATURE = b"x-wc-webhook-signature"
_BODY = re.compile(rb"webhook_id=[0-9]{1,20}")


def is_ping(call: Call, guard: Scheme | None) -> bool:
    """Return whether WooCommerce only looks whether a hook is there, as it does when the hook is saved.

    It posts the number of the hook without a signature, and shows an error unless the answer is 200.
    """
    if not _BODY.fullmatch(call.body) or call.values(_SIGNATURE):
        return False
    if guard is None:
        return any(agent.startswith(b"WooCommerce/") for agent in call.values(b"user-agent"))
    return _SIGNATURE in guard.secret_headers
