"""What a WhatsApp gateway can do to those who send: sessions, devices, haste."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer, Visit, answer
from line import a_line, text
from workplace import Workplace

from wbox_notify.model.deliveries import State
from wbox_notify.model.pace import Pace
from wbox_notify.simulator import Simulator

NOT_READY = answer(503, '{"success": false, "message": "WhatsApp client not ready (Scan QR code)."}')
SENT = answer(200, '{"success": true, "message": "ok"}')


class Gateway(FaultServer):
    """A wbox with one session, of which the test says what it is."""

    def __init__(self, session: dict[str, Any]) -> None:
        super().__init__(self._speak)
        self.session = session

    def _speak(self, visit: Visit) -> None:
        while asked := visit.request():
            if asked.method == "GET":
                visit.say(answer(200, json.dumps({"device_id": 1, "qr": None, **self.session})))
            else:
                visit.say(SENT if self.session.get("isReady") is True else NOT_READY)

    def sends(self) -> int:
        """Return how many messages were handed over."""
        return sum(asked.path.startswith("/v1/send/") for asked in list(self.requests))


SESSIONS: dict[str, dict[str, Any]] = {
    "starting": {"state": "INITIALIZING", "isReady": False, "status": "starting"},
    "a QR code waits": {"state": "SCAN_QR", "isReady": False, "qr": "2@abc", "status": "qr"},
    "connected and not ready": {"state": "CONNECTED", "isReady": False, "status": "connected"},
    "logged out": {"state": "LOGGED_OUT", "isReady": False, "status": "disconnected"},
    "an unknown state": {"state": "WHATEVER", "status": "connected"},
    "ready as a word": {"state": "CONNECTED", "isReady": "true", "status": "connected"},
    "nothing at all": {},
}


@pytest.mark.parametrize("session", SESSIONS.values(), ids=SESSIONS)
def test_G03_G05_only_a_session_that_is_ready_lets_messages_out_and_none_is_started_by_us(
    tmp_path: Path, session: dict[str, Any]
) -> None:
    with Gateway(session) as gateway, a_line(tmp_path, gateway.url) as line:
        numbers = line.put(*(text(number) for number in range(5)))
        for _ in range(12):
            line.go(600)
        assert gateway.sends() == 1, "the one that found out"
        assert {line.delivery(number).state for number in numbers} == {State.QUEUED}
        assert [line.delivery(number).tries for number in numbers] == [0] * 5
        gateway.session = {"state": "INITIALIZED", "isReady": True, "status": "connected"}
        for _ in range(3):
            line.go(600)
        assert {line.delivery(number).state for number in numbers} == {State.SENT}
        assert gateway.sends() == 6
        assert {asked.path.partition("?")[0] for asked in gateway.requests} == {
            "/v1/send/text",
            "/v1/session/status",
        }


def test_G06_a_device_that_there_is_not_is_an_error_in_the_words_of_wbox_and_the_next_message_goes(
    place: Workplace,
) -> None:
    """wbox has no list of devices, so it is the first answer that tells."""

    def speak(visit: Visit) -> None:
        while asked := visit.request():
            unknown = asked.json.get("device_id") == 99
            visit.say(answer(404, '{"success": false, "error": "Device 99 not found"}') if unknown else SENT)

    with FaultServer(speak) as server:
        place.environment["WBOX_API_URL"] = server.url
        ran = place.run("send", "text", "+905551234567", "hi", WBOX_DEVICE_ID="99")
        assert ran.returncode == 1
        assert "Device 99 not found" in ran.stdout
        assert place.json("queue", "list")[0]["state"] == "dead"
        assert place.run("send", "text", "+905551234567", "hi").returncode == 0


def test_G01_500_alerts_in_a_second_to_one_person_are_few_messages_at_a_pace(
    tmp_path: Path, wbox: Simulator
) -> None:
    with a_line(tmp_path, wbox.url, pace=Pace()) as line:
        numbers = line.put(*(text(1, f"alert <{number % 250}>") for number in range(500)))
        began = []
        for second in range(2400):
            began += [second] * line.go(1)
        assert began
        assert all(later - earlier >= 10 for earlier, later in pairwise(began))
        assert len(began) <= 30
        said = [message["body"]["message"] for message in wbox.messages()]
        assert len(set(said)) == len(said)
        told = "\n".join(said)
        assert [number for number in range(250) if f"alert <{number}>" not in told] == []
        assert State.QUEUED not in {line.delivery(number).state for number in numbers}


def test_G02_one_text_to_100_people_goes_out_at_a_pace(tmp_path: Path, wbox: Simulator) -> None:
    with a_line(tmp_path, wbox.url, pace=Pace()) as line:
        line.put(*(text(number, "the same") for number in range(100)))
        assert sum(line.go(1) for _ in range(60)) <= 34
        assert sum(line.go(1) for _ in range(600)) >= 66
        phones = {message["body"]["phone"] for message in wbox.messages()}
        assert len(phones) == len(wbox.messages()) == 100
