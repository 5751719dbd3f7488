"""TemplateError, and the words in which errors of Jinja and Python are shown to people."""

import itertools
import re
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

import jinja2

from wbox_notify.errors import ConfigError
from wbox_notify.model.text import nearest
from wbox_notify.model.texts import Patterns, Wording, patterns, recognised, worded

# What a template can raise by doing something that does not work. A RecursionError is a RuntimeError; a
# NameError comes from 1e999, which Jinja writes as inf; a SyntaxError from blocks too deep for Python.
FAILURES = (
    jinja2.TemplateError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)

# Names come from the data too, and data can be anything.
LONGEST_NAME = 80
_MOST_NAMES = 300
_LISTED_NAMES = 12
_LONGEST_MESSAGE = 300

_KINDS = {
    "Day": Wording("a time"),
    "Fraction": Wording("a number"),
    "Missing": Wording("a missing value"),
    "Moment": Wording("a time"),
    "NoneType": Wording("none"),
    "Whole": Wording("a number"),
    "bool": Wording("a yes or no"),
    "datetime": Wording("a time"),
    "datetime.date": Wording("a day"),
    "datetime.datetime": Wording("a time"),
    "datetime.timedelta": Wording("a duration"),
    "dict": Wording("a map"),
    "float": Wording("a number"),
    "int": Wording("a number"),
    "list": Wording("a list"),
    "str": Wording("a text"),
    "tuple": Wording("a list"),
}
_THIS = Wording("this")
_NUMBER = Wording("a text becomes a number with | number")
_TOGETHER = (
    ({"a text", "a number"}, _NUMBER),
    ({"a text", "a time"}, Wording("a text becomes a time with | datetime")),
    ({"a day", "a time"}, Wording("a day becomes a time with | date")),
    ({"a number", "a time"}, Wording("a duration has a unit: '3d', '90m'")),
)
"""What to do where values of two kinds do not go together."""

_TAGS = (
    "block break call continue elif else endfor endif endset extends filter for from if import include"
    " macro raw set"
)
_STRINGS = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'", re.DOTALL)
_ASSIGNING = re.compile(r"\{%[-+]?\s*(?:set|with|macro|call)\b.*?%\}", re.DOTALL)
_CODE = re.compile(r"(\{[{%].*?[%}]\})|.", re.DOTALL)

# What people write who come from another language, what is wrong with it, and what to write.
_HABITS = tuple(
    (re.compile(pattern), problem, hint)
    for pattern, problem, hint in (
        (
            "[\u2018-\u201f\xab\xbb]",
            Wording("curly quotes are not quotes here"),
            Wording("write straight quotes: \"…\" or '…'"),
        ),
        (
            r"\{\{[-+]?\s*(?:[#/]|(?:if|else|elif|for|range|with|end|endif|endfor)\b(?!\())",
            Wording("a tag stands between {% and %}"),
            Wording("write {% if … %} … {% endif %}, or {% for x in … %} … {% endfor %}"),
        ),
        # A name of Go's templates, such as .Labels.severity or $labels.severity.
        (
            r"(?:(?:^|(?<=[\s({\[,|=~]))\.|\$\.?)(?P<path>[A-Za-z_][\w.]*)",
            Wording("a name begins with a letter here"),
            "",
        ),
        ("===|!==", Wording("there is no === or !=="), Wording("write == or !=")),
        ("&&", Wording("there is no &&"), Wording("write and")),
        (r"\|\|", Wording("there is no ||"), Wording("write or")),
        ("!(?!=)", Wording("there is no !"), Wording("write not")),
        (r"\?", Wording("there is no ?"), Wording("write: … if … else …")),
        ("(?<![=!<>])=(?!=)", Wording("a single = does not compare"), Wording("write ==")),
        (
            r"\{\{|\}\}|\{%|%\}",
            Wording("an expression is written without braces"),
            Wording("leave out {{ and }}"),
        ),
    )
)


