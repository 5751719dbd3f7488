"""The Apprise providers ``wbox://`` and ``wboxq://``: WhatsApp messages from everything that speaks Apprise.

    wbox://{apikey}/{phone}/{phone}/…
    wbox://{apikey}@{host}:{port}/{phone}/…     another server; with ?tls=no over plain HTTP
    wboxq://{phone}/{phone}/…                   the queue of the wbox-notify daemon on this machine

This one file is all of it (the standard library, requests and apprise, Python 3.9 or newer), so it works as a
module of wbox_notify, as a file in an Apprise plugin folder, and as a file that a container mounts.
"""

from __future__ import annotations

import hashlib
import html
import ipaddress
import json
import os
import re
import sys
import threading
import time
import unicodedata
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Callable, Iterable, NamedTuple, Sequence
from urllib.parse import quote, urlencode, urlsplit

import requests
from apprise.attachment.http import AttachHTTP
from apprise.common import NotifyFormat, NotifyType, OverflowMode
from apprise.locale import gettext_lazy as _
from apprise.manager_plugins import NotificationManager
from apprise.plugins.base import NotifyBase
from apprise.url import PrivacyMode
from apprise.utils.parse import parse_bool

try:
    from apprise.exception import AppriseImproperlyConfigured as _Refused
except ImportError:  # before Apprise 2.0
    _Refused = TypeError

_CLOUD = "server.wbox.me"
_KEY = r"^[A-Za-z0-9._~+=-]+$"
_PHONE = re.compile(r"[1-9][0-9]{6,14}")
_LABELS = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?")
_MODES = ("text", "poll", "event")
_ATTACH = ("fail", "skip")
_MOST_OPTIONS = 12
_CAPTION = 1024
_LONGEST_LINK = 8192
_ANSWER = 64 * 1024  # bytes read of an answer; wbox's own are a few hundred
_MEMORY = 600.0  # seconds that a half-done message is remembered where Apprise does not do it
_APPRISE_ARGUMENTS = ("cto", "redirect", "rto")  # arguments of an attachment that are not for its server
_REASONS = {
    400: "a parameter is missing or wrong",
    401: "the API key is refused",
    403: "the API key is refused",
    404: "there is no wbox at this address",
    429: "too many requests",
    503: "WhatsApp is not linked: scan the QR code in wbox",
}


class _Piece(NamedTuple):
    """One request: its name within the message, the endpoint, and its fields without the phone."""

    name: str
    endpoint: str
    fields: dict[str, Any]


class _Server(NamedTuple):
    """A server that takes messages: its name, its answers and the texts of its failures."""

    name: str
    status: int
    took: Callable[[Any], bool]
    late: str
    absent: str
    reasons: dict[int, str]


_WBOX = _Server(
    name="wbox",
    status=200,
    took=lambda result: result.get("success") is True,
    late="wbox did not answer in time (it may have been sent)",
    absent="wbox could not be reached",
    reasons=_REASONS,
)
_START = "start it with `wbox-notify run`, or name its data folder with ?data=FOLDER"
_DAEMON = _Server(
    name="the daemon",
    status=202,
    took=lambda result: isinstance(result.get("id"), int),
    late="the daemon did not answer in time (it may have been queued)",
    absent=f"the daemon does not answer: {_START}",
    reasons={400: "the daemon cannot take this message", 401: "another daemon answers there"},
)


