"""Outlets: other services that a project can speak through, by way of Apprise."""

import hashlib
import logging
import re
import time
from collections.abc import Mapping
from contextvars import ContextVar
from http.client import responses
from typing import Any
from urllib.parse import unquote

from wbox_notify.errors import ConfigError
from wbox_notify.model.messages import Notice
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.model.text import did_you_mean

_SERVICES = "https://appriseit.com/services/"
_OURS = "wboxq"
_OPEN = frozenset(
    "ntfy ntfys json jsons xml xmls form forms syslog dbus glib gnome kde qt macosx windows".split()  # noqa: SIM905 - shorter
)
"""Schemes whose addresses hold no secret, unless one is put there."""

_HOSTED = frozenset(
    "json jsons xml xmls form forms mailto mailtos gotify gotifys apprise apprises mqtt mqtts".split()  # noqa: SIM905 - shorter
)
"""Schemes in which what stands at the place of a host is one; in others it can be a token."""

_SECRET_ARGUMENT = re.compile(r"[?&][^=&]*(pass|pwd|token|key|secret|auth)[^=&]*=", re.IGNORECASE)
_STATUS = re.compile(r"\berror=([1-5][0-9]{2})\b")
_TOKEN = re.compile(r"[^\s\"'(),:]*[0-9][^\s\"'(),:]{11,}|[^\s\"'(),:]{24,}")
_LONGEST = 200
_GLUED = 3
"""A part of a URL that is longer is masked inside of words also."""

_heard: ContextVar[list[str] | None] = ContextVar("heard", default=None)
"""Where the warnings of Apprise go while it works for us; it may do so in a thread of its own."""


def is_url(text: str) -> bool:
    """Return whether a text is an Apprise URL and not the name of one."""
    return "://" in text


def name_of(text: str) -> str:
    """Return the name of an outlet: of a URL its scheme and six hex digits, of a name itself."""
    if not is_url(text):
        return text
    digits = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{_scheme(text)}:{digits}"


def is_telling(url: str) -> bool:
    """Return whether a URL holds, or may hold, what only its owner should know."""
    return _scheme(url) not in _OPEN or "@" in url or bool(_SECRET_ARGUMENT.search(url))


def check(url: str) -> None:
    """Return if Apprise can make a service of a URL.

    Raises:
        ConfigError: it cannot; the words hold nothing of the URL but its scheme.
    """
    scheme = _scheme(url)
    if scheme == _OURS:
        raise ConfigError(
            f"{_OURS}:// leads back into this queue", hint="name another service: ntfy://TOPIC, mailto://…"
        )
    known, service = _read(url)
    if service is not None:
        return
    if scheme in known or scheme in {"http", "https"}:
        hint = f"its service has its own form of address: {_SERVICES}"
        raise ConfigError(f"Apprise cannot make a service of this {scheme}:// address", hint=hint)
    hint = did_you_mean(scheme, known) or f"those that it knows: {_SERVICES}"
    raise ConfigError(f"Apprise knows no service `{scheme}`", hint=hint)


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
        sent, said = _notify(url, notice)
        latency = time.monotonic() - started
        if sent:
            return Answer(outcome=Outcome.SENT, detail="sent", latency=latency)
        return Answer(outcome=Outcome.NOT_SENT, detail=_reason(said, url), latency=latency)


def _read(url: str) -> tuple[list[str], Any]:
    """Return the schemes that there are, and the service that a URL means or None."""
    apprise = _apprise()
    listening = _heard.set([])
    try:
        service = apprise.Apprise.instantiate(url)
    except Exception:  # noqa: BLE001 - each of its services is somebody else's code
        service = None
    finally:
        _heard.reset(listening)
    return list(apprise.manager_plugins.NotificationManager().schemas()), service


def _notify(url: str, notice: Notice) -> tuple[bool, list[str]]:
    """Return whether a text was sent, and the warnings that Apprise gave meanwhile."""
    apprise = _apprise()
    said: list[str] = []
    listening = _heard.set(said)
    service = apprise.Apprise(asset=apprise.AppriseAsset(app_id="wbox-notify", async_mode=False))
    plain = apprise.NotifyFormat.TEXT
    try:
        sent = service.add(url) and service.notify(notice.text, title=notice.title, body_format=plain)
    except Exception as error:  # noqa: BLE001 - each of its services is somebody else's code
        return False, [*said, type(error).__name__]
    finally:
        _heard.reset(listening)
    return bool(sent), said


def _apprise() -> Any:
    import apprise  # noqa: PLC0415 - it takes longer to load than all of ours, and most never need it

    logging.getLogger("apprise").addFilter(_listen)
    return apprise


def _listen(record: logging.LogRecord) -> bool:
    """Keep what Apprise logs on our behalf, which can hold the parts of a URL, out of all logs."""
    said = _heard.get()
    if said is not None and record.levelno >= logging.WARNING:
        said.append(record.getMessage())
    return said is None


def _scheme(url: str) -> str:
    return url.partition("://")[0].strip().lower()


def _reason(said: list[str], url: str) -> str:
    """Return why Apprise could not send, with nothing in it that only the owner of the URL should know."""
    line = " ".join(said[-1].split()) if said else ""
    if found := _STATUS.search(line):
        return f"{_scheme(url)} answered {found[1]} {responses.get(int(found[1]), '')}".strip()
    for part in _parts(url):
        secret = re.escape(part) if len(part) > _GLUED else rf"(?<!\w){re.escape(part)}(?!\w)"
        line = re.sub(secret, "***", line, flags=re.IGNORECASE)
    host = _host(url)
    line = " ".join(word if host and host in word else _TOKEN.sub("***", word) for word in line.split())
    return f"Apprise: {line[:_LONGEST]}" if line else "Apprise could not send it and does not say why"


def _parts(url: str) -> list[str]:
    """Return all that stands in a URL and must not be shown, as it is and decoded, the longest first."""
    rest = url.partition("://")[2]
    texts = {rest, unquote(rest)}
    found = {part for text in texts for part in re.split(r"[/:@?&=#,;\s]+", text)}
    found |= {unquote(part) for part in found}
    return sorted(found - {"", _host(url)}, key=len, reverse=True)


def _host(url: str) -> str:
    """Return the name of the server in a URL, empty where it could be something else."""
    if _scheme(url) not in _HOSTED:
        return ""
    place = re.split(r"[/?#]", url.partition("://")[2])[0]
    return re.sub(r":[0-9]*$", "", place.rpartition("@")[2])
