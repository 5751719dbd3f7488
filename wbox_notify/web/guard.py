"""Guard: what is for this machine answers to its names alone, and every answer keeps its page safe."""

from collections.abc import Sequence

from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from wbox_notify.web.html import with_headers
from wbox_notify.web.refusals import Refusals
from wbox_notify.web.requests import caller

_PUBLIC = ("/hook/", "/ack/", "/m/")
_OWN = "wbox.own"
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class Guard:
    """Refuses foreign names and adds the headers that keep a page safe.

    A name that someone else owns may point to this machine (DNS rebinding). Only what proves itself by a
    signature is called through names that we do not know.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str], refusals: Refusals) -> None:
        async def own(scope: Scope, receive: Receive, send: Send) -> None:
            scope[_OWN] = True
            await app(scope, receive, send)

        self._public = app
        self._own = TrustedHostMiddleware(own, allowed_hosts=list(hosts), www_redirect=False)
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request or refuse it."""
        public = scope["path"].startswith(_PUBLIC)
        await (self._public if public else self._own)(scope, receive, with_headers(send, _HEADERS))
        if not public and _OWN not in scope:
            self._refusals.tell("", 400, caller(Request(scope)), "the call names a host that is not ours")
