"""The form of the documentation in a real browser: on a page of another site, and what its visitor sees."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pages import ROOT
from playwright.sync_api import Page, expect
from programs import replaced
from workplace import Workplace, until

from wbox_notify.simulator import Simulator

EXAMPLES = ROOT / "examples" / "html-form"
OpenPage = Callable[..., Page]


class Silent(SimpleHTTPRequestHandler):
    """Serves files and prints nothing."""

    def log_message(self, *_args: object) -> None:
        """Print nothing."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address and the folder of a web site."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}", folder
    server.shutdown()
    thread.join()
    server.server_close()


def run_for(place: Workplace, address: str) -> None:
    """Start a daemon with the rules of the example, for the pages of a web site."""
    rules = (EXAMPLES / "rules.yaml").read_text(encoding="utf-8")
    place.rule(replaced(rules, ("https://www.example.com", address)))
    place.start("run")
    until(place.card.exists)


@pytest.mark.parametrize("encoding", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_who_fills_in_the_form_is_thanked_and_the_office_is_told(
    place: Workplace, wbox: Simulator, site: tuple[str, Path], open_page: OpenPage, encoding: str
) -> None:
    address, folder = site
    run_for(place, address)
    form = (EXAMPLES / "contact.html").read_text(encoding="utf-8")
    here = ("https://notify.example.com", place.url), ('method="post"', f'method="post" enctype="{encoding}"')
    (folder / "contact.html").write_text(replaced(form, *here), encoding="utf-8")
    (folder / "thanks.html").write_bytes((EXAMPLES / "thanks.html").read_bytes())
    (folder / "favicon.ico").touch()
    page = open_page(f"{address}/contact.html")
    page.get_by_label("Your name").fill("Ayşe")
    page.get_by_label("Your telephone").fill("0555 111 22 44")
    page.get_by_label("Your message").fill("Are you open\non Sunday?")
    expect(page.get_by_label("Leave this empty")).to_be_hidden()
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert page.url == f"{address}/thanks.html"
    told = wbox.wait_for(1)[0]["body"]["message"]
    assert " ".join(told.split()) == "✉️ *Ayşe* 0555 111 22 44 Are you open on Sunday?"


def test_a_script_of_the_page_reads_the_answer_and_one_of_another_page_does_not(
    place: Workplace, site: tuple[str, Path], open_page: OpenPage, complaints: list[str]
) -> None:
    address, folder = site
    run_for(place, address)
    (folder / "empty.html").write_text("<!doctype html><title>x</title>")
    (folder / "favicon.ico").touch()
    call = """url => fetch(url, {
      method: "POST",
      headers: {"Content-Type": "application/json"},
      body: '{"name": "x", "phone": "", "text": "x", "website": ""}',
    }).then(answer => answer.status, () => 0)"""
    ours = open_page(f"{address}/empty.html")
    assert ours.evaluate(call, f"{place.url}/hook/contact") == 202
    other = open_page(f"{address.replace('localhost', '127.0.0.1')}/empty.html")
    assert other.evaluate(call, f"{place.url}/hook/contact") == 0
    assert [text for text in complaints if "CORS" not in text and "Failed to load" not in text] == []
    assert complaints
    complaints.clear()
