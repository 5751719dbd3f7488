"""The soak: a daemon under random load, faults and kills, and then: was the promise kept?

``make soak`` runs it; MINUTES (30) says for how long there is trouble, SEED (random) repeats the choices.
"""

import random
import signal
import sys
from pathlib import Path

from soak_course import Course, is_gone, is_slow, loses_the_answer, refuses, run, unlinks
from soak_daemon import RunningDaemon

from wbox_notify.simulator import Simulator


class Soak(Course):
    """One run with one daemon, whose store is a file."""

    def __init__(self, folder: Path, wbox: Simulator, seed: str) -> None:
        self.daemon = RunningDaemon(folder, wbox.url)
        super().__init__(wbox, seed, [self.daemon], TROUBLES)


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

if __name__ == "__main__":
    sys.exit(run("soak", Soak))
