"""The inbox page: chats, media, devices and faults, and the stream that reports changes."""

# ruff: noqa: RUF001  Turkish has a dotless i

import asyncio
import json
import mimetypes
from collections.abc import AsyncIterator, Mapping, Sequence
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

from wbox_notify.simulator.fetching import harmless
from wbox_notify.simulator.formatting import to_html
from wbox_notify.simulator.requests import pulse
from wbox_notify.simulator.wbox_api import data_address
from wbox_notify.simulator.world import Accepted, World
from wbox_notify.web.browsers import page_templates, wanted_language

Texts = Mapping[str, str]

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
        templates = page_templates(_PAGES, "en")
        templates.filters |= {"whatsapp": to_html, "local": _local, "address": _web_address}
        templates.globals |= {"source": _source, "kind": _kind, "preview": _preview}
        templates.globals |= {"file_name": _file_name, "date": _date}
        templates.globals["presets"] = [(name, json.dumps(fault)) for name, fault in _PRESETS]
        self._template = templates.get_template("inbox.html")

    async def show(self, request: Request) -> Response:
        """Return the page; the script asks for it again after each change."""
        chats = _chats(self._world.accepted())
        phone = request.query_params.get("chat")
        chosen = next((chat for chat in chats if chat.phone == phone), None)
        last = self._world.last
        html = self._template.render(
            t=_texts(request.headers.get("accept-language", "")),
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


def _preview(accepted: Accepted, texts: Texts) -> str:
    """Return the line that stands for a message in the list of chats."""
    body = accepted.body
    kind = _kind(accepted)
    if kind == "event":
        return str(body["event"]["title"])
    if kind in {"text", "poll"}:
        return str(body["message"])
    return str(body.get("message") or texts[kind])


def _date(text: Any, texts: Texts) -> dict[str, str]:
    """Return the parts of an event's start: ``day``, ``month`` and ``words``; only words if it is no date."""
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return {"words": str(text or texts["no_date"])}
    month = texts["months"].split()[at.month - 1]
    words = f"{at.day} {month} {at.year}"
    if "T" in text or " " in text.strip():
        words += f", {at:%H:%M}"
    return {"day": str(at.day), "month": month, "words": words}


def _local(at: Any, form: str) -> str:
    """Return a time in the time zone of this machine."""
    return str(at.astimezone().strftime(form))


def _texts(accept_language: str) -> Texts:
    """Return the texts in the language that a browser prefers: Turkish if it ranks above English."""
    return _TURKISH if wanted_language(accept_language) == "tr" else _ENGLISH


_ENGLISH: Texts = {
    "lang": "en",
    "title": "Simulator inbox",
    "banner": "Simulator: nothing here goes to WhatsApp",
    "chats": "Chats",
    "back": "All chats",
    "message": "message",
    "messages": "messages",
    "today": "Today",
    "months": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "empty": "No messages yet",
    "empty_more": "Messages to this address appear here. Try it:",
    "composer": "Programs write here, through /v1/send",
    "older": "Older messages are in",
    "sent": "answered 200",
    "unanswered": "accepted, not answered",
    "device": "Device",
    "linked": "Linked",
    "unlinked": "Not linked: sends are answered with 503",
    "unlink": "Unlink",
    "scan": "Scan with a phone",
    "qr": "QR code of device",
    "faults": "Faults",
    "faults_none": "None: every valid request is answered with 200.",
    "fault_500": "Answer 500",
    "fault_429": "Answer 429",
    "fault_failed": "success: false",
    "fault_lost": "Lose the answer",
    "fault_slow": "Wait 2 s",
    "faults_off": "All off",
    "last": "Last request",
    "last_none": "None so far.",
    "cut": "cut",
    "clear_messages": "Clear messages",
    "noscript": "Without JavaScript: reload the page to see new messages.",
    "image": "Photo",
    "video": "Video",
    "audio": "Audio",
    "document": "Document",
    "event": "Event",
    "poll": "Poll",
    "poll_hint": "Select one or more",
    "no_date": "No date",
    "ledger": "Ledger as JSON",
    "tools": "Simulator",
}
_TURKISH: Texts = {
    "lang": "tr",
    "title": "Simülatör gelen kutusu",
    "banner": "Simülatör: buradan WhatsApp'a hiçbir şey gitmez",
    "chats": "Sohbetler",
    "back": "Tüm sohbetler",
    "message": "mesaj",
    "messages": "mesaj",
    "today": "Bugün",
    "months": "Oca Şub Mar Nis May Haz Tem Ağu Eyl Eki Kas Ara",
    "empty": "Henüz mesaj yok",
    "empty_more": "Bu adrese gönderilenler burada görünür. Deneyin:",
    "composer": "Buraya programlar /v1/send ile yazar",
    "older": "Daha eski mesajlar:",
    "sent": "200 ile yanıtlandı",
    "unanswered": "kabul edildi, yanıtlanmadı",
    "device": "Cihaz",
    "linked": "Bağlı",
    "unlinked": "Bağlı değil: gönderimler 503 ile yanıtlanır",
    "unlink": "Bağlantıyı kes",
    "scan": "Telefonla okut",
    "qr": "QR kodu, cihaz",
    "faults": "Hatalar",
    "faults_none": "Yok: her doğru istek 200 ile yanıtlanır.",
    "fault_500": "500 yanıtla",
    "fault_429": "429 yanıtla",
    "fault_failed": "success: false",
    "fault_lost": "Yanıtı kaybet",
    "fault_slow": "2 sn bekle",
    "faults_off": "Hepsini kapat",
    "last": "Son istek",
    "last_none": "Henüz yok.",
    "cut": "kesildi",
    "clear_messages": "Mesajları sil",
    "noscript": "JavaScript kapalı: yenileri görmek için sayfayı yenileyin.",
    "image": "Fotoğraf",
    "video": "Video",
    "audio": "Ses",
    "document": "Belge",
    "event": "Etkinlik",
    "poll": "Anket",
    "poll_hint": "Bir veya daha fazla seçin",
    "no_date": "Tarih yok",
    "ledger": "JSON olarak kayıt",
    "tools": "Simülatör",
}
