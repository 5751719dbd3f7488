"""The page about people: contacts, groups, who is on call now and in the coming days."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wbox_notify.model.phones import masked
from wbox_notify.rules.project import Project
from wbox_notify.rules.recipients import Contact, OnCall, shown
from wbox_notify.triggers.schedule.wallclock import moment as moment_of
from wbox_notify.triggers.schedule.windows import Window
from wbox_notify.web.console.console import Console

_DAY = 86400.0
DAYS = 14
_FRIDAY = 5
_DAY_MINUTES = 24 * 60


def routes(console: Console) -> list[Route]:
    """Return the routes of the page."""

    def show(request: Request) -> Response:
        return console.page(request, "people.html", model(console))

    return console.get("/people", show)


def model(console: Console) -> dict[str, Any]:
    """Return what the page shows."""
    project, now = console.live.project, console.now()
    made = console.store.made_for(now - _DAY)
    people, moment = project.people, datetime.fromtimestamp(now, UTC)
    return {
        "contacts": [
            _contact(name, contact, project, made, moment) for name, contact in people.contacts.items()
        ],
        "groups": [
            {"name": name, "members": [shown(member) for member in members]}
            for name, members in people.groups.items()
        ],
        "rotations": [_rotation(rotation, project, moment) for rotation in people.on_call.values()],
        "days": list(_days(project, moment)),
    }


def _contact(
    name: str, contact: Contact, project: Project, made: Counter[str], moment: datetime
) -> dict[str, Any]:
    settings, people = project.settings, project.people
    zone = contact.zone or settings.tz
    return {
        "key": name,
        "name": contact.name,
        "phone": masked(contact.phone),
        "lang": contact.lang or settings.lang,
        "zone": str(zone),
        **_quiet(contact.quiet_hours, zone, moment),
        "tags": sorted(contact.tags),
        "groups": [group for group, members in people.groups.items() if contact in members],
        "on_call": [turns.name for turns in people.on_call.values() if turns.at(moment) == contact],
        "made": made[contact.phone],
    }


def _quiet(window: Window | None, zone: tzinfo, moment: datetime) -> dict[str, Any]:
    """Return when somebody is not to be disturbed, and until when that is if it is now."""
    if window is None or not window.contains(moment, zone):
        return {"quiet_hours": _spans(window), "is_quiet": False, "quiet_until": None}
    until = window.ends_after(moment, zone)
    return {"quiet_hours": _spans(window), "is_quiet": True, "quiet_until": until and until.isoformat()}


def _rotation(rotation: OnCall, project: Project, moment: datetime) -> dict[str, Any]:
    """Return who is on call, and the turns of the coming days as parts of the strip, in thousandths."""
    begin, end = _span(project, moment)
    on_duty = rotation.turns(moment, moment)[0]
    return {
        "name": rotation.name,
        "zone": str(rotation.zone),
        "on_duty": shown(on_duty.contact),
        "until": on_duty.end.isoformat(),
        "turns": [
            {
                "name": shown(turn.contact),
                "number": rotation.rotation.index(turn.contact),
                "start": turn.start.isoformat(),
                "end": turn.end.isoformat(),
                "from": _place(turn.start, begin, end),
                "to": _place(turn.end, begin, end),
            }
            for turn in rotation.turns(begin, end)
        ],
        "now": _place(moment, begin, end),
    }


def _days(project: Project, moment: datetime) -> Iterator[dict[str, Any]]:
    """Yield the coming days of the strip, each with its place."""
    begin, end = _span(project, moment)
    today = begin.astimezone(project.settings.tz).date()
    for number in range(DAYS):
        day = today + timedelta(days=number)
        at = moment_of(datetime.combine(day, time()), project.settings.tz)
        yield {"day": day.isoformat(), "from": _place(at, begin, end), "weekend": day.isoweekday() > _FRIDAY}


def _span(project: Project, moment: datetime) -> tuple[datetime, datetime]:
    """Return the beginning of this day, and of the first day that the strip does not show."""
    zone = project.settings.tz
    midnight = datetime.combine(moment.astimezone(zone).date(), time())
    return moment_of(midnight, zone), moment_of(midnight + timedelta(days=DAYS), zone)


def _place(at: datetime, begin: datetime, end: datetime) -> int:
    """Return how far a moment is from the beginning of the strip to its end, in thousandths."""
    return round(min(max((at - begin) / (end - begin), 0.0), 1.0) * 1000)


def _spans(window: Window | None) -> list[dict[str, Any]]:
    """Return the parts of a window: the days of the week on which each begins, and its times."""
    return [
        {"days": sorted(span.days), "start": _clock(span.start), "end": _clock(span.end)}
        for span in (window.spans if window else ())
    ]


def _clock(minutes: int) -> str:
    """Return minutes since midnight as a time; the end of the day is ``24:00``."""
    if minutes == _DAY_MINUTES:
        return "24:00"
    hours, rest = divmod(minutes % _DAY_MINUTES, 60)
    return f"{hours:02}:{rest:02}"
