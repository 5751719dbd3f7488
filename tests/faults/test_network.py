"""What the network and wbox can do to messages on their way."""

import socket
import threading
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from answering import Answering
from fault_server import FaultServer, Visit, answer, replying
from line import a_line, text
from workplace import Workplace, until

from wbox_notify.clients.wbox import Client
from wbox_notify.model.deliveries import State
from wbox_notify.model.messages import Poll
from wbox_notify.model.outcomes import Outcome
from wbox_notify.simulator import Simulator

PHONE = "905551234567"
OK = answer(200, '{"success": true, "message": "ok"}')
POLL = Poll(phone=PHONE, question="Tea?", options=("yes", "no"))


def messages(wbox: Simulator) -> list[str]:
    return [one["body"]["message"] for one in wbox.messages()]


def test_N01_where_nobody_listens_the_message_waits_and_goes_once_when_somebody_does(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with a_line(tmp_path, f"http://127.0.0.1:{port}") as line:
        [number] = line.put(text())
        attempts = sum(line.go(seconds) for seconds in (0, 0, 0, 1800, 1800, 1800))
        assert 1 <= attempts <= 4, "it backs off"
        assert set(line.outcomes(number)) == {Outcome.NOT_SENT}
        with Simulator(port=port) as wbox:
            line.go(3600)
            assert line.delivery(number).state is State.SENT
            assert messages(wbox) == ["hello"]


def test_N05_a_read_time_out_after_processing_is_unknown_and_goes_out_twice_at_most(
    tmp_path: Path, wbox: Simulator
) -> None:
    with a_line(tmp_path, wbox.url, deadline=0.5) as line:
        said, asked = line.put(text(), POLL)
        wbox.fault(delay=1.5, count=2)
        line.go()
        assert line.delivery(said).state is State.UNKNOWN
        assert line.delivery(asked).state is State.HELD
        assert len(wbox.messages()) == 2, "both were taken"
        for _ in range(4):
            line.go(3600)
        assert line.outcomes(said) == [Outcome.UNKNOWN, Outcome.SENT]
        assert line.outcomes(asked) == [Outcome.UNKNOWN]
        assert sorted(messages(wbox)) == ["Tea?", "hello", "hello"]


def test_N06_a_cut_after_processing_is_unknown_and_goes_out_twice_at_most(
    tmp_path: Path, wbox: Simulator
) -> None:
    with a_line(tmp_path, wbox.url) as line:
        said, asked = line.put(text(), POLL)
        wbox.fault(lost=True, count=2)
        line.go()
        assert line.delivery(said).state is State.UNKNOWN
        assert line.delivery(asked).state is State.HELD
        for _ in range(4):
            line.go(3600)
        assert line.outcomes(said) == [Outcome.UNKNOWN, Outcome.SENT]
        assert line.outcomes(asked) == [Outcome.UNKNOWN]
        assert sorted(messages(wbox)) == ["Tea?", "hello", "hello"]


def test_N10_what_wbox_says_it_did_not_send_is_tried_three_times_and_then_dead(
    tmp_path: Path, wbox: Simulator
) -> None:
    with a_line(tmp_path, wbox.url) as line:
        [number] = line.put(text())
        wbox.fault(success=False, message="no such chat")
        for _ in range(6):
            line.go(3600)
        dead = line.delivery(number)
        assert (dead.state, dead.tries) == (State.DEAD, 3)
        assert "no such chat" in dead.reason
        assert line.outcomes(number) == [Outcome.FAILED] * 3


def test_N14_after_a_429_nothing_goes_out_by_that_device_until_its_time_has_come(
    tmp_path: Path, wbox: Simulator
) -> None:
    with a_line(tmp_path, wbox.url) as line:
        line.put(text(1), text(2))
        wbox.fault(status=429, retry_after=77, count=1)
        assert [line.go(), line.go(76)] == [1, 0]
        assert line.go(2) == 2
        assert len(wbox.messages()) == 2


def test_N19_a_daemon_lives_through_an_answer_without_an_end(place: Workplace) -> None:
    flooded = []

    def play(visit: Visit) -> None:
        asked = visit.request()
        if asked and b"flood" in asked.body:
            visit.say(b"HTTP/1.1 200 OK\r\n\r\n")
            flooded.append(asked)
            while not visit.server.stopping.is_set():
                visit.say(b" " * 65536)
        visit.say(OK)

    with FaultServer(play) as server:
        place.environment["WBOX_API_URL"] = server.url
        daemon = Answering(place)
        before = daemon.memory
        assert daemon.post("open", {"say": "flood"}).status_code == 202
        until(lambda: flooded and "longer than 64 KiB" in daemon.said)
        assert place.run("send", "text", "905551234568", "after it").returncode == 0
        assert daemon.memory - before < 16 << 20
        assert daemon.process.poll() is None


def test_N21_behind_an_ipv6_address_that_swallows_all_the_ipv4_address_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lookup = socket.getaddrinfo
    with ExitStack() as stack:
        try:
            hole = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6, backlog=0))
        except OSError:
            pytest.skip("there is no IPv6 here")
        for _ in range(4):
            waiting = stack.enter_context(socket.socket(socket.AF_INET6))
            waiting.setblocking(False)
            waiting.connect_ex(hole.getsockname())
        server = stack.enter_context(FaultServer(replying(OK)))

        def both(host: str, *asked: Any, **more: Any) -> Any:
            six = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", hole.getsockname())
            return (
                [six, *lookup("127.0.0.1", *asked, **more)] if host == "wbox.test" else lookup(host, *asked)
            )

        monkeypatch.setattr(socket, "getaddrinfo", both)
        url = f"http://wbox.test:{server.port}"
        with closing(Client(url, "sk_test", connect=0.2, deadline=10)) as client:
            assert client.send(text()).outcome is Outcome.SENT
        assert len(server.requests) == 1


