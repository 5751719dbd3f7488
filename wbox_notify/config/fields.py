"""Types of the values in settings and rules: parsing, messages and JSON Schema."""

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_core import PydanticKnownError

from wbox_notify.config.stores import is_on_server, on_server
from wbox_notify.config.values import DURATION, as_path, parse_duration, parse_size
from wbox_notify.config.yaml.validation import Context, as_list, invalid, not_empty, parse_value, parsed
from wbox_notify.errors import ConfigError
from wbox_notify.model.addresses import host_of, is_in_the_clear
from wbox_notify.model.text import did_you_mean
from wbox_notify.model.texts import Wording

SECRET_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")

_LEAST_BODY, _MOST_BODY = 1 << 10, 64 << 20
_LEAST_HISTORY = 7 * 86_400.0
_ADDRESS = re.compile(r"(?:(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/]*):)?([0-9]{1,5})")
_LAST_PORT = 65535


def option(default: Any, text: str) -> Any:
    """Return a field that is written as ``default`` where it is left out; ``text`` describes it."""
    return Field(default=default, validate_default=True, description=text)


def matching(pattern: str, message: str, hint: str) -> BeforeValidator:
    """Return the validator of a text; ``{text}`` in the message is that."""

    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ConfigError(Wording(message, text=text), hint=hint)
        return text

    return parsed(read, schema=Annotated[str, Field(pattern=f"^{pattern}$")])


HostName = Annotated[
    str,
    matching(
        "[A-Za-z0-9][A-Za-z0-9._-]{0,253}",
        "{text} cannot be the name of a machine",
        "it has letters, digits, `.`, `_` and `-`",
    ),
]


def _contextual(read: Callable[[str, Context], Any]) -> BeforeValidator:
    """Return the validator of a text that a function reads in its context."""

    def validate(value: Any, info: ValidationInfo) -> Any:
        return parse_value(lambda text: read(text, _context(info)), value, info)

    return BeforeValidator(validate, json_schema_input_type=str)


def _scalar(
    kind: type, error: Literal["int_type", "bool_type"], read: Callable[[str], Any]
) -> BeforeValidator:
    """Return the validator of a value that is a number or a flag in a file, and text in a variable."""

    def validate(value: Any, info: ValidationInfo) -> Any:
        if type(value) is not kind and not _context(info).is_variable:
            raise PydanticKnownError(error)
        return parse_value(read, str(value), info)

    return BeforeValidator(validate)


def _or_never(otherwise: float | None) -> BeforeValidator:
    """Return the validator of a duration, or of ``never``, which means ``otherwise``."""

    def validate(value: Any, info: ValidationInfo) -> Any:
        if value == "never":
            return otherwise
        return parse_value(parse_duration, value, info, int, float)

    return BeforeValidator(validate, json_schema_input_type=DurationText | Literal["never"])


def _context(info: ValidationInfo) -> Context:
    return info.context or Context(Path())


def as_url(text: str, context: Context) -> str:
    """Return the address of a wbox server, which may end in a path; without TLS only if it is allowed."""
    if not _is_address(text):
        raise ConfigError(
            "this is not the address of a wbox server", hint="write it as https://server.wbox.me"
        )
    if is_in_the_clear(text) and not context.insecure:
        raise ConfigError(
            "over http:// anybody on the network could read the API key",
            hint="write https://, or add `insecure: true` if you trust the network",
        )
    return text.rstrip("/")


def as_public_url(text: str) -> str:
    """Return an address that others reach, which may end in a path."""
    if not _is_address(text):
        raise ConfigError("this is not an address", hint="write it as https://notify.example.com")
    return text.rstrip("/")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return False
    return bool(usable and host_of(text)) and not re.search(r"[@?#\s]", text)


def as_store(text: str, context: Context) -> str:
    """Return the address of a store; a file has an absolute path."""
    if is_on_server(text):
        return on_server(text)
    scheme, _, path = text.partition("://")
    if scheme != "sqlite" or not path.removeprefix("/") or not path.startswith("/"):
        raise ConfigError("this is not the address of a store", hint="write it as sqlite:///PATH")
    return f"sqlite:///{as_path(path[1:], context.folder)}"


def as_address(text: object) -> tuple[str, int]:
    """Return the host and the port to answer at."""
    match = _ADDRESS.fullmatch(str(text))
    if not match or int(match[2]) > _LAST_PORT:
        raise ConfigError(
            Wording("{text} is not a host and a port", text=text), hint="write it as 127.0.0.1:8725"
        )
    return (match[1] or "127.0.0.1").strip("[]"), int(match[2])


def as_zone(text: str) -> ZoneInfo:
    """Return a time zone."""
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = did_you_mean(_of_city(text), available_timezones()) or "write it as Europe/Istanbul"
        raise ConfigError(Wording("there is no time zone {text}", text=text), hint=hint) from None


