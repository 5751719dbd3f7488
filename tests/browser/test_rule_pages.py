"""The pages about rules and people in a real browser."""

from collections.abc import Iterator

import pytest
from consoles import House
from office import OFFICE
from playwright.sync_api import expect
from windows import KINDS, Kind, Windows


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("rules") / "project", OFFICE) as a_house:
        yield a_house


@pytest.mark.parametrize("path", ["/rules", "/rules/disk", "/people"])
def test_each_page_looks_right(windows: Windows, path: str) -> None:
    windows.look(path)


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[3], KINDS[4]], ids=lambda kind: kind.name)
def test_an_event_is_tried_and_nothing_is_sent(windows: Windows, kind: Kind) -> None:
    page = windows.page(kind)
    page.goto(f"{windows.house.url}/rules/disk")
    page.locator("textarea[name=body]").fill('{"disk": "/srv", "used": 97}')
    page.locator("form.try button").click()
    expect(page.locator("#result .bubble")).to_have_text("/srv: 97 % #full")
    Windows.check(page, kind, "rules-tried")
    assert windows.house.wbox.messages() == []


def test_the_tests_of_a_rule_are_run_by_a_button(windows: Windows) -> None:
    page = windows.page()
    page.goto(f"{windows.house.url}/rules/disk")
    page.get_by_role("button", name="Run its 2 tests").click()
    expect(page.locator("#result .pill.good")).to_have_count(1)
    expect(page.locator("#result pre")).to_contain_text("all is well")
    Windows.check(page, KINDS[0], "rules-tested")


def test_a_rule_is_silenced_on_its_page(windows: Windows) -> None:
    page = windows.page()
    page.goto(f"{windows.house.url}/rules/evening")
    page.get_by_role("button", name="1 hour").click()
    speak = page.get_by_role("button", name="Let it speak again")
    expect(speak).to_be_visible()
    speak.click()
    expect(page.get_by_role("button", name="1 hour")).to_be_visible()


def test_the_lines_of_a_broken_file_are_shown(windows: Windows) -> None:
    house, page = windows.house, windows.page()
    file = house.folder / "rules" / "files.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('match: "*.pdf"', f'mtch: "*.pdf", match: {"long" * 40}'), encoding="utf-8")
    house.daemon.reload()
    page.goto(f"{house.url}/rules")
    expect(page.locator("pre")).to_contain_text('mtch: "*.pdf"')
    expect(page.locator(".rule .pill.care")).to_have_count(4)
    Windows.check(page, KINDS[0], "rules-broken")
    phone = windows.page(KINDS[1])
    phone.goto(f"{house.url}/rules")
    Windows.check(phone, KINDS[1], "rules-broken")
    page.goto(f"{house.url}/rules/invoice")
    expect(page.locator(".code")).to_contain_text('match: "*.pdf"')
    file.write_text(text, encoding="utf-8")
    house.daemon.reload()
