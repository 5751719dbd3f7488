"""The simulator's inbox in a real browser."""

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from wbox_notify.simulator import Simulator

PHONE = "905551234567"
OpenPage = Callable[..., Page]
# Every box whose content is wider than itself, but for those that cut it off with an ellipsis.
TOO_WIDE = """
[...document.querySelectorAll('.scroll, .chats, .tools, .tools pre, .bubble *')].filter(box => {
  const style = getComputedStyle(box);
  return box.scrollWidth > box.clientWidth + 1 && style.display !== 'inline' && style.overflow !== 'hidden';
}).map(box => box.outerHTML.slice(0, 100))
"""
ON_A_PHONE = {"viewport": {"width": 390, "height": 844}}


def send(sim: Simulator, kind: str, **body: Any) -> int:
    headers = {"Authorization": "Bearer sk_x"}
    body = {"phone": PHONE, **body}
    return requests.post(f"{sim.url}/v1/send/{kind}", json=body, headers=headers, timeout=10).status_code


def send_all(sim: Simulator) -> None:
    send(sim, "text", message="Good *morning*")
    send(sim, "media", media_url=f"{sim.url}/sim/sample.png", message="The _harbour_")
    send(sim, "media", media_url="https://files.invalid/report.pdf")
    send(
        sim, "event", event={"title": "Weekly meeting", "startDate": "2026-10-15T14:00", "description": "All"}
    )
    send(sim, "poll", message="Who comes?", options=["I do", "I cannot"])


def test_every_kind_appears_as_a_bubble_without_a_reload(sim: Simulator, open_page: OpenPage) -> None:
    page = open_page(sim.url)
    expect(page.get_by_text("No messages yet").first).to_be_visible()
    page.evaluate("window.sameDocument = true")
    send_all(sim)
    bubbles = page.locator("#log .bubble")
    expect(bubbles).to_have_count(5)
    expect(bubbles.nth(0)).to_contain_text("Good morning")
    expect(bubbles.nth(1).get_by_role("img", name="sample.png")).to_be_visible()
    expect(bubbles.nth(2).get_by_role("link")).to_have_attribute("href", "https://files.invalid/report.pdf")
    expect(bubbles.nth(3)).to_contain_text("15 Oct 2026, 14:00")
    expect(bubbles.nth(4)).to_contain_text("I cannot")
    expect(page.locator("#chats")).to_contain_text(f"+{PHONE}")
    assert page.evaluate("window.sameDocument") is True
    assert page.evaluate("document.querySelector('.media img').naturalWidth") > 0


def test_formatting_is_shown_and_addresses_are_links(sim: Simulator, open_page: OpenPage) -> None:
    send(sim, "text", message="*b* _i_ ~s~ `c` ```m``` https://example.com/x")
    text = open_page(sim.url).locator(".bubble .text")
    for tag, content in {"strong": "b", "em": "i", "s": "s", "code": "c", "samp": "m"}.items():
        expect(text.locator(tag)).to_have_text(content)
    link = text.get_by_role("link", name="https://example.com/x")
    expect(link).to_have_attribute("rel", "noreferrer")


def test_U03_a_script_in_a_message_is_text(sim: Simulator, open_page: OpenPage) -> None:
    evil = "<script>window.broken = true</script><img src=x onerror='window.broken = true'>"
    page = open_page(sim.url)
    send(sim, "text", phone=evil, message=evil)
    send(sim, "event", phone=evil, event={"title": evil, "description": evil, "startDate": evil})
    send(sim, "poll", phone=evil, message=evil, options=[evil, evil])
    expect(page.locator("#log .bubble")).to_have_count(3)
    expect(page.locator("#log .bubble").first).to_contain_text(evil)
    page.reload()
    expect(page.locator("#log .bubble").first).to_contain_text(evil)
    assert page.evaluate("window.broken") is None


