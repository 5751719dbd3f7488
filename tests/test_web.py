"""The daemon's HTTP side: what a connection may be, whom it answers, and the pages behind links."""

import asyncio
import json
import re
import select
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
import requests
from doorway import LINK_KEY, TOKEN, Doorway, Hasty, rest, signed_token, status
from hypothesis import example, given
from hypothesis import strategies as st

from wbox_notify.errors import StoreError
from wbox_notify.model import signed_links
from wbox_notify.model.deliveries import Hold, Plan, PlannedMessage, State
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text
from wbox_notify.web import server
from wbox_notify.web.browsers import host_name, wanted_language
from wbox_notify.web.protocol import Connection
from wbox_notify.web.requests import Limits

GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
PAGE = b"GET /ack/page.css HTTP/1.1\r\nHost: a\r\n\r\n"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}
COMMANDS = ["/-/queue", "/-/send", "/-/event", "/-/reload", "/-/replay", "/-/probe", "/-/login"]
SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-robots-tag": "noindex",
}
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


class Small(Hasty):
    """Of these there may be three."""

    max_connections = 3
    head_timeout = 20.0


class Crowded(Hasty):
    """Of these many may wait, for longer than a test."""

    max_connections = 100
    head_timeout = 20.0


class Patient(Hasty):
    """A connection that waits until its answers are taken."""

    write_timeout = 20.0
    idle_timeout = 20.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    with Doorway(tmp_path_factory.mktemp("running"), protocol=Hasty) as doorway:
        yield doorway


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Doorway]:
    with Doorway(tmp_path) as doorway:
        yield doorway


def get(door: Doorway, path: str, **headers: str) -> requests.Response:
    return requests.get(door.url + path, headers=headers, timeout=10)


def whole(connection: socket.socket) -> int:
    """Read one answer to ``GET`` to its end; return its status."""
    found = b""
    while not found.endswith(b"ok\n"):
        part = connection.recv(4096)
        assert part
        found += part
    return status(found)


# What a request may look like


def post(*lines: str, body: str = "") -> bytes:
    head = ["POST /hook/open HTTP/1.1", "Host: a", "Connection: close", *lines]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode("latin-1")


@pytest.mark.parametrize(
    "said",
    [
        post("Content-Length: 2", "Transfer-Encoding: chunked", body="2\r\n{}\r\n0\r\n\r\n"),
        post("Content-Length: 2", "Content-Length: 3", body="{} "),
        post("Content-Length: 2, 2", body="{}"),
        post("Content-Length: +2", body="{}"),
        post("Content-Length: -1"),
        post("Transfer-Encoding: xchunked", body="2\r\n{}\r\n0\r\n\r\n"),
        post("Transfer-Encoding : chunked", body="2\r\n{}\r\n0\r\n\r\n"),
        post("Transfer-Encoding: gzip, chunked", body="2\r\n{}\r\n0\r\n\r\n"),
        post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body="2\r\n{}\r\n0\r\n\r\n"),
        post("Transfer-Encoding: identity", "Content-Length: 2", body="{}"),
        post("Transfer-Encoding: chunked", body="zz\r\n{}\r\n0\r\n\r\n"),
        post("Transfer-Encoding: chunked", body="2\r\n{}0\r\n\r\n"),
        post("Transfer-Encoding: chunked", body="ffffffffffffffffff\r\n{}"),
        post("X-Folded: a", "  b", "Content-Length: 2", body="{}"),
        post("Host: b", "Content-Length: 2", body="{}"),
        post("Host: a", "Content-Length: 2", body="{}"),
        post("No colon", "Content-Length: 2", body="{}"),
        post("X-Nul: \0", "Content-Length: 2", body="{}"),
        b"POST /hook/open HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /hook/open HTTP/1.1\nHost: a\nContent-Length: 2\n\n{}",
        b"POST /hook/open HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"POST /hook/open HTTP/2.0\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /hook/open HTTP/1.2\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /hook/open\r\n\r\n",
        b"POST hook/open HTTP/1.1\r\nHost: a\r\n\r\n",
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="W15 HTTP/2 without asking"),
        b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_W08_what_two_servers_could_read_in_two_ways_is_refused(running: Doorway, said: bytes) -> None:
    before = len(running.events())
    answer = running.wire(said)
    assert status(answer) == 400
    assert answer.count(b"HTTP/1.1 ") == 1
    assert len(running.events()) == before


