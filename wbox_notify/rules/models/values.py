"""Types of the plain values of the language, each with its shorthands for the JSON Schema."""

import re
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticKnownError

from wbox_notify.config.fields import Duration, SecretName, matching
from wbox_notify.config.yaml.validation import Strict, as_list, invalid, not_empty, parsed
from wbox_notify.errors import ConfigError
from wbox_notify.model.text import AND, joined
from wbox_notify.model.texts import Wording
from wbox_notify.triggers.schedule.wallclock import DATE, plain

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SHORTEST, _LONGEST = 10, 15
_SEGMENT = "[A-Za-z0-9_-][A-Za-z0-9._-]*"
_HOOK = re.compile(rf"/?({_SEGMENT}(?:/{_SEGMENT})*)/?")
_LONGEST_HOOK = 200
_MOMENT = re.compile(
    rf"{DATE.pattern}[ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?"
)


def as_moment(text: str) -> datetime:
    """Return a time such as ``2026-11-23 14:00``; with a zone if there is one, as in ``…T14:00+03:00``."""
    try:
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise ConfigError(
        Wording("`{text}` is not a date with a time", text=text), hint="write it like 2026-11-23 14:00"
    )


def _slug(text: str) -> str:
    if not _SLUG.fullmatch(text):
        near = re.sub(r"[^a-z0-9_-]+", "-", plain(text)).strip("-_")[:64]
        message = "an id has small letters, digits, `-` and `_`, 64 at most"
        raise invalid("WBX215", message, Wording("write `{id}`", id=near or "new-invoice"))
    return text


def _hook(text: str) -> str:
    path = _HOOK.fullmatch(text)
    if not path or len(text) > _LONGEST_HOOK:
        message = "a path has letters, digits, `-`, `_` and `.`, with `/` between its parts"
        raise ConfigError(message, hint="write it like `github` or `shop/orders`: it is served below /hook/")
    return path[1]


def _unchanged(value: Any) -> Any:
    """Return a number as text if YAML cannot have changed it; a bare 0555… is text already."""
    if type(value) is not int:
        return value
    if not _SHORTEST <= len(str(value)) <= _LONGEST or value < 0:
        raise invalid(
            "WBX302",
            Wording("{value} is not a whole phone number", value=value),
            'put it in quotes: "+905551234567"',
        )
    return str(value)


class OneKind(Strict):
    """A map of which exactly one of some keys is given."""

    noun: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    hints: ClassVar[tuple[str | None, str]]
    """The hints where none is given, and where several are."""

    @property
    def kind(self) -> str:
        """The key that is given."""
        return self._given()[0]

    def _given(self) -> list[str]:
        return [kind for kind in self.kinds if getattr(self, kind) not in (None, [])]

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        given = self._given()
        if not given:
            raise invalid(
                "WBX211",
                Wording("{noun} needs one of {kinds}", noun=self.noun, kinds=", ".join(self.kinds)),
                self.hints[0],
            )
        if len(given) > 1:
            raise invalid(
                "WBX211",
                Wording("{noun} takes one of {keys}", noun=self.noun, keys=joined(given, AND)),
                self.hints[1],
            )
        return self


def requires_one(*kinds: str) -> ConfigDict:
    """Return the configuration of a model whose JSON Schema requires one of some keys."""
    return ConfigDict(json_schema_extra={"oneOf": [{"required": [kind]} for kind in kinds]})


def one_or_list(item: Any) -> BeforeValidator:
    """Return the validator of a list that takes one value as a list of one."""
    return BeforeValidator(as_list, json_schema_input_type=item | list[item])


def one_or_more(item: Any) -> BeforeValidator:
    """Return the same for a list that must not be empty."""
    more = Annotated[list[item], Field(json_schema_extra={"minItems": 1})]
    return BeforeValidator(lambda value: not_empty(as_list(value)), json_schema_input_type=item | more)


def shorthand(key: str, *kinds: type, schema: Any) -> BeforeValidator:
    """Return the validator of a map that takes a bare value of some types as its one key."""

    def expand(value: Any) -> Any:
        if isinstance(value, kinds):
            return {key: value}
        return value

    return BeforeValidator(expand, json_schema_input_type=schema)


def unless_via(value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """Take a key that is left out as an empty list where `via`, which stands before it, is given."""
    if value != ():
        return read(value)
    if info.data.get("via", True):
        return []
    raise PydanticKnownError("missing")


def _often(seconds: float) -> float:
    if seconds < 1:
        raise invalid("WBX215", "this interval is too short", "write `1s` or more")
    return seconds


Number = Annotated[int, Field(ge=10 ** (_SHORTEST - 1), lt=10**_LONGEST)]

Slug = Annotated[str, AfterValidator(_slug), Field(json_schema_extra={"pattern": f"^{_SLUG.pattern}$"})]
Poll = Annotated[Duration, AfterValidator(_often)]
Moment = Annotated[
    datetime,
    parsed(as_moment, schema=Annotated[str, Field(pattern=f"^{_MOMENT.pattern}$", title="a time")]),
]
PhoneText = Annotated[str, BeforeValidator(_unchanged, json_schema_input_type=str | Number)]
"""A phone number or a name; a number without quotes only where YAML cannot have changed it."""

Texts = Annotated[list[str], one_or_list(str)]
SomeTexts = Annotated[list[str], one_or_more(str)]
Recipients = Annotated[list[PhoneText], one_or_more(str | Number)]
RecipientsOrVia = Annotated[Recipients, WrapValidator(unless_via)]
HookPath = Annotated[
    str,
    parsed(_hook, schema=Annotated[str, Field(pattern=f"^{_HOOK.pattern}$")]),
]
Method = Literal["GET", "POST", "PUT"]
Methods = Annotated[list[Method], one_or_more(Method)]
Origin = Annotated[
    str,
    matching(
        r"(?!http:.*:80$|https:.*:443$)https?://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?",
        "`{text}` is not the origin of a page as a browser writes it",
        "write it like https://shop.example.com: in small letters, without a path",
    ),
]
Origins = Annotated[list[Origin], one_or_list(Origin)]
PageAddress = Annotated[
    str,
    matching(
        r"https?://[^\s/?#@]+([/?#]\S*)?",
        "`{text}` is not the address of a page",
        "write it like https://example.com/thanks",
    ),
]
SecretNames = Annotated[list[SecretName], one_or_more(SecretName)]
