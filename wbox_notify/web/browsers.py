"""Pages in browsers: security headers, the check for calls from other sites, templates and language."""

import ipaddress
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Send

_OURS = {"same-origin", "none"}


def with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    """Return a ``send`` that adds headers to an answer which does not set them itself."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            found = MutableHeaders(scope=message)
            for name, value in headers.items():
                found.setdefault(name, value)
        await send(message)

    return sending


def page_templates(folder: Path) -> Environment:
    """Return the templates of pages in a folder: what is put in is escaped, and a name must be there."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def wants_turkish(accept_language: str) -> bool:
    """Return whether a browser ranks Turkish above English."""
    return _wish(accept_language, "tr") > _wish(accept_language, "en")


def _wish(accept_language: str, language: str) -> float:
    """Return how much a language is wanted, 0 if it is not."""
    weights = [0.0]
    for part in accept_language.lower().replace(" ", "").split(","):
        tag, _, weight = part.partition(";q=")
        if tag.partition("-")[0] == language:
            weights.append(_number(weight or "1"))
    return max(weights)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def foreign(headers: Headers, ours: Callable[[], Container[str]]) -> bool:
    """Return whether a browser sends this for a page that is not of this host, and ours.

    A browser sends ``Origin`` with each request that can change something, and most send ``Sec-Fetch-Site``
    where it matters; programs send neither. A page of another site may have the name of our host too, where
    its name leads to this machine (DNS rebinding): so the name must be one of ours, or an address.
    """
    sites, origins = headers.getlist("sec-fetch-site"), headers.getlist("origin")
    if set(sites) - _OURS or len(origins) > 1:
        return True
    return bool(origins) and not _same(origins[0], headers.get("host", ""), ours)


def _same(origin: str, host: str, ours: Callable[[], Container[str]]) -> bool:
    scheme, _, place = origin.lower().partition("://")
    try:
        name = urlsplit(f"//{place}").hostname or ""
    except ValueError:
        return False
    return scheme in {"http", "https"} and place == host.lower() and (name in ours() or _is_address(name))


def _is_address(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False
