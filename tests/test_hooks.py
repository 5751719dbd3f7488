"""Webhooks over real connections into a real store: only what proves itself gets in, and nothing twice."""

import asyncio
import json
import logging
import socket
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from hmac import digest
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPBasicAuthHandler, HTTPPasswordMgrWithDefaultRealm, Request, build_opener

import pytest
import requests
from doorway import BEARER, GITHUB, OPEN, SECRET, Doorway, Hasty, signed, status
from hypothesis import given
from hypothesis import strategies as st
from rulebook import project, rule_file
from workplace import until

from wbox_notify.errors import StoreError, WboxError
from wbox_notify.model import events
from wbox_notify.store import open_store
from wbox_notify.triggers.webhook.hooks import KNOWN_HEADERS, Hook
from wbox_notify.triggers.webhook.presets import PRESETS
from wbox_notify.triggers.webhook.signatures import delivery, scheme
from wbox_notify.web.requests import Batches, Limits

REFUSED = {"error": "the call is not authorised"}
SLACK = Hook(path="slack", scheme=scheme("slack", [SECRET], {}), preset=PRESETS["slack"])
STANDARD = Hook(
    path="team/standard",
    scheme=scheme("standard", [b64encode(SECRET)], {}),
    preset=PRESETS["json"],
)
DOCUMENTED = {200, 202, 400, 401, 404, 405, 408, 413, 415, 431, 503}
PUSH = {"X-GitHub-Event": "push"}
_numbers = count()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    folder = tmp_path_factory.mktemp("running")
    with Doorway(folder, [GITHUB, OPEN, BEARER, SLACK, STANDARD], protocol=Hasty) as doorway:
        yield doorway


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Doorway]:
    with Doorway(tmp_path) as doorway:
        yield doorway


def fresh() -> str:
    return f"delivery-{next(_numbers)}"


def kept(door: Doorway, answer: requests.Response) -> events.Event:
    assert answer.status_code == 202
    (event,) = [event for event in door.events() if event.id == answer.json()["id"]]
    return event


def test_a_call_is_on_disk_before_it_is_answered(door: Doorway) -> None:
    body = b'{"ref": "refs/heads/main"}'
    answer = door.push(body, "d-1")
    assert (answer.status_code, answer.json()) == (202, {"id": "webhook:push:d-1"})
    (event,) = door.events()
    assert event.type == "webhook"
    assert abs(event.at.timestamp() - time.time()) < 60
    assert event.data == {
        "method": "POST",
        "path": "push",
        "query": {},
        "headers": event.data["headers"],
        "body": {"ref": "refs/heads/main"},
    }


def test_put_is_as_good_as_post(running: Doorway) -> None:
    answer = requests.put(f"{running.url}/hook/open?a=1&b=2&b=3", b"{}", timeout=10)
    data = kept(running, answer).data
    assert data["method"] == "PUT"
    assert data["query"] == {"a": "1", "b": ["2", "3"]}


def test_W01_a_delivery_that_comes_again_is_known(running: Doorway) -> None:
    delivery = fresh()
    first, again = running.push(delivery=delivery), running.push(delivery=delivery)
    assert first.status_code == 202
    assert (again.status_code, again.json()) == (200, {"id": first.json()["id"], "duplicate": True})


def test_W01_of_fifty_equal_calls_at_once_one_is_new(door: Doorway) -> None:
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: door.push(delivery="once").status_code, range(50)))
    assert sorted(answers) == [200] * 49 + [202]
    assert len(door.events()) == 1


def test_two_hundred_calls_at_once_are_all_kept(door: Doorway) -> None:
    body = b'{"n": 1}'
    connections = [door.connect() for _ in range(200)]
    for number, connection in enumerate(connections):
        connection.sendall(
            request("/hook/push", body, **{"X-GitHub-Delivery": f"n-{number}"}, **PUSH, **signed(body))
        )
    answers = []
    for connection in connections:
        with connection:
            answers.append(status(connection.recv(4096)))
    assert answers == [202] * 200
    assert {event.id for event in door.events()} == {f"webhook:push:n-{number}" for number in range(200)}


def test_without_an_id_each_call_is_an_event(running: Doorway) -> None:
    ids = {running.post("/hook/open", {}).json()["id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(one.startswith("webhook:open:") for one in ids)


def request(path: str, body: bytes = b"", **headers: str) -> bytes:
    lines = {"Host": "hooks.example", "Content-Type": "application/json", "Content-Length": str(len(body))}
    lines |= headers
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


def test_W16_who_does_not_wait_for_the_answer_is_heard_all_the_same(door: Doorway) -> None:
    body = b'{"gone": true}'
    with door.connect() as connection:
        connection.sendall(
            request("/hook/push", body, **{"X-GitHub-Delivery": "gone"}, **PUSH, **signed(body))
        )
    until(door.events)
    assert [event.id for event in door.events()] == ["webhook:push:gone"]


# What proves nothing


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature-256": "sha256=zz"},
        {"X-Hub-Signature-256": "sha256=" + "0" * 64},
        {"X-Hub-Signature-256": "sha256=\xe9\xfc"},
        signed(b"{}", b"another secret"),
        {"X-Hub-Signature": "sha1=" + "0" * 40},
        {"Authorization": f"Bearer {SECRET.decode()}"},
    ],
)
def test_W03_each_wrong_proof_is_refused_in_the_same_words(running: Doorway, headers: dict[str, str]) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = requests.post(f"{running.url}/hook/push", b"{}", headers=raw, timeout=10)
    assert (answer.status_code, answer.json()) == (401, REFUSED)


