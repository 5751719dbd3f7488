"""Pace: limits on how quickly messages follow each other, so that WhatsApp does not block the number."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, NamedTuple

from wbox_notify.model.texts import Wording

_HOUR = 3600.0
DAY = 24 * _HOUR
_JITTER = 0.4

_WAITED = Wording("📬 {number} messages that waited:")
_LONGEST_DIGEST = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Limits on how quickly messages follow each other; times are seconds, 0 means no limit.

    The defaults follow reports of users; WhatsApp does not publish its limits.

    Attributes:
        backlog: More texts than this, which all have waited a minute for one phone, become one message.
        lang: The language of that message's first line.
    """

    every: Annotated[float, "from one message of a device to the next, 40 % more or less"] = 3.0
    media_every: Annotated[float, "the same after media"] = 5.0
    per_hour: Annotated[int, "the most that a device sends in an hour, or `never`"] = 200
    per_day: Annotated[int, "the most that a device sends in a day, or `never`"] = 1000
    recipient_every: Annotated[float, "from one message to a phone to the next"] = 10.0
    recipient_per_hour: Annotated[int, "the most that a phone gets in an hour, or `never`"] = 30
    same_text: Annotated[float, "how long a phone does not get the same text again, or `never`"] = 600.0
    backlog: int = 20
    lang: str = "en"

    @property
    def has_turns(self) -> bool:
        """Whether a message may have to wait for another by it."""
        return any(
            (
                self.every,
                self.media_every,
                self.per_hour,
                self.per_day,
                self.recipient_every,
                self.recipient_per_hour,
            )
        )


UNLIMITED = Pace(
    every=0.0,
    media_every=0.0,
    per_hour=0,
    per_day=0,
    recipient_every=0.0,
    recipient_per_hour=0,
    same_text=0,
    backlog=0,
)
"""No pace at all, for tests."""


class Begun(NamedTuple):
    """An attempt: its begin and its recipient."""

    at: float
    recipient: str


def next_turns(
    pace: Pace, now: float, *, kind: str, recipient: str, begun: Sequence[Begun], chance: float
) -> tuple[float, float]:
    """Return the times of the next turns of a device and of the recipient of its last message.

    Args:
        pace: The limits.
        now: The begin of that message.
        kind: Its kind.
        recipient: Its recipient.
        begun: All attempts of the device in the last day up to now, the newest first.
        chance: The place in the jitter, from 0 to 1.
    """
    gap = pace.every
    if kind == "media":
        gap = pace.media_every
    to_them = [attempt for attempt in begun if attempt.recipient == recipient]
    device = max(
        now + gap * (1 - _JITTER + 2 * _JITTER * chance),
        _after(begun, pace.per_hour, _HOUR),
        _after(begun, pace.per_day, DAY),
    )
    return device, max(now + pace.recipient_every, _after(to_them, pace.recipient_per_hour, _HOUR))


def _after(begun: Sequence[Begun], most: int, period: float) -> float:
    """Return the time of the next attempt where ``most`` may begin in a period."""
    if most and len(begun) >= most:
        return begun[most - 1].at + period
    return 0.0


def digest(texts: Sequence[str], lang: str) -> tuple[str, int]:
    """Return one text for the first texts that fit into a message, and their number."""
    sizes = accumulate(len(text) + 2 for text in texts)
    number = sum(size <= _LONGEST_DIGEST for size in sizes)
    head = _WAITED.about(number=number).to(lang)
    return "\n\n".join([head, *texts[:number]]), number
