"""What all endpoints share: a body within limits, a commit that is awaited, and refusals as JSON."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request

from wbox_notify.errors import StoreError
from wbox_notify.model.events import Event

Accept = Callable[[Sequence[Event]], Future[list[bool]]]
"""Keeps events: once the future is done they are on disk; False marks one that was known before."""

_COMMIT_WITHIN = 10.0
_NOT_NOW = "this cannot be kept now"
AGAIN = {"Retry-After": "5"}

ALWAYS = 32 * 1024
"""So many bytes of each body are taken whatever others send: the number of connections is bounded too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a caller may send: bytes of a body, and seconds for all of it."""

    body: int = 4 << 20
    seconds: float = 10.0


async def read(request: Request, limits: Limits, share: "Share | None" = None) -> bytes:
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
async def _reading(limits: Limits, share: "Share | None" = None) -> AsyncIterator[None]:
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
    return HTTPException(503, "there are too many large bodies at once", AGAIN)


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


class Room:
    """What bodies may hold together beyond their first 32 KiB; ``held`` are the bytes that they do hold.

    Where there is no room, the body that is waited for longest makes some, so that slow senders keep nobody
    away who is quick.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.held = 0
        self._shares: dict[Share, None] = {}

    @contextmanager
    def share(self) -> Iterator["Share"]:
        """Give a body its share, for as long as anything of it is in memory."""
        share = Share(self)
        self._shares[share] = None
        try:
            yield share
        finally:
            self.forget(share)

    def make(self, size: int, asking: "Share") -> bool:
        """Make room for so many bytes more; False where there is none."""
        while self.held + size > self.size:
            oldest = next((share for share in self._shares if share.held and share.leave), None)
            if oldest is None or oldest is asking:
                return False
            oldest.give_way()
        self.held += size
        return True

    def forget(self, share: "Share") -> None:
        """Take back what a share holds."""
        self._shares.pop(share, None)
        self.held -= share.held
        share.held = 0


class Share:
    """What one body holds of a room.

    Attributes:
        held: How many bytes.
        leave: Ends the reading of the body; None while nobody reads it.
        gone: Whether it had to give way.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self.held = 0
        self.leave: Callable[[], None] | None = None
        self.gone = False

    def grow(self, size: int) -> bool:
        """Hold a body that has so many bytes by now; False where there is no room."""
        more = max(size - ALWAYS, 0) - self.held
        if self.gone or (more > 0 and not self._room.make(more, self)):
            return False
        self.held += max(more, 0)
        return True

    def give_way(self) -> None:
        """Let go of what is held, for somebody else."""
        self.gone = True
        self._room.forget(self)
        if self.leave:
            self.leave()


class Desk:
    """Where bodies are worked out: many small ones at once, together not larger than ``size``, or one large.

    A value of JSON takes up to 25 times the room of its text, until it is on disk.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._door = asyncio.Lock()
        self._news = asyncio.Event()

    async def sit(self, size: int) -> None:
        """Wait for a place for so many bytes; who came first has it first, or large ones waited for ever."""
        size = min(size, self._size)
        async with self._door:
            while self._used + size > self._size:
                self._news.clear()
                await self._news.wait()
            self._used += size

    def rise(self, size: int) -> None:
        """Leave the place of so many bytes."""
        self._used -= min(size, self._size)
        self._news.set()
