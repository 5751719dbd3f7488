"""The daemon as a whole: webhooks, answers, the storm guard and reload, with real sockets and files."""

import json
import re
import signal
import subprocess
from collections.abc import Callable

import pytest
import requests
from fault_server import FaultServer, Visit, answer
from workplace import TEXT_RULE, Workplace, ended, until

from wbox_notify.simulator import Simulator

PHONE = "+905551234567"

HOOKS = """
version: 1
contacts: {me: "+905551234567", boss: "+905551234568"}
rules:
  - id: disk
    trigger: {webhook: {path: disk, secret: disk}}
    if: body.used > 90
    to: me
    send: {text: "{{ body.disk }}"}
  - id: many
    trigger: {webhook: {path: many, open: true}}
    for_each: {row: body}
    to: "{{ row }}"
    send: {text: "hi"}
  - id: answer
    trigger: {webhook: {path: answer, open: true}}
    to: me
    send: {text: "{{ ack_url }}"}
    escalate: [{after: 1h, unless: acked, to: boss, send: {text: "nobody"}}]
"""

Start = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def start(place: Workplace) -> Start:
    """Return a function that starts the daemon on the rules above and returns when it answers."""
    place.rule(HOOKS)
    place.rule("version: 1\nstorm_guard: 3\nowner: me\n", "wbox-notify.yaml")
    place.environment["WBOX_SECRET_DISK"] = "a secret that is long enough"

    def begin() -> subprocess.Popen[str]:
        process = place.start("run")
        until((place.folder / "data" / "daemon.json").exists)
        return process

    return begin


def url(place: Workplace) -> str:
    return str(json.loads((place.folder / "data" / "daemon.json").read_text())["url"])


def call(place: Workplace, path: str, body: object, **headers: str) -> requests.Response:
    return requests.post(f"{url(place)}/hook/{path}", json=body, headers=headers, timeout=10)


def test_a_call_that_proves_itself_becomes_a_message_and_its_repetition_does_not(
    place: Workplace, wbox: Simulator, start: Start
) -> None:
    start()
    full = {"disk": "/var", "used": 91}
    assert call(place, "disk", full).status_code == 401
    assert call(place, "disk", full, Authorization="Bearer wrong").status_code == 401
    good = {"Authorization": "Bearer a secret that is long enough", "Idempotency-Key": "1"}
    assert call(place, "disk", full, **good).status_code == 202
    assert wbox.wait_for(1)[0]["body"]["message"] == "/var"
    assert call(place, "nowhere", full).status_code in {401, 404}
    log = place.run("log").stdout
    assert "/hook/disk" in log
    assert "a secret" not in log


def test_G02_a_storm_waits_and_the_owner_lets_it_go_with_a_link(
    place: Workplace, wbox: Simulator, start: Start
) -> None:
    start()
    phones = [f"+90555123456{number}" for number in range(5)]
    assert call(place, "many", phones[:2]).status_code == 202
    wbox.wait_for(2)
    assert call(place, "many", phones).status_code == 202
    question = wbox.wait_for(3)[2]["body"]
    assert question["phone"] == "905551234567"
    assert "5 messages" in question["message"]
    assert "5 held" in place.run("status").stdout
    link = re.search(r"http\S+", question["message"])
    assert link
    assert requests.get(link[0], timeout=10).status_code == 200
    assert "5 held" in place.run("status").stdout, "looking at the page does nothing"
    assert requests.post(link[0], timeout=10).status_code == 200
    assert {message["body"]["phone"] for message in wbox.wait_for(8)[3:]} == {phone[1:] for phone in phones}


def test_an_answer_on_the_page_is_remembered(place: Workplace, wbox: Simulator, start: Start) -> None:
    start()
    assert call(place, "answer", {}).status_code == 202
    link = wbox.wait_for(1)[0]["body"]["message"]
    assert requests.get(link, timeout=10).status_code == 200
    assert "acknowledged" not in place.run("log").stdout
    assert requests.post(link, timeout=10).status_code == 200
    until(lambda: "acknowledged" in place.run("log").stdout)
    forged = link[:-1] + ("A" if link[-1] != "A" else "B")
    assert requests.post(forged, timeout=10).status_code == 404


