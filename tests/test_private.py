"""Files that are ours alone: written whole, believed with care; and who else can write what we follow."""

import json
import os
import re
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from workplace import Workplace, ended, until

from wbox_notify.cli.project import Remote, UnreachableError
from wbox_notify.config import private
from wbox_notify.config.yaml.problems import Problem
from wbox_notify.daemon.daemon import _own_key
from wbox_notify.rules.exposure import exposures
from wbox_notify.rules.loading import load

IS_ROOT = os.geteuid() == 0
NOBODY = 65534
as_root = pytest.mark.skipif(not IS_ROOT, reason="root alone can give files away")

KEYS: dict[str, Callable[[Path], object]] = {
    "no bytes": lambda path: path.write_bytes(b""),
    "too short": lambda path: path.write_bytes(b"x" * 31),
    "too long": lambda path: path.write_bytes(b"x" * 33),
    "read by others": lambda path: path.chmod(0o604),
    "written by a group": lambda path: path.chmod(0o620),
    "a link": lambda path: (path.rename(path.with_name("k")), path.symlink_to("k")),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "of somebody else": lambda path: os.chown(path, NOBODY, NOBODY) if IS_ROOT else path.chmod(0o606),
}


def test_a_file_is_for_our_user_alone_and_its_folder_too(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key"
    private.write(path, b"one")
    private.write(path, b"two")
    assert private.read(path) == b"two"
    assert {stat.S_IMODE(one.stat().st_mode) for one in (path, path.parent)} == {0o600, 0o700}
    assert [one.name for one in path.parent.iterdir()] == ["key"]


def test_a_crash_at_any_point_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    code = """
        import pathlib, sys
        from wbox_notify.config import private
        path, crash = pathlib.Path(sys.argv[1]), int(sys.argv[2])
        calls = 0
        def hook(event, arguments):
            global calls
            if event in {"open", "os.rename", "os.remove"} and str(path.parent) in str(arguments[0]):
                calls += 1
                if calls > crash:
                    import os
                    os._exit(9)
        sys.addaudithook(hook)
        private.write(path, b"new" * 1000)
    """
    path = tmp_path / "key"
    for crash in range(9):
        path.write_bytes(b"old")
        ran = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), str(path), str(crash)], check=False, timeout=60
        )
        assert path.read_bytes() in {b"old", b"new" * 1000}
        if ran.returncode == 0:
            break
    assert crash > 2
    assert path.read_bytes() == b"new" * 1000
    assert [one.name for one in tmp_path.iterdir()] == ["key"]


def test_what_can_not_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "key").mkdir()
    with pytest.raises(IsADirectoryError):
        private.write(tmp_path / "key", b"x")
    assert [one.name for one in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("spoil", KEYS.values(), ids=KEYS)
def test_a_key_of_links_that_can_not_be_trusted_is_made_anew_and_told(
    tmp_path: Path, spoil: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "data" / "link.key"
    first = _own_key(path)
    assert (len(first), _own_key(path), caplog.messages) == (32, first, [])
    spoil(path)
    second = _own_key(path)
    assert len(second) == 32
    assert second != first
    assert "links in messages that were sent before no longer work" in caplog.text
    assert first.hex() not in caplog.text
    assert _own_key(path) == second
    assert len(caplog.messages) == 1


def test_a_daemon_with_a_key_of_no_bytes_makes_another_and_says_so(place: Workplace) -> None:
    (place.folder / "data").mkdir(mode=0o700)
    (place.folder / "data" / "link.key").touch(0o600)
    process = place.start("run")
    until(place.card.exists)
    assert len((place.folder / "data" / "link.key").read_bytes()) == 32
    code, errors = ended(process)
    assert code == 0
    assert "link.key is damaged, so a new key is made" in errors


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        ('{"url": "http://127.0.0.1:1", "token": "t"}', 0o660, "others can read or change"),
        ('{"url": "http://127.0.0.1:1", "token": "t"}', 0o604, "others can read or change"),
        ("", 0o600, "holds no address of a daemon"),
        ("[]", 0o600, "holds no address of a daemon"),
        ("{}", 0o600, "holds no address of a daemon"),
        ('{"url": "http://[", "token": "t"}', 0o600, "holds no address of a daemon"),
        ('{"url": "http://127.0.0.1:1", "token": "t"', 0o600, "holds no address of a daemon"),
    ],
)
def test_a_card_that_others_can_have_written_is_not_believed(
    tmp_path: Path, content: str, mode: int, words: str
) -> None:
    (tmp_path / "daemon.json").write_text(content)
    (tmp_path / "daemon.json").chmod(mode)
    with pytest.raises(UnreachableError, match=words):
        Remote(tmp_path)


