"""The shape of ``wbox-notify.yaml``."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from wbox_notify.config.values import PREFIX
from wbox_notify.config.yaml.validation import Refusal, Strict, Version, empty_map, later, listed, some, wrong

OUT = "put the key into a file that only you can read and write `api_key_file: FILE`, or set WBOX_API_KEY"
_NO_KEY = Refusal("WBX321", "an API key does not belong in this file", OUT)


def _count_or_never(value: Any) -> Any:
    if value == "never" or (type(value) is int and value > 0):
        return value
    raise wrong("WBX215", "a number above 0 is expected here, or `never`")


_Count = Annotated[
    Any,
    BeforeValidator(
        _count_or_never, json_schema_input_type=Annotated[int, Field(ge=1)] | Literal["never"] | None
    ),
]


def _one_or_more(number: int) -> int:
    if number < 1:
        raise wrong("WBX215", f"{number} is too few", "write 1 or more")
    return number


class PacePart(Strict):
    """How quickly messages may follow each other, so that WhatsApp takes no offence."""

    every: str | None = Field(
        default=None, description="from one message of a device to the next, more or less: `3s`"
    )
    media_every: str | None = Field(default=None, description="the same after media: `5s`")
    per_hour: _Count = Field(default=None, description="the most in an hour: `200`, or `never`")
    per_day: _Count = Field(default=None, description="the most in a day: `1000`, or `never`")
    recipient_every: str | None = Field(
        default=None, description="from one message to a phone to the next: `10s`"
    )
    recipient_per_hour: _Count = Field(
        default=None, description="the most that a phone gets in an hour: `30`, or `never`"
    )
    same_text: str | None = Field(
        default=None, description="how long a phone does not get the same text again: `10m`, or `never`"
    )


class WboxPart(Strict):
    """Where wbox is, and who we are there."""

    refused: ClassVar[Mapping[str, Refusal]] = {"api_key": _NO_KEY}

    url: str | None = Field(default=None, description="the address of wbox; WBOX_API_URL")
    insecure: bool = Field(
        default=False, description="whether `url` may be http:// on another machine; WBOX_INSECURE"
    )
    api_key_file: str | None = Field(default=None, description="the file with the API key; WBOX_API_KEY_FILE")
    device: int | None = Field(
        default=None, description="the number of the device that sends; WBOX_DEVICE_ID"
    )
    pace: Annotated[
        PacePart,
        BeforeValidator(
            lambda pace: {} if pace is None or isinstance(pace, str) else pace,
            json_schema_input_type=str | PacePart | None,
        ),
    ] = Field(
        default=PacePart(),
        description="how quickly messages follow each other: `unlimited`, `5s`, or a map; WBOX_PACE",
    )


class DefaultsPart(Strict):
    """What holds where nothing else is said."""

    tz: str | None = Field(
        default=None, description="the time zone of rules and messages, such as `Europe/Istanbul`"
    )
    lang: str | None = Field(
        default=None, description="the language of dates and numbers, such as `tr`; WBOX_LANG"
    )
    region: str | None = Field(
        default=None, description="the country of numbers without a country code: `TR`"
    )


class SecretSpec(Strict):
    """Where a secret is; one of the two is given."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    env: str | None = Field(default=None, description="the variable that holds it")
    file: str | None = Field(default=None, description="the file that holds it")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise wrong("WBX324", "a secret is either in `env` or in a `file`", "write `{env: VARIABLE}`")
        return self


_Secrets = dict[str, SecretSpec] | None

OutletNames = Annotated[
    list[str],
    BeforeValidator(
        listed, json_schema_input_type=str | Annotated[list[str], Field(json_schema_extra={"minItems": 1})]
    ),
    AfterValidator(some),
]
"""Names of secrets that hold Apprise URLs, and such URLs themselves."""


_Size = Annotated[
    str,
    BeforeValidator(lambda size: str(size) if type(size) is int else size, json_schema_input_type=str | int),
]


class StaticPart(Strict):
    """A folder that a web server of yours serves."""

    folder: str = Field(description="where files are put")
    url: str = Field(description="the address at which the folder is served")


class BucketPart(Strict):
    """A bucket of S3, or of what speaks like it: R2, MinIO, Backblaze B2."""

    name: str = Field(description="what the bucket is called")
    endpoint: str = Field(description="the address of its service: `https://s3.eu-central-1.amazonaws.com`")
    region: str = Field(description="its region, such as `eu-central-1`; `auto` where there are none")
    key_id: str = Field(description="the id of the access key")
    secret: str = Field(description="the name of the entry in `secrets` that holds the secret access key")
    prefix: str = Field(default=PREFIX, description="what the names of all objects begin with")


