"""What history is forgotten, and how: finished deliveries, then decisions, then events, a slice at a time."""

import sqlite3
from collections.abc import Sequence

_FINISHED = "('sent', 'cancelled', 'dead', 'expired')"

# A file that was reported is told from a new one by the id of its event alone: the row stays, empty.
_ONLY_EMPTIED = "v.type = 'file'"

_DELIVERIES = f"""
select d.id from delivery d
where d.state in {_FINISHED} and d.changed <= :before
and (d.event_id = '' or not exists (
    select 1 from delivery e
    where e.event_id = d.event_id and (e.state not in {_FINISHED} or e.changed > :before)
))
limit :most
"""  # noqa: S608 - the states are ours

_ATTEMPTS = """
delete from attempt where delivery_id = :id
and number in (select number from attempt where delivery_id = :id limit :most)
"""

_DELIVERY = "delete from delivery where id = :id"

_DECISIONS = """
delete from decision where seq in (
    select c.seq from decision c
    where c.at <= :before
    and (c.event_id = '' or not exists (select 1 from delivery d where d.event_id = c.event_id))
    limit :most
)
"""

_OLD_EVENTS = """
select v.seq from event v
where v.planned is not null and v.data <> '{}' and v.received <= :before and v.planned <= :before
and not exists (select 1 from delivery d where d.event_id = v.id)
"""

_EMPTY = f"""
update event set data = '{{}}' where seq in ({_OLD_EVENTS} and {_ONLY_EMPTIED} limit :most)
"""  # noqa: S608 - all of it is ours

_EVENTS = f"""
delete from event where seq in ({_OLD_EVENTS} and not ({_ONLY_EMPTIED}) limit :most)
"""  # noqa: S608 - all of it is ours


def prune(connection: sqlite3.Connection, before: float, most: int) -> int:
    """Forget at most ``most`` rows of what was finished by then; return how many, 0 when nothing is left.

    What one event caused goes when all of it is finished. Memories and events without a plan stay.
    """
    parameters = {"before": before, "most": most}
    if old := connection.execute(_DELIVERIES, parameters).fetchall():
        return _forget(connection, [row["id"] for row in old], most)
    for statement in (_DECISIONS, _EMPTY, _EVENTS):
        # Each looks for what the one before has left alone, and would look in vain while there is much of it.
        if gone := connection.execute(statement, parameters).rowcount:
            return gone
    return 0


def _forget(connection: sqlite3.Connection, deliveries: Sequence[int], most: int) -> int:
    left = most
    for number in deliveries:
        for statement in (_ATTEMPTS, _DELIVERY):
            if left > 0:
                left -= connection.execute(statement, {"id": number, "most": left}).rowcount
    return most - left
