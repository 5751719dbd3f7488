"""From the store to wbox: attempts, what follows each, and the circuit of a device."""

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from wbox_notify.client import ApiError, Client
from wbox_notify.deliveries import Delivery, State
from wbox_notify.messages import Message, Notice, Text
from wbox_notify.outcomes import Answer, Outcome
from wbox_notify.outlets import Outlets
from wbox_notify.phones import masked
from wbox_notify.store import Store

log = logging.getLogger(__name__)

_WAITS = (5.0, 15.0, 60.0, 300.0, 900.0, 1800.0)
_AGAIN_WHEN_UNKNOWN = 90.0
_FAILED_TRIES = 3
_LONGEST_PAUSE = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """What follows an attempt: the delivery's next state, and how long its device pauses, if it does."""

    state: State
    due: float
    tries: int
    unknowns: int
    reason: str
    pause: float | None = None


def back_off(tries: int, chance: float) -> float:
    """Return the seconds to wait after the ``tries``-th failure; ``chance`` in [0, 1) spreads them."""
    longest = _WAITS[min(tries, len(_WAITS)) - 1]
    return longest * (0.5 + chance / 2)


def probe_pause(probes: int) -> float:
    """Return the seconds until a device that holds is looked at, growing with the looks taken."""
    return min(5.0 * 2.0 ** min(probes, 16), _LONGEST_PAUSE)


def after(delivery: Delivery, answer: Answer, now: float, chance: float) -> After:
    """Return what follows an answer, as the outcome table has it.

    Nothing that may have been sent goes out again by itself, except a text once; a circuit consumes no try.
    """
    stay = After(
        state=State.QUEUED, due=now, tries=delivery.tries, unknowns=delivery.unknowns, reason=answer.detail
    )
    if answer.outcome is Outcome.LIMITED:
        return replace(stay, pause=answer.wait or probe_pause(0))
    if answer.outcome in {Outcome.NOT_READY, Outcome.UNAUTHORIZED}:
        return replace(stay, pause=probe_pause(0))
    if answer.outcome is Outcome.UNKNOWN:
        return _after_unknown(delivery, stay, chance)
    tries = delivery.tries + 1
    given_up = answer.outcome is Outcome.FAILED and tries >= _FAILED_TRIES
    if answer.outcome is Outcome.REFUSED or given_up:
        return replace(stay, state=State.DEAD, tries=tries)
    if answer.outcome is Outcome.SENT:
        return replace(stay, state=State.SENT, tries=tries)
    return replace(stay, tries=tries, due=now + back_off(tries, chance))


def _after_unknown(delivery: Delivery, stay: After, chance: float) -> After:
    unknowns = delivery.unknowns + 1
    if isinstance(delivery.message, Text) and unknowns == 1:
        due = stay.due + _AGAIN_WHEN_UNKNOWN * (1 + chance / 4)
        return replace(stay, state=State.UNKNOWN, due=due, unknowns=unknowns)
    return replace(stay, state=State.HELD, unknowns=unknowns, reason=f"may have been sent: {stay.reason}")


class Observer(Protocol):
    """Whoever wants to hear how attempts end."""

    def __call__(self, delivery: Delivery, answer: Answer, then: After) -> None:
        """Take note of one attempt."""


