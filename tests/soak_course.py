"""What a soak and a chaos run have in common: load from three threads, trouble from one, then the verdict."""

import json
import os
import random
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from soak_daemon import RunningDaemon
from soak_load import Feed, Load, feed_bursts, feed_files, feed_hooks
from soak_verdict import Findings, examine

from wbox_notify.model.deliveries import OPEN
from wbox_notify.simulator import Simulator
from wbox_notify.store import Queries, open_history

SETTLE_AT_LEAST = 150.0
"""Seconds for all to come to an end: a text whose outcome is unknown goes out again after 90 to 113."""

WAITS_OF_RULES = 75.0
"""Seconds for what rules hold back: a minute that is quiet, a digest, a group."""

SEEN_WITHIN = 10.0
CLEAR_WITHIN = 30.0

Trouble = Callable[[Any, random.Random], None]


class Course:
    """One run: load from three threads, trouble from this one.

    ``troubles`` say how often each comes; ``least`` is how many seconds pass between messages of a device.
    """

    def __init__(
        self,
        wbox: Simulator,
        seed: str,
        daemons: Sequence[RunningDaemon],
        troubles: Mapping[Trouble, int],
        least: float = 0.0,
    ) -> None:
        self.wbox = wbox
        self.seed = seed
        self.daemons = daemons
        self.load = Load(daemons)
        self._troubles = troubles
        self._least = least
        self._chance = random.Random(seed)
        self._counts: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for daemon in self.daemons:
            daemon.kill()

    def trouble(self, seconds: float) -> None:
        """Feed events and break things for so long, then mend all and end the load."""
        for daemon in self.daemons:
            daemon.start()
        feeders = [self._feeder(feed) for feed in (feed_hooks, feed_files, feed_bursts)]
        for feeder in feeders:
            feeder.start()
        until, told = time.monotonic() + seconds, time.monotonic()
        while (left := until - time.monotonic()) > 0:
            self.pause(min(self._chance.uniform(1.0, 6.0), left))
            trouble = self._chance.choices(*zip(*self._troubles.items(), strict=True))[0]
            self._count(trouble.__name__)
            trouble(self, self._chance)
            self._measure()
            if time.monotonic() - told > 60:
                told = time.monotonic()
                handed = len(self.wbox.messages())
                say(f"  {left / 60:.0f} minutes left, {self.load.total} events, {handed} hand-overs")
        self._mend()
        self.load.ending.set()
        for feeder in feeders:
            feeder.join()

    def _feeder(self, feed: Feed) -> threading.Thread:
        chance = random.Random(f"{self.seed} {feed.__name__}")
        return threading.Thread(target=feed, args=(self.load, chance), daemon=True)

    def _mend(self) -> None:
        self.wbox.clear_faults()
        self.wbox.scan()
        for daemon in self.daemons:
            daemon.set_clock(0.0)
        self._measure()

    def _measure(self) -> None:
        for daemon in self.daemons:
            daemon.measure()

    def settle(self, seconds: float) -> None:
        """Wait until nothing is open, at most so long."""
        history = open_history(self.daemons[0].store)
        until = time.monotonic() + seconds
        while history and time.monotonic() < until and _at_work(history):
            self.pause(1.0)
            self._measure()
        if history:
            history.close()

    def verdict(self) -> Findings:
        """Return what was kept and what broke."""
        broken = self._notices_an_unlinked_phone()
        self.settle(CLEAR_WITHIN)
        codes = [daemon.end() for daemon in self.daemons]
        broken += [f"a daemon ended with {code} on SIGTERM" for code in codes if code != 0]
        found = examine(self.load, self.wbox.messages(), self._least)
        troubles = {f"trouble: {name}": self._counts[name] for name in sorted(self._counts)}
        noted = [line for daemon in self.daemons for line in daemon.broken]
        return Findings({**troubles, **found.counts}, [*broken, *noted, *found.broken])

    def keep(self, folder: Path) -> None:
        """Bring what is to be looked at after a run that broke something into its folder."""

    def _notices_an_unlinked_phone(self) -> list[str]:
        """I7 and I9: a fault is told within 10 seconds, and its end is noticed without a restart."""
        self.wbox.unlink()
        self.load.call("text", random.Random(self.seed), within=10.0)
        broken = []
        if not self._status_shows(holding=True, within=SEEN_WITHIN):
            broken.append(f"I7: status did not say within {SEEN_WITHIN:.0f} s that the phone is not linked")
        self.wbox.scan()
        if not self._status_shows(holding=False, within=CLEAR_WITHIN):
            broken.append(f"I9: the scan was not noticed within {CLEAR_WITHIN:.0f} s")
        return broken

    def _status_shows(self, *, holding: bool, within: float) -> bool:
        until = time.monotonic() + within
        while time.monotonic() < until:
            said = self.daemons[0].command("status", "--json")
            queue = json.loads(said.stdout)["queue"]
            if bool(queue["circuits"]) == holding and (said.returncode == 75) == holding:
                return True
            self.pause(0.3)
        return False

    def _count(self, name: str) -> None:
        self._counts[name] = self._counts.get(name, 0) + 1

    def pause(self, seconds: float) -> None:
        """Let things happen."""
        threading.Event().wait(seconds)


