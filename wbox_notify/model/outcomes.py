"""Outcome: what one hand-over to wbox came to, and so whether it may be tried again."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What is known after an attempt; each says what may follow."""

    SENT = "sent"
    """wbox said success (never that the phone has it: wbox gives no receipt)."""
    NOT_SENT = "not sent"
    """Nothing reached wbox; trying again cannot double."""
    LIMITED = "limited"
    """429: wbox refused for now; wait ``Answer.wait`` seconds."""
    NOT_READY = "not ready"
    """503: the WhatsApp session is not linked; hold the device until it is."""
    UNAUTHORIZED = "unauthorized"
    """401, 403: the key is refused; hold all until it is mended."""
    FAILED = "failed"
    """wbox said that it did not send (``success: false``); two more tries are fair."""
    REFUSED = "refused"
    """wbox will never take this message (400 and its kin, a redirect, an unusable address or key)."""
    UNKNOWN = "unknown"
    """It may have been sent: no answer came back, or none that says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The end of one call of the wbox API.

    Attributes:
        outcome: What the call came to.
        detail: One line for a person: what wbox said or what went wrong. Never holds the key.
        status: The HTTP status, or None where no answer came.
        wait: Seconds that wbox asked to wait (``Retry-After``, at most 3600), if it did.
        latency: Seconds from the call to its end.
        asked: Whether wbox was asked at all; what it was not asked says nothing about it.
    """

    outcome: Outcome
    detail: str
    status: int | None = None
    wait: float | None = None
    latency: float = 0.0
    asked: bool = True
