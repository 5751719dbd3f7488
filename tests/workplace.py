"""A project folder and the commands, as a user has them."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import forked
from forked import Forked
from jsonschema import FormatChecker, validate

from wbox_notify.cli.shapes import output_schema
from wbox_notify.config.yaml.problems import errors
from wbox_notify.daemon.daemon import Daemon
from wbox_notify.daemon.last_good import restore
from wbox_notify.model.pace import UNLIMITED, Pace
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Live, Project
from wbox_notify.simulator import Simulator
from wbox_notify.store import open_history

TEXT_RULE = """
version: 1
rules:
  - id: new-file
    name: New files
    trigger:
      file: {path: drop}
    to: "+90 555 123 45 67"
    send:
      text: "{{ file.name }}: {{ file.text }}"
"""


def a_live(url: str = "http://127.0.0.1:9", *, key: str = "sk_test", pace: Pace = UNLIMITED) -> Live:
    """Return a project without rules whose wbox answers at an address."""
    settings = load(Path("/nowhere"), {}).settings
    return Live(Project(settings=replace(settings, url=url, api_key=key, pace=pace)))


def settings_for(wbox: Simulator, data: Path) -> dict[str, str]:
    """Return the environment of a daemon or a command whose wbox is the simulator."""
    return {
        "WBOX_API_URL": wbox.url,
        "WBOX_API_KEY": "sk_canary_4711",
        "WBOX_DATA_DIR": str(data),
        "WBOX_PACE": "unlimited",
        "WBOX_LISTEN": "127.0.0.1:0",
    }


SHAPES = output_schema()
FORMATS = FormatChecker(())


@FORMATS.checks("date-time", raises=ValueError)
def is_time_with_zone(text: object) -> bool:
    """Return whether a text is a time in ISO 8601 that says its zone."""
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


def shape_of(*words: str) -> str:
    """Return the name of what a command prints: its first word, or two of them with one of these."""
    [first, *others] = words
    known = (f"{first} {word}" for word in others)
    return next((name for name in known if name in SHAPES["properties"]), first)


def in_shape(printed: str, *words: str) -> Any:
    """Return the value of a line that a command prints; it is in the documented shape."""
    value = json.loads(printed)
    part = SHAPES["properties"].get(shape_of(*words))
    if part:
        validate(value, {"$defs": SHAPES["$defs"], **part}, format_checker=FORMATS)
    return value


@contextmanager
def running(folder: Path, environ: Mapping[str, str]) -> Iterator[Daemon]:
    """Run the daemon of a project in this process, as the command does."""
    project = load(folder, environ)
    broken = errors(project.problems)
    if broken:
        before = restore(project.settings, environ, project.settings.data_dir / "copy")
        assert before is not None
        project = before
    daemon = Daemon(project, environ, broken=broken)
    daemon.start()
    yield daemon
    daemon.stop()


class Workplace:
    """A project folder, and a shell in it whose wbox is the simulator."""

    def __init__(self, folder: Path, wbox: Simulator) -> None:
        self.folder = folder
        self.drop = folder / "drop"
        self.drop.mkdir(parents=True)
        (folder / "rules").mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            **settings_for(wbox, folder / "data"),
        }
        self._started: list[subprocess.Popen[str]] = []
        self.store = f"sqlite:///{folder}/data/wbox-notify.db"
        self.rule(TEXT_RULE)

    @property
    def card(self) -> Path:
        """The file that a daemon leaves once it answers."""
        return self.folder / "data" / "daemon.json"

    @property
    def url(self) -> str:
        """Where the daemon answers."""
        return str(json.loads(self.card.read_text())["url"])

    def has_store(self) -> bool:
        """Say whether a command has made the store."""
        history = open_history(self.store)
        if history:
            history.close()
        return history is not None

    def rule(self, text: str, name: str = "rules/rule.yaml") -> None:
        """Write a rule file."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, encoding="utf-8")

    def start(
        self, *words: str, log: BinaryIO | None = None, terminal: int | None = None
    ) -> subprocess.Popen[str]:
        """Begin a command and return at once; a pipe that nobody reads would hold it up in the end."""
        output = log or terminal or subprocess.PIPE
        process = Forked(
            words,
            cwd=self.folder,
            env=self.environment,
            stdin=terminal,
            stdout=output,
            stderr=output,
            text=True,
            start_new_session=terminal is not None,  # else a question would go to the terminal of the tests
        )
        self._started.append(process)
        return process

    def leave(self) -> None:
        """End what was started and still runs, also after a test that failed."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.communicate(timeout=10)

    def run(self, *words: str, typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; neither a traceback nor the key may be in what it prints."""
        ran = forked.run(words, self.folder, {**self.environment, **environment}, typed)
        assert "Traceback" not in ran.stderr + ran.stdout
        assert "sk_canary_4711" not in ran.stderr + ran.stdout
        return ran

    def json(self, *words: str) -> Any:
        """Return what a command prints with ``--json``, which is in its documented shape."""
        return in_shape(self.run(*words, "--json").stdout, *words)


def ended(
    process: subprocess.Popen[str], number: int = signal.SIGTERM, within: float = 10
) -> tuple[int, str]:
    """Send a signal; return the exit code and what was printed on stderr."""
    process.send_signal(number)
    _, errors = process.communicate(timeout=within)
    assert "Traceback" not in errors, errors
    return process.returncode, errors


def until(holds: Callable[[], object], within: float = 30.0) -> None:
    """Return as soon as something holds that another process brings about."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        threading.Event().wait(0.02)
