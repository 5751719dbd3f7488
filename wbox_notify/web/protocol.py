"""HTTP/1.1 connections with limits of time and size, against slow clients and ambiguous requests."""

import asyncio
import resource
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, ClassVar, cast

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from wbox_notify.web.requests import WHOLE

Client = tuple[str, int] | None
"""The address and port of a client, where the socket knows them."""

_READ_SIZE = 32 * 1024
_LEAST_OF_CHUNKS = 256
_MAX_CONNECTIONS = 512
_END_OF_HEAD = b"\r\n\r\n"


def _room_for_connections() -> int:
    """Return how many connections to keep at once: files of our own must fit beside them."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files <= 0:
        return _MAX_CONNECTIONS
    return min(_MAX_CONNECTIONS, files // 2)


class Connection(HttpToolsProtocol):
    """One connection; the time and memory that a client may take are bounded.

    Requests are read one by one, each after the answer to the one before; what was received behind an
    unanswered request waits as bytes, at most those of one read. uvicorn has no timeout for reading, no bound
    on connections that helps the next client, and parses all that it receives at once.

    ``on_refusal`` is called for requests that no application sees, with the client and the status.

    Attributes:
        head_timeout: Seconds for the head of a request, from its first byte or from the connection on.
        idle_timeout: Seconds from an answer to the first byte of the next request.
        write_timeout: Seconds within which a client must take what we answer.
        linger: Seconds that a client which still sends has to read the answer.
        max_head: Bytes of the first line and the headers.
        max_headers: How many headers there may be.
        max_framing: Bytes of a body that are not the body itself: sizes of chunks, trailers.
        max_connections: How many connections there may be at once.
    """

    head_timeout: ClassVar[float] = 5.0
    idle_timeout: ClassVar[float] = 5.0
    write_timeout: ClassVar[float] = 10.0
    linger: ClassVar[float] = 1.0
    max_head: ClassVar[int] = 16 * 1024
    max_headers: ClassVar[int] = 100
    max_framing: ClassVar[int] = 256 * 1024
    max_connections: ClassVar[int] = _room_for_connections()

    def __init__(
        self,
        *args: Any,
        on_refusal: Callable[[Client, int], None] = lambda _client, _status: None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self._on_refusal = on_refusal

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Wait for a head; where there are too many connections, close the one that has waited longest."""
        super().connection_made(transport)
        # asyncio would read 256 KiB from each client at once, and has no other way to say less.
        transport.max_size = _READ_SIZE  # type: ignore[attr-defined]
        self.flow = _Flow(transport, lambda: self.busy)
        self.access_log = False  # a path may be a signed link, a query may hold a secret
        self.timeout_keep_alive = self.idle_timeout  # type: ignore[assignment] # it is a call_later's
        self.waiting_since = self.loop.time()
        self.unread = b""
        self._parsed = 0
        self._body_left = 0
        self._in_head = True
        self._frame_size = 0
        self._status = HTTPStatus.BAD_REQUEST
        self._eof = False
        self._closing = False
        self._head_deadline = _Deadline(self.loop)
        self._close_deadline = _Deadline(self.loop)
        self._head_deadline.start(self.head_timeout, self._head_timed_out)
        if len(self.connections) > self.max_connections:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the deadlines."""
        self._head_deadline.stop()
        self._close_deadline.stop()
        super().connection_lost(exc)

    def _make_room(self) -> None:
        idle = [other for other in self.connections if isinstance(other, Connection) and other.owes]
        oldest = min(idle, key=lambda connection: connection.waiting_since)
        self.connections.discard(oldest)
        oldest.transport.abort()

    @property
    def _request(self) -> RequestResponseCycle | None:
        """The latest request, while it is not answered."""
        request = cast("RequestResponseCycle | None", self.cycle)
        if request is None or request.response_complete:
            return None
        return request

    @property
    def busy(self) -> bool:
        """Whether a request is complete and not answered yet."""
        request = self._request
        return bool(self.pipeline) or (request is not None and not request.more_body)

    @property
    def owes_body(self) -> bool:
        """Whether the head of a request came, and not yet all of its body."""
        request = self._request
        return request is not None and request.more_body

    @property
    def owes(self) -> bool:
        """Whether we wait for the client, and not the client for us."""
        return self._request is None or self.owes_body

    # From bytes to requests

    def data_received(self, data: bytes) -> None:
        """Parse what was received, as far as the end of a request."""
        if not self._closing:
            self.unread, self._parsed = self.unread[self._parsed :] + data, 0
            self._parse_received()

    def _parse_received(self) -> None:
        """Parse as far as the end of a request, which must be answered before the next is read."""
        view = memoryview(self.unread)
        while self._parsed < len(view) and not (self._closing or self.busy or self.transport.is_closing()):
            begin, self._parsed = self._parsed, self._next_cut()
            self._parse(view[begin : self._parsed])
        if self._parsed == len(view):
            self.unread, self._parsed = b"", 0
        elif self.busy:
            self.flow.pause_reading()

    def _next_cut(self) -> int:
        """Return where to cut so that one request is parsed and not the next.

        A body of a known length ends with its last byte; all else ends with an empty line. A cut too many
        does no harm, but a body in chunks may be full of them, so there a few bytes of what follows may be
        parsed with it.
        """
        if self._body_left > 0:
            return min(self._parsed + self._body_left, len(self.unread))
        start = self._parsed
        if self.owes_body:
            start += _LEAST_OF_CHUNKS
        end = self.unread.find(_END_OF_HEAD, start)
        if end < 0:
            return len(self.unread)
        return end + len(_END_OF_HEAD)

    def _parse(self, part: memoryview) -> None:
        """Hand some bytes to the parser; refuse the request where its head or framing is too large."""
        self._frame_size += len(part)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(part)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(part[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(self._status)
        limit = self.max_head if self._in_head else self.max_framing
        if self._frame_size > limit and not self._closing:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if self._in_head and self._frame_size and not (self._head_deadline.running or self._closing):
            self._head_deadline.start(self.head_timeout, self._head_timed_out)

    def _ignore_upgrade(self, rest: memoryview) -> None:
        """Parse a head again without its wish for another protocol, which RFC 9110, 7.8 lets us ignore.

        The parser gives up the connection for such a wish, and with it the body.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if method == b"CONNECT":
            self._refuse(self._status)
            return
        lines = [b"%s %s HTTP/%s" % (method, self.url, version.encode("ascii"))]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._parse(memoryview(b"\r\n".join(lines) + _END_OF_HEAD))
        if rest:
            self._parse(rest)

    # What the parser calls

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer after the body is ignored."""
        if not self._in_head:
            return
        super().on_header(name, value)
        if len(self.headers) > self.max_headers:
            self._stop_parser(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Begin to answer, if all servers understand this head in the same way."""
        if self.parser.should_upgrade():
            return  # the head is parsed again
        self._head_deadline.stop()
        self._in_head = False
        self._frame_size = 0
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.max_head:
            self._stop_parser(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if not _is_unambiguous(self.headers, self.parser.get_http_version()):
            self._stop_parser(HTTPStatus.BAD_REQUEST)
        super().on_headers_complete()
        self.cycle.transport = cast("asyncio.Transport", _ResponseTransport(self, self.cycle))
        self._body_left = int(dict(self.headers).get(b"content-length", 0))

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._frame_size -= len(body)
        self._body_left -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for the next head."""
        if self.parser.should_upgrade():
            return  # the head is parsed again
        self._in_head = True
        self._frame_size = 0
        self.cycle.scope[WHOLE] = True  # type: ignore[literal-required] # a name of ours
        super().on_message_complete()

    def _stop_parser(self, status: HTTPStatus) -> None:
        """Make the parser fail with this status."""
        self._status = status
        raise ValueError(status)

    # Answers

    def on_response_complete(self) -> None:
        """Read the next request; close where the client still sends what was answered already."""
        self.waiting_since = self.loop.time()
        if self.cycle.response_complete and self.cycle.more_body:
            self.close()
        super().on_response_complete()
        self._parse_received()
        if self._eof and not self.busy:
            self._close_after_eof()

    def pause_writing(self) -> None:
        """Abort in a while, unless the client takes what we answer."""
        super().pause_writing()
        self._close_deadline.start(self.write_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        if not self._closing:
            self._close_deadline.stop()

    # The end of a connection

    def eof_received(self) -> bool:  # type: ignore[override] # asyncio keeps what is True open
        """Answer the complete requests, then refuse an incomplete one, then close."""
        self._eof = True
        if not self._closing and not self.busy:
            self._close_after_eof()
            return True
        return self.busy

    def _close_after_eof(self) -> None:
        # RFC 9112, 2.2: some clients send an empty line after a body.
        if self._frame_size > len(b"\r\n") or self.owes_body:
            self._refuse(HTTPStatus.BAD_REQUEST)
        else:
            self.close()

    def _head_timed_out(self) -> None:
        if self._frame_size:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer with a status alone and close; a complete request before it is answered first."""
        self._closing = True
        self._head_deadline.stop()
        request = self._request
        if request and not request.more_body:
            request.keep_alive = False
            return
        if request:
            request.disconnected = True
            request.message_event.set()
        else:
            self._on_refusal(self.client, int(status))
        if self.pipeline:
            self.transport.abort()
            return
        line = f"HTTP/1.1 {status} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        self.transport.write(line.encode("ascii"))
        self.close()

    def close(self) -> None:
        """Close so that the client can read the answer even while it sends."""
        self._closing = True
        self.unread = b""
        self._head_deadline.stop()
        self._close_deadline.start(self.linger, self.transport.abort)
        if self.transport.is_closing():
            return
        if self._eof or (self._in_head and self._frame_size == 0):
            self.transport.close()
            return
        # To close with unread bytes would reset the connection, and the client would lose the answer.
        with suppress(OSError):  # the client may have closed it
            self.transport.write_eof()

    def shutdown(self) -> None:
        """Complete an answer, but wait for no client that is still sending."""
        if self.owes_body:
            self.transport.abort()
        else:
            super().shutdown()


class _Flow(FlowControl):
    """Keeps reading paused while a request waits for its answer; uvicorn resumes it for each body."""

    def __init__(self, transport: asyncio.Transport, busy: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._busy = busy

    def resume_reading(self) -> None:
        """Read on, unless a request waits for its answer."""
        if not self._busy():
            super().resume_reading()


class _ResponseTransport:
    """Where uvicorn writes an answer: the head goes out with the first part of the body, in one packet."""

    def __init__(self, connection: Connection, request: RequestResponseCycle) -> None:
        self._request = request
        self._write = connection.transport.write
        self._head: bytes | None = None
        self.is_closing = connection.transport.is_closing
        self.close = connection.close

    def write(self, part: bytes) -> None:
        """Send a part of the answer; the head waits for a body, if there is one."""
        if self._head is None and self._request.response_started and self._request.scope["method"] != "HEAD":
            self._head = part
            return
        self._write((self._head or b"") + part)
        self._head = b""


class _Deadline:
    """A call at a later time, unless it is stopped before."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    @property
    def running(self) -> bool:
        """Whether the call is still to come."""
        return self._timer is not None

    def start(self, seconds: float, call: Callable[[], Any]) -> None:
        """Call so many seconds from now, and no sooner."""
        self.stop()
        self._timer = self._loop.call_later(seconds, call)

    def stop(self) -> None:
        """Do not call."""
        if self._timer:
            self._timer.cancel()
            self._timer = None


def _is_unambiguous(headers: list[tuple[bytes, bytes]], version: str) -> bool:
    """Return whether all servers read this head as the same request (against request smuggling)."""
    names = [name for name, _ in headers]
    codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
    if names.count(b"host") != 1 or version not in {"1.0", "1.1"}:
        return False
    chunked = codings == [b"chunked"] and version == "1.1" and b"content-length" not in names
    return chunked or not codings
