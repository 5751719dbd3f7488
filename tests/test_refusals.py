"""Each call that is refused is told to who runs the daemon: what was called, from where, and why."""

import json
import logging
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import SimpleQueue

import pytest
import requests
from doorway import (
    BEARER_JSON,
    GITHUB,
    OPEN,
    SECRET,
    TOKEN,
    Doorway,
    Hasty,
    rest,
    signed,
    signed_token,
    status,
)
from workplace import Workplace, until

from wbox_notify.errors import StoreError
from wbox_notify.model.events import Event
from wbox_notify.model.texts import Wording
from wbox_notify.triggers.webhook.hooks import Hook
from wbox_notify.triggers.webhook.presets import PRESETS
from wbox_notify.triggers.webhook.signatures import scheme
from wbox_notify.web.protocol import Connection
from wbox_notify.web.requests import FREE_BYTES, BodyMemory, Limits

JSON = {"Content-Type": "application/json"}
PROOF = {"Authorization": f"Bearer {SECRET.decode()}"}


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Doorway]:
    limits = Limits(body=100_000, seconds=0.5)
    cron = Hook(path="cron", scheme=scheme("query", [SECRET], {}), preset=PRESETS["json"])
    with Doorway(tmp_path, [GITHUB, OPEN, BEARER_JSON, cron], limits=limits, protocol=Hasty) as doorway:
        yield doorway


CASES = [
    ("POST", "/hook/open", {}, b"\xe7", 400, "not in UTF-8"),
    ("POST", "/hook/push", {}, b"{}", 401, "the header x-hub-signature-256 is missing"),
    ("POST", "/hook/alerts", {"Authorization": "Bearer x"}, b"{}", 401, "does not match our secret"),
    ("POST", "/hook/nothing", {}, b"{}", 401, "no rule has this path"),
    ("POST", "/hook/open", {"Origin": "https://evil.example"}, b"{}", 403, "pages of other web sites"),
    ("GET", "/hook/open", {}, b"", 405, "Method Not Allowed"),
    ("POST", "/hook/open", {}, b"x" * 100_001, 413, "larger than 97 KiB; `limits.body`"),
    ("POST", "/hook/open", {"Content-Type": "application/xml"}, b"<a/>", 415, "send JSON, a form or plain"),
    ("POST", "/hook/open", {"Content-Encoding": "gzip"}, b"x", 415, "without Content-Encoding"),
    ("GET", "/livez", {"Host": "evil.example"}, b"", 400, "the request names a host that is not ours"),
    ("POST", "/-/queue", {"Authorization": "Bearer x"}, b"{}", 401, "this needs the daemon's token"),
]


@pytest.mark.parametrize("case", CASES)
def test_a_refused_call_is_in_the_log_and_in_the_store(
    door: Doorway,
    caplog: pytest.LogCaptureFixture,
    case: tuple[str, str, dict[str, str], bytes, int, str],
) -> None:
    method, path, headers, body, answered, why = case
    answer = requests.request(method, door.url + path, data=body, headers=headers, timeout=20)
    assert answer.status_code == answered
    until(door.refusals)
    (line,) = [line for line in caplog.messages if "is refused" in line]
    assert line.startswith(f"{path} from 127.0.0.1 is refused with {answered}: ")
    assert why in line
    (kept,) = door.refusals()
    assert kept.startswith(f"{path} from 127.0.0.1: {answered}, ")
    assert why in kept


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/hook/push", "401, x-hub-signature-256 başlığı eksik"),
        ("/hook/cron", "401, adreste token parametresi eksik"),
        ("/hook/nothing", "401, hiçbir kuralda bu yol yok"),
    ],
)
def test_why_a_call_was_refused_can_be_read_in_turkish(door: Doorway, path: str, told: str) -> None:
    requests.post(door.url + path, data=b"{}", headers=JSON, timeout=20)
    until(door.refusals)
    [event] = door.store.events(most=9)
    [decision] = door.store.decisions(event["id"])
    assert isinstance(decision.detail, Wording)
    assert decision.detail.to("tr") == told


