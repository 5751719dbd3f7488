"""Models of messages and of their flow: dedupe, throttle, group, digest, quiet hours, escalation."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WrapValidator, model_validator

from wbox_notify.config.fields import Count, Device, Duration, DurationOrNever, OutletNames
from wbox_notify.config.yaml.validation import Refusal, Strict, later, listed, some, wrong
from wbox_notify.rules.models.triggers import TimesSpec
from wbox_notify.rules.models.values import RecipientsOrVia, SomeTexts, Texts, shorthand, unless_via

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
            raise wrong("WBX213", "`media` needs a `file` of this machine or a `url`", hint)
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.url is None):
            message = "`media` takes either a `file` of this machine or a `url`"
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


_RATE = re.compile(r"([0-9]{1,9}) */ *([^ ].*)")

_TextOrTexts = str | list[str]


class DedupeSpec(Strict):
    """What makes two events the same."""

    key: SomeTexts = Field(
        description="an expression, or a list of them; where one of them gives none or an empty text, the "
        "event is no duplicate"
    )
    keep: Duration | None = Field(
        default=None, alias="for", description="how long a value is kept in mind; for ever when left out"
    )


class ThrottleSpec(Strict):
    """How many events are followed in a time."""

    max: Count = Field(description="how many")
    per: Duration = Field(description="in which time")
    key: Texts = Field(
        default=[],
        description="expressions; each value of them is counted by itself, and none is a value too",
    )
    overflow: Literal["summarize", "queue", "drop"] = Field(
        default="summarize",
        description="what becomes of more: `summarize` (one message says how many), `queue` (later; of more"
        " than 1,000 that wait it says how many), `drop`",
    )


class GroupSpec(Strict):
    """One message for what belongs together."""

    by: Texts = Field(
        default=[], description="expressions: what is equal in all members of a group; none is equal to none"
    )
    wait: Duration = Field(default=30.0, description="from the first member to the first message")
    interval: Duration = Field(
        default=300.0, description="from one message to the next that tells something new"
    )
    repeat: DurationOrNever = Field(
        default=14400.0,
        description="from one message to the next that tells the same, or `never`",
    )
    resolved: bool = Field(default=True, description="whether to tell that all is well again")


class DigestSpec(TimesSpec):
    """When one message tells of all events since the last one, and of more than 2,000 how many more.

    What waits for somebody whom the rule tells no more waits for you in `queue list` instead.
    """


class QuietSpec(Strict):
    """When nobody is to be disturbed."""

    window: SomeTexts = Field(
        description="the name of a window in `time_windows`, or a window such as `22:00-07:30`; where clocks"
        " go back over its end, it lasts until they show its end the second time"
    )
    unless: str | None = Field(default=None, description="an expression: what is told all the same")
    then: Literal["hold", "drop"] = Field(
        default="hold",
        description="`hold` tells afterwards what still matters (of more than 500 how many more came), `drop`"
        " never does",
    )


class StepSpec(Strict):
    """One step of an escalation."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["to", "send"]}, {"required": ["via"]}]}
    )
    refused: ClassVar[Mapping[str, Refusal]] = {
        "fallback": Refusal(
            "WBX210", "a step has no `fallback`", "write it beside `escalate`: it is the rule's"
        )
    }

    after: Duration = Field(description="how long after the first message")
    unless: str = Field(
        default="acked or resolved",
        description="an expression that stops the step; it sees `acked`, `resolved` and `sent` (wbox took a"
        " message of the beginning)",
    )
    condition: str | None = Field(
        default=None, alias="if", description="an expression that must hold for the step"
    )
    via: OutletNames = Field(default=[], description="other services that are told, as in a rule")
    to: RecipientsOrVia = Field(
        default=(),
        validate_default=True,
        description="who is told, as in a rule; may be left out with `via`",
    )
    send: Annotated[Messages, WrapValidator(unless_via)] = Field(
        default=(),
        validate_default=True,
        description="what they are sent, as in a rule; with `via` the rule's own when left out",
    )


def _rated(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = _RATE.fullmatch(value.strip())
    if not found:
        raise wrong("WBX215", f"`{value}` is not a throttle", "write it like 3/10m: 3 in 10 minutes")
    return {"max": int(found[1]), "per": found[2]}


Dedupe = Annotated[
    DedupeSpec, BeforeValidator(shorthand("key", str, list), json_schema_input_type=_TextOrTexts | DedupeSpec)
]
Throttle = Annotated[
    ThrottleSpec,
    BeforeValidator(
        _rated,
        json_schema_input_type=Annotated[str, Field(pattern="^[0-9]{1,9} */ *[0-9]")] | ThrottleSpec,
    ),
]
Quiet = Annotated[
    QuietSpec,
    BeforeValidator(shorthand("window", str, list), json_schema_input_type=_TextOrTexts | QuietSpec),
]
Steps = Annotated[list[StepSpec], BeforeValidator(listed, json_schema_input_type=StepSpec | list[StepSpec])]
