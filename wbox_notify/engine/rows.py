"""Rows: a file whose rows are followed one by one, a slice in each plan."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from wbox_notify.engine.item import Item, items_of
from wbox_notify.engine.rule_run import RuleRun, messages_of
from wbox_notify.model.deliveries import AGAIN, Decision, Hold, Memory, PlannedMessage, Verdict
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

Follow = Callable[[RuleRun, Item], None]
Retry = Callable[[RuleRun, Item, Mapping[str, Any]], None]


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
    run.remember(KIND, event.id, _beginning(run, event, 1), run.time)
    run.decide(KIND, "waits", "its rows are followed next")


def rest(run: RuleRun, key: str, value: Mapping[str, Any]) -> None:
    """Let the rest of a file be followed that could not be read, once nothing of it is being followed."""
    event = event_of(value["event"])
    if run.recall(KIND, event.id):
        run.remember(AGAIN, key, value, run.time + _AGAIN)
        return
    run.remember(KIND, event.id, _beginning(run, event, value["place"]), run.time)
    run.decide(KIND, "waits", f"its rows are followed from row {value['place']} on")


def again(run: RuleRun, key: str, value: Mapping[str, Any]) -> None:
    """Let one row be read again, with others of its file, and what failed about it be followed."""
    event, row = event_of(value["event"]), value["place"]
    state = run.recall(KIND, event.id) or {**_beginning(run, event, row), "only": {}}
    if "only" not in state or state["rows"]:
        run.remember(AGAIN, key, value, run.time + _AGAIN)
        return
    kept = {**{name: one for name, one in value.items() if name != "event"}, "key": key}
    state["only"].setdefault(str(row), []).append(kept)
    run.remember(KIND, event.id, {**state, "next": min(state["next"], row)}, run.time)


def _beginning(run: RuleRun, event: Event, row: int) -> dict[str, Any]:
    """Return what is kept of a file before the first of its rows is followed."""
    kept = event_fields(event)
    if "text" not in run.rule.needs:
        kept["data"].pop("text", None)
    if (run.recall(STORM, event.id) or {}).get("then") == "dropped":
        run.forget(STORM, event.id)
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


def wake(run: RuleRun, key: str, found: Slice | None, follow: Follow, retry: Retry) -> Storm | None:
    """Follow some rows; return what all of them came to when these were the last.

    ``retry`` follows what failed about a row that is read again.
    """
    state = run.recall(KIND, key)
    if state is None:
        return None
    then = (run.recall(STORM, key) or {}).get("then")
    if then == "dropped":
        run.forget(KIND, key)
        run.decide(KIND, "stopped", f"dropped by hand, from row {state['next']} on")
        return None
    released = then == "released"
    if not state["done"]:
        taken = found or Slice(problem="the rule does not read this file any more")
        if "only" in state:
            _take_again(run, state, taken, retry)
        else:
            _take(run, state, taken, follow)
        _hold(run, state, released=released)
        if state["done"]:
            run.decide(KIND, "passed", f"{messages_of(state['made'])} of {state['rows']} rows")
    if not state["done"]:
        run.remember(KIND, key, state, run.time)
        return None
    return _end(run, key, state, released=released)


def _take(run: RuleRun, state: dict[str, Any], found: Slice, follow: Follow) -> None:
    if found.rows:
        _follow_all(run, state, found.rows, follow)
    if found.problem:
        retry = {"do": "rest", "place": state["next"]}
        since = f" from row {state['next']} on" if state["next"] > 1 else ""
        run.fail(KIND, f"{_name(state)}{since}: {found.problem}", state["event_id"], retry)
    state["done"] = not found.more


def _take_again(run: RuleRun, state: dict[str, Any], found: Slice, retry: Retry) -> None:
    """Follow what failed about some of the rows; one that is not there any more has failed again."""
    item, only = _subject(run, state), state["only"]
    for row in found.rows:
        made = len(run.messages)
        for value in only.pop(str(row.number), ()):
            if row.problem:
                _fail_again(run, value, row.problem)
            else:
                retry(run, _of_row(run, item, row), value)
        run.messages[made:] = _placed(run.messages[made:], _place(state, row), listed=True)
        state.update(next=row.number + 1, rows=state["rows"] + 1)
    state["done"] = not (found.more and only)
    if state["done"]:
        for number, values in only.items():
            for value in values:
                _fail_again(run, value, f"row {number}: {found.problem or 'it is not there any more'}")


def _fail_again(run: RuleRun, value: Mapping[str, Any], problem: str) -> None:
    retry = {name: one for name, one in value.items() if name not in {"key", "event_id"}}
    run.fail(KIND, problem, value["key"].removesuffix(f":{run.rule.id}:-"), retry)


def _subject(run: RuleRun, state: dict[str, Any]) -> Item:
    [item] = items_of(run.rule, event_of(state["event"]))
    return item


def _of_row(run: RuleRun, item: Item, row: Row) -> Item:
    """Return the item that a row is."""
    name = run.rule.for_each[0] if run.rule.for_each else ""
    return replace(item, data={**item.data, name: row.value}, place=row.number)


def _end(run: RuleRun, key: str, state: dict[str, Any], *, released: bool) -> Storm | None:
    """Return what all messages come to, unless another rule has rows of this file before it."""
    others = {
        rule.id: other
        for rule in run.project.rules_for(event_of(state["event"]))
        if rule is not run.rule and (other := run.recall(KIND, key, rule.id))
    }
    if not all(other["done"] for other in others.values()):
        run.remember(KIND, key, state, run.time + _AGAIN)
        return None
    for rule in (run.rule.id, *others):
        run.forget(KIND, key, rule)
    made = state["made"] + sum(other["made"] for other in others.values())
    asks = made > run.project.settings.storm_guard and not released
    return Storm(made, _about(state), asks, (run.rule.id, *others))


def _hold(run: RuleRun, state: dict[str, Any], *, released: bool) -> None:
    """Count the messages; they wait for those of all other rows unless somebody has let them go."""
    made = [one.message for one in run.messages if one.message]
    state["made"] += len(made)
    if not state["first"] and made and isinstance(made[0], Text):
        state["first"] = made[0].message[:_SHOWN]
    if not released:
        facts = {"file": _name(state)}
        run.messages[:] = [
            replace(one, hold=Hold.ROWS, facts=facts) if one.message else one for one in run.messages
        ]


def _about(state: dict[str, Any]) -> str:
    first = f", the first of them: “{state['first']}”" if state["first"] else ""
    return f"{_name(state)}{first}"


def _name(state: dict[str, Any]) -> str:
    return str(state["event"]["data"]["name"])


@dataclass(slots=True)
class _Tally:
    """What was decided about some rows: alike decisions are one, with their number and the first of them."""

    file: str
    alike: dict[tuple[str, Verdict, str], tuple[int, str]] = field(default_factory=dict)
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

    def tell(self, run: RuleRun, span: str) -> None:
        """Leave what was decided with the run."""
        run.decisions += self.failed
        for (stage, outcome, _), (number, first) in self.alike.items():
            times = "once, " if number == 1 else f"{number} times, the first "
            run.decide(stage, outcome, f"{span}: {times}in {first}")
        if self.unlisted:
            numbers = ", ".join(_spans(self.unlisted))
            run.decide(KIND, "failed", f"rows {numbers} failed also, the first of them: {self.example}")


def _follow_all(run: RuleRun, state: dict[str, Any], rows: Sequence[Row], follow: Follow) -> None:
    item = _subject(run, state)
    tally, before = _Tally(_name(state)), run.decisions
    for row in rows:
        run.decisions, made = [], len(run.messages)
        if row.problem:
            retry = {"do": "follow", "stage": "if", "place": row.number}
            run.fail(KIND, row.problem, f"{item.event_id}:{row.number}", retry)
        else:
            follow(run, _of_row(run, item, row))
        wrong = [one for one in run.decisions if one.outcome == "failed"]
        tally.add(row.number, [one for one in run.decisions if one.outcome != "failed"])
        if wrong:
            state["failed"] += 1
            listed = state["failed"] <= _LISTED
            tally.fail(row.number, wrong, listed=listed)
            run.messages[made:] = _placed(run.messages[made:], _place(state, row), listed=listed)
    run.decisions = before
    tally.tell(run, f"rows {rows[0].number}-{rows[-1].number}")
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