@pytest.mark.parametrize(
    "said",
    [
        post("Content-Length: 2", body="{}"),
        post("Transfer-Encoding: Chunked", body="1;a=b\r\n{\r\n1\r\n}\r\n0\r\nX-More: 1\r\n\r\n"),
        b"POST /hook/open HTTP/1.0\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
        post("Upgrade: h2c", "HTTP2-Settings: AAMA", "Content-Length: 2", body="{}").replace(
            b"Connection: close", b"Connection: Upgrade, HTTP2-Settings, close"
        ),
    ],
)
def test_what_can_be_read_in_one_way_only_is_heard(running: Doorway, said: bytes) -> None:
    before = len(running.events())
    assert status(running.wire(said)) == 202
    assert len(running.events()) == before + 1


def head(size: int) -> bytes:
    """Return the head of a request of exactly so many bytes, counted as ``Name: value`` and a line's end."""
    first = f"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Long: {'x' * size}\r\n\r\n"
    return first.encode()


@pytest.mark.parametrize(("size", "answered"), [(15_000, 200), (16 * 1024, 431), (300_000, 431)])
def test_a_head_has_a_size_that_is_enough(running: Doorway, size: int, answered: int) -> None:
    assert status(running.wire(head(size))) == answered


def test_a_head_without_an_end_is_cut(running: Doorway) -> None:
    said = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: "
    assert status(running.wire(said, *[b"x" * 4096] * 1000)) == 431


def test_an_address_counts_as_part_of_the_head(running: Doorway) -> None:
    said = b"GET /livez?" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert status(running.wire(said)) == 431


@pytest.mark.parametrize(("more", "answered"), [(98, 200), (99, 431), (5_000, 431)])
def test_there_may_be_a_hundred_headers(running: Doorway, more: int, answered: int) -> None:
    lines = b"".join(b"X: 1\r\n" for _ in range(more))
    said = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + lines + b"\r\n"
    assert status(running.wire(said)) == answered


def test_a_trailer_without_an_end_is_cut(running: Doorway) -> None:
    said = post("Transfer-Encoding: chunked", body="2\r\n{}\r\n0\r\nX-Long: ")
    answer = running.wire(said, *[b"x" * 65536] * 40)
    assert status(answer) == 431


def test_requests_one_after_the_other_are_answered_on_one_connection(running: Doorway) -> None:
    with running.connect() as connection:
        for _ in range(3):
            connection.sendall(GET)
            assert whole(connection) == 200


def test_no_part_of_an_answer_waits_for_the_client(tmp_path: Path) -> None:
    options = []

    class Seen(Hasty):
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            made = transport.get_extra_info("socket")
            options.append(made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    with Doorway(tmp_path, protocol=Seen) as door:
        assert get(door, "/livez").status_code == 200
    assert options
    assert all(options)


def test_requests_sent_together_are_answered_in_their_order(running: Doorway) -> None:
    unknown = b"GET /unknown HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = running.wire(GET + GET + unknown)
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"200", b"200", b"404"]


