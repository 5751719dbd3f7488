"""Again: a retry follows what failed, and that alone, by its own rule."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from wbox_notify.engine import deliver, escalate, group, pipeline, rows
from wbox_notify.engine.item import Item
from wbox_notify.engine.notification import Notification, restore, single
from wbox_notify.engine.rule_run import RuleRun, messages_of
from wbox_notify.model.deliveries import AGAIN, Hold, PlannedMessage
from wbox_notify.model.events import event_of

KIND = AGAIN

_LATER = 60.0
"""Seconds until it is seen again whether what the rule keeps in mind now has been told."""

_OF_THE_STORE = ("event", "event_id", "key")
"""What the store adds to the values of a retry: the event that it belongs to, and the key that it had."""


def wake(run: RuleRun, key: str) -> None:
    """Follow what failed once more; what fails again stands in the queue again."""
    value = run.recall(KIND, key)
    run.forget(KIND, key)
    if value:
        work = partial(_follow, run, key, value)
        run.guarded("retry", key.removesuffix(f":{run.rule.id}:-"), work, _bare(value))


def follow(run: RuleRun, item: Item, value: Mapping[str, Any]) -> None:
    """Follow what failed about an item that was found again."""
    if value["do"] == "tell":
        _tell(run, single(item), value)
    else:
        pipeline.go_on(run, value["stage"], [item])


def left(rule: str, value: Mapping[str, Any]) -> PlannedMessage:
    """Return what stands in the queue where a retry finds no rule."""
    facts = {"rule": rule}
    return PlannedMessage(
        key=value["key"], rule=rule, message=None, hold=Hold.RULE_GONE, facts=facts, again=_bare(value)
    )


def _follow(run: RuleRun, key: str, value: Mapping[str, Any]) -> None:
    match value["do"]:
        case "event":
            pipeline.follow_event(run, event_of(value["event"]))
        case "wake":
            _wake_now(run, value)
        case "remember":
            _remember(run, key, value)
        case "rest":
            rows.rest(run, key, value)
        case _ if "occasion" in value:
            _tell(run, restore(run, value["occasion"], value.get("members")), value)
        case _ if "subject" in value:
            follow(run, Item(**value["subject"]), value)
        case _ if run.rule.reads:
            rows.again(run, key, value)
        case _:
            _find(run, value)


def _find(run: RuleRun, value: Mapping[str, Any]) -> None:
    """Follow what failed about one of the items of an event."""
    event, place = event_of(value["event"]), value["place"]
    pipeline.begin(run, event.id)
    item = next((one for one in pipeline.each(run, event) if one.place == place), None)
    run.stage = ""
    if item:
        follow(run, item, value)
    else:
        run.decide("retry", "stopped", f"the rule finds no number {place + 1} in this event any more")


def _tell(run: RuleRun, notification: Notification, value: Mapping[str, Any]) -> None:
    reader = run.project.reader(value["reader"])
    before = len(run.messages)
    teller = escalate.tell_again if "step" in value else deliver.tell_again
    made = teller(run, reader, notification, _bare(value))
    if made:
        run.decide("send", "passed", messages_of(made))
    elif len(run.messages) == before:
        run.decide("send", "stopped", "the rule has no such message any more")


def _wake_now(run: RuleRun, value: Mapping[str, Any]) -> None:
    """Let what failed when it was due be due now."""
    kept = run.recall(value["kind"], value["key_of_memory"])
    if kept is None:
        run.decide("retry", "stopped", f"its {value['kind']} is over")
    else:
        run.remember(value["kind"], value["key_of_memory"], kept, run.time)


def _remember(run: RuleRun, key: str, value: Mapping[str, Any]) -> None:
    """Tell what a person has let go, as if the rule had kept it in mind all the time."""
    kind, place, kept = value["kind"], value["key_of_memory"], value["value"]
    if kind == deliver.QUIET_HOURS and kept.get("anyway"):
        for one in kept["held"]:
            _tell(run, restore(run, one), {"do": "tell", "occasion": one, "reader": place})
    elif run.recall(kind, place) is None:
        run.remember(kind, place, kept, run.time)
    elif kind == group.KIND:
        pipeline.go_on(run, "send", [Item(**one) for one in group.untold(kept)])
    else:
        run.remember(KIND, key, value, run.time + _LATER)


def _bare(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in value.items() if name not in _OF_THE_STORE}
