"""Troubles: what is wrong at the moment, so that it is told once."""

from collections.abc import Callable


class Troubles:
    """What is wrong at the moment, each told once when it begins and once when it is over."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._told: dict[str, str] = {}

    def tell(self, about: str, problem: str) -> None:
        """Report a problem, unless it was the last thing reported about this."""
        if self._told.get(about) != problem:
            self._told[about] = problem
            self._report(problem)

    def over(self, about: str, relief: str | None = None) -> None:
        """Forget the problem, if there was one, and report the relief."""
        if self._told.pop(about, None) is not None and relief:
            self._report(relief)
