"""Pages in browsers: host names, calls from other sites, security headers, templates and language."""

import ipaddress
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.filters import do_mark_safe
from starlette.datastructures import Headers
from starlette.types import Message, Send

from wbox_notify.model.texts import LANGUAGES, translated, translation

html = do_mark_safe
"""Make HTML of a text of ours; its ``format`` escapes what it fills in."""

_HOST = re.compile(r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[^\s:/?#@\[\]\\]+))(?::[0-9]*)?")
_SAME_SITE = {"same-origin", "none"}


def host_name(host: str) -> str:
    """Return the name or the address in a ``Host`` header, without its port; empty where it is neither."""
    parts = _HOST.fullmatch(host.lower())
    return (parts["ipv6"] or parts["name"]) if parts else ""


class PageHosts(Container[str]):
    """The hosts whose pages are ours.

    Attributes:
        own: The names of this machine as the daemon knows them. The name of the public address is also ours.
    """

    def __init__(self, own: Iterable[str], public_url: Callable[[], str | None] = lambda: None) -> None:
        self.own = frozenset(host.strip("[]").lower() for host in own) - {""}
        self._public_url = public_url

    def __contains__(self, host: object) -> bool:
        return host in self.own or host == urlsplit(self._public_url() or "").hostname

    @property
    def public_origin(self) -> str:
        """The origin of the pages at the public address."""
        address = urlsplit(self._public_url() or "")
        return f"{address.scheme}://{address.netloc}".lower()


def is_address(name: str) -> bool:
    """Return whether a name is an IP address, which nobody can point to another machine."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_from_other_site(headers: Headers, names: Container[str], public_origin: str = "") -> bool:
    """Return whether a browser sends this request for a page that is not of this host.

    A browser sends ``Origin`` with each request that can change something, and most send ``Sec-Fetch-Site``
    where it matters; programs send neither. A page of another site may have the name of our host too, where
    its name leads to this machine (DNS rebinding): so the host must be one of ``names``, or an address. A
    page of ``public_origin`` is ours too, although a proxy may not pass on the port that it was asked at.
    """
    origins = headers.getlist("origin")
    if len(origins) > 1 or not _SAME_SITE.issuperset(headers.getlist("sec-fetch-site")):
        return True
    if not origins or origins[0].lower() == public_origin:
        return False
    scheme, _, host = origins[0].lower().partition("://")
    if scheme not in {"http", "https"} or host != headers.get("host", "").lower():
        return True
    name = host_name(host)
    return name not in names and not is_address(name)


class AddedHeaders:
    """Headers for each answer that does not set them itself."""

    def __init__(self, headers: Mapping[bytes, bytes]) -> None:
        self._headers = list(headers.items())
        self._names = frozenset(headers)

    def to(self, send: Send) -> Send:
        """Return a ``send`` that adds them."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._missing(message["headers"])]
            await send(message)

        return send_with_headers

    def _missing(self, present: Iterable[tuple[bytes, bytes]]) -> Sequence[tuple[bytes, bytes]]:
        names = {name for name, _ in present}
        if names.isdisjoint(self._names):
            return self._headers
        return [header for header in self._headers if header[0] not in names]


def page_templates(folder: Path, lang: str) -> Environment:
    """Return the templates of pages in a folder, in a language that they know as ``lang``.

    Values are escaped, and an unknown name is an error; ``told`` says a problem or a hint in that language.
    """
    environment = Environment(
        loader=FileSystemLoader(folder),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_translations(translation(lang), newstyle=True)  # type: ignore[attr-defined]
    environment.globals["lang"] = lang
    environment.filters["told"] = lambda text: translated(text, lang)
    return environment


def wanted_language(accept_language: str) -> str:
    """Return the language that a browser ranks highest of those that there are; without a wish English."""
    weights = dict.fromkeys(LANGUAGES, 0.0)
    for part in accept_language.lower().replace(" ", "").split(","):
        tag, _, weight = part.partition(";q=")
        language = tag.partition("-")[0]
        if language in weights:
            weights[language] = max(weights[language], _number(weight or "1"))
    return max(weights, key=weights.__getitem__)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
