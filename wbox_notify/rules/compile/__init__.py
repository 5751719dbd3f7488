"""Compile a rule: from its model to a rule that can run, with all problems in it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Any

from wbox_notify.clients.apprise import name_of
from wbox_notify.config.yaml.document import Location
from wbox_notify.model.deliveries import SendOptions
from wbox_notify.rules.compile import flow
from wbox_notify.rules.compile.context import BuildContext
from wbox_notify.rules.compile.triggers import trigger
from wbox_notify.rules.models.rules import RuleSpec
from wbox_notify.rules.models.tests import ExpectSpec, GivenSpec, RuleTestSpec
from wbox_notify.rules.names import columns, has_links, headers, needs, scope, unseen
from wbox_notify.rules.rule import Given, Rule, RuleTest, Step
from wbox_notify.rules.triggers import FileTrigger, MissingTrigger, ScheduleTrigger, Trigger
from wbox_notify.templates import Expression, Template

__all__ = ["BuildContext", "build", "parts"]


def build(context: BuildContext, spec: RuleSpec, location: Location) -> Rule | None:
    """Return the rule, or None where something is wrong in it."""
    before = len(context.problems)
    names = scope(spec)
    triggers: list[Trigger] = []
    for index, part in enumerate(spec.trigger):
        compiled = trigger(context, part, location.at("trigger", index))
        if compiled:
            triggers.append(compiled)
    to = flow.recipients(context, spec.to, names.told, location.at("to"))
    zone = _zone(triggers, context.settings.tz)
    rule_flow = flow.RuleFlow(context, spec, names, location)
    items = rule_flow.for_each()
    rule = Rule(
        id=spec.id,
        name=spec.name or spec.id,
        triggers=tuple(triggers),
        for_each=items,
        reads=rule_flow.reads(items),
        table=rule_flow.table(items),
        conditions=context.expressions(spec.conditions, names.item, location.at("if")),
        status=rule_flow.status(),
        remind=rule_flow.remind(items),
        dedupe=rule_flow.dedupe(),
        throttle=rule_flow.throttle(),
        group=rule_flow.group(),
        digest=rule_flow.digest(),
        quiet_hours=rule_flow.quiet_hours(),
        at_any_hour=rule_flow.at_any_hour(),
        to=to,
        via=flow.outlets(context, spec.via, location.at("via")),
        fallback=context.outlet_names(spec.fallback, location.at("fallback")),
        send=flow.drafts(context, spec.send, names.sent, location.at("send")),
        escalate=rule_flow.escalate(),
        terms=SendOptions(
            critical=spec.priority == "critical",
            expire_after=spec.expire_after,
            on_unknown=spec.on_unknown,
        ),
        tests=tuple(
            _rule_test(context, part, zone, location.at("tests", i)) for i, part in enumerate(spec.tests)
        ),
        file=location.document.source.file,
        line=location.place.line,
        location=location,
    )
    if not context.is_right(before):
        return None
    return _completed(context, spec, rule)


def _completed(context: BuildContext, spec: RuleSpec, rule: Rule) -> Rule:
    """Return a right rule with all that follows from its parts."""
    uses = list(parts(rule))
    items = [rule.for_each[1]] if rule.for_each else []
    follows: dict[str, Any] = {
        "translations": flow.translations(context, spec.send, rule.to, rule.location.at("send")),
        "has_links": has_links(uses),
    }
    if rule.for_each and rule.reads == "rows":
        follows["columns"] = columns(uses, rule.for_each[0])
    if any(isinstance(source, FileTrigger) for source in rule.sources()):
        follows["needs"] = needs([*items, *uses])
    hooks = list(rule.hooks())
    if hooks:
        ids = [hook.id for hook in hooks if hook.id]
        follows |= {"unseen": unseen(uses), "headers": headers([*items, *uses, *ids])}
    return replace(rule, **follows)


def parts(rule: Rule) -> Iterator[Expression | Template]:
    """Yield the expressions and templates of a rule, but for the list of ``for_each``."""
    yield from _conditions(rule)
    if rule.status:
        yield from filter(None, (rule.status.firing, rule.status.resolved, *rule.status.key))
    if rule.remind:
        yield rule.remind.at
        yield from rule.remind.key
        yield from filter(None, [rule.remind.unless])
    if rule.dedupe:
        yield from rule.dedupe.key
    if rule.throttle:
        yield from rule.throttle.key
    if rule.group:
        yield from rule.group.by
    if rule.quiet_hours and rule.quiet_hours.unless:
        yield rule.quiet_hours.unless
    yield from _message_parts(rule)
    for step in rule.escalate:
        yield from filter(None, (step.unless, step.condition))
        yield from _message_parts(step)


def _conditions(rule: Rule) -> Iterator[Expression]:
    """Yield the conditions of a rule, and those of what it awaits."""
    yield from rule.conditions
    for awaited in rule.triggers:
        if isinstance(awaited, MissingTrigger):
            yield from awaited.conditions


def _message_parts(part: Rule | Step) -> Iterator[Template]:
    """Yield the templates of recipients and messages."""
    for recipient in part.to:
        if isinstance(recipient, Template):
            yield recipient
    for draft in part.send:
        yield from draft.templates()


def _zone(triggers: Iterable[Trigger], default: tzinfo) -> tzinfo:
    """Return the zone of the times in a rule's tests: that of its schedule, else that of the project."""
    for timed in triggers:
        if isinstance(timed, ScheduleTrigger):
            return timed.schedule.zone
        if isinstance(timed, MissingTrigger):
            return timed.by.zone
    return default


def _rule_test(context: BuildContext, spec: RuleTestSpec, zone: tzinfo, location: Location) -> RuleTest:
    """Return a test of a rule; ``zone`` is where its times are."""
    for index, message in enumerate(spec.expect):
        if message.to is not None:
            flow.named(context, message.to, location.at("expect", index, "to"))
    return RuleTest(
        name=spec.name,
        when=tuple(_given(part, zone) for part in spec.when),
        expect=tuple(_expected(part, zone) for part in spec.expect),
        skipped=spec.skipped,
        until=spec.until,
        next_runs_from=spec.next_runs_from and _in(spec.next_runs_from, zone),
        next_runs=tuple(_in(run, zone) for run in spec.next_runs),
        line=location.place.line,
    )


def _given(spec: GivenSpec, zone: tzinfo) -> Given:
    facts = spec.file or spec.webhook
    data = facts.model_dump(exclude_unset=True) if facts else {}
    if spec.file and spec.file.mtime:
        data["mtime"] = _in(spec.file.mtime, zone).timestamp()
    return Given(
        kind=spec.kind,
        data=data,
        at=spec.at and _in(spec.at, zone),
        after=(spec.after or 0.0) + (spec.wait or 0.0),
        api_down=bool(spec.api_down),
    )


def _expected(spec: ExpectSpec, zone: tzinfo) -> dict[str, Any]:
    message = spec.model_dump(exclude_unset=True, exclude_none=True)
    if spec.via:
        message["via"] = name_of(spec.via)
    if spec.at:
        message["at"] = _in(spec.at, zone)
    return message


def _in(written: datetime, zone: tzinfo) -> datetime:
    """Return a time in the zone that it is written with, else in the given one."""
    if written.tzinfo:
        return written
    return written.replace(tzinfo=zone)
