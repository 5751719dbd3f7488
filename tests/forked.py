"""Processes of the command that begin at once: an import takes a second, so one process does it for all.

It is forked for each, which gets its own environment, folder, files, signals and exit code.
"""

import atexit
import ctypes
import functools
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wbox_notify.cli import COMMANDS

PR_SET_CHILD_SUBREAPER = 36


class Forked(subprocess.Popen[str]):
    """A process of the command; its words are those behind ``wbox-notify``."""

    def _execute_child(self, args: Sequence[str], *given: Any) -> None:
        _, _, _, _, cwd, env, _, _, _, *pipes = given[:15]
        start_new_session = given[20]
        mine = [pipe if pipe >= 0 else number for number, pipe in enumerate((pipes[0], pipes[3], pipes[5]))]
        self.pid = _parent().begin(
            {"words": args, "cwd": str(cwd), "env": dict(env), "leads": start_new_session}, mine
        )
        self._child_created = True
        self._close_pipe_fds(*pipes)


def run(
    words: Sequence[str], cwd: Path, env: Mapping[str, str], typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    pipe = subprocess.PIPE
    with Forked(words, cwd=cwd, env=env, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            output, errors = process.communicate(typed, timeout=60)
        finally:
            process.kill()
    return subprocess.CompletedProcess(words, process.returncode, output, errors)


class _Parent:
    """The process that has imported the command and is forked."""

    def __init__(self) -> None:
        # Else a process whose parent has ended would become the child of init, and nobody could wait for it.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                env={"PATH": os.environ["PATH"]},
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self._end)

    def begin(self, order: dict[str, Any], files: Sequence[int]) -> int:
        """Begin a command; return the number of its process."""
        order["umask"] = os.umask(0o77)
        os.umask(order["umask"])
        socket.send_fds(self._line, [json.dumps(order).encode()], files)
        return int(self._line.recv(100))

    def _end(self) -> None:
        self._line.close()
        self._process.wait(10)


@functools.cache
def _parent() -> _Parent:
    return _Parent()


def _order(line: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Fork for each order; return it in its process, and None where there are no more."""
    while True:
        text, files, _, _ = socket.recv_fds(line, 1 << 20, 3)
        if not text:
            return None
        reading, writing = os.pipe()
        between = os.fork()
        if not between:
            if os.fork():
                os._exit(0)
            os.write(writing, str(os.getpid()).encode())
            for file in (reading, writing):
                os.close(file)
            line.close()
            return json.loads(text), files
        os.close(writing)
        os.waitpid(between, 0)
        line.send(os.read(reading, 100))
        for file in (reading, *files):
            os.close(file)


def _become(order: dict[str, Any], files: Sequence[int]) -> None:
    """Let this process be as if it had been started for its order."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    if order["leads"]:
        os.setsid()
    os.umask(order["umask"])
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update({"LC_CTYPE": "C.UTF-8", **order["env"]})
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests run in the background
    sys.argv, sys.path[0] = ["wbox-notify", *order["words"]], order["cwd"]
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        anew = open(  # noqa: SIM115 - as long as the process
            number,
            stream.mode,
            encoding=os.environ.get("PYTHONIOENCODING", stream.encoding),
            errors=stream.errors,
            buffering=1 if number == 2 or os.isatty(number) else -1,
            closefd=False,
        )
        setattr(sys, name, anew)
        setattr(sys, f"__{name}__", anew)


def _main() -> None:
    for module, _ in COMMANDS.values():
        importlib.import_module(f"wbox_notify.cli.{module}")
    importlib.import_module("wbox_notify.daemon.daemon")
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as line:
        order = _order(line)
    if order:
        _become(*order)
        runpy.run_module("wbox_notify", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
