"""Identity of files: each content is told once, whatever happens to a file besides."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from test_afterwards import SHM, House

from wbox_notify.model.events import Event
from wbox_notify.model.file_version import WHOLE, FileState, FileVersion
from wbox_notify.store import Store, open_store
from wbox_notify.triggers.file.rows import Reading, RowFiles, Wanted
from wbox_notify.triggers.file.source import FileSource
from wbox_notify.triggers.file.watch import Want, Watch

OLD = 1_700_000_000 * 10**9
"""A time that tools set: long ago, in nanoseconds."""


class Folder:
    """A watched folder with a real store."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "drop"
        self.root.mkdir()
        self.probe = folder / "probe"
        self.store: Store = open_store(f"sqlite:///{folder}/a.db")
        self.events: list[Event] = []
        self.start()

    def want(self, path: str) -> Want:
        """Return what the rules that take a file want of it."""
        rules = {"all", "final"} if "/final/" in path else {"all"}
        return Want(rules=frozenset(rules), reads=frozenset({"text"}))

    def start(self) -> None:
        """Begin as after a restart."""
        watch = Watch(self.root, lambda _: True, self.want)
        self.source = FileSource([watch], known=self.store.files.known, emit=self.emit, report=print)

    def emit(self, events: Sequence[Event], versions: Sequence[FileVersion]) -> None:
        told = {event.id: FileState.SEEN for event in events}
        fates = {version: told.get(version.id, FileState.IGNORED) for version in versions}
        assert all(self.store.put_events(events, 1.0, files=fates).result()), "an id is that of another"
        self.events += events

    def sweep(self) -> list[str]:
        """Look; return what was told now."""
        before = len(self.events)
        self.source.sweep()
        self.tick()
        return [event.data["text"] for event in self.events[before:]]

    def tick(self) -> None:
        """Return when the clock of the file system has gone on."""
        self.probe.touch()
        before = self.probe.stat().st_mtime_ns
        while self.probe.stat().st_mtime_ns == before:
            self.probe.touch()

    def file(self, content: str = "one", name: str = "a.txt", time: int | None = None) -> Path:
        """Write a file in its place, and set its time afterwards as `cp -p` does."""
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        if time is not None:
            os.utime(path, ns=(time, time))
        return path

    def swap(self, content: str = "two", name: str = "a.txt", time: int = OLD) -> Path:
        """Rename another file into the place of one."""
        other = self.root.parent / "other"
        other.write_text(content)
        os.utime(other, ns=(time, time))
        return other.rename(self.root / name)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    one = Folder(tmp_path)
    yield one
    one.store.close()


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("way", ["in its place", "renamed", "after it was gone"])
def test_F12_other_content_with_the_same_size_and_time_is_told(
    folder: Folder, way: str, *, restart: bool
) -> None:
    file = folder.file("one", time=OLD)
    assert folder.sweep() == ["one"]
    if way == "after it was gone":
        file.unlink()
        assert folder.sweep() == []
    if restart:
        folder.start()
    folder.swap("two") if way == "renamed" else folder.file("two", time=OLD)
    assert folder.sweep() == ["two"]
    folder.start()
    assert folder.sweep() == []


def test_F12_what_follows_one_another_with_the_same_size_and_time_is_told_each_time(folder: Folder) -> None:
    for content in ("one", "two", "tre"):
        folder.swap(content)
        assert folder.sweep() == [content]
        folder.start()
        assert folder.sweep() == []


CHANGES: dict[str, Callable[[Path], object]] = {
    "time": lambda path: os.utime(path, ns=(OLD, OLD)),
    "mode": lambda path: path.chmod(0o600),
    "owner": lambda path: os.chown(path, os.getuid(), os.getgid()),
    "one more name": lambda path: path.parent.parent.joinpath("link").hardlink_to(path),
    "renamed and back": lambda path: path.rename(path.with_name(".x")).rename(path),
    "the same content again": lambda path: (path.write_text("one"), os.utime(path, ns=(OLD, OLD))),
    "a copy of the same time": lambda path: shutil.copy2(path, path.parent.parent / "c").rename(path),
}


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_F12_a_change_of_time_mode_owner_or_name_is_no_new_content(
    folder: Folder, change: str, *, restart: bool
) -> None:
    file = folder.file()
    assert folder.sweep() == ["one"]
    if restart:
        folder.start()
    CHANGES[change](file)
    assert folder.sweep() == []
    folder.start()
    assert folder.sweep() == []
    file.write_text("two")
    assert folder.sweep() == ["two"]


def test_a_file_that_is_touched_is_told_again(folder: Folder) -> None:
    file = folder.file(time=OLD)
    folder.sweep()
    file.touch()
    assert folder.sweep() == ["one"]
    assert folder.sweep() == []


