"""What is wrong at the moment, reported once."""

from collections.abc import Callable

from wbox_notify.model.text import one_line

Alarm = Callable[[str, str | None], None]
"""Takes what a problem is about, and the problem; None once it is over. It is for what a person must mend."""


def unheard(_about: str, _problem: str | None) -> None:
    """Alarm nobody."""


class HealthReporter:
    """What is wrong at the moment, each told once when it begins and once when it is over."""

    def __init__(self, report: Callable[[str], None], alarm: Alarm = unheard) -> None:
        self._report = report
        self._alarm = alarm
        self._told: dict[str, str] = {}
        self._alarmed: set[str] = set()

    def tell(self, about: str, problem: str, *, grave: bool = False) -> None:
        """Report a problem, unless it was the last thing reported about this; a grave one is an alarm too."""
        if self._told.get(about) != problem:
            self._told[about] = problem
            self._report(problem)
            if grave:
                self._alarmed.add(about)
                self._alarm(one_line(about), problem)

    def over(self, about: str, relief: str | None = None) -> None:
        """Forget the problem, if there was one, and report the relief."""
        if self._told.pop(about, None) is not None and relief:
            self._report(relief)
        if about in self._alarmed:
            self._alarmed.discard(about)
            self._alarm(one_line(about), None)
