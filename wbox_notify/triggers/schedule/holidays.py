"""The public holidays of countries; the only module that knows the package ``holidays``."""

import importlib
import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache

from wbox_notify.errors import ConfigError

_PLACE = re.compile(r"([A-Z]{2})(?:-([A-Z0-9]{1,3}))?")
_SOME_YEAR = 2026


def parse_place(text: object) -> str:
    """Return the code of a country, or of a part of one, whose holidays are known: ``TR``, ``DE-BY``."""
    place = text.strip().upper() if isinstance(text, str) else ""
    try:
        _year(place, _SOME_YEAR)
    except (NotImplementedError, ValueError):
        raise ConfigError(
            f"the holidays of `{text}` are not known",
            hint="write the code of a country or a part of it: TR, DE-BY",
        ) from None
    return place


def holiday(place: str, day: date) -> str | None:
    """Return the English name of the public holiday of a day, or None on other days."""
    return _year(place, day.year).get(day)


@lru_cache(maxsize=256)
def _year(place: str, year: int) -> Mapping[date, str]:
    found = _PLACE.fullmatch(place)
    if not found:
        raise ValueError(place)
    # Importing it takes 70 ms, and most projects have no rule that skips holidays.
    package = importlib.import_module("holidays")
    return dict(package.country_holidays(found[1], subdiv=found[2], years=year, language="en_US"))
