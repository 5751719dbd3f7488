"""What rules keep in mind: values that older versions wrote are read, and nothing of them is lost."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wbox_notify.engine.item import Item
from wbox_notify.engine.rule_run import Change, memory_of
from wbox_notify.engine.state import STATES, GroupState, RowsState, State, ThrottleState
from wbox_notify.model.events import Event

OLD: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "memories.json").read_text("utf-8"))
"""Memories as version 0.1.0 left them in its store."""

NAMES = [f"{memory['rule']} {memory['kind']} {memory['key']}" for memory in OLD]
ITEM = Item(event_id="e", type="webhook", at=1.0, data={"body": {"n": 1}})


def state_of(memory: dict[str, Any]) -> State:
    return STATES[memory["kind"]].from_json(memory["value"])


def as_stored(state: State) -> Any:
    return json.loads(json.dumps(state.to_json()))


def old(kind: str) -> dict[str, Any]:
    return next(memory for memory in OLD if memory["kind"] == kind)


def test_each_kind_of_memory_can_be_read() -> None:
    assert {kind.KIND for kind in State.__subclasses__()} == set(STATES)


def test_there_is_an_old_memory_of_each_kind() -> None:
    assert {memory["kind"] for memory in OLD} == set(STATES)


@pytest.mark.parametrize("memory", OLD, ids=NAMES)
def test_an_old_memory_is_read_and_kept_again(memory: dict[str, Any]) -> None:
    state = state_of(memory)
    assert type(state).from_json(as_stored(state)) == state


@pytest.mark.parametrize("memory", OLD, ids=NAMES)
def test_nothing_of_an_old_memory_is_lost(memory: dict[str, Any]) -> None:
    kept = as_stored(state_of(memory))
    assert _without_empty(memory["value"]).items() <= _without_empty(kept).items()


def _without_empty(value: Any) -> Any:
    """Return JSON values without those that say nothing, as texts that can be compared."""
    return {name: json.dumps(_bare(part), sort_keys=True) for name, part in _bare(value).items()}


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        said = {name: part for name, part in value.items() if part not in (None, "")}
        parts = {name: _bare(part) for name, part in said.items() if name != "place" or part}
        # The id of an event stands in the event, and the names of a burst with its readers.
        if "event" in parts or "names" in parts:
            parts.pop("event_id", None)
        if "readers" in parts:
            parts.pop("names", None)
        # The items of a notification say whether all is well, and are the members of its group.
        parts.pop("healed", None)
        parts.pop("members", None)
        return parts
    return [_bare(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("kind", "events", "waiting"),
    [
        ("dedupe", (), 0),
        ("throttle", ("webhook:throttle:2", "webhook:throttle:3"), 2),
        ("burst", ("file:drop:1",), 2),
        ("group", ("webhook:group:1", "webhook:group:2"), 1),
        ("digest", ("webhook:digest:1", "webhook:digest:2", "webhook:digest:3"), 3),
        ("quiet_hours", ("webhook:quiet:1", "webhook:quiet:2", "webhook:quiet:3"), 3),
        ("escalate", ("webhook:group:1",), 1),
        ("rows", ("file:rows:1",), 1),
        ("seen", (), 0),
        ("remind", ("file:remind:1",), 1),
        ("table", (), 0),
    ],
)
def test_a_state_knows_its_events_and_how_many_of_them_wait(
    kind: str, events: tuple[str, ...], waiting: int
) -> None:
    state = state_of(old(kind))
    assert (state.events, state.waiting) == (events, waiting)
    memory = memory_of("r", kind, "k", Change(state, 5.0))
    assert (memory.events, memory.event_id, memory.due) == (events, next(iter(events), ""), 5.0)
    assert memory.json == state.to_json()


def test_a_forgotten_state_has_no_value_and_no_events() -> None:
    memory = memory_of("r", "group", "k", Change(None))
    assert (memory.value, memory.events, memory.due) == (None, (), None)


def test_times_move_with_the_clock_and_nothing_else_does() -> None:
    group = GroupState(opened="e", since=10.0, items={"e:0": ITEM}, last=20.0, due=30.0)
    assert group.newest == 20.0
    moved = group.moved(5.0)
    assert moved == replace(group, since=15.0, last=25.0, due=35.0)
    assert ThrottleState(times=(1.0, 2.0), queue=(ITEM,)).moved(-1.0).times == (0.0, 1.0)
    rows = RowsState(event=Event(id="e", type="file", at=state_event_time(), data={}), next=1)
    assert rows.moved(5.0) == rows
    assert rows.newest == float("-inf")


def state_event_time() -> Any:
    return state_of(old("rows")).event.at  # type: ignore[attr-defined]
