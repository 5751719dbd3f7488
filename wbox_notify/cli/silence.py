"""``wbox-notify silence``."""

import time
from pathlib import Path

import click

from wbox_notify.cli import complete
from wbox_notify.cli.output import json_option, moment, say, say_json
from wbox_notify.cli.project import open_project, open_queue, unknown_rule, usable, warn_of_another
from wbox_notify.cli.times import Duration
from wbox_notify.dispatch.queue import silencing
from wbox_notify.model.shown import iso
from wbox_notify.model.texts import _


@click.command("silence")
@click.argument("rule", shell_complete=complete.rules)
@click.argument("duration", type=Duration(), metavar="DURATION|off")
@json_option
@click.pass_obj
def silence(config: Path | None, rule: str, duration: float, as_json: bool) -> int:
    """Let RULE tell nobody of anything for a DURATION such as 2h; `off` ends that.

    Events are still stored and decided on. The end of a trouble is told to whoever heard of its beginning.
    """
    project = usable(open_project(config))
    warn_of_another(project)
    if project.rule(rule) is None:
        raise unknown_rule(project, rule)
    until = time.time() + duration
    with open_queue(project) as (queue, _store):
        queue.accept(silencing(rule, until))
    if as_json:
        say_json({"rule": rule, "until": iso(until) if duration else None})
    else:
        text = _("{rule} is not silent any more", rule=rule)
        if duration:
            text = _("{rule} is silent until {end}", rule=rule, end=moment(until))
        say(text)
    return 0
