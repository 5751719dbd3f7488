"""The verbs of the store. Each that changes something returns when its effect is on disk."""

import json
import logging
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from types import MappingProxyType
from typing import TypeVar

from wbox_notify.model.clock import SLACK, Step
from wbox_notify.model.deliveries import Attempt, Delivery, Memory, Place, Plan, State, Waiting
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileState, FileVersion
from wbox_notify.model.log_subject import about
from wbox_notify.model.outcomes import Outcome
from wbox_notify.model.pace import DAY, Begun, Pace
from wbox_notify.store import claims, plans, rows, statements
from wbox_notify.store.arrivals import Arrivals
from wbox_notify.store.claims import Claim, Turnover
from wbox_notify.store.database import Database, Row, T, Transaction, Values
from wbox_notify.store.files import Files
from wbox_notify.store.leases import Turn, lease_of
from wbox_notify.store.news import NOTHING, News
from wbox_notify.store.queries import Queries

log = logging.getLogger(__name__)

_ROWS_AT_ONCE = 20

_MOMENT = 60.0
"""Seconds for which what others write by the new clock may be later than the reading that showed the step."""

_CLOCK = {"rule": "-", "kind": "clock", "key": ""}
"""Where it is kept what the clock has shown."""

_LONGEST_LOOK, _LONGEST_LIMIT = 300.0, 3600.0
"""Seconds after which a device that holds is looked at, and after which what wbox calls a limit ends."""


Changed = list[Delivery] | list[int] | int
"""What was put into the queue; or the ids of what was changed in it; or how many were, whichever."""

Change = Future[list[Delivery]] | Future[list[int]] | Future[int]
_Changed = TypeVar("_Changed", list[Delivery], list[int], int)


