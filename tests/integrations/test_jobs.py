"""Real jobs of cron, restic and rclone, and the unit that systemd calls: what fails becomes a message."""

import json
import os
import re
import shlex
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
import requests
from pages import ROOT
from programs import found, replaced, running
from workplace import Workplace, until

from wbox_notify.simulator import Simulator
from wbox_notify.store import open_history

EXAMPLES = ROOT / "examples"
OURS = ROOT / ".venv" / "bin"


@pytest.fixture
def shell(place: Workplace, tmp_path: Path) -> dict[str, str]:
    """Start a daemon; give the environment of a job, in which our command is found."""
    if not (OURS / "wbox-notify").exists():
        pytest.skip(f"wbox-notify is not at {OURS}: the jobs were NOT run")
    place.start("run")
    until(place.card.exists)
    return {**place.environment, "PATH": f"{tmp_path}:{OURS}:{os.environ['PATH']}"}


def follow(place: Workplace, rules: str) -> None:
    """Let the daemon follow other rules; it does when this returns."""
    place.rule(rules)
    token = {"Authorization": f"Bearer {json.loads(place.card.read_text())['token']}"}
    assert requests.post(f"{place.url}/-/reload", headers=token, timeout=60).json() == {"problems": []}


def job(line: str, shell: dict[str, str]) -> int:
    """Run a job as cron does; return its exit code."""
    return subprocess.run(["sh", "-c", line], env=shell, check=False, timeout=120).returncode


def states(place: Workplace) -> list[tuple[str, str]]:
    """Return the names of the jobs that rules have heard of, and how they ended."""
    store = open_history(place.store)
    assert store
    with closing(store):
        bodies = [json.loads(row["data"])["body"] for row in store.events(most=100)]
    return [(body["name"], body["state"]) for body in bodies]


