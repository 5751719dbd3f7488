"""``wbox-notify run``."""

import ctypes
import logging
import os
import resource
import signal
import threading
from contextlib import suppress
from pathlib import Path

import click

from wbox_notify import __version__
from wbox_notify.cli.live import Feed
from wbox_notify.cli.output import json_option, log_to_stderr, say
from wbox_notify.cli.project import count, open_project, print_problems, sound
from wbox_notify.config.yaml.problems import errors
from wbox_notify.daemon.daemon import Daemon
from wbox_notify.daemon.systemd import Systemd
from wbox_notify.errors import ConfigError
from wbox_notify.model.text import printable
from wbox_notify.rules import Project
from wbox_notify.rules.check import summary
from wbox_notify.rules.exposure import exposures

log = logging.getLogger(__name__)

_PR_SET_DUMPABLE = 4


@click.command("run")
@json_option
@click.pass_obj
def command(config: Path | None, as_json: bool) -> int:
    """Run the daemon in the foreground: watch folders, answer webhooks, keep schedules, send.

    Rules are read again when a file is saved, and on SIGHUP. Ends with 0 on SIGTERM or Ctrl-C, within 5
    seconds; what is in flight is finished.
    """
    log_to_stderr()
    keep_to_ourselves()
    stop = stop_on_signals()
    project = _guarded(sound(open_project(config)))
    if not project.rules:
        raise ConfigError(
            f"there are no rules in {project.settings.folder / 'rules'}",
            hint="write one (README shows how), or try wbox-notify demo",
        )
    feed = Feed(as_json=as_json)
    systemd = Systemd(os.environ, ["planner", "dispatch"])
    daemon = Daemon(
        project, os.environ, on_plan=feed.planned, on_attempt=feed.attempted, on_turn=systemd.turned
    )
    # A plain list: a signal can interrupt the handler of another, and the lock of an event would hold both.
    again: list[int] = []
    signal.signal(signal.SIGHUP, lambda number, _frame: again.append(number))
    daemon.start()
    if not as_json:
        with suppress(OSError):
            introduce(project, daemon)
    systemd.tell("READY=1")
    while not stop.wait(0.2):
        if again:
            again.clear()
            systemd.tell("RELOADING=1")
            daemon.read_again()
            systemd.tell("READY=1")
    systemd.tell("STOPPING=1")
    daemon.stop()
    return 0


def _guarded(project: Project) -> Project:
    """Return a project that others cannot change; for root that is an error, else only told."""
    found = list(exposures(project.settings, running=True))
    if wrong := errors(found):
        print_problems(wrong)
        raise ConfigError("others can decide what a daemon of root does", hint="mend what is listed above")
    for problem in found:
        log.warning("%s (%s)", problem.message, problem.hint)
    return project


def keep_to_ourselves() -> None:
    """Write files that only our user can read, and leave no core dump: our memory holds the key."""
    os.umask(0o077)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def introduce(project: Project, daemon: Daemon) -> None:
    """Print what the daemon does and where."""
    settings = project.settings
    say(f"wbox-notify {__version__}, {count(len(project.rules), 'rule')} from {settings.folder}")
    for rule in project.rules:
        say(f"  rule     {rule.id}: {printable(summary(rule))}")
    say(f"  wbox     {settings.url}")
    say(f"  store    {settings.store}")
    say(f"  address  {daemon.url}")


def stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and Ctrl-C set."""
    stop = threading.Event()

    def end(_number: int, _frame: object) -> None:
        if not stop.is_set():
            stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return stop
