"""The console: pages on which people see what goes out, and why something did not."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from wbox_notify.web.console import (
    about,
    activity,
    device,
    entrance,
    overview,
    people,
    queue,
    rules,
)
from wbox_notify.web.console.console import Console
from wbox_notify.web.console.door import Door

__all__ = ["Console", "Door", "console_routes"]

_HERE = Path(__file__).parent
_FILES = ("console.css", "console.js", "icon.svg")
_PAGES = (
    overview,
    activity,
    rules,
    queue,
    device,
    people,
    about,
    entrance,
)


def console_routes(console: Console) -> list[Route]:
    """Return the routes of all pages, and of the files that they share."""
    files = [Route(f"/console/{name}", _file) for name in _FILES]
    return [*files, *(route for page in _PAGES for route in page.routes(console))]


async def _file(request: Request) -> Response:
    name = request.url.path.rpartition("/")[2]
    return FileResponse(_HERE / name, headers={"cache-control": "no-cache"})
