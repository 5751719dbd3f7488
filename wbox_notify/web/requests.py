"""Requests: bodies within limits of size, time and memory, and events on disk before the answer."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Self

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope

from wbox_notify.errors import StoreError
from wbox_notify.model.events import Event
from wbox_notify.model.texts import Wording

Accept = Callable[[Sequence[Event]], Future[list[bool]]]
"""Stores events: once the future is done they are on disk; False marks one that was known before."""

RETRY_SOON = {"Retry-After": "5"}

FREE_BYTES = 32 * 1024
"""So many bytes of each body are always accepted: the number of connections is bounded too."""

WHOLE = "wbox_notify.whole"
"""In the scope of a request whose body has arrived: to read it waits for nothing."""

STORE_TIMEOUT = 10.0
"""Seconds for which a caller waits for the store."""

NOT_STORED = Wording("the event could not be stored; try again")
"""What any caller may read."""

UNSTORED = (StoreError, TimeoutError, asyncio.CancelledError)
"""What is raised where an event is not stored; the end of the daemon cancels those who wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a caller may send: bytes of a body, and seconds for all of it."""

    body: int = 4 << 20
    seconds: float = 10.0


class BodyMemory:
    """The memory that all bodies may take beyond their first 32 KiB; ``held`` is how many bytes they take.

    Where there is none left, the body that has been read for longest gives way, so that slow senders do not
    block quick ones.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.held = 0
        self._reservations: dict[Reservation, None] = {}

    def reservation(self) -> "Reservation":
        """Give a body its reservation, in whose ``with`` anything of it is in memory."""
        reservation = Reservation(self)
        self._reservations[reservation] = None
        return reservation

    def allot(self, size: int, to: "Reservation") -> bool:
        """Take so many bytes more for a reservation; False where there is no memory."""
        while self.held + size > self.size:
            oldest = next((other for other in self._reservations if other.held and other.cancel_read), None)
            if oldest is None or oldest is to:
                return False
            oldest.evict()
        self.held += size
        to.held += size
        return True

    def release(self, reservation: "Reservation") -> None:
        """Take back all that a reservation holds."""
        self._reservations.pop(reservation, None)
        self.held -= reservation.held
        reservation.held = 0


class Reservation:
    """The memory that one body holds.

    Attributes:
        held: How many bytes.
        cancel_read: Ends the reading of the body; None while it is not being read.
        evicted: Whether it had to give way to another body.
    """

    def __init__(self, memory: BodyMemory) -> None:
        self._memory = memory
        self.held = 0
        self.cancel_read: Callable[[], None] | None = None
        self.evicted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, _error: object, _trace: object) -> None:
        self._memory.release(self)

    def grow(self, size: int) -> bool:
        """Hold a body that has so many bytes by now; False where there is no memory."""
        if self.evicted:
            return False
        more = size - FREE_BYTES - self.held
        return more <= 0 or self._memory.allot(more, self)

    def evict(self) -> None:
        """Free the memory for another body."""
        self.evicted = True
        self._memory.release(self)
        if self.cancel_read:
            self.cancel_read()


async def read(request: Request, limits: Limits) -> bytes:
    """Return the body, as ``read_shared`` does, of a request that shares no memory with others."""
    with BodyMemory(limits.body).reservation() as reservation:
        return await read_shared(request.scope, request.receive, limits, reservation)


async def read_shared(
    scope: Scope, receive: Receive, limits: Limits, reservation: Reservation, *, keep: bool = True
) -> bytes:
    """Return the body, or nothing where it is only to be read to its end.

    Raises:
        HTTPException: 413 if it is too large, 408 if it takes too long, 400 if it is
            not as long as announced, 503 if there is no memory for it.
        ClientDisconnect: the sender closed the connection before its end.
    """
    if scope.get(WHOLE):
        return await _read(scope, receive, limits.body, reservation, keep=keep)
    try:
        async with asyncio.timeout(limits.seconds) as deadline:
            reservation.cancel_read = partial(deadline.reschedule, 0)
            return await _read(scope, receive, limits.body, reservation, keep=keep)
    except TimeoutError:
        if reservation.evicted:
            raise _no_memory() from None
        raise HTTPException(
            408, Wording("the body took longer than {seconds:g} s", seconds=limits.seconds)
        ) from None
    finally:
        reservation.cancel_read = None


