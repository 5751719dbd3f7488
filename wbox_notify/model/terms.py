"""Terms: how a rule wants its messages to be sent."""

from dataclasses import dataclass
from typing import Literal

LIFETIME = 24 * 3600.0
"""Seconds after which a message that could not be sent expires, where its rule says nothing."""


OnUnknown = Literal["retry_once", "retry", "hold", "drop"]
"""What becomes of a message that may have been sent: once more after a while, again and again, a person
decides, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """How a rule wants its messages to be sent.

    Attributes:
        critical: Whether they go before what others sent.
        expire_after: Seconds after which it is too late to send them.
        once: Whether a text that the recipient has just got is left out.
        on_unknown: What becomes of one that may have been sent; None leaves it to its kind.
    """

    critical: bool = False
    expire_after: float = LIFETIME
    once: bool = True
    on_unknown: OnUnknown | None = None
