"""A bare server in wbox's place, in a process of its own: it answers success, and notes when what arrived."""

import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import pairwise
from typing import Any

from bench.processes import free_port, program, until_open

_MARK = re.compile(rb"#(\w+)#")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_SENT = b'{"success":true,"message":"Message sent successfully"}'
_READY = b'{"success":true,"device_id":1,"isReady":true,"state":"INITIALIZED","status":"connected"}'


class Arrivals(list[tuple[float, str]]):
    """What arrived: the time of the monotonic clock and the mark (``#7#`` in a body) of each."""

    @property
    def marks(self) -> Counter[str]:
        """How often each mark arrived."""
        return Counter(mark for _, mark in self)

    def first(self) -> dict[str, float]:
        """Return when each mark arrived for the first time."""
        return {mark: at for at, mark in reversed(self)}

    def rates(self, parts: int = 5) -> list[float]:
        """Return the arrivals a second in each of as many equal parts."""
        edges = [self[(len(self) - 1) * part // parts][0] for part in range(parts + 1)]
        return [(len(self) - 1) / parts / (end - begin) for begin, end in pairwise(edges)]


class Sink:
    """The server, as a measurement sees it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def count(self) -> int:
        """Return how many marks have arrived."""
        return int(self._ask("count"))

    def take(self, number: int, within: float, quiet: float = 5.0) -> Arrivals:
        """Return what arrived, once it is so many, or no more came for a while, or the time is over."""
        end = time.monotonic() + within
        seen, since = -1, time.monotonic()
        while seen < number and time.monotonic() < min(end, since + quiet):
            count = self.count()
            if count != seen:
                seen, since = count, time.monotonic()
            time.sleep(0.02)
        return Arrivals((at, mark) for at, mark in self._ask("taken"))

    def empty(self) -> None:
        """Forget what arrived."""
        self._ask("empty")

    def _ask(self, what: str) -> Any:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", f"/{what}")
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer


@contextmanager
def sink() -> Iterator[Sink]:
    """Run the server beside the block."""
    port = free_port()
    with program("sink", port):
        until_open(port)
        yield Sink(port)


class _Wire(asyncio.Protocol):
    """One connection; ``taken`` are the arrivals of all of them."""

    def __init__(self, taken: list[tuple[float, str]]) -> None:
        self._taken = taken
        self._unread = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head = self._unread[:end]
            length = _LENGTH.search(head)
            whole = end + 4 + int(length[1] if length else 0)
            if len(self._unread) < whole:
                return
            body, self._unread = self._unread[end + 4 : whole], self._unread[whole:]
            answer = self._answer(head, body)
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(answer), answer)
            )

    def _answer(self, head: bytes, body: bytes) -> bytes:
        if head.startswith(b"POST"):
            now = time.monotonic()
            self._taken.extend((now, mark.decode()) for mark in _MARK.findall(body))
            return _SENT
        if head.startswith(b"GET /count"):
            return b"%d" % len(self._taken)
        if head.startswith(b"GET /taken"):
            return json.dumps(self._taken).encode()
        if head.startswith(b"GET /empty"):
            self._taken.clear()
            return b"{}"
        return _READY


async def _serve(port: int) -> None:
    taken: list[tuple[float, str]] = []
    server = await asyncio.get_running_loop().create_server(lambda: _Wire(taken), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
