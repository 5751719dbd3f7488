"""The driver of the engine: memories that are due and events go in, plans come out.

The daemon, a dry run and the tests of rules make the same calls; each puts the plans where its own state is.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

from wbox_notify.engine.plan import AGAIN, plan, wake
from wbox_notify.engine.rows import SLICE, wanted
from wbox_notify.engine.rule_run import Overlay, StateReader
from wbox_notify.model.deliveries import Decision, Memory, Plan
from wbox_notify.model.events import Event
from wbox_notify.model.texts import Wording
from wbox_notify.rules.project import Project
from wbox_notify.triggers.file.rows import Slice, Wanted


class Planned(NamedTuple):
    """A plan, the event that it follows from, if it does from one, and the fault of ours that spoilt it."""

    plan: Plan
    event: Event | None = None
    fault: Exception | None = None


class Driver:
    """Makes the plans of one step: each sees what those before it leave, though nothing is stored yet.

    Args:
        state: gives what rules keep in mind.
        rows: reads rows of a file, some hundreds of which are followed in one step at most.

    Attributes:
        planned: The plans so far, in the order in which they are to be stored.
    """

    def __init__(
        self, project: Project, state: StateReader, rows: Callable[[Wanted], Slice], now: datetime
    ) -> None:
        self.planned: list[Planned] = []
        self._project = project
        self._overlay = Overlay(state)
        self._rows = rows
        self._now = now
        self._room = SLICE

    def wake(self, due: Iterable[Memory]) -> None:
        """Plan what follows from memories that are due; what finds no room for its rows is left for later."""
        for memory in due:
            asked = wanted(self._project, memory, self._room)
            if asked is None:
                self._wake(memory)
            elif self._room:
                self._wake(memory, *self._read(asked))

    def plan(self, events: Iterable[Event]) -> None:
        """Plan what follows from events."""
        for event in events:
            work = partial(plan, self._project, event, self._overlay, self._now)
            planned = _guarded(work, Plan(event_id=event.id))
            self.planned.append(planned._replace(event=event))

    def _wake(self, memory: Memory, rows: Slice | None = None, fault: Exception | None = None) -> None:
        later = replace(memory, due=self._now.timestamp() + AGAIN)
        work = partial(wake, self._project, memory, self._overlay, self._now, rows)
        planned = _guarded(work, Plan(event_id="", memories=(later,)))
        if planned.fault:
            self._overlay.add([later])
        self.planned.append(planned._replace(fault=planned.fault or fault))

    def _read(self, asked: Wanted) -> tuple[Slice, Exception | None]:
        """Return the rows that a memory asks for, and the fault of ours that kept them from being read."""
        fault: Exception | None = None
        try:
            rows = self._rows(asked)
        except Exception as error:  # noqa: BLE001 - one file must not stop all others
            fault = error
            rows = Slice(problem=Wording("internal error: {error}", error=repr(error)))
        self._room -= min(self._room, len(rows.rows) + 1)
        return rows, fault


def _guarded(work: Callable[[], Plan], otherwise: Plan) -> Planned:
    """Return a plan; where making it fails for a fault of ours, the other one with the fault in it."""
    try:
        return Planned(work())
    except Exception as error:  # noqa: BLE001 - one event must not stop all that come after it
        detail = Wording("internal error: {error}", error=repr(error))
        decision = Decision(rule="-", stage="engine", outcome="failed", detail=detail)
        return Planned(replace(otherwise, decisions=(decision,)), fault=error)
