"""A wish for another protocol is ignored, and a body counts only when all of it came."""

import re
import shutil
import socket
import struct
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from doorway import BEARER_JSON, GITHUB, OPEN, SECRET, Doorway, Hasty, rest, signed, status
from hypothesis import given
from hypothesis import strategies as st
from workplace import until

from wbox_notify.simulator import Simulator

H2C = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
WEBSOCKET = (
    "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
WISHES = [H2C, WEBSOCKET, H2C.replace("\r\nHTTP2", ", websocket\r\nHTTP2"), H2C + "Upgrade: TLS/1.0\r\n"]
BODY = b'{"say": "\xc3\xa7ay \xe2\x98\x95"}'
SIGNATURE = f"X-Hub-Signature-256: {signed(BODY)['X-Hub-Signature-256']}\r\nX-GitHub-Event: push\r\n"
READ = {"say": "çay ☕"}

KINDS = [
    ("open", "Content-Type: application/json\r\n", READ),
    ("open", "Content-Type: text/plain\r\n", READ),
    ("open", "Content-Type: application/x-www-form-urlencoded\r\n", READ),
    ("open", "", READ),
    ("alerts", f"Authorization: Bearer {SECRET.decode()}\r\nContent-Type: application/json\r\n", READ),
    ("push", f"{SIGNATURE}Content-Type: application/json\r\n", READ),
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    with Doorway(tmp_path_factory.mktemp("running"), [GITHUB, OPEN, BEARER_JSON], protocol=Hasty) as doorway:
        yield doorway


def call(path: str = "open", more: str = "", *, chunked: bool = False, body: bytes = BODY) -> bytes:
    """Return a request; in chunks its body is cut in two."""
    half = len(body) // 2
    chunks = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (half, body[:half], len(body) - half, body[half:])
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    head = f"POST /hook/{path} HTTP/1.1\r\nHost: a\r\n{more}{length}\r\n\r\n"
    return head.encode() + (chunks if chunked else body)


def statuses(connection: socket.socket) -> list[int]:
    """Return the statuses of all answers, once no more comes."""
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d+)", rest(connection))]


def cut(said: bytes, places: Sequence[int]) -> list[bytes]:
    marks = [0, *sorted(place % len(said) for place in places), len(said)]
    return [said[begin:end] for begin, end in pairwise(marks)]


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("path", "more", "value"), KINDS)
def test_a_call_that_wishes_for_another_protocol_is_heard_as_one_that_does_not(
    running: Doorway, path: str, more: str, value: object, *, chunked: bool, wish: str
) -> None:
    before = len(running.events())
    answer = running.wire(call(path, wish.replace("Upgrade,", "close, Upgrade,") + more, chunked=chunked))
    assert status(answer) == 202
    (event,) = running.events()[before:]
    assert event.data["body"] == value
    assert "upgrade" not in event.data["headers"]


@given(
    places=st.lists(st.integers(0, 2000), max_size=6),
    calls=st.lists(st.tuples(st.sampled_from(["", *WISHES]), st.booleans()), min_size=1, max_size=5),
)
def test_however_calls_are_cut_into_packets_all_are_heard_on_one_connection(
    running: Doorway, places: list[int], calls: list[tuple[str, bool]]
) -> None:
    before = len(running.events())
    said = b"".join(call("push", f"{SIGNATURE}{wish}", chunked=chunked, body=BODY) for wish, chunked in calls)
    with running.connect() as connection:
        for part in cut(said, places):
            connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)
        assert statuses(connection) == [202] * len(calls)
    assert [event.data["body"] for event in running.events()[before:]] == [READ] * len(calls)


@pytest.mark.parametrize("wish", ["", *WISHES])
def test_who_asks_whether_to_send_a_body_is_told_to_and_can_call_again(running: Doorway, wish: str) -> None:
    head, _, body = call(more=f"{wish}Expect: 100-continue\r\n").partition(b"\r\n\r\n")
    with running.connect() as connection:
        for _ in range(3):
            connection.sendall(head + b"\r\n\r\n")
            assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(body)
            found = b""
            while not found.endswith(b"}"):
                found += connection.recv(4096)
            assert status(found) == 202


