"""strace, as tests use it: a fault at the N-th system call of a process that runs."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest


@cache
def _missing() -> str | None:
    """Return why strace cannot be used here, None where it can."""
    if shutil.which("strace") is None:
        return "NOT SHOWN HERE: strace is not installed (apt install strace)"
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with tracing(sleeper.pid, "trace=none"):
            return None
    except OSError as error:
        return f"NOT SHOWN HERE: strace may not look into other processes ({error})"
    finally:
        sleeper.kill()
        sleeper.wait()
        assert sleeper.stdin
        sleeper.stdin.close()


def needs_strace() -> None:
    """Skip the test, loudly, where strace is missing or may not be used."""
    if reason := _missing():
        pytest.skip(reason)


@contextmanager
def tracing(pid: int, *expressions: str, log: Path | None = None) -> Iterator[None]:
    """Let faults strike a running process, in any of its threads; each thread counts its own calls.

    Args:
        pid: The process.
        expressions: As ``strace -e`` takes them, such as ``inject=pwrite64:signal=SIGKILL:when=3``.
        log: Where each call is written to, with all that it writes.
    """
    words = ["strace", "-f", "-p", str(pid)]
    words += [word for expression in expressions for word in ("-e", expression)]
    if log is not None:
        words += ["-y", "-xx", "-s", "2000000"]
    strace = subprocess.Popen(
        [*words, "-o", str(log or "/dev/null")], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        assert strace.stderr
        said = strace.stderr.readline()
        if "attached" not in said:
            raise OSError(said.strip())
        yield
    finally:
        if strace.poll() is None:
            strace.send_signal(signal.SIGINT)
        try:
            strace.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            strace.kill()
            strace.communicate()
            raise


def killing(call: str, number: int) -> str:
    """Return what makes strace kill a process as it enters its N-th call of a name."""
    return f"inject={call}:signal=SIGKILL:when={number}"


def killed_at(call: str, number: int, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program from its start, and kill it as it enters its N-th call of a name."""
    return subprocess.run(
        ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", killing(call, number), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
