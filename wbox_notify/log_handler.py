"""A handler for Python's logging: what a program logs as an error reaches a phone, or any Apprise URL."""

import logging
import socket
import sys
import threading
from pathlib import Path

from apprise import Apprise, NotifyBase

_MOST = 20
_SENDING = {"apprise", "requests", "urllib3"}


class LogHandler(logging.Handler):
    """Sends what is logged within some seconds as one message, so that a flood of errors is no flood of them.

    ``wboxq://PHONE`` hands it to the daemon on this machine, which loses nothing; ``wbox://KEY/PHONE`` and
    all else that Apprise knows is called at once. Of more than 20 records in one message the last are
    counted.

    Args:
        url: Where to; ``more`` are others.
        level: The least level that is sent.
        wait: Seconds after the first record in which others join it.

    Raises:
        ValueError: Apprise cannot use an address.
    """

    def __init__(self, url: str, *more: str, level: int | str = logging.ERROR, wait: float = 10.0) -> None:
        super().__init__(level)
        self._services = [_service(each) for each in (url, *more)]
        self._wait = wait
        self._lines: list[str] = []
        self._waits = False

    def emit(self, record: logging.LogRecord) -> None:
        """Gather a record; what the sending itself logs is left out, as it would never end."""
        if record.name.partition(".")[0] in _SENDING:
            return
        try:
            self._lines.append(self.format(record))
        except Exception:  # noqa: BLE001 - as all handlers do
            self.handleError(record)
            return
        if not self._waits:
            self._waits = True
            threading.Thread(target=self._gather, name="log-handler").start()

    def flush(self) -> None:
        """Send what has gathered."""
        with self.lock or threading.RLock():
            lines, self._lines = self._lines, []
        if lines:
            self._send(lines)

    def _gather(self) -> None:
        """Wait for more records, at most to the end of the program, when a thread can still send them."""
        threading.main_thread().join(self._wait)
        self._waits = False
        self.flush()

    def close(self) -> None:
        """Send what has gathered, and take no more."""
        self.flush()
        super().close()

    def _send(self, lines: list[str]) -> None:
        text = "\n".join(lines[:_MOST])
        if len(lines) > _MOST:
            text += f"\n… and {len(lines) - _MOST} more"
        title = f"{Path(sys.argv[0]).name or 'Python'} on {socket.gethostname()}"
        sent = [service.notify(body=text, title=title) for service in self._services]
        if not all(sent) and logging.raiseExceptions and sys.stderr:
            print(f"{len(lines)} log records could not be sent to all", file=sys.stderr)  # noqa: T201 - the last way


def _service(url: str) -> NotifyBase:
    service = Apprise.instantiate(url)
    if service is None:
        raise ValueError("Apprise cannot use the address of a log handler")
    return service
