"""Problems of a trigger source: each is reported once, and once when it is over."""

from collections.abc import Callable

from wbox_notify.errors import StoreError
from wbox_notify.model.text import one_line

Alarm = Callable[[str, str | None], None]
"""Takes what a problem is about, and the problem, which a person has to solve; None once it is over."""

_SOON, _SELDOM = 0.5, 30.0


def no_alarm(_about: str, _problem: str | None) -> None:
    """Do nothing."""


class HealthReporter:
    """Reports each problem once when it begins, and once when it is over."""

    def __init__(self, report: Callable[[str], None], alarm: Alarm = no_alarm) -> None:
        self._report = report
        self._alarm = alarm
        self._reported: dict[str, str] = {}
        self._alarmed: set[str] = set()

    def tell(self, about: str, problem: str, *, grave: bool = False) -> None:
        """Report a problem, unless it was the last thing reported about this; a grave one is an alarm too."""
        if self._reported.get(about) == problem:
            return
        self._reported[about] = problem
        self._report(problem)
        if grave:
            self._alarmed.add(about)
            self._alarm(one_line(about), problem)

    def over(self, about: str, relief: str | None = None) -> None:
        """Forget the problem, if there was one, and report the relief."""
        if self._reported.pop(about, None) is not None and relief:
            self._report(relief)
        if about in self._alarmed:
            self._alarmed.discard(about)
            self._alarm(one_line(about), None)


class StoreHealth:
    """How long a source waits while the store refuses what it has: ``pause``, 0 while it does not."""

    def __init__(self, what: str, health: HealthReporter) -> None:
        self._what = what
        self._health = health
        self.pause = 0.0

    def refused(self, error: StoreError) -> float:
        """Report the error once; return the seconds to wait, which double up to half a minute."""
        self.pause = min(max(_SOON, self.pause * 2), _SELDOM)
        self._health.tell("store", f"The store cannot take {self._what} now ({error}); they are tried again.")
        return self.pause

    def accepted(self) -> None:
        """Report that the store takes things again, if it did not."""
        self.pause = 0.0
        self._health.over("store", f"The store takes {self._what} again.")
