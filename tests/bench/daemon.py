"""wbox_notify's daemon in a project of its own, as a user runs it: a process, and a store on the disk."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.request import Request, urlopen

from bench.load import SECRET
from bench.processes import cpu, process, until

RULE = """
version: 1
rules:
  - id: call
    trigger: {webhook: {path: in, secret: bench, verify: {scheme: github}}}
    to: "+{{ body.phone }}"
    send: {text: "{{ body.mark }} has been called"}
"""
SETTINGS = """
version: 1
storm_guard: 1000000
backlog: never
"""


class Took(NamedTuple):
    """The seconds that something took, and those of CPU."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A daemon that runs; ``ready`` is what it took until it answered."""

    pid: int
    port: int
    token: str
    ready: Took

    def reload(self) -> None:
        """Have it read its rules again, and wait until it has."""
        headers = {"Authorization": f"Bearer {self.token}"}
        asked = Request(f"http://127.0.0.1:{self.port}/-/reload", b"{}", headers, method="POST")
        problems = json.load(urlopen(asked, timeout=120))["problems"]
        if problems:
            raise SystemExit(f"the rules have problems: {problems[:2]}")


class Place:
    """A project folder whose messages go to a port of this machine."""

    def __init__(
        self,
        folder: Path,
        wbox: str,
        rules: Mapping[str, str] | str = RULE,
        settings: str = "",
        store: str = "",
    ) -> None:
        self.folder = folder
        self.drop = folder / "drop"
        self.drop.mkdir()
        self.log = folder / "daemon.log"
        self.database = folder / "data" / "wbox-notify.db"
        (folder / "rules").mkdir()
        (folder / "data").mkdir(mode=0o700)
        (folder / "wbox-notify.yaml").write_text(SETTINGS + settings)
        files = {"rule": rules} if isinstance(rules, str) else rules
        for name, text in files.items():
            (folder / "rules" / f"{name}.yaml").write_text(text)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "WBOX_API_URL": wbox,
            "WBOX_API_KEY": "sk_bench",
            "WBOX_DATA_DIR": str(folder / "data"),
            "WBOX_HOST": folder.name,
            "WBOX_STORE": store or f"sqlite:///{self.database}",
            "WBOX_PACE": "unlimited",
            "WBOX_LISTEN": "127.0.0.1:0",
            "WBOX_SECRET_BENCH": SECRET,
        }

    def link_key(self, key: bytes) -> None:
        """Let its links be signed with a key that other daemons have too."""
        file = self.folder / "data" / "link.key"
        file.touch(0o600)
        file.write_bytes(key)

    def command(self, *words: str) -> list[str]:
        """Return a command of the project."""
        return [sys.executable, "-m", "wbox_notify", *words]

    @contextmanager
    def running(self) -> Iterator[Daemon]:
        """Run the daemon beside the block."""
        card = self.folder / "data" / "daemon.json"
        card.unlink(missing_ok=True)
        began = time.monotonic()
        with (
            self.log.open("ab") as log,
            process(self.command("run"), cwd=self.folder, env=self.environment, log=log) as started,
        ):
            if not until(lambda: card.exists() or started.poll() is not None) or started.poll() is not None:
                raise SystemExit(f"the daemon does not start:\n{self.log.read_text()[-2000:]}")
            told = json.loads(card.read_text())
            urlopen(f"{told['url']}/livez", timeout=10).close()
            yield Daemon(
                pid=started.pid,
                port=int(told["url"].rpartition(":")[2]),
                token=told["token"],
                ready=Took(time.monotonic() - began, cpu(started.pid)),
            )

    def run(self, *words: str) -> Took:
        """Run a command to its end; return what it took."""
        return run(self.command(*words), self.folder, self.environment)


def run(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Took:
    """Run a command to its end; return what it took."""
    began, before = time.monotonic(), _cpu_of_children()
    ran = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{ran.stdout[-1000:]}{ran.stderr[-1000:]}")
    return Took(time.monotonic() - began, _cpu_of_children() - before)


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def place(
    wbox: str, rules: Mapping[str, str] | str = RULE, settings: str = "", store: str = ""
) -> Iterator[Place]:
    """Give a project in a folder of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Place(Path(folder), wbox, rules, settings, store)
