"""Reminders: what a rule follows waits until some time before or after its date."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import PurePath
from typing import Any

from wbox_notify.engine.item import Item, key_of, moment
from wbox_notify.engine.rule_run import RuleRun, values_of
from wbox_notify.engine.state import Notification, RemindState, Retry, TableState, state_of
from wbox_notify.errors import WboxError
from wbox_notify.model.deliveries import Memory, SendOptions
from wbox_notify.model.events import Event
from wbox_notify.model.texts import Wording
from wbox_notify.rules.rule import Remind
from wbox_notify.templates.dates import local, read_time

KINDS = (RemindState.KIND, TableState.KIND)
"""The kinds of memory that say which reminders are to come."""

_DAY = 86400.0
_KEPT = 400 * _DAY
"""Seconds for which it is known that a table was read; those of many names would never end otherwise."""

_YEARS = range(1000, 9000)
"""The years of dates that are waited for; others stand for no date, such as 9999-12-31."""

_NONE = -1e12
"""The time of no date, before all of these years."""

_LATE = 3600.0
"""Seconds for which a time that was past when the date came is still told, as if the date had come before."""


def take(run: RuleRun, item: Item) -> Item | None:
    """Let an item wait for its times, in the place of an older one with its key.

    Returns:
        The item itself where the rule does not remind, or as the reminder that is due at once, if one is.
    """
    how = run.rule.remind
    if how is None:
        return item
    context = run.context(item)
    key = _key(how, context)
    older = run.recall(RemindState, key) or RemindState(item=item, at=_NONE)
    if item.is_resolved or (how.unless and how.unless.truth(context)):
        _cancel(run, key, older)
        return None
    at = _date(run, how, context)
    left = _left(run, how, at, older)
    if not left:
        _leave_out(run, key, at, older)
        return None
    source = _source(run, item.type, item.data.get("file", {}))
    table = run.recall(TableState, source) or TableState()
    state = RemindState(
        item=item, at=at.timestamp(), left=left, source=source, reading=table.begun, told=older.told
    )
    if older.at not in {_NONE, state.at}:
        _check_key(state, older)
        detail = Wording("moved from {at}", at=f"{_local(run, older):%Y-%m-%d %H:%M}")
        run.decide(RemindState.KIND, "passed", detail)
    return _release(run, key, state)


def cancel(run: RuleRun, key: str) -> None:
    """Let a person cancel what is to come of a date, also where its event comes again."""
    state = run.recall(RemindState, key)
    _cancel(run, key, state)
    if state and state.left:
        state = replace(state, left=(), dropped=True)
        run.remember(key, state, _next(run, _local(run, state), state))


def wake(run: RuleRun, key: str) -> Sequence[Item]:
    """Return the reminder that is due, if there is still something to be reminded of."""
    state = run.recall(RemindState, key)
    reminder = None
    if state is None or not state.left:
        run.forget(RemindState, key)
    elif state.is_gone(run.recall(TableState, state.source)):
        run.forget(RemindState, key)
        detail = Wording("{file} does not have it any more", file=PurePath(state.source).name)
        run.decide(RemindState.KIND, "stopped", detail)
    else:
        reminder = _release(run, key, state)
    return [reminder] if reminder else []


def is_past(run: RuleRun, item: Item) -> bool:
    """Return whether an item is a reminder of a date that was ahead, and is past now."""
    return bool(item.reminder) and item.data["remind"]["before"] > 0 and run.time >= item.data["remind"]["at"]


def terms(run: RuleRun, item: Item) -> SendOptions:
    """Return how the messages of an item are sent: those of a reminder are not worth it after its date."""
    if not item.reminder or item.data["remind"]["before"] <= 0 or is_past(run, item):
        return run.rule.terms
    left = item.data["remind"]["at"] - run.time
    return replace(run.rule.terms, expire_after=min(run.rule.terms.expire_after, left))


def waiting(memories: Iterable[Memory]) -> list[tuple[Memory, RemindState]]:
    """Return the reminders that are to come, the next one first, of all memories of ``KINDS``."""
    tables: dict[tuple[str, str], TableState] = {}
    reminders: list[tuple[Memory, RemindState]] = []
    for memory in memories:
        state = state_of(memory)
        if isinstance(state, TableState):
            tables[memory.rule, memory.key] = state
        elif isinstance(state, RemindState):
            reminders.append((memory, state))
    return sorted(
        (
            (memory, state)
            for memory, state in reminders
            if state.waiting and not state.is_gone(tables.get((memory.rule, state.source)))
        ),
        key=lambda reminder: (reminder[0].due or 0.0, reminder[0].rule, reminder[0].key),
    )


def begin(run: RuleRun, event: Event) -> int:
    """Note that a table is read; return the number of the reading, 0 where no reminder depends on it."""
    source = _source(run, event.type, event.data)
    if not source:
        return 0
    table = run.recall(TableState, source) or TableState()
    run.remember(source, replace(table, begun=table.begun + 1), run.time + _KEPT)
    return table.begun + 1


def end(run: RuleRun, event: Event, reading: int) -> None:
    """Note that all of a table was followed: what it does not have any more is not told."""
    if reading:
        source = _source(run, event.type, event.data)
        table = run.recall(TableState, source) or TableState()
        run.remember(source, replace(table, whole=max(table.whole, reading)), run.time + _KEPT)


def _source(run: RuleRun, kind: str, file: Mapping[str, Any]) -> str:
    """Return the path of the table of which an item is a row; empty where there is none."""
    if run.rule.remind is None or run.rule.for_each is None:
        return ""
    if run.rule.table:
        return str(run.rule.table.path)
    return str(file["path"]) if kind == "file" else ""


def _key(how: Remind, context: Mapping[str, Any]) -> str:
    values = values_of(how.key, context)
    for expression, value in zip(how.key, values, strict=True):
        if value is None or value == "":
            raise WboxError(
                Wording(
                    "key: {source} is empty, so nothing shows what a new date belongs to",
                    source=expression.source,
                )
            )
    return key_of(values)


def _check_key(state: RemindState, older: RemindState) -> None:
    """Raise WboxError where another row of the same table has the same key, and another date."""
    same = (state.source, state.reading) == (older.source, older.reading)
    if state.source and same and state.item.place != older.item.place:
        raise WboxError(
            Wording("its key is that of row {place} too, which has another date", place=older.item.place)
        )


def _date(run: RuleRun, how: Remind, context: Mapping[str, Any]) -> datetime:
    zone, lang = run.project.settings.tz, run.project.settings.lang
    date = read_time(how.at.render(context), zone, lang)
    if isinstance(date, datetime):
        return local(date, zone)
    return datetime.combine(date, time(), zone)


def _local(run: RuleRun, state: RemindState) -> datetime:
    return moment(state.at).astimezone(run.project.settings.tz)


def _time(at: datetime, offset: float) -> float:
    """Return when a reminder is due; whole days are counted by the clocks of the zone."""
    days = int(offset / _DAY)
    return (at + timedelta(days=days)).timestamp() + offset - days * _DAY


def _left(run: RuleRun, how: Remind, at: datetime, older: RemindState) -> tuple[float, ...]:
    """Return which reminders of a date are to come; the nearest one also where its time is past already."""
    if older.at == at.timestamp():
        return _still_left(run, how, at, older)
    if at.year not in _YEARS:
        return ()
    untold = [offset for offset in how.offsets if _name(at.timestamp(), offset) not in older.told]
    left = tuple(offset for offset in untold if _is_to_come(run, at, offset))
    if not left and run.time < at.timestamp() and how.offsets[-1] in untold:
        return how.offsets[-1:]
    return left


def _still_left(run: RuleRun, how: Remind, at: datetime, older: RemindState) -> tuple[float, ...]:
    if older.dropped:
        return ()
    return tuple(offset for offset in how.offsets if offset in older.left or _time(at, offset) > run.time)


def _is_to_come(run: RuleRun, at: datetime, offset: float) -> bool:
    return _time(at, offset) > run.time - _LATE and not _is_over(run, at, offset)


def _is_over(run: RuleRun, at: datetime, offset: float) -> bool:
    """Return whether it is too late to tell: the date is past, or long past for what comes after it."""
    if offset < 0:
        return run.time >= at.timestamp()
    return run.time >= _time(at, offset) + run.rule.terms.expire_after


def _leave_out(run: RuleRun, key: str, at: datetime, older: RemindState) -> None:
    same, ahead = older.at == at.timestamp(), at.timestamp() > run.time
    reason = Wording("it is past: {at}")
    if same and older.dropped:
        reason = Wording("cancelled by hand: {at}")
    elif ahead and at.year not in _YEARS:
        reason = Wording("too far ahead: {at}")
    elif same or ahead:
        reason = Wording("told already: {at}")
    if not same:
        _end(run, key, older)
    run.decide(RemindState.KIND, "stopped", reason.about(at=f"{at:%Y-%m-%d %H:%M}"))


def _cancel(run: RuleRun, key: str, older: RemindState | None) -> None:
    if older and older.left:
        _end(run, key, older)
        detail = Wording("cancelled: {at}", at=f"{_local(run, older):%Y-%m-%d %H:%M}")
        run.decide(RemindState.KIND, "passed", detail)
    else:
        run.decide(RemindState.KIND, "stopped", Wording("cancelled, and no reminder waits"))


def _end(run: RuleRun, key: str, state: RemindState) -> None:
    """Forget a date, but not what was told of it: it may come back."""
    if state.told:
        run.remember(key, replace(state, at=_NONE, left=()), max(state.told.values()))
    elif state.at != _NONE:
        run.forget(RemindState, key)


def _release(run: RuleRun, key: str, state: RemindState) -> Item | None:
    """Keep what is to come, and return the last of the reminders that are due, if any are."""
    at = _local(run, state)
    due = tuple(offset for offset in state.left if _time(at, offset) <= run.time)
    left = tuple(offset for offset in state.left if offset not in due)
    rest = replace(state, left=left, told=_told(run, state, due))
    following = _next(run, at, rest)
    run.remember(key, rest, following)
    if not due:
        when = moment(following).astimezone(at.tzinfo)
        detail = Wording("until {when}, for {at}", when=f"{when:%Y-%m-%d %H:%M}", at=f"{at:%Y-%m-%d %H:%M}")
        run.decide(RemindState.KIND, "waits", detail)
        return None
    if len(due) > 1:
        detail = Wording("{number} older of the same date left out", number=len(due) - 1)
        run.decide(RemindState.KIND, "stopped", detail)
    reminder = _reminder(state, key, due[-1])
    if not _is_over(run, at, due[-1]):
        return reminder
    problem = Wording("not told in time: {at} is past", at=f"{at:%Y-%m-%d %H:%M}")
    origin = Notification.of(reminder).origin
    run.fail(RemindState.KIND, problem, origin, Retry(do="follow", stage="dedupe", item=reminder))
    return None


def _told(run: RuleRun, state: RemindState, due: Iterable[float]) -> Mapping[str, float]:
    """Return until when which reminders are not told again, once those that are due are told."""
    at = _local(run, state)
    told = {name: until for name, until in state.told.items() if until > run.time}
    return told | {_name(state.at, offset): max(state.at, _time(at, offset)) + _LATE for offset in due}


def _reminder(state: RemindState, key: str, offset: float) -> Item:
    item = state.item
    data = {**item.data, "remind": {"at": state.at, "before": -offset}}
    return item._replace(data=data, key=item.key or key, reminder=_name(state.at, offset))


def _name(at: float, offset: float) -> str:
    """Return what tells a reminder from all others of its key."""
    return f"{at:.0f}{offset:+.0f}"


def _next(run: RuleRun, at: datetime, state: RemindState) -> float:
    """Return when the next reminder is due; after the last one, when the date need not be known any more."""
    if state.left:
        return min(_time(at, offset) for offset in state.left)
    last = run.rule.remind.offsets[-1] if run.rule.remind else 0.0
    return max(at.timestamp(), _time(at, last), run.time) + _LATE
