"""The intake of webhooks: a call is verified, read and on disk before it is answered with 2xx."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from wbox_notify.errors import WboxError
from wbox_notify.model.events import Event
from wbox_notify.triggers.webhook.bodies import KindError
from wbox_notify.triggers.webhook.hooks import Hook, verified
from wbox_notify.triggers.webhook.presets import is_ping
from wbox_notify.triggers.webhook.signatures import Call, SignatureError
from wbox_notify.web.browsers import PageHosts, is_from_other_site
from wbox_notify.web.refusals import REFUSED, Refusals
from wbox_notify.web.requests import Accept, Batches, BodyMemory, Limits, read_shared, store_deadline

_BODIES = 4
_PARSED_AT_ONCE = 1 << 20
_THREADS = 8
_SMALL = 4 * 1024
"""A body of so few bytes is parsed in less than a millisecond; to hand it to a thread would take as long."""

_IN_A_PATH = "/@:!$&'()*+,;="
_ORIGIN = re.compile(r"[\w.:*-]{1,255}", re.ASCII)
_METHODS = {"POST", "PUT"}
_ALLOW = {"Allow": "POST, PUT"}
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="wbox_notify", charset="UTF-8"'}
"""Asks for a password, which Amazon SNS, wget and others send only when they are asked for it."""

HookOf = Callable[[str], Hook | None]
"""Returns the hook that is served now at exactly this path."""


HOOKS = "/hook/"
"""What the paths of all hooks begin with."""


class Hooks:
    """The ASGI application of all hooks: calls on their way to the disk, without the layers of pages.

    Pages of ``page_hosts`` alone may call a hook without a secret.
    """

    def __init__(
        self, hook_of: HookOf, accept: Accept, limits: Limits, page_hosts: PageHosts, refusals: Refusals
    ) -> None:
        self._hook_of = hook_of
        self._batches = Batches(accept)
        self._limits = limits
        self._page_hosts = page_hosts
        self._refusals = refusals
        # Callers without the secret cannot take the memory of those who have shown it.
        self._unproven = BodyMemory(_BODIES * limits.body)
        self._proven = BodyMemory(_BODIES * limits.body)
        self._parsing = _ParsingBudget(_PARSED_AT_ONCE)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="hook")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""
        try:
            response = await self._answer(scope, receive)
        except REFUSED as error:
            response = self._refusals.refuse(Request(scope), error)
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        if scope["method"] in _METHODS:
            return await self._receive(scope, receive)
        if scope["method"] == "OPTIONS":
            return _handshake(Headers(scope=scope))
        raise HTTPException(405, headers=_ALLOW)

    async def _receive(self, scope: Scope, receive: Receive) -> Response:
        """Answer 202 for a new event and 200 for one that is known, once it is on disk."""
        head = _head(scope)
        hook = self._hook(scope["path"].removeprefix(HOOKS), head.path)
        proven = None
        if hook:
            scope["state"]["hook"] = hook.path
            hosts = self._page_hosts
            if not hook.scheme and is_from_other_site(Headers(scope=scope), hosts, hosts.public_origin):
                raise HTTPException(403, "this hook does not accept calls from pages of other web sites")
            proven = hook.head_is_proven(head, time.time())
        memory = self._proven if proven else self._unproven
        with memory.reservation() as reservation:
            # Without the secret the body is only read to its end, or the caller could not read the refusal.
            keep = proven is not False
            body = await read_shared(scope, receive, self._limits, reservation, keep=keep)
            return await self._store(hook, replace(head, body=body))

    def _hook(self, path: str, raw_path: str) -> Hook | None:
        """Return the hook of a path that is written as its rule writes it; one slash may follow."""
        hook = self._hook_of(path) or self._hook_of(path.removesuffix("/"))
        if hook is None:
            return None
        written = quote(f"/hook/{hook.path}", safe=_IN_A_PATH)
        if raw_path.removesuffix("/") != written.removesuffix("/"):
            return None
        return hook

    async def _store(self, hook: Hook | None, call: Call) -> Response:
        """Return the answer to a call, once its event is on disk."""
        async with store_deadline(), self._parsing.slot(len(call.body)):
            if len(call.body) <= _SMALL and not (hook and hook.id):
                event = _event(hook, call)
            else:
                loop = asyncio.get_running_loop()
                event = await loop.run_in_executor(self._threads, _event, hook, call)
            if isinstance(event, Response):
                return event
            is_new = await self._batches.store(event)
        if hook and hook.preset.silent:
            return Response(status_code=200)
        if is_new:
            return JSONResponse({"id": event.id}, 202)
        return JSONResponse({"id": event.id, "duplicate": True})


class _ParsingBudget:
    """Bodies that are parsed at once: many small ones, together not larger than ``size``, or one large one.

    A value of JSON takes up to 25 times the memory of its text, until it is on disk.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._queue = asyncio.Lock()
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def slot(self, size: int) -> AsyncIterator[None]:
        """Wait for a slot of so many bytes; first come, first served, or large bodies would wait for ever."""
        size = min(size, self._size)
        async with self._queue:
            while self._used + size > self._size:
                self._freed.clear()
                await self._freed.wait()
            self._used += size
        try:
            yield
        finally:
            self._used -= size
            self._freed.set()


def _handshake(headers: Headers) -> Response:
    """Allow a sender to call, as CloudEvents asks before it does; the calls must prove themselves."""
    origin = headers.get("webhook-request-origin", "")
    if not _ORIGIN.fullmatch(origin):
        raise HTTPException(405, headers=_ALLOW)
    allowed = {**_ALLOW, "WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"}
    return Response(status_code=200, headers=allowed)


def _head(scope: Scope) -> Call:
    """Return the call without its body."""
    head = Call(
        method=scope["method"],
        path=scope["raw_path"].decode("ascii"),
        query=scope["query_string"],
        headers=tuple(scope["headers"]),
        body=b"",
    )
    if {encoding.strip().lower() for encoding in head.values(b"content-encoding")} - {b"identity", b""}:
        raise HTTPException(415, "send the body without Content-Encoding")
    return head


def _event(hook: Hook | None, call: Call) -> Event | Response:
    """Return the event that a call is, or the answer to one that only tests the hook."""
    if hook and is_ping(call, hook.scheme):
        return Response(status_code=200)
    try:
        event = verified(hook, call, time.time()).event(call)
    except SignatureError as error:  # its text is for our log alone
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "the call is not authorised", _CHALLENGE) from error
    except KindError as error:
        raise HTTPException(415, str(error)) from None
    except WboxError as error:
        raise HTTPException(400, str(error)) from None
    if isinstance(event, Event):
        return event
    return JSONResponse(event)
