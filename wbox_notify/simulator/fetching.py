"""The media that a message links to, fetched from this machine and from nowhere else."""

import http.client
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import SplitResult, urlsplit

_WITHIN = 10.0
_PIECE = 64 * 1024
_LARGEST = 128 << 20
_KEPT = 20 << 20
"""The largest content that is kept, to be shown; of a larger one only size and SHA-256 are."""
_PICTURES = {"image/jpeg", "image/png", "image/gif", "image/webp"}


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer of an address: status, type, size, SHA-256 and content; or why there is none."""

    error: str | None = None
    status: int | None = None
    content_type: str = ""
    size: int = 0
    sha256: str = ""
    content: bytes = b""

    def entry(self) -> dict[str, Any]:
        """Return the answer as a part of the ledger, in JSON values."""
        if self.error is not None:
            return {"error": self.error}
        facts = ("status", "content_type", "size", "sha256")
        return {name: getattr(self, name) for name in facts}


def fetch(url: str) -> Fetched:
    """Fetch an address of this machine, without following redirects."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        here = parts.scheme == "http" and (host == "localhost" or ipaddress.ip_address(host).is_loopback)
    except ValueError:
        here = False
    if not here:
        return Fetched("not fetched: it is not on this machine")
    if host == "localhost":  # no name is looked up
        host = "127.0.0.1"
    return _get(host, port, parts)


def _get(host: str, port: int | None, parts: SplitResult) -> Fetched:
    path = parts.path or "/"
    if parts.query:
        path += f"?{parts.query}"
    connection = http.client.HTTPConnection(host, port, timeout=_WITHIN)
    try:
        connection.request("GET", path, headers={"Host": parts.netloc})
        return _read(connection.getresponse())
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Fetched(f"not fetched: {str(error) or type(error).__name__}")
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse) -> Fetched:
    digest, size, content = sha256(), 0, bytearray()
    for piece in _pieces(response):
        digest.update(piece)
        size += len(piece)
        if size > _LARGEST:
            return Fetched(f"not fetched: it is larger than {_LARGEST >> 20} MiB")
        if size <= _KEPT:
            content += piece
    if size > _KEPT:
        content.clear()
    content_type = response.headers.get("Content-Type", "")
    return Fetched(None, response.status, content_type, size, digest.hexdigest(), bytes(content))


def _pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while piece := response.read(_PIECE):
        yield piece


def harmless(content_type: str) -> str:
    """Return a media type if a browser runs nothing in it, else one that a browser only saves."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _PICTURES or kind.startswith(("video/", "audio/")):
        return kind
    return "application/octet-stream"
