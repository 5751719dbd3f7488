"""The soak: a daemon under random load, faults and kills, and then: was the promise kept?

``make soak`` runs it; MINUTES (30) says for how long there is trouble, SEED (random) repeats the choices.
"""

import json
import os
import random
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

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


def main() -> int:
    """Run it; return 0 when nothing broke."""
    minutes = float(os.environ.get("MINUTES") or 30)
    seed = os.environ.get("SEED") or str(secrets.randbelow(10**9))
    say(f"soak: {minutes:g} minutes of trouble with SEED={seed}")
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    with Simulator() as wbox:
        soak = Soak(folder, wbox, seed)
        try:
            soak.trouble(minutes * 60)
            say("  the trouble is over, now it settles")
            soak.pause(WAITS_OF_RULES)
            soak.settle(max(SETTLE_AT_LEAST, minutes * 30))
            found = soak.verdict()
        finally:
            soak.daemon.kill()
    for name, number in found.counts.items():
        say(f"  {name:<40} {number}")
    for broken in found.broken:
        say(f"  BROKEN  {broken}")
    if found.broken:
        say(f"broken with SEED={seed} MINUTES={minutes:g}; all of it is in {folder}")
        (folder / "ledger.json").write_text(json.dumps(wbox.messages()))
        return 1
    shutil.rmtree(folder)
    say(f"kept with SEED={seed} MINUTES={minutes:g}")
    return 0


class Soak:
    """One run: load from three threads, trouble from this one."""

    def __init__(self, folder: Path, wbox: Simulator, seed: str) -> None:
        self.wbox = wbox
        self._chance = random.Random(seed)
        self._seed = seed
        self.daemon = RunningDaemon(folder, wbox.url)
        self.load = Load(self.daemon)
        self._counts: dict[str, int] = {}

    def trouble(self, seconds: float) -> None:
        """Feed events, break things and kill the daemon for so long, then end the load."""
        self.daemon.start()
        feeders = [self._feeder(feed) for feed in (feed_hooks, feed_files, feed_bursts)]
        for feeder in feeders:
            feeder.start()
        until, told = time.monotonic() + seconds, time.monotonic()
        while (left := until - time.monotonic()) > 0:
            self.pause(min(self._chance.uniform(1.0, 6.0), left))
            trouble = self._chance.choices(*zip(*TROUBLES.items(), strict=True))[0]
            self._count(trouble.__name__)
            trouble(self, self._chance)
            self.daemon.measure()
            if time.monotonic() - told > 60:
                told = time.monotonic()
                handed = len(self.wbox.messages())
                say(f"  {left / 60:.0f} minutes left, {self.load.total} events, {handed} hand-overs")
        self.wbox.clear_faults()
        self.wbox.scan()
        self.daemon.set_clock(0.0)
        self.daemon.measure()
        self.load.ending.set()
        for feeder in feeders:
            feeder.join()

    def _feeder(self, feed: Feed) -> threading.Thread:
        chance = random.Random(f"{self._seed} {feed.__name__}")
        return threading.Thread(target=feed, args=(self.load, chance), daemon=True)

    def settle(self, seconds: float) -> None:
        """Wait until nothing is open, at most so long."""
        history = open_history(self.daemon.store)
        until = time.monotonic() + seconds
        while history and time.monotonic() < until and _at_work(history):
            self.pause(1.0)
            self.daemon.measure()
        if history:
            history.close()

    def verdict(self) -> Findings:
        """Return what was kept and what broke."""
        broken = self._notices_an_unlinked_phone()
        self.settle(CLEAR_WITHIN)
        code = self.daemon.end()
        if code != 0:
            broken.append(f"the daemon ended with {code} on SIGTERM")
        found = examine(self.daemon, self.load, self.wbox.messages())
        troubles = {f"trouble: {name}": self._counts[name] for name in sorted(self._counts)}
        return Findings({**troubles, **found.counts}, [*broken, *self.daemon.broken, *found.broken])

    def _notices_an_unlinked_phone(self) -> list[str]:
        """I7 and I9: a fault is told within 10 seconds, and its end is noticed without a restart."""
        self.wbox.unlink()
        self.load.call("text", random.Random(self._seed), within=10.0)
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
            said = self.daemon.command("status", "--json")
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


def _at_work(history: Queries) -> bool:
    return bool(history.counts(OPEN)) or any(row["planned"] is None for row in history.events(most=100))


