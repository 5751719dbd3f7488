"""The simulator answers as the wbox API document says, and fails only when it is told to."""

import base64
import contextlib
import io
import json
import re
import shutil
import socket
import string
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workplace import until

from wbox_notify.errors import WboxError
from wbox_notify.model.texts import problem_of
from wbox_notify.simulator import Simulator

TEXT = {"phone": "905555555555", "message": "Hello from API!"}
MEDIA = {"phone": "905555555555", "media_url": "https://example.com/image.jpg", "message": "Caption here"}
EVENT = {
    "phone": "905555555555",
    "event": {"title": "Meeting", "description": "Weekly review", "startDate": "2026-10-15T14:00"},
}
POLL = {"phone": "905555555555", "message": "Question?", "options": ["Yes", "No"]}
KINDS = {"text": TEXT, "media": MEDIA, "event": EVENT, "poll": POLL}
KEY = {"Authorization": "Bearer sk_YOUR_KEY"}
SENT = {"success": True, "message": "Message sent successfully", "to": "905555555555"}
LINKED = {"device_id": 1, "isReady": True, "state": "INITIALIZED", "qr": None, "status": "connected"}
PNG = b"\x89PNG\r\n\x1a\n"
NONE_YET: dict[str, list[Any]] = {"messages": []}


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def sim(running: Simulator) -> Simulator:
    running.clear()
    running.clear_faults()
    for device in (1, 2):
        running.scan(device)
    return running


def send(sim: Simulator, kind: str = "text", body: Any = TEXT, **headers: str) -> requests.Response:
    return requests.post(f"{sim.url}/v1/send/{kind}", json=body, headers={**KEY, **headers}, timeout=10)


def get(sim: Simulator, path: str, headers: dict[str, str] = KEY) -> requests.Response:
    return requests.get(sim.url + path, headers=headers, timeout=10)


def control(sim: Simulator, path: str, body: Any) -> requests.Response:
    return requests.post(f"{sim.url}/sim/{path}", json=body, timeout=10)


def address(sim: Simulator) -> tuple[str, int]:
    host, _, port = sim.url.removeprefix("http://").rpartition(":")
    return host, int(port)


def on_the_wire(sim: Simulator, request: str | bytes) -> bytes:
    """Return all bytes that come back until the simulator closes the connection."""
    raw = request if isinstance(request, bytes) else request.encode()
    with socket.create_connection(address(sim), timeout=10) as connection:
        connection.sendall(raw)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def post_bytes(path: str, body: str, *headers: str) -> str:
    fixed = ("Host: localhost", "Connection: close", f"Content-Length: {len(body.encode())}", *headers)
    return "\r\n".join([f"POST {path} HTTP/1.1", *fixed, "", body])


# What the document asks for and answers.


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_message_gets_the_documented_answer(sim: Simulator, kind: str) -> None:
    answer = send(sim, kind, KINDS[kind])
    assert (answer.status_code, answer.json()) == (200, SENT)
    assert answer.headers["content-type"] == "application/json"
    (row,) = sim.messages()
    assert row.pop("at").endswith("Z")
    assert row == {"endpoint": f"/v1/send/{kind}", "device_id": 1, "body": KINDS[kind], "answered": 200}


def test_the_status_of_a_linked_device_is_the_documented_example(sim: Simulator) -> None:
    assert get(sim, "/v1/session/status?device_id=1").json() == LINKED
    assert get(sim, "/v1/session/status").json() == LINKED


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("text", {}, "Missing required parameters (phone, message)."),
        ("text", {"phone": "905"}, "Missing required parameters (message)."),
        ("text", {"phone": "", "message": " "}, "Missing required parameters (phone, message)."),
        ("text", {"phone": None, "message": "x"}, "Missing required parameters (phone)."),
        ("text", {"phone": 905, "message": "x"}, "Invalid parameter: phone must be a string."),
        ("text", {"phone": "905", "message": ["x"]}, "Invalid parameter: message must be a string."),
        ("text", [], "Missing required parameters (phone, message)."),
        ("text", "hello", "Missing required parameters (phone, message)."),
        ("text", None, "Missing required parameters (phone, message)."),
        ("text", TEXT | {"device_id": "1"}, "Invalid parameter: device_id must be an integer, 1 or higher."),
        ("text", TEXT | {"device_id": 1.5}, "Invalid parameter: device_id must be an integer, 1 or higher."),
        ("text", TEXT | {"device_id": True}, "Invalid parameter: device_id must be an integer, 1 or higher."),
        ("text", TEXT | {"device_id": 0}, "Invalid parameter: device_id must be an integer, 1 or higher."),
        ("media", {"phone": "905"}, "Missing required parameters (media_url)."),
        ("media", MEDIA | {"message": 1}, "Invalid parameter: message must be a string."),
        ("event", {"phone": "905"}, "Missing required parameters (event, event.title)."),
        ("event", {"phone": "905", "event": {}}, "Missing required parameters (event.title)."),
        (
            "event",
            {"phone": "905", "event": {"title": 1}},
            "Invalid parameter: event.title must be a string.",
        ),
        (
            "event",
            {"phone": "905", "event": {"title": "x", "startDate": 5, "description": []}},
            (
                "Invalid parameter: event.description must be a string. "
                "Invalid parameter: event.startDate must be a string."
            ),
        ),
        ("poll", {"phone": "905", "message": "?"}, "Missing required parameters (options)."),
        (
            "poll",
            POLL | {"options": ["Yes"]},
            "Invalid parameter: options must be an array of at least 2 strings.",
        ),
        (
            "poll",
            POLL | {"options": "Yes"},
            "Invalid parameter: options must be an array of at least 2 strings.",
        ),
        (
            "poll",
            POLL | {"options": ["a", 2]},
            "Invalid parameter: options must be an array of at least 2 strings.",
        ),
        (
            "poll",
            POLL | {"options": ["a", ""]},
            "Invalid parameter: options must be an array of at least 2 strings.",
        ),
    ],
)
def test_a_400_names_each_parameter_that_is_missing_or_wrong(
    sim: Simulator, kind: str, body: Any, words: str
) -> None:
    raw = requests.post(f"{sim.url}/v1/send/{kind}", data=json.dumps(body), headers=KEY, timeout=10)
    assert (raw.status_code, raw.json()) == (400, {"success": False, "message": words})
    assert sim.messages() == []


