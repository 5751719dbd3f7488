"""A dropped picture on the inbox page, in a real browser: from the folder to the screen."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import requests
from playwright.sync_api import Page, expect
from workplace import Workplace, until

import wbox_notify.simulator
from wbox_notify.simulator import Simulator

OpenPage = Callable[..., Page]
PICTURE = Path(wbox_notify.simulator.__file__).with_name("pages") / "sample.png"
RULE = """
version: 1
rules:
  - id: photo
    trigger: {file: {path: drop}}
    to: "+905551234567"
    send: {media: {file: "{{ file.path }}", caption: "*{{ file.stem }}*"}}
"""


def test_a_dropped_picture_is_seen_in_the_inbox_also_when_its_link_is_over(
    place: Workplace, wbox: Simulator, open_page: OpenPage, tmp_path: Path
) -> None:
    place.rule(RULE)
    requests.post(f"{wbox.url}/sim/media", json={"fetch": True}, timeout=10)
    daemon = place.start("run")
    until((place.folder / "data" / "daemon.json").exists)
    (place.drop / "Liman ğ.png").write_bytes(PICTURE.read_bytes())
    (place.drop / "report.csv").write_text("a;b\n1;2\n", encoding="utf-8")
    until(lambda: sum("media" in message for message in wbox.messages()) == 2)
    daemon.terminate()
    daemon.communicate(timeout=10)
    page = open_page(wbox.url, viewport={"width": 1280, "height": 800})
    shown = page.locator(".bubble img")
    expect(shown).to_be_visible()
    expect(shown).to_have_attribute("alt", "Liman ğ.png")
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    source = shown.get_attribute("src")
    assert source
    seen = requests.get(f"{wbox.url}{source}", timeout=10).content
    assert hashlib.sha256(seen).digest() == hashlib.sha256(PICTURE.read_bytes()).digest()
    expect(page.locator(".bubble.wide .card strong", has_text="report.csv")).to_be_visible()
    expect(page.locator(".bubble strong", has_text="Liman ğ").last).to_be_visible()
    page.screenshot(path=tmp_path / "inbox.png")
