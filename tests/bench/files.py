"""From the closing of a file to its message, one by one and many at once."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.daemon import place as a_place
from bench.load import quantiles
from bench.processes import cpu, memory, process, program, until
from bench.rounds import FLOOR, OURS, Figures, Row, Size, delays, in_turn, rates
from bench.sink import Sink, sink

TICK = 0.1
RULE = """
version: 1
rules:
  - id: file
    trigger: {file: {path: drop}}
    to: "+90555{{ '%07d' | format(file.size % 200) }}"
    send: {text: "#{{ file.stem }}# is there"}
"""


def one_by_one(size: Size) -> Iterator[Row]:
    """Compare with a program in C that does nothing but wait for files."""
    with tempfile.TemporaryDirectory() as folder, sink() as out:
        words = _inotify(Path(folder))
        contenders = {
            FLOOR: partial(_ticked_floor, size, out, words),
            OURS: partial(_ticked, size, out),
        }
        done = in_turn(contenders, size)
        title = "file closed → message out, p50 / p99"
        yield delays(title, done, (4, 15), f"cpu {done.median(OURS, 'cpu'):.1f} ms a file")


def at_once(size: Size) -> Iterator[Row]:
    """Compare with a script of watchdog and ``requests``, which loses some."""
    with sink() as out:
        for number in size.bursts:
            contenders = {
                FLOOR: partial(_burst_floor, size, out, number),
                OURS: partial(_burst, size, out, number),
            }
            done = in_turn(contenders, size)
            lost = [int(done.median(who, "lost")) for who in (OURS, FLOOR)]
            fifths = done.median(OURS, "last") / done.median(OURS, "first")
            note = (
                f"not out within {size.waits:.0f} s {lost[0]:,}, of the script {lost[1]:,}; "
                f"the last fifth x {fifths:.2f} of the first; "
                f"cpu {done.median(OURS, 'cpu'):.2f} ms a file, {done.median(OURS, 'memory'):.0f} MiB"
            )
            yield rates(f"{number:,} files at once → all out", done, 1.0, note)


def _inotify(folder: Path) -> list[str] | None:
    """Return the program in C; None where there is no compiler."""
    compiler, made = shutil.which("cc"), folder / "inotify"
    if compiler is None:
        return None
    subprocess.run([compiler, "-O2", "-o", made, Path(__file__).with_name("inotify.c")], check=True)
    return [str(made)]


@contextmanager
def _watched(out: Sink, words: list[str] | None, script: str) -> Iterator[Path]:
    """Give a folder that a floor watches."""
    out.empty()
    with tempfile.TemporaryDirectory() as folder:
        drop = Path(folder)
        words = words and [*words, folder, str(out.port)]
        with process(words) if words else program("floors", script, folder, out.port):
            _until_seen(drop, out)
            yield drop


def _until_seen(drop: Path, out: Sink) -> None:
    """Drop files until one is seen: then a watch is set."""

    def seen() -> bool:
        (drop / "w.txt").write_bytes(b"x")
        return out.count() > 0

    if not until(seen, every=0.1):
        raise SystemExit("no file is seen")
    out.take(10**9, within=0.5)
    out.empty()


def _ticked_floor(size: Size, out: Sink, words: list[str] | None) -> Figures:
    with _watched(out, words, "inotify") as drop:
        return _delays(size, out, drop)


def _ticked(size: Size, out: Sink) -> Figures:
    with a_place(out.url, RULE) as project, project.running() as daemon:
        _until_seen(project.drop, out)
        before = cpu(daemon.pid)
        figures = _delays(size, out, project.drop)
        return {**figures, "cpu": (cpu(daemon.pid) - before) / size.files * 1000}


def _delays(size: Size, out: Sink, drop: Path) -> Figures:
    closed: dict[str, float] = {}
    for place in range(size.files):
        with (drop / f"f{place}.txt").open("wb") as file:
            file.write(b"x" * (place + 1))
            file.flush()
            closed[f"f{place}"] = time.monotonic()
        time.sleep(TICK)
    arrived = out.take(size.files, 10).first()
    p50, p99 = quantiles([arrived[mark] - at for mark, at in closed.items() if mark in arrived])
    return {"p50": p50, "p99": p99}


def _burst_floor(size: Size, out: Sink, number: int) -> Figures:
    with _watched(out, None, "watchdog") as drop:
        return _out(size, out, drop, number)


def _burst(size: Size, out: Sink, number: int) -> Figures:
    with a_place(out.url, RULE) as project, project.running() as daemon:
        _until_seen(project.drop, out)
        before = cpu(daemon.pid)
        figures = _out(size, out, project.drop, number)
        spent = (cpu(daemon.pid) - before) / max(number - figures["lost"], 1) * 1000
        return {**figures, "cpu": spent, "memory": memory(daemon.pid)}


def _out(size: Size, out: Sink, drop: Path, number: int) -> Figures:
    """Drop many files at once; return how many a second came out, from the first file on."""
    began = time.monotonic()
    for place in range(number):
        (drop / f"f{place}.txt").write_bytes(b"x" * (place % 200 + 1))
    arrivals = out.take(number, size.waits)
    first, *_, last = arrivals.rates()
    came = len(arrivals.marks)
    return {
        "per s": came / (arrivals[-1][0] - began),
        "lost": number - came,
        "first": first,
        "last": last,
    }
