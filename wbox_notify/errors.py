"""Errors that wbox_notify raises on purpose; each knows whether a retry can help."""


class WboxError(Exception):
    """The base: catch this one to catch everything wbox_notify raises on purpose.

    ``retry`` says whether the same call may succeed later with nothing changed; ``exit_code`` is what a
    command ends with when the error reaches it; ``hint`` is what the reader can do about it.
    """

    retry: bool = False
    exit_code: int = 1

    def __init__(self, problem: str, *, hint: str | None = None) -> None:
        super().__init__(problem)
        self.hint = hint

    @property
    def with_hint(self) -> str:
        """The problem and its hint on one line."""
        return f"{self}; {self.hint}" if self.hint else str(self)


class ConfigError(WboxError):
    """Settings, a rule or a template cannot be used as written."""

    exit_code = 78


class MessageError(WboxError):
    """A message cannot be sent as it is; ``field`` names the part that is wrong."""

    def __init__(self, field: str, problem: str, *, hint: str | None = None) -> None:
        super().__init__(f"{field}: {problem}", hint=hint)
        self.field = field


class StoreError(WboxError):
    """The store could not be read or written, so nothing was accepted."""

    retry = True
    exit_code = 74
