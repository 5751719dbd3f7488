"""An ASGI application on a port of this machine, in a thread of this process."""

import asyncio
import errno
import resource
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from wbox_notify.errors import WboxError

_STOP_WITHIN = 5.0
_LAST_PORT = 65535
_WAITING = 512
_MOST_AT_ONCE = 100
_READ_AT_ONCE = 32 * 1024
_LEAST_OF_CHUNKS = 256
_HEAD_ENDS = b"\r\n\r\n"
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - what to call it, not a bind


class PortError(WboxError):
    """The address cannot be listened on; ``taken`` where another program listens there."""

    exit_code = 78

    def __init__(self, host: str, port: int, why: str, *, taken: bool = False) -> None:
        super().__init__(
            f"cannot listen on {host or '*'}, port {port}: {why}",
            hint="choose another port; 0 takes a free one",
        )
        self.taken = taken


class Server:
    """Listens from the start on, so that ``port`` and ``url`` are known; answers from ``start`` to ``stop``.

    Args:
        app: the ASGI application.
        host: the address to listen on.
        port: 0 takes a free one.
        protocol: what makes a connection for uvicorn, where it is no plain ``Connection``.
        name: sent as the ``Server`` header.

    Raises:
        PortError: the address cannot be listened on.
    """

    def __init__(
        self,
        app: Any,
        host: str,
        port: int,
        *,
        protocol: Callable[..., asyncio.Protocol] | None = None,
        name: str = "wbox-notify",
    ) -> None:
        self._socket = _listen(host, port)
        self.port = int(self._socket.getsockname()[1])
        shown = _EVERYWHERE.get(host, host)
        self.url = f"http://[{shown}]:{self.port}" if ":" in shown else f"http://{shown}:{self.port}"
        config = uvicorn.Config(
            app,
            http=cast("type[asyncio.Protocol]", protocol or Connection),
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            headers=[("server", name)],
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
            backlog=_at_once(),
        )
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name=f"http-{self.port}", daemon=True
        )

    def start(self) -> None:
        """Answer from now on; what connected before the thread is up waits in the socket's queue."""
        self._thread.start()

    def stop(self) -> None:
        """Answer what has been asked, then close, within seconds whatever clients do."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_STOP_WITHIN)
        self._socket.close()


class Connection(HttpToolsProtocol):
    """A connection of HTTP/1.1 that stays one; its requests are read one by one, each when it is its turn.

    What was received behind a request that is not answered yet waits as bytes, those of one read at most.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Begin to read."""
        super().connection_made(transport)
        # asyncio would take 256 KiB from each client at once, and has no other way to say less.
        transport.max_size = _READ_AT_ONCE  # type: ignore[attr-defined]
        self.unread = b""
        self._read = 0
        self._body_left = 0

    @property
    def busy(self) -> bool:
        """Whether a request is whole and not answered yet."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return bool(self.pipeline) or bool(cycle and not cycle.response_complete and not cycle.more_body)

    @property
    def hears(self) -> bool:
        """Whether what comes now is read now."""
        return not self.busy and not self.transport.is_closing()

    def data_received(self, data: bytes) -> None:
        """Read on as far as the end of a request."""
        self.unread, self._read = self.unread[self._read :] + data, 0
        self.read_on()

    def feed(self, part: memoryview) -> None:
        """Hand some bytes to the parser; none of them belongs to the request after this one."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(part)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay(part[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def on_head(self) -> None:
        """Begin to answer a request whose head is whole."""
        super().on_headers_complete()
        announced = [value for name, value in self.headers if name == b"content-length"]
        self._body_left = int(announced[0]) if announced else 0

    def on_end(self) -> None:
        """Take note that a request is whole."""
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        """Begin to answer, unless the head has to be read anew."""
        if not self.parser.should_upgrade():
            self.on_head()

    def on_message_complete(self) -> None:
        """Take note that a request is whole, unless its head has to be read anew."""
        if not self.parser.should_upgrade():
            self.on_end()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body_left -= len(body)
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Go on with what waited."""
        super().on_response_complete()
        self.read_on()

    def read_on(self) -> None:
        """Read what is here, as far as the end of a request that has to be answered first."""
        view = memoryview(self.unread)
        while self.hears and self._read < len(view):
            begin, self._read = self._read, self._end()
            self.feed(view[begin : self._read])
        if self._read == len(view):
            self.unread, self._read = b"", 0
        elif self.busy:
            self.flow.pause_reading()

    def _end(self) -> int:
        """Return where to cut so that one request is read and not the next.

        A body of a known length ends with its last byte; all else ends with an empty line. A cut too many
        does no harm, but a body in chunks may be full of them, so there a few bytes of what follows may be
        read with it.
        """
        if self._body_left > 0:
            return min(self._read + self._body_left, len(self.unread))
        asked = cast("RequestResponseCycle | None", self.cycle)
        in_chunks = asked and asked.more_body and not asked.response_complete
        found = self.unread.find(_HEAD_ENDS, self._read + (_LEAST_OF_CHUNKS if in_chunks else 0))
        return found + len(_HEAD_ENDS) if found >= 0 else len(self.unread)

    def _stay(self, rest: memoryview) -> None:
        """Read a head anew without its wish for another protocol, which RFC 9110, 7.8 lets us ignore.

        The parser gives up the connection for such a wish, and with it the body.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if method == b"CONNECT":
            self.send_400_response("Invalid HTTP request received.")
            return
        lines = [b"%s %s HTTP/%s" % (method, self.url, version.encode("ascii"))]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.feed(memoryview(b"\r\n".join(lines) + _HEAD_ENDS))
        if rest:
            self.feed(rest)


class _Server(uvicorn.Server):
    """Lets more connections wait than it takes at once; for asyncio both are one number."""

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(list(sockets or ()))
        for listening in sockets or ():
            listening.listen(_WAITING)


def _at_once() -> int:
    """Return how many connections to take before the first of them can make room for the others.

    Without it a crowd takes all the files that this process may open, the store's and the sender's too.
    """
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return min(_MOST_AT_ONCE, max(files // 16, 1)) if files > 0 else _MOST_AT_ONCE


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= _LAST_PORT:
        raise PortError(host, port, "there is no such port")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=_WAITING)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "another program listens there" if taken else str(error.strerror).partition(" (while ")[0]
        raise PortError(host, port, why, taken=taken) from None
    # Each connection inherits this; without it the second part of an answer waits 40 ms for the client.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