@pytest.mark.parametrize("count", [20, 500])
def test_all_that_is_asked_at_once_is_answered_in_its_order(running: Doorway, count: int) -> None:
    asked = b"".join(
        post("Content-Length: 2", body=body).replace(b"Connection: close\r\n", b"") + GET
        for body in ["{}", "\xe7\xe7"] * (count // 4)
    )
    with running.connect() as connection:
        connection.sendall(asked)
        connection.shutdown(socket.SHUT_WR)
        answers = re.findall(rb"HTTP/1\.1 (\d+)", rest(connection))
    assert answers == [b"202", b"200", b"400", b"200"] * (count // 4)


def test_a_good_request_before_a_bad_one_is_answered(running: Doorway) -> None:
    answer = running.wire(
        post("Content-Length: 2", body="{}").replace(b"Connection: close\r\n", b"") + b"\0\0"
    )
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"202", b"400"]


# How long a connection may last


def test_a_connection_that_asks_nothing_is_closed(running: Doorway) -> None:
    with running.connect() as connection:
        assert rest(connection) == b""


def test_W07_a_head_that_does_not_end_in_time_is_refused(running: Doorway) -> None:
    assert status(running.wire(b"POST /hook/open HTTP/1.1\r\nHost: a\r\n")) == 408


def test_empty_lines_do_not_keep_a_connection(running: Doorway) -> None:
    with running.connect() as connection:
        connection.sendall(GET)
        assert whole(connection) == 200
        connection.sendall(b"\r\n")
        assert status(rest(connection)) == 408


def test_a_connection_that_asks_nothing_more_is_closed(running: Doorway) -> None:
    with running.connect() as connection:
        connection.sendall(GET)
        assert whole(connection) == 200
        assert rest(connection) == b""


def test_who_asks_and_takes_no_answer_is_cut(tmp_path: Path) -> None:
    with Doorway(tmp_path, protocol=Hasty) as door, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", door.server.port))
        connection.sendall(PAGE * 3000)
        assert hung_up(connection)


def test_who_takes_the_answers_late_gets_all_of_them(tmp_path: Path) -> None:
    with Doorway(tmp_path, protocol=Patient) as door, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", door.server.port))
        connection.settimeout(20)
        connection.sendall(PAGE * 3000)
        answers, found = 0, b""
        while answers < 3000:
            found += connection.recv(65536)
            answers += found.count(b"HTTP/1.1 200")
            found = found[-11:].replace(b"HTTP/1.1 200", b"")


def hung_up(connection: socket.socket) -> bool:
    """Return whether the other side is gone, without reading what it said."""
    gone = select.poll()
    gone.register(connection, 0)
    try:
        for _ in range(1000):
            if gone.poll(20):
                return True
            connection.sendall(PAGE)
    except ConnectionError:
        return True
    return False


def test_a_crowd_of_half_open_connections_does_not_keep_a_good_request_waiting(tmp_path: Path) -> None:
    with Doorway(tmp_path, protocol=Crowded) as door:
        crowd = [door.connect() for _ in range(300)]
        for connection in crowd:
            connection.sendall(b"POST /hook/open HTTP/1.1\r\nHost: a\r\n")
        assert door.push(delivery="good").status_code == 202
        for connection in crowd:
            connection.close()


def test_who_let_us_wait_longest_makes_room(tmp_path: Path) -> None:
    with Doorway(tmp_path, protocol=Small) as door:
        connections = [door.connect() for _ in range(4)]
        assert rest(connections[0]) == b""
        for connection in connections[1:]:
            connection.sendall(GET)
            assert whole(connection) == 200
            connection.close()
        connections[0].close()


def test_who_waits_for_us_is_not_sent_away(tmp_path: Path) -> None:
    begun: SimpleQueue[Future[list[bool]]] = SimpleQueue()

    def accept(events: Sequence[Event]) -> Future[list[bool]]:
        future: Future[list[bool]] = Future()
        assert len(events) == 1
        begun.put(future)
        return future

    with Doorway(tmp_path, protocol=Small, accept=accept) as door:
        waiting = [door.connect() for _ in range(3)]
        commits = []
        for connection in waiting:
            connection.sendall(post("Content-Length: 2", body="{}"))
            commits.append(begun.get(timeout=20))
        with door.connect() as late:
            assert rest(late) == b""
        for future in commits:
            future.set_result([True])
        for connection in waiting:
            with connection:
                assert status(rest(connection)) == 202


def test_a_bad_request_behind_another_is_looked_at_when_that_is_answered(tmp_path: Path) -> None:
    begun: SimpleQueue[Future[list[bool]]] = SimpleQueue()

    def accept(_events: object) -> Future[list[bool]]:
        future: Future[list[bool]] = Future()
        begun.put(future)
        return future

    good = post("Content-Length: 2", body="{}").replace(b"Connection: close\r\n", b"")
    bad = post("Transfer-Encoding: chunked", body="zz\r\n")
    with Doorway(tmp_path, accept=accept) as door, door.connect() as connection:
        connection.sendall(good + bad)
        begun.get(timeout=20).set_result([True])
        assert re.findall(rb"HTTP/1\.1 (\d+)", rest(connection)) == [b"202", b"400"]


def test_there_are_files_left_for_ourselves() -> None:
    assert 0 < Connection.max_connections <= 512


def test_a_server_that_looks_at_the_clock_once_an_hour_stops_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_TICK", 3600.0)
    with Doorway(tmp_path) as running:
        assert get(running, "/livez").status_code == 200
    assert not running.server._thread.is_alive()


def test_stopping_waits_for_no_client_that_is_still_sending(tmp_path: Path) -> None:
    with Doorway(tmp_path) as door, door.connect() as slow:
        slow.sendall(
            b"POST /hook/open HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"
        )
        assert slow.recv(4096).startswith(b"HTTP/1.1 100")
        door.server.stop()
        assert rest(slow) == b""


# Whom it answers


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8725", "LocalHost", "[::1]:8725"])
def test_pages_answer_to_the_names_of_this_machine(running: Doorway, host: str) -> None:
    assert get(running, "/livez", Host=host).text == "ok\n"
    assert get(running, "/readyz", Host=host).text == "ok\n"


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[::2]"]
)
@pytest.mark.parametrize("path", ["/livez", "/readyz", *COMMANDS, "/", "/hook"])
def test_U01_pages_answer_to_no_other_name(running: Doorway, host: str, path: str) -> None:
    assert get(running, path, Host=host, **SHOWN).status_code == 400


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost", "localhost"),
        ("LocalHost:8725", "localhost"),
        ("127.0.0.1:", "127.0.0.1"),
        ("[::1]:8725", "::1"),
        *(
            (host, "")
            for host in ("", "[", "::1", "a b", "localhost/", "me@localhost", "localhost:x", "a:1:2")
        ),
    ],
)
def test_a_host_has_one_name_or_none(host: str, name: str) -> None:
    assert host_name(host) == name


