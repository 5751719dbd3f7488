import contextlib
import fcntl
import hashlib
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from workplace import until

from wbox_notify.errors import StoreError
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileVersion, Past
from wbox_notify.triggers.file import examine
from wbox_notify.triggers.file.examine import TEXT_LIMIT, Until
from wbox_notify.triggers.file.inotify import Inotify
from wbox_notify.triggers.file.opening import has_no_writer, opened
from wbox_notify.triggers.file.readers.text import decode
from wbox_notify.triggers.file.source import FileSource
from wbox_notify.triggers.file.waits import Waits
from wbox_notify.triggers.file.watch import ListedFile, Root, Want, Watch

BOUND = 30
"""Seconds after which a test that waits for something gives up."""


class Inbox:
    """Stands where the store will: keeps what was committed, and refuses when told to."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.kept: dict[str, FileVersion] = {}
        self.alarms: list[tuple[str, bool]] = []
        self.reports: list[str] = []
        self.refusals = 0
        self.changed = threading.Condition()

    def known(self, versions: Sequence[FileVersion]) -> dict[FileVersion, Past]:
        return {version: self.past(version) for version in versions}

    def past(self, version: FileVersion) -> Past:
        told = tuple(one for one in self.kept.values() if one.path == version.path)
        return Past(told[::-1], taken=version.first_id in self.kept)

    def emit(self, events: Sequence[Event], versions: Sequence[FileVersion]) -> None:
        with self.changed:
            if self.refusals:
                self.refusals -= 1
                raise StoreError("the disk is full")
            self.events.extend(events)
            self.kept |= {version.id: version for version in versions}
            self.changed.notify_all()

    def report(self, line: str) -> None:
        with self.changed:
            self.reports.append(line)
            self.changed.notify_all()

    def alarm(self, about: str, problem: str | None) -> None:
        self.alarms.append((about, problem is not None))

    def wait(self, wanted: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(wanted, BOUND), (self.names, self.reports)

    def wait_for(self, *names: str) -> None:
        self.wait(lambda: set(names) <= set(self.names))

    @property
    def names(self) -> list[str]:
        return [event.data["name"] for event in self.events]

    @property
    def sizes(self) -> list[int]:
        return [event.data["size"] for event in self.events]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def pdf(path: str) -> bool:
    return path.endswith(".pdf")


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def watch_of(root: Path, accepts: Callable[[str], bool] = pdf, **given: Any) -> Watch:
    """Return a watch of a folder; what it wants of a file may be a function of its path."""
    begun = given.pop("begun", lambda: None)

    def want(path: str) -> Want:
        return Want(**{name: value(path) if callable(value) else value for name, value in given.items()})

    return Watch(root, accepts, want, begun=begun)


def at_each_read(monkeypatch: pytest.MonkeyPatch, call: Callable[[], object]) -> None:
    """Call something before the content of a file is read."""
    read = examine.read

    def read_and_call(*args: Any, **kwargs: Any) -> dict[str, Any]:
        call()
        return read(*args, **kwargs)

    monkeypatch.setattr(examine, "read", read_and_call)


def source_of(inbox: Inbox, *watches: Watch, **given: Any) -> FileSource:
    facts: dict[str, Any] = {
        "known": inbox.known,
        "emit": inbox.emit,
        "report": inbox.report,
        "alarm": inbox.alarm,
        "clock": Clock(),
    }
    return FileSource(watches, **facts | given)


@contextlib.contextmanager
def running(inbox: Inbox, watch: Watch, poll: float = 3600.0) -> Iterator[FileSource]:
    """A started source whose first listing is over; it lists everything again only where it must."""
    source = source_of(inbox, replace(watch, poll=poll), clock=time.monotonic)
    (watch.root / "first.pdf").write_bytes(b"1")
    source.start()
    try:
        inbox.wait_for("first.pdf")
        yield source
    finally:
        source.stop()
        assert not source.alive


def test_F08_a_file_from_before_the_start_is_reported_with_its_facts(drop: Path, inbox: Inbox) -> None:
    file = drop / "in" / "Fatura 1.tar.pdf"
    file.parent.mkdir()
    file.write_bytes(b"%PDF")
    source_of(inbox, watch_of(drop, reads=frozenset({"sha256"}))).sweep()
    (event,) = inbox.events
    status = file.stat()
    assert event.type == "file"
    assert event.id == FileVersion.of(str(file), str(drop), status).id
    assert event.at.utcoffset() is not None
    assert event.data == {
        "path": str(file),
        "name": "Fatura 1.tar.pdf",
        "stem": "Fatura 1.tar",
        "ext": ".pdf",
        "folder": str(drop / "in"),
        "size": 4,
        "mtime": status.st_mtime,
        "digest": hashlib.sha256(b"%PDF").hexdigest(),
        "sha256": hashlib.sha256(b"%PDF").hexdigest(),
    }


def test_only_accepted_files_are_reported(drop: Path, inbox: Inbox) -> None:
    for name in ("a.pdf", "a.pdf.part", "notes.txt"):
        (drop / name).write_bytes(b"x")
    source_of(inbox, watch_of(drop)).sweep()
    assert inbox.names == ["a.pdf"]


def test_F12_a_version_is_reported_once_and_a_new_version_again(drop: Path, inbox: Inbox) -> None:
    source = source_of(inbox, watch_of(drop))
    for size in (1, 2, 3):
        with (drop / "log.pdf").open("ab") as file:
            file.write(b"x")
        source.sweep()
        source.sweep()
        assert inbox.sizes == list(range(1, size + 1))
    assert len({event.id for event in inbox.events}) == 3


def test_F08_a_restart_reports_nothing_again_and_reads_nothing_again(
    drop: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    (drop / "a.pdf").write_bytes(b"x")
    reads: list[int] = []
    at_each_read(monkeypatch, lambda: reads.append(1))
    source_of(inbox, watch_of(drop, reads=frozenset({"sha256"}))).sweep()
    assert reads == [1]
    source_of(inbox, watch_of(drop, reads=frozenset({"sha256"}))).sweep()
    assert inbox.names == ["a.pdf"]
    assert reads == [1]


def test_a_file_that_went_away_and_came_back_unchanged_is_not_new(drop: Path, inbox: Inbox) -> None:
    source = source_of(inbox, watch_of(drop))
    file = drop / "a.pdf"
    file.write_bytes(b"x")
    source.sweep()
    file.rename(drop.parent / "elsewhere.pdf")
    source.sweep()
    (drop.parent / "elsewhere.pdf").rename(file)
    source.sweep()
    assert inbox.names == ["a.pdf"]


def test_F20_what_is_no_plain_file_is_neither_opened_nor_followed(drop: Path, inbox: Inbox) -> None:
    outside = drop.parent / "outside"
    outside.mkdir()
    (outside / "secret.pdf").write_bytes(b"secret")
    os.mkfifo(drop / "fifo.pdf")
    (drop / "link.pdf").symlink_to(outside / "secret.pdf")
    (drop / "dangling.pdf").symlink_to(drop / "nothing")
    (drop / "loop").symlink_to(drop)
    (drop / "door").symlink_to(outside)
    (drop / "folder.pdf").mkdir()
    (drop / "folder.pdf" / "inner.pdf").write_bytes(b"x")
    with socket.socket(socket.AF_UNIX) as unix, contextlib.chdir(drop):
        unix.bind("socket.pdf")
        source_of(inbox, watch_of(drop)).sweep()
    assert inbox.names == ["inner.pdf"]
    assert inbox.reports == []


@pytest.mark.parametrize("kind", ["fifo", "link", "other file", "nothing"])
def test_F22_a_file_swapped_between_listing_and_opening_is_not_taken(
    drop: Path, inbox: Inbox, kind: str
) -> None:
    file = drop / "a.pdf"
    file.write_bytes(b"x")
    (drop / "other").write_bytes(b"y")

    def swap_and_ask(_: Sequence[FileVersion]) -> dict[FileVersion, Past]:
        file.unlink()
        if kind == "fifo":
            os.mkfifo(file)
        elif kind == "link":
            file.symlink_to("/etc/passwd")
        elif kind == "other file":
            (drop / "other").rename(file)
        return {}

    source_of(inbox, watch_of(drop, reads=frozenset({"text"}), settle=0), known=swap_and_ask).sweep()
    assert inbox.events == []
    assert inbox.reports == []


def test_F22_a_folder_swapped_for_a_link_leads_nowhere(drop: Path, inbox: Inbox) -> None:
    (drop / "sub").mkdir()
    (drop / "sub" / "a.pdf").write_bytes(b"x")
    moved = drop.parent / "moved"

    def swap_and_ask(_: Sequence[FileVersion]) -> dict[FileVersion, Past]:
        if not moved.exists():
            (drop / "sub").rename(moved)
            (drop / "sub").symlink_to(moved)
        return {}

    source = source_of(inbox, watch_of(drop), known=swap_and_ask)
    source.sweep()
    source.sweep()
    assert inbox.events == []


NAMES = [
    "line\nbreak.pdf",
    "🧾 Ödeme.pdf",
    "-rf.pdf",
    "{{7*7}} *bold* \x1b[31m\u202e.pdf",
    "x" * 251 + ".pdf",
    "caf\u00e9.pdf",
    "cafe\u0301.pdf",
    os.fsdecode(b"\xfe.pdf"),
    os.fsdecode(b"\xff.pdf"),
]


def test_F15_F16_F17_any_name_is_reported_unchanged_and_survives_json(drop: Path, inbox: Inbox) -> None:
    for name in NAMES:
        (drop / name).write_bytes(b"x")
        os.utime(drop / name, ns=(1, 1))
    source_of(inbox, watch_of(drop)).sweep()
    assert sorted(inbox.names) == sorted(NAMES)
    assert len({event.id for event in inbox.events}) == len(NAMES)
    assert all(json.loads(json.dumps(event.data)) == event.data for event in inbox.events)
    assert {os.fsencode(event.data["path"]) for event in inbox.events} == {
        os.fsencode(drop / name) for name in NAMES
    }


def test_roots_that_overlap_or_are_given_twice_make_one_event(drop: Path, inbox: Inbox) -> None:
    inner = drop / "in" / "ner"
    inner.mkdir(parents=True)
    (inner / "a.pdf").write_bytes(b"x")
    (drop / "b.pdf").write_bytes(b"x")
    asked = {drop: frozenset({"text"}), inner: frozenset({"sha256"})}
    watches = [watch_of(root, reads=asked[root]) for root in (drop, inner, drop, inner)]
    source = source_of(inbox, *watches, known=lambda _: {})
    source.sweep()
    source.sweep()
    data = {event.data["name"]: event.data for event in inbox.events}
    assert sorted(inbox.names) == ["a.pdf", "b.pdf"]
    assert {"sha256", "text"} <= data["a.pdf"].keys()
    assert "sha256" not in data["b.pdf"]


def test_F10_a_half_written_file_waits_for_its_writer(drop: Path, inbox: Inbox) -> None:
    source = source_of(inbox, watch_of(drop))
    with (drop / "a.pdf").open("wb", buffering=0) as file:
        for _ in range(8):
            file.write(b"half")
            assert 0 < source.sweep() <= 1
        assert inbox.events == []
    source.sweep()
    assert inbox.sizes == [32]


def test_a_writer_in_another_process_is_seen(drop: Path, inbox: Inbox) -> None:
    source = source_of(inbox, watch_of(drop))
    script = """
        import sys
        with open(sys.argv[1], "wb", 0) as file:
            file.write(b"half")
            print(flush=True)
            input()
            file.write(b"!")
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(drop / "a.pdf")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        writer.stdout.readline()
        source.sweep()
        assert inbox.events == []
        writer.communicate(b"\n", timeout=BOUND)
    source.sweep()
    assert inbox.sizes == [5]


