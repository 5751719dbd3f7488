"""What a soak shows: each invariant, checked from outside, on the store, the ledger of wbox and the logs."""

import json
import re
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Any

from soak_daemon import CANARY, HOOK_SECRET, RunningDaemon
from soak_load import Load

from wbox_notify.model.deliveries import OPEN, Delivery, State
from wbox_notify.model.messages import dump
from wbox_notify.model.outcomes import Outcome
from wbox_notify.store import Queries, open_history

BOUNDS = {"RSS in MB": 300, "threads": 64, "open files": 256}
ALL = 10_000_000

HAND_OVERS = {"retry_once": 2, "retry": 1_000, "hold": 1, "drop": 1}
"""How often a message may be handed over at most, by what its rule says of unknown outcomes."""

POLICY = {"media": "hold", "picture": "hold", "poll": "hold", "retry": "retry", "drop": "drop"}
"""What the rules of the soak say where it is not the default of a text, ``retry_once``."""

GIVEN_UP_AFTER = 3

SCHEDULED = "schedule:"


@dataclass
class Findings:
    """Numbers by name, and a line for each thing that broke."""

    counts: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def examine(load: Load, ledger: Sequence[Mapping[str, Any]], least: float) -> Findings:
    """Return what a soak shows, once its daemons have ended.

    ``least`` is how many seconds pass between messages of a device.
    """
    history = open_history(load.daemons[0].store)
    if history is None:
        return Findings(broken=["there is no store"])
    seen = Seen(history, ledger)
    history.close()
    broken = [
        *acknowledged(seen, load),
        *hand_overs(seen),
        *ends(seen),
        *order(seen),
        *pace(seen, least),
        *schedules(seen),
        *chain.from_iterable(secrets_told(daemon) for daemon in load.daemons),
        *store_is_sound(load.daemons[0]),
    ]
    most = {name: max(daemon.most.get(name, 0) for daemon in load.daemons) for name in BOUNDS}
    broken += [f"I6: {name}: {number}" for name, number in most.items() if number > BOUNDS[name]]
    return Findings({**seen.counts(load), **{f"most {name}": most[name] for name in most}}, broken)


class Seen:
    """The store and the ledger, brought together by the key of each delivery."""

    def __init__(self, history: Queries, ledger: Sequence[Mapping[str, Any]]) -> None:
        self.deliveries = history.queue([*State], ALL)
        self.events = {row["id"]: row["planned"] is not None for row in history.events(most=ALL)}
        self.attempts = {delivery.key: history.attempts(delivery.id) for delivery in self.deliveries}
        self.outcomes = {key: [row["outcome"] for row in rows] for key, rows in self.attempts.items()}
        self.places: dict[str, list[int]] = defaultdict(list)
        for place, entry in enumerate(ledger):
            self.places[entry["idempotency_key"]].append(place)
        self.ledger = ledger

    def unknown(self, delivery: Delivery) -> int:
        """How many attempts of a delivery have an unknown outcome."""
        return self.outcomes[delivery.key].count(Outcome.UNKNOWN)

    def counts(self, load: Load) -> dict[str, int]:
        """Return what there is to count."""
        states = Counter(delivery.state for delivery in self.deliveries)
        outcomes = Counter(outcome for each in self.outcomes.values() for outcome in each)
        return {
            "events acknowledged": load.total,
            "webhooks repeated": load.repeated,
            "events in the store": len(self.events),
            "deliveries": len(self.deliveries),
            **{f"deliveries {state}": number for state, number in sorted(states.items())},
            **{f"attempts {outcome}": number for outcome, number in sorted(outcomes.items())},
            "hand-overs": len(self.ledger),
            "handed over twice, listed as unknown": sum(len(places) > 1 for places in self.places.values()),
        }


def acknowledged(seen: Seen, load: Load) -> list[str]:
    """I1: what was acknowledged is kept and planned, once, and goes to whom it was meant for."""
    broken = [f"I1: the event {name} has no plan" for name, planned in seen.events.items() if not planned]
    made: dict[str, list[str]] = defaultdict(list)
    raised: Counter[str] = Counter()
    for delivery in seen.deliveries:
        said = dump(delivery.message) if delivery.message else {}
        raised.update(marks(said, "!"))
        for name in marks(said):
            made[name].append(phone(delivery))
    for name, to in load.offered.items():
        most = [[to]] if name in load.kept else [[to], []]
        if made.get(name, []) not in most:
            broken.append(f"I1: {name} to {to} became messages to {made.get(name, [])}")
        if name.startswith("escalate") and raised[name] != len(made.get(name, [])):
            broken.append(f"I1: nobody answered {name}, and the next person was told {raised[name]} times")
    return broken


def hand_overs(seen: Seen) -> list[str]:
    """I3: handed over again only after an unknown outcome, and only as often as the rule allows."""
    broken = []
    known = {delivery.key: delivery for delivery in seen.deliveries}
    for key, places in seen.places.items():
        delivery = known.get(key)
        if delivery is None or delivery.message is None:
            broken.append(f"I3: wbox got {key}, of which the store knows nothing")
            continue
        most = min(1 + seen.unknown(delivery), HAND_OVERS[POLICY.get(delivery.rule, "retry_once")])
        if len(places) > most:
            broken.append(f"I3: {told(seen, delivery)} was handed over {len(places)} times, not {most}")
        wanted = dump(delivery.message)
        bodies = [seen.ledger[place]["body"] for place in places]
        broken += [f"I3: wbox got {body} for {wanted}" for body in bodies if not same(body, wanted)]
    return broken


