"""The ASGI application of the daemon."""

import hmac
import json
from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from wbox_notify import messages
from wbox_notify.control import Action, Control
from wbox_notify.errors import WboxError

_LARGEST_BODY = 1 << 20


def application(control: Control, token: str, hosts: Sequence[str]) -> Starlette:
    """Return the application; ``token`` is what a command has to show, ``hosts`` the names it answers to."""

    async def alive(_request: Request) -> Response:
        """Answer that the process is alive."""
        return PlainTextResponse("ok\n")

    async def queue(request: Request) -> Response:
        """``{"action": "retry", "ids": [1, 2]}`` or ``"ids": null`` for all; answers ``{"ids": [1]}``."""
        asked = await _authorised_json(request, token)
        try:
            action, ids = Action(asked["action"]), asked["ids"]
            if ids is not None:
                ids = [int(number) for number in ids]
        except (KeyError, ValueError, TypeError):
            raise HTTPException(400, "action must be retry, release or drop, with ids") from None
        return JSONResponse({"ids": await run_in_threadpool(control.queue, action, ids)})

    async def send(request: Request) -> Response:
        """Take one message; answers ``{"id": 1}`` once it is on disk."""
        asked = await _authorised_json(request, token)
        try:
            message = messages.load(asked)
        except (KeyError, TypeError):
            raise HTTPException(400, "not a message") from None
        return JSONResponse({"id": await run_in_threadpool(control.send, message)}, 202)

    return Starlette(
        routes=[
            Route("/livez", alive),
            Route("/-/queue", queue, methods=["POST"]),
            Route("/-/send", send, methods=["POST"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)],
        exception_handlers={WboxError: _refused, HTTPException: _failed},
    )


async def _authorised_json(request: Request, token: str) -> dict[str, Any]:
    shown = request.headers.get("authorization", "")
    if not hmac.compare_digest(shown.encode("latin-1"), f"Bearer {token}".encode("latin-1")):
        raise HTTPException(401, "this needs the daemon's token")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY:
            raise HTTPException(413, "the body is too large")
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise HTTPException(400, "the body must be a JSON object")
    return asked


def _refused(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 503 if getattr(error, "retry", False) else 422)


def _failed(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "internal error"
    return JSONResponse({"error": detail}, status)
