"""What may not be seen, and what may not be done, by whoever looks at a page, a log or a file."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from answering import Answering
from doorway import Doorway, signed_token
from fault_server import FaultServer, answer, replying
from rulebook import project, rule_file
from workplace import Workplace, until

from wbox_notify.rules.check import check
from wbox_notify.simulator import Simulator

EVIL = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
KEY = "sk_CANARY_4711_key"
SECRET = "hook-CANARY-4711-secret-of-a-hook"

CANARY_RULES = """
version: 1
rules:
  - id: guarded
    trigger: {webhook: {path: guarded, secret: guarded}}
    to: "+905551234567"
    send: {text: "{{ body.say }}"}
  - id: broken
    trigger: {webhook: {path: broken, secret: guarded}}
    to: "+905551234567"
    send: {text: "{{ body.missing.field }}"}
"""

AT_DEBUG_LEVEL = """
import logging, os, pathlib, sys
from wbox_notify.daemon.daemon import Daemon
from wbox_notify.rules.loading import load
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
daemon = Daemon(load(pathlib.Path("."), os.environ), os.environ)
daemon.start()
sys.stdin.read()
daemon.stop()
"""


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Doorway]:
    with Doorway(tmp_path) as doorway:
        yield doorway


@pytest.mark.parametrize(
    "shown",
    [EVIL, EVIL | {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {}],
    ids=["cross-site", "null", "no origin", "none of them"],
)
def test_U02_a_page_of_another_site_gives_no_orders(door: Doorway, shown: dict[str, str]) -> None:
    """Orders are shown a token that no browser keeps, so there is no cookie that another site could use."""
    for page in ("/livez", "/ack/unknown"):
        assert "set-cookie" not in requests.get(door.url + page, timeout=10).headers
    orders = {"/-/queue": {"action": "drop", "ids": None}, "/-/send": {"kind": "text"}, "/-/reload": {}}
    for path, order in orders.items():
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json"):
            headers = {**shown, "Content-Type": kind}
            answer = requests.post(door.url + path, json.dumps(order), headers=headers, timeout=10)
            assert answer.status_code == 401
        asked = {**shown, "Access-Control-Request-Method": "POST"}
        answer = requests.options(door.url + path, headers=asked, timeout=10)
        assert answer.status_code == 405
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert door.store.counts() == {}


def test_U03_what_comes_from_outside_is_text_on_every_page(
    place: Workplace, wbox: Simulator, tmp_path: Path
) -> None:
    """A file's name on the page of the storm guard, a message and the words of an error in the inbox."""
    script = "<script>alert(1)</script>"
    with Doorway(tmp_path) as door:
        for kind, value in (("release", f"file:/{script}"), ("ack", f"{script}\x1f{script}")):
            answer = requests.get(f"{door.url}/ack/{signed_token(kind, value)}", timeout=10)
            assert "<script" not in answer.text
            assert "&lt;script&gt;" in answer.text
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "script-src" not in policy
            assert "unsafe" not in policy
    wbox.fault(status=422, message=script, count=1)
    for text in ("refused", script):
        place.run("send", "text", "+905551234567", text)
    page = requests.get(wbox.url, timeout=10)
    assert script not in page.text
    assert "&lt;script&gt;" in page.text
    assert "unsafe" not in page.headers["content-security-policy"]


