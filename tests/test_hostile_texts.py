"""Texts that strangers wrote, 256 KB of each shape that has made a program hang: nothing does.

What grows faster than the text takes minutes with such a size, which the limit of a test ends.
"""

import re
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from wbox_notify.errors import WboxError
from wbox_notify.model.messages import CalendarEvent, Media, Notice, Poll, Text
from wbox_notify.model.phones import normalise
from wbox_notify.model.redaction import Redaction
from wbox_notify.templates import TemplateError, Templates
from wbox_notify.templates.bounded import METHODS
from wbox_notify.templates.loader import clean
from wbox_notify.templates.sandbox import TEXT_METHODS
from wbox_notify.triggers.webhook.bodies import form_body, json_body, text_body
from wbox_notify.web.formatting import to_html

SIZE = 256 * 1024

pytestmark = pytest.mark.timeout(30)

SHAPES = {
    "printf names": "%(",
    "printf fields": "%s",
    "nested names": "%(()",
    "braces": "{",
    "items": "{0[",
    "tags": "<a ",
    "comments": "<!---->",
    "ampersands": "&",
    "entities": "&#9",
    "brackets": "[",
    "parentheses": "(",
    "repeats": "(a+)+",
    "counted": "(.{99}){99}",
    "letters": "a",
    "digits": "9",
    "spaces": " ",
    "lines": "\n",
    "line ends": "\r\n ",
    "marks out of order": "\u0301\u0323",
    "marks": "e\u0301",
    "joined": "\U0001f468\u200d",
    "halves": "\ud800",
    "formats": "*_~`",
    "fences": "```",
    "escapes": "\\",
    "quotes": '"',
    "links": "http://a.",
    "keys": "sk_",
    "Turkish": "İı",
    "commas": "1,",
}
TEXTS = {name: (shape * (SIZE // len(shape) + 1))[:SIZE] for name, shape in SHAPES.items()}
TEXTS["an end that is missing"] = "a" * SIZE + "!"
TEXTS["nested"] = "(" * (SIZE // 2) + ")" * (SIZE // 2)

templates = Templates()
sandbox = templates._sandbox
NAMES = sorted(name for name in sandbox.filters if name.isidentifier())
FILTERS = ("x | {}", "x | {}(x)", "'a' | {}(x)", "x | {}('a', x)", "[x, x] | {}", "[m, m] | {}(attribute=x)")
TESTS = ("x is {}", "x is {}(x)", "'a' is {}(x)")
CALLS = ("x.{}()", "x.{}(x)", "'a'.{}(x)", "x.{}('a', x)", "x.{}([x, x])")
OPERATIONS = ("x {} x", "x {} 'a'", "'a' {} x", "x {} 10", "10 {} x", "[x] {} [x]", "x {} m", "m {} x")
OPERATORS = (*sandbox.binop_table, "~", "==", "!=", "<", ">=", "in", "not in", "and", "or")
LETTERS = {"batch", "difference", "flatten", "intersect", "join", "join_and", "list", "max", "min", "reject", "select", "union", "unique"}  # fmt: skip  # noqa: E501 - a table
"""Filters that take a text as a list of its letters, where each step is slow: an eighth of it is enough."""

OTHERS = ("range(x)", "timedelta(x)", "timedelta(days=x)", "dict(x)", "dict([[x, x]])", "namespace(x)", "namespace(a=x)", "{x: x}", "x[x]", "m[x]", "x[0]", "x[::-1]", "x[1:]", "-x", "not x", "x.a", "(x | int) ** 3", "x | int % 7", "x | float + 1", "now | date(x)", "now.strftime(x)", "now + x", "now - x", "(now | date) < x", "'5,5' | number(lang=x)", "x if x else x")  # fmt: skip  # noqa: E501 - a table

SOURCES = [
    *(form.format(name) for name in NAMES for form in FILTERS),
    *(form.format(name) for name in sorted(sandbox.tests) if name.isidentifier() for form in TESTS),
    *(form.format(name) for name in sorted({*TEXT_METHODS, *METHODS}) for form in CALLS),
    *(form.format(operator) for operator in OPERATORS for form in OPERATIONS),
    *OTHERS,
    *(f"x | wordwrap({width})" for width in (1, 3, 20)),
    "x | replace('a', 'bbbbbbbbbb') | wordwrap(3)",
    "x | regex_replace('a', 'b')",
]


@pytest.mark.parametrize("source", SOURCES)
def test_nothing_that_a_rule_can_do_with_a_text_takes_long(source: str) -> None:
    try:
        expression = templates.expression(source)
    except TemplateError:
        return
    size = SIZE // 8 if LETTERS & set(re.findall(r"\w+", source)) else SIZE
    for whole in TEXTS.values():
        text = whole[-size:]
        data = {"x": text, "m": {text: text, "a": [text]}, "now": datetime(2026, 11, 29, tzinfo=UTC)}
        with suppress(WboxError):
            expression.value(data)


def test_each_global_is_among_them() -> None:
    assert {source.partition("(")[0] for source in OTHERS} >= set(sandbox.globals)


def _secrets() -> Redaction:
    redaction = Redaction()
    for number in range(20):
        redaction.learn(f"a-secret-{number}")
    return redaction


PHONE = "905551112233"
OUTSIDE = {
    "the layout of a message": clean,
    "a page": to_html,
    "a phone": normalise,
    "a phone of a country": lambda text: normalise(text, "TR"),
    "a log": _secrets().redacted,
    "a text": lambda text: Text(phone=PHONE, message=text[:65_536]).body(),
    "a caption": lambda text: Media(phone=PHONE, url="https://example.com/x.png", caption=text).body(),
    "an address": lambda text: Media(phone=PHONE, url=f"https://{text}").body(),
    "a path": lambda text: Media(phone=PHONE, file=text).body(),
    "a title": lambda text: CalendarEvent(phone=PHONE, title=text, start=text).body(),
    "a question": lambda text: Poll(phone=PHONE, question=text, options=(text, "no")).body(),
    "options": lambda text: Poll(phone=PHONE, question="?", options=tuple(text)).body(),
    "a notice": lambda text: Notice(outlet="mail", text=text),
    "a body in JSON": lambda text: json_body(text.encode("utf-8", "replace")),
    "a form": lambda text: form_body(text.encode("utf-8", "replace")),
    "a plain body": lambda text: text_body(text.encode("utf-8", "replace")),
}


@pytest.mark.parametrize("what", OUTSIDE)
def test_nothing_else_that_reads_a_text_takes_long(what: str) -> None:
    for text in TEXTS.values():
        with suppress(WboxError):
            OUTSIDE[what](text)


@pytest.mark.parametrize("what", ["x | unique | list", "dict(x | map('list')) | length", "x | groupby(0)"])
def test_numbers_that_meet_in_a_set_take_no_longer(what: str) -> None:
    numbers = [(2**61 - 1) * number for number in range(1, 100_000)]
    pairs = [[number, 1] for number in numbers] if "dict" in what else numbers
    with suppress(WboxError):
        templates.expression(what).value({"x": pairs})


def test_what_is_unique_stays_so_for_numbers_of_any_size() -> None:
    found = templates.expression("x | unique").value({"x": [1, 1.0, 10**30, 1e30, 10**30, "A", "a", None]})
    assert found == [1, 10**30, 1e30, "A", None]


def test_a_pattern_of_a_sender_takes_no_memory_beyond_bounds() -> None:
    for pattern in ("(" * 100_000 + ")" * 100_000, "(" * 1500 + "a{900}" + ")" * 1500):
        with pytest.raises(TemplateError, match=r"groups|characters|pattern"):
            templates.expression("'a' is search(x)").value({"x": pattern})


def test_a_pattern_with_wide_gaps_is_not_tried_on_a_long_text() -> None:
    expression = templates.expression("x is search('a.{0,999}b.{0,999}c')")
    assert expression.value({"x": "ab" * 5000}) is False
    long = {"x": "ab" * 131_072}
    with pytest.raises(TemplateError, match="too large for a text of") as caught:
        expression.value(long)
    assert "{0,50}" in str(caught.value.hint)


def test_a_width_behind_a_name_with_parentheses_is_not_overlooked() -> None:
    with pytest.raises(TemplateError, match="parenthesis"):
        templates.expression("'%(())1000000000d' % {'()': 1}").value({})


def test_percent_says_that_its_left_side_is_a_text() -> None:
    with pytest.raises(TemplateError) as caught:
        templates.expression("body.n % 10").value({"body": {"n": "12"}})
    assert "| number" in str(caught.value.hint)
