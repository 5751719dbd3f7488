"""Trials: from the shape of a rule's tests to what the engine is asked."""

from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import Any

from wbox_notify.clients.apprise import name_of
from wbox_notify.config.yaml.document import Location
from wbox_notify.rules.compile.context import BuildContext
from wbox_notify.rules.compile.flow import named
from wbox_notify.rules.models.tests import INPUTS, ExpectSpec, GivenSpec, TrialSpec
from wbox_notify.rules.rule import Given, MissingTrigger, RuleTest, ScheduleTrigger, Trigger


def zone_of(triggers: Iterable[Trigger | None], zone: tzinfo) -> tzinfo:
    """Return where the times of a rule's tests are: where its schedule is, else in the project's zone."""
    for trigger in triggers:
        if isinstance(trigger, ScheduleTrigger):
            return trigger.schedule.zone
        if isinstance(trigger, MissingTrigger):
            return trigger.by.zone
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
