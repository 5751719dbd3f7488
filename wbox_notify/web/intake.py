"""The intake of webhooks: a call is checked, read and on disk before it is answered with 2xx."""

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
from wbox_notify.webhooks.bodies import BodyError, form_body, json_body, text_body
from wbox_notify.webhooks.headers import kept
from wbox_notify.webhooks.signatures import Call, SignatureError, scheme

_LONGEST_ID = 300
_LARGE = 32 * 1024
_IN_A_PATH = "/@:!$&'()*+,;="
_UTF_8 = {"", "utf-8", "utf8", "us-ascii"}
_NOBODY = scheme("github", [secrets.token_bytes(32)], {})
"""What a call to a path that nobody serves is held against, so that it is refused as any other is."""


def intake(hooks: Hooks, accept: Accept, limits: Limits) -> Route:
    """Return the route of all hooks."""
    refusals = Refusals()

    async def take(request: Request) -> Response:
        """Answer 202 for a new event and 200 for one that is known, once it is on disk."""
        call = await _call(request, limits)
        hook = _proven(hooks.find(request.path_params["path"]), call, refusals)
        try:
            values = await run_in_threadpool(_values, call) if len(call.body) > _LARGE else _values(call)
            values["headers"] = kept(call.headers, hook.named, hook.secret_headers)
            trying = hook.preset.answer(values["body"], values["headers"])
            if trying is not None:
                return JSONResponse(trying)
            event = _event(hook, call, values)
        except WboxError as error:
            refusals.tell(hook.path, f"{_shown(call)}: {error}")
            raise HTTPException(400, str(error)) from None
        new = await commit(accept, [event])
        if new == [True]:
            return JSONResponse({"id": event.id}, 202)
        return JSONResponse({"id": event.id, "duplicate": True})

    return Route("/hook/{path:path}", take, methods=["POST", "PUT"])


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


def _proven(hook: Hook | None, call: Call, refusals: Refusals) -> Hook:
    """Return the hook that the call may set off; why it may not is for our log alone."""
    if hook and call.path != quote(f"/hook/{hook.path}", safe=_IN_A_PATH):
        hook = None
    guard = hook.scheme if hook else _NOBODY
    try:
        if guard:
            guard.verify(call, time.time())
    except SignatureError as error:
        why = error if hook else "no rule has such a path"
        refusals.tell(hook.path if hook else "", f"{_shown(call)} is refused: {why}")
        hook = None
    if hook is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "the call is not authorised")
    return hook


def _shown(call: Call) -> str:
    return call.path[:100]


def _values(call: Call) -> dict[str, Any]:
    """Return query and body as plain data."""
    return {"query": form_body(call.query), "body": _body(call)}


def _body(call: Call) -> Any:
    kind, charset = _content_type(call)
    if charset not in _UTF_8:
        raise HTTPException(415, "send the body in UTF-8")
    if kind == "application/json" or kind.endswith("+json"):
        return json_body(call.body)
    if kind == "application/x-www-form-urlencoded":
        # `curl -d '{…}'` calls JSON a form.
        return json_body(call.body) if call.body.lstrip()[:1] in {b"{", b"["} else form_body(call.body)
    if kind.startswith("text/"):
        return text_body(call.body)
    if kind:
        raise HTTPException(415, "send JSON, a form or plain text")
    try:
        return json_body(call.body)
    except BodyError:
        return text_body(call.body)


def _content_type(call: Call) -> tuple[str, str]:
    """Return the type of the body and its charset, both empty where nothing is said of them."""
    said = b",".join(call.values(b"content-type")).decode("latin-1").lower()
    kind, *parameters = [part.strip() for part in said.split(";")]
    charsets = [text.partition("=")[2].strip('"') for text in parameters if text.startswith("charset=")]
    return kind, ",".join(charsets)


def _event(hook: Hook, call: Call, values: Mapping[str, Any]) -> Event:
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
