"""The intake of webhooks: a call is verified, read and on disk before it is answered with 2xx."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Template
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from wbox_notify.errors import StoreError, WboxError
from wbox_notify.model.events import Event
from wbox_notify.model.texts import Wording, problem_of
from wbox_notify.triggers.webhook.bodies import KindError
from wbox_notify.triggers.webhook.hooks import Hook, verified
from wbox_notify.triggers.webhook.presets import is_ping
from wbox_notify.triggers.webhook.signatures import Call, SignatureError
from wbox_notify.web.browsers import PageHosts, is_from_other_site, page_templates, wanted_language
from wbox_notify.web.refusals import REFUSED, Refusals
from wbox_notify.web.requests import (
    NOT_STORED,
    STORE_TIMEOUT,
    UNSTORED,
    Accept,
    Batches,
    BodyMemory,
    Limits,
    read_shared,
    reason,
)

_PAGES = Path(__file__).with_name("pages")
_BODIES = 4
_PARSED_AT_ONCE = 1 << 20
_THREADS = 8
_SMALL = 4 * 1024
"""A body of so few bytes is parsed in less than a millisecond; to hand it to a thread would take as long."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_IN_A_PATH = "/@:!$&'()*+,;="
_ORIGIN = re.compile(r"[\w.:*-]{1,255}", re.ASCII)
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="wbox_notify", charset="UTF-8"'}
"""Asks for a password, which Amazon SNS, wget and others send only when they are asked for it."""

_OF_OTHERS = Wording(
    "this hook does not accept calls from pages of other web sites, unless its rule names them in `cors`"
)

_UNPROVEN = Wording("the call is not authorised")
_NOT_THIS_WAY = Wording("Method Not Allowed")

HookOf = Callable[[str], Hook | None]
"""Returns the hook that is served now at exactly this path."""


HOOKS = "/hook/"
"""What the paths of all hooks begin with."""


class Hooks:
    """The ASGI application of all hooks: calls on their way to the disk, without the layers of pages.

    Pages of ``page_hosts``, and of the sites that its rule names, alone may call a hook without a secret.
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
        hook = self._hook(scope["path"].removeprefix(HOOKS), scope["raw_path"].decode("ascii"))
        headers = Headers(scope=scope)
        try:
            response = await self._answer(hook, headers, scope, receive)
        except REFUSED as error:
            response = self._refusals.refuse(Request(scope), error)
            if "text/html" in headers.get("accept", ""):
                response = _refusal_page(headers.get("accept-language", ""), error, response)
        if hook and hook.origins:
            response.headers.update(_sharing(hook, headers))
        await response(scope, receive, send)

    async def _answer(self, hook: Hook | None, headers: Headers, scope: Scope, receive: Receive) -> Response:
        if scope["method"] == "OPTIONS":
            if hook and "access-control-request-method" in headers and _is_shared(hook, headers):
                return Response(status_code=204, headers=_preflight(hook))
            if _ORIGIN.fullmatch(headers.get("webhook-request-origin", "")):
                return _handshake(headers)
        return await self._receive(hook, headers, scope, receive)

    async def _receive(self, hook: Hook | None, headers: Headers, scope: Scope, receive: Receive) -> Response:
        """Answer 202 for a new event and 200 for one that is known, once it is on disk."""
        head = _head(scope)
        proven = None
        if hook:
            scope["state"]["hook"] = hook.path
            self._check_page(hook, headers)
            proven = hook.head_is_proven(head, time.time())
        memory = self._proven if proven else self._unproven
        with memory.reservation() as reservation:
            # Without the secret the body is only read to its end, or the caller could not read the refusal.
            keep = proven is not False
            body = await read_shared(scope, receive, self._limits, reservation, keep=keep)
            return await self._store(hook, replace(head, body=body))

    def _check_page(self, hook: Hook, headers: Headers) -> None:
        """Refuse a page of another site that calls a hook without a secret, unless the rule names it."""
        if hook.scheme or _is_shared(hook, headers):
            return
        if is_from_other_site(headers, self._page_hosts, self._page_hosts.public_origin):
            raise HTTPException(403, _OF_OTHERS)

    def _hook(self, path: str, raw_path: str) -> Hook | None:
        """Return the hook of a path that is written as its rule writes it; one slash may follow."""
        hook = self._hook_of(path) or self._hook_of(path.removesuffix("/"))
        if hook is None:
            return None
        if raw_path.removesuffix("/") != _written(hook.path):
            return None
        return hook

    async def _store(self, hook: Hook | None, call: Call) -> Response:
        """Return the answer to a call, once its event is on disk."""
        size = len(call.body)
        is_quick = size <= _SMALL and not (hook and hook.id) and self._parsing.take(size)
        try:
            if is_quick:
                response = await self._keep(hook, call, _event(hook, call))
            else:
                async with asyncio.timeout(STORE_TIMEOUT):
                    response = await self._store_large(hook, call)
        except UNSTORED as error:
            raise StoreError(NOT_STORED) from reason(error)
        finally:
            if is_quick:
                self._parsing.give_back(size)
        return response

    async def _store_large(self, hook: Hook | None, call: Call) -> Response:
        """Store a call that is parsed in a thread, or waits for its turn to be."""
        size = len(call.body)
        await self._parsing.wait(size)
        try:
            loop = asyncio.get_running_loop()
            event = await loop.run_in_executor(self._threads, _event, hook, call)
            return await self._keep(hook, call, event)
        finally:
            self._parsing.give_back(size)

    async def _keep(self, hook: Hook | None, call: Call, event: Event | Response) -> Response:
        """Return the answer to a call that is this event, once that is on disk."""
        if isinstance(event, Response):
            return event
        is_new = await self._batches.store(event)
        answer = _answer_to_caller(hook, call)
        if answer:
            return answer
        if is_new:
            return _taken({"id": event.id}, 202)
        return _taken({"id": event.id, "duplicate": True}, 200)


@lru_cache(1000)
def _written(path: str) -> str:
    """Return the path of a hook as callers write it, without a slash at its end."""
    return quote(f"/hook/{path}", safe=_IN_A_PATH).removesuffix("/")


def _taken(answer: Mapping[str, Any], status: int) -> Response:
    """Return an answer in JSON, for which Starlette makes an encoder each time."""
    return Response(_ENCODER.encode(answer), status, media_type="application/json")


class _ParsingBudget:
    """Bodies that are parsed at once: many small ones, together not larger than ``size``, or one large one.

    A value of JSON takes up to 25 times the memory of its text, until it is on disk.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._queue = asyncio.Lock()
        self._freed = asyncio.Event()

    def take(self, size: int) -> bool:
        """Take room for so many bytes, to be given back; False where there is none, or others wait."""
        if self._queue.locked() or self._used + size > self._size:
            return False
        self._used += size
        return True

    async def wait(self, size: int) -> None:
        """Take room once there is some; first come, first served, or large bodies would wait for ever."""
        size = min(size, self._size)
        async with self._queue:
            while self._used + size > self._size:
                self._freed.clear()
                await self._freed.wait()
            self._used += size

    def give_back(self, size: int) -> None:
        """Free the room for others."""
        self._used -= min(size, self._size)
        self._freed.set()


