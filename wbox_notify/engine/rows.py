"""Rows: a file whose rows are followed one by one, a slice in each plan."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from wbox_notify.engine.item import Subject, subjects
from wbox_notify.engine.rule_run import RuleRun, messages_of
from wbox_notify.model.deliveries import AGAIN, Decision, Memory, PlannedMessage
from wbox_notify.model.events import Event, event_fields, event_of
from wbox_notify.model.messages import Text
from wbox_notify.rules import Project
from wbox_notify.triggers.file.readers.text import Row
from wbox_notify.triggers.file.rows import Slice, Wanted

KIND, STORM = "rows", "storm"

SLICE = 500
"""How many rows are followed in one plan."""

_LISTED = 1000
"""So many rows of a file that failed are listed and kept as dead messages; of more, the numbers are told."""

_SHOWN = 60
_AGAIN = 2.0
"""Seconds until a rule looks again whether the others have followed all rows of its file."""

Follow = Callable[[RuleRun, Subject], None]
Retry = Callable[[RuleRun, Subject, Mapping[str, Any]], None]


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


def begin(turn: RuleRun, event: Event) -> None:
    """Let the rows of a file be followed, from the first on."""
    turn.remember(KIND, event.id, _beginning(turn, event, 1), turn.time)
    turn.decide(KIND, "waits", "its rows are followed next")


def rest(turn: RuleRun, key: str, value: Mapping[str, Any]) -> None:
    """Let the rest of a file be followed that could not be read, once nothing of it is being followed."""
    event = event_of(value["event"])
    if turn.recall(KIND, event.id):
        turn.remember(AGAIN, key, value, turn.time + _AGAIN)
        return
    turn.remember(KIND, event.id, _beginning(turn, event, value["place"]), turn.time)
    turn.decide(KIND, "waits", f"its rows are followed from row {value['place']} on")


def again(turn: RuleRun, key: str, value: Mapping[str, Any]) -> None:
    """Let one row be read again, with others of its file, and what failed about it be followed."""
    event, row = event_of(value["event"]), value["place"]
    state = turn.recall(KIND, event.id) or {**_beginning(turn, event, row), "only": {}}
    if "only" not in state or state["rows"]:
        turn.remember(AGAIN, key, value, turn.time + _AGAIN)
        return
    kept = {**{name: one for name, one in value.items() if name != "event"}, "key": key}
    state["only"].setdefault(str(row), []).append(kept)
    turn.remember(KIND, event.id, {**state, "next": min(state["next"], row)}, turn.time)


def _beginning(turn: RuleRun, event: Event, row: int) -> dict[str, Any]:
    """Return what is kept of a file before the first of its rows is followed."""
    kept = event_fields(event)
    if "text" not in turn.rule.needs:
        kept["data"].pop("text", None)
    if (turn.recall(STORM, event.id) or {}).get("then") == "dropped":
        turn.forget(STORM, event.id)
    counts = {"rows": 0, "made": 0, "failed": 0}
    return {"event_id": event.id, "event": kept, "next": row, **counts, "first": "", "done": False}


def wanted(project: Project, due: Memory, most: int) -> Wanted | None:
    """Return which rows a memory that is due needs; None where it needs none."""
    rule = project.rule(due.rule)
    if due.kind != KIND or rule is None or rule.reads is None or not due.value or due.value["done"]:
        return None
    data = due.value["event"]["data"]
    trigger = rule.trigger_of(data["path"])
    if trigger is None:
        return None
    kinds = {"lines": "lines", "events": "ics"}
    path = data.get("source", data["path"])
    return Wanted(
        reader=f"{rule.id} {due.key}",
        path=path,
        root=path.rpartition("/")[0] if "source" in data else str(trigger.root),
        size=data["size"],
        mtime=data["mtime"],
        digest=data.get("digest", ""),
        reading=replace(trigger.read, kind=kinds.get(rule.reads, trigger.read.kind)),
        start=due.value["next"],
        most=most,
    )


def wake(turn: RuleRun, key: str, found: Slice | None, follow: Follow, retry: Retry) -> Storm | None:
    """Follow some rows; return what all of them came to when these were the last.

    ``retry`` follows what failed about a row that is read again.
    """
    state = turn.recall(KIND, key)
    if state is None:
        return None
    then = (turn.recall(STORM, key) or {}).get("then")
    if then == "dropped":
        turn.forget(KIND, key)
        turn.decide(KIND, "stopped", f"dropped by hand, from row {state['next']} on")
        return None
    released = then == "released"
    if not state["done"]:
        taken = found or Slice(problem="the rule does not read this file any more")
        if "only" in state:
            _take_again(turn, state, taken, retry)
        else:
            _take(turn, state, taken, follow)
        _hold(turn, state, released=released)
        if state["done"]:
            turn.decide(KIND, "passed", f"{messages_of(state['made'])} of {state['rows']} rows")
    if not state["done"]:
        turn.remember(KIND, key, state, turn.time)
        return None
    return _end(turn, key, state, released=released)


def _take(turn: RuleRun, state: dict[str, Any], found: Slice, follow: Follow) -> None:
    if found.rows:
        _follow_all(turn, state, found.rows, follow)
    if found.problem:
        retry = {"do": "rest", "place": state["next"]}
        since = f" from row {state['next']} on" if state["next"] > 1 else ""
        turn.fail(KIND, f"{_name(state)}{since}: {found.problem}", state["event_id"], retry)
    state["done"] = not found.more


def _take_again(turn: RuleRun, state: dict[str, Any], found: Slice, retry: Retry) -> None:
    """Follow what failed about some of the rows; one that is not there any more has failed again."""
    subject, only = _subject(turn, state), state["only"]
    for row in found.rows:
        made = len(turn.messages)
        for value in only.pop(str(row.number), ()):
            if row.problem:
                _fail_again(turn, value, row.problem)
            else:
                retry(turn, _of_row(turn, subject, row), value)
        turn.messages[made:] = _placed(turn.messages[made:], _place(state, row), listed=True)
        state.update(next=row.number + 1, rows=state["rows"] + 1)
    state["done"] = not (found.more and only)
    if state["done"]:
        for number, values in only.items():
            for value in values:
                _fail_again(turn, value, f"row {number}: {found.problem or 'it is not there any more'}")


def _fail_again(turn: RuleRun, value: Mapping[str, Any], problem: str) -> None:
    retry = {name: one for name, one in value.items() if name not in {"key", "event_id"}}
    turn.fail(KIND, problem, value["key"].removesuffix(f":{turn.rule.id}:-"), retry)


def _subject(turn: RuleRun, state: dict[str, Any]) -> Subject:
    [subject] = subjects(turn.rule, event_of(state["event"]))
    return subject


def _of_row(turn: RuleRun, subject: Subject, row: Row) -> Subject:
    """Return the subject that a row is."""
    name = turn.rule.for_each[0] if turn.rule.for_each else ""
    return replace(subject, data={**subject.data, name: row.value}, place=row.number)


def _end(turn: RuleRun, key: str, state: dict[str, Any], *, released: bool) -> Storm | None:
    """Return what all messages come to, unless another rule has rows of this file before it."""
    others = {
        rule.id: other
        for rule in turn.project.rules_for(event_of(state["event"]))
        if rule is not turn.rule and (other := turn.recall(KIND, key, rule.id))
    }
    if not all(other["done"] for other in others.values()):
        turn.remember(KIND, key, state, turn.time + _AGAIN)
        return None
    for rule in (turn.rule.id, *others):
        turn.forget(KIND, key, rule)
    made = state["made"] + sum(other["made"] for other in others.values())
    asks = made > turn.project.settings.storm_guard and not released
    return Storm(made, _about(state), asks, (turn.rule.id, *others))


def _hold(turn: RuleRun, state: dict[str, Any], *, released: bool) -> None:
    """Count the messages; they wait for those of all other rows unless somebody has let them go."""
    made = [one.message for one in turn.messages if one.message]
    state["made"] += len(made)
    if not state["first"] and made and isinstance(made[0], Text):
        state["first"] = made[0].message[:_SHOWN]
    if not released:
        held = f"storm guard: counted with all rows of {_name(state)}"
        turn.messages[:] = [replace(one, held=held) if one.message else one for one in turn.messages]


def _about(state: dict[str, Any]) -> str:
    first = f", the first of them: “{state['first']}”" if state["first"] else ""
    return f"{_name(state)}{first}"


def _name(state: dict[str, Any]) -> str:
    return str(state["event"]["data"]["name"])


@dataclass(slots=True)
class _Tally:
    """What was decided about some rows: alike decisions are one, with their number and the first of them."""

    file: str
    alike: dict[tuple[str, str, str], tuple[int, str]] = field(default_factory=dict)
    failed: list[Decision] = field(default_factory=list)
    unlisted: list[int] = field(default_factory=list)
    example: str = ""

    def add(self, row: int, decisions: Sequence[Decision]) -> None:
        """Count what was decided about one row."""
        for one in decisions:
            # What stands before the first space of a condition is which one it is: if[1].
            which = one.detail.partition(" ")[0] if one.stage == "if" else ""
            kind = (one.stage, one.outcome, which)
            number, first = self.alike.get(kind, (0, f"row {row}: {one.detail}"))
            self.alike[kind] = number + 1, first

    def fail(self, row: int, decisions: Sequence[Decision], *, listed: bool) -> None:
        """Take in why one row failed."""
        if listed:
            place = f"row {row} of {self.file}"
            self.failed += [replace(one, detail=f"{place}: {one.detail}") for one in decisions]
        else:
            self.unlisted.append(row)
            self.example = self.example or decisions[0].detail

    def tell(self, turn: RuleRun, span: str) -> None:
        """Leave what was decided with the turn."""
        turn.decisions += self.failed
        for (stage, outcome, _), (number, first) in self.alike.items():
            times = "once, " if number == 1 else f"{number} times, the first "
            turn.decide(stage, outcome, f"{span}: {times}in {first}")
        if self.unlisted:
            numbers = ", ".join(_spans(self.unlisted))
            turn.decide(KIND, "failed", f"rows {numbers} failed also, the first of them: {self.example}")


def _follow_all(turn: RuleRun, state: dict[str, Any], rows: Sequence[Row], follow: Follow) -> None:
    subject = _subject(turn, state)
    tally, before = _Tally(_name(state)), turn.decisions
    for row in rows:
        turn.decisions, made = [], len(turn.messages)
        if row.problem:
            retry = {"do": "follow", "stage": "if", "place": row.number}
            turn.fail(KIND, row.problem, f"{subject.event_id}:{row.number}", retry)
        else:
            follow(turn, _of_row(turn, subject, row))
        wrong = [one for one in turn.decisions if one.outcome == "failed"]
        tally.add(row.number, [one for one in turn.decisions if one.outcome != "failed"])
        if wrong:
            state["failed"] += 1
            listed = state["failed"] <= _LISTED
            tally.fail(row.number, wrong, listed=listed)
            turn.messages[made:] = _placed(turn.messages[made:], _place(state, row), listed=listed)
    turn.decisions = before
    tally.tell(turn, f"rows {rows[0].number}-{rows[-1].number}")
    state.update(next=rows[-1].number + 1, rows=state["rows"] + len(rows))


def _place(state: dict[str, Any], row: Row) -> str:
    return f"row {row.number} of {_name(state)}"


def _placed(messages: Sequence[PlannedMessage], place: str, *, listed: bool) -> list[PlannedMessage]:
    """Return the messages of a row that failed, of which those that could not be made say which row it is."""
    return [
        replace(one, problem=f"{place}: {one.problem}") if one.problem else one
        for one in messages
        if listed or one.message
    ]


def _spans(numbers: Sequence[int]) -> list[str]:
    """Return growing numbers as spans: 3, 5-7."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][-1] == number - 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number])
    return ["-".join(map(str, span)) for span in spans]
