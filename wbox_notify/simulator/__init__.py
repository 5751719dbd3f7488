"""A stand-in for the wbox server, with an inbox page that shows the messages."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from wbox_notify.errors import WboxError
from wbox_notify.simulator.control_api import control
from wbox_notify.simulator.faults import Fault
from wbox_notify.simulator.inbox import inbox
from wbox_notify.simulator.requests import REFUSALS, Guard, Severable
from wbox_notify.simulator.wbox_api import api
from wbox_notify.simulator.world import World
from wbox_notify.web.server import Server


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Simulator:
    """A local stand-in for the wbox server: nothing goes to WhatsApp.

    It runs in a thread of this process; ``with Simulator() as wbox:`` starts and stops it. Port 0 takes a
    free port, and keeps it when the simulator is started again. Any key that starts with ``sk_`` is good
    unless one is given. With ``fetch_media`` it fetches the media that messages link to on this machine, and
    nothing elsewhere. ``now`` tells the time.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        fetch_media: bool = False,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._host = host
        self._port = port
        self._world = World(now, fetching=fetch_media)
        self._app = _app(self._world, host=host, api_key=api_key)
        self._server: Server | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """The address of API and inbox, such as ``http://127.0.0.1:8726``; known after the start."""
        return self._url

    def start(self) -> None:
        """Listen, and answer from a thread.

        Raises:
            WboxError: if it cannot listen, because the port is taken for example.
        """
        if self._server:
            raise WboxError("the simulator is already running")
        self._server = Server(self._app, self._host, self._port, protocol=Severable, name="wbox-simulator")
        self._port, self._url = self._server.port, self._server.url
        self._world.open()
        self._server.start()

    def stop(self) -> None:
        """Stop within seconds, whatever clients do; a simulator that does not run stays as it is."""
        if self._server:
            self._world.close()
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def messages(self) -> list[dict[str, Any]]:
        """Return all that was accepted, oldest first, as ``GET /sim/messages`` gives it."""
        return [accepted.entry() for accepted in self._world.accepted()]

    def wait_for(self, count: int, timeout: float = 30.0) -> list[dict[str, Any]]:
        """Wait for ``count`` messages and return all.

        Raises:
            TimeoutError: if there are fewer after ``timeout`` seconds.
        """
        if not self._world.wait_for(count, timeout):
            raise TimeoutError(f"{len(self.messages())} of {count} messages after {timeout:g} s")
        return self.messages()

    def clear(self) -> None:
        """Empty the ledger."""
        self._world.clear()

    def fault(self, **fields: Any) -> None:
        """Add a fault; the fields are those of ``POST /sim/faults``.

        Raises:
            WboxError: naming each field that is wrong.
        """
        self._world.add_fault(Fault.parse(fields))

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._world.clear_faults()

    def unlink(self, device_id: int = 1) -> None:
        """Unlink a device: its sends are answered with 503."""
        self._world.unlink(device_id)

    def scan(self, device_id: int = 1) -> None:
        """Link a device, as scanning its QR code does."""
        self._world.scan(device_id)


def _app(world: World, *, host: str, api_key: str | None) -> Starlette:
    """Return the application over one world; its own pages answer to ``host`` and the local names only."""
    pages = Starlette(
        routes=[*inbox(world), *control(world)],
        middleware=[Middleware(Guard, host=host)],
        exception_handlers=REFUSALS,
    )
    pages.router.redirect_slashes = False
    return Starlette(routes=[Mount("/v1", api(world, api_key, host)), Mount("/", pages)])
