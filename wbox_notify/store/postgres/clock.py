"""The clock of the database, by which all daemons of a store go, whatever their machines show."""

from collections.abc import Callable

from wbox_notify.model.clock import steady
from wbox_notify.store.postgres.dialect import Connection, Statements

_NOW = "select extract(epoch from clock_timestamp())::double precision as now"


class ServerClock:
    """Tells the time of the database, carried by a clock of this machine that nobody sets.

    ``steady`` gives its seconds. ``look`` must have been called once.
    """

    def __init__(self, steady: Callable[[], float] = steady) -> None:
        self._steady = steady
        self._ahead: float | None = None

    def __call__(self) -> float:
        """Return the seconds since the epoch."""
        return self._steady() + (self._ahead or 0.0)

    def look(self, connection: Connection) -> None:
        """Ask the database. What was known stays where the answer allows it, however long that took."""
        before = self._steady()
        now = Statements(connection).one(_NOW)["now"]
        self._ahead = within(self._ahead, now - self._steady(), now - before)


def within(known: float | None, least: float, most: float) -> float:
    """Return what is known where it is between two bounds, else what is nearest to it there."""
    if known is None:
        return (least + most) / 2
    return min(max(known, least), most)
