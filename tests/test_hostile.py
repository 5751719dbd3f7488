"""Nothing that a sender, a file or wbox says stops the daemon: a siege, and then a good message."""

import itertools
import json
import os
import re
import socket
from collections.abc import Iterator

import pytest
import requests
from fault_server import FaultServer, Visit, answer
from hypothesis import given, settings
from hypothesis import strategies as st
from workplace import Workplace, ended, until

from wbox_notify.simulator import Simulator

RULES = """
version: 1
rules:
  - id: hook
    trigger: {webhook: {path: hook, open: true}}
    if: body.say
    to: "{{ body.to | default('+905551112233') }}"
    send: {text: "{{ body.say }} {{ headers }} {{ query }}"}
  - id: guarded
    trigger: {webhook: {path: guarded, preset: github, secret: guarded}}
    to: "+905551112233"
    send: {text: "{{ body }}"}
  - id: words
    trigger: {file: {path: drop, ignore: ["*.json", "to-*"]}}
    to: "+905551112233"
    send: {text: "{{ file.name }} {{ file.folder }} {{ file.text | truncate(200) }}"}
  - id: fields
    trigger: {file: {path: drop, match: "*.json"}}
    for_each: {row: file.json}
    to: "{{ row.phone }}"
    send: {text: "{{ row.name }}"}
  - id: by-name
    trigger: {file: {path: drop, match: "to-*"}}
    to: "+90555123{{ file.name[3:7] }}"
    send: {text: "for {{ file.name }}"}
"""
GOOD = b'{"success": true, "message": "sent"}'
READY = b'{"isReady": true, "status": "connected", "state": "INITIALIZED", "device_id": 1}'

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=8), inside, max_size=4),
    max_leaves=12,
)
orders = st.fixed_dictionaries({"say": plain, "to": plain | st.just("+905551112233")})
odd_json = st.builds(lambda value: json.dumps(value).encode(), plain | orders)
bombs = st.sampled_from(
    [
        b"[" * 50_000,
        b'{"say":' * 5_000,
        b'{"say": ' + b"9" * 20_000 + b"}",
        b'{"say": 1e999}',
        b'{"say": "\\ud800", "to": "\\u0000"}',
        b'{"say": "' + b"A" * 100_000 + b'"}',
        b'{"say": "{{ 9 ** 9 ** 9 }}", "to": ["+905551112233", {}, null]}',
        b"\xff\xfe\x00",
        b"a=" + b"%FF" * 1000,
    ]
)
bodies = st.binary(max_size=300) | odd_json | bombs
words = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=60).map(str.encode)
names = [
    b"content-type",
    b"content-encoding",
    b"x-github-event",
    b"x-github-delivery",
    b"x-hub-signature-256",
]
names += [b"idempotency-key", b"user-agent", b"cookie", b"accept-language", b"x-note", b"transfer-encoding"]
kinds = [
    b"application/json",
    b"text/plain; charset=utf-16",
    b"application/x-www-form-urlencoded",
    b"a" * 9000,
]
headers = st.lists(st.tuples(st.sampled_from(names), words | st.sampled_from(kinds)), max_size=5)
paths = [
    b"/hook/hook",
    b"/hook/hook",
    b"/hook/guarded",
    b"/hook/%00",
    b"/hook/../x",
    b"/ack/x",
    b"/-/queue",
    b"/-/send",
]
paths += [b"/", b"/hook/hook?a=%FF&a=%00", b"/hook/hook?" + b"a=1&" * 1200, b"//", b"*"]


@pytest.fixture
def besieged(place: Workplace) -> Iterator[Workplace]:
    """Start the daemon on the rules above; in the end it must have lived, and said nothing in tracebacks."""
    place.rule(RULES)
    place.environment["WBOX_SECRET_GUARDED"] = "a secret that is long enough"
    log = place.folder / "log"
    with log.open("wb") as kept:
        process = place.start("run", "--json", log=kept)
        until(place.card.exists)
        yield place
        assert process.poll() is None, "it lives"
        process.terminate()
        assert process.wait(10) == 0
    said = log.read_text(errors="replace")
    assert "Traceback" not in said
    assert "internal error" not in said
    assert "pauses" not in said


