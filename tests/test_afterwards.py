"""Afterwards: a file goes where its rule says, when nothing can follow from it any more."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import turns
from rulebook import project, rule_file
from workplace import Workplace, until

from wbox_notify.config.own import KEY, Own, Part
from wbox_notify.daemon.file_intake import FileIntake
from wbox_notify.daemon.move import ChangedError, move, remove, write
from wbox_notify.daemon.planner import Planner
from wbox_notify.model.deliveries import NextStep, State
from wbox_notify.model.file_version import FileState, FileVersion
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.model.pace import Pace
from wbox_notify.rules.project import Live
from wbox_notify.simulator import Simulator
from wbox_notify.store import Store, open_history, open_store

SHM = Path("/dev/shm")


class House:
    """A project with a store, step by step."""

    def __init__(self, folder: Path, rule: str) -> None:
        self.drop = folder / "drop"
        self.drop.mkdir(exist_ok=True)
        self.folder = folder
        self.reports: list[str] = []
        self.alarms: list[tuple[str, bool]] = []
        self.project = project(folder, {"rules/a.yaml": rule_file(rule)})
        assert self.project.problems == ()
        self.store: Store = open_store(f"sqlite:///{folder}/data/a.db")
        self.now = time.time()
        self.planner = Planner(
            Live(self.project),
            self.store,
            clock=lambda: self.now,
            steady=lambda: self.now,
        )
        self.enter()

    def enter(self) -> None:
        """Begin as after a restart."""
        self.drops = FileIntake(
            self.project,
            self.store,
            wake=lambda: None,
            report=self.reports.append,
            alarm=lambda about, problem: self.alarms.append((about, problem is not None)),
        )

    def file(self, name: str = "a.pdf", content: bytes = b"x") -> Path:
        path = self.drop / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def take(self) -> int:
        """List, plan, and return how many messages wait to be sent."""
        self.drops._source.sweep()
        while self.planner.step():
            pass
        return self.store.counts().get(State.QUEUED, 0)

    def end(self, state: State = State.SENT) -> None:
        delivery = turns.claim(self.store, self.now)
        assert delivery
        answer = Answer(outcome=Outcome.SENT, detail="", latency=0.1)
        after = NextStep(state=state, due=0.0, tries=1, unknowns=0, reason="no such number")
        turns.finish(self.store, delivery, answer, after, self.now)

    def after(self) -> float:
        return self.drops._archive.step()

    def through(self, state: State = State.SENT) -> float:
        for _ in range(self.take()):
            self.end(state)
        return self.after()

    @property
    def there(self) -> list[str]:
        """All files below the project's folder that are no part of it."""
        ours = ("rules", "data")
        found = (path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file())
        return sorted(str(path) for path in found if path.parts[0] not in ours)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Callable[[str], House]]:
    made: list[House] = []

    def make(rule: str) -> House:
        made.append(House(tmp_path, rule))
        return made[-1]

    yield make
    for one in made:
        one.store.close()


RULE = "trigger: {file: {path: drop, done: done/, failed: failed/, duplicate: again/}}"


def test_a_store_that_cannot_say_what_is_final_is_reported_once_and_once_when_it_can(
    house: Callable[[str], House],
) -> None:
    one = house(RULE)
    one.file()
    for _ in range(one.take()):
        one.end()
    with closing(sqlite3.connect(one.folder / "data" / "a.db")) as other:
        other.execute("alter table event rename to away")
        pauses = [one.after() for _ in range(3)]
        other.execute("alter table away rename to event")
    assert pauses == [30.0] * 3
    one.after()
    assert one.there == ["drop/done/a.pdf"]
    problem, relief = one.reports
    assert problem.startswith("Processed files stay where they are for now: ")
    assert "no such table" in problem
    assert relief == "What becomes of processed files is known again."


