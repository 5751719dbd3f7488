"""The shape of triggers."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from wbox_notify.documents.shape import Refusal, Strict, later, listed, one_of, some, wrong
from wbox_notify.rules.models.values import (
    Duration,
    HookPath,
    Poll,
    PresetName,
    SecretNames,
    Size,
    SomeTexts,
    Texts,
)
from wbox_notify.times import Missed

KINDS = ("file", "webhook", "schedule", "missing")

_RUNS = ("last", "all", "none")
Runs = Literal["last", "all", "none"]
Existing = Literal["process", "ignore"]
_Times = str | list[str]


class FileSpec(Strict):
    """A finished file in a folder."""

    refused: ClassVar[Mapping[str, Refusal]] = later("burst", hint="`group` makes one message of many files")

    path: str = Field(description="the folder to watch; a relative one stands in the project folder")
    match: SomeTexts = Field(
        default=["**/*"],
        description="patterns below the folder, of which one must match: `*.pdf` in the folder itself, "
        "`**/*.pdf` at any depth",
    )
    ignore: Texts = Field(
        default=[], description="patterns of files and folders to pass over, beside temporary ones"
    )
    settle: Duration = Field(
        default=2.0, description="how long a file must rest where nothing else tells that it is finished"
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
    existing: Annotated[
        Existing | None, BeforeValidator(one_of("process", "ignore"), json_schema_input_type=Existing)
    ] = Field(
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
        description="an expression: what makes two calls the same delivery, where the sender has no id of "
        "its own; it sees `body`, `headers` and `query`",
    )


class SkipSpec(Strict):
    """Days on which nothing is due."""

    holidays: str | None = Field(default=None, description="a country, or a part of one: `TR`, `DE-BY`")
    days: Texts = Field(default=[], description="dates, such as `2026-12-31`")


class MissedSpec(Strict):
    """What to do about runs that were due while the daemon was down."""

    run: Annotated[Runs, BeforeValidator(one_of(*_RUNS), json_schema_input_type=Runs)] = Field(
        default="last", description="`last`, `all` or `none`"
    )
    within: Duration = Field(default=3600.0, description="how late a run may be")

    def missed(self) -> Missed:
        """Return what it means."""
        return Missed(self.run, timedelta(seconds=self.within))


def _with_run(value: Any) -> Any:
    return {"run": value} if isinstance(value, str) else value


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
    tz: str | None = Field(default=None, description="the time zone, where it is not the one of the settings")
    skip: SkipSpec | None = Field(default=None, description="days on which nothing is due")

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

    def options(self) -> dict[str, Any]:
        """Return the times as ``wbox_notify.times.parse`` takes them."""
        return self.model_dump(exclude={"missed"}, exclude_unset=True, exclude_none=True)


class ScheduleSpec(TimesSpec):
    """Nominal times."""

    missed: Annotated[MissedSpec, BeforeValidator(_with_run, json_schema_input_type=Runs | MissedSpec)] = (
        Field(default=MissedSpec(), description="what to do about runs that were missed")
    )


def _at(value: Any) -> Any:
    return {"at": value} if isinstance(value, str | list) else value


Times = Annotated[TimesSpec, BeforeValidator(_at, json_schema_input_type=_Times | TimesSpec)]


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
        name: Refusal("WBX210", f"`{name}` can not be awaited", "write `file` or `webhook`")
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

    of: AwaitedSpec = Field(description="what should come")
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
        ScheduleSpec | None, BeforeValidator(_at, json_schema_input_type=_Times | ScheduleSpec)
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
