"""The shape of what is sent."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from wbox_notify.config.yaml.validation import Refusal, Strict, later, listed, some, wrong
from wbox_notify.rules.models.values import Device

SEND_KINDS = ("text", "template", "media", "event", "poll")


class MediaSpec(Strict):
    """An image, a video or a document."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["file"]}, {"required": ["url"]}]})

    file: str | None = Field(
        default=None, description="a file of this machine, `{{ file.path }}`; it needs `public_url`"
    )
    url: str | None = Field(
        default=None, description="where wbox fetches it: an address that is open to the world"
    )
    caption: str | None = Field(default=None, description="the text below it")

    @model_validator(mode="before")
    @classmethod
    def _no_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            hint = f"write `{{file: {value!r}}}` or `{{url: {value!r}}}`".replace("'", '"')
            raise wrong("WBX213", "`media` says whether this is a `file` of this machine or a `url`", hint)
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.url is None):
            message = "`media` has a `file` of this machine or the `url` of one that stands on the web"
            raise wrong("WBX211", message, 'write `{file: "{{ file.path }}"}` or `{url: https://...}`')
        return self


class EventSpec(Strict):
    """A calendar invitation."""

    title: str = Field(description="what it is")
    description: str | None = Field(default=None, description="more about it")
    start: str | None = Field(default=None, description="when it begins, such as `2026-12-01T14:00`")


class PollSpec(Strict):
    """A question with options."""

    question: str = Field(description="what is asked")
    options: list[str] = Field(description="at least two answers to choose from")


class SendSpec(Strict):
    """One message; exactly one of the five kinds is given."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [kind]} for kind in SEND_KINDS]},
    )
    refused: ClassVar[Mapping[str, Refusal]] = later("if", "to")

    text: str | None = Field(default=None, description="a text")
    template: str | None = Field(default=None, description="a text from a file in `templates/`")
    media: MediaSpec | None = Field(default=None, description="an image, a video or a document")
    event: EventSpec | None = Field(default=None, description="a calendar invitation")
    poll: PollSpec | None = Field(default=None, description="a question with options")
    device: Device | None = Field(default=None, description="the number of the wbox device that sends it")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in SEND_KINDS if getattr(self, kind) is not None]
        if not given:
            raise wrong("WBX211", f"`send` needs one of {', '.join(SEND_KINDS)}")
        if len(given) > 1:
            message = f"`send` takes one of {', '.join(SEND_KINDS)}, not {' and '.join(given)} together"
            raise wrong("WBX211", message, "make it a list of messages")
        return self


Messages = Annotated[
    list[SendSpec],
    BeforeValidator(
        listed,
        json_schema_input_type=SendSpec | Annotated[list[SendSpec], Field(json_schema_extra={"minItems": 1})],
    ),
    AfterValidator(some),
]
