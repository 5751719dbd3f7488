"""Build context: settings, people, templates and problems that all parts of compiling share."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from wbox_notify.config.secrets import OutletBook, Secrets, open_secret
from wbox_notify.config.settings import Settings
from wbox_notify.config.yaml.document import Location
from wbox_notify.config.yaml.problems import Place, Problem, errors
from wbox_notify.errors import ConfigError
from wbox_notify.model.texts import Wording, problem_of, worded
from wbox_notify.rules.directory import Windows
from wbox_notify.rules.names import Names, unknown
from wbox_notify.rules.recipients import People
from wbox_notify.templates import Expression, Template, TemplateError, Templates

T = TypeVar("T")
W = TypeVar("W")
Compiled = TypeVar("Compiled", Expression, Template)


class BuildContext:
    """All that rules are compiled with; mistakes in them join ``problems``.

    ``copy`` is the folder that holds a copy of the project's files, where they are not read themselves.
    """

    def __init__(
        self,
        settings: Settings,
        people: People,
        windows: Windows,
        secrets: Secrets,
        problems: list[Problem],
        copy: Path | None = None,
    ) -> None:
        self.settings, self.people = settings, people
        self.windows, self.secrets = windows, secrets
        self.outlets = OutletBook(secrets, settings.outlets)
        self.problems = problems
        self._copy = copy
        self._made: dict[tuple[Callable[[str], Any], str], Any] = {}
        folder: Path | None = (copy or settings.folder) / "templates"
        if folder and not folder.is_dir():
            folder = None
        self.templates = Templates(folder, tz=settings.tz, lang=settings.lang, is_private=self._is_private)
        self._locales = {(str(settings.tz), settings.lang): self.templates}

    def templates_for(self, zone: ZoneInfo, lang: str) -> Templates:
        """Return the templates for readers of a language in a zone."""
        locale = (str(zone), lang)
        if locale not in self._locales:
            self._locales[locale] = self.templates.for_readers(zone, lang)
        return self._locales[locale]

    def _is_private(self, path: Path) -> bool:
        # The copy lies among the daemon's own data, and holds nothing private.
        return self._copy is None and self.settings.own.at(path) is not None

    def is_right(self, since: int) -> bool:
        """Return whether there is no error among the problems from the index ``since`` on."""
        return not errors(self.problems[since:])

    def report(self, location: Location, code: str, message: str, hint: str | None = None) -> None:
        """Add an error with the value at a location."""
        self.problems.append(location.problem(code, message, hint=hint))

    def report_key(self, location: Location, code: str, message: str, hint: str | None = None) -> None:
        """Add an error with the key at a location."""
        self.problems.append(location.key_problem(code, message, hint=hint))

    def read(self, read: Callable[[W], T], value: W, location: Location, code: str) -> T | None:
        """Return what a function reads from a value; report its ConfigError and return None."""
        try:
            return read(value)
        except ConfigError as error:
            self.report(location, code, problem_of(error), error.hint)
            return None

    def outlet_names(self, texts: Iterable[str], location: Location) -> tuple[str, ...]:
        """Return the names of the right outlets in a list, each once."""
        names: dict[str, None] = {}
        for index, text in enumerate(texts):
            outlet = location.at(index)
            name = self.read(self.outlets.find, text, outlet, "WBX329")
            if name:
                names[name] = None
                self.problems += open_secret(text, outlet)
        return tuple(names)

    def expression(self, text: str | None, names: Names, location: Location) -> Expression | None:
        """Return an expression; None where there is none or it is wrong."""
        if text is None:
            return None
        return self.compiled(self.templates.expression, text, names, location)

    def expressions(self, texts: Iterable[str], names: Names, location: Location) -> tuple[Expression, ...]:
        """Return the right expressions of a list."""
        compiled = [self.expression(text, names, location.at(index)) for index, text in enumerate(texts)]
        return tuple(filter(None, compiled))

    def template(self, text: str, names: Names, location: Location) -> Template | None:
        """Return an inline template; None where it is wrong."""
        return self.compiled(self.templates.text, text, names, location)

    def compiled(
        self, compiler: Callable[[str], Compiled], text: str, names: Names, location: Location
    ) -> Compiled | None:
        """Return a compiled text, of which all names are checked; None where it is wrong."""
        try:
            part = self.make(compiler, text)
        except TemplateError as error:
            self.problems.append(_template_problem(error, compiler, location))
            return None
        self.problems += unknown(part, names, location)
        return part

    def make(self, compiler: Callable[[str], Compiled], text: str) -> Compiled:
        """Return a compiled text; what many rules have alike is compiled once.

        Raises:
            TemplateError: it is wrong.
        """
        if (compiler, text) not in self._made:
            self._made[compiler, text] = compiler(text)
        return self._made[compiler, text]  # type: ignore[no-any-return]


def is_template(text: str) -> bool:
    """Return whether a text has placeholders or tags."""
    return any(sign in text for sign in ("{{", "{%", "{#"))


def _template_problem(error: TemplateError, compiler: Callable[[str], Any], location: Location) -> Problem:
    """Return the problem with a template; in a text of the rule file, at its very line and column."""
    if error.name:
        facts = {"name": error.name, "line": error.line, "problem": worded(error.problem)}
        message = Wording("templates/{name}: {problem}", **facts)
        if error.line:
            message = Wording("templates/{name}, line {line}: {problem}", **facts)
        return location.problem("WBX306", message, hint=error.hint)
    code = "WBX306"
    if error.problem.startswith("there is no template"):
        code = "WBX307"
    place = _place(error, compiler, location)
    return location.document.source.problem(place, code, error.problem, hint=error.hint)


def _place(error: TemplateError, compiler: Callable[[str], Any], location: Location) -> Place:
    """Return the place of a fault in the text as the file has it, before YAML joins its lines."""
    try:
        compiler(location.written)
    except TemplateError as again:
        if again.problem == error.problem and again.line and not again.name:
            return location.within(again.line, again.column)
    return location.place
