"""Compile triggers: from their models to the sources that a rule follows."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import partial
from pathlib import Path

from wbox_notify.config.values import as_path
from wbox_notify.config.yaml.document import Location
from wbox_notify.errors import ConfigError
from wbox_notify.model.texts import Wording, problem_of
from wbox_notify.rules.compile.context import BuildContext, is_template
from wbox_notify.rules.models.triggers import (
    AwaitedSpec,
    FileSpec,
    MissingSpec,
    ReadSpec,
    TimesSpec,
    TriggerSpec,
    WebhookSpec,
)
from wbox_notify.rules.names import AWAITED, CALL, MOVED
from wbox_notify.rules.patterns import ignore_pattern, path_pattern
from wbox_notify.rules.triggers import (
    MARKED,
    TARGETS,
    FileTrigger,
    MissingTrigger,
    ScheduleTrigger,
    Target,
    Trigger,
    WebhookTrigger,
)
from wbox_notify.triggers.file.rows import YEAR, Reading
from wbox_notify.triggers.schedule.cron import Cron, Every, parse_every
from wbox_notify.triggers.schedule.dates import FIRST_WEEK, EveryOtherWeek, Pattern
from wbox_notify.triggers.schedule.parse import parse_times
from wbox_notify.triggers.schedule.schedule import Schedule, Skip
from wbox_notify.triggers.webhook.presets import PRESETS
from wbox_notify.triggers.webhook.signatures import Scheme, scheme

_ANY_TIME = datetime(1999, 12, 30, tzinfo=UTC)
"""No schedule names a date before it."""


def trigger(context: BuildContext, spec: TriggerSpec, location: Location) -> Trigger | None:
    """Return a trigger, or None where it is wrong."""
    if spec.missing is not None:
        return _missing(context, spec.missing, location.at("missing"))
    if spec.schedule is None:
        return _source(context, spec, location)
    schedule = times(context, spec.schedule, location.at("schedule"))
    if schedule is None:
        return None
    return ScheduleTrigger(schedule=schedule, missed=spec.schedule.missed)


def times(context: BuildContext, spec: TimesSpec, location: Location) -> Schedule | None:
    """Return a schedule, or None where it is wrong."""
    before = len(context.problems)
    patterns: list[Pattern] = []
    for index, text in enumerate(spec.at):
        patterns += context.read(parse_times, text, location.at("at", index), "WBX326") or ()
    for index, text in enumerate(spec.cron):
        patterns += _cron(context, text, location.at("cron", index))
    if spec.every:
        every = context.read(parse_every, spec.every, location.at("every"), "WBX326")
        patterns += filter(None, [every])
    _check_move(context, spec, patterns, location)
    if not context.is_right(before):
        return None
    schedule = Schedule(tuple(dict.fromkeys(patterns)), spec.tz or context.settings.tz, spec.skip or Skip())
    if schedule.after(_ANY_TIME) is None:
        # Only one of the three is there, and the steps to the others stay put.
        given = location.at("at", "cron", "every")
        context.report(
            given, "WBX326", "this is never due: `skip` takes out all of its days", "skip fewer days"
        )
        return None
    _warn(context, schedule, location.at("at", "cron", "every"))
    return schedule


def _check_move(context: BuildContext, spec: TimesSpec, patterns: list[Pattern], location: Location) -> None:
    if spec.skip is None or spec.skip.move is None:
        return
    steps = [cron for cron in patterns if isinstance(cron, Cron) and not cron.is_fixed]
    if steps or any(isinstance(pattern, Every) for pattern in patterns):
        hint = "leave out `move`, or write times such as `Mon-Fri 09:00`"
        message = "`move` is for runs at fixed times of day, not for intervals"
        context.report(location.at("skip", "move"), "WBX326", message, hint)


def _warn(context: BuildContext, schedule: Schedule, location: Location) -> None:
    """Warn of dates that are past, and of weeks that nobody chose."""
    now = datetime.now(UTC)
    if schedule.after(now) is None:
        hint = "write a date to come, or remove the rule"
        message = "this is never due again: all of its dates are past"
        context.problems.append(location.warning("WBX352", message, hint))
    for pattern in schedule.patterns:
        if isinstance(pattern, EveryOtherWeek):
            _warn_of_weeks(context, pattern, schedule.zone, location)


def _warn_of_weeks(context: BuildContext, pattern: EveryOtherWeek, zone: tzinfo, location: Location) -> None:
    """Warn where no date says which weeks are meant, or one that comes after the day of its own week."""
    begin = datetime.combine(pattern.start, time(), UTC) - timedelta(days=1)
    if pattern.start == FIRST_WEEK:
        begin = datetime.now(UTC)
    due = pattern.after(begin, zone)
    if due is None:
        return
    first = due.astimezone(zone).date()
    message = Wording(
        "`{times}` does not say in which weeks; the next day is {first}",
        times=pattern.describe(),
        first=first,
    )
    hint = Wording(
        "add `from {first}`, or for the other weeks `from {other}`",
        first=first,
        other=first + timedelta(weeks=1),
    )
    if pattern.start != FIRST_WEEK:
        if first < pattern.start + timedelta(weeks=1):
            return
        message = Wording(
            "`{times}` leaves out the rest of that week; the first day is {first}",
            times=pattern.describe(),
            first=first,
        )
        hint = Wording(
            "write `from {first}`, or for the other weeks `from {other}`",
            first=first,
            other=first - timedelta(weeks=1),
        )
    context.problems.append(location.warning("WBX352", message, hint))


def _cron(context: BuildContext, text: str, location: Location) -> Iterator[Pattern]:
    for pattern in context.read(parse_times, text, location, "WBX326") or ():
        if isinstance(pattern, Cron) and pattern.takes_either_day:
            message = "cron runs this on these days of the month, and also on these days of the week"
            hint = "to require both, write the day of the week as MON#1, or test one of them in `if`"
            context.problems.append(location.warning("WBX352", message, hint))
        yield pattern


def _source(
    context: BuildContext, spec: TriggerSpec | AwaitedSpec, location: Location
) -> FileTrigger | WebhookTrigger | None:
    if spec.webhook is not None:
        return _webhook(context, spec.webhook, location.at("webhook"))
    if spec.file is not None:
        return _file(context, spec.file, location.at("file"))
    return None


def _file(context: BuildContext, spec: FileSpec, location: Location) -> FileTrigger | None:
    before = len(context.problems)
    for index, glob in enumerate(spec.match):
        context.read(path_pattern, glob, location.at("match", index), "WBX309")
    for index, glob in enumerate(spec.ignore):
        context.read(ignore_pattern, glob, location.at("ignore", index), "WBX309")
    root = context.read(
        partial(_root, folder=context.settings.folder), spec.path, location.at("path"), "WBX215"
    )
    if spec.ready is not None:
        context.read(_marker, spec.ready, location.at("ready"), "WBX215")
    targets = {name: _target(context, getattr(spec, name), location.at(name)) for name in TARGETS}
    if root is None or not context.is_right(before):
        return None
    return FileTrigger(
        root=root,
        match=tuple(spec.match),
        ignore=tuple(spec.ignore),
        exact=spec.case == "exact",
        settle=spec.settle,
        poll=spec.poll,
        min_size=spec.min_size,
        ready=spec.ready,
        existing=spec.existing,
        read=reading(spec.read),
        burst=spec.burst,
        **targets,
    )


def reading(spec: ReadSpec) -> Reading:
    """Return how the rows of a file are read."""
    return Reading(
        kind=spec.kind or "",
        encoding=spec.encoding or "",
        delimiter=spec.delimiter or "",
        columns=tuple(spec.columns),
        sheet=spec.sheet or "",
        skip=spec.skip,
        ahead=spec.ahead or YEAR,
    )


def _marker(text: str) -> None:
    bare = MARKED.sub("", text)
    if not text.strip() or "/" in bare or is_template(bare):
        hint = "write it like `{{ file.name }}.ok`"
        raise ConfigError("`ready` is the name of a file beside the other one", hint=hint)


def _target(context: BuildContext, text: str | None, location: Location) -> Target:
    if text is None or text == "leave":
        return None
    if text == "delete":
        return "delete"
    if not text.strip():
        context.report(
            location, "WBX215", Wording("`{key}` is empty", key=location.steps[-1]), "name a folder"
        )
        return None
    return context.template(text, MOVED, location)


def _root(text: str, folder: Path) -> Path:
    if not text.strip():
        raise ConfigError("`path` is empty", hint="name the folder to watch")
    if is_template(text):
        raise ConfigError("`path` cannot be a template", hint="name the folder to watch")
    parts = re.fullmatch(r"([^*?]*/|)([^/]*[*?].*)", text)
    if not parts:
        return as_path(text, folder)
    root = parts[1].rstrip("/") or parts[1] or "."
    hint = Wording('write `path: {root}` and `match: "{match}"`', root=root, match=parts[2])
    raise ConfigError("`path` is a folder, not a pattern", hint=hint)


def _webhook(context: BuildContext, spec: WebhookSpec, location: Location) -> WebhookTrigger | None:
    before = len(context.problems)
    signature = _signature(context, spec, location)
    delivery_id = context.expression(spec.id, CALL, location.at("id"))
    if signature and signature.algorithm and "GET" in spec.methods:
        hint = "use `verify: {scheme: query}` or `{scheme: bearer}`, or leave out GET"
        context.report(location.at("methods"), "WBX328", "a call by GET has no body to be signed", hint)
    if not context.is_right(before):
        return None
    return WebhookTrigger(
        path=spec.path,
        preset=PRESETS[spec.preset],
        scheme=signature,
        id=delivery_id,
        methods=tuple(spec.methods),
        origins=frozenset(spec.cors),
        redirect=spec.redirect,
    )


def _signature(context: BuildContext, spec: WebhookSpec, location: Location) -> Scheme | None:
    """Return how a call is authenticated; None where anybody may call, or where it is wrong."""
    if spec.open:
        for key in spec.model_fields_set & {"secret", "verify"}:
            message = Wording("`open: true` lets anybody call, so `{key}` has no effect", key=key)
            context.report_key(location.at(key), "WBX316", message, "leave one of them out")
        return None
    if not spec.secret:
        hint = "give `secret: NAME`, or `open: true` if that is what you want"
        context.report_key(location, "WBX316", "anybody could call this webhook", hint)
        return None
    values = [
        context.read(context.secrets.find, secret, location.at("secret", index), "WBX324")
        for index, secret in enumerate(spec.secret)
    ]
    # An empty one is refused below: without a scheme the path would be open.
    secrets = [secret for secret in values if secret is not None]
    if len(secrets) < len(spec.secret):
        return None
    name, options = PRESETS[spec.preset].scheme, dict[str, str]()
    if spec.verify:
        name, options = spec.verify.scheme, spec.verify.options()
    try:
        return scheme(name, secrets, options)
    except ConfigError as error:
        context.report(_scheme_fault(str(error), spec, location), "WBX328", problem_of(error), error.hint)
        return None


def _scheme_fault(message: str, spec: WebhookSpec, location: Location) -> Location:
    """Return the location of the option that a message names, else of the scheme itself."""
    if spec.verify:
        options = spec.verify.model_dump(exclude_none=True)
        for word in re.findall("`([a-z_]+)`", message):
            if word in options:
                return location.at("verify", word)
    if "secret" in message:
        return location.at("secret")
    if spec.verify:
        return location.at("verify", "scheme")
    return location.at("preset")


def _missing(context: BuildContext, spec: MissingSpec, location: Location) -> MissingTrigger | None:
    awaited = _source(context, spec.of, location.at("of"))
    given = spec.of.file.model_fields_set if spec.of.file else set()
    for name in (*TARGETS, "read", "burst"):
        if name in given:
            message = Wording("`{name}` has no effect here: this rule does not take the file", name=name)
            context.report_key(location.at("of", "file", name), "WBX210", message)
    conditions = context.expressions(spec.conditions, AWAITED[spec.of.kind], location.at("if"))
    by = times(context, spec.by, location.at("by"))
    if awaited is None or by is None:
        return None
    if isinstance(awaited, FileTrigger) and "min_size" not in given:  # an empty dump is no backup
        awaited = replace(awaited, min_size=1)
    return MissingTrigger(
        of=awaited,
        conditions=conditions,
        by=by,
        window=spec.window,
        repeat=spec.repeat,
        resolved=spec.resolved,
        missed=spec.missed,
    )
