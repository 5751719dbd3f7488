"""All works where the system has neither leases nor inotify nor O_PATH, which macOS lacks too."""

import plistlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from workplace import TEXT_RULE, Workplace, until

from wbox_notify.simulator import Simulator

EXAMPLES = Path(__file__).parents[1] / "examples"
MACOS = Path(__file__).parent / "data" / "macos"

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))

Mac = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def mac(place: Workplace) -> Mac:
    """Run Python with some words in a project, as on macOS."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**place.environment, "PYTHONPATH": str(MACOS)}
        return subprocess.run(
            [sys.executable, *words],
            cwd=place.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


@contextmanager
def a_daemon(place: Workplace) -> Iterator[None]:
    """Run the daemon of a project as on macOS, and kill it in the end."""
    daemon = subprocess.Popen(
        [sys.executable, "-m", "wbox_notify", "run"],
        cwd=place.folder,
        env={**place.environment, "PYTHONPATH": str(MACOS)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        daemon.kill()
        daemon.wait(10)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["check"], 0, "1 rule without errors"),
        (["test"], 3, "0 passed"),
        (["trigger", "new-file", "--file", "a.txt", "--dry-run"], 0, "a.txt: hi"),
        (["send", "text", "905551234567", "Merhaba"], 0, "sent"),
        (["status"], 69, "not running"),
        (["plan", "--next"], 0, "nothing is due"),
        (["exec", "--", "echo", "done"], 0, "done"),
        (["install", "service"], 1, "macOS has no systemd"),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_a_command_works_without_what_linux_alone_has(
    place: Workplace, mac: Mac, *, words: list[str], code: int, said: str
) -> None:
    (place.folder / "a.txt").write_text("hi")
    ran = mac("-m", "wbox_notify", *words)
    assert (ran.returncode, "Traceback" in ran.stderr) == (code, False), ran.stderr
    assert said in ran.stdout + ran.stderr


def test_the_demo_runs_there(mac: Mac) -> None:
    ran = mac("-m", "wbox_notify", "demo", "--once")
    assert (ran.returncode, "Traceback" in ran.stderr) == (0, False), ran.stderr
    assert "*invoice-2026-0042.txt*" in ran.stdout


def test_the_daemon_takes_each_file_once_there_and_puts_it_away(place: Workplace, wbox: Simulator) -> None:
    place.rule(TEXT_RULE.replace("{path: drop", "{path: drop, done: done/"))
    (place.drop / "first.txt").write_text("hi")
    for number, name in enumerate(["second.txt", "third.txt"], 1):
        with a_daemon(place):
            wbox.wait_for(number)
            (place.drop / name).write_text("hi")
            until((place.drop / "done" / name).exists)
    told = sorted(call["body"]["message"] for call in wbox.messages())
    assert told == ["first.txt: hi", "second.txt: hi", "third.txt: hi"]


def test_the_daemon_sends_a_file_of_the_machine_there(place: Workplace, wbox: Simulator) -> None:
    place.rule(TEXT_RULE.partition("send:")[0] + 'send: {media: {file: "{{ file.path }}"}}')
    (place.drop / "photo.png").write_bytes(PNG)
    with a_daemon(place):
        wbox.wait_for(1)
        address = wbox.messages()[0]["body"]["media_url"]
        assert requests.get(address, timeout=10).content == PNG


def test_the_agent_of_launchd_runs_the_daemon_again_when_it_ends() -> None:
    agent = plistlib.loads((EXAMPLES / "launchd" / "wbox-notify.plist").read_bytes())
    assert agent["ProgramArguments"][1:] == ["-c", "/Users/ayse/shop", "run"]
    assert (agent["RunAtLoad"], agent["KeepAlive"], agent["Umask"]) == (True, True, 0o077)


def test_apprise_sends_there(mac: Mac, wbox: Simulator) -> None:
    address = f"wbox://sk_test@{wbox.url.removeprefix('http://')}/905551234567?tls=no"
    script = f"import apprise, wbox_notify.apprise_hook; apprise.Apprise({address!r}).notify('hi')"
    assert mac("-c", script).returncode == 0
    assert wbox.messages()[0]["body"]["message"] == "hi"


def test_programs_can_import_the_handler_of_logging_there(mac: Mac) -> None:
    assert mac("-c", "import wbox_notify.log_handler").returncode == 0