def test_a_reader_does_not_hold_a_file_up(drop: Path, inbox: Inbox) -> None:
    (drop / "a.pdf").write_bytes(b"x")
    with (drop / "a.pdf").open("rb"):
        source_of(inbox, watch_of(drop)).sweep()
    assert inbox.names == ["a.pdf"]


def test_a_file_under_a_write_lease_waits_as_samba_wants(drop: Path, inbox: Inbox) -> None:
    source = source_of(inbox, watch_of(drop))
    (drop / "a.pdf").write_bytes(b"x")
    with (drop / "a.pdf").open("r+b") as file:
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        assert 0 < source.sweep() <= 1
        assert inbox.events == []
    source.sweep()
    assert inbox.sizes == [1]


def test_F13_an_empty_file_must_rest_first(drop: Path, inbox: Inbox) -> None:
    clock = Clock()
    source = source_of(inbox, watch_of(drop, settle=2), clock=clock)
    (drop / "scan.pdf").touch()
    (drop / "empty.pdf").touch()
    assert source.sweep() == 2
    clock.now += 1
    (drop / "scan.pdf").write_bytes(b"page")
    source.sweep()
    assert inbox.names == ["scan.pdf"]
    clock.now += 1
    source.sweep()
    assert inbox.names == ["scan.pdf", "empty.pdf"]


