"""``wbox-notify replay``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from wbox_notify.cli import complete
from wbox_notify.cli.output import confirm, json_option, moment, say, say_json
from wbox_notify.cli.project import Queue, history, open_project, open_queue, usable, warn_of_another
from wbox_notify.cli.times import since_option, until_option
from wbox_notify.dispatch.queue import REPLAYED, once_more
from wbox_notify.errors import Exit, WboxError
from wbox_notify.model.events import Event
from wbox_notify.model.shown import subject
from wbox_notify.model.texts import Wording, _, plural, spoken
from wbox_notify.store import Queries, rows
from wbox_notify.store.database import Row

_MOST = 10_000


@click.command("replay")
@click.argument("ids", nargs=-1, metavar="[EVENT]...", shell_complete=complete.events)
@since_option(None)
@until_option
@click.option(
    "--rule", shell_complete=complete.rules, default="", metavar="RULE", help="The events of this rule."
)
@click.option("--failed", is_flag=True, help="Events of which something failed, or waits for a person.")
@click.option("--force", is_flag=True, help="Also what was sent: as if the event had come once more.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def replay(
    config: Path | None, /, ids: tuple[str, ...], *, force: bool, yes: bool, as_json: bool, **chosen: Any
) -> int:
    """Run stored events through the rules as they are now; EVENT is an id of `why` or `log --json`.

    A message that exists already, sent or not, is made again only with --force. Exits with 3 when there is no
    such event.
    """
    if bool(ids) == any(chosen.values()):
        raise click.UsageError(_("give events; or --since, --until, --rule, --failed"))
    project = usable(open_project(config))
    warn_of_another(project)
    past = history(project)
    stored = _named(past, ids) or past.events_where(**chosen, most=_MOST)
    past.close()
    events = [rows.event(row) for row in stored if row["type"] in REPLAYED]
    if not (ids or yes):
        _confirm(len(events))
    with open_queue(project) as (queue, _store):
        done = _replayed(queue, events, force=force)
    if as_json:
        say_json({"events": [event.id for event in events], "count": done})
    else:
        _print(events, done)
    return 0 if done else Exit.NOTHING


def _confirm(number: int) -> None:
    if number:
        question = plural(
            "Run {number} event through the rules?", "Run {number} events through the rules?", number
        )
        refusal = plural(
            "this runs {number} event through the rules: add --yes",
            "this runs {number} events through the rules: add --yes",
            number,
        )
        confirm(question, refusal)


def _print(events: Sequence[Event], done: int) -> None:
    if not events:
        say(_("nothing is known that fits"))
        return
    for event in events:
        at, name = moment(event.at.timestamp()), click.style(event.id, dim=True)
        say(f"{at}  {event.type:<8} {subject(event, spoken.get())}  {name}")
    number = plural("{number} event", "{number} events", done)
    say(_("{events}: wbox-notify log shows what becomes of them", events=number))


def _named(past: Queries, ids: Sequence[str]) -> list[Row]:
    events: list[Row] = []
    for event_id in ids:
        row = past.event(event_id)
        if row is None:
            raise WboxError(
                Wording("there is no event {event}", event=event_id), hint="wbox-notify log --json"
            )
        events.append(row)
    return events


def _replayed(queue: Queue, events: Sequence[Event], *, force: bool) -> int:
    """Let events be planned once more, or come once more; return how many."""
    if not force:
        return queue.replay([event.id for event in events])
    return sum(queue.accept(once_more(event)) for event in events)
