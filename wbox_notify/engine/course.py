"""Course: the stages through which a rule takes what an event tells of."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from wbox_notify.engine import burst, deliver, digest, group, missing, rows, throttle
from wbox_notify.engine.item import Subject, subjects
from wbox_notify.engine.notification import found_again, single
from wbox_notify.engine.rule_run import RuleRun
from wbox_notify.errors import WboxError
from wbox_notify.model.events import Event
from wbox_notify.rules.triggers import MissingTrigger

Stage = Callable[[RuleRun, Subject], None]


def run(turn: RuleRun, event: Event) -> None:
    """Take all that an event tells of through the rule."""
    if turn.rule.reads:
        rows.begin(turn, event)
        return
    begin(turn, event.id)
    for subject in each(turn, event):
        follow(turn, subject)


def begin(turn: RuleRun, event_id: str) -> None:
    """Note which event is followed: a retry finds a subject in it again, unless that depends on the time."""
    if not _awaited(turn):
        turn.event_id = event_id


def follow(turn: RuleRun, subject: Subject) -> None:
    """Take one subject through the rule from the beginning."""
    _guarded(turn, "if", subject, _from_the_beginning)


def go_on(turn: RuleRun, stage: str, found: Iterable[Subject]) -> None:
    """Take subjects through the rule from a stage on: ``if``, ``throttle`` or ``send``."""
    for subject in found:
        _guarded(turn, stage, subject, _STAGES[stage])


def _guarded(turn: RuleRun, stage: str, subject: Subject, work: Stage) -> None:
    origin = f"{subject.event_id}:{subject.place}" if subject.place else subject.event_id
    again = {**found_again(turn, subject), "do": "follow", "stage": stage}
    turn.guarded(stage, origin, partial(work, turn, subject), again)


def each(turn: RuleRun, event: Event) -> Iterator[Subject]:
    """Yield what the rule is to follow of an event, for each item of ``for_each`` one, by their places."""
    for place, subject in enumerate(_items(turn, event)):
        # Each of thousands of alerts would carry the whole call along, into a memory of its own.
        data = {name: value for name, value in subject.data.items() if name not in turn.rule.unseen}
        yield replace(subject, place=place, data=data)


def _items(turn: RuleRun, event: Event) -> Iterator[Subject]:
    for subject in _told(turn, event):
        if turn.rule.for_each is None:
            yield subject
            continue
        turn.stage = "for_each"
        name, expression = turn.rule.for_each
        items = expression.value(turn.context(subject))
        if not isinstance(items, list):
            raise WboxError(f"{expression.source} is not a list", hint="for_each takes a list")
        for item in json.loads(json.dumps(items, default=str)):
            yield replace(subject, data={**subject.data, name: item}, key=None, status=None)


def _told(turn: RuleRun, event: Event) -> Iterator[Subject]:
    awaited = _awaited(turn)
    if event.type == "missing" and awaited:
        found = missing.due(turn, awaited, event)
        yield from [found] if found else []
        return
    if awaited and turn.rule in turn.project.awaiting(event):
        late = missing.arrived(turn, awaited, event)
        yield from [late] if late else []
    if turn.rule in turn.project.rules_for(event):
        yield from subjects(turn.rule, event)


def _awaited(turn: RuleRun) -> MissingTrigger | None:
    return next((one for one in turn.rule.triggers if isinstance(one, MissingTrigger)), None)


def _from_the_beginning(turn: RuleRun, subject: Subject) -> None:
    """Take one subject through the stages of the rule, as far as it gets."""
    rule = turn.rule
    turn.stage = "if"
    if not _holds(turn, subject):
        return
    turn.stage = throttle.DEDUPE
    if rule.dedupe and not throttle.is_new(turn, rule.dedupe, subject):
        return
    trigger = rule.trigger_of(subject.data["file"]["path"]) if subject.type == "file" else None
    if trigger and trigger.burst:
        turn.stage = burst.KIND
        burst.add(turn, trigger.burst, str(trigger.root), subject)
    else:
        _throttled(turn, subject)


def _throttled(turn: RuleRun, subject: Subject) -> None:
    rule = turn.rule
    turn.stage = throttle.THROTTLE
    if rule.throttle and not throttle.passes(turn, rule.throttle, subject):
        return
    _place(turn, subject)


def _holds(turn: RuleRun, subject: Subject) -> bool:
    about = turn.context(subject)
    for number, condition in enumerate(turn.rule.conditions):
        if not condition.truth(about):
            seen = ", ".join(f"{name} = {value!r}" for name, value in condition.seen(about).items())
            turn.decide("if", "stopped", f"if[{number}] {condition.source} ({seen})")
            return False
    return True


def _place(turn: RuleRun, subject: Subject) -> None:
    """Put a subject where the rule wants it: into a group, into a digest, or on its way."""
    if turn.rule.group:
        turn.stage = group.KIND
        group.add(turn, turn.rule.group, subject)
    elif turn.rule.digest:
        turn.stage = digest.KIND
        digest.add(turn, turn.rule.digest, subject)
    else:
        turn.stage = "send"
        deliver.deliver(turn, single(subject))


_STAGES: dict[str, Stage] = {"if": _from_the_beginning, "throttle": _throttled, "send": _place}
