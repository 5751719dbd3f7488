"""Actions on the queue, with or without a running daemon."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from wbox_notify.errors import MessageError
from wbox_notify.model.deliveries import STUCK, WAITING, Plan, PlannedMessage, SendOptions, State
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Message, dump
from wbox_notify.store import Store

_AT_ONCE = 2000


class Action(StrEnum):
    """What can be done to deliveries in the queue."""

    RETRY = "retry"
    """Try again now, whatever the reason for waiting; also what is dead or expired."""
    RELEASE = "release"
    """Let go what is held."""
    DROP = "drop"
    """Cancel."""

    @property
    def states(self) -> tuple[State, ...]:
        """The states of the deliveries that it applies to."""
        return (State.HELD,) if self is Action.RELEASE else (*WAITING, *STUCK)


REPLAYED = frozenset({"file", "webhook", "schedule", "missing"})
"""The types of events that rules can follow once more."""


def acknowledgement(rule: str, key: str, name: str = "") -> Event:
    """Return the event by which a person takes on a trouble; those with one name are the same."""
    return _by_hand("ack", {"rule": rule, "key": key}, name)


def cancellation(rule: str, key: str) -> Event:
    """Return the event by which a person cancels the reminders with a key."""
    return _by_hand("cancel", {"rule": rule, "key": key})


def silencing(rule: str, until: float) -> Event:
    """Return the event from which on a rule is silent until a time; a time that has been ends a silence."""
    return _by_hand("silence", {"rule": rule, "until": until})


def once_more(event: Event) -> Event:
    """Return an event as it comes once more, so that rules follow it whatever they sent of it before."""
    return replace(event, id=f"{event.id}:{uuid.uuid4().hex[:8]}", at=datetime.now(UTC))


def _by_hand(kind: str, data: dict[str, Any], name: str = "") -> Event:
    return Event(id=f"{kind}:{name or uuid.uuid4().hex}", type=kind, at=datetime.now(UTC), data=data)


def in_slices(
    apply: Callable[[Action, Sequence[int]], list[int]], action: Action, ids: Sequence[int]
) -> list[int]:
    """Apply an action to many deliveries, so that webhooks need not wait for the last of many thousands."""
    slices = [ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)]
    return [changed for part in slices for changed in apply(action, part)]


class Control:
    """Actions on the queue of an open store; ``wake`` wakes the daemon's threads.

    ``keep`` copies the files that a plan names.
    """

    def __init__(
        self,
        store: Store,
        wake: Callable[[], None] = lambda: None,
        keep: Callable[[Plan], Plan] = lambda plan: plan,
    ) -> None:
        self._store = store
        self._wake = wake
        self._keep = keep

    def queue(self, action: Action, ids: Sequence[int] | None) -> list[int]:
        """Apply an action to deliveries, to all that it fits where ids is None; return the ids it changed."""
        now = self._store.clock()
        if action is Action.DROP:
            changed = self._store.drop(ids, now).result()
        else:
            changed = self._store.requeue(ids, action.states, now).result()
        self._wake()
        return changed

    def release_event(self, event_id: str) -> int:
        """Release what the storm guard holds of one event; return how many messages."""
        released = self._store.release_event(event_id, self._store.clock()).result()
        self._wake()
        return released

    def drop_event(self, event_id: str) -> int:
        """Drop what the storm guard holds of one event; return how many messages."""
        dropped = self._store.drop_event(event_id, self._store.clock()).result()
        self._wake()
        return dropped

    def replay(self, ids: Sequence[str]) -> int:
        """Let events be planned once more by the rules as they are now; return how many events those are."""
        count = self._store.plan_again(ids).result()
        self._wake()
        return count

    def accept(self, event: Event) -> bool:
        """Keep an event; False if it was known before."""
        [new] = self._store.put_events([event], self._store.clock()).result()
        self._wake()
        return new

    def send(self, message: Message, *, critical: bool = False) -> int:
        """Put one message into the queue; return the id of its delivery, which is then on disk.

        It goes out though its text has just been sent; what is critical goes before what others sent.

        Raises:
            MessageError: its file cannot be sent.
        """
        now = datetime.fromtimestamp(self._store.clock(), UTC)
        event = Event(id=f"send:{uuid.uuid4().hex}", type="send", at=now, data=dump(message))
        planned = PlannedMessage(
            key=f"{event.id}:send:0:{message.recipient}",
            rule="send",
            message=message,
            terms=SendOptions(critical=critical, once=False),
        )
        plan = self._keep(Plan(event_id=event.id, messages=(planned,)))
        if problem := plan.messages[0].problem:
            raise MessageError("file", problem)
        ids = self._store.put_message(event, plan, now.timestamp()).result()
        self._wake()
        return ids[0]
