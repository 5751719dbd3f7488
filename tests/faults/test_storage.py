"""What the disk does to the store, and what the daemon does then."""

import errno
import os
import resource
import sqlite3
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
import requests
import turns
from faults.invariants import check
from faults.tracing import needs_strace, tracing
from faults.walks import Calls, Drops, begun, drop, url
from workplace import Workplace, a_live, ended, until

from wbox_notify.clients.wbox import Client
from wbox_notify.dispatch import Dispatcher
from wbox_notify.errors import StoreError
from wbox_notify.model.deliveries import NextStep, Plan, PlannedMessage, State
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.simulator import Simulator
from wbox_notify.store import Store, UnsoundError, open_store
from wbox_notify.store.integrity import remote
from wbox_notify.store.sqlite import _explained

SOURCES = Path(__file__).parents[2] / "wbox_notify"


@contextmanager
def disk(place: Workplace, options: str) -> Iterator[Path]:
    """Mount a small disk for the data of a place."""
    data = place.folder / "data"
    data.mkdir(mode=0o700)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"mode=0700,{options}", "tmpfs", str(data)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"NOT SHOWN HERE: a small disk can only be mounted by root ({mounted.stderr.strip()})")
    try:
        yield data
    finally:
        place.leave()
        subprocess.run(["umount", "-l", str(data)], check=True)