class Store(Queries):
    """Where everything lives between the event and the phone, in a database of any kind.

    Every time argument ``now`` is in seconds since the epoch.

    Attributes:
        files: The files that were seen.
        arrivals: The events that wait for their plan.
        leases: Who does what, of the daemons that share the store.
        host: The name of this machine among those that share the store; empty where one daemon has it alone.
    """

    def __init__(self, database: Database, host: str = "") -> None:
        super().__init__(database)
        self._database: Database = database
        self.host = host if database.leases.is_shared else ""
        self.files = Files(database, self.host)
        self.leases = database.leases
        self.arrivals = Arrivals(self.unplanned)
        self.hears_others = False
        self._heard: Callable[[Change], None] = lambda _change: None
        self._seen: Callable[[], None] = lambda: None

    @property
    def clock(self) -> Callable[[], float]:
        """The clock by which all daemons of the store go: it gives seconds since the epoch."""
        return self._database.clock

    def listen(self, heard: Callable[[], None]) -> None:
        """Call a function, which must not wait, after each change that is on disk."""
        self._seen = heard
        self._database.listen(heard)

    def follow_others(self, wake: Callable[[], None]) -> None:
        """Take note from now on of what other daemons change, and wake those who wait for changes."""
        self.hears_others = self.leases.is_shared
        self._database.follow(partial(self._hear, wake))

    def _hear(self, wake: Callable[[], None], news: News) -> None:
        if news.events:
            self.arrivals.doubt()
        if news.queue is None:
            self._heard(_done(0))
        elif news.queue:
            self._heard(_done(sorted(news.queue)))
        if news != NOTHING:
            wake()
        self._seen()

    def put_events(
        self,
        events: Sequence[Event],
        now: float,
        memories: Sequence[Memory] = (),
        files: Mapping[FileVersion, FileState] = MappingProxyType({}),
    ) -> Future[list[bool]]:
        """Keep events; once the future is done they are never forgotten. False marks one known before.

        What their source wants to remember, and the files that they tell of, are kept together with them.
        """
        new = [rows.event_row(event, now, self.host) for event in events]
        kept = self._database.write(plans.put_events, new, now, memories, files, self.host)
        kept.add_done_callback(partial(_note_kept, events))
        return _followed(kept, partial(self._arrived, new))

    def _arrived(self, put: Sequence[Row], kept: Future[list[bool]]) -> None:
        """Let the planner find what is on disk now."""
        if kept.exception():  # after an error of the disk it can be there all the same
            self.arrivals.doubt()
        else:
            self.arrivals.add(row for row, is_new in zip(put, kept.result(), strict=True) if is_new)

    def known_events(self, ids: Sequence[str]) -> set[str]:
        """Return those of the event ids that the store has."""
        known = self._database.read(statements.KNOWN_EVENTS, {"ids": rows.listed(ids)})
        return {row["id"] for row in known}

    def unplanned(self, most: int = 200, size: float = math.inf) -> list[Event]:
        """Return events that no plan was made for yet, oldest first.

        Args:
            most: how many at most.
            size: once the text of those that were read has so many characters, no more are read.
        """
        events: list[Event] = []
        last = 0
        while len(events) < most and size > 0:
            at_once = min(_ROWS_AT_ONCE, most - len(events))
            unplanned = self._database.read(
                statements.UNPLANNED, {"last": last, "host": self.host, "most": at_once}
            )
            for row in unplanned:
                if size > 0:
                    events.append(rows.event(row))
                    size -= len(row["data"])
                    last = row["seq"]
            if len(unplanned) < at_once:
                break
        return events

    def memories_due(self, now: float, most: int = 200) -> list[Memory]:
        """Return what rules want to be woken with now, the earliest first."""
        due = self._database.read(statements.MEMORIES_DUE, {"now": now, "host": self.host, "most": most})
        return [rows.memory(row) for row in due]

    def next_memory(self) -> float | None:
        """Return when the next rule wants to be woken, or None."""
        found = self._database.read(statements.NEXT_MEMORY, {"host": self.host})
        return found[0]["due"] if found else None

    def adopt(self) -> Future[int]:
        """Take over the events of machines on which no daemon lives any more, but those of their files.

        Returns how many that were.
        """
        return self._doubtful(self._database.write(_adopt, self.host))

    def adopt_files(self, versions: Sequence[FileVersion]) -> Future[None]:
        """Take over files that such machines have left and that are seen here, with their events."""
        return self._doubtful(self.files.adopt(versions))

    def put_plans(self, made: Sequence[Plan], now: float, turn: Turn | None = None) -> Future[list[Delivery]]:
        """Keep all that follows from events, in one transaction with the mark that they are planned.

        Return the deliveries that it puts into the queue, new ones and those that a storm held until now.
        With it ends the ``turn`` of the planner; the future raises LateError where it had ended before.
        """
        return self._queue(self._put_plans, made, now, turn)

    def _put_plans(
        self, tx: Transaction, made: Sequence[Plan], now: float, turn: Turn | None
    ) -> list[Delivery]:
        if turn:
            self.leases.end(tx, turn)
        return plans.put_plans(tx, made, now)

    def put_message(self, event: Event, plan: Plan, now: float) -> Future[list[int]]:
        """Keep an event together with its plan; return the ids of its deliveries."""
        return self._queue(plans.put_message, event, plan, now)

    def follow_queue(self, heard: Callable[[Change], None]) -> None:
        """Call a function, which must not wait, with each change of the queue but those of a turnover.

        It hears of a change before that is on disk; the result says what to read of the queue.
        """
        self._heard = heard

    def _queue(self, work: Callable[[Transaction, *Values], _Changed], *values: *Values) -> Future[_Changed]:
        """Change the queue, and let those hear of it who follow it, here and elsewhere."""
        change = self._database.write(_told, work, *values)
        # Where others are heard this one comes back among theirs, in the order of commits: what was committed
        # before it by another daemon may go first.
        if not self.hears_others:
            self._heard(change)
        return change

    def waiting_devices(self) -> list[str]:
        """Return the devices that something waits for."""
        return [row["device"] for row in self._database.read(statements.WAITING_DEVICES)]

    def turns(self, device: str) -> dict[str, float]:
        """Return the next turns of a device and its recipients; '' is the device itself."""
        turns = self._database.read(statements.TURNS, {"device": device})
        return {row["recipient"]: row["next"] for row in turns}

    def sending(self, device: str) -> list[tuple[int, str]]:
        """Return the id and the recipient of what is being sent through a device."""
        sending = self._database.read(statements.SENDING, {"device": device})
        return [(row["id"], row["recipient"]) for row in sending]

    def waiting_after(self, device: str, place: Place, most: int) -> list[Waiting]:
        """Return what is open for a device behind a place in its queue, in order."""
        after = {"device": device, "priority": -place[0], "id": place[1], "most": most}
        return [rows.waiting(row) for row in self._database.read(statements.WAITING_AFTER, after)]

    def waiting_of(self, ids: Sequence[int]) -> list[Waiting]:
        """Return those of some deliveries that wait."""
        found = self._database.read(statements.WAITING_OF, {"ids": rows.listed(ids)})
        return [rows.waiting(row) for row in found]

    def begun(self, device: str, since: float, until: float) -> list[Begun]:
        """Return the attempts that a device began in a span of time, the newest first."""
        span = {"device": device, "since": since, "now": until}
        attempts = self._database.read(statements.BEGUN, span)
        return [Begun(row["started"], row["recipient"]) for row in attempts]

    def turn_over(
        self, ended: Sequence[Attempt], claimed: Sequence[Claim], now: float, pace: Pace, holder: str = ""
    ) -> Future[Turnover]:
        """Record how attempts ended and what follows, and claim deliveries that have their turn.

        It is one transaction: nothing more is sent before the outcome of what has been sent is on disk; that
        something is being sent is on disk before the future is done. What the pace leaves out has a decision.

        Args:
            ended: attempts at deliveries as they were claimed; what was claimed again meanwhile stays.
            claimed: what has its turn.
            now: the time of the ends and of the claims.
            pace: how quickly messages may follow each other.
            holder: by which id the devices of the claims are held; those that are not are not claimed from.
        """
        held = partial(self._held, holder)
        return self._database.write(claims.turn_over, ended, claimed, now, pace, held)

    def _held(self, holder: str, tx: Transaction, devices: Collection[str]) -> set[str]:
        names = {lease_of(device): device for device in devices}
        return {names[name] for name in self.leases.held(tx, holder, names)}

    def interrupted(self) -> list[Delivery]:
        """Return the deliveries that are being sent, or were when the last owner of the store ended."""
        return self._deliveries(statements.INTERRUPTED, {})

    def interrupted_of(self, devices: Iterable[str]) -> list[Delivery]:
        """Return those of some devices."""
        return self._deliveries(statements.INTERRUPTED_OF, {"devices": rows.listed(devices)})

    def expire(self, now: float, after: float = -math.inf) -> Future[int]:
        """Give up on waiting deliveries whose time was over ``after`` some time; return how many."""
        return self._database.write(claims.expire, now, after)

    def next_expiry(self, after: float = -math.inf) -> float | None:
        """Return when the next of what waits expires ``after`` some time, or None."""
        due: float | None = self._database.read(statements.NEXT_EXPIRY, {"after": after})[0]["due"]
        return due

    def open_circuit(self, device: str, reason: Outcome, until: float, now: float) -> Future[None]:
        """Stop sending through a device and look at it at ``until``; an open circuit stays as it is."""
        circuit = {"device": device, "reason": reason, "until": until, "now": now}
        return self._database.write(_run, statements.OPEN_CIRCUIT, circuit)

    def keep_circuit_open(self, device: str, reason: Outcome, until: float) -> Future[None]:
        """Record that a device was looked at and cannot send yet."""
        circuit = {"device": device, "reason": reason, "until": until}
        return self._database.write(_run, statements.KEEP_CIRCUIT_OPEN, circuit)

    def try_circuit(self, device: str) -> Future[None]:
        """Let one message at a time through a device, until one has arrived."""
        return self._database.write(_run, statements.TRY_CIRCUIT, {"device": device})

    def tell_circuit(self, device: str) -> Future[None]:
        """Record that the fallback knows of an open circuit."""
        return self._database.write(_run, statements.TELL_CIRCUIT, {"device": device})

    def close_circuit(self, device: str) -> Future[None]:
        """Let a device send again."""
        return self._database.write(_run, statements.CLOSE_CIRCUIT, {"device": device})

    def requeue(self, ids: Sequence[int] | None, states: Sequence[State], now: float) -> Future[list[int]]:
        """Put deliveries in the given states back into the queue, due now; all of them where ids is None.

        Where one has no message, since its rule failed, the rule follows again what failed, and that alone.
        """
        return self._doubtful(self._queue(plans.requeue, ids, states, now))

    def plan_again(self, ids: Sequence[str]) -> Future[int]:
        """Let events be planned once more; return how many. What they have made already is not made twice."""
        return self._doubtful(self._database.write(plans.plan_again, ids))

    def _doubtful(self, changed: Future[T]) -> Future[T]:
        """Let the planner ask the store again: events may have lost their plans."""
        return _followed(changed, lambda _changed: self.arrivals.doubt())

    def release_event(self, event_id: str, now: float) -> Future[int]:
        """Let go all that the storm guard holds of one event; return how many."""
        return self._queue(plans.release_event, event_id, now)

    def drop_event(self, event_id: str, now: float) -> Future[int]:
        """Cancel all that the storm guard holds of one event; return how many."""
        return self._queue(plans.drop_event, event_id, now)

    def drop(self, ids: Sequence[int] | None, now: float) -> Future[list[int]]:
        """Cancel deliveries that are waiting or stuck; all of them where ids is None."""
        return self._queue(plans.drop, ids, now)

    def bridge_gap(self, now: float) -> Future[float]:
        """At the start, let what waits not count the time since the last look, where it may not have passed.

        A clock that was behind then may have been set right while nothing ran. It counts as behind from when
        it goes back until it shows again what it had shown, or has run for a day. Returns the seconds that
        do not count. The clock that several daemons share is right, and nothing follows it.
        """
        if self.leases.is_shared:
            return _done(0.0)
        return self._database.write(_bridge_gap, now)

    def clock_was_set(self, step: Step) -> Future[int]:
        """Follow a clock that was set: nothing expires of it, and nothing waits longer than it would have.

        What an earlier clock wrote that was ahead counts from now; returns how many rows that were. A row
        tells by its own stamp by which clock it was written, so that rows from before and after a step can
        stand side by side. The clock that several daemons share is right, and nothing follows it.
        """
        if self.leases.is_shared:
            return _done(0)
        return self._database.write(_follow_clock, step)

    def prune(self, before: float, most: int) -> Future[int]:
        """Forget at most ``most`` rows of what was finished by then; return how many, 0 when none is left."""
        return self._database.write(_prune, before, most)


