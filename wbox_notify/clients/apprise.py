"""Outlets: other services that carry a text, by way of Apprise."""

import hashlib
import logging
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import responses
from typing import Any
from urllib.parse import unquote

from wbox_notify.errors import ConfigError
from wbox_notify.model.messages import Notice
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.model.text import did_you_mean
from wbox_notify.model.texts import Wording

_SERVICES = "https://appriseit.com/services/"
_OURS = "wboxq"
_OPEN = frozenset(
    "ntfy ntfys json jsons xml xmls form forms syslog dbus glib gnome kde qt macosx windows".split()  # noqa: SIM905 - shorter
)
"""Schemes whose addresses hold no secret, unless one is put there."""

_HOSTED = frozenset(
    "json jsons xml xmls form forms mailto mailtos gotify gotifys apprise apprises mqtt mqtts".split()  # noqa: SIM905 - shorter
)
"""Schemes whose URLs have a host; in others, a token may stand in its place."""

_SECRET_ARGUMENT = re.compile(r"[?&][^=&]*(pass|pwd|token|key|secret|auth)[^=&]*=", re.IGNORECASE)
_STATUS = re.compile(r"\berror=([1-5][0-9]{2})\b")
_TOKEN = re.compile(r"[^\s\"'(),:]*[0-9][^\s\"'(),:]{11,}|[^\s\"'(),:]{24,}")
_SEPARATORS = re.compile(r"[/:@?&=#,;\s]+")
_LONGEST = 200
_GLUED = 3
"""A longer part of a URL is masked inside of words too."""

_heard: ContextVar[list[str] | None] = ContextVar("heard", default=None)
"""The warnings of Apprise while it works for us, which it may do in a thread of its own."""


def is_url(text: str) -> bool:
    """Return whether a text is an Apprise URL and not the name of one."""
    return "://" in text


def name_of(text: str) -> str:
    """Return the name of an outlet: of a URL its scheme and six hex digits."""
    if not is_url(text):
        return text
    digits = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{_scheme(text)}:{digits}"


def is_telling(url: str) -> bool:
    """Return whether a URL holds, or may hold, a secret."""
    return _scheme(url) not in _OPEN or "@" in url or bool(_SECRET_ARGUMENT.search(url))


def check(url: str) -> None:
    """Check that Apprise can make a service of a URL.

    Raises:
        ConfigError: it cannot; the message holds nothing of the URL but its scheme.
    """
    scheme = _scheme(url)
    if scheme == _OURS:
        raise ConfigError(
            Wording("{scheme}:// leads back into this queue", scheme=_OURS),
            hint="name another service: ntfy://TOPIC, mailto://…",
        )
    known, service = _read(url)
    if service is not None:
        return
    if scheme in known or scheme in {"http", "https"}:
        hint = Wording("its service has its own form of address: {services}", services=_SERVICES)
        raise ConfigError(
            Wording("Apprise cannot make a service of this {scheme}:// address", scheme=scheme), hint=hint
        )
    near = did_you_mean(scheme, known) or Wording("those that it knows: {services}", services=_SERVICES)
    raise ConfigError(Wording("Apprise knows no service `{scheme}`", scheme=scheme), hint=near)


class Outlets:
    """The Apprise URLs of a project by their names; used by any thread."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = urls

    def send(self, notice: Notice) -> Answer:
        """Hand a text to another service and return what came of it; a failure is no exception.

        It may take as long as Apprise takes: a minute at the most since its version 2.
        """
        url = self._urls.get(notice.outlet)
        if url is None:
            return Answer(outcome=Outcome.REFUSED, detail=f"there is no outlet {notice.outlet} any more")

        started = time.monotonic()
        sent, warnings = _notify(url, notice)
        latency = time.monotonic() - started
        if sent:
            return Answer(outcome=Outcome.SENT, detail="sent", latency=latency)
        return Answer(outcome=Outcome.NOT_SENT, detail=_reason(warnings, url), latency=latency)


def _read(url: str) -> tuple[list[str], Any]:
    """Return the schemes that there are, and the service that a URL means or None."""
    apprise = _apprise()
    with _listening():
        try:
            service = apprise.Apprise.instantiate(url)
        except Exception:  # noqa: BLE001 - each of its services is foreign code
            service = None
    return list(apprise.manager_plugins.NotificationManager().schemas()), service


def _notify(url: str, notice: Notice) -> tuple[bool, list[str]]:
    """Return whether a text was sent, and the warnings that Apprise gave meanwhile."""
    apprise = _apprise()
    with _listening() as warnings:
        service = apprise.Apprise(asset=apprise.AppriseAsset(app_id="wbox-notify", async_mode=False))
        plain = apprise.NotifyFormat.TEXT
        try:
            sent = service.add(url) and service.notify(notice.text, title=notice.title, body_format=plain)
        except Exception as error:  # noqa: BLE001 - each of its services is foreign code
            return False, [*warnings, type(error).__name__]
    return bool(sent), warnings


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Give the warnings that Apprise logs meanwhile."""
    warnings: list[str] = []
    token = _heard.set(warnings)
    try:
        yield warnings
    finally:
        _heard.reset(token)


def _apprise() -> Any:
    import apprise  # noqa: PLC0415 - it takes longer to load than all of ours, and most never need it

    logging.getLogger("apprise").addFilter(_listen)
    return apprise


def _listen(record: logging.LogRecord) -> bool:
    """Keep what Apprise logs on our behalf, which can hold the parts of a URL, out of all logs."""
    warnings = _heard.get()
    if warnings is None:
        return True
    if record.levelno >= logging.WARNING:
        warnings.append(record.getMessage())
    return False


def _scheme(url: str) -> str:
    return url.partition("://")[0].strip().lower()


def _reason(warnings: list[str], url: str) -> str:
    """Return why Apprise could not send, without the secrets of the URL."""
    if not warnings or not warnings[-1].strip():
        return "Apprise could not send it and does not say why"
    line = " ".join(warnings[-1].split())
    if status := _STATUS.search(line):
        return f"{_scheme(url)} answered {status[1]} {responses.get(int(status[1]), '')}".strip()
    for part in _parts(url):
        secret = re.escape(part)
        if len(part) <= _GLUED:
            secret = rf"(?<!\w){secret}(?!\w)"
        line = re.sub(secret, "***", line, flags=re.IGNORECASE)
    host = _host(url)
    words = [word if host and host in word else _TOKEN.sub("***", word) for word in line.split()]
    return f"Apprise: {' '.join(words)[:_LONGEST]}"


def _parts(url: str) -> list[str]:
    """Return the parts of a URL that must not be shown, as they are and decoded, the longest first."""
    rest = url.partition("://")[2]
    parts = {*_SEPARATORS.split(rest), *_SEPARATORS.split(unquote(rest))}
    parts |= {unquote(part) for part in parts}
    return sorted(parts - {"", _host(url)}, key=len, reverse=True)


def _host(url: str) -> str:
    """Return the name of the server in a URL, empty where it could be something else."""
    if _scheme(url) not in _HOSTED:
        return ""
    authority = re.split(r"[/?#]", url.partition("://")[2])[0]
    return re.sub(r":[0-9]*$", "", authority.rpartition("@")[2])
