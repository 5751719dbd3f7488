"""Origins: whether a request comes from a page of another web site, as browsers tell."""

import ipaddress
from collections.abc import Callable, Container
from urllib.parse import urlsplit

from starlette.datastructures import Headers

_OURS = {"same-origin", "none"}


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
