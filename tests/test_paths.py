"""Paths as people write them: one that is watched is taken, however it is written."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rulebook import rule, rule_file
from test_afterwards import House
from workplace import TEXT_RULE, Workplace, until

from wbox_notify.config.values import as_path, plain
from wbox_notify.config.yaml.problems import errors
from wbox_notify.rules.loading import load
from wbox_notify.rules.triggers import FileTrigger


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b"),
        ("//a///b/./c/", "/a/b/c"),
        ("/a/../b", "/b"),
        ("/../..", "/"),
        ("/", "/"),
        ("/nowhere/at/../all", "/nowhere/all"),
    ],
)
def test_a_path_is_plain(written: str, meant: str) -> None:
    assert plain(Path(written)) == Path(meant)


def test_the_folder_above_a_link_is_that_of_what_it_leads_to_and_other_links_stay(tmp_path: Path) -> None:
    (tmp_path / "far" / "project").mkdir(parents=True)
    (tmp_path / "far" / "in").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "project")
    assert plain(tmp_path / "link" / ".." / "in") == tmp_path / "far" / "in"
    assert plain(tmp_path / "link" / "x" / "..") == tmp_path / "far" / "project"
    assert plain(tmp_path / "link" / "x") == tmp_path / "link" / "x"


@given(st.lists(st.sampled_from(["usr", "bin", "..", ".", "", "lib", "proc", "self", "cwd"]), max_size=8))
def test_a_plain_path_leads_where_the_path_leads_and_is_plain_already(parts: list[str]) -> None:
    path = Path("/" + "/".join(parts))
    assert os.path.realpath(plain(path)) == os.path.realpath(path)
    assert plain(plain(path)) == plain(path)
    assert ".." not in plain(path).parts


@pytest.mark.parametrize(
    "written", ["../in", "./x/../../in", "{folder}/project/../in/", "link", "~/in", "//{bare}/in"]
)
def test_F09_a_file_is_taken_however_the_path_of_its_folder_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    project, drop = tmp_path / "project", tmp_path / "in"
    project.mkdir()
    drop.mkdir()
    (project / "link").symlink_to(drop)
    path = written.format(folder=tmp_path, bare=str(tmp_path).lstrip("/"))
    house = House(project, f"trigger: {{file: {{path: '{path}', match: '*.txt', done: ../done/}}}}")
    (drop / "a.txt").write_bytes(b"x")
    house.through()
    assert not (drop / "a.txt").exists()
    assert (tmp_path / "done" / "a.txt").exists()
    house.store.close()


def test_a_folder_may_begin_above_that_of_the_files(tmp_path: Path) -> None:
    house = House(tmp_path, "trigger: {file: {path: drop, done: '../done/{{ file.stem }}'}}")
    house.file("x/...txt")  # hidden
    (house.drop / "a.txt").write_bytes(b"x")
    house.through()
    assert house.there == ["done/a/a.txt", "drop/x/...txt"]
    house.store.close()


def test_a_project_folder_with_dots_is_the_same_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, elsewhere = tmp_path / "q" / "rules", tmp_path / "r"
    project.mkdir(parents=True)
    elsewhere.mkdir()
    (project / "a.yaml").write_text(rule_file("trigger: {file: {path: in}}"), encoding="utf-8")
    monkeypatch.chdir(elsewhere)
    found = load(Path("../q"), {})
    assert errors(found.problems) == []
    (trigger,) = found.rules[0].triggers
    assert isinstance(trigger, FileTrigger)
    assert trigger.root == tmp_path / "q" / "in"
    assert found.settings.folder == tmp_path / "q"


def test_a_daemon_of_a_relative_project_folder_takes_files(place: Workplace) -> None:
    place.rule(TEXT_RULE.replace("path: drop", "path: ../in"))
    inside = place.folder.parent / "in"
    inside.mkdir()
    (inside / "a.txt").write_bytes(b"x")
    place.start("-c", f"../{place.folder.name}", "run")
    until(lambda: "a.txt" in place.run("log").stdout)


def test_a_path_with_a_nul_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="NUL"):
        as_path("a\0b", tmp_path)
    assert rule(tmp_path, "trigger: {file: {path: a}}")
