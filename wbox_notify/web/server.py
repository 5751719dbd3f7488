"""An ASGI application on a port of this machine, in a thread of this process."""

import asyncio
import errno
import resource
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

import uvicorn

from wbox_notify.errors import WboxError
from wbox_notify.web.protocol import Connection

_STOP_WITHIN = 5.0
_LAST_PORT = 65535
_WAITING = 512
_MOST_AT_ONCE = 100
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
