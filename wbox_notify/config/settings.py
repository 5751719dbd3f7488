"""Settings: one line each, with its type, its key in ``wbox-notify.yaml``, its default and its variable."""

import dataclasses
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, get_args, get_type_hints

from pydantic import (
    BeforeValidator,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
    model_validator,
)

from wbox_notify.config import fields
from wbox_notify.config.media import Media
from wbox_notify.config.own import Own
from wbox_notify.config.secrets import SecretSpec
from wbox_notify.config.values import duration_text, parse_duration
from wbox_notify.config.yaml.validation import Refusal, Strict, Version, empty_map, later, parse_value
from wbox_notify.model.addresses import is_loopback
from wbox_notify.model.pace import UNLIMITED, Pace
from wbox_notify.model.texts import Wording

FILE = "wbox-notify.yaml"
"""The name of the settings file in a project folder."""

_NO_KEY = Refusal(
    "WBX321",
    "an API key does not belong in this file",
    "put the key into a file that only you can read and write `api_key_file: FILE`, or set WBOX_API_KEY",
)


class Setting(NamedTuple):
    """A setting.

    Attributes:
        key: Its key in the file: ``wbox.url``.
        default: Its default as the file writes it; None where it depends on the machine.
        text: Its description.
        variable: The environment variable that wins over the file.
        kind: Its type in the file.
    """

    key: str
    default: Any
    text: str
    variable: str | None = None
    kind: Any = None


def at(key: str, default: Any, text: str, variable: str | None = None, kind: Any = None) -> Any:
    """Declare a setting by its key in the file."""
    return field(metadata={"setting": Setting(key, default, text, variable, kind)})


def _field(kind: Any, default: Any, text: str) -> tuple[Any, Any]:
    """Return type and field of a key, whose default is written as in the file."""
    return kind, Field(default=default, validate_default=default is not None, description=text)


class _Section(Strict):
    refused: ClassVar[Mapping[str, Refusal]] = {"api_key": _NO_KEY}

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, value: Any) -> Any:
        """Take a key without a value as left out."""
        if not isinstance(value, dict):
            return value
        empty = {key for key in cls.model_fields if value.get(key, "") is None}
        return {key: part for key, part in value.items() if key not in empty}


def _pace_model() -> type[Strict]:
    """Return the shape of a pace in the file; its defaults and texts are those of ``Pace``."""
    keys: dict[str, Any] = {}
    for name, hint in get_type_hints(Pace, include_extras=True).items():
        default = getattr(Pace(), name)
        match get_args(hint):
            case (kind, text) if kind is int:
                keys[name] = _field(fields.CountOrZero, default, text)
            case (_, text) if name == "same_text":
                keys[name] = _field(fields.DurationOrZero, duration_text(default), text)
            case (_, text):
                keys[name] = _field(fields.Duration, duration_text(default), text)
    text = "How quickly messages follow each other, so that WhatsApp does not block the number."
    return create_model("Pace", __base__=_Section, __doc__=text, **keys)


_PaceParts: Any = _pace_model()


def _as_pace(text: str) -> Pace:
    """Return the pace that one value stands for: ``unlimited``, or from one message to the next."""
    if text == "unlimited":
        return UNLIMITED
    every = parse_duration(text)
    return Pace(every=every, media_every=max(every, Pace().media_every))


