"""``wbox-notify plan``: what edited rules would have sent of the events of the last days."""

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain, takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from wbox_notify.cli.abreast import Step, abreast
from wbox_notify.cli.lines import recipient, target, texts
from wbox_notify.cli.output import json_option, moment, say, say_json
from wbox_notify.cli.project import folder, history, open_project, sound
from wbox_notify.cli.times import since_option
from wbox_notify.daemon.last_good import restore
from wbox_notify.engine import ahead
from wbox_notify.engine.backtest import Difference, Happening, Said, compare, happenings, said
from wbox_notify.model.reasons import hold
from wbox_notify.model.shown import content, iso
from wbox_notify.model.text import printable
from wbox_notify.model.texts import _, plural, spoken, translated
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Project
from wbox_notify.store import open_history, rows
from wbox_notify.store.database import Row

_MOST_AHEAD = 10_000
_STEPS = 100
"""Of the bar, for each version of the rules."""


@click.command("plan")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@since_option("7d")
@click.option("-n", "--most", type=click.IntRange(0), default=20, show_default=True, help="Messages to show.")
@click.option("--next", "coming", is_flag=True, help="Show what comes next instead.")
@json_option
@click.pass_obj
def plan(
    config: Path | None, /, path: Path | None, *, since: float, most: int, coming: bool, as_json: bool
) -> int:
    """Compare what the rules in PATH would have sent in the last days with the rules in use.

    The stored events and the times of schedules run through both; nothing is sent. PATH is a project folder,
    such as a copy that you edit, and is read as if it were in the place of the daemon's own; without it, it
    is the daemon's own. Exits with 0 when nothing differs, else with 1.

    --next shows the next times of schedules, what groups, digests, quiet hours and escalations hold until
    when, and until when rules are silent.
    """
    project = open_project(config)
    if coming:
        return _show_next(project, most, as_json=as_json)
    edited = _moved(path, project) if path else sound(project)
    with TemporaryDirectory() as copy:
        used = restore(project.settings, os.environ, Path(copy))
        older, newer = _both(used or replace(project, rules=()), edited, since)
    difference = compare(older, newer)
    if as_json:
        say_json(_fields(difference, older, newer))
    else:
        _print(difference, older, newer, most)
        if used is None:
            say(_("the daemon has not kept any rules yet, so all is new"))
    return int(any((difference.added, difference.gone, difference.changed)))


def _moved(path: Path, project: Project) -> Project:
    """Return a copy of the project as it would be in the project's place: its paths are of there."""
    place = folder(path)
    return sound(load(project.settings.folder, os.environ, copy=place), place)


def _both(used: Project, edited: Project, since: float) -> list[dict[str, Said]]:
    """Return what two versions of the rules say of the events since a time, with a bar for a person."""
    span = datetime.fromtimestamp(since, UTC), datetime.now(UTC)
    works = [partial(_said, version, *span) for version in (used, edited)]
    label = plural("{number} rule", "{number} rules", len(edited.rules))
    hidden = not sys.stderr.isatty()
    length = len(works) * _STEPS
    with click.progressbar(length=length, label=label, file=sys.stderr, hidden=hidden) as bar:
        return abreast(works, bar.update)


def _said(project: Project, begin: datetime, end: datetime, step: Step) -> dict[str, Said]:
    with closing(history(project)) as past:
        stored = takewhile(lambda come: come.at <= end, map(_happening, past.events_from(begin.timestamp())))
        happened = _shown(happenings(project, stored, begin, end), begin, end, step)
        return said(project, happened, begin, end)


def _shown(happened: Iterator[Happening], begin: datetime, end: datetime, step: Step) -> Iterator[Happening]:
    """Yield what happened, and tell how much of the time that is."""
    told = 0
    for happening in happened:
        come = int(_STEPS * (happening.at - begin) / (end - begin))
        if come > told:
            step(come - told)
            told = come
        yield happening


def _happening(row: Row) -> Happening:
    return Happening(datetime.fromtimestamp(row["received"], UTC), rows.event(row))


def _show_next(project: Project, most: int, *, as_json: bool) -> int:
    past = open_history(project.settings.store)
    memories = past.memories_ahead(ahead.KINDS, _MOST_AHEAD) if past else []
    coming = sorted([*ahead.held(memories), *ahead.scheduled(project, datetime.now(UTC))])[:most]
    if past:
        past.close()
    if as_json:
        say_json(
            [
                {"at": iso(step.at), "what": step.what, "rule": step.rule, "waiting": step.waiting}
                for step in coming
            ]
        )
        return 0
    for step in coming:
        waiting = ""
        if step.waiting:
            waiting = "  " + _("{number} waiting", number=step.waiting)
        say(f"{moment(step.at)}  {step.what:<12} {step.rule}{waiting}")
    if not coming:
        say(_("nothing is due"))
    return 0


def _print(difference: Difference, older: Mapping[str, Said], newer: Mapping[str, Said], most: int) -> None:
    """Print the messages that differ, and how many there are of each rule and recipient that have any."""
    lines = list(_lines(difference))
    for line in lines[:most]:
        say(line)
    if len(lines) > most:
        say(_("… and {more} more: -n {all} shows all", more=len(lines) - most, all=len(lines)))
    differ = [*difference.added, *difference.gone, *chain.from_iterable(difference.changed)]
    for name, of in ((_("rule"), _rule), (_("to"), _recipient)):
        before, after = Counter(map(of, older.values())), Counter(map(of, newer.values()))
        for key in sorted(set(map(of, differ))):
            say(f"{name:<4} {key:<24} {before[key]:>6} -> {after[key]}")
    numbers = _(
        "{added} added, {gone} gone, {changed} changed",
        **{name: len(part) for name, part in difference._asdict().items()},
    )
    messages = plural("{number} message", "{number} messages", len(newer))
    say(_("{messages}: {numbers}; nothing was sent", messages=messages, numbers=numbers))


def _lines(difference: Difference) -> Iterator[str]:
    for message in difference.added:
        yield click.style(f"+ {_line(message)}", fg="green")
    for message in difference.gone:
        yield click.style(f"- {_line(message)}", fg="red")
    for older, newer in difference.changed:
        yield click.style(f"- {_line(older)}", fg="red") + "\n" + click.style(f"+ {_line(newer)}", fg="green")


def _line(message: Said) -> str:
    planned = message.planned
    words = [moment(message.at.timestamp()), planned.rule, target(planned.message)]
    words += [*texts(planned.message).values(), translated(planned.problem or "", spoken.get())]
    words.append(hold(planned.hold, planned.facts).to(spoken.get()) if planned.hold else "")
    return "  ".join(printable(word.replace("\n", " / ")) for word in words if word)


def _rule(message: Said) -> str:
    return message.planned.rule


def _recipient(message: Said) -> str:
    return recipient(message.planned.message) if message.planned.message else _("nobody")


def _fields(difference: Difference, older: Mapping[str, Said], newer: Mapping[str, Said]) -> dict[str, Any]:
    return {
        "messages": {"before": len(older), "after": len(newer)},
        "added": [_message_fields(message) for message in difference.added],
        "gone": [_message_fields(message) for message in difference.gone],
        "changed": [
            {"before": _message_fields(before), "after": _message_fields(after)}
            for before, after in difference.changed
        ],
    }


def _message_fields(message: Said) -> dict[str, Any]:
    planned = message.planned
    return {
        "at": message.at.isoformat(),
        "rule": planned.rule,
        "to": planned.message and planned.message.recipient,
        "message": content(planned.message),
        "problem": planned.problem,
        "hold": planned.hold,
    }
