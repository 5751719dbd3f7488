"""Whose turn it is in a store, as a dispatcher that has just started sees it."""

import math
from collections.abc import Sequence

from wbox_notify.dispatch.outbox import Outbox
from wbox_notify.model.deliveries import Attempt, Delivery, NextStep, State
from wbox_notify.model.outcomes import Answer
from wbox_notify.model.pace import UNLIMITED, Pace
from wbox_notify.store import Store


def claim(
    store: Store, now: float, pace: Pace = UNLIMITED, *, recipient: str = "", chance: float = 0.5
) -> Delivery | None:
    """Claim the next delivery, if one has its turn."""
    claimed = claims(store, now, pace, [chance], recipient)
    return claimed[0] if claimed else None


def claims(
    store: Store, now: float, pace: Pace, chances: Sequence[float], recipient: str = ""
) -> list[Delivery]:
    """Claim one delivery for each of the chances while any has its turn."""
    outbox = Outbox(store)
    outbox.look()
    return outbox.turn_over([], now, pace, chances, store.circuits(), recipient)


def finish(store: Store, delivery: Delivery, answer: Answer, then: NextStep, now: float) -> bool:
    """Write down how an attempt ended; False where the delivery was claimed again meanwhile."""
    kept = store.delivery(delivery.id)
    store.turn_over([Attempt(delivery, answer, then)], [], now, UNLIMITED).result()
    return bool(kept) and kept.claims == delivery.claims and kept.state is State.SENDING


def next_due(store: Store, now: float, pace: Pace = UNLIMITED) -> float | None:
    """Return when something has its next turn or expires."""
    outbox = Outbox(store)
    outbox.look()
    outbox.turn_over([], now, pace, [], store.circuits())
    due = min(outbox.next_due(now), store.next_expiry() or math.inf)
    return None if due == math.inf else due