class _Wbox(NotifyBase):
    """The common part of both providers: a notification becomes WhatsApp messages for some phones."""

    service_url = "https://wbox.me/"
    setup_url = "https://wbox.me/"
    category = "native"
    attachment_support = True
    request_rate_per_sec = 0.2
    socket_read_timeout = 15.0  # a phone is behind it, and a message that times out may be sent twice

    # HTML is the one format that every Apprise since 1.9 makes the same of text and of Markdown.
    notify_format = NotifyFormat.HTML
    title_maxlen = 1000
    # Text is cut below, after it was turned into WhatsApp's formatting: here a cut could go through a tag.
    body_maxlen = 131072
    overflow_mode = OverflowMode.SPLIT
    text_maxlen = 4096

    template_tokens = dict(
        NotifyBase.template_tokens,
        target_phone={
            "name": _("Target Phone No"),
            "type": "string",
            "prefix": "+",
            "regex": (r"^[0-9\s)(+.-]+$", "i"),
            "map_to": "targets",
        },
        targets={"name": _("Targets"), "type": "list:string", "required": True},
    )
    template_args = dict(
        NotifyBase.template_args,
        to={"alias_of": "targets"},
        device={"name": _("Device ID"), "type": "int", "min": 1, "map_to": "device"},
        mode={"name": _("Message Mode"), "type": "choice:string", "values": _MODES, "default": "text"},
        options={"name": _("Poll Options"), "type": "list:string", "delim": ("|", ",")},
        start={"name": _("Event Start"), "type": "string"},
        media={"name": _("Media URL"), "type": "string"},
        caption={"name": _("Text as Caption"), "type": "bool", "default": True},
        attach={
            "name": _("Local Attachments"),
            "type": "choice:string",
            "values": _ATTACH,
            "default": "fail",
        },
    )
    form = ""
    taken = ""

    def __init__(
        self,
        targets: str | Iterable[str] | None = None,
        device: int | str | None = None,
        mode: str | None = None,
        options: str | Sequence[str] | None = None,
        start: str | None = None,
        media: str | None = None,
        caption: bool | str | None = None,
        attach: str | None = None,
        **kwargs: Any,
    ) -> None:
        # A host such as changedetection.io adds the format that we use anyway, and Markdown comes as HTML.
        asked = _word(kwargs.get("format"))
        self._forced = asked == "html"
        if asked in {"html", "markdown"}:
            del kwargs["format"]
        super().__init__(**kwargs)
        self.targets, self.invalid_targets = self._checked_targets(targets)
        self.device = self._checked_device(device)
        self.mode = self._choice("mode", mode, _MODES)
        self.attach = self._choice("attach", attach, _ATTACH)
        self.options = self._checked_options(options)
        self.start = self._for_mode("start", "event", start)
        self.media = self._checked_media(media)
        self.caption = self._flag("caption", caption)
        self._half_done: dict[str, tuple[float, set[Any]]] = {}

    def send(
        self,
        body: str,
        title: str = "",
        notify_type: NotifyType = NotifyType.INFO,
        attach: Any = None,
        body_format: Any = None,
        body_passthrough: bool | None = None,
        **kwargs: Any,
    ) -> bool:
        """Send one notification to each target; True when wbox has taken all of it for all of them."""
        undeclared = body_passthrough
        if undeclared is None:
            undeclared = body_format is None
        text = self._whatsapp(body or "", undeclared=undeclared)
        if not self.attachment_support:
            attach = None
        links, lost = self._links(attach)
        pieces = self._pieces(text, (title or "").strip(), links)
        if pieces is None:
            return False
        delivered = self._delivered(pieces)
        # Each phone is tried, even if another one failed.
        taken = [self._deliver(phone, pieces, delivered) for phone in self.targets]
        done = all(taken) and not (lost and self.attach == "fail")
        if done:
            delivered.forget()
        return done

    def _written(self, privacy: bool, *args: Any, **kwargs: Any) -> str:
        """Return the targets and the arguments, as they end a URL."""
        params = {name: value for name, value in self._arguments(privacy=privacy).items() if value}
        params.update(self.url_parameters(*args, privacy=privacy, **kwargs))
        params.pop("format", None)
        if self.notify_format == NotifyFormat.TEXT:
            params["format"] = "text"
        elif self._forced:
            params["format"] = "html"
        wrong = [
            self.pprint(target, privacy, mode=PrivacyMode.Secret, safe="") for target in self.invalid_targets
        ]
        return f"{'/'.join([*self.targets, *wrong])}/?{self.urlencode(params)}"

    @property
    def url_identifier(self) -> Any:
        """What makes this account and device another one: no target and nothing cosmetic."""
        return False if self._anonymous else self._account()

    @url_identifier.setter
    def url_identifier(self, value: Any) -> None:
        # Apprise before 2.0 writes False here for ``?store=no``.
        self._anonymous = value is False

    _anonymous = False

    def __len__(self) -> int:
        return len(self.targets)

    def _account(self) -> tuple[Any, ...]:
        raise NotImplementedError

    def _post(self, phone: str, piece: _Piece) -> str | None:
        """Hand one request over; return the problem, or None when it was accepted."""
        raise NotImplementedError

    def _refuse(self, part: str, why: str) -> Any:
        """Log the wrong part of a URL and raise; neither shows a value, which may be the key."""
        problem = f"wbox: {part}: {why}"
        self.logger.warning(problem)
        raise _Refused(problem)

    def _checked_targets(self, targets: Any) -> tuple[list[str], list[str]]:
        """Return the phones, each once and in order, and the invalid targets; refuse if there is no phone."""
        phones: list[str] = []
        wrong: list[str] = []
        for place, written in enumerate(_items(targets, r"[/,;\r\n]"), 1):
            phone = _phone(written)
            if phone is None:
                self.logger.warning(
                    f"wbox: target {place} is not a phone number with its country code; left out"
                )
                wrong.append(written)
            elif phone not in phones:
                phones.append(phone)
        if not phones:
            self._refuse("targets", f"no phone number with a country code: write {self.form}")
        return phones, wrong

    def _checked_device(self, device: Any) -> int | None:
        if device in (None, ""):
            return None
        if isinstance(device, bool) or not re.fullmatch("[0-9]{1,9}", str(device).strip()) or int(device) < 1:
            self._refuse("device", "it must be a number, 1 or higher")
        return int(device)

    def _choice(self, name: str, value: Any, known: Sequence[str]) -> str:
        word = _word(value) or known[0]
        if word not in known:
            self._refuse(name, f"it must be one of {', '.join(known)}")
        return word

    def _flag(self, name: str, value: Any) -> bool:
        if value is None or isinstance(value, bool):
            return value is not False
        yes = parse_bool(value, None) if str(value).strip() else None
        if yes is None or parse_bool(value, default=not yes) != yes:
            self._refuse(name, "it must be yes or no")
        return bool(yes)

    def _for_mode(self, name: str, mode: str, value: Any) -> str | None:
        text = str(value or "").strip() or None
        if text and self.mode != mode:
            self._refuse(name, f"it goes with mode={mode}")
        return text

    def _checked_options(self, options: Any) -> list[str]:
        between = None
        if isinstance(options, str):
            between = r"\|" if "|" in options else ","
        texts = _items(options, between)
        self._for_mode("options", "poll", texts)
        if self.mode == "poll" and not 2 <= len(texts) <= _MOST_OPTIONS:  # noqa: PLR2004  # wbox's own
            self._refuse("options", f"a poll has 2 to {_MOST_OPTIONS}: options=Yes|No")
        if len(set(texts)) < len(texts):
            self._refuse("options", "two of them are the same")
        return texts

    def _checked_media(self, media: Any) -> str | None:
        link = self._for_mode("media", "text", media)
        if link and not _is_web_link(link):
            self._refuse("media", "it must be a public link that starts with https:// or http://")
        return link

    def _arguments(self, *, privacy: bool) -> dict[str, str | None]:
        """Return our own arguments as in a URL; None for defaults."""
        arguments = {
            "device": str(self.device) if self.device else None,
            "mode": self.mode,
            "options": "|".join(self.options),
            "start": self.start,
            "media": self.media,
            "caption": None,
            "attach": self.attach,
        }
        # An option may contain one of the two separators, but not both.
        if any("|" in option for option in self.options):
            arguments["options"] = ",".join(self.options)
        if self.media and privacy:
            arguments["media"] = "****"
        if not self.caption:
            arguments["caption"] = "no"
        for name, default in (("mode", _MODES[0]), ("attach", _ATTACH[0])):
            if arguments[name] == default:
                arguments[name] = None
        return arguments

    def _whatsapp(self, body: str, *, undeclared: bool) -> str:
        """Return a body in WhatsApp's formatting; undeclared input is not changed."""
        as_it_is = undeclared and not (self._forced and re.search(r"<[A-Za-z/!][^<>]*>", body))
        if as_it_is or self.notify_format == NotifyFormat.TEXT:
            return body.lstrip("\r\n").rstrip()
        # Apprise cuts at this length, but not with ?overflow=upstream: the rest goes unread.
        most = self.body_maxlen
        return (whatsapp(body[:most]) + body[most:]).rstrip()

    def _links(self, attach: Any) -> tuple[list[str], bool]:
        """Return the links that wbox can fetch, and whether anything else was attached."""
        links = [_public_link(attachment) for attachment in attach or ()]
        lost = links.count(None)
        if lost:
            self.logger.warning(
                f"wbox: {lost} of {len(links)} attachments left out (attach={self.attach}): wbox fetches "
                "public http(s) links, but no files, no memory, and no links with a password or headers"
            )
        return [link for link in (self.media, *links) if link], lost > 0

    def _pieces(self, text: str, title: str, links: list[str]) -> list[_Piece] | None:
        """Return the requests of a message, in order; None if something is missing."""
        if self.mode == "poll":
            first = self._poll(text, title)
        elif self.mode == "event":
            first = self._event(text, title)
        else:
            texts = self._texts(_titled(text, title), links)
            if not texts:
                self.logger.warning(
                    "wbox: nothing to send: no title, no text that can be seen, no link to a file"
                )
            return texts or None
        return first and [first, *_media(links)]

    def _poll(self, text: str, title: str) -> _Piece | None:
        question = "\n".join(part for part in (title, text) if part)
        if not question:
            self.logger.warning("wbox: a poll needs a question: the title or the text of the message")
            return None
        return _Piece("poll", "poll", {"message": question, "options": self.options})

    def _event(self, text: str, title: str) -> _Piece | None:
        if not title:
            title, _newline, text = text.partition("\n")
        if not title.strip():
            self.logger.warning("wbox: an event needs a title: the title or the first line of the message")
            return None
        details = {"title": title.strip(), "description": text.strip(), "startDate": self.start}
        return _Piece("event", "event", {"event": {name: value for name, value in details.items() if value}})

    def _texts(self, text: str, links: list[str]) -> list[_Piece]:
        if text and links and self.caption and len(text) <= _CAPTION:
            return _media(links, text)
        if self.overflow_mode == OverflowMode.SPLIT:
            parts = split(text, self.text_maxlen)
        elif self.overflow_mode == OverflowMode.TRUNCATE:
            parts = split(text, self.text_maxlen)[:1]
        else:
            parts = [part for part in [text] if part]
        texts = [_Piece(f"text {n}", "text", {"message": part}) for n, part in enumerate(parts)]
        return texts + _media(links)

    def _delivered(self, pieces: list[_Piece]) -> _Delivered:
        """Return the memory of delivered requests: Apprise's own since 2.0, else one of this object."""
        if hasattr(self, "is_delivered"):
            return _Delivered(self.is_delivered, self.mark_delivered, lambda: None)
        # Without ?retry= nobody calls again for the same message, so an equal one is a new one.
        if not getattr(self, "retry", 0):
            marks: set[Any] = set()
            return _Delivered(marks.__contains__, marks.add, lambda: None)
        message = json.dumps([list(piece) for piece in pieces], sort_keys=True)
        name = hashlib.sha256(message.encode()).hexdigest()
        now = time.monotonic()
        self._half_done = {key: entry for key, entry in self._half_done.items() if entry[0] > now}
        _expiry, marks = self._half_done.setdefault(name, (now + _MEMORY, set()))
        return _Delivered(marks.__contains__, marks.add, lambda: self._half_done.pop(name, None))

    def _deliver(self, phone: str, pieces: list[_Piece], delivered: _Delivered) -> bool:
        """Send to one phone the requests that it has not got, in order, up to the first failure."""
        for piece in pieces:
            if delivered.has((phone, piece.name)):
                continue
            self.throttle()
            problem = self._post(phone, piece)
            if problem:
                self.logger.warning(f"wbox: {piece.name} to {_masked(phone)} was not {self.taken}: {problem}")
                return False
            delivered.mark((phone, piece.name))
            self.logger.info(f"wbox: {piece.name} to {_masked(phone)} was {self.taken}")
        return True


