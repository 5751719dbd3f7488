"""``wbox-notify queue list|counts|retry|release|drop|cancel``."""

import json
import shlex
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from wbox_notify.cli import complete
from wbox_notify.cli.lines import coloured, named, paused, reason, target, waits
from wbox_notify.cli.output import confirm, json_option, moment, say, say_json
from wbox_notify.cli.project import history, open_queue, open_without_rules, phones, usable, warn_of_another
from wbox_notify.dispatch.queue import Action, cancellation, in_slices
from wbox_notify.engine import remind
from wbox_notify.engine.state import RemindState
from wbox_notify.errors import Exit, WboxError
from wbox_notify.model.deliveries import OPEN, STUCK, Delivery, Memory, State
from wbox_notify.model.events import Event
from wbox_notify.model.outcomes import Outcome
from wbox_notify.model.shown import delivery_fields, iso, subject
from wbox_notify.model.text import printable
from wbox_notify.model.texts import Wording, _, plural, spoken
from wbox_notify.rules.project import Project
from wbox_notify.store import Chosen, Queries

_MOST_IDS = 20


def _filtered(function: Callable[..., Any]) -> Callable[..., Any]:
    states = click.Choice([state.value for state in State])
    for option in (
        click.option("--state", type=states, help="Only those in this state."),
        click.option(
            "--rule",
            shell_complete=complete.rules,
            default="",
            metavar="RULE",
            help="Only those of this rule.",
        ),
        click.option(
            "--event",
            shell_complete=complete.events,
            default="",
            metavar="ID",
            help="Only those of this event.",
        ),
        click.option(
            "--to",
            shell_complete=complete.people,
            default="",
            metavar="TO",
            help="Only those to a contact or a number.",
        ),
    ):
        function = option(function)
    return function


@click.group("queue")
def queue() -> None:
    """List, count, retry, release or drop messages that have not been sent; cancel reminders."""


@queue.command("list")
@_filtered
@click.option("-n", "--most", type=click.IntRange(1), default=200, show_default=True, help="Number of lines.")
@json_option
@click.pass_obj
def list_(config: Path | None, /, most: int, *, state: str | None, as_json: bool, **filters: str) -> int:
    """List deliveries that wait, are held or could not be sent, oldest first, with the reason.

    Then come the reminders of rules that wait for a date, the next one first.
    """
    states = [State(state)] if state else [*OPEN, *STUCK]
    project = open_without_rules(config)
    warn_of_another(project)
    past, lang = history(project), spoken.get()
    chosen = _chosen(project, **filters)
    deliveries = past.queue(states, most, chosen)
    reminders = _reminders(past, state, chosen)
    total = past.queue_size(states, chosen) + len(reminders)
    reminders = reminders[:most]
    ids = [delivery.event_id for delivery in deliveries] + [memory.event_id for memory, _ in reminders]
    events, stopped = past.events_by_id(ids), paused(past.circuits())
    past.close()
    if as_json:
        fields = [_fields(delivery, events.get(delivery.event_id), stopped) for delivery in deliveries]
        say_json(fields + [_reminder_fields(memory, state) for memory, state in reminders])
    else:
        lines = [
            _line(delivery, events.get(delivery.event_id), reason(delivery, stopped, lang))
            for delivery in deliveries
        ]
        lines += [_reminder_line(memory, state, events.get(memory.event_id)) for memory, state in reminders]
        _print(lines, total, filtered=bool(state) or any(chosen))
    return 0


def _print(lines: Sequence[str], total: int, *, filtered: bool) -> None:
    """Print the lines of a queue that has so many in all."""
    for line in lines:
        say(line)
    if not total and filtered:
        say(_("no matching deliveries"))
    elif not total:
        say(_("The queue is empty."))
    elif total > len(lines):
        text = _(
            "{shown} of {total}: -n {total} shows all; or use --rule, --event, --state, --to",
            shown=len(lines),
            total=total,
        )
        say(text)


def _chosen(project: Project, *, rule: str, event: str, to: str) -> Chosen:
    return Chosen(rule, event, tuple(phones(project, to)) if to else ())


