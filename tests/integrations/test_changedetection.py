"""A real changedetection.io, set up as our page says, tells of a page that changes."""

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import requests
from pages import ROOT
from programs import answers, free_port, installed, running, website
from workplace import Workplace, until

from wbox_notify.simulator import Simulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EXAMPLES = ROOT / "examples" / "changedetection"
TOKEN = "a token that is long enough"


class Changedetection:
    """The program with a folder of its own; it watches one page."""

    def __init__(self, folder: Path) -> None:
        self.python = installed("changedetection") / "venv" / "bin" / "python"
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"

    def watching(self, page: str, **settings: object) -> AbstractContextManager[None]:
        words = (
            "-h",
            "127.0.0.1",
            "-p",
            self.url.rpartition(":")[2],
            "-u",
            page,
            "-u0",
            json.dumps(settings),
        )
        return running(
            self.folder / "log",
            self.python,
            self.python.with_name("changedetection.io"),
            "-C",
            "-d",
            self.folder / "pages",
            *words,
            ALLOW_IANA_RESTRICTED_ADDRESSES="true",
            DISABLE_VERSION_CHECK="true",
        )

    def ask(self, path: str) -> Any:
        """Return what its API answers."""
        settings = json.loads((self.folder / "pages" / "changedetection.json").read_text(encoding="utf-8"))
        key = settings["settings"]["application"]["api_access_token"]
        answer = requests.get(f"{self.url}/api/v1/{path}", headers={"x-api-key": key}, timeout=30)
        assert answer.ok, answer.text
        return answer.json()


def changed(program: Changedetection, wbox: Simulator, url: str, **settings: object) -> str:
    """Watch a page that changes; return what is told of it by a URL of Apprise."""
    port = free_port()
    page = f"http://127.0.0.1:{port}/"
    with program.watching(page, title='The "shop"', notification_urls=[url], **settings):
        with website(port, "Price <b>20 €</b>\n"):
            until(answers(program.url), 120)
            [watch] = program.ask("watch")
            program.ask(f"watch/{watch}?recheck=1")
            until(lambda: program.ask(f"watch/{watch}/history"), 60)
        with website(port, "Price <b>18 €</b>\n"):
            program.ask(f"watch/{watch}?recheck=1")
            [told] = wbox.wait_for(1, 60)
    return str(told["body"]["message"])


def test_a_page_that_changes_is_told_by_the_rule(place: Workplace, wbox: Simulator, tmp_path: Path) -> None:
    program = Changedetection(tmp_path)
    place.rule((EXAMPLES / "rules.yaml").read_text(encoding="utf-8"))
    place.environment["WBOX_SECRET_CHANGEDETECTION"] = TOKEN
    place.start("run")
    until(place.card.exists)
    hook = place.url.replace("http://", "post://")
    token = TOKEN.replace(" ", "%20")
    url = f"{hook}/hook/changedetection?+Authorization=Bearer%20{token}"
    body = (EXAMPLES / "body.txt").read_text(encoding="utf-8")
    told = changed(program, wbox, url, notification_body=body, notification_format="text")
    [title, *change, address] = told.splitlines()
    assert title == '🔎 *The "shop"*'
    assert change == ["(changed) Price <b>20 €</b>", "(into) Price <b>18 €</b>"]
    assert address.startswith("http://127.0.0.1:")


def test_a_page_that_changes_is_told_by_the_provider_of_apprise(
    place: Workplace, wbox: Simulator, tmp_path: Path
) -> None:
    program = Changedetection(tmp_path)
    assert place.run("install", "apprise", "--python", str(program.python)).returncode == 0
    try:
        server = wbox.url.removeprefix("http://")
        told = changed(program, wbox, f"wbox://sk_canary_4711@{server}/905551234567?tls=no")
    finally:
        place.run("install", "apprise", "--python", str(program.python), "--remove")
    assert "Price" in told
    assert "18 €" in told