@pytest.mark.parametrize(
    "authorization",
    [None, "", "sk_x", "Bearer", "Bearer ", "Bearer sk_", "Bearer key", "Basic sk_x", "Bearer şk_x"],
)
def test_without_a_good_key_the_answer_is_401(sim: Simulator, authorization: str | None) -> None:
    header = [] if authorization is None else [f"Authorization: {authorization}"]
    for path in (*(f"/v1/send/{kind}" for kind in KINDS), "/v1/session/start"):
        answer = on_the_wire(sim, post_bytes(path, json.dumps(TEXT), *header))
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert answer.endswith(b'{"success": false, "message": "Invalid or missing API Key."}')
    for path in ("/v1/session/status", "/v1/session/qr?device_id=1"):
        assert get(sim, path, headers={}).status_code == 401


def test_a_given_key_is_the_only_good_one_and_is_shown_nowhere() -> None:
    with Simulator(api_key="sk_the_secret") as strict:
        assert send(strict).status_code == 401
        assert send(strict, Authorization="Bearer sk_the_secret").status_code == 200
        seen = [get(strict, path, headers={}).text for path in ("/", "/sim/messages")]
        assert "the_secret" not in "".join([*seen, repr(strict), repr(strict.messages())])


def test_an_unlinked_device_answers_503_until_it_is_scanned(sim: Simulator) -> None:
    sim.unlink(1)
    answer = send(sim)
    assert answer.status_code == 503
    assert answer.json() == {"success": False, "message": "WhatsApp client not ready (Scan QR code)."}
    assert send(sim, body=TEXT | {"device_id": 2}).status_code == 200
    assert [row["device_id"] for row in sim.messages()] == [2]
    sim.scan(1)
    assert send(sim).status_code == 200


@pytest.mark.parametrize(
    "path", ["", "/", "/send", "/send/text/", "/send/sticker", "/session", "/sim/messages"]
)
def test_there_is_nothing_else_under_v1(sim: Simulator, path: str) -> None:
    answer = get(sim, f"/v1{path}")
    assert (answer.status_code, answer.json()["success"], answer.history) == (404, False, [])


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "send/text"), ("PUT", "send/poll"), ("POST", "session/status"), ("GET", "session/start")],
)
def test_the_wrong_method_gets_a_405(sim: Simulator, method: str, path: str) -> None:
    answer = requests.request(method, f"{sim.url}/v1/{path}", headers=KEY, json=TEXT, timeout=10)
    assert (answer.status_code, answer.json()["success"]) == (405, False)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"phone=905", b"\xff\xfe\xfd", b'{"a": NaN}', b'{"a": 1e999}', b"[" * 100_000, b"1" * 5000],
)
def test_a_body_that_is_no_json_gets_a_400(sim: Simulator, raw: bytes) -> None:
    answer = requests.post(f"{sim.url}/v1/send/text", data=raw, headers=KEY, timeout=10)
    assert (answer.status_code, answer.json()["message"]) == (400, "The body is not valid JSON.")


def test_the_largest_body_is_one_mebibyte(sim: Simulator) -> None:
    frame = len(json.dumps(TEXT | {"message": ""}))
    assert send(sim, body=TEXT | {"message": "x" * (1024 * 1024 - frame)}).status_code == 200
    answer = send(sim, body=TEXT | {"message": "x" * (1024 * 1024 - frame + 1)})
    assert (answer.status_code, answer.json()["success"]) == (413, False)


def test_half_an_emoji_and_other_odd_text_come_back_as_they_were_sent(sim: Simulator) -> None:
    odd = TEXT | {"phone": "9\ud83d", "message": "\ud83d \x00 \u2028 😀 ığ"}
    assert send(sim, body=odd).json()["to"] == "9\ud83d"
    assert get(sim, "/sim/messages").json()["messages"][0]["body"] == odd
    assert get(sim, "/").status_code == 200