HEAD = b"POST /hook/open HTTP/1.1\r\nHost: a\r\n"
WIRE = [
    (HEAD + b"Content-Length: 2, 2\r\n\r\n{}", 400, "a request from 127.0.0.1: 400, bad request"),
    (HEAD, 408, "a request from 127.0.0.1: 408, request timeout"),
    (HEAD + b"X: 1\r\n" * 200 + b"\r\n", 431, "a request from 127.0.0.1: 431, request header fields too"),
    (HEAD + b"Content-Length: 9\r\n\r\n{}", 408, "/hook/open from 127.0.0.1: 408, the body took longer than"),
]


@pytest.mark.parametrize(("said", "answered", "told"), WIRE)
def test_what_is_no_whole_request_is_told_too(door: Doorway, said: bytes, answered: int, told: str) -> None:
    assert status(door.wire(said)) == answered
    until(door.refusals)
    (kept,) = door.refusals()
    assert kept.startswith(told)


def test_a_body_that_broke_off_is_told(door: Doorway) -> None:
    with door.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 9\r\n\r\n{}")
        connection.shutdown(socket.SHUT_WR)
        assert status(rest(connection)) == 400
    until(door.refusals)
    hung_up = "400, the sender closed the connection before the whole body had arrived"
    assert door.refusals() == [f"/hook/open from 127.0.0.1: {hung_up}"]


def test_a_store_that_is_away_is_told_with_its_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def away(_events: Sequence[Event]) -> Future[list[bool]]:
        raise StoreError("the store cannot be used: disk is full")

    with Doorway(tmp_path, accept=away) as door:
        for _ in range(30):
            assert door.post("/hook/open", {}).json() == {"error": "the event could not be stored; try again"}
    lines = [line for line in caplog.messages if "disk is full" in line]
    assert (
        lines
        == ["/hook/open from 127.0.0.1 is refused with 503: the store cannot be used: disk is full"] * 10
    )


def test_a_flood_of_refused_calls_leaves_room(door: Doorway, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(40):
        door.post("/hook/nothing", {})
        door.post("/hook/push", {})
    assert door.push(delivery="good").status_code == 202
    assert [event.id for event in door.events()] == ["webhook:push:good"]
    assert len(door.refusals()) == 6
    assert sum("is refused" in line for line in caplog.messages) == 20


def test_neither_a_secret_nor_a_body_is_told(door: Doorway, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "wbox_notify")
    hidden = "hidden-from-all-eyes"
    link = signed_token("ack", f"{hidden}\x1fkey")
    door.post(
        f"/hook/push?token={hidden}", {"x": hidden}, Authorization=f"Bearer {hidden}", **{"X-A": hidden}
    )
    door.post("/hook/push", {"x": hidden}, **signed(hidden.encode()))
    door.post("/-/queue", {"x": hidden}, Authorization=f"Bearer {hidden}")
    door.post("/-/send", {"kind": "text", "phone": hidden, "message": "hi"}, Authorization=f"Bearer {TOKEN}")
    requests.put(f"{door.url}/ack/{link}", timeout=20)
    until(lambda: len(door.refusals()) == 4)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("wbox_notify")]
    told = "\n".join([*ours, *door.refusals(), json.dumps([dict(event.data) for event in door.events()])])
    for secret in (hidden, link, TOKEN, *signed(hidden.encode()).values()):
        assert secret not in told
    assert "/ack/… from 127.0.0.1" in told


def test_who_a_proxy_calls_for_is_named_where_that_is_an_address(door: Doorway) -> None:
    for said in ("10.0.0.7", "\x9b31m evil"):
        raw = {"X-Forwarded-For": said.encode("latin-1")}
        requests.post(f"{door.url}/hook/push", b"{}", headers=raw, timeout=20)
    until(lambda: len(door.refusals()) == 2)
    assert [line.partition(":")[0] for line in door.refusals()] == [
        "/hook/push from 10.0.0.7",
        "/hook/push from an unknown address",
    ]


RULE = """
version: 1
rules:
  - id: a
    trigger: {webhook: {path: a, open: true}}
    to: "+905551234567"
    send: {text: hi}
"""


