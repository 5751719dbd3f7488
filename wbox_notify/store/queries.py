"""What the store tells about the past and the present; reading only."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from wbox_notify.model.deliveries import Circuit, Delivery, Standing, State
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileVersion, Past
from wbox_notify.model.messages import APPRISE
from wbox_notify.store import mapping, sql
from wbox_notify.store.file_versions import pasts
from wbox_notify.store.mapping import among

Row = Mapping[str, Any]

_AT_ONCE = 500


class _Readable(Protocol):
    def read(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]: ...

    def close(self) -> None: ...


class GivenUp(NamedTuple):
    """How many deliveries of one rule were given up in one hour, since the epoch, and the last one."""

    hour: int
    many: int
    last: Delivery


def _chosen(states: Sequence[State]) -> str:
    """Return the condition for deliveries in some states, of the named rule and event."""
    listed = ", ".join(f"'{state.value}'" for state in states)
    return f"state in ({listed}) and :rule in ('', rule) and :event in ('', event_id)"


class Queries:
    """Questions that the commands ask; times are seconds since the epoch."""

    def __init__(self, database: _Readable) -> None:
        self._database = database

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def delivery(self, number: int) -> Delivery | None:
        """Return one delivery by its id."""
        found = self._database.read("select * from delivery where id = :id", {"id": number})
        return mapping.delivery(found[0]) if found else None

    def queue(
        self, states: Sequence[State], most: int = 200, *, rule: str = "", event: str = ""
    ) -> list[Delivery]:
        """Return the deliveries in any of the states, oldest first; of one rule or one event where asked."""
        found = self._database.read(
            f"select * from delivery where {_chosen(states)} order by id limit :most",  # noqa: S608 - ours
            {"most": most, "rule": rule, "event": event},
        )
        return [mapping.delivery(row) for row in found]

    def queued(self, states: Sequence[State], *, rule: str = "", event: str = "") -> list[int]:
        """Return the ids of the same deliveries, all of them."""
        found = self._database.read(
            f"select id from delivery where {_chosen(states)} order by id",  # noqa: S608 - ours
            {"rule": rule, "event": event},
        )
        return [row["id"] for row in found]

    def events_by_id(self, ids: Iterable[str]) -> dict[str, Event]:
        """Return events by their ids; without those that are forgotten."""
        wanted = list(dict.fromkeys(ids))
        events: dict[str, Event] = {}
        for start in range(0, len(wanted), _AT_ONCE):
            marks, values = among(wanted[start : start + _AT_ONCE])
            found = self._database.read(f"select * from event where id in ({marks})", values)  # noqa: S608 - marks are ours
            events |= {row["id"]: mapping.event(row) for row in found}
        return events

    def standings(self, keys: Sequence[str]) -> dict[str, Standing]:
        """Return the state of the deliveries with these keys, of those that are there."""
        found: dict[str, Standing] = {}
        for start in range(0, len(keys), _AT_ONCE):
            marks, values = among(keys[start : start + _AT_ONCE])
            asked = f"select key, state, changed from delivery where key in ({marks})"  # noqa: S608 - marks are ours
            for row in self._database.read(asked, values):
                found[row["key"]] = Standing(State(row["state"]), row["changed"])
        return found

    def remembered(self, rule: str, kind: str, key: str) -> Mapping[str, Any] | None:
        """Return what a rule remembers under a key."""
        found = self._database.read(
            "select value from memory where rule = :rule and kind = :kind and key = :key",
            {"rule": rule, "kind": kind, "key": key},
        )
        value: Mapping[str, Any] | None = json.loads(found[0]["value"]) if found else None
        return value

    def known(self, versions: Sequence[FileVersion]) -> Mapping[FileVersion, Past]:
        """Return the past of those files that have one."""
        return pasts(self._database, versions)

    def sent(self, prefix: str) -> bool:
        """Return whether wbox took a message whose key begins with a prefix."""
        found = self._database.read(
            "select 1 from delivery where key >= :prefix and key < :end and state = 'sent'"
            " and device <> :apprise limit 1",
            {"prefix": prefix, "end": f"{prefix}\U0010ffff", "apprise": APPRISE},
        )
        return bool(found)

    def counts(self, states: Sequence[State] = tuple(State)) -> dict[State, int]:
        """Return how many deliveries are in each of the states that any is in."""
        marks, values = among(states)
        found = self._database.read(
            f"select state, count(*) as many from delivery where state in ({marks}) group by state",  # noqa: S608 - marks are ours
            values,
        )
        return {State(row["state"]): row["many"] for row in found}

    def sent_since(self, since: float) -> int:
        """Return how many deliveries were sent since a time."""
        return self._many("state = 'sent' and changed >= :since", since)

    def repeated_since(self, since: float) -> int:
        """Return how many deliveries were left out since a time, as their text had just been sent."""
        return self._many("state = 'cancelled' and changed >= :since and left_out = 'same_text'", since)

    def _many(self, condition: str, since: float) -> int:
        found = self._database.read(
            f"select count(*) as many from delivery where {condition}",  # noqa: S608 - the condition is ours
            {"since": since},
        )
        return int(found[0]["many"])

    def oldest_waiting(self) -> float | None:
        """Return when the oldest delivery that still waits was made."""
        found = self._database.read(
            "select min(created) as oldest from delivery where state in ('queued', 'unknown', 'sending')"
        )
        oldest: float | None = found[0]["oldest"]
        return oldest

    def waiting(self, device: str) -> int:
        """Return how many deliveries wait for a device; ``*`` stands for all of them."""
        found = self._database.read(sql.WAITING, {"device": device})
        return int(found[0]["many"])

    def unheard(self, rules: Sequence[str], since: float) -> list[Delivery]:
        """Return the deliveries of rules that WhatsApp does not carry, and no fallback has been given yet.

        They wait for a device of whose trouble the fallback knows, or were given up after ``since``.
        """
        marks, values = among(rules)
        found = self._database.read(sql.UNHEARD.replace("$rules", marks), {**values, "since": since})
        return [mapping.delivery(row) for row in found]

    def given_up(self, since: float) -> list[GivenUp]:
        """Return what was given up since a time, by rule and hour."""
        found = self._database.read(sql.GIVEN_UP, {"since": since})
        return [GivenUp(row["hour"], row["many"], mapping.delivery(row)) for row in found]

    def others_passed(self, delivery: Delivery, outcome: str, *, everywhere: bool) -> bool:
        """Return whether wbox took others after the attempt before a delivery's last one ended like this.

        They are of the same device, or of any if asked.
        """
        asked = {"id": delivery.id, "before": delivery.claims - 1, "outcome": outcome}
        where = {"device": delivery.device, "everywhere": int(everywhere)}
        return bool(self._database.read(sql.OTHERS_PASSED, {**asked, **where}))

    def circuits(self) -> list[Circuit]:
        """Return the devices that cannot send."""
        rows = self._database.read("select * from circuit order by device")
        return [mapping.circuit(row) for row in rows]

    def last_event(self) -> int:
        """Return the number of the newest event, 0 where there is none."""
        return int(self._database.read("select coalesce(max(seq), 0) as seq from event")[0]["seq"])

    def events(self, after: int = 0, most: int = 50) -> list[Row]:
        """Return the newest ``most`` events whose number is above ``after``, oldest first."""
        return self._database.read(
            "select * from (select * from event where seq > :after order by seq desc limit :most) as e"
            " order by seq",
            {"after": after, "most": most},
        )

    def decisions(self, event_id: str) -> list[Row]:
        """Return what was decided about an event: ``rule``, ``stage``, ``outcome``, ``detail``."""
        return self._database.read(
            "select * from decision where event_id = :id order by seq", {"id": event_id}
        )

    def deliveries(self, event_id: str) -> list[Delivery]:
        """Return the deliveries that came of an event."""
        found = self._database.read(
            "select * from delivery where event_id = :id order by id", {"id": event_id}
        )
        return [mapping.delivery(row) for row in found]

    def attempts(self, delivery_id: int) -> list[Row]:
        """Return the hand-overs of a delivery: ``number``, ``started``, ``outcome``, ``detail`` and so on."""
        return self._database.read(
            "select * from attempt where delivery_id = :id order by number", {"id": delivery_id}
        )
