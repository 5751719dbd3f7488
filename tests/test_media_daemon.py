"""Files as media, end to end: a real daemon lends them, and the simulator fetches them as wbox would."""

import hashlib
import http.server
import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from workplace import Workplace, until

import wbox_notify.simulator
from wbox_notify.model.deliveries import Plan, PlannedMessage, State
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Media
from wbox_notify.simulator import Simulator
from wbox_notify.store import open_history, open_store

PICTURE = Path(wbox_notify.simulator.__file__).with_name("pages") / "sample.png"
PHONE = "+905551234567"
REAL = {"WBOX_API_URL": "https://server.wbox.me"}
RULE = """
version: 1
rules:
  - id: photo
    trigger: {file: {path: drop, match: "*.png"}}
    to: "+905551234567"
    send: {media: {file: "{{ file.path }}", caption: "*{{ file.stem }}*"}}
    tests:
      - name: the picture and its name are sent
        when: {file: {name: harbour.png}}
        expect: [{media: {file: {contains: drop/harbour.png}, caption: "*harbour*"}}]
"""


@pytest.fixture
def studio(place: Workplace, wbox: Simulator) -> Workplace:
    """A project that sends dropped pictures, to a simulator that fetches them."""
    place.rule(RULE)
    assert requests.post(f"{wbox.url}/sim/media", json={"fetch": True}, timeout=10).json() == {"fetch": True}
    return place


def run(place: Workplace) -> subprocess.Popen[str]:
    process = place.start("run")
    until((place.folder / "data" / "daemon.json").exists)
    return process


def drop(place: Workplace, name: str = "günaydın ş.png", content: bytes | None = None) -> Path:
    path = place.drop / name
    path.write_bytes(PICTURE.read_bytes() if content is None else content)
    return path


def fetched(wbox: Simulator, number: int = 0) -> dict[str, Any]:
    """Return what the simulator fetched for a message."""
    until(lambda: len(wbox.messages()) > number and "media" in wbox.messages()[number])
    found: dict[str, Any] = wbox.messages()[number]["media"]
    return found


def waits(place: Workplace, state: str) -> str:
    """Return the reasons of what waits, once something waits in this state."""
    history = open_history(place.store)
    until(lambda: history and history.queue([State(state)]))
    assert history
    reasons = [delivery.reason for delivery in history.queue([State(state)])]
    history.close()
    return "\n".join(reasons)


