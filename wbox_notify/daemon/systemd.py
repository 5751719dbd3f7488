"""What systemd hears of us: that we are ready, read again, stop, and that our loops still turn."""

import socket
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress

_WITHIN = 1.0


class Systemd:
    """The socket that systemd gave us; where it gave none, nothing is told.

    ``loops`` are the names of those that must all turn for us to count as alive.
    """

    def __init__(self, environ: Mapping[str, str], loops: Iterable[str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # An abstract address is written with an @ in place of its NUL.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._loops = frozenset(loops)
        self._turned: set[str] = set()
        self._lock = threading.Lock()

    def tell(self, state: str) -> None:
        """Say ``READY=1``, ``RELOADING=1`` or ``STOPPING=1``; that nobody hears it is no error."""
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
                wire.settimeout(_WITHIN)
                wire.sendto(state.encode("ascii"), self._address)

    def turned(self, loop: str) -> None:
        """Note that a loop has turned; once all have since the last time, feed the watchdog."""
        with self._lock:
            self._turned.add(loop)
            alive = self._turned >= self._loops
            if alive:
                self._turned.clear()
        if alive:
            self.tell("WATCHDOG=1")
