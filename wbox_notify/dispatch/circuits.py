"""Circuits: devices that cannot send, and when they may send again."""

import logging
import math
from collections import Counter, deque
from collections.abc import Callable

from wbox_notify.clients.wbox import ApiError, Client
from wbox_notify.dispatch.fallback import Fallback
from wbox_notify.dispatch.lanes import ALL
from wbox_notify.dispatch.ownership import Ownership
from wbox_notify.dispatch.retry import probe_pause
from wbox_notify.model.deliveries import Circuit, Delivery
from wbox_notify.model.messages import Notice
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.store import Store

log = logging.getLogger(__name__)

FOR_ALL = {Outcome.UNAUTHORIZED, Outcome.NOT_SENT}
"""Outcomes that concern wbox or the key, and so all devices."""
_ANSWERED = {Outcome.SENT, Outcome.FAILED, Outcome.REFUSED}
_UNCLEAR_IN_A_ROW = 3
_TELL_AFTER = 60.0


class Circuits:
    """Opens the circuit of a device that cannot send, asks wbox about it now and then, and closes it.

    After a good answer one message goes through first, so that a device that comes and goes costs no more. It
    is the one that was tried least, as one that is always refused must not stop the others. ``fallback`` is
    told once of a circuit that stays open for a minute, and once of its end.

    The scheduler calls all methods but ``ask``, which waits for wbox and so belongs to a sender. ``open`` are
    the circuits of the store, where each daemon writes those of its own devices; that of all devices is
    written by anybody, and asked about by who does the chores. ``asked`` is the one that a sender asks about.
    """

    def __init__(
        self,
        store: Store,
        fallback: Fallback | None,
        clock: Callable[[], float],
        ownership: Ownership,
    ) -> None:
        self._store = store
        self._fallback = fallback
        self._clock = clock
        self._ownership = ownership
        self.open = store.circuits()
        self._unclear: Counter[str] = Counter()
        self._at_once: set[str] = set()
        self.asked: Circuit | None = None
        self._states: deque[tuple[Circuit, Outcome | None]] = deque()

    def note(self, delivery: Delivery, answer: Answer, pause: float | None) -> None:
        """Learn from the end of an attempt; ``pause`` in seconds is set where the device cannot send."""
        device, outcome = delivery.device, answer.outcome
        if isinstance(delivery.message, Notice) or not answer.asked:
            return
        if outcome is Outcome.UNKNOWN:
            self._unclear[device] += 1
            if self._unclear[device] >= _UNCLEAR_IN_A_ROW or self._tried(device):
                pause = probe_pause(0)
        else:
            self._unclear.pop(device, None)
        if pause is not None:
            if outcome in FOR_ALL:
                device = ALL
            self._open(device, outcome, pause)
        elif outcome in _ANSWERED:
            for circuit in self._tried(device):
                self._close(circuit)

    def read(self) -> None:
        """Read the circuits anew from the store."""
        self.open = self._store.circuits()

    def look_at_all(self) -> None:
        """Make all circuits due, whatever their time."""
        self._at_once = {circuit.device for circuit in self.open}

    def due(self, by: float) -> list[Circuit]:
        """Return the circuits to ask wbox about by a time; end the limits that are over."""
        due = []
        for circuit in self._ours():
            if circuit.trying or circuit == self.asked:
                continue
            if circuit.reason is Outcome.LIMITED:
                if circuit.until <= self._clock():  # wbox has said how long it lasts
                    self._try(circuit)
            elif circuit.until <= by or circuit.device in self._at_once:
                due.append(circuit)
        return due

    @property
    def next_due(self) -> float:
        """The time when a circuit is due, or a limit ends."""
        if self.asked:
            return math.inf  # its answer wakes the scheduler
        times = (circuit.until for circuit in self._ours() if not circuit.trying)
        return min(times, default=math.inf)

    def begin(self, circuit: Circuit) -> None:
        """Note that a sender asks about this circuit."""
        self.asked = circuit
        self._at_once.discard(circuit.device)

    def ask(self, circuit: Circuit, client: Client) -> None:
        """Ask wbox whether a device can send; ``settle`` follows the answer."""
        outcome: Outcome | None = circuit.reason
        try:
            outcome = _probe(client, circuit.device)
        finally:
            self._states.append((circuit, outcome))

    def settle(self) -> None:
        """Open, try or close circuits by the answers of wbox."""
        while self._states:
            circuit, outcome = self._states.popleft()
            self.asked = None
            if outcome is None:
                self._try(circuit)
            else:
                self._keep_open(circuit, outcome)

    def _ours(self) -> list[Circuit]:
        """Return the circuits that nobody else asks about."""
        return [
            circuit
            for circuit in self.open
            if (self._ownership.has_chores if circuit.device == ALL else circuit.device in self._ownership)
        ]

    def _tried(self, device: str) -> list[Circuit]:
        """Return the circuits that let one message of a device through, to try it."""
        return [circuit for circuit in self.open if circuit.trying and circuit.device in {device, ALL}]

    def _open(self, device: str, reason: Outcome, pause: float) -> None:
        now = self._clock()
        for circuit in self.open:
            # wbox says how long a limit lasts; other pauses grow with each failure.
            if circuit.device == device and reason is not Outcome.LIMITED:
                pause = max(pause, probe_pause(circuit.probes + 1, reason))
        self._store.open_circuit(device, reason, now + pause, now).result()
        self.read()

    def _keep_open(self, circuit: Circuit, reason: Outcome) -> None:
        now = self._clock()
        until = now + probe_pause(circuit.probes + 1, reason)
        self._store.keep_circuit_open(circuit.device, reason, until).result()
        if self._fallback and not circuit.told and now - circuit.since >= _TELL_AFTER:
            self._fallback.stopped(circuit.device, reason, circuit.since, now)
            self._store.tell_circuit(circuit.device).result()
        self.read()

    def _try(self, circuit: Circuit) -> None:
        """Let one message show whether a device sends again."""
        if self._store.waiting(circuit.device):
            self._store.try_circuit(circuit.device).result()
            self.read()
        else:
            self._close(circuit)

    def _close(self, circuit: Circuit) -> None:
        if circuit.told and self._fallback:
            self._fallback.sends_again(circuit.device, circuit.since, self._clock())
        self._store.close_circuit(circuit.device).result()
        self.read()
        log.info("%s again", _named(circuit.device))


def _named(device: str) -> str:
    if device == ALL:
        return "wbox answers"
    if device:
        return f"device {device} sends"
    return "the first device sends"


def _probe(client: Client, device: str) -> Outcome | None:
    """Return why a device cannot send yet, or None when it can."""
    number = None
    if device not in {"", ALL}:
        number = int(device)
    try:
        ready = client.session_status(number).ready
    except ApiError as error:
        if error.answer.outcome in FOR_ALL:
            return error.answer.outcome
        ready = False
    if ready or device == ALL:  # for the circuit of all devices any answer will do
        return None
    return Outcome.NOT_READY
