"""Back-test: what two versions of the rules say of the same events, and what differs."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from heapq import merge
from typing import NamedTuple

from wbox_notify.engine.replay import ReplayStore
from wbox_notify.model.deliveries import PlannedMessage
from wbox_notify.model.events import Event
from wbox_notify.rules.project import Project

_TIMED = ("schedule", "missing")
_MOVED = timedelta(minutes=1)


class Happening(NamedTuple):
    """An event, and when it came."""

    at: datetime
    event: Event


class Said(NamedTuple):
    """A message that rules make, and when."""

    at: datetime
    planned: PlannedMessage


class Difference(NamedTuple):
    """What one version of the rules says and another does not; of ``changed`` the first is the older."""

    added: tuple[Said, ...]
    gone: tuple[Said, ...]
    changed: tuple[tuple[Said, Said], ...]


def happenings(
    project: Project, stored: Iterable[Happening], since: datetime, until: datetime
) -> Iterator[Happening]:
    """Yield stored events in their order, with the nominal times of a project in place of those that were."""
    due = (
        Happening(at, table.event(at, at))
        for table in project.timetables()
        for at in table.schedule.times(since, until)
    )
    told = (happening for happening in stored if happening.event.type not in _TIMED)
    return merge(told, sorted(due, key=lambda happening: happening.at), key=lambda happening: happening.at)


def said(
    project: Project, happened: Iterable[Happening], since: datetime, until: datetime
) -> dict[str, Said]:
    """Return all that rules say of what happened, by the keys of the messages.

    The rules remember nothing of the time before ``since``.
    """
    store = ReplayStore(project, since)
    for at, event in happened:
        store.wait(at)
        store.happen(event)
    store.wait(until)
    return {planned.key: Said(at, planned) for at, planned in store.messages}


def compare(before: dict[str, Said], after: dict[str, Said]) -> Difference:
    """Return how what is said differs, in the order of time."""
    added = [message for key, message in after.items() if key not in before]
    gone = [message for key, message in before.items() if key not in after]
    both = [(before[key], message) for key, message in after.items() if key in before]
    return Difference(tuple(added), tuple(gone), tuple(pair for pair in both if _differs(*pair)))


def _differs(older: Said, newer: Said) -> bool:
    moved = abs(newer.at - older.at) >= _MOVED
    one, other = older.planned, newer.planned
    return moved or (one.message, one.problem, one.hold) != (other.message, other.problem, other.hold)
