"""Fault cases of watched folders: each test proves the one whose number it has."""

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bench.processes import environment
from rulebook import project, rule, rule_file
from test_afterwards import SHM, House
from test_file_trigger import BOUND, Clock, Inbox, drop, inbox, pdf, running, source_of, watch_of
from workplace import until

from wbox_notify.daemon.file_intake import watches
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileState, FileVersion
from wbox_notify.rules.triggers import FileTrigger
from wbox_notify.store import Store, open_store
from wbox_notify.store.database import Row
from wbox_notify.store.sqlite import Sqlite
from wbox_notify.triggers.file.opening import is_local
from wbox_notify.triggers.file.source import FileSource
from wbox_notify.triggers.file.watch import Watch

__all__ = ["drop", "inbox"]


class CountingDatabase(Sqlite):
    """A database that counts how often it is asked and written."""

    def __init__(self, path: Path) -> None:
        self.reads = self.writes = 0
        super().__init__(path)

    def read(self, statement: str, values: Row | None = None) -> list[Row]:
        self.reads += 1
        return super().read(statement, values)

    def write(self, *job: Any) -> Any:
        self.writes += 1
        return super().write(*job)


def in_a_namespace(script: str, *arguments: str) -> list[str]:
    """Run a script where it may mount; return the lines that it prints."""
    enter = ["unshare", "--user", "--map-root-user", "--mount"]
    if (
        not shutil.which("unshare")
        or subprocess.run([*enter, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no user namespaces here")
    prelude = """
        import os, pathlib, subprocess, sys, time
        from wbox_notify.model.file_version import Past
        from wbox_notify.triggers.file.source import FileSource
        from wbox_notify.triggers.file.watch import Want, Watch
        names, seen = [], set()

        def known(versions):
            return {one: Past((one,)) for one in versions if one.id in seen}

        def emit(events, versions):
            names.extend(event.data["name"] for event in events)
            seen.update(version.id for version in versions)

        def source_of(root, clock=time.monotonic, alarm=lambda about, problem: None):
            watch = Watch(root, lambda path: True, lambda _: Want(settle=0.0))
            return FileSource([watch], known=known, emit=emit, report=print, alarm=alarm, clock=clock)
    """
    command = [*enter, sys.executable, "-c", textwrap.dedent(prelude) + textwrap.dedent(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BOUND, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_F07_an_unmounted_folder_is_an_alarm_and_its_files_are_not_new_when_it_is_back(drop: Path) -> None:
    script = """
        root, alarms = pathlib.Path(sys.argv[1]), []
        kept = root.parent / "kept"
        kept.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", str(kept)], check=True)
        bind = ["mount", "--bind", str(kept), str(root)]
        subprocess.run(bind, check=True)
        (root / "a.pdf").write_bytes(b"x")
        source = source_of(root, alarm=lambda about, problem: alarms.append((about, bool(problem))))
        source.sweep()
        subprocess.run(["umount", str(root)], check=True)
        source._look(()), source._look(())
        print(alarms == [(f"mount {root}", True)])
        subprocess.run(bind, check=True)
        (root / "b.pdf").write_bytes(b"x")
        source._look(())
        print(alarms[1:] == [(f"mount {root}", False)], names)
    """
    problem, alarm, relief, over = in_a_namespace(script, str(drop))
    assert problem == f"Nothing is mounted at '{drop}' any more: what lies there now is taken instead."
    assert relief == f"A file system is mounted at '{drop}' again."
    assert (alarm, over) == ("True", "True ['a.pdf', 'b.pdf']")


def test_F23_a_file_system_that_others_may_write_to_is_listed_every_two_seconds(drop: Path) -> None:
    script = """
        root = pathlib.Path(sys.argv[1])
        subprocess.run(["mount", "-t", "ramfs", "none", str(root)], check=True)
        now = [0.0]
        source = source_of(root, clock=lambda: now[0])
        source.start()
        source.listed(20)
        source.stop()
        print(source._scanner.due)
    """
    assert in_a_namespace(script, str(drop)) == ["2.0"]


def test_F23_what_is_local_is_told_by_the_kernel(drop: Path) -> None:
    for path, local in ((drop, True), (Path("/proc"), False)):
        descriptor = os.open(path, os.O_RDONLY)
        assert is_local(descriptor) is local
        os.close(descriptor)


@pytest.mark.parametrize("away", ["moved", "deleted", "a file"])
def test_F04_F05_F06_a_root_that_is_away_is_one_alarm_and_one_relief(
    drop: Path, inbox: Inbox, away: str
) -> None:
    source = source_of(inbox, watch_of(drop))
    (drop / "a.pdf").write_bytes(b"x")
    source.sweep()
    aside = drop.parent / "aside"
    drop.rename(aside)
    if away == "deleted":
        shutil.rmtree(aside)
    elif away == "a file":
        drop.write_bytes(b"no folder")
    source.sweep()
    source.sweep()
    assert inbox.alarms == [(f"folder {drop}", True)]
    drop.unlink(missing_ok=True)
    aside.rename(drop) if aside.exists() else drop.mkdir()
    (drop / "b.pdf").write_bytes(b"x")
    source.sweep()
    source.sweep()
    assert inbox.alarms == [(f"folder {drop}", True), (f"folder {drop}", False)]
    assert inbox.names == ["a.pdf", "b.pdf"]


def test_F16_an_alarm_about_a_folder_whose_name_is_no_text_can_be_kept(drop: Path, inbox: Inbox) -> None:
    source_of(inbox, watch_of(drop / os.fsdecode(b"\xff"))).sweep()
    ((about, _),) = inbox.alarms
    assert about.encode("utf-8").endswith(b"\\udcff")


def test_F08_files_from_while_it_was_down_are_taken_and_those_from_before_are_not_again(
    tmp_path: Path,
) -> None:
    house = House(tmp_path, "trigger: {file: {path: drop}}")
    house.file("before.pdf")
    assert house.take() == 1
    house.store.close()
    house.file("meanwhile.pdf")
    house = House(tmp_path, "trigger: {file: {path: drop}}")
    assert house.take() == 2
    house.store.close()


def test_F08_what_was_there_first_can_be_passed_over_once(tmp_path: Path) -> None:
    house = House(tmp_path, "trigger: {file: {path: drop, existing: ignore}}")
    house.file("history.pdf")
    assert house.take() == 0
    house.file("new.pdf")
    assert house.take() == 1
    house.store.close()
    house.file("meanwhile.pdf")
    house = House(tmp_path, "trigger: {file: {path: drop, existing: ignore}}")
    assert house.take() == 2
    house.file("history.pdf", b"a new version")
    assert house.take() == 3
    house.store.close()


def test_F08_a_store_that_refuses_forgets_no_history(drop: Path, inbox: Inbox) -> None:
    begun: list[int] = []
    watch = watch_of(drop, history=True, begun=lambda: begun.append(1))
    source = source_of(inbox, watch)
    (drop / "history.pdf").write_bytes(b"x")
    inbox.refusals = 1
    source.sweep()
    assert begun == []
    source.sweep()
    (drop / "new.pdf").write_bytes(b"x")
    source.sweep()
    assert begun == [1]
    assert inbox.names == ["new.pdf"]


def test_F10_a_file_waits_for_its_marker(drop: Path, inbox: Inbox) -> None:
    watch = watch_of(drop, markers=lambda path: frozenset({f"{path}.ok"}))
    with running_marked(inbox, watch) as source:
        (drop / "a.pdf").write_bytes(b"x")
        until(lambda: source._waits._waits)
        assert "a.pdf" not in inbox.names
        (drop / "a.pdf.ok").touch()
        inbox.wait_for("a.pdf")


def running_marked(inbox: Inbox, watch: Watch) -> AbstractContextManager[FileSource]:
    (watch.root / "first.pdf.ok").touch()
    return running(inbox, watch)


def test_F10_a_marker_does_not_make_a_file_finished_that_somebody_writes(drop: Path, inbox: Inbox) -> None:
    source = source_of(inbox, watch_of(drop, markers=lambda path: frozenset({f"{path}.ok"})))
    (drop / "a.pdf.ok").touch()
    with (drop / "a.pdf").open("wb", buffering=0) as file:
        file.write(b"half")
        source.sweep()
        assert inbox.events == []
    source.sweep()
    assert inbox.names == ["a.pdf"]


@pytest.mark.parametrize("marked", [True, False])
def test_F10_a_file_that_is_not_finished_for_an_hour_is_told_once(
    drop: Path,
    inbox: Inbox,
    marked: bool,  # noqa: FBT001 - a column of the table
) -> None:
    clock = Clock()
    watch = watch_of(drop, markers=lambda path: frozenset({f"{path}.ok"} if marked else ()))
    source = source_of(inbox, watch, clock=clock)
    with (drop / "a.pdf").open("wb", buffering=0) as file:
        for _ in range(5):
            file.write(b"more")
            source.sweep()
            clock.now += 1200
        (report,) = inbox.reports
        assert "a.pdf' has been waiting for over an hour: " in report
    (drop / "a.pdf.ok").touch()
    source.sweep()
    assert inbox.names == ["a.pdf"]
    assert len(inbox.reports) == 1


def test_F10_a_marker_names_its_file(tmp_path: Path) -> None:
    (trigger,) = rule(
        tmp_path, "trigger: {file: {path: /in, ready: '.{{ file.stem }}-{{file.name}}'}}"
    ).triggers
    assert isinstance(trigger, FileTrigger)
    assert trigger.marker("/in/deep/a.b.pdf") == "/in/deep/.a.b-a.b.pdf"


def test_F11_only_the_last_name_of_a_published_file_counts(tmp_path: Path) -> None:
    house = House(tmp_path, "trigger: {file: {path: drop}}")
    for name in (".a.pdf", "b.pdf.part", "c.pdf.tmp", "d.pdf.crdownload", "e.pdf~", "~$f.pdf", "g.pdf.swp"):
        house.file(name)
    assert house.take() == 0
    house.file("b.pdf.part").rename(house.drop / "b.pdf")
    assert house.take() == 1
    house.store.close()


def test_F13_a_file_that_is_too_small_is_waited_for(drop: Path, inbox: Inbox) -> None:
    source = source_of(inbox, watch_of(drop, least=3))
    for content in (b"", b"12", b"123"):
        assert inbox.events == []
        (drop / "a.pdf").write_bytes(content)
        source.sweep()
    assert inbox.sizes == [3]


def test_F13_each_rule_has_its_own_least_size(tmp_path: Path) -> None:
    one = (
        "  - {id: ID, trigger: {file: {path: drop, min_size: SIZE}}, to: '+905551112233', send: {text: ID}}\n"
    )
    rules = "".join(
        one.replace("ID", name).replace("SIZE", size) for name, size in (("a", "1"), ("b", "1kB"))
    )
    found = project(tmp_path, {"rules/a.yaml": f"version: 1\nrules:\n{rules}"})
    for size, wanted in ((0, []), (1, ["a"]), (1024, ["a", "b"])):
        data = {"path": f"{tmp_path}/drop/x.pdf", "size": size}
        event = Event(id="e", type="file", at=datetime.now(UTC), data=data)
        assert [rule.id for rule in found.rules_for(event)] == wanted


def test_F14_of_a_sparse_file_of_ten_gigabytes_only_the_beginning_is_read(drop: Path, inbox: Inbox) -> None:
    with (drop / "sparse.pdf").open("wb") as file:
        file.truncate(10 * 1024**3)
    source_of(inbox, watch_of(drop, reads=frozenset({"text"}))).sweep()
    (event,) = inbox.events
    assert (event.data["size"], len(event.data["text"])) == (10 * 1024**3, 256 * 1024)


@pytest.mark.parametrize(
    ("one", "other"), [("caf\u00e9.pdf", "cafe\u0301.pdf"), ("Rapor.pdf", "rapor.pdf"), ("ı.pdf", "i.pdf")]
)
def test_F17_F25_twins_in_form_or_case_are_two_files(drop: Path, inbox: Inbox, one: str, other: str) -> None:
    for name in (one, other):
        (drop / name).write_bytes(b"x")
        os.utime(drop / name, (1, 1))
    source_of(inbox, watch_of(drop)).sweep()
    assert sorted(inbox.names) == sorted([one, other])


def test_F18_links_that_go_round_and_links_out_are_not_followed(drop: Path, inbox: Inbox) -> None:
    (drop / "shadow.pdf").symlink_to("/etc/shadow")
    (drop / "a").symlink_to(drop / "b")
    (drop / "b").symlink_to(drop / "a")
    (drop / "up").symlink_to("..")
    (drop / "real.pdf").write_bytes(b"x")
    source_of(inbox, watch_of(drop, accepts=lambda _: True)).sweep()
    assert inbox.names == ["real.pdf"]


def test_each_name_of_a_hard_link_is_a_file(drop: Path, inbox: Inbox) -> None:
    (drop / "a.pdf").write_bytes(b"x")
    (drop / "b.pdf").hardlink_to(drop / "a.pdf")
    source = source_of(inbox, watch_of(drop))
    source.sweep()
    (drop / "c.pdf").hardlink_to(drop / "a.pdf")
    source.sweep()
    assert sorted(inbox.names) == ["a.pdf", "b.pdf", "c.pdf"]


def test_F20_a_pipe_with_a_writer_and_a_device_stop_nothing(drop: Path, inbox: Inbox) -> None:
    os.mkfifo(drop / "pipe.pdf")
    if os.geteuid() == 0:
        os.mknod(drop / "null.pdf", 0o20666, os.makedev(1, 3))
    pipe = os.open(drop / "pipe.pdf", os.O_RDWR | os.O_NONBLOCK)
    (drop / "real.pdf").write_bytes(b"x")
    source_of(inbox, watch_of(drop, reads=frozenset({"text"}))).sweep()
    os.close(pipe)
    assert inbox.names == ["real.pdf"]


def test_F21_a_folder_that_can_not_be_read_is_an_alarm_until_it_can(drop: Path) -> None:
    script = """
        import os, pathlib, sys
        from wbox_notify.triggers.file.source import FileSource
        from wbox_notify.triggers.file.watch import Want, Watch
        root = pathlib.Path(sys.argv[1])
        (root / "in").mkdir()
        (root / "in" / "a.pdf").write_bytes(b"x")
        root.chmod(0o755), (root / "in").chmod(0o755)
        os.geteuid() or (os.chown(root / "in", 65534, 65534), os.setuid(65534))
        watch = Watch(root / "in", lambda path: True, lambda _: Want(settle=0.0))
        emit = lambda events, versions: print([event.data["name"] for event in events])
        source = FileSource([watch], known=lambda versions: {}, emit=emit, report=lambda line: None,
            alarm=lambda about, problem: print(about.removeprefix(f"folder {root}"), bool(problem)))
        (root / "in").chmod(0)
        source.sweep(), source.sweep()
        (root / "in").chmod(0o755)
        source.sweep()
    """
    folder = Path("/tmp" if os.geteuid() == 0 else drop) / f"wbox-notify-f21-{os.getpid()}"
    folder.mkdir()
    command = [sys.executable, "-c", textwrap.dedent(script), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BOUND, check=False)
    shutil.rmtree(folder)
    assert done.stdout.splitlines() == ["/in True", "/in False", "['a.pdf']"], done.stderr


@pytest.mark.parametrize("seconds", [-(10**11), -(2**31), 0, 13 * 10**9, 10**12])
def test_a_time_that_no_calendar_or_database_takes_stops_nothing(seconds: int) -> None:
    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as folder:
        house = House(Path(folder), 'trigger: {file: {path: drop}}\nsend: {text: "{{ file.mtime.year }}"}')
        os.utime(house.file("far.pdf"), (1, seconds))
        house.file("a.pdf")
        assert house.take() == 2
        house.enter()
        assert house.take() == 2
        house.store.close()


@pytest.mark.parametrize(("number", "batches"), [(1, 1), (500, 1), (1_200, 3)])
def test_F01_up_to_500_files_are_taken_with_four_reads_and_one_write(
    tmp_path: Path, drop: Path, number: int, batches: int
) -> None:
    """What is known already is listed again without asking the store."""
    database = CountingDatabase(tmp_path / "a.db")
    store = Store(database)

    def emit(events: Sequence[Event], versions: Sequence[FileVersion]) -> None:
        store.put_events(events, 1.0, files=dict.fromkeys(versions, FileState.SEEN)).result()

    source = FileSource([Watch(drop, pdf)], known=store.files.known, emit=emit, report=lambda _line: None)
    for count in range(number):
        (drop / f"{count}.pdf").write_bytes(b"x")
    for _ in range(2):
        source.sweep()
        assert (database.reads, database.writes) == (4 * batches, batches)
    assert store.last_event() == number
    store.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_F01_a_hundred_thousand_files_at_once_are_each_taken_once(tmp_path: Path) -> None:
    """Through the store, with hints, beside a listing; the kernel's queue overflows on the way."""
    drop, number = tmp_path / "drop", 100_000
    drop.mkdir()
    store = open_store(f"sqlite:///{tmp_path}/a.db")
    told: Counter[str] = Counter()

    def emit(events: Sequence[Event], versions: Sequence[FileVersion]) -> None:
        store.put_events(events, 1.0, files=dict.fromkeys(versions, FileState.SEEN)).result()
        told.update(event.data["name"] for event in events)

    source = FileSource([Watch(drop, pdf)], known=store.files.known, emit=emit, report=lambda _line: None)
    source.start()
    for count in range(number):
        if not count % 1000:
            (drop / str(count // 1000)).mkdir()
        with (drop / str(count // 1000) / f"{count}.pdf").open("wb") as file:
            file.write(b"x")
    deadline = time.monotonic() + 500
    while len(told) < number and time.monotonic() < deadline:
        threading.Event().wait(0.1)
    source.stop()
    assert len(told) == number
    assert set(told.values()) == {1}
    assert store.last_event() == number
    store.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_F25_a_folder_with_very_many_files_takes_little_memory(tmp_path: Path) -> None:
    script = """
        import os, pathlib, sys
        from bench.processes import most_memory
        from wbox_notify.model.file_version import Past
        from wbox_notify.triggers.file.source import FileSource
        from wbox_notify.triggers.file.watch import Want, Watch
        folder = os.open(sys.argv[1], os.O_RDONLY)
        for number in range(300_000):
            os.close(os.open(f"{number}.pdf", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
        count = [0]
        def known(versions):
            count[0] += len(versions)
            return {version: Past((version,)) for version in versions}
        watch = Watch(pathlib.Path(sys.argv[1]), lambda path: True)
        before = most_memory()
        FileSource([watch], known=known, emit=lambda *_: None, report=print).sweep()
        print(count[0], round(most_memory() - before))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    count, megabytes = map(int, done.stdout.split())
    assert count == 300_000
    assert megabytes < 200


@pytest.mark.parametrize("settle", ["30s", "1s"])
def test_F10_a_file_that_is_closed_after_each_page_is_one_where_settle_is_written(
    tmp_path: Path, drop: Path, inbox: Inbox, settle: str
) -> None:
    found = project(
        tmp_path, {"rules/a.yaml": rule_file(f"trigger: {{file: {{path: drop, settle: {settle}}}}}")}
    )
    clock = Clock()
    source = source_of(inbox, *watches(found), clock=clock)
    for page in range(4):
        with (drop / "scan.pdf").open("ab") as file:
            file.write(b"page" * min(page, 1))
        source.sweep()
        clock.now += float(settle.rstrip("s")) * 0.9
    source.sweep()
    assert inbox.names == []
    clock.now += 30
    source.sweep()
    assert inbox.sizes == [12]


def test_F10_a_written_settle_is_that_of_its_own_files_alone(
    tmp_path: Path, drop: Path, inbox: Inbox
) -> None:
    one = (
        "  - {id: ID, trigger: {file: {path: drop, match: '*.ID'}}, to: '+905551112233', send: {text: ID}}\n"
    )
    rules = one.replace("ID", "pdf").replace("'*.pdf'", "'*.pdf', settle: 30s") + one.replace("ID", "txt")
    found = project(tmp_path, {"rules/a.yaml": f"version: 1\nrules:\n{rules}"})
    for name in ("a.pdf", "a.txt"):
        (drop / name).write_bytes(b"x")
    source_of(inbox, *watches(found)).sweep()
    assert inbox.names == ["a.txt"]


@pytest.mark.parametrize("ending", [".part", ".crdownload", ".opdownload", ".partial"])
def test_F11_an_empty_file_beside_its_download_waits_for_it(drop: Path, inbox: Inbox, ending: str) -> None:
    clock = Clock()
    source = source_of(inbox, watch_of(drop), clock=clock)
    (drop / "a.pdf").touch()
    download = drop / f"a.pdf{ending}"
    download.write_bytes(b"half")
    for _ in range(5):
        source.sweep()
        clock.now += 60
    assert inbox.names == []
    download.rename(drop / "a.pdf")
    source.sweep()
    assert inbox.sizes == [4]


def test_F11_an_empty_file_whose_download_was_given_up_is_taken(drop: Path, inbox: Inbox) -> None:
    clock = Clock()
    source = source_of(inbox, watch_of(drop), clock=clock)
    (drop / "a.pdf").touch()
    (drop / "a.pdf.part").touch()
    source.sweep()
    (drop / "a.pdf.part").unlink()
    for _ in range(2):
        clock.now += 60
        source.sweep()
    assert inbox.sizes == [0]


@pytest.mark.parametrize(("said", "sizes"), [("", [0, 1]), (", min_size: 0", [1, 1])])
def test_F13_an_empty_file_is_not_what_was_missing(tmp_path: Path, said: str, sizes: list[int]) -> None:
    text = f"trigger: {{missing: {{of: {{file: {{path: drop{said}}}}}, by: '07:00', window: 12h}}}}"
    found = project(tmp_path, {"rules/a.yaml": rule_file(text)})
    for size, awaited in enumerate(sizes):
        data = {"path": f"{tmp_path}/drop/db.gz", "size": size}
        event = Event(id="e", type="file", at=datetime.now(UTC), data=data)
        assert len(found.awaiting(event)) == awaited