def test_an_idempotency_key_is_written_down_and_changes_nothing(sim: Simulator) -> None:
    for _ in range(2):
        assert send(sim, **{"Idempotency-Key": "one"}).status_code == 200
    assert [row["idempotency_key"] for row in sim.messages()] == ["one", "one"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = ("phone", "message", "media_url", "event", "options", "device_id")
FIELDS = {name: JSON | st.text(min_size=1) for name in NAMES}
NEAR = st.fixed_dictionaries(
    {},
    optional=FIELDS
    | {
        "event": JSON | st.fixed_dictionaries({"title": JSON | st.text()}, optional={"startDate": JSON}),
        "options": JSON | st.lists(st.text(), max_size=4),
        "device_id": JSON | st.integers(1, 3),
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), body=JSON | NEAR)
def test_any_json_gets_a_200_or_a_400_that_names_a_parameter(sim: Simulator, kind: str, body: Any) -> None:
    answer = requests.post(f"{sim.url}/v1/send/{kind}", data=json.dumps(body), headers=KEY, timeout=10)
    assert answer.status_code == 200 or (
        answer.status_code == 400 and any(name in answer.json()["message"] for name in NAMES)
    )
    if answer.status_code == 200:
        assert sim.messages()[-1]["body"] == body
    assert get(sim, "/").status_code == 200


# The document's own examples, word for word but for the address.

DOCUMENTED = "https://server.wbox.me"

PYTHON = {
    "text": """
import requests
response = requests.post(
'https://server.wbox.me/v1/send/text',
headers={'Authorization': 'Bearer sk_YOUR_KEY'},
json={'phone': '905555555555', 'message': 'Hello from API!'}
)
print(response.json())
""",
    "media": """
import requests
response = requests.post(
'https://server.wbox.me/v1/send/media',
headers={'Authorization': 'Bearer sk_YOUR_KEY'},
json={
'phone': '905555555555',
'media_url': 'https://example.com/image.jpg',
'message': 'Caption here'
}
)
print(response.json())
""",
    "event": """
import requests
response = requests.post(
'https://server.wbox.me/v1/send/event',
headers={'Authorization': 'Bearer sk_YOUR_KEY'},
json={
'phone': '905555555555',
'event': {'title': 'Meeting', 'description': 'Weekly review', 'startDate': '2026-10-15T14:00'}
}
)
print(response.json())
""",
    "poll": """
import requests
response = requests.post(
'https://server.wbox.me/v1/send/poll',
headers={'Authorization': 'Bearer sk_YOUR_KEY'},
json={'phone': '905555555555', 'message': 'Question?', 'options': ['Yes', 'No']}
)
print(response.json())
""",
    "status": """
import requests
response = requests.get(
'https://server.wbox.me/v1/session/status?device_id=1',
headers={'Authorization': 'Bearer sk_YOUR_KEY'}
)
print(response.json())
""",
    "start": """
import requests
response = requests.post(
'https://server.wbox.me/v1/session/start',
headers={'Authorization': 'Bearer sk_YOUR_KEY'},
json={'device_id': 1}
)
print(response.json())
""",
    "qr": """
import requests
response = requests.get(
'https://server.wbox.me/v1/session/qr?device_id=1&format=base64',
headers={'Authorization': 'Bearer sk_YOUR_KEY'}
)
print(response.json()['qr_base64'])
""",
}
CURL = {
    "text": r"""curl -X POST https://server.wbox.me/v1/send/text \
-H "Authorization: Bearer sk_YOUR_KEY" \
-H "Content-Type: application/json" \
-d '{
"phone": "905555555555",
"message": "Hello from API!"
}'""",
    "media": r"""curl -X POST https://server.wbox.me/v1/send/media \
-H "Authorization: Bearer sk_YOUR_KEY" \
-H "Content-Type: application/json" \
-d '{
"phone": "905555555555",
"media_url": "https://example.com/image.jpg",
"message": "Caption here"
}'""",
    "event": r"""curl -X POST https://server.wbox.me/v1/send/event \
-H "Authorization: Bearer sk_YOUR_KEY" \
-H "Content-Type: application/json" \
-d '{
"phone": "905555555555",
"event": {
"title": "Meeting",
"description": "Weekly review",
"startDate": "2026-10-15T14:00"
}
}'""",
    "poll": r"""curl -X POST https://server.wbox.me/v1/send/poll \
-H "Authorization: Bearer sk_YOUR_KEY" \
-H "Content-Type: application/json" \
-d '{
"phone": "905555555555",
"message": "Question?",
"options": ["Yes", "No"]
}'""",
    # The document lost the line breaks of the next two; without quotes a shell would also cut at the "&".
    "status": r"""curl -X GET "https://server.wbox.me/v1/session/status?device_id=1" \
-H "Authorization: Bearer sk_YOUR_KEY" """,
    "qr": r"""curl -X GET "https://server.wbox.me/v1/session/qr?device_id=1&format=base64" \
-H "Authorization: Bearer sk_YOUR_KEY" """,
    "start": r"""curl -X POST https://server.wbox.me/v1/session/start \
-H "Authorization: Bearer sk_YOUR_KEY" \
-H "Content-Type: application/json" \
-d '{ "device_id": 1 }'""",
}
RUBY = """
require 'net/http'
require 'json'
require 'uri'
uri = URI.parse("https://server.wbox.me/v1/send/text")
request = Net::HTTP::Post.new(uri)
request["Authorization"] = "Bearer sk_YOUR_KEY"
request["Content-Type"] = "application/json"
request.body = JSON.dump({
"phone" => "905555555555",
"message" => "Hello from API!"
})
response = Net::HTTP.start(uri.hostname, uri.port, use_ssl: true) do |http|
http.request(request)
end
puts response.body
"""
PHP = """<?php
$ch = curl_init('https://server.wbox.me/v1/send/media');
curl_setopt($ch, CURLOPT_RETURNTRANSFER, true);
curl_setopt($ch, CURLOPT_HTTPHEADER, [
'Authorization: Bearer sk_YOUR_KEY',
'Content-Type: application/json'
]);
curl_setopt($ch, CURLOPT_POSTFIELDS, json_encode([
'phone' => '905555555555',
'media_url' => 'https://example.com/image.jpg',
'message' => 'Caption here'
]));
$response = curl_exec($ch);
curl_close($ch);
echo $response;
"""
FETCH = """
fetch('https://server.wbox.me/v1/send/poll', {
method: 'POST',
headers: {
'Authorization': 'Bearer sk_YOUR_KEY',
'Content-Type': 'application/json'
},
body: JSON.stringify({
phone: '905555555555',
message: 'Question?',
options: ['Yes', 'No']
})
})
.then(res => res.json())
.then(console.log);
"""
# What the clients put on the wire for their examples, where they are not at hand to do it themselves.
WIRE = {
    "jQuery": (
        "text",
        '{"phone":"905555555555","message":"Hello from API!"}',
        ["Authorization: Bearer sk_YOUR_KEY", "Content-Type: application/json", "Accept: */*"],
    ),
    "jQuery with a charset": (
        "poll",
        '{"phone":"905555555555","message":"Question?","options":["Yes","No"]}',
        ["Authorization: Bearer sk_YOUR_KEY", "Content-Type: application/json; charset=UTF-8"],
    ),
    "axios": (
        "event",
        json.dumps(EVENT, separators=(",", ":")),
        [
            "Accept: application/json, text/plain, */*",
            "Content-Type: application/json",
            "Authorization: Bearer sk_YOUR_KEY",
            "User-Agent: axios/1.7.9",
            "Accept-Encoding: gzip, compress, deflate, br",
        ],
    ),
    "PHP escapes slashes": (
        "media",
        r'{"phone":"905555555555","media_url":"https:\/\/example.com\/image.jpg","message":"Caption here"}',
        ["Accept: */*", "Authorization: Bearer sk_YOUR_KEY", "Content-Type: application/json"],
    ),
    "Ruby": (
        "text",
        '{"phone":"905555555555","message":"Hello from API!"}',
        [
            "Accept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3",
            "Accept: */*",
            "User-Agent: Ruby",
            "Authorization: Bearer sk_YOUR_KEY",
            "Content-Type: application/json",
        ],
    ),
    "a form's Content-Type": (
        "text",
        '{"phone":"905555555555","message":"Hello from API!"}',
        ["Authorization: bearer sk_YOUR_KEY", "Content-Type: application/x-www-form-urlencoded"],
    ),
    "no Content-Type": (
        "text",
        '{"phone":"905555555555","message":"Hello from API!"}',
        ["Authorization: Bearer sk_YOUR_KEY"],
    ),
}


def here(example: str, sim: Simulator) -> str:
    assert DOCUMENTED in example
    return example.replace(DOCUMENTED, sim.url)


def python_says(example: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(example, {})
    return said.getvalue()


def program_says(*command: str, given: str = "") -> str:
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed: its documented example was NOT run")
    ran = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_the_documented_python_examples_send(sim: Simulator, kind: str) -> None:
    assert python_says(here(PYTHON[kind], sim)) == f"{SENT}\n"
    assert [row["body"] for row in sim.messages()] == [KINDS[kind]]


@pytest.mark.parametrize("kind", KINDS)
def test_the_documented_curl_examples_send(sim: Simulator, kind: str) -> None:
    assert json.loads(program_says("curl", *curl_arguments(CURL[kind], sim))) == SENT
    assert [row["body"] for row in sim.messages()] == [KINDS[kind]]


def curl_arguments(example: str, sim: Simulator) -> list[str]:
    """Return what a shell would hand to curl; the shell's own words only."""
    words = re.findall(r"""'([^']*)'|"([^"]*)"|([^\s\\]+)""", here(example, sim))
    return ["--silent", *("".join(word) for word in words[1:])]


@pytest.mark.parametrize("says", ["python", "curl"])
def test_the_documented_session_examples_link_a_device(sim: Simulator, says: str) -> None:
    def run(name: str) -> str:
        if says == "python":
            return python_says(here(PYTHON[name], sim)).replace("'", '"').replace("True", "true")
        return program_says("curl", *curl_arguments(CURL[name], sim))

    assert json.loads(run("status").replace("None", "null")) == LINKED
    sim.unlink(1)
    assert json.loads(run("start"))["success"] is True
    assert "data:image/png;base64,iVBOR" in run("qr")


def test_the_documented_ruby_example_sends(sim: Simulator) -> None:
    without_tls = here(RUBY, sim).replace("use_ssl: true", "use_ssl: false")
    assert json.loads(program_says("ruby", given=without_tls)) == SENT


def test_the_documented_php_example_sends(sim: Simulator) -> None:
    assert json.loads(program_says("php", given=here(PHP, sim))) == SENT


def test_the_documented_fetch_example_sends_from_node(sim: Simulator) -> None:
    assert "Message sent successfully" in program_says("node", "-", given=here(FETCH, sim))
    assert [row["body"] for row in sim.messages()] == [POLL]


@pytest.mark.parametrize("client", WIRE)
def test_the_bytes_of_each_documented_client_send(sim: Simulator, client: str) -> None:
    kind, body, headers = WIRE[client]
    answer = on_the_wire(sim, post_bytes(f"/v1/send/{kind}", body, *headers))
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == SENT
    assert [row["body"] for row in sim.messages()] == [KINDS[kind]]


def test_a_browser_may_call_the_api_from_any_page_but_not_the_control_api(sim: Simulator) -> None:
    asks = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    allowed = requests.options(f"{sim.url}/v1/send/text", headers=asks, timeout=10)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "*"
    assert {"authorization", "content-type"} <= set(
        re.split(r"\W*, ", allowed.headers["access-control-allow-headers"].lower())
    )
    page = {"Origin": "https://shop.example"}
    for headers, status in ((page, 401), (page | KEY, 200)):
        answer = requests.post(f"{sim.url}/v1/send/text", json=TEXT, headers=headers, timeout=10)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, "*")
    refused = requests.options(f"{sim.url}/sim/faults", headers=asks, timeout=10)
    assert (refused.status_code, "access-control-allow-origin" in refused.headers) == (403, False)


# Sessions.


class Clock:
    """A time that passes when it is told to."""

    def __init__(self) -> None:
        self.time = datetime(2026, 10, 15, 14, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


def test_a_device_is_linked_by_start_qr_and_scan() -> None:
    clock = Clock()
    with Simulator(now=clock) as sim:
        sim.unlink(1)
        assert get(sim, "/v1/session/status").json() == {
            "device_id": 1,
            "isReady": False,
            "state": "NOT_INITIALIZED",
            "qr": None,
            "status": "disconnected",
        }
        assert get(sim, "/v1/session/qr?device_id=1").status_code == 404
        answer = requests.post(f"{sim.url}/v1/session/start", json={"device_id": 1}, headers=KEY, timeout=10)
        assert (answer.status_code, answer.json()["success"]) == (200, True)
        waiting = get(sim, "/v1/session/status").json()
        assert (waiting["isReady"], waiting["status"]) == (False, "waiting for scan")
        assert isinstance(waiting["qr"], str)
        picture = get(sim, "/v1/session/qr?device_id=1")
        assert (picture.headers["content-type"], picture.content[:8]) == ("image/png", PNG)
        coded = get(sim, "/v1/session/qr?device_id=1&format=base64").json()
        assert coded["success"] is True
        assert base64.b64decode(coded["qr_base64"].removeprefix("data:image/png;base64,")) == picture.content
        sim.scan(1)
        assert get(sim, "/v1/session/status").json() == LINKED


def test_the_qr_code_changes_with_each_start_and_when_it_is_20_seconds_old() -> None:
    clock = Clock()
    with Simulator(now=clock) as sim:
        sim.unlink(1)

        def code(*, start: bool = False) -> str:
            if start:
                requests.post(f"{sim.url}/v1/session/start", json={"device_id": 1}, headers=KEY, timeout=10)
            return str(get(sim, "/v1/session/status").json()["qr"])

        first, second = code(start=True), code(start=True)
        assert first != second
        clock.time += timedelta(seconds=19)
        assert code() == second
        old = get(sim, "/v1/session/qr?device_id=1").content
        clock.time += timedelta(seconds=1)
        assert get(sim, "/v1/session/qr?device_id=1").content != old
        assert code() not in {first, second}


def test_a_linked_device_has_no_qr_code(sim: Simulator) -> None:
    answer = get(sim, "/v1/session/qr?device_id=1&format=base64")
    assert (answer.status_code, answer.json()["message"]) == (404, "No QR code: device 1 is linked.")
    again = requests.post(f"{sim.url}/v1/session/start", json={"device_id": 1}, headers=KEY, timeout=10)
    assert (again.status_code, sim.url and get(sim, "/v1/session/status").json()) == (200, LINKED)


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/v1/session/qr", "device_id"),
        ("/v1/session/qr?device_id=x", "device_id"),
        ("/v1/session/qr?device_id=1&format=gif", "format"),
        ("/v1/session/status?device_id=0", "device_id"),
        ("/v1/session/status?device_id=1.5", "device_id"),
        ("/v1/session/status?device_id=99999999999", "device_id"),
    ],
)
def test_a_wrong_query_gets_a_400_that_names_it(sim: Simulator, path: str, named: str) -> None:
    answer = get(sim, path)
    assert (answer.status_code, named in answer.json()["message"]) == (400, True)


