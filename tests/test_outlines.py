"""Texts of one outline: what is known of one of them holds for the others."""

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from wbox_notify.templates import Known, TemplateError, Templates, outlines

DATA = {"a": {"b": "x", "c": [1, 2]}, "n": 7, "t": "team-5"}

_WORDS = st.text("aZ9 \n\"'\\%}#-é", max_size=6)
_NUMBERS = st.sampled_from(["0", "5", "70", "007", "12.5", "1e3"])
_QUOTED = st.sampled_from(["'x'", '"it\'s"', "'}}'", '"%}"', "'a\\'b'", "''", "'>'"])
_VALUES = st.tuples(_NUMBERS, _NUMBERS) | st.tuples(_QUOTED, _QUOTED)
_OPERATORS = [" == ", "!=", " > ", "<="]
_PIECES = [
    "a.b",
    "n",
    "t | upper",
    "a['b']",
    "a.c[0]",
    "n | date('%Y')",
    "(n",
    ")",
    "'>' ~ ",
    "not ",
    " and n",
]
_SIGNS = [*_OPERATORS, " in ", " ~ ", " + ", ", ", " | default(", "=", "{'k': 1}"]
_TAGS = [
    "{{ ",
    " }}",
    "{{- ",
    " -}}",
    "{% if ",
    "{% endif %}",
    "{% set v = ",
    " %}",
    "{% for v in a.c %}",
    "{% endfor %}",
]
_RARE = ["{% raw %}", "{% endraw %}", "{#", "#}", "{", "{{ v }}"]
_WRITTEN = st.sampled_from([("{{ ", " }}"), ("{% if ", " %}x{% endif %}"), ("{% set v = ", " %}{{ v }}")])


def _same(texts: list[str]) -> st.SearchStrategy[tuple[str, str]]:
    return st.sampled_from(texts).map(lambda text: (text, text))


def _joined(parts: list[tuple[str, ...]]) -> tuple[str, str]:
    first, second = zip(*parts, strict=True) if parts else ((), ())
    return "".join(first), "".join(second)


_CODE = st.lists(_same([*_PIECES, *_SIGNS]) | _VALUES, max_size=5).map(_joined)


@st.composite
def _tagged(draw: st.DrawFn) -> tuple[str, str]:
    """Two texts with the same tags, which differ in what stands at some places."""
    begin, end = draw(_WRITTEN)
    first, second = draw(_CODE)
    return begin + first + end, begin + second + end


@st.composite
def _compared(draw: st.DrawFn) -> tuple[str, str]:
    """Two comparisons with different values."""
    before = draw(st.sampled_from(["n", "a.b", "(n)", "t | upper"])) + draw(st.sampled_from(_OPERATORS))
    after = draw(
        st.sampled_from(["", " and n", " | upper", " if t", ".b", "[0]", " 'more'", " == n", ", t", ")"])
    )
    first, second = draw(_VALUES)
    return before + first + after, before + second + after


def _shown(sources: tuple[str, str]) -> tuple[str, str]:
    first, second = sources
    return f"{{{{ {first} }}}}", f"{{{{ {second} }}}}"


_TEXTS = st.lists(
    _tagged() | st.tuples(_WORDS, _WORDS) | _same([*_TAGS, *_RARE]) | _compared().map(_shown), max_size=6
).map(_joined)


def _answer(templates: Templates, text: str) -> object:
    """Return all that a text says of itself, and what it becomes."""
    try:
        read = templates.text(text)
    except TemplateError as error:
        return error.problem, error.hint, error.line
    try:
        return read.names, read.render(DATA)
    except TemplateError as error:
        return read.names, error.problem, error.hint, error.line


@given(_TEXTS)
def test_texts_of_one_outline_are_right_together_and_use_the_same_names(texts: tuple[str, str]) -> None:
    first, second = texts
    assume(outlines.of_text(first) == outlines.of_text(second))
    known = Known()
    _answer(Templates(known=known), first)
    assert _answer(Templates(known=known), second) == _answer(Templates(), second)


def _result(templates: Templates, source: str) -> object:
    try:
        read = templates.expression(source)
    except TemplateError as error:
        return error.problem, error.hint, error.line, error.column
    try:
        return read.names, read.call, read.seen(DATA), read.value(DATA)
    except TemplateError as error:
        return read.names, read.call, error.problem, error.hint


@given(_compared() | _CODE)
def test_so_are_expressions(sources: tuple[str, str]) -> None:
    first, second = sources
    assume(outlines.of_expression(first) == outlines.of_expression(second))
    known = Known()
    _result(Templates(known=known), first)
    assert _result(Templates(known=known), second) == _result(Templates(), second)


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ("Order 1: {{ body.id }}", "Order 2, by hand: {{ body.id }}"),
        ("{% if n > 5 %}much{% endif %}", "{% if n > 70 %}too much{% endif %}"),
        ("{{ 'a' if t == 'team-5' }} x", "{{ 'a' if t == \"team 6\" }} y"),
    ],
)
def test_words_and_what_is_compared_are_not_part_of_an_outline(one: str, another: str) -> None:
    assert outlines.of_text(one) == outlines.of_text(another) is not None
    known = Known()
    templates = Templates(known=known)
    templates.text(one)
    templates.text(another)
    assert len(known.texts) == 1


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ("{{ x | date('%Y') }}", "{{ x | date('%Q') }}"),
        ("{{ a['b'] }}", "{{ a['c'] }}"),
        ("{{ x | round(2) }}", "{{ x | round(3) }}"),
        ("{{ f(x=1) }}", "{{ f(x=2) }}"),
        ("{{ x }} {{ y }}", "{{ x }}{{ y }}"),
    ],
)
def test_all_else_is(one: str, another: str) -> None:
    assert outlines.of_text(one) != outlines.of_text(another)


@pytest.mark.parametrize(
    "source", ["{# x #}", "{{ {'k': 1} }}", "{{ 'a\\'b' }}", "{{ '}}' }}", "{", "{{ it's }}"]
)
def test_what_only_jinja_can_divide_has_no_outline(source: str) -> None:
    assert outlines.of_text(source) is None


def test_a_text_that_pulls_in_a_file_is_read_for_itself(tmp_path: Path) -> None:
    (tmp_path / "part.j2").write_text("{{ x }}")
    known = Known()
    Templates(tmp_path, known=known).text("a {% include 'part.j2' %}")
    assert not known.texts