class NotifyWbox(_Wbox):
    """WhatsApp messages through wbox: text, media from public links, calendar events and polls."""

    service_name = "wbox"
    secure_protocol = "wbox"
    form = "wbox://KEY/905551234567"
    taken = "sent"

    templates = (
        "{schema}://{apikey}/{targets}",
        "{schema}://{apikey}@{host}/{targets}",
        "{schema}://{apikey}@{host}:{port}/{targets}",
    )
    template_tokens = dict(
        _Wbox.template_tokens,
        apikey={
            "name": _("API Key"),
            "type": "string",
            "private": True,
            "required": True,
            "regex": (_KEY, None),
        },
        host={"name": _("Hostname"), "type": "string"},
        port={"name": _("Port"), "type": "int", "min": 1, "max": 65535},
    )
    template_args = dict(
        _Wbox.template_args,
        key={"alias_of": "apikey"},
        tls={"name": _("Use TLS"), "type": "bool", "default": True},
    )

    def __init__(
        self,
        apikey: str | None = None,
        targets: str | Iterable[str] | None = None,
        device: int | str | None = None,
        mode: str | None = None,
        options: str | Sequence[str] | None = None,
        start: str | None = None,
        media: str | None = None,
        caption: bool | str | None = None,
        attach: str | None = None,
        tls: bool | str | None = None,
        **kwargs: Any,
    ) -> None:
        self._check_place(kwargs)
        self.apikey = self._checked_key(apikey)
        super().__init__(targets, device, mode, options, start, media, caption, attach, **kwargs)
        self.tls = self._checked_tls(tls)

    def url(self, privacy: bool = False, *args: Any, **kwargs: Any) -> str:
        """Return the URL of this object; with ``privacy`` without secrets."""
        key = self.pprint(self.apikey, privacy, mode=PrivacyMode.Secret, safe="")
        if self.host:
            key = f"{key}@{_authority(self.host, self.port)}"
        return f"wbox://{key}/{self._written(privacy, *args, **kwargs)}"

    @staticmethod
    def parse_url(url: Any) -> dict[str, Any] | None:
        """Return the arguments in a URL, or None if it is no text; ``__init__`` checks them."""
        if not isinstance(url, str):
            return None
        results = _parsed(url)
        if not results or re.match("[^/]*//@", url):
            # Not None: older Apprise would print the whole URL, with its key.
            return {"schema": "wbox", "flaw": _flaw(url)}
        _take_place(results)
        query = results.get("qsd") or {}
        if query.get("key"):
            results["apikey"] = query["key"]
        return _with_arguments(results, "tls")

    def _account(self) -> tuple[Any, ...]:
        return ("wbox", self.apikey, self.host, self.port, self.device)

    def _arguments(self, *, privacy: bool) -> dict[str, str | None]:
        arguments = super()._arguments(privacy=privacy)
        if not self.tls:
            arguments["tls"] = "no"
        return arguments

    def _check_place(self, kwargs: dict[str, Any]) -> None:
        """Refuse an invalid server."""
        if flaw := kwargs.pop("flaw", None):
            self._refuse(*flaw)
        if kwargs.get("password"):
            self._refuse("password", "there is none: write wbox://KEY@HOST/PHONE")
        host = str(kwargs.get("host") or "")
        if _is_host(host):
            host = host.strip("[]")
        elif ":" in host and "[" not in host:
            self._refuse("port", "it must be a number from 1 to 65535")
        elif host:
            self._refuse("host", "this is not the name of a server; write wbox://KEY@HOST/PHONE")
        kwargs["host"] = host
        self._check_port(host, kwargs.get("port"))

    def _check_port(self, host: str, port: Any) -> None:
        if port is None:
            return
        if not host:
            self._refuse("port", "it needs a host: write wbox://KEY@HOST:PORT/PHONE")
        if not re.fullmatch("[0-9]{1,5}", str(port)) or not 1 <= int(port) <= 65535:  # noqa: PLR2004  # TCP's own
            self._refuse("port", "it must be a number from 1 to 65535")

    def _checked_key(self, key: Any) -> str:
        key = key.strip() if isinstance(key, str) else ""
        if not key:
            self._refuse("key", "it is missing: write wbox://KEY/PHONE")
        if _PHONE.fullmatch(key.lstrip("+")):
            self._refuse("key", "this is a phone number; the key comes first: wbox://KEY/PHONE")
        if not re.fullmatch(_KEY, key):
            self._refuse("key", "it has a character that no key has; copy it again from wbox")
        return str(key)

    def _checked_tls(self, tls: Any) -> bool:
        secure = self._flag("tls", tls)
        if not secure and (not self.host or self.host.lower().rstrip(".") == _CLOUD):
            self._refuse("tls", f"{_CLOUD} is never spoken to without TLS")
        return secure

    def _post(self, phone: str, piece: _Piece) -> str | None:
        """Send one request to wbox; return the problem, or None when wbox reports success."""
        payload = {"phone": phone, **piece.fields}
        if self.device:
            payload["device_id"] = self.device
        scheme, server = "https", _CLOUD
        if not self.tls:
            scheme = "http"
        if self.host:
            server = _authority(self.host, self.port)
        call = _Call(
            _WBOX,
            f"{scheme}://{server}/v1/send/{piece.endpoint}",
            data=json.dumps(payload),
            headers={
                "User-Agent": self.app_id or "Apprise",
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
            },
            # Not a header: requests would let a .netrc have its way with that.
            auth=_Bearer(self.apikey),
            verify=self.verify_certificate,
            timeout=self.request_timeout,
        )
        return call.made_within(_seconds(self.request_timeout))


