"""``wbox-notify exec``: a job of cron or systemd, whose end rules can tell of."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO

import click

from wbox_notify.cli.output import fail
from wbox_notify.cli.project import open_project, open_queue, usable, warn_of_another
from wbox_notify.cli.times import Duration
from wbox_notify.config.stores import is_on_server
from wbox_notify.engine.rehearsal import called
from wbox_notify.errors import WboxError
from wbox_notify.model.texts import Wording, _
from wbox_notify.triggers.webhook.signatures import Call

_NOT_FOUND, _NOT_EXECUTABLE, _BY_SIGNAL = 127, 126, 128
_TOLD = 4000
"""The characters of the output that rules see: the last ones."""
_KEPT = 4 * _TOLD
"""The bytes of it: a character has four of them at most."""
_REST_OF_OUTPUT = 2.0
"""Seconds after the end of a job in which the rest of its output is read; a child of it may keep it open."""
_PAUSES = (0, 1, 2, 4, 8)
"""Seconds before each attempt to store what is told, as the daemon may be starting."""
_PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND")
@click.option("--hook", default="jobs", show_default=True, help="The webhook of the rules that tell of it.")
@click.option("--name", default="", help="What rules call the job; else the name of the program.")
@click.option("--hangs-after", type=Duration(), help="Tell when it still runs after so long, such as 2h.")
@click.option("--no-output", is_flag=True, help="Do not let rules see what it printed.")
@click.pass_obj
def exec(config: Path | None, /, *, hook: str, **options: Any) -> int:  # noqa: A001 - the command's name
    """Run COMMAND, and let the rules of a webhook know how it ended.

    What it prints and its exit code are passed on, whatever becomes of the message. Rules see body.name,
    body.state (done, failed or hangs), body.exit, body.seconds, body.output and body.host; never the
    arguments, which may hold a password.
    """
    return _run(partial(_tell, config, hook), **options)


def _run(
    tell: Callable[[dict[str, Any]], None],
    *,
    command: Sequence[str],
    name: str,
    hangs_after: float | None,
    no_output: bool,
) -> int:
    job = _Job(command, name or Path(command[0]).name, keeps_output=not no_output)
    alarm = threading.Timer(hangs_after or threading.TIMEOUT_MAX, lambda: tell(job.facts("hangs")))
    alarm.daemon = True
    alarm.start()
    code = job.run()
    alarm.cancel()
    tell(job.facts("failed" if code else "done"))
    return code


class _Job:
    """A program that runs, and what it has printed last."""

    def __init__(self, command: Sequence[str], name: str, *, keeps_output: bool) -> None:
        self._command = command
        self._name = name
        self._keeps_output = keeps_output
        self._process: subprocess.Popen[bytes] | None = None
        self._output = b""
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._code: int | None = None

    def run(self) -> int:
        """Run it to its end; return the exit code, by the rules of the shell where a signal ended it."""
        for number in _PASSED_ON:
            signal.signal(number, self._pass_on)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - it is what the user has typed
                self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            self._say(f"{self._command[0]}: {error.strerror}\n".encode(), sys.stderr.buffer)
            self._code = _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
            return self._code
        with self._copies(self._process):
            ended = self._process.wait()
        self._code = _BY_SIGNAL - ended if ended < 0 else ended
        return self._code

    def facts(self, state: str) -> dict[str, Any]:
        """Return what rules see of it now."""
        output = self._output.decode("utf-8", "replace")
        return {
            "name": self._name,
            "state": state,
            "exit": self._code,
            "seconds": round(time.monotonic() - self._began, 1),
            "output": output[-_TOLD:].strip(),
            "host": socket.gethostname(),
        }

    def _pass_on(self, number: int, _frame: object) -> None:
        """Send a signal on; what is typed at a terminal reaches the job by itself."""
        if self._process and not (number == signal.SIGINT and os.isatty(0)):
            self._process.send_signal(number)

    @contextmanager
    def _copies(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """Copy what a process prints to where we print."""
        pairs = ((process.stdout, sys.stdout.buffer), (process.stderr, sys.stderr.buffer))
        copying = [threading.Thread(target=self._copy, args=pair, daemon=True) for pair in pairs]
        for thread in copying:
            thread.start()
        yield
        for thread in copying:
            thread.join(_REST_OF_OUTPUT)

    def _copy(self, source: IO[bytes], target: BinaryIO) -> None:
        with suppress(OSError), source:
            while part := os.read(source.fileno(), 65536):
                self._say(part, target)

    def _say(self, part: bytes, target: BinaryIO) -> None:
        """Print a part of the output; where nobody reads it any more, the job gets to know by the error."""
        if self._keeps_output:
            with self._lock:
                self._output = (self._output + part)[-_KEPT:]
        target.write(part)
        target.flush()


def _tell(config: Path | None, path: str, facts: dict[str, Any]) -> None:
    """Store a call of a webhook; a failure is printed and changes nothing else."""
    try:
        _store(config, path, facts)
    except WboxError as error:
        fail(error.args[0], error.hint, 0, as_json=False)
    except Exception as error:  # noqa: BLE001 - no fault of ours may change how the job ends
        fail(f"{type(error).__name__}: {error}", None, 0, as_json=False)


def _store(config: Path | None, path: str, facts: dict[str, Any]) -> None:
    project = usable(open_project(config))
    warn_of_another(project)
    hook = project.hooks.get(path)
    if hook is None:
        raise WboxError(
            Wording("no rule tells of this job: none has the webhook {path}", path=path),
            hint=Wording("write one with `trigger: {{webhook: {{path: {path}, open: true}}}}`", path=path),
        )
    headers = [(b"content-type", b"application/json")]
    call = Call(
        method="POST", path=f"/hook/{path}", query=b"", headers=headers, body=json.dumps(facts).encode()
    )
    event = called(hook, call)
    for pause in _PAUSES:
        time.sleep(pause)
        try:
            with open_queue(project) as (queue, unserved):
                queue.accept(event)
        except WboxError as error:
            if not error.retry or pause == _PAUSES[-1]:
                raise
        else:
            if unserved and not is_on_server(project.settings.store):
                _warn(project.settings.store)
            return


def _warn(store: str) -> None:
    """Say that no daemon reads what was stored: it may be another store than that of the service."""
    text = _(
        "wbox-notify: no daemon runs on {store}, so nothing is told of this job yet; "
        "WBOX_DATA_DIR names the data folder of a daemon elsewhere",
        store=store,
    )
    click.echo(text, err=True)
