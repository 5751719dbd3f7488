"""The outbox: whose turn it is of all that waits in the store, and what is written when turns change."""

import math
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue

from wbox_notify.dispatch.lanes import Lanes
from wbox_notify.dispatch.ownership import Ownership
from wbox_notify.errors import StoreError
from wbox_notify.model.clock import steady
from wbox_notify.model.deliveries import WAITING, Attempt, Circuit, Delivery, Waiting
from wbox_notify.model.pace import DAY, Begun, Pace
from wbox_notify.store import Change, Changed, Claim, Claimed, Store
from wbox_notify.store.claims import Turnover

_SLICE = 200
_LOOK_AGAIN = 30.0
_MOST_AT_PACE, _MOST_WITHOUT = 4, 16
"""Of one device under way, so that one whose answers take their time leaves senders for the others."""


class Outbox:
    """Claims what has its turn and ends what was sent, by lanes that it keeps in memory.

    The store is the truth: a claim is written only where the delivery waits there as the lanes say, and
    where it does not, the lanes of its device are read anew. One thread at a time may call it, and any
    ``note``.

    Attributes:
        next_expiry: No later than this something expires.
        ownership: The devices that it claims from.
        doubtful_claims: Claims that may be in the store though their writing failed: the id of each delivery,
            and how often it was claimed with it.
    """

    def __init__(self, store: Store, steady: Callable[[], float] = steady) -> None:
        self._store = store
        self._steady = steady
        self._next_doubt = 0.0
        self.doubtful_claims: set[tuple[int, int]] = set()
        self.ownership = Ownership(store, steady)
        self._lanes = Lanes(self.ownership)
        self._changes: SimpleQueue[Change] = SimpleQueue()
        self._coming: deque[Change] = deque()
        self._claimed: set[int] = set()
        self.next_expiry = -math.inf

    def note(self, change: Change) -> None:
        """Hear of a change of the queue that somebody else makes; it counts once it is on disk."""
        self._changes.put(change)

    def doubt(self) -> None:
        """Read all anew from the store."""
        self._lanes.doubt()
        self._claimed.clear()
        self.next_expiry = -math.inf

    def look(self, others: Iterable[str] = (), busy: Collection[str] = ()) -> list[Delivery]:
        """Where several daemons share the store: take devices over, or leave them; return what was cut off.

        That are deliveries which were being sent by a daemon that had one of these devices. ``others`` and
        ``busy`` are as for the ownership.
        """
        if not self.ownership.is_shared:
            return []
        taken = self.ownership.look(others, busy)
        now = self._steady()
        if now >= self._next_doubt or not self._store.hears_others:
            self.doubt()  # what is told saves looking, and is not relied on for ever
            self._next_doubt = now + _LOOK_AGAIN
        self._lanes.forget_others()
        return self._taken(taken)

    def _taken(self, devices: Collection[str]) -> list[Delivery]:
        """Read devices anew that were somebody else's; return what was being sent through them."""
        for device in devices:
            self._lanes.doubt_device(device)
        return self._store.interrupted_of(devices) if devices else []

    def take_missed(self, now: float) -> list[Delivery]:
        """Take devices that there is news of, where they are to be ours; return what was cut off of them."""
        self._follow_changes(now)
        return self._taken(self.ownership.take_missed())

    def turn_over(
        self,
        ended: Sequence[Attempt],
        now: float,
        pace: Pace,
        chances: Sequence[float],
        circuits: Sequence[Circuit] = (),
        recipient: str = "",
    ) -> list[Delivery]:
        """Write down how attempts ended and claim what has its turn, in one transaction.

        Returns what was claimed: one delivery for each of the chances while any is due.

        Raises:
            StoreError: nothing was written.
        """
        self._lanes.circuits = circuits
        self._lanes.most = _MOST_AT_PACE if pace.every else _MOST_WITHOUT
        try:
            self._follow_changes(now)
            self._lanes.doubt_what_ran_out(now)
            if any(self._lanes.is_doubtful(attempt.delivery.device) for attempt in ended):
                # What the store says of them is true only when their end is written.
                self._write(ended, [], now, pace)
                self._follow_ends(ended, now)
                ended = ()
            claimed: list[Delivery] = []
            while not claimed:
                self._follow_ends(ended, now)
                claims = self._claims(now, pace, chances, recipient)
                if not ended and not claims:
                    break
                claimed = self._write(ended, claims, now, pace)
                ended = ()
        except StoreError:
            self.doubt()
            raise
        return claimed

    def next_due(self, now: float) -> float:
        """Return when something has its turn, of what may be sent as things stand."""
        self._follow_changes(now)
        self._lanes.doubt_what_ran_out(now)
        self._read_on(now)
        return self._lanes.next_due(now)

    def expire(self, now: float, after: float) -> bool:
        """Give up what is over since ``after`` some time; return whether there was anything."""
        self._follow_changes(now)
        if now < self.next_expiry:
            return False
        expiry = self._store.next_expiry(after)
        if expiry is not None and expiry <= now:
            expired = self._store.expire(now, after).result()
            if expired:  # it may be all that is in memory of a lane that goes on in the store
                self.doubt()
            return bool(expired)
        self.next_expiry = math.inf if expiry is None else expiry
        if math.isfinite(after):  # what was over before is given up later
            self.next_expiry = min(self.next_expiry, now + _LOOK_AGAIN)
        return False

    def _follow_changes(self, now: float) -> None:
        with suppress(Empty):
            while True:
                self._coming.append(self._changes.get_nowait())
        while self._coming and self._coming[0].done():
            change = self._coming[0]
            if not change.exception():
                self._follow(change.result(), now)
            self._coming.popleft()

    def _follow(self, changed: Changed, now: float) -> None:
        if isinstance(changed, int):
            self.doubt()
            return
        queued = [delivery.waiting for delivery in changed if isinstance(delivery, Delivery)]
        if touched := [number for number in changed if isinstance(number, int)]:
            queued += self._store.waiting_of(touched)
        for number in touched:
            self._lanes.remove(number, now)
        for waiting in queued:
            self._add(waiting, now)

    def _add(self, waiting: Waiting, now: float) -> None:
        self.ownership.note(waiting.device)
        if waiting.device in self.ownership:
            self._lanes.add(waiting, now)
        self.next_expiry = min(self.next_expiry, waiting.expires)

    def _claims(self, now: float, pace: Pace, chances: Sequence[float], recipient: str) -> list[Claim]:
        """Return what is to be claimed; the lanes take it as claimed."""
        claims: list[Claim] = []
        for chance in chances:
            self._read_on(now, recipient)
            waiting = self._lanes.first(now, recipient)
            if waiting is None:
                break
            begun = self._begun(waiting.device, now, pace)
            has_backlog = bool(pace.backlog) and self._lanes.may_be_long(waiting, pace.backlog)
            claims.append(Claim(waiting, chance, begun, has_backlog))
            self._lanes.begin(waiting, now, paced=pace.has_turns)
        return claims

    def _read_on(self, now: float, recipient: str = "") -> None:
        """Read of the store what is needed to know whose turn it is."""
        lanes = self._lanes
        if lanes.is_new:
            lanes.meet(self._store.waiting_devices())
        while (name := lanes.wanted(now, recipient)) is not None:
            if lanes.is_doubtful(name):
                lanes.learn(name, self._store.turns(name), self._store.sending(name))
            slice_ = self._store.waiting_after(name, lanes.read_up_to(name), _SLICE)
            lanes.extend(name, slice_, _SLICE, now)

    def _begun(self, name: str, now: float, pace: Pace) -> Sequence[Begun]:
        """Return the attempts of a day of a device, by which its pace counts."""
        begun = self._lanes.begun(name)
        if begun is None and pace.has_turns:
            begun = deque(self._store.begun(name, now - DAY, now))
        if not pace.has_turns:
            begun = None
        self._lanes.remember(name, begun)
        return begun or ()

    def _write(
        self, ended: Sequence[Attempt], claims: Sequence[Claim], now: float, pace: Pace
    ) -> list[Delivery]:
        """Write ends and claims; return what was claimed."""
        turned = self._turned(ended, claims, now, pace)
        self.ownership.lose(turned.lost)
        for claim, claimed in zip(claims, turned.claimed, strict=True):
            self._settle(claim.waiting, claimed, now, pace)
        over = {attempt.delivery.id: attempt.delivery.device for attempt in ended}
        # What was claimed before all was in doubt may wait again by other times than it was claimed with.
        moved = {device for number, device in over.items() if number not in self._claimed}
        for name in turned.doubtful | moved:
            self._lanes.doubt_device(name)
            self.next_expiry = -math.inf
        begun = [claimed.delivery for claimed in turned.claimed if claimed.delivery and claimed.has_begun]
        self._claimed = (self._claimed - over.keys()) | {delivery.id for delivery in begun}
        return begun

    def _turned(self, ended: Sequence[Attempt], claims: Sequence[Claim], now: float, pace: Pace) -> Turnover:
        try:
            return self._store.turn_over(ended, claims, now, pace, self.ownership.holder).result()
        except StoreError:
            self.doubtful_claims.update((claim.waiting.id, claim.waiting.claims + 1) for claim in claims)
            raise

    def _settle(self, waiting: Waiting, claimed: Claimed, now: float, pace: Pace) -> None:
        """Let the lanes follow what became of a claim."""
        if not claimed.has_begun:
            self._lanes.end(waiting, None, now)
        if pace.has_turns:
            self._lanes.take_turns(waiting, claimed.turns, now)

    def _follow_ends(self, ended: Sequence[Attempt], now: float) -> None:
        """Let the lanes follow ends; those of doubtful devices are read anew."""
        for attempt in ended:
            if not self._lanes.is_doubtful(attempt.delivery.device):
                self._end(attempt, now)

    def _end(self, attempt: Attempt, now: float) -> None:
        delivery, _, then = attempt
        again = None
        if then.state in WAITING:
            again = replace(delivery, state=then.state, due=then.due).waiting
            self.next_expiry = min(self.next_expiry, delivery.expires)
        self._lanes.end(delivery.waiting, again, now)
