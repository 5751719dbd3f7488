"""``wbox-notify send text|media|event|poll``."""

import math
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from wbox_notify.cli.live import target
from wbox_notify.cli.output import json_option, say, say_json
from wbox_notify.cli.project import media_files, open_project, open_queue, usable
from wbox_notify.cli.queue import as_fields
from wbox_notify.config.values import plain
from wbox_notify.dispatch import ALL, Dispatcher, connect
from wbox_notify.errors import ConfigError, WboxError
from wbox_notify.model import messages
from wbox_notify.model.addresses import check_public
from wbox_notify.model.deliveries import OPEN, WAITING, Delivery, State
from wbox_notify.model.messages import WhatsAppMessage
from wbox_notify.model.reasons import why
from wbox_notify.model.text import printable
from wbox_notify.rules import Live, Project
from wbox_notify.store import Queries, Store, open_history

_QUEUED = 75
_KEY_REFUSED = 77

device_option = click.option("--device", type=int, help="The wbox device that sends; else the first.")
wait_option = click.option(
    "--wait",
    type=click.FloatRange(0),
    default=20.0,
    show_default=True,
    help="Seconds to wait for the outcome.",
)


@click.group("send")
def command() -> None:
    """Send one message. TO is a contact, a group or a number with its country code.

    The message is on disk before anything else happens. Ends with 0 when it was sent, 75 when it waits in
    the queue, 77 when the key is refused, 1 when it cannot be sent.
    """


def _shared(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (json_option, wait_option, device_option, click.pass_obj):
        function = option(function)
    return function


@command.command("text")
@click.argument("to")
@click.argument("message", required=False)
@_shared
def text(config: Path | None, to: str, message: str | None, **how: Any) -> int:
    """Send a text; without MESSAGE it is read from standard input."""
    words = sys.stdin.read().rstrip("\n") if message in (None, "-") else message
    return _send(config, to, messages.Text, {"message": words}, **how)


@command.command("media")
@click.argument("to")
@click.argument("url", required=False)
@click.option("--file", type=click.Path(path_type=Path), help="A file of this machine, instead of URL.")
@click.option("--caption", help="Words below the picture or document.")
@_shared
def media(
    config: Path | None, to: str, url: str | None, file: Path | None, caption: str | None, **how: Any
) -> int:
    """Send an image, a video or a document: from a public URL, or a file of this machine.

    A file is served by the running daemon, at the address that public_url says.
    """
    fields = {"url": url, "file": str(plain(file)) if file else None, "caption": caption}
    return _send(config, to, messages.Media, fields, **how)


@command.command("event")
@click.argument("to")
@click.argument("title")
@click.option("--description", help="What it is about.")
@click.option("--start", help="ISO 8601, as 2026-10-15T14:00.")
@_shared
def event(
    config: Path | None, to: str, title: str, description: str | None, start: str | None, **how: Any
) -> int:
    """Send a calendar invitation."""
    fields = {"title": title, "description": description, "start": start}
    return _send(config, to, messages.CalendarEvent, fields, **how)


@command.command("poll")
@click.argument("to")
@click.argument("question")
@click.option("-o", "--option", "options", multiple=True, help="A choice; give at least two.")
@_shared
def poll(config: Path | None, to: str, question: str, options: tuple[str, ...], **how: Any) -> int:
    """Ask a question with options to choose from."""
    return _send(config, to, messages.Poll, {"question": question, "options": options}, **how)


def _send(
    config: Path | None,
    to: str,
    kind: type[WhatsAppMessage],
    fields: dict[str, Any],
    *,
    device: int | None,
    **how: Any,
) -> int:
    project = usable(open_project(config))
    device = project.settings.device_id if device is None else device
    made = [kind(phone=contact.phone, device_id=device, **fields) for contact in project.recipients(to)]
    connect(project).close()
    for message in made:
        _check_reach(project, message)
    with open_queue(project) as (queue, store):
        if store is not None:
            _check_served(project, made)
        # Somebody waits for it at a keyboard.
        ids = [queue.send(message, critical=True) for message in made]
        if store is not None:
            _send_here(project, store, made)
        past = store.history if store else open_history(project.settings.store)
        if past is None:
            raise WboxError("the store is gone")
        lang = project.settings.lang
        return max(_report(past, number, lang, **how) for number in ids)


def _check_reach(project: Project, message: WhatsAppMessage) -> None:
    """Refuse media that wbox cannot fetch."""
    settings = project.settings
    if not isinstance(message, messages.Media):
        return
    if message.url:
        check_public(message.url, settings.url)
    elif not settings.lends_files:
        hint = "set `public_url`, `media.static` or `media.bucket` in wbox-notify.yaml: see docs/media.md"
        raise ConfigError("nothing says at which address wbox finds a file of this machine", hint=hint)


def _check_served(project: Project, made: list[WhatsAppMessage]) -> None:
    """Refuse files that nobody would serve once this command has ended."""
    files = any(isinstance(message, messages.Media) and message.file for message in made)
    if files and not project.settings.media.elsewhere:
        hint = (
            "start wbox-notify run, which serves it; or set `media.static` or `media.bucket`: docs/media.md"
        )
        raise ConfigError("no daemon runs that would serve this file to wbox", hint=hint)


def _send_here(project: Project, store: Store, made: list[WhatsAppMessage]) -> None:
    """Send what is due to these phones: no daemon does it."""
    with closing(media_files(project, store)) as files, closing(connect(project)) as client:
        dispatcher = Dispatcher(store, Live(project), publish=files.publish)
        dispatcher.mind_the_clock()
        dispatcher.recover()
        dispatcher.look_at_circuits(client, math.inf)
        for phone in dict.fromkeys(message.phone for message in made):
            while dispatcher.step(client, phone):
                pass
        files.sweep(time.time())


def _report(past: Queries, number: int, lang: str, *, wait: float, as_json: bool) -> int:
    delivery = _settled(past, number, wait)
    holding = {circuit.device: circuit.reason for circuit in past.circuits()}
    held = (holding.get(ALL) or holding.get(delivery.device)) if delivery.state in OPEN else None
    reason = why(delivery, lang) or held or ""
    if as_json:
        say_json({**as_fields(delivery, lang), "reason": reason})
    elif delivery.state is State.SENT:
        say(f"{click.style('sent', fg='green')}  {target(delivery.message)}  delivery {delivery.id}")
    elif delivery.state in OPEN:
        text = printable(reason).rstrip(".") or "it is being sent"
        say(f"not sent yet: {text}. Kept in the queue as {delivery.id}.")
        say("  help: wbox-notify run sends it when it can; wbox-notify queue list shows it")
    else:
        say(f"{delivery.state.value}: {printable(reason)} (delivery {delivery.id})")
    if delivery.state in OPEN:
        return _KEY_REFUSED if "unauthorized" in holding.values() else _QUEUED
    return 0 if delivery.state is State.SENT else 1


def _settled(past: Queries, number: int, wait: float) -> Delivery:
    """Return a delivery once an attempt at it has ended, or the wait has."""
    deadline = time.monotonic() + wait
    while True:
        delivery = past.delivery(number)
        if delivery is None:
            raise WboxError(f"delivery {number} is gone")
        tried = delivery.claims > 0 or bool(past.circuits())
        waits_on = delivery.state in WAITING and not tried
        if not (waits_on or delivery.state is State.SENDING) or time.monotonic() > deadline:
            return delivery
        time.sleep(0.05)