@pytest.mark.parametrize(
    ("state", "there"),
    [
        (State.SENT, ["drop/done/a.pdf"]),
        (State.DEAD, ["drop/failed/a.pdf", "drop/failed/a.pdf.why.txt"]),
        (State.CANCELLED, ["drop/failed/a.pdf", "drop/failed/a.pdf.why.txt"]),
        (State.HELD, ["drop/a.pdf"]),
        (State.UNKNOWN, ["drop/a.pdf"]),
    ],
)
def test_a_file_goes_where_its_messages_went(
    house: Callable[[str], House], state: State, there: list[str]
) -> None:
    one = house(RULE)
    one.file()
    one.through(state)
    assert one.there == there
    assert one.take() == (1 if state is State.QUEUED else 0)
    if state is State.DEAD:
        why = one.drop / "failed" / "a.pdf.why.txt"
        assert why.read_text() == "a, 905551112233: dead, no such number\n"


def test_why_a_file_failed_is_told_in_the_language_of_the_project(
    house: Callable[[str], House],
) -> None:
    one = house(RULE)
    one.project = project(one.folder, {"wbox-notify.yaml": "version: 1\ndefaults: {lang: tr}\n"})
    one.enter()
    one.file()
    one.through(State.DEAD)
    why = one.drop / "failed" / "a.pdf.why.txt"
    assert why.read_text().startswith("a, 905551112233: gönderilemedi, ")


def test_no_file_goes_before_its_last_message(house: Callable[[str], House]) -> None:
    one = house('trigger: {file: {path: drop, done: done/}}\nto: ["+905551112233", "+905551112244"]')
    one.file()
    assert one.take() == 2
    one.end()
    one.after()
    assert one.there == ["drop/a.pdf"]
    one.end()
    one.after()
    assert one.there == ["drop/done/a.pdf"]


def test_what_was_moved_into_a_watched_folder_sets_off_nothing(house: Callable[[str], House]) -> None:
    one = house(RULE)
    for state in (State.SENT, State.DEAD):
        one.file(f"{state}.pdf")
        one.through(state)
    events = one.store.last_event()
    for _ in range(2):
        one.enter()
        assert one.take() == 0
    assert one.store.last_event() == events == 2
    (one.drop / "done" / "sent.pdf").write_bytes(b"edited by a person")
    assert one.take() == 1


def test_a_name_that_is_taken_gets_a_number(house: Callable[[str], House]) -> None:
    one = house(RULE)
    for content in (b"1", b"22", b"333"):
        one.file("fatura.tar.gz", content)
        one.through()
    done = one.drop / "done"
    assert {path.name: path.read_bytes() for path in done.iterdir()} == {
        "fatura.tar.gz": b"1",
        "fatura.tar (2).gz": b"22",
        "fatura.tar (3).gz": b"333",
    }


@pytest.mark.parametrize(
    ("target", "there"),
    [
        ("delete", []),
        ("leave", ["drop/a.pdf"]),
        ("deep/er/{{ file.stem }}", ["drop/deep/er/a/a.pdf"]),
        ("{{ now.strftime('%Y') }}/{{ rule.id }}/", ["drop/2026/a/a.pdf"]),
        ("{{ file.folder }}/../elsewhere", ["drop/a.pdf"]),
        ("{{ file.size // 0 }}", ["drop/a.pdf"]),
        ("{{ '' }}", ["drop/a.pdf"]),
        (".", ["drop/a.pdf"]),
    ],
)
def test_a_target_is_a_folder_or_delete_or_leave(
    house: Callable[[str], House], target: str, there: list[str]
) -> None:
    one = house(f'trigger: {{file: {{path: drop, done: "{target}"}}}}')
    os.utime(one.file(), (1.8e9, 1.8e9))
    one.through()
    assert one.there == there
    assert one.after() == 1.0