def filled(folder: Path) -> Path:
    """Fill the disk of a folder; return the file that does."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            while True:
                try:
                    file.write(b"x" * size)
                except OSError:
                    break
    return ballast


def refused(answer: requests.Response) -> bool:
    """Say whether a call was sent away so that it comes again."""
    return answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0


def an_event(name: str) -> Event:
    return Event(id=name, type="file", at=datetime(2026, 11, 22, tzinfo=UTC), data={"text": "x" * 500})


def path_of(store: str) -> Path:
    return Path(store.removeprefix("sqlite:///"))


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/wbox.db"


def test_S01_on_a_full_disk_calls_are_refused_until_there_is_room(place: Workplace, wbox: Simulator) -> None:
    calls = Calls(place, wbox)
    with disk(place, "size=1m") as data:
        process = begun(place)
        assert calls.answer(1).status_code == 202
        ballast = filled(data)
        # The log has some room that is its own already.
        numbers = count(2)
        until(lambda: refused(calls.answer(next(numbers))))
        assert requests.get(f"{url(place)}/livez", timeout=10).ok
        ballast.unlink()
        last = next(numbers)
        until(lambda: calls.answer(last).status_code in {200, 202})
        until(lambda: calls.planned(last))
        assert ended(process)[0] == 0
        check(place, wbox, calls.accepted)


def test_S03_after_a_failed_sync_the_call_is_refused_and_the_next_one_is_kept(
    place: Workplace, wbox: Simulator
) -> None:
    needs_strace()
    calls = Calls(place, wbox)
    process = begun(place)
    with tracing(process.pid, "inject=fdatasync:error=EIO:when=1"):
        assert refused(calls.answer(1))
        assert calls.answer(2).status_code == 202
        until(lambda: calls.planned(2))
    assert ended(process)[0] == 0
    assert "webhook:hook:1" not in calls.events()
    check(place, wbox, calls.accepted)


def test_S03_after_an_error_of_the_disk_the_file_is_opened_anew(place: Workplace, wbox: Simulator) -> None:
    needs_strace()
    calls = Calls(place, wbox)
    process = begun(place)
    log = place.folder / "calls"
    with tracing(process.pid, "trace=openat,fdatasync", "inject=fdatasync:error=EIO:when=1", log=log):
        assert refused(calls.answer(1))
        assert calls.answer(2).status_code == 202
    assert ended(process)[0] == 0
    name = "".join(f"\\x{byte:02x}" for byte in b"wbox-notify.db-wal")
    after = log.read_text().partition("INJECTED")[2]
    assert any("O_RDWR" in line and f'{name}"' in line for line in after.splitlines())


def test_S04_on_a_slow_disk_each_call_is_kept_once(place: Workplace, wbox: Simulator) -> None:
    needs_strace()
    calls = Calls(place, wbox)
    process = begun(place)
    with tracing(process.pid, "inject=fdatasync:delay_exit=300000"):
        answers = [calls.answer(number).status_code for number in (1, 2, 2)]
        assert answers == [202, 202, 200]
        until(lambda: calls.planned(2))
    assert ended(process)[0] == 0
    assert set(calls.events()) == {"webhook:hook:1", "webhook:hook:2"}


def test_S05_a_disk_that_becomes_read_only_is_said_and_work_goes_on_when_it_is_mended(
    place: Workplace, wbox: Simulator
) -> None:
    calls = Calls(place, wbox)
    with disk(place, "size=4m") as data:
        process = begun(place)
        assert calls.answer(1).status_code == 202
        remount = ["mount", "-o", "remount,{}", str(data)]
        ran = subprocess.run(
            [word.format("ro") for word in remount], capture_output=True, text=True, check=False
        )
        if ran.returncode == 0:
            assert refused(calls.answer(2))
            subprocess.run([word.format("rw") for word in remount], check=True)
            assert calls.answer(2).status_code in {200, 202}
        assert ended(process)[0] == 0
        subprocess.run([word.format("ro") for word in remount], check=True)
        second = place.run("run")
        assert second.returncode == 74
        assert "read-only" in second.stderr.lower()
        assert "writable" in second.stderr
        subprocess.run([word.format("rw") for word in remount], check=True)
        assert ended(begun(place))[0] == 0
        check(place, wbox, calls.accepted)


def test_S06_without_room_for_one_more_file_it_does_not_start_and_says_why(
    place: Workplace, wbox: Simulator
) -> None:
    calls = Calls(place, wbox)
    with disk(place, "size=1m,nr_inodes=3") as data:
        taken = [data / name for name in ("one", "two")]
        for file in taken:
            file.touch()
        ran = place.run("run")
        assert ran.returncode in {74, 78, 70}
        assert "space" in ran.stderr
        for file in taken:
            file.unlink()
        subprocess.run(["mount", "-o", "remount,nr_inodes=30", str(data)], check=True)
        process = begun(place)
        assert calls.answer(1).status_code == 202
        assert ended(process)[0] == 0
        check(place, wbox, calls.accepted)


def test_S07_a_damaged_page_is_found_at_the_start_and_the_file_is_left_as_it_is(store_url: str) -> None:
    store = open_store(store_url)
    store.put_events([an_event(f"{number}") for number in range(300)], 1.0).result()
    store.close()
    file = path_of(store_url)
    content = bytearray(file.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 64] = b"\xff" * 64
    file.write_bytes(content)
    with pytest.raises(UnsoundError, match="damaged") as refused_with:
        open_store(store_url)
    assert refused_with.value.exit_code == 78
    assert "backup" in str(refused_with.value.hint)
    assert file.read_bytes() == content


@pytest.mark.parametrize("now", ["gone", "empty"])
def test_S08_a_store_that_was_there_and_is_not_is_not_begun_anew(store_url: str, now: str) -> None:
    open_store(store_url).close()
    file = path_of(store_url)
    file.unlink()
    if now == "empty":
        file.touch()
    for _ in range(2):
        with pytest.raises(UnsoundError, match=f"was here before and is {now}") as refused_with:
            open_store(store_url)
        assert f"{file}.lock" in str(refused_with.value.hint)
    Path(f"{file}.lock").unlink()
    open_store(store_url).close()


def test_S08_a_first_start_that_was_cut_short_does_not_hinder_the_next(store_url: str) -> None:
    """The lock is there, the store is not, or has nothing in it."""
    Path(f"{path_of(store_url)}.lock").write_text("4711")
    open_store(store_url).close()


@pytest.mark.parametrize(("other", "what"), [(False, "removed or moved away"), (True, "replaced by another")])
def test_S09_a_file_that_is_gone_is_said_with_the_way_out(
    store_url: str,
    other: bool,  # noqa: FBT001 - a column of the table
    what: str,
) -> None:
    store = open_store(store_url)
    path_of(store_url).rename(path_of(store_url).with_name("aside"))
    if other:
        path_of(store_url).touch()
    with pytest.raises(StoreError, match=f"{what}.* while wbox-notify ran") as caught:
        store.put_events([an_event("a")], 1.0).result()
    assert caught.value.hint == "stop wbox-notify, put the file back, start it again"
    store.close()


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (OSError(errno.ENOSPC, "kein Platz"), "free some space"),
        (NotADirectoryError(errno.ENOTDIR, "x"), "WBOX_DATA_DIR must name a folder"),
        (PermissionError(errno.EACCES, "x"), "must be writable"),
        (OSError(errno.EIO, "no space in words only"), "look at the disk"),
        (OSError(errno.EBADF, "disk is full of holes"), "None"),
    ],
)
def test_S01_the_way_out_follows_from_the_code_of_an_error_and_not_from_its_words(
    tmp_path: Path, error: OSError, hint: str
) -> None:
    with pytest.raises(StoreError) as caught, _explained(tmp_path):
        raise error
    assert hint in str(caught.value.hint)


def test_S09_a_file_that_is_taken_away_is_noticed_at_the_next_call(place: Workplace, wbox: Simulator) -> None:
    calls = Calls(place, wbox)
    process = begun(place)
    assert calls.answer(1).status_code == 202
    file = path_of(place.store)
    aside = file.with_name("aside")
    file.rename(aside)
    assert refused(calls.answer(2))
    assert not requests.get(f"{url(place)}/readyz", timeout=10).ok
    file.write_bytes(b"")
    assert refused(calls.answer(3))
    file.unlink()
    aside.rename(file)
    assert calls.answer(4).status_code == 202
    assert ended(process)[0] == 0
    check(place, wbox, calls.accepted)


def a_queue(store: Store, number: int, now: float) -> None:
    """Queue texts, each to a phone of its own."""
    planned = tuple(
        PlannedMessage(key=f"k{n}", rule="r", message=Text(phone=f"90555111{n:04}", message="hi"))
        for n in range(number)
    )
    store.put_message(an_event("many"), Plan(event_id="many", messages=planned), now).result()


def test_S19_a_file_that_is_moved_away_and_back_leaves_nothing_marked_as_being_sent(
    store_url: str, wbox: Simulator
) -> None:
    store, client = open_store(store_url), Client(wbox.url, "sk_test")
    dispatcher = Dispatcher(store, a_live())
    a_queue(store, 60, time.time())
    file, ending = path_of(store_url), threading.Event()
    aside = file.with_name("aside")

    def move() -> None:
        while not ending.wait(0.005):
            file.rename(aside)
            ending.wait(0.005)
            aside.rename(file)

    mover = threading.Thread(target=move)
    mover.start()
    failed = 0
    while store.counts([State.QUEUED]):
        try:
            dispatcher.step(client)
        except StoreError:
            failed += 1
    ending.set()
    mover.join()
    while dispatcher.step(client):
        pass
    assert failed
    assert store.counts() == {State.SENT: 60}
    assert len(wbox.messages()) == 60
    store.close()
    client.close()


def test_S19_an_event_whose_file_was_away_is_not_kept_behind_its_sender_s_back(store_url: str) -> None:
    store = open_store(store_url)
    file = path_of(store_url)
    aside = file.with_name("aside")
    file.rename(aside)
    with pytest.raises(StoreError, match="removed or moved away"):
        store.put_events([an_event("one")], 1.0).result()
    aside.rename(file)
    assert store.known_events(["one"]) == set()
    assert store.put_events([an_event("one")], 1.0).result() == [True]
    store.close()


def test_S20_a_claim_that_nobody_has_is_put_back_and_goes_out_once(store_url: str, wbox: Simulator) -> None:
    """A disk can keep a commit that it told as failed."""
    store, client, now = open_store(store_url), Client(wbox.url, "sk_test"), [time.time()]
    dispatcher = Dispatcher(store, a_live(), clock=lambda: now[0], steady=lambda: now[0])
    dispatcher.round(client)
    a_queue(store, 3, now[0])
    assert turns.claim(store, now[0])
    for _ in range(20):
        while not dispatcher.round(client):
            pass
        now[0] += 10.0
    assert store.counts() == {State.SENT: 3}
    assert len(wbox.messages()) == 3
    store.close()
    client.close()


def test_S20_a_request_that_takes_long_is_in_somebody_s_hands(store_url: str, wbox: Simulator) -> None:
    store, client, now = open_store(store_url), Client(wbox.url, "sk_test"), [time.time()]
    dispatcher = Dispatcher(store, a_live(), clock=lambda: now[0], steady=lambda: now[0])
    a_queue(store, 1, now[0])
    wbox.fault(delay=1.0, count=1)
    sending = threading.Thread(target=dispatcher.step, args=(client,))
    sending.start()
    wbox.wait_for(1)
    with closing(Client(wbox.url, "sk_test")) as another:
        for _ in range(5):
            dispatcher.round(another)
            now[0] += 61.0
    sending.join()
    assert store.counts() == {State.SENT: 1}
    assert [row["outcome"] for row in store.attempts(1)] == [Outcome.SENT]
    store.close()
    client.close()


def test_S22_a_log_that_fills_a_small_disk_is_folded_back_and_work_goes_on(
    place: Workplace, wbox: Simulator
) -> None:
    calls = Calls(place, wbox)
    with disk(place, "size=3m"):
        process = begun(place)
        answers = [calls.answer(number).status_code for number in range(400)]
        assert set(answers) <= {202, 503}
        assert answers.count(503) < 20
        assert calls.answer(1000).status_code == 202
        until(lambda: calls.planned(1000))
        assert ended(process)[0] == 0
        check(place, wbox, calls.accepted)


@pytest.mark.parametrize("how", ["hard", "soft"])
def test_S23_a_second_daemon_is_refused_also_by_another_name_of_the_file(
    place: Workplace, wbox: Simulator, how: str
) -> None:
    process = begun(place)
    other = Workplace(place.folder.parent / "other", wbox)
    (other.folder / "data").mkdir(mode=0o700)
    twin = other.folder / "data" / "wbox-notify.db"
    if how == "hard":
        twin.hardlink_to(path_of(place.store))
    else:
        twin.symlink_to(path_of(place.store))
    refused_one = other.run("run")
    assert refused_one.returncode == 75
    assert "under another name" in refused_one.stderr
    assert ended(process)[0] == 0
    assert ended(begun(place))[0] == 0


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/a/wbox.db", None),
        ("/srv/share/data/wbox.db", "nfs4"),
        ("/srv/share/disk/wbox.db", None),
        ("/srv/shared/wbox.db", None),
        ("/mnt/with space/wbox.db", "cifs"),
        ("/mnt/covered/wbox.db", None),
    ],
)
def test_S12_a_file_system_of_the_network_is_known_by_its_mount(
    tmp_path: Path, path: str, kind: str | None
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/vda / ext4 rw 0 0\n"
        "host:/x /srv/share nfs4 rw 0 0\n"
        "/dev/vdb /srv/share/disk xfs rw 0 0\n"
        "//host/y /mnt/with\\040space cifs rw 0 0\n"
        "host:/z /mnt/covered nfs rw 0 0\n"
        "tmpfs /mnt/covered tmpfs rw 0 0\n"
    )
    assert remote(Path(path), mounts) == kind


def steps(store: Store, work: Callable[[], object]) -> int:
    """Return how many steps of SQLite's machine the writing connection takes for some work."""
    taken = [0]

    def step() -> None:
        taken[0] += 1

    store._database.write(lambda connection: connection.set_progress_handler(step, 1)).result()
    work()
    store._database.write(lambda connection: connection.set_progress_handler(None, 1)).result()
    return taken[0]


