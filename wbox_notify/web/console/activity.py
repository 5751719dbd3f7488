"""The pages about what happened: the newest events, what became of one, and the stream of changes."""

from starlette.routing import Route

from wbox_notify.web.console.console import Console


def routes(console: Console) -> list[Route]:
    """Return the routes of the pages and of the stream."""
    return [Route("/activity/stream", console.inside(console.changes.stream), methods=["GET"])]
