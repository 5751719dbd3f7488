"""How values are shown on the pages: times, states and phones."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from wbox_notify.model import shown
from wbox_notify.model.phones import masked
from wbox_notify.model.reasons import outcome
from wbox_notify.model.texts import translation
from wbox_notify.templates.dates import language
from wbox_notify.web.browsers import html
from wbox_notify.web.formatting import to_html

_MARKS = {
    "sent": "good",
    "passed": "good",
    "ready": "good",
    "queued": "calm",
    "sending": "calm",
    "waits": "calm",
    "held": "care",
    "unlinked": "care",
    "unreachable": "bad",
    "unknown": "care",
    "paused": "care",
    "warning": "care",
    "dead": "bad",
    "failed": "bad",
    "error": "bad",
}
"""The look of a state by its name; any other is ``plain``."""


_MINUTE = 60
_NONE = "\N{EN DASH}"
_SUNDAY = date(2026, 1, 4)
_WEEK = 7


def texts_of_states(_: Callable[[str], str]) -> Mapping[str, str]:
    """Return what states are called."""
    return {
        "sent": _("sent"),
        "queued": _("waiting"),
        "sending": _("sending"),
        "held": _("held"),
        "unknown": _("unclear"),
        "dead": _("failed"),
        "expired": _("too late"),
        "cancelled": _("dropped"),
        "passed": _("passed"),
        "stopped": _("stopped"),
        "waits": _("waits"),
        "failed": _("failed"),
        "ready": _("ready"),
        "paused": _("paused"),
        "unlinked": _("not linked"),
        "unreachable": _("unreachable"),
        "error": _("error"),
        "warning": _("warning"),
    }


class Show:
    """The filters of the templates in one language."""

    def __init__(self, lang: str, zone: Callable[[], tzinfo], now: Callable[[], float]) -> None:
        self._lang = lang
        self._words = language(lang)
        self._gettext = translation(lang).gettext
        self._states = texts_of_states(self._gettext)
        self._zone = zone
        self._now = now

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by their names."""
        return {
            "time": self.time,
            "ago": self.ago,
            "lasted": self.lasted,
            "state": self.state,
            "phone": phone,
            "marked": marked,
            "sentence": self.sentence,
            "whatsapp": whatsapp,
            "day": self.day,
            "days": self.days,
            "tall": tall,
            "together": together,
        }

    def time(self, iso: str | None) -> str:
        """Return a time of the model by the clocks of the project, of today without the day."""
        if iso is None:
            return _NONE
        moment = self._local(datetime.fromisoformat(iso))
        shown = f"{moment:%H:%M:%S}"
        if moment.date() != self._today().date():
            shown = f"{self._words.day(moment)} {moment:%H:%M}"
        return html('<time datetime="{}" title="{}">{}</time>').format(iso, self._whole(moment), shown)

    def ago(self, iso: str | None) -> str:
        """Return how long ago a time of the model was; a script keeps it true while the page is open."""
        if iso is None:
            return _NONE
        moment = self._local(datetime.fromisoformat(iso))
        shown = self._words.ago(moment - self._today())
        return html('<time datetime="{}" title="{}" data-ago>{}</time>').format(
            iso, self._whole(moment), shown
        )

    def lasted(self, seconds: float) -> str:
        """Return a duration: ``0.4 s``, ``3 min 5 sec``."""
        if seconds < _MINUTE:
            return f"{self._words.number(round(seconds, 1), None)} {self._gettext('s')}"
        return self._words.duration(round(seconds), "short")

    def state(self, name: str) -> str:
        """Return a state as a pill with its name."""
        mark = _MARKS.get(name, "plain")
        shown = self._states.get(name) or outcome(name).to(self._lang)
        return html('<span class="pill {}">{}</span>').format(mark, shown)

    def sentence(self, text: str) -> str:
        """Return a text as a sentence; the capital of a Turkish i has a dot."""
        first = "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}" if (self._lang, text[:1]) == ("tr", "i") else ""
        return f"{first or text[:1].upper()}{text[1:]}."

    def day(self, iso: str) -> str:
        """Return a day as a short name and its number in the month."""
        return self._words.name(date.fromisoformat(iso), "EEE d")

    def days(self, numbers: Sequence[int]) -> str:
        """Return days of the week by their numbers, Monday being 1; nothing for all of them."""
        names = [self._words.name(_SUNDAY + timedelta(days=number), "EEE") for number in numbers]
        if len(numbers) == _WEEK:
            return ""
        if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:  # noqa: PLR2004 - of a range
            return f"{names[0]}{_NONE}{names[-1]}"
        return ", ".join(names)

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(self._zone())

    def _today(self) -> datetime:
        return self._local(datetime.fromtimestamp(self._now(), UTC))

    def _whole(self, moment: datetime) -> str:
        return f"{self._words.day(moment)} {moment:%H:%M:%S}"


def tall(seconds: float) -> float:
    """Return how tall a duration is in a picture of 60: 10 for each power of ten from 0.01 s on."""
    return min(max(10 * (math.log10(max(seconds, 0.001)) + 2), 2.0), 60.0)


def together(steps: Iterable[Mapping[str, Any]]) -> list[tuple[dict[str, Any], int]]:
    """Return decisions, each once, with how often it was made: the rows of a file are often decided alike."""
    return [(dict(step), times) for step, times in Counter(tuple(step.items()) for step in steps).items()]


def phone(digits: str) -> str:
    """Return a phone number as it is shown where others may look on."""
    return masked(digits.removeprefix("+"))


def marked(text: str) -> str:
    """Return a text of ours as HTML, with what stands between backticks as code."""
    parts = text.split("`")
    return html("").join(
        html("<code>{}</code>").format(part) if index % 2 else part for index, part in enumerate(parts)
    )


def whatsapp(text: str) -> str:
    """Return the text of a message as the phone shows it."""
    return html(to_html(text))


def iso(seconds: float | None) -> str | None:
    """Return a time of the model: ISO 8601 with a zone; None for none."""
    return None if seconds is None else shown.iso(seconds)
