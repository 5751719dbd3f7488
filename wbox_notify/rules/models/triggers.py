"""The shape of triggers."""

import codecs
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from wbox_notify.config.fields import Count, Duration, DurationOrNever, Size, SomeStrings, Zone
from wbox_notify.config.yaml.validation import Refusal, Strict, invalid, parsed
from wbox_notify.errors import ConfigError
from wbox_notify.model.text import AND, did_you_mean, joined
from wbox_notify.model.texts import Wording
from wbox_notify.rules.models.values import (
    HookPath,
    Methods,
    OneKind,
    Origins,
    PageAddress,
    Poll,
    SecretNames,
    SomeTexts,
    Texts,
    one_or_more,
    requires_one,
    shorthand,
)
from wbox_notify.triggers.schedule.schedule import Missed, Runs, Skip
from wbox_notify.triggers.webhook.presets import PRESETS

_OF_THE_RULE: Mapping[str, Refusal] = {
    "status": Refusal("WBX210", "a trigger has no `status`", "write it beside `trigger`: it is the rule's")
}
ReadKind = Literal["csv", "xlsx", "json", "ndjson", "lines"]
_OF_TABLES = {
    "delimiter": ("csv",),
    "columns": ("csv", "xlsx"),
    "sheet": ("xlsx",),
    "skip": ("csv", "xlsx"),
    "ahead": ("file.events",),
}
_YEAR = 366 * 86400.0


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
        raise ConfigError(Wording("`{text}` is not an encoding", text=text), hint=hint) from None
    return text


def _preset(name: str) -> str:
    if name not in PRESETS:
        hint = did_you_mean(name, PRESETS) or Wording("there are {names}", names=", ".join(PRESETS))
        raise invalid("WBX215", Wording("`{name}` is not known here", name=name), hint)
    return name


PresetName = Annotated[str, AfterValidator(_preset), Field(json_schema_extra={"enum": list(PRESETS)})]


class ReadSpec(Strict):
    """How to read the rows of a file; keys that are left out are detected."""

    kind: ReadKind | None = Field(
        default=None,
        alias="as",
        description="`csv`, `xlsx`, `json` (a list), `ndjson` or `lines`; by default that of the ending of "
        "the name",
    )
    encoding: Annotated[str | None, parsed(_encoding)] = Field(
        default=None,
        description="such as `windows-1254`; by default UTF-8, UTF-16 or Windows-1254 is detected",
    )
    delimiter: Annotated[
        str | None,
        parsed(_delimiter, schema=Annotated[str, Field(min_length=1, max_length=1)]),
    ] = Field(default=None, description="the character between the cells of a CSV; detected by default")
    columns: Texts = Field(default=[], description="the names of the columns of a table without a header row")
    sheet: str | None = Field(
        default=None, description="the sheet of a workbook; by default the first one that is not hidden"
    )
    skip: Count = Field(
        default=0, description="the number of rows above the header row, such as those with a title"
    )
    ahead: Duration | None = Field(
        default=None,
        description="how far ahead the recurring events of a calendar are given, such as `31d`; by default a "
        "year",
    )

    @model_validator(mode="after")
    def _only_tables(self) -> Self:
        for name, kinds in _OF_TABLES.items():
            if getattr(self, name) and self.kind and self.kind not in kinds:
                raise invalid(
                    "WBX211",
                    Wording(
                        "`{name}` is for {kinds}, not for {kind}",
                        name=name,
                        kinds=joined(kinds, AND),
                        kind=self.kind,
                    ),
                )
        return self


class Burst(Strict):
    """One message for many files that come together."""

    over: Count = Field(description="the most files with a message each")
    within: Duration = Field(default=10.0, description="how long to count after the first file")


