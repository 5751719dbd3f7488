"""What must hold after any fault, whoever made it."""

import sqlite3
from collections import Counter
from collections.abc import Iterable

from workplace import Workplace

from wbox_notify.model.deliveries import State
from wbox_notify.model.outcomes import Outcome
from wbox_notify.simulator import Simulator
from wbox_notify.store import open_history

_KEY = b"sk_canary_4711"


def check(place: Workplace, wbox: Simulator, accepted: Iterable[str] = ()) -> None:
    """Ask the store of a place and the ledger of its wbox whether all is as it must be.

    ``accepted`` are the ids of events that were answered with 2xx. A daemon may run meanwhile.
    """
    history = open_history(place.store)
    assert history
    known = {row["id"] for row in history.events(most=100_000)}
    assert set(accepted) <= known, "what was answered with 2xx is kept"
    told = Counter(message.get("idempotency_key") for message in wbox.messages())
    for delivery in history.queue(list(State), 100_000):
        outcomes = [row["outcome"] for row in history.attempts(delivery.id)]
        running = outcomes.count(None)
        assert running <= (delivery.state is State.SENDING), "an attempt that ended has an outcome"
        assert told[delivery.key] <= 1 + outcomes.count(Outcome.UNKNOWN), "handed over again without cause"
        assert told[delivery.key] >= (delivery.state is State.SENT), "sent and not handed over"
        assert delivery.due > 0
    history.close()
    database = sqlite3.connect(place.store.removeprefix("sqlite:///"))
    assert database.execute("pragma quick_check").fetchall() == [("ok",)]
    database.close()
    for file in (place.folder / "data").rglob("*"):
        assert _KEY not in file.read_bytes(), f"the key stands in {file}"