def picture(content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {"status": 200, "content_type": "image/png", "size": len(content), "sha256": digest}


def test_a_dropped_picture_arrives_byte_for_byte_and_its_link_is_in_no_log(
    studio: Workplace, wbox: Simulator
) -> None:
    process = run(studio)
    drop(studio)
    assert fetched(wbox) == picture(PICTURE.read_bytes())
    (message,) = wbox.messages()
    assert message["body"]["message"] == "*günaydın ş*"
    assert requests.get(f"{wbox.url}/sim/media/1", timeout=10).content == PICTURE.read_bytes()
    token = message["body"]["media_url"].split("/")[4]
    assert requests.get(message["body"]["media_url"], timeout=10).status_code == 200
    spoken = "".join(studio.run(*words).stdout for words in (["log"], ["status"], ["queue", "list"]))
    process.terminate()
    printed, errors = process.communicate(timeout=10)
    assert "media to" in printed
    assert token not in spoken + errors + printed
    for file in (studio.folder / "data").rglob("*"):
        assert file.is_dir() or token.encode() not in file.read_bytes(), file


def test_wbox_hears_of_a_link_and_what_it_says_of_it_is_not_kept(studio: Workplace, wbox: Simulator) -> None:
    link = f"http://127.0.0.1/m/{'a2' * 60}/a.png"
    wbox.fault(status=400, message=f"cannot fetch {link}")
    run(studio)
    drop(studio)
    shown = waits(studio, "dead")
    assert "cannot fetch http://127.0.0.1/m/***/a.png" in shown


def test_the_file_as_it_was_dropped_is_sent_also_when_it_is_gone_and_the_daemon_was_killed(
    studio: Workplace, wbox: Simulator
) -> None:
    wbox.unlink()
    process = run(studio)
    path = drop(studio)
    until(lambda: "503" in waits(studio, "queued"))  # killed during the request, it would be held
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    (studio.folder / "data" / "daemon.json").unlink()
    path.unlink()
    wbox.scan()
    run(studio)
    assert fetched(wbox) == picture(PICTURE.read_bytes())
    assert len(wbox.messages()) == 1


def test_without_room_a_message_waits_for_a_person_and_goes_when_there_is_room(
    studio: Workplace, wbox: Simulator
) -> None:
    studio.rule("version: 1\nmedia: {quota: 30kB}\n", "wbox-notify.yaml")
    wbox.unlink()
    run(studio)
    drop(studio, "a.png")
    waits(studio, "queued")
    drop(studio, "b.png", PICTURE.read_bytes() + b"!")
    shown = waits(studio, "dead")
    assert "there is no room for" in shown
    assert "queue drop" in shown
    assert studio.run("queue", "drop", "1").returncode == 0
    wbox.scan()
    assert studio.run("queue", "retry", "2").returncode == 0
    assert fetched(wbox) == picture(PICTURE.read_bytes() + b"!")


def test_a_command_sends_a_file_through_the_daemon_and_alone_says_why_not(
    studio: Workplace, wbox: Simulator
) -> None:
    path = studio.folder / "outside.png"
    path.write_bytes(PICTURE.read_bytes())
    alone = studio.run("send", "media", PHONE, "--file", str(path))
    assert alone.returncode == 78
    assert "daemon that would serve this file" in alone.stderr
    assert "wbox-notify run" in alone.stderr
    assert "media.static" in alone.stderr
    assert not (studio.folder / "data" / "media").exists()
    run(studio)
    sent = studio.run("send", "media", PHONE, "--file", "outside.png", "--caption", "hi")
    assert (sent.returncode, sent.stdout[:4]) == (0, "sent")
    assert fetched(wbox) == picture(PICTURE.read_bytes())
    for words, reason in {
        ("--file", "/nowhere.png"): "/nowhere.png cannot be opened: No such file",
        ("https://example.com/a.png", "--file", "outside.png"): "have one of them",
    }.items():
        refused = studio.run("send", "media", PHONE, *words)
        assert refused.returncode == 1
        assert reason in refused.stderr
    assert len(wbox.messages()) == 1


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def web_server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder that a web server serves, and its address."""
    folder = tmp_path / "www"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_static_folder_needs_no_daemon(
    studio: Workplace, wbox: Simulator, web_server: tuple[Path, str]
) -> None:
    folder, url = web_server
    studio.rule(f"version: 1\nmedia: {{static: {{folder: {folder}, url: {url}}}}}\n", "wbox-notify.yaml")
    drop(studio)
    sent = studio.run("send", "media", PHONE, "--file", "drop/günaydın ş.png")
    assert sent.returncode == 0, sent.stderr
    assert fetched(wbox) == picture(PICTURE.read_bytes())
    assert wbox.messages()[0]["body"]["media_url"].startswith(url)


def test_what_is_sent_by_hand_takes_a_picture_along_that_its_rule_could_not_have_copied_yet(
    studio: Workplace, wbox: Simulator, web_server: tuple[Path, str]
) -> None:
    folder, url = web_server
    studio.rule(f"version: 1\nmedia: {{static: {{folder: {folder}, url: {url}}}}}\n", "wbox-notify.yaml")
    media = Media(phone=PHONE, file=str(drop(studio, "a.png")))
    event = Event(id="photo", type="webhook", at=datetime.now(UTC), data={})
    plan = Plan(event_id="photo", messages=(PlannedMessage(key="photo", rule="photo", message=media),))
    store = open_store(f"sqlite:///{studio.folder}/data/wbox-notify.db")
    store.put_message(event, plan, time.time()).result()
    store.close()
    assert studio.run("send", "text", PHONE, "hello").returncode == 0
    assert fetched(wbox, -1) == picture(PICTURE.read_bytes())


def test_tests_and_a_dry_run_show_the_file_and_touch_none(studio: Workplace, wbox: Simulator) -> None:
    assert studio.run("test").returncode == 0
    path = drop(studio, "a.png")
    requests_ = studio.json("trigger", "photo", "--file", str(path), "--dry-run")["requests"]
    body = {"phone": "905551234567", "file": str(path), "message": "*a*"}
    assert [(request["path"], request["body"]) for request in requests_] == [("/v1/send/media", body)]
    assert not (studio.folder / "data" / "media").exists()
    assert wbox.messages() == []


def test_without_an_address_a_rule_with_a_file_is_refused_with_the_ways_out(studio: Workplace) -> None:
    refused = studio.run("check", **REAL)
    assert refused.returncode == 1
    assert "rules/rule.yaml:7" in refused.stderr
    assert "WBX340" in refused.stderr
    assert "^" in refused.stderr
    for way in ("public_url", "media.static", "url"):
        assert way in refused.stderr
    assert studio.run("run", **REAL).returncode == 78
    assert studio.run("send", "media", PHONE, "--file", "drop/a.png", **REAL).returncode == 78
    assert studio.run("check", **REAL, WBOX_PUBLIC_URL="https://notify.example.com").returncode == 0


def test_U11_an_address_that_only_the_own_network_has_is_not_handed_over(place: Workplace) -> None:
    url = "http://169.254.169.254/latest"
    refused = place.run("send", "media", PHONE, url, **REAL)
    assert refused.returncode == 1
    assert "this cannot be fetched from outside of your network" in refused.stderr
    place.rule(
        'version: 1\nrules:\n- {id: a, trigger: {webhook: {path: x, open: true}}, to: "+905551112233", '
        'send: {media: {url: "{{ body.url }}"}}}\n'
    )
    made = place.run("trigger", "a", "--data", json.dumps({"url": url}), "--dry-run", "--json", **REAL)
    said = json.loads(made.stdout)
    assert said["requests"] == []
    assert "this cannot be fetched from outside of your network" in said["decisions"][-1]["detail"]


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "http://localhost.example.com/a.png",
        "https://127.0.0.1/a.png",
        "file:///etc/passwd",
        "ftp://127.0.0.1/a",
        "http://[",
    ],
)
def test_U11_the_simulator_fetches_from_this_machine_alone(wbox: Simulator, url: str) -> None:
    requests.post(f"{wbox.url}/sim/media", json={"fetch": True}, timeout=10)
    send = {"phone": "905551112233", "media_url": url}
    key = {"Authorization": "Bearer sk_a"}
    assert requests.post(f"{wbox.url}/v1/send/media", json=send, headers=key, timeout=10).status_code == 200
    assert fetched(wbox) == {"error": "not fetched: it is not on this machine"}
    assert requests.get(f"{wbox.url}/sim/media/1", timeout=10).status_code == 404


def test_the_simulator_fetches_nothing_unless_asked_to(wbox: Simulator) -> None:
    assert requests.get(f"{wbox.url}/sim/media", timeout=10).json() == {"fetch": False}
    for wrong in ({}, {"fetch": 1}, []):
        assert requests.post(f"{wbox.url}/sim/media", json=wrong, timeout=10).status_code == 400
    send = {"phone": "905551112233", "media_url": f"{wbox.url}/sim/sample.png"}
    key = {"Authorization": "Bearer sk_a"}
    requests.post(f"{wbox.url}/v1/send/media", json=send, headers=key, timeout=10)
    requests.post(f"{wbox.url}/sim/media", json={"fetch": True}, timeout=10)
    requests.post(f"{wbox.url}/v1/send/media", json=send, headers=key, timeout=10)
    assert fetched(wbox, 1)["sha256"] == hashlib.sha256(PICTURE.read_bytes()).hexdigest()
    assert "media" not in wbox.messages()[0]