class NotifyWboxQueue(_Wbox):
    """The same through the queue of the wbox-notify daemon on this machine."""

    service_name = "wbox queue"
    protocol = "wboxq"
    request_rate_per_sec = 0
    form = "wboxq://905551234567"
    taken = "queued"

    templates = ("{schema}://{targets}",)
    template_args = dict(
        _Wbox.template_args,
        data={"name": _("Data Folder of the Daemon"), "type": "string"},
    )

    def __init__(
        self,
        targets: str | Iterable[str] | None = None,
        device: int | str | None = None,
        mode: str | None = None,
        options: str | Sequence[str] | None = None,
        start: str | None = None,
        media: str | None = None,
        caption: bool | str | None = None,
        attach: str | None = None,
        data: str | None = None,
        **kwargs: Any,
    ) -> None:
        if flaw := kwargs.pop("flaw", None):
            self._refuse(*flaw)
        super().__init__(targets, device, mode, options, start, media, caption, attach, **kwargs)
        self.data = str(data or "").strip() or None

    def url(self, privacy: bool = False, *args: Any, **kwargs: Any) -> str:
        """Return the URL of this object; with ``privacy`` without secrets."""
        return f"wboxq://{self._written(privacy, *args, **kwargs)}"

    @staticmethod
    def parse_url(url: Any) -> dict[str, Any] | None:
        """Return the arguments in a URL, or None if it is no text; ``__init__`` checks them."""
        if not isinstance(url, str):
            return None
        results = _parsed(url)
        if not results:
            flaw = "URL", "it cannot be read: write wboxq://PHONE/PHONE"
        elif any(results.get(name) for name in ("user", "password", "port")):
            flaw = "key", "none goes here, and no port: the daemon has them; write wboxq://PHONE/PHONE"
        else:
            host = NotifyBase.unquote(results.get("host") or "")
            results["targets"] = [host, *NotifyBase.split_path(results.get("fullpath") or "")]
            results["host"] = None
            return _with_arguments(results, "data")
        return {"schema": "wboxq", "flaw": flaw}

    def _account(self) -> tuple[Any, ...]:
        return ("wboxq", self.data, self.device)

    def _arguments(self, *, privacy: bool) -> dict[str, str | None]:
        return {**super()._arguments(privacy=privacy), "data": self.data}

    def _post(self, phone: str, piece: _Piece) -> str | None:
        """Send one request to the daemon; return the problem, or None when it is on disk there."""
        folder = _at_home(self.data) if self.data else _data_folder()
        try:
            with (folder / "daemon.json").open(encoding="utf-8") as file:
                status = os.fstat(file.fileno())
                card = json.load(file)
            url, token = str(card["url"]), str(card["token"])
        except FileNotFoundError:
            return f"no daemon runs on {folder}: {_START}"
        except OSError as error:
            return f"{folder}/daemon.json cannot be read ({error.strerror}): send as the daemon's own user"
        except (ValueError, KeyError, TypeError):
            return f"{folder}/daemon.json does not say where the daemon answers: start the daemon again"
        # A user who can write it could read the messages.
        if status.st_mode & 0o022 or status.st_uid not in {0, os.geteuid(), folder.stat().st_uid}:
            return f"{folder}/daemon.json can be changed by others: start the daemon again"
        call = _Call(
            _DAEMON,
            f"{url}/-/send",
            data=json.dumps({"phone": phone, "device_id": self.device, **_for_daemon(piece)}),
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
            auth=_Bearer(token),
            proxies={"http": None, "all": None},  # it is this machine, whatever the environment says
            timeout=self.request_timeout,
        )
        return call.made_within(_seconds(self.request_timeout))


