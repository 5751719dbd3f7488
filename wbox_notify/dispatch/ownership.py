"""Ownership: the devices that this daemon sends through, where several share a store."""

from collections.abc import Callable, Collection, Iterable
from hashlib import blake2b

from wbox_notify.model.clock import steady
from wbox_notify.store import Store
from wbox_notify.store.leases import CHORES, lease_of, run_of

_MODEST = 3.0
"""Seconds for which a daemon that was late takes only what it had before."""


class Ownership:
    """Which devices are ours: those for which we come first of all daemons that live, once they are free.

    So each daemon finds out alone which ones it may have, and most of them stay where they are when a daemon
    comes or goes. Where nobody shares the store, all devices are ours, and nobody is asked.

    Attributes:
        holder: the id by which they are held.
        has_chores: whether we do what one daemon does for all.
        missed: devices that something waits for, and that are to be ours and are not yet.
    """

    def __init__(self, store: Store, steady: Callable[[], float] = steady) -> None:
        self._store = store
        self._steady = steady
        self._modest_until = 0.0
        self._before: set[str] = set()
        self._leases = store.leases
        self.is_shared = store.leases.is_shared
        self.holder = ""
        self.has_chores = not self.is_shared
        self.missed: set[str] = set()
        self._living: list[str] = []
        self._ours: set[str] = set()
        self._leaving: set[str] = set()

    def __contains__(self, device: object) -> bool:
        """Return whether a device is ours."""
        return not self.is_shared or device in self._ours

    def look(self, others: Iterable[str], busy: Collection[str]) -> set[str]:
        """Take the devices that are to be ours, and give those back that are not; return what was taken.

        Args:
            others: devices to take though nothing may wait for them.
            busy: devices whose requests are under way; they are given back later.
        """
        holder = self._leases.join()
        if holder != self.holder:
            self._lose_all(holder)
        self.missed = set()
        living = self._leases.living()
        self._living = [daemon.run for daemon in living]
        if all(daemon.id != holder for daemon in living):  # the next renewal finds out
            self.lose([*self._ours])
            return set()
        names = {*self._store.waiting_devices(), *others, *self._ours}
        wanted = set(filter(self._is_to_be_ours, names))
        if self._steady() < self._modest_until:
            wanted &= self._before
        self._give_back(wanted, busy)
        return self._take(wanted)

    def note(self, device: str) -> None:
        """Note that something waits for a device."""
        if device not in self and self._is_to_be_ours(device):
            self.missed.add(device)

    def take_missed(self) -> set[str]:
        """Take missed devices that nobody has, without looking at all others; return what was taken."""
        missed, self.missed = self.missed, set()
        if not missed or self._leases.join() != self.holder:
            return set()
        if self._steady() < self._modest_until:
            missed &= self._before
        return self._take(missed)

    def lose(self, devices: Iterable[str]) -> None:
        """Note that devices are not ours after all."""
        self._leaving.update(devices)
        self._ours -= self._leaving

    def may_send(self, holder: str) -> bool:
        """Return whether what was ours under an id still is; asks nobody."""
        return self._leases.lasts(holder)

    def _is_to_be_ours(self, device: str) -> bool:
        """Return whether we come first for a device, by a number that all daemons find alike."""

        def number(run: str) -> bytes:
            return blake2b(f"{device}\0{run}".encode()).digest()

        return max(self._living, key=number, default=None) == run_of(self.holder)

    def _lose_all(self, holder: str) -> None:
        """Begin again under another id.

        When the database was away all daemons begin again, and each had requests under way: for a moment
        nobody takes more than was his, or what others are about to write down would be given up.
        """
        self._before = self._ours | self._leaving
        self._modest_until = self._steady() + _MODEST if self.holder else 0.0
        self.holder, self._ours, self._leaving, self.has_chores = holder, set(), set(), False

    def _give_back(self, wanted: Collection[str], busy: Collection[str]) -> None:
        self._leaving = (self._leaving | self._ours).difference(wanted)
        self._ours.intersection_update(wanted)
        free = self._leaving.difference(busy)
        if free:
            self._leases.give(self.holder, map(lease_of, free))
            self._leaving -= free

    def _take(self, wanted: Collection[str]) -> set[str]:
        names = {lease_of(device): device for device in wanted if device not in self._ours}
        if not names and self.has_chores:
            return set()
        held = self._leases.take(self.holder, [*names, CHORES])
        self.has_chores = CHORES in held
        taken = {names[name] for name in held if name in names}
        self._ours |= taken
        return taken
