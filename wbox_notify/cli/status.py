"""``wbox-notify status``."""

import time
from pathlib import Path
from typing import Any

import click

from wbox_notify.cli.output import json_option, lasted, say, say_json
from wbox_notify.cli.project import count, daemon_answers, open_project, usable
from wbox_notify.clients.wbox import ApiError
from wbox_notify.config.yaml.problems import errors
from wbox_notify.dispatch import ALL, connect
from wbox_notify.model.deliveries import OPEN, STUCK, State
from wbox_notify.model.text import printable
from wbox_notify.rules import Project
from wbox_notify.store import open_history

_DAY = 86400.0
_UNREACHABLE = 69
_HELD = 75


@click.command("status")
@json_option
@click.pass_obj
def command(config: Path | None, as_json: bool) -> int:
    """Show the daemon, the device and the queue on one screen.

    Ends with 0 when messages flow, 69 when the daemon or wbox cannot be reached, 75 when the phone is not
    linked, 77 when the key is refused.
    """
    project = usable(open_project(config))
    device, code = _device(project)
    running = daemon_answers(project.settings.data_dir)
    queue = _queue(project)
    wrong = len(errors(project.problems))
    if as_json:
        rules = {"rules": len(project.rules), "errors": wrong}
        say_json({"daemon": running, **rules, "device": device, "queue": queue})
    else:
        say(f"daemon   {'running' if running else 'not running: wbox-notify run'}")
        say(f"rules    {len(project.rules)} in {project.settings.folder}")
        if wrong:
            say(f"broken   {count(wrong, 'error')}: wbox-notify check; a daemon keeps what it read before")
        say(f"device   {printable(device['text'])}   {project.settings.url}")
        _print_queue(queue)
    return code if code or running else _UNREACHABLE


def _device(project: Project) -> tuple[dict[str, Any], int]:
    client = connect(project)
    try:
        status = client.session_status(project.settings.device_id)
    except ApiError as error:
        return {"ready": False, "text": str(error)}, error.exit_code
    finally:
        client.close()
    if status.ready:
        return {"ready": True, "text": f"{status.device_id} ready"}, 0
    return {"ready": False, "text": f"{status.device_id} not linked: scan the QR code"}, _HELD


def _queue(project: Project) -> dict[str, Any]:
    past = open_history(project.settings.store)
    if past is None:
        return {"waiting": 0, "stuck": {}, "sent_24h": 0, "repeated_24h": 0, "oldest": None, "circuits": []}
    counts, yesterday = past.counts((*OPEN, *STUCK)), time.time() - _DAY
    oldest = past.oldest_waiting()
    found = {
        "waiting": sum(counts.get(state, 0) for state in OPEN),
        "stuck": {state.value: counts[state] for state in STUCK if state in counts},
        "sent_24h": past.sent_since(yesterday),
        "repeated_24h": past.repeated_since(yesterday),
        "oldest": time.time() - oldest if oldest else None,
        "circuits": [
            {"device": circuit.device, "reason": circuit.reason, "trying": circuit.trying}
            for circuit in past.circuits()
        ],
    }
    past.close()
    return found


def _print_queue(queue: dict[str, Any]) -> None:
    oldest = lasted(queue["oldest"]) if queue["oldest"] is not None else "-"
    say(f"queue    {queue['waiting']} waiting   oldest {oldest}   sent in 24 h: {queue['sent_24h']}")
    if queue["repeated_24h"]:
        say(f"repeated {queue['repeated_24h']} texts in 24 h, which were sent once")
    if queue["stuck"]:
        stuck = ", ".join(f"{number} {State(state).value}" for state, number in queue["stuck"].items())
        say(f"stuck    {stuck}: wbox-notify queue list")
    for circuit in queue["circuits"]:
        device = "all" if circuit["device"] == ALL else circuit["device"] or "first device"
        state = "one message tries it" if circuit["trying"] else circuit["reason"]
        say(f"holds    {device}: {state}")
