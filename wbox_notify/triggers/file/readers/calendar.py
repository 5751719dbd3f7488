"""Reader of calendars (ICS): each event once; of one that is repeated, its first time."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import BinaryIO, NamedTuple

from wbox_notify.errors import WboxError
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
_COUNT = re.compile("[0-9]{1,9}")

_TEXTS = ("uid", "summary", "description", "location", "url", "status")


class _Property(NamedTuple):
    """A line of a calendar: ``NAME;PARAMETERS:VALUE``."""

    name: str
    parameters: str
    value: str


_Event = dict[str, _Property]


def calendar(file: BinaryIO, encoding: str) -> Iterator[Row]:
    """Yield each event of a calendar as a map; ``start`` and ``end`` are ISO 8601, with a zone if known.

    Raises:
        WboxError: the file is not a calendar.
    """
    number, method, zones, is_calendar = 0, "", Zones(), False
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
            number += 1
            yield _row(number, _event(_inside(properties, value)), method, zones)
        is_calendar = is_calendar or value in {"VCALENDAR", "VEVENT"}
    if not is_calendar:
        raise WboxError("this is no calendar: nothing in it is BEGIN:VCALENDAR")


def _inside(properties: Iterator[_Property], kind: str) -> Iterator[_Property]:
    """Yield what stands between a beginning and its end; a problem is a property without a name."""
    size = 0
    for line in properties:
        if line.name == "END" and line.value.strip().upper() == kind:
            if size > LONGEST:
                yield _Property("", "", f"it is longer than {LONGEST} characters")
            return
        size += len(line.value)
        if size <= LONGEST:
            yield line
    yield _Property("", "", "the calendar ends within this event")


def _event(properties: Iterator[_Property]) -> _Event:
    """Return the properties of an event by their names, without those of its alarms."""
    depth, event = 0, {}
    for line in properties:
        if line.name == "BEGIN":
            depth += 1
        elif line.name == "END":
            depth -= 1
        elif not depth or not line.name:
            event[line.name] = line
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
        return Row(number, None, event[""].value)
    try:
        times = _times(event, zones)
    except ValueError as error:
        return Row(number, None, str(error))
    texts = {name: _text(event, name.upper()) for name in _TEXTS}
    if method == "CANCEL" and not texts["status"]:
        texts["status"] = "CANCELLED"
    return Row(number, {**texts, **times, "repeats": "RRULE" in event})


def _times(event: _Event, zones: Zones) -> dict[str, object]:
    if "DTSTART" not in event:
        raise ValueError("it has no DTSTART")
    sequence = _text(event, "SEQUENCE").strip() or "0"
    if not _COUNT.fullmatch(sequence):
        raise ValueError(f"its SEQUENCE is {sequence[:40]!r}, and has to be a number")
    end = event.get("DTEND")
    return {
        "sequence": int(sequence),
        "start": _time(event["DTSTART"], zones),
        "end": _time(end, zones) if end else "",
        "all_day": "T" not in event["DTSTART"].value.upper(),
    }


def _text(event: _Event, name: str) -> str:
    if name not in event:
        return ""
    return _ESCAPED.sub(_unescape, event[name].value)


def _time(line: _Property, zones: Zones) -> str:
    text = line.value.strip().upper()
    try:
        time = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        raise ValueError(f"{line.value.strip()[:40]!r} is not a time") from None
    zone = _ZONE.search(line.parameters)
    if text.endswith("Z"):
        return time.replace(tzinfo=UTC).isoformat()
    if not zone:
        return time.isoformat()
    return time.replace(tzinfo=zones.find(zone[1] or zone[2] or "")).isoformat()


def _unescape(escaped: re.Match[str]) -> str:
    return "\n" if escaped[1] in "nN" else escaped[1]
