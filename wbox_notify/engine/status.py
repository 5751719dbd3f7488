"""Status: whether something is in trouble, where the rule says so of events that do not."""

from collections.abc import Mapping
from typing import Any

from wbox_notify.engine import escalate, told
from wbox_notify.engine.item import Item, key_of
from wbox_notify.engine.rule_run import RuleRun, values_of, with_values
from wbox_notify.engine.state import StatusState
from wbox_notify.model.texts import Wording
from wbox_notify.rules.rule import Status


def follow(run: RuleRun, item: Item) -> Item | None:
    """Return an item with its status as an alert has it; None where it changes nothing.

    In a group, each report of a trouble goes on: the group tells the newest of them when it repeats itself.
    Else one does that nobody heard of, since it was dropped.
    """
    how = run.rule.status
    if how is None:
        return item
    context = run.context(item)
    key = key_of(values_of(how.key, context))
    before = run.recall(StatusState, key)
    status = _status(how, context, before)
    item = item._replace(key=f"status:{key}", status=status)
    _end_untold(run, item)
    if status == "resolved" and before is None:
        detail = Wording("not firing, as before: {values}", values=with_values(how.firing, context))
        run.decide(StatusState.KIND, "stopped", detail)
        return None
    state = before or StatusState(since=run.time)
    if status == "firing":
        run.remember(key, state)
    elif status == "resolved":
        run.forget(StatusState, key)
    alert = {"status": status, "since": state.since}
    item = item._replace(data={**item.data, "alert": alert})
    if before is None or _goes_on(run, item):
        run.decide(StatusState.KIND, "passed", with_values(how.firing, context))
        return item
    detail = Wording("firing since {since}, as before", since=run.clock(state.since))
    if item.is_resolved:
        detail = Wording("resolved before anybody was told of it")
    run.decide(StatusState.KIND, "stopped", detail)
    return None


def _end_untold(run: RuleRun, item: Item) -> None:
    """End an escalation that has begun though nobody could be told."""
    if item.is_resolved and not told.is_heard_alone(run, item):
        escalate.end(run, item.identity)


def _goes_on(run: RuleRun, item: Item) -> bool:
    """Return whether a rule goes on with what it is told of a trouble that has begun."""
    if run.rule.group and item.status:
        return True
    if item.status == "firing":
        return not told.is_heard(run, item)
    return item.is_resolved and told.is_heard(run, item)


def _status(how: Status, context: Mapping[str, Any], before: StatusState | None) -> str | None:
    """Return the status that an event shows; None between the two limits, where it is the one from before."""
    if how.firing.truth(context):
        return "firing"
    if how.resolved is None or how.resolved.truth(context) or before is None:
        return "resolved"
    return None
