"""Outcomes of hand-overs to wbox, which decide whether a message may be tried again."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What is known after an attempt."""

    SENT = "sent"
    """wbox said success (never that the phone has it: wbox gives no receipt)."""
    NOT_SENT = "not sent"
    """Nothing reached wbox; trying again cannot double."""
    LIMITED = "limited"
    """429: wbox refused for now; wait ``Answer.wait`` seconds."""
    NOT_READY = "not ready"
    """503: the WhatsApp session is not linked; hold the device until it is."""
    UNAUTHORIZED = "unauthorized"
    """401, 403: the key is refused; hold all until it is corrected."""
    FAILED = "failed"
    """wbox said that it did not send (``success: false``); two more tries are fair."""
    REFUSED = "refused"
    """wbox will never take this message (400 and the like, a redirect, an unusable address or key)."""
    UNKNOWN = "unknown"
    """It may have been sent: no answer came, or none that decides it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The result of one call of the wbox API.

    Attributes:
        outcome: The outcome of the call.
        detail: One line for a person: the words of wbox, or the error. Never holds the key.
        status: The HTTP status, or None where no answer came.
        wait: Seconds that wbox asked to wait (``Retry-After``, at most 3600), if it did.
        latency: Seconds from the call to its end.
        asked: Whether wbox was called at all; otherwise this says nothing about wbox.
    """

    outcome: Outcome
    detail: str
    status: int | None = None
    wait: float | None = None
    latency: float = 0.0
    asked: bool = True