def _pace(value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Pace:
    if isinstance(value, str):
        return parse_value(_as_pace, value, info)  # type: ignore[no-any-return]
    return Pace(**dict(validate(value)))


_PaceValue = Annotated[_PaceParts, WrapValidator(_pace, json_schema_input_type=str | _PaceParts)]
_FALLBACK = Wording("services that report trouble with wbox: Apprise URLs, or names of secrets that hold one")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this project runs.

    Attributes:
        folder: The project folder.
        data_dir: The data folder of the daemon.
        api_key: The key of the wbox API, or None.
        fallback: Names of outlets.
        outlets: The Apprise URLs of all outlets of the settings, by name.
        secrets: The values of the known secrets, by name.
        link_key: The key that signs links; the daemon fills it in.
        own: The files of the daemon itself.
        sources: Where those settings come from that are not defaults, by name: ``file`` or ``environment``.
    """

    folder: Path
    url: fields.ServerUrl = at(
        "wbox.url", "https://server.wbox.me", Wording("the address of wbox"), "WBOX_API_URL"
    )
    insecure: fields.Flag = at(
        "wbox.insecure", False, Wording("allow http:// to another machine"), "WBOX_INSECURE"
    )
    api_key_file: str | None = at(
        "wbox.api_key_file", None, Wording("the file with the API key"), "WBOX_API_KEY_FILE"
    )
    device_id: fields.Device | None = at(
        "wbox.device", None, Wording("the number of the device, else the first"), "WBOX_DEVICE_ID"
    )
    pace: Pace = at(
        "wbox.pace", {}, Wording("`unlimited`, `5s` between messages, or a map"), "WBOX_PACE", _PaceValue
    )
    tz: fields.Zone = at(
        "defaults.tz", None, Wording("the time zone: `Europe/Istanbul`; else that of the machine")
    )
    lang: fields.Language = at(
        "defaults.lang", "en", Wording("the language of dates, numbers, reasons"), "WBOX_LANG"
    )
    region: fields.Region | None = at(
        "defaults.region", None, Wording("the country of numbers without a country code: `TR`")
    )
    body: fields.BodySize = at(
        "limits.body", "4MiB", Wording("the largest body of a webhook"), "WBOX_LIMITS_BODY"
    )
    store: fields.StoreUrl = at(
        "store",
        None,
        Wording("`sqlite:///PATH` or `postgresql://…`; else a file in the data folder"),
        "WBOX_STORE",
    )
    host: fields.HostName | None = at(
        "host",
        None,
        Wording("the name of this machine among those that share a store; else its own"),
        "WBOX_HOST",
    )
    history: fields.History = at(
        "history", "90d", Wording("how long finished things are kept"), "WBOX_HISTORY"
    )
    log_format: fields.LogFormat = at(
        "log.format", "text", Wording("`text`, or `json`: one object a line"), "WBOX_LOG_FORMAT"
    )
    listen: fields.Address = at(
        "listen", "127.0.0.1:8725", Wording("host and port of the daemon"), "WBOX_LISTEN"
    )
    public_url: fields.PublicUrl | None = at(
        "public_url", None, Wording("the public address of the daemon"), "WBOX_PUBLIC_URL"
    )
    media: Media = at("media", {}, Wording("how files of this machine reach wbox"))
    storm_guard: fields.Count = at(
        "storm_guard", 50, Wording("the most messages that one event sends; more wait for `owner`")
    )
    owner: str | None = at(
        "owner", None, Wording("the contact who releases such messages, and is told of trouble")
    )
    backlog: fields.CountOrZero | None = at(
        "backlog", None, Wording("the most waiting texts of one phone; more become one: `20`")
    )
    fallback: tuple[str, ...] = at("fallback", None, _FALLBACK, "WBOX_FALLBACK", fields.OutletNames)
    data_dir: Path
    api_key: str | None = field(repr=False)
    outlets: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    link_key: bytes = field(default=b"", repr=False)
    own: Own = field(default_factory=Own, repr=False)
    sources: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def host_name(self) -> str:
        """The name of this machine among those that share a store."""
        return self.host or socket.gethostname()

    @property
    def lends_files(self) -> bool:
        """Whether wbox can fetch a file of this machine: from the daemon, from elsewhere, or beside us."""
        return bool(self.public_url or self.media.elsewhere or is_loopback(self.url))


_SECTIONS = {
    "wbox": "The wbox server, its key, and how quickly messages go there.",
    "defaults": "Defaults of rules and messages.",
    "limits": "Limits on what others send.",
    "log": "The lines that the daemon writes on stderr.",
}


def has_project(folder: Path) -> bool:
    """Return whether a folder looks like that of a project, right or wrong."""
    return (folder / FILE).is_file() or (folder / "rules").is_dir()


class _File(_Section):
    refused: ClassVar[Mapping[str, Refusal]] = {
        "pace": Refusal("WBX210", "unknown key `pace`", "it stands under `wbox:`"),
        **later("rules", hint="rules stand in the folder rules/"),
        "api_key": _NO_KEY,
    }


def _settings() -> dict[str, Setting]:
    types = get_type_hints(Settings, include_extras=True)
    settings = {}
    for attribute in dataclasses.fields(Settings):
        setting: Setting | None = attribute.metadata.get("setting")
        if setting is not None:
            settings[attribute.name] = setting._replace(kind=setting.kind or types[attribute.name])
    return settings


SETTINGS = _settings()
"""All settings by their names in ``Settings``."""


def _keys(section: str) -> dict[str, Any]:
    """Return the keys of a section; those outside of all sections for an empty name."""
    keys = {}
    for setting in SETTINGS.values():
        above, _, key = setting.key.rpartition(".")
        text = f"{setting.text}; `{setting.variable}`" if setting.variable else setting.text
        if above == section:
            keys[key] = _field(setting.kind, setting.default, text)
    return keys


def _file_model() -> type[Strict]:
    keys: dict[str, Any] = {"version": (Version, fields.option(1, "the version of the language: 1"))}
    for section, text in _SECTIONS.items():
        model = create_model(section.title(), __base__=_Section, __doc__=text, **_keys(section))
        keys[section] = _field(model, {}, f"{text[0].lower()}{text[1:-1]}")
    keys |= _keys("")
    # The shape of people is part of the rules.
    keys |= dict.fromkeys(("contacts", "groups", "on_call", "time_windows"), (Any, None))
    secrets = BeforeValidator(empty_map, json_schema_input_type=dict[str, SecretSpec])  # see `Secrets`
    text = "the place of each secret by its name; never its value"
    keys["secrets"] = (Annotated[Any, secrets], Field(default=None, description=text))
    return create_model("SettingsFile", __base__=_File, __doc__="The settings of a project.", **keys)


SettingsFile = _file_model()
"""The shape of ``wbox-notify.yaml``."""
