import base64
import gzip
import json
import logging
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from fault_server import PATIENCE, FaultServer, Script, Visit, answer, replying, saying
from hypothesis import given
from hypothesis import strategies as st

from wbox_notify import __version__
from wbox_notify.clients import transport
from wbox_notify.clients.transport import Reply, Transport
from wbox_notify.clients.wbox import ENDPOINTS, ApiError, Client, SessionStatus, _retry_after, _unavailable
from wbox_notify.errors import ConfigError, WboxError
from wbox_notify.model.messages import CalendarEvent, Media, Message, Poll, Text
from wbox_notify.model.outcomes import Answer, Outcome

KEY = "sk_live_5ecret"
PHONE = "905551234567"
HELLO = Text(phone=PHONE, message="Hello from API!")
SUCCESS = json.dumps({"success": True, "message": "Message sent successfully", "to": PHONE})
OK = answer(200, SUCCESS, "Content-Type: application/json")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (
    len(SUCCESS),
    SUCCESS.encode(),
)
PNG = b"\x89PNG\r\n\x1a\n and the rest of the image"


def send(url: str, message: Message = HELLO, **options: Any) -> Answer:
    with closing(Client(url, KEY, **options)) as client:
        return client.send(message)


def outcome_of(script: Script, **options: Any) -> Outcome:
    with FaultServer(script) as server:
        return send(server.url, **options).outcome


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


MESSAGES: list[tuple[Message, str, dict[str, Any]]] = [
    (HELLO, "/v1/send/text", {"phone": PHONE, "message": "Hello from API!"}),
    (
        Media(phone=PHONE, url="https://example.com/image.jpg", caption="Caption here"),
        "/v1/send/media",
        {"phone": PHONE, "media_url": "https://example.com/image.jpg", "message": "Caption here"},
    ),
    (
        CalendarEvent(phone=PHONE, title="Meeting", description="Weekly review", start="2026-10-15T14:00"),
        "/v1/send/event",
        {
            "phone": PHONE,
            "event": {"title": "Meeting", "description": "Weekly review", "startDate": "2026-10-15T14:00"},
        },
    ),
    (
        Poll(phone=PHONE, question="Question?", options=("Yes", "No"), device_id=7),
        "/v1/send/poll",
        {"phone": PHONE, "message": "Question?", "options": ["Yes", "No"], "device_id": 7},
    ),
]


@pytest.mark.parametrize(("message", "path", "body"), MESSAGES, ids=list(ENDPOINTS))
def test_each_kind_goes_out_as_the_api_document_says(message: Message, path: str, body: Any) -> None:
    with FaultServer(replying(OK)) as server:
        given = send(server.url, message)
        [asked] = server.requests
    assert given == Answer(
        outcome=Outcome.SENT, detail="Message sent successfully", status=200, latency=given.latency
    )
    assert given.latency > 0
    assert (asked.method, asked.path, asked.json) == ("POST", path, body)
    assert asked.headers == {
        "host": f"127.0.0.1:{server.port}",
        "authorization": f"Bearer {KEY}",
        "content-type": "application/json",
        "content-length": str(len(asked.body)),
        "user-agent": f"wbox-notify/{__version__}",
        "accept-encoding": "identity",
    }


def test_an_idempotency_key_is_a_header() -> None:
    with FaultServer(replying(OK)) as server, closing(Client(server.url, KEY)) as client:
        client.send(HELLO, idempotency_key="d-17")
        client.send(HELLO)
    assert [asked.headers.get("idempotency-key") for asked in server.requests] == ["d-17", None]


@pytest.mark.parametrize("key", ["a\nX-Other: b", "☃", "sipariş-1", "café", "a" * 5000, " a", "\udcff"])
def test_Q10_an_idempotency_key_that_no_header_can_hold_is_a_hash_that_stays_the_same(key: str) -> None:
    with FaultServer(replying(OK)) as server, closing(Client(server.url, KEY)) as client:
        for one in (key, key, f"{key}x"):
            assert client.send(HELLO, idempotency_key=one).outcome is Outcome.SENT
    first, again, other = [asked.headers["idempotency-key"] for asked in server.requests]
    assert first == again != other
    assert re.fullmatch("sha256:[0-9a-f]{64}", first)


@pytest.mark.parametrize("suffix", ["", "/", "/wbox", "/wbox/"])
def test_the_address_may_have_a_path_and_a_slash_at_its_end(suffix: str) -> None:
    with FaultServer(replying(OK)) as server:
        send(server.url + suffix)
    assert server.requests[0].path == suffix.rstrip("/") + "/v1/send/text"


def test_letters_of_any_script_arrive_as_they_were() -> None:
    with FaultServer(replying(OK)) as server:
        send(server.url, Text(phone=PHONE, message="İyi günler 👩‍🚒 \ud800"))
    assert server.requests[0].json["message"] == "İyi günler 👩‍🚒 ?"


