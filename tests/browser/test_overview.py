"""The overview and the queue of the console in a real browser."""

import time
from collections.abc import Iterator

import pytest
import requests
from consoles import House
from playwright.sync_api import expect
from windows import Windows

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


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A daemon with some weeks of history, a storm, a message that failed and one that quiet hours hold."""
    folder = tmp_path_factory.mktemp("overview") / "project"
    with House(
        folder, {"rules/rules.yaml": RULES, "wbox-notify.yaml": "version: 1\nstorm_guard: 5\n"}
    ) as made:
        store = made.daemon.control._store
        store._database.write(lambda tx: tx.execute(HISTORY, {"now": time.time()})).result()
        for path, body in (
            ("disk", {"disk": "/var", "used": 91}),
            ("many", {"names": [f"number {number}" for number in range(60)]}),
            ("night", {}),
            ("broken", {}),
        ):
            requests.post(f"{made.url}/hook/{path}", json=body, timeout=10)
        made.wbox.wait_for(1)
        yield made


def test_the_overview_looks_right(windows: Windows) -> None:
    page = windows.page()
    page.goto(windows.house.url)
    expect(page.get_by_role("link", name="held for you to decide")).to_contain_text("60")
    expect(page.locator("#coming")).to_contain_text("at-night")
    expect(page.locator("#coming")).to_contain_text("morning-report")
    windows.look("/", "overview")


def test_the_queue_looks_right(windows: Windows) -> None:
    windows.look("/queue?state=held", "queue")
