"""What systemd hears, through real datagram sockets; and the unit that `install service` writes."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from workplace import Workplace, ended

from wbox_notify.systemd import Systemd


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
