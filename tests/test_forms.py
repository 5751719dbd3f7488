"""Hooks for what is no program of a sender: pings by GET, forms, and pages of other web sites."""

import json
import logging
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlencode

import pytest
import requests
from doorway import SECRET, Doorway
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3.filepost import encode_multipart_formdata
from workplace import Workplace, until

from wbox_notify.model.events import Event
from wbox_notify.simulator import Simulator
from wbox_notify.triggers.webhook.bodies import BodyError, KindError, any_body, multipart_body, object_body
from wbox_notify.triggers.webhook.hooks import Hook
from wbox_notify.triggers.webhook.presets import PRESETS
from wbox_notify.triggers.webhook.signatures import Call, SignatureError, scheme

SHOP = "https://shop.example.com"
THANKS = "https://shop.example.com/thanks"
TOKEN = SECRET.decode()
PING = Hook(path="ping", scheme=None, preset=PRESETS["json"], methods=("GET", "POST"))
CRON = Hook(path="cron", scheme=scheme("query", [SECRET], {}), preset=PRESETS["json"], methods=("GET",))
FORM = Hook(path="form", scheme=None, preset=PRESETS["json"], origins=frozenset({SHOP}), redirect=THANKS)
CHECK = Hook(
    path="check",
    scheme=scheme("query", [SECRET], {"parameter": "key"}),
    preset=PRESETS["healthchecks"],
    methods=("GET", "POST"),
)
NAVIGATION = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Mode": "navigate"}
FROM_SHOP = {"Origin": SHOP, "Sec-Fetch-Site": "cross-site"}


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Doorway]:
    with Doorway(
        tmp_path, [PING, CRON, FORM, CHECK, Hook(path="open", scheme=None, preset=PRESETS["json"])]
    ) as doorway:
        yield doorway


def call(door: Doorway, method: str, path: str, **given: Any) -> requests.Response:
    return requests.request(method, door.url + path, timeout=20, allow_redirects=False, **given)


def the_event(door: Doorway) -> Event:
    [event] = door.events()
    return event


# Pings


def test_of_a_call_by_get_the_parameters_are_the_body(door: Doorway) -> None:
    answer = call(door, "GET", "/hook/ping?job=backup&disk=a&disk=b", data=b"not this")
    assert answer.status_code == 202
    assert the_event(door).data["body"] == {"job": "backup", "disk": ["a", "b"]}
    assert the_event(door).data["method"] == "GET"