def ends(seen: Seen) -> list[str]:
    """I2 and nothing lost: each delivery arrived, or it says truly why it did not or when it will."""
    broken, now = [], time.time()
    heads: dict[tuple[str, str], Delivery] = {}
    for delivery in seen.deliveries:
        outcomes = seen.outcomes[delivery.key]
        true = {
            State.SENT: bool(seen.places[delivery.key]) and outcomes[-1:] == [Outcome.SENT],
            State.HELD: Outcome.UNKNOWN in outcomes,
            State.CANCELLED: Outcome.UNKNOWN in outcomes and POLICY.get(delivery.rule) == "drop",
            State.DEAD: outcomes.count(Outcome.FAILED) >= GIVEN_UP_AFTER,
        }.get(delivery.state, delivery.state in OPEN)
        if not true or None in outcomes:
            broken.append(f"I2: {told(seen, delivery)} is not what its attempts say")
        lane = (delivery.device, phone(delivery))
        if delivery.state in OPEN and delivery.due < now and lane not in heads:
            broken.append(f"I2: {told(seen, delivery)} was due {now - delivery.due:.0f} s ago")
        if delivery.state in OPEN:
            heads.setdefault(lane, delivery)
    return broken


def order(seen: Seen) -> list[str]:
    """I8: messages of one device to one phone are first handed over in the order in which they were made.

    Behind one that may have arrived, only those of the same rule wait: the others may pass them.
    """
    firsts: dict[tuple[str, str], list[tuple[int, Delivery]]] = defaultdict(list)
    waits: set[tuple[str, ...]] = set()
    passed: set[str] = set()
    for delivery in seen.deliveries:
        lane = (delivery.device, phone(delivery))
        if delivery.unknowns:
            waits.add((*lane, delivery.rule))
        if (*lane, delivery.rule) in waits:
            passed.add(delivery.key)
        if places := seen.places[delivery.key]:
            firsts[lane].append((places[0], delivery))
    return [
        f"I8: {told(seen, two)} was handed over before {told(seen, one)}"
        for each in firsts.values()
        for (first, one), (second, two) in pairwise(each)
        if second < first and (one.rule == two.rule or one.key not in passed)
    ]


def pace(seen: Seen, least: float) -> list[str]:
    """I8: from one message of a device to its next pass so many seconds, whoever sends it."""
    begun: dict[str, list[float]] = defaultdict(list)
    for delivery in seen.deliveries:
        begun[delivery.device] += [row["started"] for row in seen.attempts[delivery.key]]
    return [
        f"I8: device {device} began at {one:.3f} and {two - one:.3f} s later"
        for device, times in begun.items()
        for one, two in pairwise(sorted(times))
        if two - one < least
    ]


def schedules(seen: Seen) -> list[str]:
    """I1: each time of a schedule is one event, which became one message."""
    made = Counter(delivery.event_id for delivery in seen.deliveries if delivery.rule == "clock")
    fired = [name for name in seen.events if name.startswith(SCHEDULED)]
    return [f"I1: {name} became {made[name]} messages" for name in fired if made[name] != 1]


def secrets_told(daemon: RunningDaemon) -> list[str]:
    """I4: no secret is in what the daemon printed or keeps."""
    files = [daemon.log, *(daemon.folder / "data").rglob("*")]
    return [
        f"I4: a secret is in {path.name}"
        for path in files
        if path.is_file() and any(secret.encode() in path.read_bytes() for secret in (CANARY, HOOK_SECRET))
    ] + ["a traceback is in the log"] * (b"Traceback" in daemon.log.read_bytes())


def store_is_sound(daemon: RunningDaemon) -> list[str]:
    """I5: SQLite finds nothing wrong with the store; what PostgreSQL holds is checked by our own command."""
    if not daemon.database.exists():
        said = daemon.command("store", "check")
        return [] if said.returncode == 0 else [f"I5: {said.stderr}"]
    connection = sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True)
    said = [row[0] for row in connection.execute("pragma integrity_check")]
    connection.close()
    return [] if said == ["ok"] else [f"I5: {line}" for line in said]


def same(body: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Say whether wbox got what was to be sent."""
    return body["phone"] == wanted["phone"] and marks(body) == marks(wanted)


def marks(message: Mapping[str, Any], sign: str = "#") -> list[str]:
    """Return the marks of the events that a message tells of."""
    said = {name: value for name, value in message.items() if name not in {"file", "media_url"}}
    return re.findall(f"{sign}([^{sign} ]+){sign}", json.dumps(said, ensure_ascii=False))


def phone(delivery: Delivery) -> str:
    """Return where a delivery goes."""
    return delivery.message.recipient if delivery.message else ""


def told(seen: Seen, delivery: Delivery) -> str:
    """Return a delivery in words."""
    outcomes = ", ".join(map(str, seen.outcomes[delivery.key]))
    name = ", ".join(marks(dump(delivery.message))) if delivery.message else delivery.key
    return f"{name} (delivery {delivery.id}, {delivery.state}; attempts: {outcomes}; {delivery.reason})"