def _followed(first: Future[T], then: Callable[[Future[T]], None]) -> Future[T]:
    """Return a future that ends as another one, when that has been followed: whoever waits finds it done."""
    second: Future[T] = Future()

    def follow(ended: Future[T]) -> None:
        then(ended)
        if error := ended.exception():
            second.set_exception(error)
        else:
            second.set_result(ended.result())

    first.add_done_callback(follow)
    return second


def _done(result: T) -> Future[T]:
    done: Future[T] = Future()
    done.set_result(result)
    return done


def _told(tx: Transaction, work: Callable[[Transaction, *Values], _Changed], *values: *Values) -> _Changed:
    """Do some work that changes the queue, and tell other daemons of it."""
    changed = work(tx, *values)
    if changed:
        tx.tell(News(_ids(changed)))
    return changed


def _ids(changed: Changed) -> frozenset[int] | None:
    if isinstance(changed, int):
        return None
    return frozenset(change if isinstance(change, int) else change.id for change in changed)


def _note_kept(events: Sequence[Event], kept: Future[list[bool]]) -> None:
    """Write to the log which events are on disk."""
    if kept.exception() or not log.isEnabledFor(logging.INFO):
        return
    for event, is_new in zip(events, kept.result(), strict=True):
        with about(event=event.id):
            log.info("%s event %s", event.type, "kept" if is_new else "known before")


