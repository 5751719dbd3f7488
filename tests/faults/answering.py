"""A daemon that answers webhooks, as a process of its own with its output in files."""

import json
import resource
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests
from doorway import SECRET, signed
from forked import Forked
from workplace import Workplace, until

PHONE = "+905551234567"
WITHIN = 30.0
OPEN = """
version: 1
rules:
  - id: open
    trigger: {webhook: {path: open, open: true}}
    to: "+905551234567"
    send: {text: "{{ body.say }}"}
"""
SIGNED = """
version: 1
rules:
  - id: signed
    trigger: {webhook: {path: signed, preset: github, secret: push}}
    to: "+905551234567"
    send: {text: "{{ body.say }}"}
"""


class Answering:
    """The daemon of a workplace, started; ``open`` and ``signed`` are its hooks unless it has other rules."""

    def __init__(self, place: Workplace, *, files: int | None = None, script: str = "") -> None:
        self.place = place
        place.environment["WBOX_SECRET_PUSH"] = SECRET.decode()
        if not script and not list((place.folder / "rules").glob("hook*")):
            place.rule(OPEN, "rules/hook.yaml")
            place.rule(SIGNED, "rules/hook-signed.yaml")
        begin, words = Forked, ["run"]
        if files:
            limited = f'ulimit -n {files}; exec "$0" -m wbox_notify run'
            begin, words = subprocess.Popen, ["sh", "-c", limited, sys.executable]
        if script:
            begin, words = subprocess.Popen, [sys.executable, "-c", script]
        self._out, self._err = place.folder.parent / "out", place.folder.parent / "err"
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = begin(
                words,
                cwd=place.folder,
                env=place.environment,
                stdin=subprocess.PIPE if script else subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                text=True,
            )
        place._started.append(self.process)
        card = place.folder / "data" / "daemon.json"
        until(lambda: (card.exists() and card.read_text()) or self.process.poll() is not None)
        assert self.process.poll() is None, self.said
        self.card = json.loads(card.read_text())
        self.url = str(self.card["url"])
        self.port = int(self.url.rpartition(":")[2])

    @property
    def said(self) -> str:
        """All that it has printed."""
        return self._out.read_text(errors="replace") + self._err.read_text(errors="replace")

    @property
    def logged(self) -> list[str]:
        """The lines of its log."""
        return self._err.read_text(errors="replace").splitlines()

    @property
    def memory(self) -> int:
        """How many bytes of memory it occupies."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * resource.getpagesize()

    def post(self, path: str, body: Any = None, **headers: str) -> requests.Response:
        """Post JSON to a hook."""
        return requests.post(f"{self.url}/hook/{path}", json=body or {}, headers=headers, timeout=WITHIN)

    def say(self, text: str) -> int:
        """Call the signed hook as its sender would; return the status."""
        body = json.dumps({"say": text}).encode()
        headers = {"Content-Type": "application/json", "X-GitHub-Event": "push", **signed(body)}
        return requests.post(f"{self.url}/hook/signed", body, headers=headers, timeout=WITHIN).status_code

    def connect(self) -> socket.socket:
        """Return a fresh connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=WITHIN)


def many_files() -> bool:
    """Let this process have as many files open as it may; return whether that is enough for a crowd."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most == resource.RLIM_INFINITY or most > 1500
