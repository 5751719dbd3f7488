"""Syntax errors of YAML in plain words, with a hint."""

import re
import unicodedata
from typing import NamedTuple

import yaml

from wbox_notify.config.yaml.problems import Place, Problem, Source
from wbox_notify.model.texts import Wording

_QUOTE_IT = Wording("put the whole value in quotes")
_QUOTED = Wording("a value that starts with a quote must end with it")
_VALUE = re.compile(r"\s*(?:- +)*(?:[^\s\"'#{\[&*!|>][^:]*:\s+)?")
_GLUED = re.compile(r"\s*(?:- +)*[\w.-]+:(?=[{\[\"'\w])")
_BLANKS = "[\u00a0\u1680\u2000-\u200b\u202f\u205f\u2060\u3000]"
_ODD_BLANK = re.compile(rf" *(?:- +)*(?:-?|[\w.-]+:|[\w.-]+(?={_BLANKS}+:))({_BLANKS})")
"""One before or after a key, or after a dash."""

_INSIDE = re.compile(r".*[^\s,:\[{\"'] *([\[{])")
_BEGUN = re.compile(r"quoted|simple key|flow|alias|anchor|block scalar")

_ENDS = {"[": "]", "{": "}", '"': '"', "'": "'"}
_INNER = {'"': "'", "'": '"'}


class _Advice(NamedTuple):
    """The message for a value that starts with one of ``signs``."""

    signs: str
    code: str
    message: str
    hint: str


_ADVICE = (
    _Advice("*", "WBX108", "a value that starts with `*` is an alias in YAML", _QUOTE_IT),
    _Advice("&", "WBX108", "a value that starts with `&` is an anchor in YAML", _QUOTE_IT),
    _Advice("@`%", "WBX105", "a value cannot start with this sign", _QUOTE_IT),
    _Advice(
        "|>", "WBX105", "after this sign the text starts on the next line", "or put the whole value in quotes"
    ),
    _Advice('"', "WBX105", _QUOTED, "put the whole value in single quotes: '\"a\" == b'"),
    _Advice("'", "WBX105", _QUOTED, "put the whole value in double quotes: \"'a' == b\""),
    _Advice(
        "[",
        "WBX105",
        "a value that starts with `[` is a list and ends with `]`",
        "or put the whole value in quotes",
    ),
    _Advice(
        "{",
        "WBX105",
        "a value that starts with `{` is a map and ends with `}`",
        "or put the whole value in quotes",
    ),
)


def explain(error: yaml.MarkedYAMLError, source: Source) -> Problem:
    """Return the problem behind an error of the YAML parser, with its real place."""
    line, column = _spot(error)
    return (
        _tab(source, line)
        or _tab(source, _where(error.problem_mark)[0])
        or odd_blank(source, line)
        or _directive(source, line)
        or _escape(error, source)
        or _bracket_inside(source, *_where(error.problem_mark))
        or _advised(source, line, column)
        or _advised(source, *_where(error.problem_mark))
        or _misplaced(error, source, line, column)
    )


def _tab(source: Source, line: int) -> Problem | None:
    tab = re.match(r" *(?:- *)*\t", source.lines[line])
    if not tab:
        return None
    place = Place(line + 1, tab.end(), tab.end() + 1)
    hint = 'indent with spaces; a text that begins with a tab is written "\\t…"'
    return source.problem(place, "WBX109", "a tab is used to indent", hint=hint)


def _directive(source: Source, line: int) -> Problem | None:
    text = source.lines[line].rstrip()
    if not text.startswith("%"):
        return None
    message = "a line that starts with `%` is a directive for the parser of YAML"
    return source.problem(Place(line + 1, 1, len(text) + 1), "WBX105", message, hint="delete it")


def odd_blank(source: Source, line: int, column: int = 0) -> Problem | None:
    """Return the problem of a blank in the syntax, from a place on, that YAML reads as a letter."""
    blank = _ODD_BLANK.match(source.lines[line], column)
    if not blank:
        return None
    place = Place(line + 1, blank.end(), blank.end() + 1)
    message = Wording(
        "U+{number:04X} ({sign}) is no space in YAML",
        number=ord(blank[1]),
        sign=unicodedata.name(blank[1]).lower(),
    )
    return source.problem(place, "WBX109", message, hint="type a usual space; in a text, put it in quotes")


