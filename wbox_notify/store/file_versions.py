"""The table of file versions: which have been seen, and what became of them.

A version is known by its row here and not by its event, so that old events can go.
"""

import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from posixpath import basename
from typing import Any, Protocol

from wbox_notify.model.deliveries import Decision, Delivery, Plan
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileState, FileVersion, Past
from wbox_notify.store import mapping
from wbox_notify.store.sqlite import Sqlite

_LARGEST = 2**63 - 1

# What has changed about a version makes it the newest of its path.
_SEE = """
insert into file
    (event_id, path, root, device, inode, size, mtime_ns, ctime_ns, digest, fate, changed, looked)
values
    (:event_id, :path, :root, :device, :inode, :size, :mtime_ns, :ctime_ns, :digest, :fate, :now, :now)
on conflict (event_id) do update set
    seq = (select max(seq) + 1 from file),
    path = excluded.path, root = excluded.root, device = excluded.device, inode = excluded.inode,
    size = excluded.size, mtime_ns = excluded.mtime_ns, ctime_ns = excluded.ctime_ns,
    digest = case excluded.digest when '' then file.digest else excluded.digest end
"""

_FACTS = "event_id, path, root, device, inode, size, mtime_ns, ctime_ns, digest, fate"

_LAST = f"""
with asked(place) as (values {{marks}})
select {_FACTS} from asked join file on seq = (select max(seq) from file where path = place)
"""  # noqa: S608 - ours

_OF_IDS = f"select {_FACTS} from file where event_id in ({{marks}})"  # noqa: S608 - ours

_IDS = "select id from event where id in ({marks})"

_MOVED = f"""
select {_FACTS} from file where (inode, mtime_ns) in (values {{marks}})
and path is not null and fate in ('seen', 'ignored', 'open', 'left') order by seq
"""  # noqa: S608 - ours

_PUT_AWAY = frozenset({FileState.DONE, FileState.FAILED, FileState.DUPLICATE})

_SLICE = "select event_id, seq from file where fate = 'open' and seq > :after order by seq limit :most"

_MINE = "(d.event_id = :id or d.key in (select t.delivery from told t where t.event_id = :id))"
"""The deliveries that tell of an event, alone or together with others."""

_IS_FINAL = f"""
select e.* from event e
where e.id = :id and e.planned is not null
and not exists (
    select 1 from delivery d where {_MINE} and d.state in ('queued', 'unknown', 'sending', 'held')
)
and not exists (
    select 1 from memory_event m
    where m.event_id = :id and (m.kind = 'failed' or exists (
        select 1 from decision c
        where c.event_id = :id and c.rule = m.rule and c.stage = m.kind and c.outcome = 'waits'
    ))
)
"""  # noqa: S608 - ours

_FAILED = f"""
select * from delivery d where {_MINE} and (
    d.state in ('dead', 'expired')
    or d.state = 'cancelled' and coalesce(d.left_out, '') not in ('same_text', 'backlog')
) order by id
"""  # noqa: S608 - ours
"""A message that was left out since its recipient has its text has not failed."""

_UNLOOKED = """
select f.*, (select n.device from file n where n.root = f.root order by n.seq desc limit 1) as newest
from file f where f.looked < :before and f.fate <> 'open' and f.path is not null
order by f.looked limit :most
"""

_LOOKED = """
update file
set looked = :now, gone = case when :gone is null then null else coalesce(gone, :gone) end
where event_id = :id
"""