def test_F10_without_a_lease_a_file_must_rest(drop: Path, inbox: Inbox) -> None:
    clock = Clock()
    source = source_of(inbox, watch_of(drop, settle=1.5, lease=False), clock=clock)
    for _ in range(3):
        with (drop / "a.pdf").open("ab") as file:
            file.write(b"xx")
        assert source.sweep() == 1.5
        clock.now += 1.4
        source.sweep()
        assert inbox.events == []
    clock.now += 0.2
    source.sweep()
    assert inbox.sizes == [6]


def test_F21_a_file_that_goes_away_while_waited_for_is_forgotten(drop: Path, inbox: Inbox) -> None:
    clock = Clock()
    source = source_of(inbox, watch_of(drop, lease=False), clock=clock)
    (drop / "a.pdf").write_bytes(b"x")
    source.sweep()
    (drop / "a.pdf").unlink()
    clock.now += 2
    source.sweep()
    assert source._waits.due() == {}
    assert inbox.events == []


def test_a_file_that_changes_while_it_is_read_is_not_finished(
    drop: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = drop / "a.pdf"
    file.write_bytes(b"one")
    meddle = [b" two"]

    def append() -> None:
        if meddle:
            with file.open("ab") as more:
                more.write(meddle.pop())

    at_each_read(monkeypatch, append)
    source = source_of(inbox, watch_of(drop, reads=frozenset({"sha256", "text"})))
    source.sweep()
    assert inbox.events == []
    source.sweep()
    assert [event.data["text"] for event in inbox.events] == ["one two"]


def run(script: str) -> list[str]:
    """Run a script in a process of its own; return the lines that it prints."""
    prelude = """
        import encodings.utf_8_sig, os, pathlib, resource, shutil, tempfile
        from wbox_notify.triggers.file.source import FileSource
        from wbox_notify.triggers.file.watch import Want, Watch
        from wbox_notify.triggers.file import inotify, opening
    """
    command = [sys.executable, "-c", textwrap.dedent(prelude) + textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BOUND, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def as_nobody(script: str) -> list[str]:
    """Run a script as a user who may not read everything."""
    return run("os.geteuid() or os.setuid(65534)\n" + textwrap.dedent(script))


def test_a_foreign_file_can_not_be_asked() -> None:
    script = "print(opening.has_no_writer(os.open('/etc/passwd', os.O_RDONLY)))"
    assert as_nobody(script) == ["None"]


def test_asking_for_writers_leaves_no_lease_behind(drop: Path) -> None:
    with (drop / "a").open("w+b") as writer:
        descriptor = os.open(drop / "a", os.O_RDONLY)
        assert has_no_writer(descriptor) is False
        writer.close()
        assert has_no_writer(descriptor) is True
        assert fcntl.fcntl(descriptor, fcntl.F_GETLEASE) == fcntl.F_UNLCK
        os.close(descriptor)


def test_F21_what_can_not_be_read_is_reported_once_and_the_rest_goes_on() -> None:
    script = """
        root = pathlib.Path(tempfile.mkdtemp())
        (root / "closed").mkdir()
        for name in ("closed/a.pdf", "b.pdf", "text.pdf"):
            (root / name).write_bytes(b"x")
        (root / "text.pdf").chmod(0)
        (root / "closed").chmod(0)
        reads = lambda path: frozenset({"text"} if path.endswith("text.pdf") else ())
        found = []
        source = FileSource(
            [Watch(root, lambda path: True, lambda path: Want(reads=reads(path)))],
            known=lambda versions: {},
            emit=lambda events, _: found.extend(events),
            report=lambda line: print(line.replace(str(root), "")),
        )
        source.sweep(), source.sweep()
        print([event.data["name"] for event in found])
        (root / "closed").chmod(0o700), (root / "text.pdf").chmod(0o600)
        source.sweep()
        print(sorted(event.data["name"] for event in found))
        shutil.rmtree(root)
    """
    *first, found, relief, later = as_nobody(script)
    assert sorted(first) == [
        "The file '/text.pdf' cannot be read: Permission denied.",
        "The folder '/closed' cannot be read: Permission denied.",
    ]
    assert found == "['b.pdf']"
    assert relief == "The folder '/closed' can be read again."
    assert later == "['a.pdf', 'b.pdf', 'text.pdf']"


def test_F21_an_unreadable_file_is_still_reported_where_nothing_of_it_is_read() -> None:
    script = """
        root = pathlib.Path(tempfile.mkdtemp())
        (root / "a.pdf").write_bytes(b"xyz"), (root / "a.pdf").chmod(0)
        now = [0]
        emit = lambda events, _: print([event.data["size"] for event in events])
        source = FileSource([Watch(root, lambda path: True)],
            known=lambda versions: {}, emit=emit, report=print, clock=lambda: now[0])
        print(source.sweep())
        now[0] = 2
        source.sweep()
        shutil.rmtree(root)
    """
    assert as_nobody(script) == ["2.0", "[3]"]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", ""),
        ("Ödeme şğı".encode(), "Ödeme şğı"),
        ("Ödeme".encode("utf-8-sig"), "Ödeme"),
        ("Ödeme 🧾".encode("utf-16"), "Ödeme 🧾"),
        (b"\xfe\xff" + "Ödeme".encode("utf-16-be"), "Ödeme"),
        ("İstanbul şğı".encode("cp1254"), "İstanbul şğı"),
        (b"\x8d\xe9\r\n", "\ufffdé\r\n"),
        ("Ödeme".encode("utf-16-le"), "Ödeme"),
        ("Ödeme".encode("utf-32"), "Ödeme"),
    ],
)
def test_text_is_read_in_the_encoding_it_has(raw: bytes, text: str, drop: Path, inbox: Inbox) -> None:
    (drop / "a.pdf").write_bytes(raw)
    source_of(inbox, watch_of(drop, reads=frozenset({"text"}), settle=0)).sweep()
    assert inbox.events[0].data["text"] == text
    assert "truncated" not in inbox.events[0].data


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")), st.integers(0, 3))
def test_text_cut_within_a_character_loses_only_that_character(text: str, cut: int) -> None:
    raw = text.encode()
    whole = text.removeprefix("\ufeff")
    kept = decode(raw[: len(raw) - cut], whole=False)
    assert whole.startswith(kept)
    assert len(whole) - len(kept) <= cut


