"""Standings: how long the copy of a file is needed, by what became of its message."""

from collections.abc import Callable, Mapping, Sequence

from wbox_notify.model.deliveries import OPEN, Standing, State

GRACE = 3600.0
"""Seconds for which a link goes on working once wbox said that the message was sent."""

LATEST = 7 * 86400.0
"""Seconds after which every link ends, and after which nobody retries what has finally failed."""


Standings = Callable[[Sequence[str]], Mapping[str, Standing]]
"""Returns the standings of the deliveries with some keys; what is missing is not (or not yet) there."""


def is_needed(standing: Standing | None, created: float, now: float) -> bool:
    """Return whether a copy that was made at ``created`` is needed, or may be by somebody who retries."""
    if standing is None:
        return now < created + GRACE  # its message is about to be stored
    if standing.state in (*OPEN, State.HELD):
        return True
    if standing.state is State.SENT:
        return now < standing.since + GRACE
    return standing.state is not State.CANCELLED and now < standing.since + LATEST