def test_an_absolute_target_may_lie_outside(house: Callable[[str], House], tmp_path: Path) -> None:
    one = house(f"trigger: {{file: {{path: drop, done: {tmp_path}/far/away}}}}")
    one.file("in/a.pdf")
    one.through()
    assert one.there == ["far/away/a.pdf"]


def test_F12_the_same_content_again_is_a_duplicate(house: Callable[[str], House]) -> None:
    one = house(f"{RULE}\ndedupe: file.sha256")
    one.file("a.pdf")
    one.through()
    one.file("b.pdf")
    one.through()
    assert one.there == ["drop/again/b.pdf", "drop/done/a.pdf"]


def test_files_of_a_group_go_when_its_one_message_is_final(house: Callable[[str], House]) -> None:
    one = house(f"{RULE}\ngroup: {{wait: 10s}}")
    for name in ("a.pdf", "b.pdf"):
        one.file(name)
    assert one.take() == 0
    one.after()
    one.now += 11
    assert one.take() == 1
    one.after()
    assert one.there == ["drop/a.pdf", "drop/b.pdf"]
    one.end(State.DEAD)
    one.now += 301  # the group is over
    assert one.take() == 0
    one.after()
    assert [name for name in one.there if not name.endswith(".txt")] == [
        "drop/failed/a.pdf",
        "drop/failed/b.pdf",
    ]


def test_a_file_stays_until_the_last_reminder_of_it_is_accepted(house: Callable[[str], House]) -> None:
    one = house(f'{RULE}\nremind: {{at: "{{{{ file.stem }}}}", before: [2d, 1d], key: file.name}}')
    date = time.strftime("%Y-%m-%d", time.localtime(one.now + 10 * 86400))
    one.file(f"{date}.pdf")
    one.through()
    assert one.there == [f"drop/{date}.pdf"]
    one.now += 8 * 86400
    one.through()
    assert one.there == [f"drop/{date}.pdf"]
    one.now += 86400
    one.through()
    assert one.there == [f"drop/done/{date}.pdf"]


def test_files_of_a_digest_go_when_it_is_accepted(house: Callable[[str], House]) -> None:
    one = house(f"{RULE}\ndigest: {{every: 1h}}")
    for name in ("a.pdf", "b.pdf"):
        one.file(name)
    assert one.take() == 0
    one.after()
    one.now += 3601
    assert one.take() == 1
    one.after()
    assert one.there == ["drop/a.pdf", "drop/b.pdf"]
    one.end()
    one.after()
    assert one.there == ["drop/done/a.pdf", "drop/done/b.pdf"]


def test_a_backlog_is_not_looked_through_without_a_pause(house: Callable[[str], House]) -> None:
    one = house(RULE)
    for number in range(501):
        one.file(f"{number}.pdf")
    one.take()
    assert [one.after() for _ in range(3)] == [1.0, 1.0, 1.0]


def test_a_file_that_no_rule_wanted_stays(house: Callable[[str], House]) -> None:
    one = house(f"{RULE}\nif: file.size > 5")
    one.file()
    one.through()
    assert one.there == ["drop/a.pdf"]
    assert one.take() == 0


def test_a_rule_that_can_not_be_followed_has_failed(house: Callable[[str], House]) -> None:
    one = house(f'{RULE}\nsend: {{text: "{{{{ file.size // 0 }}}}"}}')
    one.file()
    one.through()
    assert one.there == ["drop/failed/a.pdf", "drop/failed/a.pdf.why.txt"]
    why = (one.drop / "failed" / "a.pdf.why.txt").read_text()
    assert why.startswith("a: dead, send[0]")  # nobody it could have gone to


@pytest.mark.parametrize(
    "meddle",
    [Path.unlink, lambda path: path.write_bytes(b"other"), lambda path: shutil.rmtree(path.parent)],
    ids=["gone", "changed", "folder gone"],
)
def test_a_file_that_changed_or_went_meanwhile_is_left_and_said(
    house: Callable[[str], House], meddle: Callable[[Path], Any]
) -> None:
    one = house("trigger: {file: {path: drop, done: done/}}")
    file = one.file("in/a.pdf")
    one.take()
    meddle(file)
    one.end()
    one.after()
    assert not (one.drop / "done" / "a.pdf").exists()
    (report,) = one.reports
    assert report.startswith(f"A file stays where it is: '{file}'")


