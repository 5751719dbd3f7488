"""What all endpoints share: a body within limits, a commit that is awaited, and refusals as JSON."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from wbox_notify.errors import StoreError, WboxError
from wbox_notify.events import Event

log = logging.getLogger(__name__)

Accept = Callable[[Sequence[Event]], Future[list[bool]]]
"""Keeps events: once the future is done they are on disk; False marks one that was known before."""

_COMMIT_WITHIN = 10.0
_AGAIN = {"Retry-After": "5"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a caller may send: bytes of a body, and seconds for all of it."""

    body: int = 256 * 1024
    seconds: float = 10.0


async def read(request: Request, limits: Limits) -> bytes:
    """Return the body.

    Raises:
        HTTPException: 413 if it is too large, 408 if it takes too long, 400 if it is not what was announced.
    """
    too_large = HTTPException(413, f"the body is larger than {limits.body // 1024} KiB")
    announced = request.headers.get("content-length")
    if int(announced or 0) > limits.body:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in request.stream():
                body += part
                if len(body) > limits.body:
                    raise too_large
    except TimeoutError:
        raise HTTPException(408, f"the body took longer than {limits.seconds:g} s") from None
    if announced is not None and int(announced) != len(body):
        raise HTTPException(400, f"the body has {len(body)} bytes and not the {announced} announced")
    return bytes(body)


async def commit(accept: Accept, events: Sequence[Event]) -> list[bool]:
    """Return, once the events are on disk, which of them are new.

    Raises:
        StoreError: they are not, in words that any caller may read.
    """
    try:
        # The shield: a future that is cancelled under the hands of the store's writer would break it.
        async with asyncio.timeout(_COMMIT_WITHIN):
            return await asyncio.shield(asyncio.wrap_future(accept(events)))
    except (StoreError, TimeoutError, asyncio.CancelledError) as error:
        log.error("what comes in can not be kept: %s", str(error) or "no answer in time")  # noqa: TRY400 - no traceback
        raise StoreError("this can not be kept now") from None


async def refused(_request: Request, error: Exception) -> Response:
    """Answer a request that was refused by raising."""
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)
    if isinstance(error, WboxError) and error.retry:
        return JSONResponse({"error": str(error)}, 503, _AGAIN)
    if isinstance(error, WboxError):
        return JSONResponse({"error": str(error)}, 422)
    return Response(status_code=400)


REFUSALS = {HTTPException: refused, WboxError: refused, ClientDisconnect: refused}
