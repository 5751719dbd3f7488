"""Expressions and templates: Jinja2, strict, in a sandbox, for plain text.

The only place that knows Jinja2 for rules. The data they see is plain: maps, lists, texts, numbers, true,
false, none and times. Data is never a template: a field that holds ``{{ 7 * 7 }}`` is shown as it is.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import UTC, date, time, timedelta, tzinfo
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from jinja2 import nodes
from jinja2.parser import Parser
from jinja2.runtime import Undefined

from wbox_notify.model.redaction import redacted
from wbox_notify.model.texts import Wording
from wbox_notify.templates import familiar, outlines, patterns
from wbox_notify.templates.arguments import check_calls, usage
from wbox_notify.templates.budget import Run
from wbox_notify.templates.errors import FAILURES, TemplateError, failure, syntax_fault
from wbox_notify.templates.filters import Locale
from wbox_notify.templates.loader import ABSENT, Folder, clean, layout
from wbox_notify.templates.names import Call, check, leaves, literal_call, look, names, pulled
from wbox_notify.templates.outlines import Outline
from wbox_notify.templates.sandbox import MOMENT, Sandbox
from wbox_notify.templates.tree import Tree

__all__ = ["MOMENT", "Expression", "Known", "Template", "TemplateError", "Templates", "words"]

_LONGEST_OUTPUT = 64 * 1024
_BRACES = re.compile(r"(\s*\{\{[-+]?)(.*?)([-+]?\}\}\s*)", re.DOTALL)
_SAYS_NO = frozenset({"false", "no", "off", "0"})
_LONGEST_TEXT = 200
_LONGEST_SEARCHED = 2000
_MOST_PARTS = 10
_DEEPEST = 3

_Names = Mapping[str, frozenset[str]]
_Code = Callable[[], jinja2.Template]
"""The code of a text, compiled when it is first called for: most of many rules never are."""


class _Facts(NamedTuple):
    """What is known of an expression: its names, what it calls, and what it looks at, each with its tree."""

    names: _Names
    call: Call | None
    leaves: Mapping[str, nodes.Expr]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of right texts and expressions by their outlines; it is the same for all readers."""

    texts: dict[Outline, _Names] = field(default_factory=dict)
    expressions: dict[Outline, _Facts] = field(default_factory=dict)