def test_a_folder_that_can_not_be_made_is_an_alarm_and_tried_again(house: Callable[[str], House]) -> None:
    one = house(RULE)
    one.file()
    (one.drop / "done").write_bytes(b"in the way")
    os.utime(one.drop / "done", (1, 1))
    one.take()
    one.end()
    one.end()
    assert one.after() == 30.0
    assert one.alarms == [("putting files away", True)]
    (one.drop / "done").unlink()
    one.after()
    assert one.there == ["drop/done/a.pdf"]
    assert one.alarms == [("putting files away", True), ("putting files away", False)]


def test_a_file_that_became_a_key_meanwhile_stays(house: Callable[[str], House]) -> None:
    one = house(RULE)
    file = one.file()
    one.take()
    one.end()
    own = Own((*one.project.settings.own.parts, Part(file, KEY)))
    one.project = replace(one.project, settings=replace(one.project.settings, own=own))
    one.enter()
    one.after()
    assert one.there == ["drop/a.pdf"]


def test_a_target_that_somebody_made_a_link_is_not_followed(
    house: Callable[[str], House], tmp_path: Path
) -> None:
    one = house(RULE)
    (tmp_path / "secret").mkdir()
    (one.drop / "done").symlink_to(tmp_path / "secret")
    one.file()
    assert one.through() == 30.0
    assert one.there == ["drop/a.pdf"]


def test_F16_a_name_that_is_no_text_is_put_away_too(house: Callable[[str], House]) -> None:
    one = house(RULE)
    names = [os.fsdecode(b"\xff\xfe.pdf"), "line\nbreak.pdf", "x" * 251 + ".pdf"]
    for state in (State.SENT, State.DEAD):
        for name in names:
            one.file(name, b"1" * len(state))
        one.through(state)
    assert {path.name for path in (one.drop / "done").iterdir()} == set(names)
    assert set(names) <= {path.name for path in (one.drop / "failed").iterdir()}
    assert len([*(one.drop / "failed").iterdir()]) == 6


def test_a_time_that_is_no_number_of_the_database_hinders_nothing(
    house: Callable[[str], House], far: Path
) -> None:
    one = house(f"trigger: {{file: {{path: {far}, done: done/}}}}")
    (far / "a.pdf").write_bytes(b"x")
    os.utime(far / "a.pdf", (1, 10**12))
    one.through()
    assert (far / "done" / "a.pdf").exists()
    assert one.reports == []


def test_folders_that_overlap_follow_no_link_either(house: Callable[[str], House], tmp_path: Path) -> None:
    one = house("trigger: [{file: {path: drop, match: '**/*', done: done/}}, {file: {path: drop/in}}]")
    (tmp_path / "secret").mkdir()
    (one.drop / "done").symlink_to(tmp_path / "secret")
    one.file("in/a.pdf")
    assert one.through() == 30.0
    (one.drop / "done").unlink()
    one.after()
    assert one.there == ["drop/done/a.pdf"]


def version_of(path: Path, root: Path) -> FileVersion:
    return FileVersion.of(str(path), str(root), path.lstat())


