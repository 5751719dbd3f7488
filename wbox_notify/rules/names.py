"""Names: which of them expressions and templates may use, and what of a file they have to know."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from wbox_notify.config.yaml.document import Location
from wbox_notify.config.yaml.problems import Problem
from wbox_notify.model.text import did_you_mean
from wbox_notify.rules.models import RuleSpec
from wbox_notify.rules.models.triggers import TriggerSpec
from wbox_notify.templates import Expression, Template
from wbox_notify.triggers.webhook.hooks import may_be_secret
from wbox_notify.triggers.webhook.presets import PRESETS

Names = Mapping[str, frozenset[str]]
"""Names with their fields; none where any field will do."""

_ANY: frozenset[str] = frozenset()
FIRST: Names = {"event": frozenset({"id", "type", "at"})}
LAST: Names = {"rule": frozenset({"id", "name"}), "now": _ANY}

ROWS = frozenset({"rows", "lines", "events"})
"""What of a file is read row by row; it stands alone in ``for_each``, and nowhere else."""

CALL: Names = {"body": _ANY, "headers": _ANY, "query": _ANY}
"""What there is of a call before it is an event."""

_FACTS = frozenset(["path", "name", "stem", "ext", "folder", "size", "mtime"])

OF_TRIGGERS: Mapping[str, Names] = {
    "file": {"file": _FACTS | {"sha256", "text", "json"}},
    "webhook": CALL,
    "schedule": {"schedule": frozenset({"at"})},
    "missing": {"missing": frozenset({"by", "window", "last_seen", "resolved"})},
}
"""The names that each kind of trigger gives; the preset of a webhook gives more."""

MOVED: Names = {**FIRST, "file": _FACTS, **LAST}
"""The names for where a file goes; ``now`` is when it was taken."""

GROUPED: Names = {"group": frozenset({"key", "firing", "resolved", "items", "since"})}
DIGESTED: Names = {"events": _ANY}
LINKED: Names = {"ack_url": _ANY}
ANSWERED: Names = {"acked": _ANY, "resolved": _ANY, "sent": _ANY}
READER: Names = {"contact": frozenset({"name", "phone", "lang"})}

_NO_NAMES = frozenset(
    "and dict else elif false for if in is loop namespace none not or range self true".split()  # noqa: SIM905 - shorter
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which names are offered where.

    Attributes:
        event: To what the triggers gave: ``for_each``.
        item: To what decides about one item: ``if``, ``dedupe``, ``throttle``, ``group.by``.
        told: To what decides who is told: ``to``, ``unless``.
        digested: To what is sent besides these; nobody is told of a digest before it is made.
    """

    event: Names
    item: Names
    told: Names
    digested: Names

    @property
    def sent(self) -> Names:
        """To what is sent."""
        return {**self.told, **self.digested, **READER}

    @property
    def answer(self) -> Names:
        """To what decides about a step of an escalation."""
        return {**self.told, **self.digested, **ANSWERED}

    @property
    def reminder(self) -> Names:
        """To what a step sends."""
        return {**self.answer, **READER}


def scope(spec: RuleSpec) -> Scope:
    """Return the names that a rule offers."""
    given: dict[str, frozenset[str]] = dict(FIRST)
    for trigger in spec.trigger:
        for name, fields in _given(trigger).items():
            given[name] = _either(fields, given[name]) if name in given else fields
    event = {**given, **LAST}
    item = {**given, **dict.fromkeys(spec.for_each, _ANY), **LAST}
    told = {**item, **(GROUPED if spec.group else {}), **LINKED}
    return Scope(event, item, told, DIGESTED if spec.digest else {})


def with_rows(offered: Names) -> Names:
    """Return names with what of a file is read row by row."""
    return {**offered, "file": offered["file"] | ROWS} if "file" in offered else offered


def is_free(name: str) -> bool:
    """Return whether an item can have this name: it is one, and has no meaning of its own."""
    return bool(re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name)) and name.lower() not in _taken()


def _taken() -> set[str]:
    presets = (preset.fields for preset in PRESETS.values())
    known = (FIRST, LAST, GROUPED, DIGESTED, LINKED, ANSWERED, READER, *OF_TRIGGERS.values(), *presets)
    return {name for names in known for name in names} | _NO_NAMES


def _either(fields: frozenset[str], others: frozenset[str]) -> frozenset[str]:
    return fields | others if fields and others else _ANY


