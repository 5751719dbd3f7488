"""Edits of a project's files: each is told once, when it rests, however it is written."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from wbox_notify.daemon.watcher import ProjectWatcher
from wbox_notify.errors import ConfigError, StoreError

BOUND = 30
"""Seconds after which a test that waits for something gives up."""

Edit = Callable[[Path], object]


class Desk:
    """A project folder with somebody who is told of its changes; time goes on only in ``look``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 1000.0
        self.told = 0
        self.reports: list[str] = []
        self.troubles: list[Exception] = []
        for name in ("rules/disk.yaml", "templates/disk.txt", "templates/parts/foot.txt", "wbox-notify.yaml"):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("old", encoding="utf-8")
        self.sit_down()

    def sit_down(self) -> None:
        self.changes = ProjectWatcher(
            self.folder, changed=self.changed, report=self.reports.append, clock=lambda: self.now
        )

    def changed(self) -> None:
        self.told += 1
        if self.troubles:
            raise self.troubles.pop(0)

    def look(self, seconds: float = 5.0) -> int:
        """Let time go on as the thread would; return how often a change was told meanwhile."""
        before, end = self.told, self.now + seconds
        while (pause := self.changes.step()) + self.now <= end:
            assert 0 < pause <= 1
            self.now += pause
        self.now = end
        return self.told - before


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "project")


def edit_in_place(folder: Path) -> None:
    (folder / "rules/disk.yaml").write_text("newer", encoding="utf-8")


def edit_within_the_same_size(folder: Path) -> None:
    path = folder / "rules/disk.yaml"
    path.write_text("new", encoding="utf-8")
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def edit_and_keep_the_date(folder: Path) -> None:
    path = folder / "rules/disk.yaml"
    (folder / "copy").write_text("new", encoding="utf-8")
    shutil.copystat(path, folder / "copy")
    (folder / "copy").rename(path)


def change_the_rights(folder: Path) -> None:
    path = folder / "rules/disk.yaml"
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:  # the kernel's clock ticks in milliseconds
        path.chmod(0o600)


def edit_as_vim_does(folder: Path) -> None:
    path = folder / "rules/disk.yaml"
    (folder / "rules/4913").touch()
    (folder / "rules/4913").unlink()
    path.rename(folder / "rules/disk.yaml~")
    path.write_text("new", encoding="utf-8")
    (folder / "rules/disk.yaml~").unlink()


def move_in_a_new_folder(folder: Path) -> None:
    shutil.copytree(folder / "rules", folder / "fresh")
    (folder / "rules").rename(folder / "stale")
    (folder / "fresh").rename(folder / "rules")


EDITS: dict[str, Edit] = {
    "in place": edit_in_place,
    "the same size": edit_within_the_same_size,
    "the same size and date": edit_and_keep_the_date,
    "vim": edit_as_vim_does,
    "a folder moved in": move_in_a_new_folder,
    "a new rule file": lambda folder: (folder / "rules/cpu.yml").touch(),
    "a renamed rule file": lambda folder: (folder / "rules/disk.yaml").rename(folder / "rules/hdd.yaml"),
    "a deleted rule file": lambda folder: (folder / "rules/disk.yaml").unlink(),
    "other rights": change_the_rights,
    "settings": lambda folder: (folder / "wbox-notify.yaml").write_text("newer"),
    "settings gone": lambda folder: (folder / "wbox-notify.yaml").unlink(),
    "a template": lambda folder: (folder / "templates/disk.txt").write_text("newer"),
    "a template far below": lambda folder: (folder / "templates/parts/foot.txt").write_text("newer"),
    "no templates": lambda folder: shutil.rmtree(folder / "templates"),
    "no rules": lambda folder: shutil.rmtree(folder / "rules"),
    "no project": shutil.rmtree,
}


@pytest.mark.parametrize("name", EDITS)
def test_K05_an_edit_is_told_once(desk: Desk, name: str) -> None:
    assert desk.look() == 0
    EDITS[name](desk.folder)
    assert desk.look() == 1
    assert desk.look() == 0
    assert desk.reports == []


@pytest.mark.parametrize(
    "name",
    [
        *("rules/.disk.yaml.swp", "rules/disk.yaml~", "rules/.#disk.yaml", "rules/#disk.yaml#", "rules/4913"),
        *("rules/disk.yaml.tmp", "rules/README.md", "rules/old/disk.yaml", "rules/.git/x.yaml"),
        *("templates/.disk.txt.swp", "templates/disk.txt~", "templates/#disk.txt#", "templates/.git/head"),
        *("notes.txt", "data/store.db", ".wbox-notify.yaml.swp"),
    ],
)
def test_what_the_project_does_not_read_is_no_change(desk: Desk, name: str) -> None:
    path = desk.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x", encoding="utf-8")
    assert desk.look() == 0


def test_an_edit_is_told_when_it_has_rested(desk: Desk) -> None:
    desk.look()
    edit_in_place(desk.folder)
    assert desk.changes.step() == pytest.approx(0.3)
    desk.now += 0.29
    assert desk.changes.step() == pytest.approx(0.01)
    assert desk.told == 0
    desk.now += 0.02
    assert desk.changes.step() == 1.0
    assert desk.told == 1


