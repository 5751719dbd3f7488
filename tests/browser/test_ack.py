"""The pages behind links in a real browser, as somebody has them on a telephone."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from doorway import Doorway, signed_token
from playwright.sync_api import Page, expect

from wbox_notify.model.deliveries import Hold, Plan, PlannedMessage, State
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text

OpenPage = Callable[..., Page]
PHONE = {"viewport": {"width": 390, "height": 844}}
SIZES = {"phone": (390, 844), "small": (320, 568), "sideways": (844, 390), "desk": (1280, 800)}


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Doorway]:
    with Doorway(tmp_path) as doorway:
        yield doorway


def ack(door: Doorway, rule: str = "disk-full") -> str:
    token = signed_token("ack", f"{rule}\x1fdb1")
    return f"{door.url}/ack/{token}"


def acks(door: Doorway) -> list[Event]:
    return [event for event in door.events() if event.type == "ack"]


def storm(door: Doorway, event_id: str, size: int) -> None:
    event = Event(id=event_id, type="file", at=datetime(2026, 11, 23, tzinfo=UTC), data={})
    held = tuple(
        PlannedMessage(
            key=f"{event_id}:{number}",
            rule="r",
            message=Text(phone="905551234567", message="Hi"),
            hold=Hold.STORM,
            facts={"messages": size},
        )
        for number in range(size)
    )
    door.store.put_message(event, Plan(event_id=event_id, messages=held), 1.0).result()


@pytest.mark.parametrize("scripts", [True, False])
def test_one_press_acknowledges_once(door: Doorway, open_page: OpenPage, *, scripts: bool) -> None:
    page = open_page(ack(door), **PHONE, java_script_enabled=scripts)
    expect(page.get_by_role("heading", name="Are you on it?")).to_be_visible()
    expect(page.get_by_text("disk-full")).to_be_visible()
    assert acks(door) == []
    page.get_by_role("button", name="I am on it").click()
    expect(page.get_by_role("heading", name="Noted")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("heading", name="Noted")).to_be_visible()
    assert [event.data for event in acks(door)] == [{"rule": "disk-full", "key": "db1"}]


def test_the_button_can_be_pressed_from_the_keyboard(door: Doorway, open_page: OpenPage) -> None:
    page = open_page(ack(door))
    page.keyboard.press("Tab")
    expect(page.get_by_role("button")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Noted")).to_be_visible()


def test_a_turkish_browser_is_asked_in_turkish(door: Doorway, open_page: OpenPage) -> None:
    page = open_page(ack(door), **PHONE, locale="tr-TR")
    page.get_by_role("button", name="İlgileniyorum").click()
    expect(page.get_by_role("heading", name="Kaydedildi")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "tr")


def test_one_press_lets_a_storm_go(door: Doorway, open_page: OpenPage) -> None:
    storm(door, "file:/srv/drop/list.csv", 51)
    page = open_page(f"{door.url}/ack/{signed_token('release', 'file:/srv/drop/list.csv')}", **PHONE)
    page.get_by_role("button", name="Send them").click()
    expect(page.get_by_role("status")).to_contain_text("51")
    assert door.store.queue([State.HELD], 100) == []


def test_a_link_that_is_cut_off_is_explained(
    door: Doorway, open_page: OpenPage, complaints: list[str]
) -> None:
    page = open_page(ack(door)[:-3], **PHONE)
    expect(page.get_by_role("heading", name="This link does not work")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    assert len(complaints) == 1
    assert "404" in complaints.pop()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits(door: Doorway, open_page: OpenPage, size: str, scheme: Any) -> None:
    width, height = SIZES[size]
    page = open_page(
        ack(door, "a-rule-whose-name-does-not-end-" * 4),
        viewport={"width": width, "height": height},
        color_scheme=scheme,
    )
    assert page.evaluate("document.documentElement.scrollWidth") == width
    button = page.get_by_role("button").bounding_box()
    assert button
    assert button["height"] >= 60
    assert button["width"] >= min(280, width - 100)
    if width == 390:
        assert button["y"] + button["height"] < height


def test_a_stranger_can_not_put_the_page_into_a_frame(door: Doorway) -> None:
    assert "frame-ancestors 'none'" in requests.get(ack(door), timeout=10).headers["content-security-policy"]
