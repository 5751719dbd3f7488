"""The frame of the console in a real browser."""

import time
from pathlib import Path

import pytest
from consoles import House
from playwright.sync_api import Browser, expect
from windows import KINDS, Kind, Windows
from workplace import until

from wbox_notify.config import private
from wbox_notify.config.passwords import hashed
from wbox_notify.dispatch.queue import silencing
from wbox_notify.model.messages import Text


def test_about_looks_right(windows: Windows) -> None:
    windows.look("/about")


def test_the_keyboard_leads_to_the_content_and_to_each_page(windows: Windows) -> None:
    page = windows.page()
    page.goto(f"{windows.house.url}/about")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    expect(page.get_by_role("navigation").get_by_role("link")).to_have_count(7)


def test_the_language_can_be_chosen(windows: Windows) -> None:
    page = windows.page(Kind("en", 800, "light"))
    page.goto(f"{windows.house.url}/about")
    page.get_by_role("link", name="Türkçe").click()
    expect(page.locator("html")).to_have_attribute("lang", "tr")
    page.goto(f"{windows.house.url}/about")
    expect(page.locator("html")).to_have_attribute("lang", "tr")


@pytest.mark.parametrize("kind", KINDS)
def test_the_login_looks_right(browser: Browser, house: House, kind: Kind) -> None:
    context = browser.new_context(
        viewport={"width": kind.width, "height": 844},
        locale=kind.lang,
        color_scheme=kind.scheme,
        java_script_enabled=kind.scripts,
    )
    page = context.new_page()
    page.goto(f"{house.url}/about")
    expect(page.locator("pre")).to_have_text("wbox-notify console")
    Windows.check(page, kind, "login")
    context.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_the_password_opens_the_page_that_was_asked_for(
    browser: Browser, tmp_path: Path, *, scripts: bool
) -> None:
    with House(tmp_path / "project") as house:
        private.write(house.folder / "data" / "console.password", hashed("at pil zımba"))
        context = browser.new_context(java_script_enabled=scripts)
        page = context.new_page()
        page.goto(f"{house.url}/about?x=1")
        page.get_by_label("Password").fill("at pil")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_have_text("This is not the password.")
        page.get_by_label("Password").fill("at pil zımba")
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{house.url}/about?x=1")
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_label("Password")).to_be_visible()
        context.close()


def test_a_broken_file_a_paused_device_and_a_silent_rule_are_told_on_each_page(windows: Windows) -> None:
    house, page = windows.house, windows.page()
    broken = house.folder / "rules" / "broken.yaml"
    broken.write_text("version: 1\nrules:\n  - id: x\n    trigger: {fil: {path: a}}\n", encoding="utf-8")
    house.daemon.reload()
    house.wbox.unlink(1)
    house.daemon.control.send(Text(phone="905551234567", message="Hi"))
    house.daemon.control.accept(silencing("new-file", time.time() + 3600))
    visitor = house.login()
    until(lambda: all(text in visitor.get("/about").text for text in ("sends nothing for now", "Silent:")))
    page.goto(f"{house.url}/about")
    expect(page.get_by_role("region", name="Mistakes in files")).to_contain_text("rules/broken.yaml:4:15")
    expect(page.get_by_text("The device sends nothing for now: ")).to_have_text(
        "The device sends nothing for now: the phone is not linked; "
        "scan the QR code again (wbox-notify pair). Look at the device"
    )
    expect(page.get_by_text("Silent:")).to_contain_text("new-file until")
    windows.look("/about", "about-banners")
    broken.unlink()
    house.daemon.reload()
    page.reload()
    expect(page.get_by_role("region", name="Mistakes in files")).to_have_count(0)
