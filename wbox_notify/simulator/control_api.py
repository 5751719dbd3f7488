"""The control API: read the ledger, set faults, link and unlink."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wbox_notify.errors import WboxError
from wbox_notify.simulator.chats import harmless
from wbox_notify.simulator.faults import Fault
from wbox_notify.simulator.requests import Json, checked_device, read_json
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
        """Give the ledger."""
        return Json({"messages": [accepted.entry() for accepted in self._world.accepted()]})

    async def clear(self, request: Request) -> Response:
        """Empty the ledger."""
        self._world.clear()
        return await self.messages(request)

    async def faults(self, _request: Request) -> Response:
        """Give the active faults."""
        return Json({"faults": self._world.faults()})

    async def add_fault(self, request: Request) -> Response:
        """Let a fault strike from now on."""
        try:
            self._world.add_fault(Fault.parse(await read_json(request)))
        except WboxError as error:
            raise HTTPException(400, str(error)) from None
        return await self.faults(request)

    async def clear_faults(self, request: Request) -> Response:
        """Answer properly again."""
        self._world.clear_faults()
        return await self.faults(request)

    async def media(self, request: Request) -> Response:
        """Say whether what media lead to is fetched; ``{"fetch": true}`` does it from now on."""
        if request.method == "POST":
            body = await read_json(request)
            fetching = body.get("fetch") if isinstance(body, dict) else None
            if not isinstance(fetching, bool):
                raise HTTPException(400, 'The body must be {"fetch": true} or {"fetch": false}.')
            self._world.fetching = fetching
        return Json({"fetch": self._world.fetching})

    async def content(self, request: Request) -> Response:
        """Give what was fetched for a message, by its number; a browser shows pictures and sound alone."""
        number = request.path_params["number"]
        found = next((one.fetched for one in self._world.accepted() if one.number == number), None)
        if found is None or not found.content:
            raise HTTPException(404, "Nothing was fetched for this message.")
        headers = {"content-security-policy": "sandbox; default-src 'none'", "cache-control": "no-store"}
        return Response(found.content, media_type=harmless(found.content_type), headers=headers)

    async def scan(self, request: Request) -> Response:
        """Link a device."""
        device_id = await _device(request)
        self._world.scan(device_id)
        return Json(self._world.status(device_id))

    async def unlink(self, request: Request) -> Response:
        """Take the phone away from a device."""
        device_id = await _device(request)
        self._world.unlink(device_id)
        return Json(self._world.status(device_id))


async def _device(request: Request) -> int:
    """Return the device that a body names; without a body it is the first."""
    body: Any = await read_json(request) if await request.body() else {}
    if not isinstance(body, dict):
        raise HTTPException(400, 'The body must be an object, such as {"device_id": 1}.')
    return checked_device(body.get("device_id", 1))
