"""A stand-in for a bucket: it keeps objects, and lets nobody in whose signature it cannot make itself."""

import hashlib
import hmac
import re
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

KEY_ID, SECRET, REGION, NAME = "AKIDWBOXTEST", "canary-s3/Secret+4711", "eu-test-1", "my-bucket"
_XML = '<?xml version="1.0"?><{0}>{1}</{0}>'
_KEPT = ("content-type", "content-disposition", "cache-control")


class ObjectStore:
    """A bucket on this machine; ``refuse`` maps a method to the status and code of all its answers.

    Its clock is ``now``, or that of the machine where that is None. It answers while it is ``open``.
    """

    def __init__(self) -> None:
        self.now: float | None = None
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.parts: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.heard: list[str] = []
        self.refuse: dict[str, tuple[int, str]] = {}
        self.location = ""
        self.open = threading.Event()
        self.open.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answers", (_Answers,), {"store": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def settings(self) -> str:
        """The settings that lead here; they want a secret named ``bucket-key``."""
        return (
            f"media: {{bucket: {{name: {NAME}, endpoint: '{self.url}', region: {REGION}, "
            f"key_id: {KEY_ID}, secret: bucket-key}}}}\nsecrets: {{bucket-key: {{env: BUCKET_KEY}}}}\n"
        )


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: ObjectStore

    def log_message(self, *_args: object) -> None:
        pass

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.store.asked.append(f"{self.command}{' ' + '&'.join(query) if 'uploads' in query else ''}")
        self.store.heard.append(f"{self.path} {self.headers}")
        self.store.open.wait(30)
        refusal = self.store.refuse.get(self.command) or self._checked(parts.path, parts.query, body)
        if refusal:
            moved = {"Location": self.store.location + self.path} if self.store.location else {}
            self._answer(refusal[0], _XML.format("Error", f"<Code>{refusal[1]}</Code>").encode(), moved)
        else:
            getattr(self, f"_{self.command.lower()}")(parts.path, query, body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - http.server calls them so

    def _put(self, path: str, query: dict[str, str], body: bytes) -> None:
        if "partNumber" in query:
            self.store.parts[path] = self.store.parts.get(path, b"") + body
        else:
            headers = {name: self.headers[name] for name in _KEPT if name in self.headers}
            self.store.objects[path] = (body, headers)
        self._answer(200, headers={"ETag": f'"{hashlib.md5(body).hexdigest()}"'})

    def _post(self, path: str, query: dict[str, str], _body: bytes) -> None:
        if "uploads" in query:
            self.store.objects[path] = (b"", {name: self.headers[name] for name in _KEPT})
            self._answer(200, _XML.format("InitiateMultipartUploadResult", "<UploadId>1</UploadId>").encode())
        else:
            self.store.objects[path] = (self.store.parts.pop(path), self.store.objects[path][1])
            said = f"<Bucket>{NAME}</Bucket><Key>k</Key><ETag>e</ETag>"
            self._answer(200, _XML.format("CompleteMultipartUploadResult", said).encode())

    def _get(self, path: str, _query: dict[str, str], _body: bytes) -> None:
        if path in self.store.objects:
            content, headers = self.store.objects[path]
            dated = {"ETag": '"e"', "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT"}
            self._answer(200, content, {**dated, **headers})
        else:
            self._answer(404, _XML.format("Error", "<Code>NoSuchKey</Code>").encode())

    _head = _get

    def _delete(self, path: str, _query: dict[str, str], _body: bytes) -> None:
        self.store.objects.pop(path, None)
        self._answer(204)

    def _answer(self, status: int, content: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-type": "application/xml", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _checked(self, path: str, query: str, body: bytes) -> tuple[int, str] | None:
        """Return why a request is refused, by the rules of AWS Signature Version 4; None lets it pass."""
        asked = parse_qs(query)
        if signature := asked.get("X-Amz-Signature"):
            began = datetime.strptime(asked["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            now = time.time() if self.store.now is None else self.store.now
            age, span = now - began.timestamp(), int(asked["X-Amz-Expires"][0])
            if not 0 < span <= 604800 or not -900 < age < span:
                return 403, "AccessDenied"
            query = "&".join(pair for pair in query.split("&") if not pair.startswith("X-Amz-Signature"))
            made = self._signature(path, query, asked["X-Amz-Date"][0], ["host"], "UNSIGNED-PAYLOAD")
            return None if signature == [made] else (403, "SignatureDoesNotMatch")
        said = re.fullmatch(
            rf"AWS4-HMAC-SHA256 Credential={KEY_ID}/\S+, SignedHeaders=(\S+), Signature=(\w+)",
            self.headers.get("Authorization", ""),
        )
        if not said:
            return 403, "AccessDenied"
        if self.headers["x-amz-content-sha256"] != hashlib.sha256(body).hexdigest():
            return 400, "XAmzContentSHA256Mismatch"
        digest = self.headers["x-amz-content-sha256"]
        made = self._signature(path, query, self.headers["x-amz-date"], said[1].split(";"), digest)
        return None if said[2] == made else (403, "SignatureDoesNotMatch")

    def _signature(self, path: str, query: str, date: str, signed: list[str], digest: str) -> str:
        pairs = sorted(parse_qsl(query, keep_blank_values=True))
        lines: list[Any] = [self.command, path]
        lines.append("&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs))
        lines += [f"{name}:{' '.join(self.headers[name].split())}" for name in signed]
        lines += ["", ";".join(signed), digest]
        request = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        key, scope = f"AWS4{SECRET}".encode(), [date[:8], REGION, "s3", "aws4_request"]
        for step in scope:
            key = hmac.digest(key, step.encode(), "sha256")
        text = "\n".join(["AWS4-HMAC-SHA256", date, "/".join(scope), request])
        return hmac.digest(key, text.encode(), "sha256").hex()
