"""Windows: those with a name, and who is meant by what stands for one."""

from collections.abc import Callable, Sequence
from typing import Any

from wbox_notify.config.yaml.document import Location
from wbox_notify.config.yaml.problems import Problem
from wbox_notify.config.yaml.validation import did_you_mean, fit
from wbox_notify.errors import ConfigError
from wbox_notify.rules.models.people import WindowSpec
from wbox_notify.triggers.schedule.windows import Span, Window

_FORM = "write it like 22:00-07:30 or Mon-Fri 09:00-18:00"


class Windows:
    """The windows of all files; what is wrong joins the problems of whoever asks."""

    def __init__(self) -> None:
        self.named: dict[str, Window] = {}
        self._entries: dict[str, Location] = {}

    def declare(self, name: str, entry: Any, spot: Location, problems: list[Problem]) -> None:
        """Take in an entry of ``time_windows``."""
        if earlier := self._entries.get(name):
            hint = f"it is given at {earlier.document.source.file}:{earlier.key.line}"
            problems.append(spot.key_problem("WBX304", f"the name `{name}` is taken", hint=hint))
            return
        self._entries[name] = spot
        spec, wrong = fit(WindowSpec, {"spans": entry}, spot)
        problems += wrong
        if spec is not None and (window := _window(spec.spans, spot, problems, self._parsed)):
            self.named[name] = window

    def read(self, written: Sequence[str], spot: Location, problems: list[Problem]) -> Window | None:
        """Return the window that stands at a spot, of names and spans; None where it is wrong."""
        return _window(written, spot, problems, self._meant)

    def _meant(self, text: str) -> Window:
        if text in self.named:
            return self.named[text]
        if text in self._entries:
            raise ConfigError(f"the window `{text}` cannot be used: its own entry has a mistake")
        return self._parsed(text)

    def _parsed(self, text: str) -> Window:
        try:
            return Window.parse(text)
        except ConfigError as error:
            near = did_you_mean(text, self._entries)
            if any(map(str.isdigit, text)):
                raise ConfigError(str(error), hint=near or error.hint) from None
            hint = near or f"write its hours, or `time_windows: {{{text}: 22:00-07:30}}`"
            raise ConfigError(f"there is no window `{text}`, and no such day", hint=hint) from None


def _window(
    written: Sequence[str], spot: Location, problems: list[Problem], read: Callable[[str], Window]
) -> Window | None:
    spans: list[Span] = []
    for index, text in enumerate(written):
        try:
            spans += read(text).spans
        except ConfigError as error:
            problems.append(spot.at(index).problem("WBX327", str(error), hint=error.hint))
            return None
    window = Window(tuple(spans))
    if window.never_opens or window.always_open:
        message = "this window never opens" if window.never_opens else "this window is always open"
        problems.append(spot.problem("WBX331", message, hint=_FORM, severity="warning"))
    return window