def run(name: str, begin: Callable[[Path, Simulator, str], Course]) -> int:
    """Run it for MINUTES with SEED; return 0 when nothing broke."""
    minutes = float(os.environ.get("MINUTES") or 30)
    seed = os.environ.get("SEED") or str(secrets.randbelow(10**9))
    say(f"{name}: {minutes:g} minutes of trouble with SEED={seed}")
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    with Simulator() as wbox, begin(folder, wbox, seed) as course:
        course.trouble(minutes * 60)
        say("  the trouble is over, now it settles")
        course.pause(WAITS_OF_RULES)
        course.settle(max(SETTLE_AT_LEAST, minutes * 30))
        found = course.verdict()
        if found.broken:
            (folder / "ledger.json").write_text(json.dumps(wbox.messages()))
            course.keep(folder)
    for about, number in found.counts.items():
        say(f"  {about:<40} {number}")
    for broken in found.broken:
        say(f"  BROKEN  {broken}")
    if found.broken:
        say(f"broken with SEED={seed} MINUTES={minutes:g}; all of it is in {folder}")
        return 1
    shutil.rmtree(folder)
    say(f"kept with SEED={seed} MINUTES={minutes:g}")
    return 0


def _at_work(history: Queries) -> bool:
    return bool(history.counts(OPEN)) or any(row["planned"] is None for row in history.events(most=100))


def say(line: str) -> None:
    """Print a line."""
    print(line, flush=True)  # noqa: T201 - what it is for


# What goes wrong at wbox


def refuses(course: Course, chance: random.Random) -> None:
    """Wbox answers with an error for a while, or says that it is too much."""
    faults: list[dict[str, object]] = [
        {"status": 500},
        {"status": 502},
        {"status": 503, "message": "Service Unavailable"},
        {"status": 503},
        {"status": 429, "retry_after": chance.randint(1, 3)},
        {"success": False},
    ]
    _for_a_while(course, chance, chance.choice(faults))


def loses_the_answer(course: Course, chance: random.Random) -> None:
    """Wbox takes messages and cuts the connection."""
    _for_a_while(course, chance, {"lost": True})


def is_slow(course: Course, chance: random.Random) -> None:
    """Wbox takes its time."""
    _for_a_while(course, chance, {"delay": round(chance.uniform(0.05, 1.5), 2)})


def _for_a_while(course: Course, chance: random.Random, fault: dict[str, object]) -> None:
    course.wbox.fault(**fault)
    course.pause(chance.uniform(0.2, 2.0))
    course.wbox.clear_faults()


def unlinks(course: Course, chance: random.Random, device: int = 1) -> None:
    """The phone of a device is unlinked and linked again."""
    course.wbox.unlink(device)
    course.pause(chance.uniform(0.5, 4.0))
    course.wbox.scan(device)


def is_gone(course: Course, chance: random.Random) -> None:
    """Nobody answers at the address of wbox for a while."""
    course.wbox.stop()
    course.pause(chance.uniform(0.5, 4.0))
    course.wbox.start()
