"""Messages: Text, Media, CalendarEvent, Poll, and Notice for other services; checked when made."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import PurePath
from typing import Any, ClassVar
from urllib.parse import urlsplit

from wbox_notify.errors import MessageError
from wbox_notify.model.phones import international
from wbox_notify.model.texts import Wording

APPRISE = "apprise"
"""The device of all notices."""

# The limits of WhatsApp itself: as wbox gives no receipt, a longer message could be lost without notice.
_LONGEST_TEXT = 65_536
_LONGEST_QUESTION = 255
_LONGEST_ADDRESS = 8192
_LONGEST_OPTION = 100
_MOST_OPTIONS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """The recipient and the device of a WhatsApp message."""

    kind: ClassVar[str]

    phone: str
    device_id: int | None = None

    def __post_init__(self) -> None:
        _be_text("phone", self.phone)
        if self.device_id is not None and type(self.device_id) is not int:
            raise MessageError("device_id", "must be the number of a device")
        object.__setattr__(self, "phone", international(self.phone))

    @property
    def recipient(self) -> str:
        """The phone number that it goes to."""
        return self.phone

    @property
    def device(self) -> str:
        """The number of the device that sends it; empty where wbox chooses."""
        return str(self.device_id or "")

    def _addressed(self, **fields: Any) -> dict[str, Any]:
        """Return a request body: the fields that are set, the phone and the device if one is asked for."""
        body = {"phone": self.phone, **fields, "device_id": self.device_id}
        return {name: value for name, value in body.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(_Message):
    """A text message; WhatsApp's own formatting (``*bold*``, ``_italic_``) works in it."""

    kind = "text"

    message: str

    def __post_init__(self) -> None:
        super(Text, self).__post_init__()
        _need("message", self.message)
        _fit("message", self.message, _LONGEST_TEXT)

    def body(self) -> dict[str, Any]:
        """Return the JSON body of ``POST /v1/send/text``."""
        return self._addressed(message=_clean(self.message))


