"""``wbox-notify run``."""

import ctypes
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Self

import click

from wbox_notify import __version__
from wbox_notify.cli import stop_on_signals
from wbox_notify.cli.lines import coloured, decision, target, together
from wbox_notify.cli.logs import log_to_stderr
from wbox_notify.cli.output import clock, in_json, json_option, lasted, say, zone
from wbox_notify.cli.project import open_project, print_problems, sound
from wbox_notify.config.yaml.problems import Problem, errors
from wbox_notify.daemon.daemon import Daemon
from wbox_notify.daemon.last_good import restore
from wbox_notify.daemon.systemd import Systemd
from wbox_notify.errors import ConfigError
from wbox_notify.model.deliveries import Delivery, NextStep, Plan
from wbox_notify.model.events import Event
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.model.reasons import answer as told
from wbox_notify.model.shown import iso, subject
from wbox_notify.model.text import printable
from wbox_notify.model.texts import Wording, _, plural, spoken
from wbox_notify.rules.exposure import exposures
from wbox_notify.rules.project import Project
from wbox_notify.rules.summary import summary

log = logging.getLogger(__name__)

_PR_SET_DUMPABLE = 4


@click.command("run")
@json_option
@click.pass_obj
def run(config: Path | None, as_json: bool) -> int:
    """Run the daemon in the foreground: watch folders, answer webhooks, keep schedules, send.

    Rules are reloaded when a file is saved, and on SIGHUP. Exits with 0 on SIGTERM or Ctrl-C, within 5
    seconds, after messages in flight.
    """
    log_to_stderr()
    _protect_process()
    stop = stop_on_signals()
    project, broken = _loaded(config)
    _check_exposure(project)
    if not project.rules:
        raise ConfigError(
            Wording("there are no rules in {folder}", folder=project.settings.folder / "rules"),
            hint="write one (README shows how), or try wbox-notify demo",
        )
    systemd = Systemd(os.environ, ["planner", "dispatch"])
    with Feed(as_json=as_json) as feed:
        daemon = Daemon(
            project,
            os.environ,
            broken=broken,
            on_plan=feed.planned,
            on_attempt=feed.attempted,
            on_turn=systemd.turned,
        )
        # A plain list: a signal can interrupt the handler of another, and an event's lock would block both.
        reloads: list[int] = []
        signal.signal(signal.SIGHUP, lambda number, _frame: reloads.append(number))
        daemon.start()
        if not as_json:
            with suppress(OSError):
                _introduce(project, daemon)
        systemd.tell("READY=1")
        while not stop.wait(0.2):
            if reloads:
                reloads.clear()
                systemd.tell("RELOADING=1")
                daemon.reload_and_log()
                systemd.tell("READY=1")
        systemd.tell("STOPPING=1")
        daemon.stop()
    return 0


def _loaded(config: Path | None) -> tuple[Project, Sequence[Problem]]:
    """Return the project, or what it was before its errors, with these; end with 78 where that is unknown."""
    project = open_project(config)
    log_to_stderr(project.settings.log_format)
    broken = errors(project.problems)
    if not broken:
        return project, ()
    _check_exposure(project)  # before the copy in its data folder is believed
    before = restore(project.settings, os.environ, project.settings.data_dir / "last-good")
    if before is None:
        return sound(project), ()
    print_problems(broken)
    log.error("started with the last good rules: see the errors above")
    return before, broken


def _protect_process() -> None:
    """Write files that only our user can read, and leave no core dump: our memory holds the key."""
    os.umask(0o077)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _check_exposure(project: Project) -> None:
    """Refuse, as root, a project that others can change; for other users only warn."""
    exposed = list(exposures(project.settings, running=True))
    if wrong := errors(exposed):
        print_problems(wrong)
        raise ConfigError("other users control what a daemon of root does", hint="fix the errors above")
    for problem in exposed:
        log.warning("%s (%s)", problem.message, problem.hint)


def _introduce(project: Project, daemon: Daemon) -> None:
    """Print the rules and the addresses of the daemon."""
    settings = project.settings
    rules = plural("{number} rule", "{number} rules", len(project.rules))
    say(
        _(
            "wbox-notify {version}, {rules} from {folder}",
            version=__version__,
            rules=rules,
            folder=settings.folder,
        )
    )
    for rule in project.rules:
        say(
            _("  rule     {rule}: {summary}", rule=rule.id, summary=printable(summary(rule).to(spoken.get())))
        )
    say(f"  wbox     {settings.url}")
    say(_("  store    {store}", store=settings.store))
    say(_("  address  {address}", address=daemon.url))
    if sys.stdout.isatty():  # the link lets in whoever has it: it belongs into no log
        say(_("  console  {address}", address=daemon.console_link()))