BAD_URLS = [
    "",
    "server.wbox.me",
    "ftp://server.wbox.me",
    "https://",
    "https:///v1",
    "https://user:pa55@server.wbox.me",
    f"https://{KEY}@server.wbox.me",
    "https://server.wbox.me:99999",
    "https://server.wbox.me:0",
    "https://server..wbox.me",
    "https://server.wbox.me/?a=b",
    "https://server.wbox.me/#a",
    "https://server.wbox.me/\nHost: other",
    "https://[::1",
    "https://i❤.ws",
    f"https://{KEY} /",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_an_address_that_can_not_be_used_is_a_config_error_without_the_key(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Client(url, KEY)
    assert KEY not in repr(caught.value) + str(caught.value.hint)
    assert "pa55" not in repr(caught.value) + str(caught.value.hint)


@pytest.mark.parametrize("key", ["", " ", "sk_se cret", "sk_secret\n", "sk_secret\x00", "sk_ğsecret", "sk_é"])
def test_a_key_that_no_header_can_hold_is_a_config_error_that_does_not_show_it(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Client("https://server.wbox.me", key)
    assert "sk_" not in repr(caught.value) + str(caught.value.hint)


UNREADABLE = {
    "empty": b"",
    "N11 html": b"<html>Welcome to our hotel</html>",
    "no success": b'{"message": "ok"}',
    "success is 1": b'{"success": 1}',
    "success is text": b'{"success": "true"}',
    "success is null": b'{"success": null}',
    "a list": b'[{"success": true}]',
    "a word": b"true",
    "cut": SUCCESS[:-1].encode(),
    "more after it": SUCCESS.encode() * 2,
    "N12 not a number": b'{"success": true, "at": NaN}',
    "N12 infinite": b'{"success": true, "at": -Infinity}',
    "N12 deep": b'{"success": true, "at": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "N12 100,000 deep": b'{"success": true, "at": ' + b"[" * 100_000,
    "N12 5,000 digits": b'{"success": true, "at": ' + b"9" * 5_000 + b"}",
    "N12 half a surrogate pair": rb'{"success": true, "message": "\ud83d"}',
    "bytes that are no text": b'{"success": true, "message": "\xff"}',
    "UTF-16": SUCCESS.encode("utf-16"),
    "too long": b'{"success": true, "message": "' + b"a" * 70_000 + b'"}',
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_a_200_that_does_not_say_success_is_unknown(body: bytes) -> None:
    assert outcome_of(replying(answer(200, body))) is Outcome.UNKNOWN


def test_success_false_is_failed_and_wbox_is_quoted() -> None:
    with FaultServer(replying(answer(200, '{"success": false, "error": "No such\\n device"}'))) as server:
        given = send(server.url)
    assert (given.outcome, given.detail) == (Outcome.FAILED, "No such device")


STATUSES = [
    (Outcome.SENT, [201, 202, 206, 299]),
    (Outcome.UNKNOWN, [204]),
    (Outcome.NOT_SENT, [300, 301, 302, 303, 304, 307, 308]),
    (Outcome.REFUSED, [400, 402, 404, 405, 409, 410, 413, 415, 422, 451, 499]),
    (Outcome.UNAUTHORIZED, [401, 403]),
    (Outcome.LIMITED, [429]),
    (Outcome.UNKNOWN, [408, 500, 501, 502, 504, 520, 599, 600, 999]),
    (Outcome.NOT_SENT, [503]),
]


@pytest.mark.parametrize(
    ("status", "outcome"), [(status, outcome) for outcome, group in STATUSES for status in group]
)
def test_every_other_status_has_its_meaning(status: int, outcome: Outcome) -> None:
    with FaultServer(saying(answer(status, SUCCESS))) as server:
        given = send(server.url)
    assert (given.outcome, given.status) == (outcome, status)
    assert len(server.requests) == 1


PROXIES = [
    (Outcome.NOT_SENT, [400, 402, 404, 405, 409, 410, 415, 421, 422, 451, 499]),
    (Outcome.REFUSED, [413, 414, 431]),
    (Outcome.UNAUTHORIZED, [401, 403]),
    (Outcome.UNKNOWN, [200, 201, 408, 500, 502, 504]),
]


@pytest.mark.parametrize("body", ["", "<html>404 page not found</html>", "[]"], ids=["empty", "html", "list"])
@pytest.mark.parametrize(
    ("status", "outcome"), [(status, outcome) for outcome, group in PROXIES for status in group]
)
def test_N25_what_a_proxy_answers_in_place_of_wbox_is_no_end_of_a_message(
    status: int, outcome: Outcome, body: str
) -> None:
    with FaultServer(saying(answer(status, body))) as server:
        given = send(server.url)
    assert (given.outcome, given.status) == (outcome, status)
    assert ("another server than wbox answered" in given.detail) is (outcome is Outcome.NOT_SENT)


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize(
    ("body", "header"),
    [
        (b"\xef\xbb\xbf" + SUCCESS.encode(), "X: y"),
        (gzip.compress(SUCCESS.encode()), "Content-Encoding: gzip"),
        (gzip.compress(b"\xef\xbb\xbf" + SUCCESS.encode()), "Content-Encoding: X-GZIP"),
    ],
    ids=["byte order mark", "gzip", "both"],
)
def test_N26_success_is_success_however_it_is_wrapped(status: int, body: bytes, header: str) -> None:
    assert outcome_of(replying(answer(status, body, header))) is Outcome.SENT
    said = body.replace(b"true", b"null") if "gzip" not in header.lower() else gzip.compress(b"{}")
    assert outcome_of(replying(answer(status, said, header))) is Outcome.UNKNOWN


NOT_READY = [
    '{"success": false, "message": "WhatsApp client not ready (Scan QR code)."}',
    "WHATSAPP CLIENT NOT READY",
    '{"error": "not_ready"}',
    '{"error": "Cihaz baglanmadi, QR kodu okutun"}',
    '{"code": "SCAN_QR_CODE"}',
    '{"code": "qrcode"}',
]


@pytest.mark.parametrize("body", NOT_READY)
def test_a_503_that_speaks_of_readiness_or_a_qr_code_is_not_ready(body: str) -> None:
    assert outcome_of(replying(answer(503, body, "Server: nginx"))) is Outcome.NOT_READY


@pytest.mark.parametrize(
    ("headers", "latency", "outcome"),
    [
        ({}, 0.9, Outcome.NOT_SENT),
        ({"server": "wbox"}, 0.9, Outcome.NOT_SENT),
        ({}, 1.1, Outcome.UNKNOWN),
        ({"via": "1.1 edge"}, 0.1, Outcome.UNKNOWN),
        ({"server": "nginx/1.27"}, 0.1, Outcome.UNKNOWN),
        ({"server": "cloudflare"}, 0.1, Outcome.UNKNOWN),
    ],
)
def test_another_503_is_not_sent_only_if_it_came_at_once_and_from_wbox_itself(
    headers: dict[str, str], latency: float, outcome: Outcome
) -> None:
    reply = Reply(status=503, headers=headers, body=b"Seqrets of the sqrt", latency=latency)
    assert _unavailable(reply) is outcome


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("Retry-After: 7", 7.0),
        ("Retry-After: 0", 0.0),
        ("Retry-After: 86400", 3600.0),
        ("Retry-After: 1000000000", None),
        ("Retry-After: 1000000000000", None),
        ("Retry-After: 32503680000", 3600.0),
        ("Retry-After: 32503680000000", 3600.0),
        ("Retry-After: " + "9" * 5000, 3600.0),
        ("Retry-After: Wed, 01 Jan 3000 00:00:00 GMT", 3600.0),
        ("Retry-After: Wed, 01 Jan 2020 00:00:00 GMT", None),
        ("Retry-After: -5", None),
        ("Retry-After: soon", None),
        ("X-Other: 1", None),
    ],
)
def test_N14_a_429_asks_to_wait_at_most_an_hour(header: str, wait: float | None) -> None:
    with FaultServer(replying(answer(429, "", header))) as server:
        given = send(server.url)
    assert (given.outcome, given.wait) == (Outcome.LIMITED, wait)


NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@given(st.text())
def test_any_retry_after_gives_nothing_or_up_to_an_hour(value: str) -> None:
    wait = _retry_after(value, NOW)
    assert wait is None or 0 <= wait <= 3600


@given(st.integers(min_value=-100_000, max_value=100_000))
def test_a_date_means_the_seconds_up_to_it(seconds: int) -> None:
    wait = _retry_after(format_datetime(NOW + timedelta(seconds=seconds), usegmt=True), NOW)
    assert wait == (min(seconds, 3600) if seconds > 0 else None)


@given(st.integers(-5000, 5000), st.sampled_from([1, 1000]))
def test_N14_a_number_of_more_than_a_day_is_a_point_in_time(seconds: int, unit: int) -> None:
    wait = _retry_after(str(int(NOW.timestamp() + seconds) * unit), NOW)
    assert wait == (min(seconds, 3600) if seconds > 0 else None)


def test_another_recipient_than_asked_is_noted() -> None:
    body = '{"success": true, "message": "ok", "to": "905550000000"}'
    with FaultServer(replying(answer(200, body))) as server:
        given = send(server.url)
    assert given.outcome is Outcome.SENT
    assert given.detail == "ok (but wbox names another recipient: +90555***0000)"


@pytest.mark.parametrize("to", [PHONE, f"+{PHONE}", f"{PHONE}@c.us", int(PHONE), None, [], ""], ids=repr)
def test_the_same_recipient_written_another_way_is_not_noted(to: object) -> None:
    with FaultServer(replying(answer(200, json.dumps({"success": True, "to": to})))) as server:
        assert send(server.url).detail == "sent"


def test_the_detail_is_one_clean_line_of_at_most_300_characters() -> None:
    message = "a\r\nb\x1b[31m\t\u202ec \x00" + "long " * 200
    with FaultServer(replying(answer(400, json.dumps({"message": message})))) as server:
        detail = send(server.url).detail
    assert detail.startswith("HTTP 400: a b [31m c long long")
    assert len(detail) == 300
    assert detail.isprintable()


def test_a_status_without_words_is_named() -> None:
    with FaultServer(saying(answer(404, ""))) as server:
        assert send(server.url).detail.startswith(
            "HTTP 404: Not Found, but another server than wbox answered"
        )


def test_a_refused_connection_is_not_sent(unused_port: int) -> None:
    given = send(f"http://127.0.0.1:{unused_port}")
    assert (given.outcome, given.status) == (Outcome.NOT_SENT, None)
    assert given.detail == "wbox could not be reached: Connection refused"


def test_N02_a_name_that_does_not_exist_is_not_sent() -> None:
    assert send("http://wbox.invalid").outcome is Outcome.NOT_SENT


def test_a_name_that_no_lookup_takes_is_refused_at_once() -> None:
    with pytest.raises(ConfigError):
        Client(f"http://{'a' * 64}.example", KEY)


def test_N02_a_name_server_that_hangs_ends_at_the_deadline_and_nothing_is_sent_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, lookup = threading.Event(), socket.getaddrinfo

    def hang(*asked: Any, **more: Any) -> Any:
        found.wait(PATIENCE)
        return lookup("127.0.0.1", *asked[1:], **more)

    with FaultServer(replying(OK)) as server:
        monkeypatch.setattr(socket, "getaddrinfo", hang)
        with closing(Client(f"http://wbox.test:{server.port}", KEY, deadline=1)) as client:
            before = threading.enumerate()
            given = client.send(HELLO)
            started = [thread for thread in threading.enumerate() if thread not in before]
            [late] = [thread for thread in started if thread.name == "wbox-dial"]
            found.set()
            late.join(PATIENCE)
            assert not late.is_alive()
            assert server.left.wait(PATIENCE)
            assert server.requests == []
            assert client.send(HELLO).outcome is Outcome.SENT
    assert (given.outcome, given.detail) == (Outcome.NOT_SENT, "no whole answer within 1 s")


def test_N04_a_connection_that_nobody_takes_is_not_sent() -> None:
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        given = send(f"http://127.0.0.1:{full.getsockname()[1]}", connect=0.2)
    assert (given.outcome, given.detail) == (Outcome.NOT_SENT, "wbox could not be reached: timed out")


def unread(visit: Visit) -> None:
    visit.peek()


def unread_reset(visit: Visit) -> None:
    visit.peek()
    visit.reset()


def read_reset(visit: Visit) -> None:
    visit.request()
    visit.reset()


BROKEN: dict[str, Script] = {
    "reset before it was read": unread_reset,
    "reset after it was read": read_reset,
    "closed before it was read": unread,
    "closed after it was read": saying(b""),
    "N08 cut status line": saying(b"HTTP/1.1 20"),
    "garbage for a status line": saying(b"garbage\r\n\r\n" + OK),
    "an impossible status": saying(b"HTTP/1.1 2000 OK\r\n\r\n"),
    "N08 cut headers": saying(b"HTTP/1.1 200 OK\r\nContent-Type: app"),
    "N08 cut after a header": saying(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n"),
    "a header that is too long": saying(b"HTTP/1.1 200 OK\r\nA: " + b"a" * 70_000 + b"\r\n\r\n"),
    "too many headers": saying(b"HTTP/1.1 200 OK\r\n" + b"A: a\r\n" * 200 + b"\r\n"),
    "two lengths": saying(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 90\r\n\r\n" + OK),
    "N09 cut body": saying(OK[:-5]),
    "N09 cut body that is whole JSON": saying(answer(200, SUCCESS + " " * 9)[:-5]),
    "N09 cut chunk": saying(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5f\r\n" + SUCCESS.encode()
    ),
    "garbage for a chunk": saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "half of a gzip": saying(answer(200, gzip.compress(SUCCESS.encode())[:-9], "Content-Encoding: gzip")),
    "no gzip": saying(answer(200, SUCCESS, "Content-Encoding: gzip")),
    "more after a gzip": saying(answer(200, gzip.compress(SUCCESS.encode()) * 2, "Content-Encoding: gzip")),
    "N19 gzip bomb": saying(answer(200, gzip.compress(bytes(50_000_000)), "Content-Encoding: gzip")),
    "another encoding": saying(answer(200, SUCCESS, "Content-Encoding: br")),
    "only a 102": saying(b"HTTP/1.1 102 Processing\r\n\r\n"),
}


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
def test_an_answer_that_does_not_come_whole_is_unknown(script: Script) -> None:
    assert outcome_of(script) is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "whole",
    [
        SUCCESS.encode().join([b"HTTP/1.1 200 OK\r\n\r\n", b""]),
        b"HTTP/1.0 200 OK\r\nContent-Encoding: identity\r\n\r\n" + SUCCESS.encode(),
        CHUNKED,
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 9\r\n\r\n" + SUCCESS.encode(),
    ],
    ids=["without a length", "HTTP/1.0", "chunked", "after a 100", "after a 102", "with a broken header"],
)
def test_success_is_success_however_it_is_framed(whole: bytes) -> None:
    assert outcome_of(saying(whole)) is Outcome.SENT


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (answer(200, SUCCESS + " " * 70_000), "the answer is longer than 64 KiB"),
        (answer(200, SUCCESS, "Content-Encoding: br"), "the answer is compressed, which was not asked for"),
        (answer(200, SUCCESS, "Content-Encoding: gzip"), "the answer is compressed, and damaged"),
        (
            answer(400, SUCCESS, "Content-Encoding: br"),
            "HTTP 400: the answer is compressed, which was not asked for",
        ),
        (OK[:-1], f"the answer broke off: IncompleteRead({len(SUCCESS) - 1} bytes read, 1 more expected)"),
        (answer(200, "<html>"), "the answer is not wbox's: it is no JSON object"),
    ],
    ids=["long", "compressed", "no gzip", "compressed and refused", "cut", "N11 html"],
)
def test_an_answer_that_can_not_be_read_says_why(data: bytes, detail: str) -> None:
    with FaultServer(saying(data)) as server:
        assert send(server.url).detail == detail


def wait(visit: Visit) -> None:
    visit.request()
    visit.wait()


def dripping(data: bytes, first: bytes = b"") -> Script:
    def play(visit: Visit) -> None:
        visit.request()
        visit.say(first)
        visit.drip(data)

    return play


ENDLESS: dict[str, Script] = {
    "silence": wait,
    "headers byte by byte": dripping(b"X-Wait: a bit\r\n", b"HTTP/1.1 200 OK\r\n"),
    "one header without end": dripping(b"a", b"HTTP/1.1 200 OK\r\nX-Wait: "),
    "a body byte by byte": dripping(b" ", b"HTTP/1.1 200 OK\r\n\r\n"),
    "a chunk size byte by byte": dripping(b"0", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "100 Continue again and again": dripping(b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("script", ENDLESS.values(), ids=ENDLESS)
def test_N19_the_deadline_cuts_an_answer_that_does_not_end(script: Script) -> None:
    with FaultServer(script) as server:
        given = send(server.url, deadline=0.5)
        assert server.left.wait(PATIENCE), "the connection was not closed"
    assert (given.outcome, given.detail) == (Outcome.UNKNOWN, "no whole answer within 0.5 s")


def flood(head: bytes) -> Script:
    def play(visit: Visit) -> None:
        visit.request()
        visit.say(head)
        while not visit.server.stopping.is_set():
            visit.say(b" " * 65536)

    return play


@pytest.mark.parametrize(
    ("head", "outcome"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", Outcome.UNKNOWN),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", Outcome.UNKNOWN),
        (b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n", Outcome.NOT_SENT),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Outcome.NOT_SENT),
    ],
)
def test_N19_a_flood_is_read_up_to_64_kib_and_then_hung_up_on(head: bytes, outcome: Outcome) -> None:
    with FaultServer(flood(head)) as server:
        given = send(server.url)
        assert server.left.wait(PATIENCE)
    assert (given.outcome, given.status) == (outcome, int(head.split()[1]))


@pytest.mark.parametrize("begun", [0, 1, len(OK) - 1])
def test_an_answer_may_take_longer_than_a_connection(begun: int) -> None:
    def play(visit: Visit) -> None:
        while visit.request():
            visit.say(OK[:begun])
            visit.server.stopping.wait(0.3)
            visit.say(OK[begun:])

    with FaultServer(play) as server, closing(Client(server.url, KEY, connect=0.1)) as client:
        assert [client.send(HELLO).outcome for _ in range(2)] == [Outcome.SENT, Outcome.SENT]
    assert server.connections == 1


@pytest.mark.parametrize("length", range(len(OK)))
def test_an_answer_that_is_cut_at_any_byte_is_unknown_and_the_message_is_not_handed_over_again(
    length: int,
) -> None:
    with FaultServer(saying(OK[:length])) as server:
        assert send(server.url).outcome is Outcome.UNKNOWN
    assert len(server.requests) == 1


@pytest.mark.parametrize("behind", [OK, b"\r\n", OK[:30]])
@pytest.mark.parametrize("whole", [OK, CHUNKED, b"HTTP/1.1 204 No Content\r\n\r\n"])
def test_what_comes_behind_an_answer_is_no_answer_to_the_next_message(whole: bytes, behind: bytes) -> None:
    with FaultServer(replying(whole + behind)) as server, closing(Client(server.url, KEY)) as client:
        client.send(HELLO)
        server.script = replying(answer(400, '{"success": false, "message": "the second"}'))
        assert client.send(HELLO).detail == "HTTP 400: the second"
    assert (server.connections, len(server.requests)) == (2, 2)


def test_a_client_goes_on_after_a_deadline() -> None:
    with FaultServer(wait) as server, closing(Client(server.url, KEY, deadline=1)) as client:
        assert client.send(HELLO).outcome is Outcome.UNKNOWN
        server.script = replying(OK)
        assert client.send(HELLO).outcome is Outcome.SENT


def test_what_comes_before_an_answer_is_not_taken_for_it_and_no_answer_for_that_to_the_next_message() -> None:
    def play(visit: Visit) -> None:
        visit.request()
        visit.say(b"HTTP/1.1 102 Processing\r\n\r\n")
        visit.say(answer(400, '{"success": false, "message": "the first"}'))
        visit.request()
        visit.say(OK)

    with FaultServer(play) as server, closing(Client(server.url, KEY)) as client:
        assert client.send(HELLO).detail == "HTTP 400: the first"
        assert client.send(HELLO).outcome is Outcome.SENT
    assert (server.connections, len(server.requests)) == (1, 2)


@pytest.mark.parametrize("name", ["wbox-dial", "wbox-deadlines"])
def test_a_message_for_which_the_system_has_no_thread_is_not_sent_and_the_next_one_is(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == name:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(transport, "_watch", transport._Watch())
    with FaultServer(wait) as server, closing(Client(server.url, KEY, deadline=1)) as client:
        with monkeypatch.context() as short:
            short.setattr(threading.Thread, "start", refuse)
            given = client.send(HELLO)
        assert (given.outcome, given.detail) == (
            Outcome.NOT_SENT,
            "wbox could not be reached: can't start new thread",
        )
        assert client.send(HELLO).detail == "no whole answer within 1 s"


def test_a_connection_is_used_again() -> None:
    with FaultServer(replying(OK)) as server, closing(Client(server.url, KEY)) as client:
        assert {client.send(HELLO).outcome for _ in range(5)} == {Outcome.SENT}
    assert (server.connections, len(server.requests)) == (1, 5)


@pytest.mark.parametrize(("rest", "connections"), [(3.9, 1), (4.1, 2)])
def test_N07_a_connection_that_rested_more_than_4_seconds_is_not_used_again(
    rest: float, connections: int
) -> None:
    now = 1000.0
    with FaultServer(replying(OK)) as server:
        transport = Transport(server.url, {}, connect=3, deadline=15, clock=lambda: now)
        transport.exchange("GET", "/")
        now += rest
        transport.exchange("GET", "/")
        transport.close()
    assert server.connections == connections


def test_a_connection_that_the_server_closed_while_it_rested_is_replaced() -> None:
    with FaultServer(saying(OK)) as server, closing(Client(server.url, KEY)) as client:
        assert client.send(HELLO).outcome is Outcome.SENT
        assert server.left.wait(PATIENCE)
        assert client.send(HELLO).outcome is Outcome.SENT
    assert server.connections == 2


def test_N07_a_reset_on_a_connection_used_again_is_unknown_and_not_repeated() -> None:
    def play(visit: Visit) -> None:
        visit.request()
        visit.say(OK)
        visit.request()
        visit.reset()

    with FaultServer(play) as server, closing(Client(server.url, KEY)) as client:
        assert [client.send(HELLO).outcome for _ in range(2)] == [Outcome.SENT, Outcome.UNKNOWN]
    assert (server.connections, len(server.requests)) == (1, 2)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_N13_a_redirect_is_not_sent_and_never_followed(status: int) -> None:
    with FaultServer(replying(OK)) as other:
        for target in (f"{other.url}/v1/send/text", "/v1/send/texts", "http://[", "ftp://x", ""):
            with FaultServer(replying(answer(status, SUCCESS, f"Location: {target}"))) as server:
                given = send(server.url)
            assert given.outcome is Outcome.NOT_SENT
            assert given.detail.startswith(f"HTTP {status}: check the url of wbox, it is redirected to")
            assert len(server.requests) == 1
        assert other.connections == 0


def test_N20_netrc_does_not_replace_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with FaultServer(replying(OK)) as server:
        send(server.url)
        requests.post(server.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=PATIENCE)
    ours, plain = (asked.headers["authorization"] for asked in server.requests)
    assert ours == f"Bearer {KEY}"
    assert plain == "Basic " + base64.b64encode(b"someone:else").decode()


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_N20_a_proxy_in_the_environment_is_not_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with FaultServer(replying(OK)) as proxy, FaultServer(replying(OK)) as server:
        monkeypatch.setenv(name, proxy.url)
        assert send(server.url).outcome is Outcome.SENT
    assert (proxy.connections, len(server.requests)) == (0, 1)


def test_a_cookie_is_not_kept() -> None:
    with (
        FaultServer(replying(answer(200, SUCCESS, "Set-Cookie: a=b"))) as server,
        closing(Client(server.url, KEY)) as client,
    ):
        client.send(HELLO)
        client.send(HELLO)
    assert "cookie" not in server.requests[1].headers


ECHOES: dict[str, Callable[[str], bytes]] = {
    "message": lambda key: answer(400, json.dumps({"message": f"bad key {key}!"})),
    "escaped": lambda _: answer(400, '{"error": "bad key \\u0073k_live_5ecret"}'),
    "success": lambda key: answer(200, json.dumps({"success": True, "message": key * 100})),
    "body": lambda key: answer(200, key),
    "status line": lambda key: f"HTTP/1.1 {key}\r\n\r\n".encode(),
    "no status line": lambda key: f"{key}\r\n\r\n".encode(),
    "redirect": lambda key: answer(302, "", f"Location: https://{key}@example.com"),
    "broken header": lambda key: f"HTTP/1.1 200 OK\r\n{key}\r\nA: b\r\n\r\n".encode(),
    "lengths": lambda key: f"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: {key}\r\n\r\n".encode(),
    "chunk": lambda key: f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{key}\r\n".encode(),
}


@pytest.mark.parametrize("key", [KEY, "key-without-prefix+/="])
@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_U08_the_key_is_nowhere_to_be_read_even_when_the_server_repeats_it(
    echo: Callable[[str], bytes], key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with FaultServer(saying(echo(key))) as server, closing(Client(server.url, key)) as client:
        given = client.send(HELLO)
        with pytest.raises(ApiError) as caught:
            client.session_qr(1)
    shown = [repr(client), str(client), repr(given), repr(caught.value), str(caught.value), caplog.text]
    shown.append(repr(caught.value.answer))
    assert all(key not in text for text in shown)


def test_words_that_only_end_like_a_key_are_left_alone() -> None:
    with FaultServer(replying(answer(400, '{"message": "disk_full, not sk_other-9"}'))) as server:
        assert send(server.url).detail == "HTTP 400: disk_full, not sk_***"


def test_warnings_on_headers_of_other_programs_are_still_logged(caplog: pytest.LogCaptureFixture) -> None:
    with FaultServer(saying(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n")) as server:
        send(server.url)
        assert "Failed to parse headers" not in caplog.text
        requests.get(server.url, timeout=PATIENCE)
    assert "Failed to parse headers" in caplog.text


OPENSSL = shutil.which("openssl")
CA_SETTINGS = """
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
default_md = sha256
rand_serial = yes
unique_subject = no
policy = any
[any]
commonName = supplied
[extensions]
basicConstraints = critical, CA:TRUE
keyUsage = critical, digitalSignature, keyCertSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {name}
"""


def certificate(folder: Path, name: str, start: str, end: str) -> ssl.SSLContext:
    """Make a certificate that signs itself, as ``cert.pem``, and return the server's side of it."""
    (folder / "index.txt").touch()
    (folder / "ca.cnf").write_text(CA_SETTINGS.format(name=name))
    request = "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out req.pem \
        -subj /CN=wbox"
    signature = f"ca -batch -notext -config ca.cnf -selfsign -keyfile key.pem -in req.pem -out cert.pem \
        -extensions extensions -startdate {start} -enddate {end}"
    for command in (request, signature):
        subprocess.run([str(OPENSSL), *command.split()], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def trust(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr("certifi.where", lambda: str(folder / "cert.pem"))


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    if not OPENSSL:
        pytest.skip("openssl is not here to make certificates")
    return certificate(tmp_path, "IP:127.0.0.1", "20200101000000Z", "20490101000000Z")


def test_N03_a_certificate_that_signed_itself_is_not_sent(tls: ssl.SSLContext) -> None:
    with FaultServer(replying(OK), tls) as server:
        given = send(server.url)
    assert (given.outcome, server.requests) == (Outcome.NOT_SENT, [])
    assert "certificate is not accepted (self-signed certificate)" in given.detail


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_tls_before_1_2_is_not_spoken(
    tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(monkeypatch, tmp_path)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(tmp_path / "cert.pem")
    for side in (tls, old):
        side.set_ciphers("ALL:@SECLEVEL=0")
        side.minimum_version = side.maximum_version = ssl.TLSVersion.TLSv1_1
    with FaultServer(replying(OK), tls) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as plain:
            spoken = old.wrap_socket(plain, server_hostname="127.0.0.1")
            assert spoken.version() == "TLSv1.1", "the server would"
            spoken.close()
        given = send(server.url)
        assert (given.outcome, server.requests) == (Outcome.NOT_SENT, [])
        assert "protocol version" in given.detail.lower().replace("_", " ")


@pytest.mark.skipif(not OPENSSL, reason="openssl is not here to make certificates")
@pytest.mark.parametrize(
    ("name", "start", "end", "problem"),
    [
        ("IP:127.0.0.1", "2020", "2021", "(certificate has expired); is the clock of this machine right?"),
        (
            "IP:127.0.0.1",
            "2048",
            "2049",
            "(certificate is not yet valid); is the clock of this machine right?",
        ),
        ("DNS:wbox.example", "2020", "2049", "certificate is not valid for '127.0.0.1'"),
    ],
    ids=["N03 expired", "N22 not yet valid", "N03 of another host"],
)
def test_a_certificate_that_does_not_fit_is_not_sent(
    name: str, start: str, end: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = certificate(tmp_path, name, f"{start}0101000000Z", f"{end}0101000000Z")
    trust(monkeypatch, tmp_path)
    with FaultServer(replying(OK), context) as server:
        given = send(server.url)
    assert (given.outcome, server.requests) == (Outcome.NOT_SENT, [])
    assert problem in given.detail


def test_tls_carries_messages_over_one_connection(
    tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(monkeypatch, tmp_path)
    with FaultServer(replying(OK), tls) as server, closing(Client(server.url, KEY)) as client:
        assert {client.send(HELLO).outcome for _ in range(3)} == {Outcome.SENT}
    assert (server.connections, len(server.requests)) == (1, 3)


@pytest.mark.parametrize("name", ["headers byte by byte", "a body byte by byte", "reset"])
def test_tls_that_goes_wrong_after_the_request_is_unknown(
    name: str, tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(monkeypatch, tmp_path)
    with FaultServer(ENDLESS.get(name, read_reset), tls) as server:
        given = send(server.url, deadline=1)
        assert server.left.wait(PATIENCE)
    assert given.outcome is Outcome.UNKNOWN
    assert len(server.requests) == 1


def test_garbage_within_tls_after_the_request_is_unknown(
    tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(visit: Visit) -> None:
        visit.request()
        with socket.socket(fileno=visit._wire.detach()) as bare:
            bare.sendall(b"this is no TLS record, and long enough to be read as one")

    trust(monkeypatch, tmp_path)
    with FaultServer(play, tls) as server:
        assert send(server.url).outcome is Outcome.UNKNOWN


def hello_reset(visit: Visit) -> None:
    visit.hear()
    visit.reset()


def plain_http(visit: Visit) -> None:
    visit.hear()
    visit.say(answer(400, "The plain HTTP request was sent to HTTPS port"))


@pytest.mark.parametrize(
    "script",
    [plain_http, hello_reset, lambda visit: visit.wait(), lambda visit: visit.drip(b"\x16\x03\x03")],
    ids=["N03 plain HTTP", "reset", "silence", "byte by byte"],
)
def test_a_tls_handshake_that_fails_or_hangs_is_not_sent(script: Script) -> None:
    with FaultServer(script) as server:
        given = send(server.url.replace("http:", "https:"), deadline=0.5)
        assert server.left.wait(PATIENCE)
    assert (given.outcome, server.requests) == (Outcome.NOT_SENT, [])


LINKED = {"device_id": 1, "isReady": True, "state": "INITIALIZED", "qr": None, "status": "connected"}


@pytest.fixture
def wbox() -> Iterator[Callable[[bytes], tuple[FaultServer, Client]]]:
    with ExitStack() as stack:

        def start(data: bytes) -> tuple[FaultServer, Client]:
            server = stack.enter_context(FaultServer(replying(data)))
            return server, stack.enter_context(closing(Client(server.url, KEY)))

        yield start


Wbox = Callable[[bytes], tuple[FaultServer, Client]]


def test_the_session_status_is_read_as_documented(wbox: Wbox) -> None:
    server, client = wbox(answer(200, json.dumps(LINKED)))
    status = SessionStatus(device_id=1, ready=True, state="INITIALIZED", status="connected", qr=None)
    assert client.session_status(1) == client.session_status() == status
    asked = [(one.method, one.path, one.headers["authorization"]) for one in server.requests]
    assert asked == [
        ("GET", "/v1/session/status?device_id=1", f"Bearer {KEY}"),
        ("GET", "/v1/session/status", f"Bearer {KEY}"),
    ]


@pytest.mark.parametrize("ready", [False, None, "true", 1, [True]])
def test_G03_only_true_is_ready(wbox: Wbox, ready: object) -> None:
    said = LINKED | {"isReady": ready, "qr": "2@abc", "status": "qr\x1b", "state": 5, "device_id": "1"}
    _, client = wbox(answer(200, json.dumps(said)))
    assert client.session_status(3) == SessionStatus(
        device_id=3, ready=False, state=None, status="qr", qr="2@abc"
    )


def test_a_session_is_started_as_documented(wbox: Wbox) -> None:
    server, client = wbox(answer(200, '{"success": true, "message": "Session started"}'))
    assert client.session_start(2) == {"success": True, "message": "Session started"}
    [asked] = server.requests
    assert (asked.method, asked.path, asked.json) == ("POST", "/v1/session/start", {"device_id": 2})


def test_the_qr_code_may_come_as_an_image(wbox: Wbox) -> None:
    _, client = wbox(answer(200, PNG, "Content-Type: image/png"))
    assert client.session_qr(1) == PNG


@pytest.mark.parametrize("code", ["data:image/png;base64,iVBORw0KGgo=", "iVBORw0KGgo=", "2@abc"])
def test_the_qr_code_comes_as_text_as_wbox_wrote_it(wbox: Wbox, code: str) -> None:
    server, client = wbox(answer(200, json.dumps({"qr_base64": code})))
    assert client.session_qr(1) == code
    assert server.requests[0].path == "/v1/session/qr?device_id=1&format=base64"


def test_a_log_of_a_session_does_not_show_its_qr_code() -> None:
    assert "2@abc" not in repr(SessionStatus(device_id=1, ready=False, state=None, status=None, qr="2@abc"))


SESSION_CALLS: dict[str, Callable[[Client], object]] = {
    "status": lambda client: client.session_status(1),
    "start": lambda client: client.session_start(1),
    "qr": lambda client: client.session_qr(1),
}
SESSION_ERRORS = [
    (answer(200, "<html>"), Outcome.UNKNOWN, True, 69),
    (answer(200, '"linked"'), Outcome.UNKNOWN, True, 69),
    (answer(500, ""), Outcome.UNKNOWN, True, 69),
    (answer(503, ""), Outcome.NOT_SENT, True, 69),
    (answer(503, NOT_READY[0]), Outcome.NOT_READY, True, 75),
    (answer(429, "", "Retry-After: 9"), Outcome.LIMITED, True, 1),
    (answer(401, ""), Outcome.UNAUTHORIZED, False, 77),
    (answer(403, ""), Outcome.UNAUTHORIZED, False, 77),
    (answer(400, '{"error": "no such device"}'), Outcome.REFUSED, False, 1),
    (answer(400, ""), Outcome.NOT_SENT, True, 69),
    (answer(302, "", "Location: /"), Outcome.NOT_SENT, True, 69),
]


@pytest.mark.parametrize("call", SESSION_CALLS.values(), ids=SESSION_CALLS)
@pytest.mark.parametrize(("data", "outcome", "retry", "code"), SESSION_ERRORS, ids=range(len(SESSION_ERRORS)))
def test_a_session_call_that_comes_to_nothing_says_why(
    wbox: Wbox, call: Callable[[Client], object], data: bytes, outcome: Outcome, code: int, *, retry: bool
) -> None:
    _, client = wbox(data)
    with pytest.raises(ApiError) as caught:
        call(client)
    error: WboxError = caught.value
    assert (caught.value.answer.outcome, error.retry, error.exit_code) == (outcome, retry, code)
    assert str(error) == caught.value.answer.detail
    assert WboxError.retry is ApiError.retry is False


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ('{"success": false, "message": "Already linked"}', Outcome.FAILED),
        ('{"qr_base64": null, "message": "Already linked"}', Outcome.UNKNOWN),
    ],
)
def test_a_missing_qr_code_is_an_error_in_the_words_of_wbox(wbox: Wbox, body: str, outcome: Outcome) -> None:
    _, client = wbox(answer(200, body))
    with pytest.raises(ApiError, match="Already linked") as caught:
        client.session_qr(1)
    assert caught.value.answer.outcome is outcome


def says_success(body: bytes) -> bool:
    try:
        said = json.loads(body.decode())
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("success") is True


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
BODIES = st.binary() | st.dictionaries(
    st.sampled_from(["success", "message", "to"]) | st.text(), JSON_VALUES
).map(lambda said: json.dumps(said).encode())


def corrupted() -> st.SearchStrategy[bytes]:
    """Return a good answer of which a part was replaced by something else."""
    places = st.integers(0, len(OK))
    return st.builds(lambda a, b, new: OK[: min(a, b)] + new + OK[max(a, b) :], places, places, st.binary())


def test_N12_no_body_raises_and_only_success_true_is_sent() -> None:
    said = {"answer": b""}

    def play(visit: Visit) -> None:
        while visit.request():
            visit.say(said["answer"])

    with FaultServer(play) as server, closing(Client(server.url, KEY)) as client:

        @given(BODIES)
        def check(body: bytes) -> None:
            said["answer"] = answer(200, body)
            given = client.send(HELLO)
            assert given.outcome is not Outcome.SENT or says_success(body)
            assert given.outcome in {Outcome.SENT, Outcome.FAILED, Outcome.UNKNOWN}
            assert given.detail.isprintable()
            assert len(given.detail) <= 300

        check()


def test_no_bytes_raise_and_none_is_sent_without_the_word_success() -> None:
    with FaultServer(unread) as server, closing(Client(server.url, KEY, deadline=5)) as client:

        @given(st.binary() | corrupted())
        def check(data: bytes) -> None:
            server.script = saying(data)
            given = client.send(HELLO)
            assert given.outcome is not Outcome.SENT or re.search(rb'"success": *true', data)
            assert given.outcome is not Outcome.NOT_SENT or b"503" in data

        check()


NAMES = [b"Content-Length", b"Content-Type", b"Connection", b"Transfer-Encoding", b"Content-Encoding", b"A-b"]
VALUES = [
    b"",
    b"0",
    b"4",
    b"keep-alive",
    b"close",
    b"chunked",
    b"gzip",
    b"text/plain; \xe4",
    b" x\t ",
    b"a\rb",
]
HEADERS = st.lists(
    st.tuples(
        st.sampled_from([*NAMES, b"A b", b""]), st.sampled_from([b":", b": ", b""]), st.sampled_from(VALUES)
    ),
    max_size=5,
)
STATUS_LINES = [
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 404",
    b"HTTP/1.1 204 None",
    b"HTTP/1.0 200 OK",
    b"HTTP/1.1 100 On",
]


@given(st.sampled_from(STATUS_LINES), HEADERS, st.binary(max_size=6), st.integers(0, 1))
def test_an_answer_in_one_piece_is_read_as_http_client_and_urllib3_read_it(
    line: bytes, lines: list[tuple[bytes, bytes, bytes]], body: bytes, lengths: int
) -> None:
    length = [b"Content-Length: %d" % len(body)] * lengths
    data = b"\r\n".join([line, *length, *map(b"".join, lines), b"", body])
    if usual := transport._usual(data):
        ours, other = socket.socketpair()
        with ours, other:
            other.close()
            assert transport._unusual("POST", transport._Rest(data, ours)) == (usual, True)


def test_the_answer_of_wbox_is_read_in_one_piece() -> None:
    assert transport._usual(OK) == Reply(
        status=200,
        headers={"content-length": str(len(SUCCESS)), "content-type": "application/json"},
        body=SUCCESS.encode(),
    )


def test_a_value_that_would_be_two_lines_of_a_head_is_refused_and_nothing_is_written() -> None:
    with FaultServer(replying(OK)) as server:
        line = Transport(server.url, {}, connect=3, deadline=15)
        given = line.exchange("GET", "/", headers={"A": "b\r\nC: d"})
        line.close()
    assert given == replace(
        given, outcome=Outcome.REFUSED, reason="this cannot be sent: no header can hold A"
    )
    assert server.connections == 0
