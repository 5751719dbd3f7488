"""The load of a soak: senders of webhooks that insist until they are answered, and people who drop files."""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import requests
from soak_daemon import HOOK_SECRET, RunningDaemon

import wbox_notify.simulator

PHONES = [f"90555{number:07}" for number in range(1, 41)]
KINDS = (
    *("text", "text", "retry", "drop", "media", "poll"),
    *("group", "group", "digest", "throttle", "quiet", "escalate", "dedupe"),
)
PICTURE = Path(wbox_notify.simulator.__file__).with_name("pages") / "sample.png"
PICTURES_TO = "905559990002"
ACKNOWLEDGED = {200, 202}

AT_ONCE = 0.2
"""The share of calls that reach two daemons at once, where there are several."""


@dataclass
class Load:
    """What was sent to daemons: what they acknowledged, by mark, and where that is to go.

    Attributes:
        kept: Phones by mark, of each webhook that was answered with 2xx and each file that was dropped.
        offered: Phones by mark of all that was tried, acknowledged or not.
        ending: Set when the load is to end.
    """

    daemons: Sequence[RunningDaemon]
    kept: dict[str, str] = field(default_factory=dict)
    offered: dict[str, str] = field(default_factory=dict)
    repeated: int = 0
    ending: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def total(self) -> int:
        """How many events were acknowledged."""
        return len(self.kept)

    def mark(self, kind: str, phone: str) -> str:
        """Return a mark that no other event has."""
        with self._lock:
            mark = f"{kind}-{len(self.offered)}"
            self.offered[mark] = phone
            return mark

    def call(self, kind: str, chance: random.Random, within: float = 60.0) -> bool:
        """Call a webhook until it is acknowledged, as good senders do; now and then once more after that."""
        phone = chance.choice(PHONES)
        mark = self.mark(kind, phone)
        until = time.monotonic() + within
        while time.monotonic() < until:
            if self._post(kind, mark, phone, mark, chance):
                self.kept[mark] = phone
                if chance.random() < 0.1:
                    self.repeated += 1
                    self._post(kind, mark, phone, mark, chance)
                if kind == "dedupe":
                    self._post(kind, mark, phone, f"{mark} again", chance)
                return True
            threading.Event().wait(chance.uniform(0.05, 0.5))
        return False

    def _post(self, kind: str, mark: str, phone: str, key: str, chance: random.Random) -> bool:
        """Call one of the daemons, of several now and then two at once; return whether one acknowledged."""
        number = min(len(self.daemons), 2 if chance.random() < AT_ONCE else 1)
        called = [f"{daemon.url}/hook/{kind}" for daemon in chance.sample(self.daemons, number)]
        headers = {"Authorization": f"Bearer {HOOK_SECRET}", "Idempotency-Key": key}
        call = partial(_acknowledged, body={"mark": mark, "to": phone}, headers=headers)
        with ThreadPoolExecutor(number) as callers:
            return any([*callers.map(call, called)])

    def drop(self, chance: random.Random) -> None:
        """Drop a file: written in place, or moved in when it is complete; now and then a picture."""
        if chance.random() < 0.2:
            self._drop_picture()
            return
        phone = chance.choice(PHONES)
        mark = self.mark("file", phone)
        path = self.daemons[0].drop / f"{mark}.txt"
        if chance.random() < 0.5:
            aside = path.with_suffix(".part")
            aside.write_text(phone)
            aside.rename(path)
        else:
            path.write_text(phone)
        self.kept[mark] = phone

    def _drop_picture(self) -> None:
        mark = self.mark("picture", PICTURES_TO)
        aside = self.daemons[0].drop / f"{mark}.part"
        aside.write_bytes(PICTURE.read_bytes())
        aside.rename(aside.with_suffix(".png"))
        self.kept[mark] = PICTURES_TO


def _acknowledged(url: str, body: Mapping[str, str], headers: Mapping[str, str]) -> bool:
    try:
        return requests.post(url, json=body, headers=headers, timeout=6).status_code in ACKNOWLEDGED
    except requests.RequestException:
        return False


Feed = Callable[["Load", random.Random], None]


def feed_hooks(load: Load, chance: random.Random) -> None:
    """Call webhooks one after the other."""
    while not load.ending.wait(chance.uniform(0.1, 1.5)):
        load.call(chance.choice(KINDS), chance)


def feed_files(load: Load, chance: random.Random) -> None:
    """Drop files one after the other."""
    while not load.ending.wait(chance.uniform(0.1, 1.5)):
        load.drop(chance)


def feed_bursts(load: Load, chance: random.Random) -> None:
    """Drop many files or call many webhooks at once, now and then."""
    while not load.ending.wait(chance.uniform(5.0, 20.0)):
        for _ in range(chance.randint(3, 20)):
            if chance.random() < 0.5:
                load.drop(chance)
            else:
                load.call(chance.choice(KINDS), chance)
