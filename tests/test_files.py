"""The table of file versions: what has been seen stays known, when all else is gone too."""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import turns
from databases import Files, Postgres
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wbox_notify.engine.item import Item
from wbox_notify.engine.state import GroupState
from wbox_notify.model.deliveries import Decision, Memory, NextStep, Plan, PlannedMessage, State
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileState, FileVersion, Past
from wbox_notify.model.messages import Text
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.store import Store, open_store
from wbox_notify.store.files import pasts
from wbox_notify.store.migrations import MIGRATIONS

DAY = 86400.0
_WITH_FILES = next(number for number, text in enumerate(MIGRATIONS) if "create table file" in text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.db"


@pytest.fixture
def store(engine: Files | Postgres) -> Iterator[Store]:
    store = open_store(engine.fresh())
    yield store
    store.close()


def a_version(name: str = "a.pdf", **facts: int) -> FileVersion:
    given = {"device": 1, "inode": 2, "size": 3, "mtime_ns": 4} | facts
    return FileVersion(path=f"/drop/{name}", root="/drop", **given)


def an_event(version: FileVersion) -> Event:
    return Event(
        id=version.id, type="file", at=datetime(2026, 11, 22, tzinfo=UTC), data={"path": version.path}
    )


def seen(store: Store, *versions: FileVersion, fate: FileState = FileState.OPEN) -> None:
    store.put_events([an_event(one) for one in versions], 1.0, files=dict.fromkeys(versions, fate)).result()


def known(store: Store, *versions: FileVersion) -> set[str]:
    """Return the ids of those versions that are no news."""
    pasts = store.files.known(versions)
    return {
        version.id
        for version in versions
        if any(version.repeats(told) for told in pasts.get(version, Past()).told)
    }


def planned(store: Store, version: FileVersion, *phones: str, key: str = "", **about: object) -> None:
    messages = tuple(
        PlannedMessage(
            key=f"{key or version.id}:{phone}", rule="r", message=Text(phone=phone, message="hi"), **about
        )  # type: ignore[arg-type] # given by tests
        for phone in phones
    )
    store.put_plans([Plan(event_id=version.id, messages=messages)], 1.0).result()


def end(store: Store, state: State) -> None:
    """Let the next delivery end so."""
    delivery = turns.claim(store, 2.0)
    assert delivery
    answer = Answer(outcome=Outcome.SENT, detail="", latency=0.1)
    after = NextStep(state=state, due=0.0, tries=1, unknowns=0, reason="why")
    turns.finish(store, delivery, answer, after, 2.0)


def finals(store: Store) -> list[FileVersion]:
    found, at = store.files.finals(0)
    assert at == 0
    return [final.version for final in found]


def test_a_version_is_known_without_its_event(store: Store) -> None:
    seen(store, a_version())
    store._database.write(lambda tx: tx.execute("delete from event")).result()
    assert known(store, a_version(), a_version("b.pdf")) == {a_version().id}


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (a_version(size=4), False),
        (a_version(mtime_ns=5), False),
        (a_version("b.pdf"), False),
        (a_version(device=9), True),
        (a_version(inode=9), True),
    ],
)
def test_name_size_and_time_make_a_version_and_what_a_reboot_changes_does_not(
    store: Store,
    other: FileVersion,
    same: bool,  # noqa: FBT001 - a column of the table
) -> None:
    seen(store, a_version())
    assert (known(store, other) == {other.id}) is same


def test_a_store_that_refuses_the_event_does_not_know_the_file(store: Store) -> None:
    broken = replace(an_event(a_version()), data={"path": object()})
    with pytest.raises(TypeError):
        store.put_events([broken], 1.0, files={a_version(): FileState.SEEN}).result()
    assert store.files.known([a_version()]) == {}


