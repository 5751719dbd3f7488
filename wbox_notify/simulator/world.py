"""World: all that one simulator knows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Condition
from typing import Any

from wbox_notify.simulator.devices import Devices
from wbox_notify.simulator.faults import Fault, Faults, Strike
from wbox_notify.simulator.fetching import Fetched, fetch


@dataclass(slots=True)
class Accepted:
    """A message that the simulator took.

    ``answered`` is None until the client has been told, ``fetched`` until what it leads to was asked for.
    """

    endpoint: str
    device_id: int
    body: dict[str, Any]
    idempotency_key: str | None
    answered: int | None
    fetched: Fetched | None = None
    number: int = field(init=False)
    at: datetime = field(init=False)

    def entry(self) -> dict[str, Any]:
        """Return it as a row of the ledger, in JSON values."""
        row = {
            "at": self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "endpoint": self.endpoint,
            "device_id": self.device_id,
            "body": dict(self.body),
            "answered": self.answered,
        }
        if self.idempotency_key is not None:
            row["idempotency_key"] = self.idempotency_key
        if self.fetched:
            row["media"] = self.fetched.entry()
        return row


@dataclass(frozen=True, slots=True)
class Exchange:
    """The last send request and its answer; ``answered`` is None if the connection was cut."""

    endpoint: str
    body: Any
    answered: int | None
    answer: str


class World:
    """Devices, faults and the ledger of accepted messages; may be used from any thread.

    With ``fetching`` what media lead to is fetched, if it is on this machine.
    """

    def __init__(self, now: Callable[[], datetime], *, fetching: bool = False) -> None:
        self.now = now
        self.fetching = fetching
        self.version = 0
        self.closed = False
        self.last: Exchange | None = None
        self._devices = Devices(now)
        self._faults = Faults()
        self._ledger: list[Accepted] = []
        self._taken = 0
        self._changed = Condition()
        self._listeners: list[Callable[[], object]] = []

    def accept(self, accepted: Accepted) -> Accepted:
        """Write a message into the ledger, with its number and time."""
        with self._change():
            self._taken += 1
            accepted.number, accepted.at = self._taken, self.now().astimezone(UTC)
            self._ledger.append(accepted)
            return accepted

    def answer(self, accepted: Accepted, status: int) -> None:
        """Write down what the client was told."""
        with self._change():
            accepted.answered = status

    def fetch(self, accepted: Accepted, *, for_page: bool) -> None:
        """Fetch what a media message leads to, unless a page of another site could look around with it."""
        page = Fetched("not fetched: a page of another web site sent it")
        found = page if for_page else fetch(accepted.body["media_url"])
        with self._change():
            accepted.fetched = found

    def note(self, exchange: Exchange) -> None:
        """Remember the last request, accepted or not."""
        with self._change():
            self.last = exchange

    def accepted(self) -> list[Accepted]:
        """Return all that was accepted, oldest first."""
        with self._changed:
            return list(self._ledger)

    def clear(self) -> None:
        """Empty the ledger."""
        with self._change():
            self._ledger.clear()
            self.last = None

    def wait_for(self, count: int, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds for so many messages; return whether they are there."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._ledger) >= count, timeout)

    def linked(self, device_id: int) -> bool:
        """Return whether a device can send."""
        with self._changed:
            return self._devices.linked(device_id)

    def unlink(self, device_id: int) -> None:
        """Take the phone away from a device."""
        with self._change():
            self._devices.unlink(device_id)

    def scan(self, device_id: int) -> None:
        """Link a device."""
        with self._change():
            self._devices.scan(device_id)

    def start(self, device_id: int) -> bool:
        """Show a fresh QR code; return False if the device is linked and needs none."""
        with self._change():
            return self._devices.start(device_id)

    def status(self, device_id: int) -> dict[str, Any]:
        """Return what ``GET /v1/session/status`` answers; it may renew the QR code."""
        with self._change():
            return self._devices.status(device_id)

    def qr(self, device_id: int) -> str | None:
        """Return what the QR code of a started device says, None where there is no code."""
        with self._changed:
            return self._devices.qr(device_id)

    def devices(self) -> dict[int, str | None]:
        """Return device 1 and each other that was seen: None if it is linked, else what its QR code says."""
        with self._changed:
            unlinked = self._devices.unlinked()
            numbers = sorted({1, *unlinked, *(accepted.device_id for accepted in self._ledger)})
            return {number: self._devices.code(number) if number in unlinked else None for number in numbers}

    def add_fault(self, fault: Fault) -> None:
        """Let a fault strike from now on."""
        with self._change():
            self._faults.add(fault)

    def clear_faults(self) -> None:
        """Answer properly again."""
        with self._change():
            self._faults.clear()

    def faults(self) -> list[dict[str, Any]]:
        """Return the active faults as JSON objects."""
        with self._changed:
            return self._faults.active()

    def strike(self) -> Strike:
        """Return what the next send meets."""
        with self._changed:
            return self._faults.strike()

    def open(self) -> None:
        """Begin: what waits for a change may wait."""
        self.closed = False

    def close(self) -> None:
        """End all that waits for a change."""
        with self._change():
            self.closed = True

    @contextmanager
    def listening(self, heard: Callable[[], object]) -> Iterator[None]:
        """Call ``heard`` after each change, from the thread that made it."""
        with self._changed:
            self._listeners.append(heard)
        try:
            yield
        finally:
            with self._changed:
                self._listeners.remove(heard)

    @contextmanager
    def _change(self) -> Iterator[None]:
        with self._changed:
            yield
            self.version += 1
            self._changed.notify_all()
            for heard in self._listeners:
                heard()