def test_a_ping_that_shows_the_secret_in_the_address_is_taken_and_the_secret_is_kept_nowhere(
    door: Doorway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "wbox_notify")
    assert call(door, "GET", "/hook/cron", params={"token": TOKEN, "job": "backup"}).status_code == 202
    event = the_event(door)
    assert event.data["body"] == event.data["query"] == {"job": "backup"}
    assert TOKEN not in json.dumps(event.data)
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    "query",
    ["", "token=", "token=wrong", "Token=x", f"token={TOKEN}&token={TOKEN}", "token=%ff", "a&" * 2000],
)
def test_a_ping_without_the_secret_is_refused_as_one_of_a_path_that_is_no_hook(
    door: Doorway, caplog: pytest.LogCaptureFixture, query: str
) -> None:
    answers = [
        call(door, method, f"/hook/{path}?{query}") for method in ("GET", "POST") for path in ("cron", "no")
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {
        (401, b'{"error":"the call is not authorised"}')
    }
    assert door.events() == []
    assert TOKEN not in caplog.text
    assert TOKEN not in " ".join(door.refusals())


def test_a_ping_to_the_daemon_leaves_the_secret_in_no_file(place: Workplace, wbox: Simulator) -> None:
    place.rule(
        "version: 1\nrules:\n  - id: ping\n    trigger:\n      webhook: "
        "{path: backup, methods: GET, secret: ping, verify: {scheme: query}}\n"
        "    to: '+905551234567'\n    send: {text: 'Backup of {{ body.disk }}'}\n"
    )
    place.environment |= {"WBOX_SECRET_PING": TOKEN, "WBOX_LOG_LEVEL": "debug"}
    with (place.folder / "log").open("wb") as log:
        daemon = place.start("run", log=log)
        until(place.card.exists)
        for token in (TOKEN, TOKEN[:-1]):
            requests.get(f"{place.url}/hook/backup", {"token": token, "disk": "a"}, timeout=20)
        requests.post(f"{place.url}/hook/backup", params={"token": TOKEN, "disk": "b"}, timeout=20)
        assert [one["body"]["message"] for one in wbox.wait_for(1)] == ["Backup of a"]
        daemon.terminate()
        daemon.wait(20)
    files = [path for path in place.folder.rglob("*") if path.is_file()]
    kept = b"".join(path.read_bytes() for path in files)
    assert b"/hook/backup from 127.0.0.1 is refused with 405" in kept
    assert quote_plus(TOKEN[:-1]).encode() not in kept
    assert TOKEN[:-1].encode() not in kept


def ping(query: bytes) -> Call:
    return Call(method="GET", path="/hook/x", query=query, headers=(), body=b"")


SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(SECRETS.filter(lambda text: text.encode() == text.encode().strip()), st.binary(max_size=9))
def test_a_secret_of_any_characters_is_known_in_an_address_and_nothing_else_is(
    secret: str, other: bytes
) -> None:
    guard = scheme("query", [secret], {})
    guard.verify(ping(urlencode({"a": "token=", "token": secret, "b": "&"}).encode()), 0.0)
    for query in (other, b"token=" + other, urlencode({"token": secret + "x", "Token": secret}).encode()):
        if parse_qs(query.decode("latin-1")).get("token") != [secret]:
            with pytest.raises(SignatureError):
                guard.verify(ping(query), 0.0)


def test_a_preset_reads_a_ping_whose_parameters_are_what_it_wants(door: Doorway) -> None:
    query = {"key": TOKEN, "code": "c-1", "status": "down"}
    assert call(door, "GET", "/hook/check", params=query).status_code == 202
    assert the_event(door).data["body"] == {"code": "c-1", "status": "down"}
    assert call(door, "GET", "/hook/check", params={"key": TOKEN}).json() == {"error": "`code` is missing"}


def test_head_is_answered_where_get_is_and_is_no_event(door: Doorway) -> None:
    answer = call(door, "HEAD", "/hook/cron", params={"token": TOKEN})
    assert (answer.status_code, answer.content) == (200, b"")
    assert call(door, "HEAD", "/hook/cron").status_code == 401
    assert call(door, "HEAD", "/hook/open").status_code == 405
    assert door.events() == []


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/hook/open", "POST, PUT"),
        ("PUT", "/hook/ping", "GET, POST, HEAD"),
        ("POST", f"/hook/cron?token={TOKEN}", "GET, HEAD"),
        ("DELETE", f"/hook/cron?token={TOKEN}", "GET, HEAD"),
        ("OPTIONS", "/hook/ping", "GET, POST, HEAD"),
    ],
)
def test_who_may_call_hears_how(door: Doorway, method: str, path: str, allowed: str) -> None:
    answer = call(door, method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert door.events() == []


# Forms


FIELDS = [("name", "Ayşe"), ("wish", "a\r\nb"), ("size", "M"), ("size", "L"), ("note", "")]
READ = {"name": "Ayşe", "wish": "a\r\nb", "size": ["M", "L"], "note": ""}


def test_both_ways_to_write_a_form_give_the_same_fields(door: Doorway) -> None:
    content, kind = encode_multipart_formdata(FIELDS)
    for way in ({"data": FIELDS}, {"data": content, "headers": {"Content-Type": kind}}):
        assert call(door, "POST", "/hook/form", **way).status_code == 202
    assert [event.data["body"] for event in door.events()] == [READ, READ]


def test_curl_sends_a_form(door: Doorway) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed: a form of it was NOT read")
    fields = [part for name, value in FIELDS for part in ("--form-string", f"{name}={value}")]
    subprocess.run(["curl", "--silent", "--fail", *fields, f"{door.url}/hook/form"], check=True, timeout=60)
    assert the_event(door).data["body"] == READ


def part(head: str, content: str = "x", end: str = "--b--\r\n") -> bytes:
    return f"--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n{end}".encode()


def test_a_form_with_a_file_is_refused_and_says_which(door: Doorway) -> None:
    answer = call(door, "POST", "/hook/form", data={"a": "1"}, files={"photo": ("a.jpg", b"\xff\xd8")})
    assert answer.status_code == 415
    assert answer.json() == {"error": 'there is a file in the field "photo"; no files are taken'}
    assert door.events() == []


def test_a_field_for_files_in_which_nobody_chose_one_is_empty(door: Doorway) -> None:
    empty = part('name="photo"; filename=""\r\nContent-Type: application/octet-stream', "")
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    assert call(door, "POST", "/hook/form", data=empty, headers=kind).status_code == 202
    assert the_event(door).data["body"] == {"photo": ""}


BROKEN = [
    b"",
    b"--b",
    b"a=1&b=2",
    part('name="a"', end=""),
    part('name="a"', end="--b\r\n"),
    part('filename="a"'),
    part('name="a"').replace(b"form-data", b"attachment"),
    part('name="a"').replace(b"\r\n", b"\n"),
    part('name="a"', "\udc80".encode("utf-8", "surrogatepass").decode("latin-1")).replace(b"\xc3", b"\xff"),
    part('name="a"', end="") * 1001 + b"--b--\r\n",
]


@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
def test_a_form_that_is_broken_or_not_whole_is_refused(body: bytes) -> None:
    with pytest.raises(BodyError):
        multipart_body("multipart/form-data; boundary=b", body)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=b; charset=latin-1", part('name="a"')),
        ("multipart/form-data; boundary=b", part('name="a"\r\nContent-Type: text/plain; charset=latin-1')),
        ("multipart/form-data; boundary=b", part('name="a"; filename=""', "x")),
        ("multipart/form-data; boundary=b", part('name="a"; filename="empty.txt"', "")),
    ],
)
def test_a_form_with_a_file_or_in_another_encoding_is_of_a_kind_that_is_not_read(
    kind: str, body: bytes
) -> None:
    with pytest.raises(KindError):
        any_body(kind, body)