@pytest.mark.parametrize("body", [{}, [], None, {"device_id": "1"}, {"device_id": None}])
def test_a_session_starts_only_for_a_device(sim: Simulator, body: Any) -> None:
    raw = requests.post(f"{sim.url}/v1/session/start", data=json.dumps(body), headers=KEY, timeout=10)
    assert (raw.status_code, "device_id" in raw.json()["message"]) == (400, True)


# The control API.


def test_the_ledger_is_read_and_emptied_over_http(sim: Simulator) -> None:
    for kind, body in KINDS.items():
        send(sim, kind, body)
    rows = get(sim, "/sim/messages", headers={}).json()["messages"]
    assert rows == sim.messages()
    assert [row["endpoint"] for row in rows] == [f"/v1/send/{kind}" for kind in KINDS]
    assert all(datetime.fromisoformat(row["at"]).utcoffset() == timedelta(0) for row in rows)
    assert requests.delete(f"{sim.url}/sim/messages", timeout=10).json() == NONE_YET
    assert sim.messages() == []


def test_a_device_is_unlinked_and_scanned_over_http(sim: Simulator) -> None:
    assert control(sim, "unlink", {"device_id": 2}).json()["isReady"] is False
    assert send(sim, body=TEXT | {"device_id": 2}).status_code == 503
    assert control(sim, "scan", {"device_id": 2}).json()["isReady"] is True
    assert requests.post(f"{sim.url}/sim/unlink", timeout=10).json()["device_id"] == 1
    assert send(sim).status_code == 503


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("faults", {}, "say what goes wrong"),
        ("faults", [], "object"),
        ("faults", {"status": 200}, "status"),
        ("faults", {"status": "500"}, "status"),
        ("faults", {"stauts": 500}, "stauts"),
        ("faults", {"delay": -1}, "delay"),
        ("faults", {"lost": "yes"}, "lost"),
        ("faults", {"success": True}, "success"),
        ("faults", {"status": 500, "lost": True}, "choose one"),
        ("faults", {"status": 500, "count": 0}, "count"),
        ("faults", {"status": 500, "rate": 1.5}, "rate"),
        ("faults", {"lost": True, "message": "x"}, "message"),
        ("faults", {"success": False, "retry_after": 1}, "retry_after"),
        ("scan", {"device_id": "1"}, "device_id"),
        ("unlink", [1], "object"),
    ],
)
def test_a_wrong_order_is_refused_with_clear_words(sim: Simulator, path: str, body: Any, named: str) -> None:
    raw = requests.post(f"{sim.url}/sim/{path}", data=json.dumps(body), timeout=10)
    assert (raw.status_code, named in raw.json()["message"]) == (400, True), raw.text
    assert get(sim, "/sim/faults").json() == {"faults": []}
    with pytest.raises(WboxError, match="status"):
        sim.fault(status=1)


