"""Room: how many bytes of bodies may be in memory at once, and how many of them may be worked out."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ALWAYS = 32 * 1024
"""So many bytes of each body are taken whatever others send: the number of connections is bounded too."""


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
