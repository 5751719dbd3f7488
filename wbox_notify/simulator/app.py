"""The whole application: the wbox API, the control API and the inbox page."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from wbox_notify.simulator.control_api import control
from wbox_notify.simulator.guard import Guard
from wbox_notify.simulator.inbox import inbox
from wbox_notify.simulator.requests import REFUSALS
from wbox_notify.simulator.wbox_api import api
from wbox_notify.simulator.world import World


def app(world: World, *, host: str = "127.0.0.1", api_key: str | None = None) -> Starlette:
    """Return the application over one world; its own pages answer to ``host`` and the local names only."""
    own = Starlette(
        routes=[*inbox(world), *control(world)],
        middleware=[Middleware(Guard, host=host)],
        exception_handlers=REFUSALS,
    )
    own.router.redirect_slashes = False
    return Starlette(routes=[Mount("/v1", api(world, api_key, host)), Mount("/", own)])