def _given(trigger: TriggerSpec) -> Names:
    names = OF_TRIGGERS[trigger.kind]
    if trigger.missing and trigger.missing.of.file:
        # A file that comes late is told of with what it is.
        return {**names, **OF_TRIGGERS["file"]}
    if trigger.webhook is None:
        return names
    fields = PRESETS[trigger.webhook.preset].fields
    return {**names, **{name: frozenset(parts or ()) for name, parts in fields.items()}}


_OTHER_FILES = frozenset({"include", "extends", "import"})
_READ = frozenset({"sha256", "text", "json"})
_IN_TAG = r"\{[{%](?:(?!\}\}|%\}).)*?"


def unknown(made: Expression | Template, offered: Names, location: Location) -> Iterator[Problem]:
    """Yield a problem for each name that is not offered, at its place in the text at ``location``."""
    for name, fields in made.names.items():
        if name not in offered:
            hint = (
                _dashed(made.source, name) or did_you_mean(name, offered) or f"there are {', '.join(offered)}"
            )
            yield _problem(
                made, rf"(?<![\w.])({re.escape(name)})\b", location, f"there is no `{name}` here", hint
            )
        for field in sorted(fields - offered.get(name, fields)) if offered.get(name) else ():
            hint = (
                _rows_hint(name, field)
                or did_you_mean(field, offered[name])
                or f"it has {', '.join(sorted(offered[name]))}"
            )
            pattern = rf"(?<![\w.]){name}\s*(?:\.\s*|\[\s*[\"'])({re.escape(field)})\b"
            yield _problem(made, pattern, location, f"`{name}` has no `{field}`", hint)
    if offered.get("headers") == _ANY:
        yield from _proofs(made, location)


def _proofs(made: Expression | Template, location: Location) -> Iterator[Problem]:
    """Yield a problem for each header that is never kept."""
    for field in sorted(filter(may_be_secret, made.names.get("headers", _ANY))):
        pattern = rf"headers\s*(?:\.\s*|\[\s*[\"'])({re.escape(field)})"
        hint = "a header with such a name proves who calls; let the sender put what you need into the body"
        yield _problem(made, pattern, location, f"the header `{field}` is not kept", hint)


def needs(parts: Iterable[Expression | Template]) -> frozenset[str]:
    """Return what of ``file`` has to be read for these: ``sha256``, ``text``, ``json``."""
    needed: set[str] = set()
    for part in parts:
        fields = part.names.get("file")
        if fields is not None:
            needed |= (fields or _READ) & _READ
        if part.names.keys() & {*GROUPED, *DIGESTED}:
            # Which fields of the gathered files they use can only be told from the words.
            needed |= _READ & {*re.findall(r"\w+", part.source)}
    return frozenset(needed | ({"text"} if "json" in needed else set()))


def _dashed(source: str, name: str) -> str | None:
    """Return how to write a field with a dash in it, where the unknown name is what follows the dash."""
    found = re.search(rf"([\w.]+)\.(\w+(?:-\w+)*-{re.escape(name)})\b", source)
    return f"a name with a dash stands in brackets: {found[1]}['{found[2]}']" if found else None


def headers(parts: Iterable[Expression | Template]) -> frozenset[str]:
    """Return the headers of a call that these may look at, in lower case."""
    named: set[str] = set()
    for part in parts:
        named |= part.names.get("headers", _ANY)
        if "headers" in part.source:
            # Where a name is put together or goes through a variable, only the words tell.
            named |= {*re.findall(r"[\w-]+", part.source)}
    return frozenset(name.lower() for name in named)


def unseen(parts: Iterable[Expression | Template]) -> frozenset[str]:
    """Return what of a call none of these looks at: nothing that a rule holds has to carry it along."""
    used: set[str] = set()
    for part in parts:
        used |= part.names.keys()
        if part.names.keys() & {*GROUPED, *DIGESTED}:
            # What they use of the gathered calls can only be told from the words, and not in other files.
            words = {*re.findall(r"\w+", part.source)}
            used |= words | ({*CALL} if words & _OTHER_FILES else set())
    return frozenset(CALL) - used


def _rows_hint(name: str, field: str) -> str | None:
    if name != "file" or field not in ROWS:
        return None
    return f"write `for_each: {{row: file.{field}}}`: the rows of a file are followed one by one"


def _problem(
    made: Expression | Template, pattern: str, location: Location, message: str, hint: str
) -> Problem:
    if isinstance(made, Template) and made.name:
        return location.problem("WBX308", f"{message}, in templates/{made.name}", hint=hint)
    place = location.find(pattern if isinstance(made, Expression) else _IN_TAG + pattern)
    return location.document.source.problem(place, "WBX308", message, hint=hint)
