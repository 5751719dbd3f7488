"""Names: short texts by which keys, memories and messages are known again."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def key_of(values: Any) -> str:
    """Return one text for JSON values, the same whenever they are."""
    return json.dumps(values, sort_keys=True)


def short(key: str) -> str:
    """Return a short name of a key that can stand in an id or an address."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def first_event(value: Any) -> str:
    """Return the id of the first event that a memory tells of."""
    if isinstance(value, Mapping):
        if isinstance(value.get("event_id"), str):
            return str(value["event_id"])
        value = list(value.values())
    if isinstance(value, list):
        return next(filter(None, map(first_event, value)), "")
    return ""
