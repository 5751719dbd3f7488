"""Bodies of calls: JSON, forms and text as plain data that is safe to store."""

import json
import math
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Any
from urllib.parse import unquote_to_bytes

from multipart import MultipartError, MultipartSegment, PushMultipartParser
from multipart import parse_options_header as parse_options

from wbox_notify.errors import WboxError
from wbox_notify.model.texts import Wording

MAX_DEPTH = 32
"""How many levels of arrays and objects JSON may have."""

MAX_DIGITS = 4300
"""How many digits a whole number may have: Python prints no more."""

MAX_VALUES = 250_000
"""How many values JSON may have: each takes some 100 bytes, however short it is written."""

MAX_FIELDS = 1000
"""How many fields a form may have."""

MAX_TEXT = 256 * 1024
"""How long a body that is plain text may be, in bytes."""

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
JSON = "application/json"

_FORMS = {FORM, MULTIPART}
_BLOCK = 64 * 1024
_UTF_8 = {"", "utf-8", "utf8", "us-ascii"}
_UNKEEPABLE = re.compile("[\0\ud800-\udfff]")
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}


class BodyError(WboxError):
    """A body cannot be used; the text says what is wrong with it."""


class KindError(BodyError):
    """A body is of a type that is not read at all."""


def any_body(content_type: str, body: bytes) -> Any:
    """Return a body as its content type says; a body in brackets is JSON, whatever that says.

    ``curl -d '{…}'`` calls JSON a form, and browsers, Amazon SNS and many scripts call it plain text.

    Raises:
        KindError: The content type is neither JSON, a form nor text, or not in UTF-8.
        BodyError: The body is not of that type.
    """
    kind = _kind(content_type)
    bracketed = _is_bracketed(body)
    if kind in _FORMS and not bracketed:
        return _fields(content_type, body)
    if kind in {JSON, *_FORMS}:
        return json_body(body)
    if kind.startswith("text/") and not bracketed:
        return text_body(body)
    try:
        return json_body(body)
    except BodyError:
        return text_body(body)


