"""Calendars: the events of an ICS file, each once; when one is repeated, its first time."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import BinaryIO, NamedTuple

from wbox_notify.errors import WboxError
from wbox_notify.triggers.file.readers.text import LONGEST, Row, decoded, lines, raw_lines, wide
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
        WboxError: it is no calendar.
    """
    number, method, zones, known = 0, "", Zones(), False
    found = _properties(file, encoding)
    for line in found:
        begun = line.value.strip().upper() if line.name == "BEGIN" else ""
        if begun == "VTIMEZONE":
            zones.define([(part.name, part.value) for part in _inside(found, begun)])
        elif begun == "VEVENT":
            number += 1
            yield _row(number, _event(_inside(found, begun)), method, zones)
        elif line.name == "METHOD":
            method = line.value.strip().upper()
        known = known or begun in {"VCALENDAR", "VEVENT"}
    if not known:
        raise WboxError("this is no calendar: nothing in it is BEGIN:VCALENDAR")


def _inside(found: Iterator[_Property], kind: str) -> Iterator[_Property]:
    """Yield what stands between a beginning and its end; what is wrong with it has no name."""
    size = 0
    for line in found:
        if line.name == "END" and line.value.strip().upper() == kind:
            if size > LONGEST:
                yield _Property("", "", f"it is longer than {LONGEST} characters")
            return
        size += len(line.value)
        if size <= LONGEST:
            yield line
    yield _Property("", "", "the calendar ends within this event")


def _event(found: Iterator[_Property]) -> _Event:
    """Return the lines of an event by their names, without those of its alarms."""
    depth, event = 0, {}
    for line in found:
        if line.name in {"BEGIN", "END"}:
            depth += 1 if line.name == "BEGIN" else -1
        elif not depth or not line.name:
            event[line.name] = line
    return event


def _properties(file: BinaryIO, encoding: str) -> Iterator[_Property]:
    """Yield each line, put together from those that go on with it.

    They are put together as bytes: a program that counts 75 of them cuts a letter in two (RFC 5545, 3.1).
    """
    many = wide(file, encoding)
    raw = (line.encode() for line in lines(file, many)) if many else raw_lines(file)
    whole, size = [b""], 0
    for line in chain(raw, (b"END:",)):
        bare = line.rstrip(b"\r\n")
        if bare[:1] in {b" ", b"\t"}:
            size += len(bare)
            whole += [bare[1:]] if size <= LONGEST else []
            continue
        text = decoded(b"".join(whole), "" if many else encoding).removeprefix("\ufeff")
        if parts := _LINE.fullmatch(text):
            yield _Property(parts[1].upper(), parts[2], parts[3])
        whole, size = [bare], 0


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
    counted = _text(event, "SEQUENCE").strip() or "0"
    if not _COUNT.fullmatch(counted):
        raise ValueError(f"its SEQUENCE is {counted[:40]!r}, and has to be a number")
    return {
        "sequence": int(counted),
        "start": _time(event["DTSTART"], zones),
        "end": _time(event["DTEND"], zones) if "DTEND" in event else "",
        "all_day": "T" not in event["DTSTART"].value.upper(),
    }


def _text(event: _Event, name: str) -> str:
    return _ESCAPED.sub(_plain, event[name].value) if name in event else ""


def _time(line: _Property, zones: Zones) -> str:
    text = line.value.strip().upper()
    try:
        found = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        raise ValueError(f"{line.value.strip()[:40]!r} is not a time") from None
    zone = _ZONE.search(line.parameters)
    if text.endswith("Z"):
        return found.replace(tzinfo=UTC).isoformat()
    if not zone:
        return found.isoformat()
    return found.replace(tzinfo=zones.find(zone[1] or zone[2] or "")).isoformat()


def _plain(escaped: re.Match[str]) -> str:
    return "\n" if escaped[1] in "nN" else escaped[1]
