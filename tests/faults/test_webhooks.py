"""Webhooks under attack: crowds, floods and slow clients before a running daemon."""

import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest
import requests
from answering import Answering, many_files
from doorway import Doorway, rest, status
from workplace import Workplace

from wbox_notify.errors import StoreError
from wbox_notify.model.deliveries import Plan
from wbox_notify.model.events import Event
from wbox_notify.simulator import Simulator
from wbox_notify.web.refusals import Refusals

pytestmark = pytest.mark.skipif(not many_files(), reason="this user may not have 1,500 files open")

CROWD = 1000
HALF_HEAD = b"POST /hook/open HTTP/1.1\r\nHost: a\r\n"
HEAD = HALF_HEAD + b"Content-Type: application/json\r\n"
NO_BODY = HEAD + b"Content-Length: 10\r\n\r\n1"
MIB = 1 << 20


@pytest.fixture
def crowd() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def push(daemon: Answering, *parts: bytes) -> bytes:
    """Send bytes for as long as they are taken; return what comes back."""
    with daemon.connect() as connection:
        with suppress(ConnectionError):
            for part in parts:
                connection.sendall(part)
        with suppress(ConnectionError):
            return rest(connection)
    return b""


def test_W04_no_size_of_a_body_fills_the_memory(place: Workplace, wbox: Simulator) -> None:
    daemon = Answering(place)
    assert daemon.say("before") == 202
    before = daemon.memory
    part = b"x" * MIB
    announced = push(daemon, HEAD + b"Content-Length: 200000000\r\n\r\n", *[part] * 200)
    assert status(announced) in {0, 413}, "refused, or cut while we still sent"
    lying = push(daemon, HEAD + b"Content-Length: 2\r\n\r\n{}", *[part] * 200)
    assert lying.count(b"HTTP/1.1 ") <= 2
    chunked = b"100000\r\n" + part + b"\r\n"
    endless = push(daemon, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunked] * 200)
    assert status(endless) in {0, 413}
    assert daemon.memory - before < 32 * MIB
    assert daemon.say("after") == 202
    said = {message["body"]["message"] for message in wbox.wait_for(2)}
    assert said == {"before", "after"}


@pytest.mark.slow
def test_W07_a_thousand_slow_clients_are_sent_away_and_a_good_one_is_served_meanwhile(
    place: Workplace, wbox: Simulator, crowd: ExitStack
) -> None:
    """Half of them never end the head, a quarter never send the body, a quarter say nothing at all."""
    daemon = Answering(place)
    slow = [crowd.enter_context(daemon.connect()) for _ in range(CROWD)]
    for number, connection in enumerate(slow):
        with suppress(ConnectionError):  # those who came first have made room by now
            connection.sendall((HALF_HEAD, HALF_HEAD, NO_BODY, b"")[number % 4])
    assert daemon.say("good") == 202
    assert wbox.wait_for(1)[0]["body"]["message"] == "good"
    answers = [rest(connection) for connection in slow]
    assert {status(answer) for answer in answers} <= {0, 408}
    assert daemon.say("after") == 202


def test_W09_a_thousand_connections_at_256_files_leave_room_for_good_calls_and_for_the_sender(
    place: Workplace, wbox: Simulator, crowd: ExitStack
) -> None:
    daemon = Answering(place, files=256)
    for _ in range(CROWD):
        crowd.enter_context(daemon.connect())
    assert daemon.say("good") == 202
    assert wbox.wait_for(1)[0]["body"]["message"] == "good"
    assert place.run("send", "text", "+905551234568", "by command").returncode == 0
    assert requests.get(f"{daemon.url}/livez", timeout=10).status_code == 200
    assert [line for line in daemon.logged if "ERROR" in line] == []


