"""Pieces of work in processes of their own: what they come to, and what is left of them."""

import os
import signal
import subprocess
import sys
from functools import partial

import pytest

from wbox_notify.cli.abreast import Step, abreast
from wbox_notify.errors import WboxError

HERE = os.getpid()


def process(step: Step) -> dict[str, int]:
    """Come to the number of the process that does it, in two steps."""
    step(3)
    step(4)
    return {"pid": os.getpid()}


def test_each_piece_has_a_process_and_tells_how_far_it_is() -> None:
    steps: list[int] = []
    one, other = abreast([process, process], steps.append)
    assert len({one["pid"], other["pid"], HERE}) == 3
    assert sorted(steps) == [3, 3, 4, 4]


def test_answers_stand_in_the_order_of_the_work_whichever_comes_first() -> None:
    ours, theirs = os.pipe()

    def late(_step: Step) -> str:
        return os.read(ours, 1).decode()

    def soon(_step: Step) -> str:
        os.write(theirs, b"2")
        return "1"

    assert abreast([late, soon], print) == ["2", "1"]
    os.close(ours)
    os.close(theirs)


def wrong(_step: Step) -> str:
    raise WboxError("it cannot be done", hint="do it otherwise")


def test_what_fails_says_why_with_its_hint() -> None:
    with pytest.raises(WboxError, match="it cannot be done") as caught:
        abreast([process, wrong], [].append)
    assert caught.value.hint == "do it otherwise"


def killed(step: Step) -> dict[str, int]:
    if os.getpid() != HERE:
        os.kill(os.getpid(), signal.SIGKILL)
    return process(step)


def test_the_work_of_a_process_that_is_killed_is_done_here() -> None:
    one, other = abreast([killed, process], [].append)
    assert one["pid"] == HERE != other["pid"]


def test_where_no_process_can_be_forked_the_work_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wbox_notify.cli.abreast.get_all_start_methods", lambda: ["spawn"])
    assert abreast([process, process], [].append) == [{"pid": HERE}] * 2


LASTING = """
import os, signal, sys, threading
from wbox_notify.cli.abreast import abreast

signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests run in the background

def work(step):
    os.write(1, b"begun\\n")  # at once, as both may write at the same moment
    threading.Event().wait()

try:
    abreast([work, work], print)
except KeyboardInterrupt:
    sys.exit("interrupted")
"""


def test_an_interrupt_ends_all_processes_without_a_word_of_theirs() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LASTING],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as command:
        assert command.stdout
        assert [command.stdout.readline() for _ in range(2)] == ["begun\n"] * 2
        os.killpg(command.pid, signal.SIGINT)
        # The pipes end with the last process that has them.
        assert command.communicate(timeout=120) == ("", "interrupted\n")


def test_what_a_piece_comes_to_may_be_large() -> None:
    large = "x" * 5_000_000
    assert abreast([partial(lambda text, _step: text, large)], print) == [large]
