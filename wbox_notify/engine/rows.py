"""Rows: a file whose rows are followed one by one, a slice in each plan."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from wbox_notify.engine import remind
from wbox_notify.engine.item import Item, items_of
from wbox_notify.engine.rule_run import RuleRun, messages_of
from wbox_notify.engine.state import Retry, RowsState, StormState, state_of
from wbox_notify.errors import WboxError
from wbox_notify.model.deliveries import Decision, Hold, Memory, PlannedMessage, Verdict
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text
from wbox_notify.model.texts import Wording, worded
from wbox_notify.rules.project import Project
from wbox_notify.rules.rule import Rule
from wbox_notify.triggers.file.readers.text import Row
from wbox_notify.triggers.file.rows import Reading, Slice, Wanted

SLICE = 500
"""How many rows are followed in one plan."""

_NONE = {
    "rows": Wording("there are no rows in it"),
    "lines": Wording("there are no lines in it"),
    "events": Wording("there are no events in it"),
}
_LISTED = 1000
"""So many rows of a file that failed are listed and kept as dead messages; of more, the numbers are told."""

_SHOWN = 60
_AGAIN = 2.0
"""Seconds until a rule looks again whether the others have followed all rows of its file."""

Follow = Callable[[RuleRun, Item], None]
Retrying = Callable[[RuleRun, Item, Retry], None]


@dataclass(frozen=True, slots=True)
class Storm:
    """What the messages of all rows of a file come to, by all rules that follow them.

    Attributes:
        made: How many there are.
        about: The file, and what the first of them says.
        asks: Whether they wait for an answer; else they go.
        rules: The ids of the rules.
    """

    made: int
    about: str
    asks: bool
    rules: tuple[str, ...]


def begin(run: RuleRun, event: Event) -> None:
    """Let the rows of a file be followed, from the first on."""
    run.remember(event.id, _beginning(run, event, 1), run.time)
    run.decide(RowsState.KIND, "waits", Wording("rows queued"))


def rest(run: RuleRun, key: str, retry: Retry) -> None:
    """Let the rest of a file be followed that could not be read, once nothing of it is being followed."""
    event, row = event_of_retry(retry)
    if run.recall(RowsState, event.id):
        run.remember(key, retry, run.time + _AGAIN)
        return
    run.remember(event.id, _beginning(run, event, row), run.time)
    run.decide(RowsState.KIND, "waits", Wording("rows queued from row {row} on", row=row))


def again(run: RuleRun, key: str, retry: Retry) -> None:
    """Let one row be read again, with others of its file, and what failed about it be followed."""
    event, row = event_of_retry(retry)
    state = run.recall(RowsState, event.id) or replace(_beginning(run, event, row), only={}, reading=0)
    if state.only is None or state.rows:
        run.remember(key, retry, run.time + _AGAIN)
        return
    retries = (*state.only.get(row, ()), replace(retry, event=None, key=key))
    state = replace(state, only={**state.only, row: retries}, next=min(state.next, row))
    run.remember(event.id, state, run.time)


def event_of_retry(retry: Retry) -> tuple[Event, int]:
    """Return the event of a retry, and the number in it of what failed.

    Raises:
        WboxError: The store does not know it any more.
    """
    if retry.event is None or retry.place is None:
        raise WboxError("the event of this retry is not stored any more")
    return retry.event, retry.place


def _beginning(run: RuleRun, event: Event, row: int) -> RowsState:
    """Return what is kept of a file before the first of its rows is followed."""
    if "text" not in run.rule.needs:
        data = {name: value for name, value in event.data.items() if name != "text"}
        event = replace(event, data=data)
    if _answer(run, event.id) == "dropped":
        run.forget(StormState, event.id)
    table = str(run.rule.table.path) if run.rule.table else ""
    reading = remind.begin(run, event) if row == 1 else 0
    return RowsState(event=event, next=row, table=table, reading=reading)


def _answer(run: RuleRun, key: str) -> str:
    """Return what a person answered to the storm of a file, if anything."""
    storm = run.recall(StormState, key)
    return storm.then if storm else ""


def wanted(project: Project, due: Memory, most: int) -> Wanted | None:
    """Return which rows a memory that is due needs; None where it needs none."""
    rule = project.rule(due.rule)
    state = state_of(due)
    if rule is None or rule.reads is None or not isinstance(state, RowsState):
        return None
    source = _source(rule, state)
    if state.done or source is None:
        return None
    path, root, version, reading = source
    at = state.event.at.astimezone(project.settings.tz)
    return Wanted(
        reader=f"{rule.id} {due.key}",
        path=path,
        root=root,
        version=version,
        reading=replace(reading.of(rule.reads).at(at), uses=rule.columns),
        start=state.next,
        most=most,
    )


def _source(rule: Rule, state: RowsState) -> tuple[str, str, Mapping[str, Any] | None, Reading] | None:
    """Return the path that rows are read from, its folder, the version and how; None if not by this rule."""
    data, table = state.event.data, rule.table
    if state.table or table:
        if table is None or str(table.path) != state.table:
            return None
        return state.table, str(table.path.parent), state.version, table.reading
    trigger = rule.trigger_of(data["path"])
    if trigger is None:
        return None
    if "source" in data:  # where the file lies now
        return data["source"], data["source"].rpartition("/")[0], data, trigger.read
    return data["path"], str(trigger.root), data, trigger.read


def wake(run: RuleRun, key: str, rows: Slice | None, follow: Follow, retry: Retrying) -> Storm | None:
    """Follow some rows; return what all of them came to when these were the last.

    ``retry`` follows what failed about a row that is read again.
    """
    state = run.recall(RowsState, key)
    if state is None:
        return None
    answer = _answer(run, key)
    if answer == "dropped":
        run.forget(RowsState, key)
        run.decide(RowsState.KIND, "stopped", Wording("dropped by hand, from row {row} on", row=state.next))
        return None
    released = answer == "released"
    if not state.done:
        rows = rows or Slice(problem=Wording("the rule does not read this file any more"))
        if state.only is None:
            state = _take(run, state, rows, follow)
        else:
            state = _take_again(run, state, state.only, rows, retry)
        state = _count(run, state, released=released)
        if state.done:
            remind.end(run, state.event, state.reading)
            run.decide(RowsState.KIND, "passed", _outcome(run, state, rows))
    if not state.done:
        run.remember(key, state, run.time)
        return None
    return _end(run, key, state, released=released)


def _outcome(run: RuleRun, state: RowsState, rows: Slice) -> str:
    """Return what came of a file in words; without a message, also the columns that a row lacks."""
    outcome = Wording("{messages} of {rows} rows", messages=messages_of(state.made), rows=state.rows)
    for row in rows.rows[-1:]:
        if not state.made and isinstance(row.value, Mapping):
            missing = sorted(run.rule.columns - row.value.keys())
            if missing:
                return Wording(
                    "{outcome}; row {row} has no {columns}",
                    outcome=outcome,
                    row=row.number,
                    columns=", ".join(missing),
                )
    return outcome


def _take(run: RuleRun, state: RowsState, rows: Slice, follow: Follow) -> RowsState:
    """Follow some rows, each for the first time; return what is kept of the file then."""
    if rows.rows:
        state = _follow_all(run, state, rows.rows, follow)
    state = replace(state, version=state.version or rows.version)
    problem = rows.problem
    if not (rows.rows or problem or state.rows or state.table):  # it may be the wrong file
        problem = _NONE[run.rule.reads or "rows"]
    if problem:
        where = state.name
        if state.next > 1:
            where = Wording("{file} from row {row} on", file=where, row=state.next)
        retry = Retry(do="rest", place=state.next)
        run.fail(RowsState.KIND, _at(where, problem), state.event.id, retry)
        state = replace(state, reading=0)
    return replace(state, done=not rows.more)


def _take_again(
    run: RuleRun, state: RowsState, only: Mapping[int, tuple[Retry, ...]], rows: Slice, follow: Retrying
) -> RowsState:
    """Follow what failed about some of the rows; one that is not there any more has failed again."""
    item, left = _item(run, state), {**only}
    for row in rows.rows:
        before = len(run.messages)
        for retry in left.pop(row.number, ()):
            if row.problem:
                _fail_again(run, retry, row.problem)
            else:
                follow(run, _of_row(run, item, row), retry)
        run.messages[before:] = _placed(run.messages[before:], _place(state.name, row.number), listed=True)
        state = replace(state, next=row.number + 1, rows=state.rows + 1)
    if rows.more and left:
        return replace(state, only=left)
    for number, retries in left.items():
        for retry in retries:
            problem = rows.problem or Wording("it is not there any more")
            _fail_again(run, retry, _at(Wording("row {row}", row=number), problem))
    return replace(state, only=left, done=True)


def _fail_again(run: RuleRun, retry: Retry, problem: str) -> None:
    run.fail(RowsState.KIND, problem, retry.key.removesuffix(f":{run.rule.id}:-"), retry)


def _item(run: RuleRun, state: RowsState) -> Item:
    [item] = items_of(run.rule, state.event)
    return item


def _of_row(run: RuleRun, item: Item, row: Row) -> Item:
    """Return the item that a row is."""
    name = run.rule.for_each[0] if run.rule.for_each else ""
    return item._replace(data={**item.data, name: row.value}, place=row.number)


def _end(run: RuleRun, key: str, state: RowsState, *, released: bool) -> Storm | None:
    """Return what all messages come to, unless another rule has rows of this file before it."""
    others: dict[str, RowsState] = {}
    for rule in run.project.rules_for(state.event):
        other = run.recall(RowsState, key, rule.id)
        if other and rule is not run.rule:
            others[rule.id] = other
    if not all(other.done for other in others.values()):
        run.remember(key, state, run.time + _AGAIN)
        return None
    rules = (run.rule.id, *others)
    for rule_id in rules:
        run.forget(RowsState, key, rule_id)
    made = state.made + sum(other.made for other in others.values())
    asks = made > run.project.settings.storm_guard and not released
    return Storm(made, _about(state), asks, rules)


def _count(run: RuleRun, state: RowsState, *, released: bool) -> RowsState:
    """Count the messages; they wait for those of all other rows unless somebody has let them go."""
    made, first = 0, state.first
    for number, planned in enumerate(run.messages):
        if planned.message is None:
            continue
        if not made and not first and isinstance(planned.message, Text):
            first = planned.message.message[:_SHOWN]
        made += 1
        if not released:
            run.messages[number] = replace(planned, hold=Hold.ROWS, facts={"file": state.name})
    return replace(state, made=state.made + made, first=first)


def _about(state: RowsState) -> str:
    if state.first:
        return f"{state.name}, the first of them: “{state.first}”"
    return state.name


@dataclass(slots=True)
class _Tally:
    """What was decided about some rows: alike decisions are one, with their number and the first of them."""

    file: str
    alike: dict[tuple[str, Verdict, str], tuple[int, str]] = field(default_factory=dict)
    failed: list[Decision] = field(default_factory=list)
    unlisted: list[int] = field(default_factory=list)
    example: str = ""

    def add(self, row: int, decisions: Sequence[Decision], *, listed: bool) -> bool:
        """Count what was decided about one row; return whether it failed, which is ``listed`` or told."""
        failed = [decision for decision in decisions if decision.outcome == "failed"]
        for decision in decisions:
            if decision.outcome != "failed":
                self._count(row, decision)
        if failed and listed:
            place = _place(self.file, row)
            self.failed += [replace(decision, detail=_at(place, decision.detail)) for decision in failed]
        elif failed:
            self.unlisted.append(row)
            self.example = self.example or failed[0].detail
        return bool(failed)

    def _count(self, row: int, decision: Decision) -> None:
        which = ""
        if decision.stage == "if":  # what stands before the first space is which condition it is: if[1]
            which = decision.detail.partition(" ")[0]
        kind = (decision.stage, decision.outcome, which)
        if kind in self.alike:
            number, first = self.alike[kind]
            self.alike[kind] = number + 1, first
        else:
            self.alike[kind] = 1, _at(Wording("row {row}", row=row), decision.detail)

    def tell(self, run: RuleRun, span: str) -> None:
        """Leave what was decided with the run."""
        run.decisions += self.failed
        for (stage, outcome, _), (number, first) in self.alike.items():
            detail = Wording("{span}: once, in {first}", span=span, first=first)
            if number > 1:
                detail = Wording(
                    "{span}: {number} times, the first in {first}", span=span, number=number, first=first
                )
            run.decide(stage, outcome, detail)
        if self.unlisted:
            numbers = ", ".join(_spans(self.unlisted))
            detail = Wording(
                "rows {numbers} failed also, the first of them: {example}",
                numbers=numbers,
                example=self.example,
            )
            run.decide(RowsState.KIND, "failed", detail)


def _follow_all(run: RuleRun, state: RowsState, rows: Sequence[Row], follow: Follow) -> RowsState:
    item = _item(run, state)
    tally, decisions, failed = _Tally(state.name), run.decisions, state.failed
    for row in rows:
        run.decisions, before = [], len(run.messages)
        if row.problem:
            retry = Retry(do="follow", stage="if", place=row.number)
            run.fail(RowsState.KIND, row.problem, f"{item.event_id}:{row.number}", retry)
        else:
            follow(run, _of_row(run, item, row))
        if tally.add(row.number, run.decisions, listed=failed < _LISTED):
            failed += 1
            messages = run.messages[before:]
            run.messages[before:] = _placed(
                messages, _place(state.name, row.number), listed=failed <= _LISTED
            )
    run.decisions = decisions
    tally.tell(run, Wording("rows {first}-{last}", first=rows[0].number, last=rows[-1].number))
    reading = state.reading if failed == state.failed else 0
    last = rows[-1].number
    return replace(state, next=last + 1, rows=state.rows + len(rows), failed=failed, reading=reading)


def _place(file: str, row: int) -> Wording:
    return Wording("row {row} of {file}", row=row, file=file)


def _at(place: str, text: str) -> Wording:
    return Wording("{place}: {problem}", place=place, problem=worded(text))


def _placed(messages: Sequence[PlannedMessage], place: str, *, listed: bool) -> list[PlannedMessage]:
    """Return the messages of a row that failed, of which those that could not be made say which row it is."""
    placed: list[PlannedMessage] = []
    for planned in messages:
        if planned.problem and listed:
            placed.append(replace(planned, problem=_at(place, planned.problem)))
        elif listed or planned.message:
            placed.append(planned)
    return placed


def _spans(numbers: Sequence[int]) -> list[str]:
    """Return growing numbers as spans: 3, 5-7."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][-1] == number - 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number])
    return ["-".join(map(str, span)) for span in spans]
