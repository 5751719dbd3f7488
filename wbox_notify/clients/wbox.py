"""The wbox HTTP API: its seven endpoints, and what an answer means."""

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import responses
from typing import Any
from urllib.parse import urlsplit

from wbox_notify import __version__
from wbox_notify.clients.transport import Reply, Silence, Transport, is_address
from wbox_notify.errors import ConfigError, Exit, WboxError
from wbox_notify.model.messages import WhatsAppMessage
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.model.phones import masked
from wbox_notify.model.redaction import Redaction
from wbox_notify.model.texts import Wording

log = logging.getLogger(__name__)

ENDPOINTS: Mapping[str, str] = {
    "text": "/v1/send/text",
    "media": "/v1/send/media",
    "event": "/v1/send/event",
    "poll": "/v1/send/poll",
}
"""The path that sends each kind of message."""

_LONGEST_WAIT = 3600.0
_DAY = 86400.0
_LONGEST_KEY = 255
_LONGEST_DETAIL = 300
_SLOW = 1.0  # seconds: a 503 that took longer may come from behind, after the message was taken

_BY_STATUS = {
    401: Outcome.UNAUTHORIZED,
    403: Outcome.UNAUTHORIZED,
    408: Outcome.UNKNOWN,
    # A proxy answers these for the message itself, which will be as long the next time.
    413: Outcome.REFUSED,
    414: Outcome.REFUSED,
    429: Outcome.LIMITED,
    431: Outcome.REFUSED,
}
_RETRY = {Outcome.NOT_SENT, Outcome.UNKNOWN, Outcome.LIMITED, Outcome.NOT_READY}
_EXIT_CODES = {
    Outcome.UNAUTHORIZED: Exit.KEY_REFUSED,
    Outcome.NOT_SENT: Exit.UNREACHABLE,
    Outcome.UNKNOWN: Exit.UNREACHABLE,
    Outcome.NOT_READY: Exit.NOT_YET,
}
_HINTS = {
    Outcome.UNAUTHORIZED: Wording("copy the API key again from wbox: Settings, API Access"),
    Outcome.NOT_SENT: Wording("check the address of wbox and the network"),
    Outcome.NOT_READY: Wording("link the device: wbox-notify pair"),
}
_NOT_READY = re.compile(r"not[\W_]*ready|(?<![a-z0-9])qr(?:code)?(?![a-z0-9])", re.IGNORECASE)
_PROXY = re.compile(r"nginx|cloudflare|openresty|varnish|haproxy|envoy|traefik|caddy|apache", re.IGNORECASE)
_LINK = re.compile(r"(/m/)[a-z2-7]{40,}|((?i:X-Amz-))[^\s\"'<>]+")
"""The link of a file that we lend to wbox: anybody who has it can fetch the file."""
_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)
PNG = b"\x89PNG\r\n\x1a\n"
"""The first bytes of each PNG image."""


