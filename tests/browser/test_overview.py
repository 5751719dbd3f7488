"""The overview and the queue of the console in a real browser."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from consoles import House
from playwright.sync_api import expect
from windows import KINDS, Kind, Windows
from workplace import until

from wbox_notify.model.deliveries import State

WITHIN = 30_000
RULES = """
version: 1
contacts:
  ayse: {name: Ayşe, phone: "+90 555 123 45 67"}
  mert: {name: Mert, phone: "+90 555 765 43 21"}
  night-owl: {name: Night Owl, phone: "+90 555 765 43 22", quiet_hours: 00:00-23:59}
on_call:
  duty: {rotate: [ayse, mert], every: 1w, from: 2026-01-05 09:00}
rules:
  - id: disk-full
    name: Disks
    trigger: {webhook: {path: disk, open: true}}
    to: ayse
    send: {text: "{{ body.disk }} is {{ body.used }} % full"}
  - id: everybody
    trigger: {webhook: {path: many, open: true}}
    for_each: {name: body.names}
    to: mert
    send: {text: "Hello {{ name }}"}
  - id: flood
    trigger: {webhook: {path: flood, open: true}}
    for_each: {name: body.names}
    to: ayse
    send: {text: "Good day {{ name }}"}
  - id: at-night
    trigger: {webhook: {path: night, open: true}}
    to: night-owl
    send: {text: "Sleep well"}
  - id: morning-report
    trigger: {schedule: "Mon-Fri 09:00"}
    to: duty
    send: {text: "Good morning"}
  - id: broken-text
    trigger: {webhook: {path: broken, open: true}}
    to: mert
    send: {text: "{{ body.nothing }}"}
"""
HISTORY = """
    with recursive n (n) as (select 1 union all select n + 1 from n where n < 2400)
    insert into delivery (key, event_id, rule, device, recipient, state, due, created, expires, changed)
    select 'old' || n, 'old' || n, 'disk-full', '', '905551234567', iif(n % 60 = 7, 'expired', 'sent'), 0,
        at - (n % 17) * (n % 5) * 0.1, 0, at
    from (
        select n, :now - 86400 * (n % 27) - 3600 * (n * 31 % 7 + n * 17 % 9 + n * 13 % 10) - n % 3000 as at
        from n
    )
"""


def call(house: House, path: str, **body: Any) -> None:
    assert requests.post(f"{house.url}/hook/{path}", json=body, timeout=20).status_code == 202


def dead(house: House) -> list[str]:
    """Return the rules of the messages that failed but for those that never can be made."""
    rules = [delivery.rule for delivery in house.daemon.control._store.queue([State.DEAD])]
    return [rule for rule in rules if rule != "broken-text"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A daemon with some weeks of history, a storm, a message that failed and one that quiet hours hold."""
    folder = tmp_path_factory.mktemp("overview") / "project"
    with House(
        folder, {"rules/rules.yaml": RULES, "wbox-notify.yaml": "version: 1\nstorm_guard: 5\n"}
    ) as made:
        store = made.daemon.control._store
        store._database.write(lambda tx: tx.execute(HISTORY, {"now": time.time()})).result()
        call(made, "disk", disk="/var", used=91)
        call(made, "many", names=[f"number {number}" for number in range(12)])
        call(made, "night")
        call(made, "broken")
        made.wbox.wait_for(1)
        yield made


def test_the_overview_looks_right(windows: Windows) -> None:
    page = windows.page()
    page.goto(windows.house.url)
    expect(page.get_by_role("link", name="held for you to decide")).to_contain_text("12")
    expect(page.locator("#coming")).to_contain_text("at-night")
    expect(page.locator("#coming")).to_contain_text("morning-report")
    windows.look("/", "overview")


def test_the_queue_looks_right(windows: Windows) -> None:
    windows.look("/queue?state=held", "queue")


def test_what_happens_is_seen_without_a_reload(windows: Windows) -> None:
    page = windows.page()
    page.goto(windows.house.url)
    page.evaluate("window.same = true")
    call(windows.house, "disk", disk="/home", used=97)
    latest = page.locator("#latest li").first
    expect(latest).to_contain_text("disk-full", timeout=WITHIN)
    call(windows.house, "night")
    expect(page.locator("#coming")).to_contain_text("2 events", timeout=WITHIN)
    assert page.evaluate("window.same")


def test_a_storm_is_dropped_with_one_press(windows: Windows) -> None:
    page = windows.page()
    call(windows.house, "flood", names=[f"number {number}" for number in range(8)])
    page.goto(f"{windows.house.url}/queue?rule=flood")
    expect(page.locator("#deliveries")).to_contain_text("8 messages", timeout=WITHIN)
    page.get_by_role("button", name="Drop all of flood").click()
    expect(page.get_by_role("status")).to_have_text("8 messages were dropped.")
    expect(page.locator("#deliveries")).to_contain_text("No message of the queue is like that.")


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[-1]], ids=["with scripts", "without"])
def test_a_message_that_failed_is_tried_again(windows: Windows, kind: Kind) -> None:
    house, page = windows.house, windows.page(kind)
    house.wbox.fault(status=400, count=1)
    call(house, "disk", disk="/srv", used=98)
    until(lambda: dead(house) == ["disk-full"])
    page.goto(f"{house.url}/queue?state=dead&rule=disk-full")
    before = len(house.wbox.messages())
    page.get_by_role("button", name="Try again: ").click()
    expect(page.get_by_role("status")).to_have_text("1 message is tried again.")
    assert house.wbox.wait_for(before + 1)[-1]["body"]["message"] == "/srv is 98 % full"
    assert dead(house) == []
