"""Bodies: what came in as bytes, as plain data that is safe to keep; or one error that says why not."""

import json
import math
import re
from codecs import BOM_UTF8
from collections.abc import Callable
from itertools import accumulate
from typing import Any
from urllib.parse import parse_qsl

from wbox_notify.errors import WboxError

DEEPEST = 32
"""How many arrays and objects of JSON may stand inside of one another."""

LONGEST_NUMBER = 4300
"""How many digits a whole number may have: more cannot be printed."""

MOST_VALUES = 250_000
"""How many values JSON may have: each takes some 100 bytes, however short it is written."""

MOST_FIELDS = 1000
"""How many fields a form may have."""

LONGEST_TEXT = 256 * 1024
"""How long a body that is plain text may be, in bytes."""

FORM = "application/x-www-form-urlencoded"

_UTF_8 = {"", "utf-8", "utf8", "us-ascii"}
_UNKEEPABLE = re.compile("[\0\ud800-\udfff]")
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}


class BodyError(WboxError):
    """What came in cannot be used; the text says what is wrong with it."""


class KindError(BodyError):
    """What came in is of a kind that is not read at all."""


def any_body(content_type: str, body: bytes) -> Any:
    """Return a body as what it says it is; JSON in brackets is JSON, whatever it says.

    ``curl -d '{…}'`` calls JSON a form, and browsers, Amazon SNS and many scripts call it plain text.

    Raises:
        KindError: It says that it is something else than JSON, a form or text, or not in UTF-8.
        BodyError: It is not what it says.
    """
    kind = _kind(content_type)
    if kind == FORM and not _is_bracketed(body):
        return form_body(body)
    if kind in {"application/json", FORM}:
        return json_body(body)
    if kind.startswith("text/") and not _is_bracketed(body):
        return text_body(body)
    try:
        return json_body(body)
    except BodyError:
        return text_body(body)


def object_body(content_type: str, body: bytes, form: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """Return a body that has to be JSON, whatever it says it is; ``form`` makes it of the fields of a form.

    Raises:
        KindError: As ``any_body``.
        BodyError: It is neither JSON nor a form of which JSON can be made.
    """
    if _kind(content_type) != FORM or _is_bracketed(body):
        return json_body(body)
    if form is None:
        raise BodyError("this is a form, and this hook wants JSON")
    return form(form_body(body))


def _kind(content_type: str) -> str:
    """Return the type of a body in lower case; all types of JSON are one, and nothing is ``""``."""
    kind, *parameters = [part.strip() for part in content_type.lower().split(";")]
    charsets = [text.partition("=")[2].strip('"') for text in parameters if text.startswith("charset=")]
    if any(charset not in _UTF_8 for charset in charsets):
        raise KindError("send the body in UTF-8")
    if kind == "application/json" or kind.endswith("+json"):
        return "application/json"
    if kind and kind != FORM and not kind.startswith("text/"):
        raise KindError("send JSON, a form or plain text")
    return kind


def _is_bracketed(body: bytes) -> bool:
    return body.removeprefix(BOM_UTF8).lstrip()[:1] in {b"{", b"["}


def json_body(body: bytes) -> Any:
    """Return the value of a body in JSON; NUL and halves of a character become U+FFFD.

    Raises:
        BodyError: It is no JSON in UTF-8, a key comes twice, a number has no value, or it is too deep.
    """
    text = _decoded(body)
    structure = _structure(text)
    if sum(map(structure.count, "[{,")) > MOST_VALUES:
        raise BodyError(f"the JSON has more than {MOST_VALUES:,} values")
    if _too_deep(structure):
        raise BodyError(f"the JSON is more than {DEEPEST} levels deep")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_no_number,
            parse_float=_finite,
            parse_int=_whole,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise BodyError(f"this is not JSON: {error.msg}, {place}") from None
    return _clean(value)


def form_body(body: bytes) -> dict[str, Any]:
    """Return the fields of a form (``application/x-www-form-urlencoded``); one that comes again is a list.

    Raises:
        BodyError: It is not UTF-8, or there are too many fields.
    """
    fields: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(_decoded(body), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except UnicodeDecodeError:
        raise BodyError("the form is not in UTF-8") from None
    except ValueError:
        raise BodyError(f"the form has more than {MOST_FIELDS} fields") from None
    for name, value in pairs:
        fields.setdefault(_clean(name.removeprefix("\ufeff")), []).append(_clean(value))
    return {name: values if len(values) > 1 else values[0] for name, values in fields.items()}


def text_body(body: bytes) -> str:
    """Return a body that is plain text; NUL becomes U+FFFD.

    Raises:
        BodyError: It is not UTF-8, or too long.
    """
    if len(body) > LONGEST_TEXT:
        raise BodyError(f"the text is longer than {LONGEST_TEXT // 1024} KiB")
    return str(_clean(_decoded(body)))


def _decoded(body: bytes) -> str:
    """Return a body as text, without the mark of UTF-8 that some programs put before it."""
    try:
        return body.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise BodyError(f"the body is not in UTF-8: byte {error.start + 1} does not fit") from None


def _structure(text: str) -> str:
    """Return JSON without what stands in its texts."""
    unescaped = text.replace("\\\\", "").replace('\\"', "")
    return "".join(unescaped.split('"')[::2])


def _too_deep(structure: str) -> bool:
    """Look before JSON is read: the reader would go down as far as it is led."""
    depths = accumulate(_STEP[bracket[0]] for bracket in re.finditer(r"[][{}]", structure))
    return any(depth > DEEPEST for depth in depths)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in pairs:
        key = _clean(name)
        if key in made:
            raise BodyError(f"the key {json.dumps(key[:60])} comes twice in one object")
        made[key] = value
    return made


def _no_number(name: str) -> float:
    raise BodyError(f"{name} is not a number in JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise BodyError(f"the number {digits[:20]} is too large")
    return number


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > LONGEST_NUMBER:
        raise BodyError(f"a number has more than {LONGEST_NUMBER} digits")
    return int(digits)


def _clean(value: Any) -> Any:
    """Return a value whose texts a store can keep."""
    if isinstance(value, str):
        return _UNKEEPABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_clean(part) for part in value]
    if isinstance(value, dict):
        return {name: _clean(part) for name, part in value.items()}
    return value
