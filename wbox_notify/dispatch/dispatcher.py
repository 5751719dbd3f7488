"""The dispatcher: one thread schedules deliveries, a few senders send them."""

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Protocol

from wbox_notify.clients.apprise import Outlets
from wbox_notify.clients.wbox import Client
from wbox_notify.config.settings import has_project
from wbox_notify.dispatch.circuits import FOR_ALL, Circuits
from wbox_notify.dispatch.fallback import Fallback
from wbox_notify.dispatch.lanes import ALL
from wbox_notify.dispatch.outbox import Outbox
from wbox_notify.dispatch.retry import after, may_be_its_own
from wbox_notify.errors import ConfigError, StoreError, WboxError
from wbox_notify.model.clock import Clock, Step, steady
from wbox_notify.model.deliveries import WAITING, Attempt, Delivery, NextStep, State
from wbox_notify.model.log_subject import about
from wbox_notify.model.loop import PeriodicThread
from wbox_notify.model.messages import Message, Notice
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.model.pace import UNLIMITED
from wbox_notify.model.phones import masked
from wbox_notify.model.texts import Wording
from wbox_notify.rules.project import Live, Project
from wbox_notify.store import Change, Store

log = logging.getLogger(__name__)

_SENDERS = 24
_CLOCK_RIGHT_WITHIN = 300.0
_LOOK_BACK = 60.0
"""Seconds between two checks for silent errors: times in the future, claims without a sender."""
_LONGEST_REST = 30.0
_LAST_LOOKS = 0.05
_ROUND = 1.0
"""Seconds from one look at the other daemons of the store to the next."""
_SWEEP_REST = 1.0
"""Seconds between two checks for what is to be told, while messages are sent."""

Publish = Callable[[Delivery, Message], Message]
"""Returns the message of a delivery with a file replaced by its URL; raises WboxError where it cannot."""

_Claim = tuple[int, int]
"""The id of a delivery, and how often it was claimed."""

Request = Callable[[Client], None]
"""What a sender does with its client; it reports the outcome to the scheduler itself."""


def connect(project: Project, deadline: float = 15.0) -> Client:
    """Return a client of the project's wbox account, for one thread; each call ends by the deadline.

    Raises:
        ConfigError: there is no key, or the address or the key cannot be used.
    """
    if not project.settings.api_key:
        raise ConfigError(Wording("there is no wbox key"), hint=_where_to_put_a_key(project))
    return Client(project.settings.url, project.settings.api_key, deadline=deadline)


def _where_to_put_a_key(project: Project) -> str:
    folder = project.settings.folder
    if has_project(folder):
        return Wording("set WBOX_API_KEY or WBOX_API_KEY_FILE, or wbox.api_key_file in wbox-notify.yaml")
    return Wording(
        "there is no project in {folder}: go to the folder of yours, or name it by wbox-notify -c FOLDER;"
        " without a project, set WBOX_API_KEY",
        folder=folder,
    )


class Observer(Protocol):
    """Is called after each attempt."""

    def __call__(self, delivery: Delivery, answer: Answer, then: NextStep) -> None:
        """Take note of one attempt."""


