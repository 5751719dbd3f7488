"""``wbox-notify demo`` and ``wbox-notify simulate``."""

import importlib.resources
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from wbox_notify import __version__
from wbox_notify.cli import stop_on_signals
from wbox_notify.cli.gallery import gallery
from wbox_notify.cli.logs import log_to_stderr
from wbox_notify.cli.output import json_option, say, say_json
from wbox_notify.cli.project import sound
from wbox_notify.cli.run import Feed
from wbox_notify.daemon.daemon import Daemon
from wbox_notify.engine.rehearsal import due
from wbox_notify.errors import WboxError
from wbox_notify.model.text import printable
from wbox_notify.model.texts import Wording, _
from wbox_notify.rules.loading import load
from wbox_notify.simulator import Simulator
from wbox_notify.store import open_history

_KINDS = ("text", "media", "event", "poll")
_RULES = ("new-file", "picture", "meeting", "poll", "shipped", "photo", "disk-full", "lunch-poll")
_PATIENCE = 20.0


@click.command("demo")
@click.option(
    "--once",
    is_flag=True,
    help="Drop the examples, call a webhook, fire a schedule, print the messages and exit.",
)
@click.option("--keep", type=click.Path(path_type=Path), help="Use this folder and keep it.")
@json_option
def demo(once: bool, keep: Path | None, as_json: bool) -> int:
    """Try it without an account: nothing is sent to WhatsApp.

    Starts the simulator and the daemon with the starter rules in a temporary folder. Exits with 0, with
    --once also with 1 when a message is missing.
    """
    log_to_stderr()
    stop = stop_on_signals()
    with (
        Feed(as_json=as_json) as feed,
        Simulator(fetch_media=True) as simulator,
        _project_folder(keep, simulator.url) as folder,
    ):
        daemon = _daemon(folder, feed)
        daemon.start()
        if not as_json:
            _introduce(simulator, folder, daemon)
        try:
            if once:
                _drop_examples(folder / "drop", simulator.url)
                body = gallery() / "examples" / "hooks" / "disk-full.json"
                _call_hook(f"{daemon.url}/hook/disk-full", body.read_bytes())
                _fire(daemon, "lunch-poll")
                _wait_for_all(simulator, folder / "data" / "wbox-notify.db")
            else:
                stop.wait()
        finally:
            daemon.stop()
        if once:
            _report(simulator, as_json=as_json)
    return 0


@contextmanager
def _project_folder(keep: Path | None, address: str) -> Iterator[Path]:
    folder = keep or Path(tempfile.mkdtemp(prefix="wbox-demo-"))
    try:
        _fill(folder, address)
        yield folder
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _fill(folder: Path, address: str) -> None:
    """Make a folder a project with the starter rules and the simulator as its wbox."""
    settings = f"version: 1\nwbox: {{url: {address}}}\nlisten: 127.0.0.1:0\n"
    try:
        (folder / "drop").mkdir(parents=True, exist_ok=True)
        for part in ("rules", "templates"):
            shutil.copytree(gallery() / part, folder / part, dirs_exist_ok=True)
        for part in ("rules", "tables"):
            shutil.copytree(gallery() / "examples" / part, folder / part, dirs_exist_ok=True)
        (folder / "wbox-notify.yaml").write_text(settings, encoding="utf-8")
    except OSError as error:
        raise WboxError(f"{folder}: {error.strerror}", hint="choose another folder with --keep") from error


def _daemon(folder: Path, feed: Feed) -> Daemon:
    environment = {
        "WBOX_API_KEY": "sk_demo",
        "WBOX_DATA_DIR": str(folder / "data"),
        "WBOX_PACE": "unlimited",
    }
    project = sound(load(folder, environment))
    return Daemon(project, environment, on_plan=feed.planned, on_attempt=feed.attempted)


def _introduce(simulator: Simulator, folder: Path, daemon: Daemon) -> None:
    drop, rules = folder / "drop", folder / "rules"
    say(_("wbox-notify {version} demo (nothing is sent to WhatsApp)", version=__version__) + "\n")
    say(_("  Inbox    {address}/", address=simulator.url))
    if sys.stdout.isatty():  # the link lets in whoever has it: it belongs into no log
        say(_("  Console  {address}", address=daemon.console_link()))
    say(_("  Folder   {folder}   watched by the rules in {rules}", folder=drop, rules=rules) + "\n")
    say(_("Try this in another terminal:"))
    say(f"  cp README.md {drop}/")
    say(f"  cp PICTURE.jpg {drop}/")
    say(f'  echo "Tea or coffee?" > {drop}/tea.poll.txt')
    say(f'  curl -d \'{{"disk": "/var", "used": 91}}\' {daemon.url}/hook/disk-full')
    say(f"  WBOX_DATA_DIR={folder / 'data'} {_command()} -c {folder} why\n")
    say(_("Ctrl-C stops the demo and removes the folder (--keep DIR keeps it).") + "\n")