class FileSpec(Strict):
    """A finished file in a folder."""

    refused: ClassVar[Mapping[str, Refusal]] = _OF_THE_RULE

    path: str = Field(description="the folder to watch; a relative path starts in the project folder")
    match: SomeTexts = Field(
        default=["**/*"],
        description="patterns below the folder, of which one must match: `*.pdf` in the folder itself, "
        "`**/*.pdf` at any depth",
    )
    ignore: Texts = Field(
        default=[], description="patterns of files and folders to ignore, besides temporary ones"
    )
    case: Literal["exact"] | None = Field(
        default=None,
        description="`exact` distinguishes `.PDF` from `.pdf`; else the case of the ending does not matter",
    )
    settle: Duration | None = Field(
        default=None,
        description="how long a file must stay unchanged to be complete; by default 2 seconds where nothing "
        "else shows that it is, and for an empty one",
    )
    read: Annotated[ReadSpec, shorthand("as", str, schema=ReadKind | ReadSpec)] = Field(
        default=ReadSpec(), description="the format of `file.rows` in `for_each`: `csv`, or a map"
    )
    burst: Burst | None = Field(
        default=None, description="one message for many files that come together: `{over: 20}`"
    )
    ready: str | None = Field(
        default=None,
        description="a second file that marks the first as complete, such as `{{ file.name }}.ok`; it may "
        "use `{{ file.name }}` and `{{ file.stem }}`",
    )
    min_size: Size = Field(default=0, description="the smallest size of a complete file: `1`, `10MB`")
    poll: Poll | None = Field(
        default=None,
        description="how often to list the folder; by default every minute, and every 2 seconds where the "
        "kernel does not report new files",
    )
    existing: Literal["process", "ignore"] | None = Field(
        default=None,
        description="`ignore` leaves out the files that exist when the rule first runs; else `process`",
    )
    done: str | None = Field(
        default=None,
        description="where to move a file when all its messages are accepted: a folder (a template; a "
        "relative path starts in `path`), `delete`, or `leave`",
    )
    failed: str | None = Field(
        default=None,
        description="the same when a message has finally failed; a `.why.txt` with the reason is put beside "
        "it",
    )
    duplicate: str | None = Field(default=None, description="the same when `dedupe` finds a duplicate")


class VerifySpec(Strict):
    """How a call is authenticated."""

    scheme: str = Field(
        description="one of `standard`, `github`, `stripe`, `slack`, `shopify`, `gitlab`, `pagerduty`, "
        "`grafana`, `waha`, `hmac`, `bearer`, `header`, `basic`, `query`",
    )
    header: str | None = Field(default=None, description="the header with the signature or the secret")
    timestamp_header: str | None = Field(default=None, description="the header with the signed time")
    algorithm: str | None = Field(default=None, description="`sha256`, `sha512` or `sha1`, of `hmac`")
    encoding: str | None = Field(default=None, description="`hex` or `base64`, of `hmac`")
    prefix: str | None = Field(default=None, description="the text before the signature, such as `sha256=`")
    signed: str | None = Field(default=None, description="the signed text, such as `{timestamp}.{body}`")
    user: str | None = Field(default=None, description="the user name of `basic`")
    parameter: str | None = Field(
        default=None,
        description="the parameter of the address with the secret, of `query`; by default `token`",
    )

    def options(self) -> dict[str, str]:
        """Return the options of the scheme."""
        return self.model_dump(exclude={"scheme"}, exclude_none=True)


def _explained(value: Any) -> Any:
    if isinstance(value, str):
        hint = Wording("write `webhook: {{path: {value}, secret: NAME}}`", value=value)
        raise invalid("WBX316", "a webhook has to say who may call it", hint)
    return value


class WebhookSpec(Strict):
    """A call of `/hook/PATH`."""

    refused: ClassVar[Mapping[str, Refusal]] = _OF_THE_RULE

    path: HookPath = Field(description="the part after `/hook/`, such as `github` or `shop/orders`")
    preset: PresetName = Field(default="json", description="the kind of sender")
    secret: SecretNames = Field(
        default=[],
        description="the name of a secret that the sender knows, or a list of which it knows one; a plain "
        "value is refused",
    )
    verify: VerifySpec | None = Field(
        default=None, description="how a call is authenticated, if not as the preset says"
    )
    open: bool = Field(default=False, description="`true` lets anybody call it")
    id: str | None = Field(
        default=None,
        description="an expression: the id of a delivery, a text or a number, by which repeated calls are "
        "recognised; it sees `body`, `headers` and `query`; if it gives none or an empty text, the id of "
        "the sender counts",
    )
    methods: Methods = Field(
        default=["POST", "PUT"],
        description="how it may be called: `POST`, `PUT` and `GET`; of a call by GET, the parameters of the "
        "address are the body",
    )
    cors: Origins = Field(
        default=[],
        description="the web sites whose pages may call it from a browser: `https://shop.example.com`, or a "
        "list",
    )
    redirect: PageAddress | None = Field(
        default=None, description="the page that a browser is sent to after a form, such as one of thanks"
    )


