"""Arrivals: whatever comes between, each event is handed out once, in order, and none is forgotten."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rulebook import whole
from test_store import a_plan, an_event

from wbox_notify.daemon.planner import Planner
from wbox_notify.model.events import Event
from wbox_notify.rules.project import Live
from wbox_notify.store import open_store, statements
from wbox_notify.store.arrivals import Arrivals
from wbox_notify.store.database import Row
from wbox_notify.store.rows import event_row

STEPS = st.lists(
    st.sampled_from(["put", "put large", "put in doubt", "put meanwhile", "again", "again meanwhile", "fail"])
    | st.integers(1, 4),
    max_size=40,
)


class World:
    """Events in a store, in the order in which they came, and what was planned of them."""

    def __init__(self) -> None:
        self.waiting: list[Event] = []
        self.planned: list[Event] = []
        self.meanwhile: list[Callable[[], None]] = []
        self.arrivals = Arrivals(self.unplanned)
        self.number = 0

    def unplanned(self, most: int, _size: float) -> list[Event]:
        """Return what waits; then something happens before the reader has it."""
        found = self.waiting[:most]
        while self.meanwhile:
            self.meanwhile.pop()()
        return found

    def put(self, *, size: int = 1, told: bool = True) -> None:
        self.number += 1
        event = an_event(f"{self.number:04}")
        self.waiting.append(event)
        if told:
            self.arrivals.add(
                [{**event_row(event, 1.0), **({"data": " " * size + "{}"} if size > 1 else {})}]
            )
        else:
            self.arrivals.doubt()

    def plan_again(self) -> None:
        if self.planned:
            self.waiting.insert(0, self.planned.pop(0))
            self.arrivals.doubt()

    def step(self, most: int, *, fails: bool = False) -> int:
        taken = self.arrivals.take(most, math.inf)
        ids = [event.id for event in taken]
        assert ids == [event.id for event in self.waiting if event.id in ids], "each of them waits, in order"
        if fails:
            self.arrivals.doubt()
            return len(taken)
        self.waiting = [event for event in self.waiting if event.id not in ids]
        self.planned += taken
        return len(taken)

    def do(self, step: str | int) -> None:
        if isinstance(step, int):
            self.step(step)
            return
        what, _, when = step.partition(" ")
        work = {"put": self.put, "again": self.plan_again, "fail": lambda: self.step(2, fails=True)}[what]
        if when == "meanwhile":
            self.meanwhile.append(work)
        elif when == "large":
            self.put(size=5 << 20)
        elif when == "in doubt":
            self.put(told=False)
        else:
            work()


@given(STEPS)
def test_each_event_is_handed_out_once_whatever_comes_between(steps: list[str | int]) -> None:
    world = World()
    for step in steps:
        world.do(step)
    world.arrivals.doubt()
    while world.step(3) or world.step(3):
        pass
    assert world.waiting == []
    assert len({event.id for event in world.planned}) == len(world.planned) == world.number


def test_what_was_put_into_the_store_is_planned_without_asking_it(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/wbox.db")
    store.put_events([an_event("before")], 1.0).result()
    assert [event.id for event in store.arrivals.take(9, math.inf)] == ["before"]
    store.put_plans([a_plan("before")], 1.0).result()
    assert store.arrivals.take(9, math.inf) == []
    store.put_events([an_event("a"), an_event("b")], 1.0).result()
    store.put_events([an_event("b"), an_event("c")], 1.0).result()
    assert store.arrivals.take(1, math.inf) == [an_event("a")] == store.unplanned(1)
    assert store.arrivals.take(9, 1.0) == [an_event("b")], "no more after so much text"
    assert store.arrivals.take(9, math.inf) == [an_event("c")]
    assert store.arrivals.take(9, math.inf) == []
    store.put_plans([a_plan("a"), a_plan("b"), a_plan("c")], 1.0).result()
    store.plan_again(["b"]).result()
    assert [event.id for event in store.arrivals.take(9, math.inf)] == ["b"], "the store is asked again"
    store.close()


RULES = """
version: 1
rules:
  - id: full
    trigger: {webhook: {path: disk, open: true}}
    if: body.used > 90
    to: "+905551112233"
    send: {text: "{{ body.disk }} is full"}
"""


def a_call(name: str) -> Event:
    data = {"path": "disk", "method": "POST", "headers": {}, "query": {}, "body": {"disk": name, "used": 91}}
    return Event(id=name, type="webhook", at=datetime(2026, 11, 23, 9, tzinfo=UTC), data=data)


def test_to_plan_a_call_the_store_is_read_once_and_once_more_to_see_that_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(f"sqlite:///{tmp_path}/wbox.db")
    planner = Planner(Live(whole(RULES)), store, clock=lambda: 1.0, steady=lambda: 1.0)
    while planner.step():
        pass
    read, reads = store._database.read, list[str]()

    def counted(statement: str, values: Row | None = None) -> list[Row]:
        reads.append(statement)
        return read(statement, values)

    monkeypatch.setattr(store._database, "read", counted)
    store.put_events([a_call("a")], 1.0).result()
    assert (planner.step(), reads) == (1, [statements.NEXT_MEMORY])
    assert (planner.step(), reads) == (0, [statements.NEXT_MEMORY] * 2)
    assert [delivery.event_id for delivery in store.deliveries("a")] == ["a"]
    store.close()


def test_a_rule_that_is_silent_stays_so_for_the_next_planner_too(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/wbox.db")
    at = datetime(2026, 11, 23, 9, tzinfo=UTC)
    silence = Event(id="hush", type="silence", at=at, data={"rule": "full", "until": 100.0})
    for number, event in enumerate((a_call("before"), silence, a_call("same"), a_call("next"))):
        store.put_events([event], 1.0).result()
        if number != 2:
            planner = Planner(Live(whole(RULES)), store, clock=lambda: 1.0, steady=lambda: 1.0)
        while planner.step():
            pass
    told = {name: len(store.deliveries(name)) for name in ("before", "same", "next")}
    assert told == {"before": 1, "same": 0, "next": 0}
    store.close()
