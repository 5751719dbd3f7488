"""Dispatcher: the threads that send what is due."""

import logging
import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from wbox_notify.clients.apprise import Outlets
from wbox_notify.clients.wbox import Client
from wbox_notify.dispatch.circuits import FOR_ALL, Circuits
from wbox_notify.dispatch.fallback import Fallback
from wbox_notify.dispatch.retry import after, may_be_its_own
from wbox_notify.errors import ConfigError, StoreError, WboxError
from wbox_notify.model.clock import Clock, Step, steady
from wbox_notify.model.deliveries import Delivery, NextStep, State
from wbox_notify.model.messages import Message, Notice
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.model.pace import UNLIMITED
from wbox_notify.model.phones import masked
from wbox_notify.rules import Live, Project
from wbox_notify.store import Store

log = logging.getLogger(__name__)

_THREADS = 6
_PAUSE = 5.0
_CLOCK_RIGHT_WITHIN = 300.0
_LOOK_BACK = 60.0
"""Seconds between two looks for what went wrong unnoticed: times of the future, claims that nobody has."""
_LONGEST_REST = 30.0


Publish = Callable[[Delivery, Message], Message]
"""Returns a message of a delivery as wbox can take it; raises WboxError where it cannot be made so."""


def connect(project: Project) -> Client:
    """Return a client of the project's wbox account, for one thread.

    Raises:
        ConfigError: there is no key, or the address or the key cannot be used.
    """
    if not project.settings.api_key:
        raise ConfigError(
            "there is no wbox key",
            hint="set WBOX_API_KEY or WBOX_API_KEY_FILE, or wbox.api_key_file in wbox-notify.yaml",
        )
    return Client(project.settings.url, project.settings.api_key)


class Observer(Protocol):
    """Whoever wants to hear how attempts end."""

    def __call__(self, delivery: Delivery, answer: Answer, then: NextStep) -> None:
        """Take note of one attempt."""


