"""``wbox-notify log``."""

import threading
from pathlib import Path

import click

from wbox_notify.cli.live import decision, listed, subject
from wbox_notify.cli.output import json_option, moment, say, say_json
from wbox_notify.cli.project import history, open_project
from wbox_notify.cli.queue import as_fields
from wbox_notify.cli.run import stop_on_signals
from wbox_notify.store import Queries, mapping
from wbox_notify.store.queries import Row

_LOOK_EVERY = 0.3


@click.command("log")
@click.option(
    "-n", "--most", type=click.IntRange(1), default=20, show_default=True, help="At most this many events."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@json_option
@click.pass_obj
def command(config: Path | None, most: int, follow: bool, as_json: bool) -> int:
    """List the newest events: what came, what each rule decided, and what became of the messages."""
    project = open_project(config)
    past, lang = history(project), project.settings.lang
    last = _print_events(past, past.events(most=most), lang, as_json=as_json)
    stop = stop_on_signals() if follow else threading.Event()
    while follow and not stop.wait(_LOOK_EVERY):
        new = [row for row in past.events(after=last) if row["planned"] is not None]
        last = _print_events(past, new, lang, as_json=as_json) or last
    past.close()
    return 0


def _print_events(past: Queries, events: list[Row], lang: str, *, as_json: bool) -> int:
    for row in events:
        decisions, deliveries = past.decisions(row["id"]), past.deliveries(row["id"])
        if as_json:
            made = [
                {name: each[name] for name in ("rule", "stage", "outcome", "detail")} for each in decisions
            ]
            say_json(
                {
                    "event": row["id"],
                    "type": row["type"],
                    "at": row["at"],
                    "decisions": made,
                    "deliveries": [as_fields(delivery, lang) for delivery in deliveries],
                }
            )
            continue
        say(f"{moment(row['received'])}  {row['type']:<6} {subject(mapping.event(row))}")
        for each in decisions:
            say(f"          {decision(each['rule'], each['stage'], each['outcome'], each['detail'])}")
        listed(deliveries, lang)
    return int(events[-1]["seq"]) if events else 0