@given(st.binary())
def test_any_bytes_have_a_text(raw: bytes) -> None:
    json.dumps(decode(raw))


def test_of_a_large_file_the_beginning_is_given_as_text(drop: Path, inbox: Inbox) -> None:
    text = "aş" * TEXT_LIMIT
    (drop / "a.pdf").write_text(text, encoding="utf-8")
    source_of(inbox, watch_of(drop, reads=frozenset({"sha256", "text"}))).sweep()
    data = inbox.events[0].data
    assert data["truncated"] is True
    assert text.startswith(data["text"])
    assert TEXT_LIMIT - 3 < len(data["text"].encode()) <= TEXT_LIMIT
    assert data["sha256"] == hashlib.sha256(text.encode()).hexdigest()


def test_much_text_is_emitted_in_parts(drop: Path, inbox: Inbox) -> None:
    for number in range(70):
        (drop / f"{number}.pdf").write_bytes(b"x" * TEXT_LIMIT)
    batches: list[int] = []
    watch = watch_of(drop, reads=frozenset({"text"}))
    source_of(inbox, watch, emit=lambda events, _: batches.append(len(events))).sweep()
    assert sum(batches) == 70
    assert max(batches) < 40


def test_a_store_that_refuses_loses_nothing_and_is_reported_once(drop: Path, inbox: Inbox) -> None:
    for name in "abc":
        (drop / f"{name}.pdf").write_bytes(b"x")
    source = source_of(inbox, watch_of(drop))
    inbox.refusals = 3
    assert [source.sweep() for _ in range(3)] == [0.5, 1, 2]
    assert inbox.events == []
    source.sweep()
    source.sweep()
    assert sorted(inbox.names) == ["a.pdf", "b.pdf", "c.pdf"]
    assert inbox.reports == [
        "The store cannot take files now (the disk is full); they are tried again.",
        "The store takes files again.",
    ]


