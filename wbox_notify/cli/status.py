"""``wbox-notify status`` and ``wbox-notify log``."""

import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from wbox_notify.cli import complete, stop_on_signals
from wbox_notify.cli.lines import decision, delivery_line, named, paused, reason, together
from wbox_notify.cli.output import json_option, lasted, moment, say, say_json
from wbox_notify.cli.project import (
    Remote,
    daemon_answers,
    history,
    open_project,
    open_without_rules,
    phones,
    usable,
    warn_of_another,
)
from wbox_notify.cli.times import since_option, until_option
from wbox_notify.config.yaml.problems import errors
from wbox_notify.daemon.preview import Unwanted, unwanted
from wbox_notify.dispatch import ALL
from wbox_notify.dispatch.devices import look_once
from wbox_notify.engine.state import SilenceState
from wbox_notify.errors import Exit
from wbox_notify.model.deliveries import OPEN, STUCK, State
from wbox_notify.model.reasons import answer
from wbox_notify.model.reasons import circuit as reason_of
from wbox_notify.model.shown import delivery_fields, iso, subject
from wbox_notify.model.text import printable
from wbox_notify.model.texts import Wording, _, plural, spoken
from wbox_notify.rules.project import Project
from wbox_notify.store import Queries, open_history, rows, statements
from wbox_notify.store.database import Row
from wbox_notify.store.trails import decision_fields, event_fields

_DAY = 86400.0
_LOOK_EVERY = 0.3
_FILES_WITHIN = 2.0
_NEWEST = 1000


@click.command("status")
@json_option
@click.pass_obj
def status(config: Path | None, as_json: bool) -> int:
    """Show the daemon, the device and the queue on one screen.

    Exits with 0 when messages flow, 69 when the daemon or wbox cannot be reached, 75 when the phone is not
    linked, 77 when the key is refused.
    """
    project = usable(open_project(config))
    warn_of_another(project)
    running = daemon_answers(project.settings.data_dir)
    device, code = _device(project, running=running)
    queue, daemons = _stored(project)
    files = unwanted(project, _FILES_WITHIN)
    wrong = len(errors(project.problems))
    if as_json:
        rules = {"rules": len(project.rules), "errors": wrong}
        folders = [folder._asdict() for folder in files]
        what = {"daemon": running, "daemons": daemons, **rules}
        say_json({**what, "device": device, "queue": queue, "unwanted": folders})
    else:
        state = _("running") if running else _("not running: start it with wbox-notify run")
        _say(_("daemon"), state)
        if daemons:
            named = ", ".join(f"{printable(daemon['host'])} ({daemon['version']})" for daemon in daemons)
            _say(_("shared by"), named)
        _say(_("rules"), _("{number} in {folder}", number=len(project.rules), folder=project.settings.folder))
        if wrong:
            broken = plural("{number} error", "{number} errors", wrong)
            then = _("see wbox-notify check; a daemon keeps the previous version")
            _say(_("broken"), f"{broken}: {then}")
        _say(_("device"), f"{printable(answer(device['text']).to(spoken.get()))}   {project.settings.url}")
        _print_queue(queue)
        for folder in files:
            _say(_("files"), printable(_files(folder)))
    if not code and not running:
        return Exit.UNREACHABLE
    return code


def _device(project: Project, *, running: bool) -> tuple[dict[str, Any], int]:
    """Return the state of the device, by the key of a running daemon, and the exit code."""
    if running:
        sight = Remote(project.settings.data_dir).device()
    else:
        sight = look_once(project, project.settings.device_id).fields()
    text = sight["problem"]
    if text is None:
        name = sight["number"] or Wording("the first device")
        text = Wording("{device} not linked: link it with wbox-notify pair", device=name)
        if sight["ready"]:
            text = Wording("{device} ready", device=name)
    return {"ready": sight["ready"], "text": text}, sight["exit"]


