"""The frame of the console: its pages as HTML or JSON, their language, and the door before each of them."""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from inspect import iscoroutinefunction
from json import dumps
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

from jinja2 import Environment
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from wbox_notify.config.yaml.problems import Problem, errors
from wbox_notify.dispatch.devices import Devices
from wbox_notify.dispatch.queue import Control
from wbox_notify.engine.state import SilenceState
from wbox_notify.errors import WboxError
from wbox_notify.model.reasons import circuit as circuit_text
from wbox_notify.model.texts import LANGUAGES, Wording, problem_of, translated, translation
from wbox_notify.rules.project import Live
from wbox_notify.store import Store
from wbox_notify.web.browsers import is_from_other_site, page_templates, wanted_language
from wbox_notify.web.console.changes import Changes
from wbox_notify.web.console.door import Door, field
from wbox_notify.web.console.show import Show, iso
from wbox_notify.web.refusals import Refusals
from wbox_notify.web.requests import Limits, read

log = logging.getLogger(__name__)

Endpoint = Callable[[Request], Response] | Callable[[Request], Awaitable[Response]]
"""Answers a request; a plain function runs in a thread of its own, and may wait for the store."""

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    # Without a referrer a browser names no origin either in the form that it sends.
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

_TEMPLATES = Path(__file__).with_name("templates")
_LANGUAGE_COOKIE = "wbox_notify_lang"
_YEAR = 365 * 86400
_LARGEST_FORM = 64 * 1024
_MOST_FIELDS = 10_000
_SECONDS_FOR_FORM = 10.0


