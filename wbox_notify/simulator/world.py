"""The state of one simulator: devices, faults and the ledger of accepted messages."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Condition
from typing import Any

from wbox_notify.simulator.faults import Fault, Faults, Strike
from wbox_notify.simulator.fetching import Fetched, fetch

_FRESH = timedelta(seconds=20)


@dataclass(slots=True)
class Accepted:
    """A message that the simulator accepted.

    ``answered`` is None until the client has its answer, ``fetched`` until its media have been fetched.
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
        """Return the message as a row of the ledger, in JSON values."""
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


@dataclass(slots=True)
class _Unlinked:
    """A device without a phone: its QR code, and whether a session was started through the API."""

    number: int
    code: int
    since: datetime
    started: bool = False

    def renew(self, now: datetime) -> None:
        """Make a new QR code."""
        self.code, self.since = self.code + 1, now

    def qr(self, now: datetime) -> str:
        """Return the text of the QR code, a new one every 20 s once the session has been started."""
        if self.started and now - self.since >= _FRESH:
            self.renew(now)
        return f"wbox-simulator: device {self.number}, code {self.code}, links no phone"


class World:
    """Devices, faults and the ledger of accepted messages; may be used from any thread.

    Every positive number is a device, and each starts linked. With ``fetching`` the media that messages link
    to are fetched, if they are on this machine. ``now`` tells the time.
    """

    def __init__(self, now: Callable[[], datetime], *, fetching: bool = False) -> None:
        self.now = now
        self.fetching = fetching
        self.version = 0
        self.closed = False
        self.last: Exchange | None = None
        self._unlinked: dict[int, _Unlinked] = {}
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
        """Note the status that the client got."""
        with self._change():
            accepted.answered = status

    def fetch(self, accepted: Accepted, *, for_page: bool) -> None:
        """Fetch the media of a message, unless a page of another site could explore this machine that way."""
        if for_page:
            media = Fetched("not fetched: a page of another web site sent it")
        else:
            media = fetch(accepted.body["media_url"])
        with self._change():
            accepted.fetched = media

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
        """Wait at most ``timeout`` seconds for ``count`` messages; return whether they are there."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._ledger) >= count, timeout)

    def linked(self, device_id: int) -> bool:
        """Return whether a device can send."""
        with self._changed:
            return device_id not in self._unlinked

    def unlink(self, device_id: int) -> None:
        """Unlink a device, so that it cannot send."""
        with self._change():
            self._unlinked.setdefault(device_id, _Unlinked(device_id, 1, self.now()))

    def scan(self, device_id: int) -> None:
        """Link a device, as scanning its QR code does."""
        with self._change():
            self._unlinked.pop(device_id, None)

    def start(self, device_id: int) -> bool:
        """Make a new QR code; return False if the device is linked and needs none."""
        with self._change():
            device = self._unlinked.get(device_id)
            if device:
                device.started = True
                device.renew(self.now())
            return device is not None

    def status(self, device_id: int) -> dict[str, Any]:
        """Return the answer of ``GET /v1/session/status``.

        The API document shows a linked device only: the words for the other states are ours.
        """
        with self._change():
            device = self._unlinked.get(device_id)
            if device is None:
                return _status(device_id, "INITIALIZED", "connected")
            if not device.started:
                return _status(device_id, "NOT_INITIALIZED", "disconnected")
            return _status(device_id, "INITIALIZING", "waiting for scan", device.qr(self.now()))

    def qr(self, device_id: int) -> str | None:
        """Return the text of the QR code of a started device, or None if there is no code."""
        with self._change():
            device = self._unlinked.get(device_id)
            return device.qr(self.now()) if device and device.started else None

    def devices(self) -> dict[int, str | None]:
        """Return device 1 and each other in use, with the text of its QR code; None if it is linked."""
        with self._changed:
            used = {accepted.device_id for accepted in self._ledger}
            devices: dict[int, str | None] = dict.fromkeys(sorted({1, *self._unlinked, *used}))
            for number, device in self._unlinked.items():
                devices[number] = device.qr(self.now())
            return devices

    def add_fault(self, fault: Fault) -> None:
        """Add a fault."""
        with self._change():
            self._faults.add(fault)

    def clear_faults(self) -> None:
        """Remove all faults."""
        with self._change():
            self._faults.clear()

    def faults(self) -> list[dict[str, Any]]:
        """Return the active faults as JSON objects."""
        with self._changed:
            return self._faults.active()

    def strike(self) -> Strike:
        """Return the delay and the fault of the next send."""
        with self._changed:
            return self._faults.strike()

    def open(self) -> None:
        """Let clients wait for a change."""
        self.closed = False

    def close(self) -> None:
        """End every wait for a change."""
        with self._change():
            self.closed = True

    @contextmanager
    def listening(self, listener: Callable[[], object]) -> Iterator[None]:
        """Call ``listener`` after each change, from the thread that made it."""
        with self._changed:
            self._listeners.append(listener)
        try:
            yield
        finally:
            with self._changed:
                self._listeners.remove(listener)

    @contextmanager
    def _change(self) -> Iterator[None]:
        with self._changed:
            yield
            self.version += 1
            self._changed.notify_all()
            for listener in self._listeners:
                listener()


def _status(device_id: int, state: str, status: str, qr: str | None = None) -> dict[str, Any]:
    ready = status == "connected"
    return {"device_id": device_id, "isReady": ready, "state": state, "qr": qr, "status": status}
