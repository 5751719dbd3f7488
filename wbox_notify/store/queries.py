"""What the store tells about the past and the present; reading only."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from wbox_notify.model.deliveries import Circuit, Decision, Delivery, Memory, Standing, State
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileVersion, Past
from wbox_notify.model.messages import APPRISE
from wbox_notify.store import rows, statements
from wbox_notify.store.database import Readable, Row
from wbox_notify.store.files import LARGEST, pasts

_PAGE = 1000
_LAST_NUMBER = 2**62
_LATEST = 1e12
"""A time after all others."""
_FEW = 2000
"""Events that are looked up one by one; more are found on the way through all."""
_ANY = (False, "", "[]")
"""What a filter is that leaves out nothing."""
_CHOSEN_BY = {
    "failed": statements.FAILED_EVENTS,
    "recipients": statements.EVENTS_TO,
    "rule": statements.EVENTS_OF_RULE,
}


class GivenUp(NamedTuple):
    """How many deliveries of one rule were given up in one hour since the epoch, and the last one."""

    hour: int
    many: int
    last: Delivery


class RuleStanding(NamedTuple):
    """When a rule made its last message, and until when it is silent, if it ever did and is."""

    last: float | None
    silent: float | None


class Made(NamedTuple):
    """What a rule made of an event: how many deliveries in each state, and the last that it decided."""

    rule: str
    states: Mapping[State, int]
    last: Decision | None


class Chosen(NamedTuple):
    """Which deliveries are asked for: those of a rule, of an event, to some recipients; empty for any."""

    rule: str = ""
    event: str = ""
    recipients: tuple[str, ...] = ()


ANY = Chosen()


class Wanted(NamedTuple):
    """Which events are asked for: of a span of time, of a rule, to recipients, failed; empty for any."""

    since: float | None = None
    until: float | None = None
    rule: str = ""
    recipients: tuple[str, ...] = ()
    failed: bool = False


class Trail(NamedTuple):
    """All that is known of an event.

    Attributes:
        event: The event.
        received: When it was stored, in seconds since the epoch.
        decisions: What was decided about it.
        deliveries: Those that came of it, and those of other events that told of it too.
        attempts: The hand-overs of each delivery, by its id: ``number``, ``started``, ``outcome`` and so on.
        waiting: What rules keep in mind about it, and are woken with.
    """

    event: Event
    received: float
    decisions: Sequence[Decision]
    deliveries: Sequence[Delivery]
    attempts: Mapping[int, Sequence[Row]]
    waiting: Sequence[Memory]


class Queries:
    """Questions that the commands ask; times are seconds since the epoch."""

    def __init__(self, database: Readable) -> None:
        self._database = database

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def delivery(self, number: int) -> Delivery | None:
        """Return one delivery by its id."""
        return next(iter(self._deliveries(statements.DELIVERY, {"id": number})), None)

    def queue(
        self, states: Sequence[State], most: int = 200, chosen: Chosen = ANY, *, after: int = 0
    ) -> list[Delivery]:
        """Return the deliveries in any of the states whose id is above ``after``, oldest first."""
        values = {"states": rows.listed(states), **_values(chosen), "after": after, "most": most}
        return self._deliveries(statements.QUEUE, values)

    def queued(self, states: Sequence[State], chosen: Chosen = ANY) -> list[int]:
        """Return the ids of the same deliveries, all of them."""
        values = {"states": rows.listed(states), **_values(chosen), "after": 0}
        return [row["id"] for row in self._database.read(statements.QUEUE_IDS, values)]

    def queue_size(self, states: Sequence[State], chosen: Chosen = ANY) -> int:
        """Return how many the same deliveries are."""
        values = {"states": rows.listed(states), **_values(chosen), "after": 0}
        return self._count(statements.QUEUE_COUNT, values)

    def queue_by_rule(self, states: Sequence[State]) -> dict[str, dict[State, int]]:
        """Return how many deliveries of each rule are in each of the states that any is in."""
        counts: dict[str, dict[State, int]] = {}
        for row in self._database.read(statements.QUEUE_BY_RULE, {"states": rows.listed(states)}):
            counts.setdefault(row["rule"], {})[State(row["state"])] = row["many"]
        return counts

    def storms(self, most: int) -> list[Row]:
        """Return of which events the storm guard holds how ``many`` messages ``since`` when, by ``rule``."""
        return self._database.read(statements.STORMS, {"most": most})

    def events_by_id(self, ids: Iterable[str]) -> dict[str, Event]:
        """Return events by their ids; without those that are forgotten."""
        events = map(rows.event, self._database.read(statements.EVENTS, {"ids": rows.listed(set(ids))}))
        return {event.id: event for event in events}

    def standings(self, keys: Sequence[str]) -> dict[str, Standing]:
        """Return the state of the deliveries with these keys, of those that are there."""
        deliveries = self._database.read(statements.STANDINGS, {"keys": rows.listed(keys)})
        return {row["key"]: Standing(State(row["state"]), row["changed"]) for row in deliveries}

    def remembered(self, rule: str, kind: str, key: str) -> Mapping[str, Any] | None:
        """Return what a rule remembers under a key."""
        memory = self._database.read(statements.REMEMBERED, {"rule": rule, "kind": kind, "key": key})
        value: Mapping[str, Any] | None = json.loads(memory[0]["value"]) if memory else None
        return value

    def memories(self, kinds: Sequence[str]) -> list[Memory]:
        """Return all that rules remember of some kinds."""
        memories = self._database.read(statements.MEMORIES, {"kinds": rows.listed(kinds)})
        return [rows.memory(row) for row in memories]

    def known(self, versions: Sequence[FileVersion]) -> Mapping[FileVersion, Past]:
        """Return the past of those files that have one."""
        return pasts(self._database, versions)

    def sent(self, prefix: str) -> bool:
        """Return whether wbox took a message whose key begins with a prefix."""
        keys = {"prefix": prefix, "end": f"{prefix}\U0010ffff", "apprise": APPRISE}
        return bool(self._database.read(statements.SENT, keys))

    def counts(self, states: Sequence[State] = tuple(State)) -> dict[State, int]:
        """Return how many deliveries are in each of the states that any is in."""
        counts = self._database.read(statements.COUNTS, {"states": rows.listed(states)})
        return {State(row["state"]): row["many"] for row in counts}

    def sent_since(self, since: float) -> int:
        """Return how many deliveries were sent since a time."""
        return self._count(statements.SENT_SINCE, {"since": since})

    def repeated_since(self, since: float) -> int:
        """Return how many deliveries were left out since a time, as their text had just been sent."""
        return self._count(statements.REPEATED_SINCE, {"since": since})

    def standing_of(self, rules: Sequence[str]) -> dict[str, RuleStanding]:
        """Return how each rule stands."""
        standings = self._database.read(statements.LAST_OF_RULES, {"rules": rows.listed(rules)})
        return {row["rule"]: RuleStanding(row["last"], row["silent"]) for row in standings}

    def made_by(self, rules: Sequence[str], since: float, slot: float) -> dict[str, Counter[int]]:
        """Return how many messages rules made in each slot of so many seconds since a time."""
        about = {"rules": rows.listed(rules), "since": since, "slot": slot}
        made: dict[str, Counter[int]] = {rule: Counter() for rule in rules}
        for row in self._database.read(statements.MADE_BY_RULES, about):
            made[row["rule"]][row["slot"]] = row["many"]
        return made

    def made_for(self, since: float) -> Counter[str]:
        """Return how many messages were made for each recipient since a time."""
        made = self._database.read(statements.MADE_FOR_RECIPIENTS, {"since": since})
        return Counter({row["recipient"]: row["many"] for row in made})

    def last_event_of(self, rule: str) -> Event | None:
        """Return the event of the last message of a rule, unless it is forgotten."""
        events = map(rows.event, self._database.read(statements.LAST_EVENT_OF_RULE, {"rule": rule}))
        return next(events, None)

    def ended(
        self, states: Sequence[State], seconds: float, first: int, last: int
    ) -> list[tuple[int, State, int]]:
        """Return how many deliveries came to rest in a state, by slots of so many seconds since the epoch."""
        slots = {"states": rows.listed(states), "seconds": seconds, "first": first, "last": last}
        counts = self._database.read(statements.ENDED_IN_SLOTS, slots)
        return [(row["slot"], State(row["state"]), row["many"]) for row in counts]

    def delays(self, since: float, until: float, most: int) -> list[float]:
        """Return the seconds from the plan until it was sent, of each of the newest messages of a time."""
        delays = self._database.read(statements.DELAYS, {"since": since, "until": until, "most": most})
        return [row["delay"] for row in delays]

    def waiting_since(self, times: Sequence[float]) -> list[int]:
        """Return how many deliveries wait already since each of some times."""
        counts = self._database.read(statements.WAITING_SINCE, {"times": rows.listed(times)})
        return [row["many"] for row in counts]

    def oldest_waiting(self) -> float | None:
        """Return when the oldest delivery that still waits was made."""
        oldest: float | None = self._database.read(statements.OLDEST_WAITING)[0]["oldest"]
        return oldest

    def waiting(self, device: str) -> int:
        """Return how many deliveries wait for a device; ``*`` stands for all of them."""
        return self._count(statements.WAITING, {"device": device})

    def unheard(self, rules: Sequence[str], since: float) -> list[Delivery]:
        """Return the deliveries of rules that WhatsApp does not carry, and no fallback has been given yet.

        They wait for a device of whose trouble the fallback knows, or were given up after ``since``.
        """
        return self._deliveries(statements.UNHEARD, {"rules": rows.listed(rules), "since": since})

    def given_up(self, since: float) -> list[GivenUp]:
        """Return what was given up since a time, by rule and hour."""
        hours = self._database.read(statements.GIVEN_UP, {"since": since})
        return [GivenUp(row["hour"], row["many"], rows.delivery(row)) for row in hours]

    def others_passed(self, delivery: Delivery, outcome: str, *, everywhere: bool) -> bool:
        """Return whether wbox took others after the attempt before a delivery's last one ended like this.

        They are of the same device, or of any if asked.
        """
        attempt = {"id": delivery.id, "before": delivery.claims - 1, "outcome": outcome}
        where = {"device": delivery.device, "everywhere": int(everywhere)}
        return bool(self._database.read(statements.OTHERS_PASSED, {**attempt, **where}))

    def circuits(self) -> list[Circuit]:
        """Return the devices that cannot send."""
        return [rows.circuit(row) for row in self._database.read(statements.CIRCUITS)]

    def daemons(self) -> list[Row]:
        """Return host, version and beginning of the daemons that share the store; none where one is alone."""
        return self._database.read(statements.DAEMONS)

    def last_event(self) -> int:
        """Return the number of the newest event, 0 where there is none."""
        return int(self._database.read(statements.LAST_EVENT)[0]["seq"])

    def events(self, after: int = 0, most: int = 50) -> list[Row]:
        """Return the newest ``most`` events whose number is above ``after``, oldest first."""
        return self._database.read(statements.EVENTS_SINCE, {"after": after, "most": most})

    def events_where(  # noqa: PLR0913 - each is a filter of the commands
        self,
        *,
        since: float | None = None,
        until: float | None = None,
        rule: str = "",
        recipients: Iterable[str] = (),
        failed: bool = False,
        after: int = 0,
        most: int = 50,
    ) -> list[Row]:
        """Return the newest ``most`` events of a span of time whose number is above ``after``, oldest first.

        Only those of a rule, to any of some recipients, or of which something failed, where asked.
        """
        span = {"since": since or 0.0, "until": _LATEST if until is None else until, "after": after}
        chosen = {"rule": rule, "recipients": rows.listed(recipients), "failed": failed}
        if after:
            return self._database.read(statements.EVENTS_AFTER, {**span, **chosen})[-most:]
        few = self._few(chosen)
        if few is None:
            return self._database.read(statements.EVENTS_WHERE, {**span, **chosen, "most": most})
        place = {**span, "before": _LAST_NUMBER, "ids": rows.listed(few)}
        return self._database.read(statements.EVENTS_CHOSEN, {**place, **chosen, "most": most})[::-1]

    def _few(self, chosen: Mapping[str, Any]) -> set[str] | None:
        """Return the ids of events with all that fit among them; None where what is asked for is no rarity.

        Then the newest of all events are soon found by looking at one after the other.
        """
        for name, statement in _CHOSEN_BY.items():
            if chosen[name] not in _ANY:
                found = self._database.read(statement, {name: chosen[name], "most": _FEW + 1})
                if len(found) <= _FEW:
                    return {row["event_id"] for row in found}
        return None

    def events_before(
        self, before: int | None, wanted: Wanted, *, most: int, looked_at: int
    ) -> tuple[list[Row], int | None]:
        """Return the newest ``most`` wanted events before one, newest first, and before which to go on.

        At most ``looked_at`` events are looked at, unless an index knows the few that are wanted. None stands
        for the newest and for the end.
        """
        until, since = _LATEST if wanted.until is None else wanted.until, wanted.since or 0.0
        place = {"since": since, "until": until, "before": _LAST_NUMBER}
        if before is not None:
            received = self._database.read(statements.RECEIVED, {"seq": before})
            place |= {"until": min(received[0]["received"] if received else 0.0, until), "before": before}
        chosen = {"rule": wanted.rule, "recipients": rows.listed(wanted.recipients), "failed": wanted.failed}
        few, asked = self._few(chosen), {**place, **chosen, "most": most}
        if few is None:
            found = self._database.read(statements.EVENTS_BEFORE, {**asked, "looked_at": looked_at})
        else:
            found = self._database.read(statements.EVENTS_CHOSEN, {**asked, "ids": rows.listed(few)})
        if len(found) == most:
            return found, int(found[-1]["seq"])
        if few is not None:
            return found, None
        last = self._database.read(statements.LAST_BEFORE, {**place, "skipped": looked_at - 1})
        return found, int(last[0]["seq"]) if last else None

    def events_from(self, since: float) -> Iterator[Row]:
        """Yield all planned events since a time, in the order in which they came, some at a time."""
        place = {"received": since, "seq": 0}
        while page := self._database.read(statements.EVENTS_FROM, {**place, "most": _PAGE}):
            yield from page
            place = {"received": page[-1]["received"], "seq": page[-1]["seq"]}

    def events_of_file(self, path: bytes, status: os.stat_result | None) -> list[Row]:
        """Return the events of all versions of a file, oldest first; ``status`` where it is there."""
        file: dict[str, Any] = {"path": path, "inode": None, "mtime_ns": None}
        if status:
            file |= {"inode": status.st_ino & LARGEST, "mtime_ns": str(status.st_mtime_ns)}
        return self._database.read(statements.EVENTS_OF_FILE, file)

    def event(self, event_id: str) -> Row | None:
        """Return one event by its id."""
        return next(iter(self._database.read(statements.EVENTS, {"ids": rows.listed([event_id])})), None)

    def memories_ahead(self, kinds: Iterable[str], most: int) -> list[Memory]:
        """Return what rules are woken with next, at most so many memories of each kind."""
        return [
            rows.memory(row)
            for kind in kinds
            for row in self._database.read(statements.MEMORIES_AHEAD, {"kind": kind, "most": most})
        ]

    def trail(self, row: Row, most: int = statements.ALL) -> Trail:
        """Return all that is known of the event of a row; of each kind at most so much."""
        deliveries = self.deliveries_about(row["id"], most)
        memories = map(rows.memory, self._database.read(statements.MEMORIES_ABOUT, {"id": row["id"]}))
        return Trail(
            event=rows.event(row),
            received=row["received"],
            decisions=self.decisions(row["id"], most),
            deliveries=deliveries,
            attempts={delivery.id: self.attempts(delivery.id) for delivery in deliveries},
            waiting=[memory for memory in memories if memory.due is not None],
        )

    def decisions(self, event_id: str, most: int = statements.ALL) -> list[Decision]:
        """Return what was decided about an event."""
        found = self._database.read(statements.DECISIONS, {"id": event_id, "most": most})
        return [rows.decision(row) for row in found]

    def outcomes(self, ids: Sequence[str]) -> dict[str, list[Made]]:
        """Return what each rule made of some events, in the order in which the rules took them up."""
        about = {"ids": rows.listed(ids)}
        last = self._database.read(statements.LAST_DECISIONS, about)
        decided = {(row["event_id"], row["rule"]): rows.decision(row) for row in last}
        made: dict[tuple[str, str], dict[State, int]] = {place: {} for place in decided}
        for row in self._database.read(statements.MADE_OF_EVENTS, about):
            made.setdefault((row["event_id"], row["rule"]), {})[State(row["state"])] = row["many"]
        outcomes: dict[str, list[Made]] = {event_id: [] for event_id in ids}
        for (event_id, rule), states in made.items():
            outcomes[event_id].append(Made(rule, states, decided.get((event_id, rule))))
        return outcomes

    def deliveries(self, event_id: str, most: int = statements.ALL) -> list[Delivery]:
        """Return the deliveries that came of an event."""
        return self._deliveries(statements.DELIVERIES_OF_EVENT, {"id": event_id, "most": most})

    def deliveries_about(self, event_id: str, most: int = statements.ALL) -> list[Delivery]:
        """Return the same, and those of other events that told of it too."""
        about = {"id": event_id, "most": most}
        return self.deliveries(event_id, most) + self._deliveries(statements.DELIVERIES_ABOUT, about)

    def attempts(self, delivery_id: int) -> list[Row]:
        """Return the hand-overs of a delivery: ``number``, ``started``, ``outcome``, ``detail`` and so on."""
        return self._database.read(statements.ATTEMPTS, {"id": delivery_id})

    def _deliveries(self, statement: str, values: Row) -> list[Delivery]:
        return [rows.delivery(row) for row in self._database.read(statement, values)]

    def _count(self, statement: str, values: Row) -> int:
        return int(self._database.read(statement, values)[0]["many"])


def _values(chosen: Chosen) -> dict[str, Any]:
    return {**chosen._asdict(), "recipients": rows.listed(chosen.recipients)}
