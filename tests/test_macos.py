"""Where the system has neither leases nor inotify nor O_PATH, all but the daemon works."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from workplace import Workplace

from wbox_notify.simulator import Simulator

MACOS = Path(__file__).parent / "data" / "macos"

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
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_a_command_works_without_what_linux_alone_has(
    place: Workplace, mac: Mac, *, words: list[str], code: int, said: str
) -> None:
    (place.folder / "a.txt").write_text("hi")
    ran = mac("-m", "wbox_notify", *words)
    assert (ran.returncode, "Traceback" in ran.stderr) == (code, False), ran.stderr
    assert said in ran.stdout


@pytest.mark.parametrize("words", [["run"], ["demo", "--once"]], ids=" ".join)
def test_the_daemon_says_that_it_needs_linux(mac: Mac, words: list[str]) -> None:
    ran = mac("-m", "wbox_notify", *words)
    assert ran.returncode == 78
    assert "the daemon needs Linux" in ran.stderr
    assert "in a container" in ran.stderr


def test_apprise_sends_there(mac: Mac, wbox: Simulator) -> None:
    address = f"wbox://sk_test@{wbox.url.removeprefix('http://')}/905551234567?tls=no"
    script = f"import apprise, wbox_notify.apprise_hook; apprise.Apprise({address!r}).notify('hi')"
    assert mac("-c", script).returncode == 0
    assert wbox.messages()[0]["body"]["message"] == "hi"


def test_programs_can_import_the_handler_of_logging_there(mac: Mac) -> None:
    assert mac("-c", "import wbox_notify.log_handler").returncode == 0
