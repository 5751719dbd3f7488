"""What commands end with, and the errors that are raised on purpose; each knows whether a retry can help."""

from enum import IntEnum
from typing import Self


class Exit(IntEnum):
    """What a command can end with, and what that means."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        """Return a code that knows its meaning."""
        made = int.__new__(cls, code)
        made._value_ = code
        made.meaning = meaning
        return made

    DONE = 0, "done"
    FAILED = 1, "errors found, a difference found, or a message that cannot be sent"
    USAGE = 2, "wrong usage of a command"
    NOTHING = 3, "nothing to do, or nothing found"
    UNREACHABLE = 69, "the daemon or wbox cannot be reached"
    INTERNAL = 70, "a fault of wbox-notify: please report it"
    STORE = 74, "the store cannot be read or written"
    NOT_YET = 75, "not yet: the message stays in the queue, the phone is not linked, or the store is in use"
    KEY_REFUSED = 77, "the key is refused"
    INVALID = 78, "invalid settings, rules or store"
    INTERRUPTED = 130, "interrupted"


class WboxError(Exception):
    """The base: catch this one to catch everything wbox_notify raises on purpose.

    ``retry`` says whether the same call may succeed later with nothing changed; ``exit_code`` is what a
    command ends with when the error reaches it; ``hint`` is what the reader can do about it.
    """

    retry: bool = False
    exit_code: Exit = Exit.FAILED

    def __init__(self, problem: str, *, hint: str | None = None) -> None:
        super().__init__(problem)
        self.hint = hint

    @property
    def with_hint(self) -> str:
        """The problem and its hint on one line."""
        return f"{self}; {self.hint}" if self.hint else str(self)


class ConfigError(WboxError):
    """Settings, a rule or a template cannot be used as written."""

    exit_code = Exit.INVALID


class MessageError(WboxError):
    """A message cannot be sent as it is; ``field`` names the part that is wrong, ``problem`` says how."""

    def __init__(self, field: str, problem: str, *, hint: str | None = None) -> None:
        super().__init__(f"{field}: {problem}", hint=hint)
        self.field, self.problem = field, problem


class StoreError(WboxError):
    """The store could not be read or written, so nothing was accepted."""

    retry = True
    exit_code = Exit.STORE
