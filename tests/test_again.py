"""``show``, ``replay`` and ``ack``: one message, an event once more, and troubles that somebody minds."""

import json
import re
from collections.abc import Iterator

import pytest
import requests
from workplace import Workplace, ended, until

from wbox_notify.simulator import Simulator

RULES = """
version: 1
contacts: {ayse: "+90 555 123 45 67", boss: "+90 555 765 43 21"}
rules:
  - id: called
    trigger: {webhook: {path: call, open: true}}
    to: ayse
    send: {text: "number {{ body.number }}"}
  - id: trouble
    trigger: {webhook: {path: trouble, open: true}}
    to: ayse
    send: {text: "trouble"}
    escalate: {after: 1h, to: boss, send: {text: "still"}}
"""


@pytest.fixture(name="place")
def at_work(place: Workplace) -> Iterator[Workplace]:
    """A place where the daemon runs."""
    place.rule(RULES)
    process = place.start("run")
    until(place.card.exists)
    yield place
    ended(process)


def test_an_event_runs_once_more_and_makes_only_what_was_not_made(place: Workplace, wbox: Simulator) -> None:
    assert requests.post(f"{place.url}/hook/call", json={"nummer": 1}, timeout=10).status_code == 202
    assert requests.post(f"{place.url}/hook/call", json={"number": 2}, timeout=10).status_code == 202
    wbox.wait_for(1)
    until(lambda: "failed" in place.run("log", "--failed").stdout)
    place.rule(RULES.replace("body.number", "body.number | default(body.nummer)"))
    token = {"Authorization": f"Bearer {json.loads(place.card.read_text())['token']}"}
    assert requests.post(f"{place.url}/-/reload", headers=token, timeout=10).json() == {"problems": []}
    assert "runs 1 event through the rules: add --yes" in place.run("replay", "--failed").stderr
    assert place.run("replay", "--failed", "--yes").returncode == 0
    assert wbox.wait_for(2)[1]["body"]["message"] == "number 1"
    assert place.json("replay", "--rule", "called", "--yes")["count"] == 2
    sent = place.json("why", "called")["events"][-1]["event"]
    assert place.run("replay", sent, "--force").returncode == 0
    assert [message["body"]["message"] for message in wbox.wait_for(3)] == [
        "number 2",
        "number 1",
        "number 2",
    ]


def test_what_is_not_there_is_said(place: Workplace) -> None:
    assert place.run("replay", "nothing").returncode == 1
    assert place.run("replay").returncode == 2
    ran = place.run("replay", "--rule", "nobody")
    assert (ran.returncode, ran.stdout) == (3, "nothing is known that fits\n")
    assert place.run("ack", "trouble").returncode == 3
    assert "did you mean `trouble`?" in place.run("ack", "troubel").stderr
    assert place.run("show", "7").returncode == 1
    assert "nothing is known that fits" in place.run("log", "--rule", "nobody").stderr


def test_a_trouble_is_acknowledged_from_the_command_line(place: Workplace, wbox: Simulator) -> None:
    requests.post(f"{place.url}/hook/trouble", json={}, timeout=10)
    wbox.wait_for(1)
    assert place.json("ack", "trouble") == {"rule": "trouble", "count": 1}
    until(lambda: "acknowledged" in place.run("log").stdout)
    assert place.run("ack", "trouble").returncode == 3


def test_one_message_is_shown_with_its_text_and_attempts(place: Workplace, wbox: Simulator) -> None:
    requests.post(f"{place.url}/hook/call", json={"number": 5}, timeout=10)
    wbox.wait_for(1)
    until(lambda: place.json("show", "1")["state"] == "sent")
    shown = place.run("show", "1").stdout
    assert "message: number 5" in shown
    assert re.search(r"attempt 1 .* sent  HTTP 200", shown)
