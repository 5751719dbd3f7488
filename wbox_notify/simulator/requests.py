"""Requests to the simulator: JSON, waiting, connections that are cut, and the guard of its pages."""

import asyncio
import json
import math
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from wbox_notify.simulator.world import World
from wbox_notify.web.browsers import AddedHeaders, host_name, is_address, is_from_other_site
from wbox_notify.web.protocol import Connection
from wbox_notify.web.requests import Limits, read

_LIMITS = Limits(body=1024 * 1024)
_HEADERS = AddedHeaders(
    {
        b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; "
        b"connect-src 'self'; img-src * data:; media-src *; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        b"x-content-type-options": b"nosniff",
        b"referrer-policy": b"no-referrer",
        b"cache-control": b"no-cache",
    }
)
_ALL_ADDRESSES = {"0.0.0.0", "::"}  # noqa: S104 - names, not a bind


class Json(JSONResponse):
    """JSON in ASCII, so that half an emoji in a message can be sent back too."""

    def render(self, content: Any) -> bytes:
        """Return the bytes of the answer."""
        return json.dumps(content, allow_nan=False).encode("ascii")


def refusal(status: int, message: str, headers: dict[str, str] | None = None) -> Json:
    """Return an error as wbox words it."""
    return Json({"success": False, "message": message}, status, headers)


async def refused(_request: Request, error: Exception) -> Response:
    """Answer a request that was refused by raising."""
    if isinstance(error, HTTPException):
        return refusal(error.status_code, error.detail, dict(error.headers or {}))
    return Response(status_code=400)


REFUSALS = {HTTPException: refused, ClientDisconnect: refused}


async def read_json(request: Request, *, empty: bytes = b"") -> Any:
    """Return the JSON value of a body, whatever its Content-Type says; ``empty`` is read where there is none.

    Raises:
        HTTPException: 413 above 1 MiB, 408 if it takes too long, 400 if it is not JSON.
    """
    try:
        text = await read(request, _LIMITS) or empty
        return json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):
        raise HTTPException(400, "The body is not valid JSON.") from None


def value_at(body: Any, path: str) -> Any:
    """Return a value of a JSON body by its path, such as ``event.title``; None if it is not there."""
    for name in path.split("."):
        body = body.get(name) if isinstance(body, dict) else None
    return body


@contextmanager
def pulse(world: World) -> Iterator[asyncio.Event]:
    """Give an event of the running loop that is set after each change of the world."""
    loop, changed = asyncio.get_running_loop(), asyncio.Event()
    with world.listening(lambda: loop.call_soon_threadsafe(changed.set)):
        yield changed


async def pause(world: World, seconds: float) -> None:
    """Wait so many seconds, or until the simulator stops."""
    with pulse(world) as changed, suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not world.closed:
                await changed.wait()
                changed.clear()


class Severable(Connection):
    """A connection that an answer can cut."""

    def on_message_begin(self) -> None:
        """Tell the application how to cut this connection."""
        super().on_message_begin()
        self.scope["extensions"] = {"wbox.cut": {"abort": self.transport.abort}}

    def eof_received(self) -> bool:  # type: ignore[override] # asyncio keeps what is True open
        """Close at once: a client that has left during a delay is not answered."""
        return False


class Cut(Response):
    """No answer at all: the connection ends before its first byte."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Cut, and return once the server knows it, or it would answer 500."""
        scope["extensions"]["wbox.cut"]["abort"]()
        while (await receive())["type"] != "http.disconnect":
            pass


def _no_number(name: str) -> float:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(digits)
    return number


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
            await self._app(scope, receive, _HEADERS.to(send))


def own_names(host: str) -> Container[str]:
    """Return the names of a simulator that listens on a host, besides IP addresses."""
    return {"localhost", "127.0.0.1", "::1", host.lower()} - {""}