class Readable(Protocol):
    """Whatever can be asked."""

    def read(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Mapping[str, Any]]:
        """Return the rows of a query."""


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
    """What the store knows of files; every ``now`` is in seconds since the epoch."""

    def __init__(self, database: Sqlite) -> None:
        self._database = database

    def known(self, versions: Sequence[FileVersion]) -> Mapping[FileVersion, Past]:
        """Return the past of those versions that have one."""
        return pasts(self._database, versions)

    def see(self, versions: Mapping[FileVersion, FileState], now: float) -> Future[None]:
        """Keep versions that no event tells of."""
        return self._database.write(lambda connection: see(connection, versions, now))

    def finals(self, after: int, most: int = 500) -> tuple[list[Final], int]:
        """Look through so many of the open files; return those that are final, and where to go on.

        ``after`` is where the last call ended; 0 begins anew, and is returned at the end.
        """
        looked = self._database.read(_SLICE, {"after": after, "most": most})
        found = [final for row in looked if (final := self._final(row["event_id"]))]
        return found, looked[-1]["seq"] if len(looked) == most else 0

    def _final(self, event_id: str) -> Final | None:
        asked = {"id": event_id}
        event = self._database.read(_IS_FINAL, asked)
        if not event:
            return None
        (row,) = self._database.read("select * from file where event_id = :id", asked)
        decisions = self._database.read("select * from decision where event_id = :id order by seq", asked)
        dead = self._database.read(_FAILED, asked)
        return Final(
            version=_version(row),
            event=mapping.event(event[0]),
            decisions=[
                Decision(**{name: one[name] for name in ("rule", "stage", "outcome", "detail")})
                for one in decisions
            ],
            failures=[mapping.delivery(row) for row in dead],
        )

    def settle(
        self, version: FileVersion, fate: FileState, now: float, *, detail: str = "", moved_to: str = ""
    ) -> Future[None]:
        """Keep what became of a file: one line about it, or the path that it has now."""
        detail = detail.encode("utf-8", "backslashreplace").decode("utf-8")
        path = os.fsencode(moved_to) if moved_to else None
        said = {"id": version.id, "fate": fate, "detail": detail, "moved_to": path, "now": now}

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "update file set fate = :fate, detail = :detail, moved_to = :moved_to, changed = :now"
                " where event_id = :id",
                said,
            )

        return self._database.write(work)

    def unlooked(self, before: float, most: int = 500) -> list[FileVersion]:
        """Return settled versions that nobody has looked for since a time.

        Each has the device that the newest file of its root was on.
        """
        found = self._database.read(_UNLOOKED, {"before": before, "most": most})
        return [_version({**row, "device": row["newest"]}) for row in found]

    def look(
        self, there: Iterable[FileVersion], gone: Iterable[FileVersion], now: float, forget: float
    ) -> Future[None]:
        """Keep that versions are there or gone; what is gone since before ``forget`` is forgotten."""
        looked: list[dict[str, Any]] = [{"id": version.id, "now": now, "gone": None} for version in there]
        looked += [{"id": version.id, "now": now, "gone": now} for version in gone]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(_LOOKED, looked)
            connection.execute("delete from file where gone < :forget", {"forget": forget})

        return self._database.write(work)


def pasts(database: Readable, versions: Sequence[FileVersion]) -> Mapping[FileVersion, Past]:
    """Return the past of those versions that have one."""
    ids = [version.first_id for version in versions]
    of_id = {row["event_id"]: row for row in _among(database, _OF_IDS, ids)}
    events = {row["id"] for row in _among(database, _IDS, ids)}
    last = _last(database, versions)
    moved = _moved(database, [one for one in versions if not _lies(one, last)])
    found = {}
    for version in versions:
        near = (last.get(os.fsencode(version.path)), of_id.get(version.first_id))
        told = {_told(row, version): None for row in near if row is not None and _counts(row, version)}
        taken = version.first_id in of_id or version.first_id in events
        found[version] = Past(tuple(told), tuple(moved.get(_key(version), ())), taken)
    return {version: past for version, past in found.items() if past != Past()}


def _among(database: Readable, sql: str, values: Sequence[Any]) -> list[Mapping[str, Any]]:
    marks, named = mapping.among(values)
    return database.read(sql.format(marks=marks), named)


