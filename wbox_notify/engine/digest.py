"""Digest: all that came up to a nominal time, in one message for each reader."""

from functools import partial

from wbox_notify.engine import left_out
from wbox_notify.engine.deliver import deliver_to, is_told
from wbox_notify.engine.item import Subject, identity_of
from wbox_notify.engine.notification import Notification, about, event_names, made_of, single
from wbox_notify.engine.rule_run import RuleRun
from wbox_notify.rules.recipients import Reader
from wbox_notify.rules.rule import Digest

KIND = "digest"

MOST = 2000
"""How many events one digest holds; of more the number is told."""


def add(turn: RuleRun, how: Digest, subject: Subject) -> None:
    """Put a subject into the digest of each reader."""
    due = how.schedule.after(turn.now)
    for reader in turn.readers(about(turn, single(subject))):
        empty = {"subjects": [], "due": due.timestamp() if due else turn.time}
        kept = {**(turn.look(KIND, reader.address) or empty)}
        others = [one for one in kept["subjects"] if identity_of(one) != subject.identity]
        if len(others) >= MOST:
            kept["more"] = kept.get("more", 0) + 1
            turn.decide(KIND, "stopped", f"the digest for {reader.name} is full ({MOST:,}); it will say so")
        else:
            kept["subjects"] = [*others, subject.dump()]
            turn.decide(KIND, "waits", f"number {len(kept['subjects'])} in the digest for {reader.name}")
        turn.remember(KIND, reader.address, kept, kept["due"])


def wake(turn: RuleRun, address: str) -> None:
    """Tell a reader what has come since the last digest."""
    kept = turn.recall(KIND, address)
    turn.forget(KIND, address)
    if kept is None:
        return
    reader = turn.project.reader(address)
    subjects = [Subject(**subject) for subject in kept["subjects"]]
    if not kept.get("anyway"):
        others = [one for one in subjects if not is_told(turn, address, about(turn, single(one)))]
        subjects = [one for one in subjects if one not in others]
        if others:
            left = {"subjects": [one.dump() for one in others], "due": turn.time, "anyway": True}
            turn.hold(KIND, address, left, f"{reader.name} is not told by this rule any more")
    if subjects and turn.rule.digest:
        deliver_to(turn, reader, _occasion(turn, subjects))
    else:
        _one_by_one(turn, reader, subjects)
    if subjects and kept.get("more"):
        left_out.tell(turn, KIND, [reader], subjects[-1], kept["more"])


def _one_by_one(turn: RuleRun, reader: Reader, subjects: list[Subject]) -> None:
    """Tell what waited for a digest that the rule has no more."""
    for subject in subjects:
        occasion = single(subject)
        again = {"do": "tell", "subject": subject.dump(), "reader": reader.address}
        origin = f"{occasion.origin}:{reader.address}"
        turn.guarded(KIND, origin, partial(deliver_to, turn, reader, occasion), again)


def _occasion(turn: RuleRun, subjects: list[Subject]) -> Notification:
    return Notification(
        origin=f"{subjects[0].event_id}:{subjects[0].place}:digest:{made_of(subjects)}",
        subjects=subjects,
        extra={"events": event_names(turn, subjects)},
        alert=f"digest:{subjects[0].identity}",
        digest=True,
    )