def test_log_lists_what_was_refused(place: Workplace) -> None:
    place.rule(RULE)
    place.environment["WBOX_LIMITS_BODY"] = "2KiB"
    process = place.start("run")
    until(place.card.exists)
    assert requests.post(f"{place.url}/hook/a", b"x" * 3000, timeout=20).status_code == 413
    until(lambda: "refused" in place.run("log").stdout)
    shown = place.run("log").stdout
    assert "refused /hook/a from 127.0.0.1" in shown
    assert (
        "- webhook: 413, the body is larger than 2 KiB; `limits.body` in the settings sets the limit" in shown
    )
    (line,) = [json.loads(line) for line in place.run("log", "--json").stdout.splitlines()]
    assert line["type"] == "refused"
    assert process.poll() is None


# Pages of other web sites

OURS = ["http://127.0.0.1:8725", "http://localhost:8725", "http://[::1]:8725", "https://notify.example.com"]
FOREIGN = ["null", "https://evil.example", "http://127.0.0.1:3000", "file://", "", "http://", "http://[", "x"]


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_page_of_another_site_can_not_call_an_open_hook(door: Doorway, origin: str) -> None:
    answer = door.post("/hook/open", {}, Host="127.0.0.1:8725", Origin=origin)
    assert answer.status_code == 403
    assert answer.json()["error"].startswith("this hook does not accept calls from pages of other web sites")
    assert door.events() == []


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "other"])
def test_what_a_browser_says_of_the_site_counts_too(door: Doorway, site: str) -> None:
    assert door.post("/hook/open", {}, **{"Sec-Fetch-Site": site}).status_code == 403


