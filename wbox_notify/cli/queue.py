"""``wbox-notify queue list|retry|release|drop``."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from wbox_notify.cli.live import state as coloured
from wbox_notify.cli.live import subject, target
from wbox_notify.cli.output import json_option, moment, say, say_json
from wbox_notify.cli.project import count, history, open_project, open_queue, usable
from wbox_notify.dispatch.queue import Action
from wbox_notify.errors import WboxError
from wbox_notify.model.deliveries import OPEN, STUCK, WAITING, Delivery, State
from wbox_notify.model.events import Event
from wbox_notify.model.reasons import why
from wbox_notify.model.text import printable
from wbox_notify.store import Queries

_NOTHING_DONE = 3
_MOST_IDS = 20
_AT_ONCE = 2000

_FITTING: dict[Action, Sequence[State]] = {
    Action.RETRY: (*WAITING, *STUCK),
    Action.RELEASE: (State.HELD,),
    Action.DROP: (*WAITING, *STUCK),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filter:
    """Which deliveries are meant; what is empty does not matter."""

    state: str | None
    rule: str
    event: str

    def states(self, fitting: Sequence[State]) -> Sequence[State]:
        """Return those of the states that are meant."""
        return [one for one in fitting if self.state in {None, one}]

    def __bool__(self) -> bool:
        return bool(self.state or self.rule or self.event)


def _filtered(function: Callable[..., Any]) -> Callable[..., Any]:
    states = click.Choice([state.value for state in State])
    for option in (
        click.option("--state", type=states, help="Only those in this state."),
        click.option("--rule", default="", metavar="RULE", help="Only those of this rule."),
        click.option("--event", default="", metavar="ID", help="Only those of this event."),
    ):
        function = option(function)
    return function


@click.group("queue")
def command() -> None:
    """List, retry, release or drop what has not been sent."""


@command.command("list")
@_filtered
@click.option(
    "-n", "--most", type=click.IntRange(1), default=200, show_default=True, help="At most this many."
)
@json_option
@click.pass_obj
def list_(config: Path | None, /, most: int, *, as_json: bool, **given: Any) -> int:
    """List what waits, is held or could not be sent, oldest first: when it was made, why, and of what."""
    chosen = _Filter(**given)
    states = chosen.states(tuple(State)) if chosen.state else [*OPEN, *STUCK]
    project = open_project(config)
    past, lang = history(project), project.settings.lang
    deliveries = past.queue(states, most, rule=chosen.rule, event=chosen.event)
    events = past.events_by_id(delivery.event_id for delivery in deliveries)
    if as_json:
        say_json([_with_source(delivery, events.get(delivery.event_id), lang) for delivery in deliveries])
    else:
        for delivery in deliveries:
            say(_line(delivery, events.get(delivery.event_id), lang))
        _say_the_count(past, states, chosen, len(deliveries))
    past.close()
    return 0


def _say_the_count(past: Queries, states: Sequence[State], chosen: _Filter, told: int) -> None:
    whole = len(past.queued(states, rule=chosen.rule, event=chosen.event))
    if not whole:
        say("nothing waits")
    elif whole > told:
        say(f"{told} of {whole}: -n {whole} shows all, --rule, --event and --state some")


def _line(delivery: Delivery, event: Event | None, lang: str) -> str:
    parts = [f"{delivery.id:>6}", moment(delivery.created), coloured(delivery.state)]
    parts += [target(delivery.message), delivery.rule, subject(event) if event else delivery.event_id]
    return "  ".join([*parts, *filter(None, [printable(why(delivery, lang))])])


def as_fields(delivery: Delivery, lang: str) -> dict[str, object]:
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
        "reason": why(delivery, lang),
        "hold": delivery.hold,
        "left_out": delivery.left_out,
    }


def _with_source(delivery: Delivery, event: Event | None, lang: str) -> dict[str, object]:
    path = event.data.get("path") if event and event.type == "file" else None
    return {**as_fields(delivery, lang), "file": path}


def _verb(action: Action, text: str) -> None:
    @command.command(action.value, help=text)
    @click.argument("ids", nargs=-1, type=int)
    @click.option("--all", "everything", is_flag=True, help="All deliveries this applies to.")
    @_filtered
    @click.option("--yes", is_flag=True, help="Do not ask before several are dropped.")
    @json_option
    @click.pass_obj
    def run(
        config: Path | None,
        /,
        ids: tuple[int, ...],
        *,
        everything: bool,
        yes: bool,
        as_json: bool,
        **given: Any,
    ) -> int:
        chosen = _Filter(**given)
        if bool(ids) + everything + bool(chosen) != 1:
            raise click.UsageError(
                "give the numbers that `queue list` shows; or --rule, --event, --state; or --all"
            )
        project = usable(open_project(config))
        past = history(project)
        meant = _known(past, ids) if ids else _fitting(past, action, chosen)
        past.close()
        if action is Action.DROP and not ids and not yes:
            _ask(len(meant))
        with open_queue(project) as (queue, _):
            done: dict[int, None] = {}
            # In slices, so that webhooks need not wait for the last of many thousands.
            for start in range(0, len(meant), _AT_ONCE):
                done |= dict.fromkeys(queue.queue(action, meant[start : start + _AT_ONCE]))
            if everything:  # also what has come meanwhile, and the rows that are still to be read
                done |= dict.fromkeys(queue.queue(action, None))
        if as_json:
            say_json({"ids": [*done], "count": len(done)})
        else:
            say(f"{action.value}: {_numbers([*done])}")
        return 0 if done else _NOTHING_DONE


def _known(past: Queries, ids: Sequence[int]) -> Sequence[int]:
    for number in ids:
        if past.delivery(number) is None:
            raise WboxError(f"there is no delivery {number}", hint="wbox-notify queue list")
    return ids


def _fitting(past: Queries, action: Action, chosen: _Filter) -> Sequence[int]:
    states = chosen.states(_FITTING[action])
    return past.queued(states, rule=chosen.rule, event=chosen.event) if states else []


def _ask(number: int) -> None:
    """Ask before many deliveries are dropped; where nobody can answer, refuse."""
    if number and not sys.stdin.isatty():
        raise click.UsageError(f"this drops {count(number, 'message')} for good: say --yes")
    if number:
        click.confirm(f"Drop {count(number, 'message')} for good?", abort=True, err=True)


def _numbers(done: Sequence[int]) -> str:
    if len(done) > _MOST_IDS:
        return count(len(done), "message")
    return ", ".join(map(str, done)) or "no matching deliveries"


_verb(Action.RETRY, "Try deliveries again now, also those that are dead, held or expired.")
_verb(Action.RELEASE, "Let held deliveries go. One that may have been sent can arrive twice then.")
_verb(Action.DROP, "Cancel deliveries that have not been sent.")