def test_of_a_large_file_a_time_that_is_set_soon_ends_its_copying_and_later_it_may_be_other_content() -> None:
    size, second = WHOLE + 1, 10**9
    told = FileVersion("/a", "/", 1, 2, size, 10, ctime_ns=OLD, digest="samples")
    now = replace(told, mtime_ns=5, ctime_ns=OLD + 30 * second)
    assert now.repeats(replace(told, digest="")) is True
    assert replace(now, digest="").repeats(told) is None
    assert now.repeats(told) is True
    assert replace(now, digest="other").repeats(told) is False
    assert replace(now, ctime_ns=OLD + 61 * second).repeats(told) is False
    assert replace(now, size=WHOLE, ctime_ns=OLD + 61 * second).repeats(replace(told, size=WHOLE)) is True


def test_a_large_file_is_known_by_samples_from_its_beginning_to_its_end(folder: Folder) -> None:
    file = folder.root / "a.txt"
    with file.open("wb") as stream:
        stream.truncate(3 * WHOLE)
    folder.sweep()
    for place in (0, 3 * WHOLE - 1):
        with file.open("r+b") as stream:
            stream.seek(place)
            stream.write(b"x")
        os.utime(file, ns=(OLD, OLD))
        assert len(folder.sweep()) == 1


def test_a_file_in_a_renamed_folder_is_not_new(folder: Folder) -> None:
    folder.file(name="in/a.txt")
    folder.sweep()
    (folder.root / "in").rename(folder.root / "out")
    folder.start()
    assert folder.sweep() == []
    folder.file("one", name="in/a.txt")
    assert folder.sweep() == ["one"]
    (folder.root / "out" / "a.txt").write_text("two")
    assert folder.sweep() == ["two"]


def test_a_file_that_comes_to_where_another_rule_waits_for_it_is_new(folder: Folder) -> None:
    folder.file(name="in/a.txt")
    folder.sweep()
    (folder.root / "in").rename(folder.root / "final")
    assert folder.sweep() == ["one"]


def test_a_file_with_a_new_name_is_new(folder: Folder) -> None:
    file = folder.file(name="upload-4711")
    folder.sweep()
    file.rename(folder.root / "a.txt")
    assert folder.sweep() == ["one"]


def test_F12_what_comes_to_the_place_of_a_file_that_was_put_away_is_new(tmp_path: Path) -> None:
    house = House(tmp_path, "trigger: {file: {path: drop, done: archive/}}")
    for _ in range(3):
        os.utime(house.file(), ns=(OLD, OLD))
        assert house.take() == 1
        house.end()
        house.after()
        assert house.there == ["drop/archive/a.pdf"]
        assert house.take() == 0
    (house.drop / "archive" / "a.pdf").rename(house.drop / "a.pdf")
    house.enter()
    assert house.take() == 1
    house.store.close()


def test_a_file_that_stays_in_its_own_folder_is_told_once(tmp_path: Path) -> None:
    house = House(tmp_path, "trigger: {file: {path: drop, done: .}}")
    house.file()
    house.through()
    house.enter()
    assert house.take() == 0
    assert house.there == ["drop/a.pdf"]
    house.store.close()


def test_a_file_whose_time_was_set_is_put_away(tmp_path: Path) -> None:
    house = House(tmp_path, "trigger: {file: {path: drop, done: archive/}}")
    file = house.file()
    assert house.take() == 1
    os.utime(file, ns=(OLD, OLD))
    house.end()
    house.after()
    assert house.there == ["drop/archive/a.pdf"]
    assert house.take() == 0
    house.store.close()


def test_other_content_of_the_same_size_and_time_is_not_put_away_in_place_of_what_was_told(
    tmp_path: Path,
) -> None:
    house = House(tmp_path, "trigger: {file: {path: drop, done: archive/}}")
    file = house.file(content=b"one")
    os.utime(file, ns=(OLD, OLD))
    assert house.take() == 1
    file.write_bytes(b"two")
    os.utime(file, ns=(OLD, OLD))
    house.end()
    house.after()
    assert house.there == ["drop/a.pdf"]
    house.through()
    assert house.there == ["drop/archive/a.pdf"]
    house.store.close()


def test_rows_of_a_file_whose_time_was_set_are_read_and_those_of_other_content_are_not(
    folder: Folder,
) -> None:
    file = folder.file("name\nAnna\n", "a.csv")
    folder.sweep()
    data = folder.events[0].data
    wanted = Wanted(
        reader="r",
        path=str(file),
        root=str(folder.root),
        version=data,
        reading=Reading(),
        start=1,
        most=9,
    )
    os.utime(file, ns=(OLD, OLD))
    assert [row.value for row in RowFiles()(wanted).rows] == [{"name": "Anna"}]
    folder.file("name\nBert\n", "a.csv", OLD)
    assert "has changed" in (RowFiles()(wanted).problem or "")


