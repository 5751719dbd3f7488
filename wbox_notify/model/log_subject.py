"""The subject of lines in the log: the event, the rule and the delivery that the code is at work on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_subject: ContextVar[Mapping[str, str | int]] = ContextVar("subject", default={})  # noqa: B039 - never changed


def subject() -> Mapping[str, str | int]:
    """Return what this thread is at work on by its kind: ``event``, ``rule``, ``delivery``."""
    return _subject.get()


@contextmanager
def about(**subject: str | int) -> Iterator[None]:
    """Name the subject of all lines that are logged meanwhile; what is empty names nothing."""
    token = _subject.set({**_subject.get(), **{kind: name for kind, name in subject.items() if name}})
    try:
        yield
    finally:
        _subject.reset(token)
