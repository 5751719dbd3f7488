"""Notification: what messages are about: one item, a group or a digest."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wbox_notify.engine.item import Subject, moment
from wbox_notify.engine.names import short
from wbox_notify.engine.rule_run import RuleRun
from wbox_notify.model.signed_links import ACK, page_url

GROUP = "group"
"""The kind of memory that a group is kept in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Something to tell.

    Attributes:
        origin: The same whenever the same occasion is planned again; keys of deliveries begin with it.
        subjects: What it is made of, the newest last.
        extra: The names that it adds: ``group`` or ``events``.
        alert: What an acknowledgement and the end of the trouble refer to.
        group: The key of the group, if it is one.
        digest: Whether it is a digest.
        healed: Whether it says that all is well again.
    """

    origin: str
    subjects: Sequence[Subject]
    extra: Mapping[str, Any] = field(default_factory=dict)
    alert: str
    group: str | None = None
    digest: bool = False
    healed: bool = False

    @property
    def subject(self) -> Subject:
        """The newest of the subjects, whose data the message sees."""
        return self.subjects[-1]

    @property
    def events(self) -> tuple[str, ...]:
        """The ids of all events that it is made of."""
        return tuple(dict.fromkeys(subject.event_id for subject in self.subjects))

    def keep(self) -> dict[str, Any]:
        """Return the occasion as JSON values, without the names that it adds; ``restore`` is the inverse."""
        return {
            "origin": self.origin,
            "subjects": [subject.dump() for subject in self.subjects],
            "alert": self.alert,
            "group": self.group,
            "digest": self.digest,
            "healed": self.healed,
        }


def restore(turn: RuleRun, kept: Mapping[str, Any], members: Mapping[str, Any] | None = None) -> Notification:
    """Return an occasion that was kept; a group is shown as it is now, or with the members that are given."""
    subjects = [Subject(**subject) for subject in kept["subjects"]]
    extra: dict[str, Any] = {}
    if kept["group"] is not None:
        now = members or turn.recall(GROUP, kept["group"])
        extra["group"] = group_names(turn, kept["group"], now)
    if kept["digest"]:
        extra["events"] = event_names(turn, subjects)
    return Notification(**{**kept, "subjects": subjects, "extra": extra})


def retold(turn: RuleRun, occasion: Notification) -> dict[str, Any]:
    """Return what a retry needs to tell an occasion again, as JSON values."""
    if occasion.group is None and not occasion.digest:
        return found_again(turn, occasion.subject)
    kept: dict[str, Any] = {"occasion": occasion.keep()}
    if occasion.group is not None:
        kept["members"] = turn.recall(GROUP, occasion.group)
    return kept


def found_again(turn: RuleRun, subject: Subject) -> dict[str, Any]:
    """Return where a subject is in the event that is followed, or the whole of it where it came otherwise."""
    if subject.event_id == turn.event_id:
        return {"place": subject.place}
    return {"subject": subject.dump()}


def made_of(subjects: Sequence[Subject]) -> str:
    """Return a short name of some subjects, so that what is told of others has another one."""
    return short(json.dumps([[one.event_id, one.place, one.status] for one in subjects]))


def single(subject: Subject) -> Notification:
    """Return the occasion that one subject is."""
    return Notification(
        origin=f"{subject.event_id}:{subject.place}",
        subjects=[subject],
        alert=subject.identity,
        healed=subject.status == "resolved",
    )


def about(turn: RuleRun, occasion: Notification) -> dict[str, Any]:
    """Return the values of all names that an occasion gives."""
    return {**turn.context(occasion.subject), **occasion.extra, "ack_url": ack_url(turn, occasion.alert)}


def ack_url(turn: RuleRun, alert: str) -> str:
    """Return the address of the page on which the trouble can be acknowledged."""
    settings = turn.project.settings
    value = f"{turn.rule.id}\x1f{short(alert)}"
    return page_url(settings.public_url, settings.link_key, ACK, value)


def group_names(turn: RuleRun, key: str, group: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what ``group`` is in a message: its key, and its members that fire and that are resolved."""
    group = group or {"items": {}, "since": turn.time, "told": {}}
    told = group["told"] or {}
    members = [(name, Subject(**item)) for name, item in group["items"].items()]
    firing = [_shown(turn, subject) for _, subject in members if subject.status != "resolved"]
    resolved = [
        _shown(turn, subject) for name, subject in members if subject.status == "resolved" and name in told
    ]
    return {
        "key": json.loads(key),
        "since": moment(group["since"]).astimezone(turn.project.settings.tz),
        "firing": firing,
        "resolved": resolved,
        "items": firing + resolved,
    }


def event_names(turn: RuleRun, subjects: Sequence[Subject]) -> list[dict[str, Any]]:
    """Return what ``events`` is in a digest: the names that each of them gives."""
    return [turn.context(subject) for subject in subjects]


def _shown(turn: RuleRun, subject: Subject) -> Any:
    """Return a member of a group: the alert itself, or all names where it is none."""
    return subject.data.get("alert") or turn.context(subject)
