"""``wbox-notify trigger``."""

import json
import stat
import time
import uuid
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from wbox_notify.cli.lines import decision
from wbox_notify.cli.output import json_option, say, say_json
from wbox_notify.cli.project import open_project, open_queue, sound, usable
from wbox_notify.clients.wbox import ENDPOINTS
from wbox_notify.config.values import plain
from wbox_notify.engine import Overlay, plan, wake
from wbox_notify.engine.replay import ReplayStore
from wbox_notify.engine.rows import SLICE, wanted
from wbox_notify.errors import WboxError
from wbox_notify.model.deliveries import Plan
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Notice
from wbox_notify.model.text import did_you_mean, printable
from wbox_notify.rules import Project, Rule
from wbox_notify.rules.triggers import FileTrigger, MissingTrigger, ScheduleTrigger, Trigger, WebhookTrigger
from wbox_notify.store import open_history
from wbox_notify.triggers.file.rows import RowFiles
from wbox_notify.triggers.file.source import FileSource
from wbox_notify.triggers.file.watch import Want, Watch

_NOTHING = 3


@click.command("trigger")
@click.argument("name", metavar="RULE")
@click.option(
    "--file", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file to drop."
)
@click.option("--data", help="The body of a call, as JSON; @FILE reads it from a file.")
@click.option("--dry-run", is_flag=True, help="Show what would be decided and sent; store and send nothing.")
@json_option
@click.pass_obj
def trigger(
    config: Path | None,
    name: str,
    path: Path | None,
    data: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Set off one rule by hand, as if its file, call or time had come.

    Ends with 0 when the event is on disk, 3 when it was there before; with --dry-run, 0 when a message would
    be sent or wait, 1 when the rule fails, 3 when it sends nothing.
    """
    project = usable(open_project(config))
    rule = project.rule(name) or _unknown(project, name)
    event = _event(rule, path, data)
    if dry_run:
        made = _planned(project.only(rule), event)
        _print(made, as_json=as_json)
        return _exit_code(made)
    with open_queue(project) as (queue, _):
        new = queue.accept(event)
    if as_json:
        say_json({"event": event.id, "new": new})
    else:
        say(f"event {event.id} is on disk; wbox-notify log shows what becomes of it")
    return 0 if new else _NOTHING


def _unknown(project: Project, name: str) -> NoReturn:
    """Say that there is no such rule; where a file has errors, those come first."""
    known = [rule.id for rule in sound(project).rules]
    hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
    raise WboxError(f"there is no rule {name!r}", hint=hint if known else "wbox-notify check")


def _exit_code(made: Plan) -> int:
    if any(planned.message for planned in made.messages):
        return 0
    outcomes = {decision.outcome for decision in made.decisions}
    if "failed" in outcomes:
        return 1
    return 0 if "waits" in outcomes else _NOTHING


def _planned(project: Project, event: Event) -> Plan:
    history = open_history(project.settings.store)
    now = datetime.fromtimestamp(time.time(), UTC)
    overlay = Overlay(history or ReplayStore(project, now))
    made = plan(project, event, overlay, now)
    files = RowFiles()
    while due := next((one for one in made.memories if wanted(project, one, SLICE)), None):
        overlay.add(made.memories)
        asked = wanted(project, due, SLICE)
        next_ = wake(project, due, overlay, now, files(asked) if asked else None)
        made = replace(
            next_,
            decisions=(*made.decisions, *next_.decisions),
            messages=(*made.messages, *next_.messages),
        )
    if history:
        history.close()
    return made


def _event(rule: Rule, path: Path | None, data: str | None) -> Event:
    """Return the event that sets off a rule, made of what was given."""
    now = datetime.now(UTC)
    trigger = rule.triggers[0]
    if path is not None:
        return _dropped(rule, path)
    if isinstance(trigger, WebhookTrigger):
        facts = {"path": trigger.path, "method": "POST", "headers": {}, "query": {}, "body": _body(data)}
        return Event(id=f"webhook:{trigger.path}:{uuid.uuid4()}", type="webhook", at=now, data=facts)
    if isinstance(trigger, ScheduleTrigger | MissingTrigger):
        kind = "schedule" if isinstance(trigger, ScheduleTrigger) else "missing"
        facts = {"rule": rule.id, "at": now.isoformat(), "late": 0.0}
        return Event(id=f"{kind}:{rule.id}:{uuid.uuid4()}", type=kind, at=now, data=facts)
    raise WboxError(f"the rule {rule.id} waits for a file", hint="give one with --file")


def _body(data: str | None) -> object:
    if data is None:
        return {}
    try:
        text = Path(data[1:]).read_text(encoding="utf-8") if data.startswith("@") else data
        return json.loads(text)
    except OSError as error:
        raise WboxError(f"--data: {data[1:]}: {error.strerror}") from None
    except ValueError as error:
        raise WboxError(f"--data is not JSON: {error}") from None


def _dropped(rule: Rule, path: Path) -> Event:
    """Return the event of a file as if it lay in the folder that the rule watches."""
    trigger = next(filter(None, map(_file_trigger, rule.triggers)), None)
    if trigger is None:
        raise WboxError(f"the rule {rule.id} does not wait for a file")
    path = plain(path)
    if not stat.S_ISREG(path.lstat().st_mode):
        raise WboxError(f"{path} is not a file, and links are not followed")
    place = path if path.is_relative_to(trigger.root) else trigger.root / path.name
    if miss := trigger.miss(str(place)):
        raise WboxError(f"the rule {rule.id} does not take {place}: {miss.text}")
    found: list[Event] = []
    want = Want(reads=rule.needs - {"json"}, settle=0)
    watch = Watch(root=path.parent, accepts=lambda one: one == str(path), want=lambda _path: want)
    source = FileSource(
        [watch],
        known=lambda _versions: {},
        emit=lambda events, _versions: found.extend(events),
        report=lambda _line: None,
    )
    source.sweep()
    if not found:
        raise WboxError(f"{path} is still being written", hint="try again when it is finished")
    there = {"path": str(place), "folder": str(place.parent), "source": str(path)}
    data = {**found[0].data, **there}
    return Event(id=f"{found[0].id}:{uuid.uuid4()}", type="file", at=found[0].at, data=data)


def _file_trigger(trigger: Trigger) -> FileTrigger | None:
    one = trigger.of if isinstance(trigger, MissingTrigger) else trigger
    return one if isinstance(one, FileTrigger) else None


def _print(made: Plan, *, as_json: bool) -> None:
    requests = [
        {"path": ENDPOINTS[planned.message.kind], "body": planned.message.body()}
        for planned in made.messages
        if planned.message and not isinstance(planned.message, Notice)
    ]
    notices = [asdict(one.message) for one in made.messages if isinstance(one.message, Notice)]
    if as_json:
        decisions = [asdict(one) for one in made.decisions]
        say_json({"decisions": decisions, "requests": requests, "notices": notices})
        return
    for one in made.decisions:
        say(decision(one.rule, one.stage, one.outcome, one.detail))
    for request in requests:
        say(f"POST {request['path']}\n{printable(json.dumps(request['body'], ensure_ascii=False))}")
    for notice in notices:
        say(f"NOTICE\n{printable(json.dumps(notice, ensure_ascii=False))}")
