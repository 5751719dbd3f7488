"""A thread that does one step again and again."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

_PAUSE = 5.0


class PeriodicThread:
    """Calls ``step`` again and again; it returns the seconds until the next call, which ``wake`` cuts short.

    An error that a step raises goes to the log and ends nothing: the next call comes five seconds later.

    Args:
        name: The name of the thread.
        step: What it does.
        trouble: What the log says before an error, such as ``sending paused``.
        delay: Seconds before the first call.
    """

    def __init__(self, name: str, step: Callable[[], float], trouble: str, *, delay: float = 0.0) -> None:
        self._call = step
        self._trouble = trouble
        self._delay = delay
        self._stopping = threading.Event()
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, within: float = 1.5) -> bool:
        """End after the step in hand; False where that takes longer."""
        self._stopping.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(within)
        return not self._thread.is_alive()

    def wake(self) -> None:
        """Let the next step begin at once."""
        self._news.set()

    @property
    def alive(self) -> bool:
        """Whether the thread runs; False too before the start and after the stop."""
        return self._thread.is_alive()

    def _run(self) -> None:
        self._stopping.wait(self._delay)
        while not self._stopping.is_set():
            # Cleared before the step, so that what comes during it is not missed.
            self._news.clear()
            try:
                pause = self._call()
            except Exception as error:  # noqa: BLE001 - nothing may end the loop
                log.error("%s: %s", self._trouble, error)  # noqa: TRY400 - no traceback reaches a user
                pause = _PAUSE
            if pause and not self._stopping.is_set():
                self._news.wait(pause)
