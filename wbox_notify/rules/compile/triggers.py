"""Triggers: from their shape to what the sources watch for."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from wbox_notify.config.values import as_path
from wbox_notify.config.yaml.document import Location
from wbox_notify.errors import ConfigError
from wbox_notify.rules.compile.context import BuildContext, is_template
from wbox_notify.rules.models.triggers import (
    AwaitedSpec,
    FileSpec,
    MissingSpec,
    ReadSpec,
    ScheduleSpec,
    TimesSpec,
    TriggerSpec,
    WebhookSpec,
)
from wbox_notify.rules.names import CALL, MOVED
from wbox_notify.rules.patterns import ignore_pattern, path_pattern
from wbox_notify.rules.triggers import (
    MARKED,
    Burst,
    FileTrigger,
    MissingTrigger,
    ScheduleTrigger,
    Target,
    Trigger,
    WebhookTrigger,
)
from wbox_notify.triggers.file.rows import Reading
from wbox_notify.triggers.schedule import Cron, Every, Schedule, Skip, parse_times
from wbox_notify.triggers.schedule.cron import parse_every
from wbox_notify.triggers.webhook.presets import PRESETS
from wbox_notify.triggers.webhook.signatures import Scheme, scheme

AFTERWARDS = ("done", "failed", "duplicate")

_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)
_ANYBODY = "anybody could post here"
_WAY_OUT = "give `secret: NAME`, or `open: true` if that is what you want"


def trigger(shop: BuildContext, spec: TriggerSpec, spot: Location) -> Trigger | None:
    """Return a trigger, or None where it is wrong."""
    if spec.schedule is not None:
        return _schedule(shop, spec.schedule, spot.at("schedule"))
    if spec.missing is not None:
        return _missing(shop, spec.missing, spot.at("missing"))
    return _awaitable(shop, spec, spot)


def times(shop: BuildContext, spec: TimesSpec, spot: Location) -> Schedule | None:
    """Return a schedule, or None where it is wrong."""
    before = len(shop.problems)
    patterns: list[Cron | Every] = []
    for index, text in enumerate(spec.at):
        patterns += shop.tried(parse_times, text, spot.at("at", index), "WBX326") or ()
    for index, text in enumerate(spec.cron):
        at = spot.at("cron", index)
        parsed = shop.tried(parse_times, text, at, "WBX326") or ()
        patterns += parsed
        if any(isinstance(pattern, Cron) and pattern.takes_either_day for pattern in parsed):
            hint = "for both of them write the day of the week as MON#1, or the other one under `if`"
            message = "this is due on these days of the month and on these days of the week, as cron does"
            shop.problems.append(at.problem("WBX352", message, hint=hint, severity="warning"))
    if spec.every:
        every = shop.tried(parse_every, spec.every, spot.at("every"), "WBX326")
        patterns += [every] if every else []
    if not shop.is_right(before):
        return None
    schedule = Schedule(tuple(dict.fromkeys(patterns)), spec.tz or shop.settings.tz, spec.skip or Skip())
    if schedule.after(_ANY_TIME) is None:
        # Only one of the three is there, and the steps to the others stay put.
        at = spot.at("at", "cron", "every")
        message = "this is never due: `skip` takes out all of its days"
        shop.problems.append(at.problem("WBX326", message, hint="skip fewer days"))
        return None
    return schedule


def _awaitable(
    shop: BuildContext, spec: TriggerSpec | AwaitedSpec, spot: Location
) -> FileTrigger | WebhookTrigger | None:
    if spec.webhook is not None:
        return _webhook(shop, spec.webhook, spot.at("webhook"))
    return _file(shop, spec.file, spot.at("file")) if spec.file else None


def _file(shop: BuildContext, spec: FileSpec, spot: Location) -> FileTrigger | None:
    before = len(shop.problems)
    for index, glob in enumerate(spec.match):
        shop.tried(path_pattern, glob, spot.at("match", index), "WBX309")
    for index, glob in enumerate(spec.ignore):
        shop.tried(ignore_pattern, glob, spot.at("ignore", index), "WBX309")
    root = shop.tried(partial(_root, folder=shop.settings.folder), spec.path, spot.at("path"), "WBX215")
    if spec.ready is not None:
        shop.tried(_marker, spec.ready, spot.at("ready"), "WBX215")
    done, failed, duplicate = (_target(shop, getattr(spec, name), spot.at(name)) for name in AFTERWARDS)
    if root is None or not shop.is_right(before):
        return None
    given = spec.model_dump(exclude={"path", "match", "ignore", "case", "read", "burst", *AFTERWARDS})
    return FileTrigger(
        root=root,
        match=tuple(spec.match),
        ignore=tuple(spec.ignore),
        exact=spec.case == "exact",
        done=done,
        failed=failed,
        duplicate=duplicate,
        read=_reading(spec.read),
        burst=Burst(spec.burst.over, spec.burst.within) if spec.burst else None,
        **given,
    )


def _reading(spec: ReadSpec) -> Reading:
    return Reading(
        kind=spec.kind or "",
        encoding=spec.encoding or "",
        delimiter=spec.delimiter or "",
        columns=tuple(spec.columns),
    )


def _marker(text: str) -> str:
    bare = MARKED.sub("", text)
    if not text.strip() or "/" in bare or is_template(bare):
        hint = "write it like `{{ file.name }}.ok`"
        raise ConfigError("`ready` is the name of a file beside the other one", hint=hint)
    return text


def _target(shop: BuildContext, text: str | None, spot: Location) -> Target:
    if text is None or text == "leave":
        return None
    if text == "delete":
        return "delete"
    if not text.strip():
        shop.problems.append(spot.problem("WBX215", f"`{spot.steps[-1]}` is empty", hint="name a folder"))
        return None
    return shop.template(text, MOVED, spot)


def _root(text: str, folder: Path) -> Path:
    if not text.strip():
        raise ConfigError("`path` is empty", hint="name the folder to watch")
    if is_template(text):
        raise ConfigError("`path` is no template", hint="name the folder to watch")
    if found := re.fullmatch(r"([^*?]*/|)([^/]*[*?].*)", text):
        hint = f'write `path: {found[1].rstrip("/") or ("/" if found[1] else ".")}` and `match: "{found[2]}"`'
        raise ConfigError("`path` is a folder and no pattern", hint=hint)
    return as_path(text, folder)


def _webhook(shop: BuildContext, spec: WebhookSpec, spot: Location) -> WebhookTrigger | None:
    before = len(shop.problems)
    proof = _proof(shop, spec, spot)
    delivery = shop.expression(spec.id, CALL, spot.at("id"))
    if not shop.is_right(before):
        return None
    return WebhookTrigger(path=spec.path, preset=PRESETS[spec.preset], scheme=proof, id=delivery)


def _proof(shop: BuildContext, spec: WebhookSpec, spot: Location) -> Scheme | None:
    if spec.open:
        for key in spec.model_fields_set & {"secret", "verify"}:
            message = f"`open: true` lets anybody call, so that `{key}` says nothing"
            shop.problems.append(spot.at(key).key_problem("WBX316", message, hint="leave one of them out"))
        return None
    if not spec.secret:
        shop.problems.append(spot.key_problem("WBX316", _ANYBODY, hint=_WAY_OUT))
        return None
    found = [
        shop.tried(shop.secrets.find, name, spot.at("secret").at(index), "WBX324")
        for index, name in enumerate(spec.secret)
    ]
    secrets = [secret for secret in found if secret is not None]
    return _scheme(shop, spec, secrets, spot) if len(secrets) == len(found) else None


def _scheme(shop: BuildContext, spec: WebhookSpec, secrets: list[str], spot: Location) -> Scheme | None:
    kind = spec.verify.scheme if spec.verify else PRESETS[spec.preset].scheme
    try:
        return scheme(kind, secrets, spec.verify.options() if spec.verify else {})
    except ConfigError as error:
        at = _to_blame(str(error), spec, spot)
        shop.problems.append(at.problem("WBX328", str(error), hint=error.hint))
        return None


def _to_blame(message: str, spec: WebhookSpec, spot: Location) -> Location:
    """Return where the option stands that a message names, else what it is about."""
    given = spec.verify.model_dump(exclude_none=True) if spec.verify else {}
    named = next((word for word in re.findall("`([a-z_]+)`", message) if word in given), None)
    if "secret" in message and not named:
        return spot.at("secret")
    return spot.at("verify", named or "scheme") if spec.verify else spot.at("preset")


def _schedule(shop: BuildContext, spec: ScheduleSpec, spot: Location) -> ScheduleTrigger | None:
    found = times(shop, spec, spot)
    return ScheduleTrigger(schedule=found, missed=spec.missed.missed()) if found else None


def _missing(shop: BuildContext, spec: MissingSpec, spot: Location) -> MissingTrigger | None:
    awaited = _awaitable(shop, spec.of, spot.at("of"))
    given = spec.of.file.model_fields_set if spec.of.file else ()
    for name in (*AFTERWARDS, "read", "burst"):
        if name in given:
            message = f"`{name}` has no meaning here: this rule does not take the file"
            shop.problems.append(spot.at("of", "file", name).key_problem("WBX210", message))
    by = times(shop, spec.by, spot.at("by"))
    if awaited is None or by is None:
        return None
    if isinstance(awaited, FileTrigger) and "min_size" not in given:  # an empty dump is no backup
        awaited = replace(awaited, min_size=1)
    return MissingTrigger(of=awaited, by=by, window=spec.window, resolved=spec.resolved)
