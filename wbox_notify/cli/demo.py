"""``wbox-notify demo``."""

import importlib.resources
import shutil
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
from wbox_notify.cli.live import Feed
from wbox_notify.cli.output import json_option, log_to_stderr, say, say_json
from wbox_notify.cli.project import sound
from wbox_notify.cli.run import stop_on_signals
from wbox_notify.daemon.daemon import Daemon
from wbox_notify.errors import WboxError
from wbox_notify.model.events import Event
from wbox_notify.model.text import printable
from wbox_notify.rules import load
from wbox_notify.simulator import Simulator
from wbox_notify.store import open_history

_KINDS = ("text", "media", "event", "poll")
_RULES = ("new-file", "picture", "meeting", "poll", "shipped", "photo", "disk-full", "lunch-poll")
_PATIENCE = 20.0


@click.command("demo")
@click.option(
    "--once",
    is_flag=True,
    help="Drop the examples, call a hook, fire a schedule, print what arrived and end.",
)
@click.option("--keep", type=click.Path(path_type=Path), help="Use this folder and keep it.")
@json_option
def command(once: bool, keep: Path | None, as_json: bool) -> int:
    """Try it without an account: nothing is sent to WhatsApp.

    Starts the simulator and the daemon with the starter rules in a temporary folder. Ends with 0, with
    --once also with 1 when a message is missing.
    """
    log_to_stderr()
    stop = stop_on_signals()
    feed = Feed(as_json=as_json)
    with Simulator(fetch_media=True) as simulator, _project_folder(keep, simulator.url) as folder:
        daemon = _daemon(folder, feed)
        daemon.start()
        if not as_json:
            _introduce(simulator, folder, daemon)
        try:
            if once:
                drop_examples(folder / "drop", simulator.url)
                call_hook(f"{daemon.url}/hook/disk-full", gallery() / "examples" / "hooks" / "disk-full.json")
                fire(daemon, "lunch-poll")
                _wait_for_all(simulator, folder / "data" / "wbox-notify.db")
            else:
                stop.wait()
        finally:
            daemon.stop()
        return _arrived(simulator, as_json=as_json) if once else 0


def gallery() -> Path:
    """Return the folder with ``rules``, ``templates`` and ``examples``: the wheel's, or the checkout's."""
    package = Path(str(importlib.resources.files("wbox_notify")))
    packaged = package / "gallery"
    return packaged if packaged.is_dir() else package.parent


def drop_examples(folder: Path, address: str) -> None:
    """Copy the examples and a picture into a watched folder; an address becomes one that we serve."""
    for example in sorted((gallery() / "examples" / "drop").iterdir()):
        text = example.read_text(encoding="utf-8")
        text = text.replace("https://example.com/harbour.png", f"{address}/sim/sample.png")
        (folder / example.name).write_text(text, encoding="utf-8")
    picture = importlib.resources.files("wbox_notify.simulator") / "pages" / "sample.png"
    (folder / "sailing.png").write_bytes(picture.read_bytes())


def call_hook(url: str, body: Path) -> None:
    """Call a webhook as any program would."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body.read_bytes(), headers, method="POST")  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - likewise
        answer.read()


def fire(daemon: Daemon, rule: str) -> None:
    """Let the time of a rule come now."""
    now = datetime.now(UTC)
    facts = {"rule": rule, "at": now.isoformat(), "late": 0.0}
    daemon.control.accept(Event(id=f"schedule:{rule}:demo", type="schedule", at=now, data=facts))


@contextmanager
def _project_folder(keep: Path | None, address: str) -> Iterator[Path]:
    folder = keep or Path(tempfile.mkdtemp(prefix="wbox-demo-"))
    try:
        _furnish(folder, address)
        yield folder
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _furnish(folder: Path, address: str) -> None:
    """Make a folder a project with the starter rules, whose wbox is the simulator."""
    settings = f"version: 1\nwbox: {{url: {address}}}\nlisten: 127.0.0.1:0\n"
    try:
        (folder / "drop").mkdir(parents=True, exist_ok=True)
        for part in ("rules", "templates"):
            shutil.copytree(gallery() / part, folder / part, dirs_exist_ok=True)
        shutil.copytree(gallery() / "examples" / "rules", folder / "rules", dirs_exist_ok=True)
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
    say(f"wbox-notify {__version__} demo (nothing is sent to WhatsApp)\n")
    say(f"  Inbox    {simulator.url}/")
    say(f"  Folder   {folder / 'drop'}   watched by the rules in {folder / 'rules'}\n")
    say("Try this in another terminal:")
    say(f"  cp README.md {folder / 'drop'}/")
    say(f"  cp PICTURE.jpg {folder / 'drop'}/")
    say(f'  echo "Tea or coffee?" > {folder / "drop"}/tea.poll.txt')
    say(f'  curl -d \'{{"disk": "/var", "used": 91}}\' {daemon.url}/hook/disk-full\n')
    say("Ctrl-C stops the demo and removes the folder (--keep DIR keeps it).\n")


def _wait_for_all(simulator: Simulator, store: Path) -> None:
    """Return when each rule has sent and nothing waits any more, or when patience ends."""
    history = open_history(f"sqlite:///{store}")
    deadline = time.monotonic() + _PATIENCE
    while history and time.monotonic() < deadline:
        if not _missing(simulator.messages()) and history.oldest_waiting() is None:
            break
        time.sleep(0.05)
    if history:
        history.close()


def _arrived(simulator: Simulator, *, as_json: bool) -> int:
    """Print what arrived at the simulator; 0 when each kind of message, and each rule's, is among it."""
    messages = simulator.messages()
    missing = _missing(messages)
    if as_json:
        say_json({"messages": messages, "missing": missing})
    else:
        say("\nWhat arrived at the simulator:")
        for message in messages:
            say(f"  {_kind(message):<6} +{message['body']['phone']}  {printable(_words(message['body']))}")
    if missing:
        raise WboxError(f"missing after {_PATIENCE:.0f} s: {', '.join(missing)}")
    return 0


def _words(body: dict[str, Any]) -> str:
    """Return what a message says, on one line."""
    said: list[str] = []
    for name, value in body.items():
        if isinstance(value, dict):
            said.append(_words(value))
        elif isinstance(value, list):
            said.append(", ".join(value))
        elif name not in {"phone", "device_id"}:
            said.append(" ".join(str(value).split()))
    return "  ".join(said)


def _missing(messages: list[dict[str, Any]]) -> list[str]:
    """Return the kinds and the rules of which nothing arrived."""
    kinds = {_kind(message) for message in messages}
    keys = " ".join(str(message["idempotency_key"]) for message in messages)
    silent = [rule for rule in _RULES if f":{rule}:" not in keys]
    return [kind for kind in _KINDS if kind not in kinds] + silent


def _kind(message: dict[str, object]) -> str:
    return str(message["endpoint"]).rpartition("/")[2]