def _of_city(text: str) -> str:
    """Return the zone of a city that is written without its continent; else the text itself."""
    city = text.rpartition("/")[2].replace(" ", "_").casefold()
    zones = [name for name in available_timezones() if name.rpartition("/")[2].casefold() == city]
    return max(zones, default=text)  # of Asia/Istanbul and Europe/Istanbul the second is the usual one


def _flag(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ConfigError(Wording("{text} is neither true nor false", text=text))
    return text.lower() == "true"


def _device(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise ConfigError(
            Wording("{text} is not the number of a device", text=text), hint="devices count from 1"
        )
    return int(text)


def _size(value: str | int) -> int:
    return parse_size(str(value))


def _body(text: str | int) -> int:
    size = _size(text)
    if not _LEAST_BODY <= size <= _MOST_BODY:
        raise ConfigError(
            Wording("{text} is not between 1KiB and 64MiB", text=text), hint="write a size, such as 4MiB"
        )
    return size


def _history(text: str) -> float:
    if text == "forever":
        return math.inf
    seconds = parse_duration(text)
    if seconds < _LEAST_HISTORY:
        raise ConfigError(
            Wording(
                "{text} is too short: a webhook that is sent again within 7 days is known by its history",
                text=text,
            ),
            hint="write at least 7d, such as 90d, or forever",
        )
    return seconds


def _positive(number: int) -> int:
    if number < 1:
        raise invalid("WBX215", Wording("{number} is too few", number=number), "write 1 or more")
    return number


def _count_or_never(value: Any) -> int:
    if value == "never":
        return 0
    if type(value) is int and value > 0:
        return value
    raise invalid("WBX215", "a number above 0 is expected here, or `never`")


def _outlets(value: Any, info: ValidationInfo) -> Any:
    """Take one value as a list of one; a variable has blanks between them."""
    if _context(info).is_variable:
        return value.split()
    return as_list(value)


DurationText = Annotated[
    str,
    Field(
        pattern=f"^ *{DURATION}$",
        min_length=2,
        title="a duration",
        examples=["30s", "15m", "1h30m", "2 days"],
    ),
]
SizeText = (
    Annotated[int, Field(ge=0)]
    | Annotated[
        str,
        Field(
            pattern="^ *[0-9]+([.][0-9]+)? *([kKMGT]i?)?[bB]? *$",
            title="a size",
            examples=["200kB", "10MB", "1.5GB"],
        ),
    ]
)
Port = Annotated[int, Field(ge=0, le=_LAST_PORT)]
SomeStrings = str | Annotated[list[str], Field(json_schema_extra={"minItems": 1})]

Duration = Annotated[float, parsed(parse_duration, int, float, schema=DurationText)]
DurationOrNever = Annotated[float | None, _or_never(None)]
DurationOrZero = Annotated[float, _or_never(0.0)]
"""Seconds; 0 for ``never``."""

History = Annotated[float, parsed(_history, schema=DurationText | Literal["forever"])]
"""Seconds; infinity for ``forever``."""

Size = Annotated[int, parsed(_size, int, schema=SizeText)]
BodySize = Annotated[int, parsed(_body, int, schema=SizeText)]
Count = Annotated[int, AfterValidator(_positive), Field(json_schema_extra={"minimum": 1})]
CountOrZero = Annotated[
    int,
    BeforeValidator(_count_or_never, json_schema_input_type=Annotated[int, Field(ge=1)] | Literal["never"]),
]
"""A number above 0; 0 for ``never``."""

Device = Annotated[
    int, _scalar(int, "int_type", _device), Field(json_schema_extra={"minimum": 1, "maximum": 999_999_999})
]
Flag = Annotated[bool, _scalar(bool, "bool_type", _flag)]
Zone = Annotated[ZoneInfo, parsed(as_zone)]
Language = Annotated[
    str, matching("[a-z]{2,3}", "{text} is not the code of a language", "two small letters: en, tr")
]
LogFormat = Annotated[str, matching("(text|json)", "{text} is not a format of the log", "`text` or `json`")]
Region = Annotated[
    str,
    matching("[A-Za-z]{2}", "{text} is not the code of a country", "two letters: TR"),
    AfterValidator(str.upper),
]
ServerUrl = Annotated[str, _contextual(as_url)]
PublicUrl = Annotated[str, parsed(as_public_url)]
FolderPath = Annotated[Path, _contextual(lambda text, context: as_path(text, context.folder))]
StoreUrl = Annotated[str, _contextual(as_store)]
Address = Annotated[tuple[str, int], parsed(as_address, int, schema=str | Port)]
SecretName = Annotated[
    str,
    matching(
        SECRET_NAME.pattern,
        "a secret is given by its name: letters, digits, `-` and `_`",
        "write `secret: my-hook`, and `secrets: {my-hook: {env: MY_HOOK}}`",
    ),
]
OutletNames = Annotated[
    Sequence[str], BeforeValidator(_outlets, json_schema_input_type=SomeStrings), AfterValidator(not_empty)
]
"""Names of secrets that hold Apprise URLs, and such URLs themselves."""