def test_W03_a_proof_that_comes_twice_is_none(running: Doorway) -> None:
    line = f"X-Hub-Signature-256: {signed(b'')['X-Hub-Signature-256']}\r\n"
    head = "POST /hook/push HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n"
    assert status(running.wire(f"{head}{line}{line}\r\n".encode())) == 401


def test_a_proof_in_the_trailer_is_none(running: Doorway) -> None:
    proof = signed(b"{}")["X-Hub-Signature-256"]
    head = "POST /hook/push HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    tail = f"2\r\n{{}}\r\n0\r\nX-Hub-Signature-256: {proof}\r\n\r\n"
    assert status(running.wire((head + tail).encode())) == 401


def test_a_path_that_nobody_serves_looks_like_a_wrong_proof(running: Doorway) -> None:
    wrong = running.post("/hook/push", {})
    unknown = running.post("/hook/nothing", {})
    assert unknown.status_code == wrong.status_code == 401
    assert unknown.content == wrong.content
    assert unknown.headers.keys() == wrong.headers.keys()


@pytest.mark.parametrize(
    "path",
    [
        "/hook/Open",
        "/hook/open//",
        "/hook//open",
        "/hook/./open",
        "/hook/x/../open",
        "/hook/%6Fpen",
        "/hook/open%2F",
        "/hook/",
        "/hook/../-/queue",
        "/hook/%2e%2e/-/queue",
        "/hook/open%00",
        "/hook/open;a=1",
    ],
)
def test_W14_a_path_is_served_as_it_is_written_or_not_at_all(running: Doorway, path: str) -> None:
    answer = running.wire(request(path, b"{}", Connection="close"))
    assert status(answer) == 401


def test_one_slash_may_follow_a_path(running: Doorway) -> None:
    assert kept(running, running.post("/hook/open/")).data["path"] == "open"
    assert running.post("/hook/push/", b"{}", **PUSH, **signed(b"{}")).status_code == 202
    assert running.post("/hook/push/", b"{}").json() == REFUSED


def test_a_path_may_have_parts_and_letters_of_any_language(tmp_path: Path) -> None:
    hook = Hook(path="fabrika/ışık", scheme=None, preset=PRESETS["json"])
    with Doorway(tmp_path, [hook]) as door:
        assert kept(door, door.post("/hook/fabrika/ışık")).data["path"] == "fabrika/ışık"


@pytest.mark.parametrize(("path", "status"), [("push", 401), ("open", 405), ("nothing", 401)])
@pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_refused_everywhere(running: Doorway, method: str, path: str, status: int) -> None:
    answer = requests.request(method, f"{running.url}/hook/{path}", timeout=10)
    assert answer.status_code == status
    assert answer.headers.get("allow") == ("POST, PUT" if status == 405 else None)


def standard(body: bytes, delivery: str, at: float) -> dict[str, str]:
    stamp = str(int(at))
    code = digest(b64decode(b64encode(SECRET)), f"{delivery}.{stamp}.".encode() + body, "sha256")
    return {
        "Webhook-Id": delivery,
        "Webhook-Timestamp": stamp,
        "Webhook-Signature": f"v1,{b64encode(code).decode()}",
    }


def test_W02_a_replay_is_known_at_first_and_refused_later(running: Doorway) -> None:
    delivery = fresh()
    made = standard(b"{}", delivery, time.time())
    answers = [running.post("/hook/team/standard", b"{}", **made).status_code for _ in range(2)]
    assert answers == [202, 200]
    old = standard(b"{}", delivery, time.time() - 302)
    assert running.post("/hook/team/standard", b"{}", **old).json() == REFUSED