def test_hooks_and_links_answer_to_any_name(running: Doorway) -> None:
    assert running.post("/hook/open", {}, Host="hooks.example").status_code == 202
    token = signed_token("ack", "rule\x1fkey")
    assert get(running, f"/ack/{token}", Host="hooks.example").status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/unknown", "/hook/open", "/ack/unknown", "/-/queue"])
def test_U03_every_answer_keeps_its_page_safe(running: Doorway, path: str) -> None:
    headers = get(running, path, Origin="https://evil.example").headers
    assert {name: headers[name] for name in SAFE} == SAFE
    assert headers["content-security-policy"] == POLICY
    assert not [name for name in headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("path", COMMANDS)
@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer wrong", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x"])
def test_U04_commands_need_the_token(running: Doorway, path: str, shown: str) -> None:
    answer = running.post(path, {"action": "drop", "ids": None}, Authorization=shown)
    assert answer.status_code == 401
    assert running.post(f"{path}?token={TOKEN}", {}).status_code == 401


def test_looking_at_a_command_does_nothing(running: Doorway) -> None:
    assert {get(running, path, **SHOWN).status_code for path in COMMANDS} == {405}


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"action": "burn", "ids": []}', b'{"action": "drop"}'])
def test_a_command_that_makes_no_sense_is_refused(running: Doorway, body: bytes) -> None:
    assert running.post("/-/queue", body, **SHOWN).status_code == 400


