"""Events and what became of them as JSON values, for the commands and the console."""

from typing import Any

from wbox_notify.model.deliveries import Decision
from wbox_notify.model.events import Event
from wbox_notify.model.reasons import answer
from wbox_notify.model.shown import content, delivery_fields, iso, subject
from wbox_notify.model.texts import told
from wbox_notify.store.database import Row
from wbox_notify.store.queries import Trail


def event_fields(event: Event, received: float, lang: str = "en") -> dict[str, Any]:
    """Return what an event is, and when it was stored."""
    return {
        "event": event.id,
        "type": event.type,
        "about": subject(event, lang),
        "at": iso(event.at.timestamp()),
        "received": iso(received),
    }


def decision_fields(decision: Decision, lang: str) -> dict[str, Any]:
    """Return what was decided about an event."""
    return {
        "rule": decision.rule,
        "stage": decision.stage,
        "outcome": decision.outcome,
        "detail": told(decision.detail, lang),
    }


def trail_fields(trail: Trail, lang: str) -> dict[str, Any]:
    """Return all that is known of an event."""
    return {
        **event_fields(trail.event, trail.received, lang),
        "decisions": [decision_fields(decision, lang) for decision in trail.decisions],
        "waiting": [
            {"rule": memory.rule, "stage": memory.kind, "due": iso(memory.due or 0.0)}
            for memory in trail.waiting
        ],
        "deliveries": [
            {
                **delivery_fields(delivery, lang),
                "message": content(delivery.message),
                "attempts": [_attempt_fields(attempt, lang) for attempt in trail.attempts[delivery.id]],
            }
            for delivery in trail.deliveries
        ],
    }


def _attempt_fields(attempt: Row, lang: str) -> dict[str, Any]:
    names = ("number", "outcome", "status", "latency")
    detail = attempt["detail"] and answer(attempt["detail"]).to(lang)
    return {
        "started": iso(attempt["started"]),
        **{name: attempt[name] for name in names},
        "detail": detail,
    }