def test_faults_are_listed_with_what_is_left_of_them_and_cleared(sim: Simulator) -> None:
    control(sim, "faults", {"status": 500, "count": 2})
    assert control(sim, "faults", {"delay": 0.01, "rate": 0.5}).json() == {
        "faults": [{"status": 500, "count": 2}, {"delay": 0.01, "rate": 0.5}]
    }
    assert send(sim).status_code == 500
    assert {"status": 500, "count": 1} in get(sim, "/sim/faults").json()["faults"]
    assert requests.delete(f"{sim.url}/sim/faults", timeout=10).json() == {"faults": []}
    assert send(sim).status_code == 200


def test_a_status_fault_refuses_and_is_not_in_the_ledger(sim: Simulator) -> None:
    sim.fault(status=429, message="Slow down.", retry_after=7, count=1)
    answer = send(sim)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.json() == {"success": False, "message": "Slow down."}
    assert send(sim).status_code == 200
    assert len(sim.messages()) == 1


def test_a_success_false_fault_answers_200_and_accepts_nothing(sim: Simulator) -> None:
    sim.fault(success=False)
    answer = send(sim)
    assert (answer.status_code, answer.json()["success"]) == (200, False)
    assert sim.messages() == []


def test_a_lost_answer_is_accepted_and_not_one_byte_comes_back(sim: Simulator) -> None:
    sim.fault(lost=True, count=1)
    request = post_bytes("/v1/send/text", json.dumps(TEXT), "Authorization: Bearer sk_x")
    assert on_the_wire(sim, request) == b""
    assert [row["answered"] for row in sim.messages()] == [None]
    sim.fault(lost=True, delay=0.01, count=1)
    with pytest.raises(requests.ConnectionError):
        send(sim)
    assert send(sim).status_code == 200
    assert [row["answered"] for row in sim.messages()] == [None, None, 200]


