"""From stored events to stored plans: the thread that feeds the engine."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from wbox_notify.deliveries import Decision, Plan
from wbox_notify.engine import Overlay, plan
from wbox_notify.events import Event
from wbox_notify.rules import Project
from wbox_notify.store import Store

log = logging.getLogger(__name__)

Observer = Callable[[Event, Plan], None]


class Planner:
    """Plans each stored event once, in the order of arrival; ``planned`` is called after each batch."""

    def __init__(
        self,
        project: Project,
        store: Store,
        *,
        planned: Callable[[], None],
        observer: Observer | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._project = project
        self._store = store
        self._planned = planned
        self._observer = observer
        self._clock = clock
        self._stopping = False
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._run, name="planner", daemon=True)

    def start(self) -> None:
        """Begin with what the last run left unplanned."""
        self._news.set()
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch in hand and end."""
        self._stopping = True
        self._news.set()
        self._thread.join(2.0)

    def wake(self) -> None:
        """Say that there are new events."""
        self._news.set()

    def step(self) -> int:
        """Plan the oldest events that wait for it, and store what follows; return how many they were."""
        now = self._clock()
        events = self._store.unplanned()
        overlay = Overlay(self._store)
        plans = []
        for event in events:
            made = self._plan(event, overlay, datetime.fromtimestamp(now, UTC))
            overlay.add(made)
            plans.append(made)
        if plans:
            self._store.put_plans(plans, now).result()
            self._planned()
            self._tell(events, plans)
        return len(plans)

    def _plan(self, event: Event, overlay: Overlay, now: datetime) -> Plan:
        try:
            return plan(self._project, event, overlay, now)
        except Exception as error:  # noqa: BLE001 - one event must not stop all that come after it
            log.error("event %s: %s: %s", event.id, type(error).__name__, error)  # noqa: TRY400
            fault = Decision(rule="-", stage="engine", outcome="failed", detail=f"internal error: {error!r}")
            return Plan(event_id=event.id, decisions=(fault,))

    def _tell(self, events: list[Event], plans: list[Plan]) -> None:
        for event, made in zip(events, plans, strict=True):
            for decision in made.decisions:
                level = logging.WARNING if decision.outcome == "failed" else logging.DEBUG
                log.log(level, "%s: %s", decision.rule, decision.detail)
            if self._observer:
                self._observer(event, made)

    def _run(self) -> None:
        while not self._stopping:
            self._news.clear()
            try:
                while self.step() and not self._stopping:
                    pass
            except Exception as error:  # noqa: BLE001 - the worker's loop: nothing may end it
                log.error("planning pauses: %s", error)  # noqa: TRY400 - no traceback reaches a user
                self._news.wait(5.0)
                self._news.set()
            self._news.wait()
