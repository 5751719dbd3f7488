"""Ownership: the devices that this daemon sends through, where several share a store."""

from collections.abc import Collection, Iterable
from hashlib import blake2b

from wbox_notify.store import Store
from wbox_notify.store.leases import CHORES, lease_of


class Ownership:
    """Which devices are ours: those for which we come first of all daemons that live, once they are free.

    So each daemon finds out alone which ones it may have, and most of them stay where they are when a daemon
    comes or goes. Where nobody shares the store, all devices are ours, and nobody is asked.

    Attributes:
        holder: the id by which they are held.
        has_chores: whether we do what one daemon does for all.
        misses: whether something waits for a device that is to be ours and is not yet.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._leases = store.leases
        self.is_shared = store.leases.is_shared
        self.holder = ""
        self.has_chores = not self.is_shared
        self.misses = False
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
            self.holder, self._ours, self._leaving, self.has_chores = holder, set(), set(), False
        self.misses = False
        self._living = [daemon.id for daemon in self._leases.living()]
        if holder not in self._living:  # the next renewal finds out
            self._ours.clear()
            return set()
        names = {*self._store.waiting_devices(), *others, *self._ours}
        wanted = set(filter(self._is_to_be_ours, names))
        self._give_back(wanted, busy)
        return self._take(wanted)

    def note(self, device: str) -> None:
        """Note that something waits for a device."""
        if device not in self and not self.misses:
            self.misses = self._is_to_be_ours(device)

    def lose(self, devices: Iterable[str]) -> None:
        """Note that devices are not ours after all."""
        self._ours.difference_update(devices)

    def may_send(self, holder: str) -> bool:
        """Return whether what was ours under an id still is; asks nobody."""
        return self._leases.lasts(holder)

    def _is_to_be_ours(self, device: str) -> bool:
        """Return whether we come first for a device, by a number that all daemons find alike."""

        def number(daemon: str) -> bytes:
            return blake2b(f"{device}\0{daemon}".encode()).digest()

        return max(self._living, key=number, default=None) == self.holder

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
