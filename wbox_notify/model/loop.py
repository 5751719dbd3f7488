"""A thread that does one step again and again."""

import logging
import threading
from collections.abc import Callable

from wbox_notify.errors import WboxError

log = logging.getLogger(__name__)

_PAUSE = 5.0


class PeriodicThread:
    """Calls ``step`` again and again; it returns the seconds until the next call, which ``wake`` cuts short.

    An error that a step raises goes to the log and ends nothing: the next call comes five seconds later. One
    that passes by itself is a warning there, such as a database that is away.

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
                _report(self._trouble, error)
                pause = _PAUSE
            if pause and not self._stopping.is_set():
                self._news.wait(pause)


def _report(trouble: str, error: Exception) -> None:
    """Log an error, without its traceback, which would reach a user."""
    if isinstance(error, WboxError) and error.retry:
        log.warning("%s: %s; it is tried again", trouble, error)
    else:
        log.error("%s: %s", trouble, error)