class Console:
    """What the pages share.

    Attributes:
        live: The project in use.
        store: The store, with its queries.
        control: The verbs of the queue.
        devices: What wbox says of the devices.
        unwanted: Returns the files that no rule takes: a folder, their number, the names of some.
        door: Who may come in.
        problems: Returns what is wrong in the files of the project as they are now.
        changes: What open pages hear of.
        now: Returns the time, in seconds since the epoch.
    """

    def __init__(  # noqa: PLR0913 - each by its name
        self,
        *,
        live: Live,
        store: Store,
        control: Control,
        devices: Devices,
        door: Door,
        problems: Callable[[], Sequence[Problem]],
        unwanted: Callable[[], Sequence[Mapping[str, Any]]],
        refusals: Refusals,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.live = live
        self.store = store
        self.control = control
        self.devices = devices
        self.unwanted = unwanted
        self.door = door
        self.changes = Changes(is_inside=lambda request: door.session(request) is not None)
        store.listen(self.changes.note)
        self.now = clock
        self.problems = problems
        self._refusals = refusals
        self._environment = cache(self._templates)

    # Routes

    def get(self, path: str, endpoint: Endpoint, *, json: str = "") -> list[Route]:
        """Return the routes of a page, which is JSON where its path ends in ``.json``."""
        # The path that ends in .json first: the other one may match it too.
        return [
            Route(json or f"{path}.json", self.inside(endpoint, as_json=True), methods=["GET"]),
            Route(path, self.inside(endpoint), methods=["GET"]),
        ]

    def post(self, path: str, endpoint: Endpoint, *, most: int = _LARGEST_FORM) -> Route:
        """Return the route of an action; ``request.state.form`` has its fields, of ``most`` bytes in all."""
        return Route(path, self.inside(endpoint, most=most), methods=["POST"])

    def outside(self, path: str, endpoint: Endpoint, methods: Sequence[str] = ("GET",)) -> Route:
        """Return a route for which nobody needs to be logged in."""

        async def serve(request: Request) -> Response:
            return await self._answer(request, endpoint)

        return Route(path, serve, methods=methods)

    def inside(self, endpoint: Endpoint, *, as_json: bool = False, most: int = 0) -> Endpoint:
        """Return an endpoint that answers only those who are logged in; ``most`` is the size of its form."""

        async def serve(request: Request) -> Response:
            request.state.as_json = as_json
            return await self._answer(request, enter)

        async def enter(request: Request) -> Response:
            session = request.state.session
            if session is None:
                return await run_in_threadpool(self._to_login, request)
            if most:
                request.state.form = await self.form(request, most)
                if not session.sent(field(request.state.form, "csrf")):
                    raise HTTPException(403, Wording("this page is too old: open it again, and press again"))
            return await _call(endpoint, request)

        return serve

    async def _answer(self, request: Request, endpoint: Endpoint) -> Response:
        """Return the answer of an endpoint, or the page of what went wrong."""
        request.state.session = None
        try:
            if self.door.is_open_to(request):
                request.state.session = self.door.session(request)
            else:
                endpoint = self._closed
            response = await _call(endpoint, request)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, a person gets a page
            response = await run_in_threadpool(self._failure, request, error)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    def _closed(self, request: Request) -> Response:
        self.report(request, 403, "the console has no password")
        return self.page(request, "closed.html", {"error": "the console has no password"}, 403)

    def _to_login(self, request: Request) -> Response:
        if _is_json(request) or request.method != "GET":
            raise HTTPException(401, Wording("nobody is logged in"))
        to = quote(request.scope["path"])
        if request.url.query:
            to += f"?{request.url.query}"
        if request.headers.get("sec-fetch-site") == "cross-site":
            # A browser sends our cookie only from a page of ours, such as this one.
            return self.page(request, "again.html", {"to": to})
        return RedirectResponse(f"/login?to={quote(to)}", 303)

    def _failure(self, request: Request, error: Exception) -> Response:
        status, text = _told(error)
        if status in {HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}:
            self.report(request, status, text)
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("a page of the console failed: %s: %s", type(error).__name__, error)
        lang = "en" if _is_json(request) else self.lang(request)
        hint = getattr(error, "hint", None)
        model = {"error": translated(text, lang), "hint": hint and translated(hint, lang), "status": status}
        response = self.page(request, "error.html", model, status)
        response.headers.update(getattr(error, "headers", None) or {})
        return response

    async def missing(self, request: Request) -> Response:
        """Return the page of an address at which there is nothing."""

        def show(_request: Request) -> Response:
            raise HTTPException(404, Wording("there is no such page"))

        return await self._answer(request, show)

    # Requests

    async def form(self, request: Request, most: int = _LARGEST_FORM) -> Mapping[str, list[str]]:
        """Return the fields of a form that a page of ours has sent.

        Raises:
            HTTPException: a page of another site has sent it, or it is too large.
        """
        hosts = self.door.hosts
        if is_from_other_site(request.headers, hosts, hosts.public_origin):
            raise HTTPException(403, Wording("a page of another site has sent this"))
        body = await read(request, Limits(body=most, seconds=_SECONDS_FOR_FORM))
        try:
            return parse_qs(
                body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS
            )
        except ValueError:
            raise HTTPException(400, Wording("this form has too many fields")) from None

    def lang(self, request: Request) -> str:
        """Return the language of who reads: the one they chose, else that of their browser."""
        for chosen in (request.query_params.get("lang"), request.cookies.get(_LANGUAGE_COOKIE)):
            if chosen in LANGUAGES:
                return chosen
        return wanted_language(request.headers.get("accept-language", ""))

    def gettext(self, request: Request) -> Callable[[str], str]:
        """Return what translates a text for who reads."""
        return translation(self.lang(request)).gettext

    def report(self, request: Request, status: int, reason: str) -> None:
        """Report a request that was refused, in the log and in the history."""
        self._refusals.report_request(request, status, reason)

    # Answers

    def page(self, request: Request, template: str, model: Mapping[str, Any], status: int = 200) -> Response:
        """Return a model as HTML by its template, or as JSON where that was asked for."""
        if _is_json(request):
            return _Json(model, status)
        lang, session = self.lang(request), request.state.session
        frame: dict[str, Any] = {"csrf": "", "notice": "", "banners": {}}
        if session:
            frame["csrf"] = session.csrf
            # Not for what the script of an open page asks for, of which it shows the live parts alone.
            if request.headers.get("sec-fetch-mode", "navigate") == "navigate":
                frame["notice"] = session.take_notice()
        if session and status < HTTPStatus.INTERNAL_SERVER_ERROR:  # the store may be what has failed
            frame["banners"] = self.banners(lang)
        frame["path"] = request.url.path
        frame["other"] = {code: request.url.include_query_params(lang=code).query for code in LANGUAGES}
        html = self._environment(lang).get_template(template).render({**model, **frame})
        response = HTMLResponse(
            html.encode("utf-8", "replace"), status, headers={"vary": "accept-language, cookie"}
        )
        if request.query_params.get("lang") in LANGUAGES:
            response.set_cookie(_LANGUAGE_COOKIE, lang, max_age=_YEAR, httponly=True, samesite="lax")
        return response

    def back(self, request: Request, path: str, notice: str = "") -> Response:
        """Return the way to a page after an action; that page shows the notice once."""
        request.state.session.notice = notice
        return RedirectResponse(path, 303)

    def banners(self, lang: str) -> dict[str, Any]:
        """Return what each page begins with: broken files, paused devices, silent rules."""
        return {
            "problems": [problem.as_json() for problem in errors(self.problems())],
            "paused": [
                {
                    "device": circuit.device,
                    "reason": circuit.reason.value,
                    "text": circuit_text(circuit.reason, lang),
                    "since": iso(circuit.since),
                }
                for circuit in self.store.circuits()
            ],
            "silent": [
                {"rule": memory.rule, "until": iso(memory.due)}
                for memory in self.store.memories([SilenceState.KIND])
            ],
        }

    def _templates(self, lang: str) -> Environment:
        """Return the templates in a language."""
        templates = page_templates(_TEMPLATES, lang)
        templates.filters |= Show(lang, lambda: self.live.project.settings.tz, self.now).filters()
        return templates


def _told(error: Exception) -> tuple[int, str]:
    """Return the status of an error, and what it says."""
    if isinstance(error, HTTPException):
        return error.status_code, error.detail
    if isinstance(error, WboxError):
        return 503 if error.retry else 422, problem_of(error)
    return 500, Wording("something is wrong in this page; the log of the daemon says what")


class _Json(JSONResponse):
    """JSON in which a broken byte of a file name is an escape."""

    def render(self, content: Any) -> bytes:
        """Return the bytes of a value."""
        text = dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")


async def _call(endpoint: Endpoint, request: Request) -> Response:
    if iscoroutinefunction(endpoint):
        answer: Response = await endpoint(request)
        return answer
    return await run_in_threadpool(endpoint, request)  # type: ignore[arg-type]


def _is_json(request: Request) -> bool:
    return bool(getattr(request.state, "as_json", False))