class ApiError(WboxError):
    """A call of the session API that failed; ``answer`` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.detail, hint=_HINTS.get(answer.outcome))
        self.answer = answer
        self.retry = answer.outcome in _RETRY
        self.exit_code = _EXIT_CODES.get(answer.outcome, Exit.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStatus:
    """The state of a device's WhatsApp session.

    Attributes:
        device_id: The device, if wbox names it or it was asked for.
        ready: Whether messages can be sent; True only where wbox says so.
        state: wbox's own word, such as ``INITIALIZED``.
        status: wbox's own word, such as ``connected``.
        qr: What a phone has to scan while the device is not linked; whoever has it can read the messages.
    """

    device_id: int | None
    ready: bool
    state: str | None
    status: str | None
    qr: str | None = field(repr=False)


class Client:
    """The wbox HTTP API with one key; it is used by one thread at a time.

    Args:
        url: The address of the server, ``https://server.wbox.me``; a path may follow.
        api_key: The key from wbox's settings.
        connect: Seconds to wait for a connection.
        deadline: Seconds after which a call ends, whatever happens.

    Raises:
        ConfigError: for an address or a key that cannot be used; it never shows the key.
    """

    def __init__(self, url: str, api_key: str, *, connect: float = 3.0, deadline: float = 15.0) -> None:
        base = _checked_url(url)
        self._redaction = Redaction()
        self._redaction.learn(_checked_key(api_key))
        headers = {"Authorization": f"Bearer {api_key}", "User-Agent": f"wbox-notify/{__version__}"}
        self._transport = Transport(base, headers, connect=connect, deadline=deadline)

    def send(self, message: WhatsAppMessage, *, idempotency_key: str | None = None) -> Answer:
        """Hand a message to wbox (``POST /v1/send/…``) and return what came of it; a failure is no exception.

        Args:
            message: What to send; its kind picks the endpoint.
            idempotency_key: Sent as ``Idempotency-Key``, the same for each attempt at one delivery; where no
                header can hold it, its ``sha256:`` stands for it.
        """
        headers = {}
        if idempotency_key:
            headers["Idempotency-Key"] = _header(idempotency_key)
        try:
            reply = self._call("POST", ENDPOINTS[message.kind], json=message.body(), headers=headers)
            body = self._object(reply)
        except ApiError as error:
            return error.answer
        if body.get("success") is not True:
            return self._answer(Outcome.UNKNOWN, _quote(body, "the answer does not say success"), reply)
        stray = _stray(body, message.phone)
        if stray:
            log.warning("a message to %s was sent%s", masked(message.phone), stray)
        return self._answer(Outcome.SENT, _quote(body, "sent") + stray, reply)

    def session_status(self, device_id: int | None = None) -> SessionStatus:
        """Return the state of a session (``GET /v1/session/status``), by default of the first device.

        Raises:
            ApiError: when wbox gave no state.
        """
        body = self._object(self._call("GET", "/v1/session/status", params={"device_id": device_id}))
        if type(body.get("device_id")) is int:
            device_id = body["device_id"]
        return SessionStatus(
            device_id=device_id,
            ready=body.get("isReady") is True,
            state=self._word(body.get("state")),
            status=self._word(body.get("status")),
            qr=_text(body.get("qr")),
        )

    def session_start(self, device_id: int) -> Mapping[str, Any]:
        """Start a device's session so that it makes a QR code (``POST /v1/session/start``).

        Returns:
            The JSON object that wbox answered; its fields are not documented.

        Raises:
            ApiError: when wbox did not start it.
        """
        return self._object(self._call("POST", "/v1/session/start", json={"device_id": device_id}))

    def session_qr(self, device_id: int) -> str | bytes:
        """Return the QR code to scan as wbox wrote it (``GET /v1/session/qr``).

        That is a data URL as a rule, or the Base64 alone, the text in the code, or a PNG image.

        Raises:
            ApiError: when wbox gave no code, such as for a device that is linked.
        """
        params = {"device_id": device_id, "format": "base64"}
        reply = self._call("GET", "/v1/session/qr", params=params)
        if reply.body.startswith(PNG):
            return reply.body
        body = self._object(reply)
        code = _text(body.get("qr_base64"))
        if code is None:
            raise self._error(Outcome.UNKNOWN, _quote(body, "the answer holds no QR code"), reply)
        return code

    def close(self) -> None:
        """Close the connection to wbox."""
        self._transport.close()

    def _call(self, method: str, path: str, **parts: Mapping[str, Any] | None) -> Reply:
        """Return an answer of success whose body could be read; raise ApiError for all else."""
        reply = self._transport.exchange(method, path, **parts)
        if isinstance(reply, Silence):
            raise self._error(reply.outcome, reply.reason, reply)
        if not HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
            raise self._error(_judge(reply), _explain(reply), reply)
        if reply.flaw:
            raise self._error(Outcome.UNKNOWN, reply.flaw, reply)
        return reply

    def _object(self, reply: Reply) -> dict[str, Any]:
        body = _parse(reply.body)
        if body is None:
            raise self._error(Outcome.UNKNOWN, "the answer is not wbox's: it is no JSON object", reply)
        if body.get("success") is False:
            raise self._error(Outcome.FAILED, _quote(body, "wbox says that it did not succeed"), reply)
        return body

    def _error(self, outcome: Outcome, detail: str, result: Reply | Silence) -> ApiError:
        return ApiError(self._answer(outcome, detail, result))

    def _answer(self, outcome: Outcome, detail: str, result: Reply | Silence) -> Answer:
        status, wait = None, None
        if isinstance(result, Reply):
            status, later = result.status, result.headers.get("retry-after")
            wait = None if later is None else _retry_after(later, datetime.now(UTC))
        return Answer(
            outcome=outcome, detail=self._line(detail), status=status, wait=wait, latency=result.latency
        )

    def _line(self, text: str) -> str:
        """Return text as one short line that is safe to print and holds no key."""
        if not text.isprintable():
            text = "".join(char if char.isprintable() else " " for char in text)
        line = _LINK.sub(r"\1\2***", self._redaction.redacted(" ".join(text.split())))
        if len(line) > _LONGEST_DETAIL:
            return f"{line[: _LONGEST_DETAIL - 1]}…"
        return line

    def _word(self, value: object) -> str | None:
        if isinstance(value, str):
            return self._line(value)
        return None


def _checked_url(url: str) -> str:
    """Return the address without a slash at its end."""
    if not _is_usable(url) or not is_address(url):
        raise ConfigError("the address of wbox is not usable", hint="write it as https://server.wbox.me")
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ConfigError("the address of wbox holds a user or a password", hint="remove all up to the @")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _is_usable(url: str) -> bool:
    if any(not char.isprintable() or char.isspace() for char in url):
        return False
    try:
        parts = urlsplit(url)
        # Reading the port checks it; the name is encoded here as it will be to look it up.
        host, port = (parts.hostname or "").encode("idna"), parts.port
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or parts.query or parts.fragment:
        return False
    return bool(host) and port != 0


def _checked_key(key: str) -> str:
    if not re.fullmatch(r"[!-~]+", key):
        problem = "the API key has a space, a line break or a letter that no key has"
        if not key.strip():
            problem = "the API key is empty"
        raise ConfigError(problem, hint=_HINTS[Outcome.UNAUTHORIZED])
    return key


def _header(key: str) -> str:
    """Return an idempotency key as any header can hold it; the same and no other one for each key."""
    if len(key) <= _LONGEST_KEY and re.fullmatch(r"[!-~]([ -~]*[!-~])?", key):
        return key
    return f"sha256:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _judge(reply: Reply) -> Outcome:
    """Return what an answer means whose status is none of success."""
    if reply.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return _unavailable(reply)
    if reply.status in _BY_STATUS:
        return _BY_STATUS[reply.status]
    if not 300 <= reply.status < 500:  # noqa: PLR2004  # HTTP's own classes
        return Outcome.UNKNOWN
    return Outcome.NOT_SENT if _is_of_proxy(reply) else Outcome.REFUSED


def _is_of_proxy(reply: Reply) -> bool:
    """Return whether another server than wbox has answered: wbox never redirects, and answers in JSON."""
    return reply.status < HTTPStatus.BAD_REQUEST or _parse(reply.body) is None


def _unavailable(reply: Reply) -> Outcome:
    if _NOT_READY.search(reply.body.decode(errors="replace")):
        return Outcome.NOT_READY
    proxied = "via" in reply.headers or _PROXY.search(reply.headers.get("server", ""))
    return Outcome.UNKNOWN if proxied or reply.latency > _SLOW else Outcome.NOT_SENT


def _explain(reply: Reply) -> str:
    """Return a line on an answer whose status is not 200."""
    if 300 <= reply.status < 400:  # noqa: PLR2004  # HTTP's own classes
        to = reply.headers.get("location", "nowhere")
        return f"HTTP {reply.status}: check the url of wbox, it is redirected to {to}"
    known = reply.flaw or responses.get(reply.status, "a status that HTTP does not know")
    if not reply.flaw and _judge(reply) is Outcome.NOT_SENT and _is_of_proxy(reply):
        advice = "check the url and any proxy"
        return f"HTTP {reply.status}: {known}, but another server than wbox answered: {advice}"
    return f"HTTP {reply.status}: {_quote(_parse(reply.body), known)}"


def _parse(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object in a body, or None where there is none that every reader would read alike."""
    try:
        value = json.loads(body.decode("utf-8-sig"))
        # What cannot be written again (NaN, half a surrogate pair) was no JSON to rely on.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _text(value: object) -> str | None:
    if isinstance(value, str) and value.strip():
        return value
    return None