def object_body(content_type: str, body: bytes, form: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """Return a body that must be JSON, whatever its content type; ``form`` makes it of the fields of a form.

    Raises:
        KindError: As ``any_body``.
        BodyError: The body is neither JSON nor a form of which JSON can be made.
    """
    if _kind(content_type) not in _FORMS or _is_bracketed(body):
        return json_body(body)
    if form is None:
        raise BodyError("this hook takes JSON and not a form")
    return form(_fields(content_type, body))


def _fields(content_type: str, body: bytes) -> dict[str, Any]:
    """Return the fields of a form, as either way to write one has them."""
    if _kind(content_type) == MULTIPART:
        return multipart_body(content_type, body)
    return form_body(body)


def _kind(content_type: str) -> str:
    """Return the type of a body in lower case; all types of JSON are one, and nothing is ``""``."""
    kind, *parameters = [part.strip() for part in content_type.lower().split(";")]
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') not in _UTF_8:
            raise KindError("send the body in UTF-8")
    if kind == JSON or kind.endswith("+json"):
        return JSON
    if kind in {"", *_FORMS} or kind.startswith("text/"):
        return kind
    raise KindError("send JSON, a form or plain text")


def _is_bracketed(body: bytes) -> bool:
    return body.removeprefix(BOM_UTF8).lstrip()[:1] in {b"{", b"["}


def json_body(body: bytes) -> Any:
    """Return the value of a body in JSON; NUL and halves of a character become U+FFFD.

    Raises:
        BodyError: The body is not JSON in UTF-8, a key comes twice, a number has no value, or it is too deep.
    """
    text = _decoded(body)
    structure = _structure(text)
    depth = structure.count("[") + structure.count("{")
    if depth + structure.count(",") > MAX_VALUES:
        raise BodyError(Wording("the JSON has more than {most:,} values", most=MAX_VALUES))
    if depth > MAX_DEPTH and _too_deep(structure):
        raise BodyError(Wording("the JSON is more than {most} levels deep", most=MAX_DEPTH))
    try:
        value = _parsed(text)
    except json.JSONDecodeError as error:
        raise BodyError(
            Wording(
                "this is not JSON: {reason}, line {line}, column {column}",
                reason=error.msg,
                line=error.lineno,
                column=error.colno,
            )
        ) from None
    # What no store can keep is no UTF-8, or no JSON unless it is escaped.
    return _clean(value) if "\\u" in text else value


def form_body(body: bytes) -> dict[str, Any]:
    """Return the fields of a form (``application/x-www-form-urlencoded``); one that comes again is a list.

    Raises:
        BodyError: The form is not in UTF-8, or has too many fields.
    """
    text = _decoded(body)
    if text.count("&") >= MAX_FIELDS:
        raise BodyError(Wording("the form has more than {most} fields", most=MAX_FIELDS))
    fields = [field.partition("=") for field in text.split("&") if field]
    try:
        return _gathered(
            (_unescaped(name).removeprefix("\ufeff"), _unescaped(value)) for name, _, value in fields
        )
    except UnicodeDecodeError:
        raise BodyError("the form is not in UTF-8") from None


def _unescaped(text: str) -> str:
    """Return what is written with ``%`` and ``+``.

    It is read in blocks, for the library takes a hundred times the memory of a text that is all escapes.
    """
    raw = text.replace("+", " ").encode()
    plain, start = bytearray(), 0
    while start < len(raw):
        end = start + _BLOCK
        cut = raw.rfind(b"%", end - 2, end)  # an escape that the block would cut in two
        end = end if cut < 0 else cut
        plain += unquote_to_bytes(raw[start:end])
        start = end
    return plain.decode()


def multipart_body(content_type: str, body: bytes) -> dict[str, Any]:
    """Return the fields of a form (``multipart/form-data``), as ``form_body`` does; no file is taken.

    A browser sends a field for files in which nobody chose one: it is empty text.

    Raises:
        KindError: The form has a file, or a field that is not in UTF-8.
        BodyError: It is no such form, not whole, or has too many fields.
    """
    boundary = parse_options(content_type)[1].get("boundary", "")
    try:
        with PushMultipartParser(boundary, max_segment_count=MAX_FIELDS, strict=True) as parser:
            return _gathered(_parts(parser.parse(body)))
    except UnicodeDecodeError:
        raise BodyError("the form is not in UTF-8") from None
    except MultipartError as error:
        raise BodyError(Wording("the form cannot be read: {reason}", reason=error.args[0])) from None


def _parts(parsed: Iterable[MultipartSegment | bytes | None]) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each field: of each come its head, its bytes, and None."""
    head, content = MultipartSegment([]), bytearray()
    for part in parsed:
        if isinstance(part, MultipartSegment):
            head, content = part, bytearray()
        elif part is not None:
            content += part
        else:
            yield head.name or "", _text_of(head, content)


def _text_of(head: MultipartSegment, content: bytearray) -> str:
    if head.filename or (head.filename is not None and content):
        raise KindError(
            Wording("there is a file in the field {name}; no files are taken", name=json.dumps(head.name))
        )
    if (head.charset or "").lower() not in _UTF_8:
        raise KindError("send the body in UTF-8")
    return content.decode()


def _gathered(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return fields by name; one that comes again is a list."""
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(_clean(name), []).append(_clean(value))
    return {name: values if len(values) > 1 else values[0] for name, values in fields.items()}


def text_body(body: bytes) -> str:
    """Return a body that is plain text; NUL becomes U+FFFD.

    Raises:
        BodyError: The text is not in UTF-8, or too long.
    """
    if len(body) > MAX_TEXT:
        raise BodyError(Wording("the text is longer than {most} KiB", most=MAX_TEXT // 1024))
    return str(_clean(_decoded(body)))


def _decoded(body: bytes) -> str:
    """Return a body as text, without the byte order mark that some programs put before it."""
    try:
        return body.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise BodyError(
            Wording("the body is not in UTF-8: byte {number} is invalid", number=error.start + 1)
        ) from None


def _structure(text: str) -> str:
    """Return JSON without the content of its strings."""
    unescaped = text.replace("\\\\", "").replace('\\"', "")
    return "".join(unescaped.split('"')[::2])


def _too_deep(structure: str) -> bool:
    """Check the depth before JSON is parsed: the parser would recurse without a limit of ours."""
    depths = accumulate(_STEP[bracket[0]] for bracket in re.finditer(r"[][{}]", structure))
    return any(depth > MAX_DEPTH for depth in depths)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise BodyError(Wording("the key {key} comes twice in one object", key=json.dumps(twice[:60])))
    return fields


def _no_number(name: str) -> float:
    raise BodyError(Wording("{name} is not a number in JSON", name=name))


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise BodyError(Wording("the number {digits} is too large", digits=digits[:20]))
    return number


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise BodyError(Wording("a number has more than {most} digits", most=MAX_DIGITS))
    return int(digits)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_number, parse_float=_finite, parse_int=_whole
)


def _parsed(text: str) -> Any:
    if text.startswith("\ufeff"):  # one was removed before
        raise json.JSONDecodeError("unexpected second BOM", text, 0)
    return _DECODER.decode(text)


def _clean(value: Any) -> Any:
    """Return a value whose texts every store can keep."""
    if isinstance(value, str):
        return _UNKEEPABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_clean(part) for part in value]
    if isinstance(value, dict):
        return _object([(_clean(name), _clean(part)) for name, part in value.items()])
    return value
