"""The box on the page of a rule in which an event is tried: its form, and what would follow."""

import json
import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from wbox_notify.engine.rehearsal import called, dropped, due, rehearse
from wbox_notify.errors import WboxError
from wbox_notify.model.deliveries import Decision, PlannedMessage
from wbox_notify.model.events import Event
from wbox_notify.model.reasons import hold
from wbox_notify.model.redaction import redacted
from wbox_notify.model.shown import content
from wbox_notify.model.texts import Wording, problem_of, told, translated
from wbox_notify.rules.patterns import Miss
from wbox_notify.rules.project import Project
from wbox_notify.rules.recipients import shown
from wbox_notify.rules.rule import Rule
from wbox_notify.rules.triggers import FileTrigger, MissingTrigger, Trigger, WebhookTrigger
from wbox_notify.store import Store
from wbox_notify.triggers.file.rows import RowFiles, Slice, Wanted
from wbox_notify.triggers.webhook.signatures import Call

LARGEST = 16 * 1024
"""Characters of a field: what is tried is a sample, and each of its items takes time."""

_MOST_SHOWN = 50
_MOST_DIGITS = 15
_YEARS = range(1990, 2200)
_SOON = timedelta(seconds=1)
_SAMPLE = "{}"


def forms(project: Project, rule: Rule, store: Store, now: float) -> list[dict[str, Any]]:
    """Return a form for each trigger of a rule, with the rule's last event, or with that of a test."""
    last = store.last_event_of(rule.id)
    return [_form(project, rule, number, last, now) for number in range(len(rule.triggers))]


def _form(project: Project, rule: Rule, number: int, last: Event | None, now: float) -> dict[str, Any]:
    trigger = rule.triggers[number]
    if isinstance(trigger, WebhookTrigger):
        return {"trigger": number, "kind": "webhook", "path": trigger.path, **_call_of(rule, trigger, last)}
    if isinstance(trigger, FileTrigger):
        return {
            "trigger": number,
            "kind": "file",
            "folder": str(trigger.root),
            **_file_of(rule, trigger, last),
        }
    return {"trigger": number, "kind": _kind(trigger), "at": _next_of(project, trigger, now)}


def _kind(trigger: Trigger) -> str:
    return "missing" if isinstance(trigger, MissingTrigger) else "schedule"


def _call_of(rule: Rule, trigger: WebhookTrigger, last: Event | None) -> dict[str, str]:
    """Return the body, the headers and the query of the last call, else those of a test."""
    data = _given(rule, "webhook")
    if last and last.type == "webhook" and last.data["path"] == trigger.path:
        data = last.data
    headers = {
        name: value for name, value in (data.get("headers") or {}).items() if name.lower() != "content-type"
    }
    body = _SAMPLE
    if data.get("body") is not None:
        body = json.dumps(data["body"], ensure_ascii=False, indent=2)
    return {
        "body": _short(body, _SAMPLE),
        "headers": _short("\n".join(f"{name}: {value}" for name, value in headers.items()), ""),
        "query": _short(urlencode(data.get("query") or {}, doseq=True, errors="replace"), ""),
    }


def _file_of(rule: Rule, trigger: FileTrigger, last: Event | None) -> dict[str, str]:
    """Return the name and the text of the last file, else those of a test."""
    data = _given(rule, "file")
    if last and last.type == "file" and trigger.accepts(last.data["path"]):
        data = {**last.data, "name": os.path.relpath(last.data["path"], trigger.root)}
    name = str(data.get("name", "file.txt"))
    return {"name": _short(name, "file.txt"), "size": "", "text": _short(str(data.get("text") or ""), "")}


def _given(rule: Rule, kind: str) -> Mapping[str, Any]:
    """Return the first input of a kind in the rule's tests; nothing where there is none."""
    inputs = (given.data for test in rule.tests for given in test.when if given.kind == kind)
    return next(inputs, {})


def _short(text: str, otherwise: str) -> str:
    text = redacted(text)
    return text if len(text) <= LARGEST else otherwise


def _next_of(project: Project, trigger: Trigger, now: float) -> str:
    """Return when a trigger is due next, as a form shows it."""
    schedule = trigger.by if isinstance(trigger, MissingTrigger) else trigger.schedule  # type: ignore[union-attr]
    zone = project.settings.tz
    at = schedule.after(datetime.fromtimestamp(now, UTC)) or datetime.fromtimestamp(now, UTC)
    return f"{at.astimezone(zone):%Y-%m-%dT%H:%M}"


