"""The numbers behind the pictures of the overview: messages by hour and weekday, what waits, and delays."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Any

from wbox_notify.model.deliveries import State
from wbox_notify.store import Queries

HOURS = 24
WEEKS = 4

_HOUR = 3600.0
_SLOT = 900
"""Seconds of the slots that are counted: hours begin at a quarter in some zones."""

_FAILED = (State.DEAD, State.EXPIRED)
_SAMPLE = 200
_AGES = (60, 600, 3600, 6 * 3600, 86_400)


def by_hour(store: Queries, now: float, zone: tzinfo) -> list[dict[str, Any]]:
    """Return how many messages were sent, and how many failed, in each of the last 24 hours."""
    hours = _hours(now, zone)
    first, last = int(hours[0].timestamp()) // _SLOT, int(now) // _SLOT
    sent, failed = Counter[float](), Counter[float]()
    for slot, state, many in store.ended((State.SENT, *_FAILED), _SLOT, first, last):
        counts = failed if state in _FAILED else sent
        counts[_hour_of(slot * _SLOT, zone).timestamp()] += many
    return [
        {"hour": hour.isoformat(), "sent": sent[hour.timestamp()], "failed": failed[hour.timestamp()]}
        for hour in hours
    ]


def by_weekday(store: Queries, now: float, zone: tzinfo) -> list[list[int]]:
    """Return how many messages were sent in the last four weeks, for each weekday in each hour of the day.

    The weeks end with the hour before this one, so that all of an hour count the same days.
    """
    end = _hour_of(now, zone)
    begin = end - timedelta(weeks=WEEKS)
    first, last = int(begin.timestamp()) // _SLOT, int(end.timestamp()) // _SLOT - 1
    week = [[0] * HOURS for _ in range(7)]
    for slot, _state, many in store.ended([State.SENT], _SLOT, first, last):
        hour = datetime.fromtimestamp(slot * _SLOT, zone)
        week[hour.weekday()][hour.hour] += many
    return week


def by_age(store: Queries, now: float) -> list[dict[str, Any]]:
    """Return how many of the messages that wait were made less than a minute ago, than ten, and so on."""
    older = [*store.waiting_since([now + _HOUR, *(now - age for age in _AGES)]), 0]
    return [
        {"below": age, "messages": many - fewer}
        for age, (many, fewer) in zip((*_AGES, None), pairwise(older), strict=True)
    ]


def delays(store: Queries, now: float, zone: tzinfo) -> dict[str, Any]:
    """Return how long messages took from their plan until they were sent: p50 and p95, also by hour.

    They are of the newest 200 of each hour.
    """
    hours, every = [], []
    begins = _hours(now, zone)
    for hour, end in pairwise([*begins, datetime.fromtimestamp(now + _HOUR, UTC)]):
        sample = sorted(store.delays(hour.timestamp(), end.timestamp(), _SAMPLE))
        every += sample
        hours.append({"hour": hour.isoformat(), **_percentiles(sample)})
    return {**_percentiles(sorted(every)), "hours": hours}


def _percentiles(ordered: Sequence[float]) -> dict[str, float | None]:
    return {"p50": _at(ordered, 0.5), "p95": _at(ordered, 0.95)}


def _at(ordered: Sequence[float], share: float) -> float | None:
    """Return what so many of the values are not above; None of no values."""
    return max(ordered[math.ceil(share * len(ordered)) - 1], 0.0) if ordered else None


def _hours(now: float, zone: tzinfo) -> list[datetime]:
    """Return when each of the last 24 hours by the clocks of a zone began, the one that runs last.

    Where clocks are set by half an hour, one of them is longer or shorter.
    """
    slots = range(int(now), int(now) - (HOURS + 1) * int(_HOUR), -_SLOT)
    hours = {(hour := _hour_of(at, zone)).timestamp(): hour for at in slots}
    return [*hours.values()][:HOURS][::-1]


def _hour_of(at: float, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(at, zone).replace(minute=0, second=0, microsecond=0)


def midnight(now: float, zone: tzinfo) -> float:
    """Return when the day began by the clocks of a zone."""
    return datetime.combine(datetime.fromtimestamp(now, zone).date(), time(), zone).timestamp()


class Hourly:
    """A picture that is made once an hour, as it is of past hours alone and reads much."""

    def __init__(self, make: Callable[[float, tzinfo], Any]) -> None:
        self._make = make
        self._made: tuple[Any, Any] = (None, None)

    def __call__(self, now: float, zone: tzinfo) -> Any:
        """Return the picture of the time before this hour."""
        about = (_hour_of(now, zone), zone)
        if self._made[0] != about:
            self._made = (about, self._make(now, zone))
        return self._made[1]
