"""Chats: the ledger as the inbox page shows it."""

import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit
from zlib import crc32

from wbox_notify.simulator.texts import Words
from wbox_notify.simulator.world import Accepted

_MOST_SHOWN = 300
_PICTURES = {"image/jpeg", "image/png", "image/gif", "image/webp"}


@dataclass(frozen=True, slots=True)
class Chat:
    """The messages to one phone, oldest first."""

    phone: str
    messages: Sequence[Accepted]

    @property
    def name(self) -> str:
        """The phone as a person reads it."""
        return f"+{self.phone}" if self.phone.isdigit() else self.phone

    @property
    def colour(self) -> int:
        """A number from 0 to 7 that stays with the phone."""
        return crc32(self.phone.encode()) % 8

    @property
    def last(self) -> Accepted:
        """The newest message."""
        return self.messages[-1]

    @property
    def shown(self) -> Sequence[Accepted]:
        """The newest few hundred messages."""
        return self.messages[-_MOST_SHOWN:]


def chats(accepted: Sequence[Accepted]) -> list[Chat]:
    """Return the chats, the one with the newest message first."""
    phones: dict[str, list[Accepted]] = {}
    for one in accepted:
        phones.setdefault(_whole(one.body["phone"]), []).append(one)
    found = [Chat(phone, messages) for phone, messages in phones.items()]
    return sorted(found, key=lambda chat: chat.last.number, reverse=True)


def _whole(text: str) -> str:
    """Return text that has a place in an address: half an emoji becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def kind(accepted: Accepted) -> str:
    """Return what a message shows: ``text``, ``event``, ``poll`` or one of the four kinds of media.

    Media are ``image``, ``video``, ``audio`` or ``document``; where the address does not say, it is an image.
    """
    sent = accepted.endpoint.rpartition("/")[2]
    if sent != "media":
        return sent
    guessed = mimetypes.guess_type(file_name(accepted.body["media_url"]))[0] or "image/*"
    if accepted.fetched and accepted.fetched.content:
        guessed = harmless(accepted.fetched.content_type)
    family = guessed.partition("/")[0]
    return family if family in {"image", "video", "audio"} else "document"


def harmless(content_type: str) -> str:
    """Return a media type if a browser runs nothing in it, else one that it only saves."""
    kind = content_type.partition(";")[0].strip().lower()
    shown = kind in _PICTURES or kind.startswith(("video/", "audio/"))
    return kind if shown else "application/octet-stream"


def source(accepted: Accepted) -> str:
    """Return where a page finds the media of a message: what was fetched, else where the message says."""
    if accepted.fetched and accepted.fetched.content:
        return f"/sim/media/{accepted.number}"
    return web_address(accepted.body["media_url"]) or ""


def file_name(url: str) -> str:
    """Return the last part of an address, as a person reads it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.netloc or url


def web_address(url: str) -> str | None:
    """Return an address that may be a link, None for any that is not http or https."""
    return url if url.lower().startswith(("http://", "https://")) else None


def preview(accepted: Accepted, words: Words) -> str:
    """Return the one line that stands for a message in the list."""
    body = accepted.body
    shown = kind(accepted)
    if shown == "event":
        return str(body["event"]["title"])
    if shown in {"text", "poll"}:
        return str(body["message"])
    return str(body.get("message") or words[shown])


def date(text: Any, words: Words) -> dict[str, str]:
    """Return the parts of an event's start: ``day``, ``month`` and ``words``; only words if it is no date."""
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return {"words": str(text or words["no_date"])}
    month = words["months"].split()[at.month - 1]
    clock = f", {at:%H:%M}" if "T" in text or " " in text.strip() else ""
    return {"day": str(at.day), "month": month, "words": f"{at.day} {month} {at.year}{clock}"}