def test_no_call_stops_the_daemon_or_makes_it_stumble(besieged: Workplace, wbox: Simulator) -> None:
    port = int(besieged.url.rpartition(":")[2])

    targets = st.just(b"POST /hook/hook") | st.builds(
        b"%s %s".__mod__, st.tuples(st.sampled_from([b"POST", b"GET"]), st.sampled_from(paths))
    )

    @settings(max_examples=250)
    @given(targets, st.just([]) | headers, bodies, st.integers(-7, 7))
    def call(target: bytes, more: list[tuple[bytes, bytes]], body: bytes, lie: int) -> None:
        length = max(len(body) + (lie if abs(lie) > 5 else 0), 0)
        head = [b"%s HTTP/1.1" % target, b"Host: a", b"Connection: close"]
        head += [b"Content-Length: %d" % length, *(b"%s: %s" % header for header in more)]
        assert not said(port, b"\r\n".join([*head, b"", b""]) + body).startswith(b"HTTP/1.1 5")

    call()
    log = besieged.folder / "log"
    until(lambda: log.read_text(errors="replace").count('"rule": "hook"') > 20)
    requests.post(f"{besieged.url}/hook/hook", json={"say": "still here"}, timeout=10)
    until(lambda: any("still here" in message["body"].get("message", "") for message in wbox.messages()))


def test_no_file_stops_the_daemon(besieged: Workplace, wbox: Simulator) -> None:
    odd = st.binary(min_size=1, max_size=120).map(lambda raw: re.sub(rb"[/\x00]", b"_", raw))
    endings = st.sampled_from([b"", b".json", b".json", b".txt", b".csv"])
    folder = os.fsencode(besieged.drop)

    @settings(max_examples=150)
    @given(odd.filter(lambda name: name.strip(b".")), endings, bodies)
    def drop(name: bytes, ending: bytes, content: bytes) -> None:
        with open(os.path.join(folder, name + ending), "wb") as file:  # noqa: PTH118, PTH123 - a name of any bytes
            file.write(content)

    drop()
    (besieged.drop / "link.json").symlink_to("/etc/shadow")
    (besieged.drop / "loop").symlink_to(besieged.drop)
    (besieged.drop / "folder.json").mkdir()
    os.mkfifo(besieged.drop / "pipe.json")
    with (besieged.drop / "huge.json").open("wb") as file:
        file.truncate(1 << 33)
    (besieged.drop / "good.json").write_text('[{"phone": "+905551112244", "name": "still here"}]')
    until(lambda: any(message["body"].get("message") == "still here" for message in wbox.messages()), 60)


def test_no_answer_of_wbox_stops_the_daemon(place: Workplace) -> None:
    """Answers that hold a device back on purpose cost seconds each, and have tests of their own.

    Two good answers follow each hostile one, since unclear answers in a row hold a device back too, and each
    question whether it can send, as the message that tries a device must get through.
    """
    said_next: list[bytes] = []
    turns = itertools.count()

    def play(visit: Visit) -> None:
        nonlocal turns
        while request := visit.request():
            if request.path.startswith("/v1/session"):
                turns = itertools.count(1)
                visit.say(answer(200, READY))
            elif "good" in request.json["message"] or not said_next or next(turns) % 3:
                visit.say(answer(200, GOOD))
            else:
                visit.say(said_next.pop())
                return

    status = st.integers(0, 1000).filter(
        lambda code: not 100 <= code <= 103 and not 300 <= code < 500 and code != 503
    )
    refusal = st.integers(400, 499).filter(lambda code: code not in {401, 403, 429})
    heads = st.sampled_from(
        ["Retry-After: -1", "Content-Encoding: gzip", "Content-Length: 9", "Location: \x00", "A"]
    )
    fields = st.dictionaries(st.sampled_from(["success", "message", "error", "to", "isReady"]), plain)
    objects = fields.map(lambda value: json.dumps(value).encode())
    contents = st.binary(max_size=200) | bombs | objects
    answers = st.builds(answer, status, contents, heads) | st.builds(answer, status, contents)
    hostile: list[bytes] = []

    @settings(max_examples=60)
    @given(answers | st.builds(answer, refusal, objects) | st.binary(max_size=300))
    def gather(one: bytes) -> None:
        hostile.append(one)

    gather()
    said_next += hostile
    with FaultServer(play) as server:
        place.environment["WBOX_API_URL"] = server.url
        place.rule(RULES)
        place.environment["WBOX_SECRET_GUARDED"] = "a secret that is long enough"
        process = place.start("run")
        for number in range(5 * len(hostile)):
            (place.drop / f"to-{number:04}").write_text("x")
        until(lambda: not said_next, 90)
        (place.drop / "to-9999-good").write_text("x")
        good = ("queue", "list", "--state", "sent", "--to", "905551239999", "--json")
        until(lambda: "905551239999" in place.run(*good).stdout, 60)
        code, errors = ended(process)
    assert code == 0
    assert "sending paused" not in errors


def said(port: int, request: bytes) -> bytes:
    """Return what the daemon answers to some bytes; nothing where it hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
        found = b""
        try:
            wire.sendall(request)
            wire.shutdown(socket.SHUT_WR)
            while part := wire.recv(65536):
                found += part
        except (BrokenPipeError, ConnectionResetError):
            pass
        return found
