"""A stand-in for the wbox server, with an inbox page that shows what was sent."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from wbox_notify.errors import WboxError
from wbox_notify.simulator.app import app
from wbox_notify.simulator.faults import Fault
from wbox_notify.simulator.requests import Severable
from wbox_notify.simulator.world import World
from wbox_notify.web.server import Server

__all__ = ["Simulator", "app"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Simulator:
    """A wbox server of our own: nothing goes to WhatsApp.

    It runs in a thread of this process; ``with Simulator() as wbox:`` starts and stops it. Port 0 takes a
    free port, and keeps it when the simulator is started again. Any key that starts with ``sk_`` is good
    unless one is given. With ``fetch_media`` it fetches what media lead to on this machine, and nothing
    elsewhere. ``now`` tells the time.
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
        self._app = app(self._world, host=host, api_key=api_key)
        self._server: Server | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """The address of API and inbox, such as ``http://127.0.0.1:8726``; known after the start."""
        return self._url

    def start(self) -> None:
        """Listen, and answer from a thread.

        Raises:
            WboxError: if it cannot listen there, because the port is taken for example.
        """
        if self._server:
            raise WboxError("the simulator runs already")
        self._server = Server(self._app, self._host, self._port, protocol=Severable, name="wbox-simulator")
        self._port, self._url = self._server.port, self._server.url
        self._world.open()
        self._server.start()

    def stop(self) -> None:
        """Stop listening and end, within seconds whatever clients do; without a start do nothing."""
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

    def wait_for(self, count: int, timeout: float = 10.0) -> list[dict[str, Any]]:
        """Return the messages once there are so many.

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
        """Let a fault strike from now on; the fields are those of ``POST /sim/faults``.

        Raises:
            WboxError: naming each field that is wrong.
        """
        self._world.add_fault(Fault.parse(fields))

    def clear_faults(self) -> None:
        """Answer properly again."""
        self._world.clear_faults()

    def unlink(self, device_id: int = 1) -> None:
        """Take the phone away from a device: its sends are answered with 503."""
        self._world.unlink(device_id)

    def scan(self, device_id: int = 1) -> None:
        """Link a device, as a phone does that scans its QR code."""
        self._world.scan(device_id)
