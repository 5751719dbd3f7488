"""The first page: what was sent, waits, is held and failed, what comes next, and who is on duty."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wbox_notify.engine import ahead
from wbox_notify.engine.ahead import Coming
from wbox_notify.engine.state import QuietState, SilenceState
from wbox_notify.model import reasons
from wbox_notify.model.deliveries import OPEN, STUCK, State
from wbox_notify.rules.project import Project
from wbox_notify.rules.recipients import shown
from wbox_notify.store import Store
from wbox_notify.store.rows import event as event_of
from wbox_notify.store.trails import event_fields
from wbox_notify.web.console import charts, device
from wbox_notify.web.console.console import Console
from wbox_notify.web.console.show import iso

_MOST_AHEAD = 200
_MOST_SHOWN = 12
_LATEST = 8
_WITHIN = 0.5
"""Seconds for which the page waits for what wbox says of the devices."""


def routes(console: Console) -> list[Route]:
    """Return the routes of the page."""
    week = charts.Hourly(partial(charts.by_weekday, console.store))

    def show(request: Request) -> Response:
        zone = console.live.project.settings.tz
        shown = model(console, console.lang(request))
        return console.page(request, "overview.html", {**shown, "week": week(console.now(), zone)})

    return console.get("/", show, json="/overview.json")


def model(console: Console, lang: str) -> dict[str, Any]:
    """Return what the page shows, but for the heat map of the weeks."""
    project, store, now = console.live.project, console.store, console.now()
    zone, moment = project.settings.tz, datetime.fromtimestamp(now, UTC)
    counts = store.counts((*OPEN, *STUCK))
    held = sorted(ahead.held(store.memories_ahead(ahead.KINDS, _MOST_AHEAD)))
    return {
        "now": iso(now),
        "sent_today": store.sent_since(charts.midnight(now, zone)),
        "waiting": sum(counts.get(state, 0) for state in OPEN),
        "held": counts.get(State.HELD, 0),
        "failed": counts.get(State.DEAD, 0) + counts.get(State.EXPIRED, 0),
        "oldest": iso(store.oldest_waiting()),
        "devices": device.states(console, _WITHIN),
        "hours": charts.by_hour(store, now, zone),
        "ages": charts.by_age(store, now),
        "delays": charts.delays(store, now, zone),
        "weeks": charts.WEEKS,
        "unwanted": list(console.unwanted()),
        "on_duty": _on_duty(project, moment),
        "holding": _coming(project, [step for step in held if step.what != SilenceState.KIND], lang),
        "schedules": _coming(project, sorted(ahead.scheduled(project, moment)), lang),
        "latest": _events(store, lang),
    }


def _on_duty(project: Project, moment: datetime) -> list[dict[str, Any]]:
    turns = [(name, rotation.turns(moment, moment)[0]) for name, rotation in project.people.on_call.items()]
    return [
        {"rotation": name, "name": shown(turn.contact), "until": turn.end.isoformat()} for name, turn in turns
    ]


def _coming(project: Project, steps: Sequence[Coming], lang: str) -> list[dict[str, Any]]:
    """Return the first of some steps; what quiet hours hold is for the reader whose address is the key."""
    names = {contact.address: contact.name for contact in project.people.contacts.values()}
    return [
        {
            "at": iso(step.at),
            "what": step.what,
            "kind": reasons.kind(step.what).to(lang),
            "rule": step.rule,
            "to": names.get(step.key) if step.what == QuietState.KIND else None,
            "waiting": step.waiting,
        }
        for step in steps[:_MOST_SHOWN]
    ]


def _events(store: Store, lang: str) -> list[dict[str, Any]]:
    """Return the latest events, each with its rules, and how many messages it made in each state."""
    latest = store.events(most=_LATEST)[::-1]
    outcomes = store.outcomes([row["id"] for row in latest])
    return [
        {
            **event_fields(event_of(row), row["received"], lang),
            "rules": [made.rule for made in outcomes[row["id"]]],
            "deliveries": sum((Counter(made.states) for made in outcomes[row["id"]]), Counter[State]()),
            "outcomes": [
                *dict.fromkeys(made.last.outcome for made in outcomes[row["id"]] if made.last is not None)
            ],
        }
        for row in latest
    ]