def _adopt(tx: Transaction, host: str) -> int:
    return tx.execute(statements.ADOPT, {"host": host}).rowcount


def _run(tx: Transaction, statement: str, values: Row) -> None:
    tx.execute(statement, values)


def _bridge_gap(tx: Transaction, now: float) -> float:
    clock = _clock(tx, now)
    gap = now - clock["seen"]
    if gap <= SLACK or clock["latest"] <= clock["seen"] + SLACK:
        return 0.0
    _shift(tx, statements.SHIFT_GAP, Step(now, gap, 0.0))
    _note_clock(tx, now, gap)
    return gap


def _follow_clock(tx: Transaction, step: Step) -> int:
    if step.jump:
        _shift(tx, statements.SHIFT, step)
    _note_clock(tx, step.now, step.jump)
    return _lower(tx, step.now)


def _shift(tx: Transaction, shifts: Sequence[str], step: Step) -> None:
    shift = {
        "jump": step.jump,
        "now": step.now,
        "since": step.now - step.lag - SLACK,
        "until": step.now + _MOMENT,
        "recent": min(step.now - step.jump - DAY, step.now),
    }
    for statement in shifts:
        tx.execute(statement, shift)


def _note_clock(tx: Transaction, now: float, jump: float) -> None:
    clock = _clock(tx, now)
    back = clock["back"] + jump if now >= clock["seen"] - SLACK else now
    latest = max(clock["latest"], now) if now - back < DAY else now
    value = json.dumps({"seen": now, "latest": latest, "back": back})
    tx.execute(statements.REMEMBER, {**_CLOCK, "value": value, "due": None, "event_id": ""})