def test_S13_a_long_history_costs_no_more_steps(store_url: str) -> None:
    """Counted in steps of SQLite's machine, since a clock says more about the computer than about us."""
    store = open_store(store_url)

    def life(name: str) -> None:
        planned = PlannedMessage(key=name, rule="r", message=Text(phone="905551110001", message="hi"))
        store.put_message(an_event(name), Plan(event_id=name, messages=(planned,)), 1.0).result()
        delivery = turns.claim(store, 2.0)
        assert delivery
        sent = NextStep(state=State.SENT, due=2.0, tries=1, unknowns=0, reason="")
        turns.finish(store, delivery, Answer(outcome=Outcome.SENT, detail="", latency=0.1), sent, 2.0)
        store.expire(2.0).result()

    few = steps(store, lambda: life("first"))
    aside = sqlite3.connect(path_of(store_url))
    aside.executescript(
        """
        insert into event (id, type, at, data, received, planned)
            with recursive n(n) as (select 1 union all select n + 1 from n where n < 20000)
            select 'old' || n, 'file', 1.0, '{}', 1.0, 1.0 from n;
        insert into delivery (key, event_id, rule, device, recipient, state, due, created, expires, changed)
            select id, id, 'r', '', '905551110001', 'sent', 1.0, 1.0, 9.0, 1.0
            from event where id like 'old%';
        """
    )
    aside.close()
    assert steps(store, lambda: life("last")) < 2 * few
    store.close()


