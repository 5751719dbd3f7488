"""What CLDR knows of a language, by Babel, which takes 100 ms to load and is imported when it is needed."""

from collections.abc import Mapping
from functools import cached_property

from babel import Locale, UnknownLocaleError


class Language:
    """A language by its code, such as ``tr`` or ``de_AT``; English where CLDR does not know it."""

    def __init__(self, code: str) -> None:
        try:
            self._locale = Locale.parse(code.replace("-", "_"))
        except (UnknownLocaleError, ValueError):
            self._locale = Locale("en")

    @cached_property
    def begins_with_day(self) -> bool:
        """Whether the day stands before the month where a date is all digits."""
        pattern: str = self._locale.date_formats["short"].pattern
        return pattern.find("d") < pattern.find("M")

    def month(self, name: str) -> int:
        """Return the number of a month by its name or short name; 0 where there is none of that name."""
        return self._months.get(_folded(name), 0)

    @cached_property
    def _months(self) -> Mapping[str, int]:
        months = self._locale.months
        return {
            _folded(name): number
            for names in (*months["format"].values(), *months["stand-alone"].values())
            for number, name in names.items()
        }


def _folded(name: str) -> str:
    """Return a name in small letters, with one i for all that Turkish writes."""
    return name.casefold().replace("\u0131", "i").replace("i\u0307", "i").rstrip(".")
