"""What a notification is about: one item, a group or a digest."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wbox_notify.engine.item import Item, moment, short
from wbox_notify.engine.rule_run import RuleRun, text_to
from wbox_notify.model.signed_links import ACK, page_url
from wbox_notify.rules.recipients import Reader

GROUP = "group"
"""The kind of memory that a group is kept in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Something to tell.

    Attributes:
        origin: The same whenever the same notification is planned again; keys of deliveries begin with it.
        items: What it is made of, the newest last.
        extra: The names that it adds: ``group`` or ``events``.
        alert: What an acknowledgement and the end of the trouble refer to.
        group: The key of the group, if it is one.
        digest: Whether it is a digest.
        healed: Whether it says that all is well again.
    """

    origin: str
    items: Sequence[Item]
    extra: Mapping[str, Any] = field(default_factory=dict)
    alert: str
    group: str | None = None
    digest: bool = False
    healed: bool = False

    @property
    def item(self) -> Item:
        """The newest of the items, whose data the message sees."""
        return self.items[-1]

    @property
    def events(self) -> tuple[str, ...]:
        """The ids of all events that it is made of."""
        return tuple(dict.fromkeys(item.event_id for item in self.items))

    def keep(self) -> dict[str, Any]:
        """Return it as JSON values, without the names that it adds; ``restore`` is the inverse."""
        return {
            "origin": self.origin,
            "subjects": [item.dump() for item in self.items],
            "alert": self.alert,
            "group": self.group,
            "digest": self.digest,
            "healed": self.healed,
        }


def restore(run: RuleRun, kept: Mapping[str, Any], members: Mapping[str, Any] | None = None) -> Notification:
    """Return a notification that was kept; a group as it is now, or with the members that are given."""
    items = [Item(**item) for item in kept["subjects"]]
    extra: dict[str, Any] = {}
    if kept["group"] is not None:
        now = members or run.recall(GROUP, kept["group"])
        extra["group"] = group_names(run, kept["group"], now)
    if kept["digest"]:
        extra["events"] = event_names(run, items)
    return Notification(
        origin=kept["origin"],
        items=items,
        extra=extra,
        alert=kept["alert"],
        group=kept["group"],
        digest=kept["digest"],
        healed=kept["healed"],
    )


def retold(run: RuleRun, notification: Notification) -> dict[str, Any]:
    """Return what a retry needs to tell a notification again, as JSON values."""
    if notification.group is None and not notification.digest:
        return found_again(run, notification.item)
    kept: dict[str, Any] = {"occasion": notification.keep()}
    if notification.group is not None:
        kept["members"] = run.recall(GROUP, notification.group)
    return kept


def found_again(run: RuleRun, item: Item) -> dict[str, Any]:
    """Return where an item is in the event that is followed, or the whole of it where it came otherwise."""
    if item.event_id == run.event_id:
        return {"place": item.place}
    return {"subject": item.dump()}


def made_of(items: Sequence[Item]) -> str:
    """Return a short name of some items, so that what is told of others has another one."""
    return short(json.dumps([[one.event_id, one.place, one.status] for one in items]))


def single(item: Item) -> Notification:
    """Return the notification that one item is."""
    return Notification(
        origin=f"{item.event_id}:{item.place}",
        items=[item],
        alert=item.identity,
        healed=item.status == "resolved",
    )


def about(run: RuleRun, notification: Notification) -> dict[str, Any]:
    """Return the values of all names that a notification gives."""
    return {
        **run.context(notification.item),
        **notification.extra,
        "ack_url": ack_url(run, notification.alert),
    }


def ack_url(run: RuleRun, alert: str) -> str:
    """Return the address of the page on which the trouble can be acknowledged."""
    settings = run.project.settings
    value = f"{run.rule.id}\x1f{short(alert)}"
    return page_url(settings.public_url, settings.link_key, ACK, value)


def group_names(run: RuleRun, key: str, group: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what ``group`` is in a message: its key, and its members that fire and that are resolved."""
    group = group or {"items": {}, "since": run.time, "told": {}}
    told = group["told"] or {}
    members = [(name, Item(**item)) for name, item in group["items"].items()]
    firing = [_shown(run, item) for _, item in members if item.status != "resolved"]
    resolved = [_shown(run, item) for name, item in members if item.status == "resolved" and name in told]
    return {
        "key": json.loads(key),
        "since": moment(group["since"]).astimezone(run.project.settings.tz),
        "firing": firing,
        "resolved": resolved,
        "items": firing + resolved,
    }


def event_names(run: RuleRun, items: Sequence[Item]) -> list[dict[str, Any]]:
    """Return what ``events`` is in a digest: the names that each of them gives."""
    return [run.context(item) for item in items]


def _shown(run: RuleRun, item: Item) -> Any:
    """Return a member of a group: the alert itself, or all names where it is none."""
    return item.data.get("alert") or run.context(item)


_WORDS: Mapping[str, str] = {
    "en": "… and {number} more of “{rule}” that were left out",
    "tr": "… ve “{rule}” için {number} bildirim daha geldi, gönderilmedi",
}


def tell_left_out(run: RuleRun, stage: str, readers: Sequence[Reader], last: Item, number: int) -> None:
    """Tell readers how many a stage left out; ``last`` is of the rule's latest event before that."""
    for reader in readers:
        words = _WORDS.get(reader.lang or run.project.settings.lang, _WORDS["en"])
        message = text_to(reader, words.format(number=number, rule=run.rule.name), run.rule.name)
        run.say(message, f"{single(last).origin}:{stage}:left out", "0")
    run.decide(stage, "passed", f"told that {number} were left out")