def test_N23_another_recipient_than_asked_is_written_down_and_warned_of(place: Workplace) -> None:
    other = answer(200, '{"success": true, "message": "ok", "to": "905550000000"}')
    with FaultServer(replying(other)) as server:
        place.environment["WBOX_API_URL"] = server.url
        daemon = Answering(place)
        assert daemon.say("hello") == 202
        until(lambda: any("names another recipient" in line for line in daemon.logged))
        [warned] = [line for line in daemon.logged if "names another recipient" in line]
        assert "WARNING" in warned
        assert "+90555***4567" in warned
        assert "905550000000" not in daemon.said
        assert place.json("status")["queue"]["sent_24h"] == 1


class Moody(FaultServer):
    """A wbox whose key can be revoked, and that takes each message that it can."""

    def __init__(self) -> None:
        super().__init__(self._speak)
        self.revoked = False

    def _speak(self, visit: Visit) -> None:
        while visit.request():
            visit.say(answer(401, '{"error": "Invalid API Key"}') if self.revoked else OK)

    def sends(self) -> int:
        """Return how many messages were handed over."""
        return sum(asked.path.startswith("/v1/send/") for asked in list(self.requests))


def test_N15_minutes_of_5xx_under_500_messages_are_no_storm_of_tries(tmp_path: Path, wbox: Simulator) -> None:
    with a_line(tmp_path, wbox.url) as line:
        line.put(*(text(number) for number in range(500)))
        wbox.fault(status=500)
        assert line.go() + sum(line.go(10) for _ in range(12)) <= 20
        wbox.clear_faults()
        for _ in range(6):
            line.go(600)
        assert line.store.counts() == {State.SENT: 500}
        assert len(wbox.messages()) == 500, "a 500 of the simulator took no message"


class Picky(FaultServer):
    """A wbox that says of some messages, and of those alone, what it says of a device that cannot send."""

    def __init__(self, *refusal: Any, poison: tuple[str, ...]) -> None:
        super().__init__(self._speak)
        self.refusal = answer(*refusal)
        self.poison = poison

    def _speak(self, visit: Visit) -> None:
        while asked := visit.request():
            ready = answer(200, '{"success": true, "isReady": true}')
            refused = asked.method == "POST" and asked.json["message"] in self.poison
            visit.say(self.refusal if refused else OK if asked.method == "POST" else ready)


NOT_READY = '{"success": false, "message": "WhatsApp client not ready (Scan QR code)."}'


