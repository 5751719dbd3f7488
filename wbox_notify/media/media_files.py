"""MediaFiles: what becomes of a file that a message names, from the plan to the end of its link."""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from wbox_notify.config.settings import Settings
from wbox_notify.config.values import as_path
from wbox_notify.errors import ConfigError, StoreError, WboxError
from wbox_notify.media import static
from wbox_notify.media.ingest import FullError, MediaError, take
from wbox_notify.media.spool import GRACE, LATEST, Copy, Item, Spool, Standings, is_needed
from wbox_notify.model import signed_links
from wbox_notify.model.addresses import check_public
from wbox_notify.model.deliveries import Decision, Delivery, Plan, PlannedMessage
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Media, Message
from wbox_notify.rules import Live

log = logging.getLogger(__name__)

_LINK = "media"
_BY_HAND = "send:"
"""What the key of a message begins with that no rule made: a person chose the file."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A copy that is being served: what it is, and a descriptor that its reader closes."""

    item: Item
    descriptor: int


class MediaFiles:
    """The files of this machine that messages carry. Any thread may call.

    A file is copied when its message is planned, for it may change afterwards; a link to the copy is made
    when the message is handed to wbox.

    Args:
        live: The project whose rules and settings count.
        standings: Tells what became of deliveries.
        serving: Whether somebody answers at ``public_url`` from now on.
        events: Tells events by their ids: a file is sent only while it is what its event told of.
        clock: The time in seconds since the epoch.
    """

    def __init__(
        self,
        live: Live,
        standings: Standings,
        *,
        serving: bool,
        events: Callable[[Sequence[str]], Mapping[str, Event]] = lambda _ids: {},
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._events = events
        self._live = live
        self._spool = Spool(live.project.settings.data_dir / "media")
        self._standings = standings
        self._serving = serving
        self._clock = clock
        self._lock = threading.RLock()

    def close(self) -> None:
        """Let go of the database."""
        self._spool.close()

    def keep(self, plan: Plan) -> Plan:
        """Take in the files that a plan names; where one cannot be sent, that is its message's problem."""
        if not any(_file(planned.message) for planned in plan.messages):
            return plan
        messages = self._taken_in(plan)
        failed = {
            Decision(rule=planned.rule, stage="send", outcome="failed", detail=planned.problem): None
            for planned, before in zip(messages, plan.messages, strict=True)
            if planned.problem and planned is not before
        }
        return replace(plan, messages=messages, decisions=(*plan.decisions, *failed))

    def publish(self, delivery: Delivery, message: Message) -> Message:
        """Return a message of a delivery as wbox can take it: a file has an address now.

        Raises:
            WboxError: there is none; ``retry`` says whether there may be later.
        """
        if not isinstance(message, Media) or message.file is None:
            return message
        item = self._spool.of(delivery.key)
        if item is None:
            # The disk could not take it in before, or a person has tried again what was given up long ago.
            self._take_in([delivery.key], delivery.rule, message.file, [delivery.event_id])
            item = self._spool.of(delivery.key)
        if item is None:
            raise MediaError(f"the copy of {message.file} is gone", retry=True)
        try:
            url = self._address(item, delivery.expires)
        except OSError as error:
            raise MediaError(f"{item.name} cannot be published: {error.strerror}", retry=True) from None
        check_public(url, self._live.project.settings.url)
        return replace(message, file=None, url=url)

    def open(self, token: str, name: str) -> Opened | None:
        """Return the copy that a link leads to; None where the link is not ours, is over or was changed."""
        now = self._clock()
        kind, value = signed_links.read(self._live.project.settings.link_key, token) or ("", "")
        item_id, _, ends = value.partition(".")
        item = self._spool.item(item_id) if kind == _LINK and now < float(ends or 0) else None
        if item is None or item.name != name:
            return None
        if not is_needed(self._standings([item.key]).get(item.key), item.created, now):
            return None
        try:
            descriptor = os.open(self._spool.path(item.sha256), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        if os.fstat(descriptor).st_size == item.size:
            return Opened(item, descriptor)
        os.close(descriptor)
        return None

    def reserve(self, item: Item, size: int) -> bool:
        """Count bytes that are about to be served; False where the link has been used up."""
        return self._spool.reserve(item, size, item.size * self._live.project.settings.media.fetches)

    def give_back(self, item: Item, size: int) -> None:
        """Count no longer what was not served after all."""
        self._spool.give_back(item, size)

    def sweep(self, now: float) -> int:
        """Delete what no message needs any more; return how many. What fails is left to the next sweep."""
        try:
            items = self._spool.items()
            standings = self._standings([item.key for item in items])
            over = [item for item in items if not is_needed(standings.get(item.key), item.created, now)]
            gone = self._taken_away(over)
            with self._lock:
                self._spool.remove(gone)
        except (OSError, StoreError) as error:
            log.warning("copies of files that nobody needs stay for now: %s", error)
            return 0
        return len(gone)

    def _taken_away(self, items: Sequence[Item]) -> list[Item]:
        """Return those that are no longer where others may find them."""
        settings = self._live.project.settings
        gone = []
        for item in items:
            try:
                _take_away(item, settings)
                gone.append(item)
            except (OSError, MediaError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                log.warning("%s cannot be deleted from %s: %s", item.name, settings.media.elsewhere, reason)
                if isinstance(error, MediaError) and error.retry:
                    break
        return gone

    def _taken_in(self, plan: Plan) -> tuple[PlannedMessage, ...]:
        wanted: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
        for planned in plan.messages:
            file = _file(planned.message)
            if file is not None and planned.problem is None:
                events = planned.events or (plan.event_id,)
                wanted.setdefault((planned.rule, file, events), []).append(planned.key)
        problems: dict[str, str] = {}
        for (rule_id, file, events), keys in wanted.items():
            try:
                self._take_in(keys, rule_id, file, events)
            except WboxError as error:
                if (
                    error.retry
                ):  # it is taken in when the message is about to be sent, and tried again till then
                    log.warning("%s", error)
                    continue
                problem = f"{error}; {error.hint}" if error.hint else str(error)
                problems |= dict.fromkeys(keys, problem)
        return tuple(
            replace(planned, problem=problems[planned.key]) if planned.key in problems else planned
            for planned in plan.messages
        )

    def _take_in(self, keys: Sequence[str], rule_id: str, file: str, events: Sequence[str]) -> None:
        """Copy a file for the deliveries with these keys that have none yet."""
        with self._lock:
            if new := [key for key in keys if not self._spool.of(key)]:
                self._spool.add(dict.fromkeys(new, self._take(new[0], rule_id, file, events)), self._clock())

    def _take(self, key: str, rule_id: str, file: str, events: Sequence[str]) -> Copy:
        settings = self._live.project.settings
        rule = self._live.project.rule(rule_id)
        allowed = None
        if not key.startswith(_BY_HAND):
            allowed = list(rule.roots(settings.folder)) if rule else []
        try:
            path = as_path(file, settings.folder)
        except ConfigError as error:
            raise MediaError(str(error)) from None
        told = [event.data for event in self._events(events).values() if event.data.get("path") == str(path)]
        told = [facts for facts in told if "mtime" in facts]
        try:
            return take(self._spool, path, allowed, settings, told)
        except FullError:
            if not self.sweep(self._clock()):
                raise
            return take(self._spool, path, allowed, settings, told)

    def _address(self, item: Item, expires: float) -> str:
        """Return where wbox finds an item until an hour after the delivery's end."""
        settings, copy = self._live.project.settings, self._spool.path(item.sha256)
        now = self._clock()
        ends = int(min(expires + GRACE, now + LATEST))
        if not copy.is_file() or copy.stat().st_size != item.size:
            raise MediaError(f"the copy of {item.name} is gone from {copy.parent}")
        if settings.media.static:
            return static.place(settings.media.static, item, copy)
        if settings.media.bucket:
            from wbox_notify.media import bucket  # noqa: PLC0415 - its library is an extra

            return bucket.place(settings.media.bucket, item, copy, now, ends)
        if not self._serving or not settings.public_url:
            hint = "wbox-notify run serves it; or set `media.static` or `media.bucket` in wbox-notify.yaml"
            raise MediaError(f"nobody would serve {item.name} to wbox", hint=hint, retry=True)
        token = signed_links.token(settings.link_key, _LINK, f"{item.id}.{ends}")
        return f"{settings.public_url}/m/{token}/{quote(item.name)}"


def _take_away(item: Item, settings: Settings) -> None:
    if settings.media.static:
        static.take_away(settings.media.static, item)
    elif settings.media.bucket:
        from wbox_notify.media import bucket  # noqa: PLC0415 - its library is an extra

        bucket.take_away(settings.media.bucket, item)


def _file(message: Message | None) -> str | None:
    return message.file if isinstance(message, Media) else None
