"""Addresses: who can open one: the world, this network alone or this machine alone."""

import ipaddress
import re
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

# One reading of an address, which leaves no two programs a choice: nothing that one of them decodes, turns
# into another letter, or takes for the end of the host.
_PLAIN = re.compile(
    r"https?://(?P<host>[a-z0-9_.-]{1,253}|\[(?=.{0,45}\])[0-9a-f.]*:[0-9a-f:.]+\])(?::[0-9]{1,5})?(?:[/?#][^\s\\\x00-\x1f\x7f]*)?",
    re.IGNORECASE | re.ASCII,
)
_ENDS_IN_A_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.ASCII)
_WORLD = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is given to anybody."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def check_public(url: str, api_url: str) -> None:
    """Refuse an address that wbox cannot reach; one on this machine it can where it is on it itself.

    No name is looked up: what one stands for may change before wbox asks.

    Raises:
        MessageError: nobody outside of this network can fetch it, or it can be read in two ways.
    """
    if not host_of(url):
        hint = "write it as https://example.com/a.jpg: no user, no `%` in the host, no `\\`, xn--… for ü"
        raise MessageError("url", "programs may read this address in different ways", hint=hint)
    if is_inside(url) and not is_loopback(api_url):
        hint = "wbox fetches media from a public address; `file:` sends a file of this machine"
        raise MessageError("url", "nobody outside of your network can fetch this", hint=hint)


def is_inside(url: str) -> bool:
    """Return whether an address is of this machine or of a private network, or can be read in two ways."""
    host = host_of(url)
    if _ENDS_IN_A_NUMBER.fullmatch(host) or ":" in host:
        ip = _ip(host)
        return ip is None or not _is_of_the_world(ip)
    return "." not in host or host.endswith(_INSIDE)


def is_loopback(url: str) -> bool:
    """Return whether an address is of this machine alone, by its number or as ``localhost``."""
    return is_loopback_host(host_of(url))


def is_loopback_host(host: str) -> bool:
    """Return whether a host is this machine, by its number or as ``localhost``."""
    ip = _ip(host)
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip
    return ip.is_loopback if ip else host == "localhost" or host.endswith(".localhost")


def is_in_the_clear(url: str) -> bool:
    """Return whether others on the way could read what is sent to an address: no TLS, another machine."""
    return url.lower().startswith("http:") and not is_loopback(url)


def host_of(url: str) -> str:
    """Return the host of an address in small letters; nothing where two programs may find two of them."""
    found = _PLAIN.fullmatch(url)
    host = found["host"].lower().strip("[]") if found else ""
    try:
        same = (urlsplit(url).hostname or "") == host
    except ValueError:
        return ""
    return host.removesuffix(".") if same and ".." not in host and not host.startswith(".") else ""


def _ip(host: str) -> _Ip | None:
    """Return the number that a host is, however it is written (``127.1``, ``0x7f000001``), or None."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host)) if _ENDS_IN_A_NUMBER.fullmatch(host) else None
    except OSError:
        return None


def _is_of_the_world(ip: _Ip) -> bool:
    """Return whether a number is everybody's, also of an IPv4 address in the clothes of an IPv6 one."""
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if inner:
            return _is_of_the_world(inner)
        if ip not in _WORLD or int(ip) >> 32 & 0xFDFF_FFFF == 0x5EFE:  # noqa: PLR2004 - ISATAP, for one site
            return False
    return ip.is_global and not ip.is_multicast