_OF_JINJA = patterns(
    Wording("expected token {expected}, got {got}"),
    Wording("expected an expression, got {got}"),
    Wording("unexpected end of template, expected {expected}."),
    Wording(
        "unexpected end of template. Jinja was looking for the following tags: {tags}."
        " The innermost block that needs to be closed is {block}."
    ),
    Wording("unexpected end of template"),
    Wording("unexpected char {sign} at {place}"),
    Wording("unexpected {sign}, expected {expected}"),
    Wording("unexpected {sign}"),
    Wording("{sign} is not expected here"),  # from our parser of expressions
    Wording("missing end of comment tag"),
    Wording("missing end of raw directive"),
    Wording("tag name expected"),
    Wording("expected name or number"),
    Wording("expected subscript expression"),
    Wording("invalid syntax for function call expression"),
    Wording("can't assign to {what}"),
    Wording("No first item, sequence was empty."),
    Wording("No last item, sequence was empty."),
)
_OF_PYTHON = patterns(
    Wording("{operator} cannot compare {one} with {other}"),
    Wording("unsupported operand type(s) for {operator}: {one} and {other}"),
    Wording("bad operand type for unary {operator}: {one}"),
    Wording("{one} object is not iterable"),
    Wording("{one} object is not subscriptable"),
    Wording("{one} object is not callable"),
    Wording("object of type {one} has no len()"),
    Wording("division by zero"),
    Wording("integer modulo by zero"),
    Wording("float modulo"),
)
_OF_ALERT = re.compile("(?i:annotations|endsAt|fingerprint|generatorURL|labels|startsAt|status)")


class TemplateError(ConfigError):
    """An expression or a template is wrong, or cannot be worked out with the data it got.

    Attributes:
        problem: What is wrong, without the place.
        line: The line inside the source, from 1, if known.
        column: The column in that line, from 1, if known.
        name: The template file that ``line`` counts in; None means the source that was given inline.
        hint: What was probably meant, or what to write.
    """

    def __init__(
        self,
        problem: str,
        *,
        hint: str | None = None,
        line: int | None = None,
        column: int | None = None,
        name: str | None = None,
    ) -> None:
        placed = problem
        if name:
            place = f"{name}:{line}" if line else name
            placed = Wording("{place}: {problem}", place=place, problem=worded(problem))
        super().__init__(placed, hint=hint)
        self.problem, self.line, self.column, self.name = problem, line, column, name

    def at(self, name: str | None, line: int | None) -> "TemplateError":
        """Return the same error with its place, unless it knows its place already."""
        if self.line is not None or self.name is not None:
            return self
        return TemplateError(self.problem, hint=self.hint, line=line, name=name)


_THERE_ARE = Wording("there are: {names}")


def near(name: object, names: Iterable[object], *, what: Wording = _THERE_ARE) -> str:
    """Return the hint "did you mean …?" for a name that is not among the names, or list them."""
    known = [str(other)[:LONGEST_NAME] for other in itertools.islice(names, _MOST_NAMES)]
    close = nearest(str(name), known)
    if close:
        return Wording("did you mean '{name}'?", name=close)
    if not known:
        return ""
    listed = ", ".join(known[:_LISTED_NAMES])
    return what.about(names=f"{listed}, …" if len(known) > _LISTED_NAMES else listed)


def brief(value: object) -> str:
    """Return a value as an error shows it: on one line, cut after 40 characters."""
    text = repr(value) if isinstance(value, str) else str(value)
    if len(text) > 40:  # noqa: PLR2004 - as in the docstring
        return f"{text[:40]}…"
    return text


def kind(value: object) -> str:
    """Return what people call a value of this type: a text, a number, a map."""
    return _KINDS.get(type(value).__name__, _THIS)


