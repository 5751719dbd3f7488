"""Types of the values that people write in settings and rules, each with what an editor has to know of it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_core import PydanticKnownError

from wbox_notify.config.values import (
    SECRET_NAME,
    as_address,
    as_body,
    as_device,
    as_flag,
    as_history,
    as_language,
    as_path,
    as_public_url,
    as_region,
    as_secret_name,
    as_store,
    as_url,
    as_zone,
    parse_duration,
    parse_size,
)
from wbox_notify.config.yaml.validation import Context, listed, reading, some, wrong


def option(default: Any, text: str) -> Any:
    """Return a field that is written as ``default`` where it is left out; ``text`` is what it says."""
    return Field(default=default, validate_default=True, description=text)


def _context(info: ValidationInfo) -> Context:
    return info.context or Context(Path())


def _scalar(kind: type, read: Callable[[str], Any]) -> BeforeValidator:
    """Return the validator of a value that is a number or a flag in a file, and text in a variable."""

    def validate(value: Any, info: ValidationInfo) -> Any:
        is_text = _context(info).is_variable
        if type(value) is not kind and not is_text:
            raise PydanticKnownError("bool_type" if kind is bool else "int_type")
        return reading(read)(str(value), info)

    return BeforeValidator(validate)


def _in_folder(read: Callable[[str, Path], Any]) -> BeforeValidator:
    """Return the validator of a text with a path in it; a relative one starts in the project folder."""

    def validate(value: Any, info: ValidationInfo) -> Any:
        return reading(lambda text: read(text, _context(info).folder))(value, info)

    return BeforeValidator(validate, json_schema_input_type=str)


def _server_url(value: Any, info: ValidationInfo) -> Any:
    return reading(lambda text: as_url(text, insecure=_context(info).insecure))(value, info)


def _positive(number: int) -> int:
    if number < 1:
        raise wrong("WBX215", f"{number} is too few", "write 1 or more")
    return number


def _count_or_never(value: Any) -> int:
    if value == "never":
        return 0
    if type(value) is int and value > 0:
        return value
    raise wrong("WBX215", "a number above 0 is expected here, or `never`")


def _or_never(otherwise: float | None) -> BeforeValidator:
    """Return the validator of a duration, or of ``never``, which means ``otherwise``."""

    def validate(value: Any, info: ValidationInfo) -> Any:
        return otherwise if value == "never" else _duration(value, info)

    return BeforeValidator(validate, json_schema_input_type=DurationText | Literal["never"])


def _names(value: Any, info: ValidationInfo) -> Any:
    """Take one value as a list of one; a variable has blanks between them."""
    return value.split() if _context(info).is_variable else listed(value)


def _texts(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda value: read(str(value))


_duration = reading(parse_duration, int, float)

DurationText = Annotated[
    str,
    Field(
        pattern="^ *"
        + "".join(f"([0-9]{{1,9}} *{unit} *)?" for unit in ("w", "d", "h", "m", "s", "ms"))
        + "$",
        min_length=2,
        title="a duration",
        examples=["30s", "15m", "1h30m", "2d"],
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

Duration = Annotated[float, BeforeValidator(_duration, json_schema_input_type=DurationText)]
DurationOrNever = Annotated[float | None, _or_never(None)]
DurationOrZero = Annotated[float, _or_never(0.0)]

History = Annotated[
    float, BeforeValidator(reading(as_history), json_schema_input_type=DurationText | Literal["forever"])
]
Size = Annotated[int, BeforeValidator(reading(_texts(parse_size), int), json_schema_input_type=SizeText)]
BodySize = Annotated[int, BeforeValidator(reading(_texts(as_body), int), json_schema_input_type=SizeText)]
Count = Annotated[int, AfterValidator(_positive), Field(json_schema_extra={"minimum": 1})]
CountOrZero = Annotated[
    int,
    BeforeValidator(_count_or_never, json_schema_input_type=Annotated[int, Field(ge=1)] | Literal["never"]),
]
"""A number above 0; 0 for ``never``."""

Device = Annotated[int, _scalar(int, as_device), Field(json_schema_extra={"minimum": 1})]
Flag = Annotated[bool, _scalar(bool, as_flag)]
Zone = Annotated[ZoneInfo, BeforeValidator(reading(as_zone), json_schema_input_type=str)]
Language = Annotated[
    str,
    BeforeValidator(
        reading(as_language), json_schema_input_type=Annotated[str, Field(pattern="^[a-z]{2,3}$")]
    ),
]
Region = Annotated[
    str,
    BeforeValidator(
        reading(as_region), json_schema_input_type=Annotated[str, Field(pattern="^[A-Za-z]{2}$")]
    ),
]
ServerUrl = Annotated[str, BeforeValidator(_server_url, json_schema_input_type=str)]
PublicUrl = Annotated[str, BeforeValidator(reading(as_public_url), json_schema_input_type=str)]
FolderPath = Annotated[Path, _in_folder(as_path)]
StoreUrl = Annotated[str, _in_folder(as_store)]
Address = Annotated[
    tuple[str, int],
    BeforeValidator(
        reading(_texts(as_address), int),
        json_schema_input_type=str | Annotated[int, Field(ge=0, le=65535)],
    ),
]
SecretName = Annotated[
    str,
    BeforeValidator(
        reading(as_secret_name),
        json_schema_input_type=Annotated[str, Field(pattern=f"^{SECRET_NAME.pattern}$")],
    ),
]
OutletNames = Annotated[
    Sequence[str],
    BeforeValidator(
        _names, json_schema_input_type=str | Annotated[list[str], Field(json_schema_extra={"minItems": 1})]
    ),
    AfterValidator(some),
]
"""Names of secrets that hold Apprise URLs, and such URLs themselves."""
