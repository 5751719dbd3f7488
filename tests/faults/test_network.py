"""What the network and wbox can do to messages on their way."""

import socket
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from answering import Answering
from fault_server import FaultServer, Visit, answer, replying
from line import a_line, text
from workplace import Workplace, until

from wbox_notify.client import Client
from wbox_notify.deliveries import State
from wbox_notify.messages import Poll
from wbox_notify.outcomes import Outcome
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
