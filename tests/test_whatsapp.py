"""WhatsApp's text formatting as HTML."""

import html
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wbox_notify.web.formatting import to_html

LINK = '<a href="{0}" rel="noreferrer" target="_blank">{0}</a>'

SHOWN = [
    ("plain words", "plain words"),
    ("*bold*", "<strong>bold</strong>"),
    ("_italic_", "<em>italic</em>"),
    ("~gone~", "<s>gone</s>"),
    ("`x = 1`", "<code>x = 1</code>"),
    ("```two\nlines```", "<samp>two\nlines</samp>"),
    ("*bold _and italic_*", "<strong>bold <em>and italic</em></strong>"),
    ("_*~all~*_", "<em><strong><s>all</s></strong></em>"),
    ("(*edge*), *of* a *word*.", "(<strong>edge</strong>), <strong>of</strong> a <strong>word</strong>."),
    ("Şişli *gül* çay, *ölçü*", "Şişli <strong>gül</strong> çay, <strong>ölçü</strong>"),
    ("*two words*", "<strong>two words</strong>"),
    ("2 * 3 * 4", "2 * 3 * 4"),
    ("2*3*4", "2*3*4"),
    ("snake_case_name", "snake_case_name"),
    ("* not bold*", "* not bold*"),
    ("*not bold *", "*not bold *"),
    ("*not\nbold*", "*not\nbold*"),
    ("*no end", "*no end"),
    ("**", "**"),
    ("****", "****"),
    ("**both**", "*<strong>both</strong>*"),
    ("``", "``"),
    ("` `", "` `"),
    ("``````", "``````"),
    ("*a _b* c_", "<strong>a _b</strong> c_"),
    ("`*code stays*`", "<code>*code stays*</code>"),
    ("```*so* _does_ `this````", "<samp>*so* _does_ `this</samp>`"),
    ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
    ("*<b>*", "<strong>&lt;b&gt;</strong>"),
    ("a & b \"c\" 'd'", "a &amp; b &quot;c&quot; &#x27;d&#x27;"),
    ("see https://example.com/a_b_c.", f"see {LINK.format('https://example.com/a_b_c')}."),
    ("*https://example.com*", f"<strong>{LINK.format('https://example.com')}</strong>"),
    ("http://x.test/?a=1&b=2", LINK.format("http://x.test/?a=1&amp;b=2")),
    ("(https://x.test/y)", f"({LINK.format('https://x.test/y')})"),
    ("https://", "https://"),
    ("javascript:alert(1)", "javascript:alert(1)"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "shown"), SHOWN)
def test_text_is_shown_as_whatsapp_shows_it(text: str, shown: str) -> None:
    assert to_html(text) == shown


TAG = re.compile(
    r'</?(?:strong|em|s|code|samp)>|<a href="https?://[^"<>]*" rel="noreferrer" target="_blank">|</a>'
)
TOKENS = st.sampled_from(
    ["*", "_", "~", "`", "```", " ", "\n", "a", "ö", "<", ">", "&", '"', "'", "https://a.b", "."]
)
TEXTS = st.text() | st.lists(TOKENS, max_size=40).map("".join)


@given(TEXTS)
@example('https://a.b/"onload="x')
@example("*_~*_~*_~")
def test_only_our_own_tags_appear_and_they_are_well_nested(text: str) -> None:
    result = to_html(text)
    assert not re.search("[<>\"']", TAG.sub("", result))
    opened: list[str] = []
    for closing, name in re.findall(r"<(/?)([a-z]+)", result):
        if closing:
            assert opened.pop() == name
        else:
            opened.append(name)
    assert not opened


@given(TEXTS)
def test_nothing_but_the_marks_is_lost(text: str) -> None:
    kept = html.unescape(TAG.sub("", to_html(text)))
    rest = iter(kept)
    following = next(rest, None)
    for character in text:
        if character == following:
            following = next(rest, None)
        else:
            assert character in "*_~`"
    assert following is None


@pytest.mark.parametrize(
    "part", ["*", "_a", "*a ", "`", "```a", "*_~", "https://", "https://.", "*a\n", " *a_b~"]
)
def test_a_long_hostile_text_takes_no_longer_than_its_length(part: str) -> None:
    assert to_html(part * 40_000)