numbers = st.integers() | st.floats() | st.sampled_from([1e400, -1e400, float("nan"), 1 << 63, 10**30, True])
values = st.recursive(
    st.none()
    | numbers
    | st.text(max_size=8)
    | st.sampled_from(["text", "905551234567", "retry", "\ud800", "\0"]),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=4), inside, max_size=3),
    max_leaves=6,
)
VERBS = {
    "queue": {
        "action": st.sampled_from(["retry", "release", "drop"]) | values,
        "ids": st.lists(values) | values,
    },
    "send": {
        "kind": st.sampled_from(["text", "media", "poll", "location", "event", "notice"]) | values,
        **dict.fromkeys(["phone", "message", "device_id", "outlet", "media", "options", "caption"], values),
    },
    "event": dict.fromkeys(("id", "type", "at", "data"), values) | {"at": numbers | values},
    "replay": {"ids": st.lists(values) | values},
}
commands = st.sampled_from(sorted(VERBS)).flatmap(
    lambda verb: st.tuples(st.just(verb), st.fixed_dictionaries({}, optional=VERBS[verb]) | values)
)


@given(commands)
@example(("queue", {"action": "drop", "ids": [1e400]}))
@example(("queue", {"action": "drop", "ids": [10**30]}))
@example(("event", {"id": "a", "type": "b", "at": 1e400, "data": {}}))
@example(("event", {"id": "a", "type": "b", "at": 6.8e16, "data": {}}))
@example(("event", {"id": "a", "type": "b", "at": True, "data": {"a": 1e400}}))
@example(("event", {"id": "\ud800", "type": "b", "at": 1, "data": {}}))
@example(("event", {"id": 1, "type": [], "at": 1, "data": 1}))
@example(("replay", {"ids": ["\ud800"]}))
@example(("send", {"kind": "text", "phone": "905551234567", "message": "\ud800"}))
@example(("send", {"kind": "text", "phone": "905551234567", "message": "a", "device_id": 1 << 70}))
def test_no_command_that_makes_no_sense_is_our_fault(running: Doorway, command: tuple[str, Any]) -> None:
    verb, asked = command
    answer = running.post(f"/-/{verb}", json.dumps(asked).encode(), **SHOWN)
    assert answer.status_code in {200, 202, 400, 422}
    assert "error" in answer.json() or answer.ok


def test_a_message_is_in_the_queue_before_the_command_is_answered(door: Doorway) -> None:
    answer = door.post("/-/send", {"kind": "text", "phone": "905551234567", "message": "Hi"}, **SHOWN)
    assert answer.status_code == 202
    dropped = door.post("/-/queue", {"action": "drop", "ids": [answer.json()["id"]]}, **SHOWN)
    assert dropped.json() == {"ids": [answer.json()["id"]]}


@pytest.mark.parametrize(
    "body", [{}, {"kind": "text"}, {"kind": "fax"}, {"kind": "text", "phone": "1", "message": ""}]
)
def test_what_is_no_message_is_refused(running: Doorway, body: dict[str, str]) -> None:
    assert running.post("/-/send", body, **SHOWN).status_code in {400, 422}


def test_a_command_has_a_limit_of_its_own(door: Doorway) -> None:
    assert door.post("/-/send", b"x" * (1 << 20), **SHOWN).status_code == 400
    assert door.post("/-/send", b"x" * ((1 << 20) + 1), **SHOWN).status_code == 413


# Reload

ERROR = {"severity": "error", "message": "no such key"}
WARNING = {"severity": "warning", "message": "a rule without a test"}


@pytest.mark.parametrize(("problems", "answered"), [([], 200), ([WARNING], 200), ([WARNING, ERROR], 422)])
def test_a_reload_tells_what_it_found(tmp_path: Path, problems: list[dict[str, Any]], answered: int) -> None:
    with Doorway(tmp_path, reload=lambda: problems) as door:
        answer = door.post("/-/reload", b"", **SHOWN)
        assert (answer.status_code, answer.json()) == (answered, {"problems": problems})


