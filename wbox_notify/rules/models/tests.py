"""The shape of the tests of a rule."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from wbox_notify.config.fields import Duration
from wbox_notify.config.yaml.validation import Strict, listed, wrong
from wbox_notify.rules.models.values import Moment, PhoneText

_EXPECTED = ("text", "media", "event", "poll")
INPUTS = ("file", "webhook", "schedule", "missing", "ack", "wait")


class FileFacts(Strict):
    """A file that comes."""

    name: str | None = Field(default=None, description="its name, or its path below the watched folder")
    size: int | None = Field(default=None, description="its bytes; those of `text` when left out")
    mtime: Moment | None = Field(default=None, description="when it was changed")
    sha256: str | None = Field(default=None, description="what stands for its contents")
    text: str | None = Field(default=None, description="its contents")


class CallFacts(Strict):
    """A call that comes."""

    body: Any = Field(default=None, description="the body, as the preset's sender sends it")
    headers: dict[str, str] = Field(default={}, description="headers")
    query: dict[str, str] = Field(default={}, description="what stands after the `?`")


class GivenSpec(Strict):
    """One input; one of the six kinds is given."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [kind]} for kind in INPUTS]})

    at: Moment | None = Field(default=None, description="when it comes, such as `2026-11-23 14:00`")
    after: Duration | None = Field(default=None, description="how long after the one before it comes")
    file: FileFacts | None = Field(default=None, description="a file comes")
    webhook: CallFacts | None = Field(default=None, description="a call comes")
    schedule: Literal[True] | None = Field(default=None, description="`true`: the schedule is due")
    missing: Literal[True] | None = Field(default=None, description="`true`: what is awaited has not come")
    ack: Literal[True] | None = Field(default=None, description="`true`: somebody acknowledges what was sent")
    wait: Duration | None = Field(default=None, description="time passes")
    api_down: Literal[True] | None = Field(
        default=None, description="`true`, beside one of the others: from now on wbox takes nothing"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in INPUTS if getattr(self, kind) is not None]
        if not given:
            raise wrong("WBX211", f"an input needs one of {', '.join(INPUTS)}")
        if len(given) > 1:
            raise wrong("WBX211", f"an input takes one of {' and '.join(given)}", "make it a list of inputs")
        if self.at and self.after is not None:
            raise wrong("WBX211", "an input comes either `at` a time or `after` the one before")
        return self


class Contains(Strict):
    """A text with something in it."""

    contains: str | list[str] = Field(description="a text, or a list of texts that are all in it")


def _matchable(value: Any) -> Any:
    """Refuse what is neither a text nor ``{contains: …}``."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and value.keys() == {"contains"}:
        parts = listed(value["contains"])
        if parts and all(isinstance(part, str) for part in parts):
            return value
    raise wrong("WBX215", "a text or `{contains: …}` is expected here", "put it in quotes if it is text")


Match = Annotated[Any, BeforeValidator(_matchable, json_schema_input_type=str | Contains)]


class ExpectedMedia(Strict):
    """What is expected of an image, a video or a document."""

    file: Match = Field(default=None, description="where it is on this machine; it need not be there")
    url: Match = Field(default=None, description="its address")
    caption: Match = Field(default=None, description="the text below it")


class ExpectedEvent(Strict):
    """What is expected of a calendar invitation."""

    title: Match = Field(default=None, description="what it is")
    description: Match = Field(default=None, description="more about it")
    start: Match = Field(default=None, description="when it begins")


class ExpectedPoll(Strict):
    """What is expected of a poll."""

    question: Match = Field(default=None, description="what is asked")
    options: list[str] | None = Field(default=None, description="all answers, in order")


class ExpectSpec(Strict):
    """One message; what is not given may be anything."""

    at: Moment | None = Field(default=None, description="when it is due, such as `2026-11-23 14:00:30`")
    to: PhoneText | None = Field(default=None, description="who gets it, as in `to` of a rule")
    via: str | None = Field(default=None, description="the outlet that gets it, as in `via` of a rule")
    text: Match = Field(default=None, description="the text, or `{contains: …}`")
    media: ExpectedMedia | None = Field(default=None, description="an image, a video or a document")
    event: ExpectedEvent | None = Field(default=None, description="a calendar invitation")
    poll: ExpectedPoll | None = Field(default=None, description="a question with options")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in _EXPECTED if getattr(self, kind) is not None]
        if len(given) > 1:
            raise wrong("WBX211", f"a message is one of {', '.join(given)}", "make it a list of messages")
        return self


class RuleTestSpec(Strict):
    """One test of a rule; its clock is not the one on the wall."""

    name: str = Field(description="what it shows")
    when: Annotated[
        list[GivenSpec], BeforeValidator(listed, json_schema_input_type=GivenSpec | list[GivenSpec])
    ] = Field(default=[], description="what comes, in order")
    expect: Annotated[
        list[ExpectSpec], BeforeValidator(listed, json_schema_input_type=ExpectSpec | list[ExpectSpec])
    ] = Field(default=[], description="all messages that follow, in order; `[]` for none")
    skipped: str | None = Field(
        default=None,
        description="what stopped the rule: `if[1]` (the second), `dedupe`, `throttle`, `holiday`",
    )
    until: Duration = Field(default=86400.0, description="how long the clock goes on after the last input")
    next_runs_from: Moment | None = Field(default=None, description="from when `next_runs` are")
    next_runs: list[Moment] = Field(default=[], description="the nominal times of the schedule, in order")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.when and not self.next_runs:
            raise wrong(
                "WBX211", "a test needs `when`, or `next_runs`", "write `when: [{file: {name: a.pdf}}]`"
            )
        if self.when and not self.skipped and "expect" not in self.model_fields_set:
            raise wrong("WBX211", "a test needs `expect`", "write `expect: []` where nothing is to be sent")
        if bool(self.next_runs) != bool(self.next_runs_from):
            raise wrong("WBX211", "`next_runs` and `next_runs_from` need each other")
        return self
