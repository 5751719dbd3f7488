"""Words in the language of the readers: letters large and small, their order, and lists."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

import jinja2
from jinja2.filters import FILTERS, make_multi_attrgetter

from wbox_notify.templates.dates import language

_LONGEST_KEY = 200
_BEHIND = 3 * chr(0x10FFFF)
_MARKS = re.compile("[\u0300-\u036f]")
_WORD_BEGINS = re.compile(r"([-\s({\[<]+)")
_TURKISH = frozenset({"az", "tr"})

# The letters that are letters of their own, each behind the plain one that it follows in the alphabet.
_CZECH, _DANISH, _SWEDISH, _CROATIAN = "cč rř sš zž", "zæøå", "zåäö", "cčć dđ sš zž"
_ALPHABETS = {
    "az": "cç eə gğ \u0131i oö sş uü",
    "bs": _CROATIAN,
    "cs": _CZECH,
    "da": _DANISH,
    "es": "nñ",
    "fi": _SWEDISH,
    "hr": _CROATIAN,
    "nb": _DANISH,
    "no": _DANISH,
    "pl": "aą cć eę lł nń oó sś zźż",
    "ro": "aăâ iî sș tț",
    "sk": _CZECH,
    "sl": "cč sš zž",
    "sv": _SWEDISH,
    "tr": "cç gğ \u0131i oö sş uü",
}


def upper(text: str) -> str:
    """Return a Turkish text in capitals: i and İ are one letter, I and the i without a dot another."""
    return text.replace("i\u0307", "i").replace("i", "İ").replace("\u0131", "I").upper()


def lower(text: str) -> str:
    """Return a Turkish text in small letters."""
    return text.replace("I\u0307", "i").replace("İ", "i").replace("I", "\u0131").lower()


def capitalize(text: str) -> str:
    """Return a Turkish text with a capital, and the rest in small letters."""
    text = text.replace("i\u0307", "i").replace("I\u0307", "İ")
    return upper(text[:1]) + lower(text[1:])


def title(text: str) -> str:
    """Return a Turkish text with a capital at the begin of each word; what follows an apostrophe is none."""
    return "".join(map(capitalize, _WORD_BEGINS.split(text)))


_CASES = {"capitalize": capitalize, "lower": lower, "title": title, "upper": upper}


class Words:
    """Filters for words in a language; ``text`` returns a value as a message shows it."""

    def __init__(self, lang: str, text: Callable[[Any], str]) -> None:
        self._lang, self._text = lang, text
        code = re.split("[-_]", lang)[0].lower()
        self._lower = lower if code in _TURKISH else str.casefold
        self._cases = _CASES if code in _TURKISH else {}
        self._letters = str.maketrans(
            {
                letter: f"{plain}{_BEHIND[:place]}"
                for group in _ALPHABETS.get(code, "").split()
                for plain in filter(str.isascii, group)
                for place, letter in enumerate(group)
            }
        )

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by their names in templates."""
        own: dict[str, Callable[..., Any]] = {
            "groupby": self.groupby,
            "join_and": self.join_and,
            "sort": self.sort,
        }
        return own | {name: self._of_text(change) for name, change in self._cases.items()}

    def join_and(self, value: Iterable[Any]) -> str:
        """Return the items of a list as a sentence has them: ``a, b, and c``, in Turkish ``a, b ve c``."""
        return language(self._lang).listed([self._text(part) for part in value])

    @jinja2.pass_environment
    def sort(
        self,
        environment: jinja2.Environment,
        value: Iterable[Any],
        reverse: bool = False,  # noqa: FBT001, FBT002 - Jinja's
        case_sensitive: bool = False,  # noqa: FBT001, FBT002 - Jinja's
        attribute: str | int | None = None,
    ) -> list[Any]:
        """Return a list in the order of the alphabet of the language: in Turkish Ç is behind all of C."""
        postprocess = None if case_sensitive else self._key
        return sorted(value, key=make_multi_attrgetter(environment, attribute, postprocess), reverse=reverse)

    @jinja2.pass_environment
    def groupby(
        self,
        environment: jinja2.Environment,
        value: Iterable[Any],
        attribute: str | int,
        default: Any = None,
        case_sensitive: bool = False,  # noqa: FBT001, FBT002 - Jinja's
    ) -> list[Any]:
        """Return the items of a list by the value of an attribute, in the order of the alphabet."""
        groups = FILTERS["groupby"](environment, value, attribute, default, case_sensitive)
        return groups if case_sensitive else sorted(groups, key=lambda group: self._key(group.grouper))

    def _key(self, value: Any) -> Any:
        """Return what a text is sorted by: first its letters, then the marks on them, then capitals."""
        if not isinstance(value, str):
            return value
        small = self._lower(value[:_LONGEST_KEY])
        plain = _MARKS.sub("", unicodedata.normalize("NFD", small.translate(self._letters)))
        return f"{plain}\0{small}\0{value}"

    def _of_text(self, change: Callable[[str], str]) -> Callable[[Any], str]:
        return lambda value: change(self._text(value))
