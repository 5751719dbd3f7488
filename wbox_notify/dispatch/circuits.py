"""Circuits: devices that cannot send, and what lets them send again."""

import logging
import math
import threading
from collections import Counter
from collections.abc import Callable

from wbox_notify.clients.wbox import ApiError, Client
from wbox_notify.dispatch.fallback import Fallback
from wbox_notify.dispatch.retry import probe_pause
from wbox_notify.model.deliveries import Circuit, Delivery
from wbox_notify.model.messages import Notice
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.store import Store

log = logging.getLogger(__name__)

ALL = "*"
"""What stands for all devices, where it is the key or wbox itself that fails."""

FOR_ALL = {Outcome.UNAUTHORIZED, Outcome.NOT_SENT}
"""What is the trouble of wbox or of the key, and so of all devices."""
_ANSWERED = {Outcome.SENT, Outcome.FAILED, Outcome.REFUSED}
_UNCLEAR_IN_A_ROW = 3
_TELL_AFTER = 60.0


class Circuits:
    """Opens a device's circuit when it cannot send, asks wbox again and again, and closes it.

    After a good answer one message goes through first; so one that comes and goes costs no more than that. It
    is one that was tried least, so that none that is always refused stands in the way of the others.
    ``alarms`` hears of a circuit that stays open for a minute, once, and once of its end.
    """

    def __init__(
        self, store: Store, alarms: Fallback | None, clock: Callable[[], float], wake: Callable[[], None]
    ) -> None:
        self._store = store
        self._alarms = alarms
        self._clock = clock
        self._wake = wake
        self._unclear: Counter[str] = Counter()
        self._looking = threading.Lock()

    def note(self, delivery: Delivery, answer: Answer, pause: float | None) -> None:
        """Learn from the end of an attempt; ``pause`` in seconds is set where the device cannot send."""
        if isinstance(delivery.message, Notice) or not answer.asked:
            return
        if pause is None and answer.outcome is Outcome.UNKNOWN:
            pause = self._pause_when_unclear(delivery.device)
        if answer.outcome is not Outcome.UNKNOWN:
            self._unclear.pop(delivery.device, None)
        if pause is not None:
            self._open(ALL if answer.outcome in FOR_ALL else delivery.device, answer.outcome, pause)
        elif answer.outcome in _ANSWERED:
            for circuit in self._store.circuits():
                if circuit.trying and circuit.device in {delivery.device, ALL}:
                    self._close(circuit)

    def look(self, client: Client, due: float = math.inf) -> None:
        """Ask wbox about the devices that hold and are to be looked at by then."""
        if self._looking.acquire(blocking=False):
            try:
                for circuit in self._store.circuits():
                    if not circuit.trying and circuit.until <= due:
                        self._look_at(circuit, client)
            finally:
                self._looking.release()

    def _pause_when_unclear(self, device: str) -> float | None:
        """Return how long to pause when answers are unclear in a row, or when a circuit is being tried."""
        self._unclear[device] += 1
        trying = any(circuit.trying and circuit.device in {device, ALL} for circuit in self._store.circuits())
        return probe_pause(0) if trying or self._unclear[device] >= _UNCLEAR_IN_A_ROW else None

    def _open(self, device: str, reason: Outcome, pause: float) -> None:
        now = self._clock()
        for circuit in self._store.circuits():
            # A limit lasts as long as wbox says; for all else nobody knows.
            if circuit.device == device and reason is not Outcome.LIMITED:
                pause = max(pause, probe_pause(circuit.probes + 1, reason))
        self._store.open_circuit(device, reason, now + pause, now).result()

    def _look_at(self, circuit: Circuit, client: Client) -> None:
        device, now = circuit.device, self._clock()
        if circuit.reason is Outcome.LIMITED:
            if circuit.until <= now:
                self._try(circuit)
            return
        reason = _probe(client, device)
        if reason is None:
            self._try(circuit)
        else:
            until = now + probe_pause(circuit.probes + 1, reason)
            self._store.keep_circuit_open(device, reason, until).result()
            if now - circuit.since >= _TELL_AFTER and not circuit.told and self._alarms:
                self._alarms.stopped(device, reason, circuit.since, now)
                self._store.tell_circuit(device).result()

    def _try(self, circuit: Circuit) -> None:
        """Let one message show whether a device sends again."""
        if self._store.waiting(circuit.device):
            self._store.try_circuit(circuit.device).result()
            self._wake()
        else:
            self._close(circuit)

    def _close(self, circuit: Circuit) -> None:
        if circuit.told and self._alarms:
            self._alarms.sends_again(circuit.device, circuit.since, self._clock())
        self._store.close_circuit(circuit.device).result()
        log.info("%s again", _named(circuit.device))
        self._wake()


def _named(device: str) -> str:
    if device == ALL:
        return "wbox answers"
    return f"device {device} sends" if device else "the first device sends"


def _probe(client: Client, device: str) -> Outcome | None:
    """Return why a device cannot send yet, or None when it can."""
    try:
        status = client.session_status(int(device) if device not in {"", ALL} else None)
    except ApiError as error:
        outcome = error.answer.outcome
        return outcome if outcome in FOR_ALL else None if device == ALL else Outcome.NOT_READY
    return None if status.ready or device == ALL else Outcome.NOT_READY
