"""Status: whether something is in trouble, where the rule says so of events that do not."""

from collections.abc import Mapping
from typing import Any

from wbox_notify.engine.item import Item, key_of, moment
from wbox_notify.engine.rule_run import RuleRun, values_of
from wbox_notify.engine.state import StatusState
from wbox_notify.rules.rule import Status


def follow(run: RuleRun, item: Item) -> Item | None:
    """Return an item with its status as an alert has it; None where it changes nothing.

    In a group, each report of a trouble goes on: the group tells the newest of them when it repeats itself.
    """
    how = run.rule.status
    if how is None:
        return item
    context = run.context(item)
    key = key_of(values_of(how.key, context))
    before = run.recall(StatusState, key)
    state = before or StatusState(since=run.time)
    status = _status(how, context, before)
    if status == "resolved" and before:
        run.forget(StatusState, key)
    elif status == "firing" and (run.rule.group or not before):
        run.remember(key, state)
    else:
        run.decide(StatusState.KIND, "stopped", _unchanged(before))
        return None
    alert = {"status": status, "since": state.since}
    return item._replace(key=f"status:{key}", status=status, data={**item.data, "alert": alert})


def _status(how: Status, context: Mapping[str, Any], before: StatusState | None) -> str:
    """Return the status that an event shows; between the two limits, it is the one from before."""
    if how.firing.truth(context):
        return "firing"
    if how.resolved is None or how.resolved.truth(context) or before is None:
        return "resolved"
    return ""


def _unchanged(before: StatusState | None) -> str:
    if before is None:
        return "not firing, as before"
    return f"firing since {moment(before.since):%Y-%m-%d %H:%M} UTC, as before"
