"""Budget of one evaluation: room for all that it makes, and time."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from wbox_notify.templates.errors import FAILURES, TemplateError, failure

# All that one evaluation makes is counted, in characters, with a price for each item of a list: before it is
# made where that can be known, so memory is bounded. Each step has a price too, so that the same template
# with the same data always ends in the same way. The clock stops only what the count does not see, such as
# many searches in one very long text.
ROOM = 16 * 1024 * 1024
ITEM = 32
STEP = 64


class Run:
    """One evaluation: the data it sees, and what is left of its room and time (seconds of CPU).

    In a ``with`` it is the current one, and whatever fails inside comes out as a TemplateError.
    """

    def __init__(self, data: Mapping[str, Any], seconds: float) -> None:
        self.data = data
        self._left = ROOM
        self._deadline = min(time.thread_time() + seconds, _end.get())

    def __enter__(self) -> None:
        self._token = _current.set(self)

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        _current.reset(self._token)
        if isinstance(error, (TemplateError, *FAILURES)):
            raise failure(error) from error

    def spend(self, amount: int = 0) -> None:
        """Count one step that makes so much; TemplateError when there is no more room or time."""
        self._left -= max(0, amount) + STEP
        if self._left < 0:
            raise TemplateError(
                "this makes too much and was stopped",
                hint="look for loops inside loops, or a width or count that comes from the data",
            )
        if time.thread_time() > self._deadline:
            raise TemplateError("this takes too long and was stopped", hint="look for loops inside loops")


_current: ContextVar[Run] = ContextVar("run")
_end: ContextVar[float] = ContextVar("end", default=math.inf)
"""The reading of the thread's clock at which no evaluation goes on."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let all evaluations inside of it have so many seconds of CPU together."""
    token = _end.set(min(time.thread_time() + seconds, _end.get()))
    try:
        yield
    finally:
        _end.reset(token)


def spend(amount: int = 0) -> None:
    """Count one step of the current run that makes so much."""
    _current.get().spend(amount)


def data() -> Mapping[str, Any]:
    """Return the data of the current run; empty outside of one."""
    run = _current.get(None)
    if run is None:
        return {}
    return run.data


def weigh(value: object) -> int:
    """Return the size of a value, with a part that is in it twice counted twice; stops above ROOM."""
    total, waiting = 0, [value]
    while waiting and total <= ROOM:
        part = waiting.pop()
        total += ITEM
        if isinstance(part, str):
            total += len(part)
        elif isinstance(part, Mapping):
            waiting.extend(part.keys())
            waiting.extend(part.values())
        elif isinstance(part, list | tuple):
            waiting.extend(part)
    return total


def counted(value: Any) -> Any:
    """Return the result of a call or a filter, counted; an iterator, which is never empty, as a list."""
    if isinstance(value, Iterator):
        value = list(value)
    if isinstance(value, str):
        spend(len(value))
    elif isinstance(value, list | tuple):
        spend(ITEM * len(value))
    else:
        spend()
    return value


def weighed(value: Any) -> Any:
    """Return a list or map that was just put together, counted with all that is in it."""
    spend(weigh(value))
    return value
