"""What history is forgotten, and how: finished deliveries, then decisions, then events, a slice at a time."""

import sqlite3
from collections.abc import Sequence

_FINISHED = "('sent', 'cancelled', 'dead', 'expired')"

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

_KEPT_FOR_IT = (
    """
    delete from memory_event
    where kind = 'failed' and (rule, key) = (select d.rule, d.key from delivery d where d.id = :id)
    """,
    "delete from memory where rule = '-' and kind = 'merged' and key = cast(:id as text)",
    """
    delete from memory
    where kind = 'failed' and (rule, key) = (select d.rule, d.key from delivery d where d.id = :id)
    """,
)
"""What is kept in mind of a delivery for as long as it is there."""

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
select v.seq, v.id from event v
where v.planned is not null and v.received <= :before and v.planned <= :before
and not exists (select 1 from delivery d where d.event_id = v.id)
and not exists (select 1 from file f where f.event_id = v.id and f.fate = 'open')
limit :most
"""

_EVENT = "delete from event where seq = :seq"

_TOLD = "delete from told where event_id = :id"


def prune(connection: sqlite3.Connection, before: float, most: int) -> int:
    """Forget at most ``most`` rows of what was finished by then; return how many, 0 when nothing is left.

    What one event caused goes when all of it is finished. Memories, events without a plan and those of
    files that are still to be put away stay.
    """
    parameters = {"before": before, "most": most}
    if old := connection.execute(_DELIVERIES, parameters).fetchall():
        return _forget(connection, [row["id"] for row in old], most)
    # One kind at a time: what is next waits for this to be gone, and would be looked for in vain until then.
    if gone := connection.execute(_DECISIONS, parameters).rowcount:
        return gone
    events = connection.execute(_OLD_EVENTS, parameters).fetchall()
    for row in events:
        connection.execute(_TOLD, {"id": row["id"]})
        connection.execute(_EVENT, {"seq": row["seq"]})
    return len(events)


def _forget(connection: sqlite3.Connection, deliveries: Sequence[int], most: int) -> int:
    left = most
    for number in deliveries:
        for statement in _KEPT_FOR_IT:
            connection.execute(statement, {"id": number})
        for statement in (_ATTEMPTS, _DELIVERY):
            if left > 0:
                left -= connection.execute(statement, {"id": number, "most": left}).rowcount
    return most - left
