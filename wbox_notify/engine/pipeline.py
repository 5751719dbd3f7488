"""The stages through which a rule takes the items of an event."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial

from wbox_notify.engine import burst, deliver, digest, group, rows, throttle
from wbox_notify.engine.item import Item, items_of, moment
from wbox_notify.engine.notification import found_again, single
from wbox_notify.engine.rule_run import RuleRun
from wbox_notify.errors import WboxError
from wbox_notify.model.events import Event
from wbox_notify.rules.triggers import MissingTrigger

Stage = Callable[[RuleRun, Item], None]


def follow_event(run: RuleRun, event: Event) -> None:
    """Take all that an event tells of through the rule."""
    if run.rule.reads:
        rows.begin(run, event)
        return
    begin(run, event.id)
    for item in each(run, event):
        follow(run, item)


def begin(run: RuleRun, event_id: str) -> None:
    """Note which event is followed: a retry finds an item in it again, unless that depends on the time."""
    if not _awaited(run):
        run.event_id = event_id


def follow(run: RuleRun, item: Item) -> None:
    """Take one item through the rule from the beginning."""
    _guarded(run, "if", item, _from_the_beginning)


def go_on(run: RuleRun, stage: str, found: Iterable[Item]) -> None:
    """Take items through the rule from a stage on: ``if``, ``throttle`` or ``send``."""
    for item in found:
        _guarded(run, stage, item, _STAGES[stage])


def _guarded(run: RuleRun, stage: str, item: Item, work: Stage) -> None:
    origin = f"{item.event_id}:{item.place}" if item.place else item.event_id
    again = {**found_again(run, item), "do": "follow", "stage": stage}
    run.guarded(stage, origin, partial(work, run, item), again)


def each(run: RuleRun, event: Event) -> Iterator[Item]:
    """Yield what the rule is to follow of an event, for each item of ``for_each`` one, by their places."""
    for place, item in enumerate(_items(run, event)):
        # Each of thousands of alerts would carry the whole call along, into a memory of its own.
        data = {name: value for name, value in item.data.items() if name not in run.rule.unseen}
        yield replace(item, place=place, data=data)


def _items(run: RuleRun, event: Event) -> Iterator[Item]:
    for item in _told(run, event):
        if run.rule.for_each is None:
            yield item
            continue
        run.stage = "for_each"
        name, expression = run.rule.for_each
        elements = expression.value(run.context(item))
        if not isinstance(elements, list):
            raise WboxError(f"{expression.source} is not a list", hint="for_each takes a list")
        for element in json.loads(json.dumps(elements, default=str)):
            yield replace(item, data={**item.data, name: element}, key=None, status=None)


def _told(run: RuleRun, event: Event) -> Iterator[Item]:
    awaited = _awaited(run)
    if event.type == "missing" and awaited:
        found = _overdue(run, awaited, event)
        yield from [found] if found else []
        return
    if awaited and run.rule in run.project.awaiting(event):
        late = _arrived(run, awaited, event)
        yield from [late] if late else []
    if run.rule in run.project.rules_for(event):
        yield from items_of(run.rule, event)


def _awaited(run: RuleRun) -> MissingTrigger | None:
    return next((one for one in run.rule.triggers if isinstance(one, MissingTrigger)), None)


def _from_the_beginning(run: RuleRun, item: Item) -> None:
    """Take one item through the stages of the rule, as far as it gets."""
    rule = run.rule
    run.stage = "if"
    if not _holds(run, item):
        return
    run.stage = throttle.DEDUPE
    if rule.dedupe and not throttle.is_new(run, rule.dedupe, item):
        return
    trigger = rule.trigger_of(item.data["file"]["path"]) if item.type == "file" else None
    if trigger and trigger.burst:
        run.stage = burst.KIND
        burst.add(run, trigger.burst, str(trigger.root), item)
    else:
        _throttled(run, item)


def _throttled(run: RuleRun, item: Item) -> None:
    rule = run.rule
    run.stage = throttle.THROTTLE
    if rule.throttle and not throttle.passes(run, rule.throttle, item):
        return
    _place(run, item)


def _holds(run: RuleRun, item: Item) -> bool:
    about = run.context(item)
    for number, condition in enumerate(run.rule.conditions):
        if not condition.truth(about):
            seen = ", ".join(f"{name} = {value!r}" for name, value in condition.seen(about).items())
            run.decide("if", "stopped", f"if[{number}] {condition.source} ({seen})")
            return False
    return True


def _place(run: RuleRun, item: Item) -> None:
    """Put an item where the rule wants it: into a group, into a digest, or on its way."""
    if run.rule.group:
        run.stage = group.KIND
        group.add(run, run.rule.group, item)
    elif run.rule.digest:
        run.stage = digest.KIND
        digest.add(run, run.rule.digest, item)
    else:
        run.stage = "send"
        deliver.deliver(run, single(item))


_STAGES: dict[str, Stage] = {"if": _from_the_beginning, "throttle": _throttled, "send": _place}


SEEN, OPEN = "seen", "missing"


def _arrived(run: RuleRun, trigger: MissingTrigger, event: Event) -> Item | None:
    """Note that the awaited came; return what to tell if it was missed and the rule tells its coming."""
    at = min(event.at.timestamp(), run.time)
    run.remember(SEEN, "", {"at": at, "event": event.id})
    missed = run.recall(OPEN, "")
    if missed is None:
        return None
    run.forget(OPEN, "")
    run.decide(OPEN, "passed", f"it came late, at {event.at:%Y-%m-%d %H:%M} UTC")
    if not trigger.resolved:
        return None
    facts = {**missed["facts"], "last_seen": at, "resolved": True}
    return Item(
        event_id=event.id,
        type="missing",
        at=at,
        data={"missing": facts, event.type: event.data} if event.type == "file" else {"missing": facts},
        key=f"missing:{missed['event']}",
        status="resolved",
    )


def _overdue(run: RuleRun, trigger: MissingTrigger, event: Event) -> Item | None:
    """Return what to tell at a nominal time, None if the awaited came in its window."""
    seen = run.recall(SEEN, "")
    by = datetime.fromisoformat(event.data["at"])
    if seen and seen["at"] > by.timestamp() - trigger.window:
        run.decide(OPEN, "stopped", f"it came at {moment(seen['at']):%Y-%m-%d %H:%M} UTC")
        return None
    facts = {
        "by": event.data["at"],
        "window": trigger.window,
        "last_seen": seen["at"] if seen else None,
        "resolved": False,
    }
    run.remember(OPEN, "", {"event": event.id, "facts": facts})
    return Item(
        event_id=event.id,
        type="missing",
        at=event.at.timestamp(),
        data={"missing": facts},
        key=f"missing:{event.id}",
        status="firing",
    )
