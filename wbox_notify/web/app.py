"""The ASGI application of the daemon."""

import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from wbox_notify.dispatch.queue import Action, Control
from wbox_notify.media import MediaFiles
from wbox_notify.model import messages
from wbox_notify.model.events import event_of
from wbox_notify.web.browsers import with_headers
from wbox_notify.web.media import media
from wbox_notify.web.refusals import Refusals, caller, refusing
from wbox_notify.web.requests import Accept, Limits, commit, read
from wbox_notify.web.signed_pages import pages
from wbox_notify.web.webhooks import HookOf, intake

Reload = Callable[[], list[dict[str, Any]]]
"""Reads the rules anew; returns the problems that it found."""

_LARGEST_MESSAGE = 1 << 20
_LARGEST_FORM = 16 * 1024
_PUBLIC = ("/hook/", "/ack/", "/m/")
_OWN = "wbox.own"
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def application(  # noqa: PLR0913 - all that the daemon puts together, each by its name
    *,
    control: Control,
    hook_of: HookOf,
    accept: Accept,
    link_key: bytes,
    files: MediaFiles | None = None,
    reload: Reload | None,
    token: str,
    hosts: Sequence[str],
    limits: Limits = Limits(),  # noqa: B008 - frozen
    refusals: Refusals | None = None,
    public: Callable[[], str | None] = lambda: None,
) -> ASGIApp:
    """Return the application.

    Args:
        control: The queue's verbs.
        hook_of: Returns the webhook that is served at a path.
        accept: Keeps events.
        link_key: The key that signs the links in messages.
        files: The files behind the links of media; None where there are none.
        reload: Reads the rules anew; None where that cannot be asked for.
        token: What a command has to show.
        hosts: The names that all but ``/hook/``, ``/ack/`` and ``/m/`` answers to.
        limits: What the caller of a webhook may send.
        refusals: Tells of calls that are refused; None where the log alone is told.
        public: Gives the address at which others reach the daemon, if there is one.
    """
    refusals = refusals or Refusals()
    small = replace(limits, body=min(limits.body, _LARGEST_FORM))

    def ours() -> set[str]:
        """Return the hosts whose pages may call hooks that ask for no proof."""
        return {
            *(host.strip("[]").lower() for host in hosts),
            urlsplit(public() or "").hostname or "localhost",
        }

    inside = _Commands(control, reload, token, replace(limits, body=_LARGEST_MESSAGE))

    async def ready(_request: Request) -> Response:
        """Answer that events can be kept."""
        await commit(accept, [])
        return PlainTextResponse("ok\n")

    app = Starlette(
        routes=[
            *intake(hook_of, accept, limits, ours),
            *pages(control, accept, link_key, small, refusals),
            *([media(files)] if files else []),
            Route("/livez", _alive),
            Route("/readyz", ready),
            Route("/-/queue", inside.queue, methods=["POST"]),
            Route("/-/send", inside.send, methods=["POST"]),
            Route("/-/event", inside.event, methods=["POST"]),
            Route("/-/reload", inside.reload, methods=["POST"]),
        ],
        middleware=[Middleware(_Guard, hosts=hosts, refusals=refusals)],
        exception_handlers=refusing(refusals),
    )
    app.router.redirect_slashes = False
    return app


async def _alive(_request: Request) -> Response:
    """Answer that the process is alive."""
    return PlainTextResponse("ok\n")


class _Commands:
    """What our own commands ask for; each shows the token."""

    def __init__(self, control: Control, reload: Reload | None, token: str, limits: Limits) -> None:
        self._control = control
        self._reload = reload
        self._token = f"Bearer {token}".encode("latin-1")
        self._limits = limits

    async def queue(self, request: Request) -> Response:
        """``{"action": "retry", "ids": [1, 2]}`` or ``"ids": null`` for all; answers ``{"ids": [1]}``."""
        asked = await self._asked(request)
        try:
            action, ids = Action(asked["action"]), asked["ids"]
            if ids is not None:
                ids = [int(number) for number in ids]
        except (KeyError, ValueError, TypeError, OverflowError):
            raise HTTPException(400, "action must be retry, release or drop, with ids") from None
        return JSONResponse({"ids": await run_in_threadpool(self._control.queue, action, ids)})

    async def send(self, request: Request) -> Response:
        """Take one message; answers ``{"id": 1}`` once it is on disk. With ``?critical`` it goes first."""
        asked = await self._asked(request)
        try:
            message = messages.load(asked)
        except (KeyError, TypeError):
            raise HTTPException(400, "not a message") from None
        critical = "critical" in request.query_params
        number = await run_in_threadpool(self._control.send, message, critical=critical)
        return JSONResponse({"id": number}, 202)

    async def event(self, request: Request) -> Response:
        """Take one event; answers ``{"new": true}`` once it is on disk."""
        asked = await self._asked(request)
        try:
            event = event_of(asked)
        except (KeyError, TypeError, ValueError, OverflowError):
            raise HTTPException(400, "not an event") from None
        return JSONResponse({"new": await run_in_threadpool(self._control.accept, event)}, 202)

    async def reload(self, request: Request) -> Response:
        """Read the rules anew; answers ``{"problems": []}``, with 422 where one of them is an error."""
        self._authorise(request)
        if self._reload is None:
            raise HTTPException(404, "there is nothing to reload")
        problems = await run_in_threadpool(self._reload)
        broken = any(problem.get("severity") == "error" for problem in problems)
        return JSONResponse({"problems": problems}, 422 if broken else 200)

    def _authorise(self, request: Request) -> None:
        shown = request.headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(shown, self._token):
            raise HTTPException(401, "this needs the daemon's token")

    async def _asked(self, request: Request) -> dict[str, Any]:
        self._authorise(request)
        try:
            asked = json.loads(await read(request, self._limits))
        except (ValueError, RecursionError):
            asked = None
        if not isinstance(asked, dict):
            raise HTTPException(400, "the body must be a JSON object")
        return asked


class _Guard:
    """Refuses foreign names and adds the headers that keep a page safe.

    A name that someone else owns may point to this machine (DNS rebinding). Only what proves itself by a
    signature is called through names that we do not know.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str], refusals: Refusals) -> None:
        async def own(scope: Scope, receive: Receive, send: Send) -> None:
            scope[_OWN] = True
            await app(scope, receive, send)

        self._public = app
        self._own = TrustedHostMiddleware(own, allowed_hosts=list(hosts), www_redirect=False)
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request or refuse it."""
        public = scope["path"].startswith(_PUBLIC)
        await (self._public if public else self._own)(scope, receive, with_headers(send, _HEADERS))
        if not public and _OWN not in scope:
            self._refusals.tell("", 400, caller(Request(scope)), "the call names a host that is not ours")
