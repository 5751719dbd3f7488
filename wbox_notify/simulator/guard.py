"""Guard: the simulator's own pages are for this machine, and for no other web site."""

from collections.abc import Container

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from wbox_notify.simulator.requests import refusal
from wbox_notify.web.browsers import host_name, is_address, is_from_other_site, with_headers

_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src * data:; media-src *; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
_ALL_ADDRESSES = {"0.0.0.0", "::"}  # noqa: S104 - names, not a bind


class Guard:
    """Refuses foreign hosts and foreign origins, and adds the headers that keep a page safe.

    A name that someone else owns may point to 127.0.0.1 (DNS rebinding), so only the names of this machine
    are served; and a page elsewhere may post here, so a change must come from our own page or from a program.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._host = host.lower()
        self._names = own_names(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request or refuse it."""
        headers = Headers(scope=scope)
        name = host_name(headers.get("host", ""))
        if name not in self._names and not (self._host in _ALL_ADDRESSES and is_address(name)):
            message = f"The simulator's pages answer to localhost, 127.0.0.1 and {self._host} only."
            await refusal(421, message)(scope, receive, send)
        elif scope["method"] not in {"GET", "HEAD"} and is_from_other_site(headers, self._names):
            await refusal(403, "This request comes from a page of another site.")(scope, receive, send)
        else:
            await self._app(scope, receive, with_headers(send, _HEADERS))


def own_names(host: str) -> Container[str]:
    """Return the names of a simulator that listens on a host, besides IP addresses."""
    return {"localhost", "127.0.0.1", "::1", host.lower()} - {""}
