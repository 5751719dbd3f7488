"""The names that a message sees of a notification, and what a retry needs to tell it again."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from wbox_notify.engine.item import Item, key_of, moment, short
from wbox_notify.engine.rule_run import RuleRun, values_of
from wbox_notify.engine.state import GroupState, Notification, Retry
from wbox_notify.model.signed_links import ACK, page_url


def about(run: RuleRun, notification: Notification) -> dict[str, Any]:
    """Return the values of all names that a notification gives.

    What began before the rule had a group or a digest is one of its own.
    """
    names = run.context(notification.item)
    key = notification.group
    if key is None and run.rule.group:
        key = key_of(values_of(run.rule.group.by, names))
    if key is not None:
        names["group"] = _group_names(run, key, notification)
    if notification.digest or run.rule.digest:
        names["events"] = [run.context(item) for item in notification.items]
    if run.rule.has_links:
        names["ack_url"] = _ack_url(run, notification.alert)
    return names


def _ack_url(run: RuleRun, alert: str) -> str:
    """Return the address of the page on which the trouble can be acknowledged."""
    settings = run.project.settings
    return page_url(settings.public_url, settings.link_key, ACK, f"{run.rule.id}\x1f{short(alert)}")


def as_now(run: RuleRun, notification: Notification) -> Notification:
    """Return a notification with those members of its group that have a status as they are now.

    What the group has no more is over. Members without a status stay as they were. A step tells also of
    those that have come since; of these the group itself will speak to its readers.
    """
    if notification.group is None:
        return notification
    state = run.recall(GroupState, notification.group)
    members: dict[str, Item] = {}
    if state and state.alert(notification.group) == notification.alert:
        members = {item.identity: item for item in state.members if item.status}
    items = {item.identity: members.get(item.identity, _over(item)) for item in notification.items}
    if notification.step is not None:
        items |= members
    return replace(notification, items=tuple(items.values()))


def _over(item: Item) -> Item:
    return item._replace(status="resolved") if item.status == "firing" else item


def _group_names(run: RuleRun, key: str, group: Notification) -> dict[str, Any]:
    """Return what ``group`` is in a message: its key, and its members that fire and that are resolved."""
    firing = [_member(run, item) for item in group.items if not item.is_resolved]
    resolved = [_member(run, item) for item in group.items if item.is_resolved]
    since = group.items[0].at if group.since is None else group.since
    return {
        "key": json.loads(key),
        "since": moment(since).astimezone(run.project.settings.tz),
        "firing": firing,
        "resolved": resolved,
        "items": firing + resolved,
    }


def _member(run: RuleRun, item: Item) -> Any:
    """Return a member of a group: the alert of its sender, or all names where that has none."""
    if run.rule.status is None and "alert" in item.data:
        return item.data["alert"]
    return run.context(item)


def found_again(run: RuleRun, item: Item, stage: str = "") -> Retry:
    """Return a retry of an item by its place in the event that is followed, or by itself else."""
    if item.event_id == run.event_id and not item.reminder:
        return Retry(do="follow", stage=stage, place=item.place)
    return Retry(do="follow", stage=stage, item=item)


def told_again(run: RuleRun, notification: Notification) -> Retry:
    """Return a retry that tells a notification again."""
    if notification.digest or notification.group is not None:
        return Retry(do="tell", notification=notification)
    return found_again(run, notification.item)


def made_of(items: Sequence[Item]) -> str:
    """Return a short name of some items, so that what is told of others has another one."""
    return short(json.dumps([[item.event_id, item.place, item.status] for item in items]))
