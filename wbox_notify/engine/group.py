"""Group: one message for what belongs together, as Alertmanager does it."""

from collections.abc import Mapping
from typing import Any

from wbox_notify.engine import escalate
from wbox_notify.engine.deliver import deliver
from wbox_notify.engine.item import Subject
from wbox_notify.engine.names import key_of, short
from wbox_notify.engine.notification import GROUP, Notification, group_names, made_of
from wbox_notify.engine.rule_run import RuleRun, values_of
from wbox_notify.rules.rule import Group

KIND = GROUP

_NEVER = 366 * 86400.0


def add(turn: RuleRun, how: Group, subject: Subject) -> None:
    """Put a subject into its group; the group speaks when it is due."""
    key = key_of(values_of(how.by, turn.context(subject)))
    known = turn.look(KIND, key)
    if known is None:
        if subject.status == "resolved":
            turn.decide(KIND, "stopped", "resolved, but nobody was told of it")
            return
        known = {"opened": subject.event_id, "since": turn.time, "items": {}, "told": None, "last": None}
        known = {**known, "spoken": 0, "due": turn.time + how.wait}
    group = {**known, "items": {**known["items"], subject.identity: subject.dump()}}
    if group["last"] is not None and _is_news(group, subject):
        group["due"] = min(group["due"], max(turn.time, group["last"] + how.interval))
    _keep(turn, key, group)
    turn.decide(KIND, "waits", f"in group {key}, which speaks in {group['due'] - turn.time:.0f} s")


def wake(turn: RuleRun, how: Group, key: str) -> None:
    """Let a group speak that is due, if it has something to say."""
    group = turn.recall(KIND, key)
    if group is None:
        return
    firing = [name for name, item in group["items"].items() if item["status"] != "resolved"]
    if group["told"] is None and not firing:
        turn.decide(KIND, "stopped", "healed before anybody was told")
    elif firing:
        _speak(turn, key, group, healed=False)
        _go_on(turn, how, key, group)
        return
    elif group["items"] and how.resolved:
        _speak(turn, key, group, healed=True)
    elif group["items"]:
        escalate.end(turn, _alert(key, group))
        turn.decide(KIND, "stopped", "resolved, which this rule does not tell")
    turn.forget(KIND, key)


def scattered(turn: RuleRun, key: str) -> list[Subject]:
    """Forget a group, as the rule has none any more; return what nobody was told of."""
    group = turn.recall(KIND, key)
    turn.forget(KIND, key)
    return [Subject(**item) for item in untold(group or {"items": {}, "told": None})]


def untold(group: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the members that burn and that nobody was told of."""
    told = group["told"] or {}
    return [
        item for name, item in group["items"].items() if item["status"] != "resolved" and name not in told
    ]


def _speak(turn: RuleRun, key: str, group: dict[str, Any], *, healed: bool) -> None:
    subjects = [Subject(**item) for item in group["items"].values()]
    occasion = Notification(
        origin=f"{group['opened']}:{short(key)}:{group['spoken']}:{made_of(subjects)}",
        subjects=subjects,
        extra={"group": group_names(turn, key, group)},
        alert=_alert(key, group),
        group=key,
        healed=healed,
    )
    deliver(turn, occasion)


def _go_on(turn: RuleRun, how: Group, key: str, group: dict[str, Any]) -> None:
    """Keep what has been told, and say when the group speaks again."""
    lasting = {name: item for name, item in group["items"].items() if item["status"] == "firing"}
    group.update(items=lasting, told=dict.fromkeys(lasting, True), last=turn.time, spoken=group["spoken"] + 1)
    pause = how.interval
    if lasting:
        pause = how.repeat if how.repeat is not None else _NEVER
    group["due"] = turn.time + pause
    _keep(turn, key, group)


def _is_news(group: Mapping[str, Any], subject: Subject) -> bool:
    """Say whether a group has not said what it has to say of a member."""
    return (subject.status == "resolved") == (subject.identity in (group["told"] or {}))


def _alert(key: str, group: dict[str, Any]) -> str:
    return f"{group['opened']}:{key}"


def _keep(turn: RuleRun, key: str, group: dict[str, Any]) -> None:
    turn.remember(KIND, key, group, group["due"])
