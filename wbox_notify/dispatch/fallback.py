"""Notifications about trouble: over other services, and for the owner while WhatsApp works."""

import logging
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from wbox_notify.model import reasons
from wbox_notify.model.deliveries import Delivery, Plan, PlannedMessage
from wbox_notify.model.events import Event
from wbox_notify.model.log_subject import about
from wbox_notify.model.messages import Message, Notice, Text, notice_of
from wbox_notify.model.outcomes import Outcome
from wbox_notify.model.phones import masked
from wbox_notify.model.texts import translated
from wbox_notify.rules.project import Live
from wbox_notify.store import Store
from wbox_notify.store.queries import GivenUp

log = logging.getLogger(__name__)

_HOUR = 3600.0
_DAY = 24 * _HOUR
_OWN = "wbox-notify"


class Fallback:
    """Queues each notification once, for the ``fallback`` outlets of the project or of a rule.

    The ``owner`` gets those that WhatsApp can carry. ``wake`` is called after that.
    """

    def __init__(self, store: Store, live: Live, wake: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._live = live
        self._wake = wake

    def stopped(self, device: str, reason: Outcome, since: float, now: float) -> None:
        """Tell that a device has not been able to send since a time."""
        why, waiting = reasons.circuit_wording(reason), self._store.waiting(device)
        text = reasons.notice("stopped", why=why, waiting=waiting)
        self._say(f"{_key(device, since)}:stopped", text, now)

    def sends_again(self, device: str, since: float, now: float) -> None:
        """Tell that a device sends again."""
        self._say(f"{_key(device, since)}:again", reasons.notice("sent again"), now)

    def trouble(self, about: str, problem: str | None, now: float) -> None:
        """Tell of a problem, or with None that it is over."""
        text = problem or reasons.notice("solved", about=about)
        self._say(f"{about}:{now}", text, now, to_owner=True)

    def sweep(self, now: float) -> bool:
        """Tell by other services what WhatsApp does not carry; return whether there was something to tell.

        Each message of a rule that has a fallback; of the other rules how many were given up, once an hour.
        """
        rules = self._live.project.rules
        own = {rule.id: rule.fallback for rule in rules if rule.fallback}
        given_up = self._tell_given_up(own, now)
        return self._tell_instead(own, now) or given_up

    def _tell_instead(self, own: Mapping[str, Sequence[str]], now: float) -> bool:
        deliveries = self._store.unheard(list(own), now - _DAY) if own else []
        plans = [self._instead(delivery, own[delivery.rule]) for delivery in deliveries]
        if plans:
            self._store.put_plans(plans, now).result()
        return bool(plans)

    def _tell_given_up(self, own: Container[str], now: float) -> bool:
        settings = self._live.project.settings
        if not (settings.fallback or settings.owner):
            return False
        groups = [group for group in self._store.given_up(now - _HOUR) if group.last.rule not in own]
        told = [self._give_up(group, now) for group in groups]
        return any(told)

    @property
    def _lang(self) -> str:
        return self._live.project.settings.lang

    def _instead(self, delivery: Delivery, outlets: Iterable[str]) -> Plan:
        """Return the notifications that replace a message, for the outlets of its rule."""
        rule = self._live.project.rule(delivery.rule)
        title = rule.name if rule else delivery.rule
        notices = []
        for number, outlet in enumerate(outlets):
            if delivery.message and not isinstance(delivery.message, Notice):
                notice = notice_of(delivery.message, outlet, title)
                to = reasons.notice("undelivered", to=masked(delivery.message.phone)).to(self._lang)
                notice = replace(notice, text=f"{notice.text}\n\n{to}")
            else:
                notice = Notice(outlet=outlet, text=reasons.why(delivery, self._lang), title=title)
            key = f"{delivery.key}:fallback:{number}"
            notices.append(PlannedMessage(key=key, rule=delivery.rule, message=notice))
        return Plan(event_id=delivery.event_id, messages=tuple(notices))

    def _give_up(self, group: GivenUp, now: float) -> bool:
        rule, why = group.last.rule, reasons.why_wording(group.last)
        text = reasons.notice("given up", many=group.many, rule=rule, why=why)
        # What cannot be sent to the owner must not become another message to the owner.
        return self._say(f"given up:{rule}:{group.hour}", text, now, to_owner=rule != _OWN)

    def _say(self, key: str, text: str, now: float, *, to_owner: bool = False) -> bool:
        """Tell all outlets, unless that was done before; return whether it was not."""
        name = f"alarm:{key}"
        if self._store.known_events([name]):
            return False
        with about(event=name):
            log.warning("%s", text)
        text = translated(text, self._lang)
        at = datetime.fromtimestamp(now, UTC)
        event = Event(id=name, type="alarm", at=at, data={"text": text})
        settings = self._live.project.settings
        messages: list[Message] = [
            Notice(outlet=outlet, text=text, title=_OWN) for outlet in settings.fallback
        ]
        if to_owner and settings.owner:
            owners = self._live.project.recipients(settings.owner, at)
            messages += [Text(phone=owner.phone, message=text) for owner in owners]
        planned = tuple(
            PlannedMessage(key=f"{name}:{message.recipient}", rule=_OWN, message=message)
            for message in messages
        )
        self._store.put_message(event, Plan(event_id=name, messages=planned), now).result()
        self._wake()
        return True


def _key(device: str, since: float) -> str:
    return f"circuit:{device}:{since:.0f}"