def test_the_log_says_why_and_holds_no_secret(door: Doorway, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    forged = signed(b"{}", b"guess")["X-Hub-Signature-256"]
    door.post("/hook/push?token=hidden", b"{}", **{"X-Hub-Signature-256": forged})
    door.post("/hook/nothing", b"{}", Authorization="Bearer hidden")
    wrong = "the header x-hub-signature-256 does not match our secret"
    assert f"/hook/push from 127.0.0.1 is refused with 401: {wrong}" in caplog.text
    assert "/hook/nothing from 127.0.0.1 is refused with 401: no rule has this path" in caplog.text
    ours = "".join(record.getMessage() for record in caplog.records if not record.name.startswith("urllib3"))
    assert "hidden" not in ours
    assert forged.removeprefix("sha256=") not in ours


def test_a_call_with_no_guard_needs_no_proof(running: Doorway) -> None:
    assert running.post("/hook/open", {}).status_code == 202


# What is tried out


def test_W13_a_ping_is_answered_and_is_no_event(door: Doorway) -> None:
    answer = door.post("/hook/push", b"{}", **{"X-GitHub-Event": "ping"}, **signed(b"{}"))
    assert (answer.status_code, answer.json()) == (200, {"status": "pong"})
    assert door.events() == []


def test_W13_a_challenge_is_answered_only_to_who_has_the_secret(running: Doorway) -> None:
    body = b'{"type": "url_verification", "challenge": "c-1"}'
    assert running.post("/hook/slack", body).json() == REFUSED
    answer = running.post("/hook/slack", body, **by_slack(body))
    assert (answer.status_code, answer.json()) == (200, {"challenge": "c-1"})


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PRESSED: dict[str, Any] = {"type": "block_actions", "user": {"id": "U1"}, "actions": [{"value": "yes"}]}


def posted(**fields: str) -> bytes:
    return urlencode(fields).encode()


def by_slack(body: bytes, **headers: str) -> dict[str, str]:
    stamp = str(int(time.time()))
    code = digest(SECRET, b"v0:" + stamp.encode() + b":" + body, "sha256").hex()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={code}", **headers}


def test_a_form_of_github_is_read_as_the_json_in_it(running: Doorway) -> None:
    body = posted(payload=json.dumps({"ref": "refs/heads/main"}))
    event = kept(running, running.post("/hook/push", body, **PUSH, **FORM, **signed(body)))
    assert event.data["body"] == {"ref": "refs/heads/main"}


def test_a_ping_of_github_in_a_form_is_answered(running: Doorway) -> None:
    body = posted(payload='{"zen": "…"}')
    answer = running.post("/hook/push", body, **{"X-GitHub-Event": "ping"}, **FORM, **signed(body))
    assert (answer.status_code, answer.json()) == (200, {"status": "pong"})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"zen=x", "`payload` is missing"),
        (b"payload=", "this is not JSON: Expecting value, line 1, column 1"),
        (b"payload=%7B%7D&payload=%7B%7D", "`payload` is not text"),
    ],
)
def test_a_ping_whose_form_can_not_be_read_is_refused(running: Doorway, body: bytes, said: str) -> None:
    answer = running.post("/hook/push", body, **{"X-GitHub-Event": "ping"}, **FORM, **signed(body))
    assert (answer.status_code, answer.json()) == (400, {"error": said})


@pytest.mark.parametrize(
    ("body", "headers", "seen"),
    [
        (posted(command="/deploy", text="now please"), FORM, {"command": "/deploy", "text": "now please"}),
        (posted(payload=json.dumps(PRESSED)), FORM, PRESSED),
        (b'{"type": "app_rate_limited", "team_id": "T1"}', {}, {"type": "app_rate_limited", "team_id": "T1"}),
        (b'{"event": {"type": "message"}}', {}, {"event": {"type": "message"}}),
    ],
)
def test_what_slack_sends_is_read_and_answered_with_nothing(
    tmp_path: Path, body: bytes, headers: dict[str, str], seen: Any
) -> None:
    with Doorway(tmp_path, [SLACK]) as door:
        answer = door.post("/hook/slack", body, **by_slack(body, **headers))
        assert (answer.status_code, answer.content) == (200, b"")
        (event,) = door.events()
        assert event.data["body"] == seen


CONFIRM = (
    b'{"Type":"SubscriptionConfirmation","MessageId":"m-1","Token":"t","TopicArn":"arn:aws:sns:eu:1:t",'
    b'"Message":"please confirm","SubscribeURL":"https://sns.example.com/?Action=Confirm&Token=t"}'
)
TEXT = {"Content-Type": "text/plain; charset=UTF-8"}