def test_a_delayed_message_is_accepted_at_once_and_answered_at_the_end() -> None:
    with Simulator() as sim:
        sim.fault(delay=600, count=1)
        request = post_bytes("/v1/send/text", json.dumps(TEXT), "Authorization: Bearer sk_x")
        with socket.create_connection(address(sim), timeout=10) as connection:
            connection.sendall(request.encode())
            assert [row["answered"] for row in sim.wait_for(1)] == [None]
            sim.stop()  # ends the wait
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
        assert [row["answered"] for row in sim.messages()] == [200]


def test_a_client_that_left_during_the_delay_was_not_answered() -> None:
    with Simulator() as sim:
        sim.fault(delay=600)
        with pytest.raises(requests.Timeout):
            requests.post(f"{sim.url}/v1/send/text", json=TEXT, headers=KEY, timeout=0.2)
        assert len(sim.wait_for(1)) == 1
        sim.stop()
        assert [row["answered"] for row in sim.messages()] == [None]


def test_a_share_of_the_sends_fails_and_the_same_ones_in_every_run(sim: Simulator) -> None:
    def run() -> list[int]:
        sim.clear_faults()
        sim.fault(status=500, rate=0.3)
        return [send(sim).status_code for _ in range(40)]

    first = run()
    assert set(first) == {200, 500}
    assert first.count(500) < 20
    assert run() == first