def _reminders(past: Queries, state: str | None, chosen: Chosen) -> list[tuple[Memory, RemindState]]:
    """Return the reminders that are to come; they have no state, and whom they go to is not known yet."""
    if state or chosen.recipients:
        return []
    return [
        (memory, state)
        for memory, state in remind.waiting(past.memories(remind.KINDS))
        if chosen.rule in {"", memory.rule} and chosen.event in {"", memory.event_id}
    ]


def _reminder_line(memory: Memory, state: RemindState, event: Event | None) -> str:
    source = subject(event, spoken.get()) if event else memory.event_id
    due = _("at {due}, for {at}", due=moment(memory.due or 0.0), at=moment(state.at))
    parts = [f"{'-':>6}", moment(state.item.at), waits(), due]
    return "  ".join([*parts, memory.rule, source, printable(memory.key)])


def _reminder_fields(memory: Memory, state: RemindState) -> dict[str, Any]:
    return {
        "id": None,
        "event": memory.event_id,
        "rule": memory.rule,
        "kind": memory.kind,
        "state": "waits",
        "due": iso(memory.due or 0.0),
        "created": iso(state.item.at),
        "key": json.loads(memory.key),
        "at": iso(state.at),
    }


def _line(delivery: Delivery, event: Event | None, why: str) -> str:
    parts = [f"{delivery.id:>6}", moment(delivery.created), coloured(delivery.state)]
    source = subject(event, spoken.get()) if event else delivery.event_id
    parts += [target(delivery.message), delivery.rule, source]
    if why:
        parts.append(printable(why))
    return "  ".join(parts)


def _fields(delivery: Delivery, event: Event | None, stopped: Mapping[str, Outcome]) -> dict[str, Any]:
    fields = {**delivery_fields(delivery, "en"), "reason": reason(delivery, stopped, "en"), "file": None}
    if event and event.type == "file":
        fields["file"] = event.data.get("path")
    return fields


@queue.command("counts")
@json_option
@click.pass_obj
def counts(config: Path | None, *, as_json: bool) -> int:
    """Count the deliveries that wait, are held or could not be sent, by state and by rule."""
    project = open_without_rules(config)
    warn_of_another(project)
    past = history(project)
    by_rule, oldest = past.queue_by_rule([*OPEN, *STUCK]), past.oldest_waiting()
    past.close()
    states = sum((Counter(of_rule) for of_rule in by_rule.values()), Counter[State]())
    if as_json:
        say_json({"states": states, "rules": by_rule, "oldest": None if oldest is None else iso(oldest)})
        return 0
    for name, of_rule in by_rule.items():
        say(f"{name:<24} {_numbers(of_rule)}")
    if not states:
        say(_("The queue is empty."))
        return 0
    since = "" if oldest is None else "   " + _("the oldest waits since {time}", time=moment(oldest))
    say(f"{_('all'):<24} {_numbers(states)}{since}")
    return 0


def _numbers(of_states: Mapping[State, int]) -> str:
    shown = (f"{of_states[state]} {named(state)}" for state in (*OPEN, *STUCK) if of_states.get(state))
    return ", ".join(shown)


@queue.command("cancel")
@click.argument("rule", shell_complete=complete.rules)
@click.argument("key")
@json_option
@click.pass_obj
def cancel(config: Path | None, rule: str, key: str, *, as_json: bool) -> int:
    """Cancel a reminder of RULE that waits, by its KEY in the list, such as 17 or '["17"]'.

    It comes again if its date is changed later. Exits with 3 when there is none.
    """
    project = usable(open_without_rules(config))
    warn_of_another(project)
    past = history(project)
    reminders = remind.waiting(past.memories(remind.KINDS))
    past.close()
    keys = [memory.key for memory, _ in reminders if memory.rule == rule and _is_named(memory, key)]
    with open_queue(project) as (verbs, _store):
        for full in keys:
            verbs.accept(cancellation(rule, full))
    if as_json:
        say_json({"rule": rule, "keys": keys, "count": len(keys)})
    else:
        text = plural(
            "cancelled: {number} reminder of {rule}",
            "cancelled: {number} reminders of {rule}",
            len(keys),
            rule=rule,
        )
        say(text)
    return 0 if keys else Exit.NOTHING