def test_amazon_sns_is_read_though_it_calls_its_json_plain_text(running: Doorway) -> None:
    sent = {**TEXT, "X-Amz-Sns-Message-Type": "SubscriptionConfirmation", "X-Amz-Sns-Message-Id": fresh()}
    event = kept(running, running.post("/hook/open", CONFIRM, **sent))
    assert event.data["body"]["SubscribeURL"] == "https://sns.example.com/?Action=Confirm&Token=t"
    assert event.data["headers"]["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    assert running.post("/hook/open", CONFIRM, **sent).status_code == 200


def test_who_shows_its_password_only_when_asked_is_asked(tmp_path: Path) -> None:
    """Amazon SNS does so with the password in the address of its subscription."""
    guard = scheme("basic", [SECRET], {"user": "sns"})
    with Doorway(tmp_path, [Hook(path="sns", scheme=guard, preset=PRESETS["json"])]) as door:
        asked = [door.post(f"/hook/{path}", CONFIRM, **TEXT) for path in ("sns", "nothing")]
        assert [answer.status_code for answer in asked] == [401, 401]
        assert {answer.headers["www-authenticate"] for answer in asked} == {
            'Basic realm="wbox_notify", charset="UTF-8"'
        }
        opener = build_opener(HTTPBasicAuthHandler(HTTPPasswordMgrWithDefaultRealm()))
        (handler,) = [one for one in opener.handlers if isinstance(one, HTTPBasicAuthHandler)]
        handler.add_password("wbox_notify", door.url, "sns", SECRET.decode())
        with opener.open(Request(f"{door.url}/hook/sns", CONFIRM, TEXT), timeout=10) as answer:
            assert answer.status == 202


ALERTS = b'{"alerts": [{"status": "firing", "labels": {"a": "b"}}]}'
PROVEN = {"Authorization": f"Bearer {SECRET.decode()}"}


@pytest.mark.parametrize("headers", [TEXT, {}, FORM, {"Content-Type": "application/json"}])
def test_where_a_preset_wants_json_it_is_read_whatever_it_says_it_is(
    running: Doorway, headers: dict[str, str]
) -> None:
    event = kept(running, running.post("/hook/alerts", ALERTS, **headers, **PROVEN))
    assert event.data["body"] == json.loads(ALERTS)


@pytest.mark.parametrize(
    ("body", "headers", "said"),
    [
        (b"{}", {}, "`alerts` is missing"),
        (b"[]", {}, "the body is not a JSON object"),
        (b'{"alerts": [{"status": "firing"}]}', {}, "`alerts[0].labels` is missing"),
        (b"disk is full", TEXT, "this is not JSON: Expecting value, line 1, column 1"),
        (b'{"a": 1, "a": 2}', TEXT, 'the key "a" comes twice in one object'),
        (b"a=1", FORM, "this hook takes JSON and not a form"),
    ],
)
def test_what_a_preset_can_not_read_is_refused_at_the_door(
    door: Doorway, caplog: pytest.LogCaptureFixture, body: bytes, headers: dict[str, str], said: str
) -> None:
    answer = door.post("/hook/alerts", body, **headers, **PROVEN)
    assert (answer.status_code, answer.json()) == (400, {"error": said})
    assert door.events() == []
    assert "/hook/alerts" in caplog.text
    assert said in caplog.text


def test_a_call_without_the_header_that_names_its_event_is_refused(running: Doorway) -> None:
    answer = running.post("/hook/push", b"{}", **signed(b"{}"))
    assert (answer.status_code, answer.json()) == (400, {"error": "the header X-GitHub-Event is missing"})


# Who only asks


WOO = {"header": "X-WC-Webhook-Signature", "encoding": "base64"}
SHOP = Hook(path="shop", scheme=scheme("hmac", [SECRET], WOO), preset=PRESETS["json"])
HOOKSHOT = {"User-Agent": "WooCommerce/9.4 Hookshot (WordPress/6.7)"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    with Doorway(tmp_path_factory.mktemp("shop"), [SHOP, OPEN, BEARER]) as doorway:
        yield doorway


def test_the_unsigned_ping_of_woocommerce_gets_200_and_is_no_event(shop: Doorway) -> None:
    for path in ("shop", "open"):
        answer = shop.post(f"/hook/{path}", b"webhook_id=7", **FORM, **HOOKSHOT)
        assert (answer.status_code, answer.content) == (200, b"")
    assert shop.events() == []


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("shop", b"webhook_id=7&a=1", HOOKSHOT),
        ("shop", b"webhook_id=seven", HOOKSHOT),
        ("shop", b"webhook_id=7", {"X-WC-Webhook-Signature": "AAAA"}),
        ("shop", b"", HOOKSHOT),
        ("alerts", b"webhook_id=7", HOOKSHOT),
        ("nothing", b"webhook_id=7", HOOKSHOT),
    ],
)
def test_nothing_else_passes_for_a_ping(
    shop: Doorway, path: str, body: bytes, headers: dict[str, str]
) -> None:
    answer = shop.post(f"/hook/{path}", body, **FORM, **headers)
    assert (answer.status_code, answer.json()) == (401, REFUSED)


def test_a_signed_call_of_woocommerce_is_an_event(tmp_path: Path) -> None:
    body = b'{"id": 727, "status": "processing"}'
    code = b64encode(digest(SECRET, body, "sha256")).decode()
    with Doorway(tmp_path, [SHOP]) as door:
        answer = door.post(
            "/hook/shop",
            body,
            **{
                "Content-Type": "application/json",
                "X-WC-Webhook-Signature": code,
                "X-WC-Webhook-Topic": "order.created",
            },
        )
        assert kept(door, answer).data["headers"]["x-wc-webhook-topic"] == "order.created"


def test_a_form_from_anybody_else_is_an_event_on_an_open_hook(running: Doorway) -> None:
    assert kept(running, running.post("/hook/open", b"webhook_id=7", **FORM)).data["body"] == {
        "webhook_id": "7"
    }


GRID: dict[str, Any] = {
    "id": "v1",
    "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
    "data": {"validationCode": "ABC-1"},
}


def test_event_grid_gets_its_code_back(running: Doorway) -> None:
    answer = running.post("/hook/open", [GRID])
    assert (answer.status_code, answer.json()) == (200, {"validationResponse": "ABC-1"})


@pytest.mark.parametrize(
    "body",
    [
        GRID,
        [GRID, GRID],
        [GRID | {"eventType": "Contoso.Items.ItemReceived"}],
        [GRID | {"data": {"validationCode": 7}}],
        [GRID | {"data": None}],
        [7],
    ],
)
def test_what_is_no_question_of_event_grid_is_an_event(running: Doorway, body: Any) -> None:
    assert running.post("/hook/open", body).status_code == 202


@pytest.mark.parametrize("path", ["push", "open", "nothing"])
def test_who_asks_with_options_may_call_any_path_and_has_to_prove_itself_then(
    running: Doorway, path: str
) -> None:
    asked = {"WebHook-Request-Origin": "eventgrid.azure.net", "WebHook-Request-Rate": "120"}
    answer = requests.options(f"{running.url}/hook/{path}", headers=asked, timeout=10)
    assert (answer.status_code, answer.content) == (200, b"")
    said = {
        name: answer.headers[name] for name in ("allow", "webhook-allowed-origin", "webhook-allowed-rate")
    }
    assert said == {
        "allow": "POST, PUT",
        "webhook-allowed-origin": "eventgrid.azure.net",
        "webhook-allowed-rate": "*",
    }
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origin", ["", "a b", "ışık", "x" * 256, "<script>"])
def test_an_origin_that_is_no_name_is_not_agreed_to(running: Doorway, origin: str) -> None:
    asked = {"WebHook-Request-Origin": origin.encode()}
    assert requests.options(f"{running.url}/hook/open", headers=asked, timeout=10).status_code == 405