@dataclass(eq=False)
class Content:
    """What one act of writing has left: it is to be told once.

    Where its time was ``set``, content that was told before is not told again.
    """

    text: str
    told: int = 0
    set: bool = False


class Lives(RuleBasedStateMachine):
    """People and programs at work on files, with an oracle that knows each content that was written."""

    names = st.sampled_from(["a", "b", "in/a", "in/b", "out/a"])
    texts = st.sampled_from(["one", "two", "tre", "four"])
    times = st.sampled_from([OLD, OLD + 1])

    def __init__(self) -> None:
        super().__init__()
        base = SHM if SHM.is_dir() else None
        self.base = Path(tempfile.mkdtemp(dir=base))
        self.folder = Folder(self.base)
        self.there: dict[str, Content] = {}
        self.said: set[tuple[str, str]] = set()

    @initialize()
    def begin(self) -> None:
        for name in ("in", "out"):
            (self.folder.root / name).mkdir()

    def path(self, name: str) -> Path:
        return self.folder.root / name

    @rule(name=names, text=texts)
    def write(self, name: str, text: str) -> None:
        self.path(name).parent.mkdir(exist_ok=True)
        self.path(name).write_text(text)
        self.there[name] = Content(text)

    @rule(name=names)
    def append(self, name: str) -> None:
        if name in self.there:
            with self.path(name).open("a") as file:
                file.write("+")
            self.there[name] = Content(self.there[name].text + "+")

    @rule(name=names, text=texts, time=times)
    def write_and_set_the_time(self, name: str, text: str, time: int) -> None:
        if name in self.there:
            self.path(name).write_text(text)
            os.utime(self.path(name), ns=(time, time))
            if text != self.there[name].text:
                self.there[name] = Content(text)
            self.there[name].set = True

    @rule(name=names, text=texts)
    def replace_with_the_same_time(self, name: str, text: str) -> None:
        """Another file with another time would be new also where it has the same content."""
        self.sweep()
        if name in self.there:
            self.folder.swap(text, name, self.path(name).stat().st_mtime_ns)
            if text != self.there[name].text:
                self.there[name] = Content(text, set=True)
        self.sweep()

    @rule(name=names, time=times)
    def set_the_time(self, name: str, time: int) -> None:
        if name in self.there:
            os.utime(self.path(name), ns=(time, time))
            self.there[name].set = True

    @rule(name=names)
    def touch(self, name: str) -> None:
        if name in self.there:
            self.path(name).touch()
            self.there[name] = Content(self.there[name].text)

    @rule(name=names, mode=st.sampled_from([0o600, 0o644]))
    def change_the_mode(self, name: str, mode: int) -> None:
        if name in self.there:
            self.path(name).chmod(mode)
            self.there[name].set = True

    @rule(name=names)
    def delete(self, name: str) -> None:
        if name in self.there:
            self.path(name).unlink()
            del self.there[name]

    @rule(name=names)
    def move_away_and_back(self, name: str) -> None:
        if name in self.there:
            self.path(name).rename(self.base / "away").rename(self.path(name))
            self.there[name].set = True

    @rule()
    def rename_a_folder(self) -> None:
        """Swap two folders: all that is in them is the same, elsewhere, where its time stays too."""
        self.sweep()
        one, other, aside = self.path("in"), self.path("out"), self.base / "aside"
        one.rename(aside)
        other.rename(one)
        aside.rename(other)
        swapped = {"in": "out", "out": "in"}
        moved = {}
        for name, content in self.there.items():
            top, slash, rest = name.partition("/")
            moved[f"{swapped[top]}/{rest}" if slash else name] = content
            content.set = content.set or bool(slash)
        self.there = moved
        self.sweep()

    @rule()
    def restart(self) -> None:
        self.folder.start()

    @rule()
    def sweep(self) -> None:
        before = len(self.folder.events)
        self.folder.sweep()
        for event in self.folder.events[before:]:
            content = self.there[os.path.relpath(event.data["path"], self.folder.root)]
            assert content.text == event.data["text"]
            content.told += 1
        for name, content in self.there.items():
            said = (name.rpartition("/")[2], content.text)
            assert content.told == 1 or (content.set and not content.told and said in self.said), name
            self.said.add(said)

    def teardown(self) -> None:
        try:
            self.sweep()
        finally:
            self.folder.store.close()
            shutil.rmtree(self.base)


Lives.TestCase.settings = settings(stateful_step_count=30)
TestLives: Any = Lives.TestCase
