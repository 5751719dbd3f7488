"""Times of events that recur, within a span."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any, NamedTuple

from wbox_notify.model.texts import Wording

Span = tuple[datetime, datetime]
"""The time within which recurring events are given."""

_EARLIEST = 1900
_LONGEST_PART = 400
_OFTEN = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTH"})
_SELDOM = _OFTEN | {"BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"}
_PARTS = {"DAILY": _OFTEN, "WEEKLY": _OFTEN, "MONTHLY": _SELDOM, "YEARLY": _SELDOM}
"""What may stand in a rule, by its FREQ. With more of it a rule could be one that is never due, or due each
second, and nobody would see that before all days until the year 9999 have been tried."""

_MONTHS = re.compile(r"(?:0?[1-9]|1[0-2])(?:,(?:0?[1-9]|1[0-2]))*")
_TIME_OF_DAY = re.compile(r"BYHOUR=\d\d?(?:,\d\d?){0,7}|BY(?:MINUTE|SECOND)=\d\d?")


class Times(NamedTuple):
    """When an event is, a day or a time; ``original`` is when one that recurs was to begin by its rule."""

    start: date
    end: date | None
    original: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """What one event of a series says of its times.

    Attributes:
        rule: Its RRULE; empty where it has none.
        more: Times beside those of the rule.
        without: Times of the rule that are left out.
        original: The time of the series in whose place it stands, if it does.
        and_later: Whether it also changes all times after that.
        sequence: Its version: the highest one counts.
    """

    start: date
    end: date | None
    rule: str
    more: tuple[date, ...]
    without: tuple[date, ...]
    original: date | None
    and_later: bool
    sequence: int


def occurrences(series: Sequence[Recurrence], span: Span) -> list[tuple[int, Times]]:
    """Return the times of a series in order, each with the index of the event that it is.

    Raises:
        ValueError: they cannot be worked out.
    """
    import recurring_ical_events  # noqa: PLC0415 - it takes long to load

    for event in series:
        _check(event)
    zone = next((_order(event.start).tzinfo for event in series if event.original is None), None)
    times: list[tuple[int, Times]] = []
    try:
        for component in recurring_ical_events.of(_calendar(series)).between(*span):
            index = int(component["x-index"])
            times.append((index, _times(component, series[index], zone)))
    except Exception as error:  # the library raises whatever a wrong rule leads to
        rules = [event.rule for event in series if event.rule]
        raise ValueError(
            Wording("its times cannot be worked out: {rules}", rules=", ".join(rules) or error)
        ) from error
    return sorted(times, key=lambda indexed: _order(indexed[1].start))


def _times(component: Any, event: Recurrence, zone: tzinfo | None) -> Times:
    """Return one time of an event, whose ``original`` is in the zone of its series."""
    original = component["recurrence-id"].dt
    if event.original and event.and_later:
        original = component.start - (_order(event.start) - _order(event.original))
    if zone and isinstance(original, datetime) and original.tzinfo:
        original = original.astimezone(zone)
    return Times(component.start, component.end if event.end else None, original)


def _calendar(series: Sequence[Recurrence]) -> Any:
    """Return a calendar with a series alone; of each event it has the times and the index."""
    import icalendar  # noqa: PLC0415 - it takes long to load

    calendar = icalendar.Calendar()
    for index, event in enumerate(series):
        component = icalendar.Event()
        parts = {
            "dtstart": event.start,
            "dtend": event.end,
            "rrule": event.rule and icalendar.vRecur.from_ical(event.rule),
            "rdate": list(event.more),
            "exdate": list(event.without),
            "recurrence-id": event.original,
        }
        for name, value in parts.items():
            if value:
                component.add(name, value)
        component.add("uid", "-")
        component.add("sequence", event.sequence)
        component.add("x-index", str(index))
        if event.and_later:
            component["recurrence-id"].params["RANGE"] = "THISANDFUTURE"
        calendar.add_component(component)
    return calendar


def _order(moment: date) -> datetime:
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _check(event: Recurrence) -> None:
    """Raise ValueError where the times of an event cannot be worked out, or not in a bounded time."""
    if event.end and _order(event.end) < _order(event.start):
        raise ValueError(Wording("it ends before it begins"))
    if event.rule:
        _check_rule(event)


def _check_rule(event: Recurrence) -> None:
    texts = [part for part in event.rule.split(";") if part and not _TIME_OF_DAY.fullmatch(part)]
    parts = dict(text.partition("=")[::2] for text in texts)
    frequency = parts.get("FREQ", "")
    if frequency not in _PARTS:
        known = ", ".join(_PARTS)
        raise ValueError(
            Wording(
                "it recurs {frequency}, which is none of {known}",
                frequency=frequency or Wording("without FREQ"),
                known=known,
            )
        )
    if wrong := _unsupported(frequency, parts):
        raise ValueError(
            Wording(
                "{parts} in its RRULE is not supported with {frequency}",
                parts=", ".join(sorted(wrong)),
                frequency=frequency,
            )
        )
    if event.start.year < _EARLIEST:
        raise ValueError(Wording("it recurs from {year} on, which is too long ago", year=event.start.year))


def _unsupported(frequency: str, parts: Mapping[str, str]) -> set[str]:
    """Return the parts of a rule that it cannot have."""
    interval = parts.get("INTERVAL", "1")
    wrong = parts.keys() - _PARTS[frequency]
    if not re.fullmatch("[1-9][0-9]{0,4}", interval):
        wrong |= {"INTERVAL"}
    if not _MONTHS.fullmatch(parts.get("BYMONTH", "1")):
        wrong |= {"BYMONTH"}
    if frequency == "DAILY" and interval != "1":
        wrong |= parts.keys() & {"BYDAY", "BYMONTH"}
    return wrong | {name for name, value in parts.items() if len(value) > _LONGEST_PART}
