"""What all parts of compiling a rule share, and how they report a mistake."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from wbox_notify.config.secrets import OutletBook, Secrets, open_secret
from wbox_notify.config.settings import Settings
from wbox_notify.config.yaml.document import Location
from wbox_notify.config.yaml.problems import Place, Problem, errors
from wbox_notify.errors import ConfigError
from wbox_notify.rules.directory import Windows
from wbox_notify.rules.names import Names, unknown
from wbox_notify.rules.recipients import People
from wbox_notify.templates import Expression, Template, TemplateError, Templates

T = TypeVar("T")
W = TypeVar("W")
Made = TypeVar("Made", Expression, Template)


class BuildContext:
    """All that rules are built with; what is wrong with them joins ``problems``."""

    def __init__(
        self, settings: Settings, people: People, windows: Windows, secrets: Secrets, problems: list[Problem]
    ) -> None:
        self.settings, self.people = settings, people
        self.windows, self.secrets = windows, secrets
        self.outlets = OutletBook(secrets, settings.outlets)
        self.problems = problems
        self._locales: dict[tuple[str, str], Templates] = {}
        self.templates = self.templates_for(settings.tz, settings.lang)

    def templates_for(self, zone: ZoneInfo, lang: str) -> Templates:
        """Return the templates for readers of a language in a zone."""
        locale = (str(zone), lang)
        if locale not in self._locales:
            folder = self.settings.folder / "templates"
            self._locales[locale] = Templates(
                folder if folder.is_dir() else None, tz=zone, lang=lang, is_private=self._is_private
            )
        return self._locales[locale]

    def _is_private(self, path: Path) -> bool:
        return self.settings.own.at(path) is not None

    def is_right(self, since: int) -> bool:
        """Return whether there is no error among the problems since there were so many."""
        return not errors(self.problems[since:])

    def tried(self, read: Callable[[W], T], written: W, spot: Location, code: str) -> T | None:
        """Return what a function reads, or None and a problem where it raises ConfigError."""
        try:
            return read(written)
        except ConfigError as error:
            self.problems.append(spot.problem(code, str(error), hint=error.hint))
            return None

    def outlet_names(self, texts: Iterable[str], spot: Location) -> tuple[str, ...]:
        """Return the names of the outlets that are right in a list at a spot, each once."""
        found: dict[str, None] = {}
        for index, text in enumerate(texts):
            at = spot.at(index)
            if name := self.tried(self.outlets.find, text, at, "WBX329"):
                found[name] = None
                self.problems += open_secret(text, at)
        return tuple(found)

    def expression(self, text: str | None, offered: Names, spot: Location) -> Expression | None:
        """Return an expression; None where there is none or it is wrong."""
        return None if text is None else self.made(self.templates.expression, text, offered, spot)

    def expressions(self, texts: Iterable[str], offered: Names, spot: Location) -> tuple[Expression, ...]:
        """Return the expressions that are right in a list at a spot."""
        found = (self.expression(text, offered, spot.at(index)) for index, text in enumerate(texts))
        return tuple(expression for expression in found if expression)

    def template(self, text: str, offered: Names, spot: Location) -> Template | None:
        """Return an inline template; None where it is wrong."""
        return self.made(self.templates.text, text, offered, spot)

    def made(self, make: Callable[[str], Made], text: str, offered: Names, spot: Location) -> Made | None:
        """Return what is made of a text, with all its names looked at; None where it is wrong."""
        try:
            made = make(text)
        except TemplateError as error:
            self.problems.append(_fault(error, make, spot))
            return None
        self.problems += unknown(made, offered, spot)
        return made


def is_template(text: str) -> bool:
    """Return whether there is more in a text than itself."""
    return any(sign in text for sign in ("{{", "{%", "{#"))


def _fault(error: TemplateError, make: Callable[[str], Any], spot: Location) -> Problem:
    """Return the problem with a template; in a text of the rule file, at the very line and column."""
    if error.name:
        message = f"templates/{error.name}{f', line {error.line}' if error.line else ''}: {error.problem}"
        return spot.problem("WBX306", message, hint=error.hint)
    code = "WBX307" if error.problem.startswith("there is no template") else "WBX306"
    place = _place(error, make, spot)
    return spot.document.source.problem(place, code, error.problem, hint=error.hint)


def _place(error: TemplateError, make: Callable[[str], Any], spot: Location) -> Place:
    """Find a fault again in the text as it is written, whose lines YAML has not joined."""
    try:
        make(spot.written)
    except TemplateError as again:
        if again.problem == error.problem and again.line and not again.name:
            return spot.within(again.line, again.column)
    return spot.place
