"""Rows in the daemon, with real processes: the storm guard, a kill in the middle, and a million of them."""

import json
import re
import signal
import subprocess
import sys

import pytest
import requests
from bench.processes import environment
from workplace import Workplace, until

from wbox_notify.simulator import Simulator

RULES = """
version: 1
contacts: {me: "+905551234567"}
rules:
  - id: orders
    name: Orders
    trigger: {file: {path: drop, match: "*.csv"}}
    for_each: {row: file.rows}
    if: row.status == "shipped"
    to: "{{ row.phone }}"
    send: {text: "order {{ row.order }}"}
"""


def orders(number: int) -> str:
    lines = (f"{row};+90555{row:07};shipped" for row in range(2, number + 2))
    return "\n".join(["order;phone;status", *lines])


def numbers(wbox: Simulator) -> list[str]:
    return [
        message["body"]["message"].removeprefix("order ")
        for message in wbox.messages()
        if message["body"]["message"].startswith("order ")
    ]


def settings(place: Workplace, guard: int) -> None:
    place.rule(RULES)
    place.rule(f"version: 1\nstorm_guard: {guard}\nowner: me\n", "wbox-notify.yaml")


def begin(place: Workplace) -> subprocess.Popen[str]:
    """Start the daemon with a log that takes a line for each message; return when it answers."""
    with (place.folder / "log.txt").open("ab") as log:
        process = place.start("run", log=log)
    until(place.card.exists)
    return process


def test_1200_rows_wait_for_one_answer_and_then_all_go(place: Workplace, wbox: Simulator) -> None:
    settings(place, 1000)
    begin(place)
    (place.drop / "today.csv").write_text(orders(1200))
    question = wbox.wait_for(1)[0]["body"]
    assert question["phone"] == "905551234567"
    assert "would send 1200 messages at once for today.csv" in question["message"]
    assert "1200 held" in place.run("status").stdout
    link = re.search(r"http\S+", question["message"])
    assert link
    assert requests.post(link[0], timeout=10).status_code == 200
    until(lambda: len(numbers(wbox)) == 1200, within=100)
    assert sorted(map(int, numbers(wbox))) == list(range(2, 1202))
    assert len(wbox.messages()) == 1201, "the owner is asked once"


def test_a_kill_between_rows_goes_on_with_the_next_one(place: Workplace, wbox: Simulator) -> None:
    settings(place, 100_000)
    process = begin(place)
    (place.drop / "today.csv").write_text(orders(800) + "\n" + "1;2;packed\n" * 30_000)
    until(lambda: "held" in place.run("status").stdout)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    assert wbox.messages() == []
    place.card.unlink()
    begin(place)
    until(lambda: len(numbers(wbox)) == 800, within=100)
    assert sorted(map(int, numbers(wbox))) == list(range(2, 802))
    log = place.run("log", "-n", "500").stdout
    assert "800 messages of 30800 rows" in log


def test_a_file_is_put_away_when_all_its_rows_are_sent_and_not_before(
    place: Workplace, wbox: Simulator
) -> None:
    settings(place, 3)
    place.rule(RULES.replace('match: "*.csv"', 'match: "*.csv", done: done/'))
    begin(place)
    (place.drop / "today.csv").write_text(orders(4))
    link = re.search(r"http\S+", wbox.wait_for(1)[0]["body"]["message"])
    assert link
    (place.drop / "few.csv").write_text(orders(2))
    until((place.drop / "done" / "few.csv").exists)
    assert (place.drop / "today.csv").exists()
    assert requests.post(link[0], timeout=10).status_code == 200
    until((place.drop / "done" / "today.csv").exists)
    assert len(numbers(wbox)) == 6


def test_a_dry_run_shows_what_all_rows_would_send(place: Workplace) -> None:
    settings(place, 50)
    path = place.folder / "elsewhere.csv"
    path.write_text(orders(700))
    shown = json.loads(place.run("trigger", "orders", "--file", str(path), "--dry-run", "--json").stdout)
    assert len(shown["requests"]) == 701, "700 and the question to the owner"
    assert not place.has_store()


def test_a_file_set_off_by_hand_is_read_where_it_lies(place: Workplace, wbox: Simulator) -> None:
    settings(place, 50)
    begin(place)
    path = place.folder / "elsewhere.csv"
    path.write_text(orders(3))
    assert place.run("trigger", "orders", "--file", str(path)).returncode == 0
    wbox.wait_for(3)
    assert sorted(numbers(wbox)) == ["2", "3", "4"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_million_rows_stay_under_200_mb() -> None:
    bench = [sys.executable, "-m", "bench.rows", "1000000"]
    ran = subprocess.run(bench, env=environment(), capture_output=True, text=True, check=True)
    report = json.loads(ran.stdout)
    assert report["peak_mb"] < 200, report
    assert report["deliveries"] == 100_001