def test_S15_all_files_are_for_their_user_alone(place: Workplace) -> None:
    before = os.umask(0)
    try:
        process = begun(place)
    finally:
        os.umask(before)
    drop(place, "a.txt")
    data = place.folder / "data"
    until((data / "wbox-notify.db-wal").exists)
    found = {file.name: stat.S_IMODE(file.stat().st_mode) for file in data.rglob("*") if file.is_file()}
    assert {"wbox-notify.db", "wbox-notify.db-wal", "wbox-notify.db-shm", "wbox-notify.db.lock"} <= set(found)
    assert set(found.values()) == {0o600}, found
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert ended(process)[0] == 0


def test_S17_without_a_file_left_to_open_it_goes_on_with_what_it_has(
    place: Workplace, wbox: Simulator
) -> None:
    calls = Calls(place, wbox)
    process = begun(place)
    assert calls.answer(1).status_code == 202
    usual, most = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, most))
    with pytest.raises(requests.RequestException):
        requests.post(f"{url(place)}/hook/hook", json={"n": 2}, timeout=1)
    assert process.poll() is None
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (usual, most))
    until(lambda: calls.call(3) in {200, 202})
    assert ended(process)[0] == 0
    check(place, wbox, calls.accepted)


def test_S18_one_place_opens_the_file_for_writing_and_one_for_reading() -> None:
    """The spool of media keeps its list in a file of its own, which has no WAL; a backup is a new file."""
    found = sorted(
        file.relative_to(SOURCES).as_posix()
        for file in SOURCES.rglob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if "sqlite3.connect(" in line
    )
    assert found == ["media/spool.py", *["store/sqlite.py"] * 3]
    text = (SOURCES / "store" / "sqlite.py").read_text(encoding="utf-8")
    assert [text.count(way) for way in ("mode=rw", "mode=ro", "connect(target)")] == [1, 1, 1]
    assert text.count("mode=rw") == 1


def test_S02_while_outcomes_can_not_be_written_nothing_more_is_sent(
    place: Workplace, wbox: Simulator
) -> None:
    needs_strace()
    wbox.fault(delay=1.0)
    drops = Drops(place, wbox)
    process = begun(place)
    drops.walk(1)
    wbox.wait_for(1)
    with tracing(process.pid, "inject=pwrite64:error=ENOSPC"):
        drops.walk(2)
        assert process.stderr
        until(lambda: "disk is full" in process.stderr.readline())
        until(lambda: wbox.messages()[0]["answered"] == 200)
        until(lambda: "sending paused" in process.stderr.readline())
        assert len(wbox.messages()) == 1
    wbox.clear_faults()
    assert ended(process)[0] == 0
    begun(place)
    until(drops.settled, within=60)
    check(place, wbox)
