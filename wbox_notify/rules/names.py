"""Names that expressions and templates may use, and the facts of files and calls that they need."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from wbox_notify.config.yaml.document import Location
from wbox_notify.config.yaml.problems import Problem
from wbox_notify.model.text import did_you_mean
from wbox_notify.model.texts import Wording
from wbox_notify.rules.models.rules import RuleSpec
from wbox_notify.rules.models.triggers import TriggerSpec
from wbox_notify.templates import MOMENT, Expression, Template
from wbox_notify.triggers.webhook.hooks import may_be_secret
from wbox_notify.triggers.webhook.presets import PRESETS

Names = Mapping[str, frozenset[str]]
"""Names with their fields; none where any field will do."""

_ANY: frozenset[str] = frozenset()
FIRST: Names = {"event": frozenset({"id", "type", "at"})}
LAST: Names = {"rule": frozenset({"id", "name"}), "now": MOMENT}

ROWS = frozenset({"rows", "lines", "events"})
"""Fields of a file that are read row by row, and functions that read a table so.

They stand alone in ``for_each``, and nowhere else.
"""

CALL: Names = {"body": _ANY, "headers": _ANY, "query": _ANY}
"""The names of a call before it is an event."""

_FACTS = frozenset(["path", "name", "stem", "ext", "folder", "size", "mtime"])

OF_TRIGGERS: Mapping[str, Names] = {
    "file": {"file": _FACTS | {"sha256", "text", "json"}},
    "webhook": CALL,
    "schedule": {"schedule": frozenset({"at"})},
    "missing": {"missing": frozenset({"by", "window", "last_seen", "resolved"})},
}
"""The names that each kind of trigger gives; the preset of a webhook gives more."""

MOVED: Names = {**FIRST, "file": _FACTS, **LAST}
"""The names for the target of a file; ``now`` is the time at which it was taken."""

AWAITED: Mapping[str, Names] = {kind: {**FIRST, **OF_TRIGGERS[kind], **LAST} for kind in ("file", "webhook")}
"""The names of each kind of thing that a rule awaits, for the ``if`` of ``missing``."""

STATED: Names = {"alert": frozenset({"status", "since"})}
GROUPED: Names = {"group": frozenset({"key", "firing", "resolved", "items", "since"})}
DIGESTED: Names = {"events": _ANY}
REMINDED: Names = {"remind": frozenset({"at", "before"})}
LINKED: Names = {"ack_url": _ANY}
ANSWERED: Names = {"acked": _ANY, "resolved": _ANY, "sent": _ANY}
READER: Names = {"contact": frozenset({"name", "phone", "lang"})}

_NO_NAMES = frozenset(
    "and dict else elif false for if in is loop namespace none not or range self true".split()  # noqa: SIM905 - shorter
)


@dataclass(frozen=True, slots=True)
class Scope:
    """The names that each part of a rule may use.

    Attributes:
        event: In ``for_each``: what the triggers give.
        item: In ``if`` and ``status``.
        followed: In ``dedupe``, ``throttle``, ``group.by``.
        told: In ``to`` and ``unless``.
        digested: In ``send``, besides these.
    """

    event: Names
    item: Names
    followed: Names
    told: Names
    digested: Names

    @property
    def sent(self) -> Names:
        """In ``send``."""
        return {**self.told, **self.digested, **READER}

    @property
    def answer(self) -> Names:
        """In the conditions and recipients of a step of an escalation."""
        return {**self.told, **self.digested, **ANSWERED}

    @property
    def reminder(self) -> Names:
        """In the messages of a step."""
        return {**self.answer, **READER}


def scope(spec: RuleSpec) -> Scope:
    """Return the names that a rule offers."""
    given: dict[str, frozenset[str]] = dict(FIRST)
    for trigger in spec.trigger:
        for name, fields in _given(trigger).items():
            known = given.get(name, fields)
            # Where one trigger gives any fields, any will do.
            given[name] = fields | known if fields and known else _ANY
    event = {**given, **LAST}
    item = {**_of_each(spec, given), **dict.fromkeys(spec.for_each, _ANY), **LAST}
    followed = {**item, **STATED} if spec.status else item
    grouped = GROUPED if spec.group else {}
    digested = DIGESTED if spec.digest else {}
    reminded = REMINDED if spec.remind else {}
    return Scope(event, item, followed, {**followed, **grouped, **reminded, **LINKED}, digested)


def _of_each(spec: RuleSpec, given: Names) -> Names:
    """Return what an event gives to an item; one of a list of the whole call belongs to no alert."""
    if not spec.for_each or re.search(r"\balert\b", " ".join(spec.for_each.values())):
        return given
    return {name: fields for name, fields in given.items() if name != "alert"}


def with_rows(offered: Names) -> Names:
    """Return names with the fields of a file that are read row by row, and the functions that do that."""
    files = {"file": offered["file"] | ROWS} if "file" in offered else {}
    return {**offered, **files, **dict.fromkeys(ROWS, _ANY)}


def is_free(name: str) -> bool:
    """Return whether an item can have this name: it is valid, and has no other meaning."""
    return bool(re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name)) and name.lower() not in _taken()


def _taken() -> set[str]:
    presets = (preset.fields for preset in PRESETS.values())
    stages = (GROUPED, DIGESTED, REMINDED, LINKED, ANSWERED, READER)
    known = (FIRST, LAST, *stages, *OF_TRIGGERS.values(), *presets)
    return {name for names in known for name in names} | _NO_NAMES


def _given(trigger: TriggerSpec) -> Names:
    names = OF_TRIGGERS[trigger.kind]
    if trigger.missing and trigger.missing.of.file:
        # A file that comes late is reported with its facts.
        return {**names, **OF_TRIGGERS["file"]}
    if trigger.webhook is None:
        return names
    fields = PRESETS[trigger.webhook.preset].fields
    return {**names, **{name: frozenset(parts or ()) for name, parts in fields.items()}}


_OTHER_FILES = frozenset({"include", "extends", "import"})
_READ = frozenset({"sha256", "text", "json"})
_IN_TAG = r"\{[{%](?:(?!\}\}|%\}).)*?"


def unknown(part: Expression | Template, offered: Names, location: Location) -> Iterator[Problem]:
    """Yield a problem for each name that is not offered, at its place in the text."""
    for name, fields in part.names.items():
        if name not in offered:
            pattern = rf"(?<![\w.])({re.escape(name)})\b"
            yield _problem(
                part,
                pattern,
                location,
                Wording("there is no `{name}` here", name=name),
                _name_hint(part, name, offered),
            )
        elif offered[name]:
            for field in sorted(fields - offered[name]):
                pattern = rf"(?<![\w.]){name}\s*(?:\.\s*|\[\s*[\"'])({re.escape(field)})\b"
                hint = _field_hint(name, field, offered[name])
                yield _problem(
                    part,
                    pattern,
                    location,
                    Wording("`{name}` has no `{field}`", name=name, field=field),
                    hint,
                )
    if offered.get("headers") == _ANY:
        secret = (field for field in part.names.get("headers", _ANY) if may_be_secret(field.lower()))
        for field in sorted(secret):
            pattern = rf"headers\s*(?:\.\s*|\[\s*[\"'])({re.escape(field)})"
            hint = "such headers authenticate the sender; let it put what you need into the body"
            yield _problem(
                part, pattern, location, Wording("the header `{field}` is not kept", field=field), hint
            )


def _name_hint(part: Expression | Template, name: str, offered: Names) -> str:
    # Of a field with a dash in it, the unknown name is what follows the dash.
    dashed = re.search(rf"([\w.]+)\.(\w+(?:-\w+)*-{re.escape(name)})\b", part.source)
    if dashed:
        return Wording(
            "a name with a dash stands in brackets: {name}['{field}']", name=dashed[1], field=dashed[2]
        )
    return did_you_mean(name, offered) or Wording("there are {names}", names=", ".join(offered))


def _field_hint(name: str, field: str, known: frozenset[str]) -> str:
    if name == "file" and field in ROWS:
        return Wording(
            "write `for_each: {{row: file.{field}}}`: the rows of a file are followed one by one", field=field
        )
    return did_you_mean(field, known) or Wording("it has {columns}", columns=", ".join(sorted(known)))


def needs(parts: Iterable[Expression | Template]) -> frozenset[str]:
    """Return the facts of a file that have to be read from it: ``sha256``, ``text``, ``json``."""
    needed: set[str] = set()
    for part in parts:
        fields = part.names.get("file")
        if fields is not None:
            needed |= (fields or _READ) & _READ
        if _looks_back(part):
            # Which fields of the gathered files it uses can only be told from the words.
            needed |= _READ & {*re.findall(r"\w+", part.source)}
    if "json" in needed:
        needed.add("text")
    return frozenset(needed)


def columns(parts: Iterable[Expression | Template], row: str) -> frozenset[str]:
    """Return the columns that these use of a row with a name; none where they use it as a whole."""
    used = [part.names[row] for part in parts if row in part.names]
    return frozenset[str]().union(*used) if all(used) else _ANY


def headers(parts: Iterable[Expression | Template]) -> frozenset[str]:
    """Return the headers of a call that these may use, in lower case."""
    used: set[str] = set()
    for part in parts:
        used |= part.names.get("headers", _ANY)
        if "headers" in part.source:
            # Where a name is put together or goes through a variable, only the words tell.
            used |= {*re.findall(r"[\w-]+", part.source)}
    return frozenset(name.lower() for name in used)


def has_links(parts: Iterable[Expression | Template]) -> bool:
    """Return whether any of these uses ``ack_url``, also in a file that it pulls in."""
    return any("ack_url" in part.names for part in parts)


def unseen(parts: Iterable[Expression | Template]) -> frozenset[str]:
    """Return the names of a call that none of these uses, so that no rule has to keep their values."""
    used: set[str] = set()
    for part in parts:
        used |= part.names.keys()
        if _looks_back(part):
            # What it uses of the gathered calls can only be told from the words, and not in other files.
            words = {*re.findall(r"\w+", part.source)}
            used |= words
            if words & _OTHER_FILES:
                used |= CALL.keys()
    return frozenset(CALL) - used


def _looks_back(part: Expression | Template) -> bool:
    """Return whether a part uses events that were gathered before."""
    return bool(part.names.keys() & {*GROUPED, *DIGESTED})


def _problem(
    part: Expression | Template, pattern: str, location: Location, message: str, hint: str
) -> Problem:
    if isinstance(part, Template) and part.name:
        return location.problem(
            "WBX308", Wording("{problem}, in templates/{name}", problem=message, name=part.name), hint=hint
        )
    if isinstance(part, Template):
        pattern = _IN_TAG + pattern
    place = location.find(pattern)
    return location.document.source.problem(place, "WBX308", message, hint=hint)