def _last(database: Readable, versions: Sequence[FileVersion]) -> dict[bytes, Mapping[str, Any]]:
    """Return the newest row of each path."""
    if not versions:
        return {}
    paths = {f"v{index}": os.fsencode(version.path) for index, version in enumerate(versions)}
    marks = ", ".join(f"(:{name})" for name in paths)
    return {row["path"]: row for row in database.read(_LAST.format(marks=marks), paths)}


def _lies(version: FileVersion, last: Mapping[bytes, Mapping[str, Any]]) -> bool:
    """Return whether the newest row of its path is about this very version."""
    row = last.get(os.fsencode(version.path))
    names = ("inode", "mtime_ns", "ctime_ns")
    return row is not None and [row[name] for name in names] == [_row(version)[name] for name in names]


def _counts(row: Mapping[str, Any], version: FileVersion) -> bool:
    """Return whether a row says something of what lies at the path of a version now.

    Where we have put a file away ourselves, what comes to its path is new. A store from before this table
    knows ids alone; one from before the last column does not know what was left in its own folder.
    """
    if row["path"] is None:
        return True
    away = row["fate"] in _PUT_AWAY and row["ctime_ns"] is not None
    return row["path"] == os.fsencode(version.path) and not away


def _told(row: Mapping[str, Any], version: FileVersion) -> FileVersion:
    return _version(row) if row["path"] is not None else replace(version, ctime_ns=None)


def _moved(database: Readable, versions: Sequence[FileVersion]) -> dict[tuple[Any, ...], list[FileVersion]]:
    """Return versions that were told under another path, by what they have in common with one of these."""
    if not versions:
        return {}
    facts: dict[str, Any] = {}
    for index, version in enumerate(versions):
        row = _row(version)
        facts |= {f"i{index}": row["inode"], f"m{index}": row["mtime_ns"]}
    marks = ", ".join(f"(:i{index}, :m{index})" for index in range(len(versions)))
    found: dict[tuple[Any, ...], list[FileVersion]] = {}
    for told in map(_version, database.read(_MOVED.format(marks=marks), facts)):
        found.setdefault(_key(told), []).append(told)
    return found


def _key(version: FileVersion) -> tuple[Any, ...]:
    return version.inode, version.size, version.mtime_ns, version.root, basename(version.path)


def see(connection: sqlite3.Connection, versions: Mapping[FileVersion, FileState], now: float) -> None:
    """Keep versions, in the transaction of their events."""
    seen = [{**_row(version), "fate": fate, "now": now} for version, fate in versions.items()]
    connection.executemany(_SEE, seen)


def link(connection: sqlite3.Connection, plan: Plan) -> None:
    """Keep which messages of a plan tell of other events too, as those of a group or a digest do."""
    connection.executemany(
        "insert into told (event_id, delivery) values (:event_id, :delivery) on conflict do nothing",
        [
            {"event_id": event_id, "delivery": planned.key}
            for planned in plan.messages
            for event_id in planned.events
            if event_id != plan.event_id
        ],
    )


def _row(version: FileVersion) -> dict[str, Any]:
    """Return the columns of a version; nanoseconds may be too many for a number of the database."""
    return {
        "event_id": version.id,
        "path": os.fsencode(version.path),
        "root": os.fsencode(version.root),
        "device": version.device & _LARGEST,
        "inode": version.inode & _LARGEST,
        "size": version.size,
        "mtime_ns": str(version.mtime_ns),
        "ctime_ns": None if version.ctime_ns is None else str(version.ctime_ns),
        "digest": version.digest,
    }


def _version(row: Mapping[str, Any]) -> FileVersion:
    facts = FileVersion(
        path=os.fsdecode(row["path"]),
        root=os.fsdecode(row["root"]),
        device=row["device"],
        inode=row["inode"],
        size=row["size"],
        mtime_ns=int(row["mtime_ns"]),
        ctime_ns=None if row["ctime_ns"] is None else int(row["ctime_ns"]),
        digest=row["digest"],
    )
    return facts if facts.id == row["event_id"] else replace(facts, told_as=row["event_id"])
