"""The subject of lines in the log: the event, the rule and the delivery that the code is at work on."""

from collections.abc import Mapping
from contextvars import ContextVar

_subject: ContextVar[Mapping[str, str | int]] = ContextVar("subject", default={})  # noqa: B039 - never changed


def subject() -> Mapping[str, str | int]:
    """Return what this thread is at work on by its kind: ``event``, ``rule``, ``delivery``."""
    return _subject.get()


class about:  # noqa: N801 - reads as a word
    """Name the subject of all lines that are logged meanwhile; what is empty names nothing."""

    __slots__ = ("_named", "_token")

    def __init__(self, **subject: str | int) -> None:
        self._named = subject

    def __enter__(self) -> None:
        named = {kind: name for kind, name in self._named.items() if name}
        self._token = _subject.set({**_subject.get(), **named})

    def __exit__(self, *_error: object) -> None:
        _subject.reset(self._token)