_MOST_UNREAD = 10_000
_BREATH = 0.02  # seconds in which lines gather
_LAST_WORDS = 1.0  # seconds, of the five in which the daemon ends
_IN, _BACK = click.style("-->", fg="cyan"), click.style("<--", fg="green")


class Feed:
    """Prints events, decisions and attempts as they happen, as lines or as NDJSON, in a thread of its own.

    Where nobody reads on, as in a terminal that was stopped, or the output is closed, lines are left out, and
    the work goes on. As a context manager it prints what is left at the end.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._lang, self._zone = spoken.get(), zone.get()
        self._is_plain = not sys.stdout.isatty()
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._printer = Thread(target=self._print, name="feed", daemon=True)

    def __enter__(self) -> Self:
        self._printer.start()
        return self

    def __exit__(self, *_problem: object) -> None:
        self._lines.put(None)
        self._printer.join(_LAST_WORDS)
        if self._printer.is_alive():
            sys.stdout = None  # else Python would wait for it once more, and abort

    def planned(self, event: Event | None, plan: Plan) -> None:
        """Print an event with the decisions of the rules; None for a memory that became due."""
        self._speak()
        at, kind = time.time(), "due"
        if event:
            at, kind = event.at.timestamp(), event.type
        if self._as_json:
            decisions = [asdict(step) for step in plan.decisions]
            fields = {"at": iso(at), "event": plan.event_id, "type": kind, "decisions": decisions}
            self._later(in_json(fields))
            return
        steps = together(
            decision(f"{step.rule} {step.stage}", step.outcome, step.detail) for step in plan.decisions
        )
        lines = [f"{clock(at)}      {step}" for step in steps]
        if event:
            lines.insert(0, f"{clock(at)}  {_IN} {event.type:<8} {subject(event, spoken.get())}")
        if lines:
            self._later("\n".join(lines))

    def attempted(self, delivery: Delivery, answer: Answer, then: NextStep) -> None:
        """Print the outcome of an attempt and the next state of the delivery."""
        self._speak()
        if self._as_json:
            self._later(in_json(_attempt_fields(delivery, answer, then)))
            return
        line = f"{clock(time.time())}  {_BACK} {delivery.id:>6}   "
        line += f"{target(delivery.message)}  {coloured(then.state)}  "
        line += f"{answer.status or '-'}  {lasted(answer.latency)}  {delivery.rule}"
        if answer.outcome is not Outcome.SENT:
            line += f"    {printable(told(answer.detail).to(spoken.get()))}"
        self._later(line)

    def _speak(self) -> None:
        """Print in the language and the zone of the project: each thread begins with those of the machine."""
        spoken.set(self._lang)
        zone.set(self._zone)

    def _later(self, line: str) -> None:
        if self._lines.qsize() < _MOST_UNREAD:
            self._lines.put(line)

    def _print(self) -> None:
        is_over = False
        while not is_over:
            lines = self._gathered()
            is_over = None in lines
            with suppress(OSError):
                self._say("\n".join(filter(None, lines)))

    def _gathered(self) -> list[str | None]:
        """Wait for a line; return it with those that come with it: each by itself would wake us once more."""
        lines = [self._lines.get()]
        if lines[0]:
            time.sleep(_BREATH)
        with suppress(Empty):
            while True:
                lines.append(self._lines.get_nowait())
        return lines

    def _say(self, lines: str) -> None:
        """Print lines; click's own ``echo`` would find out each time whether they may be in colour."""
        if not lines:
            return
        if self._as_json:
            click.echo(lines.encode("utf-8", "backslashreplace"))
            return
        try:
            print(click.unstyle(lines) if self._is_plain else lines, flush=True)  # noqa: T201 - it is output
        except UnicodeEncodeError:  # click knows what to do
            say(lines)


def _attempt_fields(delivery: Delivery, answer: Answer, then: NextStep) -> dict[str, object]:
    return {
        "delivery": delivery.id,
        "event": delivery.event_id,
        "rule": delivery.rule,
        "outcome": answer.outcome,
        "status": answer.status,
        "detail": answer.detail,
        "state": then.state,
        "due": iso(then.due),
    }
