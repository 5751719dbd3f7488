"""Long pieces of work, each in a process of its own, so that each has a core where there are enough."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

_T = TypeVar("_T")
Step = Callable[[int], None]
"""Hears how far a piece of work has come, in steps since the last time."""


def abreast(works: Sequence[Callable[[Step], _T]], step: Step) -> list[_T]:
    """Return what each piece of work comes to, which is neither an ``int`` nor None; raises what it raises.

    A process is forked for each, so that it needs no import and no copy of what it works on. Where a process
    ends without an answer, as after an error, and where none can be forked, the work is done here.
    """
    answers: dict[int, _T] = {}
    with ExitStack() as stack:
        begun: dict[Connection, int] = {}
        if "fork" in get_all_start_methods():
            begun = {stack.enter_context(_begun(work)): number for number, work in enumerate(works)}
        while begun:
            for pipe in set(begun).intersection(wait(begun)):
                heard = _heard(pipe)
                if isinstance(heard, int):
                    step(heard)
                    continue
                number = begun.pop(pipe)
                if heard is not None:
                    answers[number] = heard
    return [answers[number] if number in answers else work(step) for number, work in enumerate(works)]


@contextmanager
def _begun(work: Callable[[Step], _T]) -> Iterator[Connection]:
    """Begin some work in another process; what it sends is heard at this end."""
    context = get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_do, args=(work, theirs))
    process.start()
    theirs.close()  # else its end would not be seen here
    try:
        yield ours
    finally:
        process.kill()
        process.join()
        ours.close()


def _heard(pipe: Connection) -> Any:
    """Return the next that another process says; None where it has ended without an answer."""
    try:
        return pipe.recv()
    except EOFError:
        return None


def _do(work: Callable[[Step], _T], pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the command, and that ends its processes
    with suppress(Exception):  # the command does the work once more, and says what is wrong
        pipe.send(work(pipe.send))