def test_W10_a_flood_of_wrong_signatures_costs_little_and_the_good_source_is_served(
    place: Workplace, wbox: Simulator
) -> None:
    """There is no 429 for an address: behind a proxy all callers have one, the good ones too."""
    daemon = Answering(place)
    assert daemon.say("before") == 202
    before = daemon.memory
    wrong = {"X-Hub-Signature-256": "sha256=" + "0" * 64}

    def flood(number: int) -> set[int]:
        path = ("signed", f"nothing-{number}")[number % 2]
        with requests.Session() as session:
            return {
                session.post(f"{daemon.url}/hook/{path}", b"{}", headers=wrong, timeout=30).status_code
                for _ in range(250)
            }

    with ThreadPoolExecutor(8) as pool:
        floods = [pool.submit(flood, number) for number in range(8)]
        good = [daemon.say(f"good {number}") for number in range(10)]
        assert set.union(*(answered.result() for answered in floods)) == {401}
    assert good == [202] * 10
    assert len(wbox.wait_for(11)) == 11
    assert daemon.memory - before < 32 * MIB
    refused = [line for line in daemon.logged if "is refused" in line]
    assert 0 < len(refused) <= 40, "2,000 calls do not make 2,000 lines"


def test_W10_of_many_refusals_a_few_are_written_and_the_rest_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    refusals = Refusals(clock=lambda: now)
    for _ in range(25):
        refusals.report("push", 401, "/hook/push from 10.0.0.7", "no secret")
        refusals.report("other", 413, "/hook/other from 10.0.0.7", "too large")
    one, other = "/hook/push from 10.0.0.7 is refused with 401: no secret", "with 413: too large"
    assert caplog.messages.count(one) == sum(other in line for line in caplog.messages) == 10
    now = 60.0
    refusals.report("push", 401, "/hook/push from 10.0.0.8", "no secret")
    assert caplog.messages[-3:] == [
        *["15 more calls like these were refused"] * 2,
        "/hook/push from 10.0.0.8 is refused with 401: no secret",
    ]


def test_W10_of_many_refusals_three_an_hour_are_kept_and_the_rest_is_counted() -> None:
    now = 0.0
    kept: list[tuple[Event, Plan]] = []
    refusals = Refusals(lambda event, plan: kept.append((event, plan)), clock=lambda: now)
    for _ in range(1000):
        refusals.report("push", 413, "/hook/push from 10.0.0.7", "too large")
        refusals.report("", 401, "/hook/x from 10.0.0.7", "no rule has this path")
    assert len(kept) == 6
    now = 3600.0
    refusals.report_others()
    refusals.report_others()
    assert [plan.decisions[0].detail for _, plan in kept[6:]] == [
        "413, 997 more calls like these were refused within the hour",
        "401, 997 more calls like these were refused within the hour",
    ]
    assert [event.data["call"] for event, _ in kept[6:]] == ["/hook/push", "elsewhere"]


def test_W10_a_refusal_that_the_history_does_not_take_is_in_the_log_with_the_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lost: Future[None] = Future()
    Refusals(lambda _event, _plan: lost).report("push", 413, "/hook/push from 10.0.0.7", "too large")
    lost.set_exception(StoreError("the disk is full"))
    assert caplog.messages[-1] == "a refused call is not in the history: the disk is full"


@pytest.mark.slow
def test_W11_while_the_store_is_locked_nothing_is_answered_with_2xx_and_then_all_goes_on(
    tmp_path: Path,
) -> None:
    with (
        Doorway(tmp_path) as door,
        closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other,
    ):
        other.execute("begin immediate")
        answer = door.push(delivery="locked")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        other.execute("rollback")
        assert door.push(delivery="later").status_code == 202
        assert "webhook:push:later" in {event.id for event in door.events()}


def test_W15_a_connection_that_speaks_http_2_is_hung_up_on(place: Workplace) -> None:
    daemon = Answering(place)
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
    answer = push(daemon, preface)
    assert answer == b"" or status(answer) == 400
    with daemon.connect() as connection:
        connection.shutdown(socket.SHUT_WR)
        assert rest(connection) == b""