def test_a_store_that_refused_takes_files_again_only_when_it_was_asked(drop: Path, inbox: Inbox) -> None:
    (drop / "a.pdf").write_bytes(b"x")
    source = source_of(inbox, watch_of(drop))
    inbox.refusals = 1
    source.sweep()
    (drop / "a.pdf").unlink()
    drop.rename(drop.parent / "away")
    source.sweep()
    assert inbox.reports[0].startswith("The store cannot take files now")
    assert "The store takes files again." not in inbox.reports
    (drop.parent / "away").rename(drop)
    (drop / "b.pdf").write_bytes(b"x")
    source.sweep()
    assert inbox.reports[-1] == "The store takes files again."


def test_a_store_that_can_not_be_asked_loses_nothing(drop: Path, inbox: Inbox) -> None:
    (drop / "a.pdf").write_bytes(b"x")
    away = [True]

    def known(versions: Sequence[FileVersion]) -> dict[FileVersion, Past]:
        if away:
            raise StoreError("no connection")
        return inbox.known(versions)

    source = FileSource([Watch(drop, pdf)], known=known, emit=inbox.emit, report=inbox.report)
    source.sweep()
    away.clear()
    source.sweep()
    assert inbox.names == ["a.pdf"]


def test_the_store_is_asked_and_told_in_batches(drop: Path, inbox: Inbox) -> None:
    for number in range(1201):
        (drop / f"{number}.pdf").write_bytes(b"x")
    asked: list[int] = []
    told: list[int] = []

    def known(versions: Sequence[FileVersion]) -> dict[FileVersion, Past]:
        asked.append(len(versions))
        return {}

    source = source_of(inbox, watch_of(drop), known=known, emit=lambda events, _: told.append(len(events)))
    source.sweep()
    source.sweep()
    assert asked == told == [500, 500, 201]


def test_F04_a_missing_root_is_reported_once_and_taken_up_when_it_comes(drop: Path, inbox: Inbox) -> None:
    late = drop / "late"
    source = source_of(inbox, watch_of(late), watch_of(drop / "here"))
    (drop / "here").mkdir()
    (drop / "here" / "a.pdf").write_bytes(b"x")
    assert source.sweep() <= 5
    source.sweep()
    assert inbox.names == ["a.pdf"]
    late.mkdir()
    (late / "b.pdf").write_bytes(b"x")
    source.sweep()
    assert inbox.names == ["a.pdf", "b.pdf"]
    assert inbox.reports == [
        f"The folder '{late}' is missing: No such file or directory. It is watched once it appears.",
        f"The folder '{late}' can be read again.",
    ]


def test_a_root_that_is_no_folder_is_told_in_plain_words(drop: Path, inbox: Inbox) -> None:
    (drop / "file").touch()
    source_of(inbox, watch_of(drop / "file")).sweep()
    assert inbox.reports == [
        f"The folder '{drop / 'file'}' is missing: Not a directory. It is watched once it appears."
    ]


def test_a_root_may_be_a_link(drop: Path, inbox: Inbox) -> None:
    link = drop.parent / "link"
    link.symlink_to(drop)
    with running(inbox, watch_of(link)):
        (drop / "a.pdf").write_bytes(b"x")
        inbox.wait_for("a.pdf")
    assert {event.data["folder"] for event in inbox.events} == {str(link)}


def test_F05_a_root_deleted_and_made_again_is_watched_again(drop: Path, inbox: Inbox) -> None:
    with running(inbox, watch_of(drop), poll=0.2):
        for number in range(3):
            reports = len(inbox.reports)
            shutil.rmtree(drop)
            inbox.wait(lambda reports=reports: len(inbox.reports) > reports)  # type: ignore[misc] # bound
            drop.mkdir()
            (drop / f"{number}.pdf").write_bytes(b"x")
            inbox.wait_for(f"{number}.pdf")
    assert len(inbox.reports) == 6


def test_F06_a_root_that_comes_or_is_replaced_is_noticed_between_listings(drop: Path, inbox: Inbox) -> None:
    root = drop / "root"
    source = source_of(inbox, watch_of(root))
    assert source.sweep() <= 5
    root.mkdir()
    (root / "a.pdf").write_bytes(b"x")
    source._look(())
    assert inbox.names == ["a.pdf"]
    root.rename(drop / "old")
    root.mkdir()
    (root / "b.pdf").write_bytes(b"x")
    source._look(())
    assert inbox.names == ["a.pdf", "b.pdf"]