def _quote(body: Mapping[str, Any] | None, otherwise: str) -> str:
    """Return wbox's own words, or ``otherwise`` where it had none."""
    if body is None:
        return otherwise
    return _text(body.get("message")) or _text(body.get("error")) or otherwise


def _stray(body: Mapping[str, Any], phone: str) -> str:
    """Return a note if wbox names another recipient than the message."""
    named = str(body.get("to") or "")
    to = re.sub(r"\D", "", named.partition("@")[0]) if named else ""
    if to in {"", phone}:
        return ""
    return f" (but wbox names another recipient: {masked(to)})"


def _retry_after(value: str, now: datetime) -> float | None:
    """Return the seconds that a ``Retry-After`` asks to wait, at most an hour; None where it asks nothing.

    A number of more than a day is a point in time, in seconds or milliseconds since the epoch.
    """
    if _SECONDS.fullmatch(value.strip()):
        number = float(value)
        if number <= _DAY:
            return min(number, _LONGEST_WAIT)
        if number > 100 * now.timestamp():
            number /= 1000
        seconds = number - now.timestamp()
    else:
        try:
            date = parsedate_to_datetime(value)
            if date.tzinfo is None:
                date = date.replace(tzinfo=UTC)
            seconds = (date - now).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    if seconds <= 0:
        return None
    return min(seconds, _LONGEST_WAIT)
