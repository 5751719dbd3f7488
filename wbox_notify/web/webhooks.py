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
from wbox_notify.model.events import Event
from wbox_notify.triggers.webhook.bodies import KindError, form_body
from wbox_notify.triggers.webhook.hooks import Hook, visible
from wbox_notify.triggers.webhook.presets import is_ping
from wbox_notify.triggers.webhook.signatures import Call, SignatureError, scheme
from wbox_notify.web.browsers import foreign
from wbox_notify.web.requests import Accept, Desk, Limits, Room, in_time, on_disk, read, skip

_LONGEST_ID = 300
_BODIES = 4
_WORKED_OUT = 1 << 20
_THREADS = 8
_AT_ONCE = 4 * 1024
"""A body of so few bytes is read in less than a millisecond; to hand it to a thread would take as long."""
_IN_A_PATH = "/@:!$&'()*+,;="
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="wbox_notify", charset="UTF-8"'}
"""How to prove oneself: Amazon SNS, wget and others show their password only when they are asked for it."""

HookOf = Callable[[str], Hook | None]
"""Returns the hook that is served now at exactly this path."""

_ORIGIN = re.compile(r"[\w.:*-]{1,255}", re.ASCII)
_NOBODY = scheme("github", [secrets.token_bytes(32)], {})
"""What a call to a path that nobody serves is held against, so that it is refused as any other is."""


def intake(
    hook_of: HookOf, accept: Accept, limits: Limits, ours: Callable[[], Container[str]]
) -> list[Route]:
    """Return the routes of all hooks; ``ours`` are the hosts that a page which calls a hook may come from."""
    # Who has shown the secret is not kept waiting by who has not.
    unproven, proven = Room(_BODIES * limits.body), Room(_BODIES * limits.body)
    desk = Desk(_WORKED_OUT)
    threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="hook")

    async def take(request: Request) -> Response:
        """Answer 202 for a new event and 200 for one that is known, once it is on disk."""
        head = _head(request)
        hook = _served(hook_of, request.path_params["path"], head.path)
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
        if hook and hook.preset.silent:
            return Response(status_code=200)
        if new == [True]:
            return JSONResponse({"id": event.id}, 202)
        return JSONResponse({"id": event.id, "duplicate": True})

    path = "/hook/{path:path}"
    return [Route(path, take, methods=["POST", "PUT"]), Route(path, _asked, methods=["OPTIONS"])]


async def _asked(request: Request) -> Response:
    """Answer who asks whether it may call, as CloudEvents has it; the calls have to prove themselves."""
    origin = request.headers.get("webhook-request-origin", "")
    if not _ORIGIN.fullmatch(origin):
        raise HTTPException(405, headers={"Allow": "POST, PUT"})
    agreed = {"Allow": "POST, PUT", "WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"}
    return Response(status_code=200, headers=agreed)


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


def _served(hook_of: HookOf, name: str, path: str) -> Hook | None:
    """Return the hook of a path that is written as its rule writes it; one slash may follow."""
    hook = hook_of(name) or hook_of(name.removesuffix("/"))
    if hook and path.removesuffix("/") != quote(f"/hook/{hook.path}", safe=_IN_A_PATH).removesuffix("/"):
        return None
    return hook


def _shows_the_secret(hook: Hook | None, head: Call) -> bool | None:
    """Return whether a call shows the secret in its head; None where the head alone cannot tell."""
    if not hook or not hook.scheme or hook.scheme.proof.algorithm:
        return None
    try:
        hook.scheme.verify(head, time.time())
    except SignatureError:
        return False
    return True


def _understood(hook: Hook | None, call: Call) -> Event | Response:
    """Return the event that a call is, or the answer to one that only tries us out."""
    if hook and is_ping(call, hook.scheme):
        return Response(status_code=200)
    hook = _proven(hook, call)
    try:
        said = _said(hook, call)
    except WboxError as error:
        raise HTTPException(415 if isinstance(error, KindError) else 400, str(error)) from None
    return said if isinstance(said, Event) else JSONResponse(said)


def _proven(hook: Hook | None, call: Call) -> Hook:
    """Return the hook that the call may set off; why it may not is for our log alone."""
    guard = hook.scheme if hook else _NOBODY
    try:
        if guard:
            guard.verify(call, time.time())
    except SignatureError as error:
        why = error if hook else SignatureError("no rule has such a path")
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "the call is not authorised", _CHALLENGE) from why
    if hook is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "the call is not authorised", _CHALLENGE)
    return hook


def _said(hook: Hook, call: Call) -> Event | Mapping[str, Any]:
    """Return the event that a call is, or what to answer one that only tries us out.

    Raises:
        WboxError: It cannot be used; whatever the preset could not read later is refused now.
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
