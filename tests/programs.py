"""Programs of others that tests run: from the PATH, or as `make test-integrations` installs them."""

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from pages import ROOT

PLACE = ROOT / ".venv-integrations"


def found(name: str) -> str:
    """Return where a program of the PATH is; without it the test is skipped."""
    path = shutil.which(name)
    if not path:
        pytest.skip(f"{name} is not installed: what it does with our files was NOT run")
    return path


def installed(name: str) -> Path:
    """Return the folder of a program of `make test-integrations`; without it the test is skipped."""
    if not (PLACE / name / "ready").exists():
        pytest.skip(f"{name} is not installed: it was NOT run; `make test-integrations` installs it")
    return PLACE / name


@contextmanager
def running(log: Path, *words: str | Path, cwd: Path | None = None, **environment: str) -> Iterator[None]:
    """Run a program and all that it starts until the end of the block; what it prints is in a file."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield
    except BaseException as error:
        error.add_note(f"{words[0]} printed:\n{log.read_text(encoding='utf-8', errors='replace')[-4000:]}")
        raise
    finally:
        _signal(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        _signal(process.pid, signal.SIGKILL)  # what is slow to end, and what it has left behind
        process.wait(10)


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def answers(url: str) -> Callable[[], bool]:
    """Return what asks whether anything answers at an address."""

    def ask() -> bool:
        try:
            requests.get(url, timeout=10)
        except (requests.ConnectionError, requests.Timeout):
            return False
        return True

    return ask


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """Return a file of the examples with what differs here; each part that is replaced must be in it."""
    for example, ours in pairs:
        assert example in text, example
        text = text.replace(example, ours)
    return text


@contextmanager
def website(port: int, text: str = "") -> Iterator[None]:
    """Answer every request on a port with a text, until the end of the block."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_args: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
