"""Calendars: the events of an ICS file, each once; when one is repeated, its first time."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from zoneinfo import ZoneInfo

from wbox_notify.readers.text import LONGEST, Row

_LINE = re.compile(r"([A-Za-z0-9-]+)((?:;[^=:;]+=(?:\"[^\"]*\"|[^\":;]*))*):(.*)", re.DOTALL)
_ZONE = re.compile(r";TZID=\"?([^\";:]+)", re.IGNORECASE)
_ESCAPED = re.compile(r"\\([\\;,nN])")
_OUTLOOKS = {
    "Turkey Standard Time": "Europe/Istanbul",
    "GTB Standard Time": "Europe/Bucharest",
    "W. Europe Standard Time": "Europe/Berlin",
    "Central Europe Standard Time": "Europe/Budapest",
    "Romance Standard Time": "Europe/Paris",
    "GMT Standard Time": "Europe/London",
}
"""What Outlook calls the zones that our users are in."""

_TEXTS = ("uid", "summary", "description", "location", "url", "status")


def calendar(found: Iterator[str]) -> Iterator[Row]:
    """Yield each event of a calendar as a map; ``start`` and ``end`` are ISO 8601, with a zone if known."""
    number, depth, size = 0, 0, 0
    event: dict[str, tuple[str, str]] | None = None
    for name, parameters, value in _properties(found):
        kind = value.strip().upper()
        if event is None:
            if (name, kind) == ("BEGIN", "VEVENT"):
                number, event, depth, size = number + 1, {}, 0, 0
        elif (name, kind) == ("END", "VEVENT"):
            yield _row(number, event, size)
            event = None
        elif name in {"BEGIN", "END"}:
            depth += 1 if name == "BEGIN" else -1
        elif not depth and (size := size + len(value)) <= LONGEST:
            event[name] = (parameters, value)
    if event is not None:
        yield Row(number, None, "the calendar ends within this event")


def _properties(found: Iterator[str]) -> Iterator[tuple[str, str, str]]:
    """Yield name, parameters and value of each line, with the lines put together that belong together."""
    whole = ""
    for line in chain(found, ("END:",)):
        bare = line.rstrip("\r\n")
        if bare[:1] in {" ", "\t"} and len(whole) <= LONGEST:
            whole += bare[1:]
            continue
        if parts := _LINE.fullmatch(whole):
            yield parts[1].upper(), parts[2], parts[3]
        whole = bare


def _row(number: int, event: dict[str, tuple[str, str]], size: int) -> Row:
    if size > LONGEST:
        return Row(number, None, f"it is longer than {LONGEST} characters")
    try:
        start = _time(*event["DTSTART"])
        end = _time(*event["DTEND"]) if "DTEND" in event else ""
        sequence = int(event.get("SEQUENCE", ("", "0"))[1])
    except KeyError as error:
        missing = str(error.args[0])
        return Row(number, None, "it has no DTSTART" if missing == "DTSTART" else missing)
    except ValueError as error:
        return Row(number, None, str(error))
    texts = {name: _ESCAPED.sub(_plain, event.get(name.upper(), ("", ""))[1]) for name in _TEXTS}
    all_day = "T" not in event["DTSTART"][1].upper()
    repeats = "RRULE" in event
    times = {"start": start, "end": end, "all_day": all_day, "repeats": repeats}
    return Row(number, {**texts, "sequence": sequence, **times})


def _time(parameters: str, value: str) -> str:
    text = value.strip().upper()
    try:
        found = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        raise ValueError(f"{value.strip()!r} is not a time") from None
    zone = _ZONE.search(parameters)
    if text.endswith("Z"):
        return found.replace(tzinfo=UTC).isoformat()
    if not zone:
        return found.isoformat()
    try:
        return found.replace(tzinfo=ZoneInfo(_OUTLOOKS.get(zone[1], zone[1]))).isoformat()
    except (KeyError, ValueError, OSError):
        raise ValueError(f"the time zone {zone[1]!r} is not known") from None


def _plain(escaped: re.Match[str]) -> str:
    return "\n" if escaped[1] in "nN" else escaped[1]
