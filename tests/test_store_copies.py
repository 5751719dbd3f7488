"""The store as a whole: checked, backed up beside a running daemon, restored, and moved to another one."""

import shutil
import threading
from contextlib import closing
from pathlib import Path

import forked
import pytest
from bench.history import put_message
from databases import Postgres
from workplace import Workplace, until

from wbox_notify.errors import Exit, StoreError
from wbox_notify.model.deliveries import State
from wbox_notify.store import (
    UnsoundError,
    copy,
    faults,
    open_database,
    open_history,
    open_store,
    sizes,
    statements,
)

PHONE = "905551234567"


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a demo, with files, rows, hooks, schedules and all kinds of messages."""
    folder = tmp_path_factory.mktemp("demo")
    ran = forked.run(("demo", "--once", "--keep", str(folder / "kept")), folder, {"HOME": str(folder)})
    assert ran.returncode == 0, ran.stderr
    store = folder / "kept/data/wbox-notify.db"
    with closing(open_database(at(store))) as database:
        database.write(lambda tx: tx.execute("insert into turn values ('', '90555', 1.5)")).result()
        database.write(
            lambda tx: tx.execute("insert into circuit values ('2', 'limited', 1.25, 2, 0, 0, 0)")
        ).result()
    return store


def at(path: Path) -> str:
    return f"sqlite:///{path}"


def rows_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(open_database(at(path))) as database:
        return {
            table: sorted(map(tuple, database.read(f"select * from {table}")), key=repr)
            for table in statements.TABLES
        }


def nothing(_rows: int) -> None:
    return


def test_the_tables_that_are_copied_are_all_tables(full: Path) -> None:
    with closing(open_database(at(full))) as database:
        named = database.read(
            "select name from sqlite_master where type = 'table' and name not like 'sqlite%'"
        )
    assert {row["name"] for row in named} - {"schema_version", "daemon", "lease"} == set(statements.TABLES)


def test_a_copy_has_all_rows_word_for_word(full: Path, tmp_path: Path) -> None:
    before = rows_of(full)
    assert all(before[table] for table in set(statements.TABLES) - {"memory_event", "told"})
    moved: list[int] = []
    with (
        closing(open_database(at(full))) as source,
        closing(open_database(at(tmp_path / "new.db"))) as target,
    ):
        copy(source, target, moved.append)
        assert sum(moved) == 2 * sum(sizes(source).values())
    assert rows_of(tmp_path / "new.db") == before == rows_of(full)


def test_a_copy_that_was_cut_off_cannot_be_run_and_goes_on(full: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.db"

    class CutOffError(Exception):
        pass

    def cut(_rows: int) -> None:
        raise CutOffError

    with closing(open_database(at(full))) as source:
        with closing(open_database(at(new))) as target, pytest.raises(CutOffError):
            copy(source, target, cut)
        with pytest.raises(UnsoundError, match="was begun and is not whole"):
            open_store(at(new))
        with closing(open_database(at(new))) as target:
            copy(source, target, nothing)
    open_store(at(new)).close()
    assert rows_of(new) == rows_of(full)


def test_a_store_goes_to_postgresql_and_back(full: Path, postgres: Postgres, tmp_path: Path) -> None:
    url, back = postgres.fresh(), tmp_path / "back.db"
    for source, target in ((at(full), url), (url, at(back))):
        ran = forked.run(("store", "copy", source, target), tmp_path, {"HOME": str(tmp_path)})
        assert ran.returncode == 0, ran.stderr
    assert rows_of(back) == rows_of(full)
    with closing(open_store(url)) as store:
        last = store.last_event()
        put_message(store, "goes on", PHONE)
        assert store.last_event() > last


def test_a_copy_into_a_store_with_rows_of_its_own_is_refused(full: Path, tmp_path: Path) -> None:
    with closing(open_store(at(tmp_path / "new.db"))) as store:
        put_message(store, "a", PHONE)
    with (
        closing(open_database(at(full))) as source,
        closing(open_database(at(tmp_path / "new.db"))) as target,
        pytest.raises(StoreError, match="is not empty"),
    ):
        copy(source, target, nothing)


def test_a_copy_that_goes_on_after_its_source_was_used_is_found_to_differ(full: Path, tmp_path: Path) -> None:
    source_file = tmp_path / "source.db"
    shutil.copy(full, source_file)
    with (
        closing(open_database(at(source_file))) as source,
        closing(open_database(at(tmp_path / "new.db"))) as target,
    ):
        copy(source, target, nothing)
        target.write(lambda tx: tx.execute(statements.BEGIN_COPY, statements.UNFINISHED_COPY)).result()
        source.write(lambda tx: tx.execute("update delivery set state = 'held' where id = 1")).result()
        with pytest.raises(StoreError, match="the rows of delivery are not the same"):
            copy(source, target, nothing)


@pytest.mark.parametrize(
    ("fault", "statement"),
    [
        (
            "attempt_without_delivery",
            "insert into attempt (delivery_id, number, started) values (99999, 1, 1)",
        ),
        ("delivery_without_event", "update delivery set event_id = 'gone' where id = 1"),
        ("sending_without_attempt", "update delivery set state = 'sending', claims = 77 where id = 1"),
        ("event_of_no_memory", "insert into memory_event values ('e', 'r', 'group', 'k')"),
        ("file_without_event", "update file set fate = 'open', event_id = 'gone' where seq = 1"),
    ],
)
def test_what_no_store_has_is_found(full: Path, tmp_path: Path, fault: str, statement: str) -> None:
    store = tmp_path / "store.db"
    shutil.copy(full, store)
    with closing(open_database(at(store))) as database:
        assert faults(database) == {}
        database.write(lambda tx: tx.execute(statement)).result()
        assert faults(database) == {fault: 1}


def test_check_tells_the_rows_and_what_is_wrong(place: Workplace) -> None:
    with closing(open_store(place.store)) as store:
        put_message(store, "a", PHONE)
    assert place.json("store", "check")["rows"]["delivery"] == 1
    assert place.json("store", "check")["faults"] == {}
    with closing(open_database(place.store)) as database:
        database.write(lambda tx: tx.execute("update delivery set event_id = 'gone'")).result()
    checked = place.run("store", "check")
    assert checked.returncode == Exit.FAILED
    assert "messages without their event: 1" in checked.stdout


def test_check_finds_a_damaged_file(place: Workplace) -> None:
    with closing(open_store(place.store)) as store:
        for number in range(200):
            put_message(store, f"m{number}", PHONE)
    file = Path(place.store.removeprefix("sqlite:///"))
    content = bytearray(file.read_bytes())
    content[-4096 * 3 : -4096] = b"\xff" * 8192
    file.write_bytes(content)
    assert place.run("store", "check").returncode in {Exit.FAILED, Exit.STORE}


def test_a_backup_beside_a_busy_writer_is_whole_and_can_be_restored(place: Workplace, tmp_path: Path) -> None:
    go_on = threading.Event()

    def write() -> None:
        number = 0
        while not go_on.is_set():
            number += 1
            put_message(store, f"m{number}", PHONE)

    with closing(open_store(place.store)) as store:
        writer = threading.Thread(target=write)
        writer.start()
        until(lambda: store.queue([State.QUEUED], most=1))
        made = place.json("store", "backup", str(tmp_path / "backup.db"))
        go_on.set()
        writer.join()
        many = len(store.queued([State.QUEUED]))
    assert made["size"] == (tmp_path / "backup.db").stat().st_size
    assert (tmp_path / "backup.db").stat().st_mode & 0o077 == 0
    file = Path(place.store.removeprefix("sqlite:///"))
    for ending in ("", "-wal", "-shm"):
        Path(f"{file}{ending}").unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", file)
    with closing(open_store(place.store)) as store:
        assert 0 < len(store.queued([State.QUEUED])) <= many


def test_a_backup_takes_no_place_of_another_file(place: Workplace, tmp_path: Path) -> None:
    open_store(place.store).close()
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    ran = place.run("store", "backup", str(tmp_path / "notes.txt"))
    assert ran.returncode == Exit.STORE
    assert "name a file that is not there yet" in ran.stderr
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_the_commands_of_a_store_that_is_not_there_make_none(place: Workplace, tmp_path: Path) -> None:
    for words in (
        ["check"],
        ["backup", str(tmp_path / "b.db")],
        ["copy", place.store, at(tmp_path / "c.db")],
    ):
        ran = place.run("store", *words)
        assert ran.returncode == Exit.FAILED
        assert "there is no store yet" in ran.stderr
    assert not place.has_store()
    assert not (tmp_path / "b.db").exists()
    assert not (tmp_path / "c.db").exists()


def test_a_store_is_moved_by_the_command(place: Workplace, tmp_path: Path) -> None:
    with closing(open_store(place.store)) as store:
        put_message(store, "a", PHONE)
    assert place.json("store", "copy", place.store, at(tmp_path / "new.db"))["rows"]["delivery"] == 1
    moved = open_history(at(tmp_path / "new.db"))
    assert moved
    with closing(moved):
        assert moved.delivery(1)