def test_where_nothing_can_be_reloaded_there_is_no_such_page(running: Doorway) -> None:
    assert running.post("/-/reload", b"", **SHOWN).status_code == 404


def test_a_reload_that_fails_says_so(tmp_path: Path) -> None:
    def fail() -> list[dict[str, Any]]:
        raise StoreError("the store cannot be used")

    with Doorway(tmp_path, reload=fail) as door:
        assert door.post("/-/reload", b"", **SHOWN).status_code == 503


# Links


def read(token: str) -> tuple[str, str] | None:
    return signed_links.read(LINK_KEY, token)


@given(key=st.binary(min_size=1), kind=st.text().filter(lambda kind: ":" not in kind), value=st.text())
def test_a_link_is_read_with_its_key_alone(key: bytes, kind: str, value: str) -> None:
    token = signed_links.token(key, kind, value)
    assert token.isalnum()
    assert token == token.lower()
    assert signed_links.read(key, token) == (kind, value)
    assert signed_links.read(key + b"x", token) is None


@given(st.one_of(st.text(), st.text(alphabet="abcdefghijklmnopqrstuvwxyz234567"), st.characters()))
def test_no_other_text_is_a_link(text: str) -> None:
    assert read(text) is None


@given(value=st.text(max_size=40), data=st.data())
def test_a_link_that_was_changed_is_none(value: str, data: st.DataObject) -> None:
    token = signed_token("ack", value)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda one: one != token[place]))
    assert read(token[:place] + other + token[place + 1 :]) is None
    assert read(token[:-1]) is None
    assert read(token + "=") is None
    assert read(token.upper()) is None


def test_the_kind_is_signed_too() -> None:
    assert signed_token("release", "x") != signed_token("ack", "x")


# Their pages


def ack_page(value: str = "disk-full\x1fdb1", kind: str = "ack") -> str:
    return f"/ack/{signed_token(kind, value)}"


def once_of(page: str) -> str:
    found = re.search(r'name="once" value="(\w+)"', page)
    assert found
    return found[1]


def acks(door: Doorway) -> list[Event]:
    return [event for event in door.events() if event.type == "ack"]


def press(door: Doorway, path: str, once: str | None = None, **headers: str) -> requests.Response:
    form = {} if once is None else {"once": once}
    return requests.post(door.url + path, data=form, headers=headers, timeout=10)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("kind", ["ack", "release"])
def test_looking_at_a_link_does_nothing(door: Doorway, method: str, kind: str) -> None:
    delivery = storm(door, "calm")
    answer = requests.request(method, door.url + ack_page("calm", kind), timeout=10)
    assert answer.status_code == 200
    assert acks(door) == []
    assert state(door, delivery) is State.HELD


def test_pressing_the_button_acknowledges_once(door: Doorway) -> None:
    path = ack_page()
    once = once_of(get(door, path).text)
    for _ in range(3):
        answer = press(door, path, once)
        assert answer.status_code == 200
        assert "Noted" in answer.text
    (event,) = acks(door)
    assert event.id.startswith("ack:")
    assert event.data == {"rule": "disk-full", "key": "db1"}


def test_the_same_link_can_acknowledge_again_when_it_is_opened_again(door: Doorway) -> None:
    path = ack_page()
    for _ in range(2):
        press(door, path, once_of(get(door, path).text))
    press(door, path)
    assert len(acks(door)) == 3


def test_a_key_may_have_anything_in_it(door: Doorway) -> None:
    press(door, ack_page("rule\x1fa\x1fb\n<ğ>"))
    assert acks(door)[0].data == {"rule": "rule", "key": "a\x1fb\n<ğ>"}


