"""The frame of the console in a real browser."""

from pathlib import Path

import pytest
from consoles import House
from playwright.sync_api import Browser, expect
from windows import KINDS, Kind, Windows

from wbox_notify.config import private
from wbox_notify.config.passwords import hashed


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


def test_a_broken_file_is_told_on_each_page_until_it_is_mended(windows: Windows) -> None:
    house, page = windows.house, windows.page()
    broken = house.folder / "rules" / "broken.yaml"
    broken.write_text("version: 1\nrules:\n  - id: x\n    trigger: {fil: {path: a}}\n", encoding="utf-8")
    house.daemon.reload()
    page.goto(f"{house.url}/about")
    expect(page.get_by_role("region", name="Mistakes in files")).to_contain_text("rules/broken.yaml:4:15")
    windows.look("/about", "about-broken")
    broken.unlink()
    house.daemon.reload()
    page.reload()
    expect(page.get_by_role("region", name="Mistakes in files")).to_have_count(0)