def test_a_folder_made_anew_again_and_again_is_watched_each_time(drop: Path, inbox: Inbox) -> None:
    with running(inbox, watch_of(drop)):
        for number in range(40):
            shutil.rmtree(drop / "in", ignore_errors=True)
            (drop / "in").mkdir()
            if number % 2:
                (drop / "in" / "early.txt").touch()
            (drop / "in" / f"{number}.pdf").write_bytes(b"x")
            inbox.wait_for(f"{number}.pdf")


def test_F06_a_root_replaced_by_another_is_watched_in_its_place(drop: Path, inbox: Inbox) -> None:
    old = drop.parent / "old"
    with running(inbox, watch_of(drop)):
        drop.rename(old)
        drop.mkdir()
        (old / "old.pdf").write_bytes(b"x")
        (drop / "a.pdf").write_bytes(b"x")
        inbox.wait_for("a.pdf")
        (drop / "b.pdf").write_bytes(b"x")
        inbox.wait_for("b.pdf")
    assert sorted(inbox.names) == ["a.pdf", "b.pdf", "first.pdf"]


def test_a_folder_tree_deeper_than_a_path_can_be_ends_in_one_report(drop: Path, inbox: Inbox) -> None:
    descriptor = os.open(drop, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=descriptor)
        inner = os.open("d" * 250, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    source = source_of(inbox, watch_of(drop))
    source.sweep()
    source.sweep()
    (report,) = inbox.reports
    assert report.endswith("cannot be read: File name too long.")


def test_F09_each_way_into_a_running_folder_is_seen_once(drop: Path, inbox: Inbox) -> None:
    outside = drop.parent / "outside"
    (outside / "tree" / "deep").mkdir(parents=True)
    for name in ("moved.pdf", "tree/one.pdf", "tree/deep/two.pdf", "linked.pdf"):
        (outside / name).write_bytes(b"x")
    with running(inbox, watch_of(drop)):
        shutil.copy(outside / "moved.pdf", drop / "copied.pdf")
        (outside / "moved.pdf").rename(drop / "moved.pdf")
        (outside / "tree").rename(drop / "tree")
        (drop / "hard.pdf").hardlink_to(outside / "linked.pdf")
        (drop / "part.pdf.part").write_bytes(b"x")
        (drop / "part.pdf.part").rename(drop / "part.pdf")
        deep = drop / "a" / "b" / "c" / "d"
        deep.mkdir(parents=True)
        (deep / "deep.pdf").write_bytes(b"x")
        wanted = {"copied", "moved", "one", "two", "hard", "part", "deep"}
        inbox.wait_for(*(f"{name}.pdf" for name in wanted))
        (drop / "tree" / "deep" / "later.pdf").write_bytes(b"x")
        (drop / "tree").rename(drop / "wood")
        (drop / "wood" / "deep" / "last.pdf").write_bytes(b"x")
        inbox.wait_for("last.pdf")
    assert all(count == 1 for count in Counter(event.id for event in inbox.events).values())


def test_F10_a_file_written_while_it_runs_is_reported_when_it_is_closed(drop: Path, inbox: Inbox) -> None:
    with running(inbox, watch_of(drop)):
        with (drop / "slow.pdf").open("wb", buffering=0) as slow:
            slow.write(b"half")
            (drop / "other.pdf").write_bytes(b"x")
            inbox.wait_for("other.pdf")
            slow.write(b"half")
        inbox.wait_for("slow.pdf")
    assert inbox.sizes == [1, 1, 8]


def test_F01_a_burst_of_files_in_new_folders_loses_none_and_doubles_none(drop: Path, inbox: Inbox) -> None:
    with running(inbox, watch_of(drop, reads=frozenset({"sha256"}))):
        for number in range(2000):
            folder = drop / str(number % 7) / str(number % 5)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.pdf").write_bytes(b"x")
        inbox.wait(lambda: len(inbox.events) >= 2001)
    assert sorted(inbox.names) == sorted(["first.pdf", *(f"{number}.pdf" for number in range(2000))])


def test_F02_an_overflow_of_the_kernels_queue_loses_nothing(drop: Path, inbox: Inbox) -> None:
    queue = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if queue > 100_000:
        pytest.skip("this kernel keeps too many events for a quick test")
    with running(inbox, watch_of(drop)) as source:
        hints = source._scanner.hints
        assert hints
        with hints._lock:  # its thread cannot read on
            for number in range(queue + 10_000):
                os.close(os.open(drop / f"{number % 2}.txt", os.O_WRONLY | os.O_CREAT))
            (drop / "lost.pdf").write_bytes(b"x")
        inbox.wait_for("lost.pdf")
        (drop / "after.pdf").write_bytes(b"x")
        inbox.wait_for("after.pdf")


def test_more_hints_than_are_kept_become_one_listing(drop: Path, inbox: Inbox) -> None:
    with running(inbox, watch_of(drop)) as source:
        hints = source._scanner.hints
        assert hints
        hints.limit = 3
        with hints._lock:
            for number in range(50):
                (drop / f"{number}.pdf").write_bytes(b"x")
        inbox.wait_for(*(f"{number}.pdf" for number in range(50)))
        assert len(hints._paths) <= 3


def test_a_file_that_was_seen_is_not_compared_with_the_patterns_again(drop: Path, inbox: Inbox) -> None:
    """So a listing of many known files costs as little with many rules."""
    asked: list[str] = []

    def accepts(path: str) -> bool:
        asked.append(path)
        return True

    source = source_of(inbox, watch_of(drop, accepts))
    for number in range(20):
        (drop / f"{number}.pdf").write_bytes(b"x")
    source.sweep()
    asked.clear()
    (drop / "7.pdf").write_bytes(b"xx")
    source.sweep()
    assert asked == [str(drop / "7.pdf")]
    assert len(inbox.events) == 21


def test_a_marker_lets_its_own_file_be_looked_at_and_no_other_that_waits(drop: Path, inbox: Inbox) -> None:
    asked: list[str] = []

    def known(versions: Sequence[FileVersion]) -> dict[FileVersion, Past]:
        asked.extend(version.path for version in versions)
        return inbox.known(versions)

    watch = watch_of(drop, markers=lambda path: frozenset({f"{path}.ok"}))
    source = source_of(inbox, watch, known=known)
    for number in range(50):
        (drop / f"{number}.pdf").write_bytes(b"x")
    source.sweep()
    asked.clear()
    (drop / "7.pdf.ok").touch()
    source._look([str(drop / "7.pdf.ok")])
    assert asked == [str(drop / "7.pdf")]
    assert inbox.names == ["7.pdf"]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([*Until, None]), st.integers(0, 70))))
