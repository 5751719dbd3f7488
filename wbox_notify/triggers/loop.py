"""A thread that does one step again and again."""

import threading
from collections.abc import Callable


class PeriodicThread:
    """Calls ``step`` again and again; it returns the seconds until the next time."""

    def __init__(self, name: str, step: Callable[[], float]) -> None:
        self._step = step
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; returns when it looks no more, within 2 seconds unless a step takes longer."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(1.5)

    @property
    def alive(self) -> bool:
        """Whether it looks; False too before the start and after the stop."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(self._step())