def ours(_: FileVersion) -> None:
    """Keep nothing."""


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on another file system."""
    others = [one for one in (SHM, Path("/var/tmp")) if one.is_dir()]
    others = [one for one in others if one.stat().st_dev != tmp_path.stat().st_dev]
    if not others:
        pytest.skip("there is no second file system")
    folder = others[0] / f"wbox-notify-test-{os.getpid()}"
    folder.mkdir()
    yield folder
    subprocess.run(["rm", "-rf", str(folder)], check=True)


def test_a_file_goes_to_another_file_system_with_its_time_and_rights(tmp_path: Path, far: Path) -> None:
    file = tmp_path / "a.pdf"
    file.write_bytes(b"x" * 3_000_000)
    file.chmod(0o640)
    (far / "a.pdf").write_bytes(b"of somebody")
    before = file.stat()
    kept: list[FileVersion] = []
    path = Path(move(version_of(file, tmp_path), str(far), kept.append))
    assert path == far / "a (2).pdf"
    assert path.read_bytes() == b"x" * 3_000_000
    assert (path.stat().st_mtime_ns, path.stat().st_mode) == (before.st_mtime_ns, before.st_mode)
    assert not file.exists()
    assert sorted(one.name for one in far.iterdir()) == ["a (2).pdf", "a.pdf"]
    assert kept[-1].id == version_of(path, tmp_path).id


def test_a_copy_of_a_foreign_file_runs_as_nobody_but_its_caller(tmp_path: Path, far: Path) -> None:
    file = tmp_path / "a.sh"
    file.write_bytes(b"x")
    for mode in (0o7777, 0o4755, 0o2755, 0o1644):
        file.write_bytes(b"x")
        file.chmod(mode)
        path = Path(move(version_of(file, tmp_path), str(far), ours))
        assert stat.S_IMODE(path.stat().st_mode) == mode & 0o777


def test_what_is_no_file_any_more_is_neither_moved_nor_deleted(tmp_path: Path) -> None:
    file = tmp_path / "a.pdf"
    file.write_bytes(b"x")
    version = version_of(file, tmp_path)
    file.unlink()
    file.symlink_to("/etc/passwd")
    with pytest.raises(ChangedError):
        move(version, str(tmp_path / "done"), ours)
    with pytest.raises(ChangedError):
        remove(version)
    assert file.is_symlink()


@pytest.mark.parametrize("name", ["a.pdf", "x" * 251 + ".pdf", "x." + "y" * 253, "." + "z" * 254, "ü" * 127])
def test_a_name_has_room_for_its_number_and_its_note(tmp_path: Path, name: str) -> None:
    paths = set()
    for content in ("1", "22", "333"):
        (tmp_path / name).write_text(content)
        path = move(version_of(tmp_path / name, tmp_path), str(tmp_path / "done"), ours)
        write(str(tmp_path), f"{path}.why.txt", "why", ours)
        paths.add(path)
    assert len(paths) == 3
    assert len([*(tmp_path / "done").iterdir()]) == 6


def test_what_somebody_put_in_the_way_of_a_copy_stops_nothing(tmp_path: Path, far: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"x")
    os.mkfifo(far / ".wbox-notify.part")
    assert move(version_of(tmp_path / "a.pdf", tmp_path), str(far), ours) == str(far / "a.pdf")


def test_a_note_goes_over_nothing(tmp_path: Path) -> None:
    for text in ("one", "two"):
        write(str(tmp_path), str(tmp_path / "a.why.txt"), text, ours)
    assert (tmp_path / "a.why.txt").read_text() == "one"
    assert (tmp_path / "a.why (2).txt").read_text() == "two"
    assert len([*tmp_path.iterdir()]) == 2


@pytest.mark.parametrize(
    ("mode", "below", "elsewhere", "note"),
    [
        (0o700, 0o700, 0o700, 0o600),
        (0o2770, 0o2770, 0o750, 0o660),
        (0o755, 0o755, 0o755, 0o644),
        (0o1777, 0o775, 0o755, 0o664),
    ],
    ids=oct,
)
def test_what_is_made_for_files_is_for_who_may_use_the_watched_folder(
    tmp_path: Path, mode: int, below: int, elsewhere: int, note: int
) -> None:
    drop, far = tmp_path / "drop", tmp_path / "far"
    drop.mkdir()
    drop.chmod(mode)
    before = os.umask(0o077)
    try:
        for target in (drop / "done" / "2026", far / "done" / "2026"):
            (drop / "a.pdf").write_bytes(b"x")
            path = move(version_of(drop / "a.pdf", drop), str(target), ours)
            write(str(drop), f"{path}.why.txt", "why", ours)
        (tmp_path / "own").mkdir()
    finally:
        os.umask(before)
    modes = {path.relative_to(tmp_path): stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes[Path("drop/done")] == modes[Path("drop/done/2026")] == below
    assert modes[Path("far")] == modes[Path("far/done")] == modes[Path("far/done/2026")] == elsewhere
    assert modes[Path("drop/done/2026/a.pdf.why.txt")] == note
    assert modes[Path("drop/done/2026/a.pdf")] == 0o600, "a file is as it was"
    assert modes[Path("own")] == 0o700, "what else is made is for the user of the daemon"


def test_the_daemon_makes_folders_for_the_group_of_the_folder_that_it_watches(place: Workplace) -> None:
    if os.geteuid():
        pytest.skip("only root can give a folder to another group")
    place.rule(
        "version: 1\nrules:\n  - id: a\n    trigger: {file: {path: drop, done: done/new}}\n"
        '    to: "+905551112233"\n    send: {text: "{{ file.name }}"}\n'
    )
    os.chown(place.drop, 0, 50)
    place.drop.chmod(0o2770)
    place.start("run")
    (place.drop / "a.pdf").write_bytes(b"x")
    folder = place.drop / "done" / "new"
    until((folder / "a.pdf").exists)
    for path in (folder, folder.parent):
        assert (path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) == (50, 0o2770)
    assert stat.S_IMODE((place.folder / "data/wbox-notify.db").stat().st_mode) == 0o600


CRASHES = """
    import os, pathlib, sys
    from wbox_notify.daemon.move import move
    from wbox_notify.model.file_version import FileVersion

    drop, target = map(pathlib.Path, sys.argv[1:])
    content = b"whole" * 1000

    def version():
        return FileVersion.of(str(drop / "a.pdf"), str(drop), (drop / "a.pdf").lstat())

    for crash in range(1, 1000):
        (drop / "a.pdf").write_bytes(content)
        (drop / "a.pdf").chmod(0o640)
        mine = version()
        pid = os.fork()
        if not pid:
            left = [crash]
            def hook(event, args):
                left[0] -= 1
                left[0] or os._exit(9)
            sys.addaudithook(hook)
            move(mine, str(target), lambda announced: open("/dev/null").close())
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        whole = [one for one in (drop / "a.pdf", target / "a.pdf") if one.exists()]
        assert whole and all(one.read_bytes() == content for one in whole), crash
        assert move(mine, str(target), lambda announced: None) == str(target / "a.pdf"), crash
        assert [one.name for one in target.iterdir()] == ["a.pdf"], crash
        assert (target / "a.pdf").read_bytes() == content
        assert not (drop / "a.pdf").exists()
        (target / "a.pdf").unlink()
        if not status:
            break
    print(crash)