def test_files_that_wait_are_looked_at_when_they_are_due(steps: list[tuple[str, Until | None, int]]) -> None:
    """None stands for a file that waits no longer."""
    clock, due = Clock(), dict[str, float]()
    waits = Waits(clock)
    root = Root("/drop", [])
    for name, until_, seconds in steps:
        file = ListedFile(root, name, os.stat_result([0] * 10), Want())
        if until_ is None:
            waits.drop(name)
            due.pop(name, None)
        else:
            waits.add(file, until_)
            due[name] = waits._waits[name].due
        assert waits.next == min(due.values(), default=math.inf)
        clock.now += seconds
        assert {*waits.due()} == {*waits.due()} == {name for name in due if due[name] <= clock.now}


def test_a_file_that_was_just_made_awaits_its_closing(drop: Path) -> None:
    """So it is looked at when it is closed, and not before and after."""
    hints = Inotify(threading.Event())
    with opened(str(drop), str(drop), os.O_RDONLY | os.O_DIRECTORY) as descriptor:
        hints.watch(str(drop), descriptor)
    try:
        assert not hints.awaits_closing
        with (drop / "a.pdf").open("wb"):
            until(lambda: hints.awaits_closing)
        until(lambda: not hints.awaits_closing)
        assert hints.take() == {str(drop / "a.pdf")}
    finally:
        hints.close()


def test_F24_it_goes_on_listing_when_inotify_ends(drop: Path, inbox: Inbox) -> None:
    with running(inbox, watch_of(drop), poll=0.2) as source:
        hints = source._scanner.hints
        assert hints
        hints._inotify.stop()
        hints._inotify.join(BOUND)
        (drop / "a.pdf").write_bytes(b"x")
        inbox.wait_for("a.pdf")
        inbox.wait(lambda: bool(inbox.reports))
    assert inbox.reports == [
        "inotify cannot be used (its reader ended): folders are listed every 2 seconds instead."
    ]


def test_F03_it_starts_without_inotify_where_the_limit_is_reached() -> None:
    script = """
        source = FileSource([], known=dict, emit=print, report=print)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        try:
            while True:
                os.dup(0)
        except OSError:
            source.start()
            source.stop()
    """
    (report,) = run(script)
    assert report.startswith("inotify cannot be used (inotify instance limit reached): folders are listed")


def test_F03_folders_that_inotify_has_no_room_for_are_listed_more_often(drop: Path) -> None:
    enter = ["unshare", "--user", "--map-root-user", "sh", "-c"]
    limit = "echo 2 > /proc/sys/user/max_inotify_watches"
    if (
        not shutil.which("unshare")
        or subprocess.run([*enter, limit], capture_output=True, check=False).returncode
    ):
        pytest.skip("no user namespaces here")
    (drop / "a" / "b" / "c").mkdir(parents=True)
    (drop / "a" / "b" / "c" / "x.pdf").write_bytes(b"x")
    script = """
        import pathlib, sys, threading
        from wbox_notify.triggers.file.source import FileSource
        from wbox_notify.triggers.file.watch import Want, Watch
        again = threading.Semaphore(0)
        root = pathlib.Path(sys.argv[1])
        emit = lambda events, _: print(events[0].data["name"], flush=True) or again.release()
        source = FileSource([Watch(root, lambda path: True)],
            known=lambda versions: {}, emit=emit, report=lambda line: print(line, flush=True))
        source.start()
        again.acquire(timeout=20)
        (root / "a" / "b" / "c" / "y.pdf").write_bytes(b"y")
        again.acquire(timeout=20)
        source.stop()
    """
    command = [*enter, f'{limit}; exec "$0" "$@"', sys.executable, "-c", textwrap.dedent(script), str(drop)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BOUND, check=True)
    report, *names = done.stdout.splitlines()
    assert report.startswith(f"inotify cannot watch all folders below '{drop}' (inotify watch limit reached)")
    assert names == ["x.pdf", "y.pdf"]


