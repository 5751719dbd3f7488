"""An HTTP server: an ASGI application on a port of this machine, in a thread of this process."""

import asyncio
import errno
import resource
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast

import uvicorn

from wbox_notify.errors import Exit, WboxError
from wbox_notify.model.texts import Wording
from wbox_notify.web.protocol import Connection

_STOP_TIMEOUT = 5.0
_TICK = 1.0
"""Seconds for which the time in the headers of answers stays."""
_MAX_PORT = 65535
_BACKLOG = 512
_MAX_ACCEPTS = 100
_LOCAL_NAMES = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - a name, not a bind


class PortError(WboxError):
    """The address cannot be listened on; ``taken`` where another program listens there."""

    exit_code = Exit.INVALID

    def __init__(self, host: str, port: int, reason: str, *, taken: bool = False) -> None:
        super().__init__(
            Wording(
                "cannot listen on {host}, port {port}: {reason}", host=host or "*", port=port, reason=reason
            ),
            hint="choose another port; 0 takes a free one",
        )
        self.taken = taken


class Server:
    """Listens from the start on, so that ``port`` and ``url`` are known; answers from ``start`` to ``stop``.

    Args:
        app: the ASGI application.
        host: the address to listen on.
        port: 0 takes a free one.
        protocol: makes the connection of a client, for uvicorn.
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
        protocol: Callable[..., asyncio.Protocol] = Connection,
        name: str = "wbox-notify",
    ) -> None:
        self._socket = _listen(host, port)
        self.port = int(self._socket.getsockname()[1])
        self.url = _url(_LOCAL_NAMES.get(host, host), self.port)
        config = uvicorn.Config(
            app,
            http=cast("type[asyncio.Protocol]", protocol),
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            headers=[("server", name)],
            timeout_graceful_shutdown=1,
            backlog=_accepts_at_once(),
        )
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name=f"http-{self.port}", daemon=True
        )

    def start(self) -> None:
        """Answer from now on; clients that connected before the thread runs wait in the socket's queue."""
        self._thread.start()

    def stop(self) -> None:
        """Answer the complete requests, then close, within seconds whatever clients do."""
        self._server.end()
        if self._thread.is_alive():
            self._thread.join(_STOP_TIMEOUT)
        self._socket.close()


class _Server(uvicorn.Server):
    """Lets more connections wait than it accepts at once; for asyncio both are one number."""

    _wake: Callable[[], object] = staticmethod(lambda: None)

    def end(self) -> None:
        """Stop, in the server's own thread."""
        self.should_exit = True
        with suppress(RuntimeError):  # its loop has ended
            self._wake()

    async def main_loop(self) -> None:
        """Look at the clock once a second, and not ten times to see whether to stop."""
        woken = asyncio.Event()
        self._wake = partial(asyncio.get_running_loop().call_soon_threadsafe, woken.set)
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK):
                    await woken.wait()

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(list(sockets or ()))
        for listening in sockets or ():
            listening.listen(_BACKLOG)


def _accepts_at_once() -> int:
    """Return how many connections to accept before the first of them can make room for the others.

    Without a bound a crowd takes all the files that this process may open, the store's and the sender's too.
    """
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files <= 0:
        return _MAX_ACCEPTS
    return min(_MAX_ACCEPTS, max(files // 16, 1))


def _url(host: str, port: int) -> str:
    if ":" in host:
        return f"http://[{host}]:{port}"
    return f"http://{host}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= _MAX_PORT:
        raise PortError(host, port, Wording("there is no such port"))
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = str(error.strerror).partition(" (while ")[0]
        if taken:
            reason = Wording("another program listens there")
        raise PortError(host, port, reason, taken=taken) from None
    # Each connection inherits this; without it the second part of an answer waits 40 ms for the client.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
