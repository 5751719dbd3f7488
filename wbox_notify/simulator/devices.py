"""Devices: the phones that are linked, or wait to be."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

_FRESH = timedelta(seconds=20)


@dataclass(slots=True)
class _Unlinked:
    """A device without a phone: its QR code, and whether the API has been asked for one."""

    code: int
    since: datetime
    started: bool = False


class Devices:
    """Every positive number is a device, and each starts linked; ``now`` tells the time."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._unlinked: dict[int, _Unlinked] = {}

    def linked(self, device_id: int) -> bool:
        """Return whether the device can send."""
        return device_id not in self._unlinked

    def unlinked(self) -> list[int]:
        """Return the devices that cannot send."""
        return sorted(self._unlinked)

    def unlink(self, device_id: int) -> None:
        """Take the phone away from a device."""
        self._unlinked.setdefault(device_id, _Unlinked(1, self._now()))

    def scan(self, device_id: int) -> None:
        """Link a device, as a phone does that scans its QR code."""
        self._unlinked.pop(device_id, None)

    def start(self, device_id: int) -> bool:
        """Show a fresh QR code; return False if the device is linked and needs none."""
        if device := self._unlinked.get(device_id):
            device.started = True
            device.code, device.since = device.code + 1, self._now()
        return device is not None

    def qr(self, device_id: int) -> str | None:
        """Return what the QR code of a started device says, None where there is no code."""
        device = self._unlinked.get(device_id)
        return self.code(device_id) if device and device.started else None

    def code(self, device_id: int) -> str:
        """Return what the QR code of an unlinked device says, asked for through the API or not."""
        return f"wbox-simulator: device {device_id}, code {self._unlinked[device_id].code}, links no phone"

    def status(self, device_id: int) -> dict[str, Any]:
        """Return the answer of ``GET /v1/session/status``; a QR code older than 20 s is renewed.

        The API document shows a linked device only: the words for the other states are ours.
        """
        device = self._unlinked.get(device_id)
        if device is None:
            return _status(device_id, "INITIALIZED", "connected")
        if not device.started:
            return _status(device_id, "NOT_INITIALIZED", "disconnected")
        if self._now() - device.since >= _FRESH:
            device.code, device.since = device.code + 1, self._now()
        return _status(device_id, "INITIALIZING", "waiting for scan", self.qr(device_id))


def _status(device_id: int, state: str, status: str, qr: str | None = None) -> dict[str, Any]:
    ready = status == "connected"
    return {"device_id": device_id, "isReady": ready, "state": state, "qr": qr, "status": status}