@pytest.mark.slow
def test_U08_no_key_and_no_secret_is_in_a_log_a_file_a_page_an_argument_or_an_output(
    place: Workplace, wbox: Simulator
) -> None:
    """At debug level, after good and bad calls, refused messages, broken templates and an echo of the key."""
    for path in place.folder.glob("rules/*"):
        path.unlink()
    place.rule(CANARY_RULES, "rules/hook.yaml")
    place.environment |= {"WBOX_API_KEY": KEY, "WBOX_SECRET_GUARDED": SECRET}
    daemon = Answering(place, script=AT_DEBUG_LEVEL)
    arguments = Path(f"/proc/{daemon.process.pid}/cmdline").read_bytes()
    good = {"Authorization": f"Bearer {SECRET}"}
    wbox.fault(status=422, message=f"the key {KEY} and {SECRET[:4]} are wrong", count=1)
    said = [
        daemon.post("guarded", {"say": "refused"}, **good),
        daemon.post("guarded", {"say": "hello"}, **good, Cookie=SECRET),
        daemon.post("broken", {"say": "x"}, **good),
        daemon.post("guarded", {"say": "x"}, Authorization=f"Bearer {SECRET}x"),
        daemon.post(f"guarded?token={SECRET}", {"say": "x"}),
        daemon.post("nowhere", {"say": "x"}, **good),
        *(requests.get(f"{daemon.url}{page}", timeout=10) for page in ("/livez", "/readyz", "/", "/ack/x")),
        requests.get(wbox.url, timeout=10),
    ]
    wbox.wait_for(1)
    until(lambda: place.run("queue", "list").stdout.count("dead") == 2)
    shown = [answer.text + str(answer.headers) for answer in said]
    for words in (
        ["status"],
        ["status", "--json"],
        ["log"],
        ["log", "--json"],
        ["queue", "list"],
        ["queue", "list", "--json"],
        ["check"],
        ["check", "--json"],
        ["test"],
        ["trigger", "guarded", "--data", '{"say": "x"}', "--dry-run"],
        ["trigger", "broken", "--data", "{}", "--dry-run"],
        ["schema", "rules"],
        ["send", "text", "+905551234567", "hi"],
        ["queue", "retry", "--all"],
    ):
        ran = place.run(*words)
        shown.append(ran.stdout + ran.stderr)
    assert daemon.process.stdin
    daemon.process.stdin.close()
    assert daemon.process.wait(20) == 0
    assert "DEBUG" in daemon.said, "the log at debug level was not looked at"
    shown.append(daemon.said)
    kept = [path for path in place.folder.rglob("*") if path.is_file()]
    assert {"wbox-notify.db"} <= {path.name for path in kept}
    for canary in (KEY, SECRET):
        assert canary.encode() not in arguments
        assert [text for text in shown if canary in text] == []
        assert [path.name for path in kept if canary.encode() in path.read_bytes()] == []


def test_U09_no_name_writes_a_line_of_its_own_into_a_log(
    place: Workplace, wbox: Simulator, daemon: subprocess.Popen[str]
) -> None:
    """A line end, an escape and a reversal in the name of a file, the path of a call and a wbox answer."""
    forged = "a\n09:00:00  ERROR  forged \x1b[2J\u202e\x9b1m.txt"
    wbox.fault(status=422, message="no\r\n09:00:00  ERROR  forged \x1b[2J", count=1)
    (place.drop / forged).write_text("x")
    until(lambda: place.has_store() and "dead" in place.run("queue", "list").stdout)
    url = json.loads((place.folder / "data" / "daemon.json").read_text())["url"]
    for path in ("%0A09:00:00%20ERROR%20forged", "%1B[2J%C2%9B1m", "%E2%80%AE"):
        assert requests.post(f"{url}/hook/{path}", timeout=10).status_code in {401, 404}
    outputs = [place.run(*words).stdout for words in (["log"], ["log", "--json"], ["queue", "list"])]
    daemon.terminate()
    outputs += daemon.communicate(timeout=20)
    for output in outputs:
        assert not [line for line in output.splitlines() if line.lstrip().startswith("09:00:00")]
        assert not {"\x1b", "\u202e", "\x9b"} & set(output.replace("\\u001b", ""))
    assert "forged" in outputs[0]


def test_U10_a_secret_that_everybody_can_read_is_told_with_the_command_that_mends_it(
    place: Workplace,
) -> None:
    """A warning and no refusal: the secrets of containers are readable for everybody in there."""
    key = place.folder / "key"
    key.write_text("sk_canary_4711")
    key.chmod(0o644)
    place.environment |= {"WBOX_API_KEY": ""}
    place.rule("version: 1\nwbox: {api_key_file: key}\n", "wbox-notify.yaml")
    ran = place.run("check")
    assert f"chmod 600 {key}" in ran.stderr
    key.chmod(0o600)
    assert "chmod" not in place.run("check").stderr


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://files.example/a.jpg",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/a.jpg",
        "http://localhost:8080/a.jpg",
        "http://10.0.0.1/a.jpg",
        "//files.example/a.jpg",
    ],
)
def test_U11_media_at_an_address_inside_is_told_at_its_place(tmp_path: Path, url: str) -> None:
    found = project(tmp_path, {"rules/a.yaml": rule_file(f'send: {{media: {{url: "{url}"}}}}')})
    told = [problem for problem in check(found) if problem.line == 5]
    assert [problem.column for problem in told] == [25]


def test_U11_the_simulator_fetches_no_media_of_itself(wbox: Simulator) -> None:
    with FaultServer(replying(answer(200, "an image"))) as files:
        body = {"phone": "905551234567", "media_url": f"{files.url}/a.jpg"}
        headers = {"Authorization": "Bearer sk_test"}
        sent = requests.post(f"{wbox.url}/v1/send/media", json=body, headers=headers, timeout=10)
        assert sent.json()["success"] is True
        assert len(wbox.messages()) == 1
        assert requests.get(wbox.url, timeout=10).status_code == 200
        assert files.connections == 0
