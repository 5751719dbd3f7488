"""Fetching: what a media message leads to, where that is on this machine; nothing else is ever asked."""

import http.client
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

_WITHIN = 10.0
_PIECE = 64 * 1024
_LARGEST = 128 << 20
_KEPT = 20 << 20
"""How many bytes of one message are kept to be shown; what is larger is only weighed."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an address gave: its status, type, size and SHA-256, and the bytes; or why it gave nothing."""

    error: str | None = None
    status: int | None = None
    content_type: str = ""
    size: int = 0
    sha256: str = ""
    content: bytes = b""

    def entry(self) -> dict[str, Any]:
        """Return it as a part of the ledger, in JSON values."""
        if self.error is not None:
            return {"error": self.error}
        facts = ("status", "content_type", "size", "sha256")
        return {name: getattr(self, name) for name in facts}


def fetch(url: str) -> Fetched:
    """Return what an address on this machine gives, without following where it may lead on."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not _is_here(host) or parts.scheme != "http":
        return Fetched("not fetched: it is not on this machine")
    connection = http.client.HTTPConnection(
        "127.0.0.1" if host == "localhost" else host, port, timeout=_WITHIN
    )
    try:
        query = f"?{parts.query}" if parts.query else ""
        connection.request("GET", f"{parts.path or '/'}{query}", headers={"Host": parts.netloc})
        return _taken(connection.getresponse())
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Fetched(f"not fetched: {str(error) or type(error).__name__}")
    finally:
        connection.close()


def _taken(answer: http.client.HTTPResponse) -> Fetched:
    digest, size, content = sha256(), 0, bytearray()
    for piece in _pieces(answer):
        digest.update(piece)
        size += len(piece)
        if size > _LARGEST:
            return Fetched(f"not fetched: it is larger than {_LARGEST >> 20} MiB")
        if size <= _KEPT:
            content += piece
    kept = bytes(content) if size <= _KEPT else b""
    kind = answer.headers.get("Content-Type", "")
    return Fetched(None, answer.status, kind, size, digest.hexdigest(), kept)


def _pieces(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    while piece := answer.read(_PIECE):
        yield piece


def _is_here(host: str) -> bool:
    """Return whether a host is this machine, by its number or as ``localhost``: no name is looked up."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
