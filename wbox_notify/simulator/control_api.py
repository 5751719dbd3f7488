"""The control API: the ledger, faults, media and devices."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wbox_notify.errors import WboxError
from wbox_notify.simulator.faults import Fault
from wbox_notify.simulator.fetching import harmless
from wbox_notify.simulator.requests import Json, read_json, value_at
from wbox_notify.simulator.wbox_api import checked_device
from wbox_notify.simulator.world import World


def control(world: World) -> list[Route]:
    """Return the routes under ``/sim`` that tests and the inbox page use."""
    endpoints = _Control(world)
    return [
        Route("/sim/messages", endpoints.messages, methods=["GET"]),
        Route("/sim/messages", endpoints.clear, methods=["DELETE"]),
        Route("/sim/faults", endpoints.faults, methods=["GET"]),
        Route("/sim/faults", endpoints.add_fault, methods=["POST"]),
        Route("/sim/faults", endpoints.clear_faults, methods=["DELETE"]),
        Route("/sim/media", endpoints.media, methods=["GET", "POST"]),
        Route("/sim/media/{number:int}", endpoints.content, methods=["GET"]),
        Route("/sim/scan", endpoints.scan, methods=["POST"]),
        Route("/sim/unlink", endpoints.unlink, methods=["POST"]),
    ]


class _Control:
    """The endpoints over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def messages(self, _request: Request) -> Response:
        """Return the ledger."""
        return Json({"messages": [accepted.entry() for accepted in self._world.accepted()]})

    async def clear(self, request: Request) -> Response:
        """Empty the ledger."""
        self._world.clear()
        return await self.messages(request)

    async def faults(self, _request: Request) -> Response:
        """Return the active faults."""
        return Json({"faults": self._world.faults()})

    async def add_fault(self, request: Request) -> Response:
        """Add a fault."""
        try:
            self._world.add_fault(Fault.parse(await read_json(request)))
        except WboxError as error:
            raise HTTPException(400, str(error)) from None
        return await self.faults(request)

    async def clear_faults(self, request: Request) -> Response:
        """Remove all faults."""
        self._world.clear_faults()
        return await self.faults(request)

    async def media(self, request: Request) -> Response:
        """Return whether media are fetched; ``{"fetch": true}`` turns it on."""
        if request.method == "POST":
            fetching = value_at(await read_json(request), "fetch")
            if not isinstance(fetching, bool):
                raise HTTPException(400, 'The body must be {"fetch": true} or {"fetch": false}.')
            self._world.fetching = fetching
        return Json({"fetch": self._world.fetching})

    async def content(self, request: Request) -> Response:
        """Return the media fetched for a message, by its number; a browser shows only pictures and sound."""
        number = request.path_params["number"]
        for accepted in self._world.accepted():
            media = accepted.fetched
            if accepted.number == number and media and media.content:
                headers = {
                    "content-security-policy": "sandbox; default-src 'none'",
                    "cache-control": "no-store",
                }
                return Response(media.content, media_type=harmless(media.content_type), headers=headers)
        raise HTTPException(404, "Nothing was fetched for this message.")

    async def scan(self, request: Request) -> Response:
        """Link a device."""
        device_id = await _device(request)
        self._world.scan(device_id)
        return Json(self._world.status(device_id))

    async def unlink(self, request: Request) -> Response:
        """Unlink a device."""
        device_id = await _device(request)
        self._world.unlink(device_id)
        return Json(self._world.status(device_id))


async def _device(request: Request) -> int:
    """Return the device that a body names; without a body the first."""
    body: Any = await read_json(request, empty=b"{}")
    if not isinstance(body, dict):
        raise HTTPException(400, 'The body must be an object, such as {"device_id": 1}.')
    return checked_device(body.get("device_id", 1))
