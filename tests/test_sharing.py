"""Daemons that share a store: who may join the others, and how they are shown."""

import signal
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest
from test_postgres import an_event, called, office, running, url
from test_several_writers import at_once
from workplace import Workplace, ended, until

from wbox_notify.store import (
    BusyError,
    SchemaError,
    Store,
    copy,
    migrations,
    open_database,
    open_store,
    sizes,
)
from wbox_notify.store.leases import lease_of
from wbox_notify.store.migrations import MIGRATIONS
from wbox_notify.store.postgres import dialect, leases, upgrade

__all__ = ["office", "url"]


def another(folder: Path) -> dict[str, str]:
    """Return what makes a daemon one on another machine."""
    return {"WBOX_DATA_DIR": str(folder), "WBOX_HOST": "there", "WBOX_LISTEN": "127.0.0.1:0"}


def test_daemons_of_one_store_have_one_key_for_their_links_and_are_shown_together(
    office: Workplace, tmp_path: Path
) -> None:
    first = running(office)
    folder = tmp_path / "there"
    refused = office.run("run", **another(folder))
    assert refused.returncode == 78, refused.stderr
    assert "has another key for its links" in refused.stderr
    assert "copy link.key" in refused.stderr
    assert "Traceback" not in refused.stderr
    (folder / "link.key").write_bytes((office.card.parent / "link.key").read_bytes())
    here = dict(office.environment)
    office.environment.update(another(folder))
    second = office.start("run")
    office.environment.update(here)
    until((folder / "daemon.json").exists)
    status = office.json("status")
    assert [daemon["host"] for daemon in status["daemons"]][1:] == ["there"]
    assert "there (" in office.run("status").stdout
    ended(second, signal.SIGKILL)
    assert called(office, 1) == 202
    until(lambda: len(office.json("status")["daemons"]) == 1)
    ended(first)
    assert office.json("status")["daemons"] == []


def named(url: str, host: str) -> Store:
    """Return a store whose daemon has not joined the others yet."""
    store = open_store(url)
    store.leases.introduce(host, "key")
    return store


def test_of_two_daemons_with_one_name_the_second_is_refused_with_the_way_out(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_PATIENCE", 0.0)
    with closing(named(url, "one")) as first, closing(named(url, "one")) as second:
        first.leases.join()
        with pytest.raises(BusyError, match="another machine named one uses the store") as refused:
            second.leases.join()
        assert "`host:` (WBOX_HOST)" in str(refused.value.hint)
        assert refused.value.exit_code == 75
        assert [daemon.id for daemon in first.leases.living()] == [first.leases.join()]
        first.leases.close()
        assert second.leases.join()


def test_a_daemon_that_was_killed_is_followed_at_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_PATIENCE", 0.0)
    with closing(named(url, "one")) as killed, closing(named(url, "one")) as second:
        killed.leases.join()
        with psycopg.connect(url, autocommit=True) as session:  # as if it had never left
            session.execute("create table before as select * from daemon")
            killed.leases.close()
            session.execute("insert into daemon select * from before")
        assert second.leases.join()
        assert len(second.leases.living()) == 2


def test_of_daemons_with_one_name_that_begin_at_once_one_stays(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_PATIENCE", 1.0)
    monkeypatch.setattr(leases, "_AGAIN", 0.05)
    stores = [named(url, "one") for _ in range(4)]

    def joins(store: Store) -> bool:
        with suppress(BusyError):
            return bool(store.leases.join())
        return False

    assert sum(at_once(stores, joins)) == 1
    for store in stores:
        store.close()


def test_who_was_frozen_while_another_one_took_its_name_says_so_and_stays_aside(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(named(url, "one")) as frozen, closing(named(url, "one")) as other:
        assert isinstance(frozen.leases, leases.SharedLeases)
        frozen.leases._heart._delay = 1e6
        with psycopg.connect(url, autocommit=True) as session:
            late = frozen.leases.join()
            session.execute("update daemon set until = 0 where id = %s", [late])
        other.leases.join()
        assert frozen.leases._beat() == leases._PATIENCE
        assert "another machine named one uses the store" in caplog.text
        assert frozen.leases.take(late, ["device:1"]) == {"device:1"}
        assert other.leases.take(other.leases.join(), ["device:1"]) == {"device:1"}, "it holds nothing"
        other.leases.close()
        assert frozen.leases._beat() == leases._EVERY


def test_a_daemon_waits_for_the_end_of_the_one_that_it_follows(url: str) -> None:
    with (
        closing(named(url, "one")) as first,
        closing(named(url, "one")) as second,
        ThreadPoolExecutor() as pool,
    ):
        first.leases.join()
        joining = pool.submit(second.leases.join)
        assert not wait([joining], 0.1).done
        first.leases.close()
        assert joining.result(10)


def test_tables_that_daemons_of_an_older_version_use_are_not_changed(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(url)
    store.leases.introduce("there", "")
    store.leases.join()
    newer = (*MIGRATIONS, "create table more (n integer)")
    for module in (migrations, dialect, upgrade):
        monkeypatch.setattr(module, "MIGRATIONS", newer)
    with pytest.raises(BusyError, match=r"older version use the store .*: on there") as refused:
        open_store(url)
    assert "stop the daemons" in str(refused.value.hint)
    assert refused.value.exit_code == 75
    store.leases.close()
    open_store(url).close()
    monkeypatch.undo()
    with pytest.raises(SchemaError, match="knows up to"):
        open_store(url)
    store.close()


def test_versions_with_the_same_tables_share_a_store(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(named(url, "one")) as older, closing(named(url, "two")) as newer:
        for store, version in ((older, "0.2.0"), (newer, "0.3.0")):
            monkeypatch.setattr(leases, "__version__", version)
            store.leases.join()
        assert [(row["host"], row["version"]) for row in older.daemons()] == [
            ("one", "0.2.0"),
            ("two", "0.3.0"),
        ]
        assert older.put_events([an_event("a")], 1.0).result() == [True]
        assert newer.put_events([an_event("a"), an_event("b")], 1.0).result() == [False, True]
        device = lease_of("1")
        assert older.leases.take(older.leases.join(), [device]) == {device}
        assert newer.leases.take(newer.leases.join(), [device]) == set()
        older.leases.close()
        assert newer.leases.take(newer.leases.join(), [device]) == {device}


def test_a_store_that_daemons_share_is_not_copied(url: str, tmp_path: Path) -> None:
    full = open_store(f"sqlite:///{tmp_path}/full.db")
    full.put_events([an_event("a")], 1.0).result()
    full.close()
    store = open_store(url)
    store.leases.introduce("there", "")
    store.leases.join()
    with (
        closing(open_database(f"sqlite:///{tmp_path}/full.db")) as source,
        closing(open_database(url)) as target,
    ):
        for one, other in ((source, target), (target, source)):
            with pytest.raises(BusyError, match="in use by daemons on there"):
                copy(one, other, lambda _rows: None)
        assert sizes(target)["event"] == 0
        store.leases.close()
        copy(source, target, lambda _rows: None)
        assert sizes(target)["event"] == 1
    store.close()
