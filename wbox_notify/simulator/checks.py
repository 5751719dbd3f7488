"""What the API document asks of a request."""

from collections.abc import Callable, Mapping
from typing import Any

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "text": ("phone", "message"),
    "media": ("phone", "media_url"),
    "event": ("phone", "event", "event.title"),
    "poll": ("phone", "message", "options"),
}
_MAY_HAVE: Mapping[str, tuple[str, ...]] = {
    "text": ("device_id",),
    "media": ("message", "device_id"),
    "event": ("event.description", "event.startDate", "device_id"),
    "poll": ("device_id",),
}
KINDS = tuple(_NEEDED)
_FEWEST_OPTIONS = 2
_HIGHEST_DEVICE = 2**31 - 1


def problem(kind: str, body: Any) -> str | None:
    """Return the words of the 400 that the body of ``/v1/send/<kind>`` earns, or None if it is right."""
    needed = _NEEDED[kind]
    missing = [path for path in needed if _absent(_value(body, path))]
    wrong = [_wrong(body, path) for path in (*needed, *_MAY_HAVE[kind]) if path not in missing]
    return " ".join(sentence for sentence in (_missing(missing), *wrong) if sentence) or None


def device_problem(value: Any) -> str | None:
    """Return the words of the 400 that a required device_id earns, or None if it is right."""
    return _missing(["device_id"]) if value is None else _wrong({"device_id": value}, "device_id")


def _missing(paths: list[str]) -> str | None:
    return f"Missing required parameters ({', '.join(paths)})." if paths else None


def _wrong(body: Any, path: str) -> str | None:
    value = _value(body, path)
    ask, right = _TYPES.get(path, ("must be a string", _is_text))
    return None if value is None or right(value) else f"Invalid parameter: {path} {ask}."


def _value(body: Any, path: str) -> Any:
    for name in path.split("."):
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_device(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _HIGHEST_DEVICE


def _are_options(value: Any) -> bool:
    texts = value if isinstance(value, list) else []
    return len(texts) >= _FEWEST_OPTIONS and all(_is_text(text) and text.strip() for text in texts)


_TYPES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "event": ("must be an object", _is_object),
    "options": ("must be an array of at least 2 strings", _are_options),
    "device_id": ("must be an integer, 1 or higher", _is_device),
}