def _command() -> str:
    """Return how a shell calls this program, which need not be in its PATH (``make demo``)."""
    here = Path(sys.executable).with_name("wbox-notify")
    return "wbox-notify" if shutil.which("wbox-notify") or not here.is_file() else str(here)


def _drop_examples(folder: Path, address: str) -> None:
    """Copy the examples and a picture into a watched folder; the simulator serves the picture they name."""
    for example in sorted((gallery() / "examples" / "drop").iterdir()):
        text = example.read_text(encoding="utf-8")
        text = text.replace("https://example.com/harbour.png", f"{address}/sim/sample.png")
        (folder / example.name).write_text(text, encoding="utf-8")
    picture = importlib.resources.files("wbox_notify.simulator") / "pages" / "sample.png"
    (folder / "sailing.png").write_bytes(picture.read_bytes())


def _call_hook(url: str, body: bytes) -> None:
    """Call a webhook as any program would."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - likewise
        response.read()


def _fire(daemon: Daemon, rule: str) -> None:
    """Run the schedule of a rule now."""
    daemon.control.accept(due(rule, "schedule", datetime.now(UTC)))


def _wait_for_all(simulator: Simulator, store: Path) -> None:
    """Wait, for 20 seconds at most, until each rule has sent and the queue is empty."""
    history = open_history(f"sqlite:///{store}")
    deadline = time.monotonic() + _PATIENCE
    while history and time.monotonic() < deadline:
        if not _missing(simulator.messages()) and history.oldest_waiting() is None:
            break
        time.sleep(0.05)
    if history:
        history.close()


def _report(simulator: Simulator, *, as_json: bool) -> None:
    """Print the messages of the simulator. Raises WboxError if a kind of message, or a rule's, is missing."""
    messages = simulator.messages()
    missing = _missing(messages)
    if as_json:
        say_json({"messages": messages, "missing": missing})
    else:
        say("\n" + _("What arrived at the simulator:"))
        for message in messages:
            say(f"  {_kind(message):<6} +{message['body']['phone']}  {printable(_text(message['body']))}")
    if missing:
        what = ", ".join(missing)
        raise WboxError(Wording("missing after {seconds:.0f} s: {what}", seconds=_PATIENCE, what=what))


def _text(body: dict[str, Any]) -> str:
    """Return the text of a message, on one line."""
    texts: list[str] = []
    for name, value in body.items():
        if isinstance(value, dict):
            texts.append(_text(value))
        elif isinstance(value, list):
            texts.append(", ".join(value))
        elif name not in {"phone", "device_id"}:
            texts.append(" ".join(str(value).split()))
    return "  ".join(texts)


def _missing(messages: list[dict[str, Any]]) -> list[str]:
    """Return the kinds and the rules without a message."""
    kinds = {_kind(message) for message in messages}
    keys = " ".join(str(message["idempotency_key"]) for message in messages)
    silent = [rule for rule in _RULES if f":{rule}:" not in keys]
    return [kind for kind in _KINDS if kind not in kinds] + silent


def _kind(message: dict[str, object]) -> str:
    return str(message["endpoint"]).rpartition("/")[2]


@click.command("simulate")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8726, show_default=True, help="0 takes a free port."
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; other than the default, other machines can post too.",
)
@click.option(
    "--api-key", envvar="WBOX_SIM_API_KEY", help="The only valid key; else any that starts with sk_."
)
@click.option("--fetch-media", is_flag=True, help="Fetch media from this machine, and show them.")
@json_option
def simulate(port: int, host: str, api_key: str | None, fetch_media: bool, as_json: bool) -> int:
    """Run a stand-in for the wbox server. Nothing goes to WhatsApp.

    It answers as the wbox API document describes, and shows the messages on an inbox page.
    """
    stop = stop_on_signals()
    with Simulator(host=host, port=port, api_key=api_key, fetch_media=fetch_media) as simulator:
        if as_json:
            say_json({"url": simulator.url})
        else:
            say(_("wbox simulator (nothing goes to WhatsApp)") + "\n")
            say(_("  Inbox    {address}/", address=simulator.url))
            key = _("(yours)") if api_key else "sk_any"
            say(f"  API      WBOX_API_URL={simulator.url} WBOX_API_KEY={key}")
            say("\n" + _("Ctrl-C stops it."))
        stop.wait()
    return 0
