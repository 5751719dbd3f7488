"""Who is logged in: sessions, and the one-time links that begin them. They end with the daemon."""

import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

LIFETIME = 7 * 86400
"""How long a session lasts, in seconds."""

_LINK_LIFETIME = 900.0
_MOST_SESSIONS = 200
_MOST_LINKS = 20


@dataclass(slots=True)
class Session:
    """A browser that is logged in.

    Attributes:
        ends: When it is logged out.
        password: What was kept of the password when it came in; a new password ends all sessions.
        csrf: The field that each of its forms must send.
        notice: What the next page tells it, once.
    """

    ends: float
    password: bytes
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    notice: str = ""

    def take_notice(self) -> str:
        """Return the notice, which is told once."""
        notice, self.notice = self.notice, ""
        return notice

    def sent(self, csrf: str) -> bool:
        """Return whether a form was made for this session."""
        return hmac.compare_digest(self.csrf.encode(), csrf.encode("utf-8", "replace"))


class Sessions:
    """The sessions and the login links of a daemon; of both only digests are kept."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[bytes, Session] = {}
        self._links: dict[bytes, float] = {}

    def link(self) -> str:
        """Return the path of a link that logs in one browser, once and for 15 minutes."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            while len(self._links) >= _MOST_LINKS:
                del self._links[next(iter(self._links))]
            self._links[_digest(token)] = self._clock() + _LINK_LIFETIME
        return f"/login/{token}"

    def follow(self, token: str, password: bytes) -> str | None:
        """Return the cookie of a new session for the token of a link, which is used up; else None."""
        with self._lock:
            ends = self._links.pop(_digest(token), 0.0)
        return self.begin(password) if ends > self._clock() else None

    def begin(self, password: bytes) -> str:
        """Return the cookie of a new session."""
        now, cookie = self._clock(), secrets.token_urlsafe(32)
        with self._lock:
            for key in [key for key, session in self._sessions.items() if session.ends <= now]:
                del self._sessions[key]
            while len(self._sessions) >= _MOST_SESSIONS:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[_digest(cookie)] = Session(now + LIFETIME, password)
        return cookie

    def find(self, cookie: str, password: bytes) -> Session | None:
        """Return the session of a cookie, if it goes on."""
        session = self._sessions.get(_digest(cookie))
        if session is None or session.ends <= self._clock() or session.password != password:
            return None
        return session

    def end(self, cookie: str) -> None:
        """End the session of a cookie."""
        with self._lock:
            self._sessions.pop(_digest(cookie), None)


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "replace")).digest()
