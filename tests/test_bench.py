"""Each line of ``make bench`` can be measured, and ends what it has started."""

import os
from pathlib import Path

import pytest
from bench.__main__ import BEGIN, END, LINES, PAGE, main, written
from bench.floors import SENDERS
from bench.load import Calls, call
from bench.processes import free_port, program, until_open
from bench.rounds import FLOOR, OURS, Rounds, Size, amount, in_turn, rates
from bench.sink import sink

TINY = Size(
    rounds=1,
    seconds=0.5,
    calls=30,
    queue=30,
    ticks=20,
    files=5,
    bursts=(30,),
    history=100,
    rules=20,
    events=30,
    idle=0.5,
)


def children() -> set[str]:
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


@pytest.mark.slow
@pytest.mark.parametrize("name", LINES)
def test_a_line_can_be_measured_by_itself_and_leaves_no_process(name: str) -> None:
    before = children()
    head, _, *rows = main([name], TINY)
    assert rows
    assert all(row.count(" | ") == head.count(" | ") for row in rows)
    assert children() <= before


def test_a_relay_hands_each_call_to_the_sink_once() -> None:
    with sink() as out:
        port = free_port()
        with program("floors", "relay", port, out.port):
            until_open(port)
            answers = call(Calls(port=port, path="/", number=3 * SENDERS))
            assert answers.statuses == {"202": 3 * SENDERS}
            assert set(out.take(3 * SENDERS, 30).marks) == set(answers.began)


def test_an_unknown_line_is_refused() -> None:
    with pytest.raises(SystemExit, match="there is no line speed; there are intake"):
        main(["speed"], TINY)


def test_contenders_run_by_turns_and_the_ratio_is_that_of_the_middle_round() -> None:
    floor, ours, order = iter([10.0, 20.0, 40.0]), iter([5.0, 15.0, 10.0]), []

    def next_of(name: str) -> float:
        order.append(name)
        return next(floor if name == FLOOR else ours)

    done = in_turn({name: lambda name=name: {"per s": next_of(name)} for name in (FLOOR, OURS)}, Size())
    assert order == [FLOOR, OURS] * 3
    row = rates("work", done, 0.5)
    assert (row.ours, row.floor, row.ratio, row.aim, row.beside) == ("10/s", "20/s", "0.50", "≥ 0.5 ✓", "")


def test_no_round_begins_once_the_time_of_a_line_is_over() -> None:
    done = in_turn({OURS: lambda: {"per s": 1.0}, FLOOR: lambda: {"per s": 1.0}}, Size(line=0.0))
    assert len(done.figures[OURS]) == 1
    assert rates("work", done, 1.0).beside == "rounds: 1"


def test_a_row_says_how_many_times_faster_we_are_than_each_peer() -> None:
    done = Rounds({FLOOR: [{"per s": 100.0}], OURS: [{"per s": 50.0}], "peer": [{"per s": 25.0}]})
    assert "peer 25/s (x 2.00)" in rates("work", done, 1.0).beside


def test_an_amount_above_its_aim_is_marked() -> None:
    assert amount("work", 0.61, 0.5, "s").aim == "≤ 0.5 s ✗"


def test_the_table_is_written_between_its_marks() -> None:
    page = f"text\n{BEGIN}\nold\n{END}\nmore\n"
    assert written(page, ["| a |", "| b |"]) == f"text\n{BEGIN}\n| a |\n| b |\n{END}\nmore\n"


def test_the_page_has_a_place_for_the_table() -> None:
    assert written(PAGE.read_text(encoding="utf-8"), []).count(BEGIN) == 1