def test_rate_and_count_together_end_after_so_many_faults(sim: Simulator) -> None:
    sim.fault(status=500, rate=0.5, count=3)
    statuses = [send(sim).status_code for _ in range(40)]
    assert statuses.count(500) == 3
    assert get(sim, "/sim/faults").json() == {"faults": []}


def test_a_fault_strikes_only_a_send_that_would_have_been_accepted(sim: Simulator) -> None:
    sim.fault(status=500, count=1)
    assert send(sim, body={}).status_code == 400
    assert send(sim, Authorization="").status_code == 401
    assert get(sim, "/v1/session/status").status_code == 200
    sim.unlink(1)
    assert send(sim).status_code == 503
    sim.scan(1)
    assert [send(sim).status_code for _ in range(2)] == [500, 200]


def test_several_faults_strike_together_and_the_oldest_decides_the_answer(sim: Simulator) -> None:
    sim.fault(delay=0.01)
    sim.fault(status=500, count=1)
    sim.fault(status=429, count=1)
    assert [send(sim).status_code for _ in range(3)] == [500, 429, 200]


# The pages are for this machine.


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "[", "10.0.0.1"]
)
def test_U01_a_foreign_host_name_is_not_served(sim: Simulator, host: str) -> None:
    for path in ("/", "/sim/messages", "/sim/stream", "/sim/inbox.js"):
        assert get(sim, path, headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:8726"])
def test_the_names_of_this_machine_are_served(sim: Simulator, host: str) -> None:
    assert get(sim, "/sim/messages", headers={"Host": host}).json() == NONE_YET


def test_a_simulator_for_a_whole_network_is_reached_by_address_and_not_by_a_strange_name() -> None:
    with Simulator(host="0.0.0.0") as sim:
        assert sim.url.startswith("http://127.0.0.1:")
        assert get(sim, "/", headers={"Host": "192.168.1.5:8726"}).status_code == 200
        assert get(sim, "/", headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost"])
def test_U02_a_page_of_another_site_changes_nothing(sim: Simulator, origin: str) -> None:
    send(sim)
    headers = {"Origin": origin}
    for path in ("faults", "unlink", "scan"):
        refused = requests.post(f"{sim.url}/sim/{path}", data='{"status": 500}', headers=headers, timeout=10)
        assert refused.status_code == 403
    assert requests.delete(f"{sim.url}/sim/messages", headers=headers, timeout=10).status_code == 403
    assert (len(sim.messages()), send(sim).status_code) == (1, 200)


def test_our_own_page_changes_what_it_likes(sim: Simulator) -> None:
    headers = {"Origin": sim.url}
    assert requests.post(f"{sim.url}/sim/unlink", headers=headers, timeout=10).status_code == 200
    assert requests.delete(f"{sim.url}/sim/messages", headers=headers, timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("headers", "fetched"),
    [
        ({}, True),
        ({"Origin": "own"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://evil.example", "Host": "evil.example"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
    ],
)
def test_a_page_of_another_site_makes_the_simulator_fetch_nothing(
    headers: dict[str, str], *, fetched: bool
) -> None:
    with Simulator(fetch_media=True) as sim:
        own = {"Origin": sim.url} if headers.get("Origin") == "own" else {}
        body = {"phone": "905551234567", "media_url": f"{sim.url}/sim/sample.png"}
        answer = requests.post(f"{sim.url}/v1/send/media", json=body, headers=KEY | headers | own, timeout=10)
        assert answer.status_code == 200
        until(lambda: "media" in sim.messages()[0])
        media = sim.messages()[0]["media"]
        assert media.get("status") == (200 if fetched else None)
        assert fetched or media == {"error": "not fetched: a page of another web site sent it"}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/sim/inbox.css", "text/css"),
        ("/sim/inbox.js", "javascript"),
        ("/sim/sample.png", "image/png"),
        ("/sim/messages", "application/json"),
    ],
)
def test_each_page_has_its_type_and_the_headers_that_keep_it_safe(
    sim: Simulator, path: str, kind: str
) -> None:
    answer = get(sim, path, headers={})
    assert (answer.status_code, kind in answer.headers["content-type"]) == (200, True)
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/nothing", "/sim", "/sim/inbox.html", "/sim/../world.py", "/sim/%2e%2e/world.py"]
)
def test_nothing_else_is_served(sim: Simulator, path: str) -> None:
    assert b"HTTP/1.1 404 " in on_the_wire(
        sim, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("", "en"),
        ("tr", "tr"),
        ("tr-TR,tr;q=0.9,en;q=0.8", "tr"),
        ("en-GB,tr;q=0.5", "en"),
        ("de, tr;q=0.4", "tr"),
        ("en;q=0.2,tr;q=0.9", "tr"),
        ("tr;q=x", "en"),
    ],
)
def test_the_page_speaks_the_language_that_the_browser_prefers(
    sim: Simulator, wanted: str, language: str
) -> None:
    page = get(sim, "/", headers={"Accept-Language": wanted}).text
    assert f'<html lang="{language}">' in page


