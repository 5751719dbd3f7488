"""Devices: what wbox says of them while somebody looks, and the codes of those that are being paired."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from wbox_notify.clients.pairing import ASK_EVERY, Pairing, picture_of, session_of
from wbox_notify.clients.wbox import ApiError, Client
from wbox_notify.dispatch.dispatcher import connect
from wbox_notify.errors import Exit, WboxError
from wbox_notify.model.loop import PeriodicThread
from wbox_notify.rules.project import Live, Project

_WATCHED = 30.0
"""Seconds for which wbox is asked again and again after somebody has looked."""
_REST = 30.0
_AT_ONCE = 8.0

Device = int | None
"""The number of a device; None for the first one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A device as it was seen last.

    Attributes:
        number: Its number, where it is known.
        ready: Whether it can send.
        words: What wbox calls its state.
        problem: Why nothing is known of it, or why there is no code.
        pairing: Whether it is being paired with a phone.
        code: The picture that the phone has to scan.
    """

    number: int | None
    ready: bool = False
    words: str = ""
    problem: WboxError | None = None
    pairing: bool = False
    code: bytes | None = field(default=None, repr=False)

    def fields(self) -> dict[str, Any]:
        """Return what ``status`` shows of it as JSON values, with the exit code."""
        code = 0 if self.ready else Exit.NOT_YET
        problem = self.problem and str(self.problem)
        code = self.problem.exit_code if self.problem else code
        return {"number": self.number, "ready": self.ready, "problem": problem, "exit": code}


class Devices(PeriodicThread):
    """Asks wbox every few seconds about the devices at which somebody looks; afterwards all is forgotten.

    ``linked`` is called as soon as one of them is ready that was not. ``steady`` returns seconds of a clock
    that cannot be set.
    """

    def __init__(
        self, live: Live, linked: Callable[[], None], *, steady: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__("devices", self.step, "no device is looked at")
        self._live = live
        self._linked = linked
        self._steady = steady
        self._watched: dict[Device, float] = {}
        self._sights: dict[Device, Sight] = {}
        self._pairings: dict[Device, Pairing[bytes]] = {}
        self._changed = threading.Condition()

    def see(self, devices: Sequence[Device], within: float = 1.0) -> Mapping[Device, Sight]:
        """Return what is known of devices; of those that nobody looked at, what wbox says in some seconds."""
        until = self._steady() + _WATCHED
        with self._changed:
            self._watched |= dict.fromkeys(devices, until)
            if not self._sights.keys() >= set(devices):
                self.wake()
                self._changed.wait_for(lambda: self._sights.keys() >= set(devices), within)
            return {device: self._sights[device] for device in devices if device in self._sights}

    def pair(self, device: Device) -> None:
        """Begin to pair a device with a phone; that ends when it is ready, or nobody looks any more."""
        with self._changed:
            self._pairings[device] = Pairing(device, picture_of)
            self._sights.pop(device, None)

    def leave(self, device: Device) -> None:
        """End the pairing of a device, and forget its code."""
        with self._changed:
            self._pairings.pop(device, None)
            self._sights.pop(device, None)

    def try_again(self) -> None:
        """Let all that cannot send be looked at now."""
        self._linked()

    def step(self) -> float:
        """Ask about all devices that are watched; return the seconds until the next time."""
        now = self._steady()
        with self._changed:
            self._watched = {device: until for device, until in self._watched.items() if until > now}
            for kept in (self._sights, self._pairings):
                for device in kept.keys() - self._watched.keys():
                    del kept[device]
            watched = list(self._watched)
        if not watched:
            return _REST
        with closing(connect(self._live.project)) as client:
            for device in watched:
                self._note(device, client)
        return ASK_EVERY

    def _note(self, device: Device, client: Client) -> None:
        """Ask about a device, and note the answer."""
        pairing = self._pairings.get(device)
        try:
            sight = _paired(pairing, client) if pairing else _seen(device, client)
        except WboxError as error:
            sight = Sight(number=device, problem=error, pairing=pairing is not None)
        with self._changed:
            if pairing is not self._pairings.get(device):
                return  # it has been begun, or left, since
            before = self._sights.get(device)
            self._sights[device] = sight
            if sight.ready:
                self._pairings.pop(device, None)
            self._changed.notify_all()
        if sight.ready and (pairing or (before and not before.ready)):
            self._linked()


def look_once(project: Project, device: Device) -> Sight:
    """Return a device as it is at this moment. Raises ConfigError where there is no key."""
    with closing(connect(project, deadline=_AT_ONCE)) as client:
        try:
            return _seen(device, client)
        except ApiError as error:
            return Sight(number=device, problem=error)


def _paired(pairing: Pairing[bytes], client: Client) -> Sight:
    if not pairing.begun:
        pairing.begin(client)
    look = pairing.look(client)
    if look.ready:
        return Sight(number=pairing.device, ready=True)
    return Sight(number=pairing.device, problem=look.problem, pairing=True, code=look.code)


def _seen(device: Device, client: Client) -> Sight:
    session = session_of(client, device)
    words = " ".join(filter(None, (session.state, session.status)))
    return Sight(number=session.device_id, ready=session.ready, words=words)
