"""The daemon of a soak, as a process that is started and killed many times."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CANARY = "sk_canary_of_the_soak"
HOOK_SECRET = "canary secret of the hooks of the soak"

RULES = """
version: 1
rules:
  - id: file
    trigger: {file: {path: drop, match: "*.txt"}}
    to: "+{{ file.text }}"
    send: {text: "#{{ file.stem }}#"}
  - id: text
    trigger: {webhook: {path: text, secret: soak}}
    to: "+{{ body.to }}"
    send: {text: "#{{ body.mark }}#"}
  - id: media
    trigger: {webhook: {path: media, secret: soak}}
    to: "+{{ body.to }}"
    send: {media: {url: "https://example.com/a.jpg", caption: "#{{ body.mark }}#"}}
  - id: poll
    trigger: {webhook: {path: poll, secret: soak}}
    to: "+{{ body.to }}"
    send: {poll: {question: "#{{ body.mark }}#", options: ["Yes", "No"]}}
  - id: retry
    trigger: {webhook: {path: retry, secret: soak}}
    to: "+{{ body.to }}"
    on_unknown: retry
    send: {text: "#{{ body.mark }}#"}
  - id: drop
    trigger: {webhook: {path: drop, secret: soak}}
    to: "+{{ body.to }}"
    on_unknown: drop
    send: {text: "#{{ body.mark }}#"}
  - id: picture
    trigger: {file: {path: drop, match: "*.png"}}
    to: "+905559990002"
    send: {media: {file: "{{ file.path }}", caption: "#{{ file.stem }}#"}}
  - id: group
    trigger: {webhook: {path: group, secret: soak}}
    group: {by: body.to, wait: 2s, interval: 4s}
    to: "+{{ body.to }}"
    send: {text: "{% for one in group.items %}#{{ one.body.mark }}# {% endfor %}"}
  - id: digest
    trigger: {webhook: {path: digest, secret: soak}}
    digest: {every: 20s}
    to: "+{{ body.to }}"
    send: {text: "{% for one in events %}#{{ one.body.mark }}# {% endfor %}"}
  - id: throttle
    trigger: {webhook: {path: throttle, secret: soak}}
    throttle: {max: 3, per: 3s, overflow: queue}
    to: "+{{ body.to }}"
    send: {text: "#{{ body.mark }}#"}
  - id: quiet
    trigger: {webhook: {path: quiet, secret: soak}}
    quiet_hours: [QUIET]
    to: "+{{ body.to }}"
    send: {text: "#{{ body.mark }}#"}
  - id: escalate
    trigger: {webhook: {path: escalate, secret: soak}}
    to: "+{{ body.to }}"
    send: {text: "#{{ body.mark }}#"}
    escalate: [{after: 10s, unless: acked, to: "+905559990001", send: {text: "!{{ body.mark }}!"}}]
  - id: dedupe
    trigger: {webhook: {path: dedupe, secret: soak}}
    dedupe: {key: body.mark, for: 1d}
    to: "+{{ body.to }}"
    send: {text: "#{{ body.mark }}#"}
  - id: clock
    trigger: {schedule: {every: 15s}}
    to: "+905559990000"
    send: {text: "#{{ event.id }}#"}
"""

RULES = RULES.replace(
    "QUIET",
    ", ".join(
        f'"{hour:02}:{minute:02}-{hour:02}:{minute + 1:02}"'
        for hour in range(24)
        for minute in range(0, 60, 2)
    ),
)
"""Each second minute is quiet."""

SETTINGS = """
version: 1
wbox:
  pace: {every: 50ms, media_every: 100ms, per_hour: never, per_day: never, recipient_every: 200ms, \
    recipient_per_hour: never, same_text: never}
backlog: never
defaults: {tz: UTC}
"""

LAUNCHER = Path(__file__).with_name("soak_run.py")

STARTS_WITHIN = 90.0
ENDS_WITHIN = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What several daemons have in common; each has a project folder of its own."""

    store: str
    drop: Path
    rules: str
    settings: str
    link_key: bytes


class RunningDaemon:
    """``wbox-notify run`` in a project of its own; what it prints goes into a file."""

    def __init__(self, folder: Path, wbox: str, shared: Shared | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.log = folder / "daemon.log"
        self.database = folder / "data" / "wbox-notify.db"
        self.store = f"sqlite:///{self.database}"
        self.drop = folder / "drop"
        rules, settings = RULES, SETTINGS
        if shared:
            self.store, self.drop = shared.store, shared.drop
            rules, settings = shared.rules, shared.settings
            self._share_key(shared.link_key)
        self.url = f"http://127.0.0.1:{_free_port()}"
        self.broken: list[str] = []
        self.most: dict[str, int] = {}
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self.drop.mkdir(parents=True, exist_ok=True)
        (folder / "rules").mkdir()
        self.rules = folder / "rules" / "soak.yaml"
        self.rules.write_text(rules, encoding="utf-8")
        (folder / "wbox-notify.yaml").write_text(settings, encoding="utf-8")
        clock = folder / "clock"
        clock.touch()
        self._clock = os.open(clock, os.O_WRONLY)
        self.set_clock(0.0)
        self._environment = {
            **_environment(folder, wbox, self.url),
            "WBOX_STORE": self.store,
            "WBOX_HOST": folder.name,
            "SOAK_CLOCK": str(clock),
        }

    def _share_key(self, key: bytes) -> None:
        (self.folder / "data").mkdir(mode=0o700, exist_ok=True)
        file = self.folder / "data" / "link.key"
        file.touch(0o600)
        file.write_bytes(key)

    def set_clock(self, ahead: float) -> None:
        """Let its clock be so many seconds ahead of ours."""
        self.ahead = ahead
        os.pwrite(self._clock, b"%+032.3f" % ahead, 0)

    def start(self) -> None:
        """Start it, and return when it answers."""
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, LAUNCHER, "run"],
                cwd=self.folder,
                env=self._environment,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        until = time.monotonic() + STARTS_WITHIN
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                tail = self.log.read_text(errors="replace")[-2000:]
                raise SystemExit(f"the daemon does not start:\n{tail}")
            threading.Event().wait(0.1)

    def kill(self) -> None:
        """Kill it, if it runs."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def end(self) -> int:
        """Ask it to end; return its exit code, or -9 where it had to be killed."""
        assert self._process
        self._process.terminate()
        try:
            return self._process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process
        self._process.send_signal(number)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command beside it."""
        return subprocess.run(
            [sys.executable, "-m", "wbox_notify", *words],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def measure(self) -> None:
        """Note how much memory, files and threads it has, where that is more than ever before."""
        assert self._process
        if self._process.poll() is not None:
            self.broken.append(f"the daemon ended by itself with {self._process.returncode}")
            self.start()
        place = Path(f"/proc/{self._process.pid}")
        try:
            status = (place / "status").read_text()
            found = {
                "RSS in MB": int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) // 1024,
                "threads": int(re.findall(r"Threads:\s+(\d+)", status)[0]),
                "open files": len(list((place / "fd").iterdir())),
            }
        except (OSError, IndexError):
            return
        for name, number in found.items():
            self.most[name] = max(self.most.get(name, 0), number)

    def _answers(self) -> bool:
        host, port = self.url.removeprefix("http://").split(":")
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) == 0


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _environment(folder: Path, wbox: str, url: str) -> Mapping[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "WBOX_API_URL": wbox,
        "WBOX_API_KEY": CANARY,
        "WBOX_SECRET_SOAK": HOOK_SECRET,
        "WBOX_DATA_DIR": str(folder / "data"),
        "WBOX_LISTEN": url.removeprefix("http://"),
    }