@pytest.fixture
def backups(place: Workplace, shell: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Give the two jobs of the example by their names, with folders of this test."""
    rules = (EXAMPLES / "restic" / "rules.yaml").read_text(encoding="utf-8")
    follow(place, replaced(rules, ('by: "07:00"', "by: 2099-12-31 09:00")))  # no deadline passes meanwhile
    assert place.run("check").returncode == 0
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv" / "a.txt").write_text("a")
    (tmp_path / "password").write_text("secret")
    shell |= {
        "RESTIC_REPOSITORY": str(tmp_path / "restic"),
        "RESTIC_PASSWORD_FILE": str(tmp_path / "password"),
        "RESTIC_CACHE_DIR": str(tmp_path / "cache"),
        "RCLONE_CONFIG": str(tmp_path / "rclone.conf"),
    }
    text = replaced(
        (EXAMPLES / "restic" / "backup.cron").read_text(encoding="utf-8"),
        ("/etc/wbox-notify", str(place.folder)),
        ("--quiet /srv", f"--quiet {tmp_path}/srv"),
        ("sync /mnt/backup remote:backup", f"sync {tmp_path}/srv {tmp_path}/copy"),
    )
    lines = [line.split(maxsplit=6)[6] for line in text.splitlines() if re.match("[0-9]", line)]
    return dict(zip(["restic", "rclone"], lines, strict=True))


def test_a_backup_of_restic_fails_and_is_told_and_then_goes_well(
    place: Workplace, wbox: Simulator, shell: dict[str, str], backups: dict[str, str]
) -> None:
    restic = found("restic")
    assert job(backups["restic"], shell) == 1
    message = wbox.wait_for(1)[0]["body"]["message"]
    assert message.startswith("❌ *restic* on ")
    assert "unable to open config file" in message
    subprocess.run([restic, "init", "--quiet"], env=shell, check=True, timeout=60)
    assert job(backups["restic"], shell) == 0
    listed = subprocess.run([restic, "ls", "latest"], env=shell, check=True, capture_output=True, timeout=60)
    assert b"a.txt" in listed.stdout
    until(lambda: ("restic", "done") in states(place))
    assert len(wbox.messages()) == 1


def test_a_copy_of_rclone_goes_well_and_one_of_nothing_is_told(
    place: Workplace, wbox: Simulator, shell: dict[str, str], backups: dict[str, str], tmp_path: Path
) -> None:
    found("rclone")
    assert job(backups["rclone"], shell) == 0
    assert (tmp_path / "copy" / "a.txt").read_text() == "a"
    shutil.rmtree(tmp_path / "srv")
    assert job(backups["rclone"], shell) == 3
    assert "❌ *rclone* on " in wbox.wait_for(1)[0]["body"]["message"]
    assert states(place).count(("rclone", "done")) == 1


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_cron_runs_the_jobs_of_a_crontab_and_each_that_fails_is_told(
    place: Workplace, wbox: Simulator, shell: dict[str, str], tmp_path: Path
) -> None:
    """A real cron, with tables of its own in a namespace of its own; it begins a job at the full minute."""
    cron, unshare = found("cron"), found("unshare")
    if os.geteuid() != 0:
        pytest.skip("only root may start cron: it was NOT run")
    follow(place, (EXAMPLES / "cron" / "rules.yaml").read_text(encoding="utf-8"))
    assert place.run("check").returncode == 0
    environment = "".join(
        f"{name}={value}\n" for name, value in shell.items() if name.startswith(("WBOX", "HOME"))
    )
    (tmp_path / "tell-cron").write_bytes((EXAMPLES / "cron" / "tell-cron").read_bytes())
    (tmp_path / "tell-cron").chmod(0o755)
    table = replaced(
        (EXAMPLES / "cron" / "crontab").read_text(encoding="utf-8"),
        (
            "SHELL=/usr/local/bin/tell-cron",
            f"SHELL={tmp_path}/tell-cron\nWBOX_CONFIG={place.folder}\n{environment}",
        ),
        ("PATH=", f"PATH={OURS}:"),
        ("0 3 * * *   /usr/local/bin/backup.sh", "* * * * * echo 'no space' left; exit 7"),
        ("*/5 * * * * /usr/local/bin/import-orders.sh", "* * * * * true"),
    )
    spool = tmp_path / "crontabs"
    spool.mkdir(mode=0o700)
    (spool / "root").write_text(table)
    (spool / "root").chmod(0o600)
    empty = tmp_path / "empty"
    empty.mkdir()
    inside = (
        f"mount -t tmpfs tmpfs /run; mount --bind {spool} /var/spool/cron/crontabs; "
        f"mount --bind {empty} /etc/cron.d; mount --bind /dev/null /etc/crontab; exec {cron} -f -L 0"
    )
    with running(tmp_path / "log", unshare, "--mount", "sh", "-euc", inside):
        message = wbox.wait_for(1, 90)[0]["body"]["message"]
        until(lambda: ("true", "done") in states(place), 30)
    assert re.fullmatch(r"❌ \*echo\* on \S+ failed with 7\nno space left", message)


def test_the_unit_for_failures_is_right_for_systemd(tmp_path: Path) -> None:
    analyze = found("systemd-analyze")
    unit = (EXAMPLES / "onfailure" / "tell-failure@.service").read_text(encoding="utf-8")
    (tmp_path / "tell-failure@.service").write_text(
        replaced(unit, ("ExecStart=/usr/local/bin/wbox-notify", "ExecStart=/bin/true"))
    )
    (tmp_path / "backup.service").write_text("[Service]\nType=oneshot\nExecStart=/bin/false\n")
    drop_in = tmp_path / "backup.service.d"
    drop_in.mkdir()
    shutil.copy(EXAMPLES / "onfailure" / "tell-failure.conf", drop_in)
    for name in ("backup.service", "tell-failure@backup.service.service"):
        ran = subprocess.run(
            [analyze, "verify", "--man=no", "--recursive-errors=yes", str(tmp_path / name)],
            env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (ran.returncode, ran.stderr) == (0, "")


def test_what_the_unit_for_failures_starts_tells_what_systemctl_says(
    place: Workplace, wbox: Simulator, shell: dict[str, str], tmp_path: Path
) -> None:
    """With a stand-in for systemctl, as no systemd runs in a test."""
    follow(place, (EXAMPLES / "onfailure" / "rules.yaml").read_text(encoding="utf-8"))
    assert place.run("check").returncode == 0
    stand_in = tmp_path / "systemctl"
    stand_in.write_text('#!/bin/sh\necho "x $6: failed (Result: exit-code)"\nexit 3\n')
    stand_in.chmod(0o755)
    unit = (EXAMPLES / "onfailure" / "tell-failure@.service").read_text(encoding="utf-8")
    [line] = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    here = ("/usr/local/bin/wbox-notify", "wbox-notify"), ("/etc/wbox-notify", str(place.folder))
    words = shlex.split(replaced(line, *here, ("%i", "my-backup.service")))
    assert subprocess.run(words, env=shell, check=False, timeout=60).returncode == 3
    message = wbox.wait_for(1)[0]["body"]["message"]
    assert message.startswith("🔴 *my-backup.service* on ")
    assert message.endswith("\nx my-backup.service: failed (Result: exit-code)")