class Dispatcher:
    """A few threads that send what is due, in order for each recipient.

    Args:
        store: where deliveries come from.
        live: the project that says with which key and how quickly.
        publish: gives a file of this machine the address at which wbox finds it.
        alarms: hears of devices that cannot send.
        clock: gives seconds since the epoch; ``steady`` seconds that nobody sets.
        observer: hears how each attempt ends.
        turned: is called whenever a thread has looked for work, which is every 30 seconds at least.
    """

    def __init__(  # noqa: PLR0913 - one for each neighbour
        self,
        store: Store,
        live: Live,
        *,
        publish: Publish = lambda _delivery, message: message,
        alarms: Fallback | None = None,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = steady,
        observer: Observer | None = None,
        turned: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._live = live
        self._publish = publish
        self._alarms = alarms
        self._clock = clock
        self._steady = steady
        self._began = steady()
        self._now = Clock(clock, steady, self._follow_clock, _LOOK_BACK)
        self._observer = observer
        self._turned = turned
        self._circuits = Circuits(store, alarms, clock, self.wake)
        self._held: set[int] = set()
        self._loose: set[tuple[int, int]] = set()
        self._next_look = 0.0
        self._looking = threading.Lock()
        self._unwritten: list[tuple[Delivery, Answer, NextStep, float]] = []
        self._writing = threading.Lock()
        self._stopping = threading.Event()
        self._work = threading.Condition()
        self._news = 0
        self._threads = [
            threading.Thread(target=self._run, name=f"dispatch-{number}", daemon=True)
            for number in range(_THREADS)
        ]

    def start(self) -> None:
        """Settle what the last run left open, then begin to send."""
        self.mind_the_clock()
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

    def step(self, client: Client, recipient: str = "") -> bool:
        """Send the next delivery whose turn it is; False where there is none.

        Where a recipient is given, it is the next one to them, and the pace does not count.

        Raises:
            StoreError: what has been sent cannot be written down; nothing more is sent until it can.
        """
        self._write_what_is_left()
        chance = random.random()  # noqa: S311 - spreads load, hides nothing
        pace = UNLIMITED if recipient else self._live.project.settings.pace
        claimed = self._store.claim(self._clock(), pace, recipient=recipient, chance=chance)
        delivery = claimed.result()
        if delivery is None or delivery.message is None:
            return False
        self._held.add(delivery.id)
        self._conclude(delivery, self._handed_over(client, delivery, delivery.message))
        return True

    def round(self, client: Client, look_at: float = 0.0) -> float:
        """Do what is to be done now; return the seconds until there is more to do, 0 for at once.

        Devices that hold are looked at that are to be looked at by now, or by ``look_at``.
        """
        now = self.mind_the_clock()
        self._settle_loose()
        self._circuits.look(client, max(look_at, now))
        after = self._over_after(now)
        # By the time that was followed: what a step seems to have ended is not over.
        if self.step(client) or self._store.expire(now, after).result():
            return 0.0
        if self._alarms:
            self._alarms.sweep(self._clock())
        due = self._store.next_due(self._clock(), after)
        return _LONGEST_REST if due is None else min(max(due - self._clock(), 0.01), _LONGEST_REST)

    def look_at_circuits(self, client: Client, due: float = math.inf) -> None:
        """Ask wbox about the devices that hold and are to be looked at by then."""
        self._circuits.look(client, due)

    def mind_the_clock(self) -> float:
        """Return the time; where the clock was set, nothing expires or waits because of it."""
        return self._now()

    def _follow_clock(self, step: Step) -> None:
        brought_down = self._store.clock_was_set(step).result()
        if step.jump:
            log.warning("the clock was set by %+.0f s; what waits keeps its times", step.jump)
        if brought_down:
            log.warning(
                "%d times were later than now, by a clock that was ahead; they count from now", brought_down
            )

    def _settle_loose(self) -> None:
        """Put back what is marked as being sent and is in no thread's hands, at two looks in a row.

        The store told its claim as failed and yet has it, after an error of the disk; so nobody has sent it.
        """
        with self._looking:
            if self._steady() < self._next_look:
                return
            self._next_look = self._steady() + _LOOK_BACK
            found = {
                (one.id, one.claims): one for one in self._store.interrupted() if one.id not in self._held
            }
            lost, self._loose = found.keys() & self._loose, set(found)
        for place in lost:
            why = "the store lost it between its claim and the request"
            self._conclude(found[place], Answer(outcome=Outcome.NOT_SENT, detail=why, asked=False))

    def _handed_over(self, client: Client, delivery: Delivery, message: Message) -> Answer:
        try:
            return self._hand_over(client, delivery, message)
        except Exception as error:  # noqa: BLE001 - nobody knows how far it got, and it must not stay as it is
            log.error("%s: %s", type(error).__name__, error)  # noqa: TRY400 - no traceback reaches a user
            return Answer(outcome=Outcome.UNKNOWN, detail=f"internal error: {error!r}")

    def _hand_over(self, client: Client, delivery: Delivery, message: Message) -> Answer:
        try:
            message = self._publish(delivery, message)
        except WboxError as error:
            outcome = Outcome.NOT_SENT if error.retry else Outcome.REFUSED
            return Answer(outcome=outcome, detail=str(error), asked=False)
        if isinstance(message, Notice):
            return Outlets(self._live.project.outlets).send(message)
        return client.send(message, idempotency_key=delivery.key)

    def _conclude(self, delivery: Delivery, answer: Answer) -> None:
        chance = random.random()  # noqa: S311 - spreads load
        now = self._clock()
        then = after(delivery, answer, now, chance, alone=self._is_alone(delivery, answer))
        try:
            self._write(delivery, answer, then)
        except StoreError:
            with self._writing:
                self._unwritten.append((delivery, answer, then, then.due - now))
            raise
        self._tell(delivery, answer, then)
        self.wake()

    def _is_alone(self, delivery: Delivery, answer: Answer) -> bool:
        """Return whether a refusal is the message's own, since others pass."""
        everywhere = answer.outcome in FOR_ALL
        try:
            return may_be_its_own(delivery, answer) and self._store.others_passed(
                delivery, answer.outcome, everywhere=everywhere
            )
        except StoreError:
            return False  # whose fault it was can wait; how it ended must be written down

    def _write_what_is_left(self) -> None:
        """Write down what was sent while the store could not be written."""
        with self._writing:
            while self._unwritten:
                delivery, answer, then, wait = self._unwritten[0]
                # The clock may have been set meanwhile: the wait counts from now.
                self._write(delivery, answer, replace(then, due=self._clock() + wait))
                del self._unwritten[0]

    def _write(self, delivery: Delivery, answer: Answer, then: NextStep) -> None:
        self._circuits.note(delivery, answer, then.pause)
        self._store.finish(delivery, answer, then, self._clock()).result()
        self._held.discard(delivery.id)

    def _tell(self, delivery: Delivery, answer: Answer, then: NextStep) -> None:
        message = delivery.message
        recipient = message.recipient if message else ""
        shown = recipient if isinstance(message, Notice) else masked(recipient)
        level = logging.INFO if then.state == State.SENT else logging.WARNING
        log.log(level, "delivery %d to %s: %s: %s", delivery.id, shown, answer.outcome, answer.detail)
        if self._observer:
            self._observer(delivery, answer, then)

    def _run(self) -> None:
        project = self._live.project
        client = connect(project)
        look_at = math.inf
        while not self._stopping.is_set():
            seen = self._news
            if project is not self._live.project:
                client.close()
                project = self._live.project
                client = connect(project)
                look_at = math.inf
            try:
                pause = self.round(client, look_at)
                look_at = 0.0
            except Exception as error:  # noqa: BLE001 - the worker's loop: nothing may end it
                log.error("sending paused: %s", error)  # noqa: TRY400 - no traceback reaches a user
                pause = _PAUSE
            self._turned()
            if pause:
                self._rest(seen, pause)
        client.close()

    def _over_after(self, now: float) -> float:
        """Return from when on what is over is given up.

        What is over at the start stays for some minutes, in which a clock that is wrong at boot is set.
        """
        ran = self._steady() - self._began
        return now - ran if ran < _CLOCK_RIGHT_WITHIN else -math.inf

    def _rest(self, seen: int, pause: float) -> None:
        with self._work:
            self._work.wait_for(lambda: self._news != seen or self._stopping.is_set(), pause)
