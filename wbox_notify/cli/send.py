"""``wbox-notify send text|media|event|poll``."""

import math
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from wbox_notify.cli import complete
from wbox_notify.cli.lines import named, paused, reason, target
from wbox_notify.cli.output import json_option, say, say_json
from wbox_notify.cli.project import (
    OpenStore,
    daemon_answers,
    history,
    open_project,
    open_queue,
    open_without_rules,
    usable,
    warn_of_another,
)
from wbox_notify.config.values import plain
from wbox_notify.dispatch import Dispatcher, connect
from wbox_notify.errors import ConfigError, Exit, MessageError, WboxError
from wbox_notify.model import messages
from wbox_notify.model.addresses import check_public
from wbox_notify.model.deliveries import OPEN, WAITING, Delivery, State
from wbox_notify.model.messages import WhatsAppMessage
from wbox_notify.model.outcomes import Outcome
from wbox_notify.model.shown import delivery_fields
from wbox_notify.model.text import printable
from wbox_notify.model.texts import Wording, _, problem_of, spoken
from wbox_notify.rules.lending import check_lending
from wbox_notify.rules.project import Project
from wbox_notify.store import Chosen, Queries

device_option = click.option("--device", type=int, help="The wbox device; else the first one.")
wait_option = click.option(
    "--wait",
    type=click.FloatRange(0),
    default=20.0,
    show_default=True,
    help="Seconds to wait for the outcome.",
)


@click.group("send")
def send() -> None:
    """Send one message. TO is a contact, a group or a number with its country code.

    The message is on disk before anything else happens. Exits with 0 when it was sent, 75 when it waits in
    the queue, 77 when the key is refused, 1 when it cannot be sent.
    """


