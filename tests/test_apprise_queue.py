"""wboxq:// through the real Apprise, into the queue of a real daemon."""

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apprise
import platformdirs
import pytest
from fault_server import FaultServer, Visit, answer
from hypothesis import given
from hypothesis import strategies as st
from workplace import Workplace, ended, until

from wbox_notify.apprise_plugin import NotifyWboxQueue, _data_folder
from wbox_notify.simulator import Simulator

PHONE = "905551234567"
OTHER = "905551112233"


def at(data: Path, rest: str = PHONE, **arguments: str) -> NotifyWboxQueue:
    """Return a provider for the daemon of a data folder."""
    words = {"data": str(data), **arguments}
    query = "&".join(f"{name}={NotifyWboxQueue.quote(value)}" for name, value in words.items())
    made = apprise.Apprise.instantiate(f"wboxq://{rest}?{query}")
    assert isinstance(made, NotifyWboxQueue)
    return made


def tell(provider: NotifyWboxQueue, body: str = "hello", **parts: Any) -> bool:
    ours = apprise.Apprise()
    ours.add(provider)
    return bool(ours.notify(body, **parts))


@pytest.fixture
def data(place: Workplace, daemon: subprocess.Popen[str]) -> Path:
    """The data folder of a daemon that runs."""
    found = place.folder / "data"
    until((found / "daemon.json").exists)
    assert daemon.poll() is None
    return found


@pytest.fixture(autouse=True)
def no_token_in_a_log(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> Iterator[None]:
    caplog.set_level(1)
    yield
    lines = [record.getMessage() for record in caplog.records]
    for card in tmp_path.rglob("daemon.json"):
        assert not [line for line in lines if json.loads(card.read_text())["token"] in line]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_each_kind_reaches_the_phone_through_the_queue(data: Path, wbox: Simulator) -> None:
    assert tell(at(data, f"{PHONE}/{OTHER}"), "hello", title="Title")
    until(lambda: len(wbox.messages()) == 2)
    assert tell(at(data, device="1"), "look", attach="https://e.x/a.jpg")
    assert tell(at(data, mode="event", start="2026-12-01"), "Meeting\nRoom 2")
    assert tell(at(data, mode="poll", options="a|b"), "Which?")
    until(lambda: len(wbox.messages()) == 5)
    sent = [(one["endpoint"].rpartition("/")[2], one["body"]) for one in wbox.messages()]
    assert sorted(body["phone"] for _, body in sent[:2]) == [OTHER, PHONE]
    assert {body["message"] for _, body in sent[:2]} == {"*Title*\nhello"}
    rest = dict(sent[2:])
    assert rest["media"] == {
        "phone": PHONE,
        "media_url": "https://e.x/a.jpg",
        "message": "look",
        "device_id": 1,
    }
    assert rest["event"]["event"] == {"title": "Meeting", "description": "Room 2", "startDate": "2026-12-01"}
    assert (rest["poll"]["message"], rest["poll"]["options"]) == ("Which?", ["a", "b"])


def test_true_means_on_disk_also_while_wbox_is_away(
    place: Workplace, data: Path, daemon: subprocess.Popen[str], wbox: Simulator
) -> None:
    wbox.stop()
    assert tell(at(data), "kept")
    ended(daemon)
    [waiting] = place.json("queue", "list")
    assert (waiting["to"], waiting["kind"]) == (PHONE, "text")


def test_without_a_daemon_it_says_what_to_do(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not tell(at(tmp_path / "nothing"))
    [warning] = warnings(caplog)
    assert "no daemon runs on" in warning
    assert "`wbox-notify run`" in warning
    assert "?data=FOLDER" in warning


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ('{"url": "http://127.0.0.1:1", "token": "t0ken"}', "the daemon does not answer: start it"),
        ("{}", "does not say where the daemon answers"),
        ("[]", "does not say where the daemon answers"),
        ("x", "does not say where the daemon answers"),
        ('{"url": "nowhere", "token": "t0ken"}', "the daemon does not answer"),
    ],
)
def test_what_a_dead_daemon_left_is_a_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, card: str, said: str
) -> None:
    (tmp_path / "daemon.json").write_text(card)
    assert not tell(at(tmp_path))
    assert said in warnings(caplog)[0]


