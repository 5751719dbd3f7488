"""Group: one message for what belongs together, as Alertmanager does it."""

from collections.abc import Mapping
from typing import Any

from wbox_notify.engine import escalate
from wbox_notify.engine.deliver import deliver
from wbox_notify.engine.item import Item, key_of, short
from wbox_notify.engine.notification import GROUP, Notification, group_names, made_of
from wbox_notify.engine.rule_run import RuleRun, values_of
from wbox_notify.rules.rule import Group

KIND = GROUP

_NEVER = 366 * 86400.0


def add(run: RuleRun, how: Group, item: Item) -> None:
    """Put an item into its group; the group speaks when it is due."""
    key = key_of(values_of(how.by, run.context(item)))
    known = run.look(KIND, key)
    if known is None:
        if item.status == "resolved":
            run.decide(KIND, "stopped", "resolved, but nobody was told of it")
            return
        known = {"opened": item.event_id, "since": run.time, "items": {}, "told": None, "last": None}
        known = {**known, "spoken": 0, "due": run.time + how.wait}
    group = {**known, "items": {**known["items"], item.identity: item.dump()}}
    if group["last"] is not None and _is_news(group, item):
        group["due"] = min(group["due"], max(run.time, group["last"] + how.interval))
    _keep(run, key, group)
    run.decide(KIND, "waits", f"in group {key}, which speaks in {group['due'] - run.time:.0f} s")


def wake(run: RuleRun, how: Group, key: str) -> None:
    """Let a group speak that is due, if it has something to say."""
    group = run.recall(KIND, key)
    if group is None:
        return
    firing = [name for name, item in group["items"].items() if item["status"] != "resolved"]
    if group["told"] is None and not firing:
        run.decide(KIND, "stopped", "healed before anybody was told")
    elif firing:
        _speak(run, key, group, healed=False)
        _go_on(run, how, key, group)
        return
    elif group["items"] and how.resolved:
        _speak(run, key, group, healed=True)
    elif group["items"]:
        escalate.end(run, _alert(key, group))
        run.decide(KIND, "stopped", "resolved, which this rule does not tell")
    run.forget(KIND, key)


def scattered(run: RuleRun, key: str) -> list[Item]:
    """Forget a group, as the rule has none any more; return what nobody was told of."""
    group = run.recall(KIND, key)
    run.forget(KIND, key)
    return [Item(**item) for item in untold(group or {"items": {}, "told": None})]


def untold(group: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the members that burn and that nobody was told of."""
    told = group["told"] or {}
    return [
        item for name, item in group["items"].items() if item["status"] != "resolved" and name not in told
    ]


def _speak(run: RuleRun, key: str, group: dict[str, Any], *, healed: bool) -> None:
    items = [Item(**item) for item in group["items"].values()]
    notification = Notification(
        origin=f"{group['opened']}:{short(key)}:{group['spoken']}:{made_of(items)}",
        items=items,
        extra={"group": group_names(run, key, group)},
        alert=_alert(key, group),
        group=key,
        healed=healed,
    )
    deliver(run, notification)


def _go_on(run: RuleRun, how: Group, key: str, group: dict[str, Any]) -> None:
    """Keep what has been told, and say when the group speaks again."""
    lasting = {name: item for name, item in group["items"].items() if item["status"] == "firing"}
    group.update(items=lasting, told=dict.fromkeys(lasting, True), last=run.time, spoken=group["spoken"] + 1)
    pause = how.interval
    if lasting:
        pause = how.repeat if how.repeat is not None else _NEVER
    group["due"] = run.time + pause
    _keep(run, key, group)


def _is_news(group: Mapping[str, Any], item: Item) -> bool:
    """Say whether a group has not said what it has to say of a member."""
    return (item.status == "resolved") == (item.identity in (group["told"] or {}))


def _alert(key: str, group: dict[str, Any]) -> str:
    return f"{group['opened']}:{key}"


def _keep(run: RuleRun, key: str, group: dict[str, Any]) -> None:
    run.remember(KIND, key, group, group["due"])
