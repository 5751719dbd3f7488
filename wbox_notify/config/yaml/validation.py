"""Validation of parts of a file by pydantic models, with problems in the words of the file."""

import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError, PydanticKnownError

from wbox_notify.config.yaml.document import Location
from wbox_notify.config.yaml.problems import Problem
from wbox_notify.errors import ConfigError
from wbox_notify.model.text import did_you_mean, nearest
from wbox_notify.model.texts import Wording, problem_of

_MOST = 200
_ROUNDS = 5
"""To leave out a part may make its map wrong, which is then left out too."""

_MAP = Wording("must be a map of keys and values")
_WANTED = {
    "bool_type": Wording("must be true or false"),
    "literal_error": Wording("must be true"),
    "string_type": Wording("must be text"),
    "int_type": Wording("must be a whole number"),
    "dict_type": _MAP,
    "model_type": _MAP,
    "list_type": Wording("must be a list"),
    "empty": Wording("must have a value"),
}
_NUMBER = Wording("a number")
_KINDS = {
    int: _NUMBER,
    float: _NUMBER,
    str: Wording("text"),
    list: Wording("a list"),
    dict: Wording("a map"),
}


class Refusal(NamedTuple):
    """The message for a key that is known but not allowed."""

    code: str
    message: str
    hint: str | None