def test_a_picture_that_can_not_be_loaded_becomes_a_link(
    sim: Simulator, open_page: OpenPage, complaints: list[str]
) -> None:
    send(sim, "media", media_url=f"{sim.url}/gone.png", message="before the page")
    page = open_page(sim.url)
    send(sim, "media", media_url=f"{sim.url}/gone-too", message="while it is open")
    cards = page.locator(".media.broken .card")
    expect(cards).to_have_count(2)
    expect(cards.first).to_be_visible()
    expect(cards.nth(1)).to_contain_text("gone-too")
    assert all("404" in complaint for complaint in complaints)
    complaints.clear()


@pytest.mark.parametrize("path", ["/", f"/?chat={PHONE}"])
@pytest.mark.parametrize("width", [390, 800, 1360])
def test_nothing_scrolls_sideways(sim: Simulator, open_page: OpenPage, path: str, width: int) -> None:
    send_all(sim)
    send(sim, "text", message="long" * 100 + " ```" + "wide " * 60 + "```")
    send(sim, "text", phone="9" * 60, message="x" * 300)
    send(sim, "text", message="https://example.com/" + "y" * 200)
    send(sim, "media", media_url="https://files.invalid/" + "z" * 200 + ".pdf")
    sim.unlink(1)
    sim.fault(status=500, message="m" * 200)
    page = open_page(sim.url + path, viewport={"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(TOO_WIDE) == []


def test_a_phone_shows_the_list_then_the_chat_and_finds_back(sim: Simulator, open_page: OpenPage) -> None:
    send_all(sim)
    page = open_page(sim.url, **ON_A_PHONE)
    expect(page.locator(".bubble").first).to_be_hidden()
    page.get_by_role("link", name=PHONE).click()
    expect(page.locator(".bubble").last).to_be_in_viewport()
    expect(page.locator("#chats")).to_be_hidden()
    send(sim, "text", message="and one more")
    expect(page.locator(".bubble").last).to_contain_text("and one more")
    page.get_by_role("link", name="All chats").click()
    expect(page.locator("#chats")).to_contain_text("and one more")


def test_the_newest_message_is_in_sight(sim: Simulator, open_page: OpenPage) -> None:
    for number in range(40):
        send(sim, "text", message=f"message {number}")
    page = open_page(sim.url)
    expect(page.locator(".bubble").last).to_be_in_viewport()
    send(sim, "text", message="the newest")
    expect(page.get_by_role("log").get_by_text("the newest")).to_be_in_viewport()


def test_a_chosen_chat_stays_and_the_list_tells_of_the_others(sim: Simulator, open_page: OpenPage) -> None:
    send(sim, "text", message="mine")
    page = open_page(f"{sim.url}/?chat={PHONE}")
    send(sim, "text", phone="905320000000", message="for another")
    expect(page.locator("#chats")).to_contain_text("for another")
    expect(page.locator("#log")).to_contain_text("mine")
    expect(page.locator("#head")).to_contain_text(PHONE)


def background(page: Page) -> int:
    """Return how light the chat's background is, 0 to 765."""
    colour = "getComputedStyle(document.querySelector('.chat')).backgroundColor.match(/[0-9]+/g)"
    return int(page.evaluate(f"{colour}.map(Number).reduce((a, b) => a + b)"))


def test_there_is_a_light_and_a_dark_page(sim: Simulator, open_page: OpenPage) -> None:
    assert background(open_page(sim.url, color_scheme="light")) > 600
    assert background(open_page(sim.url, color_scheme="dark")) < 150


def test_a_turkish_browser_gets_a_turkish_page(sim: Simulator, open_page: OpenPage) -> None:
    page = open_page(sim.url, locale="tr-TR")
    expect(page.get_by_text("Simülatör: buradan WhatsApp'a hiçbir şey gitmez")).to_be_visible()
    send(sim, "event", event={"title": "Görüşme", "startDate": "2026-10-15"})
    expect(page.locator(".bubble")).to_contain_text("15 Eki 2026")
    english = open_page(sim.url, locale="en-GB")
    expect(english.get_by_text("Simulator: nothing here goes to WhatsApp")).to_be_visible()


def test_without_javascript_the_messages_are_still_there(sim: Simulator, open_page: OpenPage) -> None:
    send_all(sim)
    send(sim, "text", phone="905320000000", message="for another")
    page = open_page(sim.url, java_script_enabled=False)
    expect(page.locator("#log")).to_contain_text("for another")
    page.get_by_role("link", name=PHONE).click()
    expect(page.locator("#log .bubble")).to_have_count(5)
    expect(page.get_by_text("reload the page")).to_be_visible()
    expect(page.get_by_role("button", name="Unlink")).to_be_hidden()


def test_the_device_is_unlinked_and_scanned_with_a_click(sim: Simulator, open_page: OpenPage) -> None:
    page = open_page(sim.url)
    page.get_by_role("button", name="Unlink").click()
    expect(page.get_by_role("img", name="QR code of device 1")).to_be_visible()
    assert send(sim, "text", message="x") == 503
    expect(page.locator("#last")).to_contain_text("WhatsApp client not ready")
    page.get_by_role("button", name="Scan with a phone").click()
    expect(page.get_by_role("button", name="Unlink")).to_be_visible()
    assert send(sim, "text", message="x") == 200


def test_faults_are_switched_on_and_off_with_a_click(sim: Simulator, open_page: OpenPage) -> None:
    page = open_page(sim.url)
    page.get_by_role("button", name="Answer 500").click()
    expect(page.locator("#faults")).to_contain_text('{"status": 500}')
    assert send(sim, "text", message="x") == 500
    expect(page.locator("#last .status")).to_have_text("500")
    page.get_by_role("button", name="All off").click()
    expect(page.locator("#faults")).to_contain_text("None")
    assert send(sim, "text", message="x") == 200


def test_the_ledger_is_emptied_with_a_click(sim: Simulator, open_page: OpenPage) -> None:
    send_all(sim)
    page = open_page(sim.url)
    page.get_by_role("button", name="Clear messages").click()
    expect(page.locator("#log .bubble")).to_have_count(0)
    assert sim.messages() == []


def test_an_unanswered_message_has_a_clock_until_it_is_answered(sim: Simulator, open_page: OpenPage) -> None:
    sim.fault(lost=True, count=1)
    with pytest.raises(requests.ConnectionError):
        send(sim, "text", message="lost")
    page = open_page(sim.url)
    expect(page.get_by_role("img", name="accepted, not answered")).to_be_visible()
    send(sim, "text", message="told")
    expect(page.get_by_role("img", name="answered 200")).to_be_visible()


def test_the_keyboard_opens_a_chat_and_keeps_its_place(sim: Simulator, open_page: OpenPage) -> None:
    send(sim, "text", message="first")
    send(sim, "text", phone="905320000000", message="second")
    page = open_page(sim.url)
    page.get_by_role("button", name="Clear messages").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/?chat={PHONE}")
    expect(page.locator("#log")).to_contain_text("first")
    page.get_by_role("button", name="Unlink").press("Enter")
    expect(page.get_by_role("button", name="Scan with a phone")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Unlink")).to_be_focused()


# The document's fetch examples, from a page of another origin.

FETCH = {
    "text": """
fetch('https://server.wbox.me/v1/send/text', {
method: 'POST',
headers: {
'Authorization': 'Bearer sk_YOUR_KEY',
'Content-Type': 'application/json'
},
body: JSON.stringify({
phone: '905555555555',
message: 'Hello from API!'
})
})
.then(res => res.json())
.then(console.log);
""",
    "media": """
fetch('https://server.wbox.me/v1/send/media', {
method: 'POST',
headers: {
'Authorization': 'Bearer sk_YOUR_KEY',
'Content-Type': 'application/json'
},
body: JSON.stringify({
phone: '905555555555',
media_url: 'https://example.com/image.jpg',
message: 'Caption here'
})
})
.then(res => res.json())
.then(console.log);
""",
    "event": """
fetch('https://server.wbox.me/v1/send/event', {
method: 'POST',
headers: {
'Authorization': 'Bearer sk_YOUR_KEY',
'Content-Type': 'application/json'
},
body: JSON.stringify({
phone: '905555555555',
event: { title: 'Meeting', description: 'Weekly review', startDate: '2026-10-15T14:00' }
})
})
.then(res => res.json())
.then(console.log);
""",
    "poll": """
fetch('https://server.wbox.me/v1/send/poll', {
method: 'POST',
headers: {
'Authorization': 'Bearer sk_YOUR_KEY',
'Content-Type': 'application/json'
},
body: JSON.stringify({
phone: '905555555555',
message: 'Question?',
options: ['Yes', 'No']
})
})
.then(res => res.json())
.then(console.log);
""",
    "status": """
fetch('https://server.wbox.me/v1/session/status?device_id=1', {
headers: { 'Authorization': 'Bearer sk_YOUR_KEY' }
})
.then(res => res.json())
.then(console.log);
""",
    "start": """
fetch('https://server.wbox.me/v1/session/start', {
method: 'POST',
headers: {
'Authorization': 'Bearer sk_YOUR_KEY',
'Content-Type': 'application/json'
},
body: JSON.stringify({ device_id: 1 })
})
.then(res => res.json())
.then(console.log);
""",
}
FETCH_QR = """
fetch('https://server.wbox.me/v1/session/qr?device_id=1&format=base64', {
headers: { 'Authorization': 'Bearer sk_YOUR_KEY' }
})
.then(res => res.json())
.then(data => {
if (data.qr_base64) document.getElementById('qr-img').src = data.qr_base64;
});
"""


class Shop(BaseHTTPRequestHandler):
    """A page of somebody else."""

    def do_GET(self) -> None:
        page = b"<!doctype html><link rel=icon href=data:,><title>Shop</title><img id=qr-img alt=''>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name of the base class
        """Keep quiet."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The address of a page of another origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join(10)


@pytest.mark.parametrize("kind", FETCH)
def test_the_documented_fetch_examples_work_from_a_page_of_another_origin(
    sim: Simulator, open_page: OpenPage, elsewhere: str, kind: str
) -> None:
    page = open_page(elsewhere)
    with page.expect_console_message() as said:
        page.evaluate(FETCH[kind].replace("https://server.wbox.me", sim.url))
    answer = said.value.args[0].json_value()
    if kind == "status":
        assert answer == {
            "device_id": 1,
            "isReady": True,
            "state": "INITIALIZED",
            "qr": None,
            "status": "connected",
        }
    else:
        assert answer["success"] is True
    assert len(sim.messages()) == (kind not in {"status", "start"})


def test_the_documented_fetch_example_shows_the_qr_code(
    sim: Simulator, open_page: OpenPage, elsewhere: str
) -> None:
    page = open_page(elsewhere)
    sim.unlink(1)
    page.evaluate(FETCH["start"].replace("https://server.wbox.me", sim.url))
    page.evaluate(FETCH_QR.replace("https://server.wbox.me", sim.url))
    page.wait_for_function("document.getElementById('qr-img').naturalWidth > 0")


def test_a_page_of_another_origin_reads_and_changes_nothing(
    sim: Simulator, open_page: OpenPage, elsewhere: str, complaints: list[str]
) -> None:
    send(sim, "text", message="private")
    page = open_page(elsewhere)
    for request in ("", ", {method: 'DELETE'}", ", {method: 'POST', mode: 'no-cors', body: '{}'}"):
        for path in ("/sim/messages", "/sim/unlink"):
            result = page.evaluate(f"fetch('{sim.url}{path}'{request}).then(r => r.text(), e => 'blocked')")
            assert result in {"blocked", ""}
    assert (len(sim.messages()), send(sim, "text", message="still linked")) == (1, 200)
    complaints.clear()
