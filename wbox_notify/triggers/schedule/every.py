"""Time that passes: every 15 minutes, whatever the clocks on the wall do."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from wbox_notify.config.durations import parse_duration
from wbox_notify.errors import ConfigError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHORTEST = timedelta(seconds=10)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Every:
    """A step of time counted from a fixed moment, so that neither a restart nor an edit shifts it."""

    step: timedelta

    def __str__(self) -> str:
        return f"every {self.step}"

    def after(self, last: datetime, zone: tzinfo) -> datetime:  # noqa: ARG002 - a cron expression needs the zone
        """Return the first moment (UTC) after ``last`` at which it is due."""
        return _EPOCH + ((last - _EPOCH) // self.step + 1) * self.step


def parse_every(text: object) -> Every:
    """Return a step of whole seconds, from ten seconds to less than a day: ``15m``, ``1h30m``."""
    step = timedelta(seconds=parse_duration(text))
    if step >= _DAY:
        raise ConfigError(
            f"every {text} would be at another time of day once the clocks change",
            hint="use `at: 09:00` for each day, `at: Mon 09:00` for each week",
        )
    if step < _SHORTEST or step.microseconds:
        raise ConfigError(f"every {text} is not possible", hint="write whole seconds, 10s at least")
    return Every(step)
