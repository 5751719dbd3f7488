"""The links of media: copies of files, served to whoever has the link, as long as it works."""

import os
import re
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from wbox_notify.media import MediaFiles, Opened
from wbox_notify.media.kinds import disposition

_PIECE = 64 * 1024
_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})", re.IGNORECASE)
_HEADERS = {
    "accept-ranges": "bytes",
    "cache-control": "private, no-store",
    "content-security-policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
}


def media(files: MediaFiles) -> Route:
    """Return the route of all links; what does not work is 404, whatever the reason."""

    async def serve(request: Request) -> Response:
        """Give a file, or the one part of it that was asked for."""
        opened = await run_in_threadpool(files.open, **request.path_params)
        if opened is None:
            raise HTTPException(404)
        answer = _Answer(files, opened, request)
        if request.method == "GET" and not await run_in_threadpool(answer.reserve):
            os.close(opened.descriptor)
            raise HTTPException(404)
        return answer

    return Route("/m/{token}/{name}", serve, methods=["GET"])


class _Answer(StreamingResponse):
    """A file in pieces, each read when the one before has been taken; what was not sent is not counted."""

    def __init__(self, files: MediaFiles, opened: Opened, request: Request) -> None:
        self._files, self._opened = files, opened
        item = opened.item
        self._silent = request.method == "HEAD"
        # A copy has no version that a part of it could be asked for by.
        whole = self._silent or "if-range" in request.headers
        span = wanted("" if whole else request.headers.get("range", ""), item.size)
        self._rest = span or range(0)
        headers = {
            **_HEADERS,
            "content-type": item.type,
            "content-length": str(len(self._rest)),
            "content-disposition": disposition(item.name, item.type),
        }
        status = 200
        if span is None:
            status, headers["content-range"] = 416, f"bytes */{item.size}"
        elif len(span) < item.size:
            status = 206
            headers["content-range"] = f"bytes {span.start}-{span.stop - 1}/{item.size}"
        super().__init__(self._pieces(), status, headers)

    def reserve(self) -> bool:
        """Count what is about to be sent; False where the link has been used up."""
        return self._files.reserve(self._opened.item, len(self._rest))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, as far as it is taken."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            os.close(self._opened.descriptor)
            if self._rest and not self._silent:
                await run_in_threadpool(self._files.give_back, self._opened.item, len(self._rest))

    async def _pieces(self) -> AsyncIterator[bytes]:
        while self._rest and not self._silent:
            size = min(_PIECE, len(self._rest))
            piece = await run_in_threadpool(os.pread, self._opened.descriptor, size, self._rest.start)
            if not piece:
                return
            yield piece
            self._rest = self._rest[len(piece) :]


def wanted(asked: str, size: int) -> range | None:
    """Return the bytes that a ``Range`` header asks for; None where there are none such.

    A header that asks for something else than one part of a file is none: all is given.
    """
    found = _RANGE.fullmatch(asked.strip())
    if not found or not (found[1] or found[2]):
        return range(size)
    if not found[1]:
        return range(max(size - int(found[2]), 0), size) if int(found[2]) else None
    first, last = int(found[1]), int(found[2] or size)
    if last < first:
        return range(size)
    return range(first, min(last + 1, size)) if first < size else None