def test_it_stops_in_the_midst_of_a_huge_file_and_reports_nothing_of_it(
    drop: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (drop / "huge.pdf").open("wb") as huge:
        huge.truncate(200 * 1024**3)
    reading = threading.Event()

    at_each_read(monkeypatch, reading.set)
    source = source_of(inbox, watch_of(drop, reads=frozenset({"sha256"})), clock=time.monotonic)
    source.start()
    assert reading.wait(BOUND)
    source.stop()
    assert not source.alive
    assert inbox.events == []


def test_a_refusing_store_gets_what_came_in_the_meantime(drop: Path, inbox: Inbox) -> None:
    with running(inbox, watch_of(drop)):
        inbox.refusals = 1
        (drop / "a.pdf").write_bytes(b"x")
        inbox.wait(lambda: bool(inbox.reports))
        (drop / "b.pdf").write_bytes(b"x")
        inbox.wait_for("a.pdf", "b.pdf")
    assert sorted(inbox.names) == ["a.pdf", "b.pdf", "first.pdf"]


class Drops(RuleBasedStateMachine):
    """People and programs at work in a folder, with sweeps in between."""

    names = st.sampled_from(["a.pdf", "b.pdf", "in/a.pdf", "in/ner/b.pdf"])
    folders = st.sampled_from(["in", "in/ner", "out"])
    some = st.binary(max_size=3)

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.inbox = Inbox()
        self.clock = Clock()
        self.writers: list[Any] = []
        self.told: set[tuple[int, str]] = set()
        self.start()

    @rule()
    def start(self) -> None:
        watch = Watch(self.root, pdf, lambda _: Want(reads=frozenset({"text"})))
        self.source = FileSource(
            [watch], known=self.inbox.known, emit=self.emit, report=self.inbox.report, clock=self.clock
        )

    def emit(self, events: Sequence[Event], versions: Sequence[FileVersion]) -> None:
        written = {os.fstat(writer.fileno()).st_ino for writer in self.writers}
        for event in events:
            status = Path(event.data["path"]).stat()
            assert status.st_ino not in written, "reported while somebody writes it"
            assert status.st_size == event.data["size"] == len(event.data["text"])
            self.told.add((status.st_ino, event.data["text"]))
        self.inbox.emit(events, versions)

    @rule(name=names, content=some)
    def write(self, name: str, content: bytes) -> None:
        with contextlib.suppress(FileNotFoundError):
            (self.root / name).write_bytes(content.replace(b"\xff", b"").hex().encode())

    @rule(name=names)
    def append(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError), (self.root / name).open("ab") as file:
            file.write(b"+")

    @rule(name=names)
    def begin_writing(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.writers.append((self.root / name).open("ab", buffering=0))

    @precondition(lambda self: self.writers)
    @rule(data=st.data())
    def go_on_writing(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.writers)).write(b"-")

    @precondition(lambda self: self.writers)
    @rule()
    def end_writing(self) -> None:
        self.writers.pop().close()

    @rule(name=names, to=names)
    def move(self, name: str, to: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            (self.root / name).rename(self.root / to)

    @rule(name=names)
    def delete(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True) if (self.root / name).parent.is_dir() else None

    @rule(folder=folders)
    def make_folder(self, folder: str) -> None:
        (self.root / folder).mkdir(parents=True, exist_ok=True)

    @rule(folder=folders, to=folders)
    def move_folder(self, folder: str, to: str) -> None:
        with contextlib.suppress(OSError):
            (self.root / folder).rename(self.root / to)

    @rule(folder=folders)
    def delete_folder(self, folder: str) -> None:
        shutil.rmtree(self.root / folder, ignore_errors=True)

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def sweep(self) -> None:
        self.source.sweep()

    @rule()
    def have_the_store_refuse(self) -> None:
        self.inbox.refusals = 1

    @invariant()
    def nothing_is_reported_twice(self) -> None:
        ids = [event.id for event in self.inbox.events]
        assert len(ids) == len(set(ids))

    def teardown(self) -> None:
        for writer in self.writers:
            writer.close()
        self.writers.clear()
        self.inbox.refusals = 0
        for _ in range(2):
            self.source.sweep()
            self.clock.now += 5
        self.source.sweep()
        self.nothing_is_reported_twice()
        told = {event.id for event in self.inbox.events}
        for path in self.root.rglob("*.pdf"):
            # Written once more with what was in it and then moved, a file looks like one whose time was set.
            again = (path.stat().st_ino, path.read_text()) in self.told
            assert again or FileVersion.of(str(path), "", path.stat()).id in told
        shutil.rmtree(self.root)


Drops.TestCase.settings = settings(stateful_step_count=30)
TestDrops = Drops.TestCase