class TimesSpec(OneKind):
    """Times: exactly one of `at`, `cron` and `every`."""

    noun, kinds = Wording("a schedule"), ("at", "cron", "every")
    hints = Wording("write `at: Mon-Fri 09:00`"), Wording("write a trigger for each")
    model_config = requires_one("at", "cron", "every")

    at: SomeTexts = Field(
        default=[],
        description="`Mon-Fri 09:00`, `every Monday at 9am`, `1st and 15th 08:00`, `first Monday 09:00`, "
        "`last weekday 17:00`, `every other Friday 09:00 from 2026-12-04`, `every 15 minutes`, `@daily`, a "
        "date (`2026-12-31 09:00`), cron, or a list of these; the same in Turkish: `her pazartesi 09:00`, "
        "`her ay son cuma 08:00`, `hafta içi 18:00`",
    )
    cron: SomeTexts = Field(
        default=[],
        description="the five fields of cron, with `L`, `LW`, `L-3`, `15W` and `MON#1`: `0 9 * * 1-5`",
    )
    every: str | None = Field(default=None, description="an interval shorter than a day: `15m`")
    tz: Zone | None = Field(default=None, description="the time zone, if it is not that of the settings")
    skip: Skip | None = Field(default=None, description="days without runs")


class ScheduleSpec(TimesSpec):
    """The times at which a rule runs."""

    refused: ClassVar[Mapping[str, Refusal]] = _OF_THE_RULE

    missed: Annotated[Missed, shorthand("run", str, schema=Runs | Missed)] = Field(
        default=Missed(), description="what to do about missed runs"
    )


Times = Annotated[TimesSpec, shorthand("at", str, list, schema=SomeStrings | TimesSpec)]


class AwaitedSpec(OneKind):
    """The expected file or call: exactly one of the two."""

    noun, kinds, hints = "`of`", ("file", "webhook"), (None, Wording("make it a list of triggers"))
    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})
    refused: ClassVar[Mapping[str, Refusal]] = {
        name: Refusal("WBX210", Wording("`{name}` cannot be awaited", name=name), "write `file` or `webhook`")
        for name in ("schedule", "missing")
    }

    file: FileSpec | None = Field(default=None, description="a file, as in `trigger`")
    webhook: Annotated[
        WebhookSpec | None, BeforeValidator(_explained, json_schema_input_type=WebhookSpec)
    ] = Field(default=None, description="a call, as in `trigger`")


class MissedDeadlines(Missed):
    """What to do about deadlines that passed while the daemon was down."""

    within: Duration = Field(default=_YEAR, description="how late a deadline may be looked at")


class MissingSpec(Strict):
    """A file or a call that did not come in time: one trouble from the first missed deadline until it comes.

    An acknowledgement holds for all of it.
    """

    of: AwaitedSpec = Field(
        description="the expected file or call; an empty file does not count unless `min_size: 0` is set"
    )
    conditions: SomeTexts = Field(
        default=[],
        alias="if",
        description="an expression about the file or call, or a list: it counts only where all of them hold",
    )
    by: Times = Field(description="the deadline, as in `schedule`")
    window: Duration = Field(description="how long before the deadline it may come, such as `12h`")
    repeat: DurationOrNever = Field(
        default=None,
        description="how long after a message the rule runs again if it has still not come, or `never`, "
        "which is the default: then the rule runs at the first missed deadline alone",
    )
    resolved: bool = Field(
        default=False,
        description="`true` runs the rule again when it comes late, with `missing.resolved` true",
    )
    missed: Annotated[MissedDeadlines, shorthand("run", str, schema=Runs | MissedDeadlines)] = Field(
        default=MissedDeadlines(),
        description="which of the deadlines to look at that passed while the daemon was down",
    )


class TriggerSpec(OneKind):
    """The event that starts a rule: exactly one of the four."""

    noun, kinds = "`trigger`", ("file", "webhook", "schedule", "missing")
    hints = (None, Wording("make it a list of triggers"))
    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    refused: ClassVar[Mapping[str, Refusal]] = _OF_THE_RULE

    file: FileSpec | None = Field(default=None, description="a finished file in a folder")
    webhook: Annotated[
        WebhookSpec | None, BeforeValidator(_explained, json_schema_input_type=WebhookSpec)
    ] = Field(default=None, description="a call of `/hook/PATH`")
    schedule: Annotated[
        ScheduleSpec | None,
        shorthand("at", str, list, schema=SomeStrings | ScheduleSpec),
    ] = Field(default=None, description="times; a text or a list is short for `at`")
    missing: MissingSpec | None = Field(
        default=None, description="a file or a call that did not come in time"
    )


Triggers = Annotated[list[TriggerSpec], one_or_more(TriggerSpec)]