@given(st.text(alphabet=string.printable))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
def test_U03_whatever_is_sent_the_page_holds_no_tag_of_it(sim: Simulator, text: str) -> None:
    sim.clear()
    send(sim, body={"phone": f"<x-a>{text}", "message": f"<x-a>{text}"})
    send(sim, "media", {"phone": f"<x-a>{text}", "media_url": f"<x-a>{text}", "message": text})
    event = {"title": f"<x-a>{text}", "startDate": f"<x-a>{text}", "description": f"<x-a>{text}"}
    send(sim, "event", {"phone": "1", "event": event})
    send(sim, "poll", {"phone": "1", "message": f"<x-a>{text}", "options": [f"<x-a>{text}", "b"]})
    for chat in ("1", f"<x-a>{text}"):
        page = requests.get(sim.url, params={"chat": chat}, timeout=10).text
        assert "x-a" in page
        assert "<x-a" not in page


def test_an_address_that_is_not_http_is_never_a_link_or_a_source(sim: Simulator) -> None:
    send(sim, "media", MEDIA | {"media_url": "javascript:alert(1)//x.png"})
    page = get(sim, "/").text
    assert "javascript:alert(1)" in page
    assert not re.search(r'(?:href|src)="javascript', page)


@pytest.mark.parametrize("url", ["http://[", "https://x.test", "https://x.test/%ff%00", "?", "a b"])
def test_an_address_of_any_form_is_shown(sim: Simulator, url: str) -> None:
    send(sim, "media", {"phone": "1", "media_url": url})
    assert get(sim, "/").status_code == 200


@pytest.mark.parametrize(
    ("start", "shown"),
    [
        ("2026-10-15T14:00", "15 Oct 2026, 14:00"),
        ("2026-10-15", "15 Oct 2026"),
        ("tomorrow at nine", "tomorrow at nine"),
        ("", "No date"),
        (None, "No date"),
    ],
)
def test_the_start_of_an_event_is_a_date_or_plain_words(
    sim: Simulator, start: str | None, shown: str
) -> None:
    send(sim, "event", {"phone": "1", "event": {"title": "Meeting", "startDate": start}})
    assert f"<small>{shown}</small>" in get(sim, "/").text


def test_the_stream_tells_of_each_change(sim: Simulator) -> None:
    with requests.get(f"{sim.url}/sim/stream", stream=True, timeout=10) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = (line for line in stream.iter_lines(chunk_size=1) if line)
        before = next(lines)
        send(sim)
        assert before.startswith(b"data: ")
        assert next(lines) != before


# Starting and stopping.


def test_a_taken_port_is_a_clear_error(sim: Simulator) -> None:
    port = int(sim.url.rpartition(":")[2])
    with pytest.raises(WboxError, match=f"cannot listen on 127.0.0.1, port {port}: ") as caught:
        Simulator(port=port).start()
    assert caught.value.hint
    turkish = problem_of(caught.value).to("tr")
    assert turkish == f"127.0.0.1 adresinde {port} portu dinlenemiyor: orayı başka bir program dinliyor"


@pytest.mark.parametrize("wrong", [{"port": 99999}, {"host": "256.1.1.1"}])
def test_an_address_that_can_not_be_is_a_clear_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(WboxError, match="cannot listen"):
        Simulator(**wrong).start()


def test_a_simulator_that_is_started_again_keeps_its_address_and_its_ledger() -> None:
    sim = Simulator()
    sim.stop()  # not running: nothing to do
    with sim:
        url = sim.url
        with pytest.raises(WboxError, match="already running"):
            sim.start()
        send(sim)
    with pytest.raises(requests.ConnectionError):
        send(sim)
    with sim:
        assert sim.url == url
        assert send(sim).status_code == 200
        assert len(sim.messages()) == 2


UPLOAD = "POST /v1/send/text HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk_x\r\nContent-Length: 99\r\n\r\n{"


STREAM = "GET /sim/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("sent", [UPLOAD, STREAM])
def test_no_client_can_hold_up_the_stop(sent: str, capfd: pytest.CaptureFixture[str]) -> None:
    with Simulator() as sim:
        connection = socket.create_connection(address(sim), timeout=10)
        with connection:
            connection.sendall(sent.encode())
            assert send(sim).status_code == 200  # so the other request has been read, too
            sim.stop()
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(65536):
                    pass
    with pytest.raises(requests.ConnectionError):
        get(sim, "/")
    assert capfd.readouterr().err == ""


def test_a_head_is_bounded_as_the_daemons_is(sim: Simulator) -> None:
    headers = {f"X-{number}": "1" for number in range(101)}
    assert get(sim, "/sim/messages", headers=headers).status_code == 431


def test_a_client_that_leaves_in_the_middle_of_a_body_is_no_error(
    sim: Simulator, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection(address(sim), timeout=10) as connection:
        connection.sendall(UPLOAD.encode())
    assert send(sim).status_code == 200
    assert capfd.readouterr().err == ""


def test_wait_for_says_what_came_when_too_little_came(sim: Simulator) -> None:
    send(sim)
    assert len(sim.wait_for(1)) == 1
    with pytest.raises(TimeoutError, match="1 of 2 messages"):
        sim.wait_for(2, timeout=0.01)


def test_an_ipv6_address_is_served_too() -> None:
    with Simulator(host="::1") as sim:
        assert sim.url.startswith("http://[::1]:")
        assert get(sim, "/sim/messages").json() == NONE_YET