# What may be in a body


@pytest.mark.parametrize(
    ("kind", "body", "value"),
    [
        ("application/json", b'{"a": [1, "x"]}', {"a": [1, "x"]}),
        ("application/json; charset=UTF-8", b"[]", []),
        ("application/cloudevents+json", b'"text"', "text"),
        ("application/x-www-form-urlencoded", b' {"a": 1}', {"a": 1}),
        ("application/x-www-form-urlencoded", b"a=1&b=%C3%A7&b=x+y", {"a": "1", "b": ["ç", "x y"]}),
        ("text/plain; charset=utf-8", "Işık söndü".encode(), "Işık söndü"),
        ("text/plain; charset=UTF-8", b'{"a": 1}', {"a": 1}),
        ("text/plain", b' [{"a": 1}]', [{"a": 1}]),
        ("text/plain", b'{"a": 1', '{"a": 1'),
        ("text/plain", b"[error] disk is full", "[error] disk is full"),
        ("text/plain", b"7", "7"),
        ("text/plain", b'"a"', '"a"'),
        ("text/plain", b"\xef\xbb\xbfhi", "hi"),
        (
            "application/json",
            b'\xef\xbb\xbf{"value": [{"resource": "list-1"}]}',
            {"value": [{"resource": "list-1"}]},
        ),
        ("application/x-www-form-urlencoded", b"\xef\xbb\xbfa=1&b=2", {"a": "1", "b": "2"}),
        ("application/x-www-form-urlencoded", b"%EF%BB%BFa=1", {"a": "1"}),
        ("application/x-www-form-urlencoded", b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (None, b'{"a": 1}', {"a": 1}),
        (None, b"disk is full", "disk is full"),
        (None, b"", ""),
        ("text/plain", b"x" * (256 * 1024), "x" * (256 * 1024)),
        ("application/json", b'"NUL \\u0000 and half \\ud800"', "NUL � and half �"),
    ],
)
def test_a_body_is_read_as_what_it_says_it_is(
    running: Doorway, kind: str | None, body: bytes, value: Any
) -> None:
    headers = {"Content-Type": kind} if kind else {}
    assert kept(running, running.post("/hook/open", body, **headers)).data["body"] == value


@pytest.mark.parametrize(
    ("headers", "body", "answered"),
    [
        ({"Content-Encoding": "gzip"}, b"{}", 415),
        ({"Content-Encoding": "identity, gzip"}, b"{}", 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--y--", 400),
        ({"Content-Type": "application/octet-stream"}, b"{}", 415),
        ({"Content-Type": "application/json; charset=latin-1"}, b"{}", 415),
        ({"Content-Type": "application/json"}, b"", 400),
        ({"Content-Type": "application/json"}, b"{'a': 1}", 400),
        ({"Content-Type": "application/json"}, b"[" * 100_000, 400),
        ({"Content-Type": "application/json"}, b"NaN", 400),
        ({"Content-Type": "application/json"}, b"1e999", 400),
        ({"Content-Type": "application/json"}, b"9" * 5000, 400),
        ({"Content-Type": "application/json"}, b'{"a": 1, "a": 2}', 400),
        ({"Content-Type": "application/json"}, b"\xef\xbb\xbf\xef\xbb\xbf{}", 400),
        ({"Content-Type": "application/json, text/plain"}, b"{}", 415),
        ({"Content-Type": "application/json"}, b'"\xff"', 400),
        ({"Content-Type": "text/plain"}, b"\xe7", 400),
        ({}, b"\xe7", 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"a&" * 2000, 400),
    ],
)
def test_W05_W06_a_body_that_can_not_be_used_is_refused(
    running: Doorway, headers: dict[str, str], body: bytes, answered: int
) -> None:
    answer = running.post("/hook/open", body, **headers)
    assert answer.status_code == answered
    assert answer.json()["error"]


def test_a_body_is_looked_at_only_after_the_proof(running: Doorway) -> None:
    assert running.post("/hook/push", b"{broken").json() == REFUSED


def test_a_query_that_can_not_be_used_is_refused(running: Doorway) -> None:
    assert running.post("/hook/open?a=%ff", b"{}").status_code == 400


def test_identity_is_no_encoding(running: Doorway) -> None:
    for said in ("identity", "Identity", ""):
        assert running.post("/hook/open", {}, **{"Content-Encoding": said}).status_code == 202


def test_W04_a_large_body_is_taken_to_the_last_byte_and_not_beyond(tmp_path: Path) -> None:
    with Doorway(tmp_path, limits=Limits(body=300_000)) as door:
        largest = b'"' + b"x" * 299_998 + b'"'
        assert len(kept(door, door.post("/hook/open", largest)).data["body"]) == 299_998
        assert door.post("/hook/open", largest + b" ").status_code == 413


def test_two_thousand_alerts_of_alertmanager_are_one_call(running: Doorway) -> None:
    labels = {"alertname": "HostDown", "instance": "node-1234.example.com:9100", "severity": "critical"}
    notes = {"summary": "The host does not answer", "description": "No scrape for 5 minutes. " * 20}
    times = {"startsAt": "2026-11-29T10:00:00.000Z", "endsAt": "0001-01-01T00:00:00Z"}
    alert = {"status": "firing", "labels": labels, "annotations": notes, **times, "fingerprint": "a" * 16}
    alert["generatorURL"] = "http://prometheus.example.com:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1"
    body = {"version": "4", "status": "firing", "receiver": "wbox", "alerts": [alert] * 2000}
    answer = running.post("/hook/alerts", body, Authorization=f"Bearer {SECRET.decode()}")
    assert len(kept(running, answer).data["body"]["alerts"]) == 2000


def test_a_body_of_ten_megabytes_is_refused_in_words(running: Doorway) -> None:
    answer = running.post("/hook/open", b"x" * 10_000_000)
    assert (answer.status_code, answer.json()) == (413, {"error": "the body is larger than 4096 KiB"})


def test_W04_an_announced_body_that_is_too_large_is_not_waited_for(running: Doorway) -> None:
    head = b"POST /hook/open HTTP/1.1\r\nHost: a\r\nContent-Length: 200000000\r\nExpect: 100-continue\r\n\r\n"
    answer = running.wire(head)
    assert status(answer) == 413


def test_W04_a_chunked_body_without_an_end_is_cut(running: Doorway) -> None:
    head = b"POST /hook/open HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    assert status(running.wire(head, *[chunk] * 200)) == 413


def test_W07_a_slow_body_is_not_waited_for(tmp_path: Path) -> None:
    with Doorway(tmp_path, limits=Limits(seconds=0.2), protocol=Hasty) as door:
        answer = door.wire(b"POST /hook/open HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123")
        assert status(answer) == 408
        assert b"the body took longer than 0.2 s" in answer
        assert door.events() == []


# What is kept of the headers


PROVING = [
    *("Authorization", "Proxy-Authorization", "Cookie", "X-Hub-Signature-256", "X-Gitlab-Token", "X-Api-Key"),
    *("X-Auth", "X-Webhook-Hmac", "Webhook-Signature", "X-Goog-Iap-Jwt-Assertion", "X-Amzn-Oidc-Data"),
    *("X-Ms-Client-Principal", "X-Jwt", "X-Otp", "X-Pass", "X-Pin", "X-Pwd", "X-Nonce", "X-Sig", "X-Ticket"),
    *("X-Access-Key", "X-Client-Cert", "X-Session-Id", "Ce-Token", "X-Saml-Response", "X-User-Password"),
]


@pytest.fixture(scope="module")
def naming(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    """The hook of two rules that name headers, even some that they cannot have."""
    folder = tmp_path_factory.mktemp("naming")
    one = rule_file(
        "trigger: {webhook: {path: naming, open: true, id: 'headers[\"x-order\"]'}}\n"
        'if: headers["x-kind"] == "paid"\n'
    )
    words = " ".join((*PROVING, "X-Other")).lower()
    two = one.replace("id: a", "id: b").replace('"hi"', f'"{{{{ headers | items }}}} {words}"')
    loaded = project(folder, {"rules/a.yaml": one, "rules/b.yaml": two})
    assert loaded.problems == ()
    with Doorway(folder, loaded.hooks.values()) as doorway:
        yield doorway


@pytest.mark.parametrize("part", range(6))
def test_headers_that_say_what_a_call_is_are_kept_and_no_others(running: Doorway, part: int) -> None:
    known = {
        name.title(): f"{fresh()} of {name}" for name in sorted(KNOWN_HEADERS - {"content-type"})[part::6]
    }
    others = {"X-Event": "b", "X-Author": "d", "Accept": "*/*", "X-Forwarded-For": "192.0.2.1"}
    proofs = dict.fromkeys(PROVING, "canary")
    event = kept(running, running.post("/hook/open", b"{}", **known, **others, **proofs))
    found = {name: value for name, value in event.data["headers"].items() if name != "user-agent"}
    assert found == {name.lower(): value for name, value in known.items() if name != "User-Agent"}


def test_headers_that_rules_name_are_kept_but_for_those_that_prove_something(naming: Doorway) -> None:
    named = {"X-Order": fresh(), "X-Kind": "paid", "X-Other": "1"}
    proofs = dict.fromkeys(PROVING, "canary")
    event = kept(naming, naming.post("/hook/naming", b"{}", **named, **proofs, **{"X-Unnamed": "1"}))
    assert {name for name in event.data["headers"] if name.startswith("x-")} == {
        "x-order",
        "x-kind",
        "x-other",
    }
    assert "canary" not in json.dumps(dict(event.data))


def test_the_header_of_a_secret_is_not_kept_whatever_its_name(tmp_path: Path) -> None:
    guard = scheme("header", [SECRET], {"header": "X-Door"})
    named = frozenset({"x-door", "x-other"})
    hook = Hook(path="door", scheme=guard, preset=PRESETS["json"], named=named)
    with Doorway(tmp_path, [hook]) as door:
        event = kept(door, door.post("/hook/door", b"{}", **{"X-Door": SECRET.decode(), "X-Other": "1"}))
        assert "x-door" not in event.data["headers"]
        assert event.data["headers"]["x-other"] == "1"
        assert SECRET.decode() not in json.dumps(dict(event.data))


@pytest.mark.parametrize(
    "name", ["Webhook-Id", "Idempotency-Key", "X-Gitea-Delivery", "X-Amz-Sns-Message-Id"]
)
def test_the_id_of_a_sender_counts_on_an_open_hook_too(running: Doorway, name: str) -> None:
    delivery = fresh()
    answers = [running.post("/hook/open", b"{}", **{name: delivery}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 200]


def test_every_header_that_holds_the_id_of_a_delivery_is_kept() -> None:
    kinds = [preset.scheme for preset in PRESETS.values()]
    assert {header for kind in kinds for header in delivery(kind).headers} <= KNOWN_HEADERS


# Which delivery it is


def by_order(values: Any) -> str | None:
    if "order" not in values["body"]:
        raise WboxError("`body` has no `order`")
    return values["body"]["order"] and f"{values['query'].get('shop')}-{values['body']['order']}"


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    hook = Hook(path="orders", scheme=None, preset=PRESETS["json"], id=by_order)
    with Doorway(tmp_path_factory.mktemp("orders"), [hook]) as doorway:
        yield doorway


def test_W02_a_rule_may_say_what_makes_deliveries_the_same(orders: Doorway) -> None:
    number = fresh()
    one = orders.post("/hook/orders?shop=1", {"order": number}, **{"Webhook-Id": "a"})
    same = orders.post("/hook/orders?shop=1", {"order": number}, **{"Webhook-Id": "b"})
    other = orders.post("/hook/orders?shop=2", {"order": number})
    assert [one.status_code, same.status_code, other.status_code] == [202, 200, 202]
    assert one.json()["id"] == f"webhook:orders:1-{number}"


def test_where_the_rule_finds_nothing_the_id_of_the_sender_counts(orders: Doorway) -> None:
    answer = orders.post("/hook/orders", {"order": ""}, **{"Webhook-Id": "of-the-sender"})
    assert answer.json()["id"] == "webhook:orders:of-the-sender"


def test_a_call_that_lacks_what_the_rule_asks_for_is_refused(orders: Doorway) -> None:
    answer = orders.post("/hook/orders", {})
    assert (answer.status_code, answer.json()) == (400, {"error": "`body` has no `order`"})


@pytest.mark.parametrize("order", ["x" * 400, "two\nlines", "\u202e"])
def test_an_id_that_is_long_or_not_printable_is_hashed(orders: Doorway, order: str) -> None:
    answer = orders.post("/hook/orders?shop=1", {"order": order})
    assert answer.json()["id"] == f"webhook:{sha256(f'webhook:orders:1-{order}'.encode()).hexdigest()}"
    assert orders.post("/hook/orders?shop=1", {"order": order}).json()["duplicate"]


def test_while_the_id_of_one_call_is_worked_out_others_are_answered(tmp_path: Path) -> None:
    begun, end = Event(), Event()

    def slowly(_values: object) -> str:
        begun.set()
        assert end.wait(20)
        return "slow"

    hook = Hook(path="slow", scheme=None, preset=PRESETS["json"], id=slowly)
    with Doorway(tmp_path, [hook, OPEN]) as door, ThreadPoolExecutor() as pool:
        slow = [pool.submit(door.post, "/hook/slow") for _ in range(3)]
        assert begun.wait(20)
        assert requests.get(f"{door.url}/livez", timeout=10).status_code == 200
        assert door.post("/hook/open", {}).status_code == 202
        end.set()
        assert sorted(answer.result().status_code for answer in slow) == [200, 200, 202]


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    """The hook of a rule with `id: body.id`."""
    folder = tmp_path_factory.mktemp("named")
    text = rule_file("trigger: {webhook: {path: named, open: true, id: body.id}}")
    with Doorway(folder, project(folder, {"rules/a.yaml": text}).hooks.values()) as doorway:
        yield doorway


@pytest.mark.parametrize("nothing", [None, "", " "])
def test_calls_whose_id_is_nothing_are_known_by_the_id_of_the_sender(named: Doorway, nothing: Any) -> None:
    keys = [fresh() for _ in range(3)]
    answers = [named.post("/hook/named", {"id": nothing}, **{"Idempotency-Key": key}) for key in keys]
    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert [answer.json()["id"] for answer in answers] == [f"webhook:named:{key}" for key in keys]
    unnamed = [named.post("/hook/named", {"id": nothing}).status_code for _ in range(3)]
    assert unnamed == [202, 202, 202]


@pytest.mark.parametrize(
    ("odd", "said"), [(True, "true or false"), ([], "a list"), ([1], "a list"), ({"a": 1}, "a map")]
)
def test_an_id_that_is_no_text_and_no_number_is_refused(named: Doorway, odd: Any, said: str) -> None:
    answer = named.post("/hook/named", {"id": odd})
    assert answer.status_code == 400
    assert answer.json() == {"error": f"`id` has to be a text or a number, and is {said} here"}


@pytest.mark.parametrize("odd", ["ışık ✓", "\u202e", "a\x00b\r\nX-Y: z", "\x7f\x9f", "x" * 5000, 10**40, 0])
def test_an_id_may_have_any_letters(named: Doorway, odd: Any) -> None:
    odd = odd if isinstance(odd, int) else f"{odd} {fresh()}"
    first, again = (named.post("/hook/named", {"id": odd}) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 200)
    event = kept(named, first)
    assert event.id == first.json()["id"] == again.json()["id"]
    assert event.id.isprintable()


# When the store is away


def test_W11_while_the_store_is_away_the_sender_is_asked_to_come_again(tmp_path: Path) -> None:
    def away(_events: Sequence[events.Event]) -> Future[list[bool]]:
        future: Future[list[bool]] = Future()
        future.set_exception(StoreError("the store cannot be used: disk is full"))
        return future

    with Doorway(tmp_path, accept=away) as door:
        answer = door.post("/hook/open", {})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert requests.get(f"{door.url}/readyz", timeout=10).status_code == 503
        assert requests.get(f"{door.url}/livez", timeout=10).status_code == 200


def test_calls_of_one_moment_are_stored_together_and_each_hears_of_its_own(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/wbox.db")
    together: list[list[str]] = []

    def accept(batch: Sequence[events.Event]) -> Future[list[bool]]:
        together.append([event.id for event in batch])
        return store.put_events(batch, 1.0)

    async def of_one_moment(*names: str) -> list[bool]:
        at = datetime(2026, 11, 23, 9, tzinfo=UTC)
        calls = [events.Event(id=name, type="webhook", at=at, data={}) for name in names]
        return await asyncio.gather(*map(batches.store, calls))

    batches = Batches(accept)
    assert asyncio.run(of_one_moment("a", "b", "a")) == [True, True, False]
    assert asyncio.run(of_one_moment("b", "c")) == [False, True]
    assert together == [["a", "b", "a"], ["b", "c"]]
    assert store.known_events(["a", "b", "c"]) == {"a", "b", "c"}
    store.close()


def test_a_store_that_is_closed_already_is_away_too(tmp_path: Path) -> None:
    def closed(_events: Sequence[events.Event]) -> Future[list[bool]]:
        raise StoreError("the store is closed")

    with Doorway(tmp_path, accept=closed) as door:
        assert door.post("/hook/open", {}).status_code == 503


def test_who_waits_when_the_daemon_stops_is_asked_to_come_again(tmp_path: Path) -> None:
    with (
        Doorway(tmp_path, accept=lambda _: Future()) as door,
        door.connect() as connection,
        ThreadPoolExecutor() as pool,
    ):
        connection.sendall(request("/hook/open", b"{}"))
        livez = requests.get(f"{door.url}/livez", timeout=10)
        assert livez.status_code == 200
        stopped = pool.submit(door.server.stop)
        assert status(connection.recv(4096)) == 503
        stopped.result(10)


# Reload


def test_after_a_reload_the_new_hooks_are_served(tmp_path: Path) -> None:
    with Doorway(tmp_path, [OPEN]) as door:
        moved = Hook(path="moved", scheme=None, preset=PRESETS["json"])
        assert [door.post(f"/hook/{path}").status_code for path in ("open", "moved")] == [202, 401]
        door.hooks.clear()
        door.hooks[moved.path] = moved
        assert [door.post(f"/hook/{path}").status_code for path in ("open", "moved")] == [401, 202]


# Anything at all

NAMES = st.sampled_from(
    [
        "Authorization",
        "Content-Type",
        "Content-Encoding",
        "X-Hub-Signature-256",
        "X-GitHub-Event",
        "X-GitHub-Delivery",
        "X-Slack-Signature",
        "X-Slack-Request-Timestamp",
        "Webhook-Id",
        "Webhook-Timestamp",
        "Webhook-Signature",
        "Svix-Signature",
        "X-Anything",
    ]
)
VALUES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [b"application/json", b"text/plain", b"sha256=00", b"v0=00", b"v1,AAAA", b"ping", b"%d" % time.time()]
    ),
)
LINES = VALUES.filter(lambda value: b"\r\n" not in value)
PATHS = st.one_of(
    st.sampled_from([b"push", b"open", b"alerts", b"slack", b"team/standard", b"open?a=%00&%C3%A7"]),
    st.binary(max_size=30),
)
BODIES = st.one_of(
    st.binary(max_size=200), st.sampled_from([b"{}", b"[]", b'{"id": "x"}', b'{"type": "url_verification"}'])
)


@given(path=PATHS, headers=st.lists(st.tuples(NAMES, VALUES), max_size=6), body=BODIES)
def test_W03_nothing_but_the_documented_statuses_comes_out(
    running: Doorway, path: bytes, headers: list[tuple[str, bytes]], body: bytes
) -> None:
    lines = b"".join(b"%s: %s\r\n" % (name.encode(), value) for name, value in headers)
    head = b"POST /hook/%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n" % (path, len(body))
    answer = running.wire(head + lines + b"Connection: close\r\n\r\n" + body)
    assert status(answer) in DOCUMENTED


@given(body=BODIES | st.text(max_size=100).map(str.encode), kind=LINES, event=LINES, delivery=LINES)
def test_what_is_proven_may_be_anything_too(
    running: Doorway, body: bytes, kind: bytes, event: bytes, delivery: bytes
) -> None:
    proof = signed(body)["X-Hub-Signature-256"].encode()
    head = b"POST /hook/push HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nContent-Type: %s\r\n"
    more = (
        b"X-GitHub-Event: %s\r\nX-GitHub-Delivery: %s\r\nX-Hub-Signature-256: %s\r\nConnection: close\r\n\r\n"
    )
    answer = running.wire(head % (len(body), kind) + more % (event, delivery, proof) + body)
    assert status(answer) in DOCUMENTED - {401, 405}


@given(said=st.binary(min_size=1, max_size=300))
def test_bytes_that_are_no_request_are_refused(running: Doorway, said: bytes) -> None:
    with running.connect() as connection:
        connection.sendall(said + b"\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        found = b"".join(iter(lambda: connection.recv(4096), b""))
    assert status(found) in {0, *DOCUMENTED}
