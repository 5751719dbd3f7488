"""A connection that nobody can keep for long without asking anything."""

import asyncio
import resource
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, ClassVar, cast

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from wbox_notify.web.refusals import address

_READ_AT_ONCE = 32 * 1024
_LEAST_OF_CHUNKS = 256
_HEAD_ENDS = b"\r\n\r\n"


def _room() -> int:
    """Return how many connections to keep at once: files of our own have to fit beside them."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return min(512, files // 2) if files > 0 else 512


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


class Guarded(Connection):
    """One connection; what a client may take of our time and memory is bounded.

    ``refused`` hears of requests that no application gets to see: from whom, and with which status.

    Attributes:
        head_within: Seconds for the head of a request, from its first byte or from the connection on.
        idle_within: Seconds from an answer to the first byte of the next request.
        taken_within: Seconds within which a client has to take what we answer.
        linger: Seconds that are left to read an answer to those who have not sent all.
        largest_head: Bytes of the first line and the headers.
        most_headers: How many headers there may be.
        largest_frame: Bytes of a body that are not the body itself: sizes of chunks, trailers.
        most: How many connections there may be at once.
    """

    head_within: ClassVar[float] = 5.0
    idle_within: ClassVar[float] = 5.0
    taken_within: ClassVar[float] = 10.0
    linger: ClassVar[float] = 1.0
    largest_head: ClassVar[int] = 16 * 1024
    most_headers: ClassVar[int] = 100
    largest_frame: ClassVar[int] = 256 * 1024
    most: ClassVar[int] = _room()

    def __init__(
        self, *args: Any, refused: Callable[[str, int], None] = lambda _call, _status: None, **named: Any
    ) -> None:
        super().__init__(*args, **named)
        self._tell = refused

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Begin to wait for a head; where there is no room, who has let us wait longest makes some."""
        super().connection_made(transport)
        self.flow = _Flow(transport, lambda: self.busy)
        self.access_log = False  # a path may be a signed link, a query may hold a secret
        self.timeout_keep_alive = self.idle_within  # type: ignore[assignment] # it is a call_later's
        self._head = _Deadline(self.loop)
        self._exit = _Deadline(self.loop)
        self._in_head = True
        self._deaf = False
        self._ended = False
        self._raw = 0
        self._status = HTTPStatus.BAD_REQUEST
        self.since = self.loop.time()
        self._head.start(self.head_within, self._too_slow)
        if len(self.connections) > self.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        self._head.stop()
        self._exit.stop()
        super().connection_lost(exc)

    @property
    def owes(self) -> bool:
        """Whether the client has yet to send us something before we can do anything."""
        return self._asked is None or self.owes_body

    @property
    def owes_body(self) -> bool:
        """Whether the head of a request came, and not yet all of its body."""
        return bool(self._asked and self._asked.more_body)

    @property
    def _asked(self) -> RequestResponseCycle | None:
        """The request that came last, while it is not answered."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle if cycle and not cycle.response_complete else None

    def _make_room(self) -> None:
        others = [one for one in self.connections if isinstance(one, Guarded) and one.owes]
        oldest = min(others, key=lambda one: one.since)
        self.connections.discard(oldest)
        oldest.transport.abort()

    @property
    def hears(self) -> bool:
        """Whether what comes now is read now."""
        return not self._deaf and super().hears

    def data_received(self, data: bytes) -> None:
        """Read on, unless we have stopped to listen."""
        if not self._deaf:
            super().data_received(data)

    def feed(self, part: memoryview) -> None:
        """Read some bytes, unless it is too much."""
        if self._in_head and not self._head.running:
            self._head.start(self.head_within, self._too_slow)
        self._raw += len(part)
        super().feed(part)
        if self._raw > (self.largest_head if self._in_head else self.largest_frame) and not self._deaf:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what comes as one after the body is none."""
        if not self._in_head:
            return
        super().on_header(name, value)
        if len(self.headers) > self.most_headers:
            self._fail(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_head(self) -> None:
        """Begin to answer, if there is one way only to understand this head."""
        self._head.stop()
        self._in_head = False
        self._raw = 0
        if (
            sum(len(name) + len(value) + 4 for name, value in self.headers) + len(self.url)
            > self.largest_head
        ):
            self._fail(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if not _plain(self.headers, self.parser.get_http_version()):
            self._fail(HTTPStatus.BAD_REQUEST)
        super().on_head()
        self.cycle.transport = cast("asyncio.Transport", _Answer(self, self.cycle))

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._raw -= len(body)
        super().on_body(body)

    def on_end(self) -> None:
        """Wait for the next head."""
        self._in_head = True
        self._raw = 0
        super().on_end()

    def on_response_complete(self) -> None:
        """Go on with the next request; hang up on a client that still sends what was answered already."""
        self.since = self.loop.time()
        if self.cycle.response_complete and self.cycle.more_body:
            self.leave()
        super().on_response_complete()
        if self._ended and not self.busy:
            self._break_off()

    def eof_received(self) -> bool:  # type: ignore[override] # asyncio keeps what is True open
        """Answer what was asked whole, then refuse what broke off, then close."""
        self._ended = True
        if not self._deaf and not self.busy:
            self._break_off()
            return True
        return self.busy

    def _break_off(self) -> None:
        # RFC 9112, 2.2: some clients send an empty line after a body.
        if self._raw > len(b"\r\n") or self.owes_body:
            self._refuse(HTTPStatus.BAD_REQUEST)
        else:
            self.leave()

    def pause_writing(self) -> None:
        """Do not wait for ever for a client that takes nothing."""
        super().pause_writing()
        self._exit.start(self.taken_within, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        if not self._deaf:
            self._exit.stop()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - a client that sends this reads no text
        """Refuse what is no request."""
        self._refuse(self._status)

    def shutdown(self) -> None:
        """Let an answer end, but wait for no client that is still sending."""
        if self._asked and self._asked.more_body:
            self.transport.abort()
        else:
            super().shutdown()

    def leave(self) -> None:
        """Hang up, so that the client can read what was answered even while it sends."""
        self._deaf = True
        self.unread = b""
        self._head.stop()
        self._exit.start(self.linger, self.transport.abort)
        if self.transport.is_closing():
            return
        if self._ended or (self._in_head and self._raw == 0):
            self.transport.close()
        else:
            with suppress(OSError):  # it may have hung up itself
                self.transport.write_eof()

    def _fail(self, status: HTTPStatus) -> None:
        """Stop the parser, which then asks for ``send_400_response``."""
        self._status = status
        raise ValueError(status)

    def _too_slow(self) -> None:
        if self._raw:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer no more than a status and hang up; what was asked before is answered first."""
        self._deaf = True
        self._head.stop()
        if self._asked and not self._asked.more_body:
            self._asked.keep_alive = False
            return
        if self._asked:
            self._asked.disconnected = True
            self._asked.message_event.set()
        else:
            self._tell(f"a request from {address(self.client)}", int(status))
        if self.pipeline:
            self.transport.abort()
            return
        line = f"HTTP/1.1 {status} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        self.transport.write(line.encode("ascii"))
        self.leave()


class _Flow(FlowControl):
    """Reads nothing more while a request waits for its answer, whoever asks for more."""

    def __init__(self, transport: asyncio.Transport, busy: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._busy = busy

    def resume_reading(self) -> None:
        """Read on, unless what was read is still to be answered."""
        if not self._busy():
            super().resume_reading()


class _Answer:
    """What an answer is written to: its head goes with its first part, and to close it is to leave."""

    def __init__(self, connection: Guarded, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._write = connection.transport.write
        self._head: bytes | None = None
        self.is_closing = connection.transport.is_closing
        self.close = connection.leave

    def write(self, part: bytes) -> None:
        """Send a part of the answer; a head waits for what follows it, if anything does: one packet less."""
        if self._head is None and self._cycle.response_started and self._cycle.scope["method"] != "HEAD":
            self._head = part
            return
        self._write((self._head or b"") + part)
        self._head = b""


class _Deadline:
    """Something that is done at a time, unless it is stopped before."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    @property
    def running(self) -> bool:
        """Whether it is still to come."""
        return self._timer is not None

    def start(self, seconds: float, do: Callable[[], Any]) -> None:
        """Do it so many seconds from now, and no sooner."""
        self.stop()
        self._timer = self._loop.call_later(seconds, do)

    def stop(self) -> None:
        """Do it not at all."""
        if self._timer:
            self._timer.cancel()
            self._timer = None


def _plain(headers: list[tuple[bytes, bytes]], version: str) -> bool:
    """Return whether no two servers can take this head for different requests."""
    names = [name for name, _ in headers]
    codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
    chunked = codings == [b"chunked"] and version == "1.1" and b"content-length" not in names
    return names.count(b"host") == 1 and version in {"1.0", "1.1"} and (chunked or not codings)
