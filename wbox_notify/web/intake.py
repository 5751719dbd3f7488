"""The intake of webhooks: a call is checked, read and on disk before it is answered with 2xx."""

import re
import secrets
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from wbox_notify.errors import WboxError
from wbox_notify.events import Event
from wbox_notify.web.hooks import Hook, Hooks
from wbox_notify.web.refusals import Refusals
from wbox_notify.web.wire import Accept, Limits, commit, read
from wbox_notify.webhooks.bodies import KindError, form_body
from wbox_notify.webhooks.headers import visible
from wbox_notify.webhooks.pings import is_ping
from wbox_notify.webhooks.signatures import Call, SignatureError, scheme

_LONGEST_ID = 300
_IN_A_PATH = "/@:!$&'()*+,;="
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="wbox_notify", charset="UTF-8"'}
"""How to prove oneself: Amazon SNS, wget and others show their password only when they are asked for it."""

_ORIGIN = re.compile(r"[\w.:*-]{1,255}", re.ASCII)
_NOBODY = scheme("github", [secrets.token_bytes(32)], {})
"""What a call to a path that nobody serves is held against, so that it is refused as any other is."""


def intake(hooks: Hooks, accept: Accept, limits: Limits) -> list[Route]:
    """Return the routes of all hooks."""
    refusals = Refusals()

    async def take(request: Request) -> Response:
        """Answer 202 for a new event and 200 for one that is known, once it is on disk."""
        call = await _call(request, limits)
        hook = _of_path(hooks, request.path_params["path"], call)
        if hook and is_ping(call, hook.scheme):
            return Response(status_code=200)
        hook = _proven(hook, call, refusals)
        try:
            # Whatever a sender wrote is worked out beside the loop that serves all others.
            said = await run_in_threadpool(_said, hook, call)
        except WboxError as error:
            refusals.tell(hook.path, f"{_shown(call)}: {error}")
            raise HTTPException(415 if isinstance(error, KindError) else 400, str(error)) from None
        if not isinstance(said, Event):
            return JSONResponse(said)
        return _taken(hook, said, new=await commit(accept, [said]) == [True])

    path = "/hook/{path:path}"
    return [Route(path, take, methods=["POST", "PUT"]), Route(path, _asked, methods=["OPTIONS"])]


async def _asked(request: Request) -> Response:
    """Answer who asks whether it may call, as CloudEvents has it; the calls have to prove themselves."""
    origin = request.headers.get("webhook-request-origin", "")
    if not _ORIGIN.fullmatch(origin):
        raise HTTPException(405, headers={"Allow": "POST, PUT"})
    agreed = {"Allow": "POST, PUT", "WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"}
    return Response(status_code=200, headers=agreed)


def _taken(hook: Hook, event: Event, *, new: bool) -> Response:
    """Return the answer to an event that is on disk."""
    if hook.preset.silent:
        return Response(status_code=200)
    return JSONResponse({"id": event.id}, 202) if new else JSONResponse({"id": event.id, "duplicate": True})


async def _call(request: Request, limits: Limits) -> Call:
    """Return what came in, once it is whole."""
    if "content-encoding" in request.headers:
        raise HTTPException(415, "send the body as it is, without Content-Encoding")
    return Call(
        method=request.method,
        path=request.scope["raw_path"].decode("ascii"),
        query=request.scope["query_string"],
        headers=tuple(request.scope["headers"]),
        body=await read(request, limits),
    )


def _of_path(hooks: Hooks, path: str, call: Call) -> Hook | None:
    """Return the hook of a path that is written as it has to be."""
    hook = hooks.find(path)
    return hook if hook and call.path == quote(f"/hook/{hook.path}", safe=_IN_A_PATH) else None


def _proven(hook: Hook | None, call: Call, refusals: Refusals) -> Hook:
    """Return the hook that the call may set off; why it may not is for our log alone."""
    guard = hook.scheme if hook else _NOBODY
    try:
        if guard:
            guard.verify(call, time.time())
    except SignatureError as error:
        why = error if hook else "no rule has such a path"
        refusals.tell(hook.path if hook else "", f"{_shown(call)} is refused: {why}")
        hook = None
    if hook is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "the call is not authorised", _CHALLENGE)
    return hook


def _shown(call: Call) -> str:
    return call.path[:100]


def _said(hook: Hook, call: Call) -> Event | Mapping[str, Any]:
    """Return the event that a call is, or what to answer one that only tries us out.

    Raises:
        WboxError: It can not be used; whatever the preset could not read later is refused now.
    """
    content_type = b",".join(call.values(b"content-type")).decode("latin-1")
    values = {
        "query": form_body(call.query),
        "body": hook.preset.read(content_type, call.body),
        "headers": visible(call.headers, hook.named, hook.secret_headers),
    }
    trying = hook.preset.answer(values["body"], values["headers"])
    if trying is not None:
        return trying
    hook.preset.items(values["body"], values["headers"])
    data = {"method": call.method, "path": hook.path, **values}
    return Event(id=_event_id(hook, call, values), type="webhook", at=datetime.now(UTC), data=data)


def _event_id(hook: Hook, call: Call, values: Mapping[str, Any]) -> str:
    """Return the id of the event: the same for a delivery that comes again, new where nothing tells."""
    delivery = (
        (hook.id(values) if hook.id else None)
        or (hook.scheme.delivery_id(call) if hook.scheme else None)
        or hook.preset.delivery_id(values["body"], values["headers"])
        or str(uuid.uuid4())
    )
    made = f"webhook:{hook.path}:{delivery}"
    if len(made) <= _LONGEST_ID and made.isprintable():
        return made
    return f"webhook:{sha256(made.encode('utf-8', 'surrogatepass')).hexdigest()}"
