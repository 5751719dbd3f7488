"""The ASGI application of the daemon: its routes, its own pages and the commands' verbs."""

import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from wbox_notify.dispatch.devices import look_once
from wbox_notify.dispatch.queue import Action, Control
from wbox_notify.media import MediaFiles
from wbox_notify.model import messages
from wbox_notify.model.events import event_of
from wbox_notify.web.browsers import AddedHeaders, PageHosts, host_name, is_address
from wbox_notify.web.console import Console, console_routes
from wbox_notify.web.media import media_routes
from wbox_notify.web.metrics import Metrics, metrics_route
from wbox_notify.web.refusals import Handlers, Refusals, refusal_handlers
from wbox_notify.web.requests import Accept, Limits, commit, read
from wbox_notify.web.signed_pages import signed_page_routes
from wbox_notify.web.webhooks import HOOKS, HookOf, Hooks

Reload = Callable[[], list[dict[str, Any]]]
"""Reads the rules again; returns the problems in them."""

_MAX_MESSAGE = 1 << 20
_MAX_FORM = 16 * 1024
_PUBLIC = (HOOKS, "/ack/", "/m/")
_FOR_PROGRAMS = ("/-/", "/livez", "/readyz", "/metrics")
_FOREIGN_NAME = "Nothing answers at this name. One of your own stands in the settings as public_url.\n"
_HEADERS = AddedHeaders(
    {
        b"content-security-policy": b"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        b"form-action 'self'; frame-ancestors 'none'",
        b"x-content-type-options": b"nosniff",
        b"x-robots-tag": b"noindex",
        b"referrer-policy": b"no-referrer",
        b"cache-control": b"no-store",
    }
)


def application(  # noqa: PLR0913 - all that the daemon puts together, each by its name
    *,
    control: Control,
    hook_of: HookOf,
    accept: Accept,
    link_key: bytes,
    files: MediaFiles | None = None,
    metrics: Metrics | None = None,
    console: Console | None = None,
    reload: Reload | None,
    probe: Callable[[], None] = lambda: None,
    token: str,
    hosts: PageHosts,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    refusals: Refusals | None = None,
) -> ASGIApp:
    """Return the application.

    Args:
        control: The queue's verbs.
        hook_of: Returns the webhook that is served at a path.
        accept: Stores events.
        link_key: The key that signs the links in messages.
        files: The files behind the links of media; None where there are none.
        metrics: What ``/metrics`` shows; None where there is none.
        console: The pages for people; None where there are none.
        reload: Reads the rules again; None where the daemon cannot do that.
        probe: Asks wbox about the devices that cannot send.
        token: The token that our own commands send.
        hosts: The names at which we answer; all but the commands' verbs and the pages for programs answer at
            the public one too.
        limits: What the caller of a webhook may send.
        refusals: Reports refused calls; None reports them in the log alone.
    """
    refusals = refusals or Refusals()

    async def alive(_request: Request) -> Response:
        """Answer that the process is alive."""
        return PlainTextResponse("ok\n")

    async def ready(_request: Request) -> Response:
        """Answer that events can be stored."""
        await commit(accept, [])
        return PlainTextResponse("ok\n")

    form_limits = replace(limits, body=min(limits.body, _MAX_FORM))
    routes = [
        *signed_page_routes(control, accept, link_key, form_limits, refusals),
        Route("/livez", alive),
        Route("/readyz", ready),
        *_Commands(control, reload, probe, console, token, replace(limits, body=_MAX_MESSAGE)).routes(),
    ]
    if files:
        routes += media_routes(files)
    if metrics:
        routes.append(metrics_route(metrics))
    handlers = refusal_handlers(refusals)
    if console:
        routes += console_routes(console)
        handlers = _with_pages(handlers, console)
    pages = Starlette(routes=routes, exception_handlers=handlers)
    pages.router.redirect_slashes = False
    guarded = _Guard(pages, hosts, refusals, has_console=console is not None)
    hooks = Hooks(hook_of, accept, limits, hosts, refusals)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp = hooks if scope["path"].startswith(HOOKS) else guarded
        await app(scope, receive, _HEADERS.to(send))

    return serve


def _with_pages(handlers: Handlers, console: Console) -> Handlers:
    """Return handlers that answer a person with a page where there is none."""
    refuse = handlers[HTTPException]

    async def refuse_or_show(request: Request, error: Exception) -> Response:
        is_missing = isinstance(error, HTTPException) and error.status_code == HTTPStatus.NOT_FOUND
        is_person = "text/html" in request.headers.get("accept", "")
        if is_missing and is_person and not request.url.path.startswith((*_PUBLIC, *_FOR_PROGRAMS)):
            return await console.missing(request)
        return await refuse(request, error)

    return {**handlers, HTTPException: refuse_or_show}


