"""``wbox-notify trigger``."""

import json
import stat
import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from wbox_notify.cli.lines import decision
from wbox_notify.cli.output import json_option, say, say_json
from wbox_notify.cli.project import open_project, open_queue, sound, usable
from wbox_notify.clients.wbox import ENDPOINTS
from wbox_notify.config.values import plain
from wbox_notify.engine.replay import ReplayStore
from wbox_notify.errors import WboxError
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Notice
from wbox_notify.model.text import did_you_mean, printable
from wbox_notify.rules import Project, Rule
from wbox_notify.rules.triggers import FileTrigger, MissingTrigger, ScheduleTrigger, WebhookTrigger
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
        replay = _rehearsed(project.only(rule), event)
        _print(replay, as_json=as_json)
        return _exit_code(replay)
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


def _exit_code(replay: ReplayStore) -> int:
    outcomes = {decision.outcome for _, decision in replay.decisions}
    if any(planned.message for _, planned in replay.messages):
        return 0
    if "failed" in outcomes:
        return 1
    return 0 if "waits" in outcomes else _NOTHING


def _rehearsed(project: Project, event: Event) -> ReplayStore:
    """Return what would follow from an event now, its rows included, with what rules remember."""
    history = open_history(project.settings.store)
    replay = ReplayStore(project, datetime.now(UTC), rows=RowFiles(), below=history)
    replay.happen(event)
    replay.follow_rows()
    if history:
        history.close()
    return replay


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
    trigger = _file_trigger(rule)
    path = plain(path)
    if not stat.S_ISREG(path.lstat().st_mode):
        raise WboxError(f"{path} is not a file, and links are not followed")
    target = path if path.is_relative_to(trigger.root) else trigger.root / path.name
    if miss := trigger.miss(str(target)):
        raise WboxError(f"the rule {rule.id} does not take {target}: {miss.text}")
    event = _read(path, rule)
    as_dropped = {"path": str(target), "folder": str(target.parent), "source": str(path)}
    data = {**event.data, **as_dropped}
    return Event(id=f"{event.id}:{uuid.uuid4()}", type="file", at=event.at, data=data)


def _file_trigger(rule: Rule) -> FileTrigger:
    """Return the trigger of a rule that a file sets off, or whose coming it awaits."""
    for trigger in rule.triggers:
        source = trigger.of if isinstance(trigger, MissingTrigger) else trigger
        if isinstance(source, FileTrigger):
            return source
    raise WboxError(f"the rule {rule.id} does not wait for a file")


def _read(path: Path, rule: Rule) -> Event:
    """Return the event of a file where it lies, as the daemon makes it."""
    events: list[Event] = []
    want = Want(reads=rule.needs - {"json"}, settle=0)
    watch = Watch(root=path.parent, accepts=lambda name: name == str(path), want=lambda _path: want)
    source = FileSource(
        [watch],
        known=lambda _versions: {},
        emit=lambda found, _versions: events.extend(found),
        report=lambda _line: None,
    )
    source.sweep()
    if not events:
        raise WboxError(f"{path} is still being written", hint="try again when it is finished")
    return events[0]


def _print(replay: ReplayStore, *, as_json: bool) -> None:
    requests = []
    notices = []
    for _, planned in replay.messages:
        message = planned.message
        if isinstance(message, Notice):
            notices.append(asdict(message))
        elif message:
            requests.append({"path": ENDPOINTS[message.kind], "body": message.body()})
    if as_json:
        decisions = [asdict(made) for _, made in replay.decisions]
        say_json({"decisions": decisions, "requests": requests, "notices": notices})
        return
    for _, made in replay.decisions:
        say(decision(f"{made.rule} {made.stage}", made.outcome, made.detail))
    for request in requests:
        say(f"POST {request['path']}\n{printable(json.dumps(request['body'], ensure_ascii=False))}")
    for notice in notices:
        say(f"NOTICE\n{printable(json.dumps(notice, ensure_ascii=False))}")
