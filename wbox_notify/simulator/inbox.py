"""The inbox page: chats, media, devices and faults, and the stream that reports changes."""

import asyncio
import json
import mimetypes
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from zlib import crc32

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from wbox_notify.model.texts import LANGUAGES
from wbox_notify.simulator.fetching import harmless
from wbox_notify.simulator.requests import pulse
from wbox_notify.simulator.wbox_api import data_address
from wbox_notify.simulator.world import Accepted, World
from wbox_notify.web.browsers import page_templates, wanted_language
from wbox_notify.web.formatting import to_html

_PAGES = Path(__file__).with_name("pages")
_FILES = ("inbox.css", "inbox.js", "icon.svg", "wallpaper.svg", "sample.png")
_MOST_SHOWN = 300
_PING = 15.0
_BREATH = 0.1  # so that a page does not ask again after each of a thousand messages
_PRESETS = (
    ("fault_500", {"status": 500}),
    ("fault_429", {"status": 429, "retry_after": 2}),
    ("fault_failed", {"success": False}),
    ("fault_lost", {"lost": True}),
    ("fault_slow", {"delay": 2}),
)


def inbox(world: World) -> list[Route]:
    """Return the routes of the page, its files and its stream."""
    page = _Inbox(world)
    files = [Route(f"/sim/{name}", _file, methods=["GET"]) for name in _FILES]
    return [Route("/", page.show), Route("/sim/stream", page.stream), *files]


class _Inbox:
    """The page over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._templates = {}
        for lang in LANGUAGES:
            templates = page_templates(_PAGES, lang)
            templates.filters |= {"whatsapp": to_html, "local": _local, "address": _web_address}
            templates.globals |= {"source": _source, "kind": _kind, "preview": _preview}
            templates.globals |= {"file_name": _file_name, "date": _date}
            templates.globals["presets"] = [(name, json.dumps(fault)) for name, fault in _PRESETS]
            self._templates[lang] = templates.get_template("inbox.html")

    async def show(self, request: Request) -> Response:
        """Return the page; the script asks for it again after each change."""
        chats = _chats(self._world.accepted())
        phone = request.query_params.get("chat")
        chosen = next((chat for chat in chats if chat.phone == phone), None)
        last = self._world.last
        template = self._templates[wanted_language(request.headers.get("accept-language", ""))]
        html = template.render(
            origin=f"{request.url.scheme}://{request.url.netloc}",
            today=self._world.now().astimezone().date().isoformat(),
            chats=chats,
            chosen=chosen,
            chat=chosen or next(iter(chats), None),
            version=self._world.version,
            devices={number: code and data_address(code) for number, code in self._world.devices().items()},
            faults=[json.dumps(fault) for fault in self._world.faults()],
            last=last,
            last_body=json.dumps(last and last.body, indent=2, ensure_ascii=False),
        )
        return HTMLResponse(html.encode("utf-8", "replace"), headers={"cache-control": "no-store"})

    async def stream(self, _request: Request) -> Response:
        """Send the number of the latest change, at once and after each change (Server-Sent Events)."""
        headers = {"cache-control": "no-store"}
        return StreamingResponse(self._changes(), media_type="text/event-stream", headers=headers)

    async def _changes(self) -> AsyncIterator[str]:
        with pulse(self._world) as changed:
            while not self._world.closed:
                changed.clear()
                yield f"data: {self._world.version}\n\n"
                await asyncio.sleep(_BREATH)
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), _PING)


async def _file(request: Request) -> Response:
    return FileResponse(_PAGES / request.url.path.rpartition("/")[2])


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


def _chats(ledger: Sequence[Accepted]) -> list[Chat]:
    """Return the chats, the one with the newest message first."""
    phones: dict[str, list[Accepted]] = {}
    for accepted in ledger:
        # Half an emoji becomes a question mark: the phone has a place in an address.
        phone = accepted.body["phone"].encode("utf-8", "replace").decode()
        phones.setdefault(phone, []).append(accepted)
    chats = [Chat(phone, messages) for phone, messages in phones.items()]
    return sorted(chats, key=lambda chat: chat.last.number, reverse=True)


def _kind(accepted: Accepted) -> str:
    """Return the kind of a message: ``text``, ``event``, ``poll`` or one of the four kinds of media.

    Media are ``image``, ``video``, ``audio`` or ``document``; an address without an ending is an image.
    """
    kind = accepted.endpoint.rpartition("/")[2]
    if kind != "media":
        return kind
    if accepted.fetched and accepted.fetched.content:
        content_type = harmless(accepted.fetched.content_type)
    else:
        content_type = mimetypes.guess_type(_file_name(accepted.body["media_url"]))[0] or "image/*"
    family = content_type.partition("/")[0]
    return family if family in {"image", "video", "audio"} else "document"


def _source(accepted: Accepted) -> str:
    """Return the address of a message's media: the fetched copy, else the one in the message."""
    if accepted.fetched and accepted.fetched.content:
        return f"/sim/media/{accepted.number}"
    return _web_address(accepted.body["media_url"]) or ""


def _file_name(url: str) -> str:
    """Return the last part of an address, as a person reads it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.netloc or url


def _web_address(url: str) -> str | None:
    """Return an http or https address, which may be a link; None for any other."""
    return url if url.lower().startswith(("http://", "https://")) else None


def _preview(accepted: Accepted) -> str:
    """Return the line that stands for a message in the list of chats; empty for media without a text."""
    body = accepted.body
    if _kind(accepted) == "event":
        return str(body["event"]["title"])
    return str(body.get("message") or "")


def _date(text: Any, months: Sequence[str]) -> dict[str, str]:
    """Return the parts of an event's start: ``day``, ``month`` and ``words``; only words if it is no date."""
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return {"words": str(text or "")}
    month = months[at.month - 1]
    words = f"{at.day} {month} {at.year}"
    if "T" in text or " " in text.strip():
        words += f", {at:%H:%M}"
    return {"day": str(at.day), "month": month, "words": words}


def _local(at: Any, form: str) -> str:
    """Return a time in the time zone of this machine."""
    return str(at.astimezone().strftime(form))
