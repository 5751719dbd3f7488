"""A real browser; without one these tests are skipped and say so."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from consoles import House
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from windows import Windows

from wbox_notify.simulator import Simulator

CHROMIUM = os.environ.get("WBOX_TEST_CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

OpenPage = Callable[..., Page]

expect.set_options(timeout=30_000)  # a page asks every three seconds, and the daemon asks wbox every two


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).is_file():
        pytest.skip(f"NO BROWSER TEST WAS RUN: there is no chromium at {CHROMIUM} (set WBOX_TEST_CHROMIUM)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the pages of a test wrote to the console as an error; it must be empty at the end."""
    return []


@pytest.fixture
def open_page(browser: Browser, complaints: list[str]) -> Iterator[OpenPage]:
    """Open an address; the options are those of a browser context (viewport, locale, color_scheme)."""
    contexts = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    def open_one(url: str, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def sim(running: Simulator) -> Simulator:
    running.clear()
    running.clear_faults()
    running.scan(1)
    return running


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A daemon with one rule; a module that needs others has a fixture of this name."""
    with House(tmp_path_factory.mktemp("console") / "project") as a_house:
        yield a_house


@pytest.fixture(scope="module")
def all_windows(browser: Browser, house: House) -> Iterator[Windows]:
    windows = Windows(browser, house)
    yield windows
    windows.close()


@pytest.fixture
def windows(all_windows: Windows) -> Iterator[Windows]:
    """Windows that are logged in; a test in which a page complains fails."""
    all_windows.complaints.clear()
    yield all_windows
    assert all_windows.complaints == []
