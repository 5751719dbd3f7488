"""The intake of webhooks: a call is checked, read and on disk before it is answered with 2xx."""

import re
import secrets
import time
import uuid
from asyncio import get_running_loop
from collections.abc import Callable, Container, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from wbox_notify.errors import WboxError
from wbox_notify.events import Event
from wbox_notify.web.hooks import Hook, Hooks
from wbox_notify.web.origins import foreign
from wbox_notify.web.room import Desk, Room
from wbox_notify.web.wire import Accept, Limits, in_time, on_disk, read, skip
from wbox_notify.webhooks.bodies import BodyError, form_body, json_body, text_body
from wbox_notify.webhooks.signatures import Call, Scheme, SignatureError, scheme

_KEPT = re.compile(r"(x|webhook|svix|shopify|ce)-.*|user-agent|content-type|idempotency-key")
_SECRET = re.compile(
    r"signature|hmac|token|secret|passw|cookie|credential|session|api-?key"
    r"|(^|-)(auth|authorization|key|sig|sign)(-|$)"
)
_LONGEST_ID = 300
_BODIES = 4
_WORKED_OUT = 1 << 20
_THREADS = 8
_AT_ONCE = 4 * 1024
"""A body of so few bytes is read in less than a millisecond; to hand it to a thread would take as long."""
_IN_A_PATH = "/@:!$&'()*+,;="
_UTF_8 = {"", "utf-8", "utf8", "us-ascii"}
_NOBODY = scheme("github", [secrets.token_bytes(32)], {})
"""What a call to a path that nobody serves is held against, so that it is refused as any other is."""


def intake(hooks: Hooks, accept: Accept, limits: Limits, ours: Callable[[], Container[str]]) -> Route:
    """Return the route of all hooks; ``ours`` are the hosts that a page which calls a hook may come from."""
    # Who has shown the secret is not kept waiting by who has not.
    unproven, proven = Room(_BODIES * limits.body), Room(_BODIES * limits.body)
    desk = Desk(_WORKED_OUT)
    threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="hook")

    async def take(request: Request) -> Response:
        """Answer 202 for a new event and 200 for one that is known, once it is on disk."""
        head = _head(request)
        hook = _served(hooks, request.path_params["path"], head.path)
        request.state.hook = hook.path if hook else ""
        if hook and not hook.scheme and foreign(request.headers, ours):
            raise HTTPException(403, "this hook is not for pages of other web sites")
        shown = _shows_the_secret(hook, head)
        with (proven if shown else unproven).share() as share:
            body = await skip(request, limits) if shown is False else await read(request, limits, share)
            async with in_time():
                await desk.sit(len(body))
                try:
                    call = replace(head, body=body)
                    if len(body) <= _AT_ONCE and not (hook and hook.id):
                        event = _understood(hook, call)
                    else:
                        event = await get_running_loop().run_in_executor(threads, _understood, hook, call)
                    if isinstance(event, Response):
                        return event
                    new = await on_disk(accept, [event])
                finally:
                    desk.rise(len(body))
        if new == [True]:
            return JSONResponse({"id": event.id}, 202)
        return JSONResponse({"id": event.id, "duplicate": True})

    return Route("/hook/{path:path}", take, methods=["POST", "PUT"])


def _head(request: Request) -> Call:
    """Return what came in, without its body."""
    encodings = request.headers.getlist("content-encoding")
    if {encoding.strip().lower() for encoding in encodings} - {"identity", ""}:
        raise HTTPException(415, "send the body as it is, without Content-Encoding")
    return Call(
        method=request.method,
        path=request.scope["raw_path"].decode("ascii"),
        query=request.scope["query_string"],
        headers=tuple(request.scope["headers"]),
        body=b"",
    )


def _served(hooks: Hooks, name: str, path: str) -> Hook | None:
    """Return the hook of a path that is written as its rule writes it; one slash may follow."""
    hook = hooks.find(name) or hooks.find(name.removesuffix("/"))
    if hook and path.removesuffix("/") != quote(f"/hook/{hook.path}", safe=_IN_A_PATH).removesuffix("/"):
        return None
    return hook


def _shows_the_secret(hook: Hook | None, head: Call) -> bool | None:
    """Return whether a call shows the secret in its head; None where the head alone can not tell."""
    if not hook or not hook.scheme or hook.scheme.proof.algorithm:
        return None
    try:
        hook.scheme.verify(head, time.time())
    except SignatureError:
        return False
    return True


def _understood(hook: Hook | None, call: Call) -> Event | Response:
    """Return the event that a call is, or the answer to one that only tries us out."""
    hook = _proven(hook, call)
    try:
        values = _values(call)
        values["headers"] = _headers(call, hook.scheme)
        trying = hook.preset.answer(values["body"], values["headers"])
        if trying is not None:
            return JSONResponse(trying)
        return _event(hook, call, values)
    except WboxError as error:
        raise HTTPException(400, str(error)) from None


def _proven(hook: Hook | None, call: Call) -> Hook:
    """Return the hook that the call may set off; why it may not is for our log alone."""
    guard = hook.scheme if hook else _NOBODY
    try:
        if guard:
            guard.verify(call, time.time())
    except SignatureError as error:
        why = error if hook else SignatureError("no rule has such a path")
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "the call is not authorised") from why
    if hook is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "the call is not authorised")
    return hook


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


def _headers(call: Call, guard: Scheme | None) -> dict[str, str]:
    """Return the headers that rules may see: none that proves anything or lets anybody in."""
    hidden = guard.secret_headers if guard else frozenset()
    found: dict[str, str] = {}
    for raw, value in call.headers:
        name = raw.decode("latin-1")
        if raw not in hidden and _KEPT.fullmatch(name) and not _SECRET.search(name):
            text = value.decode("latin-1")
            found[name] = f"{found[name]}, {text}" if name in found else text
    return found


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