class Dispatcher:
    """A few threads that send what is due, in order for each phone.

    ``connect`` makes the client of one thread; ``clock`` gives seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        connect: Callable[[], Client],
        *,
        outlets: Outlets | None = None,
        threads: int = 4,
        clock: Callable[[], float] = time.time,
        observer: Observer | None = None,
    ) -> None:
        self._store = store
        self._connect = connect
        self._outlets = outlets or Outlets({})
        self._clock = clock
        self._observer = observer
        self._stopping = threading.Event()
        self._work = threading.Condition()
        self._news = 0
        self._probing = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, name=f"dispatch-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Settle what the last run left open, then begin to send."""
        self.recover()
        for thread in self._threads:
            thread.start()

    def stop(self, within: float) -> bool:
        """Send nothing more; wait for what is in flight. False when some of it did not end in time."""
        self._stopping.set()
        self.wake()
        deadline = time.monotonic() + within
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def wake(self) -> None:
        """Say that there may be something to send."""
        with self._work:
            self._news += 1
            self._work.notify_all()

    def recover(self) -> None:
        """Treat what was being sent when the last run ended: its outcome is unknown."""
        cut = Answer(outcome=Outcome.UNKNOWN, detail="wbox-notify ended during the request")
        for delivery in self._store.interrupted():
            self._conclude(delivery, cut)

    def step(self, client: Client, phone: str = "") -> bool:
        """Send the next delivery that is due, to ``phone`` if one is given; False where there is none."""
        delivery = self._store.claim(self._clock(), phone).result()
        if delivery is None or delivery.message is None:
            return False
        self._conclude(delivery, self._hand_over(client, delivery.message, delivery.key))
        return True

    def _hand_over(self, client: Client, message: Message, key: str) -> Answer:
        if isinstance(message, Notice):
            return self._outlets.send(message)
        return client.send(message, idempotency_key=key)

    def _conclude(self, delivery: Delivery, answer: Answer) -> None:
        now = self._clock()
        then = after(delivery, answer, now, random.random())  # noqa: S311 - spreads load, hides nothing
        if then.pause is not None:
            self._store.open_circuit(delivery.device, answer.outcome, now + then.pause, now).result()
        self._store.finish(
            delivery,
            answer,
            {
                "state": then.state,
                "due": then.due,
                "tries": then.tries,
                "unknowns": then.unknowns,
                "reason": then.reason,
            },
            now,
        ).result()
        self._tell(delivery, answer, then)
        self.wake()

    def _tell(self, delivery: Delivery, answer: Answer, then: After) -> None:
        message = delivery.message
        recipient = masked(message.phone) if message and not isinstance(message, Notice) else delivery.device
        level = logging.INFO if then.state == State.SENT else logging.WARNING
        log.log(level, "delivery %d to %s: %s: %s", delivery.id, recipient, answer.outcome, answer.detail)
        if self._observer:
            self._observer(delivery, answer, then)

    def look_at_circuits(self, client: Client, due: float) -> None:
        """Ask wbox whether the devices that hold, and are due by then, can send again."""
        if self._probing.acquire(blocking=False):
            try:
                for circuit in self._store.circuits_due(due):
                    self._look_at(circuit, client)
            finally:
                self._probing.release()

    def _look_at(self, circuit: Mapping[str, Any], client: Client) -> None:
        device, limited = circuit["device"], circuit["reason"] == Outcome.LIMITED
        if limited and circuit["until"] > self._clock():
            return
        reason = None if limited else _probe(client, device)
        if reason is None:
            self._store.close_circuit(device).result()
            log.info("%s sends again", f"device {device}" if device else "the first device")
            self.wake()
        else:
            until = self._clock() + probe_pause(circuit["probes"] + 1)
            self._store.keep_circuit_open(device, reason, until).result()

    def _run(self) -> None:
        client = self._connect()
        first = True
        while not self._stopping.is_set():
            seen = self._news
            try:
                self.look_at_circuits(client, math.inf if first else self._clock())
                first = False
                if self.step(client) or self._store.expire(self._clock()).result():
                    continue
                due = self._store.next_due()
            except Exception as error:  # noqa: BLE001 - the worker's loop: nothing may end it
                log.error("sending pauses: %s", error)  # noqa: TRY400 - no traceback reaches a user
                due = self._clock() + _WAITS[0]
            self._rest(seen, due)
        client.close()

    def _rest(self, seen: int, due: float | None) -> None:
        pause = 30.0 if due is None else min(max(due - self._clock(), 0.01), 30.0)
        with self._work:
            self._work.wait_for(lambda: self._news != seen or self._stopping.is_set(), pause)


def _probe(client: Client, device: str) -> Outcome | None:
    """Return why a device can not send yet, or None when it can."""
    try:
        status = client.session_status(int(device) if device else None)
    except ApiError as error:
        return Outcome.UNAUTHORIZED if error.answer.outcome is Outcome.UNAUTHORIZED else Outcome.NOT_READY
    return None if status.ready else Outcome.NOT_READY
