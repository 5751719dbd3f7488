"""Missing: what should have come and did not, and its coming late."""

from datetime import datetime

from wbox_notify.engine.item import Subject, moment
from wbox_notify.engine.rule_run import RuleRun
from wbox_notify.model.events import Event
from wbox_notify.rules.triggers import MissingTrigger

SEEN, OPEN = "seen", "missing"


def arrived(turn: RuleRun, trigger: MissingTrigger, event: Event) -> Subject | None:
    """Note that the awaited came; return what to tell if it was missed and the rule tells its coming."""
    at = min(event.at.timestamp(), turn.time)
    turn.remember(SEEN, "", {"at": at, "event": event.id})
    missed = turn.recall(OPEN, "")
    if missed is None:
        return None
    turn.forget(OPEN, "")
    turn.decide(OPEN, "passed", f"it came late, at {event.at:%Y-%m-%d %H:%M} UTC")
    if not trigger.resolved:
        return None
    facts = {**missed["facts"], "last_seen": at, "resolved": True}
    return Subject(
        event_id=event.id,
        type="missing",
        at=at,
        data={"missing": facts, event.type: event.data} if event.type == "file" else {"missing": facts},
        key=f"missing:{missed['event']}",
        status="resolved",
    )


def due(turn: RuleRun, trigger: MissingTrigger, event: Event) -> Subject | None:
    """Return what to tell at a nominal time, None if the awaited came in its window."""
    seen = turn.recall(SEEN, "")
    by = datetime.fromisoformat(event.data["at"])
    if seen and seen["at"] > by.timestamp() - trigger.window:
        turn.decide(OPEN, "stopped", f"it came at {moment(seen['at']):%Y-%m-%d %H:%M} UTC")
        return None
    facts = {
        "by": event.data["at"],
        "window": trigger.window,
        "last_seen": seen["at"] if seen else None,
        "resolved": False,
    }
    turn.remember(OPEN, "", {"event": event.id, "facts": facts})
    return Subject(
        event_id=event.id,
        type="missing",
        at=event.at.timestamp(),
        data={"missing": facts},
        key=f"missing:{event.id}",
        status="firing",
    )
