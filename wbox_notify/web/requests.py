"""What all endpoints share: a body within limits, a commit that is awaited, and refusals as JSON."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from wbox_notify.errors import StoreError, WboxError
from wbox_notify.model.events import Event
from wbox_notify.web.refusals import Refusals, address
from wbox_notify.web.room import Share

Accept = Callable[[Sequence[Event]], Future[list[bool]]]
"""Keeps events: once the future is done they are on disk; False marks one that was known before."""

_COMMIT_WITHIN = 10.0
_NOT_NOW = "this cannot be kept now"
_LONGEST_PATH = 100
_AGAIN = {"Retry-After": "5"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a caller may send: bytes of a body, and seconds for all of it."""

    body: int = 4 << 20
    seconds: float = 10.0


async def read(request: Request, limits: Limits, share: Share | None = None) -> bytes:
    """Return the body; what it holds of the memory is counted in its share, if it has one.

    Raises:
        HTTPException: 413 if it is too large, 408 if it takes too long, 400 if it is not what was announced,
            503 if there is no room for it.
    """
    body = bytearray()
    async with _reading(limits, share):
        async for part in _parts(request, limits.body):
            if share and not share.grow(len(body) + len(part)):
                raise _no_room()
            body += part
    return bytes(body)


async def skip(request: Request, limits: Limits) -> bytes:
    """Read a body as ``read`` does, keep nothing of it, and return nothing."""
    async with _reading(limits):
        async for _ in _parts(request, limits.body):
            pass
    return b""


@asynccontextmanager
async def _reading(limits: Limits, share: Share | None = None) -> AsyncIterator[None]:
    """Bound the time of a reading; a share that has to give way ends it at once."""
    try:
        async with asyncio.timeout(limits.seconds) as deadline:
            if share:
                share.leave = partial(deadline.reschedule, 0)
            yield
    except TimeoutError:
        if share and share.gone:
            raise _no_room() from None
        raise HTTPException(408, f"the body took longer than {limits.seconds:g} s") from None
    finally:
        if share:
            share.leave = None


async def _parts(request: Request, most: int) -> AsyncIterator[bytes]:
    """Give the parts of a body that is as long as it says, and no longer than it may be."""
    too_large = HTTPException(413, f"the body is larger than {most // 1024} KiB")
    announced = request.headers.get("content-length")
    if int(announced or 0) > most:
        raise too_large
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise too_large
        yield part
    if announced is not None and int(announced) != size:
        raise HTTPException(400, f"the body has {size} bytes and not the {announced} announced")


def _no_room() -> HTTPException:
    return HTTPException(503, "there are too many large bodies at once", _AGAIN)


async def commit(accept: Accept, events: Sequence[Event]) -> list[bool]:
    """Return, once the events are on disk, which of them are new.

    Raises:
        StoreError: they are not, in words that any caller may read.
    """
    async with in_time():
        return await on_disk(accept, events)


async def on_disk(accept: Accept, events: Sequence[Event]) -> list[bool]:
    """Return the same, however long it takes; to be called within ``in_time``."""
    # The shield: a future that is cancelled under the hands of the store's writer would break it.
    return await asyncio.shield(asyncio.wrap_future(accept(events)))


@asynccontextmanager
async def in_time() -> AsyncIterator[None]:
    """Bound the time of what a caller waits for; the end of the daemon ends it too.

    Raises:
        StoreError: it takes too long, or the store cannot be used, in words that any caller may read.
    """
    try:
        async with asyncio.timeout(_COMMIT_WITHIN):
            yield
    except StoreError as error:
        raise StoreError(_NOT_NOW) from error
    except (TimeoutError, asyncio.CancelledError):
        raise StoreError(_NOT_NOW) from StoreError("it took too long, or the daemon ends")


def _answer(error: Exception) -> Response:
    """Return what a request is answered that was refused by raising."""
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)
    if isinstance(error, WboxError) and error.retry:
        return JSONResponse({"error": str(error)}, 503, _AGAIN)
    if isinstance(error, WboxError):
        return JSONResponse({"error": str(error)}, 422)
    return Response(status_code=400)


def refusing(
    refusals: Refusals,
) -> Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]:
    """Return what answers the requests that are refused by raising, and tells of them.

    What is for our log alone is the cause of the error that is raised. Nothing is told of a page that is not
    there, which is no call that was lost, and of a command, which shows its answer itself.
    """

    async def refuse(request: Request, error: Exception) -> Response:
        answer = _answer(error)
        command = request.scope["path"].startswith("/-/") and answer.status_code != HTTPStatus.UNAUTHORIZED
        if answer.status_code != HTTPStatus.NOT_FOUND and not command:
            hook = getattr(request.state, "hook", "")
            refusals.tell(hook, answer.status_code, caller(request), _why(error))
        return answer

    return {HTTPException: refuse, WboxError: refuse, ClientDisconnect: refuse}


def caller(request: Request) -> str:
    """Return what was called and from where, without what lets anybody in: ``/hook/push from 10.0.0.7``."""
    path = request.scope["raw_path"].decode("ascii")[:_LONGEST_PATH]
    for signed in ("/ack/", "/m/"):
        if path.startswith(signed):
            path = f"{signed}…"
    return f"{path} from {address(request.scope['client'])}"


def _why(error: Exception) -> str:
    if isinstance(error, ClientDisconnect):
        return "the sender hung up before all of the body had come"
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return f"{error.detail}, which `limits.body` in the settings can change"
    return str(error.__cause__ or getattr(error, "detail", error))
