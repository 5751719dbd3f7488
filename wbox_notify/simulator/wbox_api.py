"""The wbox API: what the document says, and nothing else."""

import base64
import hmac
import io
import re
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

from wbox_notify.simulator.checks import KINDS, problem
from wbox_notify.simulator.faults import Fault
from wbox_notify.simulator.guard import of_another_site
from wbox_notify.simulator.requests import REFUSALS, Cut, Json, checked_device, pause, read_json, refusal
from wbox_notify.simulator.world import Accepted, Exchange, World

_WORDS = {
    200: "The message could not be sent.",
    401: "Invalid or missing API Key.",
    503: "WhatsApp client not ready (Scan QR code).",
}


def api(world: World, api_key: str | None, host: str) -> Starlette:
    """Return what stands under ``/v1``; any key that starts with ``sk_`` is good unless one is given.

    Pages of any site may call it, as the document's examples for a browser do.
    """
    endpoints = _Api(world, api_key, host)
    routes = [Route(f"/send/{kind}", endpoints.send, methods=["POST"]) for kind in KINDS]
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
        self._host = host.lower()

    async def send(self, request: Request) -> Response:
        """Take a message, and remember the request whatever came of it."""
        endpoint, body = request.url.path, None
        try:
            self._authorise(request)
            body = await read_json(request)
            answer = await self._accept(request, endpoint, body)
        except HTTPException as error:
            answer = refusal(error.status_code, error.detail)
        status = None if isinstance(answer, Cut) else answer.status_code
        self._world.note(Exchange(endpoint, body, status, bytes(answer.body).decode()))
        return answer

    async def status(self, request: Request) -> Response:
        """Say whether a device is linked."""
        self._authorise(request)
        return Json(self._world.status(_asked_device(request, default=1)))

    async def start(self, request: Request) -> Response:
        """Show a fresh QR code for a device that is not linked."""
        self._authorise(request)
        body = await read_json(request)
        device_id = checked_device(body.get("device_id") if isinstance(body, dict) else None)
        waits = self._world.start(device_id)
        words = "Session started. Scan the QR code." if waits else "The device is linked already."
        return Json({"success": True, "message": words, "device_id": device_id})

    async def qr(self, request: Request) -> Response:
        """Show the QR code of a device as a picture, or as a data address in JSON."""
        self._authorise(request)
        device_id = _asked_device(request)
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
            raise HTTPException(401, _WORDS[401])

    async def _accept(self, request: Request, endpoint: str, body: Any) -> Response:
        if wrong := problem(endpoint.rpartition("/")[2], body):
            raise HTTPException(400, wrong)
        device_id = body.get("device_id") or 1
        if not self._world.linked(device_id):
            raise HTTPException(503, _WORDS[503])
        delay, fault = self._world.strike()
        if fault and fault.refuses:
            await pause(self._world, delay)
            return _refusal(fault)
        key = request.headers.get("idempotency-key")
        at_once = None if delay or fault else 200
        accepted = self._world.accept(Accepted(endpoint, device_id, body, key, at_once))
        if delay:
            await pause(self._world, delay)
        if fault or (delay and await request.is_disconnected()):
            return Cut()
        self._world.answer(accepted, 200)
        said = {"success": True, "message": "Message sent successfully", "to": body["phone"]}
        if not self._world.fetching or "media_url" not in body:
            return Json(said)
        page = of_another_site(request.headers, self._host)
        return Json(said, background=BackgroundTask(self._world.fetch, accepted, for_page=page))


def png(text: str) -> bytes:
    """Return a QR code as a PNG picture."""
    picture = io.BytesIO()
    segno.make(text, error="m", micro=False).save(picture, kind="png", scale=8, border=4)
    return picture.getvalue()


def data_address(text: str) -> str:
    """Return a QR code as a ``data:`` address that an ``<img>`` can show."""
    return "data:image/png;base64," + base64.b64encode(png(text)).decode("ascii")


def _asked_device(request: Request, default: int | None = None) -> int:
    asked = request.query_params.get("device_id")
    if asked and re.fullmatch("[0-9]{1,10}", asked):
        return checked_device(int(asked))
    return checked_device(asked or default)


def _refusal(fault: Fault) -> Response:
    status = fault.status or 200
    words = fault.message or _WORDS.get(status) or responses.get(status, f"Error {status}")
    wait = None if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
    return refusal(status, words, wait)
