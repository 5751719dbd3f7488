"""No secret is shown: canaries, through the parts and through a real daemon that says all it can."""

import json
import os
import signal
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from rulebook import project, rule_file
from workplace import Workplace, ended, until

from wbox_notify.clients.wbox import Client
from wbox_notify.config.reading import read
from wbox_notify.daemon.daemon import Daemon
from wbox_notify.model.redaction import SHORTEST, Redaction
from wbox_notify.simulator import Simulator

KEY = "sk_canary_4711"
HOOK = "canary/hook+secret of 24 bytes"
OTHER = 'canary "öther" \\ secret'
RULES = """
version: 1
rules:
  - id: hook
    trigger: {webhook: {path: hook, secret: hook}}
    to: "+905551234567"
    send: {text: "{{ body.text }}"}
  - id: other
    trigger: {webhook: {path: other, secret: other}}
    to: "+905551234568"
    send: {text: "{{ body.nothing }}"}
"""


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=SHORTEST), st.text(), st.text())
def test_a_secret_is_in_no_text_however_it_is_written(secret: str, before: str, after: str) -> None:
    redaction = Redaction()
    redaction.learn(secret)
    for written in (secret, quote(secret, safe=""), repr(secret)[1:-1], json.dumps(secret)[1:-1]):
        shown = redaction.redacted(before + written + after)
        assert written not in shown.replace("***", "\0" * 3)


def test_what_looks_like_a_key_is_hidden_though_nobody_knows_it() -> None:
    assert Redaction().redacted("Bearer sk_live_1-2, task_force") == "Bearer sk_***, task_force"


def test_a_secret_too_short_to_be_one_leaves_the_text_readable() -> None:
    redaction = Redaction()
    redaction.learn("disk")
    assert redaction.redacted("/hook/disk") == "/hook/disk"


def test_a_secret_that_begins_another_leaves_nothing_of_the_other() -> None:
    redaction = Redaction()
    redaction.learn("canary-one")
    redaction.learn("canary-one-and-more")
    assert redaction.redacted("canary-one-and-more") == "***"


def test_no_repr_holds_a_secret(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o600)
    settings = "version: 1\nwbox: {api_key_file: key}\nsecrets: {hook: {env: HOOK}, odd: canary-literal}\n"
    files = {
        "wbox-notify.yaml": settings,
        "rules/a.yaml": rule_file("trigger: {webhook: {path: a, secret: hook}}"),
    }
    environ = {"HOOK": HOOK, "WBOX_DATA_DIR": str(tmp_path / "data"), "WBOX_LISTEN": "127.0.0.1:0"}
    found = project(tmp_path, files, **environ)
    assert found.settings.secrets == {"hook": HOOK}
    daemon = Daemon(found, environ)
    for thing in (
        found,
        found.rules,
        found.settings,
        read(tmp_path, environ),
        daemon,
        Client("http://a", KEY),
    ):
        assert "canary" not in repr(thing)
    daemon.start()
    daemon.stop()


def test_a_daemon_that_logs_all_it_can_never_shows_or_stores_a_secret(
    place: Workplace, wbox: Simulator
) -> None:
    place.rule(RULES)
    place.environment |= {"WBOX_LOG_LEVEL": "debug", "WBOX_SECRET_HOOK": HOOK, "WBOX_SECRET_OTHER": OTHER}
    process = place.start("run")
    until((place.folder / "data" / "daemon.json").exists)
    url = json.loads((place.folder / "data" / "daemon.json").read_text())["url"]
    wbox.fault(status=500, count=1)
    for path, secret in (("hook", HOOK), ("other", OTHER), ("hook", "wrong"), ("nowhere", HOOK)):
        for header, query in ((f"Bearer {secret}", ""), (f"Basic {secret}", f"?key={quote(secret)}")):
            headers = {"Authorization": header.encode(), "X-Note": "seen"}
            requests.post(f"{url}/hook/{path}{query}", json={"text": "hi"}, headers=headers, timeout=10)
    place.rule(RULES.replace("secret: hook", "secret: hooks"))
    process.send_signal(signal.SIGHUP)
    assert process.stderr
    read_back = []
    while not read_back or "no secret `hooks`" not in read_back[-1]:
        read_back.append(process.stderr.readline())
        assert process.poll() is None
    code, errors = ended(process)
    said = "".join(read_back) + errors
    assert code == 0
    assert "DEBUG" in said, "it really logs all it can"
    stored = b"".join(path.read_bytes() for path in (place.folder / "data").iterdir())
    assert b"hi" in stored
    for command in (["log"], ["status"], ["queue", "list"], ["check"]):
        said += place.run(*command).stdout
    for secret in (KEY, HOOK, OTHER, repr(OTHER)[1:-1], quote(HOOK)):
        assert secret not in said
        assert secret.encode() not in stored


def test_an_error_of_any_command_hides_what_it_knows(place: Workplace) -> None:
    place.environment |= {
        "WBOX_SECRET_HOOK": HOOK,
        "WBOX_STORE": f"sqlite:///rules/rule.yaml/{HOOK}/{KEY}/x.db",
    }
    place.rule(RULES.replace("secret: other", "open: true"))
    for words in (["run"], ["log"], ["queue", "list"], ["log", "--json"]):
        ran = place.run(*words)
        assert ran.returncode
        assert "canary" not in ran.stderr


@pytest.mark.parametrize("level", ["debug", " ERROR ", "Info"])
def test_a_level_is_a_word_in_any_case(place: Workplace, level: str) -> None:
    assert "level" not in place.run("run", WBOX_LOG_LEVEL=level, WBOX_API_KEY="").stderr


def test_another_level_is_refused_with_the_words_there_are(place: Workplace) -> None:
    ran = place.run("run", WBOX_LOG_LEVEL="loud")
    assert ran.returncode == 78
    assert "debug, info, warning, error" in ran.stderr


def test_only_our_user_can_read_what_the_daemon_keeps(place: Workplace, wbox: Simulator) -> None:
    process = place.start("run")
    (place.drop / "a.txt").write_text("a")
    wbox.wait_for(1)
    data = place.folder / "data"
    assert data.stat().st_mode & 0o077 == 0
    kept = {path.name: path.stat().st_mode & 0o777 for path in data.iterdir()}
    assert {"daemon.json", "link.key", "wbox-notify.db"} <= kept.keys()
    assert set(kept.values()) == {0o600}
    assert ended(process)[0] == 0


def test_a_command_that_runs_before_the_daemon_makes_its_folder_for_our_user_alone(place: Workplace) -> None:
    (place.folder / "a.pdf").write_bytes(b"%PDF-1.4")
    (place.folder / "web").mkdir()
    place.rule("media: {static: {folder: web, url: 'https://files.example.com'}}", "wbox-notify.yaml")
    os.umask(0)
    try:
        place.run(
            "send",
            "media",
            "+905551112233",
            "--file",
            "a.pdf",
            WBOX_STORE=f"sqlite:///{place.folder}/queue.db",
        )
    finally:
        os.umask(0o022)
    data = place.folder / "data"
    assert (data / "media" / "spool.db").exists()
    assert {path.stat().st_mode & 0o077 for path in (data, *data.rglob("*"))} == {0}


def test_a_daemon_can_leave_no_core_dump(place: Workplace) -> None:
    process = place.start("run")
    until((place.folder / "data" / "daemon.json").exists)
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    assert next(line.split()[4:6] for line in limits.splitlines() if "core" in line) == ["0", "0"]
    if os.geteuid():
        assert Path(f"/proc/{process.pid}/mem").stat().st_uid == 0, "the kernel lets nobody look into it"
    assert ended(process)[0] == 0
