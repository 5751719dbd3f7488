"""The shape of triggers."""

import codecs
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from wbox_notify.config.fields import Count, Duration, Size, Zone
from wbox_notify.config.yaml.validation import Refusal, Strict, listed, reading, some, wrong
from wbox_notify.errors import ConfigError
from wbox_notify.rules.models.values import (
    HookPath,
    Poll,
    PresetName,
    SecretNames,
    SomeTexts,
    Texts,
    shorthand,
)
from wbox_notify.triggers.schedule import Missed, Runs, Skip

KINDS = ("file", "webhook", "schedule", "missing")

ReadKind = Literal["csv", "json", "ndjson", "lines"]
_Times = str | list[str]


def _delimiter(text: str) -> str:
    if len(text) != 1 or text in '"\r\n':
        raise ConfigError("a delimiter is one character", hint='write it like ";" or "\\t"')
    return text


def _encoding(text: str) -> str:
    try:
        codecs.lookup(text)
        "".encode(text)
    except LookupError:
        hint = "write it like utf-8, windows-1254 or utf-16"
        raise ConfigError(f"`{text}` is not an encoding", hint=hint) from None
    return text


class ReadSpec(Strict):
    """How the rows of a file are read; what is left out is found in the file."""

    kind: ReadKind | None = Field(
        default=None,
        alias="as",
        description="`csv`, `json` (a list), `ndjson` or `lines`; else the ending of the name says it",
    )
    encoding: Annotated[str | None, reading(_encoding)] = Field(
        default=None,
        description="such as `windows-1254`; found where left out: UTF-8, UTF-16 or Windows-1254",
    )
    delimiter: Annotated[
        str | None,
        reading(_delimiter, schema=Annotated[str, Field(min_length=1, max_length=1)]),
    ] = Field(default=None, description="what stands between the cells of a CSV; found where left out")
    columns: Texts = Field(
        default=[], description="the names of the columns of a CSV that has none in its first row"
    )

    @model_validator(mode="after")
    def _only_csv(self) -> Self:
        given = [name for name in ("delimiter", "columns") if getattr(self, name)]
        if given and self.kind not in {None, "csv"}:
            raise wrong("WBX211", f"`{given[0]}` is for CSV, not for {self.kind}")
        return self


class Burst(Strict):
    """One message for many files that come together."""

    over: Count = Field(description="how many files are told of one by one at most")
    within: Duration = Field(default=10.0, description="how long after the first of them the others come")


class FileSpec(Strict):
    """A finished file in a folder."""

    path: str = Field(description="the folder to watch; a relative one stands in the project folder")
    match: SomeTexts = Field(
        default=["**/*"],
        description="patterns below the folder, of which one must match: `*.pdf` in the folder itself, "
        "`**/*.pdf` at any depth",
    )
    ignore: Texts = Field(
        default=[], description="patterns of files and folders to pass over, beside temporary ones"
    )
    case: Literal["exact"] | None = Field(
        default=None, description="`exact` tells `.PDF` from `.pdf`; else endings match in any case"
    )
    settle: Duration | None = Field(
        default=None,
        description="how long a file must rest before it is finished; left out, 2 seconds where nothing else "
        "tells that it is, and for an empty one",
    )
    read: Annotated[
        ReadSpec, BeforeValidator(shorthand("as", str), json_schema_input_type=ReadKind | ReadSpec)
    ] = Field(default=ReadSpec(), description="what `file.rows` are in `for_each`: `csv`, or a map")
    burst: Burst | None = Field(
        default=None, description="one message for many files that come together: `{over: 20}`"
    )
    ready: str | None = Field(
        default=None,
        description="a file that must lie beside it first, such as `{{ file.name }}.ok`; "
        "`{{ file.name }}` and `{{ file.stem }}` stand in it",
    )
    min_size: Size = Field(default=0, description="a smaller file is waited for: `1`, `10MB`")
    poll: Poll | None = Field(
        default=None,
        description="how often the folder is listed; left out, each minute, and every 2 seconds where the "
        "kernel does not tell of new files",
    )
    existing: Literal["process", "ignore"] | None = Field(
        default=None,
        description="`ignore` passes over what is there when the rule is followed first; else `process`",
    )
    done: str | None = Field(
        default=None,
        description="where a file goes when all its messages are accepted: a folder (a template; a relative "
        "one stands in `path`), `delete`, or `leave`",
    )
    failed: str | None = Field(
        default=None, description="the same where one of them finally failed; a `.why.txt` lies beside it"
    )
    duplicate: str | None = Field(
        default=None, description="the same where `dedupe` says that it is nothing new"
    )


class VerifySpec(Strict):
    """How a call proves itself."""

    scheme: str = Field(
        description="one of `standard`, `github`, `stripe`, `slack`, `shopify`, `gitlab`, `pagerduty`, "
        "`grafana`, `waha`, `hmac`, `bearer`, `header`, `basic`"
    )
    header: str | None = Field(default=None, description="the header with the signature or the secret")
    timestamp_header: str | None = Field(default=None, description="the header with the time that is signed")
    algorithm: str | None = Field(default=None, description="`sha256`, `sha512` or `sha1`, of `hmac`")
    encoding: str | None = Field(default=None, description="`hex` or `base64`, of `hmac`")
    prefix: str | None = Field(
        default=None, description="what stands before the signature, such as `sha256=`"
    )
    signed: str | None = Field(default=None, description="what is signed, such as `{timestamp}.{body}`")
    user: str | None = Field(default=None, description="the name that goes with the secret, of `basic`")

    def options(self) -> dict[str, str]:
        """Return what is given beside the scheme."""
        return self.model_dump(exclude={"scheme"}, exclude_none=True)