def bare_template(source: Source, line: int, column: int) -> Problem:
    """Return the problem of ``{{ … }}`` without quotes; line and column count from 0."""
    text = source.lines[line]
    _, braces, rest = text[column:].partition("}}")
    end = len(text)
    if braces:
        end -= len(rest)
    place = Place(line + 1, column + 1, end + 1)
    hint = 'write "{{ … }}": YAML reads bare braces as a map'
    return source.problem(place, "WBX106", "a template must be quoted", hint=hint)


def _spot(error: yaml.MarkedYAMLError) -> tuple[int, int]:
    """Return line and column of the part with the error where the parser knows it, else of its stop."""
    if error.context_mark and _BEGUN.search(error.context or ""):
        return _where(error.context_mark)
    return _where(error.problem_mark)


def _where(mark: yaml.Mark | None) -> tuple[int, int]:
    if mark is None:
        return 0, 0
    return mark.line, mark.column


def _escape(error: yaml.MarkedYAMLError, source: Source) -> Problem | None:
    mark = error.problem_mark
    if mark is None or not re.search(r"escape|expected hexdecimal", error.problem or ""):
        return None
    place = Place(mark.line + 1, mark.column + 1, mark.column + 2)
    message = "this is not an escape sequence, and in double quotes a backslash starts one"
    return source.problem(place, "WBX105", message, hint="use single quotes, or write two backslashes")


def _bracket_inside(source: Source, line: int, column: int) -> Problem | None:
    """Return the problem of a value such as ``row['name']`` without quotes, within brackets."""
    bracket = _INSIDE.fullmatch(source.lines[line], 0, column + 1)
    if not bracket:
        return None
    place = Place(line + 1, column + 1, column + 2)
    message = Wording("within {{…}} or […], a value with `{sign}` in it must be quoted", sign=bracket[1])
    return source.problem(place, "WBX105", message, hint=_QUOTE_IT)


def _advised(source: Source, line: int, column: int) -> Problem | None:
    text = source.lines[line].rstrip()
    before = _VALUE.match(text)
    begin = before.end() if before else column
    if begin < column and text[column:].strip(" ,}]") and (quote := text[column - 1]) in _INNER:
        place = Place(line + 1, column, column + 1)
        hint = Wording("write {quote} inside of it, or around it", quote=_INNER[quote])
        return source.problem(place, "WBX105", Wording("this {quote} ends the value", quote=quote), hint=hint)
    for start in (column, begin):
        for advice in _ADVICE:
            if text[start : start + 1] in {*advice.signs} and not _is_closed(text[start:]):
                place = Place(line + 1, start + 1, len(text) + 1)
                return source.problem(place, advice.code, advice.message, hint=advice.hint)
    return None


def _is_closed(value: str) -> bool:
    """Return whether a value ends with the sign that closes the one it starts with, and only there."""
    end = _ENDS.get(value[0])
    if end is None or len(value) == 1 or not value.endswith(end):
        return False
    return end not in _INNER or end not in value[1:-1]


def _misplaced(error: yaml.MarkedYAMLError, source: Source, line: int, column: int) -> Problem:
    what, text = error.problem or "", source.lines[line]
    place = Place(line + 1, column + 1, column + 2)
    if glued := _GLUED.match(text):
        place = Place(line + 1, glued.end(), glued.end() + 1)
        message, hint = "a space belongs after the `:`", "write `key: value`"
    elif "mapping values" in what and ": " in text[:column]:
        message, hint = "a value with `: ` in it must be quoted", _QUOTE_IT
    elif "could not find expected ':'" in what:
        place = Place(line + 1, column + 1, len(text.rstrip()) + 1)
        message, hint = (
            "`key: value` is expected here",
            "is the `:` missing, or the indentation of a long text?",
        )
    else:
        message, hint = "unexpected text", "check the indentation, and the line above"
    return source.problem(place, "WBX105", message, hint=hint)