@pytest.mark.parametrize("origin", OURS)
def test_a_page_of_our_own_host_may_call_it(door: Doorway, origin: str) -> None:
    host = origin.partition("://")[2]
    answer = door.post("/hook/open", {}, Host=host, Origin=origin, **{"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 202


def test_a_name_that_leads_here_by_somebody_elses_word_is_not_ours(door: Doorway) -> None:
    answer = door.post("/hook/open", {}, Host="evil.example:8725", Origin="http://evil.example:8725")
    assert answer.status_code == 403


def test_programs_are_heard_under_any_name(door: Doorway) -> None:
    assert door.post("/hook/open", {}, Host="wbox:8725").status_code == 202
    assert door.post("/hook/open", {}, Host="wbox:8725", **{"Sec-Fetch-Mode": "cors"}).status_code == 202


def test_who_shows_the_secret_may_be_a_page(door: Doorway) -> None:
    page = {"Origin": "https://admin.example", "Sec-Fetch-Site": "cross-site"}
    assert door.post("/hook/alerts", {}, **PROOF, **page).status_code == 202
    assert door.push(b"{}", **page).status_code == 202


# How much is in memory


def head(path: str, size: int, **headers: str) -> bytes:
    lines = {"Host": "a", "Content-Type": "text/plain", "Content-Length": str(size), **headers}
    return (
        f"POST /hook/{path} HTTP/1.1\r\n".encode()
        + b"".join(f"{name}: {value}\r\n".encode() for name, value in lines.items())
        + b"\r\n"
    )


class Counted(Connection):
    """A connection that can be counted."""

    all: list["Counted"] = []  # noqa: RUF012 - each test empties it
    head_timeout = idle_timeout = write_timeout = 60.0

    def connection_made(self, transport: object) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self.all.append(self)

    @property
    def held(self) -> int:
        return (
            len(self.unread)
            + len(self.cycle.body if self.cycle else b"")
            + sum(len(cycle.body) for cycle, _ in self.pipeline)
        )


def test_W04_of_hundreds_of_clients_that_send_ahead_little_is_held(tmp_path: Path) -> None:
    """Each sends fifteen calls of 60 KB at once, and none is answered."""
    Counted.all.clear()
    begun: SimpleQueue[int] = SimpleQueue()

    def accept(events: Sequence[Event]) -> Future[list[bool]]:
        for event in events:
            begun.put(len(event.data["body"]))
        return Future()

    count = 300
    calls = memoryview((head("open", 60_000) + b"x" * 60_000) * 15)
    with ExitStack() as stack:
        door = stack.enter_context(Doorway(tmp_path, accept=accept, protocol=Counted))
        waiting = {stack.enter_context(door.connect()): calls for _ in range(count)}
        for connection in waiting:
            connection.setblocking(False)
        until(lambda: not push(waiting) and len(Counted.all) == count and begun.qsize() > 10)
        held = [connection.held for connection in Counted.all]
        assert max(held) <= 3 * 32 * 1024, "what one read brings, and what a body may have that nobody reads"
        assert begun.qsize() <= (1 << 20) // 60_000 + 1, "values of more bodies are not made"


def push(waiting: dict[socket.socket, memoryview]) -> int:
    """Send what each connection takes; return how much that was."""
    before = sum(map(len, waiting.values()))
    for connection, calls in waiting.items():
        with suppress(BlockingIOError):
            waiting[connection] = calls[connection.send(calls) :]
    return before - sum(map(len, waiting.values()))


@pytest.fixture
def crowd() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_who_is_slow_makes_room_for_who_is_quick(tmp_path: Path, crowd: ExitStack) -> None:
    door = crowd.enter_context(Doorway(tmp_path, limits=Limits(body=200_000, seconds=60)))
    slow = [crowd.enter_context(door.connect()) for _ in range(8)]
    for connection in slow:
        connection.sendall(head("open", 200_000) + b"x" * 150_000)
    assert [door.post("/hook/open", b"x" * 200_000).status_code for _ in range(8)] == [202] * 8
    assert status(slow[0].recv(4096)) == 503
    (line, *_) = door.refusals()
    assert line == "/hook/open from 127.0.0.1: 503, there are too many large bodies at once"


def test_who_shows_the_secret_is_not_sent_away_for_who_does_not(tmp_path: Path, crowd: ExitStack) -> None:
    door = crowd.enter_context(
        Doorway(tmp_path, [OPEN, BEARER_JSON], limits=Limits(body=200_000, seconds=60))
    )
    proven = [crowd.enter_context(door.connect()) for _ in range(4)]
    for connection in proven:
        connection.sendall(head("alerts", 200_000, **PROOF) + b"x" * 190_000)
    for _ in range(8):
        slow = crowd.enter_context(door.connect())
        slow.sendall(head("open", 200_000) + b"x" * 190_000)
        assert door.post("/hook/open", b"x" * 200_000).status_code == 202
    for connection in proven:
        connection.sendall(b"x" * 10_000)
        assert status(connection.recv(4096)) == 202


def test_without_the_secret_a_body_is_read_to_its_end_and_not_kept(door: Doorway) -> None:
    wrong = {"Authorization": "Bearer x"}
    assert door.post("/hook/alerts", b"x" * 100_000, **wrong).status_code == 401
    assert door.post("/hook/alerts", b"x" * 100_001, **wrong).status_code == 413
    assert door.post("/hook/nothing", b"x" * 100_001, **wrong).status_code == 413


def test_a_room_holds_what_is_beyond_the_first_part_of_each_body() -> None:
    memory = BodyMemory(100)
    with memory.reservation() as one, memory.reservation() as other:
        assert one.grow(FREE_BYTES)
        assert memory.held == 0
        assert one.grow(FREE_BYTES + 60)
        assert not other.grow(FREE_BYTES + 60), "one is not being read, so it cannot give way"
        cancelled: list[bool] = []
        one.cancel_read = lambda: cancelled.append(True)
        assert other.grow(FREE_BYTES + 60)
        assert (cancelled, one.evicted, one.grow(FREE_BYTES + 1)) == ([True], True, False)
        assert memory.held == 60
    assert memory.held == 0


@pytest.mark.parametrize(
    ("language", "title"), [("tr-TR,tr;q=0.9", "Bu kabul edilmedi"), ("", "This was not")]
)
def test_who_sends_a_form_is_refused_by_a_page_in_their_language(
    door: Doorway, language: str, title: str
) -> None:
    headers = {"Accept": "text/html,*/*", "Accept-Language": language, "Content-Encoding": "gzip"}
    answer = requests.post(f"{door.url}/hook/open", data=b"x", headers=headers, timeout=20)
    assert answer.status_code == 415
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert title in answer.text
    assert "Content-Encoding" in answer.text
