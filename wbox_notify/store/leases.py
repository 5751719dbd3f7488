"""Leases: what one daemon at a time does, such as sending through a device, where several share a store."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from wbox_notify.errors import Exit, StoreError
from wbox_notify.model.texts import Wording
from wbox_notify.store.database import RefusedError, Transaction

PLAN = "plan"
"""The lease of planning: what rules keep in mind is read and written by one daemon at a time."""

CHORES = "chores"
"""The lease of what one daemon does for all, such as deleting old history."""


TERM = 6.0
"""Seconds for which a daemon counts as living after it has said so."""


def lives(clock: str) -> str:
    """Return the condition for the row of a daemon that lives, by what SQL tells the time with.

    What lies further ahead than anybody says was written before the clock was put back, maybe by who is dead.
    """
    return f"(until > {clock} and until < {clock} + {2 * TERM})"


def lease_of(device: str) -> str:
    """Return the name of the lease of a device."""
    return f"device:{device}"


class Daemon(NamedTuple):
    """A daemon that lives.

    Attributes:
        id: by which it holds leases: that of its run, and a number.
        host: where it runs.
        version: of wbox_notify.
        since: when it began, in seconds since the epoch.
    """

    id: str
    host: str
    version: str
    since: float

    @property
    def run(self) -> str:
        """What stays the same for as long as it runs, also when it lived on under another id."""
        return run_of(self.id)


def run_of(holder: str) -> str:
    """Return the run of a daemon that an id is of."""
    return holder.partition(".")[0]


class Turn(NamedTuple):
    """The turn to do what all do one after another.

    Attributes:
        lease: what that is.
        holder: who has the turn.
        number: how many there have been, with this one.
    """

    lease: str
    holder: str
    number: int


class StrangerError(StoreError):
    """A daemon cannot join the others: it would not understand what they sign."""

    retry = False
    exit_code = Exit.INVALID


class LateError(RefusedError):
    """Another daemon may do by now what this one was about to do; nothing of that was written."""

    def __init__(self) -> None:
        super().__init__(
            Wording("another daemon took over what was planned here, as this one was late"),
        )


class Leases(Protocol):
    """Who does what, of the daemons that share a store."""

    @property
    def is_shared(self) -> bool:
        """Whether there may be other daemons at all."""

    def introduce(self, host: str, link: str, /) -> None:
        """Say, before this daemon joins, on which host it runs and by what its key of links is told apart."""

    def join(self) -> str:
        """Count as a daemon from now on; return the id by which this one holds leases at this moment.

        Once it could not say in time that it lives, that id is dead, with all that was held by it, and
        another one follows.
        """

    def lasts(self, holder: str, /) -> bool:
        """Return whether what an id holds is certainly held for a moment longer; asks nobody."""

    def living(self) -> list[Daemon]:
        """Return the daemons that live."""

    def take(self, holder: str, names: Iterable[str], /) -> set[str]:
        """Take leases that no living daemon has; return those that the id holds then."""

    def give(self, holder: str, names: Iterable[str], /) -> None:
        """Let others take leases."""

    def held(self, tx: Transaction, holder: str, names: Iterable[str], /) -> set[str]:
        """Return which of some leases an id holds; nobody can take those before the transaction has ended."""

    def begin(self, name: str, /) -> Turn | None:
        """Take one lease for a turn; where another daemon has it, queue for it, and return None."""

    def end(self, tx: Transaction, turn: Turn, /) -> None:
        """Let the next one have its turn. Raises LateError where this was not ours any more."""

    def close(self) -> None:
        """Count as a daemon no longer; all leases are free."""


class Alone:
    """The leases of a store that one process alone writes: it holds all of them, and nothing is written."""

    is_shared = False

    def introduce(self, _host: str, _link: str) -> None:
        """Tell nobody."""

    def join(self) -> str:
        """Return the id of the only one."""
        return ""

    def lasts(self, _holder: str) -> bool:
        """Return that it does."""
        return True

    def living(self) -> list[Daemon]:
        """Return nobody: who is alone is not looked for."""
        return []

    def take(self, _holder: str, names: Iterable[str]) -> set[str]:
        """Return all of them."""
        return set(names)

    def give(self, _holder: str, _names: Iterable[str]) -> None:
        """Do nothing: nobody waits for them."""

    def held(self, _tx: Transaction, _holder: str, names: Iterable[str]) -> set[str]:
        """Return all of them."""
        return set(names)

    def begin(self, name: str) -> Turn:
        """Return the only turn."""
        return Turn(name, "", 0)

    def end(self, _tx: Transaction, _turn: Turn) -> None:
        """Do nothing: it goes on."""

    def close(self) -> None:
        """Do nothing."""
