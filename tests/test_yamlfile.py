"""Strict YAML: what it takes, what it refuses and where it says so."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rulebook import untold

from wbox_notify.config.yaml.document import MAX_BYTES, Document, open_document, parse
from wbox_notify.config.yaml.parser import MAX_NODES
from wbox_notify.config.yaml.problems import Place, Problem, render

UNTIMED = settings(deadline=None)


def read(text: str | bytes) -> Document:
    return parse(text.encode() if isinstance(text, str) else text, "rules/x.yaml")


def only(document: Document) -> Problem:
    (problem,) = document.problems
    assert untold([problem]) == []
    return problem


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-7", -7),
        ("905551234567", 905551234567),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("'true'", "true"),
        *((text, text) for text in ("on", "off", "yes", "no", "NO", "y", "n", "Y")),
        *((text, text) for text in ("18:30", "12:30:45", "2026-11-22", "2026-11-22 10:00:00", "1_000")),
        *(
            (text, text)
            for text in ("0555", "05551234567", "+905551234567", "+90 555 111 22 33", "0x1F", "0o17")
        ),
        *((text, text) for text in ("1234567890123456", ".inf", ".nan", "1.", ".5", "<<", "=")),
    ],
)
def test_only_the_plain_values_of_yaml_1_2_are_not_text(written: str, value: Any) -> None:
    document = read(f"a: {written}\n")
    assert document.problems == ()
    assert document.value == {"a": value}
    assert type(document.value["a"]) is type(value)


def test_keys_are_always_text() -> None:
    assert read("on: 1\n12: 2\ntrue: 3\nnull: 4\n").value == {"on": 1, "12": 2, "true": 3, "null": 4}


@pytest.mark.parametrize("text", ["", "\n", "# a comment\n", "---\n", "\ufeff"])
def test_an_empty_file_has_no_value_and_no_problem(text: str) -> None:
    assert (read(text).value, read(text).problems) == (None, ())


MISTAKES = [
    # text, code, (line, column, end column), words of the message, words of the hint
    ("a: 1\nb: 2\na: 3\n", "WBX103", (3, 1, 2), "key `a` is given twice (first on line 1)", "keep one"),
    ("a:\n  - b: {c: 1, c: 2}\n", "WBX103", (2, 15, 16), "first on line 2", "keep one"),
    ("a:\n\tb: 1\n", "WBX109", (2, 1, 2), "a tab is used to indent", "indent with spaces"),
    ("a:\n  b: 1\n\tc: 2\n", "WBX109", (3, 1, 2), "a tab is used to indent", "indent with spaces"),
    ("a:\n  \t- b\n", "WBX109", (2, 3, 4), "a tab is used to indent", "indent with spaces"),
    ("a: {{ b.c }}\n", "WBX106", (1, 4, 13), "a template must be quoted", '"{{ … }}"'),
    ("a: {{ b }} is here\n", "WBX106", (1, 4, 11), "a template must be quoted", '"{{ … }}"'),
    ('a: {{ b["c"] | upper }}\n', "WBX106", (1, 4, 24), "a template must be quoted", '"{{ … }}"'),
    ("- {{ b }} c\n", "WBX106", (1, 3, 10), "a template must be quoted", '"{{ … }}"'),
    ("a: {% if b %}c{% endif %}\n", "WBX106", (1, 4, 26), "a template must be quoted", '"{{ … }}"'),
    ('a: {{ b["c }}\n', "WBX106", (1, 4, 14), "a template must be quoted", '"{{ … }}"'),
    ('a: {b: {{ c["d }}\n', "WBX106", (1, 8, 18), "a template must be quoted", '"{{ … }}"'),
    ("a: Hi {{ b }}: {{ c }}\n", "WBX105", (1, 14, 15), "`: ` in it must be quoted", "in quotes"),
    ('a: "b: {{ c }}" d\n', "WBX105", (1, 4, 18), "must end with it", "single quotes"),
    ("a: Alert: disk\n", "WBX105", (1, 9, 10), "`: ` in it must be quoted", "in quotes"),
    ('a: "b\nc: d\n', "WBX105", (1, 4, 6), "starts with a quote must end with it", "single quotes"),
    ('if: "a" == b\n', "WBX105", (1, 5, 13), "starts with a quote must end with it", "single quotes"),
    ("a: 'b' c\n", "WBX105", (1, 4, 9), "starts with a quote must end with it", "double quotes"),
    ('a: "\\d"\n', "WBX105", (1, 5, 6), "not an escape sequence", "two backslashes"),
    ("a: *bold*\n", "WBX108", (1, 4, 10), "starts with `*` is an alias", "in quotes"),
    ("match: *.pdf\n", "WBX108", (1, 8, 13), "starts with `*` is an alias", "in quotes"),
    ("a: *b\n", "WBX108", (1, 4, 6), "no anchor `&b`", "in quotes"),
    ("a: &b [*b]\n", "WBX108", (1, 8, 10), "part of what it repeats", None),
    ("a: &\n", "WBX108", (1, 4, 5), "starts with `&` is an anchor", "in quotes"),
    ("a: &x {b: 1}\nc:\n  <<: *x\n", "WBX108", (3, 3, 5), "`<<` (merge) is not part", "write the keys out"),
    ("a: @b\n", "WBX105", (1, 4, 6), "cannot start with this sign", "in quotes"),
    ("a: `b`\n", "WBX105", (1, 4, 7), "cannot start with this sign", "in quotes"),
    ("a: > 5 files\n", "WBX105", (1, 4, 13), "the text starts on the next line", "in quotes"),
    ("a: [INFO] disk\n", "WBX105", (1, 4, 15), "is a list and ends with `]`", "in quotes"),
    ("a: {b: c['d e'], f: 1}\n", "WBX105", (1, 9, 10), "a value with `[` in it must be quoted", "in quotes"),
    ("a: {b: Hi {{ c }}}\n", "WBX105", (1, 11, 12), "a value with `{` in it must be quoted", "in quotes"),
    ("a: [b['c'], d]\n", "WBX105", (1, 6, 7), "a value with `[` in it must be quoted", "in quotes"),
    ("a: {b: 1\nc: 2\n", "WBX105", (1, 4, 9), "is a map and ends with `}`", "in quotes"),
    ('a: "b {{ "c" | d }}"\n', "WBX105", (1, 10, 11), 'this " ends the value', "write ' inside of it"),
    ("a: {b: '{{ c['d'] }}'}\n", "WBX105", (1, 14, 15), "this ' ends the value", 'write " inside of it'),
    ("a:\n    b: 1\n   c: {d: 1}\n", "WBX105", (3, 4, 5), "unexpected text", "indentation"),
    ('a:\n    b: 1\n   c: "d"\n', "WBX105", (3, 4, 5), "unexpected text", "indentation"),
    ("a: 1\n b: 2\n", "WBX105", (2, 3, 4), "unexpected text", "indentation"),
    ("a:\n    b: 1\n  c: 2\n", "WBX105", (3, 3, 4), "unexpected text", "indentation"),
    ("a: 1\nbc\nd: 2\n", "WBX105", (2, 1, 3), "`key: value` is expected here", "`:` missing"),
    ("? [a]\n: b\n", "WBX105", (1, 3, 6), "a key must be plain text", None),
    ("a: !b c\n", "WBX107", (1, 4, 8), "the tag `!b`", "quote the text"),
    pytest.param(
        "a: !!python/object/apply:os.system [id]\n",
        "WBX107",
        (1, 4, 40),
        "python/object",
        "quote the text",
        id="K04 a tag of Python",
    ),
    ("a: 1\n---\nb: 2\n", "WBX110", (2, 1, 4), "a second document", "a file for each"),
    ("a: b\x07\n", "WBX104", (1, 5, 6), "U+0007", "delete it"),
    ("a: b\ufeffc\n", "WBX104", (1, 5, 6), "U+FEFF", "delete it"),
    ('a: "b\\0"\n', "WBX104", (1, 4, 9), "invalid character", "delete it"),
    ("a\u200eb: 1\n", "WBX104", (1, 1, 4), "U+200E", "type the key again"),
    ("a: 'b' # \u202e\n", "WBX104", (1, 10, 11), "U+202E", 'as "\\u202E" in double quotes'),
    ("a: b\u2028c\n", "WBX104", (1, 5, 6), "U+2028", 'as "\\u2028" in double quotes'),
    ("a: b\u0085c\n", "WBX104", (1, 5, 6), "U+0085", "delete it"),
    ("- a\n-\tb\n", "WBX109", (2, 2, 3), "a tab is used to indent", "indent with spaces"),
    ("a: |\n  \tb\n", "WBX109", (2, 3, 4), "a tab is used to indent", '"\\t…"'),
    ("a: |\n\tb\n", "WBX109", (2, 1, 2), "a tab is used to indent", "indent with spaces"),
    ("a:\n\u00a0 b: 1\n", "WBX109", (2, 1, 2), "U+00A0 (no-break space)", "usual space"),
    ("a: 1\n \u00a0b: 1\n", "WBX109", (2, 2, 3), "U+00A0 (no-break space)", "usual space"),
    ("a:\u00a0{b: 1}\n", "WBX109", (1, 3, 4), "U+00A0", "usual space"),
    ("a: {b:\u00a0c}\n", "WBX109", (1, 7, 8), "U+00A0", "put it in quotes"),
    ("a:\n  b:\u3000c\n", "WBX109", (2, 5, 6), "U+3000 (ideographic space)", "usual space"),
    ("a:\n  -\u00a0b\n", "WBX109", (2, 4, 5), "U+00A0", "usual space"),
    ("a\u00a0: 1\n", "WBX109", (1, 2, 3), "U+00A0", "usual space"),
    ("a: b\n\u200bc: d\n", "WBX109", (2, 1, 2), "U+200B (zero width space)", "usual space"),
    ("\u00e9: 1\ne\u0301: 2\n", "WBX103", (2, 1, 3), "is given twice (first on line 1)", "keep one"),
    ("%YAML 2.0\n---\na: 1\n", "WBX105", (1, 1, 10), "a directive for the parser", "delete it"),
    ("a: {b: Hello, world}\n", "WBX105", (1, 15, 20), "a comma ends the text before `world`", "in quotes"),
    ("a: {b\u2066: 1}\n", "WBX104", (1, 5, 7), "U+2066", "type the key again"),
    ('"a\\u200F": 1\n', "WBX104", (1, 1, 10), "U+200F", "type the key again"),
    ("a: çay\n".encode("iso-8859-9"), "WBX104", (1, 4, 5), "not UTF-8", "save the file as UTF-8"),
    ("a: b\n".encode("utf-16"), "WBX104", (1, 1, 2), "not UTF-8", "save the file as UTF-8"),
]


@pytest.mark.parametrize(("text", "code", "place", "message", "hint"), MISTAKES)
def test_each_mistake_has_its_place_and_its_cure(
    text: str | bytes, code: str, place: tuple[int, int, int], message: str, hint: str | None
) -> None:
    problem = only(read(text))
    assert (problem.code, problem.severity) == (code, "error")
    assert (problem.line, problem.column, problem.end_column) == place
    assert message in problem.message
    assert hint in (problem.hint or "") if hint else problem.hint is None


@pytest.mark.parametrize(
    ("text", "column", "end", "lost"),
    [
        ("a: Alert #3\n", 10, 12, "#3"),
        ("a: #general\n", 4, 12, "#general"),
        ("- order #12 is late  \n", 9, 20, "#12"),
    ],
)
def test_a_comment_glued_to_a_value_is_a_warning(text: str, column: int, end: int, lost: str) -> None:
    problem = only(read(text))
    assert (problem.code, problem.severity) == ("WBX120", "warning")
    assert (problem.line, problem.column, problem.end_column) == (1, column, end)
    assert f"`{lost}` is a comment" in problem.message
    assert "put the value in quotes" in (problem.hint or "")


@pytest.mark.parametrize(
    "text", ["a: b # c\n", 'a: "b #3"\n', "a: b#3\n", "#a\nb: 1\n", "a: |\n  b #3\n", "a: 5 #x\n"]
)
def test_other_comments_are_fine(text: str) -> None:
    assert read(text).problems == ()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("Merhaba\u00a0d\u00fcnya", "Merhaba\u00a0d\u00fcnya"),
        ("0555\u00a0111\u00a02233", "0555\u00a0111\u00a02233"),
        ("'\u00a0b:\u00a0c'", "\u00a0b:\u00a0c"),
        ("|-\n  \u00a0b\n  c:\u00a0d", "\u00a0b\nc:\u00a0d"),
        ('"\\u2028\\u202e"', "\u2028\u202e"),
        ("|-\n  b\n  \tc", "b\n\tc"),
        ("{b: '', c: , d: ~}", {"b": "", "c": None, "d": None}),
    ],
)
def test_unusual_blanks_are_part_of_a_text(written: str, value: Any) -> None:
    document = read(f"a: {written}\n")
    assert (document.value, document.problems) == ({"a": value}, ())


def test_all_duplicate_keys_are_told_at_once_and_the_first_value_stays() -> None:
    document = read("a: 1\na: 2\nb: {c: 1, c: 2}\n")
    assert [problem.line for problem in document.problems] == [2, 3]
    assert document.value == {"a": 1, "b": {"c": 1}}


def test_an_alias_repeats_its_value_and_its_place() -> None:
    document = read("a: &x {b: 1}\nc: *x\n")
    assert document.value == {"a": {"b": 1}, "c": {"b": 1}}
    assert document.at("c", "b").place == Place(1, 11, 12)


NEST = "[[[[[[[[[[[%s]]]]]]]]]]]"


def laughs(generations: int) -> str:
    lines = ["a0: &a0 [lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, generations)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (laughs(25), f"more than {MAX_NODES} values"),
        (f"a: [{'b, ' * MAX_NODES}]", f"more than {MAX_NODES} values"),
        ("a: &a b\n" + "".join(f"k{n}: *a\n" for n in range(51)), "more than 50 aliases"),
        ("[" * 100_000, "nested more than 40 deep"),
        ("- " * 100_000, "nested more than 40 deep"),
        ("? " * 100_000, "a key must be plain text"),
        ("{a: " * 100_000, "nested more than 40 deep"),
        ("{ " * 100_000, "a key must be plain text"),
        (f"a: &a {NEST % 1}\nb: &b {NEST % '*a'}\nc: &c {NEST % '*b'}\nd: {NEST % '*c'}\n", "40 deep"),
        ("a: b\n" * (MAX_BYTES // 5 + 1), "larger than 1 MiB"),
    ],
    ids=[
        "laughs",
        "values",
        "aliases",
        "lists",
        "sequences",
        "keys",
        "maps",
        "flow keys",
        "deep aliases",
        "bytes",
    ],
)
def test_K03_a_file_that_would_take_too_much_is_refused(text: str, message: str) -> None:
    document = read(text)
    assert document.value is None
    assert message in only(document).message


def test_a_blank_that_is_missing_behind_a_colon_is_said() -> None:
    assert "a space belongs after the `:`" in only(read('contacts:{me: "+905551112233"}\n')).message


def test_forty_deep_and_twenty_thousand_values_are_taken() -> None:
    assert read("[" * 40 + "]" * 40).problems == ()
    assert read(f"[{', '.join(['1'] * (MAX_NODES - 1))}]").problems == ()


DOCUMENT = """\
version: 1
rules:
  - id: one
    send: {text: "{{ file.name }}"}
  - id: two
    send:
      - text: |
          first
            second {{ x }}
      - text: >-
          folded
          over lines