def test_a_preset_that_wants_json_takes_neither_way_to_write_a_form() -> None:
    with pytest.raises(BodyError, match="this hook takes JSON and not a form"):
        object_body("multipart/form-data; boundary=b", part('name="a"'))


KEPT = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
NAME = st.text(st.characters(exclude_characters='\0\r\n"\\', exclude_categories=["Cs"]))


@given(st.lists(st.tuples(NAME, st.text(KEPT)), min_size=1, max_size=30))
def test_a_form_that_another_program_writes_is_read_as_it_was_meant(fields: list[tuple[str, str]]) -> None:
    content, kind = encode_multipart_formdata(fields)
    meant: dict[str, list[str]] = {}
    for name, value in fields:
        meant.setdefault(name, []).append(value)
    assert multipart_body(kind, content) == {
        name: values if len(values) > 1 else values[0] for name, values in meant.items()
    }


TOKENS = st.sampled_from(
    [
        "--b",
        "--b--",
        "\r\n",
        "\n",
        "-",
        "a",
        ":",
        ";",
        '"',
        "\0",
        "name=",
        'name="a"',
        'filename=""',
        "form-data",
        "Content-Disposition: form-data; ",
        "Content-Length: 1\r\n",
        "Content-Type: text/plain\r\n",
        "ş",
        "%00",
    ]
)


@given(st.lists(TOKENS, max_size=40).map("".join), st.sampled_from(["b", '"b"', "", '"', "\r\n", "b" * 2000]))
@example(part('name="\0"', "\0").decode(), "b")
def test_any_form_is_read_or_refused_and_what_is_read_can_be_kept(body: str, boundary: str) -> None:
    try:
        fields = multipart_body(f"multipart/form-data; boundary={boundary}", body.encode())
    except BodyError:
        return
    assert "\0" not in str(fields)
    json.dumps(fields, ensure_ascii=False).encode()


def test_a_browser_goes_on_to_the_page_of_the_rule_once_the_form_is_taken(door: Doorway) -> None:
    again = {"Idempotency-Key": "k"}
    for _ in range(2):
        answer = call(
            door, "POST", "/hook/form", data={"a": "1"}, headers={**NAVIGATION, **FROM_SHOP, **again}
        )
        assert (answer.status_code, answer.headers["location"]) == (303, THANKS)
    assert the_event(door).data["body"] == {"a": "1"}


def test_a_program_is_told_the_id_and_not_sent_anywhere(door: Doorway) -> None:
    assert call(door, "POST", "/hook/form", data={"a": "1"}).status_code == 202


def test_a_browser_whose_form_is_refused_is_not_sent_to_the_thanks(door: Doorway) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", **NAVIGATION, **FROM_SHOP}
    answer = call(door, "POST", "/hook/form", data=b"a=%ff", headers=headers)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert door.events() == []


# Pages of other web sites


def test_a_page_that_the_rule_names_may_call_and_read_the_answer(door: Doorway) -> None:
    for data, status in (({"a": "1"}, 202), (b"a=%ff", 400)):
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = call(door, "POST", "/hook/form", data=data, headers={**FROM_SHOP, **form})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == SHOP
        assert answer.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        f"{SHOP}.evil.example",
        "http://shop.example.com",
        f"{SHOP}:8443",
        SHOP.upper(),
    ],
)
def test_any_other_page_is_refused_as_ever(door: Doorway, origin: str) -> None:
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    asked = {**headers, "Access-Control-Request-Method": "POST"}
    answers = [
        call(door, "POST", "/hook/form", data={"a": "1"}, headers=headers),
        call(door, "OPTIONS", "/hook/form", headers=asked),
    ]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert not [answer for answer in answers if "access-control-allow-origin" in answer.headers]
    assert door.events() == []


def test_an_origin_that_comes_twice_is_none(door: Doorway) -> None:
    body = b"a=1"
    head = f"POST /hook/form HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    answer = door.wire(f"{head}Origin: {SHOP}\r\nOrigin: {SHOP}\r\n\r\n".encode() + body)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"access-control-allow-origin" not in answer.lower()


def test_a_browser_that_asks_first_hears_what_the_page_may_do(door: Doorway) -> None:
    asked = {
        **FROM_SHOP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    answer = call(door, "OPTIONS", "/hook/form", headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    said = {name: value for name, value in answer.headers.items() if name.startswith("access-control")}
    assert said == {
        "access-control-allow-origin": SHOP,
        "access-control-allow-methods": "POST, PUT",
        "access-control-allow-headers": "*, Authorization",
        "access-control-max-age": "600",
    }


@pytest.mark.parametrize("path", ["open", "cron", "nothing"])
def test_a_hook_whose_rule_names_no_page_agrees_to_none(door: Doorway, path: str) -> None:
    asked = {**FROM_SHOP, "Access-Control-Request-Method": "POST"}
    answer = call(door, "OPTIONS", f"/hook/{path}", headers=asked)
    assert answer.status_code == (403 if path == "open" else 401)
    assert "access-control-allow-origin" not in answer.headers
    assert "vary" not in answer.headers