def _for_daemon(piece: _Piece) -> dict[str, Any]:
    """Return a request to wbox with the field names of the daemon."""
    fields = piece.fields
    if piece.endpoint == "media":
        named = {"url": fields["media_url"], "caption": fields.get("message")}
    elif piece.endpoint == "event":
        details = fields["event"]
        named = {name: details.get(name) for name in ("title", "description")}
        named["start"] = details.get("startDate")
    elif piece.endpoint == "poll":
        named = {"question": fields["message"], "options": fields["options"]}
    else:
        named = {"message": fields["message"]}
    return {"kind": piece.endpoint, **named}


def _at_home(path: str) -> Path:
    return Path(os.path.expanduser(path))  # noqa: PTH111  # that of Path raises where there is no home


def _data_folder() -> Path:
    """Return the default data folder of this user's daemon."""
    if named := os.environ.get("WBOX_DATA_DIR", "").strip():
        return _at_home(named)
    home = _at_home("~")
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "wbox-notify"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "wbox-notify"
    chosen = os.environ.get("XDG_DATA_HOME", "").strip()
    return Path(chosen or home / ".local" / "share") / "wbox-notify"


class _Delivered(NamedTuple):
    """The delivered requests of a message, over all attempts."""

    has: Callable[[Any], bool]
    mark: Callable[[Any], Any]
    forget: Callable[[], Any]


