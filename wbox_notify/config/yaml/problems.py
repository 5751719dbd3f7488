"""Problems: mistakes in files, each with its place, shown as a compiler shows them."""

import sys
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

from wbox_notify.config.yaml.masking import masked, starred
from wbox_notify.model.text import JOINERS, printable
from wbox_notify.model.texts import Wording, translated, translation

Severity = Literal["error", "warning"]
_SEVERITIES: Mapping[Severity, Wording] = {"error": Wording("error"), "warning": Wording("warning")}

_WIDEST = 160
_LONGEST = 400


class Place(NamedTuple):
    """A part of one line; all three count from 1, and ``end_column`` is the first column after it."""

    line: int
    column: int
    end_column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A mistake that a person can correct.

    Attributes:
        file: The file as the reader knows it, or ``environment``.
        line: Counts from 1, as ``column`` and ``end_column`` do; 0 where the whole file is meant.
        excerpt: The line itself, after the one before it, with stars in place of possible secrets.
    """

    file: str
    line: int = 0
    column: int = 0
    end_column: int = 0
    code: str
    message: str
    hint: str | None = None
    severity: Severity = "error"
    excerpt: tuple[str, ...] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", _safe(self.message, _LONGEST))
        object.__setattr__(self, "hint", self.hint and _safe(self.hint))

    def as_json(self) -> dict[str, Any]:
        """Return the problem as JSON values; a missing place is null."""
        names = ("file", "line", "column", "end_column", "code", "severity", "message", "hint")
        return {name: getattr(self, name) or None for name in names}


@dataclass(frozen=True)
class Source:
    """The lines of a file that problems point into; ``names`` of secrets are shown in them."""

    file: str
    lines: tuple[str, ...] = field(repr=False)
    names: frozenset[str] = field(default=frozenset(), repr=False)

    @cached_property
    def safe(self) -> tuple[str, ...]:
        """The lines with stars in place of possible secrets."""
        return masked(self.lines, self.names)

    def problem(
        self, place: Place, code: str, message: str, *, hint: str | None = None, severity: Severity = "error"
    ) -> Problem:
        """Return a problem at a place of this file."""
        return Problem(
            file=self.file,
            line=place.line,
            column=place.column,
            end_column=place.end_column,
            code=code,
            message=message,
            hint=hint,
            severity=severity,
            excerpt=self.safe[max(place.line - 2, 0) : place.line],
        )


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return each problem once, by file, line and column; those of the rules last, as they may result."""
    return tuple(sorted(dict.fromkeys(problems), key=_order))


def _order(problem: Problem) -> tuple[bool, str, int, int, str, str]:
    follows = problem.file.startswith("rules/")
    return follows, problem.file, problem.line, problem.column, problem.code, problem.message


def errors(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems that are errors."""
    return [problem for problem in problems if problem.severity == "error"]


def render(problem: Problem, lang: str = "en") -> str:
    """Return the problem as lines for a terminal: message, place, the line with a caret, help."""
    gutter = " " * len(str(problem.line or 1))
    where = problem.file
    if problem.line:
        where += f":{problem.line}:{problem.column}"
    severity = _SEVERITIES[problem.severity].to(lang)
    lines = [f"{severity}[{problem.code}]: {printable(translated(problem.message, lang))}"]
    lines.append(f"{gutter}--> {printable(where)}")
    if problem.excerpt:
        lines += [f"{gutter} |", *_excerpt(problem, gutter)]
    if problem.hint:
        help_ = translation(lang).gettext("help:")
        lines.append(f"{gutter} = {help_} {printable(translated(problem.hint, lang))}")
    return "\n".join(lines)


def _excerpt(problem: Problem, gutter: str) -> list[str]:
    *before, line = problem.excerpt
    start, end = problem.column - 1, max(problem.end_column - 1, problem.column)
    first = max(0, start - _WIDEST // 2)
    cut, marked = line[first:start], line[start : min(end, first + _WIDEST)]
    shown = [f"{problem.line - 1:>{len(gutter)}} | {printable(text[:_WIDEST])}" for text in before]
    shown.append(f"{problem.line} | {printable(line[first : first + _WIDEST])}")
    shown.append(f"{gutter} | {' ' * _width(cut)}{'^' * max(_width(marked), 1)}")
    return [text.rstrip() for text in shown]


def _width(text: str) -> int:
    """Return the number of terminal columns of a text."""
    return sum(map(_columns, printable(text)))


def _columns(character: str) -> int:
    if character in JOINERS or unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    if unicodedata.east_asian_width(character) in {"W", "F"}:
        return 2
    return 1


def _safe(text: str, longest: int = sys.maxsize) -> str:
    """Return a text without secrets; where there are none, it is still one that can be translated."""
    if isinstance(text, Wording):
        text = text.each(starred)
    safe = starred(text if len(text) <= longest else f"{text[:longest]}…")
    return text if safe == text else safe
