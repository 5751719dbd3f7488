"""Digest: all that came up to a nominal time, in one message for each reader."""

from functools import partial

from wbox_notify.engine.deliver import deliver_to, is_told
from wbox_notify.engine.item import Item, identity_of
from wbox_notify.engine.notification import Notification, about, event_names, made_of, single, tell_left_out
from wbox_notify.engine.rule_run import RuleRun
from wbox_notify.model.deliveries import Hold
from wbox_notify.rules.recipients import Reader
from wbox_notify.rules.rule import Digest

KIND = "digest"

MOST = 2000
"""How many events one digest holds; of more the number is told."""


def add(run: RuleRun, how: Digest, item: Item) -> None:
    """Put an item into the digest of each reader."""
    due = how.schedule.after(run.now)
    for reader in run.readers(about(run, single(item))):
        empty = {"subjects": [], "due": due.timestamp() if due else run.time}
        kept = {**(run.look(KIND, reader.address) or empty)}
        others = [one for one in kept["subjects"] if identity_of(one) != item.identity]
        if len(others) >= MOST:
            kept["more"] = kept.get("more", 0) + 1
            run.decide(KIND, "stopped", f"the digest for {reader.name} is full ({MOST:,}); it will say so")
        else:
            kept["subjects"] = [*others, item.dump()]
            run.decide(KIND, "waits", f"number {len(kept['subjects'])} in the digest for {reader.name}")
        run.remember(KIND, reader.address, kept, kept["due"])


def wake(run: RuleRun, address: str) -> None:
    """Tell a reader what has come since the last digest."""
    kept = run.recall(KIND, address)
    run.forget(KIND, address)
    if kept is None:
        return
    reader = run.project.reader(address)
    items = [Item(**item) for item in kept["subjects"]]
    if not kept.get("anyway"):
        others = [one for one in items if not is_told(run, address, about(run, single(one)))]
        items = [one for one in items if one not in others]
        if others:
            left = {"subjects": [one.dump() for one in others], "due": run.time, "anyway": True}
            run.hold(KIND, address, left, Hold.READER_GONE, {"reader": reader.name})
    if items and run.rule.digest:
        deliver_to(run, reader, _occasion(run, items))
    else:
        _one_by_one(run, reader, items)
    if items and kept.get("more"):
        tell_left_out(run, KIND, [reader], items[-1], kept["more"])


def _one_by_one(run: RuleRun, reader: Reader, items: list[Item]) -> None:
    """Tell what waited for a digest that the rule has no more."""
    for item in items:
        notification = single(item)
        again = {"do": "tell", "subject": item.dump(), "reader": reader.address}
        origin = f"{notification.origin}:{reader.address}"
        run.guarded(KIND, origin, partial(deliver_to, run, reader, notification), again)


def _occasion(run: RuleRun, items: list[Item]) -> Notification:
    return Notification(
        origin=f"{items[0].event_id}:{items[0].place}:digest:{made_of(items)}",
        items=items,
        extra={"events": event_names(run, items)},
        alert=f"digest:{items[0].identity}",
        digest=True,
    )