class _Bearer(requests.auth.AuthBase):
    """Puts the key into a request."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class _Call:
    """One request in a thread of its own, so that it ends in time even if the server drips its answer."""

    def __init__(self, server: _Server, url: str, **parts: Any) -> None:
        self._server = server
        self._url = url
        self._parts = parts
        self._over = threading.Event()
        self._problem: str | None = server.late

    def made_within(self, seconds: float) -> str | None:
        """Return the problem, or None."""
        worker = threading.Thread(target=self._run, name="wbox", daemon=True)
        worker.start()
        worker.join(seconds)
        problem = self._problem
        self._over.set()
        return problem

    def _run(self) -> None:
        try:
            with_hook = {"response": _refuse_redirect}
            answer = requests.post(  # noqa: S113  # the timeout is among the parts
                self._url, allow_redirects=False, stream=True, hooks=with_hook, **self._parts
            )
            problem = _reason(answer.status_code, self._server) or self._read(answer)
        except requests.TooManyRedirects:
            problem = "it is redirected elsewhere, which is not followed: check the host"
        except requests.exceptions.SSLError:
            problem = f"{self._server.absent} (SSLError){self._without_tls()}"
        except requests.RequestException as error:
            # Its text may contain the server's answer.
            problem = f"{self._server.absent} ({type(error).__name__})"
        except (ValueError, OSError) as error:
            problem = f"the request or its answer is unusable ({type(error).__name__})"
        if not self._over.is_set():
            self._problem = problem

    def _without_tls(self) -> str:
        if self._url.startswith(f"https://{_CLOUD}/"):
            return ""
        return ": for a server without TLS, write ?tls=no"

    def _read(self, answer: Any) -> str | None:
        """Return why an answer with a good status is no success."""
        body = b""
        for byte in answer.iter_content(1):
            body += byte
            if len(body) > _ANSWER or self._over.is_set():
                answer.close()
                return f"the answer is longer than {self._server.name}'s"
        answer.close()
        try:
            result = json.loads(body)
        except (ValueError, RecursionError):
            result = None
        if not isinstance(result, dict):
            return f"the answer is not {self._server.name}'s: check the host"
        if not self._server.took(result):
            return f"{self._server.name} does not report success"
        return None


class _WhatsApp(HTMLParser):
    """Reads HTML and keeps WhatsApp's formatting of it.

    Until the end, signs that no text has stand for what depends on its neighbours: a line or a paragraph that
    begins, a line end and a space that stay, and a bullet whose text follows.
    """

    LINE, PARAGRAPH, NEWLINE, SPACE, BULLET = "\x01", "\x02", "\x03", "\x04", "\x05"
    MARKS = {"b": "*", "strong": "*", "i": "_", "em": "_", "s": "~", "del": "~", "strike": "~"}
    HEADS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
    PARAGRAPHS = frozenset(("p", "table", "section", "article"))
    LINES = frozenset(("div", "tr", "dt", "dd", "header", "footer", "figure", "figcaption"))
    CODES = frozenset(("code", "pre", "tt", "samp", "kbd"))
    UNSEEN = frozenset(("head", "script", "style", "template", "title"))
    FRAMES = {*MARKS, *HEADS, *CODES, *UNSEEN, "a", "blockquote"}
    DEEPEST = 40

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._frames: list[tuple[str, str, list[str]]] = [("", "", [])]
        self._lists: list[int | None] = []
        self._cells = 0
        self._pictures: list[str] = []

    def text(self) -> str:
        """Return the text; without any, the addresses of the pictures."""
        while len(self._frames) > 1:
            self._close()
        read = self._settled(self._frames[0][2]).replace(self.SPACE, " ").replace(self.NEWLINE, "\n")
        if not read.strip():
            return "\n".join(dict.fromkeys(self._pictures))
        return read.strip("\n")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Handle an opening tag."""
        attributes = {name: value or "" for name, value in attrs}
        if tag in self.FRAMES:
            if len(self._frames) < self.DEEPEST:
                self._frames.append((tag, attributes.get("href", ""), []))
        elif tag in {"ul", "ol"}:
            self._put(self._paragraph())
            self._lists.append(1 if tag == "ol" else None)
        elif tag == "li":
            self._put(self.LINE + self._bullet() + self.BULLET)
        elif tag in {"td", "th"}:
            self._cell()
        else:
            self._start_other(tag, attributes)

    def _start_other(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "br":
            self._put("\n")
        elif tag == "hr":
            self._put(f"{self.PARAGRAPH}———{self.PARAGRAPH}")
        elif tag == "img":
            self._put(attributes.get("alt", ""))
            if _is_web_link(attributes.get("src", "")):
                self._pictures.append(attributes["src"])
        else:
            if tag == "tr":
                self._cells = 0
            self._block(tag)

    def handle_endtag(self, tag: str) -> None:
        """Handle a closing tag; one without an opening tag does nothing."""
        if tag in self.FRAMES:
            if any(frame[0] == tag for frame in self._frames):
                while self._close() != tag:
                    pass
        elif tag in {"ul", "ol"}:
            if self._lists:
                self._lists.pop()
            self._put(self._paragraph())
        elif tag == "li":
            self._put(self.LINE)
        else:
            self._block(tag)

    def handle_data(self, data: str) -> None:
        """Keep text: unchanged in code, else with runs of blanks as one."""
        data = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", data)
        if any(frame[0] in self.CODES for frame in self._frames):
            data = re.sub(r"\r\n?", "\n", data)
            self._put(data.replace("\n", self.NEWLINE).replace(" ", self.SPACE))
            return
        data = re.sub(r"[ \t\r\n]+", " ", data)
        data = re.sub(r"~~(?=[^\s~])([^~]*[^\s~])~~", r"~\1~", data)
        self._put(data.replace("\u00a0", self.SPACE))

    def _put(self, text: str) -> None:
        self._frames[-1][2].append(text)

    def _paragraph(self) -> str:
        """Return the beginning of a paragraph, which in a list is only a line."""
        return self.LINE if self._lists else self.PARAGRAPH

    def _cell(self) -> None:
        parts = self._frames[-1][2]
        if parts and parts[-1] == " ":
            parts.pop()
        if self._cells:
            self._put(" | ")
        self._cells += 1

    def _block(self, tag: str) -> None:
        if tag in self.PARAGRAPHS:
            self._put(self._paragraph())
        elif tag in self.LINES:
            self._put(self.LINE)

    def _bullet(self) -> str:
        deep = self.SPACE * 2 * min(max(0, len(self._lists) - 1), 6)
        number = self._lists[-1] if self._lists else None
        if number is None:
            return f"{deep}-{self.SPACE}"
        self._lists[-1] = number + 1
        return f"{deep}{number}.{self.SPACE}"

    def _close(self) -> str:
        """Put the formatted content of the innermost frame into the one around it; return its tag."""
        tag, link, parts = self._frames.pop()
        inside = "".join(parts)
        if tag in self.MARKS:
            self._put(self._marked(self.MARKS[tag], inside))
        elif tag in self.HEADS:
            self._put(self.PARAGRAPH + self._marked("*", inside) + self.PARAGRAPH)
        elif tag in self.CODES:
            self._put(self._code(inside, block=tag == "pre"))
        elif tag == "a":
            self._put(_linked(inside, link))
        elif tag == "blockquote":
            lines = re.split(f"[\n{self.NEWLINE}]", self._settled(parts).strip("\n"))
            quoted = self.NEWLINE.join(f">{self.SPACE}{line}" for line in lines)
            self._put(self.PARAGRAPH + quoted + self.PARAGRAPH)
        return tag

    def _marked(self, mark: str, inside: str) -> str:
        """Return text with a mark around each of its lines, next to the words, as WhatsApp needs it."""
        ends = f"([\n{self.LINE}{self.PARAGRAPH}{self.NEWLINE}{self.BULLET}]+)"
        parts = re.split(ends, inside)
        for n in range(0, len(parts), 2):  # between them are the line ends
            if mark not in parts[n] and parts[n].strip(f" {self.SPACE}"):
                parts[n] = self._hug(mark, parts[n])
        return "".join(parts)

    def _hug(self, mark: str, part: str) -> str:
        core = part.strip(f" {self.SPACE}")
        before, after = part.split(core, 1)
        return f"{before}{mark}{core}{mark}{after}"

    def _code(self, inside: str, *, block: bool) -> str:
        if any(frame[0] in self.CODES for frame in self._frames):
            return inside
        many = self.NEWLINE in inside
        if many:
            # Python-Markdown leaves the language of a fenced block in its first line.
            inside = re.sub(rf"^\w*{self.NEWLINE}", "", inside).rstrip(self.NEWLINE)
        if not inside.strip(self.SPACE):
            return inside
        if not many and not block and "`" not in inside:
            return f"`{inside}`"
        code = f"```{inside.replace('```', chr(39) * 3)}```"
        return f"{self.PARAGRAPH}{code}{self.PARAGRAPH}" if block else code

    def _settled(self, parts: list[str]) -> str:
        """Return text in which each beginning of a line or paragraph has become line ends."""
        text = re.sub(f"{self.BULLET}[ \n{self.LINE}{self.PARAGRAPH}]*", "", "".join(parts))
        text = re.sub(
            f"(?<! ) *[\n{self.LINE}{self.PARAGRAPH}][ \n{self.LINE}{self.PARAGRAPH}]*", self._ends, text
        )
        return text.strip(" \n")

    def _ends(self, run: re.Match[str]) -> str:
        wanted = 2 if self.PARAGRAPH in run[0] else 1
        return "\n" * max(wanted, run[0].count("\n"))


def whatsapp(body: str) -> str:
    """Return HTML in WhatsApp's formatting; plain text that Apprise escaped is restored."""
    if not re.search(r"[ \t\n]|<(?!br/>)", body):
        plain = body.replace("<br/>", "\n").replace("&nbsp;", " ").replace("&emsp;", "\t")
        return html.unescape(plain).replace("\r\n", "\n").strip("\r\n")
    reader = _WhatsApp()
    reader.feed(_closed(body))
    reader.close()
    return reader.text()


def _closed(body: str) -> str:
    """Return HTML in which every tag and comment ends; one without an end becomes text.

    Python's parser would search for the end again from each beginning, in quadratic time.
    A section in brackets, at which it gives up, becomes a comment, as in browsers.
    """
    body = re.sub(r"<(?![a-zA-Z/!?])", "&lt;", body.replace("<![", "<! ["))
    for beginning, end in (("<!--", "-->"), ("<", ">")):
        at = body.rfind(end) + 1
        body = body[:at] + body[at:].replace(beginning, html.escape(beginning))
    return body


def split(text: str, limit: int) -> list[str]:
    """Return text in parts of at most ``limit`` characters, cut at paragraphs, lines, sentences or words."""
    parts: list[str] = []
    fence = "```"
    while len(text) > limit:
        room = limit - 2 * len(fence)  # for a block of code that is closed here and opened again there
        at = _cut(text, room)
        part, text = text[:at].rstrip(), text[at:].lstrip("\r\n ")
        if part.count(fence) % 2:
            part, text = part + fence, fence + text
        parts.append(part)
    return [part for part in (*parts, text) if part]


def _cut(text: str, room: int) -> int:
    """Return where to cut: at the best place in the second half of the room, else between characters."""
    for sign in ("\n\n", "\n", ". ", "! ", "? ", " "):
        at = text.rfind(sign, room // 2, room)
        if at > 0:
            return at + len(sign)
    at = room
    while at > room // 2 and _belongs(text[at - 1], text[at]):
        at -= 1
    return at


def _belongs(before: str, char: str) -> bool:
    """Return whether a character combines with the one before it."""
    joins = "\u200d"
    return (
        before == joins
        or char in f"{joins}\ufe0e\ufe0f"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or bool(unicodedata.combining(char))
    )


def _linked(inside: str, link: str) -> str:
    """Return a link as WhatsApp can show it: its label and then its address."""
    address = link.strip()
    shown = re.sub("^(mailto|tel):", "", address)
    if not re.match(r"(https?://|mailto:|tel:)\S+$", address, re.IGNORECASE):
        return inside
    label = inside.strip(" \n\x01\x02\x03\x04")
    if label in {"", shown, address, shown.rstrip("/")}:
        return shown
    return f"{inside.rstrip()} ({shown})"


def _titled(text: str, title: str) -> str:
    """Return a text under its title in bold."""
    if title and "*" not in title and "\n" not in title:
        title = f"*{title}*"
    return "\n".join(part for part in (title, text) if part)


def _media(links: list[str], caption: str = "") -> list[_Piece]:
    """Return a request for each link; the first one carries the caption."""
    pieces = []
    for n, link in enumerate(links):
        fields = {"media_url": link}
        if caption and n == 0:
            fields["message"] = caption
        pieces.append(_Piece(f"media {n}", "media", fields))
    return pieces


def _public_link(attachment: Any) -> str | None:
    """Return an attachment's own link; None for a file, and for a link that is not public.

    It is built from its parts: ``url()`` would add Apprise's arguments and the password, and other attributes
    would download the file.
    """
    if not isinstance(attachment, AttachHTTP) or attachment.user or attachment.password or attachment.headers:
        return None
    path = quote(attachment.fullpath or "/", safe="/%:@!$&'()*+,;=~-._")
    query = {name: value for name, value in attachment.qsd.items() if name not in _APPRISE_ARGUMENTS}
    if query:
        path += f"?{urlencode(query, quote_via=quote)}"
    return f"{attachment.schema}://{_authority(attachment.host, attachment.port)}{path}"


def _authority(host: str, port: Any) -> str:
    """Return the host and port of a URL; an IPv6 address gets brackets."""
    name = host.strip("[]")
    if ":" in name:
        name = f"[{name}]"
    return f"{name}:{port}" if port else name


def _refuse_redirect(answer: Any, **_parts: Any) -> Any:
    """Stop at a redirect, before requests reads all that comes with it."""
    if answer.is_redirect:
        answer.close()
        raise requests.TooManyRedirects("redirected")
    return answer


def _reason(status: int, server: _Server) -> str | None:
    """Return the meaning of a status that is no success."""
    if status == server.status:
        return None
    return f"HTTP {status}: {server.reasons.get(status, 'unexpected')}"


def _seconds(timeout: Any) -> float:
    """Return the sum of a (connect, read) timeout of requests."""
    if not isinstance(timeout, tuple):
        timeout = (timeout,)
    return sum(float(seconds) for seconds in timeout if seconds)


def _parsed(url: str) -> dict[str, Any] | None:
    """Return the parts of a URL as Apprise parses it, or None."""
    try:
        # Apprise takes what follows a semicolon for something else, and drops it.
        path, mark, query_text = url.partition("?")
        results = NotifyBase.parse_url(path.replace(";", "%3B") + mark + query_text, verify_host=False)
    except ValueError:
        return None
    return results or None


def _with_arguments(results: dict[str, Any], *more: str) -> dict[str, Any]:
    """Return the parts of a URL with our own arguments."""
    query = results.get("qsd") or {}
    if query.get("to"):
        results["targets"].append(query["to"])
    for name in ("device", "mode", "options", "start", "media", "caption", "attach", *more):
        if name in query:
            results[name] = query[name]
    return results


def _flaw(url: str) -> tuple[str, str]:
    """Return the part of a URL that Apprise cannot parse, with a hint."""
    _schema, _colon, rest = url.partition("://")
    place = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if not place.strip() or place.startswith("@"):
        return "key", "it is missing: write wbox://KEY/PHONE"
    if "[" in place or "]" in place:
        return "host", "this is not the name or address of a server"
    if re.search(r":[^:@]*$", place):
        return "port", "it must be a number from 1 to 65535"
    return "URL", "it cannot be read: write wbox://KEY/PHONE or wbox://KEY@HOST:PORT/PHONE"


def _take_place(results: dict[str, Any]) -> None:
    """Assign key, host and targets: without an @ the key is where the host would be."""
    user = NotifyBase.unquote(results.get("user") or "")
    host = NotifyBase.unquote(results.get("host") or "")
    keyed = bool((results.get("qsd") or {}).get("key"))
    results["targets"] = NotifyBase.split_path(results.get("fullpath") or "")
    results["apikey"] = user
    results["user"] = None
    if not user and not keyed:
        results["apikey"], host = host, ""
    elif _phone(host) and not results.get("port"):
        # wbox://KEY@905551234567: the phone is in the place of the host.
        results["targets"].insert(0, host)
        host = ""
    results["host"] = host or None


def _items(values: Any, between: str | None) -> list[str]:
    """Return the items of a text or a list, without blanks around them and without empty ones."""
    if isinstance(values, (str, int)):
        values = [values]
    items: list[str] = []
    for value in values or ():
        items += re.split(between, str(value)) if between else [str(value)]
    return [item.strip() for item in items if item.strip()]


def _phone(text: str) -> str | None:
    """Return the digits of a phone number with its country code, or None."""
    if not re.fullmatch(r"\+?[0-9\s().\u00a0-]+", text.strip()):
        return None
    digits = re.sub("[^0-9]", "", text)
    digits = digits.removeprefix("00")
    return digits if _PHONE.fullmatch(digits) else None


def _masked(phone: str) -> str:
    return f"+{phone[:4]}***{phone[-3:]}"


def _word(value: Any) -> str:
    """Return a word of a URL or an enumeration in lower case."""
    return str(getattr(value, "value", value) or "").strip().lower()


def _is_host(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        last = name.rstrip(".").rpartition(".")[2]
        return bool(_LABELS.fullmatch(name)) and not last.isdigit()
    return True


def _is_web_link(link: str) -> bool:
    # Python puts the marks on the letters of a host in order, in a time that grows with their square.
    if len(link) > _LONGEST_LINK:
        return False
    try:
        parts = urlsplit(link)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and not re.search(r"\s", link)
    except ValueError:
        return False


def register() -> None:
    """Register ``wbox://`` and ``wboxq://`` with Apprise, unless they are known."""
    known = NotificationManager()
    for schema, provider in (("wbox", NotifyWbox), ("wboxq", NotifyWboxQueue)):
        if schema not in known:
            known.add(provider)


# Apprise is loading its own plugins, of which this is one: do not call it now.
if not __name__.startswith("apprise.plugins."):
    register()
