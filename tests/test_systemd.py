"""What systemd hears, through real datagram sockets; and the unit that `install service` writes."""

import grp
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from workplace import TEXT_RULE, Workplace, ended

from wbox_notify.cli.unit import Unit
from wbox_notify.daemon.systemd import Systemd
from wbox_notify.simulator import Simulator

SYSTEMD = shutil.which("systemd-analyze")


@pytest.fixture
def place(wbox: Simulator) -> Iterator[Workplace]:
    """Return a project in one of the folders that the unit hides."""
    with TemporaryDirectory(dir="/tmp") as folder:
        workplace = Workplace(Path(folder, "project"), wbox)
        yield workplace
        workplace.leave()


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    """Return the socket that stands for systemd."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(20)
        yield listening


def test_each_state_is_one_datagram(tmp_path: Path, heard: socket.socket) -> None:
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "notify")}, []).tell("READY=1")
    assert heard.recv(100) == b"READY=1"


def test_an_abstract_socket_is_reached_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + f"wbox-notify-test-{os.getpid()}")
        listening.settimeout(20)
        Systemd({"NOTIFY_SOCKET": f"@wbox-notify-test-{os.getpid()}"}, []).tell("STOPPING=1")
        assert listening.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize(
    "environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/at/all"}], ids=str
)
def test_without_anybody_who_listens_nothing_happens(environ: dict[str, str]) -> None:
    Systemd(environ, []).tell("READY=1")


def test_the_watchdog_is_fed_once_each_loop_has_turned(tmp_path: Path, heard: socket.socket) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": str(tmp_path / "notify")}, ["one", "other"])
    heard.setblocking(False)
    for loop in ("one", "one", "one"):
        systemd.turned(loop)
    with pytest.raises(BlockingIOError):
        heard.recv(100)
    systemd.turned("other")
    assert heard.recv(100) == b"WATCHDOG=1"
    systemd.turned("other")
    with pytest.raises(BlockingIOError):
        heard.recv(100)


def test_run_says_when_it_is_ready_reads_again_and_stops(
    place: Workplace, tmp_path: Path, heard: socket.socket
) -> None:
    place.environment["NOTIFY_SOCKET"] = str(tmp_path / "notify")
    process = place.start("run")
    told(heard, "READY=1")
    process.send_signal(signal.SIGHUP)
    told(heard, "RELOADING=1")
    told(heard, "READY=1")
    (place.drop / "a.txt").write_text("a")
    told(heard, "WATCHDOG=1")
    process.send_signal(signal.SIGTERM)
    told(heard, "STOPPING=1")
    assert ended(process)[0] == 0


def told(heard: socket.socket, state: str) -> set[str]:
    """Return what is heard up to a state."""
    found: set[str] = set()
    while state not in found:
        found.add(heard.recv(100).decode())
    return found


def unit(place: Workplace, *words: str) -> str:
    """Return the unit that is written for a project, after systemd has looked at it where it is there."""
    written = place.run("install", "service", "--to", str(place.folder / "units"), *words)
    assert written.returncode == 0, written.stderr
    path = place.folder / "units" / "wbox-notify.service"
    if SYSTEMD:
        verified = subprocess.run([SYSTEMD, "verify", path], capture_output=True, text=True, check=False)
        assert (verified.returncode, verified.stderr) == (0, "")
    return path.read_text()


def values(text: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


@pytest.mark.skipif(not SYSTEMD, reason="NOT SHOWN: systemd-analyze is not installed")
def test_systemd_rates_the_exposure_of_the_unit_of_the_machine_as_2_or_better(place: Workplace) -> None:
    unit(place, "--system")
    path = place.folder / "units" / "wbox-notify.service"
    words = [SYSTEMD, "security", "--offline=true", "--threshold=20", path]
    rated = subprocess.run(words, capture_output=True, text=True, check=False)
    assert rated.returncode == 0, rated.stdout[-300:]
    assert "Overall exposure level" in rated.stdout


def test_the_unit_starts_this_interpreter_on_the_project_and_hands_it_the_key(place: Workplace) -> None:
    for words in (["--system"], ["--user"]):
        text = unit(place, *words, "--key", "/etc/keys/wbox")
        command = f"{sys.executable} -m wbox_notify -c {place.folder} run"
        assert values(text, "ExecStart") == [command]
        assert values(text, "LoadCredential") == ["wbox_api_key:/etc/keys/wbox"]
        assert values(text, "RestartPreventExitStatus") == ["78"]
        assert values(text, "ExecReload") == ['/bin/sh -c "kill -HUP $MAINPID"'], "no procps"
        assert values(text, "Type") == ["notify"]
        assert float(values(text, "WatchdogSec")[0]) > 2 * 30 + 15, "a loop may rest so long"
        assert "sk_" not in text


def test_a_unit_of_the_machine_sees_what_the_rules_watch_and_can_not_write_it(place: Workplace) -> None:
    hidden = place.folder / "in the tmp folder"
    place.rule(TEXT_RULE.replace("path: drop", f'path: "{hidden}"'))
    place.rule(TEXT_RULE.replace("path: drop", "path: /srv/drop").replace("new-file", "b"), "rules/b.yaml")
    text = unit(place, "--system")
    seen = values(text, "BindReadOnlyPaths")
    assert f'-"{hidden}"' in seen or f'"-{hidden}"' in seen
    assert str(place.folder) in seen
    assert not any("/srv/drop" in path for path in seen), "it is read-only by ProtectSystem=strict already"
    assert values(text, "ProtectSystem") == ["strict"]
    assert values(text, "ReadWritePaths") == []
    assert "BindReadOnlyPaths" not in unit(place, "--user")


def test_a_store_of_ones_own_choice_may_be_written(place: Workplace) -> None:
    place.rule("store: sqlite:////srv/wbox/queue.db\n", "wbox-notify.yaml")
    assert values(unit(place, "--system"), "ReadWritePaths") == ["/srv/wbox"]


def test_a_folder_that_files_are_sent_from_is_seen_and_one_that_they_are_put_into_is_written(
    place: Workplace,
) -> None:
    charts = place.folder / "charts"
    place.rule(TEXT_RULE.replace("text:", f'media: {{file: "{charts}/{{{{ file.name }}}}"}} #'))
    place.rule("media: {static: {folder: /srv/www, url: https://files.example.com}}\n", "wbox-notify.yaml")
    text = unit(place, "--system")
    assert f"-{charts}" in values(text, "BindReadOnlyPaths")
    assert values(text, "ReadWritePaths") == ["/srv/www"]


def test_folders_that_files_are_put_away_from_and_to_are_written(place: Workplace) -> None:
    away = 'path: "{}", done: "{}", failed: "/srv/bad/{{{{ file.ext }}}}/x", duplicate: /home/shop/twice'
    inside, outside = place.folder / "in", Path("/srv/in")
    place.rule(TEXT_RULE.replace("path: drop", away.format(inside, "done/{{ now | date }}")))
    place.rule(
        TEXT_RULE.replace("path: drop", "path: /srv/x/../in, done: ok").replace("new-file", "b"),
        "rules/b.yaml",
    )
    place.rule(TEXT_RULE.replace("path: drop", "path: /home/c").replace("new-file", "c"), "rules/c.yaml")
    text = unit(place, "--system")
    assert set(values(text, "BindPaths")) == {f"-{inside}", "-/home/shop/twice"}
    assert set(values(text, "ReadWritePaths")) == {"-/srv/bad", f"-{outside}", f"-{outside}/ok"}
    assert "-/home/c" in values(text, "BindReadOnlyPaths")
    assert not [path for path in values(text, "BindReadOnlyPaths") if str(inside) in path]


def test_a_folder_below_a_writable_one_is_a_mount_only_where_one_between_them_is_read_only(
    place: Workplace,
) -> None:
    outer, inner = "path: /home/shop, done: ok", "path: /home/shop/a/b, done: delete"
    place.rule(TEXT_RULE.replace("path: drop", outer))
    place.rule(TEXT_RULE.replace("path: drop", inner).replace("new-file", "b"), "rules/b.yaml")
    assert "-/home/shop/a/b" not in values(unit(place, "--system"), "BindPaths")
    place.rule(TEXT_RULE.replace("path: drop", "path: /home/shop/a").replace("new-file", "c"), "rules/c.yaml")
    text = unit(place, "--system")
    assert {"-/home/shop", "-/home/shop/a/b"} <= set(values(text, "BindPaths"))
    assert "-/home/shop/a" in values(text, "BindReadOnlyPaths")


def test_where_files_are_deleted_their_folder_is_written(place: Workplace) -> None:
    place.rule(TEXT_RULE.replace("path: drop", "path: /srv/in, done: delete"))
    assert values(unit(place, "--system"), "ReadWritePaths") == ["-/srv/in"]


def test_folders_for_files_that_are_put_away_are_for_a_group_that_may_write(place: Workplace) -> None:
    if os.geteuid():
        pytest.skip("only root can give a folder to another group")
    place.rule(TEXT_RULE.replace("path: drop", f"path: drop, done: ok, failed: {place.folder}/bad"))
    group = grp.getgrall()[1]
    os.chown(place.drop, 0, group.gr_gid)
    place.drop.chmod(0o2770)
    assert values(unit(place, "--system"), "SupplementaryGroups") == [group.gr_name]
    steps = place.json("install", "service", "--system", "--to", "units")["next"]
    assert not [step for step in steps if f"write {place.drop} " in step]
    assert [step for step in steps if step.startswith(f"make the folder {place.folder}/bad, and let a group")]
    place.drop.chmod(0o2750)
    steps = place.json("install", "service", "--system", "--to", "units")["next"]
    step = f"let a group write {place.drop} (chmod g+rwxs): the daemon moves files there as a user of its own"
    assert step in steps


def test_a_unit_in_another_folder_is_first_put_where_systemd_looks(place: Workplace) -> None:
    target = place.folder / "units" / "wbox-notify.service"
    steps = place.json("install", "service", "--system", "--to", "units")["next"]
    step = f"sudo install -D -m 644 {target} /etc/systemd/system/wbox-notify.service"
    assert steps.index(step) < steps.index("sudo systemctl daemon-reload")


def test_the_unit_says_how_its_own_kind_is_changed(place: Workplace) -> None:
    assert unit(place, "--user").startswith(
        "# written by wbox-notify install service; your own changes: systemctl --user edit wbox-notify\n"
    )
    assert "changes: systemctl edit wbox-notify\n" in unit(place, "--system")


def test_secrets_in_files_become_credentials_and_others_are_named(place: Workplace) -> None:
    (place.folder / "hook.key").write_text("a secret that is long enough\n")
    settings = "secrets: {in-a-file: {file: hook.key}, in-the-shell: {env: HOOK}}\n"
    place.rule(settings, "wbox-notify.yaml")
    place.environment["HOOK"] = "another secret that is long enough"
    assert f"in-a-file:{place.folder}/hook.key" in values(unit(place, "--system"), "LoadCredential")
    steps = place.json("install", "service", "--system", "--to", "units")["next"]
    assert [step for step in steps if "`in-the-shell`" in step]
    assert not [step for step in steps if "`in-a-file`" in step]


def test_a_folder_for_a_group_makes_the_daemon_a_member_and_a_closed_one_is_named(place: Workplace) -> None:
    if os.geteuid():
        pytest.skip("only root can give a folder to another group")
    group = grp.getgrall()[1]
    os.chown(place.drop, 0, group.gr_gid)
    place.drop.chmod(0o750)
    assert values(unit(place, "--system"), "SupplementaryGroups") == [group.gr_name]
    place.drop.chmod(0o700)
    steps = place.json("install", "service", "--system", "--to", "units")["next"]
    assert f"let a group read {place.drop}: the daemon runs as a user of its own" in steps


def test_the_screen_says_what_to_type_next_and_remove_takes_it_back(place: Workplace) -> None:
    to = ["--to", str(place.folder / "units")]
    said = place.run("install", "service", "--system", *to).stdout
    assert "sudo systemctl daemon-reload\n" in said
    assert "sudo systemctl enable --now wbox-notify\n" in said
    assert "install -D -m 600" in said, "there is no key yet"
    assert (
        "systemctl --user enable --now wbox-notify" in place.run("install", "service", "--user", *to).stdout
    )
    assert "removed" in place.run("install", "service", "--remove", *to).stdout
    assert "not there" in place.run("install", "service", "--remove", *to).stdout
    assert list((place.folder / "units").iterdir()) == []


def test_print_writes_no_file(place: Workplace) -> None:
    printed = place.run("install", "service", "--user", "--print")
    assert printed.stdout.endswith("[Install]\nWantedBy=default.target\n\n")
    as_json = json.loads(place.run("install", "service", "--user", "--print", "--json").stdout)
    assert as_json["unit"] + "\n" == printed.stdout
    assert not (place.folder / ".config").exists()
    assert place.run("install", "service", "--user").returncode == 0
    assert (place.folder / ".config/systemd/user/wbox-notify.service").read_text() + "\n" == printed.stdout


def test_a_unit_of_somebody_else_and_a_broken_project_are_left_alone(place: Workplace) -> None:
    (place.folder / "units").mkdir()
    (place.folder / "units/wbox-notify.service").write_text("[Service]\nExecStart=/bin/true\n")
    for words in ([], ["--remove"]):
        ran = place.run("install", "service", "--to", "units", *words)
        assert (ran.returncode, "is not ours" in ran.stderr) == (1, True)
    place.rule("version: 1\nrules: 3\n")
    assert place.run("install", "service", "--to", "other").returncode == 78
    assert not (place.folder / "other").exists()


@pytest.mark.parametrize("name", ["50% off", "$HOME", "İş"])
def test_a_folder_with_an_odd_name_stays_one_word(place: Workplace, name: str) -> None:
    odd = place.folder / name
    (odd / "rules").mkdir(parents=True)
    place.rule(TEXT_RULE, f"{name}/rules/rule.yaml")
    unit(place, "--system")
    text = place.run("-c", name, "install", "service", "--system", "--print").stdout
    word = str(odd).replace("%", "%%")
    quoted = f'"{word}"' if " " in word else word
    assert quoted in values(text, "BindReadOnlyPaths")
    assert f" -c {quoted.replace('$', '$$')} run" in values(text, "ExecStart")[0]


def test_a_folder_that_no_unit_can_name_is_an_error(place: Workplace) -> None:
    place.rule(TEXT_RULE.replace("path: drop", 'path: "/tmp/a:b"'))
    ran = place.run("install", "service", "--system", "--print")
    assert (ran.returncode, "a path in a systemd unit cannot have" in ran.stderr) == (78, True)


@pytest.mark.parametrize("odd", ['a"b', "a'b", "a\\b", "a\nExecStartPre=/bin/evil", "a\tb"], ids=ascii)
@pytest.mark.parametrize("kind", ["--system", "--user"])
def test_a_folder_whose_name_would_begin_a_line_or_a_word_of_a_unit_is_an_error(
    place: Workplace, odd: str, kind: str
) -> None:
    (place.folder / odd / "rules").mkdir(parents=True)
    place.rule(TEXT_RULE, f"{odd}/rules/rule.yaml")
    ran = place.run("-c", odd, "install", "service", kind, "--print")
    assert (ran.returncode, "a path in a systemd unit cannot have" in ran.stderr) == (78, True)
    assert ran.stdout == ""


def test_what_is_left_to_do_can_be_pasted_whatever_the_folder_is_called(place: Workplace) -> None:
    (place.folder / "my rules" / "rules").mkdir(parents=True)
    place.rule(TEXT_RULE, "my rules/rules/rule.yaml")
    steps = place.json("-c", "my rules", "install", "service", "--user", "--to", "units")["next"]
    assert f" -c '{place.folder}/my rules' status" in steps[-1]


def test_the_example_is_what_the_command_writes() -> None:
    """It is the unit of a project in /etc/wbox-notify that watches /srv/drop."""
    folder = Path("/etc/wbox-notify")
    made = Unit(
        system=True,
        python=Path("/opt/wbox-notify/bin/python"),
        folder=folder,
        credentials={"wbox_api_key": folder / "api-key", "github": folder / "github.secret"},
        needed=(Path("/opt/wbox-notify"),),
        watched=(Path("/srv/drop"), Path("/home/ayse/drop")),
    )
    example = Path(__file__).parents[1] / "examples" / "systemd" / "wbox-notify.service"
    assert example.read_text() == made.text()