def test_K05_an_edit_is_followed_and_a_broken_one_changes_nothing(
    place: Workplace, wbox: Simulator, start: Start
) -> None:
    process = start()
    place.rule(HOOKS.replace('text: "hi"', 'text: "edited"'))
    until(lambda: "edited" in _say(place, wbox), within=20)
    place.rule(HOOKS.replace("for_each", "for_ech"))
    assert process.stderr
    assert "rules/rule.yaml" in next(line for line in process.stderr if "for_ech" in line)
    assert _say(place, wbox) == "edited"
    place.rule(HOOKS.replace('text: "hi"', 'text: "by signal"'))
    process.send_signal(signal.SIGHUP)
    until(lambda: _say(place, wbox) == "by signal", within=20)
    card = json.loads((place.folder / "data" / "daemon.json").read_text())
    reload = f"{card['url']}/-/reload"
    assert requests.post(reload, timeout=10).status_code == 401
    answer = requests.post(reload, headers={"Authorization": f"Bearer {card['token']}"}, timeout=10)
    assert answer.status_code == 200
    assert ended(process)[0] == 0


def _say(place: Workplace, wbox: Simulator) -> str:
    """Return what the rule `many` says now."""
    before = len(wbox.messages())
    assert call(place, "many", [PHONE]).status_code == 202
    return str(wbox.wait_for(before + 1)[-1]["body"]["message"])


def test_trigger_shows_what_a_rule_would_do_and_does_it(
    place: Workplace, wbox: Simulator, start: Start
) -> None:
    dry = place.run("trigger", "disk", "--data", '{"disk": "/home", "used": 95}', "--dry-run")
    assert dry.returncode == 0
    assert "POST /v1/send/text" in dry.stdout
    assert '"message": "/home"' in dry.stdout
    assert place.run("trigger", "disk", "--data", '{"used": 5}', "--dry-run").returncode == 3
    assert place.run("trigger", "dsk").returncode == 1
    assert "not JSON" in place.run("trigger", "disk", "--data", "{").stderr
    assert wbox.messages() == []
    start()
    assert place.run("trigger", "disk", "--data", '{"disk": "/home", "used": 95}').returncode == 0
    assert wbox.wait_for(1)[0]["body"]["message"] == "/home"


def test_trigger_says_with_its_exit_code_what_became_of_it(place: Workplace) -> None:
    rule = place.folder / "rules" / "fails.yaml"
    rule.write_text(
        "version: 1\nrules:\n  - id: fails\n    trigger: {webhook: {path: fails, open: true}}\n"
        "    to: '+905551234567'\n    send: {text: '{{ body.x }}'}\n"
        "  - id: waits\n    trigger: {webhook: {path: waits, open: true}}\n    digest: {at: '18:00'}\n"
        "    to: '+905551234567'\n    send: {text: hi}\n"
    )
    failed = place.run("trigger", "fails", "--data", "{}", "--dry-run")
    assert (failed.returncode, failed.stdout.split()[0]) == (1, "failed")
    assert place.run("trigger", "waits", "--data", "{}", "--dry-run").returncode == 0
    shown = place.run("trigger", "waits", "--data", "{}", "--dry-run").stdout
    assert "18:00:00  POST /v1/send/text" in shown, "the text of the digest, and when it is sent"
    unknown = place.run("trigger", "fail")
    assert "did you mean `fails`?" in unknown.stderr
    rule.write_text("version: 1\nrules: [\n")
    (place.folder / "a.txt").write_text("hi")
    place.rule(TEXT_RULE)
    assert place.run("trigger", "new-file", "--file", "a.txt", "--dry-run").returncode == 0
    broken = place.run("trigger", "fails")
    assert broken.returncode == 78
    assert "rules/fails.yaml:" in broken.stderr


def test_trigger_makes_a_call_with_a_form_a_query_and_headers(place: Workplace) -> None:
    place.rule(
        "version: 1\nrules:\n  - id: form\n    trigger: {webhook: {path: form, open: true}}\n"
        "    to: '+905551234567'\n"
        "    send: {text: '{{ body.name }} {{ query.page }} {{ headers[\"x-shop\"] }}'}\n",
        "rules/form.yaml",
    )
    given = ("--form", "name=Ayşe", "--query", "page=2", "--header", "X-Shop: a shop")
    [request] = place.json("trigger", "form", *given, "--dry-run")["requests"]
    assert request["body"]["message"] == "Ayşe 2 a shop"
    assert place.run("trigger", "form", "--form", "name").returncode == 2


