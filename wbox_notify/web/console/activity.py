"""The pages about what happened: the newest events, what became of one, and the stream of changes."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wbox_notify.config.values import parse_duration, parse_moment
from wbox_notify.dispatch.queue import REPLAYED, acknowledgement, once_more, silencing
from wbox_notify.engine import escalate
from wbox_notify.engine.state import SilenceState
from wbox_notify.errors import WboxError
from wbox_notify.model.redaction import redacted
from wbox_notify.model.texts import Wording, problem_of, worded
from wbox_notify.rules.project import Project
from wbox_notify.store import rows
from wbox_notify.store.database import Row
from wbox_notify.store.queries import Wanted
from wbox_notify.store.trails import decision_fields, event_fields, trail_fields
from wbox_notify.web.console.console import Console
from wbox_notify.web.console.door import field, inside
from wbox_notify.web.console.show import iso

_ON_A_PAGE = 30
_LOOKED_AT = 20_000
_MOST_DELIVERIES = 100
_MOST_DIGITS = 18
_MOST_DATA = 20_000
_MORNING = time(8)
_TOMORROW = "tomorrow"
_OFF = "off"
_FILTERS = ("rule", "to", "since", "until", "failed")


def routes(console: Console) -> list[Route]:
    """Return the routes of the pages, of the stream, and of the silences of rules."""
    pages = _Pages(console)
    return [
        Route("/activity/stream", console.inside(console.changes.stream), methods=["GET"]),
        *console.get("/activity", pages.show_all),
        *console.get("/activity/{event:path}", pages.show),
        console.post("/activity/{event:path}", pages.act),
        console.post("/silence/{rule:path}", pages.silence),
    ]


class _Pages:
    def __init__(self, console: Console) -> None:
        self._console = console

    def show_all(self, request: Request) -> Response:
        """Show the newest events that are asked for."""
        shown = all_events(self._console, request.query_params, self._console.lang(request))
        return self._console.page(request, "activity.html", shown)

    def show(self, request: Request) -> Response:
        """Show all that is known of an event."""
        name = request.path_params["event"]
        if request.state.as_json and self._console.store.event(name) is None:
            request.state.as_json = False  # its name may end in .json itself
            request.path_params["event"] = f"{name}.json"
        row = self._event(request)
        return self._console.page(request, "trace.html", one_event(self._console, row, request))

    def act(self, request: Request) -> Response:
        """Follow an event once more, or acknowledge a trouble of it."""
        row, form = self._event(request), request.state.form
        _ = self._console.gettext(request)
        here, control = address(row["id"]), self._console.control
        if field(form, "do") == "ack":
            rule, key = field(form, "rule"), field(form, "key")
            control.accept(acknowledgement(rule, key))
            return self._console.back(request, here, _("Acknowledged: nobody else is called."))
        if field(form, "do") != "replay" or row["type"] not in REPLAYED:
            raise HTTPException(400, Wording("this event cannot be followed once more"))
        if not field(form, "force"):
            control.replay([row["id"]])
            notice = _("It runs through the rules as they are now. What was made is not made again.")
            return self._console.back(request, here, notice)
        again = once_more(rows.event(row))
        control.accept(again)
        return self._console.back(request, address(again.id), _("It runs through the rules as a new event."))

    def silence(self, request: Request) -> Response:
        """Let a rule be silent for a while, or speak again."""
        rule, form = request.path_params["rule"], request.state.form
        if self._console.live.project.rule(rule) is None:
            raise HTTPException(404, Wording("there is no such rule"))
        until = _end_of_silence(field(form, "for"), self._console)
        self._console.control.accept(silencing(rule, until))
        _ = self._console.gettext(request)
        notice = _("%(rule)s tells nobody of anything for now.")
        if until <= self._console.now():
            notice = _("%(rule)s speaks again.")
        return self._console.back(request, inside(field(form, "back")), notice % {"rule": rule})

    def _event(self, request: Request) -> Row:
        row = self._console.store.event(request.path_params["event"])
        if row is None:
            raise HTTPException(404, Wording("there is no such event; old ones are forgotten"))
        return row


def address(event_id: str) -> str:
    """Return the address of the page of an event."""
    return f"/activity/{quote(event_id, safe=':')}"


def all_events(console: Console, asked: Mapping[str, str], lang: str) -> dict[str, Any]:
    """Return the model of the page of all events; ``asked`` has the filters of ``wbox-notify log``."""
    given = {name: asked.get(name, "").strip() for name in _FILTERS}
    before = _number(asked.get("before", ""))
    project, problem = console.live.project, None
    found: Sequence[Row] = ()
    further: int | None = None
    try:
        wanted = _wanted(given, project, console.now())
    except WboxError as error:
        problem = Wording("{problem}: {hint}", problem=problem_of(error), hint=worded(error.hint or ""))
    else:
        found, further = console.store.events_before(before, wanted, most=_ON_A_PAGE, looked_at=_LOOKED_AT)
    newest, older, looked_at = None, None, None
    if before is not None:
        newest = _list(given)
    if further is not None:
        older = _list({**given, "before": str(further)})
    if further and len(found) < _ON_A_PAGE:
        looked_at = _LOOKED_AT
    return {
        "filters": given,
        "problem": problem,
        "events": _summaries(console, found, lang),
        "rules": [rule.id for rule in project.rules],
        "people": sorted(project.people.contacts),
        "looked_at": looked_at,
        "newest": newest,
        "older": older,
    }


def _list(given: Mapping[str, str]) -> str:
    """Return the address of the list with some filters."""
    return f"/activity?{urlencode({name: text for name, text in given.items() if text})}"


def _wanted(given: Mapping[str, str], project: Project, now: float) -> Wanted:
    """Return which events are asked for; WboxError where a filter names nobody, or no time."""
    since, until = (
        parse_moment(given[name], now, lambda: project.settings.tz) if given[name] else None
        for name in ("since", "until")
    )
    recipients: tuple[str, ...] = ()
    if given["to"]:
        told = project.people.find(given["to"], datetime.fromtimestamp(now, UTC))
        recipients = tuple(contact.phone for contact in told)
    return Wanted(since, until, given["rule"], recipients, bool(given["failed"]))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None


def _summaries(console: Console, found: Sequence[Row], lang: str) -> list[dict[str, Any]]:
    """Return events, each with what every rule made of it."""
    outcomes = console.store.outcomes([row["id"] for row in found])
    return [
        {
            **event_fields(rows.event(row), row["received"], lang),
            "href": address(row["id"]),
            "seq": row["seq"],
            "rules": [
                {
                    "rule": made.rule,
                    "states": made.states,
                    "last": made.last and decision_fields(made.last, lang),
                }
                for made in outcomes[row["id"]]
            ],
        }
        for row in found
    ]


def one_event(console: Console, row: Row, request: Request) -> dict[str, Any]:
    """Return the model of the page of an event: as ``wbox-notify why`` tells it, and what can be done."""
    trail = console.store.trail(row, _MOST_DELIVERIES)
    fields = trail_fields(trail, console.lang(request))
    names = [step["rule"] for step in fields["decisions"] + fields["deliveries"] + fields["waiting"]]
    silent = {memory.rule: iso(memory.due) for memory in console.store.memories([SilenceState.KIND])}
    known = {rule.id for rule in console.live.project.rules}
    return {
        **fields,
        "planned": row["planned"] is not None,
        "data": _came(trail.event.data),
        "rules": [
            {"rule": name, "known": name in known, "silent": silent.get(name)}
            for name in dict.fromkeys(names)
        ],
        "open": [
            {"rule": memory.rule, "key": memory.key} for memory in trail.waiting if escalate.is_open(memory)
        ],
        "replayable": trail.event.type in REPLAYED,
        "cut": len(fields["deliveries"]) >= _MOST_DELIVERIES or len(fields["decisions"]) >= _MOST_DELIVERIES,
    }


def _came(data: Mapping[str, Any]) -> str:
    """Return the data of an event as text, the beginning of them where they are long."""
    text = redacted(json.dumps(data, indent=2, ensure_ascii=False))
    return text if len(text) <= _MOST_DATA else f"{text[:_MOST_DATA]}…"


def _end_of_silence(text: str, console: Console) -> float:
    """Return until when a rule is to be silent; ConfigError where that is no time."""
    now = console.now()
    if text == _OFF:
        return now
    if text != _TOMORROW:
        return now + parse_duration(text)
    zone = console.live.project.settings.tz
    day = datetime.fromtimestamp(now, zone).date() + timedelta(days=1)
    return datetime.combine(day, _MORNING, zone).timestamp()
