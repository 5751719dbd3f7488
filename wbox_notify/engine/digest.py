"""Digest: all that came up to a nominal time, in one message for each recipient."""

from wbox_notify.engine.deliver import deliver_to
from wbox_notify.engine.occasion import Occasion, about, event_names, single
from wbox_notify.engine.subject import Subject
from wbox_notify.engine.turn import Turn
from wbox_notify.rules.rule import Digest

KIND = "digest"

_MOST = 2000


def add(turn: Turn, how: Digest, subject: Subject) -> None:
    """Put a subject into the digest of each recipient."""
    due = how.schedule.after(turn.now)
    for contact in turn.recipients(turn.rule.to, about(turn, single(subject))):
        kept = turn.recall(KIND, contact.phone)
        if kept is None:
            kept = {"subjects": [], "due": due.timestamp() if due else turn.time}
        others = [one for one in kept["subjects"] if Subject(**one).identity != subject.identity]
        if len(others) >= _MOST:
            turn.decide(KIND, "stopped", f"dropped: the digest for {contact.name} holds {_MOST} already")
            continue
        kept["subjects"] = [*others, subject.dump()]
        turn.remember(KIND, contact.phone, kept, kept["due"])
        turn.decide(KIND, "waits", f"number {len(kept['subjects'])} in the digest for {contact.name}")


def wake(turn: Turn, phone: str) -> None:
    """Tell a recipient what has come since the last digest."""
    kept = turn.recall(KIND, phone)
    turn.forget(KIND, phone)
    if kept is None:
        return
    subjects = [Subject(**subject) for subject in kept["subjects"]]
    occasion = Occasion(
        origin=f"{subjects[0].event_id}:{subjects[0].place}:digest",
        subjects=subjects,
        extra={"events": event_names(turn, subjects)},
        alert=f"digest:{subjects[0].identity}",
        digest=True,
    )
    deliver_to(turn, turn.project.contact(phone), occasion)
