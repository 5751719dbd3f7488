"""The shape of a rule file: which keys there are and what may stand after them."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from wbox_notify.documents.shape import EMPTY_MAP, LISTED, Refusal, Strict, Version, later, wrong
from wbox_notify.rules.people import PhoneText

SEND_KINDS = ("text", "template", "media", "event", "poll")

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?(?:(\d{1,6})ms)?")


def _slug(text: str) -> str:
    if not _ID.fullmatch(text):
        near = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")[:64]
        message = "an id has small letters, digits, `-` and `_`, 64 at most"
        raise wrong("WBX215", message, f"write `{near}`" if near else "write it like `new-invoice`")
    return text


def _seconds(text: Any) -> Any:
    found = _DURATION.fullmatch(text) if isinstance(text, str) and text else None
    if found is None:
        raise wrong("WBX215", "this is not a duration", "write it like 2s, 500ms or 1m30s")
    hours, minutes, seconds, thousandths = (int(part or 0) for part in found.groups())
    return hours * 3600.0 + minutes * 60 + seconds + thousandths / 1000


def _counted(device: int) -> int:
    if device < 1:
        raise wrong("WBX215", f"{device} is not the number of a device", "devices count from 1")
    return device


def _lone(trigger: Any) -> Any:
    if isinstance(trigger, list):
        raise wrong("WBX214", "a list of triggers is not in this version yet", "write a rule for each")
    return trigger


def _some(values: list[Any]) -> list[Any]:
    if not values:
        raise wrong("WBX215", "the list is empty")
    return values


def _nothing_is_none(values: Any) -> Any:
    return [] if values is None else values


Device = Annotated[int, AfterValidator(_counted)]
OneOrMore = Annotated[list[str], LISTED, AfterValidator(_some)]


class FileSpec(Strict):
    """The file trigger."""

    refused: ClassVar[Mapping[str, Refusal]] = later(
        "ready", "done", "failed", "duplicate", "existing", "burst", "min_size", "poll"
    )

    path: str
    match: OneOrMore = Field(default=["**/*"])
    ignore: Annotated[list[str], LISTED] = Field(default=[])
    settle: Annotated[float, BeforeValidator(_seconds)] = 2.0


class TriggerSpec(Strict):
    """What sets off a rule."""

    refused: ClassVar[Mapping[str, Refusal]] = later("webhook", "schedule", "missing")

    file: FileSpec


class MediaSpec(Strict):
    """An image, a video or a document."""

    refused: ClassVar[Mapping[str, Refusal]] = later("file", hint="give `url`: wbox fetches it from there")

    url: str
    caption: str | None = None


class EventSpec(Strict):
    """A calendar invitation."""

    title: str
    description: str | None = None
    start: str | None = None


class PollSpec(Strict):
    """A question with options."""

    question: str
    options: list[str]


class SendSpec(Strict):
    """One message; exactly one of the five kinds is given."""

    refused: ClassVar[Mapping[str, Refusal]] = later("if", "to")

    text: str | None = None
    template: str | None = None
    media: MediaSpec | None = None
    event: EventSpec | None = None
    poll: PollSpec | None = None
    device: Device | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in SEND_KINDS if getattr(self, kind) is not None]
        if not given:
            raise wrong("WBX211", f"`send` needs one of {', '.join(SEND_KINDS)}")
        if len(given) > 1:
            message = f"`send` takes one of {', '.join(SEND_KINDS)}, not {' and '.join(given)} together"
            raise wrong("WBX211", message, "make it a list of messages")
        return self


class RuleSpec(Strict):
    """One rule."""

    refused: ClassVar[Mapping[str, Refusal]] = {
        **later("for_each", "throttle", "group", "digest", "quiet_hours", "escalate"),
        **later("on_unknown", "expire_after", "tests", "vars"),
        "on": Refusal("WBX210", "unknown key `on`", "did you mean `trigger`?"),
        "when": Refusal("WBX210", "unknown key `when`", "did you mean `if`?"),
    }

    id: Annotated[str, AfterValidator(_slug)]
    name: str | None = None
    trigger: Annotated[TriggerSpec, BeforeValidator(_lone)]
    conditions: OneOrMore = Field(default=[], alias="if")
    dedupe: OneOrMore = Field(default=[])
    to: Annotated[list[PhoneText], LISTED, AfterValidator(_some)]
    send: Annotated[list[SendSpec], LISTED, AfterValidator(_some)]


class RuleFile(Strict):
    """A whole file of ``rules/``; its parts are looked at one by one, so that no mistake hides another."""

    refused: ClassVar[Mapping[str, Refusal]] = {
        **later("defaults", hint="set defaults in wbox-notify.yaml"),
        **later("on_call", "time_windows"),
    }

    version: Version
    contacts: Annotated[dict[str, Any], EMPTY_MAP] = Field(default={})
    groups: Annotated[dict[str, Any], EMPTY_MAP] = Field(default={})
    rules: Annotated[list[Any], BeforeValidator(_nothing_is_none)] = Field(default=[])
