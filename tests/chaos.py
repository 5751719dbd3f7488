"""Chaos: several daemons on one PostgreSQL under random load, faults and kills: was the promise kept?

``make chaos`` runs it; MINUTES (30) says for how long there is trouble, SEED (random) repeats the choices.
"""

import itertools
import os
import random
import re
import secrets
import signal
import sys
from functools import partial
from pathlib import Path

from databases import Postgres
from soak_course import Course, is_gone, is_slow, loses_the_answer, refuses, run, unlinks
from soak_daemon import RULES, SETTINGS, RunningDaemon, Shared

from wbox_notify.simulator import Simulator

DAEMONS = int(os.environ.get("DAEMONS") or 3)
DEVICES = 4
PACE = "every: 200ms, media_every: 200ms"
LEAST = 0.1
"""Seconds between two messages of a device: by that pace 0.12, and a little for clocks that differ."""

MEDIA = "media: {{static: {{folder: {folder}/media, url: https://media.example.com}}}}"

LEASE = 6.0


class Chaos(Course):
    """One run with several daemons on one database."""

    def __init__(self, postgres: Postgres, folder: Path, wbox: Simulator, seed: str) -> None:
        self.postgres = postgres
        self.store = postgres.fresh()
        (folder / "media").mkdir()
        shared = Shared(
            store=self.store,
            drop=folder / "drop",
            rules=_by_devices(RULES.replace("file: {path: drop", f"file: {{path: {folder / 'drop'}")),
            link_key=secrets.token_bytes(32),
            settings=SETTINGS.replace("every: 50ms, media_every: 100ms", PACE) + MEDIA.format(folder=folder),
        )
        daemons = [RunningDaemon(folder / f"{number}", wbox.url, shared) for number in range(DAEMONS)]
        super().__init__(wbox, seed, daemons, TROUBLES, LEAST)

    def keep(self, folder: Path) -> None:
        """Keep the store and the log of its server, which ends with the run."""
        (folder / "postgres.log").write_text(self.postgres.log)
        self.daemons[0].command("store", "copy", self.store, f"sqlite:///{folder / 'store.db'}")


def _by_devices(rules: str) -> str:
    """Return the rules with a device for each message, by turns; the first one for the rule ``text``."""
    numbers = itertools.cycle([DEVICES, *range(1, DEVICES)])
    return re.sub(r"send: \{", lambda _: f"send: {{device: {next(numbers)}, ", rules)


def kills_one(chaos: Chaos, chance: random.Random) -> None:
    """A daemon is killed, often in the middle of a request, and started again after a while."""
    chaos.wbox.fault(delay=1.0, count=2)
    chaos.pause(chance.uniform(0.0, 1.5))
    daemon = chance.choice(chaos.daemons)
    daemon.kill()
    chaos.pause(chance.choice([chance.uniform(0.0, 2.0), chance.uniform(LEASE, 2 * LEASE)]))
    daemon.start()


def kills_all(chaos: Chaos, chance: random.Random) -> None:
    """All daemons are killed at once, as by a power cut, and started again."""
    for daemon in chaos.daemons:
        daemon.kill()
    chaos.pause(chance.uniform(0.0, 2.0))
    for daemon in chaos.daemons:
        daemon.start()


def ends_one(chaos: Chaos, chance: random.Random) -> None:
    """A daemon is told to end and started again, as by an upgrade."""
    daemon = chance.choice(chaos.daemons)
    if code := daemon.end():
        daemon.broken.append(f"the daemon ended with {code} on SIGTERM")
    chaos.pause(chance.uniform(0.0, 3.0))
    daemon.start()


def freezes_one(chaos: Chaos, chance: random.Random) -> None:
    """A daemon is stopped in its tracks, often for longer than what it owns is its own."""
    chaos.wbox.fault(delay=1.0, count=2)
    daemon = chance.choice(chaos.daemons)
    daemon.signal(signal.SIGSTOP)
    chaos.pause(chance.choice([chance.uniform(0.5, LEASE), chance.uniform(LEASE, 2 * LEASE)]))
    daemon.signal(signal.SIGCONT)


def stops_the_server(chaos: Chaos, chance: random.Random) -> None:
    """The database crashes, or is stopped, and comes back after a while."""
    chaos.postgres.stop(chance.choice([signal.SIGQUIT, signal.SIGINT]))
    chaos.pause(chance.choice([chance.uniform(0.0, 3.0), chance.uniform(LEASE, 2 * LEASE)]))
    chaos.postgres.start()


def cuts_connections(chaos: Chaos, chance: random.Random) -> None:
    """The server ends sessions: those of all, or some of them, a few times."""
    for _ in range(chance.randint(1, 3)):
        with chaos.postgres.connect() as connection:
            sessions = connection.execute(
                "select pid from pg_stat_activity where application_name = 'wbox-notify'"
            ).fetchall()
            for (pid,) in chance.sample(sessions, chance.randint(0, len(sessions))):
                connection.execute("select pg_terminate_backend(%s)", [pid])
        chaos.pause(chance.uniform(0.1, 2.0))


def unlinks_one(chaos: Chaos, chance: random.Random) -> None:
    """The phone of a device is unlinked and linked again."""
    unlinks(chaos, chance, chance.randint(1, DEVICES))


TROUBLES = {
    refuses: 2,
    loses_the_answer: 2,
    is_slow: 2,
    is_gone: 1,
    unlinks_one: 2,
    kills_one: 5,
    kills_all: 1,
    ends_one: 3,
    freezes_one: 5,
    stops_the_server: 3,
    cuts_connections: 3,
}


if __name__ == "__main__":
    with Postgres() as server:
        sys.exit(run("chaos", partial(Chaos, server)))
