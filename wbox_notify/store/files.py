"""File versions: which have been seen, and what became of them.

A version is known by its row here and not by its event, so that old events can go.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from operator import itemgetter
from posixpath import basename
from typing import Any, TypeGuard

from wbox_notify.model.deliveries import Decision, Delivery
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileState, FileVersion, Past
from wbox_notify.model.text import one_line
from wbox_notify.store import rows, statements
from wbox_notify.store.database import Database, Readable, Row, Transaction

LARGEST = 2**63 - 1
"""The largest number that a column holds; an inode is cut to it."""

_PUT_AWAY = frozenset({FileState.DONE, FileState.FAILED, FileState.DUPLICATE})


@dataclass(frozen=True, slots=True)
class Final:
    """A file that is to be put away, since nothing can follow from its event any more.

    Attributes:
        decisions: What was decided about it.
        failures: The deliveries that were finally not sent.
    """

    version: FileVersion
    event: Event
    decisions: Sequence[Decision]
    failures: Sequence[Delivery]


class Files:
    """The files of the store; every ``now`` is in seconds since the epoch."""

    def __init__(self, database: Database, host: str = "") -> None:
        self._database = database
        self._host = host

    def known(self, versions: Sequence[FileVersion]) -> Mapping[FileVersion, Past]:
        """Return the past of those versions that have one."""
        return pasts(self._database, versions)

    def see(self, versions: Mapping[FileVersion, FileState], now: float) -> Future[None]:
        """Keep versions that no event tells of."""
        return self._database.write(see, versions, now, self._host)

    def finals(self, after: int, most: int = 500) -> tuple[list[Final], int]:
        """Look through so many of the open files; return those that are final, and where to go on.

        ``after`` is where the last call ended; 0 begins with the oldest, and is returned at the end.
        """
        files = self._database.read(statements.OPEN_FILES, {"after": after, "host": self._host, "most": most})
        finals = [self._final(row) for row in files if row["final"]]
        return finals, files[-1]["seq"] if len(files) == most else 0

    def _final(self, row: Row) -> Final:
        event_id = row["event_id"]
        [event] = self._database.read(statements.EVENTS, {"ids": rows.listed([event_id])})
        decisions = self._database.read(statements.DECISIONS, {"id": event_id, "most": statements.ALL})
        failed = self._database.read(statements.FAILED_OF_EVENT, {"id": event_id})
        return Final(
            version=_version(row),
            event=rows.event(event),
            decisions=[rows.decision(decision) for decision in decisions],
            failures=[rows.delivery(delivery) for delivery in failed],
        )

    def settle(
        self, version: FileVersion, fate: FileState, now: float, *, detail: str = "", moved_to: str = ""
    ) -> Future[None]:
        """Keep what became of a file: one line about it, or the path that it has now."""
        settled = {
            "id": version.id,
            "fate": fate,
            "detail": one_line(detail),
            "moved_to": os.fsencode(moved_to) or None,
            "now": now,
        }
        return self._database.write(_settle, settled)

    def unlooked(self, before: float, most: int = 500) -> list[FileVersion]:
        """Return settled versions that were not looked for since a time.

        Each has the device that the newest file of its root was on.
        """
        files = self._database.read(statements.UNLOOKED, {"before": before, "host": self._host, "most": most})
        return [_version({**row, "device": row["newest"]}) for row in files]

    def left(self) -> list[FileVersion]:
        """Return the files of machines without a living daemon of which something is still to follow."""
        return [_version(row) for row in self._database.read(statements.LEFT_FILES, {"host": self._host})]

    def adopt(self, versions: Iterable[FileVersion]) -> Future[None]:
        """Look after such files from now on, on this machine."""
        return self._database.write(_adopt, [{"id": version.id, "host": self._host} for version in versions])

    def look(
        self, there: Iterable[FileVersion], gone: Iterable[FileVersion], now: float, forget: float
    ) -> Future[None]:
        """Keep that versions are there or gone; what is gone since before ``forget`` is forgotten."""
        looked: list[dict[str, Any]] = [{"id": version.id, "now": now, "gone": None} for version in there]
        looked += [{"id": version.id, "now": now, "gone": now} for version in gone]
        return self._database.write(_look, looked, forget)


def see(tx: Transaction, versions: Mapping[FileVersion, FileState], now: float, host: str) -> None:
    """Keep versions, in the transaction of their events."""
    seen = [{**_facts(version), "fate": fate, "now": now, "host": host} for version, fate in versions.items()]
    if host:  # others that see the same files would wait for these, and these for theirs
        seen.sort(key=itemgetter("event_id"))
    tx.executemany(statements.SEE_FILE, seen)


def _settle(tx: Transaction, settled: Row) -> None:
    tx.execute(statements.SETTLE_FILE, settled)


def _adopt(tx: Transaction, files: Sequence[Row]) -> None:
    tx.executemany(statements.ADOPT_FILE, files)
    tx.executemany(statements.ADOPT_EVENT_OF_FILE, files)


def _look(tx: Transaction, looked: Sequence[Row], forget: float) -> None:
    tx.executemany(statements.LOOKED, looked)
    tx.execute(statements.FORGET_FILES, {"forget": forget})


def pasts(database: Readable, versions: Sequence[FileVersion]) -> Mapping[FileVersion, Past]:
    """Return the past of those versions that have one."""
    ids = {"ids": rows.listed(version.first_id for version in versions)}
    of_id = {row["event_id"]: row for row in database.read(statements.FILES, ids)}
    taken = {row["id"] for row in database.read(statements.KNOWN_EVENTS, ids)} | of_id.keys()
    last = _last(database, versions)
    moved = _moved(database, [version for version in versions if not _lies(version, last)])
    found = {}
    for version in versions:
        # The newest of its path, and then itself; each once.
        near = (last.get(os.fsencode(version.path)), of_id.get(version.first_id))
        told = dict.fromkeys(_told(row, version) for row in near if _counts(row, version))
        past = Past(tuple(told), tuple(moved.get(_key(version), ())), version.first_id in taken)
        if past != Past():
            found[version] = past
    return found


def _last(database: Readable, versions: Sequence[FileVersion]) -> dict[bytes, Row]:
    """Return the newest row of each path."""
    if not versions:
        return {}
    paths = {f"v{index}": os.fsencode(version.path) for index, version in enumerate(versions)}
    marks = ", ".join(f"(:{name})" for name in paths)
    return {row["path"]: row for row in database.read(statements.FILES_AT.format(paths=marks), paths)}


def _lies(version: FileVersion, last: Mapping[bytes, Row]) -> bool:
    """Return whether the newest row of its path is about this very version."""
    row, facts = last.get(os.fsencode(version.path)), _facts(version)
    return row is not None and all(row[name] == facts[name] for name in ("inode", "mtime_ns", "ctime_ns"))


def _counts(row: Row | None, version: FileVersion) -> TypeGuard[Row]:
    """Return whether a row says something of what lies at the path of a version now.

    Where we have put a file away ourselves, what comes to its path is new. A store from before this table
    knows ids alone; one from before the last column does not know what was left in its own folder.
    """
    if row is None:
        return False
    if row["path"] is None:
        return True
    away = row["fate"] in _PUT_AWAY and row["ctime_ns"] is not None
    return row["path"] == os.fsencode(version.path) and not away


def _told(row: Row, version: FileVersion) -> FileVersion:
    if row["path"] is None:
        return replace(version, ctime_ns=None)
    return _version(row)


def _moved(database: Readable, versions: Sequence[FileVersion]) -> dict[tuple[Any, ...], list[FileVersion]]:
    """Return versions that were told under another path, by what they have in common with one of these."""
    facts = {(row["inode"], row["mtime_ns"]) for row in map(_facts, versions)}
    moved: dict[tuple[Any, ...], list[FileVersion]] = {}
    for row in database.read(statements.FILES_MOVED, {"facts": rows.listed(facts)}):
        told = _version(row)
        moved.setdefault(_key(told), []).append(told)
    return moved


def _key(version: FileVersion) -> tuple[Any, ...]:
    return version.inode, version.size, version.mtime_ns, version.root, basename(version.path)


def _facts(version: FileVersion) -> dict[str, Any]:
    """Return the columns of a version; nanoseconds may be too many for a number of the database."""
    return {
        "event_id": version.id,
        "path": os.fsencode(version.path),
        "root": os.fsencode(version.root),
        "device": version.device & LARGEST,
        "inode": version.inode & LARGEST,
        "size": version.size,
        "mtime_ns": str(version.mtime_ns),
        "ctime_ns": None if version.ctime_ns is None else str(version.ctime_ns),
        "digest": version.digest,
    }


def _version(row: Row) -> FileVersion:
    version = FileVersion(
        path=os.fsdecode(row["path"]),
        root=os.fsdecode(row["root"]),
        device=row["device"],
        inode=row["inode"],
        size=row["size"],
        mtime_ns=int(row["mtime_ns"]),
        ctime_ns=row["ctime_ns"] and int(row["ctime_ns"]),
        digest=row["digest"],
    )
    if version.id == row["event_id"]:
        return version
    return replace(version, told_as=row["event_id"])