def _is_named(memory: Memory, key: str) -> bool:
    return key == memory.key or [key] == list(map(str, json.loads(memory.key)))


def _add_command(action: Action, text: str) -> None:
    @queue.command(action.value, help=text)
    @click.argument("ids", nargs=-1, type=int, shell_complete=complete.unsent)
    @click.option("--all", "everything", is_flag=True, help="All deliveries this applies to.")
    @_filtered
    @click.option("--yes", is_flag=True, help="Drop several without asking.")
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
        state: str | None,
        **filters: str,
    ) -> int:
        if bool(ids) + everything + (bool(state) or any(filters.values())) != 1:
            raise click.UsageError(
                _("give the numbers that `queue list` shows; or --rule, --event, --state, --to; or --all")
            )
        project = usable(open_without_rules(config))
        warn_of_another(project)
        past, chosen = history(project), _chosen(project, **filters)
        numbers = _checked(past, ids) if ids else _matching(past, action, state, chosen)
        anew = _without_message(past, ids)
        past.close()
        if action is Action.DROP and not ids and not yes:
            _confirm(len(numbers))
        with open_queue(project) as (verbs, _store):
            done = dict.fromkeys(in_slices(verbs.queue, action, numbers))
            if everything:  # also deliveries that came meanwhile, and rows that are not read yet
                done |= dict.fromkeys(verbs.queue(action, None))
        if as_json:
            say_json({"ids": [*done], "count": len(done)})
        else:
            say(_said(action, [*done]))
            _say_how_to_follow(action, anew, done)
        return 0 if done else Exit.NOTHING


def _checked(past: Queries, ids: Sequence[int]) -> Sequence[int]:
    for number in ids:
        if past.delivery(number) is None:
            raise WboxError(
                Wording("there is no delivery {number}", number=number), hint="wbox-notify queue list"
            )
    return ids


def _say_how_to_follow(action: Action, anew: Sequence[Delivery], done: Collection[int]) -> None:
    """Say where deliveries are found that a retry plans once more."""
    for delivery in anew:
        if action is not Action.RETRY or delivery.id not in done:
            continue
        command = f"wbox-notify why {shlex.quote(delivery.event_id)}"
        say(_("{number} is made anew, with a new number: {command}", number=delivery.id, command=command))


def _without_message(past: Queries, ids: Sequence[int]) -> list[Delivery]:
    """Return the deliveries for which no message could be made: to retry them is to plan them once more."""
    found = (past.delivery(number) for number in ids)
    return [delivery for delivery in found if delivery and delivery.message is None]


def _matching(past: Queries, action: Action, state: str | None, chosen: Chosen) -> Sequence[int]:
    states = [each for each in action.states if state in {None, each}]
    return past.queued(states, chosen) if states else []


def _confirm(number: int) -> None:
    """Ask before several deliveries are dropped; refuse without a terminal."""
    if number:
        question = plural("Drop {number} message for good?", "Drop {number} messages for good?", number)
        refusal = plural(
            "this drops {number} message for good: add --yes",
            "this drops {number} messages for good: add --yes",
            number,
        )
        confirm(question, refusal)


def _said(action: Action, done: Sequence[int]) -> str:
    """Return what was done to deliveries; of many only how many there are."""
    if not done:
        return _("no matching deliveries")
    ids = ", ".join(map(str, done))
    if len(done) > _MOST_IDS:
        ids = plural("{number} message", "{number} messages", len(done))
    texts = {
        Action.RETRY: _("retry: {ids}", ids=ids),
        Action.RELEASE: _("release: {ids}", ids=ids),
        Action.DROP: _("drop: {ids}", ids=ids),
    }
    return texts[action]


_add_command(Action.RETRY, "Try deliveries again now, also those that are dead, held or expired.")
_add_command(Action.RELEASE, "Send held deliveries. One that may have been sent already can arrive twice.")
_add_command(Action.DROP, "Cancel deliveries that have not been sent.")