def _stored(project: Project) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what is in the queue, and the daemons that share the store."""
    past = open_history(project.settings.store)
    if past is None:
        nothing = {"waiting": 0, "stuck": {}, "sent_24h": 0, "repeated_24h": 0, "oldest": None}
        return {**nothing, "circuits": [], "silent": {}}, []
    counts, yesterday = past.counts((*OPEN, *STUCK)), time.time() - _DAY
    oldest = past.oldest_waiting()
    queue = {
        "waiting": sum(counts.get(state, 0) for state in OPEN),
        "stuck": {state.value: counts[state] for state in STUCK if state in counts},
        "sent_24h": past.sent_since(yesterday),
        "repeated_24h": past.repeated_since(yesterday),
        "oldest": oldest and time.time() - oldest,
        "circuits": [
            {"device": circuit.device, "reason": circuit.reason, "trying": circuit.trying}
            for circuit in past.circuits()
        ],
        "silent": {memory.rule: iso(memory.due or 0.0) for memory in past.memories([SilenceState.KIND])},
    }
    daemons = [{**row, "since": iso(row["since"])} for row in past.daemons()]
    past.close()
    return queue, daemons


def _print_queue(queue: dict[str, Any]) -> None:
    oldest = "-" if queue["oldest"] is None else lasted(queue["oldest"])
    text = _("{waiting} waiting   oldest {oldest}   sent in 24 h: {sent_24h}", **{**queue, "oldest": oldest})
    _say(_("queue"), text)
    if queue["repeated_24h"]:
        _say(_("repeated"), _("{number} texts in 24 h, each sent once", number=queue["repeated_24h"]))
    if queue["stuck"]:
        stuck = ", ".join(f"{number} {named(State(state))}" for state, number in queue["stuck"].items())
        _say(_("stuck"), _("{stuck}: see wbox-notify queue list", stuck=stuck))
    for circuit in queue["circuits"]:
        device = circuit["device"] or _("first device")
        if device == ALL:
            device = _("all devices")
        reason = reason_of(circuit["reason"], spoken.get())
        if circuit["trying"]:
            reason = _("sending one test message")
        _say(_("paused"), f"{device}: {reason}")
    for rule, until in queue["silent"].items():
        end = moment(datetime.fromisoformat(until).timestamp())
        _say(_("silent"), _("{rule} until {end}", rule=rule, end=end))


def _files(folder: Unwanted) -> str:
    number = plural("{number} file that no rule takes", "{number} files that no rule takes", folder.number)
    return f"{number}   {folder.folder}: {', '.join(folder.names)}"


def _say(name: str, text: str) -> None:
    say(f"{name:<8} {text}")


@click.command("log")
@click.option("-n", "--most", type=click.IntRange(1), default=20, show_default=True, help="Number of events.")
@click.option("-f", "--follow", is_flag=True, help="Keep printing new events.")
@since_option(None)
@until_option
@click.option(
    "--rule", shell_complete=complete.rules, default="", metavar="RULE", help="Only events of this rule."
)
@click.option(
    "--to",
    shell_complete=complete.people,
    default="",
    metavar="TO",
    help="Only events of which a contact or a number was told.",
)
@click.option("--failed", is_flag=True, help="Only events of which something failed, or waits for a person.")
@json_option
@click.pass_obj
def log(config: Path | None, /, *, most: int, follow: bool, to: str, as_json: bool, **chosen: Any) -> int:
    """List the newest events, with the decisions of each rule and the state of the messages."""
    project = open_without_rules(config)
    warn_of_another(project)
    past, lang = history(project), spoken.get()
    look = past.events
    if to or any(chosen.values()):
        look = partial(past.events_where, recipients=phones(project, to) if to else (), **chosen)
    newest = _last(_planned(past.events(most=_NEWEST)))
    events = look(most=most)
    if follow:
        events = _planned(events)
    if not (events or follow or as_json):
        click.echo(_("nothing is known that fits"), err=True)
    _print_events(past, events, lang, as_json=as_json)
    if follow:
        _follow(past, partial(look, most=statements.ALL), _last(events) or newest, as_json=as_json)
    past.close()
    return 0


def _follow(past: Queries, look: Callable[..., list[Row]], last: int, *, as_json: bool) -> None:
    """Print the events after one as soon as they are planned, until a signal comes."""
    stop = stop_on_signals()
    while not stop.wait(_LOOK_EVERY):
        events = _planned(look(after=last))
        _print_events(past, events, spoken.get(), as_json=as_json)
        last = _last(events) or last


def _planned(events: list[Row]) -> list[Row]:
    """Return events without the newest, as long as these are still to be planned."""
    planned = [number for number, row in enumerate(events, 1) if row["planned"] is not None]
    return events[: planned[-1]] if planned else []


def _last(events: list[Row]) -> int:
    """Return the number of the last event, 0 for none: after a step of the clock it may be any of them."""
    return max((row["seq"] for row in events), default=0)


def _print_events(past: Queries, events: list[Row], lang: str, *, as_json: bool) -> None:
    stopped = paused(past.circuits())
    for row in events:
        event, decisions = rows.event(row), past.decisions(row["id"])
        deliveries = past.deliveries_about(row["id"])
        if as_json:
            fields = event_fields(event, row["received"])
            fields["decisions"] = [decision_fields(step, "en") for step in decisions]
            fields["deliveries"] = [
                {**delivery_fields(delivery, "en"), "reason": reason(delivery, stopped, "en")}
                for delivery in deliveries
            ]
            say_json(fields)
            continue
        say(f"{moment(row['received'])}  {event.type:<6} {subject(event, spoken.get())}")
        steps = (decision(f"{step.rule} {step.stage}", step.outcome, step.detail) for step in decisions)
        for line in together(steps):
            say(f"          {line}")
        for delivery in deliveries:
            say(delivery_line(delivery, stopped, lang))
