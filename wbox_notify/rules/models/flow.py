"""The shape of what a rule does about noise: dedupe, throttle, group, digest, quiet hours, escalation."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WrapValidator

from wbox_notify.config.spec import OutletNames
from wbox_notify.config.yaml.validation import Refusal, Strict, listed, one_of, wrong
from wbox_notify.rules.models.messages import Messages
from wbox_notify.rules.models.triggers import TimesSpec
from wbox_notify.rules.models.values import (
    Count,
    Duration,
    DurationOrNever,
    RecipientsOrVia,
    SomeTexts,
    Texts,
    unless_via,
)

_RATE = re.compile(r"([0-9]{1,9}) */ *([^ ].*)")

Overflow = Literal["summarize", "queue", "drop"]
Then = Literal["hold", "drop"]
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
    overflow: Annotated[
        Overflow, BeforeValidator(one_of("summarize", "queue", "drop"), json_schema_input_type=Overflow)
    ] = Field(
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
    then: Annotated[Then, BeforeValidator(one_of("hold", "drop"), json_schema_input_type=Then)] = Field(
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


def _keyed(value: Any) -> Any:
    return {"key": value} if isinstance(value, str | list) else value


def _rated(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = _RATE.fullmatch(value.strip())
    if not found:
        raise wrong("WBX215", f"`{value}` is not a throttle", "write it like 3/10m: 3 in 10 minutes")
    return {"max": int(found[1]), "per": found[2]}


def _windowed(value: Any) -> Any:
    return {"window": value} if isinstance(value, str | list) else value


Dedupe = Annotated[DedupeSpec, BeforeValidator(_keyed, json_schema_input_type=_TextOrTexts | DedupeSpec)]
Throttle = Annotated[
    ThrottleSpec,
    BeforeValidator(
        _rated,
        json_schema_input_type=Annotated[str, Field(pattern="^[0-9]{1,9} */ *[0-9]")] | ThrottleSpec,
    ),
]
Quiet = Annotated[QuietSpec, BeforeValidator(_windowed, json_schema_input_type=_TextOrTexts | QuietSpec)]
Steps = Annotated[list[StepSpec], BeforeValidator(listed, json_schema_input_type=StepSpec | list[StepSpec])]
