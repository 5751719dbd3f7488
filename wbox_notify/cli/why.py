"""``wbox-notify why``: the whole trail of events, from what set off a rule to what wbox answered."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from wbox_notify.cli import complete
from wbox_notify.cli.lines import coloured, decision, paused, reason, target, texts, together
from wbox_notify.cli.output import json_option, lasted, moment, say, say_json
from wbox_notify.cli.project import history, open_project, phones, warn_of_another
from wbox_notify.cli.times import since_option, until_option
from wbox_notify.config.values import plain
from wbox_notify.errors import Exit, WboxError
from wbox_notify.model.deliveries import Delivery, State
from wbox_notify.model.outcomes import Outcome
from wbox_notify.model.reasons import answer, kind, outcome
from wbox_notify.model.shown import subject
from wbox_notify.model.text import printable
from wbox_notify.model.texts import Wording, _, spoken, translated
from wbox_notify.rules.project import Project
from wbox_notify.rules.triggers import FileTrigger
from wbox_notify.store import Queries
from wbox_notify.store.database import Row
from wbox_notify.store.queries import Trail
from wbox_notify.store.trails import trail_fields

_MOST_DIGITS = 7
"""A number with more digits is a phone, and no delivery."""


@click.command("why")
@click.argument("what", required=False, shell_complete=complete.anything)
@since_option("7d")
@until_option
@click.option("-n", "--most", type=click.IntRange(1), default=10, show_default=True, help="Number of events.")
@json_option
@click.pass_obj
def why(config: Path | None, /, what: str | None, *, as_json: bool, **span: Any) -> int:
    """Explain what became of WHAT, and why: each decision, delivery and attempt.

    WHAT is an event, the number of a delivery, a file, a rule, a contact or a phone number; without it, the
    newest events are explained. Of a file that no rule takes it says why. Exits with 3 when nothing is known
    in that time, and with 1 when nothing has that name.
    """
    project = open_project(config)
    warn_of_another(project)
    past = history(project)
    events, misses = _about(project, past, what, **span)
    trails, stopped = [past.trail(row) for row in events], paused(past.circuits())
    past.close()
    lang = spoken.get()
    if as_json:
        say_json({"events": [_fields(trail, stopped) for trail in trails], "not_taken": misses})
    else:
        _print(trails, misses, stopped, lang)
    return 0 if trails or misses else Exit.NOTHING


@click.command("show")
@click.argument("number", type=int, shell_complete=complete.messages)
@json_option
@click.pass_obj
def show(config: Path | None, number: int, as_json: bool) -> int:
    """Show the message with a NUMBER of `log` or `queue list`: its text, its event and all attempts."""
    project = open_project(config)
    warn_of_another(project)
    past = history(project)
    trail, stopped = past.trail(_of_delivery(past, number)), paused(past.circuits())
    past.close()
    deliveries = [delivery for delivery in trail.deliveries if delivery.id == number]
    only = trail._replace(decisions=(), deliveries=deliveries, waiting=())
    lang = spoken.get()
    if as_json:
        say_json(_fields(only, stopped)["deliveries"][0])
    else:
        _print([only], [], stopped, lang)
    return 0


def _fields(trail: Trail, stopped: Mapping[str, Outcome]) -> dict[str, Any]:
    fields = trail_fields(trail, "en")
    for shown, delivery in zip(fields["deliveries"], trail.deliveries, strict=True):
        shown["reason"] = reason(delivery, stopped, "en")
    return fields


def _print(trails: Sequence[Trail], misses: Sequence[str], stopped: Mapping[str, Outcome], lang: str) -> None:
    for trail in trails:
        for line in _lines(trail, stopped, lang):
            say(line)
    for miss in misses:
        say(miss)
    if not trails and not misses:
        say(_("nothing is known in this span of time; --since 30d looks further back"))


def _about(project: Project, past: Queries, what: str | None, **span: Any) -> tuple[Sequence[Row], list[str]]:
    """Return the events that a text is about, and why no rule takes the file that it names."""
    if what is None:
        return past.events_where(**span), []
    if event := past.event(what):
        return [event], []
    if what.isascii() and what.isdigit() and len(what) <= _MOST_DIGITS:
        return [_of_delivery(past, int(what))], []
    of_rule = past.events_where(rule=what, **span)
    if of_rule or project.rule(what):
        return of_rule, []
    if "/" in what or Path(what).exists():
        return _about_file(project, past, plain(Path(what)), span["most"])
    return past.events_where(recipients=phones(project, what), **span), []


def _of_delivery(past: Queries, number: int) -> Row:
    delivery = past.delivery(number)
    event = past.event(delivery.event_id) if delivery else None
    if event is None:
        raise WboxError(Wording("there is no delivery {number}", number=number), hint="wbox-notify log")
    return event


def _about_file(project: Project, past: Queries, path: Path, most: int) -> tuple[Sequence[Row], list[str]]:
    try:
        status = path.stat()
    except OSError:
        status = None
    events = past.events_of_file(os.fsencode(path), status)[-most:]
    return events, [] if events else list(_misses(project, str(path), exists=status is not None))


def _misses(project: Project, path: str, *, exists: bool) -> Iterator[str]:
    """Yield why each rule with a file trigger has not taken a file."""
    if not exists:
        yield _("{path} is not there, and no rule has seen it", path=printable(path))
        return
    for rule in project.rules:
        for trigger in rule.sources():
            if isinstance(trigger, FileTrigger):
                miss = trigger.miss(path)
                reason = (
                    translated(miss.text, spoken.get())
                    if miss
                    else _("takes it; it is not finished, or the daemon does not run")
                )
                yield f"{rule.id}: {printable(reason)}"


def _lines(trail: Trail, stopped: Mapping[str, Outcome], lang: str) -> Iterator[str]:
    """Yield the trail of an event, each step below what it follows from."""
    event = trail.event
    name = click.style(event.id, dim=True)
    yield f"{moment(trail.received)}  {event.type:<6} {subject(event, lang)}  {name}"
    rules = [step.rule for step in trail.decisions] + [delivery.rule for delivery in trail.deliveries]
    for rule in dict.fromkeys(rules):
        yield f"  {rule}"
        yield from _steps(trail, rule)
        for delivery in trail.deliveries:
            if delivery.rule == rule:
                why_not = reason(delivery, stopped, lang)
                yield from _delivery_lines(delivery, trail.attempts[delivery.id], why_not)
    if not rules:
        yield "  " + _("no rule was set off")


def _steps(trail: Trail, rule: str) -> Iterator[str]:
    """Yield what a rule decided, and when it goes on with what it holds."""
    steps = [step for step in trail.decisions if step.rule == rule]
    for line in together(decision(step.stage, step.outcome, step.detail) for step in steps):
        yield f"    {line}"
    for memory in trail.waiting:
        if memory.rule == rule:
            held = kind(memory.kind).to(spoken.get())
            yield "    " + _("{kind} goes on at {at}", kind=held, at=moment(memory.due or 0.0))


def _delivery_lines(delivery: Delivery, attempts: Sequence[Row], why_not: str) -> Iterator[str]:
    line = f"    {delivery.id:>6}  {target(delivery.message)}  {coloured(delivery.state)}"
    if why_not and delivery.state is not State.SENT:
        line += f"  {printable(why_not)}"
    yield line
    for name, text in texts(delivery.message).items():
        first, *rest = text.splitlines() or [""]
        yield f"            {name}: {printable(first)}"
        yield from (f"              {printable(line)}" for line in rest)
    for attempt in attempts:
        yield f"            {_attempt(attempt)}"


def _attempt(attempt: Row) -> str:
    name = _("attempt {number}", number=attempt["number"])
    ended = outcome(attempt["outcome"]).to(spoken.get()) if attempt["outcome"] else _("under way")
    words = [name, moment(attempt["started"]), ended]
    if attempt["status"]:
        words.append(f"HTTP {attempt['status']}")
    if attempt["latency"] is not None:
        words.append(lasted(attempt["latency"]))
    if attempt["detail"]:
        words.append(printable(answer(attempt["detail"]).to(spoken.get())))
    return "  ".join(words)
