"""Machines that share a store: each plans what it took in and looks after its own files, until it is gone."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from databases import Files, Postgres
from test_several_writers import at_once

from wbox_notify.daemon.adoption import Adoption
from wbox_notify.model.deliveries import Memory, Plan
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileState, FileVersion
from wbox_notify.store import Store, copy, open_database, open_store


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.fresh()


def living(url: str, host: str) -> Store:
    """Return a store with a daemon that lives on a machine."""
    store = open_store(url, host)
    store.leases.introduce(host, "")
    store.leases.join()
    return store


@pytest.fixture
def here(url: str) -> Iterator[Store]:
    store = living(url, "here")
    yield store
    store.close()


@pytest.fixture
def there(url: str) -> Iterator[Store]:
    store = living(url, "there")
    yield store
    store.close()


def an_event(name: str, kind: str = "webhook") -> Event:
    return Event(id=name, type=kind, at=datetime(2026, 11, 30, 9, tzinfo=UTC), data={"name": name})


def waiting(store: Store) -> list[str]:
    return [event.id for event in store.unplanned()]


def a_file(folder: Path, name: str) -> FileVersion:
    path = folder / name
    path.write_text("hello")
    return FileVersion.of(str(path), str(folder), path.stat())


def take_in(store: Store, version: FileVersion) -> None:
    event = an_event(version.id, "file")
    store.put_events([event], 1.0, files={version: FileState.OPEN}).result()


def test_who_is_alone_plans_all_whatever_the_machine_is_called(engine: Files | Postgres) -> None:
    url = engine.fresh()
    store = open_store(url)
    store.put_events([an_event("a")], 1.0).result()
    store.close()
    store = open_store(url, "another")
    store.put_events([an_event("b")], 1.0).result()
    assert waiting(store) == ["a", "b"]
    store.close()


def test_what_is_copied_out_of_a_shared_store_waits_for_nobody_else(
    there: Store, url: str, tmp_path: Path
) -> None:
    version = a_file(tmp_path, "a")
    take_in(there, version)
    rows = Memory(rule="r", kind="rows", key=version.id, value={"next": 1}, due=5.0)
    there.put_plans([Plan(event_id="", memories=(rows,))], 2.0).result()
    there.close()
    alone = f"sqlite:///{tmp_path}/alone.db"
    with closing(open_database(url)) as source, closing(open_database(alone)) as target:
        copy(source, target, lambda _rows: None)
    store = open_store(alone, "here")
    assert waiting(store) == [version.id]
    assert [memory.key for memory in store.memories_due(9.0)] == [version.id]
    store.put_plans([Plan(event_id=version.id)], 2.0).result()
    assert len(store.files.finals(0)[0]) == 1
    store.close()


def test_an_event_is_planned_on_the_machine_that_took_it_in(here: Store, there: Store) -> None:
    there.put_events([an_event("a"), an_event("b")], 1.0).result()
    here.put_events([an_event("b"), an_event("c")], 1.0).result()
    assert (waiting(here), waiting(there)) == (["c"], ["a", "b"])
    assert here.adopt().result() == 0
    assert waiting(here) == ["c"]


def test_what_a_machine_has_left_goes_on_on_exactly_one_of_the_others(url: str, here: Store) -> None:
    there = living(url, "there")
    there.put_events([an_event(f"{number}") for number in range(20)], 1.0).result()
    there.close()
    third = living(url, "third")
    for store in (here, third):
        assert store.arrivals.take(50, 1e6) == []
    assert sorted(at_once([here, third], lambda store: store.adopt().result())) == [0, 20]
    found = [[event.id for event in store.arrivals.take(50, 1e6)] for store in (here, third)]
    assert sorted(map(len, found)) == [0, 20]
    third.close()


def test_the_rows_of_a_file_are_read_on_the_machine_that_has_it(here: Store, there: Store) -> None:
    there.put_events([an_event("a")], 1.0).result()
    rows = Memory(rule="r", kind="rows", key="a", value={"next": 1}, due=5.0)
    group = Memory(rule="r", kind="group", key="a", value={}, due=7.0)
    there.put_plans([Plan(event_id="a", memories=(rows, group))], 2.0).result()
    assert [memory.kind for memory in there.memories_due(9.0)] == ["rows", "group"]
    assert [memory.kind for memory in here.memories_due(9.0)] == ["group"]
    assert (there.next_memory(), here.next_memory()) == (5.0, 7.0)


def test_a_file_that_a_machine_has_left_goes_on_where_that_very_file_is_seen_and_watched(
    url: str, here: Store, tmp_path: Path
) -> None:
    there = living(url, "there")
    (tmp_path / "unwatched").mkdir()
    seen, changed, hidden = (a_file(tmp_path, name) for name in ("seen", "changed", "hidden"))
    unwatched = a_file(tmp_path / "unwatched", "a")
    for version in (seen, changed, hidden, unwatched):
        take_in(there, version)
    wakes: list[str] = []
    adoption = Adoption(here, lambda: {str(tmp_path)}, lambda: wakes.append("planner"))
    adoption.step()
    assert waiting(here) == []
    assert here.files.finals(0) == ([], 0)
    there.close()
    Path(changed.path).write_text("longer than before")
    Path(hidden.path).rename(tmp_path / "elsewhere")
    adoption.step()
    assert waiting(here) == [seen.id]
    assert wakes == ["planner"]
    (tmp_path / "elsewhere").rename(hidden.path)
    adoption.step()
    assert waiting(here) == [seen.id, hidden.id]
    here.put_plans([Plan(event_id=seen.id)], 2.0).result()
    assert [final.version for final in here.files.finals(0)[0]] == [seen]
    again = living(url, "there")
    assert waiting(again) == [changed.id, unwatched.id]
    assert again.files.finals(0) == ([], 0)
    again.close()


def test_each_machine_looks_for_its_own_settled_files(here: Store, there: Store, tmp_path: Path) -> None:
    mine, yours = a_file(tmp_path, "mine"), a_file(tmp_path, "yours")
    here.files.see({mine: FileState.SEEN}, 1.0).result()
    there.files.see({yours: FileState.SEEN}, 1.0).result()
    assert here.files.unlooked(2.0) == [mine]
    assert there.files.unlooked(2.0) == [yours]
    assert {*here.known([mine, yours])} == {mine, yours}