@dataclass(frozen=True, slots=True, kw_only=True)
class Media(_Message):
    """An image, a video or a document: at an address of the web, or a file of this machine.

    Attributes:
        url: The address at which wbox fetches it.
        file: The path of the file; it gets an address before it is handed to wbox.
        caption: The text below it.
    """

    kind = "media"

    url: str | None = None
    file: str | None = None
    caption: str | None = None

    def __post_init__(self) -> None:
        super(Media, self).__post_init__()
        _be_text("caption", self.caption or "")
        if self.url is not None and self.file is not None:
            raise MessageError("file", "stands beside `url`, and media have one of them")
        if self.file is not None:
            _need("file", self.file)
            return
        _need("url", self.url)
        _web_address("url", self.url or "")

    def body(self) -> dict[str, Any]:
        """Return the JSON body of ``POST /v1/send/media``; a file without an address stands as ``file``."""
        file = self.file and _clean(self.file)
        caption = _clean(self.caption or "") or None
        return self._addressed(media_url=self.url, file=file, message=caption)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarEvent(_Message):
    """A calendar invitation; ``start`` is ISO 8601 (``2026-10-15T14:00``) or plain words."""

    kind = "event"

    title: str
    description: str | None = None
    start: str | None = None

    def __post_init__(self) -> None:
        super(CalendarEvent, self).__post_init__()
        _need("title", self.title)
        _be_text("description", self.description or "")
        _be_text("start", self.start or "")

    def body(self) -> dict[str, Any]:
        """Return the JSON body of ``POST /v1/send/event``."""
        details = {"title": self.title, "description": self.description, "startDate": self.start}
        return self._addressed(event={name: _clean(text) for name, text in details.items() if text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll(_Message):
    """A question with two to twelve different options to choose from."""

    kind = "poll"

    question: str
    options: tuple[str, ...]

    def __post_init__(self) -> None:
        super(Poll, self).__post_init__()
        object.__setattr__(self, "options", tuple(self.options))
        _need("question", self.question)
        _fit("question", self.question, _LONGEST_QUESTION)
        for option in self.options:
            _need("options", option)
            _fit("options", option, _LONGEST_OPTION)
        if len(set(self.options)) < 2:  # noqa: PLR2004
            raise MessageError("options", "a poll needs at least 2 different options")
        if len(set(self.options)) < len(self.options):
            raise MessageError("options", "an option is there twice")
        if len(self.options) > _MOST_OPTIONS:
            raise MessageError("options", Wording("a poll has at most {most} options", most=_MOST_OPTIONS))

    def body(self) -> dict[str, Any]:
        """Return the JSON body of ``POST /v1/send/poll``."""
        return self._addressed(message=_clean(self.question), options=[_clean(text) for text in self.options])


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A text for another service than WhatsApp, by way of Apprise.

    Attributes:
        outlet: The name of the Apprise URL in the project; never the URL, which may hold a password.
    """

    kind: ClassVar[str] = "notice"

    outlet: str
    text: str
    title: str = ""

    def __post_init__(self) -> None:
        _need("outlet", self.outlet)
        _need("text", self.text)
        _be_text("title", self.title)

    @property
    def recipient(self) -> str:
        """The outlet that it goes to."""
        return self.outlet

    @property
    def device(self) -> str:
        """The device of all notices."""
        return APPRISE


WhatsAppMessage = Text | Media | CalendarEvent | Poll
Message = WhatsAppMessage | Notice
KINDS: Mapping[str, type[WhatsAppMessage]] = {kind.kind: kind for kind in (Text, Media, CalendarEvent, Poll)}
_NAMES: Mapping[type, tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(kind)) for kind in (*KINDS.values(), Notice)
}


def notice_of(message: WhatsAppMessage, outlet: str, title: str) -> Notice:
    """Return a WhatsApp message as a text for another service."""
    return Notice(outlet=outlet, text=readable(message.kind, dump(message)), title=title)


def readable(kind: str, fields: Mapping[str, Any]) -> str:
    """Return a WhatsApp message of a kind as plain text; ``fields`` are those of its class."""
    match kind:
        case "text":
            parts = [fields["message"]]
        case "media":
            parts = [fields.get("caption"), fields.get("url") or PurePath(fields["file"]).name]
        case "event":
            parts = [fields["title"], fields.get("start"), fields.get("description")]
        case _:
            parts = [fields["question"], *(f"- {option}" for option in fields["options"])]
    return _clean("\n".join(filter(None, parts)))


def dump(message: Message) -> dict[str, Any]:
    """Return a message as JSON values, for the store; ``load`` is its inverse."""
    return {"kind": message.kind, **{name: getattr(message, name) for name in _NAMES[type(message)]}}


def load(values: Mapping[str, Any]) -> Message:
    """Return the message that ``dump`` gave the values of."""
    rest = dict(values)
    kind = rest.pop("kind")
    if kind == Notice.kind:
        return Notice(**rest)
    return KINDS[kind](**rest)


def _be_text(field: str, text: object) -> None:
    if text is None:
        raise MessageError(field, "is missing")
    if not isinstance(text, str):
        raise MessageError(field, Wording("must be text, not {kind}", kind=type(text).__name__))


def _need(field: str, text: str | None) -> None:
    _be_text(field, text)
    if not (text or "").strip():
        raise MessageError(field, "is empty")


def _web_address(field: str, url: str) -> None:
    # Before it is parsed: Python sorts the combining marks of a host in quadratic time.
    if len(url) > _LONGEST_ADDRESS:
        raise MessageError(
            field,
            Wording(
                "is an address of {number:,} characters, and has {most:,} at most",
                number=len(url),
                most=_LONGEST_ADDRESS,
            ),
        )
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or any(map(str.isspace, url)):
        hint = "wbox fetches media from a public URL; `file:` sends a file of this machine"
        raise MessageError(field, Wording("{url!r} is not an absolute http(s) address", url=url), hint=hint)


def _clean(text: str) -> str:
    """Return text that any JSON reader takes: a broken byte of a file name becomes a replacement sign."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _fit(field: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise MessageError(
            field,
            Wording(
                "has {number:,} characters, WhatsApp takes {longest:,}", number=len(text), longest=longest
            ),
        )