class Expression:
    """One expression, ready to be worked out.

    Attributes:
        source: The expression as it was written.
        names: The names it takes from the data, each with the fields it uses on it.
        call: What it calls, where it is no more than a call such as ``rows('list.csv')``.
    """

    def __init__(self, source: str, facts: _Facts, code: _Code, sandbox: Sandbox, seconds: float) -> None:
        self.source = source
        self.names, self.call, self._leaves = facts
        self._code, self._sandbox, self._seconds = code, sandbox, seconds

    def value(self, context: Mapping[str, Any]) -> Any:
        """Return the result as plain data; TemplateError if it is undefined, no data, or fails."""
        code = self._code()
        with Run(context, self._seconds):
            scope = code.new_context(dict(context))
            for _ in code.root_render_func(scope):
                pass
            return plain(scope.vars["result"])

    def truth(self, context: Mapping[str, Any]) -> bool:
        """Return whether the result counts as yes, as Python sees it; a text such as "false" is an error."""
        value = self.value(context)
        if isinstance(value, str) and value.strip().casefold() in _SAYS_NO:
            raise TemplateError(
                Wording("the result is the text '{text}', and every text counts as yes", text=value.strip()),
                hint='compare it with what you mean, such as: … == "true"',
            )
        return bool(value)

    def seen(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the expression looks at, such as ``{"file.size": 0}``, as short JSON values."""
        with Run(context, self._seconds):
            return {path: short(look(self._sandbox, leaf, context)) for path, leaf in self._leaves.items()}


class Template:
    """One template, ready to be rendered.

    Attributes:
        source: The template as it was written; of a file, what is in it.
        name: The name of its file; None for an inline template.
        names: The names it takes from the data, each with the fields it uses on it; the files that it
            pulls in by a name written out are counted in.
    """

    def __init__(
        self,
        source: str,
        name: str | None,
        code: _Code,
        uses: _Names,
        seconds: float,
        finish: Callable[[str], str] = clean,
    ) -> None:
        self.source, self.name, self.names = source, name, uses
        self._code, self._seconds, self._finish = code, seconds, finish

    def render(self, context: Mapping[str, Any]) -> str:
        """Return the text, at most 64 KiB; TemplateError if a name is missing or something fails."""
        parts, size = [], 0
        code = self._code()
        with Run(context, self._seconds):
            for part in code.root_render_func(code.new_context(dict(context))):
                parts.append(part)
                size += len(part.encode("utf-8", "replace"))
                if size > _LONGEST_OUTPUT:
                    raise TemplateError(
                        "the text is longer than 64 KiB", hint="cut a long value: | truncate(1000)"
                    )
            return self._finish("".join(parts))


@dataclass(eq=False)
class Templates:
    """All expressions and templates of a project: strict, sandboxed, with files from one folder.

    Attributes:
        folder: The folder of template files.
        tz: The time zone of the readers.
        lang: Their language.
        home: The locale of the data, where it is another.
        seconds: The CPU time that one evaluation may take.
        is_private: Returns whether a file holds a key.
        known: What is known by outlines.
    """

    folder: Path | None = None
    _: KW_ONLY
    tz: tzinfo = UTC
    lang: str = "en"
    home: Locale | None = None
    seconds: float = 2.0
    is_private: Callable[[Path], bool] = lambda _path: False
    known: Known = field(default_factory=Known)

    def __post_init__(self) -> None:
        self._folder = Folder(self.folder, self.is_private)
        self._locale = Locale(self.tz, self.lang, self.home)
        self._sandbox = Sandbox(self._folder, self._locale)

    def for_readers(self, tz: tzinfo, lang: str) -> "Templates":
        """Return the same for readers of another language or in another zone."""
        return replace(self, tz=tz, lang=lang, home=self.home or self._locale)

    def expression(self, source: str) -> Expression:
        """Return an expression; ``{{ … }}`` around all of it is taken off. TemplateError if it is wrong."""
        braces = _BRACES.fullmatch(source)
        bare = source
        if braces:  # spaces in their place, so that the columns of errors stay right
            bare = " " * len(braces[1]) + braces[2]
        if not bare.strip():
            raise TemplateError("the expression is empty", hint="write one, such as: file.size > 0")
        with _reading(bare, expression=True):
            facts, code = self._read_expression(bare)
            return Expression(source, facts, code, self._sandbox, self.seconds)

    def _read_expression(self, source: str) -> tuple[_Facts, _Code]:
        """Return what is known of an expression, and its code, made later where that is sure to work."""
        outline = outlines.of_expression(source)
        code: _Code = cache(lambda: self._sandbox.from_string(_module(self._parse_expression(source))))
        if outline in self.known.expressions:
            return self.known.expressions[outline], code
        tree = self._parse_expression(source)
        parts = Tree(tree)
        check(self._sandbox, parts)
        call = literal_call(tree)
        if not call:  # that one is for who knows the function
            check_calls(self._sandbox, {None: parts})
        module = _module(tree)
        uses = names(self._sandbox, [parts if parts.is_simple else Tree(module)])
        facts = _Facts(uses, call, dict(leaves(tree)))
        if not parts.is_simple:
            code = self._compiled(module)
        if outline and parts.is_short:
            self.known.expressions[outline] = facts
        return facts, code

    def text(self, source: str, finish: Callable[[str], str] = clean) -> Template:
        """Return an inline template; TemplateError if it, or a file that it pulls in, is wrong."""
        with _reading(source):
            uses, code = self._read(source)
        return Template(source, None, code, uses, self.seconds, finish)

    def _read(self, source: str) -> tuple[_Names, _Code]:
        """Return the names that a text uses, and its code, made later where that is sure to work."""
        written = layout(source)
        outline = outlines.of_text(written)
        code: _Code = cache(lambda: self._sandbox.from_string(written))
        if outline in self.known.texts:
            return self.known.texts[outline], code
        root, tree = self._parse(source, None)
        family = self._pull(tree, None)
        uses = self._uses({None: tree, **family})
        if not tree.is_simple:
            code = self._compiled(root)
        if outline and tree.is_short and not family:
            self.known.texts[outline] = uses
        return uses, code

    def moment(self, source: str) -> Template:
        """Return an inline template of a time, which is shown as ISO 8601 in the zone of the readers.

        TemplateError if the template is wrong, or has no placeholder and is no time.
        """
        if "{" not in source:
            self._moment(source)
        return self.text(source, self._moment)

    def _moment(self, text: str) -> str:
        return text.strip() and self._locale.iso(text)

    def file(self, name: str) -> Template:
        """Return a template file of the folder; TemplateError if it, or a file that it pulls in, is wrong."""
        source = self._folder.read(name)
        _, tree = self._parse(source, name)
        code = self._load(name, source)
        uses = self._uses({name: tree, **self._pull(tree, name)})
        return Template(source, name, lambda: code, uses, self.seconds)

    def _uses(self, family: Mapping[str | None, Tree]) -> _Names:
        """Return the names that templates that pull each other in use, when all their calls can work."""
        check_calls(self._sandbox, family)
        return names(self._sandbox, family.values())

    def _parse_expression(self, source: str) -> nodes.Expr:
        parser = Parser(self._sandbox, source, state="variable")
        tree = parser.parse_expression()
        rest = parser.stream.current
        if not parser.stream.eos:
            raise jinja2.TemplateSyntaxError(f"'{rest.value}' is not expected here", rest.lineno)
        tree = self._sandbox.rewritten(tree)
        tree.set_environment(self._sandbox)
        return tree

    def _compiled(self, root: nodes.Template) -> _Code:
        """Return the code of a tree that Python may refuse."""
        code = self._sandbox.from_string(root)
        return lambda: code

    def _parse(self, source: str, name: str | None) -> tuple[nodes.Template, Tree]:
        with _reading(source):
            root = self._sandbox.parse(layout(source), name)
            tree = Tree(root)
            check(self._sandbox, tree, name)
            return root, tree

    def _pull(self, tree: Tree, name: str | None) -> dict[str | None, Tree]:
        """Return the files that a template pulls in, directly or not, by name, all loaded."""
        found: dict[str | None, Tree] = {}
        waiting = [(name, one) for one in pulled(tree)]
        for by, (file, needed, line) in waiting:
            if file in found or file == name:
                continue
            try:
                source = self._folder.read(file)
            except TemplateError as error:
                # What may be missing is still wrong where it is there and cannot be read.
                if needed or not error.problem.startswith(ABSENT):
                    raise error.at(by, line) from None
                continue
            _, found[file] = self._parse(source, file)
            self._load(file, source)
            waiting.extend((file, one) for one in pulled(found[file]))
        return found

    def _load(self, name: str, source: str) -> jinja2.Template:
        with _reading(source):
            return self._sandbox.get_template(name)


def _module(tree: nodes.Expr) -> nodes.Template:
    """Return the template that sets ``result`` to an expression."""
    return nodes.Template([nodes.Assign(nodes.Name("result", "store"), tree, lineno=1)], lineno=1)


@contextmanager
def _reading(source: str, *, expression: bool = False) -> Iterator[None]:
    """Whatever is wrong with a source comes out as a TemplateError."""
    try:
        yield
    except jinja2.TemplateSyntaxError as error:
        raise syntax_fault(error, source, expression=expression) from error
    except FAILURES as error:
        raise failure(error) from error


def words() -> list[tuple[str, Callable[..., Any]]]:
    """Return our own filters and tests as they are written, with the functions behind them."""
    own = {**Locale().filters(), **patterns.filters(), **familiar.filters(Locale().moments)}
    named = [(f"… | {usage(name, function)}", function) for name, function in own.items()]
    tests = {**patterns.tests(), "contains": familiar.contains}
    return [*named, *((f"… is {usage(name, function)}", function) for name, function in tests.items())]


def plain(value: Any) -> Any:
    """Return a value as plain data of its own; TemplateError if a part of it is missing or no data."""
    if value is None or isinstance(value, str | int | float | date | time | timedelta):
        return value
    if isinstance(value, Mapping):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain(part) for part in value]
    if isinstance(value, Undefined):
        return str(value)  # raises what it has to say
    if callable(value):
        raise TemplateError("the result is something to call, not a value", hint="write () after it")
    raise TemplateError(Wording("the result is a {kind}, not a value", kind=type(value).__name__))


def short(value: Any, depth: int = _DEEPEST) -> Any:
    """Return a value as JSON, short enough for one line of a log, and without secrets."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Undefined):
        return "(not there)"
    if isinstance(value, Mapping | list | tuple):
        return _short_parts(value, depth - 1) if depth else "…"
    text = value.isoformat() if isinstance(value, date | time) else str(value)
    # Cut afterwards: the beginning of a secret would not be known as one.
    clean = redacted(text[:_LONGEST_SEARCHED])
    if len(text) > _LONGEST_TEXT:
        return f"{clean[:_LONGEST_TEXT]}…"
    return clean


def _short_parts(value: Mapping[Any, Any] | list[Any] | tuple[Any, ...], depth: int) -> Any:
    """Return the first parts of a map or list, and how many more there are."""
    more = len(value) - _MOST_PARTS
    if isinstance(value, Mapping):
        fields = {short(str(name)): short(value[name], depth) for name in list(value)[:_MOST_PARTS]}
        if more > 0:
            fields["…"] = more
        return fields
    parts = [short(part, depth) for part in value[:_MOST_PARTS]]
    if more > 0:
        parts.append(f"… {more} more")
    return parts
