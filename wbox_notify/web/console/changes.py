"""The stream by which open pages hear that something has changed."""

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from wbox_notify.model.texts import Wording

_MOST = 50
_BREATH = 0.5
_BEAT = 15.0
_TYPE = "text/event-stream"


class Changes:
    """How often something has changed since the start, for at most 50 pages that wait to hear of it.

    ``is_inside`` says whether a request still comes from somebody who is logged in.
    """

    def __init__(self, is_inside: Callable[[Request], bool]) -> None:
        self._is_inside = is_inside
        self._followers = 0
        self._run = secrets.token_hex(4)
        self._number = 0
        self._ended = False
        self._lock = threading.Lock()
        self._wakes: list[Callable[[], None]] = []

    def note(self) -> None:
        """Tell that something has changed; from any thread, and without waiting."""
        with self._lock:
            self._number += 1
            for wake in self._wakes:
                wake()

    def end(self) -> None:
        """Let all streams end."""
        self._ended = True
        self.note()

    async def stream(self, request: Request) -> Response:
        """Answer with a message now and after each change (Server-Sent Events).

        Who comes back says with ``Last-Event-ID`` of which change it has heard.
        """
        if request.method == "HEAD":
            return Response(media_type=_TYPE)
        if self._followers >= _MOST:
            raise HTTPException(503, Wording("too many pages follow what happens"), {"Retry-After": "60"})
        self._followers += 1
        return _Stream(self._messages(request), self._leave)

    def _leave(self) -> None:
        self._followers -= 1

    async def _messages(self, request: Request) -> AsyncIterator[str]:
        heard = request.headers.get("last-event-id", "")
        with self._listening() as changed:
            while self._is_inside(request) and not self._ended:
                changed.clear()
                place = f"{self._run}.{self._number}"
                if place != heard:
                    yield f"id: {place}\ndata: {place}\n\n"
                    heard = place
                    await asyncio.sleep(_BREATH)  # so that a page does not ask again after each of a thousand
                    continue
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), _BEAT)
                    continue
                yield ": nothing new\n\n"

    @contextmanager
    def _listening(self) -> Iterator[asyncio.Event]:
        """Give an event of the running loop that is set after each change."""
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            if not changed.is_set():
                with suppress(RuntimeError):  # the loop is closed
                    loop.call_soon_threadsafe(changed.set)

        with self._lock:
            self._wakes.append(wake)
        try:
            yield changed
        finally:
            with self._lock:
                self._wakes.remove(wake)


class _Stream(StreamingResponse):
    """A stream that tells when it is over, also where its client has gone before it began."""

    def __init__(self, messages: AsyncIterator[str], over: Callable[[], None]) -> None:
        super().__init__(messages, media_type=_TYPE)
        self._over = over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what comes."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._over()
