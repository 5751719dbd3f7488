"""The Apprise provider, through the real Apprise, against the simulator and a server that misbehaves."""

import ast
import json
import logging
import re
import string
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apprise
import pytest
from apprise.manager_plugins import NotificationManager
from fault_server import FaultServer, Script, Visit, answer, replying
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wbox_notify.apprise_plugin import NotifyWbox, register, split, whatsapp
from wbox_notify.simulator import Simulator

KEY = "sk_secret-0123"
PHONE = "905551234567"
OTHER = "905551112233"
OK = replying(answer(200, '{"success": true, "message": "Message sent successfully"}'))


@pytest.fixture(autouse=True)
def every_log_line(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No line of any level, of Apprise or below, holds the key."""
    caplog.set_level(1)
    yield
    # Apprise's own TRACE shows whole URLs on purpose, and says so.
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.DEBUG]
    assert not [line for line in lines if "secret" in line]


def at(url: str, rest: str = PHONE, **arguments: str) -> NotifyWbox:
    """Return a provider that speaks to a server of ours."""
    words = {"tls": "no", **arguments}
    query = "&".join(f"{name}={NotifyWbox.quote(value)}" for name, value in words.items())
    made = apprise.Apprise.instantiate(f"wbox://{KEY}@{url.partition('//')[2]}/{rest}?{query}")
    assert isinstance(made, NotifyWbox)
    made.request_rate_per_sec = 0
    return made


def tell(provider: NotifyWbox, body: str = "hello", **parts: Any) -> bool:
    """Notify as a program does, through Apprise."""
    ours = apprise.Apprise()
    ours.add(provider)
    return bool(ours.notify(body, **parts))


def bodies(wbox: Simulator) -> list[tuple[str, dict[str, Any]]]:
    return [(message["endpoint"].rpartition("/")[2], message["body"]) for message in wbox.messages()]


def texts(wbox: Simulator) -> list[str]:
    return [body["message"] for _, body in bodies(wbox)]


# What is sent


def test_a_text_goes_to_each_target_once_and_in_order(wbox: Simulator) -> None:
    assert tell(at(wbox.url, f"+90 555 123 45 67/00{OTHER}/{PHONE}", device="2", to="+49 (151) 23456789"))
    assert [(body["phone"], body["device_id"]) for _, body in bodies(wbox)] == [
        (PHONE, 2),
        (OTHER, 2),
        ("4915123456789", 2),
    ]


def test_a_title_stands_above_the_text_in_bold(wbox: Simulator) -> None:
    assert tell(at(wbox.url), title="Disk full", body="91 %")
    assert texts(wbox) == ["*Disk full*\n91 %"]


def test_a_poll_asks_with_title_and_text(wbox: Simulator) -> None:
    assert tell(at(wbox.url, mode="poll", options="Evet|Hayır, yok|Belki"), title="Lunch?", body="At noon")
    options = ["Evet", "Hayır, yok", "Belki"]
    assert bodies(wbox) == [("poll", {"phone": PHONE, "message": "Lunch?\nAt noon", "options": options})]


@pytest.mark.parametrize(
    ("title", "body"), [("Meeting", "Room 2"), ("", "Meeting\nRoom 2")], ids=["title", "first line"]
)
def test_an_event_takes_its_title_from_title_or_first_line(wbox: Simulator, title: str, body: str) -> None:
    assert tell(at(wbox.url, mode="event", start="2026-12-01T14:00"), body, title=title)
    event = {"title": "Meeting", "description": "Room 2", "startDate": "2026-12-01T14:00"}
    assert bodies(wbox) == [("event", {"phone": PHONE, "event": event})]


def test_a_fixed_media_link_carries_the_text_as_its_caption(wbox: Simulator) -> None:
    assert tell(at(wbox.url, media="https://example.com/a b.jpg?x=1&y=2".replace(" ", "%20")), "look")
    [(kind, body)] = bodies(wbox)
    assert kind == "media"
    assert body == {"phone": PHONE, "media_url": "https://example.com/a%20b.jpg?x=1&y=2", "message": "look"}


def test_web_attachments_are_media_and_the_first_carries_the_caption(wbox: Simulator) -> None:
    links = ["https://example.com/a.jpg?sig=A%2FB%3D&cache=no", "http://example.com:8080/b%20c.pdf"]
    assert tell(at(wbox.url), "look", attach=links)
    assert bodies(wbox) == [
        ("media", {"phone": PHONE, "media_url": "https://example.com/a.jpg?sig=A%2FB%3D", "message": "look"}),
        ("media", {"phone": PHONE, "media_url": "http://example.com:8080/b%20c.pdf"}),
    ]


@pytest.mark.parametrize(("argument", "length"), [("no", 4), ("yes", 1025)])
def test_a_text_that_is_no_caption_goes_first(wbox: Simulator, argument: str, length: int) -> None:
    assert tell(at(wbox.url, caption=argument), "x" * length, attach="https://example.com/a.jpg")
    assert [kind for kind, _ in bodies(wbox)] == ["text", "media"]


def test_an_attachment_is_never_fetched_by_us(wbox: Simulator) -> None:
    with FaultServer(OK) as files:
        assert tell(at(wbox.url), "look", attach=f"{files.url}/a.jpg")
        assert files.connections == 0
    assert bodies(wbox)[0][1]["media_url"] == f"{files.url}/a.jpg"


def test_an_attachment_alone_is_a_message(wbox: Simulator) -> None:
    assert tell(at(wbox.url), "", attach="https://example.com/a.jpg")
    assert bodies(wbox) == [("media", {"phone": PHONE, "media_url": "https://example.com/a.jpg"})]


@pytest.mark.parametrize(("choice", "result"), [("fail", False), ("skip", True)])
@pytest.mark.parametrize(
    "attachment", ["file", "https://user:pw@example.com/a.jpg", "https://example.com/a.jpg?+X-Token=abc"]
)
def test_what_wbox_can_not_fetch_is_told_and_the_text_is_sent(
    *,
    wbox: Simulator,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    attachment: str,
    choice: str,
    result: bool,
) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"png")
    attach = str(picture) if attachment == "file" else attachment
    assert tell(at(wbox.url, attach=choice), "the text", attach=attach) is result
    assert texts(wbox) == ["the text"]
    assert "1 of 1 attachments left out" in caplog.text


@pytest.mark.parametrize(("mode", "part"), [("poll", "question"), ("event", "title")])
def test_a_poll_or_event_without_words_is_refused(
    wbox: Simulator, caplog: pytest.LogCaptureFixture, mode: str, part: str
) -> None:
    arguments = {"options": "a|b"} if mode == "poll" else {}
    provider = at(wbox.url, mode=mode, **arguments)
    assert not tell(provider, "", attach="https://example.com/a.jpg")
    assert part in caplog.text
    assert bodies(wbox) == []


@pytest.mark.parametrize(
    ("body", "declared"),
    [
        (" ", None),
        (" \n ", "text"),
        ("<!-- nothing -->", "html"),
        ("&nbsp;", "html"),
        ('<img src="cid:1">', "html"),
        ("![](chart.png)", "markdown"),
    ],
)
def test_a_body_without_a_word_is_a_failure_that_is_told(
    wbox: Simulator, caplog: pytest.LogCaptureFixture, body: str, declared: str | None
) -> None:
    assert not tell(at(wbox.url), body, body_format=declared)
    assert "nothing to send" in caplog.text
    assert bodies(wbox) == []
    assert tell(at(wbox.url), body, title="A title", body_format=declared)
    assert texts(wbox) == ["*A title*"]


def test_of_pictures_alone_their_addresses_are_sent(wbox: Simulator) -> None:
    assert tell(at(wbox.url), "![](https://e.x/a.png) ![](https://e.x/b.png)", body_format="markdown")
    assert tell(at(wbox.url), '<p>so <img src="https://e.x/a.png"></p>', body_format="html")
    assert texts(wbox) == ["https://e.x/a.png\nhttps://e.x/b.png", "so"]


# How it is written

MARKDOWN = (
    "# Head\n\n**bold** and *it*, `x<y`, [label](https://e.x/a_b?c=1&d=2)\nnext\n\n- one\n- two\n\n> said\n"
)
FORMATTED = (
    "*Head*\n\n*bold* and _it_, `x<y`, label (https://e.x/a_b?c=1&d=2)\nnext\n\n- one\n- two\n\n> said"
)

HTML = {
    "plain": "plain",
    "<b>a</b> <strong>b</strong> <i>c</i> <em>d</em> <s>e</s> <del>f</del>": "*a* *b* _c_ _d_ ~e~ ~f~",
    "<b> spaced </b>x": "*spaced* x",
    "<b>two<br>lines</b>": "*two*\n*lines*",
    "<b></b>empty": "empty",
    "<h1>A <b>b</b> c</h1>text": "A *b* c\n\ntext",
    "<h2>Head</h2><p>one</p><p>two</p>": "*Head*\n\none\n\ntwo",
    "a<br/>b<br />c": "a\nb\nc",
    "<div>a</div><div>b</div>": "a\nb",
    "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>": "- a\n- b\n  - c",
    "<ol><li><p>a</p></li><li>b</li></ol>end": "1. a\n2. b\n\nend",
    "<pre>if x:\n    y &lt; 1\n</pre>": "```if x:\n    y < 1```",
    "<code>a  b</code>": "`a  b`",
    "<blockquote><p>a</p><p>b</p></blockquote>c": "> a\n> \n> b\n\nc",
    '<a href="https://e.x/">https://e.x/</a>': "https://e.x/",
    '<a href="https://e.x/?a=1&amp;b=2">see</a>': "see (https://e.x/?a=1&b=2)",
    '<a href="mailto:a@e.x">a@e.x</a>': "a@e.x",
    '<a href="javascript:x()">see</a>': "see",
    '<img src="x.png" alt="a chart">': "a chart",
    "<table><tr><th>a</th>\n<th>b</th></tr>\n<tr><td>1</td><td>2</td></tr></table>": "a | b\n1 | 2",
    "<script>evil()</script><style>b{}</style><title>t</title>seen <!-- no -->": "seen ",
    "a &amp; b &lt; c &nbsp; d": "a & b < c   d",
    "never <b>closed": "never *closed*",
    "</b>closed</p> only": "closed\n\nonly",
    "one<hr>two": "one\n\n———\n\ntwo",
}


@pytest.mark.parametrize(("source", "expected"), HTML.items())
def test_html_becomes_whatsapp_formatting(source: str, expected: str) -> None:
    assert whatsapp(source) == expected.strip()


@pytest.mark.parametrize("forced", [None, "html", "markdown"])
def test_markdown_becomes_whatsapp_formatting_whatever_the_host_forces(
    wbox: Simulator, forced: str | None
) -> None:
    arguments = {"format": forced} if forced else {}
    assert tell(at(wbox.url, **arguments), MARKDOWN, body_format="markdown")
    assert texts(wbox) == [FORMATTED]


@pytest.mark.parametrize("declared", ["html", None])
def test_html_is_formatted_also_where_the_host_forces_html_and_declares_nothing(
    wbox: Simulator, declared: str | None
) -> None:
    assert tell(at(wbox.url, format="html"), "<p><b>Full</b></p><p>91 %</p>", body_format=declared)
    assert texts(wbox) == ["*Full*\n\n91 %"]


@pytest.mark.parametrize("arguments", [{}, {"format": "html"}, {"format": "text"}])
@pytest.mark.parametrize("declared", ["text", None])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(string.ascii_letters + " \t\n*_~`<>&;\"'\\/ş😀\u00a0#-", min_size=1, max_size=60))
def test_plain_text_arrives_as_it_was_written(
    wbox: Simulator, arguments: dict[str, str], declared: str | None, text: str
) -> None:
    if declared is None and arguments and re.search("<[^<>]*>", text):
        return  # then it is HTML as far as anybody can know
    expected = text.rstrip().strip("\r\n")
    if expected.strip():
        assert tell(at(wbox.url, **arguments), text, body_format=declared)
        assert texts(wbox)[-1] == expected


@given(st.text('ab<>/&;"= \nphrliuotdbc!-', max_size=200))
def test_no_html_is_too_broken_to_read(source: str) -> None:
    assert not re.search("[\x00-\x08]", whatsapp(source))


SHAPES = ("<a ", "<a", "<a/", "<a b='", "<a\n", "<a =", "<", "<!--", "<!-- >", "<![", "<![CDATA[", "<?", "</", "</a", "&", "&#9", "<script>", "<style></", "<u> ", "<b>\n", "<b>*", "<li>", "<td>", "<p>", "~~a ", "<title>")  # fmt: skip  # noqa: E501 - a table


@pytest.mark.timeout(30)  # without care it takes minutes
@pytest.mark.parametrize("tail", ["", ">", "-->", "]]>"])
@pytest.mark.parametrize("shape", SHAPES)
def test_html_of_a_stranger_is_read_in_time(shape: str, tail: str) -> None:
    body = shape * (NotifyWbox.body_maxlen // len(shape)) + tail
    assert "\x01" not in whatsapp(body)


def test_the_address_of_a_picture_is_measured_before_it_is_read() -> None:
    marks = "\u0301\u0323" * 500_000  # which take hours to be put in order
    assert whatsapp(f'<img src="http://{marks}.example">') == ""


def test_what_is_longer_than_the_parser_is_given_goes_as_it_is(wbox: Simulator) -> None:
    long = "<b>a</b> " * 20_000
    assert tell(at(wbox.url, overflow="upstream"), long, body_format="html")
    assert [text.startswith("*a* *a*") and text.endswith("<b>a</b>") for text in texts(wbox)] == [True]


def test_a_section_for_one_reader_of_mail_is_left_out() -> None:
    assert whatsapp("<![if !mso]>a<![endif]> b <![CDATA[c]]>d") == "a b d"


def test_deeply_nested_html_is_read_in_time() -> None:
    assert "end" in whatsapp("<b><blockquote><ul><li>" * 20_000 + "end")


# How it is cut


@given(
    st.text("ab .!\n`\u200d\U0001f3fd😀", max_size=400),
    st.integers(20, 60),
)
def test_parts_fit_and_lose_no_word(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert all(0 < len(part) <= limit for part in parts)
    kept = "".join(parts).replace("`", "")
    assert re.sub(r"\s", "", kept) == re.sub(r"\s", "", text.replace("`", ""))


def test_a_long_text_is_cut_between_paragraphs_and_closes_its_code(wbox: Simulator) -> None:
    paragraph = "word " * 500 + "end"
    assert tell(at(wbox.url), f"{paragraph}\n\n{paragraph}")
    assert texts(wbox) == [paragraph, paragraph]
    parts = split("```" + "line\n" * 2000 + "```", 4096)
    assert len(parts) == 3
    assert all(part.startswith("```") and part.endswith("```") for part in parts)


def test_a_sign_of_several_characters_is_not_torn() -> None:
    thumbs = "👍🏽" * 30
    assert all(len(part) % 2 == 0 for part in split(thumbs, 27))


@pytest.mark.parametrize(
    ("mode", "lengths"), [("truncate", [4000]), ("upstream", [9000]), ("split", [4000, 4000, 1000])]
)
def test_overflow_decides_what_becomes_of_a_long_text(wbox: Simulator, mode: str, lengths: list[int]) -> None:
    provider = at(wbox.url, overflow=mode)
    provider.text_maxlen = 4006
    assert tell(provider, "x" * 9000)
    assert [len(text) for text in texts(wbox)] == lengths


# What can go wrong on the way


def hang(visit: Visit) -> None:
    visit.request()
    visit.wait()


def drip_head(visit: Visit) -> None:
    visit.request()
    visit.say(b"HTTP/1.1 200 OK\r\n")
    visit.drip(b"X-Slow: 1\r\n")


def drip_body(visit: Visit) -> None:
    visit.request()
    visit.say(b"HTTP/1.1 200 OK\r\n\r\n")
    visit.drip(b" ")


def reset(visit: Visit) -> None:
    visit.request()
    visit.reset()


def redirect_without_end(visit: Visit) -> None:
    visit.request()
    visit.say(b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:9/elsewhere\r\n\r\n")
    visit.drip(b"x")


ECHO = f"{KEY} hello, dear"
FAULTS: dict[str, tuple[Script, str]] = {
    "400": (replying(answer(400, json.dumps({"error": ECHO}))), "HTTP 400"),
    "401": (replying(answer(401, json.dumps({"error": ECHO}))), "the API key is refused"),
    "404": (replying(answer(404, "")), "no wbox at this address"),
    "429": (replying(answer(429, "", "Retry-After: 9")), "too many"),
    "500": (replying(answer(500, ECHO)), "HTTP 500"),
    "503": (replying(answer(503, '{"error": "WhatsApp client not ready"}')), "scan the QR code"),
    "201": (replying(answer(201, '{"success": true}')), "HTTP 201"),
    "no JSON": (replying(answer(200, f"<h1>Log in</h1>{ECHO}")), "not wbox's"),
    "a list": (replying(answer(200, "[true]")), "not wbox's"),
    "nothing": (replying(answer(200, "")), "not wbox's"),
    "deep JSON": (replying(answer(200, "[" * 60000)), "not wbox's"),
    "no success": (replying(answer(200, json.dumps({"message": ECHO}))), "does not report success"),
    "success false": (replying(answer(200, '{"success": false}')), "does not report success"),
    "success text": (replying(answer(200, '{"success": "true"}')), "does not report success"),
    "too long": (replying(answer(200, " " * 70_000 + '{"success": true}')), "longer than wbox's"),
    "reset": (reset, "could not be reached"),
    "no HTTP": (lambda visit: visit.request() and visit.say(b"hello\r\n\r\n"), "could not be reached"),
    "redirect": (replying(answer(302, "", "Location: http://127.0.0.1:9/")), "redirected"),
    "redirect without end": (redirect_without_end, "redirected"),
    "silence": (hang, "could not be reached"),
    "a slow head": (drip_head, "in time"),
    "a slow body": (drip_body, "in time"),
}


@pytest.mark.parametrize(("script", "reason"), FAULTS.values(), ids=FAULTS)
def test_only_success_is_success_and_neither_key_nor_text_is_logged(
    caplog: pytest.LogCaptureFixture, script: Script, reason: str
) -> None:
    with FaultServer(script) as server:
        wait = "0.4" if script in {hang, drip_head, drip_body, redirect_without_end} else "20"
        assert not tell(at(server.url, cto=wait, rto=wait), "hello, dear")
        assert len(server.requests) == 1
    assert reason in caplog.text
    assert "dear" not in caplog.text
    assert PHONE not in " ".join(r.getMessage() for r in caplog.records if "was not sent" in r.getMessage())


def test_a_server_that_speaks_no_tls_is_a_failure_that_says_how_to_speak_to_it(
    wbox: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    assert not tell(at(wbox.url, tls="yes"))
    assert "(SSLError): for a server without TLS, write ?tls=no" in caplog.text


def test_nobody_there_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    with FaultServer(OK) as server:
        gone = server.url
    assert not tell(at(gone))
    assert "could not be reached (ConnectionError)" in caplog.text


def test_the_key_goes_as_a_bearer_whatever_netrc_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with FaultServer(OK) as server:
        assert tell(at(server.url))
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_one_failing_target_does_not_stop_the_others_and_a_retry_spares_those_that_got_it() -> None:
    asked: list[str] = []

    def first_refuses_once(visit: Visit) -> None:
        while request := visit.request():
            asked.append(request.json["phone"])
            bad = asked.count(PHONE) == 1 and asked[-1] == PHONE
            visit.say(answer(500, "") if bad else answer(200, '{"success": true}'))

    with FaultServer(first_refuses_once) as server:
        assert tell(at(server.url, f"{PHONE}/{OTHER}", retry="2", wait="0"))
    assert asked == [PHONE, OTHER, PHONE]


def test_without_a_retry_the_same_text_is_sent_again(wbox: Simulator) -> None:
    provider = at(wbox.url)
    assert tell(provider)
    assert tell(provider)
    assert len(bodies(wbox)) == 2


def test_a_lost_attachment_does_not_send_the_text_again_on_retry(wbox: Simulator, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"png")
    assert not tell(at(wbox.url, retry="2", wait="0"), attach=str(picture))
    assert texts(wbox) == ["hello"]


# What a URL may be

BAD = {
    "wbox://": "key",
    "wbox:///": "key",
    f"wbox:///{PHONE}": "key",
    f"wbox://@/{PHONE}": "key",
    f"wbox://@host/{PHONE}": "key",
    f"wbox://%20/{PHONE}": "key",
    f"wbox://sk%20secret/{PHONE}": "key",
    f"wbox://sk%0Asecret/{PHONE}": "key",
    f"wbox://sk%2Fsecret/{PHONE}": "key",
    f"wbox://skşsecret/{PHONE}": "key",
    f"wbox://sk%00secret/{PHONE}": "key",
    f'wbox://sk"secret/{PHONE}': "key",
    f"wbox://{{secret}}/{PHONE}": "key",
    f"wbox://${{secret}}/{PHONE}": "key",
    f"wbox://{PHONE}/{KEY}": "key",
    f"wbox://{PHONE}": "key",
    f"wbox://{KEY}": "targets",
    f"wbox://{KEY}/": "targets",
    f"wbox://{KEY}/?to=": "targets",
    f"wbox://{KEY}//": "targets",
    f"wbox://{KEY}/hello": "targets",
    f"wbox://{KEY}/12345": "targets",
    f"wbox://{KEY}/05551234567": "targets",
    f"wbox://{KEY}/1234567890123456": "targets",
    f"wbox://{KEY}/120363025246125486@g.us": "targets",
    f"wbox://{KEY}/+": "targets",
    f"wbox://{KEY}/000": "targets",
    f"wbox://{KEY}/٩٠٥٥٥١٢٣٤٥٦٧": "targets",
    f"wbox://{KEY}@host": "targets",
    f"wbox://{KEY}@host:8080/": "targets",
    f"wbox://{KEY}@host/?to=me": "targets",
    f"wbox://{KEY}/{PHONE}x": "targets",
    f"wbox://{KEY}@-host/{PHONE}": "host",
    f"wbox://{KEY}@ho%20st/{PHONE}": "host",
    f"wbox://{KEY}@999.1.1.1/{PHONE}": "host",
    f"wbox://{KEY}@a..b/{PHONE}": "host",
    f"wbox://{KEY}@[::1/{PHONE}": "host",
    f"wbox://{KEY}@[zz]/{PHONE}": "host",
    f"wbox://{KEY}@host%2Fx/{PHONE}": "host",
    f"wbox://{KEY}:8080/{PHONE}": "port",
    f"wbox://{KEY}@host:0/{PHONE}": "port",
    f"wbox://{KEY}@host:70000/{PHONE}": "port",
    f"wbox://{KEY}@host:abc/{PHONE}": "port",
    f"wbox://{KEY}@host:-1/{PHONE}": "port",
    f"wbox://{KEY}:secret@host/{PHONE}": "password",
    f"wbox://{KEY}/{PHONE}?device=0": "device",
    f"wbox://{KEY}/{PHONE}?device=-1": "device",
    f"wbox://{KEY}/{PHONE}?device=one": "device",
    f"wbox://{KEY}/{PHONE}?device=1.5": "device",
    f"wbox://{KEY}/{PHONE}?device=99999999999": "device",
    f"wbox://{KEY}/{PHONE}?mode=sms": "mode",
    f"wbox://{KEY}/{PHONE}?mode=text,poll": "mode",
    f"wbox://{KEY}/{PHONE}?mode=poll": "options",
    f"wbox://{KEY}/{PHONE}?mode=poll&options=": "options",
    f"wbox://{KEY}/{PHONE}?mode=poll&options=one": "options",
    f"wbox://{KEY}/{PHONE}?mode=poll&options=a|a": "options",
    f"wbox://{KEY}/{PHONE}?mode=poll&options=a|": "options",
    f"wbox://{KEY}/{PHONE}?mode=poll&options=1,2,3,4,5,6,7,8,9,10,11,12,13": "options",
    f"wbox://{KEY}/{PHONE}?options=a|b": "options",
    f"wbox://{KEY}/{PHONE}?mode=event&options=a|b": "options",
    f"wbox://{KEY}/{PHONE}?start=2026-12-01": "start",
    f"wbox://{KEY}/{PHONE}?mode=poll&options=a|b&start=2026-12-01": "start",
    f"wbox://{KEY}/{PHONE}?media=picture.png": "media",
    f"wbox://{KEY}/{PHONE}?media=file:///etc/passwd": "media",
    f"wbox://{KEY}/{PHONE}?media=https://": "media",
    f"wbox://{KEY}/{PHONE}?media=https://[": "media",
    f"wbox://{KEY}/{PHONE}?media=https://e.x/a%20b": "media",
    f"wbox://{KEY}/{PHONE}?media=ftp://e.x/a": "media",
    f"wbox://{KEY}/{PHONE}?mode=event&media=https://e.x/a": "media",
    f"wbox://{KEY}/{PHONE}?caption=perhaps": "caption",
    f"wbox://{KEY}/{PHONE}?attach=send": "attach",
    f"wbox://{KEY}/{PHONE}?tls=no": "tls",
    f"wbox://{KEY}@server.wbox.me/{PHONE}?tls=no": "tls",
    f"wbox://{KEY}@SERVER.wbox.me.:443/{PHONE}?tls=no": "tls",
    f"wbox://{KEY}@host/{PHONE}?tls=perhaps": "tls",
}


@pytest.mark.parametrize(("url", "part"), BAD.items())
def test_a_bad_url_is_refused_with_a_warning_that_names_the_part(
    caplog: pytest.LogCaptureFixture, url: str, part: str
) -> None:
    assert apprise.Apprise().add(url) is False
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert any(part in warning for warning in warnings), warnings


@given(st.text(max_size=60))
def test_no_url_raises(rest: str) -> None:
    apprise.Apprise.instantiate(f"wbox://{rest}")


@pytest.mark.parametrize("value", [None, object, 42, b"wbox://k/905551234567"])
def test_what_is_no_text_is_no_url(value: object) -> None:
    assert NotifyWbox.parse_url(value) is None


GOOD = {
    f"wbox://{KEY}/{PHONE}": {},
    f"wbox://{KEY}@{PHONE}": {"targets": [PHONE], "host": ""},
    f"wbox://{KEY}@{PHONE}/{OTHER}": {"targets": [PHONE, OTHER]},
    f"wbox://_/{PHONE}?key={KEY}": {"apikey": KEY},
    f"wbox://{KEY}@[::1]:80/{PHONE}": {"port": 80},
    f"wbox://{KEY}@My-Host.example.com/{PHONE}?avatar_url=x&image=no": {"tls": True},
    f"wbox://{KEY}/hello/{PHONE},{OTHER};+49-151-23456789": {"targets": [PHONE, OTHER, "4915123456789"]},
    f"wbox://{KEY}/{PHONE}?store=no": {"persistent_storage": False},
    f"wbox://{KEY}/{PHONE}?mode=POLL&options=a,b": {"mode": "poll", "options": ["a", "b"]},
    f"wbox://{KEY}/{PHONE}?verify=no&redirect=no&rto=9&cto=2&emojis=yes&tz=UTC": {
        "verify_certificate": False
    },
}


@pytest.mark.parametrize(("url", "expected"), GOOD.items())
def test_a_good_url_is_read_and_makes_itself_again(url: str, expected: dict[str, Any]) -> None:
    made = apprise.Apprise.instantiate(url)
    assert isinstance(made, NotifyWbox)
    assert {name: getattr(made, name) for name in expected} == expected
    assert_same(made, apprise.Apprise.instantiate(made.url()))
    assert "secret" not in made.url(privacy=True)


def assert_same(one: Any, other: Any) -> None:
    names = ["apikey", "targets", "invalid_targets", "host", "port", "device", "mode", "options", "start"]
    names += ["media", "caption", "attach", "tls"]
    assert [getattr(one, name) for name in names] == [getattr(other, name) for name in names]
    assert (one.url(), one.url_id(), len(one)) == (other.url(), other.url_id(), len(other))
    assert one.notify_format == other.notify_format


_WORDS = st.text(string.ascii_letters + string.digits + " şİ😀%&=?#+/", min_size=1, max_size=12).map(
    str.strip
)
_FREE: dict[str, Any] = {
    "device": st.integers(1, 999_999_999),
    "caption": st.booleans(),
    "attach": st.sampled_from(["fail", "skip"]),
    "format": st.sampled_from(["text", "html", "markdown"]),
}
_OF_MODE: dict[str, dict[str, Any]] = {
    "text": {"media": st.just("https://example.com/a%20b?c=d&e=%2B")},
    "poll": {"options": st.lists(_WORDS.filter(bool), min_size=2, max_size=12, unique=True)},
    "event": {"start": _WORDS},
}


@given(st.data())
def test_every_object_makes_itself_again_from_its_url(data: st.DataObject) -> None:
    mode = data.draw(st.sampled_from(sorted(_OF_MODE)))
    optional = {**_FREE, **({} if mode == "poll" else _OF_MODE[mode])}
    needed = _OF_MODE[mode] if mode == "poll" else {}
    arguments = data.draw(st.fixed_dictionaries(needed, optional=optional))
    place = data.draw(
        st.sampled_from([{}, {"host": "box.local"}, {"host": "::1", "port": 8080, "tls": False}])
    )
    one = NotifyWbox(
        apikey=data.draw(st.from_regex(r"[A-Za-z._~=-][A-Za-z0-9._~+=-]{0,20}", fullmatch=True)),
        targets=[
            *data.draw(st.lists(st.from_regex("[1-9][0-9]{6,14}", fullmatch=True), min_size=1)),
            "né pas",
        ],
        mode=mode,
        **place,
        **arguments,
    )
    other = apprise.Apprise.instantiate(one.url())
    assert isinstance(other, NotifyWbox)
    assert_same(one, other)
    assert one.url(privacy=True).startswith("wbox://****")


def test_the_privacy_url_hides_a_key_that_stands_in_the_wrong_place() -> None:
    made = apprise.Apprise.instantiate(f"wbox://{KEY}/{PHONE}/sk_secret-other?media=https://e.x/a?t=secret")
    assert isinstance(made, NotifyWbox)
    assert "secret" not in made.url(privacy=True)
    assert "sk_secret-other" in made.url()


def test_yaml_reaches_the_same_object() -> None:
    config = apprise.AppriseConfig()
    lines = [
        "urls:",
        f"  - wbox://{KEY}:",
        f"    - to: '+{PHONE}'",
        "      mode: poll",
        "      options: a|b, c",
    ]
    assert config.add_config("\n".join(lines), format="yaml")
    every = apprise.Apprise()
    every.add(config)
    [made] = every.find()
    assert (made.targets, made.options) == ([PHONE], ["a", "b, c"])


# What Apprise knows of it


def test_details_are_whole() -> None:
    [told] = [one for one in apprise.Apprise().details()["schemas"] if one["service_name"] == "wbox"]
    arguments = told["details"]["args"]
    ours = {"to", "device", "mode", "options", "start", "media", "caption", "attach", "tls"}
    inherited = {
        "verify",
        "redirect",
        "rto",
        "cto",
        "format",
        "overflow",
        "emojis",
        "tz",
        "store",
        "retry",
        "wait",
    }
    assert ours | inherited | {"optional"} <= set(arguments)
    assert told["details"]["tokens"]["apikey"]["private"]
    assert json.dumps(told, default=str)


def test_registering_again_keeps_the_first_and_comes_back_after_an_unload() -> None:
    known = NotificationManager()
    first = known["wbox"]
    register()
    assert known["wbox"] is first
    known.unload_modules()
    register()
    assert "wbox" in known
    assert "mailto" in known


def test_the_file_stands_alone_and_can_be_read_by_python_3_9() -> None:
    source = Path(sys.modules[NotifyWbox.__module__].__file__ or "").read_text()
    tree = ast.parse(source, feature_version=(3, 9))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {name.name for node in imports if isinstance(node, ast.Import) for name in node.names}
    names |= {node.module or "" for node in imports if isinstance(node, ast.ImportFrom) and not node.level}
    roots = {name.partition(".")[0] for name in names}
    assert roots - sys.stdlib_module_names == {"apprise", "requests"}
    assert not [node for node in imports if isinstance(node, ast.ImportFrom) and node.level]
    assert not [name for name in vars(NotifyWbox) if re.fullmatch("send_(text|html|markdown)", name)]
