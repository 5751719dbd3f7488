"""Refused calls: their answers, and reports in the log and in the store that fill neither."""

import asyncio
import ipaddress
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from wbox_notify.errors import WboxError
from wbox_notify.model.deliveries import Decision, Plan
from wbox_notify.model.events import Event
from wbox_notify.model.redaction import redacted
from wbox_notify.model.texts import Wording, problem_of, worded
from wbox_notify.web.requests import RETRY_SOON

log = logging.getLogger(__name__)

Keep = Callable[[Event, Plan], Future[Any] | None]
"""Begins to store an event from which nothing follows."""

Handlers = Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]
"""What answers an exception, by its type."""

REFUSED = (HTTPException, WboxError, ClientDisconnect)
"""What a request is refused by raising."""

_MAX_REASON = 300
_MAX_PATH = 100
_Key = TypeVar("_Key")


class _Windows(Generic[_Key]):
    """Time windows, each with a limit to the calls of one key that are reported in full."""

    def __init__(self, seconds: float, limit: int, clock: Callable[[], float]) -> None:
        self.seconds = seconds
        self._limit = limit
        self._clock = clock
        self._ends: dict[_Key, float] = {}
        self._calls: dict[_Key, int] = {}

    def count(self, key: _Key) -> int:
        """Count a call; return how many are not reported so far: 0 where this one is to be."""
        self._ends.setdefault(key, self._clock() + self.seconds)
        self._calls[key] = self._calls.get(key, 0) + 1
        return max(self._calls[key] - self._limit, 0)

    def pop_ended(self) -> dict[_Key, int]:
        """Remove the windows that are over; return the number of calls that were not reported, by key."""
        now = self._clock()
        not_reported = {}
        for key in [key for key, end in self._ends.items() if end <= now]:
            del self._ends[key]
            not_reported[key] = self._calls.pop(key) - self._limit
        return {key: number for key, number in not_reported.items() if number > 0}


class Refusals:
    """Reports calls that were refused, each with its client and the reason.

    The log gets at most ten lines a minute about each hook. The store, which keeps events for the history,
    gets three events an hour about each hook and status. The number of the others is reported when the time
    is over. Calls to paths that are no hook share one name, the empty one.
    """

    def __init__(
        self, keep: Keep = lambda _event, _plan: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._keep = keep
        self._lines = _Windows[str](60.0, 10, clock)
        self._events = _Windows[tuple[str, int]](3600.0, 3, clock)

    def report(self, hook: str, status: int, call: str, reason: str) -> None:
        """Report a call to a hook, such as ``/hook/push from 10.0.0.7``, that was answered with a status."""
        self.report_others()
        safe = redacted(reason)[:_MAX_REASON]
        reason = reason if reason == safe else safe
        if self._is_reported(self._lines, hook):
            log.warning("%s is refused with %d: %s", call, status, reason)
        if self._is_reported(self._events, (hook, status)):
            self._store(call, status, reason)

    def refuse(self, request: Request, error: Exception) -> Response:
        """Return the answer to a request that is refused by raising one of ``REFUSED``, and report it.

        What only our log may say is the cause of the error. Not reported are pages that do not exist, as no
        call was lost, and our own commands, which show the answer to their user.
        """
        response = _response(error)
        status = response.status_code
        own_command = request.scope["path"].startswith("/-/") and status != HTTPStatus.UNAUTHORIZED
        if status != HTTPStatus.NOT_FOUND and not own_command:
            self.report_request(request, status, _reason(error))
        return response

    def report_request(self, request: Request, status: int, reason: str) -> None:
        """Report a request that was answered with a status."""
        self.report(getattr(request.state, "hook", ""), status, _call(request), reason)

    def report_unreadable(self, client: tuple[str, int] | None, status: int) -> None:
        """Report bytes from a client that were no request."""
        self.report("", status, f"a request from {_address(client)}", HTTPStatus(status).phrase.lower())

    def report_others(self) -> None:
        """Report how many other calls there were in each window that is over."""
        for number in self._lines.pop_ended().values():
            log.warning("%d more calls like these were refused", number)
        for (hook, status), number in self._events.pop_ended().items():
            call = f"/hook/{hook}" if hook else "elsewhere"
            self._store(call, status, f"{number} more calls like these were refused within the hour")

    def _is_reported(self, windows: _Windows[_Key], key: _Key) -> bool:
        """Return whether to report a call in full; the first that is not has the others reported in time."""
        not_reported = windows.count(key)
        if not_reported == 1:
            with suppress(RuntimeError):  # no loop runs, as in a test: then the next call reports them
                asyncio.get_running_loop().call_later(windows.seconds + 1, self.report_others)
        return not_reported == 0

    def _store(self, call: str, status: int, reason: str) -> None:
        event_id = f"refused:{uuid.uuid4().hex}"
        data = {"call": redacted(call), "status": status}
        event = Event(id=event_id, type="refused", at=datetime.now(UTC), data=data)
        detail = Wording("{status}, {reason}", status=status, reason=worded(reason))
        decision = Decision(rule="-", stage="webhook", outcome="failed", detail=detail)
        if kept := self._keep(event, Plan(event_id=event_id, decisions=(decision,))):
            kept.add_done_callback(_tell_if_lost)


def _tell_if_lost(kept: Future[Any]) -> None:
    if error := kept.exception():
        log.warning("a refused call is not in the history: %s", error)


def refusal_handlers(refusals: Refusals) -> Handlers:
    """Return the handlers that answer requests which are refused by raising, and report them."""

    async def refuse(request: Request, error: Exception) -> Response:
        return refusals.refuse(request, error)

    return dict.fromkeys(REFUSED, refuse)


def _response(error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)
    if isinstance(error, WboxError) and error.retry:
        return JSONResponse({"error": str(error)}, 503, RETRY_SOON)
    if isinstance(error, WboxError):
        return JSONResponse({"error": str(error)}, 422)
    return Response(status_code=400)


def _reason(error: Exception) -> str:
    if isinstance(error, ClientDisconnect):
        return "the sender closed the connection before the whole body had arrived"
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Wording("{problem}; `limits.body` in the settings sets the limit", problem=error.detail)
    cause = error.__cause__ or error
    return problem_of(cause) if isinstance(cause, WboxError) else getattr(cause, "detail", str(cause))


def _call(request: Request) -> str:
    """Return the path and the client, without the token of a link: ``/hook/push from 10.0.0.7``."""
    path = request.scope["raw_path"].decode("ascii")[:_MAX_PATH]
    for signed in ("/ack/", "/m/", "/login/"):
        if path.startswith(signed):
            path = f"{signed}…"
    return f"{path} from {_address(request.scope['client'])}"


def _address(client: tuple[str, int] | None) -> str:
    """Return the address of a client; a proxy may put any text in its place."""
    try:
        return str(ipaddress.ip_address(client[0] if client else ""))
    except ValueError:
        return "an unknown address"
