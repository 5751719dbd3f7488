"""Files that messages carry: copied when a message is planned, lent by a link, deleted in the end."""

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from wbox_notify.config.values import as_path
from wbox_notify.errors import ConfigError, StoreError, WboxError
from wbox_notify.media.ingest import FullError, MediaError, take
from wbox_notify.media.publish import LINK, publish, withdraw
from wbox_notify.media.spool import GRACE, LATEST, Copy, Item, Spool, Standings
from wbox_notify.model import signed_links
from wbox_notify.model.addresses import check_public
from wbox_notify.model.deliveries import Decision, Delivery, Plan, PlannedMessage
from wbox_notify.model.events import Event
from wbox_notify.model.log_subject import about
from wbox_notify.model.messages import Media, Message
from wbox_notify.model.texts import Wording, problem_of, problem_with_hint
from wbox_notify.rules.project import Live

log = logging.getLogger(__name__)

_BY_HAND = "send:"
"""The prefix of the keys of messages that a person sends, who has chosen the file."""

_Source = tuple[str, str, tuple[str, ...]]
"""A file that messages name: the rule, its path, and the events that told of it."""


class _Kept(NamedTuple):
    """What became of a file: the message's problem, or the address elsewhere; neither where it lies here."""

    problem: str | None
    url: str | None


@dataclass(frozen=True, slots=True)
class Opened:
    """A copy that is being served, and a descriptor that its reader closes."""

    item: Item
    descriptor: int