@pytest.mark.parametrize(
    ("refusal", "minutes"),
    [
        ((401, '{"error": "no"}'), 1),
        ((403, "<html>blocked</html>"), 1),
        ((503, NOT_READY), 1),
        ((404, "<html>not here</html>"), 1),
        ((429, "", "Retry-After: 86400"), 62),
    ],
    ids=["401", "403", "503", "404", "429"],
)
@pytest.mark.parametrize("number", [1, 3])
def test_N27_messages_that_alone_are_refused_hold_up_no_other(
    tmp_path: Path, refusal: Any, minutes: int, number: int
) -> None:
    bad = tuple(f"bad {place}" for place in range(number))
    with Picky(*refusal, poison=bad) as wbox, a_line(tmp_path, wbox.url) as line:
        poisoned = line.put(*(text(place, words) for place, words in enumerate(bad)))
        good = line.put(*(text(100 + place, "good") for place in range(10)))
        for _ in range(minutes * number * 12):
            line.go(5)
        assert {line.delivery(one).state for one in good} == {State.SENT}
        for place in range(36):
            later = line.put(text(200 + place, "good"))
            line.go(300)
            line.go(5)
            assert {line.delivery(one).state for one in later} == {State.SENT}, "nor what comes later"
        for one in poisoned:
            left = line.delivery(one)
            assert left.state is (State.QUEUED if refusal[0] in {429, 503} else State.DEAD)
            assert left.reason.startswith("refused while others pass: HTTP")
            assert left.claims < 30, "it backs off"


def test_N16_a_key_that_is_revoked_in_the_middle_stops_all_sending_until_it_is_good_again(
    tmp_path: Path,
) -> None:
    with Moody() as wbox, a_line(tmp_path, wbox.url) as line:
        line.put(*(text(number) for number in range(3)))
        assert line.go() == 3
        wbox.revoked = True
        numbers = line.put(*(text(number) for number in range(5)))
        for _ in range(12):
            line.go(300)
        assert wbox.sends() == 4, "the one that found out"
        assert [line.delivery(number).tries for number in numbers] == [0] * 5
        wbox.revoked = False
        for _ in range(3):
            line.go(900)
        assert {line.delivery(number).state for number in numbers} == {State.SENT}
        assert wbox.sends() == 9


def test_N17_six_hours_without_a_phone_use_up_no_try_and_then_all_goes_out_once(
    tmp_path: Path, wbox: Simulator
) -> None:
    with a_line(tmp_path, wbox.url) as line:
        numbers = line.put(*(text(number) for number in range(300)))
        wbox.unlink()
        assert sum(line.go(30) for _ in range(6 * 120)) <= 1
        [circuit] = line.store.circuits()
        assert circuit.probes <= 6 * 120
        assert [line.delivery(number).tries for number in numbers] == [0] * 300
        wbox.scan()
        for _ in range(3):
            line.go(300)
        phones = [message["body"]["phone"] for message in wbox.messages()]
        assert sorted(phones) == sorted(text(number).phone for number in range(300))


def test_N18_a_device_that_comes_and_goes_each_20_seconds_doubles_nothing(
    tmp_path: Path, wbox: Simulator
) -> None:
    with a_line(tmp_path, wbox.url) as line:
        for round_ in range(30):
            line.put(text(round_))
            wbox.unlink()
            assert line.go(20) <= 1
            wbox.scan()
            line.go(20)
        for _ in range(3):
            line.go(300)
        phones = [message["body"]["phone"] for message in wbox.messages()]
        assert sorted(phones) == sorted(text(number).phone for number in range(30))
        assert line.store.counts() == {State.SENT: 30}


def test_N24_a_device_whose_answers_take_their_time_holds_up_no_other_device(tmp_path: Path) -> None:
    go_on = threading.Event()

    def speak(visit: Visit) -> None:
        while asked := visit.request():
            if asked.method == "POST" and asked.json.get("device_id") == 1:
                go_on.wait(30.0)
            visit.say(OK)

    with FaultServer(speak) as server, a_line(tmp_path, server.url) as line:
        line.put(*(replace(text(number), device_id=1) for number in range(100)))
        line.dispatcher.start()
        until(lambda: server.requests)
        line.put(replace(text(100), device_id=2))
        line.dispatcher.wake()
        until(lambda: any(asked.json.get("device_id") == 2 for asked in list(server.requests)), 8)
        waiting = {asked.json["device_id"] for asked in list(server.requests)}
        go_on.set()
        assert line.dispatcher.stop(30.0)
        assert waiting == {1, 2}
