"""Reloads: whatever is built anew, the old one goes, however often that happens."""

import gc
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest
import requests
from workplace import running, settings_for, until

from wbox_notify.daemon.daemon import Daemon
from wbox_notify.rules.project import Project
from wbox_notify.simulator import Simulator
from wbox_notify.web.server import Server

RULES = """
version: 1
rules:
  - id: dropped
    trigger: {file: {path: in, done: out}}
    to: "+905551110001"
    send: {text: "{% include 'text.txt' %} {{ file.name }}"}
  - id: called
    trigger: {webhook: {path: call, open: true}}
    to: "+905551110002"
    send: {text: "{{ body }}"}
  - id: timed
    trigger: {schedule: {every: 1h}}
    to: "+905551110003"
    send: {text: "hourly"}
"""

RELOADS = 200
MOST_MORE = RELOADS // 4
"""How much more may be open for what just happens to be at work; one thing for each reload is far more."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("rules", "templates", "in"):
        (tmp_path / name).mkdir()
    (tmp_path / "rules" / "all.yaml").write_text(RULES)
    (tmp_path / "templates" / "text.txt").write_text("hello")
    return tmp_path


@pytest.fixture
def daemon(folder: Path, wbox: Simulator) -> Iterator[Daemon]:
    with running(folder, settings_for(wbox, folder / "data")) as daemon:
        yield daemon


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def watched() -> int:
    """Return how many folders the kernel watches for this process."""
    found = 0
    for info in Path("/proc/self/fdinfo").iterdir():
        try:
            found += info.read_text().count("inotify wd:")
        except OSError:
            continue
    return found


def projects() -> int:
    gc.collect()
    return sum(isinstance(one, Project) for one in gc.get_objects())


MEASURES: dict[str, Callable[[], int]] = {
    "open files": open_files,
    "threads": threading.active_count,
    "watches": watched,
    "projects": projects,
}


def test_S21_two_hundred_reloads_leave_no_file_open_and_no_thread_behind(
    folder: Path, daemon: Daemon, wbox: Simulator
) -> None:
    def work(number: int) -> None:
        (folder / "in" / f"{number}.txt").write_text("x")
        requests.post(f"{daemon.url}/hook/call", json=number, timeout=10)

    def reload(times: int) -> None:
        for number in range(times):
            text = RULES.replace("hourly", f"hourly {number}")
            (folder / "rules" / "all.yaml").write_text(text)
            assert daemon.reload() == []

    reload(10)
    work(1)
    wbox.wait_for(2)
    before = {name: measure() for name, measure in MEASURES.items()}
    reload(RELOADS)
    work(2)
    wbox.wait_for(4)
    for name, measure in MEASURES.items():
        until(lambda name=name, measure=measure: measure() < before[name] + MOST_MORE)


def test_a_reload_that_is_asked_for_while_the_daemon_starts_follows(
    folder: Path, wbox: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = Server.start
    asked: list[Future[requests.Response]] = []

    def start(server: Server) -> None:
        began(server)
        card = json.loads((folder / "data" / "daemon.json").read_text())
        token = {"Authorization": f"Bearer {card['token']}"}
        asked.append(pool.submit(requests.post, f"{card['url']}/-/reload", headers=token, timeout=30))
        wait(asked, 0.2)

    monkeypatch.setattr(Server, "start", start)
    with ThreadPoolExecutor(1) as pool, running(folder, settings_for(wbox, folder / "data")):
        assert asked[0].result().json() == {"problems": []}
