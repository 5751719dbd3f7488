"""What it costs to begin: commands, the daemon; and what the daemon takes while it has nothing to do."""

import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.daemon import Place, place, run
from bench.load import Calls, call
from bench.processes import cpu, memory
from bench.rounds import FLOOR, OURS, Contender, Row, Size, amount, in_turn, times
from bench.sink import sink

REPEATS = 3


def commands(size: Size) -> Iterator[Row]:
    """Compare commands with those of Apprise."""
    apprise = str(Path(sys.executable).with_name("apprise"))
    with sink() as out, place(out.url) as project:
        json = f"json://127.0.0.1:{out.port}"
        for title, ours, theirs, aim in (
            ("`--help`; floor: `apprise --help`", ["--help"], ["--help"], 0.4),
            (
                "`send text` without a daemon; floor: `apprise -b`",
                ["send", "text", "+905551234567", "hello"],
                ["-b", "hello", json],
                1.0,
            ),
        ):
            done = in_turn(
                {
                    FLOOR: _command(project, [apprise, *theirs]),
                    OURS: _command(project, project.command(*ours)),
                },
                size,
            )
            yield times(title, done, "s", aim, "s")


def _command(project: Place, words: list[str]) -> Contender:
    def repeated() -> dict[str, float]:
        taken = [run(words, project.folder, project.environment).wall for _ in range(REPEATS)]
        return {"s": statistics.median(taken)}

    return repeated


def ready(size: Size) -> Iterator[Row]:
    """Measure the time from the command to the first answer."""
    with place("http://127.0.0.1:9") as project:
        taken = []
        for _ in range(size.rounds + 1):
            with project.running() as daemon:
                taken.append(daemon.ready)
    wall, spent = (statistics.median(one) for one in zip(*taken[1:], strict=True))
    yield amount("ready after start", wall, 0.5, "s", f"cpu {spent:.2f} s")


def idle(size: Size) -> Iterator[Row]:
    """Measure what a daemon with many rules and files takes that has nothing to do."""
    rules = [
        f"  - {{id: r{number}, trigger: {{file: {{path: drop, match: '*.{number}'}}}}, to: '+905551234567', "
        "send: {text: hello}}\n"
        for number in range(50)
    ]
    with place("http://127.0.0.1:9", "version: 1\nrules:\n" + "".join(rules)) as project:
        for number in range(size.bursts[0]):
            (project.drop / f"{number}.x").touch()
        with project.running() as daemon:
            time.sleep(5)
            before = cpu(daemon.pid)
            time.sleep(size.idle)
            share = (cpu(daemon.pid) - before) / size.idle * 100
            resident = memory(daemon.pid)
    yield amount(f"idle, 50 rules, {size.bursts[0]:,} files: CPU", share, 0.2, "%")
    yield amount("idle: resident memory", resident, 64, "MiB")


def growth(size: Size) -> Iterator[Row]:
    """Measure the memory after events with messages: as many as come out in the time of a line."""
    with sink() as out, place(out.url) as project, project.running() as daemon:
        calls = Calls(port=daemon.port, path="/hook/in", number=size.events)
        accepted = call(calls).accepted
        number = len(out.take(accepted, size.line))
        resident = memory(daemon.pid)
    yield amount(f"memory after {number:,} events with messages", resident, 64, "MiB")