def _is_shared(hook: Hook, headers: Headers) -> bool:
    """Return whether a page that the hook's rule names sends this call."""
    origins = headers.getlist("origin")
    return len(origins) == 1 and origins[0] in hook.origins


def _sharing(hook: Hook, headers: Headers) -> dict[str, str]:
    """Return the headers of an answer that let a page read it, if the hook's rule names the page."""
    if not _is_shared(hook, headers):
        return {"Vary": "Origin"}
    return {"Vary": "Origin", "Access-Control-Allow-Origin": headers["origin"]}


def _preflight(hook: Hook) -> dict[str, str]:
    """Return what a browser wants to know before it lets a page call."""
    return {
        "Access-Control-Allow-Methods": ", ".join(hook.methods),
        "Access-Control-Allow-Headers": "*, Authorization",  # which the star does not name
        "Access-Control-Max-Age": "600",
    }


def _answer_to_caller(hook: Hook | None, call: Call) -> Response | None:
    """Return the answer of a hook whose caller wants nothing of ours; None where it wants the id."""
    if hook and hook.preset.silent:
        return Response(status_code=200)
    # A browser asks for HTML where the answer takes the place of its page, as after a form; scripts do not.
    if hook and hook.redirect and any(b"text/html" in value for value in call.values(b"accept")):
        return RedirectResponse(hook.redirect, 303)
    return None


def _refusal_page(accept_language: str, error: Exception, refusal: Response) -> Response:
    """Return a refusal for a browser, which shows it to the visitor of a form in place of the next page."""
    reason = error.detail if isinstance(error, HTTPException) else str(error)
    page = _page(wanted_language(accept_language)).render(reason=reason)
    headers = {name: value for name, value in refusal.headers.items() if not name.startswith("content-")}
    return HTMLResponse(page, refusal.status_code, {**headers, "vary": "accept, accept-language"})


@cache
def _page(lang: str) -> Template:
    return page_templates(_PAGES, lang).get_template("refused.html")


def _handshake(headers: Headers) -> Response:
    """Allow a sender to call, as CloudEvents asks before it does; the calls must prove themselves."""
    allowed = {"WebHook-Allowed-Origin": headers["webhook-request-origin"], "WebHook-Allowed-Rate": "*"}
    return Response(status_code=200, headers={"Allow": "POST, PUT", **allowed})


def _head(scope: Scope) -> Call:
    """Return the call without its body."""
    head = Call(
        method=scope["method"],
        path=scope["raw_path"].decode("ascii"),
        query=scope["query_string"],
        headers=tuple(scope["headers"]),
        body=b"",
    )
    if any(one.strip().lower() not in {b"identity", b""} for one in head.values(b"content-encoding")):
        raise HTTPException(415, Wording("send the body without Content-Encoding"))
    return head


def _event(hook: Hook | None, call: Call) -> Event | Response:
    """Return the event that a call is, or the answer to one that only tests the hook."""
    if hook and is_ping(call, hook.scheme):
        return Response(status_code=200)
    try:
        hook = verified(hook, call, time.time())
        _check_method(hook, call.method)
        if call.method == "HEAD":
            return Response(status_code=200)
        event = hook.event(call)
    except SignatureError as error:  # its text is for our log alone
        raise HTTPException(HTTPStatus.UNAUTHORIZED, _UNPROVEN, _CHALLENGE) from error
    except KindError as error:
        raise HTTPException(415, problem_of(error)) from None
    except WboxError as error:
        raise HTTPException(400, problem_of(error)) from None
    if isinstance(event, Event):
        return event
    return JSONResponse(event)


def _check_method(hook: Hook, method: str) -> None:
    """Refuse a method that the rule of a hook does not name; only who may call it is told so."""
    methods = [*hook.methods, *(["HEAD"] if "GET" in hook.methods else [])]
    if method not in methods:
        raise HTTPException(405, _NOT_THIS_WAY, headers={"Allow": ", ".join(methods)})
