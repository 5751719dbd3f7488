"""Reader of calendars (ICS): each event, and one that recurs at each of its times within a span."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain, count
from time import thread_time
from typing import BinaryIO, NamedTuple

from wbox_notify.errors import WboxError
from wbox_notify.model.texts import Wording, worded
from wbox_notify.triggers.file.readers.recurrence import Recurrence, Span, Times, occurrences
from wbox_notify.triggers.file.readers.text import (
    LONGEST,
    Row,
    decode_line,
    lines,
    raw_lines,
    wide_encoding,
)
from wbox_notify.triggers.file.readers.zones import Zones

_LINE = re.compile(r"([A-Za-z0-9-]+)((?:;[^=:;]+=(?:\"[^\"]*\"|[^\":;])*)*):(.*)", re.DOTALL)
_ZONE = re.compile(r";TZID=(?:\"([^\"]*)\"|([^\";]*))", re.IGNORECASE)
_ESCAPED = re.compile(r"\\([\\;,nN])")
_LENGTH = re.compile(r"\+?P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?")
_COUNT = re.compile("[0-9]{1,9}")

_TEXTS = ("uid", "summary", "description", "location", "url", "status")


class _Property(NamedTuple):
    """A line of a calendar: ``NAME;PARAMETERS:VALUE``."""

    name: str
    parameters: str
    value: str


_Event = dict[str, list[_Property]]
_RECURS = frozenset({"RRULE", "RDATE", "RECURRENCE-ID"})
_MOST_KEPT = 4 * LONGEST
_MOST_SECONDS = 20.0
_DIVIDE = Wording("divide it into several files")


def calendar(file: BinaryIO, encoding: str, span: Span | None) -> Iterator[Row]:
    """Yield each event of a calendar as a map; ``start`` and ``end`` are ISO 8601, with a zone if known.

    Those that recur come after the others, at each of their times within the span; without one, each event is
    given as it stands.

    Raises:
        WboxError: the file is not a calendar, or too much in it recurs.
    """
    number, method, zones, is_calendar = 0, "", Zones(), False
    recurring = _Recurring(span)
    properties = _properties(file, encoding)
    for line in properties:
        value = line.value.strip().upper()
        if line.name == "METHOD":
            method = value
        if line.name != "BEGIN":
            continue
        if value == "VTIMEZONE":
            zones.define([(part.name, part.value) for part in _inside(properties, value)])
        elif value == "VEVENT":
            event = _event(_inside(properties, value))
            if not recurring.takes(event):
                number += 1
                yield _row(number, event, method, zones)
        is_calendar = is_calendar or value in {"VCALENDAR", "VEVENT"}
    if not is_calendar:
        raise WboxError("this is no calendar: nothing in it is BEGIN:VCALENDAR")
    yield from recurring.rows(number + 1, method, zones)


class _Recurring:
    """The events of a calendar that recur, by their UID: other events with it say what was changed."""

    def __init__(self, span: Span | None) -> None:
        self._span = span
        self._series: dict[str, list[_Event]] = {}
        self._size = 0

    def takes(self, event: _Event) -> bool:
        """Keep an event if it recurs, and return whether it does; WboxError where there are too many."""
        if self._span is None or "" in event or not event.keys() & _RECURS:
            return False
        self._size += sum(len(line.value) for lines in event.values() for line in lines)
        if self._size > _MOST_KEPT:
            raise WboxError("there are too many recurring events in this calendar", hint=_DIVIDE)
        self._series.setdefault(_text(event, "UID") or f"\n{len(self._series)}", []).append(event)
        return True

    def rows(self, first: int, method: str, zones: Zones) -> Iterator[Row]:
        """Yield them at their times within the span, numbered from the ``first`` on."""
        if self._span is None:
            return
        numbers, seconds = count(first), 0.0
        for events in self._series.values():
            began = thread_time()
            rows = [*_series(events, method, zones, self._span)]
            seconds += thread_time() - began  # what follows a row takes its own time in this thread
            if seconds > _MOST_SECONDS:
                raise WboxError("it takes too long to work out what recurs in this calendar", hint=_DIVIDE)
            for row in rows:
                yield row._replace(number=next(numbers))


def _series(events: list[_Event], method: str, zones: Zones, span: Span) -> Iterator[Row]:
    """Yield the events of a series at their times; one problem where they cannot be worked out."""
    try:
        for index, times in occurrences([_recurrence(event, zones) for event in events], span):
            yield Row(0, {**_facts(events[index], method), **_shown(times), "repeats": True})
    except ValueError as error:
        yield Row(0, None, worded(error.args[0]))


def _inside(properties: Iterator[_Property], kind: str) -> Iterator[_Property]:
    """Yield what stands between a beginning and its end; a problem is a property without a name."""
    size = 0
    for line in properties:
        if line.name == "END" and line.value.strip().upper() == kind:
            if size > LONGEST:
                yield _Property("", "", Wording("it is longer than {most} characters", most=LONGEST))
            return
        size += len(line.value)
        if size <= LONGEST:
            yield line
    yield _Property("", "", "the calendar ends within this event")


def _event(properties: Iterator[_Property]) -> _Event:
    """Return the properties of an event by their names, without those of its alarms."""
    depth = 0
    event: _Event = {}
    for line in properties:
        if line.name == "BEGIN":
            depth += 1
        elif line.name == "END":
            depth -= 1
        elif not depth or not line.name:
            event.setdefault(line.name, []).append(line)
    return event


def _properties(file: BinaryIO, encoding: str) -> Iterator[_Property]:
    """Yield each line, put together from those that go on with it.

    They are put together as bytes: a program that counts 75 of them cuts a letter in two (RFC 5545, 3.1).
    """
    wide = wide_encoding(file, encoding)
    raw = raw_lines(file)
    if wide:
        raw, encoding = (line.encode() for line in lines(file, wide)), ""
    parts, size = [b""], 0
    for line in chain(raw, (b"END:",)):
        bare = line.rstrip(b"\r\n")
        if bare[:1] in {b" ", b"\t"}:
            size += len(bare)
            if size <= LONGEST:
                parts.append(bare[1:])
            continue
        text = decode_line(b"".join(parts), encoding).removeprefix("\ufeff")
        if fields := _LINE.fullmatch(text):
            yield _Property(fields[1].upper(), fields[2], fields[3])
        parts, size = [bare], 0


def _row(number: int, event: _Event, method: str, zones: Zones) -> Row:
    if "" in event:
        return Row(number, None, event[""][0].value)
    try:
        facts = _facts(event, method)
        times = Times(_start(event, zones), _end(event, zones), None)
    except ValueError as error:
        return Row(number, None, worded(error.args[0]))
    return Row(number, {**facts, **_shown(times), "repeats": "RRULE" in event})


def _facts(event: _Event, method: str) -> dict[str, object]:
    """Return what is the same at all times of an event."""
    texts = {name: _text(event, name.upper()) for name in _TEXTS}
    if method == "CANCEL" and not texts["status"]:
        texts["status"] = "CANCELLED"
    return {**texts, "sequence": _sequence(event)}


def _sequence(event: _Event) -> int:
    sequence = _text(event, "SEQUENCE").strip() or "0"
    if not _COUNT.fullmatch(sequence):
        raise ValueError(
            Wording("its SEQUENCE is {sequence!r}, and has to be a number", sequence=sequence[:40])
        )
    return int(sequence)


def _shown(times: Times) -> dict[str, object]:
    return {
        "start": _iso(times.start),
        "end": _iso(times.end),
        "original": _iso(times.original),
        "all_day": not isinstance(times.start, datetime),
    }


def _iso(moment: date | None) -> str:
    if moment is None:
        return ""
    if isinstance(moment, datetime):
        return moment.isoformat()
    return datetime.combine(moment, time()).isoformat()


def _recurrence(event: _Event, zones: Zones) -> Recurrence:
    """Return what says when an event recurs; ValueError where not all of it can be followed."""
    if len(event.get("RRULE", ())) > 1 or "EXRULE" in event:
        raise ValueError(Wording("more than one RRULE, and EXRULE, are not supported"))
    original = next(iter(event.get("RECURRENCE-ID", ())), None)
    return Recurrence(
        start=_start(event, zones),
        end=_end(event, zones),
        rule=_text(event, "RRULE").strip().upper(),
        more=tuple(_moments(event, "RDATE", zones)),
        without=tuple(_moments(event, "EXDATE", zones)),
        original=original and _moment(original, zones),
        and_later=original is not None and "THISANDFUTURE" in original.parameters.upper(),
        sequence=_sequence(event),
    )


def _start(event: _Event, zones: Zones) -> date:
    if "DTSTART" not in event:
        raise ValueError(Wording("it has no DTSTART"))
    return _moment(event["DTSTART"][-1], zones)


def _end(event: _Event, zones: Zones) -> date | None:
    """Return when an event ends, if it says so."""
    if "DTEND" in event:
        return _moment(event["DTEND"][-1], zones)
    length = _LENGTH.fullmatch(_text(event, "DURATION").strip().upper())
    if length is None:
        return None
    weeks, days, hours, minutes, seconds = (float(part or 0) for part in length.groups())
    duration = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    try:
        return _start(event, zones) + duration
    except OverflowError:
        raise ValueError(Wording("it ends after the year 9999")) from None


def _text(event: _Event, name: str) -> str:
    if name not in event:
        return ""
    return _ESCAPED.sub(_unescape, event[name][-1].value)


def _moments(event: _Event, name: str, zones: Zones) -> Iterator[date]:
    """Yield the times in a list; of a period its beginning."""
    for line in event.get(name, ()):
        for value in filter(str.strip, line.value.split(",")):
            yield _moment(line._replace(value=value.partition("/")[0]), zones)


def _moment(line: _Property, zones: Zones) -> date:
    """Return a time, or a day where there is no time of day; ValueError where it is neither."""
    text = line.value.strip().upper().replace(" ", "T")
    try:
        moment = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        raise ValueError(Wording("{text!r} is not a time", text=line.value.strip()[:40])) from None
    zone = _ZONE.search(line.parameters)
    if "T" not in text:
        return moment.date()
    if text.endswith("Z"):
        return moment.replace(tzinfo=UTC)
    if not zone:
        return moment
    return moment.replace(tzinfo=zones.find(zone[1] or zone[2] or ""))


def _unescape(escaped: re.Match[str]) -> str:
    return "\n" if escaped[1] in "nN" else escaped[1]
