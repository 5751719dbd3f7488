"""The ``wbox-notify`` command; each subcommand is imported when it is called, so that ``--help`` is quick."""

import gc
import gettext
import importlib
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue

import click
from click.shell_completion import CompletionItem

from wbox_notify import __version__
from wbox_notify.cli.helps import said, translated
from wbox_notify.cli.output import fail
from wbox_notify.errors import Exit, WboxError
from wbox_notify.model.texts import DOMAIN, LOCALE, language_of, problem_of, spoken

COMMANDS = {
    "demo": ("demo", "Try it: a simulator, the daemon and the starter rules in a temporary folder."),
    "simulate": ("demo", "Run a stand-in for the wbox server, with an inbox page."),
    "init": ("init", "Write a new project: settings, a rule with tests, a template."),
    "pair": ("pair", "Link a device to a phone: show its QR code until it has been scanned."),
    "check": ("check", "Check settings, rules and templates."),
    "test": ("test", "Run the tests of the rules."),
    "trigger": ("trigger", "Trigger one rule by hand, or show what it would do."),
    "plan": ("plan", "Compare what edited rules would have sent with the rules in use."),
    "schema": ("check", "Print the JSON Schema of rules, settings or output."),
    "run": ("run", "Run the daemon: watch folders, answer webhooks, keep schedules, send."),
    "console": ("console", "Print a link to the pages of the daemon: what goes out, and why."),
    "send": ("send", "Send one message: text, media, event or poll."),
    "exec": ("exec", "Run a job of cron or systemd, and let rules tell when it fails or hangs."),
    "status": ("status", "Show the daemon, the device and the queue on one screen."),
    "log": ("status", "List the newest events, decisions and messages."),
    "why": ("why", "Explain what became of an event, a file, a message, a rule or a person."),
    "show": ("why", "Show one message with its text and all attempts."),
    "replay": ("replay", "Run stored events through the rules once more."),
    "ack": ("ack", "Acknowledge the open troubles of a rule."),
    "silence": ("silence", "Let a rule tell nobody of anything for a while."),
    "queue": ("queue", "List, retry, release or drop unsent messages; cancel reminders."),
    "store": ("store", "Check, back up or move the store, where all events and messages are."),
    "install": ("install", "Install wbox:// for Apprise, or the daemon as a systemd service."),
}
"""The commands in the order of the help, each with its module and its line there."""


@contextmanager
def staying() -> Iterator[None]:
    """Make what stays to the end of the command: nobody looks through it for what is used no more."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class _Commands(click.Group):
    """Commands that are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of use."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None for an unknown name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        with staying():
            command: click.Command = getattr(importlib.import_module(f"wbox_notify.cli.{module}"), cmd_name)
        return translated(command)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin as what is typed, without importing the commands."""
        items = [CompletionItem(name, help=said(text)) for name, (_, text) in COMMANDS.items()]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [item for item in items if item.value.startswith(incomplete)] + options

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        del ctx
        with formatter.section(gettext.gettext("Commands")):
            formatter.write_dl([(name, said(text)) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: wbox-notify demo",
)
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    envvar="WBOX_CONFIG",
    help="The project folder, or its wbox-notify.yaml.",
)
@click.pass_context
def group(ctx: click.Context, config: Path | None) -> None:
    """WhatsApp messages from a dropped file, a webhook or a clock, sent through wbox."""
    ctx.obj = config
    ctx.color = _colour()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process with its exit code; no error leaves a traceback."""
    if arguments is None:
        arguments = sys.argv[1:]
    as_json = "--json" in arguments
    logging.getLogger().addHandler(logging.NullHandler())
    _ensure_home()
    _speak("en" if as_json else language_of(os.environ))
    try:
        code = translated(group).main(
            list(arguments), prog_name="wbox-notify", standalone_mode=False, terminal_width=_width()
        )
    except click.ClickException as error:
        if as_json:
            fail(error.format_message(), None, error.exit_code, as_json=True)
        else:
            error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = Exit.INTERRUPTED
    except BrokenPipeError:
        code = 0
    except WboxError as error:
        code = fail(problem_of(error), error.hint, error.exit_code, as_json=as_json)
    except Exception as error:  # noqa: BLE001 - the outermost: a person sees a sentence, not a traceback
        problem = f"internal error: {type(error).__name__}: {error}"
        hint = "please report this, with the command"
        code = fail(problem, hint, Exit.INTERNAL, as_json=as_json)
    _flush()
    sys.exit(code if isinstance(code, int) else 0)


def _width() -> int:
    """Return the width of the help that click would choose; to find out, it loads what else no help needs."""
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdecimal() else 0
    if not width:
        with suppress(OSError, ValueError, AttributeError):  # no terminal; a closed output; none
            width = os.get_terminal_size(sys.__stdout__.fileno()).columns  # type: ignore[union-attr]
    return max(min(width or 80, 80) - 2, 50)


def _speak(lang: str) -> None:
    """Let our texts and those of click be in a language."""
    spoken.set(lang)
    os.environ["LANGUAGE"] = lang
    gettext.bindtextdomain(DOMAIN, LOCALE)


def _ensure_home() -> None:
    """Give a user without a home folder the one that containers give, for errors that name a path."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = "/"


def _flush() -> None:
    """Print the rest of the output; an output that is closed must not change the exit code."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _colour() -> bool | None:
    """Return whether to use colour, or None to leave it to the terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or None


class Stop:
    """Whether SIGTERM or Ctrl-C has come.

    It is no Event: a signal runs in the thread that waits, maybe while this holds the lock of the event, and
    would then wait for itself.
    """

    def __init__(self) -> None:
        self._come = False
        self._signals: SimpleQueue[int] = SimpleQueue()  # of all queues the one that a signal may fill

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until a signal comes, at most so long; return whether one has come."""
        if not self._come:
            with suppress(Empty):
                self._signals.get(timeout=seconds)
                self._come = True
        return self._come

    def take(self, number: int, _frame: object) -> None:
        """Take note of a signal."""
        self._signals.put(number)


def stop_on_signals() -> Stop:
    """Return what says whether SIGTERM or Ctrl-C has come since."""
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop.take)
    return stop
