"""Windows of a browser in which somebody is logged in to the console, to look at each page in all of them."""

import os
from pathlib import Path
from typing import Any, NamedTuple

from axe_playwright_python.sync_playwright import Axe
from consoles import House
from playwright.sync_api import Browser, ConsoleMessage, Page

SCREENSHOTS = os.environ.get("WBOX_TEST_SCREENSHOTS", "")
"""The folder that gets a picture of each page that is looked at; empty for none."""

_AXE = Axe()
_SERIOUS = {"serious", "critical"}
_ROOM_OF_FACTS = """
    Math.min(1, ...[...document.querySelectorAll('.facts')].map(
        list => list.querySelector('dd').offsetWidth / list.offsetWidth))
"""
"""The least part of a list of facts that its values have beside their names."""


class Kind(NamedTuple):
    """What a window is like."""

    lang: str
    width: int
    scheme: Any
    scripts: bool = True

    @property
    def name(self) -> str:
        """Its name in the name of a picture."""
        return f"{self.lang}-{self.width}-{self.scheme}{'' if self.scripts else '-no-script'}"


# Each language, width and scheme comes with each of the others.
KINDS = (
    Kind("en", 1280, "light"),
    Kind("en", 390, "dark"),
    Kind("tr", 1280, "dark"),
    Kind("tr", 390, "light"),
    Kind("en", 390, "light", scripts=False),
)


class Windows:
    """Windows of each kind, opened when they are needed.

    Attributes:
        complaints: What the pages wrote to the console as an error or a warning.
    """

    def __init__(self, browser: Browser, house: House) -> None:
        self.house = house
        self.complaints: list[str] = []
        self._browser = browser
        self._pages: dict[Kind, Page] = {}

    def page(self, kind: Kind = KINDS[0]) -> Page:
        """Return the window of a kind."""
        if kind not in self._pages:
            self._pages[kind] = self._opened(kind)
        return self._pages[kind]

    def look(self, path: str, name: str = "") -> None:
        """Open a path in each kind of window: nothing may be wrong with it.

        There is no error on the console, axe finds nothing serious, nothing is wider than the window and no
        fact is squeezed. With ``WBOX_TEST_SCREENSHOTS`` a picture of each is left there.
        """
        for kind in KINDS:
            page = self.renewed(kind)
            answer = page.goto(self.house.url + path)
            assert answer
            assert answer.ok, f"{path}: {answer.status}"
            self.check(page, kind, name or path.strip("/").replace("/", "-"))
        assert self.complaints == []

    @staticmethod
    def check(page: Page, kind: Kind, name: str) -> None:
        """Look at the page that is in a window."""
        if SCREENSHOTS:
            Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{kind.name}.png", full_page=True)
        assert page.locator("html").get_attribute("lang") == kind.lang
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= kind.width, f"{name} is {width} px wide in {kind}"
        assert page.evaluate(_ROOM_OF_FACTS) > 0.4, f"facts of {name} are squeezed in {kind}"
        if kind.scripts:
            found = _AXE.run(page, options={"resultTypes": ["violations"]}).response["violations"]
            serious = [_told(each) for each in found if each["impact"] in _SERIOUS]
            assert serious == [], f"{name} in {kind}"

    def close(self) -> None:
        """Close all of them."""
        for page in self._pages.values():
            page.context.close()

    def _opened(self, kind: Kind) -> Page:
        context = self._browser.new_context(
            viewport={"width": kind.width, "height": 844},
            locale={"en": "en-GB", "tr": "tr-TR"}[kind.lang],
            color_scheme=kind.scheme,
            java_script_enabled=kind.scripts,
            reduced_motion="reduce",
        )
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.goto(self.house.daemon.console_link())
        page.wait_for_url(f"{self.house.url}/")
        return self._heard(page)

    def renewed(self, kind: Kind) -> Page:
        """Return the window of a kind; without scripts a new one, as the old may come again by itself."""
        page = self.page(kind)
        if not kind.scripts:
            self._pages[kind] = self._heard(page.context.new_page())
            page.close()
        return self._pages[kind]

    def _heard(self, page: Page) -> Page:
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


def _told(violation: dict[str, Any]) -> str:
    return f"{violation['id']}: " + "; ".join(node["html"][:200] for node in violation["nodes"][:3])
