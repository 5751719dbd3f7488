"""Again: a retry follows what failed, and that alone, by its own rule."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from wbox_notify.engine import course, deliver, escalate, group, quiet_hours, rows
from wbox_notify.engine.item import Subject
from wbox_notify.engine.notification import Notification, restore, single
from wbox_notify.engine.rule_run import RuleRun, messages_of
from wbox_notify.model.deliveries import AGAIN, PlannedMessage
from wbox_notify.model.events import event_of

KIND = AGAIN

_LATER = 60.0
"""Seconds until it is seen again whether what the rule keeps in mind now has been told."""

_OF_THE_STORE = ("event", "event_id", "key")
"""What the store adds to the values of a retry: the event that it belongs to, and the key that it had."""


def wake(turn: RuleRun, key: str) -> None:
    """Follow what failed once more; what fails again stands in the queue again."""
    value = turn.recall(KIND, key)
    turn.forget(KIND, key)
    if value:
        work = partial(_follow, turn, key, value)
        turn.guarded("retry", key.removesuffix(f":{turn.rule.id}:-"), work, _bare(value))


def follow(turn: RuleRun, subject: Subject, value: Mapping[str, Any]) -> None:
    """Follow what failed about a subject that was found again."""
    if value["do"] == "tell":
        _tell(turn, single(subject), value)
    else:
        course.go_on(turn, value["stage"], [subject])


def left(rule: str, value: Mapping[str, Any], why: str) -> PlannedMessage:
    """Return what stands in the queue where a retry finds no rule."""
    held = f"{why}: put it back, then `queue retry`; `queue drop` forgets this"
    return PlannedMessage(key=value["key"], rule=rule, message=None, held=held, again=_bare(value))


def _follow(turn: RuleRun, key: str, value: Mapping[str, Any]) -> None:
    match value["do"]:
        case "event":
            course.run(turn, event_of(value["event"]))
        case "wake":
            _wake_now(turn, value)
        case "remember":
            _remember(turn, key, value)
        case "rest":
            rows.rest(turn, key, value)
        case _ if "occasion" in value:
            _tell(turn, restore(turn, value["occasion"], value.get("members")), value)
        case _ if "subject" in value:
            follow(turn, Subject(**value["subject"]), value)
        case _ if turn.rule.reads:
            rows.again(turn, key, value)
        case _:
            _find(turn, value)


def _find(turn: RuleRun, value: Mapping[str, Any]) -> None:
    """Follow what failed about one of the subjects of an event."""
    event, place = event_of(value["event"]), value["place"]
    course.begin(turn, event.id)
    subject = next((one for one in course.each(turn, event) if one.place == place), None)
    turn.stage = ""
    if subject:
        follow(turn, subject, value)
    else:
        turn.decide("retry", "stopped", f"the rule finds no number {place + 1} in this event any more")


def _tell(turn: RuleRun, occasion: Notification, value: Mapping[str, Any]) -> None:
    reader = turn.project.reader(value["reader"])
    before = len(turn.messages)
    teller = escalate.tell_again if "step" in value else deliver.tell_again
    made = teller(turn, reader, occasion, _bare(value))
    if made:
        turn.decide("send", "passed", messages_of(made))
    elif len(turn.messages) == before:
        turn.decide("send", "stopped", "the rule has no such message any more")


def _wake_now(turn: RuleRun, value: Mapping[str, Any]) -> None:
    """Let what failed when it was due be due now."""
    kept = turn.recall(value["kind"], value["key_of_memory"])
    if kept is None:
        turn.decide("retry", "stopped", f"its {value['kind']} is over")
    else:
        turn.remember(value["kind"], value["key_of_memory"], kept, turn.time)


def _remember(turn: RuleRun, key: str, value: Mapping[str, Any]) -> None:
    """Tell what a person has let go, as if the rule had kept it in mind all the time."""
    kind, place, kept = value["kind"], value["key_of_memory"], value["value"]
    if kind == quiet_hours.KIND and kept.get("anyway"):
        for one in kept["held"]:
            _tell(turn, restore(turn, one), {"do": "tell", "occasion": one, "reader": place})
    elif turn.recall(kind, place) is None:
        turn.remember(kind, place, kept, turn.time)
    elif kind == group.KIND:
        course.go_on(turn, "send", [Subject(**one) for one in group.untold(kept)])
    else:
        turn.remember(KIND, key, value, turn.time + _LATER)


def _bare(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in value.items() if name not in _OF_THE_STORE}
