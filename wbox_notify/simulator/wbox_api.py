"""The wbox API as its document describes it, and nothing else."""

import base64
import hmac
import io
import re
from collections.abc import Callable, Mapping
from http.client import responses
from typing import Any

import segno
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wbox_notify.simulator.faults import Fault
from wbox_notify.simulator.requests import REFUSALS, Cut, Json, own_names, pause, read_json, refusal, value_at
from wbox_notify.simulator.world import Accepted, Exchange, World
from wbox_notify.web.browsers import is_from_other_site

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "text": ("phone", "message"),
    "media": ("phone", "media_url"),
    "event": ("phone", "event", "event.title"),
    "poll": ("phone", "message", "options"),
}
_OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "text": ("device_id",),
    "media": ("message", "device_id"),
    "event": ("event.description", "event.startDate", "device_id"),
    "poll": ("device_id",),
}
_KINDS = tuple(_NEEDED)
_FEWEST_OPTIONS = 2
_HIGHEST_DEVICE = 2**31 - 1
_MISSING = "Missing required parameters ({})."
_MESSAGES = {
    200: "The message could not be sent.",
    401: "Invalid or missing API Key.",
    503: "WhatsApp client not ready (Scan QR code).",
}


def api(world: World, api_key: str | None, host: str) -> Starlette:
    """Return the application under ``/v1``; any key that starts with ``sk_`` is good unless one is given.

    Pages of any site may call it, as the document's examples for a browser do.
    """
    endpoints = _Api(world, api_key, host)
    routes = [Route(f"/send/{kind}", endpoints.send, methods=["POST"]) for kind in _KINDS]
    routes += [
        Route("/session/status", endpoints.status, methods=["GET"]),
        Route("/session/start", endpoints.start, methods=["POST"]),
        Route("/session/qr", endpoints.qr, methods=["GET"]),
    ]
    cors = Middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
    )
    app = Starlette(routes=routes, middleware=[cors], exception_handlers=REFUSALS)
    app.router.redirect_slashes = False
    return app


