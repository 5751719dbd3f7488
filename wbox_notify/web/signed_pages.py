"""The pages behind signed links: one button each, which acts when it is pressed and not before."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from wbox_notify.dispatch.queue import Control
from wbox_notify.errors import StoreError
from wbox_notify.model.events import Event
from wbox_notify.web.html import page_templates
from wbox_notify.web.links import ACK, RELEASE, Links
from wbox_notify.web.refusals import Refusals
from wbox_notify.web.requests import Accept, Limits, caller, commit, read
from wbox_notify.web.texts import words

_PAGES = Path(__file__).with_name("pages")
_FILES = ("page.css", "icon.svg")


def pages(control: Control, accept: Accept, links: Links, limits: Limits, refusals: Refusals) -> list[Route]:
    """Return the routes of the pages and of their files."""
    signed = _Signed(control, accept, links, limits, refusals)
    files = [Route(f"/ack/{name}", _file) for name in _FILES]
    return [*files, Route("/ack/{token}", signed.answer, methods=["GET", "POST"])]


class _Signed:
    """The page of each signed link."""

    def __init__(
        self, control: Control, accept: Accept, links: Links, limits: Limits, refusals: Refusals
    ) -> None:
        self._control = control
        self._accept = accept
        self._links = links
        self._limits = limits
        self._refusals = refusals
        self._template = page_templates(_PAGES).get_template("page.html")

    async def answer(self, request: Request) -> Response:
        """Show what the button does; do it only where it was pressed, since chats look at links."""
        kind, value = self._links.read(request.path_params["token"]) or ("", "")
        if kind not in {ACK, RELEASE}:
            return self._page(request, "lost", status=404)
        about: dict[str, Any] = {"rule": value.partition("\x1f")[0]} if kind == ACK else {"event": value}
        if request.method != "POST":
            return self._page(request, kind, button=kind, **about)
        try:
            shown = await (self._acknowledge(request, value) if kind == ACK else self._release(value))
        except StoreError as error:
            self._refusals.tell("", 503, caller(request), str(error.__cause__ or error))
            return self._page(request, "unkept", button=kind, status=503, **about)
        return self._page(request, **shown, **about)

    async def _acknowledge(self, request: Request, value: str) -> Mapping[str, Any]:
        """Tell the rules; one page tells them once, however often it is sent."""
        form = parse_qs((await read(request, self._limits)).decode("ascii", "replace"))
        once = form.get("once", [uuid.uuid4().hex])[0]
        rule, _, key = value.partition("\x1f")
        said = f"{request.path_params['token']}\n{once}"
        event = Event(
            id=f"ack:{sha256(said.encode()).hexdigest()}",
            type="ack",
            at=datetime.now(UTC),
            data={"rule": rule, "key": key},
        )
        await commit(self._accept, [event])
        return {"state": "acked"}

    async def _release(self, event_id: str) -> Mapping[str, Any]:
        count = await run_in_threadpool(self._control.release_event, event_id)
        return {"state": "released", "count": count} if count else {"state": "gone"}

    def _page(self, request: Request, state: str, *, status: int = 200, **shown: Any) -> Response:
        t = words(request.headers.get("accept-language", ""))
        html = self._template.render(t=t, state=state, once=uuid.uuid4().hex, shown=shown)
        return HTMLResponse(html.encode("utf-8", "replace"), status, headers={"vary": "accept-language"})


async def _file(request: Request) -> Response:
    return FileResponse(
        _PAGES / request.url.path.rpartition("/")[2], headers={"cache-control": "max-age=3600"}
    )
