"""The shape of the tests of a rule."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticKnownError

from wbox_notify.config.fields import Duration, SomeStrings
from wbox_notify.config.yaml.validation import Strict, as_list, invalid, not_empty
from wbox_notify.model.texts import Wording
from wbox_notify.rules.models.values import Moment, OneKind, PhoneText, one_or_list, one_or_more, requires_one

_EXPECTED = ("text", "media", "event", "poll")
_INPUTS = ("file", "webhook", "schedule", "missing", "ack", "wait")


def _only_true(value: Any) -> Any:
    if value is not True:
        raise PydanticKnownError("literal_error", {"expected": "True"})
    return value


_True = Annotated[Literal[True], BeforeValidator(_only_true)]  # for pydantic, 1 is True as well


class FileFacts(Strict):
    """A new file; where the rule reads a table when it is due, the table from now on."""

    name: str | None = Field(default=None, description="the name, or the path below the watched folder")
    size: int | None = Field(default=None, description="the size in bytes; by default that of `text`")
    mtime: Moment | None = Field(default=None, description="the time of the last change")
    sha256: str | None = Field(default=None, description="the hash of the contents")
    text: str | None = Field(default=None, description="the contents")
    rows: list[dict[str, str | int | float | bool | None]] | None = Field(
        default=None, description="the rows of a workbook, each a map of its columns; a day is a text"
    )

    @model_validator(mode="after")
    def _one_content(self) -> Self:
        if self.text is not None and self.rows is not None:
            raise invalid("WBX211", "a file has either a `text` or `rows`")
        return self


class CallFacts(Strict):
    """A call of the webhook."""

    body: Any = Field(default=None, description="the body, as the sender sends it")
    headers: dict[str, str] = Field(default={}, description="headers")
    query: dict[str, str] = Field(default={}, description="the query, after the `?`")


class GivenSpec(OneKind):
    """One input: exactly one of the six kinds."""

    noun, kinds, hints = Wording("an input"), _INPUTS, (None, Wording("make it a list of inputs"))
    model_config = requires_one(*_INPUTS)

    at: Moment | None = Field(default=None, description="the time, such as `2026-11-23 14:00`")
    after: Duration | None = Field(default=None, description="the time after the previous input")
    file: FileFacts | None = Field(default=None, description="a new file")
    webhook: CallFacts | None = Field(default=None, description="a call of the webhook")
    schedule: _True | None = Field(
        default=None,
        description="`true`: the schedule is due; without `at` at the next of its times",
    )
    missing: _True | None = Field(
        default=None,
        description="`true`: a deadline of the expected file or call has come; without `at` the next one",
    )
    ack: _True | None = Field(default=None, description="`true`: a person acknowledges the messages")
    wait: Duration | None = Field(default=None, description="time passes")
    api_down: _True | None = Field(
        default=None, description="`true`, beside one of the others: wbox refuses all messages from now on"
    )

    @model_validator(mode="after")
    def _one_time(self) -> Self:
        if self.at and self.after is not None:
            raise invalid("WBX211", "an input comes either `at` a time or `after` the one before")
        return self


class Contains(Strict):
    """A text that contains others."""

    contains: SomeStrings = Field(description="a text, or a list of texts, all of which it must contain")


def _matchable(value: Any) -> Any:
    """Refuse a value that is neither a text nor ``{contains: …}``."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and value.keys() == {"contains"}:
        parts = as_list(value["contains"])
        if parts and all(isinstance(part, str) for part in parts):
            return value
    raise invalid("WBX215", "a text or `{contains: …}` is expected here", "put it in quotes if it is text")


Match = Annotated[Any, BeforeValidator(_matchable, json_schema_input_type=str | Contains)]


class ExpectedMedia(Strict):
    """An expected image, video or document."""

    file: Match = Field(default=None, description="the path on this machine; it need not exist")
    url: Match = Field(default=None, description="the address")
    caption: Match = Field(default=None, description="the text below")


class ExpectedEvent(Strict):
    """An expected calendar invitation."""

    title: Match = Field(default=None, description="the title")
    description: Match = Field(default=None, description="a longer text")
    start: Match = Field(default=None, description="the start")


class ExpectedPoll(Strict):
    """An expected poll."""

    question: Match = Field(default=None, description="the question")
    options: list[str] | None = Field(default=None, description="all answers, in order")


class ExpectSpec(Strict):
    """One message; keys that are left out match anything."""

    model_config = ConfigDict(
        json_schema_extra={
            "dependentSchemas": {
                kind: {"properties": {other: False for other in _EXPECTED if other != kind}}
                for kind in _EXPECTED
            }
        }
    )

    at: Moment | None = Field(
        default=None, description="the time at which it is due, such as `2026-11-23 14:00:30`"
    )
    to: PhoneText | None = Field(default=None, description="the recipient, as in `to` of a rule")
    via: str | None = Field(default=None, description="the other service, as in `via` of a rule")
    text: Match = Field(default=None, description="the text, or `{contains: …}`")
    media: ExpectedMedia | None = Field(default=None, description="an image, a video or a document")
    event: ExpectedEvent | None = Field(default=None, description="a calendar invitation")
    poll: ExpectedPoll | None = Field(default=None, description="a question with options")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in _EXPECTED if getattr(self, kind) is not None]
        if len(given) > 1:
            raise invalid(
                "WBX211",
                Wording("a message is one of {given}", given=", ".join(given)),
                "make it a list of messages",
            )
        return self


class RuleTestSpec(Strict):
    """A test of a rule, with a virtual clock."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["when", "expect"]},
                {"required": ["when", "skipped"]},
                {"required": ["next_runs"], "properties": {"when": False}},
            ],
            "dependentRequired": {"next_runs": ["next_runs_from"], "next_runs_from": ["next_runs"]},
        }
    )

    name: str = Field(description="what the test shows")
    when: Annotated[list[GivenSpec], one_or_more(GivenSpec)] = Field(
        default=[], description="events, in order"
    )
    expect: Annotated[list[ExpectSpec], one_or_list(ExpectSpec)] = Field(
        default=[], description="all expected messages, in order; `[]` for none"
    )
    skipped: str | None = Field(
        default=None,
        description="the stage that stopped the rule: `if[1]` (the second), `dedupe`, `throttle`, `holiday`, "
        "`schedule` (it was not due), `missing` (it came in time, was told already, or was not due)",
    )
    until: Duration = Field(default=86400.0, description="how long the clock runs after the last input")
    next_runs_from: Moment | None = Field(default=None, description="the time after which `next_runs` are")
    next_runs: Annotated[list[Moment], AfterValidator(not_empty)] = Field(
        default=[],
        description="the next times of the schedule, in order",
        json_schema_extra={"minItems": 1},
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.when and not self.next_runs:
            raise invalid(
                "WBX211", "a test needs `when`, or `next_runs`", "write `when: [{file: {name: a.pdf}}]`"
            )
        if self.when and self.skipped is None and "expect" not in self.model_fields_set:
            raise invalid("WBX211", "a test needs `expect`", "write `expect: []` where nothing is to be sent")
        if bool(self.next_runs) != bool(self.next_runs_from):
            raise invalid("WBX211", "`next_runs` and `next_runs_from` need each other")
        return self
