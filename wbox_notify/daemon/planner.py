"""From stored events to stored plans: the thread that feeds the engine."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from wbox_notify.daemon.quarantine import Backlog
from wbox_notify.engine import KINDS, Overlay, plan, reset, wake
from wbox_notify.engine.rows import SLICE, wanted
from wbox_notify.model.clock import Clock, Step, steady
from wbox_notify.model.deliveries import Decision, Memory, Plan
from wbox_notify.model.events import Event
from wbox_notify.model.loop import PeriodicThread
from wbox_notify.rules import Live, Project
from wbox_notify.store import Store
from wbox_notify.triggers.file.rows import Slice, Wanted

log = logging.getLogger(__name__)

_AGAIN = 300.0

Observer = Callable[[Event | None, Plan], None]
"""Hears of each plan, and of the event that it follows from, if it does from one."""


class Planner(PeriodicThread):
    """Plans each stored event once, in the order of arrival; ``planned`` is called after each batch.

    ``rows`` reads the rows of a file, some hundreds of which are followed in one step at most. ``keep`` takes
    in the files that a plan names, before it is stored. ``turned`` is called whenever the loop has turned,
    which is every 30 seconds at least. ``clock`` gives seconds since the epoch; ``steady`` those that nobody
    sets.
    """

    def __init__(  # noqa: PLR0913 - one for each neighbour
        self,
        live: Live,
        store: Store,
        *,
        planned: Callable[[], None],
        rows: Callable[[Wanted], Slice] = lambda _wanted: Slice(problem="nobody reads files here"),
        keep: Callable[[Plan], Plan] = lambda plan: plan,
        observer: Observer | None = None,
        turned: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = steady,
    ) -> None:
        self._live = live
        self._store = store
        self._backlog = Backlog(store)
        self._planned = planned
        self._rows = rows
        self._keep = keep
        self._observer = observer
        self._turned = turned
        self._clock = clock
        self._now = Clock(clock, steady, self._follow_clock)
        super().__init__("planner", self._turn, "planning paused")

    def step(self) -> int:
        """Plan what is due and the oldest events, and store what follows; return how many they were."""
        self._turned()
        now = self._now()
        moment = datetime.fromtimestamp(now, UTC)
        project, overlay = self._live.project, Overlay(self._store)
        plans = []
        for due, found in self._due(project, now):
            later = Plan(event_id="", memories=(replace(due, due=now + _AGAIN),))
            plans.append(_guarded(partial(wake, project, due, overlay, moment, found), later))
            overlay.add(plans[-1].memories)
        woken = len(plans)
        events = self._backlog.next(now)
        for event in events:
            making = partial(plan, project, event, overlay, moment)
            plans.append(self._backlog.aside(event) or _guarded(making, Plan(event_id=event.id)))
            overlay.add(plans[-1].memories)
        if plans:
            plans = [self._keep(made) for made in plans]
            self._store.put_plans(plans, now).result()
            self._planned()
            self._tell([*[None] * woken, *events], plans)
        return len(plans)

    def _follow_clock(self, step: Step) -> None:
        """Let nothing that rules remember wait longer for a clock that was set, or was ahead once."""
        found = self._store.memories(KINDS)
        memories = [self._reset(one, step) for one in found]
        changed = tuple(now for now, before in zip(memories, found, strict=True) if now != before)
        if changed:
            self._store.put_plans([Plan(event_id="", memories=changed)], step.now).result()
            log.warning("the clock was set: %d waits of rules count by it from now on", len(changed))

    def _reset(self, memory: Memory, step: Step) -> Memory:
        try:
            return reset(self._live.project, memory, self._store, step)
        except Exception as error:  # noqa: BLE001 - one memory must not stop all others
            log.error("%s: %s", type(error).__name__, error)  # noqa: TRY400
            return memory

    def _due(self, project: Project, now: float) -> Iterator[tuple[Memory, Slice | None]]:
        """Yield what rules want to be woken with, and the rows they need; the rest of them next time."""
        left = SLICE
        for due in self._store.memories_due(now):
            asked = wanted(project, due, left)
            if asked is None:
                yield due, None
            elif left:
                found = self._read(asked)
                left -= min(left, len(found.rows) + 1)
                yield due, found

    def _read(self, asked: Wanted) -> Slice:
        try:
            return self._rows(asked)
        except Exception as error:  # noqa: BLE001 - one file must not stop all others
            log.error("%s: %s", type(error).__name__, error)  # noqa: TRY400
            return Slice(problem=f"internal error: {error!r}")

    def _tell(self, events: Sequence[Event | None], plans: Sequence[Plan]) -> None:
        for event, made in zip(events, plans, strict=True):
            for decision in made.decisions:
                level = logging.WARNING if decision.outcome == "failed" else logging.DEBUG
                log.log(level, "%s: %s: %s%s", decision.rule, decision.stage, _file(event), decision.detail)
            if self._observer:
                self._observer(event, made)

    def _turn(self) -> float:
        """Plan once; return the seconds until a rule wants to be woken, at most 30: the clock may be set."""
        if self.step():
            return 0.0
        due = self._store.next_memory()
        return 30.0 if due is None else min(max(due - self._clock(), 0.0), 30.0)


def _file(event: Event | None) -> str:
    return f"{event.data['name']}: " if event and event.type == "file" else ""


def _guarded(work: Callable[[], Plan], otherwise: Plan) -> Plan:
    """Return a plan; where making it fails for a fault of ours, the other one with the fault in it."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - one event must not stop all that come after it
        log.error("%s: %s", type(error).__name__, error)  # noqa: TRY400
        fault = Decision(rule="-", stage="engine", outcome="failed", detail=f"internal error: {error!r}")
        return replace(otherwise, decisions=(fault,))