class Strict(BaseModel):
    """A map with its own keys only; ``refused`` has better messages for some others than "unknown key"."""

    # Most commands need few of the models, so each is made ready when it is first used.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    refused: ClassVar[Mapping[str, Refusal]] = {}

    @field_validator("*", mode="wrap")
    @classmethod
    def _has_value(cls, value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        """Refuse an empty key that would count as left out: nobody writes `quiet_hours:` to have none."""
        result = read(value)
        if value is result is None and cls.model_fields[str(info.field_name)].annotation is not Any:
            raise PydanticCustomError("empty", "empty")
        return result


M = TypeVar("M", bound=Strict)


def later(*names: str, hint: str | None = None) -> dict[str, Refusal]:
    """Return the refusals of keys of a coming version."""
    return {
        name: Refusal("WBX214", Wording("`{name}` is not in this version yet", name=name), hint)
        for name in names
    }


class Context(NamedTuple):
    """The conditions under which a setting is read.

    Attributes:
        folder: The folder of relative paths.
        insecure: Whether the address of wbox may be without TLS.
        is_variable: Whether the value is the text of an environment variable.
    """

    folder: Path
    insecure: bool = False
    is_variable: bool = False


def validate(
    model: type[M], value: Any, location: Location, context: Context | None = None
) -> tuple[M | None, list[Problem]]:
    """Return the value, which stands at ``location``, as a model; or None and every mistake in it."""
    try:
        return model.model_validate(value, context=context), []
    except ValidationError as error:
        details = error.errors(include_url=False)[:_MOST]
        return None, [_problem(detail, model, location) for detail in _telling(details, model)]


def validate_rest(
    model: type[M], value: Any, location: Location, context: Context
) -> tuple[M, list[Problem]]:
    """Return the value as a model without the parts that are wrong, and every mistake in it."""
    fitted, problems = validate(model, value, location, context)
    rest = deepcopy(value) if isinstance(value, dict) else {}
    for _ in range(_ROUNDS):
        if fitted is not None:
            return fitted, problems
        try:
            fitted = model.model_validate(rest, context=context)
        except ValidationError as error:
            for detail in reversed(error.errors(include_url=False)):
                path = detail["loc"]
                if detail["type"] == "missing":
                    path = path[:-1]
                _leave_out(rest, path)
    return model.model_validate({}, context=context), problems


def _leave_out(value: Any, path: Sequence[str | int]) -> None:
    """Delete the part of a value that a path leads to, or the nearest one above it."""
    *above, last = path
    with suppress(LookupError, TypeError):  # it is left out with another part already
        for step in above:
            if not isinstance(value[step], dict | list):
                last = step
                break
            value = value[step]
        del value[last]


def invalid(code: str, message: str, hint: str | None = None) -> PydanticCustomError:
    """Return the error of a validator with a code, a message and a hint."""
    return PydanticCustomError("invalid", "{message}", {"code": code, "message": message, "hint": hint})


def _known_version(version: Any) -> Any:
    if isinstance(version, str | float) or (type(version) is int and version != 1):
        raise invalid(
            "WBX215",
            Wording("version {version!r} of the language is not known", version=version),
            "write `version: 1`",
        )
    return version


Version = Annotated[int, BeforeValidator(_known_version), Field(json_schema_extra={"const": 1})]
"""The version of the language that a file is written in."""


def empty_map(value: Any) -> Any:
    """Take a key with nothing after it as an empty map."""
    return {} if value is None else value


def as_list(value: Any) -> Any:
    """Take one value as a list of one."""
    return value if isinstance(value, list) else [value]


def not_empty(values: list[Any]) -> list[Any]:
    """Refuse an empty list."""
    if not values:
        raise invalid("WBX215", "the list is empty")
    return values


def parse_value(read: Callable[[str], Any], value: Any, info: ValidationInfo, *others: type) -> Any:
    """Return the result of a function for a text, or a value of some other types, in a validator."""
    if not isinstance(value, (str, *others)) or isinstance(value, bool):
        raise PydanticKnownError("string_type")
    try:
        return read(value)  # type: ignore[arg-type]  # the other types are those that `read` takes too
    except ConfigError as error:
        code = "WBX215"
        if info.context is not None:
            code = "WBX320"
        raise invalid(code, problem_of(error), error.hint) from None


def parsed(read: Callable[[str], Any], *others: type, schema: Any = str) -> BeforeValidator:
    """Return the validator of a text, or a value of some other types, that a function reads."""

    def validate(value: Any, info: ValidationInfo) -> Any:
        return parse_value(read, value, info, *others)

    return BeforeValidator(validate, json_schema_input_type=schema)


def _telling(details: list[ErrorDetails], model: type[Strict]) -> Iterator[ErrorDetails]:
    """Yield the errors without those of missing keys that are there under a wrong name."""
    renamed = set()
    for detail in details:
        if detail["type"] == "extra_forbidden":
            *above, name = detail["loc"]
            inner = _model(model, above)
            near = nearest(str(name), _keys(inner))
            if name in inner.refused:
                renamed |= {(*above, key) for key in _keys(inner)}
            elif near:
                renamed.add((*above, near))
    for detail in details:
        if detail["type"] != "missing" or detail["loc"] not in renamed:
            yield detail


def _problem(detail: ErrorDetails, model: type[Strict], location: Location) -> Problem:
    kind, loc = detail["type"], detail["loc"]
    at = location.at(*loc)
    if kind == "invalid":
        return at.problem(**detail["ctx"])
    if kind == "extra_forbidden":
        return _unknown(str(loc[-1]), _model(model, loc[:-1]), at)
    if kind == "missing":
        hint = None
        if loc == ("version",):
            hint = "write `version: 1` at the top of the file"
        return at.key_problem("WBX212", Wording("the key `{key}` is missing", key=loc[-1]), hint=hint)
    if kind == "literal_error":
        words = re.findall("'([^']*)'", detail["ctx"]["expected"])
        if words and isinstance(detail["input"], str):
            word = detail["input"]
            hint = did_you_mean(word, words) or Wording("there are {names}", names=", ".join(words))
            return at.problem("WBX215", Wording("`{word}` is not known here", word=word), hint=hint)
        if words:
            kind = "string_type"
    wanted = _WANTED.get(kind, Wording("cannot be used as written"))
    return _mistyped(_name(at), wanted, detail["input"], at)


def _unknown(name: str, model: type[Strict], at: Location) -> Problem:
    if name in model.refused:
        code, message, hint = model.refused[name]
        return at.key_problem(code, message, hint=hint)
    keys = _keys(model)
    hint = did_you_mean(name, keys)
    if hint is None and (coming := did_you_mean(name, model.refused)):
        hint = Wording("{coming} it is not in this version yet", coming=coming)
    hint = hint or Wording("known here: {keys}", keys=", ".join(keys))
    return at.key_problem("WBX210", Wording("unknown key `{name}`", name=name), hint=hint)


def _mistyped(name: str, wanted: str, value: Any, at: Location) -> Problem:
    hint = None
    if value is None:
        if wanted == _WANTED["empty"]:
            hint = "write it, or leave the key out"
        return at.key_problem(
            "WBX213", Wording("{name} {wanted}, and nothing is given", name=name, wanted=wanted), hint=hint
        )
    if wanted == "must be text" and isinstance(value, int | float):
        hint = "put it in quotes"
    elif wanted == "must be a whole number" and isinstance(value, str) and value.isdigit():
        hint = "take it out of the quotes"
    return at.problem(
        "WBX213",
        Wording("{name} {wanted}, not {kind}", name=name, wanted=wanted, kind=_kind(value)),
        hint=hint,
    )


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return _KINDS[type(value)]


def _name(at: Location) -> str:
    steps = at.steps
    if not steps:
        return Wording("the file")
    names = [step for step in steps if isinstance(step, str)]
    if not names:
        return Wording("each of them")
    if isinstance(steps[-1], int):
        return Wording("each of `{name}`", name=names[-1])
    return f"`{names[-1]}`"


def _keys(model: type[Strict]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _model(model: type[Strict], loc: Iterable[str | int]) -> type[Strict]:
    """Return the model of the map at a location inside of another model."""
    for step in loc:
        fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
        model = _inside(fields.get(str(step))) or model
    return model


def _inside(annotation: Any) -> type[Strict] | None:
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return annotation
    return next(filter(None, map(_inside, typing.get_args(annotation))), None)