class Dispatcher(PeriodicThread):
    """Sends what is due, in order for each recipient.

    This thread is the scheduler: it alone minds the clock, circuits, expiry and the fallback, claims
    deliveries and records the outcomes. Senders only make requests, which may take long. Commands and tests
    call ``step`` and ``round`` in place of the threads.

    Args:
        store: where deliveries come from.
        live: the project that says with which key and how quickly.
        publish: replaces a file of this machine by the URL at which wbox finds it.
        fallback: tells other services of devices that cannot send.
        clock: returns seconds since the epoch; ``steady`` seconds of a clock that cannot be set.
        observer: is called after each attempt.
        turned: is called at each turn of the scheduler, every 30 seconds at least.
    """

    def __init__(  # noqa: PLR0913 - one for each neighbour
        self,
        store: Store,
        live: Live,
        *,
        publish: Publish = lambda _delivery, message: message,
        fallback: Fallback | None = None,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = steady,
        observer: Observer | None = None,
        turned: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__("dispatcher", self._schedule, "sending paused")
        self._store = store
        self._live = live
        self._project = live.project
        self._publish = publish
        self._fallback = fallback
        self._clock = clock
        self._steady = steady
        self._began = steady()
        self._now = Clock(clock, steady, self._follow_clock, _LOOK_BACK)
        self._observer = observer
        self._turned = turned
        self._outbox = Outbox(store, steady)
        self._ownership = self._outbox.ownership
        self._circuits = Circuits(store, fallback, clock, self._ownership)
        store.follow_queue(self._hear)
        self._lock = threading.Lock()
        self._in_flight: dict[_Claim, Delivery] = {}
        self._reports: SimpleQueue[tuple[Delivery, Answer]] = SimpleQueue()
        self._ended: list[tuple[Delivery, Answer]] = []
        self._lost: set[_Claim] = set()
        self._next_look = self._next_sweep = self._next_round = 0.0
        self._requests: SimpleQueue[Request | None] = SimpleQueue()
        self._senders: list[threading.Thread] = []

    def start(self) -> None:
        """Settle what the last run left open, then begin to send."""
        self.mind_the_clock()
        self.recover()
        self._circuits.look_at_all()
        super().start()

    def recover(self) -> None:
        """Treat what was being sent when the last run ended: its outcome is unknown."""
        with self._lock:
            if not self._ownership.is_shared:
                self._cut_off(self._store.interrupted())
            self._look_round()
            self._turn_over(0)

    def step(self, client: Client, recipient: str = "") -> bool:
        """Send the next delivery whose turn it is; False where there is none.

        With a recipient it is the next one to them, at any pace.

        Raises:
            StoreError: what has been sent cannot be written down; nothing more is sent until it can.
        """
        with self._lock:
            self._look_round()
            deliveries = self._turn_over(1, recipient)
            holder = self._ownership.holder
        for delivery in deliveries:
            self._attempt(delivery, holder, client)
        with self._lock:
            self._turn_over(0)
        return bool(deliveries)

    def round(self, client: Client) -> float:
        """Do what is to be done now; return the seconds until there is more to do, 0 for at once."""
        with self._lock:
            requests = self._due_requests(self.mind_the_clock(), 1)
        for request in requests:
            request(client)
        with self._lock:
            if not requests:
                return self._tidy(1)
            self._turn_over(0)
            return 0.0

    def look_at_circuits(self, client: Client, by: float = math.inf) -> None:
        """Ask wbox about the devices that cannot send and are to be looked at by then."""
        with self._lock:
            for circuit in self._circuits.due(by):
                self._circuits.ask(circuit, client)
            self._circuits.settle()

    @property
    def does_chores(self) -> bool:
        """Whether this daemon does what one does for all that share the store."""
        return self._ownership.has_chores

    def probe(self) -> None:
        """Ask wbox now about all devices that cannot send: a person has linked one."""
        with self._lock:
            self._circuits.look_at_all()
        self.wake()

    def mind_the_clock(self) -> float:
        """Return the time; where the clock was set, nothing expires or waits because of it."""
        return self._now()

    def _schedule(self) -> float:
        """Write down what has ended, hand out what is due; return the seconds until there is more to do."""
        self._turned()
        with self._lock:
            if self._project is not self._live.project:
                self._circuits.look_at_all()
                self._project = self._live.project
            # Handed out before anything else can fail, as each delivery is marked as being sent by now.
            for request in self._due_requests(self.mind_the_clock(), _SENDERS):
                self._hand_out(request)
            return self._tidy(_SENDERS)

    def _hand_out(self, request: Request) -> None:
        """Give a request to a sender; one more begins where all of them have something to do."""
        self._requests.put(request)
        if len(self._senders) < _SENDERS - self._free(_SENDERS):
            name = f"sender-{len(self._senders)}"
            sender = threading.Thread(target=self._send, name=name, daemon=True)
            sender.start()
            self._senders.append(sender)

    def _run(self) -> None:
        """Schedule until the end; then record how the requests in flight end."""
        super()._run()
        for _ in self._senders:
            self._requests.put(None)
        for sender in self._senders:
            while sender.is_alive():
                sender.join(_LAST_LOOKS)
                with suppress(StoreError), self._lock:
                    self._turn_over(0)
        try:
            with self._lock:
                self._turn_over(0)
        except StoreError as error:
            log.error("could not record an outcome: %s", error)  # noqa: TRY400 - no traceback reaches a user

    def _send(self) -> None:
        """Make the requests that the scheduler hands out, until there are no more."""
        project = self._live.project
        client = connect(project)
        while request := self._requests.get():
            if project is not self._live.project:
                client.close()
                project = self._live.project
                client = connect(project)
            try:
                request(client)
            except Exception as error:  # noqa: BLE001 - nothing may end a sender
                log.error("%s: %s", type(error).__name__, error)  # noqa: TRY400 - no traceback reaches a user
            self.wake()
        client.close()

    def _free(self, senders: int) -> int:
        """Return how many of the senders have nothing to do."""
        return max(0, senders - len(self._in_flight) - bool(self._circuits.asked))

    def _due_requests(self, now: float, senders: int) -> list[Request]:
        """Return requests for the free ones of so many senders; one of them may ask about a device."""
        self._collect()
        self._look_round()
        self._put_back_lost_claims()
        self._circuits.settle()
        free = self._free(senders)
        circuits = self._circuits.due(now)[: min(free, 1)]
        deliveries = self._turn_over(free - len(circuits))
        holder = self._ownership.holder
        requests: list[Request] = [partial(self._attempt, delivery, holder) for delivery in deliveries]
        for circuit in circuits:
            self._circuits.begin(circuit)
            requests.append(partial(self._circuits.ask, circuit))
        return requests

    def _tidy(self, senders: int) -> float:
        """Give up what is over, tell other services; return the seconds until there is more to do.

        While messages are sent others are told once a second, as what is due waits for it.
        """
        now, ran = self._clock(), self._steady()
        rest = _LONGEST_REST
        if self._ownership.is_shared:
            rest = max(self._next_round - ran, 0.01)
        if self._ownership.has_chores:
            rest = min(rest, self._do_chores(now, ran))
        if not rest or not self._free(senders):
            return rest
        next_due = min(self._circuits.next_due, self._outbox.next_due(now))
        if self._ownership.has_chores:
            next_due = min(next_due, self._outbox.next_expiry)
        return min(max(next_due - self._clock(), 0.01), rest)

    def _do_chores(self, now: float, ran: float) -> float:
        """Do what one daemon does for all; return the seconds until there is more of it, 0 for at once."""
        if self._outbox.expire(now, self._over_after(now, ran - self._began)):
            self._next_sweep = ran
            return 0.0
        rest = self._next_sweep - ran
        if rest > 0:
            return rest
        self._next_sweep = ran + _SWEEP_REST
        if self._fallback and self._fallback.sweep(now):
            self._next_sweep = ran
            return 0.0
        return _LONGEST_REST

    def _look_round(self) -> None:
        """Where several daemons share the store, look once a second which devices are ours."""
        if not self._ownership.is_shared:
            return
        if self._steady() < self._next_round:
            self._cut_off(self._outbox.take_missed(self._clock()))
            return
        self._next_round = self._steady() + _ROUND
        self._circuits.read()
        held = {circuit.device for circuit in self._circuits.open} - {ALL}
        busy = {
            delivery.device for delivery in [*self._in_flight.values(), *(each for each, _ in self._ended)]
        }
        self._cut_off(self._outbox.look(held, busy))

    def _cut_off(self, deliveries: Iterable[Delivery]) -> None:
        """Take note of what was being sent by somebody who is gone: its outcome is unknown."""
        cut = Answer(outcome=Outcome.UNKNOWN, detail="wbox-notify ended during the request")
        known = self._under_way()
        self._ended.extend((delivery, cut) for delivery in deliveries if _claim(delivery) not in known)

    def _under_way(self) -> set[_Claim]:
        """Return what we are sending ourselves."""
        return {*self._in_flight, *(_claim(delivery) for delivery, _ in self._ended)}

    def _over_after(self, now: float, ran: float) -> float:
        """Return from when on what is over is given up.

        What is over at the start stays for some minutes, in which a clock that is wrong at boot is set.
        """
        if ran < _CLOCK_RIGHT_WITHIN:
            return now - ran
        return -math.inf

    def _turn_over(self, most: int, recipient: str = "") -> list[Delivery]:
        """Write down how attempts ended and claim what is due, in one transaction; return what was claimed.

        Where that fails, nothing is claimed, and the next call writes down the same attempts.
        """
        self._collect()
        if not self._ended and not most:
            return []
        now = self._clock()
        attempts = [self._followed(delivery, answer, now) for delivery, answer in self._ended]
        pace = self._live.project.settings.pace
        if recipient:
            pace = UNLIMITED
        chances = [random.random() for _ in range(most)]  # noqa: S311 - spreads load, hides nothing
        claimed = self._outbox.turn_over(attempts, now, pace, chances, self._circuits.open, recipient)
        self._in_flight.update((_claim(delivery), delivery) for delivery in claimed)
        self._ended.clear()
        for attempt in attempts:
            self._tell(attempt)
        if any(attempt.then.state not in {State.SENT, *WAITING} for attempt in attempts):
            self._next_sweep = 0.0  # it may be for the fallback
        return claimed

    def _collect(self) -> None:
        """Take the reports of the senders."""
        with suppress(Empty):
            while True:
                delivery, answer = self._reports.get_nowait()
                self._in_flight.pop(_claim(delivery), None)
                self._ended.append((delivery, answer))

    def _followed(self, delivery: Delivery, answer: Answer, now: float) -> Attempt:
        """Return an attempt with what follows it; its device's circuit is opened or closed."""
        chance = random.random()  # noqa: S311 - spreads load
        then = after(delivery, answer, now, chance, alone=self._is_alone(delivery, answer))
        if delivery.device in self._ownership:  # of others we know what was, and not what is
            self._circuits.note(delivery, answer, then.pause)
        return Attempt(delivery, answer, then)

    def _is_alone(self, delivery: Delivery, answer: Answer) -> bool:
        """Return whether a refusal is the message's own, since others pass."""
        if not may_be_its_own(delivery, answer):
            return False
        everywhere = answer.outcome in FOR_ALL
        try:
            return self._store.others_passed(delivery, answer.outcome, everywhere=everywhere)
        except StoreError as error:  # whose fault it was can wait; how it ended must be written down
            log.warning("whether other messages passed is not known: %s", error)
            return False

    def _put_back_lost_claims(self) -> None:
        """Put back deliveries that are marked as being sent at two checks in a row, but that no sender has.

        After an error of the disk, the store can hold a claim that it reported as failed: it was never sent.
        """
        if self._steady() < self._next_look:
            return
        self._next_look = self._steady() + _LOOK_BACK
        known = self._under_way()
        lost = {
            _claim(delivery): delivery
            for delivery in self._store.interrupted()
            if delivery.device in self._ownership and _claim(delivery) not in known
        }
        self._ended.extend((lost[claim], self._lost_answer(claim)) for claim in lost.keys() & self._lost)
        self._lost = set(lost)

    def _lost_answer(self, claim: _Claim) -> Answer:
        """Return what is known of a claim of ours that nobody works at."""
        if not self._ownership.is_shared or claim in self._outbox.doubtful_claims:
            self._outbox.doubtful_claims.discard(claim)
            why = "the store lost it between its claim and the request"
            return Answer(outcome=Outcome.NOT_SENT, detail=why, asked=False)
        # It was handed to a sender, and its end was lost, as by a server that forgot what it had committed.
        return Answer(outcome=Outcome.UNKNOWN, detail="the store lost how it ended")

    def _attempt(self, delivery: Delivery, holder: str, client: Client) -> None:
        """Send a delivery, and report to the scheduler how that ended; ``holder`` is who claimed it."""
        with _about(delivery):
            answer = self._answer(delivery, holder, client)
        self._reports.put((delivery, answer))

    def _answer(self, delivery: Delivery, holder: str, client: Client) -> Answer:
        try:
            return self._request(delivery, holder, client)
        except Exception as error:  # noqa: BLE001 - it may have been sent, and must not stay as it is
            log.error("%s: %s", type(error).__name__, error)  # noqa: TRY400 - no traceback reaches a user
            return Answer(outcome=Outcome.UNKNOWN, detail=f"internal error: {error!r}")

    def _request(self, delivery: Delivery, holder: str, client: Client) -> Answer:
        if delivery.message is None:
            return Answer(outcome=Outcome.REFUSED, detail="there is no message", asked=False)
        try:
            message = self._publish(delivery, delivery.message)
        except WboxError as error:
            outcome = Outcome.NOT_SENT if error.retry else Outcome.REFUSED
            return Answer(outcome=outcome, detail=str(error), asked=False)
        # The last moment: whoever was frozen up to now may have been given up, and somebody else sends.
        if not self._ownership.may_send(holder):
            why = "another daemon may send through this device by now"
            return Answer(outcome=Outcome.NOT_SENT, detail=why, asked=False)
        if isinstance(message, Notice):
            return Outlets(self._live.project.outlets).send(message)
        return client.send(message, idempotency_key=delivery.key)

    def _tell(self, attempt: Attempt) -> None:
        delivery, answer, then = attempt
        level = logging.INFO if then.state is State.SENT else logging.WARNING
        if log.isEnabledFor(level):
            recipient = delivery.recipient
            if not isinstance(delivery.message, Notice):
                recipient = masked(recipient)
            text = "delivery %d to %s: %s: %s"
            with _about(delivery):
                log.log(level, text, delivery.id, recipient, answer.outcome, answer.detail)
        if self._observer:
            self._observer(delivery, answer, then)

    def _hear(self, change: Change) -> None:
        """Note that others change the queue."""
        self._outbox.note(change)
        change.add_done_callback(lambda _change: self.wake())

    def _follow_clock(self, step: Step) -> None:
        gap = self._store.bridge_gap(step.now).result() if step.first else 0.0
        if gap:
            log.warning(
                "before the start, the clock may have been behind by %.0f s; what waits keeps its times", gap
            )
        lowered = self._store.clock_was_set(step).result()
        if gap or step.jump or lowered:
            self._outbox.doubt()
            self._circuits.read()
        if step.jump:
            log.warning("the clock was set by %+.0f s; what waits keeps its times", step.jump)
        if lowered:
            log.warning(
                "%d times were later than now, by a clock that was ahead; they count from now", lowered
            )


def _claim(delivery: Delivery) -> _Claim:
    return delivery.id, delivery.claims


def _about(delivery: Delivery) -> AbstractContextManager[None]:
    return about(event=delivery.event_id, rule=delivery.rule, delivery=delivery.id)
