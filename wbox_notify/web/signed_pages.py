"""The pages behind signed links: one button each, which acts when it is pressed and not before."""

import uuid
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from wbox_notify.dispatch.queue import Control, acknowledgement
from wbox_notify.errors import StoreError
from wbox_notify.model import signed_links
from wbox_notify.model.signed_links import ACK, RELEASE
from wbox_notify.model.texts import LANGUAGES
from wbox_notify.web.browsers import page_templates, wanted_language
from wbox_notify.web.refusals import Refusals
from wbox_notify.web.requests import Accept, Limits, commit, read

_PAGES = Path(__file__).with_name("pages")
_FILES = ("page.css", "icon.svg")


def signed_page_routes(
    control: Control, accept: Accept, link_key: bytes, limits: Limits, refusals: Refusals
) -> list[Route]:
    """Return the routes of the pages and of their files."""
    pages = _SignedPages(control, accept, link_key, limits, refusals)
    files = [Route(f"/ack/{name}", _file) for name in _FILES]
    return [*files, Route("/ack/{token}", pages.show, methods=["GET", "POST"])]


async def _file(request: Request) -> Response:
    name = request.url.path.rpartition("/")[2]
    return FileResponse(_PAGES / name, headers={"cache-control": "max-age=3600"})


class _SignedPages:
    """The page of each signed link."""

    def __init__(
        self, control: Control, accept: Accept, link_key: bytes, limits: Limits, refusals: Refusals
    ) -> None:
        self._control = control
        self._accept = accept
        self._link_key = link_key
        self._limits = limits
        self._refusals = refusals
        self._templates = {lang: page_templates(_PAGES, lang) for lang in LANGUAGES}

    async def show(self, request: Request) -> Response:
        """Show the button; act only where it was pressed, since chats open links to preview them."""
        kind, value = signed_links.read(self._link_key, request.path_params["token"]) or ("", "")
        if kind == ACK:
            subject: dict[str, Any] = {"rule": value.partition("\x1f")[0]}
        elif kind == RELEASE:
            subject = {"event": value}
        else:
            return self._page(request, "lost", status=404)
        if request.method != "POST":
            return self._page(request, kind, button=kind, **subject)
        try:
            if kind == ACK:
                await self._acknowledge(request, value)
                return self._page(request, "acked", **subject)
            count = await run_in_threadpool(self._control.release_event, value)
        except StoreError as error:
            self._refusals.report_request(request, 503, str(error.__cause__ or error))
            return self._page(request, "not_saved", button=kind, status=503, **subject)
        if count == 0:
            return self._page(request, "gone", **subject)
        return self._page(request, "released", count=count, **subject)

    async def _acknowledge(self, request: Request, value: str) -> None:
        """Store the event for the rules; one page stores one, however often it is sent."""
        form = parse_qs((await read(request, self._limits)).decode("ascii", "replace"))
        once = form.get("once", [uuid.uuid4().hex])[0]
        digest = sha256(f"{request.path_params['token']}\n{once}".encode()).hexdigest()
        rule, _, key = value.partition("\x1f")
        await commit(self._accept, [acknowledgement(rule, key, digest)])

    def _page(self, request: Request, state: str, *, status: int = 200, **shown: Any) -> Response:
        templates = self._templates[wanted_language(request.headers.get("accept-language", ""))]
        html = templates.get_template("page.html").render(state=state, once=uuid.uuid4().hex, shown=shown)
        return HTMLResponse(html.encode("utf-8", "replace"), status, headers={"vary": "accept-language"})
