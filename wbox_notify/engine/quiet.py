"""Quiet hours: what a reader is not told now, and what waits for their end."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from wbox_notify.engine import silence, told
from wbox_notify.engine.item import Item
from wbox_notify.engine.notification import about
from wbox_notify.engine.rule_run import RuleRun, text_to
from wbox_notify.engine.state import Notification, QuietState
from wbox_notify.model.texts import Wording
from wbox_notify.rules.recipients import Reader

MOST = 500
"""How much waits for one reader at most; of more the number is told."""
_ENDLESS = timedelta(days=1)
_LEFT_OUT = Wording("… and {number} more of “{rule}” that were left out")


def until(run: RuleRun, reader: Reader) -> datetime | None:
    """Return when the quiet hours end that are now, in the zone of the reader; None outside of them."""
    if run.rule.at_any_hour:
        return None
    zone = reader.zone or run.project.settings.tz
    windows = [reader.quiet_hours]
    if run.rule.quiet_hours:
        windows.append(run.rule.quiet_hours.window)
    ends = []
    for window in windows:
        if window and window.contains(run.now, zone):
            end = window.ends_after(run.now, zone) or run.now + _ENDLESS
            ends.append(end.astimezone(zone))
    return max(ends, default=None)


def holds(run: RuleRun, reader: Reader, notification: Notification, context: Mapping[str, Any]) -> bool:
    """Return whether quiet hours keep a notification from a reader now: it waits, or is dropped."""
    end = until(run, reader)
    if end is None or _is_urgent(run, notification, context):
        return False
    if drops(run):
        drop(run, reader, end)
        told.note(run, reader, notification, heard=False)
    else:
        _hold(run, reader, notification, end)
    return True


def drops(run: RuleRun) -> bool:
    """Return whether the rule drops what it would tell in quiet hours."""
    return run.rule.quiet_hours is not None and run.rule.quiet_hours.then == "drop"


def drop(run: RuleRun, reader: Reader, end: datetime) -> None:
    """Say that a reader is not told, as these are quiet hours until a time."""
    detail = Wording("dropped: quiet hours of {reader} until {end}", reader=reader.name, end=f"{end:%H:%M}")
    run.decide(QuietState.KIND, "stopped", detail)


def is_urgent(run: RuleRun, item: Item) -> bool:
    """Return whether no quiet hours hold an item; not where only its group shows that."""
    unless = run.rule.quiet_hours.unless if run.rule.quiet_hours else None
    if unless is None or "group" in unless.names:
        return False
    notification = Notification.of(item)
    return _is_urgent(run, notification, about(run, notification))


def _is_urgent(run: RuleRun, notification: Notification, context: Mapping[str, Any]) -> bool:
    if run.rule.quiet_hours is None or run.rule.quiet_hours.unless is None:
        return False
    unless = run.rule.quiet_hours.unless
    return any(unless.truth({**context, **run.context(item)}) for item in notification.items)


def _hold(run: RuleRun, reader: Reader, notification: Notification, end: datetime) -> None:
    """Let a notification wait for the end of quiet hours, together with an older one of the same alert."""
    state = run.recall(QuietState, reader.address) or QuietState()
    older, state = state.taken(notification)
    if older:
        notification = older.joined(notification)
    news = told.news(run, reader, notification, waited=older is not None)
    if news is None:
        run.decide(QuietState.KIND, "stopped", told.unknown(reader))
    elif len(state.held) >= MOST:
        state = replace(state, more=state.more + 1, last=news.item)
        detail = Wording(
            "{most} notifications wait for {reader} already; the others are counted",
            most=MOST,
            reader=reader.name,
        )
        run.decide(QuietState.KIND, "stopped", detail)
    else:
        state = replace(state, held=(*state.held, news))
        wait(run, reader, end)
    _keep(run, reader, state)


def wait(run: RuleRun, reader: Reader, end: datetime) -> None:
    """Say that a reader is told at the end of quiet hours."""
    detail = Wording("held until {end} (quiet hours of {reader})", reader=reader.name, end=f"{end:%H:%M}")
    run.decide(QuietState.KIND, "waits", detail)


def take(run: RuleRun, reader: Reader, newer: Notification) -> Notification | None:
    """Return what waits for a reader of the same alert, if anything; it waits no more."""
    older, others = (run.recall(QuietState, reader.address) or QuietState()).taken(newer)
    if older:
        _keep(run, reader, others)
    return older


def _keep(run: RuleRun, reader: Reader, state: QuietState) -> None:
    """Keep what waits for a reader until the end of quiet hours; where there are none any more, until now."""
    if state.waiting:
        end = until(run, reader) or run.now
        run.remember(reader.address, state, end.timestamp())
    else:
        run.forget(QuietState, reader.address)


def say(run: RuleRun, reader: Reader, text: str, origin: str) -> None:
    """Say a text of our own to a reader, after the quiet hours that are now, if any."""
    end = until(run, reader)
    if end is None:
        run.say(text_to(reader, text, run.rule.name), origin, "0")
        return
    state = run.recall(QuietState, reader.address) or QuietState()
    _keep(run, reader, replace(state, notes={**state.notes, origin: text}))
    wait(run, reader, end)


def tell_left_out(run: RuleRun, stage: str, readers: Sequence[Reader], last: Item, number: int) -> None:
    """Tell readers how many items a stage left out, after quiet hours; ``last`` is the last one of them."""
    if silence.is_on(run):
        return
    for reader in readers:
        end = until(run, reader)
        if end is None:
            left_out = _LEFT_OUT.about(number=number, rule=run.rule.name)
            text = left_out.to(reader.lang or run.project.settings.lang)
            message = text_to(reader, text, run.rule.name)
            run.say(message, f"{Notification.of(last).origin}:{stage}:left out", "0")
            detail = Wording("told {reader} that {number} were left out", reader=reader.name, number=number)
            run.decide(stage, "passed", detail)
        elif drops(run):
            drop(run, reader, end)
        else:
            state = run.recall(QuietState, reader.address) or QuietState()
            _keep(run, reader, replace(state, more=state.more + number, last=last))
            wait(run, reader, end)
