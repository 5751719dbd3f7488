"""Retry: what failed is followed once more, and that alone, by its own rule."""

from functools import partial

from wbox_notify.engine import deliver, escalate, pipeline, rows
from wbox_notify.engine.item import Item
from wbox_notify.engine.rule_run import RuleRun, messages_of
from wbox_notify.engine.state import STATES, GroupState, Notification, QuietState, RemindState, Retry
from wbox_notify.model import reasons
from wbox_notify.model.deliveries import Hold, PlannedMessage
from wbox_notify.model.texts import Wording

_LATER = 60.0
"""Seconds until it is seen again whether what the rule keeps in mind now has been told."""


def wake(run: RuleRun, key: str) -> None:
    """Follow what failed once more; what fails again stands in the queue again."""
    retry = run.recall(Retry, key)
    run.forget(Retry, key)
    if retry:
        origin = key.removesuffix(f":{run.rule.id}:-")
        run.guarded("retry", origin, partial(_follow, run, key, retry), retry)


def follow(run: RuleRun, item: Item, retry: Retry) -> None:
    """Follow what failed about an item that was found again."""
    if retry.do == "tell":
        _tell(run, Notification.of(item), retry)
    else:
        pipeline.go_on(run, retry.stage, [item])


def left(rule: str, retry: Retry) -> PlannedMessage:
    """Return what stands in the queue where a retry finds no rule."""
    return PlannedMessage(
        key=retry.key,
        rule=rule,
        message=None,
        hold=Hold.RULE_GONE,
        facts={"rule": rule},
        again=retry.again(),
    )


def _follow(run: RuleRun, key: str, retry: Retry) -> None:
    match retry.do:
        case "event" if retry.event:
            pipeline.follow_event(run, retry.event)
        case "wake":
            _wake_now(run, retry)
        case "remember":
            _give_back(run, key, retry)
        case "rest":
            rows.rest(run, key, retry)
        case _:
            _follow_item(run, key, retry)


def _follow_item(run: RuleRun, key: str, retry: Retry) -> None:
    if retry.notification:
        _tell(run, retry.notification, retry)
    elif retry.item:
        follow(run, retry.item, retry)
    elif run.rule.reads:
        rows.again(run, key, retry)
    else:
        _find(run, retry)


def _find(run: RuleRun, retry: Retry) -> None:
    """Follow what failed about one of the items of an event."""
    event, place = rows.event_of_retry(retry)
    pipeline.begin(run, event.id)
    item = next((item for item in pipeline.items(run, event) if item.place == place), None)
    run.stage = ""
    if item:
        follow(run, item, retry)
    else:
        detail = Wording("the event has no item number {number} any more", number=place + 1)
        run.decide("retry", "stopped", detail)


def _tell(run: RuleRun, notification: Notification, retry: Retry) -> None:
    reader = run.project.reader(retry.reader)
    before = len(run.messages)
    if retry.step is None:
        number = deliver.tell_again(run, reader, notification, retry)
    else:
        number = escalate.tell_again(run, reader, notification, retry)
    if number:
        run.decide("send", "passed", messages_of(number))
    elif len(run.messages) == before:
        run.decide("send", "stopped", Wording("the rule has no such message any more"))


def _wake_now(run: RuleRun, retry: Retry) -> None:
    """Let what failed when it was due be due now."""
    kind = STATES.get(retry.kind)
    state = run.recall(kind, retry.memory_key) if kind else None
    if state is None:
        run.decide("retry", "stopped", Wording("over: {what}", what=reasons.kind(retry.kind)))
    else:
        run.remember(retry.memory_key, state, run.time)


def _give_back(run: RuleRun, key: str, retry: Retry) -> None:
    """Tell what a person has let go, as if the rule had kept it in mind all the time."""
    state = STATES[retry.kind].from_json(retry.state or {})
    if isinstance(state, QuietState) and state.anyway:
        for notification in state.held:
            step = notification.step
            once_more = Retry(do="tell", notification=notification, reader=retry.memory_key, step=step)
            _tell(run, notification, once_more)
    elif run.recall(type(state), retry.memory_key) is None:
        run.remember(retry.memory_key, state, run.time)
    elif isinstance(state, GroupState):
        pipeline.go_on(run, "send", state.untold)
    elif isinstance(state, RemindState):
        run.decide(RemindState.KIND, "stopped", Wording("the rule has a newer one with this key"))
    else:
        run.remember(key, retry, run.time + _LATER)