def tried(project: Project, rule: Rule, given: Mapping[str, str], store: Store, lang: str) -> dict[str, Any]:
    """Return what would follow from the event of a form; nothing is stored or sent."""
    result: dict[str, Any] = {"problem": None, "hint": None, "steps": [], "messages": [], "more": 0}
    files = _FirstRows()
    try:
        event, contents = _event(project, rule, given)
        rows = None if contents else files.read
        replay = rehearse(project.only(rule), event, event.at, below=store, rows=rows, contents=contents)
    except WboxError as error:
        return {
            **result,
            "cut": False,
            "problem": problem_of(error).to(lang),
            "hint": error.hint and translated(error.hint, lang),
        }
    messages = [_message(project, said, event.at, lang) for said in replay.messages[:_MOST_SHOWN]]
    steps = [_step(decision, lang) for _, decision in replay.decisions[:_MOST_SHOWN]]
    more = len(replay.messages) - len(messages) + len(replay.decisions) - len(steps)
    return {**result, "cut": files.cut, "steps": steps, "messages": messages, "more": more}


class _FirstRows:
    """Reads the first rows of each file, which are enough to see what a rule does; ``cut`` says of more."""

    def __init__(self) -> None:
        self.cut = False

    def read(self, wanted: Wanted) -> Slice:
        """Return the first rows of a file as if they were all."""
        files = RowFiles()
        rows = files(wanted)
        files.close()
        self.cut = self.cut or rows.more
        return replace(rows, more=False)


def _event(project: Project, rule: Rule, given: Mapping[str, str]) -> tuple[Event, dict[str, bytes]]:
    """Return the event of a form, and the contents of its file if it is one."""
    if any(len(value) > LARGEST for value in given.values()):
        raise WboxError(
            Wording("a field has more than {most} KiB", most=LARGEST // 1024), hint="a sample is enough"
        )
    number = given.get("trigger", "0")
    trigger = rule.triggers[int(number) if number.isdecimal() and int(number) < len(rule.triggers) else 0]
    if isinstance(trigger, WebhookTrigger):
        return called(project.hooks[trigger.path], _call(trigger.path, given)), {}
    if isinstance(trigger, FileTrigger):
        return _file(rule, trigger, given)
    return due(rule.id, _kind(trigger), _moment(given.get("at", ""), project)), {}


def _call(path: str, given: Mapping[str, str]) -> Call:
    body = given.get("body", "")
    try:
        json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WboxError(Wording("the body is not JSON: {error}", error=error)) from None
    headers = [(b"content-type", b"application/json")]
    for line in given.get("headers", "").splitlines():
        name, colon, value = line.partition(":")
        if not (name.strip() and colon and line.isascii()):
            raise WboxError(
                Wording("`{line}` is not a header", line=line), hint="write `Name: value`, one in each line"
            )
        headers.append((name.strip().lower().encode(), value.strip().encode()))
    query, content = (text.encode("utf-8", "replace") for text in (given.get("query", ""), body))
    return Call(method="POST", path=f"/hook/{path}", query=query, headers=headers, body=content)


def _file(rule: Rule, trigger: FileTrigger, given: Mapping[str, str]) -> tuple[Event, dict[str, bytes]]:
    name, text = given.get("name", ""), given.get("text", "")
    facts = dropped(trigger.root, name, text, datetime.now(UTC))
    path = facts["path"]
    miss = trigger.miss(path) if path == os.path.normpath(path) else Miss("it is not a plain name")
    if miss:
        raise WboxError(
            Wording("the rule {rule} does not take {path}: {miss}", rule=rule.id, path=path, miss=miss.text)
        )
    size = given.get("size", "")
    if size.isdecimal():
        facts["size"] = int(size[:_MOST_DIGITS])
    at = datetime.now(UTC)
    event = Event(id=f"file:{path}:{uuid.uuid4()}", type="file", at=at, data=facts)
    return event, {path: text.encode("utf-8", "surrogatepass")}


def _moment(text: str, project: Project) -> datetime:
    at: datetime | None = None
    with suppress(ValueError):
        at = datetime.fromisoformat(text)
    if at is None or at.year not in _YEARS:
        raise WboxError(Wording("{text!r} is not a time", text=text), hint="write it like 2026-12-31T09:00")
    return (at if at.tzinfo else at.replace(tzinfo=project.settings.tz)).astimezone(UTC)


def _step(decision: Decision, lang: str) -> dict[str, str]:
    return {
        "stage": decision.stage,
        "outcome": decision.outcome,
        "detail": redacted(told(decision.detail, lang)),
    }


def _message(
    project: Project, said: tuple[datetime, PlannedMessage], begun: datetime, lang: str
) -> dict[str, Any]:
    """Return a message as the page shows it."""
    at, planned = said
    message = planned.message
    fields: dict[str, Any] = {
        "at": at.isoformat(),
        "later": at - begun > _SOON,
        "problem": planned.problem and redacted(translated(planned.problem, lang)),
        "hold": planned.hold and hold(planned.hold, planned.facts).to(lang),
        "kind": None,
        "to": None,
        "parts": {},
    }
    if message:
        fields |= {"kind": message.kind, "to": shown(project.reader_of(message)), "parts": content(message)}
    return fields