def test_a_card_that_others_can_write_is_no_card(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    card = tmp_path / "daemon.json"
    with FaultServer(lambda visit: visit.say(answer(202, '{"id": 1}'))) as server:
        card.write_text(json.dumps({"url": server.url, "token": "t0ken"}))
        for mode in (0o620, 0o602):
            card.chmod(mode)
            assert not tell(at(tmp_path))
    assert "can be changed by others" in warnings(caplog)[0]
    assert server.requests == []


def test_what_was_queued_is_not_queued_again_on_retry(tmp_path: Path) -> None:
    asked: list[str] = []

    def second_fails_once(visit: Visit) -> None:
        while request := visit.request():
            asked.append(request.json["phone"])
            visit.say(answer(503, "{}") if len(asked) == 2 else answer(202, '{"id": 1}'))

    with FaultServer(second_fails_once) as server:
        (tmp_path / "daemon.json").write_text(json.dumps({"url": server.url, "token": "t0ken"}))
        assert tell(at(tmp_path, f"{PHONE}/{OTHER}", retry="1", wait="0"))
    assert asked == [PHONE, OTHER, OTHER]
    assert {one.headers["authorization"] for one in server.requests} == {"Bearer t0ken"}


@pytest.mark.parametrize("status", [200, 401, 400, 500])
def test_only_accepted_is_queued(tmp_path: Path, status: int) -> None:
    def reply(visit: Visit) -> None:
        while visit.request():
            visit.say(answer(status, '{"id": 1}'))

    with FaultServer(reply) as server:
        (tmp_path / "daemon.json").write_text(json.dumps({"url": server.url, "token": "t0ken"}))
        assert not tell(at(tmp_path))


def test_a_proxy_of_the_environment_is_not_asked(data: Path, place: Workplace) -> None:
    program = (
        f"import apprise, wbox_notify; a = apprise.Apprise('wboxq://{PHONE}'); print(bool(a.notify('hi')))"
    )
    proxies = dict.fromkeys(("http_proxy", "all_proxy"), "http://127.0.0.1:1")
    words = [sys.executable, "-c", program]
    ran = subprocess.run(
        words, env={**place.environment, **proxies}, capture_output=True, text=True, check=True
    )
    assert data == Path(place.environment["WBOX_DATA_DIR"])
    assert ran.stdout.strip() == "True", ran.stderr


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("wboxq://", "targets"),
        ("wboxq:///", "targets"),
        ("wboxq://123", "targets"),
        ("wboxq://sk_secret@905551234567", "key"),
        ("wboxq://sk_secret:x@905551234567", "key"),
        ("wboxq://905551234567:80", "key"),
        ("wboxq://905551234567:abc", ""),
        ("wboxq://905551234567?mode=x", "mode"),
        ("wboxq://905551234567?device=0", "device"),
        ("wboxq://905551234567?media=x", "media"),
        ("wboxq://905551234567?mode=poll&options=a", "options"),
        ("wboxq://[", "URL"),
    ],
)
def test_a_bad_url_is_refused_with_a_warning(caplog: pytest.LogCaptureFixture, url: str, part: str) -> None:
    assert apprise.Apprise().add(url) is False
    assert any(part in warning for warning in warnings(caplog))
    assert "secret" not in " ".join(warnings(caplog))


@given(st.text(max_size=60))
def test_no_url_raises(rest: str) -> None:
    apprise.Apprise.instantiate(f"wboxq://{rest}")


@pytest.mark.parametrize(
    ("url", "targets", "data"),
    [
        (f"wboxq://{PHONE}", [PHONE], None),
        (f"wboxq://+{PHONE}/{OTHER},+49 151 23456789", [PHONE, OTHER, "4915123456789"], None),
        (f"wboxq://{PHONE}?to={OTHER}&data=/var/lib/wbox-notify", [PHONE, OTHER], "/var/lib/wbox-notify"),
        (f"wboxq://?to={PHONE}", [PHONE], None),
    ],
)
def test_a_good_url_is_read_and_makes_itself_again(url: str, targets: list[str], data: str | None) -> None:
    made = apprise.Apprise.instantiate(url)
    assert isinstance(made, NotifyWboxQueue)
    assert (made.targets, made.data, len(made)) == (targets, data, len(targets))
    again = apprise.Apprise.instantiate(made.url())
    assert isinstance(again, NotifyWboxQueue)
    assert (again.targets, again.data, again.url(), again.url_id()) == (
        targets,
        data,
        made.url(),
        made.url_id(),
    )


def test_the_default_folder_is_the_daemon_s_own() -> None:
    assert "WBOX_DATA_DIR" not in os.environ
    assert Path(platformdirs.user_data_dir("wbox-notify", appauthor=False)) == _data_folder()


def test_details_name_both_and_only_one_has_a_key() -> None:
    told = {one["service_name"]: one for one in apprise.Apprise().details()["schemas"]}
    assert told["wbox queue"]["protocols"] == ("wboxq",)
    assert "apikey" not in told["wbox queue"]["details"]["tokens"]
    assert "data" in told["wbox queue"]["details"]["args"]
    assert not re.search("tls|key", " ".join(told["wbox queue"]["details"]["args"]))
