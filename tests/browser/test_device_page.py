"""The page about the devices in a real browser: it is looked at in each state, and a device is paired."""

from collections.abc import Iterator

import pytest
from consoles import House
from playwright.sync_api import expect
from windows import KINDS, Windows


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    settings = 'version: 1\nowner: ayse\ncontacts: {ayse: "+90 555 123 45 67"}\n'
    rule = "version: 1\nrules: [{id: a, trigger: {schedule: '09:00'}, to: ayse, send: {text: hi}}]\n"
    files = {"wbox-notify.yaml": settings, "rules/a.yaml": rule}
    with House(tmp_path_factory.mktemp("console") / "project", files, {"WBOX_PACE": "1s"}) as a_house:
        yield a_house


def test_a_linked_device_looks_right(windows: Windows) -> None:
    windows.look("/device")


def test_a_device_is_paired_and_sends_what_waited(windows: Windows) -> None:
    house, page = windows.house, windows.page()
    house.wbox.unlink(1)
    page.goto(f"{house.url}/device")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Next look")).to_be_visible()
    windows.look("/device", "device-unlinked")
    page.goto(f"{house.url}/device")
    page.get_by_role("button", name="Link with a phone").click()
    expect(page.get_by_alt_text("The code to scan")).to_be_visible()
    windows.look("/device", "device-code")
    assert page.evaluate("document.querySelector('.qr img').naturalWidth") > 100
    house.wbox.scan(1)
    expect(page.get_by_text("It is linked with a phone")).to_be_visible()
    assert house.wbox.wait_for(1)[0]["body"]["message"].startswith("A test message")


def test_without_scripts_the_page_comes_again_by_itself_until_the_phone_has_scanned(windows: Windows) -> None:
    house, page = windows.house, windows.renewed(KINDS[-1])
    house.wbox.unlink(1)
    page.goto(f"{house.url}/device")
    while not page.get_by_role("button", name="Link with a phone").is_visible():
        page.reload()
    page.get_by_role("button", name="Link with a phone").click()
    expect(page.get_by_alt_text("The code to scan")).to_be_visible()
    house.wbox.scan(1)
    expect(page.get_by_text("It is linked with a phone")).to_be_visible()


def test_a_test_message_is_followed_until_it_is_sent(windows: Windows) -> None:
    page = windows.page()
    page.goto(f"{windows.house.url}/device")
    expect(page.get_by_label("To a contact or a number")).to_have_value("ayse")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#test .pill")).to_have_text("sent")
    windows.look(page.url.removeprefix(windows.house.url), "device-test")