"""


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("version",), Place(1, 1, 8), Place(1, 10, 11)),
        (("rules", 0), Place(3, 5, 12), Place(3, 5, 12)),
        (("rules", 0, "send"), Place(4, 5, 9), Place(4, 11, 36)),
        (("rules", 0, "send", "text"), Place(4, 12, 16), Place(4, 18, 35)),
        (("rules", 0, "send", 0, "text"), Place(4, 12, 16), Place(4, 18, 35)),
        (("rules", 1, "send", 0, "text"), Place(7, 9, 13), Place(7, 15, 16)),
        (("rules", 1, "name"), Place(5, 5, 12), Place(5, 5, 12)),
        ((), Place(1, 1, 11), Place(1, 1, 11)),
    ],
)
def test_a_path_leads_to_the_place_of_the_key_and_of_the_value(
    path: tuple[str | int, ...], key: Place, value: Place
) -> None:
    spot = read(DOCUMENT).at(*path)
    assert (spot.key, spot.place) == (key, value)


def test_text_is_found_in_quotes_and_blocks() -> None:
    document = read(DOCUMENT)
    assert document.at("rules", 0, "send", "text").find("(name)") == Place(4, 27, 31)
    assert document.at("rules", 1, "send", 0, "text").find("(x)") == Place(9, 23, 24)
    assert document.at("rules", 1, "send", 1, "text").find("(lines)") == Place(12, 16, 21)
    assert document.at("rules", 1, "send", 1, "text").find("(nowhere)") == Place(10, 15, 17)


def test_a_line_of_a_block_is_counted_as_it_is_written() -> None:
    folded = read(DOCUMENT).at("rules", 1, "send", 1, "text")
    assert folded.value == "folded over lines"
    assert folded.within(2, None) == Place(12, 11, 21)
    assert folded.within(2, 16) == Place(12, 16, 17)


def test_places_count_characters_and_all_line_ends() -> None:
    document = read('a: "ğüş🧾"\r\nb: [ç, {d: é}]\r\n')
    assert document.at("a").place == Place(1, 4, 10)
    assert document.at("b", 1, "d").place == Place(2, 12, 13)
    assert document.value == {"a": "ğüş🧾", "b": ["ç", {"d": "é"}]}


def test_a_file_that_can_not_be_read_is_a_problem(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path, tmp_path / "a\0b"):
        problem = only(open_document(path, "rules/x.yaml"))
        assert (problem.code, problem.line) == ("WBX101", 0)
        assert render(problem).endswith("--> rules/x.yaml")


def test_a_problem_is_shown_as_ruff_shows_one() -> None:
    document = read("rules:\n  - id: a\n    trigger: x\n    trigger: y\n")
    assert render(only(document)) == (
        "error[WBX103]: key `trigger` is given twice (first on line 3)\n"
        " --> rules/x.yaml:4:5\n"
        "  |\n"
        "3 |     trigger: x\n"
        "4 |     trigger: y\n"
        "  |     ^^^^^^^\n"
        "  = help: keep one of them"
    )


def test_the_gutter_is_as_wide_as_the_number() -> None:
    shown = render(only(read("# line\n" * 8 + "a: 1\na: 2\n")))
    assert shown.splitlines()[1:5] == ["  --> rules/x.yaml:10:1", "   |", " 9 | a: 1", "10 | a: 2"]


@pytest.mark.parametrize(
    ("line", "shown", "caret"),
    [
        ("a: ç [x]: 1", "1 | a: ç [x]: 1", "  |         ^"),
        ("a: 漢字 b: c", "1 | a: 漢字 b: c", "  |          ^"),
        ("a:\tb: c", "1 | a:    b: c", "  |        ^"),
        ("a: e\u0301 b: c", "1 | a: e\u0301 b: c", "  |       ^"),
        ("a: \u202bb c: d", "1 | a: \\u202bb c: d", "  |             ^"),
    ],
)
def test_the_caret_stands_under_wide_and_hidden_characters(line: str, shown: str, caret: str) -> None:
    lines = render(only(read(line))).splitlines()
    assert [text for text in lines if text.startswith(("1 |", "  |  "))] == [shown, caret]


def test_nothing_in_a_file_reaches_the_terminal_as_a_command() -> None:
    shown = render(only(read("a: \x1b[31m\x9b\u2028x: y")))
    assert not {*"\x1b\x9b\u2028"} & {*shown}
    assert "\\x1b[31m\\x9b" in shown


def test_a_long_line_is_shown_around_the_caret() -> None:
    line = f"a: [{'x, ' * 1000}{{{{ y }}}}{', x' * 1000}]"
    *_, text, caret, _ = render(only(read(line))).splitlines()
    assert len(text) < 200
    assert text[caret.index("^") :].startswith("{{ y }}")


@pytest.mark.parametrize(
    "text",
    [
        "api_key: topsecret\napi_key: topsecret\n",
        "{api_key: 'topsecret', api_key: topsecret}",
        '"api_key" : topsecret\n"api_key": 1',
        "a: sk_topsecret\na: sk_topsecret\n",
        "a: wbox://sk_topsecret/1: b",
    ],
)
def test_a_key_of_the_api_is_starred_out(text: str) -> None:
    for problem in read(text).problems:
        assert "topsecret" not in render(problem) + json.dumps(problem.as_json())


def test_a_problem_as_json() -> None:
    assert only(read("a: 1\na: 2\n")).as_json() == {
        "file": "rules/x.yaml",
        "line": 2,
        "column": 1,
        "end_column": 2,
        "code": "WBX103",
        "severity": "error",
        "message": "key `a` is given twice (first on line 1)",
        "hint": "keep one of them",
    }


def within_file(document: Document) -> None:
    for problem in document.problems:
        assert 0 <= problem.line <= max(len(document.source.lines), 1)
        assert problem.end_column > problem.column or problem.line == 0
        assert "^" in render(problem)


YAMLISH = st.text(alphabet="ab:- \n\t{}[]\"'#&*!|>%@`?,0159.\\é漢\r\u2028", max_size=60)


@UNTIMED
@given(st.one_of(YAMLISH, st.text(max_size=80)))
def test_any_text_gives_a_document_and_places_inside_of_it(text: str) -> None:
    within_file(read(text.encode("utf-8", "replace")))


@UNTIMED
@given(st.binary(max_size=80))
def test_any_bytes_give_a_document(content: bytes) -> None:
    within_file(parse(content, "x"))


PRINTABLE = st.characters(
    exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp"], exclude_characters="\u202d\u202e\ufeff"
)
SCALARS = st.none() | st.booleans() | st.integers(-(10**14), 10**14) | st.text(PRINTABLE, max_size=20)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(PRINTABLE, max_size=10), inner, max_size=4)
    ),
    max_leaves=20,
)


@UNTIMED
@given(TREES.filter(lambda tree: "<<" not in json.dumps(tree)))
def test_what_json_writes_is_read_back(tree: Any) -> None:
    document = read(json.dumps(tree, ensure_ascii=False))
    assert document.problems == ()
    assert document.value == tree


WITHOUT_C = """
import json, sys
sys.modules["yaml._yaml"] = None
import yaml
from wbox_notify.config.yaml.document import parse
assert not yaml.__with_libyaml__
texts = json.load(sys.stdin)
print(json.dumps([[(p.code, p.line) for p in parse(text.encode(), "x").problems] for text in texts]))
"""


def test_the_same_mistakes_are_found_without_the_c_parser() -> None:
    # The parser in Python takes a tab at the beginning of a text.
    rows = [row for row in MISTAKES if isinstance(row[0], str) and row[0] != "a: |\n  \tb\n"]
    texts = json.dumps([row[0] for row in rows])
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_C], input=texts, capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(ran.stdout) == [[[row[1], row[2][0]]] for row in rows]
