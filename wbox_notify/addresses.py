"""Addresses: who can open one: the world, this network alone or this machine alone."""

import ipaddress
import socket
from urllib.parse import urlsplit

from wbox_notify.errors import MessageError

_INSIDE = (
    ".localhost",
    ".local",
    ".internal",
    ".intranet",
    ".lan",
    ".home",
    ".home.arpa",
    ".test",
    ".invalid",
)

_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_public(url: str, api_url: str) -> None:
    """Refuse an address that wbox can not reach; one on this machine it can where it is on it itself.

    No name is looked up: what one stands for may change before wbox asks.

    Raises:
        MessageError: nobody outside of this network can fetch it.
    """
    if is_inside(url) and not is_loopback(api_url):
        hint = "wbox fetches media from a public address; `file:` sends a file of this machine"
        raise MessageError("url", "nobody outside of your network can fetch this", hint=hint)


def is_inside(url: str) -> bool:
    """Return whether an address is of this machine or of a private network."""
    host = _host(url)
    ip = _ip(host)
    if ip is None:
        return "." not in host or host.endswith(_INSIDE)
    return not ip.is_global or ip.is_multicast


def is_loopback(url: str) -> bool:
    """Return whether an address is of this machine alone, by its number or as ``localhost``."""
    return is_loopback_host(_host(url))


def is_loopback_host(host: str) -> bool:
    """Return whether a host is this machine, by its number or as ``localhost``."""
    ip = _ip(host)
    return ip.is_loopback if ip else host == "localhost" or host.endswith(".localhost")


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def _ip(host: str) -> _Ip | None:
    """Return the number that a host is, however it is written (``127.1``, ``0x7f000001``), or None."""
    try:
        ip: _Ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host)) if host.isascii() else None
        except (OSError, ValueError):
            return None
    # An IPv4 address in the clothes of an IPv6 one goes where that one goes.
    return (ip.ipv4_mapped or ip.sixtofour or ip) if isinstance(ip, ipaddress.IPv6Address) else ip