def test_trigger_without_a_body_is_a_ping_where_the_hook_takes_one(place: Workplace) -> None:
    place.rule(
        "version: 1\nrules:\n  - id: ping\n"
        "    trigger: {webhook: {path: ping, open: true, methods: [GET, POST]}}\n"
        "    to: '+905551234567'\n    send: {text: '{{ body.job }}'}\n",
        "rules/ping.yaml",
    )
    for given in (("--query", "job=backup"), ("--form", "job=backup"), ("--data", '{"job": "backup"}')):
        [request] = place.json("trigger", "ping", *given, "--dry-run")["requests"]
        assert request["body"]["message"] == "backup"


def test_trigger_takes_a_file_by_any_path_and_says_why_not(place: Workplace) -> None:
    (place.folder / "a.txt").write_text("hi")
    (place.folder / "link.txt").symlink_to("a.txt")
    place.rule(TEXT_RULE)
    taken = place.run("trigger", "new-file", "--file", "drop/../a.txt", "--dry-run")
    assert (taken.returncode, "a.txt: hi" in taken.stdout) == (0, True)
    refused = place.run("trigger", "new-file", "--file", "link.txt", "--dry-run")
    assert refused.returncode == 1
    assert "links are not followed" in refused.stderr
    place.rule(TEXT_RULE.replace("path: drop", 'path: drop, match: "*.pdf"'))
    missed = place.run("trigger", "new-file", "--file", "a.txt", "--dry-run")
    assert missed.returncode == 1
    assert f"does not take {place.drop}/a.txt: no pattern matches" in missed.stderr


def test_rule_tests_pass_fail_and_say_why(place: Workplace, start: Start) -> None:
    assert start
    assert place.run("test").returncode == 3, "there is no test"
    tests = """
    tests:
      - {name: good, when: [{webhook: {body: {disk: a, used: 95}}}], expect: [{to: me, text: a}]}
      - {name: bad, when: [{webhook: {body: {disk: a, used: 5}}}], expect: [{to: me, text: a}]}
"""
    place.rule(
        HOOKS.replace('    send: {text: "{{ body.disk }}"}\n', '    send: {text: "{{ body.disk }}"}' + tests)
    )
    ran = place.run("test")
    assert ran.returncode == 1
    assert "PASS  disk: good" in ran.stdout
    assert "FAIL  disk: bad" in ran.stdout
    assert "message 1 did not come" in ran.stdout
    assert "1 passed, 1 failed" in ran.stdout
    assert place.run("test", "-k", "good").returncode == 0
    assert [one["passed"] for one in place.json("test")] == [True, False]


def test_schema_prints_a_json_schema(place: Workplace) -> None:
    for which in ("rules", "settings"):
        assert "properties" in place.json("schema", which)


def test_outlets_follow_a_reload(place: Workplace, start: Start) -> None:
    def reply(visit: Visit) -> None:
        while visit.request():
            visit.say(answer(200, ""))

    rule = """
version: 1
contacts: {me: "+905551234567"}
rules:
  - id: elsewhere
    trigger: {webhook: {path: elsewhere, open: true}}
    via: URL
    send: {text: "{{ body }}"}
"""
    with FaultServer(reply) as first, FaultServer(reply) as second:
        start()
        card = json.loads((place.folder / "data" / "daemon.json").read_text())
        for server in (first, second):
            place.rule(rule.replace("URL", f"json://{server.url.partition('//')[2]}"))
            token = {"Authorization": f"Bearer {card['token']}"}
            assert requests.post(f"{card['url']}/-/reload", headers=token, timeout=30).status_code == 200
            assert call(place, "elsewhere", "hi").status_code == 202
            until(lambda server=server: server.requests)
    assert [[one.json["message"] for one in server.requests] for server in (first, second)] == [
        ["hi"],
        ["hi"],
    ]


def test_the_fallback_hears_that_a_watched_folder_is_gone_and_that_it_is_back(place: Workplace) -> None:
    def speak(visit: Visit) -> None:
        while visit.request():
            visit.say(answer(200, "{}"))

    with FaultServer(speak) as server:
        place.environment["WBOX_FALLBACK"] = server.url.replace("http", "json")
        place.start("run")
        until((place.folder / "data" / "daemon.json").exists)
        place.drop.rmdir()
        until(lambda: server.requests)
        place.drop.mkdir()
        until(lambda: len(server.requests) > 1)
        said = [request.json["message"] for request in server.requests]
    assert str(place.drop) in said[0]
    assert said[1].startswith("Solved: ")
