"""Event: something that happened and may set off rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.

    Attributes:
        id: The key of idempotency. The same file version, webhook delivery or nominal time has the same
            id each time it is seen, also after a restart and on another machine.
        type: ``file`` (later also ``webhook``, ``schedule`` and ``missing``).
        at: When it happened, with a time zone.
        data: What the rules see under the name of the type; JSON values only.
    """

    id: str
    type: str
    at: datetime
    data: Mapping[str, Any]