def _explained(value: Any) -> Any:
    if isinstance(value, str):
        hint = f"write `webhook: {{path: {value}, secret: NAME}}`"
        raise wrong("WBX316", "a webhook has to say who may call it", hint)
    return value


class WebhookSpec(Strict):
    """A call of `/hook/PATH`."""

    path: HookPath = Field(description="the part after `/hook/`, such as `github` or `shop/orders`")
    preset: PresetName = Field(default="json", description="what is known of the sender")
    secret: SecretNames = Field(
        default=[],
        description="names of secrets, of which the sender has to know one; a plain value is refused",
    )
    verify: VerifySpec | None = Field(
        default=None, description="how a call proves itself, where it is not the way of the preset"
    )
    open: bool = Field(default=False, description="`true` lets anybody call it")
    id: str | None = Field(
        default=None,
        description="an expression: what makes two calls the same delivery, a text or a number; it sees "
        "`body`, `headers` and `query`; where it gives none or an empty text, the sender's own id counts",
    )


class TimesSpec(Strict):
    """Times; exactly one of `at`, `cron` and `every` is given."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [kind]} for kind in ("at", "cron", "every")]}
    )

    at: SomeTexts = Field(
        default=[],
        description="`Mon-Fri 09:00`, `1st 08:00`, `last weekday 17:00`, `@daily`, cron, or a list of these",
    )
    cron: SomeTexts = Field(default=[], description="the five fields of cron: `0 9 * * 1-5`")
    every: str | None = Field(default=None, description="a step of time, less than a day: `15m`")
    tz: Zone | None = Field(
        default=None, description="the time zone, where it is not the one of the settings"
    )
    skip: Skip | None = Field(default=None, description="days on which nothing is due")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in ("at", "cron", "every") if getattr(self, kind)]
        if not given:
            raise wrong("WBX211", "a schedule needs one of at, cron, every", "write `at: Mon-Fri 09:00`")
        if len(given) > 1:
            raise wrong(
                "WBX211", f"a schedule takes one of {' and '.join(given)}", "write a trigger for each"
            )
        return self


class ScheduleSpec(TimesSpec):
    """Nominal times."""

    missed: Annotated[
        Missed, BeforeValidator(shorthand("run", str), json_schema_input_type=Runs | Missed)
    ] = Field(default=Missed(), description="what to do about runs that were missed")


Times = Annotated[
    TimesSpec, BeforeValidator(shorthand("at", str, list), json_schema_input_type=_Times | TimesSpec)
]


def _one_of_kinds(spec: Strict, what: str, kinds: tuple[str, ...]) -> None:
    given = [kind for kind in kinds if getattr(spec, kind) is not None]
    if not given:
        raise wrong("WBX211", f"`{what}` needs one of {', '.join(kinds)}")
    if len(given) > 1:
        raise wrong("WBX211", f"`{what}` takes one of {' and '.join(given)}", "make it a list of triggers")


class AwaitedSpec(Strict):
    """What should come; one of the two is given."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})
    refused: ClassVar[Mapping[str, Refusal]] = {
        name: Refusal("WBX210", f"`{name}` cannot be awaited", "write `file` or `webhook`")
        for name in ("schedule", "missing")
    }

    file: FileSpec | None = Field(default=None, description="a file, as in `trigger`")
    webhook: Annotated[
        WebhookSpec | None, BeforeValidator(_explained, json_schema_input_type=WebhookSpec)
    ] = Field(default=None, description="a call, as in `trigger`")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        _one_of_kinds(self, "of", KINDS[:2])
        return self


class MissingSpec(Strict):
    """Something that did not come in time."""

    of: AwaitedSpec = Field(
        description="what should come; an empty file does not count unless `min_size: 0` says so"
    )
    by: Times = Field(description="when it should have come at the latest, as in `schedule`")
    window: Duration = Field(description="how long before that its coming counts, such as `12h`")
    resolved: bool = Field(
        default=False,
        description="`true` follows the rule once more when it comes late; `missing.resolved` is true then",
    )


class TriggerSpec(Strict):
    """What sets off a rule; one of the four is given."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    file: FileSpec | None = Field(default=None, description="a finished file in a folder")
    webhook: Annotated[
        WebhookSpec | None, BeforeValidator(_explained, json_schema_input_type=WebhookSpec)
    ] = Field(default=None, description="a call of `/hook/PATH`")
    schedule: Annotated[
        ScheduleSpec | None,
        BeforeValidator(shorthand("at", str, list), json_schema_input_type=_Times | ScheduleSpec),
    ] = Field(default=None, description="nominal times; a text or a list stands for `at`")
    missing: MissingSpec | None = Field(default=None, description="something that did not come in time")

    @property
    def kind(self) -> str:
        """Which of the four it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        _one_of_kinds(self, "trigger", KINDS)
        return self


Triggers = Annotated[
    list[TriggerSpec],
    BeforeValidator(
        listed,
        json_schema_input_type=TriggerSpec
        | Annotated[list[TriggerSpec], Field(json_schema_extra={"minItems": 1})],
    ),
    AfterValidator(some),
]
