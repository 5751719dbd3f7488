"""What is done to the process of the daemon, and what it does then."""

import os
import signal
import threading

import pytest
from faults.invariants import check
from faults.walks import SILENT, Calls, Drops, begun, drop
from forked import Forked
from workplace import Workplace, ended, until

from wbox_notify.simulator import Simulator


def test_P03_sighup_in_a_flood_of_calls_loses_none(place: Workplace, wbox: Simulator) -> None:
    calls = Calls(place, wbox)
    process = begun(place)
    answers: list[int] = []

    def flood(first: int) -> None:
        answers.extend(calls.answer(number).status_code for number in range(first, first + 40))

    threads = [threading.Thread(target=flood, args=(first,)) for first in (0, 1000, 2000)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        place.rule(SILENT.replace("1000", str(1000 + len(answers))), "edited.yaml")
        (place.folder / "edited.yaml").replace(place.folder / "rules" / "rule.yaml")
        process.send_signal(signal.SIGHUP)
        threads[0].join(0.2)
    assert answers == [202] * 120
    until(lambda: all(calls.events().values()))
    assert ended(process)[0] == 0
    check(place, wbox, calls.accepted)


def test_P04_stopped_while_a_message_is_under_way_and_continued_it_sends_nothing_twice(
    place: Workplace, wbox: Simulator
) -> None:
    wbox.fault(delay=0.5)
    drops = Drops(place, wbox)
    process = begun(place)
    drops.walk(1)
    wbox.wait_for(1)
    process.send_signal(signal.SIGSTOP)
    until(lambda: wbox.messages()[0]["answered"] == 200)
    process.send_signal(signal.SIGCONT)
    until(drops.settled)
    drops.walk(2)
    until(drops.settled)
    assert len(wbox.messages()) == 2
    assert ended(process)[0] == 0
    check(place, wbox)


@pytest.mark.parametrize("words", [("run",), ("run", "--json")], ids=["lines", "json"])
@pytest.mark.parametrize("where", ["P05 a full disk", "P06 nobody reads"])
def test_what_it_prints_can_not_be_written_and_work_goes_on(
    place: Workplace, wbox: Simulator, where: str, words: tuple[str, ...]
) -> None:
    if where == "P05 a full disk":
        with open("/dev/full", "wb") as nowhere:  # noqa: PTH123 - a device
            process = Forked(
                words,
                cwd=place.folder,
                env=place.environment,
                stdout=nowhere,
                stderr=nowhere,
            )
    else:
        reading, writing = os.pipe()
        process = Forked(
            words,
            cwd=place.folder,
            env=place.environment,
            stdout=writing,
            stderr=writing,
        )
        os.close(writing)
        os.close(reading)
    try:
        drop(place, "a.txt", "b.txt")
        wbox.wait_for(2, 20)
        (place.folder / "rules" / "rule.yaml").write_text("version: [broken\n")
        drop(place, "c.txt")
        wbox.wait_for(3, 20)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
    check(place, wbox)


def test_P11_status_and_run_say_where_messages_go(place: Workplace, wbox: Simulator) -> None:
    assert wbox.url in place.run("status").stdout
    process = place.start("run")
    assert process.stdout
    assert any(wbox.url in line for line in process.stdout)
    assert ended(process)[0] == 0