class MediaPart(Strict):
    """How files of this machine reach wbox."""

    static: StaticPart | None = Field(
        default=None, description="a folder that a web server of yours serves, instead of the daemon"
    )
    bucket: BucketPart | None = Field(
        default=None, description="a bucket that files are uploaded to, instead of the daemon"
    )
    quota: _Size = Field(default="1GB", description="how much of the disk the copies may take")
    image: _Size = Field(default="5MB", description="the largest picture")
    video: _Size = Field(default="16MB", description="the largest video")
    audio: _Size = Field(default="16MB", description="the largest sound")
    document: _Size = Field(default="100MB", description="the largest file of any other kind")
    fetches: Annotated[int, AfterValidator(_one_or_more), Field(json_schema_extra={"minimum": 1})] = Field(
        default=20, description="how often one link can be fetched whole"
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.static and self.bucket:
            raise wrong("WBX215", "files are put into `static` or into `bucket`, not into both")
        return self


class LimitsPart(Strict):
    """How much others may send."""

    body: _Size | None = Field(
        default=None, description="the largest body of a webhook: `4MiB`; WBOX_LIMITS_BODY"
    )


class SettingsFile(Strict):
    """The settings of a project."""

    refused: ClassVar[Mapping[str, Refusal]] = {
        "pace": Refusal("WBX210", "unknown key `pace`", "it stands under `wbox:`"),
        **later("rules", hint="rules stand in the folder rules/"),
        "api_key": _NO_KEY,
    }

    version: Version = Field(default=1, description="the version of the language: 1")
    wbox: Annotated[WboxPart, BeforeValidator(empty_map, json_schema_input_type=WboxPart | None)] = Field(
        default=WboxPart(), description="where wbox is, and who we are there"
    )
    defaults: Annotated[
        DefaultsPart, BeforeValidator(empty_map, json_schema_input_type=DefaultsPart | None)
    ] = Field(default=DefaultsPart(), description="what holds where nothing else is said")
    contacts: Any = Field(default=None, description="people by name, as in a rule file")
    groups: Any = Field(default=None, description="lists of people by name, as in a rule file")
    on_call: Any = Field(default=None, description="who takes turns, as in a rule file")
    time_windows: Any = Field(default=None, description="windows of time by name, as in a rule file")
    secrets: Annotated[Any, BeforeValidator(empty_map, json_schema_input_type=_Secrets)] = Field(
        default=None, description="where secrets are, by name; never their values"
    )
    store: str | None = Field(
        default=None, description="the address of the store, `sqlite:///PATH`; WBOX_STORE"
    )
    history: str | None = Field(
        default=None, description="how long finished things are kept: `90d`, `26w`, `forever`; WBOX_HISTORY"
    )
    listen: Annotated[
        str | None,
        BeforeValidator(
            lambda port: str(port) if type(port) is int else port,
            json_schema_input_type=str | Annotated[int, Field(ge=0, le=65535)],
        ),
    ] = Field(default=None, description="host and port that the daemon answers at; WBOX_LISTEN")
    public_url: str | None = Field(
        default=None,
        description="the address at which people and other programs reach the daemon; WBOX_PUBLIC_URL",
    )
    media: Annotated[MediaPart, BeforeValidator(empty_map, json_schema_input_type=MediaPart | None)] = Field(
        default=MediaPart(), description="how files of this machine reach wbox"
    )
    limits: Annotated[LimitsPart, BeforeValidator(empty_map, json_schema_input_type=LimitsPart | None)] = (
        Field(default=LimitsPart(), description="how much others may send")
    )
    storm_guard: Annotated[int, AfterValidator(_one_or_more), Field(json_schema_extra={"minimum": 1})] = (
        Field(default=50, description="an event that would send more messages than this waits, and asks")
    )
    owner: str | None = Field(default=None, description="the contact who is asked then")
    backlog: _Count = Field(
        default=None,
        description="more texts than this that have waited for one phone become one: `20`, or `never`",
    )
    fallback: OutletNames = Field(
        default=[],
        description="outlets that tell of trouble with wbox: an Apprise URL, the name of a secret that holds"
        " one, or a list; WBOX_FALLBACK",
    )
