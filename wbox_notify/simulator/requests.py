"""JSON requests and answers, waiting, and a connection that an answer can cut."""

import asyncio
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from wbox_notify.simulator.world import World
from wbox_notify.web.protocol import Connection
from wbox_notify.web.requests import Limits, read

_LIMITS = Limits(body=1024 * 1024)


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


async def read_json(request: Request) -> Any:
    """Return the JSON value of a body, whatever its Content-Type says.

    Raises:
        HTTPException: 413 above 1 MiB, 408 if it takes too long, 400 if it is not JSON.
    """
    try:
        return json.loads(await read(request, _LIMITS), parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):
        raise HTTPException(400, "The body is not valid JSON.") from None


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
