"""What comes next: when rules go on with what they hold, and when schedules are due."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from wbox_notify.engine.state import STATES, SilenceState, State, state_of
from wbox_notify.model.deliveries import Memory
from wbox_notify.rules.project import Project

KINDS = tuple(
    kind for kind, state in STATES.items() if state is SilenceState or state.waiting is not State.waiting
)
"""The kinds of memory that hold something, or keep a rule silent."""


class Coming(NamedTuple):
    """One step to come: its time in seconds since the epoch, its kind and rule, and how much waits for it.

    ``key`` is that of the memory; empty for a schedule.
    """

    at: float
    what: str
    rule: str
    waiting: int = 0
    key: str = ""


def held(memories: Iterable[Memory]) -> Iterator[Coming]:
    """Yield when rules go on with what they hold, without what they only forget."""
    for memory in memories:
        state = state_of(memory)
        if state and memory.due is not None and (state.waiting or isinstance(state, SilenceState)):
            yield Coming(memory.due, memory.kind, memory.rule, state.waiting, memory.key)


def scheduled(project: Project, now: datetime) -> Iterator[Coming]:
    """Yield when each schedule is due next."""
    for table in project.timetables():
        at = table.schedule.after(now)
        if at:
            yield Coming(at.timestamp(), table.kind, table.rule)
