"""Logging in and out."""

from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from wbox_notify.model.texts import Wording
from wbox_notify.web.console.console import Console
from wbox_notify.web.console.door import field, inside

_LARGEST_FORM = 16 * 1024


def routes(console: Console) -> list[Route]:
    """Return the routes of the login and of the logout."""
    entrance = _Entrance(console)
    return [
        console.outside("/login", entrance.show),
        console.outside("/login", entrance.log_in, ["POST"]),
        console.outside("/login/{token}", entrance.follow),
        console.post("/logout", entrance.leave),
    ]


class _Entrance:
    """What the door is asked for."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._door = console.door

    def show(self, request: Request) -> Response:
        """Ask for the password, or say how one gets in without one."""
        if request.state.session:
            return RedirectResponse("/", 303)
        return self._page(request, request.query_params.get("to", ""))

    async def log_in(self, request: Request) -> Response:
        """Let in who knows the password."""
        form = await self._console.form(request, _LARGEST_FORM)
        to = field(form, "to")
        if wait := self._door.wait(request):
            text = Wording("too many attempts: wait a moment")
            raise HTTPException(429, text, {"Retry-After": f"{wait + 1:.0f}"})
        cookie = await self._door.enter(request, field(form, "password"))
        if cookie is None:
            self._console.report(request, 401, "a wrong password for the console")
            return await run_in_threadpool(partial(self._page, request, to, 401, wrong=True))
        response = RedirectResponse(inside(to), 303)
        self._door.give(request, response, cookie)
        return response

    def follow(self, request: Request) -> Response:
        """Let in who has a login link that nobody has used."""
        if request.method == "HEAD":
            return Response()  # of a program that looks whether there is a page
        cookie = self._door.follow(request.path_params["token"])
        if cookie is None:
            return self._page(request, "", 403, used=True)
        # From here on the browser comes from a page of ours, and so sends the cookie.
        response = self._console.page(request, "again.html", {"to": "/"})
        self._door.give(request, response, cookie)
        return response

    def leave(self, request: Request) -> Response:
        """End the session."""
        response = RedirectResponse("/login", 303)
        self._door.leave(request, response)
        return response

    def _page(self, request: Request, to: str, status: int = 200, **more: bool) -> Response:
        has_password = bool(self._door.password)
        model: dict[str, Any] = {
            "has_password": has_password,
            "to": inside(to),
            "wrong": False,
            "used": False,
        }
        return self._console.page(request, "login.html", model | more, status)
