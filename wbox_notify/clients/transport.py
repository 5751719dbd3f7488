"""One HTTP exchange within a deadline: a whole Reply, or a Silence that knows whether anything was sent."""

import logging
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationValueError

from wbox_notify.model.outcomes import Outcome

LIMIT = 64 * 1024
"""Bytes read of an answer's body; wbox's own are a few hundred, a QR image a few thousand."""
IDLE = 4.0
"""Seconds for which an idle connection is used again; an older one may be closed just as we write."""

_GZIP = {"gzip", "x-gzip"}
_WITH_A_GZIP_HEADER = 16 + zlib.MAX_WBITS
_CLOCK_FLAWS = {9, 10}  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer; where its body cannot be read, ``flaw`` says why and the body is empty."""

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


class Transport:
    """The connection to one server; it is used by one thread at a time."""

    def __init__(
        self,
        base: str,
        headers: Mapping[str, str],
        *,
        connect: float,
        deadline: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base = base
        # An encoded body could be a bomb, so none is asked for; one that comes is opened up to the limit.
        self._headers = {**headers, "Accept-Encoding": "identity"}
        self._connect = connect
        self._deadline = deadline
        self._clock = clock
        self._adapter = _Adapter()
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
        try:
            request = requests.Request(
                method,
                self._base + path,
                headers={**self._headers, **(headers or {})},
                json=json,
                params=params,
            ).prepare()
        except (requests.RequestException, ValueError) as error:
            return Silence(outcome=Outcome.REFUSED, reason=f"this cannot be sent: {error}")
        if self._clock() - self._used > IDLE:
            self._adapter.close()
        call = _Exchange(self._adapter, request, self._connect)
        worker = threading.Thread(target=call.run, name="wbox-exchange", daemon=True)
        try:
            worker.start()
            worker.join(self._deadline)
        finally:
            if worker.is_alive():
                call.cut()
                self._adapter = _Adapter()
        self._used = self._clock()
        return call.result or call.silence(f"no whole answer within {self._deadline:g} s")

    def close(self) -> None:
        """Close the connection that is kept for the next exchange."""
        self._adapter.close()


class _Exchange:
    """One request on its way through a worker thread, which alone may wait for a name or a slow byte."""

    def __init__(self, adapter: HTTPAdapter, request: requests.PreparedRequest, connect: float) -> None:
        self.result: Reply | Silence | None = None
        self._adapter = adapter
        self._request = request
        # Once connected there is no limit to one read: the deadline ends them all.
        self._timeout = (connect, None)
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._plug: socket.socket | None = None
        self._left = False
        self._cut = False

    def run(self) -> None:
        """Send the request and read the answer, then set ``result`` unless the exchange was cut."""
        _current.set(self)
        try:
            result: Reply | Silence = self._converse()
        except (requests.RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
            result = self._failure(error)
        with self._lock:
            self._unplug()
            if self._cut:
                self._adapter.close()
            else:
                self.result = result

    def hold(self, connection: socket.socket, *, leaving: bool = False) -> None:
        """Note the connection in use; ``leaving`` says that bytes of the request are about to be written.

        Raises:
            OSError: when the exchange was cut: from then on it can write nothing.
        """
        with self._lock:
            if self._cut:
                raise OSError("cut at the deadline")
            self._unplug()
            # A second descriptor of the same connection: it stays good while TLS wraps the first one.
            self._plug = socket.fromfd(connection.fileno(), connection.family, connection.type)
            self._left = self._left or leaving

    def cut(self) -> None:
        """End the exchange now: a connection is shut down, and one still to come cannot be used."""
        with self._lock:
            self._cut = True
            if self._plug is not None:
                with suppress(OSError):
                    self._plug.shutdown(socket.SHUT_RDWR)

    def silence(self, reason: str) -> Silence:
        """Return what is known when no answer came: whether the request may have left."""
        outcome = Outcome.UNKNOWN if self._left else Outcome.NOT_SENT
        return Silence(outcome=outcome, reason=reason, latency=self._latency())

    def _converse(self) -> Reply:
        # The adapter and not a Session: a Session reads the environment, .netrc and, even where it must not
        # follow a redirect, the whole body of one.
        with self._adapter.send(self._request, stream=True, timeout=self._timeout, verify=True) as response:
            body, flaw = _read(response)
            status, headers = response.status_code, response.headers
        return Reply(status=status, headers=headers, body=body, flaw=flaw, latency=self._latency())

    def _failure(self, error: Exception) -> Silence:
        unusable = isinstance(error, requests.exceptions.InvalidURL | LocationValueError | UnicodeError)
        if unusable and not self._left:
            return Silence(outcome=Outcome.REFUSED, reason=f"this cannot be sent: {error}")
        way = "the answer did not come" if self._left else "wbox could not be reached"
        return self.silence(f"{way}: {cause(error)}")

    def _latency(self) -> float:
        return time.monotonic() - self._started

    def _unplug(self) -> None:
        if self._plug is not None:
            self._plug.close()
            self._plug = None


_current: ContextVar[_Exchange] = ContextVar("exchange")


class _Connection(HTTPConnection):
    """A connection that asks the exchange it works for before each step."""

    def _new_conn(self) -> socket.socket:
        connection = super()._new_conn()
        try:
            _current.get().hold(connection)
        except OSError:
            connection.close()
            raise
        return connection

    def send(self, data: Any) -> None:
        """Write ``data`` unless the exchange was cut."""
        if self.sock is None:
            self.connect()
        _current.get().hold(self.sock, leaving=True)
        super().send(data)


class _TlsConnection(_Connection, HTTPSConnection):
    """The same through TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    """A pool of one connection that never retries (``max_retries`` is 0)."""

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


def _read(response: requests.Response) -> tuple[bytes, str | None]:
    """Return the body and None, or nothing and the reason why it cannot be read."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity", *_GZIP}:
        return b"", "the answer is compressed, which was not asked for"
    body = bytearray()
    try:
        while chunk := response.raw.read(LIMIT + 1 - len(body), decode_content=False):
            body += chunk
            if len(body) > LIMIT:
                return b"", "the answer is longer than 64 KiB"
    except (HTTPError, HTTPException, OSError, ValueError) as error:
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


def _is_public(record: logging.LogRecord) -> bool:
    """Refuse urllib3's warnings of odd headers: they quote what wbox sent, with a traceback."""
    return record.levelno < logging.WARNING or _current.get(None) is None


logging.getLogger("urllib3.connection").addFilter(_is_public)
