"""The preview of the watched folders in `check`."""

from pathlib import Path

import pytest
from rulebook import project, rule_file
from workplace import Workplace, until

from wbox_notify.config.yaml.problems import Problem
from wbox_notify.daemon.preview import UnwantedFiles, preview, unwanted
from wbox_notify.model.file_version import FileVersion, Past
from wbox_notify.rules.project import Live


def nothing(_: object) -> dict[FileVersion, Past]:
    """Know no file."""
    return {}


def found(folder: Path, trigger: str, more: str = "") -> tuple[int, list[Problem]]:
    rule = rule_file(f"trigger: {{file: {{path: drop{trigger}}}}}\n{more}")
    seen = preview(project(folder, {"rules/a.yaml": rule}), nothing)
    assert seen.complete
    return seen.new["a"], seen.problems


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    (tmp_path / "drop" / "in").mkdir(parents=True)
    for number in range(60):
        (tmp_path / "drop" / "in" / f"{number}.pdf").write_bytes(b"x")
    return tmp_path / "drop"


def test_new_files_are_counted_for_each_rule_that_would_take_them(drop: Path) -> None:
    for name in ("a.csv", "b.csv.part", ".c.csv"):
        (drop / name).write_bytes(b"x")
    assert found(drop.parent, ", match: '*.csv'")[0] == 1
    assert found(drop.parent, "")[0] == 61
    assert found(drop.parent, ", min_size: 1kB")[0] == 0


def test_what_no_rule_takes_is_counted_and_what_one_nearly_takes_named_first(tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    for name in ("0.txt", "Bill-1.pdf", "bill-2.pdf"):
        (drop / name).write_bytes(b"x")
    rules = project(
        tmp_path, {"rules/a.yaml": rule_file("trigger: {file: {path: drop, match: 'bill-*.pdf'}}")}
    )
    (folder,) = unwanted(rules)
    assert (folder.folder, folder.number) == (str(drop), 2)
    assert folder.names[0].startswith("Bill-1.pdf (")
    assert folder.names[1] == "0.txt"
    counting = UnwantedFiles(Live(rules))
    counting.start()
    until(lambda: list(counting.found()) == [folder])
    counting.stop()


def test_files_that_were_seen_are_not_counted(drop: Path) -> None:
    path = drop / "in" / "7.pdf"
    seen = FileVersion.of(str(path), str(drop), path.stat())
    rules = project(drop.parent, {"rules/a.yaml": rule_file("trigger: {file: {path: drop}}")})
    assert preview(rules, lambda _: {seen: Past((seen,))}).new["a"] == 59


def test_a_folder_full_of_history_is_a_warning_with_the_messages_that_would_go_out(drop: Path) -> None:
    to = 'to: ["+905551112233", "+905551112244"]'
    _, (problem,) = found(drop.parent, "", to)
    assert (problem.code, problem.severity, problem.line) == ("WBX337", "warning", 5)
    assert problem.message == "60 new files: `a` would send 120 messages"
    _, (problem,) = found(drop.parent, "", "group: {}")
    assert problem.message.endswith("would send messages about all of them")


@pytest.mark.parametrize("said", ["existing: ignore", "existing: process", "match: '7*'"])
def test_a_rule_that_says_what_it_wants_of_old_files_or_takes_few_is_not_warned(
    drop: Path, said: str
) -> None:
    assert found(drop.parent, f", match: '**/*', {said}" if "match" not in said else f", {said}")[1] == []


@pytest.mark.parametrize(("poll", "codes"), [("", ["WBX338"]), (", poll: 10s", [])])
def test_F23_a_folder_that_nothing_tells_about_is_a_warning_until_somebody_says_how_often(
    tmp_path: Path, poll: str, codes: list[str]
) -> None:
    rule = rule_file(f"trigger: {{file: {{path: /proc/sys/fs/inotify, match: none{poll}}}}}")
    problems = preview(project(tmp_path, {"rules/a.yaml": rule}), nothing).problems
    assert [problem.code for problem in problems] == codes


def test_a_missing_folder_holds_no_files(tmp_path: Path) -> None:
    assert found(tmp_path, "") == (0, [])


def test_check_tells_how_many_files_a_rule_would_take_now(place: Workplace) -> None:
    (place.drop / "a.pdf").write_bytes(b"x")
    (place.drop / "b.pdf").write_bytes(b"x")
    assert "(2 new files)" in place.run("check").stdout
    assert place.json("check")["rules"][0]["files"] == 2
    daemon = place.start("run")
    until(lambda: place.json("check")["rules"][0]["files"] == 0)
    daemon.terminate()
    daemon.communicate(timeout=10)
    assert "new file" not in place.run("check").stdout
