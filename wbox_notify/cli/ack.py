"""``wbox-notify ack``."""

from pathlib import Path

import click

from wbox_notify.cli import complete
from wbox_notify.cli.output import json_option, say, say_json
from wbox_notify.cli.project import history, open_project, open_queue, unknown_rule, usable, warn_of_another
from wbox_notify.dispatch.queue import acknowledgement
from wbox_notify.engine import escalate
from wbox_notify.engine.state import EscalationState
from wbox_notify.errors import Exit
from wbox_notify.model.texts import plural

_MOST = 10_000


@click.command("ack")
@click.argument("rule", shell_complete=complete.rules)
@json_option
@click.pass_obj
def ack(config: Path | None, rule: str, as_json: bool) -> int:
    """Acknowledge all open troubles of RULE, as its people do by the link: nobody else is called.

    Exits with 3 when nothing is open.
    """
    project = usable(open_project(config))
    warn_of_another(project)
    past = history(project)
    ahead = past.memories_ahead([EscalationState.KIND], _MOST)
    past.close()
    keys = [memory.key for memory in ahead if memory.rule == rule and escalate.is_open(memory)]
    if not keys and project.rule(rule) is None:
        raise unknown_rule(project, rule)
    with open_queue(project) as (queue, _store):
        for key in keys:
            queue.accept(acknowledgement(rule, key))
    if as_json:
        say_json({"rule": rule, "count": len(keys)})
    else:
        text = plural(
            "acknowledged: {number} trouble of {rule}",
            "acknowledged: {number} troubles of {rule}",
            len(keys),
            rule=rule,
        )
        say(text)
    return 0 if keys else Exit.NOTHING
