"""The port to a database: what an engine such as SQLite gives the store."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, TypeVarTuple

from wbox_notify.errors import StoreError
from wbox_notify.store.news import News

if TYPE_CHECKING:
    from wbox_notify.store.leases import Leases

T = TypeVar("T")
Values = TypeVarTuple("Values")

Row = Mapping[str, Any]


class RefusedError(StoreError):
    """The database does not take a statement, which spoils the work that it is of and nothing else."""


class Result(Protocol):
    """What a statement came to."""

    @property
    def rowcount(self) -> int:
        """How many rows it wrote."""

    def fetchone(self) -> Any:
        """Return the next row, or None."""

    def fetchall(self) -> list[Any]:
        """Return all rows."""


class Transaction(Protocol):
    """Statements that take effect together."""

    def execute(self, statement: str, values: Row = ..., /) -> Result:
        """Run one statement."""

    def executemany(self, statement: str, rows: Iterable[Row], /) -> object:
        """Run a statement once for each row."""

    def tell(self, news: News, /) -> None:
        """Let other daemons hear what has changed, once it is committed."""


class Readable(Protocol):
    """A database that is read."""

    def read(self, statement: str, values: Row | None = None) -> list[Row]:
        """Return the rows of a query over what is committed."""

    def close(self) -> None:
        """Give the database up."""


class Reader(Readable, Protocol):
    """A database that is read beside its owner, or without one."""

    def has_tables(self) -> bool:
        """Return whether there are tables; refuse those of another version."""

    def damage(self) -> str:
        """Return what is wrong with the database itself; empty where it is sound."""

    def back_up(self, target: Path) -> None:
        """Write all that is committed into a new file. Raises StoreError."""


class Database(Readable, Protocol):
    """A database that is written, by this process alone or by several that share it."""

    @property
    def leases(self) -> "Leases":
        """Who of them does what."""

    def write(self, work: Callable[[Transaction, *Values], T], *values: *Values) -> Future[T]:
        """Do some work in a transaction; the future is done when its effect is on disk.

        The future raises StoreError when nothing was written.
        """

    def listen(self, heard: Callable[[], None]) -> None:
        """Call a function after each commit that changed something, from the thread that writes."""

    def follow(self, heard: Callable[[News], None]) -> None:
        """Call a function, which must not wait, with what other daemons have changed from now on."""

    @property
    def clock(self) -> Callable[[], float]:
        """The clock by which all daemons of the store go: it gives seconds since the epoch."""


def asked(values: Row) -> Row:
    """Return what a query is about; half a character, as in the name of a file, is in no row."""
    texts = {name: text for name, text in values.items() if isinstance(text, str)}
    return {**values, **{name: text.encode("utf-8", "replace").decode() for name, text in texts.items()}}
