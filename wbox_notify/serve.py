"""An ASGI application on a port of this machine, in a thread of this process."""

import asyncio
import errno
import socket
import threading
from typing import Any

import uvicorn

from wbox_notify.errors import WboxError

_STOP_WITHIN = 5.0
_LAST_PORT = 65535
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - what to call it, not a bind


class PortError(WboxError):
    """The address can not be listened on; ``taken`` where another program listens there."""

    exit_code = 78

    def __init__(self, host: str, port: int, why: str, *, taken: bool = False) -> None:
        super().__init__(
            f"can not listen on {host or '*'}, port {port}: {why}",
            hint="choose another port; 0 takes a free one",
        )
        self.taken = taken


class Server:
    """Listens from the start on, so that ``port`` and ``url`` are known; answers from ``start`` to ``stop``.

    Args:
        app: the ASGI application.
        host: the address to listen on.
        port: 0 takes a free one.
        protocol: another HTTP protocol class for uvicorn.
        name: sent as the ``Server`` header.

    Raises:
        PortError: the address can not be listened on.
    """

    def __init__(
        self,
        app: Any,
        host: str,
        port: int,
        *,
        protocol: type[asyncio.Protocol] | None = None,
        name: str = "wbox-notify",
    ) -> None:
        self._socket = _listen(host, port)
        self.port = int(self._socket.getsockname()[1])
        shown = _EVERYWHERE.get(host, host)
        self.url = f"http://[{shown}]:{self.port}" if ":" in shown else f"http://{shown}:{self.port}"
        config = uvicorn.Config(
            app,
            http=protocol or "httptools",
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            headers=[("server", name)],
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
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


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= _LAST_PORT:
        raise PortError(host, port, "there is no such port")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "another program listens there" if taken else str(error.strerror).partition(" (while ")[0]
        raise PortError(host, port, why, taken=taken) from None
    # Each connection inherits this; without it the second part of an answer waits 40 ms for the client.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
