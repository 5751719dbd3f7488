"""Filters that people know from Python, Ansible and Home Assistant."""

import base64
import binascii
import hashlib
import json
import math
import posixpath
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from wbox_notify.model.texts import Wording
from wbox_notify.templates.bounded import mapping, spread
from wbox_notify.templates.budget import ITEM, data, spend, weighed
from wbox_notify.templates.errors import TemplateError, brief, kind
from wbox_notify.templates.loader import composed
from wbox_notify.templates.moments import Moments

_HASHES = ("md5", "sha1", "sha256", "sha384", "sha512")
_YES = frozenset({"1", "on", "true", "yes"})
_NO = frozenset({"0", "false", "no", "off"})
_PLAIN_LETTERS = str.maketrans(
    {"\u0131": "i", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th"}
)
_NONE = object()


def filters(moments: Moments) -> dict[str, Callable[..., Any]]:
    """Return the filters by the name they have in templates; times are read and shown by ``moments``."""
    times = _Times(moments)
    return {
        "as_datetime": times.as_datetime,
        "as_timestamp": times.as_timestamp,
        "strftime": times.strftime,
        "timestamp_custom": times.timestamp_custom,
        "b64decode": b64decode,
        "b64encode": b64encode,
        "basename": basename,
        "bool": yes_or_no,
        "combine": combine,
        "dict2items": dict2items,
        "difference": difference,
        "dirname": dirname,
        "flatten": flatten,
        "from_json": from_json,
        "hash": digest,
        "iif": iif,
        "intersect": intersect,
        "is_number": is_number,
        "items2dict": items2dict,
        "slugify": slugify,
        "split": split,
        "splitext": splitext,
        "ternary": iif,
        "union": union,
    }


def tests() -> dict[str, Callable[..., bool]]:
    """Return the tests by the name that stands after ``is``."""
    return {"contains": contains, "is_number": is_number}


def contains(value: Any, part: Any) -> bool:
    """Return whether a list or a text has something in it."""
    return part in value


@dataclass(frozen=True)
class _Times:
    """The filters for times."""

    moments: Moments

    def as_datetime(self, value: Any, default: Any = _NONE) -> Any:
        """Return the time that a value means; the default, if there is one, where it is none."""
        try:
            return self.moments.show_datetime(value)
        except TemplateError:
            if default is _NONE:
                raise
            return default

    def as_timestamp(self, value: Any, default: Any = _NONE) -> Any:
        """Return a time as seconds since 1970; the default, if there is one, where it is none."""
        moment = self.as_datetime(value, default)
        if not isinstance(moment, datetime):
            return moment
        seconds = moment.timestamp()
        return int(seconds) if seconds.is_integer() else seconds

    def strftime(self, value: Any, form: Any = None) -> str:
        """Return a time by a pattern; also as Ansible has it, the pattern first: ``'%H:%M' | strftime``."""
        if isinstance(value, str) and "%" in value:
            value, form = form, value
        return self.timestamp_custom(data().get("now") if value is None else value, form)

    def timestamp_custom(self, value: Any, form: Any = "%Y-%m-%d %H:%M:%S", local: bool = True) -> str:  # noqa: FBT001, FBT002 - known so
        """Return a time by a pattern; ``local=false`` shows it in UTC."""
        moment = self.moments.show_datetime(value)
        return self.moments.strftime(moment if local else moment.astimezone(UTC), form)


def b64decode(value: Any) -> str:
    """Return the text that base64 stands for, also in its form for addresses."""
    text = "".join(_text(value).translate(str.maketrans("-_", "+/")).split())
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        raise TemplateError(Wording("{value} is not the base64 of a text", value=brief(value))) from None


def b64encode(value: Any) -> str:
    """Return a text as base64."""
    return base64.b64encode(_bytes(value)).decode()


def basename(value: Any) -> str:
    """Return the last part of a path or an address: ``/srv/a.pdf`` gives ``a.pdf``."""
    return posixpath.basename(_text(value))


def dirname(value: Any) -> str:
    """Return a path without its last part: ``/srv/a.pdf`` gives ``/srv``."""
    return posixpath.dirname(_text(value))


def splitext(value: Any) -> tuple[str, str]:
    """Return a path in two parts, of which the last is the extension: ``a.pdf`` gives ``["a", ".pdf"]``."""
    return posixpath.splitext(_text(value))


def split(value: Any, separator: str | None = None, maxsplit: int = -1) -> list[str]:
    """Return the parts of a text between separators, or between spaces."""
    return _text(value).split(separator, maxsplit)


def slugify(value: Any, separator: str = "_") -> str:
    """Return a text as a name in small plain letters: ``Sipariş No: 7`` gives ``siparis_no_7``."""
    letters = unicodedata.normalize("NFKD", composed(_text(value)).casefold().translate(_PLAIN_LETTERS))
    spend(len(letters) * (1 + len(separator)))
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return separator.join(re.findall(r"[^\W_]+", plain))


def digest(value: Any, hashtype: str = "sha1") -> str:
    """Return the hash of a text: ``md5``, ``sha1`` if none is named, ``sha256``, ``sha384``, ``sha512``."""
    if hashtype not in _HASHES:
        raise TemplateError(
            Wording("there is no hash {value}", value=brief(hashtype)),
            hint=Wording("there are: {names}", names=", ".join(_HASHES)),
        )
    return hashlib.new(hashtype, _bytes(value), usedforsecurity=False).hexdigest()


def from_json(value: Any, default: Any = _NONE) -> Any:
    """Return what a JSON text holds; the default, if there is one, where it is no JSON."""
    if isinstance(value, Mapping | list):
        raise TemplateError(Wording("this is {kind} already", kind=kind(value)), hint="leave out from_json")
    text = _text(value)
    spend(ITEM * sum(map(text.count, ",[{")))
    try:
        return json.loads(text, parse_constant=_no_number)
    except ValueError as error:
        if default is not _NONE:
            return default
        raise TemplateError(Wording("{value} is not JSON: {error}", value=brief(text), error=error)) from None


def iif(value: Any, if_true: Any = True, if_false: Any = False, if_none: Any = _NONE) -> Any:  # noqa: FBT002 - known so
    """Return the first of two values for what counts as yes, the second for no; a third may be for none."""
    if value is None and if_none is not _NONE:
        return if_none
    return if_true if value else if_false


def yes_or_no(value: Any, default: Any = _NONE) -> Any:
    """Return yes for true, 1, "true", "yes" and "on", no for false, 0, "false", "no" and "off"."""
    word = str(value).strip().casefold()
    if word in _YES | _NO:
        return word in _YES
    if default is _NONE:
        raise TemplateError(Wording("{value} says neither yes nor no", value=brief(value)))
    return default


def is_number(value: Any) -> bool:
    """Return whether a value is a number, or a text that holds one as computers write it."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    try:
        return math.isfinite(float(value))
    except (OverflowError, ValueError):
        return False


def combine(value: Any, *others: Any, recursive: bool = False) -> dict[Any, Any]:
    """Return one map of several, in which later ones win; ``recursive=true`` goes into inner maps."""
    merged: dict[Any, Any] = {}
    for other in weighed([value, *others]):
        _merge(merged, _map(other, "combine"), recursive=recursive)
    return merged


def _merge(merged: dict[Any, Any], other: Mapping[Any, Any], *, recursive: bool) -> None:
    for name, field in other.items():
        before = merged.get(name)
        merged[name] = field
        if recursive and isinstance(before, Mapping) and isinstance(field, Mapping):
            spend(ITEM * len(before))
            merged[name] = {**before}
            _merge(merged[name], field, recursive=True)


def dict2items(value: Any, key_name: str = "key", value_name: str = "value") -> list[dict[str, Any]]:
    """Return the fields of a map as a list of maps, each with a ``key`` and a ``value``."""
    fields = _map(value, "dict2items")
    return weighed([{key_name: name, value_name: field} for name, field in fields.items()])  # type: ignore[no-any-return]


def items2dict(value: Any, key_name: str = "key", value_name: str = "value") -> dict[Any, Any]:
    """Return the map that a list of maps with a ``key`` and a ``value`` describes."""
    return mapping([(item[key_name], item[value_name]) for item in value])


def flatten(value: Any, levels: int | None = None) -> list[Any]:
    """Return a list whose inner lists are replaced by what is in them, down to so many levels."""
    flat = []
    for item in value:
        spend()
        if isinstance(item, list | tuple) and levels != 0:
            flat += flatten(item, None if levels is None else levels - 1)
        else:
            flat.append(item)
    return flat


def union(value: Any, other: Any) -> list[Any]:
    """Return what is in one list or the other, each once."""
    return [*{**_by_identity(value), **_by_identity(other)}.values()]


def intersect(value: Any, other: Any) -> list[Any]:
    """Return what is in both lists, each once."""
    others = _by_identity(other)
    return [item for key, item in _by_identity(value).items() if key in others]


def difference(value: Any, other: Any) -> list[Any]:
    """Return what is in the first list and not in the other, each once."""
    others = _by_identity(other)
    return [item for key, item in _by_identity(value).items() if key not in others]


def _by_identity(items: Any) -> dict[Any, Any]:
    return {_identity(item): item for item in weighed(list(items))}


def _identity(item: Any) -> Any:
    if isinstance(item, Mapping | list | tuple):
        return json.dumps(item, sort_keys=True, default=str)
    return spread(item)


def _map(value: Any, name: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise TemplateError(Wording("{name} needs a map, not {kind}", name=name, kind=kind(value)))
    return value


def _text(value: Any) -> str:
    if isinstance(value, str | int | float):
        return str(value)
    raise TemplateError(
        Wording("this needs a text, not {kind}", kind=kind(value)), hint="make it one with | string"
    )


def _bytes(value: Any) -> bytes:
    return _text(value).encode("utf-8", "surrogatepass")


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")
