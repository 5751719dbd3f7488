"""Rows: a file whose rows are followed one by one, a slice in each plan."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from wbox_notify.deliveries import Decision, Memory
from wbox_notify.engine.subject import Subject, subjects
from wbox_notify.engine.turn import Turn, messages_of
from wbox_notify.events import Event, event_fields, event_of
from wbox_notify.messages import Text
from wbox_notify.readers import Row, Slice, Wanted
from wbox_notify.rules import Project

KIND, STORM = "rows", "storm"

SLICE = 500
"""How many rows are followed in one plan."""

_LISTED = 1000
"""So many rows of a file that failed are listed and kept as dead messages; of more, the numbers are told."""

_SHOWN = 60

Follow = Callable[[Turn, Subject], None]


@dataclass(frozen=True, slots=True)
class Storm:
    """What became of the messages of all rows: how many there are, and what the first of them says."""

    made: int
    about: str
    asks: bool


def begin(turn: Turn, event: Event) -> None:
    """Let the rows of a file be followed, from the first on."""
    kept = event_fields(event)
    if "text" not in turn.rule.needs:
        kept["data"].pop("text", None)
    if (turn.recall(STORM, event.id) or {}).get("then") == "dropped":
        turn.forget(STORM, event.id)
    state = {"event_id": event.id, "event": kept, "next": 1, "rows": 0, "made": 0, "failed": 0, "first": ""}
    turn.remember(KIND, event.id, state, turn.time)
    turn.decide(KIND, "waits", "its rows are followed next")


def wanted(project: Project, due: Memory, most: int) -> Wanted | None:
    """Return which rows a memory that is due needs; None where it needs none."""
    rule = project.rule(due.rule)
    if due.kind != KIND or due.value is None or rule is None or rule.for_each is None or rule.reads is None:
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
        reading=replace(trigger.read, kind=kinds.get(rule.reads, trigger.read.kind)),
        start=due.value["next"],
        most=most,
    )


def wake(turn: Turn, key: str, found: Slice | None, follow: Follow) -> Storm | None:
    """Follow some rows; return what all of them came to when these were the last."""
    state = turn.recall(KIND, key)
    if state is None:
        return None
    then = (turn.recall(STORM, key) or {}).get("then")
    if then == "dropped":
        turn.forget(KIND, key)
        turn.decide(KIND, "stopped", f"dropped by hand, from row {state['next']} on")
        return None
    problem = found.problem if found else "the rule does not read this file any more"
    rows = found.rows if found else ()
    if rows:
        _follow_all(turn, state, rows, follow)
    if problem:
        turn.fail(KIND, f"from row {state['next']} on: {problem}", key)
    _hold(turn, state, released=then == "released")
    if found and found.more and not problem:
        turn.remember(KIND, key, state, turn.time)
        return None
    turn.forget(KIND, key)
    turn.decide(KIND, "passed", f"{messages_of(state['made'])} of {state['rows']} rows")
    over = state["made"] > turn.project.settings.storm_guard
    return Storm(state["made"], _about(state), asks=over and then != "released")


def _hold(turn: Turn, state: dict[str, Any], *, released: bool) -> None:
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


def _follow_all(turn: Turn, state: dict[str, Any], rows: Sequence[Row], follow: Follow) -> None:
    [subject] = subjects(turn.rule, event_of(state["event"]))
    name = turn.rule.for_each[0] if turn.rule.for_each else ""
    tally = _Tally()
    before = list(turn.decisions)
    for row in rows:
        turn.decisions, made = [], len(turn.messages)
        if row.problem:
            turn.fail(KIND, row.problem, f"{subject.event_id}:{row.number}")
        else:
            follow(turn, replace(subject, data={**subject.data, name: row.value}, place=row.number))
        wrong = [one for one in turn.decisions if one.outcome == "failed"]
        tally.add(row.number, [one for one in turn.decisions if one.outcome != "failed"])
        state["failed"] += bool(wrong)
        if wrong and state["failed"] > _LISTED:
            tally.unlisted.append(row.number)
            tally.example = tally.example or wrong[0].detail
            turn.messages[made:] = [one for one in turn.messages[made:] if one.message]
        tally.failed += [
            replace(one, detail=f"row {row.number}: {one.detail}")
            for one in wrong
            if state["failed"] <= _LISTED
        ]
        turn.messages[made:] = [
            replace(one, problem=f"row {row.number}: {one.problem}") if one.problem else one
            for one in turn.messages[made:]
        ]
    turn.decisions = [*before, *tally.failed]
    _tell(turn, tally, f"rows {rows[0].number}-{rows[-1].number}")
    state.update(next=rows[-1].number + 1, rows=state["rows"] + len(rows))


def _tell(turn: Turn, tally: _Tally, span: str) -> None:
    for (stage, outcome, _), (number, first) in tally.alike.items():
        turn.decide(stage, outcome, f"{span}: {number} times, the first in {first}")
    if tally.unlisted:
        numbers = ", ".join(_spans(tally.unlisted))
        turn.decide(KIND, "failed", f"rows {numbers} failed also, the first of them: {tally.example}")


def _spans(numbers: Sequence[int]) -> list[str]:
    """Return growing numbers as spans: 3, 5-7."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][-1] == number - 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number])
    return ["-".join(map(str, span)) for span in spans]
