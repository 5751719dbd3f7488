"""Refusals in the log and in the store: a few in full, the rest as a number, so that neither fills up."""

import asyncio
import ipaddress
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from wbox_notify.errors import StoreError, WboxError
from wbox_notify.model.deliveries import Decision, Plan
from wbox_notify.model.events import Event
from wbox_notify.model.redaction import redacted
from wbox_notify.web.requests import AGAIN

log = logging.getLogger(__name__)

Keep = Callable[[Event, Plan], object]
"""Begins to keep an event of which nothing follows."""

_LONGEST = 300
_LONGEST_PATH = 100


@dataclass(slots=True)
class _Window:
    """A span of time in which ``most`` calls are told of in full.

    Attributes:
        seconds: How long it is.
        most: How many calls are told of.
        over: When it ends.
        count: How many calls there were.
    """

    seconds: float
    most: int
    over: float = 0.0
    count: int = 0


class Refusals:
    """Tells of calls that were refused, each with whom it came from and why.

    The log gets at most ten lines a minute about each hook. The store, which keeps what it gets for the
    history, gets three events an hour about each hook and status. What is left out is told as a number when
    the time is over. What is no hook of ours shares one name, the empty one.
    """

    def __init__(
        self, keep: Keep = lambda _event, _plan: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._keep = keep
        self._clock = clock
        self._lines: dict[str, _Window] = {}
        self._events: dict[tuple[str, int], _Window] = {}

    def tell(self, hook: str, status: int, call: str, why: str) -> None:
        """Tell of a call, such as ``/hook/push from 10.0.0.7``, to a hook that was answered with a status."""
        self.sum_up()
        why = redacted(why)[:_LONGEST]
        if self._in_full(self._lines.setdefault(hook, _Window(60.0, 10))):
            log.warning("%s is refused with %d: %s", call, status, why)
        if self._in_full(self._events.setdefault((hook, status), _Window(3600.0, 3))):
            self._store(call, status, why)

    def tell_of_none(self, call: str, status: int) -> None:
        """Tell of what was no request that could be read, such as ``a request from 10.0.0.7``."""
        self.tell("", status, call, HTTPStatus(status).phrase.lower())

    def sum_up(self) -> None:
        """Say how many more calls there were in each span of time that is over."""
        now = self._clock()
        for hook in [hook for hook, window in self._lines.items() if window.over <= now]:
            window = self._lines.pop(hook)
            if window.count > window.most:
                log.warning("%d more calls like these were refused", window.count - window.most)
        for key in [key for key, window in self._events.items() if window.over <= now]:
            window = self._events.pop(key)
            if window.count > window.most:
                hook, status = key
                more = f"{window.count - window.most} more calls like these were refused within the hour"
                self._store(f"/hook/{hook}" if hook else "elsewhere", status, more)

    def _in_full(self, window: _Window) -> bool:
        """Count a call; return whether it is to be told of."""
        if not window.count:
            window.over = self._clock() + window.seconds
        window.count += 1
        if window.count == window.most + 1:
            with suppress(RuntimeError):  # no loop runs, as in a test: then the next call sums up
                asyncio.get_running_loop().call_later(window.seconds + 1, self.sum_up)
        return window.count <= window.most

    def _store(self, call: str, status: int, why: str) -> None:
        number = f"refused:{uuid.uuid4().hex}"
        data = {"call": redacted(call), "status": status}
        event = Event(id=number, type="refused", at=datetime.now(UTC), data=data)
        said = Decision(rule="-", stage="webhook", outcome="failed", detail=f"{status}, {why}")
        with suppress(StoreError):  # the log has said it
            self._keep(event, Plan(event_id=number, decisions=(said,)))


def address(client: tuple[str, int] | None) -> str:
    """Return from where a client calls; a proxy may say anything about that."""
    try:
        return str(ipaddress.ip_address(client[0] if client else ""))
    except ValueError:
        return "an unknown address"


def _answer(error: Exception) -> Response:
    """Return what a request is answered that was refused by raising."""
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)
    if isinstance(error, WboxError) and error.retry:
        return JSONResponse({"error": str(error)}, 503, AGAIN)
    if isinstance(error, WboxError):
        return JSONResponse({"error": str(error)}, 422)
    return Response(status_code=400)


def refusing(
    refusals: Refusals,
) -> Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]:
    """Return what answers the requests that are refused by raising, and tells of them.

    What is for our log alone is the cause of the error that is raised. Nothing is told of a page that is not
    there, which is no call that was lost, and of a command, which shows its answer itself.
    """

    async def refuse(request: Request, error: Exception) -> Response:
        answer = _answer(error)
        command = request.scope["path"].startswith("/-/") and answer.status_code != HTTPStatus.UNAUTHORIZED
        if answer.status_code != HTTPStatus.NOT_FOUND and not command:
            hook = getattr(request.state, "hook", "")
            refusals.tell(hook, answer.status_code, caller(request), _why(error))
        return answer

    return {HTTPException: refuse, WboxError: refuse, ClientDisconnect: refuse}


def caller(request: Request) -> str:
    """Return what was called and from where, without what lets anybody in: ``/hook/push from 10.0.0.7``."""
    path = request.scope["raw_path"].decode("ascii")[:_LONGEST_PATH]
    for signed in ("/ack/", "/m/"):
        if path.startswith(signed):
            path = f"{signed}…"
    return f"{path} from {address(request.scope['client'])}"


def _why(error: Exception) -> str:
    if isinstance(error, ClientDisconnect):
        return "the sender hung up before all of the body had come"
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return f"{error.detail}, which `limits.body` in the settings can change"
    return str(error.__cause__ or getattr(error, "detail", error))
