"""A rule that is silent for a while tells nobody of anything but the end of what was told."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rulebook import project
from workplace import Workplace, ended, until

from wbox_notify.engine.replay import ReplayStore
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text

RULES = """
version: 1
contacts:
  me: "+90 555 000 00 01"
  boss: "+90 555 000 00 02"
  sleeper: {phone: "+90 555 000 00 03", quiet_hours: "00:00-09:30"}
rules:
  - id: plain
    trigger: {webhook: {path: plain, open: true}}
    dedupe: body.n
    to: me
    send: {text: "plain {{ body.n }}"}
  - id: alerts
    trigger: {webhook: {path: alerts, preset: alertmanager, open: true}}
    group: {wait: 0s, repeat: 30m}
    to: me
    send: {text: "{{ group.firing | length }} firing, {{ group.resolved | length }} resolved"}
    escalate: {after: 20m, to: boss, send: {text: still}}
  - id: counted
    trigger: {webhook: {path: counted, open: true}}
    throttle: {max: 1, per: 10m}
    to: me
    send: {text: "counted {{ body.n }}"}
  - id: night
    trigger: {webhook: {path: night, open: true}}
    to: sleeper
    send: {text: "night {{ body.n }}"}
"""
BEGIN = datetime(2026, 11, 23, 9, tzinfo=UTC)


class World:
    """Rules at work, and a person who silences them."""

    def __init__(self, folder: Path) -> None:
        rules = project(folder, {"rules/a.yaml": RULES, "wbox-notify.yaml": "defaults: {tz: UTC}\n"})
        self.store = ReplayStore(rules, BEGIN)
        self._number = 0

    def call(self, path: str, body: object) -> None:
        data = {"path": path, "method": "POST", "headers": {}, "query": {}, "body": body}
        self._happen("webhook", data)

    def alert(self, status: str, name: str = "f") -> None:
        self.call("alerts", {"alerts": [{"status": status, "fingerprint": name, "labels": {}}]})

    def silence(self, rule: str, minutes: int) -> None:
        until = self.store.now + timedelta(minutes=minutes)
        self._happen("silence", {"rule": rule, "until": until.timestamp()})

    def wait(self, minutes: int) -> None:
        self.store.wait_for(60 * minutes)

    def _happen(self, kind: str, data: dict[str, object]) -> None:
        self._number += 1
        self.store.happen(Event(id=f"e{self._number}", type=kind, at=self.store.now, data=data))

    @property
    def texts(self) -> list[str]:
        sent = [planned.message for _, planned in self.store.messages]
        return [message.message for message in sent if isinstance(message, Text)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_comes_in_the_silence_is_not_told_and_counts_as_not_told(world: World) -> None:
    world.silence("plain", 60)
    world.call("plain", {"n": 1})
    world.wait(61)
    assert world.texts == []
    world.call("plain", {"n": 1})
    assert world.texts == ["plain 1"], "no duplicate of what nobody heard"


def test_the_number_of_what_was_left_out_is_not_told_in_the_silence(world: World) -> None:
    world.call("counted", {"n": 1})
    world.call("counted", {"n": 2})
    world.silence("counted", 60)
    world.wait(120)
    assert world.texts == ["counted 1"]


def test_another_rule_is_not_silent_and_off_ends_it(world: World) -> None:
    world.silence("alerts", 60)
    world.call("plain", {"n": 1})
    assert world.texts == ["plain 1"]
    world.silence("alerts", 0)
    world.alert("firing")
    world.wait(1)
    assert world.texts == ["plain 1", "1 firing, 0 resolved"]


def test_repeats_and_steps_are_silent_and_the_end_of_what_was_told_is_told(world: World) -> None:
    world.alert("firing")
    world.wait(1)
    world.silence("alerts", 120)
    world.wait(60)
    assert world.texts == ["1 firing, 0 resolved"], "neither the repeat nor the boss"
    world.alert("resolved")
    world.wait(10)
    assert world.texts == ["1 firing, 0 resolved", "0 firing, 1 resolved"]


def test_the_end_of_what_nobody_heard_is_not_told(world: World) -> None:
    world.silence("alerts", 120)
    world.alert("firing")
    world.wait(10)
    world.alert("resolved")
    world.wait(300)
    assert world.texts == []


def test_a_trouble_that_outlasts_the_silence_is_told_with_the_next_repeat(world: World) -> None:
    world.silence("alerts", 10)
    world.alert("firing")
    world.wait(45)
    assert world.texts[0] == "1 firing, 0 resolved"


def test_what_ends_in_the_silence_while_others_last_is_told_with_the_next_repeat(world: World) -> None:
    world.alert("firing", "f")
    world.alert("firing", "g")
    world.wait(10)
    world.silence("alerts", 10)
    world.alert("resolved", "f")
    world.wait(31)
    world.alert("resolved", "g")
    world.wait(300)
    told = ["2 firing, 0 resolved", "1 firing, 1 resolved", "0 firing, 1 resolved"]
    assert [text for text in world.texts if text != "still"] == told


def test_what_quiet_hours_held_is_silent_too(world: World) -> None:
    world.call("night", {"n": 1})
    world.silence("night", 60)
    world.wait(120)
    assert world.texts == []


def test_status_and_plan_show_who_is_silent_until_when(place: Workplace) -> None:
    daemon = place.start("run")
    until(place.card.exists)
    assert place.run("silence", "new-file", "2h").returncode == 0
    until(lambda: place.json("status")["queue"]["silent"])
    (step,) = place.json("plan", "--next")
    assert (step["what"], step["rule"]) == ("silence", "new-file")
    assert place.json("status")["queue"]["silent"] == {"new-file": step["at"]}
    assert "silent   new-file until 2" in place.run("status").stdout
    assert ended(daemon)[0] == 0


def test_the_command_says_until_when_and_refuses_an_unknown_rule(place: Workplace) -> None:
    assert place.run("silence", "new-file", "2h").returncode == 0
    assert place.json("silence", "new-file", "off") == {"rule": "new-file", "until": None}
    unknown = place.run("silence", "new-fil", "2h")
    assert unknown.returncode == 1
    assert "did you mean `new-file`?" in unknown.stderr
    assert place.run("silence", "new-file", "soon").returncode == 2
