"""The door of the console: who may come from where, how one logs in, and what a form must prove."""

import asyncio
import ipaddress
import logging
import time
from collections.abc import Mapping
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from wbox_notify.config import private
from wbox_notify.config.passwords import matches
from wbox_notify.web.browsers import PageHosts, host_name, is_address
from wbox_notify.web.console.attempts import Attempts
from wbox_notify.web.console.sessions import LIFETIME, Session, Sessions

log = logging.getLogger(__name__)

_BURST, _PAUSE = 5, 12.0
_BURST_IN_ALL, _PAUSE_IN_ALL = 30, 1.0


class Door:
    """Lets in who comes from this machine, and from elsewhere who knows the password, if there is one.

    Attributes:
        hosts: The names at which we answer.
        link: Returns the path of a new login link.
    """

    def __init__(self, password_file: Path, hosts: PageHosts) -> None:
        self._password_file = password_file
        self._warned = ""
        self.hosts = hosts
        self._sessions = Sessions()
        self._by_client = Attempts[str](_BURST, _PAUSE, time.monotonic)
        self._in_all = Attempts[None](_BURST_IN_ALL, _PAUSE_IN_ALL, time.monotonic)
        self._known: set[str] = set()
        self._one_hash_at_once = asyncio.Lock()
        self.link = self._sessions.link

    @property
    def password(self) -> bytes:
        """What is kept of the password; empty where none is set."""
        try:
            return private.read(self._password_file)
        except FileNotFoundError:
            return b""
        except (OSError, private.ForeignError) as error:
            if str(error) != self._warned:
                log.warning("the console has no password, since its file cannot be used: %s", error)
            self._warned = str(error)
            return b""

    def is_open_to(self, request: Request) -> bool:
        """Return whether the console answers this client at this name at all."""
        host = request.client.host if request.client else ""
        is_near = is_address(host) and ipaddress.ip_address(host).is_loopback
        if is_near and host_name(request.headers.get("host", "")) in self.hosts.own:
            return True
        return bool(self.password)

    def session(self, request: Request) -> Session | None:
        """Return the session of a request, if it has one."""
        cookie = request.cookies.get(_cookie_name(request))
        return self._sessions.find(cookie, self.password) if cookie else None

    def wait(self, request: Request) -> float:
        """Return after how many seconds this client may try a password: 0 for now, and then this is a try."""
        network = _network(request)
        wait = self._by_client.wait(network)
        if network not in self._known:
            wait = max(wait, self._in_all.wait(None))
        if not wait:
            self._by_client.count(network)
            self._in_all.count(None)
        return wait

    async def enter(self, request: Request, password: str) -> str | None:
        """Return the cookie of a new session if the password is right; else None."""
        kept = self.password
        async with self._one_hash_at_once:  # each takes 32 MiB
            is_right = await run_in_threadpool(matches, kept, password)
        if not (kept and is_right):
            return None
        # Where strangers guess from many networks at once, the people of ours must still get in.
        self._known.add(_network(request))
        return self._sessions.begin(kept)

    def follow(self, token: str) -> str | None:
        """Return the cookie of a new session for a login link that has not been used; else None."""
        return self._sessions.follow(token, self.password)

    def give(self, request: Request, response: Response, cookie: str) -> None:
        """Let a browser keep the cookie of its session."""
        response.set_cookie(
            _cookie_name(request),
            cookie,
            max_age=LIFETIME,
            httponly=True,
            samesite="strict",
            secure="https" in {request.url.scheme, request.headers.get("origin", "").partition(":")[0]},
        )

    def leave(self, request: Request, response: Response) -> None:
        """End the session of a request."""
        name = _cookie_name(request)
        self._sessions.end(request.cookies.get(name, ""))
        response.delete_cookie(name, httponly=True, samesite="strict")


def _cookie_name(request: Request) -> str:
    """Return a name with the port, since a browser sends the cookies of one host to all of its ports."""
    port = request.headers.get("host", "").rpartition(":")[2]
    return f"wbox_notify_{port}" if port.isdecimal() else "wbox_notify"


def _network(request: Request) -> str:
    """Return the address of a client; of IPv6 the network, in which it can choose any address."""
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return ""
    if address.version == 6 and address.ipv4_mapped:  # noqa: PLR2004 - of IP
        return str(address.ipv4_mapped)
    if address.version == 6:  # noqa: PLR2004 - of IP
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def field(form: Mapping[str, list[str]], name: str) -> str:
    """Return the first value of a field of a form; empty where there is none."""
    return form.get(name, [""])[0]


def inside(path: str) -> str:
    """Return a path of the console; the first page where it would lead elsewhere."""
    is_inside = path.startswith("/") and not path.startswith(("//", "/\\", "/login", "/logout"))
    return path if is_inside and path.isprintable() else "/"