class _Guard:
    """Refuses our own pages under foreign host names.

    A name that someone else owns may point to this machine (DNS rebinding). Only the paths that ask for a
    signature answer at names that we do not know. The console, which has a door of its own, also answers at
    the public name and at addresses.
    """

    def __init__(self, app: ASGIApp, hosts: PageHosts, refusals: Refusals, *, has_console: bool) -> None:
        self._app = app
        self._hosts = hosts
        self._has_console = has_console
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request or refuse it."""
        request = Request(scope)
        if self._is_open(scope["path"], host_name(request.headers.get("host", ""))):
            await self._app(scope, receive, send)
            return
        await PlainTextResponse(_FOREIGN_NAME, 400)(scope, receive, send)
        self._refusals.report_request(request, 400, "the request names a host that is not ours")

    def _is_open(self, path: str, host: str) -> bool:
        if path.startswith(_PUBLIC) or host in self._hosts.own:
            return True
        is_console = self._has_console and not path.startswith(_FOR_PROGRAMS)
        return is_console and (host in self._hosts or is_address(host))


class _Commands:
    """The requests of our own commands, which send the token."""

    def __init__(
        self,
        control: Control,
        reload: Reload | None,
        probe: Callable[[], None],
        console: Console | None,
        token: str,
        limits: Limits,
    ) -> None:
        self._control = control
        self._reload = reload
        self._probe = probe
        self._console = console
        self._token = f"Bearer {token}".encode("latin-1")
        self._limits = limits

    def routes(self) -> list[Route]:
        """Return the routes below ``/-/``."""
        return [
            Route("/-/queue", self.queue, methods=["POST"]),
            Route("/-/send", self.send, methods=["POST"]),
            Route("/-/replay", self.replay, methods=["POST"]),
            Route("/-/event", self.event, methods=["POST"]),
            Route("/-/reload", self.reload, methods=["POST"]),
            Route("/-/probe", self.probe, methods=["POST"]),
            Route("/-/login", self.login, methods=["POST"]),
            Route("/-/device", self.device, methods=["POST"]),
        ]

    async def queue(self, request: Request) -> Response:
        """``{"action": "retry", "ids": [1, 2]}`` or ``"ids": null`` for all; answers ``{"ids": [1]}``."""
        body = await self._json_object(request)
        try:
            action, ids = Action(body["action"]), body["ids"]
            if ids is not None:
                ids = [int(number) for number in ids]
        except (KeyError, ValueError, TypeError, OverflowError):
            raise HTTPException(
                400, "`action` must be retry, release or drop, and `ids` a list of numbers or null"
            ) from None
        return JSONResponse({"ids": await run_in_threadpool(self._control.queue, action, ids)})

    async def send(self, request: Request) -> Response:
        """Queue one message; answers ``{"id": 1}`` once it is on disk. ``?critical`` sends it first."""
        body = await self._json_object(request)
        try:
            message = messages.load(body)
        except (KeyError, TypeError):
            raise HTTPException(400, "not a message") from None
        critical = "critical" in request.query_params
        delivery_id = await run_in_threadpool(self._control.send, message, critical=critical)
        return JSONResponse({"id": delivery_id}, 202)

    async def replay(self, request: Request) -> Response:
        """``{"ids": ["…"]}``: let events be planned once more; answers ``{"count": 1}``."""
        ids = (await self._json_object(request)).get("ids")
        if not isinstance(ids, list):
            raise HTTPException(400, "`ids` must be a list of events")
        texts = [str(event_id).encode("utf-8", "replace").decode() for event_id in ids]
        count = await run_in_threadpool(self._control.replay, texts)
        return JSONResponse({"count": count})

    async def event(self, request: Request) -> Response:
        """Store one event; answers ``{"new": true}`` once it is on disk."""
        body = await self._json_object(request)
        try:
            event = event_of(body)
        except (KeyError, TypeError, ValueError, OverflowError):
            raise HTTPException(400, "not an event") from None
        return JSONResponse({"new": await run_in_threadpool(self._control.accept, event)}, 202)

    async def reload(self, request: Request) -> Response:
        """Read the rules again; answers ``{"problems": []}``, with 422 where one of them is an error."""
        self._authorise(request)
        if self._reload is None:
            raise HTTPException(404, "this daemon cannot reload")
        problems = await run_in_threadpool(self._reload)
        broken = any(problem.get("severity") == "error" for problem in problems)
        return JSONResponse({"problems": problems}, 422 if broken else 200)

    async def probe(self, request: Request) -> Response:
        """Ask wbox now about the devices that cannot send; answers ``{}``."""
        self._authorise(request)
        await run_in_threadpool(self._probe)
        return JSONResponse({})

    async def login(self, request: Request) -> Response:
        """Answer the path of a fresh login link of the console: ``{"path": "/login/…"}``."""
        self._authorise(request)
        if self._console is None:
            raise HTTPException(404, "this daemon has no console")
        return JSONResponse({"path": self._console.door.link()})

    async def device(self, request: Request) -> Response:
        """Ask wbox about the device; answers ``{"number": 1, "ready": true, "problem": null, "exit": 0}``."""
        self._authorise(request)
        if self._console is None:
            raise HTTPException(404, "this daemon has no console")
        project = self._console.live.project
        sight = await run_in_threadpool(look_once, project, project.settings.device_id)
        return JSONResponse(sight.fields())

    def _authorise(self, request: Request) -> None:
        authorization = request.headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(authorization, self._token):
            raise HTTPException(401, "this needs the daemon's token")

    async def _json_object(self, request: Request) -> dict[str, Any]:
        self._authorise(request)
        try:
            body = json.loads(await read(request, self._limits))
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise HTTPException(400, "the body must be a JSON object")
        return body