@as_root
def test_root_may_ask_the_daemon_of_another_user_but_no_third_one_may_answer(tmp_path: Path) -> None:
    private.write(tmp_path / "daemon.json", json.dumps({"url": "http://127.0.0.1:1", "token": "t"}).encode())
    for path in (tmp_path, tmp_path / "daemon.json"):
        os.chown(path, NOBODY, NOBODY)
    Remote(tmp_path)
    os.chown(tmp_path / "daemon.json", NOBODY - 1, NOBODY)
    with pytest.raises(UnreachableError, match="another user owns"):
        Remote(tmp_path)


def exposed(folder: Path, *, running: bool = True) -> list[Problem]:
    return list(exposures(load(folder, {"WBOX_DATA_DIR": str(folder / "data")}).settings, running=running))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("data", "rules/sub", "templates"):
        (tmp_path / name).mkdir(mode=0o755, parents=True)
    for name in ("wbox-notify.yaml", "rules/sub/a.yaml", "templates/a.j2"):
        (tmp_path / name).touch(0o644)
    return tmp_path


@pytest.mark.parametrize(
    "name", ["data", ".", "wbox-notify.yaml", "rules", "rules/sub", "rules/sub/a.yaml", "templates/a.j2"]
)
def test_what_others_can_write_is_an_error_for_root_and_a_warning_for_others(folder: Path, name: str) -> None:
    assert exposed(folder) == []
    path = folder / name
    path.chmod(path.stat().st_mode | 0o002)
    for running in (True, False):
        *_, problem = exposed(folder, running=running)
        assert (problem.code, problem.severity) == ("WBX362", "error" if IS_ROOT else "warning")
        assert problem.message == f"everybody on this machine can write to {path}"
        assert re.fullmatch(r"chmod -R go-w \S+", problem.hint or "")
    path.chmod(path.stat().st_mode & ~0o002)
    if IS_ROOT:
        os.chown(path, 0, NOBODY)
        assert exposed(folder) == []
        path.chmod(path.stat().st_mode | 0o020)
        assert exposed(folder)[0].message == f"a group can write to {path}"


def test_a_folder_that_everybody_can_put_another_in_the_place_of_is_told(tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    (open_to_all / "deep" / "rules").mkdir(parents=True)
    open_to_all.chmod(0o777)
    found = exposed(open_to_all / "deep")
    assert [problem.hint for problem in found] == [f"chmod o-w {open_to_all}"] * 2
    open_to_all.chmod(0o1777)
    assert exposed(open_to_all / "deep") == []


def test_a_store_elsewhere_is_looked_at_too(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "wbox-notify.yaml").write_text("store: sqlite:///elsewhere/queue.db")
    store = folder / "elsewhere" / "queue.db"
    assert exposed(folder) == []
    store.touch(0o600)
    assert exposed(folder) == []
    store.chmod(0o602)
    assert exposed(folder)[0].message == f"everybody on this machine can write to {store}"
    store.chmod(0o600)
    store.parent.chmod(0o777)
    assert exposed(folder)[0].hint == f"chmod o-w {store.parent}"


@as_root
def test_root_does_not_follow_what_another_user_owns_but_may_look_at_it(folder: Path) -> None:
    os.chown(folder / "rules", NOBODY, NOBODY)
    [running], [looking] = exposed(folder), exposed(folder, running=False)
    assert (running.severity, looking.severity) == ("error", "warning")
    assert running.message == f"another user owns {folder / 'rules'}"


def test_a_daemon_of_root_does_not_start_where_others_can_write(place: Workplace) -> None:
    (place.folder / "rules").chmod(0o777)
    assert "WBX362" in place.run("check").stderr
    if IS_ROOT:
        ran = place.run("run")
        assert ran.returncode == 78
        assert "error[WBX362]" in ran.stderr
    else:
        process = place.start("run")
        until(place.card.exists)
        assert "everybody on this machine can write to" in ended(process)[1]


@as_root
def test_root_does_not_follow_a_copy_of_the_rules_that_others_can_write(place: Workplace) -> None:
    process = place.start("run")
    until(place.card.exists)
    ended(process)
    (place.folder / "rules" / "broken.yaml").write_text("[")
    (place.folder / "data").chmod(0o777)
    ran = place.run("run")
    assert ran.returncode == 78
    assert "error[WBX362]" in ran.stderr
    assert not (place.folder / "data" / "last-good").exists()


def test_a_folder_in_place_of_the_key_is_said_and_no_internal_error(place: Workplace) -> None:
    (place.folder / "data" / "link.key").mkdir(parents=True)
    ran = place.run("run")
    assert ran.returncode == 74
    assert "link.key cannot be written: Is a directory" in ran.stderr
