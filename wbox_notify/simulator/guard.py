"""Guard: the simulator's own pages are for this machine, and for no other web site."""

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from wbox_notify.simulator.requests import refusal
from wbox_notify.web.browsers import with_headers

_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src * data:; media-src *; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


class Guard:
    """Refuses foreign hosts and foreign origins, and adds the headers that keep a page safe.

    A name that someone else owns may point to 127.0.0.1 (DNS rebinding), so only the names of this machine
    are served; and a page elsewhere may post here, so a change must come from our own page or from a program.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._bound = host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request or refuse it."""
        headers = Headers(scope=scope)
        if not _ours(headers.get("host", ""), self._bound):
            words = f"The simulator's pages answer to localhost, 127.0.0.1 and {self._bound} only."
            await refusal(421, words)(scope, receive, send)
        elif scope["method"] not in {"GET", "HEAD"} and of_another_site(headers, self._bound):
            await refusal(403, "This request comes from a page of another site.")(scope, receive, send)
        else:
            await self._app(scope, receive, with_headers(send, _HEADERS))


def of_another_site(headers: Headers, bound: str) -> bool:
    """Return whether a browser sends this for a page that does not come from the simulator itself."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        return True
    return origin is not None and (origin.partition("://")[2] != host or not _ours(host, bound))


def _ours(host: str, bound: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name in {"localhost", "127.0.0.1", "::1", bound}:
        return True
    return _address(bound, "is_unspecified") and _address(name)


def _address(name: str, kind: str = "version") -> bool:
    """Return whether a name is an IP address (of a kind): nobody can point that elsewhere."""
    try:
        return bool(getattr(ipaddress.ip_address(name), kind))
    except ValueError:
        return False