def storm(door: Doorway, event_id: str) -> int:
    """Keep an event whose one message the storm guard holds; return the delivery."""
    event = Event(id=event_id, type="file", at=datetime(2026, 11, 23, tzinfo=UTC), data={})
    message = PlannedMessage(
        key=f"{event_id}:0",
        rule="r",
        message=Text(phone="905551234567", message="Hi"),
        hold=Hold.STORM,
        facts={"messages": 51},
    )
    return door.store.put_message(event, Plan(event_id=event_id, messages=(message,)), 1.0).result()[0]


def state(door: Doorway, number: int) -> State:
    delivery = door.store.delivery(number)
    assert delivery
    return delivery.state


def test_pressing_the_button_releases_what_the_storm_guard_holds(door: Doorway) -> None:
    delivery = storm(door, "file:a")
    path = ack_page("file:a", "release")
    assert "Send them" in get(door, path).text
    first, second = press(door, path), press(door, path)
    assert "On their way" in first.text
    assert "<b>1</b>" in first.text
    assert "No messages are on hold" in second.text
    assert state(door, delivery) is State.QUEUED


def test_when_it_can_not_be_kept_the_button_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def away(_events: object) -> Future[list[bool]]:
        raise StoreError("the store cannot be used")

    with Doorway(tmp_path, accept=away) as door:
        answer = press(door, ack_page())
        assert answer.status_code == 503
        assert "That did not work" in answer.text
        assert "I am on it" in answer.text
    told = "/ack/… from 127.0.0.1 is refused with 503: the store cannot be used"
    assert [line for line in caplog.messages if "store" in line] == [told]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "token",
    ["x", "%00", "", "../-/queue", signed_token("other", "x"), signed_token("ack", "x")[:-1]],
)
def test_a_link_that_we_did_not_make_leads_to_a_page_that_says_so(
    running: Doorway, method: str, token: str
) -> None:
    answer = requests.Request(method, f"{running.url}/ack/").prepare()
    answer.url = f"{running.url}/ack/{token}"
    with requests.Session() as session:
        found = session.send(answer, timeout=10)
    assert found.status_code == 404
    assert acks(running) == []


def test_a_broken_link_is_explained(running: Doorway) -> None:
    assert "This link does not work" in get(running, "/ack/broken").text
    assert "Bu bağlantı çalışmıyor" in get(running, "/ack/broken", **{"Accept-Language": "tr"}).text


def test_other_methods_on_a_link_are_refused(door: Doorway) -> None:
    for method in ("PUT", "DELETE", "PATCH"):
        assert requests.request(method, door.url + ack_page(), timeout=10).status_code == 405
    assert acks(door) == []


def test_U03_the_name_of_a_rule_is_text_on_the_page(running: Doorway) -> None:
    page = get(running, ack_page("<script>alert(1)</script>\x1fk")).text
    assert "&lt;script&gt;" in page
    assert "<script" not in page


def test_a_page_has_no_address_but_its_own(running: Doorway) -> None:
    page = get(running, ack_page()).text
    assert re.findall(r'(?:href|src|action)="([^"]*)"', page) == ["icon.svg", "page.css"]
    assert get(running, "/ack/page.css").headers["content-type"].startswith("text/css")
    assert get(running, "/ack/icon.svg").headers["content-type"].startswith("image/svg+xml")


def test_a_form_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with Doorway(tmp_path, limits=Limits(body=100)) as door:
        assert press(door, ack_page(), "x" * 200).status_code == 413
        assert acks(door) == []


@pytest.mark.parametrize(
    ("wish", "language"),
    [
        ("", "en"),
        ("tr", "tr"),
        ("tr-TR,tr;q=0.9,en;q=0.8", "tr"),
        ("en-US,en;q=0.9,tr;q=0.8", "en"),
        ("de, tr;q=0.5, en;q=0.4", "tr"),
        ("tr;q=0,en;q=0", "en"),
        ("tr;q=x,en;q=0.1", "en"),
        ("*", "en"),
    ],
)
def test_the_page_speaks_the_language_of_the_browser(wish: str, language: str) -> None:
    assert wanted_language(wish) == language
