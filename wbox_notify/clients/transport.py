"""One HTTP exchange within a deadline: a whole Reply, or a Silence that knows whether anything was sent."""

import json as json_text
import math
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from io import BufferedReader, RawIOBase
from typing import Any, Self
from urllib.parse import urlencode

import certifi
import urllib3
from urllib3 import HTTPHeaderDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url
from urllib3.util.ssl_ import create_urllib3_context

from wbox_notify.model.clock import steady
from wbox_notify.model.outcomes import Outcome

LIMIT = 64 * 1024
"""Bytes read of an answer's body; wbox's own are a few hundred, a QR image a few thousand."""
IDLE = 4.0
"""Seconds for which an idle connection is used again; an older one may be closed just as we write."""

_GZIP = {"gzip", "x-gzip"}
_WITH_A_GZIP_HEADER = 16 + zlib.MAX_WBITS
_CLOCK_FLAWS = {9, 10}  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_FAILURES = (HTTPError, HTTPException, OSError, ValueError)
_NAME = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_USUAL_HEAD = re.compile(rb"HTTP/1\.1 ([2-5]\d\d)(?: [^\r\n]*)?\r\n((?:%b:[^\r\n]*\r\n){0,99})\r\n" % _NAME)
_HEADER = re.compile(rb"(%b):[ \t]*([^\r\n]*?)[ \t]*\r\n" % _NAME)
_IN_A_HEADER = re.compile(r"[\t -~]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer; where its body cannot be read, ``flaw`` says why and the body is empty.

    The names of the headers are in lower case.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    flaw: str | None = None
    latency: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """No answer came; the outcome is NOT_SENT, UNKNOWN, or REFUSED for what can never be sent."""

    outcome: Outcome
    reason: str
    latency: float = 0.0


def is_address(url: str) -> bool:
    """Return whether an exchange can begin with an address."""
    try:
        return parse_url(url).host is not None
    except (HTTPError, ValueError):
        return False


class Transport:
    """The connection to one server; it is used by one thread at a time."""

    def __init__(
        self,
        base: str,
        headers: Mapping[str, str],
        *,
        connect: float,
        deadline: float,
        clock: Callable[[], float] = steady,
    ) -> None:
        self._url = parse_url(base)
        # An encoded body could be a bomb, so none is asked for; one that comes is opened up to the limit.
        fixed = {"Host": _host(self._url), "Accept-Encoding": "identity", **headers}
        self._head = "".join(map(_line, fixed.items()))
        self._connect = connect
        self._deadline = deadline
        self._clock = clock
        self._connection: _Connection | None = None
        self._used = clock()

    def exchange(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply | Silence:
        """Return what came of one request after at most ``deadline`` seconds; it is never sent twice."""
        began = time.monotonic()
        try:
            data = self._written(method, path + _query(params), json, headers or {})
        except ValueError as error:
            return Silence(outcome=Outcome.REFUSED, reason=f"this cannot be sent: {error}")
        result = self._exchange(method, data, began + self._deadline)
        self._used = self._clock()
        return replace(result, latency=time.monotonic() - began)

    def _written(
        self, method: str, target: str, json: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> bytes:
        """Return a request as it goes over the wire; in one piece, for one call of the system."""
        body, length = b"", ""
        if json is not None:
            body = json_text.dumps(json, allow_nan=False).encode()
            length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        own = "".join(map(_line, headers.items()))
        start = f"{method} {self._url.path or ''}{target} HTTP/1.1\r\n"
        return f"{start}{self._head}{own}{length}\r\n".encode("ascii") + body

    def close(self) -> None:
        """Close the connection that is kept for the next exchange."""
        if self._connection:
            self._connection.unplug()
            self._connection = None

    def _exchange(self, method: str, data: bytes, until: float) -> Reply | Silence:
        connection = self._connected(until)
        if isinstance(connection, Silence):
            return connection
        _watch.cut_at(until, connection)
        try:
            result = _converse(connection, method, data)
        finally:
            _watch.leave(connection)
        if connection.is_cut:
            result = self._late(connection.outcome)
        if connection.is_cut or not connection.is_whole:
            self.close()
        return result

    def _connected(self, until: float) -> "_Connection | Silence":
        """Return the connection that is kept, or a new one where it cannot be used."""
        if self._clock() - self._used > IDLE or (self._connection and not self._connection.is_usable):
            self.close()
        if self._connection is None:
            dialled = _Dial(self._new_connection()).connection(until)
            if dialled is None:
                return self._late(Outcome.NOT_SENT)
            if isinstance(dialled, Silence):
                return dialled
            self._connection = dialled
        return self._connection

    def _new_connection(self) -> "_Connection":
        url = self._url
        host, port = str(url.host).strip("[]"), url.port
        if url.scheme == "http":
            return _Connection(host, port, timeout=self._connect)
        return _TlsConnection(host, port, timeout=self._connect, ssl_context=self._trust)

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        context = create_urllib3_context()
        context.load_verify_locations(certifi.where())
        return context

    def _late(self, outcome: Outcome) -> Silence:
        return Silence(outcome=outcome, reason=f"no whole answer within {self._deadline:g} s")


def _query(params: Mapping[str, Any] | None) -> str:
    given = {name: value for name, value in (params or {}).items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


def _host(url: urllib3.util.Url) -> str:
    """Return the header ``Host``: without the zone of an IPv6 address, which means nothing elsewhere."""
    host = re.sub(r"%[^\]]*", "", str(url.host))
    return f"{host}:{url.port}" if url.port else host


def _line(header: tuple[str, str]) -> str:
    """Return a header as it is written; ValueError where it would be more than one line of plain letters."""
    name, value = header
    if not _IN_A_HEADER.fullmatch(value):
        raise ValueError(f"no header can hold {name}")
    return f"{name}: {value}\r\n"


class _Response(HTTPResponse):
    """The answer to a request, without what a server may say before it (``102 Processing``)."""

    def begin(self) -> None:
        """Read the answer up to its body."""
        super().begin()
        while self.status < HTTPStatus.OK:
            self.headers = None  # type: ignore[assignment]  # so that http.client begins anew
            super().begin()


class _Connection(HTTPConnection):
    """A connection that another thread can cut.

    Attributes:
        is_cut: Whether that was done: from then on it can write nothing.
        has_left: Whether bytes of the request that is under way may have been written.
        is_whole: Whether the answer to the last request was read to its end.
    """

    is_cut = False
    has_left = False
    is_whole = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._lock = threading.Lock()
        self._plug: socket.socket | None = None

    @property
    def outcome(self) -> Outcome:
        """What is known when no answer came."""
        return Outcome.UNKNOWN if self.has_left else Outcome.NOT_SENT

    @property
    def is_usable(self) -> bool:
        """Whether another request may be written."""
        return self.is_whole and not self.is_cut and self.is_connected

    def send(self, data: Any) -> None:
        """Write ``data`` unless the connection was cut."""
        with self._lock:
            if self.is_cut:
                raise OSError("cut at the deadline")
            self.has_left = True
        self.sock.sendall(data)

    def cut(self) -> None:
        """End what is under way now: an open connection is shut down, and one to come cannot be used."""
        with self._lock:
            self.is_cut = True
            if self._plug is not None:
                with suppress(OSError):
                    self._plug.shutdown(socket.SHUT_RDWR)

    def unplug(self) -> None:
        """Close the connection for good; http.client itself may close it while its answer is read."""
        self.close()
        with self._lock:
            if self._plug is not None:
                self._plug.close()
                self._plug = None

    def _new_conn(self) -> socket.socket:
        connection = super()._new_conn()
        with self._lock:
            if self.is_cut:
                connection.close()
                raise OSError("cut at the deadline")
            # A second descriptor of the same connection: it stays good while TLS wraps the first one.
            self._plug = socket.fromfd(connection.fileno(), connection.family, connection.type)
        return connection


class _TlsConnection(_Connection, HTTPSConnection):
    """The same through TLS."""


class _Dial:
    """A connection in the making, in a thread of its own: to wait for a name cannot be cut."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._worker = threading.Thread(target=self._run, name="wbox-dial", daemon=True)
        self._result: _Connection | Silence | None = None

    def connection(self, until: float) -> _Connection | Silence | None:
        """Return the connection once it is open, or why it is not; None where that takes too long."""
        try:
            _begin(self._worker)
            self._worker.join(max(until - time.monotonic(), 0.0))
        except OSError as error:
            return _unreached(error)
        finally:
            if self._worker.is_alive():
                self._connection.cut()
        return self._result

    def _run(self) -> None:
        connection = self._connection
        try:
            _watch.begin()
            connection.connect()
        except _FAILURES as error:
            connection.unplug()
            self._result = _unreached(error)
            return
        # Once connected there is no limit to one read or write: the deadline ends them all.
        connection.sock.settimeout(None)
        self._result = connection


class _Watch:
    """Cuts connections at their deadlines; one thread for all of them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._deadlines: dict[_Connection, float] = {}
        self._thread: threading.Thread | None = None
        self._wakes = math.inf

    def begin(self) -> None:
        """Start the thread where it does not run, as at first and after a fork. Raises OSError."""
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._run, name="wbox-deadlines", daemon=True)
                _begin(thread)
                self._thread = thread

    def cut_at(self, until: float, connection: _Connection) -> None:
        """Cut a connection at a time of the monotonic clock, unless it leaves before."""
        with self._changed:
            self._deadlines[connection] = until
            if until < self._wakes:
                self._changed.notify()

    def leave(self, connection: _Connection) -> None:
        """Cut a connection no more."""
        with self._changed:
            self._deadlines.pop(connection, None)

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for connection in [late for late, until in self._deadlines.items() if until <= now]:
                    del self._deadlines[connection]
                    connection.cut()
                self._wakes = min(self._deadlines.values(), default=math.inf)
                self._changed.wait(None if self._wakes == math.inf else self._wakes - now)


def _begin(thread: threading.Thread) -> None:
    """Start a thread; OSError where the system has none to give."""
    try:
        thread.start()
    except RuntimeError as error:
        raise OSError(str(error)) from error


_watch = _Watch()


def _converse(connection: _Connection, method: str, data: bytes) -> Reply | Silence:
    """Return the answer to a request, or why there is none."""
    connection.has_left = connection.is_whole = False
    try:
        connection.send(data)
        come = connection.sock.recv(LIMIT)
        reply = _usual(come)
        connection.is_whole = reply is not None
        if reply is None:
            reply, connection.is_whole = _unusual(method, _Rest(come, connection.sock))
    except _FAILURES as error:
        if connection.has_left:
            return Silence(outcome=Outcome.UNKNOWN, reason=f"the answer did not come: {cause(error)}")
        return _unreached(error)
    return reply


def _usual(come: bytes) -> Reply | None:
    """Return the answer that has come in one piece, as most do; None for all others.

    ``http.client`` and urllib3 take ten times as long to read one; what they alone understand is theirs.
    """
    head = _USUAL_HEAD.match(come)
    if head is None:
        return None
    found = _HEADER.findall(head[2])
    headers = {name.decode("ascii").lower(): value.decode("latin-1") for name, value in found}
    body, status = come[head.end() :], int(head[1])
    is_usual = (
        len(headers) == len(found)
        and headers.keys().isdisjoint({"transfer-encoding", "content-encoding"})
        and headers.get("connection", "keep-alive").lower() == "keep-alive"
        and headers.get("content-length") == str(len(body))
        and status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
    )
    return Reply(status=status, headers=headers, body=body) if is_usual else None


class _Rest(BufferedReader):
    """What has come of an answer and then what is still to come, in the form that ``http.client`` reads.

    Attributes:
        is_used_up: Whether nothing had come behind the answer when it was read; before that False.
    """

    is_used_up = False

    def __init__(self, come: bytes, wire: socket.socket) -> None:
        self._source = _Source(come, wire)
        super().__init__(self._source)

    def makefile(self, _mode: str) -> Self:
        """Return it as a file."""
        return self

    def close(self) -> None:
        """Read nothing more, as ``http.client`` does at the end of an answer."""
        if not self.closed:
            self._source.end()
            self.is_used_up = not self.peek()
        super().close()


class _Source(RawIOBase):
    """Bytes that have come, and then those of a connection until it is to be read no more."""

    def __init__(self, come: bytes, wire: socket.socket) -> None:
        self._come = come
        self._wire: socket.socket | None = wire

    def end(self) -> None:
        """Read no more of the connection."""
        self._wire = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some of it; return how many bytes."""
        if self._come:
            size = min(len(buffer), len(self._come))
            buffer[:size], self._come = self._come[:size], self._come[size:]
            return size
        return self._wire.recv_into(buffer) if self._wire else 0


def _unusual(method: str, rest: _Rest) -> tuple[Reply, bool]:
    """Return any other answer, and whether the connection may be used again."""
    plain = _Response(rest, method=method)  # type: ignore[arg-type]  # of a socket it needs no more
    plain.begin()
    response = urllib3.HTTPResponse(
        plain,
        HTTPHeaderDict(plain.headers.items()),
        plain.status,
        preload_content=False,
        decode_content=False,
        original_response=plain,
        request_method=method,
    )
    content, flaw = _read(response)
    headers = {name.lower(): value for name, value in response.headers.items()}
    reply = Reply(status=plain.status, headers=headers, body=content, flaw=flaw)
    rest.close()
    # What came behind an answer would be read as the answer to the next request.
    return reply, flaw is None and not plain.will_close and rest.is_used_up


def _unreached(error: Exception) -> Silence:
    """Return what is known when nothing was written; what no network is to blame for can never be sent."""
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return Silence(outcome=Outcome.REFUSED, reason=f"this cannot be sent: {error}")
    return Silence(outcome=Outcome.NOT_SENT, reason=f"wbox could not be reached: {cause(error)}")


def _read(response: urllib3.BaseHTTPResponse) -> tuple[bytes, str | None]:
    """Return the body and None, or nothing and the reason why it cannot be read."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity", *_GZIP}:
        return b"", "the answer is compressed, which was not asked for"
    body = bytearray()
    try:
        while chunk := response.read(LIMIT + 1 - len(body), decode_content=False):
            body += chunk
            if len(body) > LIMIT:
                return b"", "the answer is longer than 64 KiB"
    except _FAILURES as error:
        return b"", f"the answer broke off: {cause(error)}"
    if encoding in _GZIP and body:
        return _decompressed(bytes(body))
    return bytes(body), None


def _decompressed(body: bytes) -> tuple[bytes, str | None]:
    """Return the body that a proxy has compressed, and None; or nothing and why it cannot be read."""
    decompressor = zlib.decompressobj(wbits=_WITH_A_GZIP_HEADER)
    try:
        whole = decompressor.decompress(body, LIMIT + 1)
    except zlib.error:
        return b"", "the answer is compressed, and damaged"
    if len(whole) > LIMIT:
        return b"", "the answer is longer than 64 KiB"
    if not decompressor.eof or decompressor.unused_data:
        return b"", "the answer is compressed, and damaged"
    return whole, None


def cause(error: BaseException) -> str:
    """Return the innermost reason: the outer ones name objects of the library."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    if isinstance(error, ssl.SSLCertVerificationError):
        problem = f"its certificate is not accepted ({error.verify_message})"
        if error.verify_code in _CLOCK_FLAWS:
            return f"{problem}; is the clock of this machine right?"
        return problem
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
