"""The port to a database: what an engine such as SQLite gives the store."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar, TypeVarTuple

T = TypeVar("T")
Values = TypeVarTuple("Values")

Row = Mapping[str, Any]


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


class Readable(Protocol):
    """A database that is read."""

    def read(self, statement: str, values: Row | None = None) -> list[Row]:
        """Return the rows of a query over what is committed."""

    def close(self) -> None:
        """Give the database up."""


class Database(Readable, Protocol):
    """A database that one owner writes."""

    def write(self, work: Callable[[Transaction, *Values], T], *values: *Values) -> Future[T]:
        """Do some work in a transaction; the future is done when its effect is on disk.

        The future raises StoreError when nothing was written.
        """

    def listen(self, heard: Callable[[], None]) -> None:
        """Call a function after each commit that changed something, from the thread that writes."""
