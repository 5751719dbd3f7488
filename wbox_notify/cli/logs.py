"""The log of the daemon on stderr: lines for people or JSON objects, without secrets."""

import json
import logging
import os
import sys
import threading
from collections.abc import Mapping

from wbox_notify.cli.output import clock, zone
from wbox_notify.errors import ConfigError
from wbox_notify.model.log_subject import subject
from wbox_notify.model.redaction import redacted
from wbox_notify.model.shown import iso
from wbox_notify.model.text import printable
from wbox_notify.model.texts import Wording, spoken, told

log = logging.getLogger(__name__)

_LEVELS = ("debug", "info", "warning", "error")


def log_to_stderr(form: str = "text") -> None:
    """Send warnings and errors of all parts to stderr, one line each; ``json`` makes each a JSON object.

    ``WBOX_LOG_LEVEL`` sets the level, also for threads and libraries.

    Raises:
        ConfigError: there is no such level.
    """
    level = os.environ.get("WBOX_LOG_LEVEL", "").strip().lower() or "warning"
    if level not in _LEVELS:
        raise ConfigError(
            Wording("WBOX_LOG_LEVEL: unknown level {level}", level=level),
            hint=Wording("one of {levels}", levels=", ".join(_LEVELS)),
        )
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(_Json() if form == "json" else _Text())
    stream.addFilter(_Once())
    logging.basicConfig(level=level.upper(), handlers=[stream], force=True)
    if level == "warning":  # who has saved a rule waits to read that it was taken
        logging.getLogger("wbox_notify.daemon").setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    threading.excepthook = _thread_ended


def _thread_ended(failure: threading.ExceptHookArgs) -> None:
    name = failure.thread.name if failure.thread else "a thread"
    log.error("%s ended: %s: %s", name, failure.exc_type.__name__, failure.exc_value)


class _Once(logging.Filter):
    """Drops a line that repeats within seconds: where no file can be opened, asyncio logs it 2048 times."""

    _seconds = 5.0

    def __init__(self) -> None:
        super().__init__()
        self._last: tuple[str, Mapping[str, str | int], float] = ("", {}, 0.0)

    def filter(self, record: logging.LogRecord) -> bool:
        text, about, since = self._last
        is_same = (text, about) == (record.getMessage(), subject())
        if is_same and record.created - since < self._seconds:
            return False
        self._last = (record.getMessage(), subject(), record.created)
        return True


class _Text(logging.Formatter):
    """A record on one line for people, with what it is about at its end, and no traceback.

    What is a wording is told in the language of the project, as it is in messages and commands.
    """

    def __init__(self) -> None:
        super().__init__()
        self._zone, self._lang = zone.get(), spoken.get()

    def format(self, record: logging.LogRecord) -> str:
        zone.set(self._zone)  # each thread begins with that of the machine
        at = clock(record.created)
        line = f"{at}  {record.levelname}  {self._message(record)}"
        about = " ".join(f"{kind}={name}" for kind, name in subject().items())
        return printable(redacted(f"{line}  ({about})" if about else line))

    def _message(self, record: logging.LogRecord) -> str:
        if not record.args or not isinstance(record.args, tuple):
            return record.getMessage()
        return str(record.msg) % tuple(told(fact, self._lang) for fact in record.args)


class _Json(logging.Formatter):
    """A record as one JSON object on a line, without a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        names = {kind: redacted(name) if isinstance(name, str) else name for kind, name in subject().items()}
        line = {
            "time": iso(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(record.getMessage()),
            **names,
        }
        return json.dumps(line)
