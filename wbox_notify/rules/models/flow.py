"""Models of messages and of their flow: dedupe, throttle, group, digest, quiet hours, escalation."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, WrapValidator, model_validator

from wbox_notify.config.fields import Count, Device, Duration, DurationOrNever, OutletNames, SomeStrings
from wbox_notify.config.yaml.validation import Refusal, Strict, invalid, later
from wbox_notify.model.texts import Wording
from wbox_notify.rules.models.triggers import TimesSpec
from wbox_notify.rules.models.values import (
    OneKind,
    RecipientsOrVia,
    SomeTexts,
    Texts,
    one_or_list,
    one_or_more,
    requires_one,
    shorthand,
    unless_via,
)

_KINDS = ("text", "template", "media", "event", "poll")


class MediaSpec(Strict):
    """An image, a video or a document."""

    model_config = requires_one("file", "url")

    file: str | None = Field(
        default=None, description="a file of this machine, `{{ file.path }}`; it needs `public_url`"
    )
    url: str | None = Field(
        default=None, description="the address from which wbox fetches it; it must be public"
    )
    caption: str | None = Field(default=None, description="the text below")

    @model_validator(mode="before")
    @classmethod
    def _no_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            quoted = repr(value).replace("'", '"')
            hint = Wording("write `{{file: {quoted}}}` or `{{url: {quoted}}}`", quoted=quoted)
            raise invalid("WBX213", "`media` needs a `file` of this machine or a `url`", hint)
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.url is None):
            message = "`media` takes either a `file` of this machine or a `url`"
            raise invalid("WBX211", message, 'write `{file: "{{ file.path }}"}` or `{url: https://...}`')
        return self


class EventSpec(Strict):
    """A calendar invitation."""

    title: str = Field(description="the title")
    description: str | None = Field(default=None, description="a longer text")
    start: str | None = Field(
        default=None, description="the start, such as `2026-12-01T14:00` or `01.12.2026 14:00`"
    )


class PollSpec(Strict):
    """A question with options."""

    question: str = Field(description="the question")
    options: list[str] = Field(description="two answers or more", json_schema_extra={"minItems": 2})


class SendSpec(OneKind):
    """A message: exactly one of the five kinds."""

    noun, kinds, hints = "`send`", _KINDS, (None, Wording("make it a list of messages"))
    model_config = requires_one(*_KINDS)
    refused: ClassVar[Mapping[str, Refusal]] = later("if", "to")

    text: str | None = Field(default=None, description="a text")
    template: str | None = Field(default=None, description="a text from a file in `templates/`")
    media: MediaSpec | None = Field(default=None, description="an image, a video or a document")
    event: EventSpec | None = Field(default=None, description="a calendar invitation")
    poll: PollSpec | None = Field(default=None, description="a question with options")
    device: Device | None = Field(default=None, description="the number of the sending wbox device")


Messages = Annotated[list[SendSpec], one_or_more(SendSpec)]

Durations = Annotated[list[Duration], one_or_list(Duration)]

_RATE = re.compile(r"([0-9]{1,9}) */ *([^ ].*)")


class StatusSpec(Strict):
    """Whether something is in trouble.

    The rule goes on when a trouble begins and when it is over, and not in between: from here on, `alert` and
    `group`, `escalate` and `quiet_hours` are as with a preset that has a status. With `group`, each report of
    the trouble goes on, and the group tells the newest.
    """

    firing: str = Field(description="an expression: where it holds, the trouble is on")
    resolved: str | None = Field(
        default=None,
        description="an expression: where it holds, the trouble is over, unless `firing` holds too; where "
        "neither does, nothing changes; by default the trouble is over where `firing` does not hold",
    )
    key: Texts = Field(
        default=[],
        description="expressions; what has different values, such as `body.sensor`, has its own trouble; by "
        "default all events of the rule are about one",
    )


class RemindSpec(Strict):
    """A message some time before or after a date, at the date itself where neither is given.

    The reminder waits on disk. A later event with the same key moves it to the date that it has then. A row
    that a newer version of its file does not have any more is not told. What is edited here counts for what
    comes after that.
    """

    at: str = Field(
        description="a template: the date, such as `{{ row.date }} 09:00`, in any form that `datetime` "
        "reads; a day alone begins at midnight"
    )
    before: Durations = Field(
        default=[],
        description="how long before the date, or a list: `1d`, `[7d, 2h]`; what is past when the date "
        "becomes known is left out, but for the last one, which is then told at once",
    )
    after: Durations = Field(default=[], description="how long after the date, or a list")
    key: SomeTexts = Field(
        default=[],
        description="an expression, or a list: what stays the same when the date changes, such as `row.id`; "
        "required but for `file.events` and `events(…)`, where it is the event, or one time of an event that "
        "recurs",
    )
    unless: str | None = Field(
        default=None,
        description="an expression: an event for which it holds cancels the reminder with its key; of a "
        "calendar what is cancelled there",
    )


class DedupeSpec(Strict):
    """The key of equal events.

    What nobody was told of, as it was dropped or could not be made, counts as never seen. The end of a
    trouble is not equal to the trouble, and neither is the next one.
    """

    key: SomeTexts = Field(
        description="an expression, or a list of expressions; if one gives none or an empty text, the event "
        "is not a duplicate",
    )
    keep: Duration | None = Field(
        default=None, alias="for", description="how long a value counts; for ever by default"
    )


class ThrottleSpec(Strict):
    """The most events in a time.

    The end of a trouble that somebody was told of is not counted and not left out. What `unless` of
    `quiet_hours` lets through is counted by itself.
    """

    max: Count = Field(description="the number of events")
    per: Duration = Field(description="the time")
    key: Texts = Field(
        default=[],
        description="expressions; events with different values are counted separately, and none is a value "
        "too",
    )
    overflow: Literal["summarize", "queue", "drop"] = Field(
        default="summarize",
        description="what to do with more: `summarize` (one message with their number), `queue` (send "
        "later; of more than 1,000 waiting events only the number), `drop`",
    )


class GroupSpec(Strict):
    """One message for events that belong together."""

    by: Texts = Field(
        default=[],
        description="expressions that have the same values in all events of a group; none equals none",
    )
    wait: Duration = Field(default=30.0, description="the time from the first event to the first message")
    interval: Duration = Field(
        default=300.0, description="the time from one message to the next one with news"
    )
    repeat: DurationOrNever = Field(
        default=14400.0,
        description="the time from one message to the next one without news, or `never`",
    )
    resolved: bool = Field(default=True, description="whether to send a message when all is resolved")


class DigestSpec(TimesSpec):
    """One message for all events since the last one; of more than 2,000 only the number.

    A rotation stands for who has the turn when the digest is sent. Messages for a person whom the rule no
    longer names are held in `queue list`.
    """


_IGNORE = "ignore"


class QuietSpec(Strict):
    """A time without messages.

    It holds for all that the rule sends, also for numbers of what was left out and for steps of `escalate`,
    beside the `quiet_hours` of each person. What waits is sent also when another person has acknowledged it.
    """

    window: SomeTexts = Field(
        description="the name of a window in `time_windows`, or a window such as `22:00-07:30`; if clocks "
        "go back over its end, it ends when they show that time again",
    )
    unless: str | None = Field(
        default=None,
        description="an expression: messages that are sent nevertheless, also in the quiet hours of a person",
    )
    then: Literal["hold", "drop"] = Field(
        default="hold",
        description="`hold` sends afterwards what is still true (of more than 500 events only the number): "
        "of a trouble that came and went nothing, and an end to whoever heard of its beginning; `drop` "
        "never does",
    )

    @property
    def ignored(self) -> bool:
        """Whether there are no quiet hours for the rule, also not those of a person."""
        return self.window == [_IGNORE]


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

    after: Duration = Field(description="the time after the first message")
    unless: str = Field(
        default="acked or resolved",
        description="an expression that stops the step; it sees `acked`, `resolved` and `sent` (wbox "
        "accepted a first message)",
    )
    condition: str | None = Field(
        default=None, alias="if", description="an expression that must hold for the step"
    )
    quiet_hours: Literal["ignore"] | None = Field(
        default=None,
        description="`ignore` takes the step at any hour; else it waits for the end of quiet hours, and is "
        "left out if somebody has answered until then",
    )
    via: OutletNames = Field(default=[], description="other services, as in a rule")
    to: RecipientsOrVia = Field(
        default=(),
        validate_default=True,
        description="recipients, as in a rule; may be left out with `via`",
    )
    send: Annotated[Messages, WrapValidator(unless_via)] = Field(
        default=(),
        validate_default=True,
        description="messages, as in a rule; with `via` those of the rule when left out",
    )


def _rated(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    rate = _RATE.fullmatch(value.strip())
    if not rate:
        raise invalid(
            "WBX215",
            Wording("`{value}` is not a throttle", value=value),
            "write it like 3/10m: 3 in 10 minutes",
        )
    return {"max": int(rate[1]), "per": rate[2]}


Dedupe = Annotated[DedupeSpec, shorthand("key", str, list, schema=SomeStrings | DedupeSpec)]
Throttle = Annotated[
    ThrottleSpec,
    BeforeValidator(
        _rated,
        json_schema_input_type=Annotated[str, Field(pattern="^[0-9]{1,9} */ *[0-9]")] | ThrottleSpec,
    ),
]
Quiet = Annotated[QuietSpec, shorthand("window", str, list, schema=SomeStrings | QuietSpec)]
Steps = Annotated[list[StepSpec], one_or_list(StepSpec)]