def test_nobody_is_connected_to_elsewhere(running: Doorway) -> None:
    answer = running.wire(f"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n{H2C}\r\n".encode(), call())
    assert (status(answer), answer.count(b"HTTP/1.1 ")) == (400, 1)


# A body that is not all there


def reset(connection: socket.socket) -> None:
    """End a connection as a crash would."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@given(
    wish=st.sampled_from(["", *WISHES]),
    chunked=st.booleans(),
    place=st.integers(1, 2000),
    places=st.lists(st.integers(0, 2000), max_size=3),
    way=st.sampled_from(["half", "close", "crash", "wait"]),
)
def test_what_breaks_off_anywhere_is_never_taken_for_a_call(
    running: Doorway, *, wish: str, chunked: bool, place: int, places: list[int], way: str
) -> None:
    before = len(running.events())
    whole = call(more=f"Content-Type: text/plain\r\n{wish}", chunked=chunked)
    said = whole[: 1 + place % (len(whole) - 1)]
    with running.connect() as connection:
        for part in cut(said, places):
            connection.sendall(part)
        if way == "crash":
            reset(connection)
        elif way != "close":
            if way == "half":
                connection.shutdown(socket.SHUT_WR)
            # Who waits with half a body is waited for; the next part of it would be taken.
            if way == "half" or b"\r\n\r\n" not in said:
                assert statuses(connection) in ([], [400], [408])
    assert running.push(delivery="").status_code == 202, "what came before is through"
    assert [event.data["path"] for event in running.events()[before:]] == ["push"]


@pytest.mark.parametrize("after", [b"", b"\r\n"])
def test_who_hangs_up_half_and_waits_gets_the_answer(running: Doorway, after: bytes) -> None:
    with running.connect() as connection:
        connection.sendall(call() + after)
        connection.shutdown(socket.SHUT_WR)
        assert statuses(connection) == [202]


# The same at the simulator


@pytest.mark.parametrize("wish", WISHES)
def test_the_simulator_ignores_the_wish_too(wbox: Simulator, wish: str) -> None:
    body = b'{"device_id": 1, "phone": "905551234567", "message": "hi"}'
    head = f"POST /v1/send/text HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer sk_1\r\n{wish}"
    said = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with socket.create_connection(("127.0.0.1", int(wbox.url.rpartition(":")[2])), timeout=20) as connection:
        for part in (said, said[:60], said[60:]):
            connection.sendall(part)
        until(lambda: len(wbox.messages()) == 2)
    assert [message["body"]["message"] for message in wbox.messages()] == ["hi", "hi"]


# Real clients that wish for HTTP/2


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_curl_with_http2_is_heard(running: Doorway, kind: str) -> None:
    before = len(running.events())
    words = ["curl", "--silent", "--http2", "-H", f"Content-Type: {kind}", "--data-binary", "@-"]
    done = subprocess.run(
        [*words, f"{running.url}/hook/open"], input=BODY, capture_output=True, timeout=30, check=True
    )
    assert b'"id"' in done.stdout
    (event,) = running.events()[before:]
    assert event.data["body"] == READ


JAVA = """
import java.net.*; import java.net.http.*;
public class Call {
    public static void main(String[] words) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (int time = 0; time < 3; time++) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(words[0]))
                .header("Content-Type", "application/json").header(words[1], words[2])
                .header("X-GitHub-Event", "push")
                .POST(HttpRequest.BodyPublishers.ofByteArray(java.util.Base64.getDecoder().decode(words[3])))
                .build();
            System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
        }
    }
}
"""


@pytest.mark.skipif(not shutil.which("javac"), reason="javac is not installed")
def test_the_client_of_java_is_heard(running: Doorway, tmp_path: Path) -> None:
    (tmp_path / "Call.java").write_text(JAVA)
    (name, code), before = next(iter(signed(BODY).items())), len(running.events())
    words = ["java", "Call.java", f"{running.url}/hook/push", name, code, b64encode(BODY).decode()]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False)
    assert done.stdout.split() == ["202"] * 3, done.stderr
    assert [event.data["body"] for event in running.events()[before:]] == [READ] * 3
