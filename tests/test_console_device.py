"""The page about the devices: what wbox says of them, the code to scan, a test message."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import segno
from consoles import House, Visitor
from workplace import until

from wbox_notify.cli import qr

FILES = {
    "wbox-notify.yaml": 'version: 1\nowner: ayse\ncontacts: {ayse: "+90 555 123 45 67"}\n',
    "rules/a.yaml": """
version: 1
rules:
  - id: called
    trigger: {webhook: {path: call, open: true}}
    to: ayse
    send:
      - text: "first"
      - {text: "second", device: 2}
  - id: files
    trigger: {file: {path: drop, match: "*.pdf"}}
    to: ayse
    send: {text: "{{ file.name }}"}
""",
}


@pytest.fixture(scope="module")
def all_day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    a_house = House(tmp_path_factory.mktemp("device") / "project", FILES)
    (a_house.folder / "drop" / "Bill.txt").touch()
    with a_house:
        yield a_house


@pytest.fixture
def house(all_day: House) -> House:
    """A house whose two devices are linked."""
    all_day.wbox.clear()
    for device in (1, 2):
        all_day.wbox.scan(device)
        all_day.daemon._devices.leave(None if device == 1 else device)
    return all_day


@pytest.fixture
def visitor(house: House) -> Visitor:
    return house.login()


def state(visitor: Visitor) -> list[str]:
    return [device["state"] for device in visitor.get("/device.json").json()["devices"]]


def code(visitor: Visitor) -> bytes:
    """Return the picture that the page shows, once it shows one."""
    until(lambda: visitor.get("/device.json").json()["devices"][0]["code"] is not None)
    (path,) = re.findall(r'<img src="(/device/code.png[^"]+)"', visitor.get("/device").text)
    answer = visitor.get(path.replace("&amp;", "&"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.headers["cache-control"] == "no-store"
    return answer.content


def drawn(house: House) -> list[bytes]:
    """Return the rows of the code that the simulator waits for somebody to scan."""
    made = segno.make(str(house.wbox._world.devices()[1]), error="m", micro=False)
    return [bytes(row) for row in made.matrix]


def test_each_device_of_the_settings_and_of_the_rules_is_shown_as_it_is(
    house: House, visitor: Visitor
) -> None:
    house.wbox.unlink(2)
    shown = visitor.get("/device.json").json()
    assert [(device["number"], device["state"]) for device in shown["devices"]] == [
        (1, "ready"),
        (2, "unlinked"),
    ]
    assert set(shown["pace"].values()) == {None}
    page = visitor.get("/device").text
    assert "Link with a phone" in page
    assert 'action="/device/leave"' not in page


def test_a_device_is_paired_with_the_code_on_the_page_and_what_waits_goes_out(
    house: House, visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    house.wbox.unlink(1)
    assert visitor.press("/device", "/device/test", to="ayse", device="1").status_code == 303
    until(lambda: bool(house.daemon._store.circuits()))
    assert visitor.press("/device", "/device/pair", device="").headers["location"] == "/device"
    until(lambda: list(qr.read(code(visitor)).modules) == drawn(house))
    waiting = str(house.wbox._world.devices()[1])
    page = visitor.get("/device").text
    assert '<noscript><meta http-equiv="refresh"' in page
    assert waiting not in page
    assert waiting not in caplog.text
    house.wbox.scan(1)
    (message,) = house.wbox.wait_for(1)
    assert message["body"]["message"].startswith("A test message from wbox-notify")
    until(lambda: state(visitor)[0] == "ready")
    assert "code.png" not in visitor.get("/device").text


def test_who_stops_the_pairing_leaves_no_code(house: House, visitor: Visitor) -> None:
    house.wbox.unlink(1)
    visitor.press("/device", "/device/pair", device="")
    code(visitor)
    visitor.press("/device", "/device/leave", device="")
    assert visitor.get("/device/code.png?device=").status_code == 404
    assert state(visitor)[0] == "unlinked"


def test_nobody_who_is_not_logged_in_gets_a_code_or_pairs(house: House, visitor: Visitor) -> None:
    house.wbox.unlink(1)
    visitor.press("/device", "/device/pair", device="")
    code(visitor)
    stranger = Visitor(house.url)
    assert stranger.get("/device/code.png?device=").status_code == 303
    assert stranger.post("/device/pair", data={"device": ""}).status_code in {401, 403}


def test_a_test_message_is_sent_and_its_state_is_shown(house: House, visitor: Visitor) -> None:
    path = visitor.press("/device", "/device/test", to="ayse", device="").headers["location"]
    (message,) = house.wbox.wait_for(1)
    assert message["body"]["phone"] == "905551234567"
    until(lambda: ">sent</span>" in visitor.get(path).text)
    assert visitor.get(path.replace("?", ".json?")).json()["test"]["state"] == "sent"


def test_the_notice_of_an_action_is_told_once_and_not_to_a_page_that_renews_itself(visitor: Visitor) -> None:
    assert visitor.press("/device", "/device/try").headers["location"] == "/device"
    notice = "wbox is asked now about what sends nothing."
    assert notice not in visitor.get("/device", headers={"Sec-Fetch-Mode": "cors"}).text
    assert notice in visitor.get("/device", headers={"Sec-Fetch-Mode": "navigate"}).text
    assert notice not in visitor.get("/device").text


def test_whom_nobody_knows_is_a_page_that_says_so(visitor: Visitor) -> None:
    answer = visitor.press("/device", "/device/test", to="aysse", device="")
    assert (answer.status_code, "aysse" in answer.text) == (422, True)


@pytest.mark.parametrize("device", ["x", "0", "-1", "²", "9" * 10])
def test_what_is_no_device_is_refused(visitor: Visitor, device: str) -> None:
    assert visitor.press("/device", "/device/pair", device=device).status_code == 400
    assert visitor.get(f"/device?device={device}").status_code == 400


def test_files_that_no_rule_takes_are_on_the_first_page(house: House, visitor: Visitor) -> None:
    folder = {"folder": str(house.folder / "drop"), "number": 1, "names": ["Bill.txt"]}
    until(lambda: visitor.get("/overview.json").json()["unwanted"] == [folder])
    assert "Bill.txt" in visitor.get("/").text


def test_a_wbox_that_is_away_is_said(tmp_path: Path) -> None:
    with House(tmp_path / "project", FILES, {"WBOX_API_URL": "http://127.0.0.1:9"}) as house:
        visitor = house.login()
        until(lambda: state(visitor) == ["unreachable", "unreachable"])
        assert "could not be reached" in visitor.get("/device").text