def refuses(soak: Soak, chance: random.Random) -> None:
    """Wbox answers with an error for a while, or says that it is too much."""
    faults: list[dict[str, object]] = [
        {"status": 500},
        {"status": 502},
        {"status": 503, "message": "Service Unavailable"},
        {"status": 503},
        {"status": 429, "retry_after": chance.randint(1, 3)},
        {"success": False},
    ]
    _for_a_while(soak, chance, chance.choice(faults))


def loses_the_answer(soak: Soak, chance: random.Random) -> None:
    """Wbox takes messages and cuts the connection."""
    _for_a_while(soak, chance, {"lost": True})


def is_slow(soak: Soak, chance: random.Random) -> None:
    """Wbox takes its time."""
    _for_a_while(soak, chance, {"delay": round(chance.uniform(0.05, 1.5), 2)})


def _for_a_while(soak: Soak, chance: random.Random, fault: dict[str, object]) -> None:
    soak.wbox.fault(**fault)
    soak.pause(chance.uniform(0.2, 2.0))
    soak.wbox.clear_faults()


def unlinks(soak: Soak, chance: random.Random) -> None:
    """The phone is unlinked and linked again."""
    soak.wbox.unlink()
    soak.pause(chance.uniform(0.5, 4.0))
    soak.wbox.scan()


def is_gone(soak: Soak, chance: random.Random) -> None:
    """Nobody answers at the address of wbox for a while."""
    soak.wbox.stop()
    soak.pause(chance.uniform(0.5, 4.0))
    soak.wbox.start()


def kill_9(soak: Soak, chance: random.Random) -> None:
    """The daemon is killed, often in the middle of a request, and started again after a while."""
    soak.wbox.fault(delay=1.0, count=2)
    soak.pause(chance.uniform(0.0, 1.5))
    soak.daemon.kill()
    soak.pause(chance.uniform(0.0, 2.0))
    soak.daemon.start()


def sigterm(soak: Soak, chance: random.Random) -> None:
    """The daemon is told to end and started again."""
    code = soak.daemon.end()
    if code != 0:
        soak.daemon.broken.append(f"the daemon ended with {code} on SIGTERM")
    soak.pause(chance.uniform(0.0, 1.0))
    soak.daemon.start()


def freezes(soak: Soak, chance: random.Random) -> None:
    """The daemon is stopped in its tracks for a while, as by a machine that sleeps."""
    soak.daemon.signal(signal.SIGSTOP)
    soak.pause(chance.uniform(0.5, 4.0))
    soak.daemon.signal(signal.SIGCONT)


def sets_the_clock(soak: Soak, chance: random.Random) -> None:
    """The clock is set, or set right; what follows, a restart too, happens by that clock."""
    soak.daemon.set_clock(chance.choice([-10_800.0, -300.0, 0.0, 0.0, 300.0, 10_800.0]))


def is_ahead_for_a_moment(soak: Soak, chance: random.Random) -> None:
    """The clock jumps ahead by days and back."""
    before = soak.daemon.ahead
    soak.daemon.set_clock(before + 2 * 86_400.0)
    soak.pause(chance.uniform(0.2, 4.0))
    soak.daemon.set_clock(before)


def edits(soak: Soak, chance: random.Random) -> None:
    """The rules are saved a few times, with a mistake in between."""
    text = soak.daemon.rules.read_text(encoding="utf-8")
    for _ in range(chance.randint(1, 3)):
        soak.daemon.rules.write_text(chance.choice([text, text[:-20], f"{text}\n# edited"]), encoding="utf-8")
        soak.pause(chance.uniform(0.1, 2.0))
    soak.daemon.rules.write_text(text, encoding="utf-8")
    soak.daemon.signal(signal.SIGHUP)


def moves_the_store(soak: Soak, chance: random.Random) -> None:
    """The file of the store is moved away and back, a few times."""
    file = soak.daemon.database
    aside = file.with_name("aside")
    for _ in range(chance.randint(1, 5)):
        file.rename(aside)
        soak.pause(chance.uniform(0.01, 0.5))
        aside.rename(file)
        soak.pause(chance.uniform(0.01, 0.2))


TROUBLES = {
    refuses: 5,
    loses_the_answer: 2,
    is_slow: 3,
    unlinks: 2,
    is_gone: 2,
    kill_9: 4,
    sigterm: 2,
    freezes: 2,
    sets_the_clock: 4,
    is_ahead_for_a_moment: 1,
    edits: 3,
    moves_the_store: 2,
}


def say(line: str) -> None:
    """Print a line."""
    print(line, flush=True)  # noqa: T201 - what it is for


if __name__ == "__main__":
    sys.exit(main())
