"""Compile messages, recipients and flow: dedupe, throttle, group, digest, quiet hours, escalation."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from wbox_notify.clients.apprise import is_url
from wbox_notify.config.settings import Settings
from wbox_notify.config.values import as_path
from wbox_notify.config.yaml.document import Location
from wbox_notify.config.yaml.validation import validate
from wbox_notify.errors import ConfigError, MessageError
from wbox_notify.model.addresses import check_public
from wbox_notify.model.messages import KINDS
from wbox_notify.model.phones import is_like_number
from wbox_notify.model.texts import Wording, worded
from wbox_notify.rules.compile.context import BuildContext, is_template
from wbox_notify.rules.compile.triggers import reading, times
from wbox_notify.rules.lending import check_lending
from wbox_notify.rules.models.flow import (
    SendSpec,
    StepSpec,
)
from wbox_notify.rules.models.rules import RuleSpec
from wbox_notify.rules.models.triggers import ReadSpec
from wbox_notify.rules.names import ROWS, Names, Scope, is_free, with_rows
from wbox_notify.rules.recipients import (
    Contact,
    OnCall,
    Outlet,
    People,
    Person,
    distinct,
    number_problems,
    recipient_problem,
)
from wbox_notify.rules.rule import (
    Dedupe,
    Digest,
    Draft,
    ForEach,
    Group,
    QuietHours,
    Remind,
    Status,
    Step,
    Throttle,
    Translations,
)
from wbox_notify.rules.triggers import Table
from wbox_notify.templates import Expression, Template, TemplateError, Templates
from wbox_notify.templates.dates import read_time

_ROWS_ALONE = re.compile(r"\s*(?:\{\{)?\s*file\s*\.\s*\w+\s*(?:\}\})?\s*")
_ANY_PHONE = "905551234567"
_ANY_URL = "https://example.com/"


class RuleFlow:
    """Compiles the flow of a rule: from a list in its event to quiet hours and escalation."""

    def __init__(self, context: BuildContext, spec: RuleSpec, names: Scope, location: Location) -> None:
        self._context, self._spec = context, spec
        self._names, self._location = names, location

    def for_each(self) -> ForEach | None:
        """Return the name of an item and the list of them."""
        for name, text in self._spec.for_each.items():
            key = self._location.at("for_each")
            if any(trigger.file and trigger.file.burst for trigger in self._spec.trigger):
                message = "`burst` counts files, and `for_each` follows their contents"
                self._context.report_key(key, "WBX317", message, "leave one of them out")
            if not is_free(name):
                hint = "call it `row` or `item`: letters from a to z that have no other meaning"
                self._context.report_key(
                    key.at(name), "WBX318", Wording("an item cannot be called `{name}`", name=name), hint
                )
            items = self._context.expression(text, with_rows(self._names.event), key.at(name))
            if items:
                return name, items
        return None

    def reads(self, items: ForEach | None) -> str | None:
        """Return the field of a file, or of a table, that the rule follows row by row, if it does."""
        if items is None:
            return None
        name, expression = items
        if functions := expression.names.keys() & ROWS:
            return min(functions)
        fields = expression.names.get("file", frozenset()) & ROWS
        if not fields:
            return None
        field, location = min(fields), self._location.at("for_each", name)
        if not _ROWS_ALONE.fullmatch(expression.source):
            hint = Wording(
                "write `for_each: {{{name}: file.{field}}}`, and choose rows with `if`",
                name=name,
                field=field,
            )
            self._context.report(
                location, "WBX318", Wording("`file.{field}` must stand alone", field=field), hint
            )
        if any(trigger.file is None for trigger in self._spec.trigger):
            hint = Wording("make every `trigger` of the rule a `file`")
            self._context.report(
                location,
                "WBX318",
                Wording("`file.{field}` needs a file from each trigger", field=field),
                hint,
            )
        return field

    def table(self, items: ForEach | None) -> Table | None:
        """Return the table that the rule reads when it is due, if it does; None where it is wrong."""
        if items is None or not items[1].names.keys() & ROWS:
            return None
        name, expression = items
        context, location, call = self._context, self._location.at("for_each", name), expression.call
        if call is None or len(call.arguments) != 1 or not isinstance(call.arguments[0], str):
            hint = Wording(
                "write `for_each: {{{name}: rows('customers.csv')}}`, and choose rows with `if`", name=name
            )
            message = Wording(
                "`{function}` takes the path of a file, and must stand alone",
                function=min(expression.names.keys() & ROWS),
            )
            context.report(location, "WBX318", message, hint)
            return None
        if any(trigger.schedule is None for trigger in self._spec.trigger):
            message = Wording("`{function}('…')` needs a schedule from each trigger", function=call.name)
            hint = Wording(
                "for files that come, write `trigger: {{file: …}}` and `{{{name}: file.{function}}}`",
                name=name,
                function=call.name,
            )
            context.report(location, "WBX318", message, hint)
        path = context.read(partial(_table_path, context.settings), call.arguments[0], location, "WBX361")
        spec, problems = validate(ReadSpec, dict(call.options), location)
        context.problems += problems
        if path and spec:
            return Table(path=path, reading=reading(spec).of(call.name))
        return None

    def status(self) -> Status | None:
        """Return when a trouble is on; None where that is wrong."""
        spec, location = self._spec.status, self._location.at("status")
        if spec is None:
            return None
        context, names = self._context, self._names
        for name, source in (("alert", Wording("the preset")), ("missing", "`missing`")):
            if name in names.event:
                context.report_key(
                    location,
                    "WBX317",
                    Wording("{source} has a status of its own", source=source),
                    "leave it out",
                )
        if self._spec.for_each and not spec.key:
            message = "`status` needs a `key` with `for_each`: what tells one item from another"
            context.report_key(location, "WBX212", message, "write it like `key: row.id`")
        firing = context.expression(spec.firing, names.item, location.at("firing"))
        resolved = context.expression(spec.resolved, names.item, location.at("resolved"))
        key = context.expressions(spec.key, names.item, location.at("key"))
        if firing is None:
            return None
        return Status(firing, resolved, key)

    def remind(self, items: ForEach | None) -> Remind | None:
        """Return the date of which the rule reminds, and when; None where it is wrong."""
        spec, location = self._spec.remind, self._location.at("remind")
        if spec is None:
            return None
        context, names = self._context, self._names.item
        key, unless = self._of_calendar(items)
        key, unless = spec.key or key, spec.unless or unless
        if not key:
            hint = "write `key: row.id`, or what else stays the same when the date changes"
            context.report_key(location, "WBX211", "`remind` needs a `key`", hint)
        if self._spec.status:
            message = "`status` lets a date that moves not pass"
            hint = "leave out `status`, and write what cancels a reminder as `unless` of `remind`"
            context.report_key(location, "WBX317", message, hint)
        at = context.template(spec.at, names, location.at("at"))
        if not is_template(spec.at):
            context.read(self._literal_date, spec.at, location.at("at"), "WBX215")
        cancels = context.expression(unless, names, location.at("unless"))
        keys = context.expressions(key, names, location.at("key"))
        if at is None:
            return None
        offsets = sorted({*(-before for before in spec.before), *spec.after} or {0.0})
        return Remind(at=at, offsets=tuple(offsets), key=keys, unless=cancels)

    def _of_calendar(self, items: ForEach | None) -> tuple[list[str], str | None]:
        """Return what names an event of a calendar, and what cancels it; nothing for any other item.

        A time of one that recurs is the same whichever zone it is written in.
        """
        if items is None or self.reads(items) != "events":
            return [], None
        name = items[0]
        key = f"[{name}.uid or {name}.summary, {name}.original | default('') | as_timestamp('')]"
        return [key], f"{name}.status == 'CANCELLED'"

    def _literal_date(self, text: str) -> None:
        """Raise ConfigError for a date that cannot be read."""
        settings = self._context.settings
        try:
            read_time(text, settings.tz, settings.lang)
        except TemplateError as error:
            raise ConfigError(error.problem, hint=error.hint) from None

    def dedupe(self) -> Dedupe | None:
        """Return the key of equal events."""
        spec = self._spec.dedupe
        if spec is None:
            return None
        return Dedupe(self._expressions(spec.key, "dedupe", "key"), spec.keep)

    def throttle(self) -> Throttle | None:
        """Return how many events are followed in a time."""
        spec = self._spec.throttle
        if spec is None:
            return None
        key = self._expressions(spec.key, "throttle", "key")
        return Throttle(most=spec.max, per=spec.per, key=key, overflow=spec.overflow)

    def group(self) -> Group | None:
        """Return which events belong together."""
        spec = self._spec.group
        if spec is None:
            return None
        by = self._expressions(spec.by, "group", "by")
        return Group(
            by=by, wait=spec.wait, interval=spec.interval, repeat=spec.repeat, resolved=spec.resolved
        )

    def digest(self) -> Digest | None:
        """Return the times of the digest; None where they are wrong."""
        if self._spec.digest is None:
            return None
        location = self._location.at("digest")
        if self._spec.group is not None:
            message = "`group` and `digest` are two ways to tell of many events in one message"
            self._context.report_key(location, "WBX317", message, "leave one of them out")
        schedule = times(self._context, self._spec.digest, location)
        if schedule is None:
            return None
        return Digest(schedule)

    def quiet_hours(self) -> QuietHours | None:
        """Return the quiet hours; None where they are wrong."""
        spec, location = self._spec.quiet_hours, self._location.at("quiet_hours")
        if spec is None or spec.ignored:
            return None
        if self._spec.priority == "critical":
            message, hint = "these quiet hours hold nothing: the rule is critical", "leave one of them out"
            self._context.problems.append(location.warning("WBX344", message, hint))
        window = self._context.windows.read(spec.window, location.at("window"))
        unless = self._context.expression(spec.unless, self._names.told, location.at("unless"))
        if window is None:
            return None
        return QuietHours(window=window, unless=unless, then=spec.then)

    def at_any_hour(self) -> bool:
        """Return whether no quiet hours hold the messages."""
        quiet = self._spec.quiet_hours
        return self._spec.priority == "critical" or (quiet is not None and quiet.ignored)

    def escalate(self) -> tuple[Step, ...]:
        """Return the steps of the escalation, in the order of their times."""
        location = self._location.at("escalate")
        steps = [self._step(number, spec, location) for number, spec in enumerate(self._spec.escalate)]
        return tuple(sorted(steps, key=lambda step: step.after))

    def _step(self, number: int, spec: StepSpec, steps: Location) -> Step:
        context, names, location = self._context, self._names, steps.at(number)
        unless = context.expression(spec.unless, names.answer, location.at("unless"))
        condition = context.expression(spec.condition, names.answer, location.at("if"))
        to = recipients(context, spec.to, names.answer, location.at("to"))
        before = len(context.problems)
        send = drafts(context, spec.send, names.reminder, location.at("send"))
        translated: Translations = {}
        if context.is_right(before):
            translated = translations(context, spec.send, to, location.at("send"))
        return Step(
            number=number,
            after=spec.after,
            unless=unless,
            condition=condition,
            to=to,
            via=outlets(context, spec.via, location.at("via")),
            send=send,
            translations=translated,
            at_any_hour=spec.quiet_hours == "ignore",
        )

    def _expressions(self, texts: list[str], *path: str) -> tuple[Expression, ...]:
        return self._context.expressions(texts, self._names.followed, self._location.at(*path))


def _table_path(settings: Settings, text: str) -> Path:
    """Return the path of a table; ConfigError where it belongs to the daemon."""
    path = as_path(text, settings.folder)
    if part := settings.own.at(path):
        raise ConfigError(
            Wording("{path} belongs to the daemon ({what}) and is never read", path=path, what=part.what),
            hint="name another file",
        )
    return path


def recipients(
    context: BuildContext, texts: list[str], names: Names, location: Location
) -> tuple[Person | Template, ...]:
    """Return the recipients: people, and templates that name some."""
    people: list[Person] = []
    templates: list[Template] = []
    for index, text in enumerate(texts):
        if not is_template(text):
            people += named(context, text, location.at(index))
        elif template := context.template(text, names, location.at(index)):
            templates.append(template)
    return (*distinct(people), *templates)


def named(context: BuildContext, text: str, location: Location) -> tuple[Person, ...]:
    """Return the people that a text without placeholders names; none where it is wrong."""
    if is_url(text) and not is_like_number(text):
        hint = "name other services under `via`"
        context.report(location, "WBX303", "an address is not a recipient", hint)
        return ()
    try:
        people = context.people.named(text)
    except MessageError as error:
        context.problems.append(recipient_problem(error, location))
        return ()
    context.problems += number_problems(people, location)
    return people


def outlets(context: BuildContext, texts: Sequence[str], location: Location) -> tuple[Outlet, ...]:
    """Return the other services that get a message."""
    return tuple(map(Outlet, context.outlet_names(texts, location)))


class _Source(NamedTuple):
    """A message as the file has it: its kind, its texts and their locations."""

    kind: str
    texts: dict[str, Any]
    locations: dict[str, Location]
    device: int | None

    def compiler(self, templates: Templates, field: str) -> Callable[[str], Template]:
        if self.kind == "template":
            return templates.file
        if field == "start":
            return templates.moment
        return templates.text

    def draft(self, fields: Mapping[str, Any]) -> Draft:
        kind = "text" if self.kind == "template" else self.kind
        return Draft(kind, fields, self.device)


def _sources(context: BuildContext, specs: Sequence[SendSpec], location: Location) -> list[_Source]:
    sources = []
    for index, spec in enumerate(specs):
        kind = spec.kind
        value, at = getattr(spec, kind), location.at(index, kind)
        if isinstance(value, str):
            texts, locations = {"message": value}, {"message": at}
        else:
            texts = {name: text for name, text in value if text is not None}
            locations = {name: at.at(name) for name in texts}
        sources.append(_Source(kind, texts, locations, spec.device or context.settings.device_id))
    return sources


def drafts(
    context: BuildContext, specs: Sequence[SendSpec], names: Names, location: Location
) -> tuple[Draft, ...]:
    """Return the messages of a list, and report the mistakes in them."""
    return tuple(_draft(context, source, names) for source in _sources(context, specs, location))


def _draft(context: BuildContext, source: _Source, names: Names) -> Draft:
    if source.kind != "template":
        _check(context, source)
    fields: dict[str, Any] = {}
    for name, text in source.texts.items():
        location = source.locations[name]
        if isinstance(text, str):
            fields[name] = context.compiled(source.compiler(context.templates, name), text, names, location)
        else:
            parts = [context.template(part, names, location.at(index)) for index, part in enumerate(text)]
            fields[name] = tuple(filter(None, parts))
    return source.draft({name: template for name, template in fields.items() if template})


def translations(
    context: BuildContext, specs: Sequence[SendSpec], to: Iterable[Person | Template], location: Location
) -> Translations:
    """Return right messages once more for each zone and language that some readers have of their own."""
    zone, lang = context.settings.tz, context.settings.lang
    readers = _readers(to, context.people)
    locales = dict.fromkeys((reader.zone or zone, reader.lang or lang) for reader in readers)
    locales.pop((zone, lang), None)
    sources = _sources(context, specs, location)
    translated = {}
    for own_zone, own_lang in locales:
        templates = context.templates_for(own_zone, own_lang)
        messages = []
        for source in sources:
            fields: dict[str, Any] = {}
            for name, text in source.texts.items():
                compiler = source.compiler(templates, name)
                if isinstance(text, str):
                    fields[name] = context.make(compiler, text)
                else:
                    fields[name] = tuple(context.make(compiler, part) for part in text)
            messages.append(source.draft(fields))
        translated[str(own_zone), own_lang] = tuple(messages)
    return translated


def _readers(to: Iterable[Person | Template], people: People) -> Iterable[Contact]:
    """Return all contacts that may get a message."""
    contacts: list[Contact] = []
    for recipient in to:
        if isinstance(recipient, Template):
            return people.contacts.values()
        if isinstance(recipient, OnCall):
            contacts += recipient.rotation
        else:
            contacts.append(recipient)
    return contacts


def _check(context: BuildContext, source: _Source) -> None:
    """Report mistakes that make a message unsendable, whatever the event."""
    fields = {name: _example(name, text) for name, text in source.texts.items()}
    settings, code = context.settings, "WBX311"
    try:
        KINDS[source.kind](phone=_ANY_PHONE, **fields)
        code = "WBX313"
        if "url" in fields:
            check_public(fields["url"], settings.url)
    except MessageError as error:
        location, message = source.locations[error.field], error.problem
        if message.startswith("is "):
            message = Wording("`{key}` {problem}", key=location.steps[-1], problem=worded(message))
        context.report(location, code, message, error.hint)
    if "file" in fields:
        context.read(check_lending, settings, source.locations["file"], "WBX340")


def _example(name: str, text: Any) -> Any:
    """Return a literal text as it is, and for a template something that could come of it."""
    if isinstance(text, list):
        # Poll options have to differ, so that equal templates get their number.
        return tuple(f"{index}: {part}" if is_template(part) else part for index, part in enumerate(text))
    if name == "url" and is_template(text):
        return _ANY_URL
    return text