def test_files_of_an_older_store_are_still_known_and_their_facts_can_be_added(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("create table schema_version (version integer not null)")
    for number, script in enumerate(MIGRATIONS[:_WITH_FILES], start=1):
        connection.executescript(script.replace("$key", "integer primary key"))
        connection.execute("insert into schema_version values (?)", (number,))
    for event_id, kind in ((a_version().id, "file"), ("webhook:x", "webhook")):
        connection.execute(
            "insert into event (id, type, at, data, received, planned) values (?, ?, 1.0, '{}', 1.0, 2.0)",
            (event_id, kind),
        )
    connection.commit()
    connection.close()
    for _ in range(2):
        store = open_store(f"sqlite:///{path}")
        assert known(store, a_version(), a_version("b.pdf")) == {a_version().id}
        store.close()
    store = open_store(f"sqlite:///{path}")
    store.files.see({a_version(): FileState.IGNORED}, 1.0).result()
    assert store.files.unlooked(DAY) == [a_version()]
    store.close()


def test_files_of_a_store_without_digests_are_still_known(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("create table schema_version (version integer not null)")
    for number, script in enumerate(MIGRATIONS[: _WITH_FILES + 1], start=1):
        connection.executescript(script.replace("$key", "integer primary key"))
        connection.execute("insert into schema_version values (?)", (number,))
    for fate in ("seen", "done"):
        name = f"/drop/{fate}".encode()
        one = a_version(fate)
        connection.execute(
            "insert into file (event_id, path, root, device, inode, size, mtime_ns, fate, changed, looked)"
            " values (?, ?, ?, 1, 2, 3, '4', ?, 1.0, 1.0)",
            (one.id, name, b"/drop", fate),
        )
    connection.commit()
    connection.close()
    store = open_store(f"sqlite:///{path}")
    listed = [a_version(fate, ctime_ns=9) for fate in ("seen", "done")]
    assert known(store, *listed, a_version("new")) == {one.id for one in listed}
    assert known(store, a_version("seen", ctime_ns=9, inode=7)) == {listed[0].id}
    assert known(store, a_version("seen", ctime_ns=9, mtime_ns=9)) == set()
    store.files.see({replace(listed[0], digest="d"): FileState.IGNORED}, 1.0).result()
    assert known(store, replace(listed[0], inode=7, ctime_ns=10, digest="other")) == set()
    store.close()


VERSIONS = st.builds(
    FileVersion,
    path=st.binary(min_size=1).map(os.fsdecode),
    root=st.binary(min_size=1).map(os.fsdecode),
    device=st.integers(0, 2**64),
    inode=st.integers(0, 2**64),
    size=st.integers(0, 2**63 - 1),
    mtime_ns=st.integers(-(2**70), 2**70),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # it gives a new store each time
@given(st.lists(VERSIONS, min_size=1, max_size=20))
def test_F16_any_name_and_any_number_that_a_file_system_gives_can_be_kept(
    engine: Files | Postgres, versions: list[FileVersion]
) -> None:
    with closing(open_store(engine.fresh())) as store:
        store.files.see(dict.fromkeys(versions, FileState.PUT), 1.0).result()
        store.files.settle(versions[0], FileState.LEFT, 1.0, detail=versions[0].path).result()
        assert known(store, *versions) == {version.id for version in versions}
        kept = {(one.path, one.root) for one in store.files.unlooked(DAY)}
        assert kept <= {(version.path, version.root) for version in versions}


def test_a_file_is_final_when_it_is_planned_and_nothing_came_of_it(store: Store) -> None:
    seen(store, a_version(), a_version("b.pdf"))
    assert finals(store) == []
    planned(store, a_version())
    assert finals(store) == [a_version()]


@pytest.mark.parametrize("state", [State.QUEUED, State.UNKNOWN, State.HELD])
def test_a_message_that_may_still_go_out_keeps_a_file_open(store: Store, state: State) -> None:
    seen(store, a_version())
    planned(store, a_version(), "905551110001", "905551110002")
    end(store, State.SENT)
    end(store, state)
    assert finals(store) == []


@pytest.mark.parametrize("state", [State.DEAD, State.EXPIRED, State.CANCELLED])
def test_a_message_that_finally_failed_is_told(store: Store, state: State) -> None:
    seen(store, a_version())
    planned(store, a_version(), "905551110001", "905551110002")
    end(store, State.SENT)
    end(store, state)
    (final,), _ = store.files.finals(0)
    assert [(failed.state, failed.reason) for failed in final.failures] == [(state, "why")]
    assert final.event == an_event(a_version())


def test_a_file_in_a_group_is_open_until_the_message_of_the_group_is_final(store: Store) -> None:
    first, second = a_version(), a_version("b.pdf")
    seen(store, first, second)
    items = {
        one.id: Item(event_id=one.id, type="file", at=1.0, data={}) for one in map(an_event, (first, second))
    }
    group = GroupState(opened=first.id, since=1.0, items=items, due=9.0)
    waits = Memory(rule="r", kind="group", key="k", value=group, due=9.0)
    decision = Decision(rule="r", stage="group", outcome="waits", detail="")
    plans = [Plan(event_id=one.id, decisions=(decision,), memories=(waits,)) for one in (first, second)]
    store.put_plans(plans, 1.0).result()
    assert finals(store) == []
    message = PlannedMessage(
        key="k", rule="r", message=Text(phone="905551110001", message="2 files"), events=(first.id, second.id)
    )
    told = Plan(event_id=first.id, messages=(message,), memories=(replace(waits, value=None),))
    store.put_plans([told], 2.0).result()
    assert finals(store) == []
    end(store, State.DEAD)
    found, _ = store.files.finals(0)
    assert [(final.version, len(final.failures)) for final in found] == [(first, 1), (second, 1)]


def test_what_became_of_a_file_is_asked_once(store: Store) -> None:
    seen(store, a_version())
    planned(store, a_version())
    store.files.settle(a_version(), FileState.DONE, 2.0, detail="moved").result()
    assert finals(store) == []


def test_many_open_files_are_looked_through_in_slices(store: Store) -> None:
    versions = [a_version(f"{number}.pdf") for number in range(5)]
    seen(store, *versions)
    for version in versions:
        planned(store, version)
    at, found = 0, []
    for _ in range(3):
        some, at = store.files.finals(at, most=2)
        found += [final.version for final in some]
    assert found == versions
    assert at == 0


def test_what_is_gone_for_long_is_forgotten_and_what_is_there_never(store: Store) -> None:
    there, gone, back = a_version("there"), a_version("gone"), a_version("back")
    seen(store, there, gone, back, fate=FileState.SEEN)
    assert store.files.unlooked(1.0) == []
    store.files.look([there], [gone, back], DAY, forget=0.0).result()
    assert store.files.unlooked(DAY) == []
    store.files.look([there, back], [gone], 2 * DAY, forget=DAY + 1).result()
    assert known(store, there, gone, back) == {there.id, back.id}


def test_an_open_file_is_not_looked_for(store: Store) -> None:
    seen(store, a_version())
    assert store.files.unlooked(9 * DAY) == []


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_what_is_known_of_a_file_is_found_by_indices_alone(store: Store) -> None:
    versions = [a_version(), a_version("b.pdf")]
    seen(store, *versions)
    asked: list[str] = []

    class Told:
        """The database, which says how it would find what it is asked for."""

        def read(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Mapping[str, Any]]:
            plan = store._database.read(f"explain query plan {sql}", parameters)
            asked.extend(row["detail"] for row in plan)
            return store._database.read(sql, parameters)

        def close(self) -> None:
            """Leave the database open."""

    pasts(Told(), versions)
    assert len(asked) > 4
    assert [step for step in asked if step.startswith(("SCAN file", "SCAN event"))] == []