class _Api:
    """The endpoints over one world."""

    def __init__(self, world: World, api_key: str | None, host: str) -> None:
        self._world = world
        self._key = api_key
        self._names = own_names(host)

    async def send(self, request: Request) -> Response:
        """Take a message, and remember the request whatever its answer."""
        endpoint, body = request.url.path, None
        try:
            self._authorise(request)
            body = await read_json(request)
            response = await self._accept(request, endpoint, body)
        except HTTPException as error:
            response = refusal(error.status_code, error.detail)
        status = None if isinstance(response, Cut) else response.status_code
        self._world.note(Exchange(endpoint, body, status, bytes(response.body).decode()))
        return response

    async def status(self, request: Request) -> Response:
        """Return whether a device is linked."""
        self._authorise(request)
        return Json(self._world.status(_query_device(request, default=1)))

    async def start(self, request: Request) -> Response:
        """Make a new QR code for a device that is not linked."""
        self._authorise(request)
        body = await read_json(request)
        device_id = checked_device(value_at(body, "device_id"))
        message = "The device is linked already."
        if self._world.start(device_id):
            message = "Session started. Scan the QR code."
        return Json({"success": True, "message": message, "device_id": device_id})

    async def qr(self, request: Request) -> Response:
        """Return the QR code of a device as a picture, or as a data address in JSON."""
        self._authorise(request)
        device_id = _query_device(request)
        form = request.query_params.get("format", "raw")
        if form not in {"raw", "base64"}:
            raise HTTPException(400, "Invalid parameter: format must be base64 or raw.")
        text = self._world.qr(device_id)
        if text is None:
            linked = self._world.linked(device_id)
            why = "is linked" if linked else "has no session (POST /v1/session/start first)"
            raise HTTPException(404, f"No QR code: device {device_id} {why}.")
        if form == "raw":
            return Response(png(text), media_type="image/png", headers={"cache-control": "no-store"})
        return Json({"success": True, "qr_base64": data_address(text)})

    def _authorise(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        key = key.strip()
        if self._key is None:
            good = key.startswith("sk_") and key != "sk_"
        else:
            good = hmac.compare_digest(key.encode(), self._key.encode())
        if scheme.lower() != "bearer" or not good:
            raise HTTPException(401, _MESSAGES[401])

    async def _accept(self, request: Request, endpoint: str, body: Any) -> Response:
        _check(endpoint.rpartition("/")[2], body)
        device_id = body.get("device_id") or 1
        if not self._world.linked(device_id):
            raise HTTPException(503, _MESSAGES[503])
        delay, fault = self._world.strike()
        if fault and fault.refuses:
            await pause(self._world, delay)
            return _refusal(fault)
        answered = 200 if not delay and fault is None else None
        key = request.headers.get("idempotency-key")
        accepted = self._world.accept(Accepted(endpoint, device_id, body, key, answered))
        if delay:
            await pause(self._world, delay)
            if await request.is_disconnected():
                return Cut()
        if fault:
            return Cut()
        self._world.answer(accepted, 200)
        return self._success(request, accepted)

    def _success(self, request: Request, accepted: Accepted) -> Response:
        """Return the answer to an accepted message, after which its media are fetched."""
        body = accepted.body
        answer = {"success": True, "message": "Message sent successfully", "to": body["phone"]}
        if not self._world.fetching or "media_url" not in body:
            return Json(answer)
        for_page = is_from_other_site(request.headers, self._names)
        return Json(answer, background=BackgroundTask(self._world.fetch, accepted, for_page=for_page))


def png(text: str) -> bytes:
    """Return a QR code as a PNG picture."""
    picture = io.BytesIO()
    segno.make(text, error="m", micro=False).save(picture, kind="png", scale=8, border=4)
    return picture.getvalue()


def data_address(text: str) -> str:
    """Return a QR code as a ``data:`` address that an ``<img>`` can show."""
    return "data:image/png;base64," + base64.b64encode(png(text)).decode("ascii")


def _refusal(fault: Fault) -> Response:
    status = fault.status or 200
    message = fault.message or _MESSAGES.get(status) or responses.get(status, f"Error {status}")
    headers: dict[str, str] = {}
    if fault.retry_after is not None:
        headers["retry-after"] = str(fault.retry_after)
    return refusal(status, message, headers)


def _query_device(request: Request, default: int | None = None) -> int:
    text = request.query_params.get("device_id")
    if text and re.fullmatch("[0-9]{1,10}", text):
        return checked_device(int(text))
    return checked_device(text or default)


def checked_device(value: Any) -> int:
    """Return a device_id that is one.

    Raises:
        HTTPException: 400 if it is missing or wrong.
    """
    if value is None:
        raise HTTPException(400, _MISSING.format("device_id"))
    if not _is_device(value):
        raise HTTPException(400, _invalid("device_id"))
    return int(value)


def _check(kind: str, body: Any) -> None:
    """Raise the 400 that a wrong body of ``/v1/send/<kind>`` gets."""
    problems = []
    missing = [path for path in _NEEDED[kind] if _is_absent(value_at(body, path))]
    if missing:
        problems.append(_MISSING.format(", ".join(missing)))
    for path in (*_NEEDED[kind], *_OPTIONAL[kind]):
        value = value_at(body, path)
        _, is_right = _TYPES.get(path, _TEXT)
        if path not in missing and value is not None and not is_right(value):
            problems.append(_invalid(path))
    if problems:
        raise HTTPException(400, " ".join(problems))


def _invalid(path: str) -> str:
    wanted, _ = _TYPES.get(path, _TEXT)
    return f"Invalid parameter: {path} must be {wanted}."


def _is_absent(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_device(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _HIGHEST_DEVICE


def _are_options(value: Any) -> bool:
    if not isinstance(value, list) or len(value) < _FEWEST_OPTIONS:
        return False
    return all(_is_text(text) and text.strip() for text in value)


_TEXT: tuple[str, Callable[[Any], bool]] = ("a string", _is_text)
_TYPES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "event": ("an object", _is_object),
    "options": ("an array of at least 2 strings", _are_options),
    "device_id": ("an integer, 1 or higher", _is_device),
}
