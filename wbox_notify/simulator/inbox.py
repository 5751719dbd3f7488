"""The inbox page, and the stream that tells it of changes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from wbox_notify.simulator import chats
from wbox_notify.simulator.formatting import to_html
from wbox_notify.simulator.requests import pulse
from wbox_notify.simulator.texts import words
from wbox_notify.simulator.wbox_api import data_address
from wbox_notify.simulator.world import World
from wbox_notify.web.html import page_templates

_PAGES = Path(__file__).with_name("pages")
_FILES = ("inbox.css", "inbox.js", "icon.svg", "wallpaper.svg", "sample.png")
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
        templates = page_templates(_PAGES)
        templates.filters |= {"whatsapp": to_html, "local": _local, "address": chats.web_address}
        templates.globals |= {
            "source": chats.source,
            "kind": chats.kind,
            "preview": chats.preview,
            "file_name": chats.file_name,
        }
        templates.globals |= {"date": chats.date, "presets": [(name, json.dumps(f)) for name, f in _PRESETS]}
        self._template = templates.get_template("inbox.html")

    async def show(self, request: Request) -> Response:
        """Show everything as it is now; the script asks for this again after each change."""
        html = self._template.render(
            t=words(request.headers.get("accept-language", "")),
            origin=f"{request.url.scheme}://{request.url.netloc}",
            today=self._world.now().astimezone().date().isoformat(),
            **self._chats(request.query_params.get("chat")),
            **self._panel(),
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

    def _chats(self, asked: str | None) -> dict[str, Any]:
        found = chats.chats(self._world.accepted())
        chosen = next((chat for chat in found if chat.phone == asked), None)
        newest = found[0] if found else None
        return {"chats": found, "chosen": chosen, "chat": chosen or newest}

    def _panel(self) -> dict[str, Any]:
        codes = self._world.devices()
        return {
            "version": self._world.version,
            "devices": {number: code and data_address(code) for number, code in codes.items()},
            "faults": [json.dumps(fault) for fault in self._world.faults()],
            "last": self._world.last,
            "last_body": json.dumps(self._world.last and self._world.last.body, indent=2, ensure_ascii=False),
        }


async def _file(request: Request) -> Response:
    return FileResponse(_PAGES / request.url.path.rpartition("/")[2])


def _local(at: Any, form: str) -> str:
    """Return a time in the time zone of this machine."""
    return str(at.astimezone().strftime(form))