class MediaFiles:
    """The files of this machine that messages carry. Any thread may call.

    A file is copied when its message is planned, for it may change afterwards; a link to the copy is made
    when the message is handed to wbox.

    Args:
        live: The project whose rules and settings count.
        standings: Returns the standings of deliveries.
        serving: Whether the daemon answers at ``public_url``.
        events: Returns events by their ids: a file is sent only while it is what its event told of.
        clock: The time in seconds since the epoch.
        shared: Whether another daemon, on another machine, may hand the message over.
    """

    def __init__(
        self,
        live: Live,
        standings: Standings,
        *,
        serving: bool,
        events: Callable[[Sequence[str]], Mapping[str, Event]] = lambda _ids: {},
        clock: Callable[[], float] = time.time,
        shared: bool = False,
    ) -> None:
        self._shared = shared
        self._events = events
        self._live = live
        self._spool = Spool(live.project.settings.data_dir / "media")
        self._standings = standings
        self._serving = serving
        self._clock = clock
        self._lock = threading.RLock()
        self._kept: dict[tuple[str, str], _Kept] = {}

    def close(self) -> None:
        """Close the database."""
        self._spool.close()

    def is_copied(self, plan: Plan) -> bool:
        """Return whether ``keep`` of a plan is done at once, since ``copy`` has been called."""
        return all((planned.key, file) in self._kept for planned, file in _files(plan))

    def copy(self, plan: Plan) -> None:
        """Copy the files that a plan names, which may take long.

        Where daemons share a store, the message is to carry the address of a copy that lies elsewhere:
        whoever hands it over may not have the file.
        """
        problems = self._copy_all(plan)
        for planned, file in _files(plan):
            problem = problems.get(planned.key)
            url = None if problem else self._address_elsewhere(planned.key)
            self._kept[planned.key, file] = _Kept(problem, url)

    def keep(self, plan: Plan) -> Plan:
        """Return a plan with its files copied; a file that cannot be sent becomes its message's problem."""
        if not _files(plan):
            return plan
        if not self.is_copied(plan):
            self.copy(plan)
        messages = tuple(map(self._with_its_copy, plan.messages))
        for planned, file in _files(plan):
            self._kept.pop((planned.key, file), None)
        failures = [
            Decision(rule=after.rule, stage="send", outcome="failed", detail=after.problem)
            for before, after in zip(plan.messages, messages, strict=True)
            if after.problem and not before.problem
        ]
        return replace(plan, messages=messages, decisions=(*plan.decisions, *dict.fromkeys(failures)))

    def _with_its_copy(self, planned: PlannedMessage) -> PlannedMessage:
        message = planned.message
        if not isinstance(message, Media) or not message.file or planned.problem is not None:
            return planned
        problem, url = self._kept[planned.key, message.file]
        if url:
            return replace(planned, message=replace(message, file=None, url=url))
        return replace(planned, problem=problem)

    def publish(self, delivery: Delivery, message: Message) -> Message:
        """Return a message of a delivery as wbox can take it, with an address in place of a file.

        Raises:
            WboxError: there is none; ``retry`` says whether there may be later.
        """
        if not isinstance(message, Media) or message.file is None:
            return message
        item = self._spool.of(delivery.key)
        if item is None:
            # It could not be copied before, or a person retries what was given up long ago.
            self._copy([delivery.key], (delivery.rule, message.file, (delivery.event_id,)))
            item = self._spool.of(delivery.key)
        if item is None:
            raise MediaError(Wording("the copy of {file} is gone", file=message.file), retry=True)
        return replace(message, file=None, url=self._lend(item, delivery.expires + GRACE))

    def _address_elsewhere(self, key: str) -> str | None:
        """Return where all daemons of a store lend a message's copy; None where they cannot yet."""
        if not self._shared or not self._live.project.settings.media.elsewhere:
            return None
        item = self._spool.of(key)
        try:
            return self._lend(item, math.inf) if item else None
        except WboxError as error:  # it is lent when the message is about to be sent
            log.warning("%s", error)
            return None

    def _lend(self, item: Item, until: float) -> str:
        """Return the address of a copy, which works until then, but a week at most. Raises WboxError."""
        try:
            now = self._clock()
            ends = int(min(until, now + LATEST))
            copy = self._spool.path(item.sha256)
            url = publish(self._live.project.settings, item, copy, now, ends, serving=self._serving)
        except OSError as error:
            raise MediaError(
                Wording("{name} cannot be published: {reason}", name=item.name, reason=error.strerror),
                retry=True,
            ) from None
        check_public(url, self._live.project.settings.url)
        return url

    def open(self, token: str, name: str) -> Opened | None:
        """Return the copy that a link leads to; None for a link that is not ours, is over or was changed."""
        item = self._lent(token)
        if item is None or item.name != name:
            return None
        if not item.is_needed(self._standings([item.key]).get(item.key), self._clock()):
            return None
        try:
            descriptor = os.open(self._spool.path(item.sha256), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            log.warning("the copy of %s cannot be lent: %s", item.name, error.strerror)
            return None
        if os.fstat(descriptor).st_size == item.size:
            return Opened(item, descriptor)
        os.close(descriptor)
        log.warning("the copy of %s cannot be lent: it was changed", item.name)
        return None

    def reserve(self, item: Item, size: int) -> bool:
        """Count bytes that are about to be served; False where the link has been used up."""
        return self._spool.reserve(item, size, item.size * self._live.project.settings.media.fetches)

    def give_back(self, item: Item, size: int) -> None:
        """Subtract bytes that were not served after all."""
        self._spool.give_back(item, size)

    def sweep(self, now: float) -> int:
        """Delete the copies that no message needs; return how many. A failure is left to the next sweep."""
        try:
            items = self._spool.items()
            standings = self._standings([item.key for item in items])
            over = [item for item in items if not item.is_needed(standings.get(item.key), now)]
            withdrawn = self._withdraw(over)
            with self._lock:
                self._spool.remove(withdrawn)
        except (OSError, StoreError) as error:
            log.warning("copies of files that are not needed any more cannot be deleted now: %s", error)
            return 0
        return len(withdrawn)

    def _lent(self, token: str) -> Item | None:
        """Return the item that a link lends, unless the link is over."""
        link = signed_links.read(self._live.project.settings.link_key, token)
        if link is None or link[0] != LINK:
            return None
        item_id, _, ends = link[1].partition(".")
        if self._clock() >= float(ends or 0):
            return None
        return self._spool.item(item_id)

    def _withdraw(self, items: Sequence[Item]) -> list[Item]:
        """Return the items of which no copy is lent any more."""
        settings = self._live.project.settings
        withdrawn = []
        for item in items:
            try:
                withdraw(settings, item)
                withdrawn.append(item)
            except (OSError, MediaError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                log.warning("%s cannot be deleted from %s: %s", item.name, settings.media.elsewhere, reason)
                if isinstance(error, MediaError) and error.retry:
                    break
        return withdrawn

    def _copy_all(self, plan: Plan) -> dict[str, str]:
        """Copy the files that a plan names; return the problems of messages by their keys."""
        keys_by_source: dict[_Source, list[str]] = {}
        for planned, file in _files(plan):
            source = (planned.rule, file, planned.events or (plan.event_id,))
            keys_by_source.setdefault(source, []).append(planned.key)
        problems: dict[str, str] = {}
        for source, keys in keys_by_source.items():
            try:
                self._copy(keys, source)
            except WboxError as error:
                if error.retry:  # it is copied when the message is about to be sent
                    with about(event=plan.event_id, rule=source[0]):
                        log.warning("%s", error)
                else:
                    problem = problem_with_hint(error)
                    problems |= dict.fromkeys(keys, problem)
        return problems

    def _copy(self, keys: Sequence[str], source: _Source) -> None:
        """Copy a file for the deliveries with these keys that have none yet."""
        with self._lock:
            missing = [key for key in keys if not self._spool.of(key)]
            if missing:
                copy = self._take(source, by_hand=missing[0].startswith(_BY_HAND))
                self._spool.add(dict.fromkeys(missing, copy), self._clock())

    def _take(self, source: _Source, *, by_hand: bool) -> Copy:
        rule_id, file, event_ids = source
        settings = self._live.project.settings
        try:
            path = as_path(file, settings.folder)
        except ConfigError as error:
            raise MediaError(problem_of(error)) from None
        allowed = None if by_hand else self._allowed(rule_id)
        events = [event.data for event in self._events(event_ids).values()]
        told = [data for data in events if data.get("path") == str(path) and "mtime" in data]
        try:
            return take(self._spool, path, allowed, settings, told)
        except FullError:
            if not self.sweep(self._clock()):
                raise
            return take(self._spool, path, allowed, settings, told)

    def _allowed(self, rule_id: str) -> list[Path]:
        """Return the folders of which a rule may send files."""
        rule = self._live.project.rule(rule_id)
        return list(rule.roots(self._live.project.settings.folder)) if rule else []


def _files(plan: Plan) -> list[tuple[PlannedMessage, str]]:
    """Return the messages of a plan that carry files of this machine, each with its file."""
    return [
        (planned, planned.message.file)
        for planned in plan.messages
        if isinstance(planned.message, Media) and planned.message.file and planned.problem is None
    ]