def test_K05_a_save_that_takes_its_time_is_told_at_its_end(desk: Desk) -> None:
    with (desk.folder / "rules/disk.yaml").open("w", encoding="utf-8") as file:
        for _ in range(20):
            file.write("- id: another\n")
            file.flush()
            assert desk.look(0.25) == 0
    assert desk.look() == 1


def test_many_files_saved_together_are_one_change(desk: Desk) -> None:
    for number in range(50):
        (desk.folder / f"rules/r{number}.yaml").write_text("x", encoding="utf-8")
        assert desk.look(0.01) == 0
    assert desk.look() == 1


def test_an_edit_that_is_undone_before_it_rested_is_no_change(desk: Desk) -> None:
    path = desk.folder / "rules/disk.yaml"
    extra = path.with_name("new.yaml")
    extra.touch()
    assert desk.look(0.2) == 0
    extra.unlink()
    assert desk.look() == 0


def test_an_edit_before_the_start_and_after_the_first_look_is_told(desk: Desk) -> None:
    edit_in_place(desk.folder)
    assert desk.look() == 1
    edit_in_place(desk.folder)
    desk.sit_down()
    assert desk.look() == 0


def test_a_project_that_vanishes_and_comes_back_is_told_both_times(desk: Desk) -> None:
    away = desk.folder.with_name("away")
    desk.folder.rename(away)
    assert desk.look() == 1
    away.rename(desk.folder)
    (desk.folder / "rules/disk.yaml").write_text("newer", encoding="utf-8")
    assert desk.look() == 1


def test_a_project_that_is_gone_for_a_moment_only_is_no_change(desk: Desk) -> None:
    away = desk.folder.with_name("away")
    desk.folder.rename(away)
    assert desk.look(0.1) == 0
    away.rename(desk.folder)
    assert desk.look() == 0


def test_K05_a_config_map_that_kubernetes_swaps_is_told_once(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    desk = Desk(folder)
    shutil.rmtree(folder / "rules")
    rules = folder / "rules"
    for stamp in ("..2026_01", "..2026_02"):
        (rules / stamp).mkdir(parents=True)
        (rules / stamp / "disk.yaml").write_text("same", encoding="utf-8")
    (rules / "..data").symlink_to("..2026_01")
    (rules / "disk.yaml").symlink_to("..data/disk.yaml")
    assert desk.look() == 1
    (rules / "..data_tmp").symlink_to("..2026_02")
    (rules / "..data_tmp").rename(rules / "..data")
    shutil.rmtree(rules / "..2026_01")
    assert desk.look() == 1
    assert desk.look() == 0


def test_links_that_go_round_or_nowhere_do_no_harm(desk: Desk) -> None:
    elsewhere = desk.folder.with_name("elsewhere")
    elsewhere.mkdir()
    (elsewhere / "shared.txt").write_text("old", encoding="utf-8")
    templates = desk.folder / "templates"
    (templates / "shared").symlink_to(elsewhere)
    for name in ("back", "again"):
        (elsewhere / name).symlink_to(templates)
    (templates / "loop").symlink_to("loop")
    (templates / "nowhere").symlink_to("there is nothing")
    (desk.folder / "rules/gone.yaml").symlink_to("there is nothing")
    os.mkfifo(desk.folder / "rules/pipe.yaml")
    assert desk.look() == 1
    (elsewhere / "shared.txt").write_text("newer", encoding="utf-8")
    assert desk.look() == 1


def test_each_edit_that_is_wrong_is_reported(desk: Desk) -> None:
    desk.troubles = [ConfigError("rules/disk.yaml:3: what is this?")] * 2
    for edit in range(3):
        (desk.folder / "rules/disk.yaml").write_text("x" * (10 + edit), encoding="utf-8")
        assert desk.look() == 1
    assert (
        desk.reports
        == ["Reload failed, the previous rules stay active: rules/disk.yaml:3: what is this?"] * 2
    )


def test_an_error_that_may_pass_is_reported_once_and_tried_again_until_it_has_passed(desk: Desk) -> None:
    desk.troubles = [StoreError("the disk is full")] * 3
    edit_in_place(desk.folder)
    assert desk.look(10) == 4
    assert desk.look(10) == 0
    assert desk.reports == ["Reload failed, the previous rules stay active: the disk is full"]


def test_an_unforeseen_error_is_reported_and_ends_nothing(desk: Desk) -> None:
    desk.troubles = [ZeroDivisionError("by nought")]
    edit_in_place(desk.folder)
    assert desk.look() == 1
    assert desk.reports == [
        "Reload failed, the previous rules stay active: internal error: ZeroDivisionError('by nought')"
    ]
    (desk.folder / "rules/new.yaml").touch()
    assert desk.look() == 1


def test_the_thread_tells_outlives_an_error_and_stops(desk: Desk) -> None:
    told = threading.Semaphore(0)

    def changed() -> None:
        told.release()
        raise ZeroDivisionError

    changes = ProjectWatcher(desk.folder, changed=changed, report=desk.reports.append, quiet=0.01)
    assert not changes.alive
    edit_in_place(desk.folder)
    changes.start()
    assert told.acquire(timeout=BOUND)
    (desk.folder / "rules/new.yaml").touch()
    assert told.acquire(timeout=BOUND)
    assert changes.alive
    changes.stop()
    assert not changes.alive
