"""What a rule's ``schedule:`` means: human forms, cron, steps of time, zones, days to skip, missed runs."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from wbox_notify.config.values import as_zone, parse_duration
from wbox_notify.errors import ConfigError
from wbox_notify.model.text import did_you_mean
from wbox_notify.triggers.schedule.cron import Cron, Every, parse_cron, parse_every
from wbox_notify.triggers.schedule.schedule import Missed, Schedule, Skip, parse_place
from wbox_notify.triggers.schedule.wallclock import day_number, parse_days, parse_time, plain

_KINDS = ("at", "cron", "every")
_KEYS = (*_KINDS, "tz", "skip")
_FORMS = "write it like `Mon-Fri 09:00`, `1st 08:00`, `last weekday 17:00`, `@daily` or `0 9 * * 1-5`"
_LONGEST = 500

_TIME = "[0-9]{1,2}:[0-9]{2}(?![0-9:])"
_CLAUSE = re.compile(rf"\s*([^:]*?)\s*({_TIME}(?:\s*,\s*{_TIME})*)\s*(?:[,;]|$)")
_ORDINAL = re.compile("([0-9]{1,2})(?:st|nd|rd|th)")
_NTHS = {
    name: place
    for place, names in {
        "#1": "first 1st ilk birinci",
        "#2": "second 2nd ikinci",
        "#3": "third 3rd ucuncu",
        "#4": "fourth 4th dorduncu",
        "L": "last son",
    }.items()
    for name in names.split()
}
_ENDS_OF_MONTH = {
    **dict.fromkeys(("last day", "son gun", "ayin son gunu"), "L"),
    **dict.fromkeys(("last weekday", "son is gunu", "ayin son is gunu"), "LW"),
}
_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


class ScheduleError(ConfigError):
    """A schedule cannot be used as written."""


def parse(written: object, zone: tzinfo = UTC) -> Schedule:
    """Return a schedule from a text, a list of texts, or a map of ``at``, ``cron`` or ``every``.

    The map may have ``tz`` and ``skip`` too; ``zone`` is where the times of day are without a ``tz``.
    """
    try:
        schedule = _schedule(written if isinstance(written, Mapping) else {"at": written}, zone)
    except ConfigError as error:
        raise ScheduleError(str(error), hint=error.hint) from None
    if schedule.after(_ANY_TIME) is None:
        raise ScheduleError("this is never due: `skip` takes out all of its days", hint="skip fewer days")
    return schedule


def parse_missed(written: object) -> Missed:
    """Return what to do about missed runs: ``last``, ``all``, ``none`` or a map of ``run`` and ``within``."""
    options = _options(
        written if isinstance(written, Mapping) else {"run": written}, "missed", ("run", "within")
    )
    run = options.get("run", "last")
    if run not in ("last", "all", "none"):
        raise ScheduleError(f"missed: `{run}` is not known", hint="`run` is last, all or none")
    try:
        within = parse_duration(options.get("within", "1h"))
    except ConfigError as error:
        raise ScheduleError(f"missed: within: {error}", hint=error.hint) from None
    return Missed(run, timedelta(seconds=within))


def _schedule(options: Mapping[str, Any], zone: tzinfo) -> Schedule:
    _options(options, "schedule", _KEYS)
    given = [kind for kind in _KINDS if kind in options]
    if len(given) != 1:
        problem = f"takes one of {' and '.join(given)}" if given else f"needs one of {', '.join(_KINDS)}"
        raise ConfigError(f"a schedule {problem}", hint="for example `at: Mon-Fri 09:00` or `every: 15m`")
    if "tz" in options:
        zone = as_zone(str(options["tz"]))
    return Schedule(_patterns(options, given[0]), zone, _skip(options.get("skip", {})))


def _patterns(options: Mapping[str, Any], kind: str) -> tuple[Cron | Every, ...]:
    if kind == "every":
        return (parse_every(options[kind]),)
    texts = options[kind] if isinstance(options[kind], list) else [options[kind]]
    found = [pattern for text in texts for pattern in _from_text(_text(text, _FORMS))]
    if not found:
        raise ConfigError("the list of times is empty", hint=_FORMS)
    return tuple(dict.fromkeys(found))


def _from_text(text: str) -> Iterator[Cron | Every]:
    if repeated := re.fullmatch(r"every:?\s*([0-9].*)", text, re.IGNORECASE):
        yield parse_every(repeated[1])
    elif ":" in text:
        yield from _human(text)
    else:
        yield parse_cron(text)


def _human(text: str) -> Iterator[Cron]:
    end = 0
    while end < len(text):
        clause = _CLAUSE.match(text, end)
        if not clause:
            raise ConfigError(f"`{text}` is not a schedule", hint=_FORMS)
        day, weekday = _days(clause[1])
        for time in clause[2].split(","):
            hour, minute = divmod(parse_time(time.strip()), 60)
            yield Cron(f"{minute} {hour} {day} * {weekday}")
        end = clause.end()


def _days(written: str) -> tuple[str, str]:
    """Return the days before a time as the fields of cron: day of the month, day of the week."""
    words = plain(written)
    ordinals = [_ORDINAL.fullmatch(part.strip()) for part in words.split(",")]
    if not words or words in _ENDS_OF_MONTH:
        return _ENDS_OF_MONTH.get(words, "*"), "*"
    if all(ordinals):
        return ",".join(_day_of_month(found[1]) for found in ordinals if found), "*"
    nth, _, name = words.partition(" ")
    number = day_number(name)
    if nth in _NTHS and number:
        return "*", f"{number % 7}{_NTHS[nth]}"
    return "*", ",".join(str(day % 7) for day in sorted(parse_days(written)))


def _day_of_month(digits: str) -> str:
    if not 1 <= int(digits) <= 31:  # noqa: PLR2004 - the longest month
        raise ConfigError(f"no month has a day {digits}", hint="write `1st` to `31st`, or `last day`")
    return str(int(digits))


def _skip(written: object) -> Skip:
    options = _options(written, "skip", ("holidays", "days"))
    place = parse_place(options["holidays"]) if "holidays" in options else None
    days = options.get("days", [])
    return Skip(frozenset(map(_date, days if isinstance(days, list) else [days])), place)


def _date(written: object) -> date:
    try:
        if isinstance(written, str) and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", written):
            return date.fromisoformat(written)
    except ValueError:
        pass
    raise ConfigError(f"skip: `{written}` is not a day", hint="write it like 2026-12-31")


def _options(written: object, name: str, known: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(written, Mapping):
        raise ScheduleError(f"`{name}` is a map", hint=f"its keys are {', '.join(known)}")
    for key in written:
        if key not in known:
            hint = did_you_mean(str(key), known) or f"known here: {', '.join(known)}"
            raise ScheduleError(f"{name}: unknown key `{key}`", hint=hint)
    return written


def _text(written: object, hint: str) -> str:
    if not isinstance(written, str) or not written.strip() or len(written) > _LONGEST:
        raise ConfigError(f"`{str(written)[:40]}` is not a schedule", hint=hint)
    return " ".join(written.split())
