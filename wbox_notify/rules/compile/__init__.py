"""Compile a rule: from its model to a rule that can run, with all problems in it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Any

from wbox_notify.clients.apprise import name_of
from wbox_notify.config.yaml.document import Location
from wbox_notify.model.terms import SendOptions
from wbox_notify.rules.compile import flow
from wbox_notify.rules.compile.context import BuildContext
from wbox_notify.rules.compile.flow import drafts, named, readers, translations
from wbox_notify.rules.compile.triggers import trigger
from wbox_notify.rules.models import RuleSpec
from wbox_notify.rules.models.tests import INPUTS, ExpectSpec, GivenSpec, TrialSpec
from wbox_notify.rules.names import headers, needs, scope, unseen
from wbox_notify.rules.rule import Draft, Given, Rule, RuleTest
from wbox_notify.rules.triggers import FileTrigger, MissingTrigger, ScheduleTrigger, Trigger, WebhookTrigger
from wbox_notify.templates import Expression, Template

__all__ = ["BuildContext", "build"]


def build(shop: BuildContext, spec: RuleSpec, spot: Location) -> Rule | None:
    """Return the rule, or None where something is wrong in it."""
    before = len(shop.problems)
    offered = scope(spec)
    found = [trigger(shop, one, spot.at("trigger").at(at)) for at, one in enumerate(spec.trigger)]
    triggers = tuple(one for one in found if one is not None)
    to = flow.recipients(shop, spec.to, offered.told, spot.at("to"))
    zone = zone_of(triggers, shop.settings.tz)
    each = flow.for_each(shop, spec, offered, spot.at("for_each"))
    rule = Rule(
        id=spec.id,
        name=spec.name or spec.id,
        triggers=triggers,
        for_each=each,
        reads=flow.reads(shop, spec, each, spot.at("for_each")),
        conditions=shop.expressions(spec.conditions, offered.item, spot.at("if")),
        dedupe=flow.dedupe(shop, spec.dedupe, offered, spot.at("dedupe")),
        throttle=flow.throttle(shop, spec.throttle, offered, spot.at("throttle")),
        group=flow.group(shop, spec.group, offered, spot.at("group")),
        digest=flow.digest(shop, spec, spot.at("digest")),
        quiet_hours=flow.quiet_hours(shop, spec.quiet_hours, offered, spot.at("quiet_hours")),
        to=to,
        via=flow.outlets(shop, spec.via, spot.at("via")),
        fallback=shop.outlet_names(spec.fallback, spot.at("fallback")),
        send=drafts(shop, spec.send, offered.sent, spot.at("send")),
        escalate=tuple(
            flow.step(shop, one, offered, spot.at("escalate").at(at)) for at, one in enumerate(spec.escalate)
        ),
        terms=SendOptions(
            critical=spec.priority == "critical",
            expire_after=spec.expire_after,
            on_unknown=spec.on_unknown,
        ),
        tests=tuple(trial(shop, one, zone, spot.at("tests", at)) for at, one in enumerate(spec.tests)),
        file=spot.document.source.file,
        line=spot.place.line,
        spot=spot,
    )
    return _finished(shop, spec, rule) if shop.is_right(before) else None


def _finished(shop: BuildContext, spec: RuleSpec, rule: Rule) -> Rule:
    """Return a right rule with what follows from its parts."""
    watches = any(isinstance(source, FileTrigger) for source in rule.sources())
    hooks = [source for source in rule.sources() if isinstance(source, WebhookTrigger)]
    ids = [hook.id for hook in hooks if hook.id]
    each = rule.for_each[1] if rule.for_each else None
    kept = [part for part in _parts(rule) if part is not each]
    return replace(
        rule,
        unseen=unseen(kept) if hooks else frozenset(),
        translations=translations(shop, spec.send, readers(rule.to, shop.people), rule.spot.at("send")),
        needs=needs(_parts(rule)) if watches else frozenset(),
        headers=headers((*_parts(rule), *ids)) if hooks else frozenset(),
    )


def _parts(rule: Rule) -> Iterator[Expression | Template]:
    """Yield all expressions and templates of a rule."""
    yield from rule.conditions
    if rule.for_each:
        yield rule.for_each[1]
    yield from rule.dedupe.key if rule.dedupe else ()
    yield from rule.throttle.key if rule.throttle else ()
    yield from rule.group.by if rule.group else ()
    yield from _told(rule.to, rule.send, rule.quiet_hours.unless if rule.quiet_hours else None)
    for step in rule.escalate:
        yield from _told(step.to, step.send, step.unless, step.condition)


def _told(
    to: Iterable[object], send: Iterable[Draft], *expressions: Expression | None
) -> Iterator[Expression | Template]:
    yield from filter(None, expressions)
    yield from (one for one in to if isinstance(one, Template))
    for draft in send:
        yield from draft.templates()


def zone_of(triggers: Iterable[Trigger | None], zone: tzinfo) -> tzinfo:
    """Return where the times of a rule's tests are: where its schedule is, else in the project's zone."""
    for timed in triggers:
        if isinstance(timed, ScheduleTrigger):
            return timed.schedule.zone
        if isinstance(timed, MissingTrigger):
            return timed.by.zone
    return zone


def trial(shop: BuildContext, spec: TrialSpec, zone: tzinfo, spot: Location) -> RuleTest:
    """Return a test of a rule; ``zone`` is where its times are."""
    for index, one in enumerate(spec.expect):
        if one.to is not None:
            named(shop, one.to, spot.at("expect").at(index).at("to"))
    return RuleTest(
        name=spec.name,
        when=tuple(_given(one, zone) for one in spec.when),
        expect=tuple(_expected(one, zone) for one in spec.expect),
        skipped=spec.skipped,
        until=spec.until,
        next_runs_from=_moment(spec.next_runs_from, zone),
        next_runs=tuple(_in(run, zone) for run in spec.next_runs),
        line=spot.place.line,
    )


def _given(spec: GivenSpec, zone: tzinfo) -> Given:
    kind = next(kind for kind in INPUTS if getattr(spec, kind) is not None)
    facts = spec.file or spec.webhook
    data = facts.model_dump(exclude_unset=True) if facts else {}
    if spec.file and spec.file.mtime:
        data["mtime"] = _in(spec.file.mtime, zone).timestamp()
    after = (spec.after or 0.0) + (spec.wait or 0.0)
    at = _moment(spec.at, zone)
    return Given(kind=kind, data=data, at=at, after=after, api_down=bool(spec.api_down))


def _expected(spec: ExpectSpec, zone: tzinfo) -> dict[str, Any]:
    data = spec.model_dump(exclude_unset=True, exclude_none=True)
    data |= {"via": name_of(spec.via)} if spec.via else {}
    return data | ({"at": _in(spec.at, zone)} if spec.at else {})


def _moment(written: datetime | None, zone: tzinfo) -> datetime | None:
    return _in(written, zone) if written else None


def _in(written: datetime, zone: tzinfo) -> datetime:
    """Return a time with the zone that it is written with, else with the one given."""
    return written if written.tzinfo else written.replace(tzinfo=zone)
