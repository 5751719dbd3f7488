"""Addresses: whether the world, only this network or only this machine can open one."""

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

# An address that all programs read alike: with nothing that some of them decode, turn into another letter,
# or take for the end of the host.
_PLAIN = re.compile(
    r"https?://(?P<host>[a-z0-9_.-]{1,253}|\[(?=.{0,45}\])[0-9a-f.]*:[0-9a-f:.]+\])(?::[0-9]{1,5})?(?:[/?#][^\s\\\x00-\x1f\x7f]*)?",
    re.IGNORECASE | re.ASCII,
)
_ENDS_IN_A_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.ASCII)
_WORLD = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is allocated."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def check_public(url: str, api_url: str) -> None:
    """Refuse an address that wbox cannot reach; an address on this machine is reachable if wbox is on it.

    No name is looked up: its address may change before wbox fetches it.

    Raises:
        MessageError: it cannot be fetched from outside of this network, or can be read in two ways.
    """
    if not host_of(url):
        hint = "write it as https://example.com/a.jpg: no user, no `%` in the host, no `\\`, xn--… for ü"
        raise MessageError("url", "programs may read this address in different ways", hint=hint)
    if is_inside(url) and not is_loopback(api_url):
        hint = "wbox fetches media from a public address; `file:` sends a file of this machine"
        raise MessageError("url", "this cannot be fetched from outside of your network", hint=hint)


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
    if ip:
        return ip.is_loopback
    return host == "localhost" or host.endswith(".localhost")


def is_in_the_clear(url: str) -> bool:
    """Return whether others on the way could read what is sent to an address: no TLS, another machine."""
    return url.lower().startswith("http:") and not is_loopback(url)


def host_of(url: str) -> str:
    """Return the host of an address in small letters; nothing where two programs may find different ones."""
    match = _PLAIN.fullmatch(url)
    if match is None:
        return ""
    host = match["host"].lower().strip("[]")
    try:
        same = (urlsplit(url).hostname or "") == host
    except ValueError:
        return ""
    if not same or ".." in host or host.startswith("."):
        return ""
    return host.removesuffix(".")


def _ip(host: str) -> _Ip | None:
    """Return the number that a host is, however it is written (``127.1``, ``0x7f000001``), or None."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    if not _ENDS_IN_A_NUMBER.fullmatch(host):
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _is_of_the_world(ip: _Ip) -> bool:
    """Return whether an address is global; of an IPv6 address that embeds an IPv4 one, judge that."""
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if inner:
            return _is_of_the_world(inner)
        if ip not in _WORLD or int(ip) >> 32 & 0xFDFF_FFFF == 0x5EFE:  # noqa: PLR2004 - ISATAP, for one site
            return False
    return ip.is_global and not ip.is_multicast