async def _read(scope: Scope, receive: Receive, limit: int, reservation: Reservation, *, keep: bool) -> bytes:
    """Return a body that is as long as announced, and no longer than the limit."""
    announced = next((int(value) for name, value in scope["headers"] if name == b"content-length"), None)
    _check_size(announced or 0, limit)
    body, size, is_complete = bytearray(), 0, False
    while not is_complete:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size += len(part)
        _check_size(size, limit)
        if keep:
            if not reservation.grow(size):
                raise _no_memory()
            body += part
        is_complete = not message.get("more_body", False)
    if announced not in {None, size}:
        problem = Wording(
            "the body has {size} bytes and not the {announced} announced", size=size, announced=announced
        )
        raise HTTPException(400, problem)
    return bytes(body)


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise HTTPException(413, Wording("the body is larger than {limit} KiB", limit=limit // 1024))


def _no_memory() -> HTTPException:
    return HTTPException(503, Wording("there are too many large bodies at once"), RETRY_SOON)


async def commit(accept: Accept, events: Sequence[Event]) -> list[bool]:
    """Return, once the events are on disk, which of them are new.

    Raises:
        StoreError: they are not, in words that any caller may read.
    """
    try:
        async with asyncio.timeout(STORE_TIMEOUT):
            # The shield: to cancel the future while the store's writer completes it would break the writer.
            return await asyncio.shield(asyncio.wrap_future(accept(events)))
    except UNSTORED as error:
        raise StoreError(NOT_STORED) from reason(error)


def reason(error: BaseException) -> StoreError:
    """Return why something is not stored, for our log, of one of ``UNSTORED``."""
    if isinstance(error, StoreError):
        return error
    return StoreError("it took too long, or the daemon is stopping")


class Batches:
    """Stores events that come in one turn of the loop together: one wait for the disk wakes all callers."""

    def __init__(self, accept: Accept) -> None:
        self._accept = accept
        self._batch: list[_Arrival] = []

    async def store(self, event: Event) -> bool:
        """Return, once an event is on disk, whether it is new; raises one of ``UNSTORED``."""
        loop = asyncio.get_running_loop()
        if not self._batch:
            loop.call_soon(self._hand_over, loop)
        arrival = _Arrival(event, loop.create_future())
        self._batch.append(arrival)
        return await arrival.is_new

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        batch, self._batch = self._batch, []
        try:
            kept = self._accept([arrival.event for arrival in batch])
        except Exception as error:  # noqa: BLE001 - it is the callers', who get it from the future
            kept = Future()
            kept.set_exception(error)
        timer = loop.call_later(STORE_TIMEOUT, _give_up, batch)
        kept.add_done_callback(partial(_tell, loop, batch, timer))


class _Arrival(NamedTuple):
    """An event that a caller waits for, and the future of whether it is new."""

    event: Event
    is_new: asyncio.Future[bool]


def _tell(
    loop: asyncio.AbstractEventLoop,
    batch: Sequence[_Arrival],
    timer: asyncio.TimerHandle,
    kept: Future[list[bool]],
) -> None:
    """Let the loop hear that a batch is on disk, or that it is not."""
    with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
        loop.call_soon_threadsafe(_settle, batch, timer, kept)


def _settle(batch: Sequence[_Arrival], timer: asyncio.TimerHandle, kept: Future[list[bool]]) -> None:
    timer.cancel()
    error = kept.exception()
    for place, (_, is_new) in enumerate(batch):
        if is_new.done():  # its caller waits no longer
            continue
        if error:
            is_new.set_exception(error)
        else:
            is_new.set_result(kept.result()[place])


def _give_up(batch: Sequence[_Arrival]) -> None:
    for _, is_new in batch:
        if not is_new.done():
            is_new.set_exception(TimeoutError())
