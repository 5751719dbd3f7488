"""``wbox-notify queue list|retry|release|drop``."""

from pathlib import Path

import click

from wbox_notify.cli.feed import listed
from wbox_notify.cli.output import json_option, say, say_json
from wbox_notify.cli.project import history, open_project, open_queue, usable
from wbox_notify.control import Action
from wbox_notify.deliveries import OPEN, STUCK, Delivery, State
from wbox_notify.errors import WboxError

_NOTHING_DONE = 3


@click.group("queue")
def command() -> None:
    """List, retry, release or drop what has not been sent."""


@command.command("list")
@click.option(
    "--state", type=click.Choice([state.value for state in State]), help="Only those in this state."
)
@click.option(
    "-n", "--most", type=click.IntRange(1), default=200, show_default=True, help="At most this many."
)
@json_option
@click.pass_obj
def list_(config: Path | None, state: str | None, most: int, as_json: bool) -> int:
    """List what waits, is held or could not be sent, oldest first."""
    past = history(open_project(config))
    deliveries = past.queue([State(state)] if state else [*OPEN, *STUCK], most)
    if as_json:
        say_json([as_fields(delivery) for delivery in deliveries])
    elif deliveries:
        listed(deliveries)
    else:
        say("nothing waits")
    past.close()
    return 0


def as_fields(delivery: Delivery) -> dict[str, object]:
    """Return a delivery as JSON values; the phone in full, the text not at all."""
    message = delivery.message
    return {
        "id": delivery.id,
        "event": delivery.event_id,
        "rule": delivery.rule,
        "kind": message.kind if message else None,
        "to": message.recipient if message else None,
        "state": delivery.state,
        "due": delivery.due,
        "created": delivery.created,
        "tries": delivery.tries,
        "reason": delivery.reason,
    }


def _verb(action: Action, text: str) -> None:
    @command.command(action.value, help=text)
    @click.argument("ids", nargs=-1, type=int)
    @click.option("--all", "everything", is_flag=True, help="All that it fits.")
    @json_option
    @click.pass_obj
    def run(config: Path | None, ids: tuple[int, ...], everything: bool, as_json: bool) -> int:
        if bool(ids) == everything:
            raise click.UsageError("give the numbers that `queue list` shows, or --all")
        project = usable(open_project(config))
        past = history(project)
        unknown = [number for number in ids if past.delivery(number) is None]
        past.close()
        if unknown:
            raise WboxError(f"there is no delivery {unknown[0]}", hint="wbox-notify queue list")
        with open_queue(project) as (queue, _):
            done = queue.queue(action, None if everything else ids)
        if as_json:
            say_json({"ids": done})
        else:
            say(f"{action.value}: {', '.join(map(str, done)) or 'nothing that it fits'}")
        return 0 if done else _NOTHING_DONE


_verb(Action.RETRY, "Try deliveries again now, also those that are dead, held or expired.")
_verb(Action.RELEASE, "Let held deliveries go. One that may have been sent can arrive twice then.")
_verb(Action.DROP, "Cancel deliveries that have not been sent.")
