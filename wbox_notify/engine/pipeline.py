"""The stages through which a rule takes the items of an event."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from wbox_notify.engine import (
    burst,
    dedupe,
    deliver,
    digest,
    group,
    missing,
    remind,
    rows,
    status,
    throttle,
    told,
)
from wbox_notify.engine.item import Item, items_of
from wbox_notify.engine.notification import found_again
from wbox_notify.engine.rule_run import RuleRun, with_values
from wbox_notify.engine.state import Notification
from wbox_notify.errors import WboxError
from wbox_notify.model.deliveries import Verdict
from wbox_notify.model.events import Event
from wbox_notify.model.texts import Wording
from wbox_notify.rules.names import CALL


def follow_event(run: RuleRun, event: Event) -> None:
    """Take all items of an event through the rule."""
    if run.rule.reads:
        rows.begin(run, event)
        return
    begin(run, event.id)
    reading = remind.begin(run, event)
    for item in items(run, event):
        follow(run, item)
    if not any(decision.outcome == "failed" for decision in run.decisions):
        remind.end(run, event, reading)


def begin(run: RuleRun, event_id: str) -> None:
    """Note which event is followed: a retry finds an item in it again, unless that depends on the time."""
    if not missing.awaited(run) and not run.rule.status:
        run.event_id = event_id


def follow(run: RuleRun, item: Item) -> None:
    """Take one item through all stages of the rule."""
    go_on(run, "if", [item])


def go_on(run: RuleRun, stage: str, items: Iterable[Item]) -> None:
    """Take items through the rule from a stage on."""
    for item in items:
        origin = item.event_id
        if item.place or item.reminder:
            origin = Notification.of(item).origin
        retry = found_again(run, item, stage)
        run.guarded(stage, origin, partial(_pass_on, run, stage, item), retry)


def _pass_on(run: RuleRun, first: str, item: Item) -> None:
    for name, stage in _FROM[first]:
        run.stage = name
        passed = stage(run, item)
        if passed is None:
            return
        item = passed


def _conditions_hold(run: RuleRun, item: Item) -> bool:
    context = run.context(item)
    for number, condition in enumerate(run.rule.conditions):
        holds = condition.truth(context)
        outcome: Verdict = "passed" if holds else "stopped"
        run.decide("if", outcome, f"if[{number}] {with_values(condition, context)}")
        if not holds:
            if item.is_resolved and (run.rule.group or told.is_known(run, item)):
                group.end(run, item)
            return False
    return True


def _in_time(run: RuleRun, item: Item) -> Item | None:
    """Return an item where its rule does not remind; a reminder that is due goes on by itself."""
    reminder = remind.take(run, item)
    if reminder and reminder is not item:
        go_on(run, "dedupe", [reminder])
    return item if reminder is item else None


def _place(run: RuleRun, item: Item) -> None:
    """Put an item where the rule wants it: into a group, into a digest, or on its way."""
    if run.rule.group:
        run.stage = "group"
        group.add(run, run.rule.group, item)
    elif run.rule.digest:
        run.stage = "digest"
        digest.add(run, run.rule.digest, item)
    else:
        deliver.deliver(run, Notification.of(item))


_Stage = Callable[[RuleRun, Item], Item | None]


def _test(passes: Callable[[RuleRun, Item], bool]) -> _Stage:
    """Return the stage that an item passes as it is where a test says yes."""
    return lambda run, item: item if passes(run, item) else None


STAGES: Mapping[str, _Stage] = {
    "if": _test(_conditions_hold),
    "missing": _test(missing.lasts),
    "status": status.follow,
    "remind": _in_time,
    "dedupe": _test(dedupe.is_new),
    "burst": _test(burst.passes),
    "throttle": _test(throttle.passes),
    "send": _place,
}
"""The stages in their order; where one gives nothing, the item goes no further, for now or for good."""


_FROM = {name: [*STAGES.items()][place:] for place, name in enumerate(STAGES)}
"""The stages from each of them on."""


def items(run: RuleRun, event: Event) -> Iterator[Item]:
    """Yield the items of an event that the rule follows, one for each of ``for_each``, by their places."""
    return _each(run, _found(run, event))


def still_missing(run: RuleRun, told: int) -> None:
    """Follow once more what the rule has told to be missing, so many items of it so far."""
    go_on(run, "if", _each(run, missing.wake(run), told))


def _each(run: RuleRun, items: Iterable[Item], first: int = 0) -> Iterator[Item]:
    for place, item in enumerate(_elements(run, items), start=first):
        data = item.data
        if run.rule.unseen:
            # Each of thousands of alerts would carry the whole call along, into a state of its own.
            data = {name: value for name, value in data.items() if name not in run.rule.unseen}
        yield item._replace(place=place, data=data)


def _elements(run: RuleRun, items: Iterable[Item]) -> Iterator[Item]:
    for item in items:
        if run.rule.for_each is None:
            yield item
            continue
        run.stage = "for_each"
        name, expression = run.rule.for_each
        elements = expression.value(run.context(item))
        if not isinstance(elements, list):
            raise WboxError(
                Wording("{source} is not a list", source=expression.source), hint="for_each takes a list"
            )
        for element in json.loads(json.dumps(elements, default=str)):
            yield item._replace(data={**item.data, name: element}, key=None, status=None)
        if not expression.names.keys() & (item.data.keys() - CALL.keys()):
            return  # a list of the whole call is the same for each of its alerts


def _found(run: RuleRun, event: Event) -> Iterator[Item]:
    """Yield what an event tells of, and what it means for something that the rule awaits."""
    awaited = missing.awaited(run)
    if awaited:
        yield from missing.items(run, awaited, event)
    if event.type != "missing" and run.project.sets_off(event, run.rule):
        yield from items_of(run.rule, event)
