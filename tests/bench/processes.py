"""Processes that a measurement needs: each is ended with its block, whatever happens in it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_TESTS = Path(__file__).parents[1]
_TICKS = os.sysconf("SC_CLK_TCK")
_STARTS_WITHIN = 60.0
_ENDS_WITHIN = 10.0


@contextmanager
def process(
    words: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: IO[bytes] | int = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command beside the block, and end it with all that it has started."""
    started = subprocess.Popen(words, cwd=cwd, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        yield started
    finally:
        started.terminate()
        with suppress(subprocess.TimeoutExpired):
            started.wait(_ENDS_WITHIN)
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()


@contextmanager
def program(name: str, *words: str | int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program of this folder beside the block."""
    command = [sys.executable, "-m", f"bench.{name}", *map(str, words)]
    with process(command, env=environment()) as started:
        yield started


def environment() -> dict[str, str]:
    """Return the environment in which Python finds the programs of this folder."""
    return {**os.environ, "PYTHONPATH": str(_TESTS)}


def until(holds: Callable[[], object], within: float = _STARTS_WITHIN, every: float = 0.01) -> bool:
    """Wait until something holds; return whether it does within so many seconds."""
    end = time.monotonic() + within
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


def until_open(port: int) -> None:
    """Wait until a port of this machine is listened at."""
    if not until(lambda: _is_open(port)):
        raise SystemExit(f"nothing listens at port {port}")


def _is_open(port: int) -> bool:
    with socket.socket() as wire:
        return wire.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a port that nothing listens at."""
    with socket.socket() as wire:
        wire.bind(("127.0.0.1", 0))
        return int(wire.getsockname()[1])


def cpu(pid: int) -> float:
    """Return the seconds of CPU that a process and its ended children have taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def cpu_of_all(pid: int) -> float:
    """Return the seconds of CPU of a process and its children, ended or not."""
    living = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return cpu(pid) + sum(map(cpu, map(int, living)))


def memory(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    return int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0]) / 1024


def most_memory() -> float:
    """Return the most resident memory that this process has had, in MiB, without that of who started it.

    ``ru_maxrss`` begins with the memory of the process that it was forked from.
    """
    return int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024


def forget_most_memory() -> float:
    """Let ``most_memory`` count from now on; return what there is."""
    Path("/proc/self/clear_refs").write_text("5")
    return most_memory()
