"""What people read, in the languages that there are: English as the code has it, Turkish by its catalogue.

``make texts`` reads the texts from the code and the templates into the catalogues under ``locale/``.
"""

import gettext
import re
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import cache
from pathlib import Path, PurePath
from typing import Any, Self, TypeVar

from wbox_notify.errors import MessageError, WboxError

LANGUAGES = ("en", "tr")
DOMAIN = "messages"
"""The domain of programs that name none: click looks there for its own words."""
LOCALE = Path(__file__).with_name("locale")
_T = TypeVar("_T")
Patterns = tuple[tuple[re.Pattern[str], "Wording"], ...]
_AS_TEXT = (str, PurePath, BaseException)
"""The types of facts that are texts, or are shown as one and can hold any character."""

_VARIABLES = ("WBOX_LANG", "LC_ALL", "LC_MESSAGES", "LANG")

spoken: ContextVar[str] = ContextVar("spoken", default="en")
"""The language of the person at the terminal: of the project once it is open, else of the shell."""


@cache
def translation(lang: str) -> gettext.NullTranslations:
    """Return the texts in a language; English for one that there is no catalogue of."""
    return gettext.translation(DOMAIN, LOCALE, [lang], fallback=True)


def language_of(environ: Mapping[str, str]) -> str:
    """Return the language of a user by the environment, as far as there are texts in it."""
    chosen = next(filter(None, map(environ.get, _VARIABLES)), "")
    return known(chosen[:2].lower())


def known(lang: str) -> str:
    """Return a language if there are texts in it, else English."""
    return lang if lang in LANGUAGES else "en"


def _(text: str, /, **facts: object) -> str:
    """Return a text in the language of the person at the terminal."""
    return _filled(translation(spoken.get()).gettext(text), facts)


def plural(one: str, many: str, number: int, /, **facts: object) -> str:
    """Return a text with a ``{number}`` of things in the language of the person at the terminal."""
    return _filled(translation(spoken.get()).ngettext(one, many, number), {"number": number, **facts})


class Wording(str):
    """A text of the code with its facts: in English as it stands, in the language of a reader by ``to``.

    For what is logged in English and shown in other languages: problems, hints, reasons.
    """

    __slots__ = ("facts", "text")

    text: str
    facts: Mapping[str, object]

    def __new__(cls, text: str, /, **facts: object) -> Self:
        """Return the text with its facts filled in."""
        wording = super().__new__(cls, _filled(text, facts))
        wording.text, wording.facts = text, facts
        return wording

    def about(self, **facts: object) -> Self:
        """Return the text with other facts."""
        return type(self)(self.text, **facts)

    @classmethod
    def from_json(cls, value: Sequence[Any]) -> Self:
        """Return the wording that ``to_json`` gave the values of."""
        text, kept = value
        facts = dict(kept)
        for name, fact in kept.items():
            if isinstance(fact, list):
                facts[name] = cls.from_json(fact)
        return cls(text, **facts)

    def to_json(self) -> list[Any]:
        """Return the text and its facts as JSON values; a wording among them, and nothing else, is a list."""
        facts = dict(self.facts)
        for name, fact in facts.items():
            if isinstance(fact, Wording):
                facts[name] = fact.to_json()
        return [self.text, facts]

    def each(self, change: Callable[[str], str]) -> Self:
        """Return the text with all facts changed that are texts, also those of wordings among them."""
        facts = dict(self.facts)
        for name, fact in self.facts.items():
            if isinstance(fact, Wording):
                facts[name] = fact.each(change)
            elif isinstance(fact, _AS_TEXT):
                facts[name] = change(str(fact))
        return self.about(**facts)

    def to(self, lang: str) -> str:
        """Return the text in a language; a fact that is a wording is told in it too."""
        text = self.text and translation(lang).gettext(
            self.text
        )  # nothing is the key of the head of a catalogue
        return _filled(text, {name: told(fact, lang) for name, fact in self.facts.items()})


def _filled(text: str, facts: Mapping[str, object]) -> str:
    return text.format_map(facts) if facts else text


def worded(text: str) -> Wording:
    """Return a text as a wording: one that is none stands in the code without facts, or is not translated."""
    return text if isinstance(text, Wording) else Wording(text)


def translated(text: str, lang: str) -> str:
    """Return a text of the code in a language: a wording, or what stands in the code without facts."""
    return worded(text).to(lang)


def patterns(*wordings: Wording) -> Patterns:
    """Return texts that come or are kept in English alone, each with the pattern that finds its facts."""
    texts = [re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(wording.text)) for wording in wordings]
    return tuple(zip(map(re.compile, texts), wordings, strict=True))


def recognised(text: str, known: Patterns) -> Wording:
    """Return an English text for any language, where it is one of those that are known."""
    for pattern, wording in known:
        if match := pattern.fullmatch(text):
            return wording.about(**match.groupdict())
    return worded(text)


def problem_of(error: WboxError) -> Wording:
    """Return what an error says, for any language."""
    if isinstance(error, MessageError):
        return Wording("{field}: {problem}", field=error.field, problem=worded(error.problem))
    return worded(error.args[0])


def problem_with_hint(error: WboxError) -> Wording:
    """Return what an error says and what to do about it on one line, for any language."""
    return with_hint(problem_of(error), error.hint)


def with_hint(problem: Wording, hint: str | None) -> Wording:
    """Return a problem and what to do about it on one line, for any language."""
    return Wording("{problem}; {hint}", problem=problem, hint=worded(hint)) if hint else problem


def told(value: _T, lang: str) -> _T | str:
    """Return a wording in a language, and anything else as it is."""
    return value.to(lang) if isinstance(value, Wording) else value
