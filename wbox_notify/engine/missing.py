"""Missing: what did not come in time is one trouble, from the first missed deadline until it comes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from wbox_notify.engine import group, told
from wbox_notify.engine.item import Item
from wbox_notify.engine.rule_run import RuleRun, with_values
from wbox_notify.engine.state import MissingState, SeenState
from wbox_notify.model.events import Event
from wbox_notify.model.texts import Wording
from wbox_notify.rules.triggers import MissingTrigger


def awaited(run: RuleRun) -> MissingTrigger | None:
    """Return what the rule awaits, if it awaits anything."""
    return next((trigger for trigger in run.rule.triggers if isinstance(trigger, MissingTrigger)), None)


def items(run: RuleRun, trigger: MissingTrigger, event: Event) -> Iterator[Item]:
    """Yield what an event means for what the rule awaits: that it did not come, or came late."""
    if event.type == "missing":
        yield from _overdue(run, trigger, event)
    elif run.rule in run.project.awaiting(event) and _counts(run, trigger, event):
        yield from _arrived(run, trigger, event)


def _overdue(run: RuleRun, trigger: MissingTrigger, event: Event) -> Iterator[Item]:
    """Yield what to tell at a deadline: nothing if the awaited came, or if it was told that it did not."""
    seen = run.recall(SeenState, "")
    by = datetime.fromisoformat(event.data["at"])
    if seen and seen.at >= by.timestamp() - trigger.window:
        detail = Wording("it came at {at}", at=run.clock(seen.at))
        run.decide(MissingState.KIND, "stopped", detail)
        return
    state = run.recall(MissingState, "")
    if state is None:
        facts = {
            "by": event.data["at"],
            "window": trigger.window,
            "last_seen": seen.at if seen else None,
            "resolved": False,
        }
        state = MissingState(event=event.id, facts=facts, told=0)
        run.remember("", state)
    item = _item(state, event.id)
    if state.told and told.is_heard(run, item):
        detail = Wording("told already that it did not come by {by}", by=run.clock(item.at))
        run.decide(MissingState.KIND, "stopped", detail)
    else:
        yield item


def _counts(run: RuleRun, trigger: MissingTrigger, event: Event) -> bool:
    """Return whether what came is what the rule awaits: a job that failed may not be."""
    data = event.data if event.type == "webhook" else {event.type: event.data}
    item = Item(event_id=event.id, type=event.type, at=event.at.timestamp(), data=data)
    context = run.context(item)
    for number, condition in enumerate(trigger.conditions):
        if not condition.truth(context):
            run.decide(MissingState.KIND, "stopped", f"if[{number}] {with_values(condition, context)}")
            return False
    return True


def _arrived(run: RuleRun, trigger: MissingTrigger, event: Event) -> Iterator[Item]:
    """Note that the awaited came; yield what to tell if it was missed and the rule tells its coming."""
    at = min(event.at.timestamp(), run.time)
    run.remember("", SeenState(at=at, event=event.id))
    state = run.recall(MissingState, "")
    if state is None:
        detail = Wording("it came at {at}", at=run.clock(at))
        run.decide(MissingState.KIND, "stopped", detail)
        return
    run.forget(MissingState, "")
    detail = Wording("it came late, at {at}", at=run.clock(event.at.timestamp()))
    run.decide(MissingState.KIND, "passed", detail)
    data = {"missing": {**state.facts, "last_seen": at, "resolved": True}}
    if event.type == "file":
        data["file"] = dict(event.data)
    item = _item(state, event.id)._replace(at=at, data=data, status="resolved")
    if state.told and trigger.resolved:
        yield item
    elif state.told:
        group.end(run, item)


def _item(state: MissingState, event_id: str) -> Item:
    return Item(
        event_id=event_id,
        type=MissingState.KIND,
        at=datetime.fromisoformat(state.facts["by"]).timestamp(),
        data={"missing": state.facts},
        key=_key(state),
        status="firing",
    )


def _key(state: MissingState) -> str:
    return f"missing:{state.event}"


def lasts(run: RuleRun, item: Item) -> bool:
    """Return whether what an item says to be missing still is; if so, the rule has told of it now."""
    missing = item.data.get("missing")
    if missing is None or missing["resolved"]:
        return True
    state = run.recall(MissingState, "")
    if state is None:
        run.decide(MissingState.KIND, "stopped", Wording("it has come meanwhile"))
        return False
    run.remember("", replace(state, told=max(state.told, item.place + 1)), next_time(run))
    return True


def next_time(run: RuleRun) -> float | None:
    """Return when the rule tells once more of what it tells of now; None for never."""
    trigger = awaited(run)
    if trigger is None or trigger.repeat is None:
        return None
    return run.time + trigger.repeat


def wake(run: RuleRun) -> Iterator[Item]:
    """Yield what is still missing, to be told once more; nothing if the rule does not repeat it any more."""
    state, due = run.recall(MissingState, ""), next_time(run)
    if state is None:
        return
    run.remember("", state, due)
    if due is not None:
        yield _item(state, state.event)