def syntax_fault(error: jinja2.TemplateSyntaxError, source: str, *, expression: bool) -> TemplateError:
    """Return what to tell the author of a source that Jinja could not read."""
    code, habits = source, _HABITS
    if not expression:
        code, habits = _CODE.sub(lambda part: part[1] or _blank(part), source), _HABITS[:-1]
    code = _STRINGS.sub(_quoted, _ASSIGNING.sub(_blank, code))
    lines = code.splitlines() or [""]
    index = min(max(error.lineno, 1), len(lines)) - 1
    for pattern, wrong, hint in habits:
        if match := pattern.search(lines[index]):
            column = match.start() + 1
            advice = hint or Wording("write {name}", name=_as_here(match["path"]))
            return TemplateError(wrong, hint=advice, line=index + 1, column=column, name=error.name)
    problem = error.message or "this cannot be read"
    tag = re.match(r"Encountered unknown tag '(.+?)'", problem)
    if tag:
        unknown = Wording("there is no tag '{name}'", name=tag[1])
        names = near(tag[1], _TAGS.split())
        return TemplateError(unknown, hint=names, line=error.lineno, name=error.name)
    known = _known(problem[0].lower() + problem[1:], _OF_JINJA)
    return TemplateError(known, line=error.lineno, name=error.name)


def failure(error: BaseException) -> TemplateError:
    """Return what to tell people about an error that came up while a template was compiled or rendered."""
    name, line = _place(error.__traceback__)
    if isinstance(error, TemplateError):
        return error.at(name, line)
    if isinstance(error, jinja2.UndefinedError):
        said = error.args[0]
        if not isinstance(said, Wording):
            said = _known(str(said), _OF_JINJA)
        parts: Mapping[str, Any] = said.facts
        return TemplateError(parts.get("problem", said), hint=parts.get("hint") or None, name=name, line=line)
    if isinstance(error, RecursionError | SyntaxError):
        return TemplateError(
            "this goes too deep: it calls itself, or is nested too often", name=name, line=line
        )
    if isinstance(error, MemoryError):
        return TemplateError("this needs too much memory", name=name, line=line)
    problem, clash = _in_words(str(error)[:_LONGEST_MESSAGE] or type(error).__name__)
    return TemplateError(problem, hint=clash, name=name, line=line)


def _in_words(message: str) -> tuple[str, str | None]:
    """Return Python's message with our names of types, and a hint where a text met a number."""
    words = re.sub(r"'([\w.]+)'", lambda name: _KINDS.get(name[1], name[0]), message)
    compared = re.match(r"'(\S+)' not supported between instances of (.+) and (.+)", words)
    if compared:
        words = f"{compared[1]} cannot compare {compared[2]} with {compared[3]}"
    known = _known(words, _OF_PYTHON)
    if "not all arguments converted" in message:
        return (
            Wording("% found a text on its left and nothing in it to fill"),
            _NUMBER,
        )
    kinds = set(re.findall("a (?:day|number|text|time)", words))
    for pair, advice in _TOGETHER:
        if pair <= kinds:
            return known, advice
    if "concatenate str" in message:
        return Wording("+ cannot join a text with something else"), Wording("join with ~")
    return known, None


def _known(message: str, known: Patterns) -> Wording:
    """Return what another program says, with our names of kinds, for any language where it is known."""
    wording, kinds = recognised(message, known), {kind.text: kind for kind in _KINDS.values()}
    return wording.about(**{name: kinds.get(str(fact), fact) for name, fact in wording.facts.items()})


def _place(trace: TracebackType | None) -> tuple[str | None, int | None]:
    """Return the name and line of the innermost template that a traceback passes through."""
    place: tuple[str | None, int | None] = (None, None)
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            place = (template.name, template.get_corresponding_lineno(trace.tb_lineno))
        trace = trace.tb_next
    return place


def _as_here(path: str) -> str:
    """Return what the name of a field in Go's templates probably is here."""
    if _OF_ALERT.match(path):
        return f"alert.{path[0].lower()}{path[1:]}"
    return Wording("what it is a field of before it, such as body.{path}", path=path)


def _quoted(match: re.Match[str]) -> str:
    """Return quotes in place of a text, so that lines and columns stay and it is seen that there was one."""
    return re.sub(r"[^\n]", '"', match[0])


def _blank(match: re.Match[str]) -> str:
    """Return spaces in place of a match, so that lines and columns stay."""
    return re.sub(r"[^\n]", " ", match[0])