def _shared(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (json_option, wait_option, device_option, click.pass_obj):
        function = option(function)
    return function


@send.command("text")
@click.argument("to", shell_complete=complete.people)
@click.argument("message", required=False)
@_shared
def text(config: Path | None, to: str, message: str | None, **options: Any) -> int:
    """Send a text; without MESSAGE it is read from standard input."""
    if message in (None, "-"):
        message = sys.stdin.read().rstrip("\n")
    return _send(config, to, messages.Text, {"message": message}, **options)


@send.command("media")
@click.argument("to", shell_complete=complete.people)
@click.argument("url", required=False)
@click.option("--file", type=click.Path(path_type=Path), help="A file on this machine, instead of URL.")
@click.option("--caption", help="Text below the picture or document.")
@_shared
def media(
    config: Path | None, to: str, url: str | None, file: Path | None, caption: str | None, **options: Any
) -> int:
    """Send an image, a video or a document: from a public URL, or a file on this machine.

    The running daemon serves the file, at the address in public_url.
    """
    fields = {"url": url, "file": file and str(plain(file)), "caption": caption}
    return _send(config, to, messages.Media, fields, **options)


@send.command("event")
@click.argument("to", shell_complete=complete.people)
@click.argument("title")
@click.option("--description", help="Further text.")
@click.option("--start", required=True, help="Start, such as 2026-10-15T14:00 or 15.10.2026 14:00.")
@_shared
def event(
    config: Path | None, to: str, title: str, description: str | None, start: str, **options: Any
) -> int:
    """Send a calendar invitation."""
    fields = {"title": title, "description": description, "start": start}
    return _send(config, to, messages.CalendarEvent, fields, **options)


@send.command("poll")
@click.argument("to", shell_complete=complete.people)
@click.argument("question")
@click.option("-o", "--option", "options", multiple=True, help="An option; give at least two.")
@_shared
def poll(config: Path | None, to: str, question: str, options: tuple[str, ...], **how: Any) -> int:
    """Send a poll: a question with options."""
    return _send(config, to, messages.Poll, {"question": question, "options": options}, **how)


def _send(
    config: Path | None,
    to: str,
    kind: type[WhatsAppMessage],
    fields: dict[str, Any],
    *,
    device: int | None,
    **options: Any,
) -> int:
    project = usable(open_without_rules(config))
    warn_of_another(project)
    if device is None:
        device = project.settings.device_id
    if "start" in fields:
        fields["start"] = _start(project, fields["start"])
    planned = [kind(phone=contact.phone, device_id=device, **fields) for contact in project.recipients(to)]
    _check_all(project, planned)
    with open_queue(project) as (queue, here):
        if here is not None:
            _check_served(project, planned)
        # Critical: a person waits for it at a keyboard.
        ids = [queue.send(message, critical=True) for message in planned]
        if here is not None:
            _send_here(config, here, planned)
        past = here.store if here else history(project)
        return max(_report(past, number, **options) for number in ids)


def _check_all(project: Project, planned: list[WhatsAppMessage]) -> None:
    """Refuse, before anything is queued, what cannot be sent: for want of a key too, but a daemon has one."""
    for message in planned:
        _check_reach(project, message)
    if not daemon_answers(project.settings.data_dir):
        connect(project).close()


def _start(project: Project, text: str) -> str:
    from wbox_notify.templates.filters import Locale  # noqa: PLC0415 - only an event needs it

    try:
        return Locale(project.settings.tz, project.settings.lang).iso(text)
    except ConfigError as error:
        raise MessageError("start", problem_of(error), hint=error.hint) from None


def _check_reach(project: Project, message: WhatsAppMessage) -> None:
    """Refuse media that wbox cannot fetch."""
    if not isinstance(message, messages.Media):
        return
    if message.url:
        check_public(message.url, project.settings.url)
    else:
        check_lending(project.settings)


def _check_served(project: Project, planned: list[WhatsAppMessage]) -> None:
    """Refuse files that are served no longer once this command has ended."""
    files = any(isinstance(message, messages.Media) and message.file for message in planned)
    if files and not project.settings.media.elsewhere:
        hint = "start wbox-notify run; or set `media.static` or `media.bucket`: see docs/media.md"
        raise ConfigError("the daemon that would serve this file to wbox is not running", hint=hint)


def _send_here(config: Path | None, here: OpenStore, planned: list[WhatsAppMessage]) -> None:
    """Send the due messages of these phones, unless a daemon that shares the store does."""
    if here.store.leases.living():
        return
    phones = tuple(dict.fromkeys(message.phone for message in planned))
    if here.store.queue_size(OPEN, Chosen(recipients=phones)) > len(planned):
        here.live.project = open_project(config)  # what waits may be a file that only its rule may send
    dispatcher = Dispatcher(here.store, here.live, publish=here.files.publish)
    dispatcher.mind_the_clock()
    dispatcher.recover()
    with closing(connect(here.live.project)) as client:
        dispatcher.look_at_circuits(client, math.inf)
        for phone in phones:
            while dispatcher.step(client, phone):
                pass
    here.files.sweep(time.time())


def _finished(past: Queries, number: int, wait: float) -> Delivery:
    """Return a delivery after the next attempt at it, or after the wait."""
    deadline = time.monotonic() + wait
    while True:
        delivery = past.delivery(number)
        if delivery is None:
            raise WboxError(Wording("delivery {number} is gone", number=number))
        tried = delivery.claims > 0 or bool(past.circuits())
        untried = delivery.state in WAITING and not tried
        if not (untried or delivery.state is State.SENDING) or time.monotonic() > deadline:
            return delivery
        time.sleep(0.05)


def _report(past: Queries, number: int, *, wait: float, as_json: bool) -> int:
    """Wait for a delivery, print its state, and return the exit code."""
    delivery = _finished(past, number, wait)
    waits = delivery.state in OPEN
    circuits = paused(past.circuits())
    why = reason(delivery, circuits, "en" if as_json else spoken.get())
    if as_json:
        say_json({**delivery_fields(delivery, "en"), "reason": why})
    else:
        _print(delivery, why, linked=Outcome.NOT_READY not in circuits.values())
    if waits and "unauthorized" in circuits.values():
        return Exit.KEY_REFUSED
    if waits:
        return Exit.NOT_YET
    return int(delivery.state is not State.SENT)


def _print(delivery: Delivery, reason: str, *, linked: bool) -> None:
    if delivery.state is State.SENT:
        name = _("delivery {number}", number=delivery.id)
        sent = click.style(_("sent"), fg="green")
        say(f"{sent}  {target(delivery.message)}  {name}")
    elif delivery.state in OPEN:
        reason = printable(reason).rstrip(".")
        if not reason:
            reason = _("being sent") if delivery.state is State.SENDING else _("waits for its turn")
        number = delivery.id
        say(_("not sent yet: {reason}. Delivery {number} stays in the queue.", reason=reason, number=number))
        hint = _("wbox-notify run sends it as soon as possible; see wbox-notify queue list")
        if not linked:
            hint = _("link the phone with wbox-notify pair; a running daemon then sends it")
        say("  " + _("help:") + f" {hint}")
    else:
        name = _("delivery {number}", number=delivery.id)
        say(f"{named(delivery.state)}: {printable(reason)} ({name})")
