"""Notifications over other services when WhatsApp messages cannot be sent."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime

from wbox_notify.model import reasons
from wbox_notify.model.deliveries import Delivery, Plan, PlannedMessage
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Notice, notice_of
from wbox_notify.model.outcomes import Outcome
from wbox_notify.model.phones import masked
from wbox_notify.rules import Live
from wbox_notify.store import Store
from wbox_notify.store.queries import GivenUp

log = logging.getLogger(__name__)

_HOUR = 3600.0
_DAY = 24 * _HOUR
_OWN = "wbox-notify"


class Fallback:
    """Queues each notification once, for the ``fallback`` outlets of the project or of a rule.

    ``wake`` is called after that.
    """

    def __init__(self, store: Store, live: Live, wake: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._live = live
        self._wake = wake

    def stopped(self, device: str, reason: Outcome, since: float, now: float) -> None:
        """Tell that a device has not been able to send since a time."""
        why, waiting = reasons.circuit(reason, self._lang), self._store.waiting(device)
        text = reasons.notice("stopped", self._lang, why=why, waiting=waiting)
        self._say(f"{_key(device, since)}:stopped", text, now)

    def sends_again(self, device: str, since: float, now: float) -> None:
        """Tell that a device sends again."""
        self._say(f"{_key(device, since)}:again", reasons.notice("sent again", self._lang), now)

    def trouble(self, about: str, problem: str | None, now: float) -> None:
        """Tell of a problem, or with None that it is over."""
        text = problem or reasons.notice("solved", self._lang, about=about)
        self._say(f"{about}:{now}", text, now)

    def sweep(self, now: float) -> bool:
        """Tell by other services what WhatsApp does not carry; return whether there was something to tell.

        Each message of a rule that has a fallback; of the other rules how many were given up, once an hour.
        """
        project, told = self._live.project, False
        own = {rule.id: rule.fallback for rule in project.rules if rule.fallback}
        if own:
            deliveries = self._store.unheard(list(own), now - _DAY)
            plans = [self._instead(delivery, own[delivery.rule]) for delivery in deliveries]
            if plans:
                self._store.put_plans(plans, now).result()
                told = True
        if project.settings.fallback:
            for group in self._store.given_up(now - _HOUR):
                if group.last.rule not in own:
                    told = self._give_up(group, now) or told
        return told

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
                to = reasons.notice("undelivered", self._lang, to=masked(delivery.message.phone))
                notice = replace(notice, text=f"{notice.text}\n\n{to}")
            else:
                notice = Notice(outlet=outlet, text=reasons.why(delivery, self._lang), title=title)
            key = f"{delivery.key}:fallback:{number}"
            notices.append(PlannedMessage(key=key, rule=delivery.rule, message=notice))
        return Plan(event_id=delivery.event_id, messages=tuple(notices))

    def _give_up(self, group: GivenUp, now: float) -> bool:
        rule, why = group.last.rule, reasons.why(group.last, self._lang)
        text = reasons.notice("given up", self._lang, many=group.many, rule=rule, why=why)
        return self._say(f"given up:{rule}:{group.hour}", text, now)

    def _say(self, key: str, text: str, now: float) -> bool:
        """Tell all outlets, unless that was done before; return whether it was not."""
        name = f"alarm:{key}"
        if self._store.known_events([name]):
            return False
        log.warning("%s", text)
        event = Event(id=name, type="alarm", at=datetime.fromtimestamp(now, UTC), data={"text": text})
        notices = tuple(
            PlannedMessage(
                key=f"{name}:{outlet}", rule=_OWN, message=Notice(outlet=outlet, text=text, title=_OWN)
            )
            for outlet in self._live.project.settings.fallback
        )
        self._store.put_message(event, Plan(event_id=name, messages=notices), now).result()
        self._wake()
        return True


def _key(device: str, since: float) -> str:
    return f"circuit:{device}:{since:.0f}"
