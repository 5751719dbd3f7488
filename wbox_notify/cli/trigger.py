"""``wbox-notify trigger``."""

import json
import stat
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from wbox_notify.cli import complete
from wbox_notify.cli.lines import decision
from wbox_notify.cli.output import json_option, moment, say, say_json
from wbox_notify.cli.project import open_project, open_queue, sound, unknown_rule, usable, warn_of_another
from wbox_notify.clients.wbox import ENDPOINTS
from wbox_notify.config.values import plain
from wbox_notify.engine.rehearsal import called, due, rehearse
from wbox_notify.engine.replay import ReplayStore
from wbox_notify.errors import Exit, WboxError
from wbox_notify.model.deliveries import Decision
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Message, Notice, WhatsAppMessage
from wbox_notify.model.text import printable
from wbox_notify.model.texts import Wording, _
from wbox_notify.rules.project import Project
from wbox_notify.rules.rule import Rule
from wbox_notify.rules.triggers import FileTrigger, MissingTrigger, ScheduleTrigger, WebhookTrigger
from wbox_notify.store import open_history
from wbox_notify.triggers.file.rows import RowFiles
from wbox_notify.triggers.file.source import FileSource
from wbox_notify.triggers.file.watch import Want, Watch
from wbox_notify.triggers.webhook.bodies import FORM
from wbox_notify.triggers.webhook.signatures import Call


@click.command("trigger")
@click.argument("name", metavar="RULE", shell_complete=complete.rules)
@click.option(
    "--file", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file to drop."
)
@click.option("--data", help="The body of a call, as JSON; @FILE reads it from a file.")
@click.option("--form", multiple=True, metavar="NAME=VALUE", help="A field of a form, in place of --data.")
@click.option("--query", multiple=True, metavar="NAME=VALUE", help="A field in the address of a call.")
@click.option("--header", multiple=True, metavar="NAME:VALUE", help="A header of a call.")
@click.option("--dry-run", is_flag=True, help="Show what would be decided and sent; store and send nothing.")
@json_option
@click.pass_obj
def trigger(
    config: Path | None, /, name: str, path: Path | None, *, dry_run: bool, as_json: bool, **given: Any
) -> int:
    """Set off one rule by hand, as if its file, call or time had come.

    Ends with 0 when the event is on disk; with --dry-run, 0 when a message would be sent now or later, 1 when
    the rule fails, 3 when it sends nothing.
    """
    project = usable(open_project(config))
    warn_of_another(project)
    rule = project.rule(name)
    if rule is None:
        raise unknown_rule(sound(project), name)  # where a file has errors, those come first
    event = _event(project, rule, path, **given)
    if dry_run:
        replay = _rehearsed(project.only(rule), event)
        _print(replay, as_json=as_json)
        return _exit_code(replay)
    with open_queue(project) as (queue, _store):
        new = queue.accept(event)
    if as_json:
        say_json({"event": event.id, "new": new})
    else:
        say(_("event {event} is on disk; wbox-notify log shows what becomes of it", event=event.id))
    return 0 if new else Exit.NOTHING


def _exit_code(replay: ReplayStore) -> int:
    outcomes = {decision.outcome for _, decision in replay.decisions}
    if any(planned.message for _, planned in replay.messages):
        return 0
    if "failed" in outcomes:
        return 1
    return 0 if "waits" in outcomes else Exit.NOTHING


def _rehearsed(project: Project, event: Event) -> ReplayStore:
    """Return what would follow from an event now, with what rules remember."""
    history = open_history(project.settings.store)
    replay = rehearse(project, event, datetime.now(UTC), below=history, rows=RowFiles())
    if history:
        history.close()
    return replay


def _event(project: Project, rule: Rule, path: Path | None, **given: Any) -> Event:
    """Return the event that sets off a rule, made of what was given."""
    trigger = rule.triggers[0]
    if path is not None:
        return _dropped(rule, path)
    if isinstance(trigger, WebhookTrigger):
        return called(project.hooks[trigger.path], _call(trigger, **given))
    if isinstance(trigger, ScheduleTrigger | MissingTrigger):
        kind = "schedule" if isinstance(trigger, ScheduleTrigger) else "missing"
        return due(rule.id, kind, datetime.now(UTC))
    raise WboxError(Wording("the rule {rule} waits for a file", rule=rule.id), hint="give one with --file")