"""


def crashes(drop: Path, target: Path) -> int:
    command = [sys.executable, "-c", textwrap.dedent(CRASHES), str(drop), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_crash_at_any_point_leaves_the_file_whole_and_is_made_good(tmp_path: Path, far: Path) -> None:
    (tmp_path / "drop").mkdir()
    assert crashes(tmp_path / "drop", tmp_path / "drop" / "done") > 5
    assert crashes(tmp_path / "drop", far / "done") > 15


def test_the_daemon_puts_files_away(place: Workplace, wbox: Simulator) -> None:
    place.rule(
        "version: 1\nrules:\n  - id: a\n    trigger: {file: {path: drop, done: done/}}\n"
        '    to: "+905551112233"\n    send: {text: "{{ file.name }}"}\n'
    )
    (place.drop / "early.pdf").write_bytes(b"x")
    process = place.start("run")
    until((place.drop / "done" / "early.pdf").exists)
    (place.drop / "late.pdf").write_bytes(b"x")
    until((place.drop / "done" / "late.pdf").exists)
    process.terminate()
    process.communicate(timeout=10)
    process = place.start("run")
    (place.drop / "last.pdf").write_bytes(b"x")
    until((place.drop / "done" / "last.pdf").exists)
    texts = [sent["body"]["message"] for sent in wbox.messages()]
    assert sorted(texts) == ["early.pdf", "last.pdf", "late.pdf"]


def unknown(place: Workplace) -> int:
    """Return how many messages have an outcome that is not known yet."""
    history = open_history(place.store)
    if history is None:
        return 0
    counts = history.counts()
    history.close()
    return counts.get(State.UNKNOWN, 0) + counts.get(State.HELD, 0)


@pytest.mark.slow
def test_a_daemon_that_is_killed_again_and_again_loses_and_doubles_no_file(
    place: Workplace, wbox: Simulator
) -> None:
    place.rule(
        "version: 1\nrules:\n  - id: a\n    trigger: {file: {path: drop, done: done/}}\n"
        '    to: "{{ file.stem }}"\n    send: {text: "{{ file.name }}"}\n'  # nobody waits for another
    )
    done, names, kills = place.drop / "done", set(), 4
    for number in range(kills + 1):
        process = place.start("run")
        before = len([*done.glob("*")])
        for count in range(20):
            name = f"90555111{number:02}{count:02}.pdf"
            (place.drop / name).write_bytes(name.encode())
            names.add(name)
        wanted = before + 5 if number < kills else len(names)
        until(lambda wanted=wanted: len([*done.glob("*")]) + unknown(place) >= wanted)  # type: ignore[misc] # bound
        process.kill()
        process.communicate(timeout=10)
    left = {path.name for path in place.drop.iterdir() if path.is_file()}
    away = {path.name for path in done.iterdir()}
    assert left | away == names
    assert not left & away
    assert len(left) == unknown(place)
    assert all((done / name).read_text() == name for name in away)
    texts = [sent["body"]["message"] for sent in wbox.messages()]
    assert len(texts) == len(set(texts))


def test_what_became_of_a_file_is_kept(house: Callable[[str], House]) -> None:
    one = house(RULE)
    one.file()
    one.through()
    rows = one.store.files._database.read("select fate, moved_to from file order by seq")
    assert [tuple(row) for row in rows] == [
        (FileState.DONE, f"{one.drop}/done/a.pdf".encode()),
        (FileState.PUT, None),
    ]


@pytest.mark.parametrize("same", [True, False], ids=["had just been told", "merged"])
def test_Q03_a_file_whose_text_was_told_by_another_message_is_done(
    house: Callable[[str], House],
    same: bool,  # noqa: FBT001 - a column of the table
) -> None:
    rule = """
    trigger: {file: {path: drop, done: done, failed: failed}}
    send: {text: "$text"}
    """.replace("$text", "a file came" if same else "{{ file.name }}")
    one = house(rule)
    for number in range(25):
        one.file(f"{number}.pdf")
    assert one.take() == 25
    one.now += 100
    pace = Pace(every=0, recipient_every=0, per_hour=0, per_day=0, recipient_per_hour=0)
    pace = replace(pace, backlog=0) if same else replace(pace, same_text=0)
    delivery = turns.claim(one.store, one.now, pace)
    assert delivery
    then = NextStep(state=State.SENT, due=0.0, tries=1, unknowns=0, reason="")
    turns.finish(one.store, delivery, Answer(outcome=Outcome.SENT, detail=""), then, one.now)
    assert turns.claim(one.store, one.now, pace) is None
    while not one.after():
        pass
    assert len(list((one.drop / "done").iterdir())) == 25
    assert not (one.drop / "failed").exists()
