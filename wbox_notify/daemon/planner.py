"""From stored events to stored plans: the thread that feeds the engine."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from wbox_notify.daemon.quarantine import Quarantine
from wbox_notify.daemon.remembered import PlannerMemory
from wbox_notify.engine import KINDS, Driver, Overlay, Planned, reset
from wbox_notify.errors import StoreError
from wbox_notify.model.clock import Clock, Step, steady
from wbox_notify.model.deliveries import Memory, Plan
from wbox_notify.model.events import Event
from wbox_notify.model.log_subject import about
from wbox_notify.model.loop import PeriodicThread
from wbox_notify.rules.project import Live
from wbox_notify.store import Store
from wbox_notify.store.leases import PLAN, Turn
from wbox_notify.triggers.file.rows import Slice, Wanted

log = logging.getLogger(__name__)

_AGAIN = 0.02
"""Seconds after which the planner asks again for its turn, while another daemon has it."""
_ROUND = 5.0
"""Seconds from one look at what daemons that ended have left to the next."""

Observer = Callable[[Event | None, Plan], None]
"""Hears of each plan, and of the event that it follows from, if it does from one."""


class Planner(PeriodicThread):
    """Plans each stored event once, in the order of arrival.

    ``rows`` reads the rows of a file, some hundreds of which are followed in one step at most. ``keep`` takes
    in the files that a plan names, before it is stored; it does so at once where ``is_copied`` says so, as
    after ``copy``. ``turned`` is called whenever the loop has turned, which is every 30 seconds at least.
    ``clock`` gives seconds since the epoch; ``steady`` those that nobody sets.
    """

    def __init__(  # noqa: PLR0913 - one for each neighbour
        self,
        live: Live,
        store: Store,
        *,
        rows: Callable[[Wanted], Slice] = lambda _wanted: Slice(problem="nobody reads files here"),
        is_copied: Callable[[Plan], bool] = lambda _plan: True,
        copy: Callable[[Plan], None] = lambda _plan: None,
        keep: Callable[[Plan], Plan] = lambda plan: plan,
        observer: Observer | None = None,
        turned: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = steady,
    ) -> None:
        self._live = live
        self._store = store
        self._memory = PlannerMemory(store)
        self._quarantine = Quarantine(store, store.host)
        self._rows = rows
        self._is_copied, self._copy, self._keep = is_copied, copy, keep
        self._observer = observer
        self._turned = turned
        self._clock = clock
        self._now = Clock(clock, steady, self._follow_clock)
        self._due = math.inf
        self._steady = steady
        self._shares = store.leases.is_shared
        self._longest_rest = _ROUND if self._shares else 30.0
        self._next_round = 0.0
        self._last_turn = 0
        self._is_kept_waiting = False
        super().__init__("planner", self._turn, "planning paused")

    def step(self) -> int:
        """Plan what is due and the oldest events, and store what follows; return how many they were."""
        try:
            return self._step()
        except Exception:
            self._store.arrivals.doubt()
            raise

    def _step(self) -> int:
        self._turned()
        if self._shares:
            return self._plan_in_turn()
        return self._plan()

    def _plan_in_turn(self) -> int:
        """Plan, where several daemons share the store, when none of the others does."""
        # Who has queued for a turn gets it, also when there is nothing left to plan: others wait for it.
        if not (self._is_wanted() or self._is_kept_waiting):
            return 0
        turn = self._store.leases.begin(PLAN)
        self._is_kept_waiting = turn is None
        if turn is None:
            return 0
        try:
            self._begin(turn)
            now = self._now()
            planned = self._followed(now)
            uncopied = [each.plan for each in planned if not self._is_copied(each.plan)]
            if not uncopied:
                self._put(planned, now, turn)
        except Exception:
            with suppress(StoreError):
                self._store.leases.give(turn.holder, [PLAN])
            raise
        if uncopied:
            self._copy_meanwhile(uncopied, turn)
        return len(planned)

    def _copy_meanwhile(self, plans: Sequence[Plan], turn: Turn) -> None:
        """Copy files, which may take long, while others have the turn; then all is planned once more."""
        self._store.arrivals.doubt()
        self._store.leases.give(turn.holder, [PLAN])
        for plan in plans:
            self._copy(plan)

    def _is_wanted(self) -> bool:
        """Return whether there is anything to plan, as far as can be seen without a turn."""
        if self._steady() >= self._next_round:
            self._store.arrivals.doubt()  # a daemon may have ended that took in more than it planned
            self._next_round = self._steady() + _ROUND
        return self._next_due() <= self._now() or self._store.arrivals.wait()

    def _next_due(self) -> float:
        due = self._store.next_memory()
        self._due = math.inf if due is None else due
        return self._due

    def _begin(self, turn: Turn) -> None:
        """Forget what may not be true any more."""
        if turn.number > self._last_turn + 1:
            # Others have planned since: some of what waits, and they changed what rules keep in mind.
            self._memory = PlannerMemory(self._store)
            self._store.arrivals.doubt()
        self._last_turn = turn.number

    def _plan(self) -> int:
        now = self._now()
        planned = self._followed(now)
        if planned:
            self._put(planned, now)
        return len(planned)

    def _followed(self, now: float) -> Sequence[Planned]:
        """Return the plans of what is due and of the oldest events."""
        moment = datetime.fromtimestamp(now, UTC)
        driver = Driver(self._live.project, self._memory, self._rows, moment)
        if self._next_due() <= now:
            driver.wake(self._store.memories_due(now))
        # Only now an event is marked as the one that is planned: it is not to blame for what wakes.
        events = self._quarantine.next(now)
        aside = self._quarantine.aside(events)
        if aside:
            driver.planned.append(aside)
        else:
            driver.plan(events)
        return driver.planned

    def _put(self, planned: Sequence[Planned], now: float, turn: Turn | None = None) -> None:
        """Store plans; with them the turn ends."""
        kept = [each._replace(plan=self._keep(each.plan)) for each in planned]
        plans = [each.plan for each in kept]
        self._memory.note(plans)
        self._store.put_plans(plans, now, turn).result()
        for each in kept:
            self._tell(each)

    def _follow_clock(self, step: Step) -> None:
        """Let nothing that rules remember wait longer for a clock that was set, or was ahead once."""
        if self._shares:
            return
        changed: list[Memory] = []
        for memory in self._store.memories(KINDS):
            try:
                moved = reset(self._live.project, memory, Overlay(self._store), step)
            except Exception as error:  # noqa: BLE001 - one memory must not stop all others
                _log_fault(error)
            else:
                if moved != memory:
                    changed.append(moved)
        if changed:
            self._store.put_plans([Plan(event_id="", memories=tuple(changed))], step.now).result()
            log.warning("the clock was set: %d waits of rules count by it from now on", len(changed))

    def _tell(self, planned: Planned) -> None:
        event, event_id = planned.event, planned.plan.event_id
        with about(event=event_id):
            if planned.fault:
                _log_fault(planned.fault)
        file = f"{event.data['name']}: " if event and event.type == "file" else ""
        for decision in planned.plan.decisions:
            level = logging.WARNING if decision.outcome == "failed" else logging.DEBUG
            if log.isEnabledFor(level):
                with about(event=event_id, rule=decision.rule):
                    log.log(level, "%s: %s: %s%s", decision.rule, decision.stage, file, decision.detail)
        if self._observer:
            self._observer(event, planned.plan)

    def _turn(self) -> float:
        """Plan once; return the seconds until a rule wants to be woken, at most 30: the clock may be set."""
        if self.step():
            return 0.0
        if self._is_kept_waiting:
            return _AGAIN
        return min(max(self._due - self._clock(), 0.0), self._longest_rest)


def _log_fault(error: Exception) -> None:
    """Log a fault of ours in one line: no traceback reaches a user."""
    log.error("%s: %s", type(error).__name__, error)
