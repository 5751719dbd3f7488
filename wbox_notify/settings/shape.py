"""The shape of ``wbox-notify.yaml``."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from wbox_notify.documents.shape import Refusal, Strict, Version, empty_map, later, wrong

OUT = "put the key into a file that only you can read and write `api_key_file: FILE`, or set WBOX_API_KEY"
_NO_KEY = Refusal("WBX321", "an API key does not belong in this file", OUT)


def _one_or_more(number: int) -> int:
    if number < 1:
        raise wrong("WBX215", f"{number} is too few", "write 1 or more")
    return number


class WboxPart(Strict):
    """Where wbox is, and who we are there."""

    refused: ClassVar[Mapping[str, Refusal]] = {**later("pace"), "api_key": _NO_KEY}

    url: str | None = Field(default=None, description="the address of wbox; WBOX_API_URL")
    api_key_file: str | None = Field(default=None, description="the file with the API key; WBOX_API_KEY_FILE")
    device: int | None = Field(
        default=None, description="the number of the device that sends; WBOX_DEVICE_ID"
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


class SettingsFile(Strict):
    """The settings of a project."""

    refused: ClassVar[Mapping[str, Refusal]] = {
        **later("pace", "fallback"),
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
    storm_guard: Annotated[int, AfterValidator(_one_or_more), Field(json_schema_extra={"minimum": 1})] = (
        Field(default=50, description="an event that would send more messages than this waits, and asks")
    )
    owner: str | None = Field(default=None, description="the contact who is asked then")