def _clock(tx: Transaction, now: float) -> dict[str, float]:
    """Return what the clock showed when it was last looked at, when it went back, and at the latest."""
    row = tx.execute(statements.REMEMBERED, _CLOCK).fetchone()
    clock: dict[str, float] = (
        json.loads(row["value"]) if row else dict.fromkeys(("seen", "back", "latest"), now)
    )
    return clock


def _lower(tx: Transaction, now: float) -> int:
    """Let what was written by a clock that was ahead count from now; return how many rows that were."""
    changed = 0
    newest = tx.execute(statements.NEWEST_ATTEMPT).fetchone()["at"] or 0.0
    if newest > now + SLACK:
        # All of them together, so that they keep their distances, of which the limits of an hour are made.
        ahead = {"now": now, "by": newest - now}
        changed += tx.execute(statements.LOWER_ATTEMPTS, ahead).rowcount
        changed += tx.execute(statements.LOWER_TURNS, ahead).rowcount
    bounds = {"now": now, "ahead": now + SLACK, "day": DAY, "limit": _LONGEST_LIMIT, "look": _LONGEST_LOOK}
    for statement in statements.LOWER:
        changed += tx.execute(statement, bounds).rowcount
    return changed


def _prune(tx: Transaction, before: float, most: int) -> int:
    """Forget finished deliveries, then decisions, then events.

    What one event caused goes when all of it is finished. Memories, events without a plan and those of
    files that are still to be put away stay.
    """
    bounds = {"before": before, "most": most}
    if deliveries := tx.execute(statements.OLD_DELIVERIES, bounds).fetchall():
        return _prune_deliveries(tx, [row["id"] for row in deliveries], most)
    # One kind at a time: what is next waits for this to be gone, and would be looked for in vain until then.
    if decisions := tx.execute(statements.OLD_DECISIONS, bounds).rowcount:
        return decisions
    events = tx.execute(statements.OLD_EVENTS, bounds).fetchall()
    for row in events:
        tx.execute(statements.OLD_TOLD, {"id": row["id"]})
        tx.execute(statements.OLD_EVENT, {"seq": row["seq"]})
    return len(events)


def _prune_deliveries(tx: Transaction, deliveries: Sequence[int], most: int) -> int:
    left = most
    for number in deliveries:
        for statement in (statements.OLD_FAILURE_EVENTS, statements.OLD_FAILURE, statements.OLD_MERGED):
            tx.execute(statement, {"id": number})
        for statement in (statements.OLD_ATTEMPTS, statements.FORGET_DELIVERY):
            if left > 0:
                left -= tx.execute(statement, {"id": number, "most": left}).rowcount
    return most - left
