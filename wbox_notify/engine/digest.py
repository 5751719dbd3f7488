"""Digest: all that came up to a nominal time, in one message for each reader."""

from wbox_notify.engine.deliver import deliver_to
from wbox_notify.engine.occasion import Occasion, about, event_names, single
from wbox_notify.engine.subject import Subject
from wbox_notify.engine.turn import Turn
from wbox_notify.rules.rule import Digest

KIND = "digest"

_MOST = 2000


def add(turn: Turn, how: Digest, subject: Subject) -> None:
    """Put a subject into the digest of each reader."""
    due = how.schedule.after(turn.now)
    for reader in turn.readers(about(turn, single(subject))):
        kept = turn.recall(KIND, reader.address)
        if kept is None:
            kept = {"subjects": [], "due": due.timestamp() if due else turn.time}
        others = [one for one in kept["subjects"] if Subject(**one).identity != subject.identity]
        if len(others) >= _MOST:
            turn.decide(KIND, "stopped", f"dropped: the digest for {reader.name} holds {_MOST} already")
            continue
        kept["subjects"] = [*others, subject.dump()]
        turn.remember(KIND, reader.address, kept, kept["due"])
        turn.decide(KIND, "waits", f"number {len(kept['subjects'])} in the digest for {reader.name}")


def wake(turn: Turn, address: str) -> None:
    """Tell a reader what has come since the last digest."""
    kept = turn.recall(KIND, address)
    turn.forget(KIND, address)
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
    deliver_to(turn, turn.project.reader(address), occasion)
