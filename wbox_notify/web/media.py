"""The links of media: copies of files, served to every holder of a link while it is valid."""

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


def media_routes(files: MediaFiles) -> list[Route]:
    """Return the route of all links; an invalid one is answered with 404, whatever the reason."""

    async def serve(request: Request) -> Response:
        """Return a file, or the part of it that the request names."""
        opened = await run_in_threadpool(files.open, **request.path_params)
        if opened is None:
            raise HTTPException(404)
        response = _FileResponse(files, opened, request)
        if request.method == "GET" and not await run_in_threadpool(response.reserve):
            os.close(opened.descriptor)
            raise HTTPException(404)
        return response

    return [Route("/m/{token}/{name}", serve, methods=["GET"])]


class _FileResponse(StreamingResponse):
    """A file in pieces, each read when the one before has been taken; bytes not sent are not counted."""

    def __init__(self, files: MediaFiles, opened: Opened, request: Request) -> None:
        self._files, self._opened = files, opened
        item = opened.item
        self._head_only = request.method == "HEAD"
        asked = request.headers.get("range", "")
        # A copy has no version, so `If-Range` cannot match it.
        if self._head_only or "if-range" in request.headers:
            asked = ""
        span = byte_range(asked, item.size)
        self._rest = span or range(0)
        status = 200
        headers = {
            **_HEADERS,
            "content-type": item.type,
            "content-length": str(len(self._rest)),
            "content-disposition": disposition(item.name, item.type),
        }
        if span is None:
            status, headers["content-range"] = 416, f"bytes */{item.size}"
        elif len(span) < item.size:
            status, headers["content-range"] = 206, f"bytes {span.start}-{span.stop - 1}/{item.size}"
        super().__init__(self._pieces(), status, headers)

    def reserve(self) -> bool:
        """Count the bytes that are about to be sent; False where the link has been used up."""
        return self._files.reserve(self._opened.item, len(self._rest))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, as far as the client takes it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            os.close(self._opened.descriptor)
            if self._rest and not self._head_only:
                await run_in_threadpool(self._files.give_back, self._opened.item, len(self._rest))

    async def _pieces(self) -> AsyncIterator[bytes]:
        while self._rest and not self._head_only:
            size = min(_PIECE, len(self._rest))
            piece = await run_in_threadpool(os.pread, self._opened.descriptor, size, self._rest.start)
            if not piece:
                return
            yield piece
            self._rest = self._rest[len(piece) :]


def byte_range(header: str, size: int) -> range | None:
    """Return the bytes that a ``Range`` header asks for; None where the file has none of them.

    A header that asks for anything but one part of a file is ignored, and all bytes are returned.
    """
    parts = _RANGE.fullmatch(header.strip())
    if not parts or not (parts[1] or parts[2]):
        return range(size)
    if not parts[1]:
        length = int(parts[2])
        return range(max(size - length, 0), size) if length else None
    first, last = int(parts[1]), int(parts[2] or size)
    if last < first:
        return range(size)
    if first >= size:
        return None
    return range(first, min(last + 1, size))
