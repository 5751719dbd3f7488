"""A server on a real socket that plays a script to each connection: what goes wrong on a wire, on purpose."""

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

PATIENCE = 10.0
"""Seconds after which a script that waits for its client gives up."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Visit:
    """One connection, as the script that plays to it sees it."""

    def __init__(self, server: "FaultServer", wire: socket.socket) -> None:
        self.server = server
        self._wire = wire
        self._unread = b""

    def request(self) -> Request | None:
        """Read one whole request and keep it; None when the client has gone."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        size = int(headers.get("content-length", 0))
        while len(self._unread) < size and self.hear():
            pass
        body, self._unread = self._unread[:size], self._unread[size:]
        method, path, _ = first.split(" ")
        asked = Request(method, path, headers, body)
        self.server.requests.append(asked)
        return asked

    def hear(self) -> bool:
        """Take in what comes next; False when the client has gone."""
        data = self._wire.recv(65536)
        self._unread += data
        return bool(data)

    def peek(self) -> None:
        """Wait for the request and leave it unread."""
        self._wire.recv(1, socket.MSG_PEEK)

    def say(self, data: bytes) -> None:
        self._wire.sendall(data)

    def drip(self, data: bytes) -> None:
        """Write ``data`` again and again, a byte at a time, until the client hangs up."""
        while not self.server.stopping.is_set():
            for byte in data:
                self.server.stopping.wait(0.01)
                self.say(bytes([byte]))

    def reset(self) -> None:
        """Close so that the client sees a reset."""
        self._wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._wire.close()

    def wait(self) -> None:
        """Say nothing until the client hangs up."""
        while self.hear():
            pass

    def _until(self, mark: bytes) -> bytes | None:
        while mark not in self._unread:
            if not self.hear():
                return None
        found, _, self._unread = self._unread.partition(mark)
        return found


Script = Callable[[Visit], None]


def answer(status: int, body: bytes | str, *headers: str) -> bytes:
    """Return a whole, well-made answer."""
    data = body.encode() if isinstance(body, str) else body
    head = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(data)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + data


def replying(data: bytes) -> Script:
    """Return a script that gives each request of a connection the same answer."""

    def play(visit: Visit) -> None:
        while visit.request():
            visit.say(data)

    return play


def saying(data: bytes) -> Script:
    """Return a script that reads a request, writes ``data`` and closes."""

    def play(visit: Visit) -> None:
        if visit.request():
            visit.say(data)

    return play


class FaultServer:
    """Plays ``script`` to each connection on 127.0.0.1 and keeps the requests; ``url`` is its address."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.connections = 0
        self.stopping = threading.Event()
        self.left = threading.Event()
        """Set when a script has come to its end, such as because the client hung up."""
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._open = ExitStack()
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._open.close()
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listener.close()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                wire, _ = self._listener.accept()
            except OSError:
                return
            wire.settimeout(PATIENCE)
            self.connections += 1
            self._open.callback(_hang_up, wire)
            self._threads.append(threading.Thread(target=self._play, args=(wire,)))
            self._threads[-1].start()

    def _play(self, wire: socket.socket) -> None:
        with suppress(OSError):
            if self._tls:
                wire = self._tls.wrap_socket(wire, server_side=True)
            with wire:
                self.script(Visit(self, wire))
        wire.close()
        self.left.set()


def _hang_up(wire: socket.socket) -> None:
    with suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)