def _call(
    trigger: WebhookTrigger,
    data: str | None,
    form: Sequence[str],
    query: Sequence[str],
    header: Sequence[str],
) -> Call:
    """Return a call as it was given; without a body it is by GET where the hook takes that."""
    content_type = "application/json"
    body = _body(data)
    if form:
        content_type, body = FORM, urlencode(_pairs("--form", form, "=")).encode()
    headers = [("content-type", content_type), *_pairs("--header", header, ":")]
    return Call(
        method="GET" if "GET" in trigger.methods and data is None and not form else "POST",
        path=f"/hook/{trigger.path}",
        query=urlencode(_pairs("--query", query, "=")).encode(),
        headers=[(name.lower().encode(), value.strip().encode()) for name, value in headers],
        body=body,
    )


def _pairs(option: str, texts: Sequence[str], sign: str) -> list[tuple[str, str]]:
    pairs = []
    for text in texts:
        name, found, value = text.partition(sign)
        if not (name and found):
            raise click.UsageError(
                _("{option} {text}: write NAME{sign}VALUE", option=option, text=text, sign=sign)
            )
        pairs.append((name, value))
    return pairs


def _body(data: str | None) -> bytes:
    if data is None:
        return b"{}"
    try:
        body = Path(data[1:]).read_bytes() if data.startswith("@") else data.encode()
        json.loads(body)
    except OSError as error:
        raise WboxError(f"--data: {data[1:]}: {error.strerror}") from None
    except ValueError as error:
        raise WboxError(Wording("--data is not JSON: {error}", error=error)) from None
    return body


def _dropped(rule: Rule, path: Path) -> Event:
    """Return the event of a file as if it lay in the folder that the rule watches."""
    trigger = _file_trigger(rule)
    path = plain(path)
    if not stat.S_ISREG(path.lstat().st_mode):
        raise WboxError(Wording("{path} is not a file, and links are not followed", path=path))
    target = path if path.is_relative_to(trigger.root) else trigger.root / path.name
    if miss := trigger.miss(str(target)):
        raise WboxError(
            Wording("the rule {rule} does not take {path}: {miss}", rule=rule.id, path=target, miss=miss.text)
        )
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
    raise WboxError(Wording("the rule {rule} does not wait for a file", rule=rule.id))


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
        raise WboxError(
            Wording("{path} is still being written", path=path), hint="try again when it is finished"
        )
    return events[0]


def _print(replay: ReplayStore, *, as_json: bool) -> None:
    """Print what is decided, and what is sent and when."""
    messages = [(at, planned.message) for at, planned in replay.messages if planned.message]
    if as_json:
        _print_json(replay.decisions, messages)
        return
    for _at, made in replay.decisions:
        say(decision(f"{made.rule} {made.stage}", made.outcome, made.detail))
    for at, message in messages:
        say(_message(at, message))


def _print_json(
    decisions: Sequence[tuple[datetime, Decision]], messages: Sequence[tuple[datetime, Message]]
) -> None:
    notices = [asdict(message) for _, message in messages if isinstance(message, Notice)]
    requests = [_request(at, message) for at, message in messages if not isinstance(message, Notice)]
    made = [asdict(decision) for _, decision in decisions]
    say_json({"decisions": made, "requests": requests, "notices": notices})


def _message(at: datetime, message: Message) -> str:
    if isinstance(message, Notice):
        what, fields = "NOTICE", asdict(message)
    else:
        what, fields = f"POST {ENDPOINTS[message.kind]}", message.body()
    return f"{_when(at)}{what}\n{printable(json.dumps(fields, ensure_ascii=False))}"


def _request(at: datetime, message: WhatsAppMessage) -> dict[str, Any]:
    return {"path": ENDPOINTS[message.kind], "body": message.body(), "at": at.isoformat()}


def _when(at: datetime) -> str:
    """Return the time of what is sent later, as the beginning of a line."""
    is_later = at - datetime.now(UTC) > timedelta(seconds=1)
    return f"{moment(at.timestamp())}  " if is_later else ""
