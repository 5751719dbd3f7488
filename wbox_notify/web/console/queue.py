"""The page of the queue: what waits, is held or could not be sent, why, and what a person can do about it."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wbox_notify.dispatch.queue import Action, in_slices
from wbox_notify.errors import MessageError
from wbox_notify.model.deliveries import OPEN, STUCK, Delivery, State
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Message, Notice
from wbox_notify.model.shown import content, delivery_fields, subject
from wbox_notify.model.texts import Wording, translation
from wbox_notify.rules.project import Project
from wbox_notify.store import Chosen
from wbox_notify.store.database import Row
from wbox_notify.web.console.console import Console
from wbox_notify.web.console.door import field
from wbox_notify.web.console.show import iso

_AT_ONCE = 50
_MOST_STORMS = 20
_STATES = (*OPEN, *STUCK)
_MOST_DIGITS = 18
"""Of the number of a delivery: SQLite counts as far as that."""


def routes(console: Console) -> list[Route]:
    """Return the routes of the page and of its buttons."""

    def show(request: Request) -> Response:
        return console.page(request, "queue.html", model(console, request.url.query, console.lang(request)))

    def act(request: Request) -> Response:
        form = request.state.form
        asked = _Asked.read(field(form, "asked"))
        action, number = _act(console, form, asked)
        notice = _notice(action, number, console.lang(request))
        return console.back(request, f"/queue?{asked.query}".removesuffix("?"), notice)

    return [*console.get("/queue", show), console.post("/queue", act)]


class _Asked(NamedTuple):
    """Which deliveries a person asks for: their states, rule, event and recipient, from a number on."""

    states: tuple[State, ...]
    rule: str
    event: str
    to: str
    after: int

    @classmethod
    def read(cls, query: str) -> "_Asked":
        """Read the query of an address; of what is none of the queue's states, all are meant."""
        fields = parse_qs(query)
        states = tuple(state for state in _STATES if state in fields.get("state", []))
        after = field(fields, "after")
        names = {name: field(fields, name).strip() for name in ("rule", "event", "to")}
        return cls(states or _STATES, **names, after=_number(after) if after else 0)

    @property
    def query(self) -> str:
        """The same as the query of an address, from the first delivery on."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in ("rule", "event", "to")}
        if self.states != _STATES:
            fields["state"] = self.states
        return urlencode({name: value for name, value in fields.items() if value}, doseq=True)

    def chosen(self, project: Project) -> Chosen:
        """Return what the store is asked for; MessageError where nobody is known by the name."""
        if not self.to:
            return Chosen(self.rule, self.event)
        if self.to in project.outlets:
            return Chosen(self.rule, self.event, (self.to,))
        people = project.people.find(self.to, datetime.now(UTC))
        return Chosen(self.rule, self.event, tuple(contact.phone for contact in people))


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS:
        return int(text)
    raise HTTPException(400, f"{text[:40]!r} is not the number of a delivery")


def model(console: Console, query: str, lang: str) -> dict[str, Any]:
    """Return what the page shows of the deliveries that the query of an address asks for."""
    project, store, asked = console.live.project, console.store, _Asked.read(query)
    by_rule = store.queue_by_rule(_STATES)
    found, total, problem = [], 0, ""
    try:
        chosen = asked.chosen(project)
    except MessageError as error:
        problem = error.problem
    else:
        found = store.queue(asked.states, _AT_ONCE + 1, chosen, after=asked.after)
        total = store.queue_size(asked.states, chosen)
    deliveries = found[:_AT_ONCE]
    events = store.events_by_id(delivery.event_id for delivery in deliveries)
    names = {contact.phone: contact.name for contact in project.people.contacts.values()}
    return {
        "counts": sum(map(Counter, by_rule.values()), Counter[State]()),
        "oldest": iso(store.oldest_waiting()),
        "rules": sorted(by_rule),
        "people": sorted([*project.people.contacts, *project.people.groups, *project.outlets]),
        "storms": [_storm(row) for row in store.storms(_MOST_STORMS)],
        "asked": {**asked._asdict(), "query": asked.query},
        "problem": problem,
        "total": total,
        "deliveries": [
            {
                **_fields(delivery, events.get(delivery.event_id), names, lang),
                "known": project.rule(delivery.rule) is not None,
            }
            for delivery in deliveries
        ],
        "next": deliveries[-1].id if len(found) > _AT_ONCE else None,
    }


def _storm(row: Row) -> dict[str, Any]:
    return {
        "event": row["event_id"],
        "rule": row["rule"],
        "messages": row["many"],
        "since": iso(row["since"]),
    }


def _fields(delivery: Delivery, event: Event | None, names: Mapping[str, str], lang: str) -> dict[str, Any]:
    return {
        **delivery_fields(delivery, lang),
        "name": _name(delivery.message, names),
        "about": subject(event, lang) if event else "",
        "message": content(delivery.message),
        "actions": _actions(delivery.state),
    }


def _actions(state: State) -> list[str]:
    """Return what can be done to a delivery; what is held is sent, and needs no other try."""
    possible = [action for action in Action if state in action.states]
    return [action.value for action in possible if action is not Action.RETRY or state is not State.HELD]


def _name(message: Message | None, names: Mapping[str, str]) -> str | None:
    """Return the name of the reader; None for a number that is all that is known of one."""
    if isinstance(message, Notice):
        return message.outlet
    return names.get(message.phone) if message else None


def _notice(action: Action, number: int, lang: str) -> str:
    """Return what has become of so many deliveries."""
    texts = translation(lang)
    if not number:
        return texts.gettext("No message was ticked, or none to which this can be done.")
    if action is Action.DROP:
        text = texts.ngettext("%(num)s message was dropped.", "%(num)s messages were dropped.", number)
    elif action is Action.RELEASE:
        text = texts.ngettext("%(num)s message goes out.", "%(num)s messages go out.", number)
    else:
        text = texts.ngettext("%(num)s message is tried again.", "%(num)s messages are tried again.", number)
    return text % {"num": number}


def _act(console: Console, form: Mapping[str, list[str]], asked: _Asked) -> tuple[Action, int]:
    """Do what a button says to one delivery, to a storm, to what is ticked or to all; return to how many."""
    name, action, of = _pressed(form)
    if name == "storm":
        return action, _answer_storm(console, action, of)
    if name == "one":
        ids = [_number(of)]
    elif "all" in form:
        states = [state for state in asked.states if state in action.states]
        ids = console.store.queued(states, asked.chosen(console.live.project))
    else:
        ids = [_number(text) for text in form.get("id", [])]
    return action, len(in_slices(console.control.queue, action, ids))


def _pressed(form: Mapping[str, list[str]]) -> tuple[str, Action, str]:
    """Return the name of the button, its action, and the number or the event that stands behind it."""
    name = next((name for name in ("one", "storm", "action") if name in form), "")
    word, _, of = field(form, name).partition(" ")
    try:
        return name, Action(word), of
    except ValueError:
        raise HTTPException(400, Wording("there is no such action")) from None


def _answer_storm(console: Console, action: Action, event: str) -> int:
    if action is Action.DROP:
        return console.control.drop_event(event)
    return console.control.release_event(event)
