"""Which names expressions and templates may use, and which of them have to be read from the file."""

import re
from collections.abc import Iterable, Iterator, Mapping

from wbox_notify.documents.problems import Problem
from wbox_notify.documents.shape import meant
from wbox_notify.documents.yamlfile import Spot
from wbox_notify.templates import Expression, Template

Names = Mapping[str, frozenset[str]]

OFFERED: Names = {
    "event": frozenset({"id", "type", "at"}),
    "file": frozenset(["path", "name", "stem", "ext", "folder", "size", "mtime", "sha256", "text", "json"]),
    "rule": frozenset({"id", "name"}),
    "now": frozenset(),
}
"""The names that the file trigger gives, with their fields; none where any field will do."""

OFFERED_IN_SEND: Names = {**OFFERED, "contact": frozenset({"name", "phone"})}

_READ = frozenset({"sha256", "text", "json"})
_IN_TAG = r"\{[{%](?:(?!\}\}|%\}).)*?"


def unknown(made: Expression | Template, offered: Names, spot: Spot) -> Iterator[Problem]:
    """Yield a problem for each name that is not offered, at its place in the text at ``spot``."""
    for name, fields in made.names.items():
        if name not in offered:
            hint = meant(name, offered) or f"there are {', '.join(offered)}"
            yield _problem(
                made, rf"(?<![\w.])({re.escape(name)})\b", spot, f"there is no `{name}` here", hint
            )
        for field in sorted(fields - offered.get(name, fields)) if offered.get(name) else ():
            hint = meant(field, offered[name]) or f"it has {', '.join(sorted(offered[name]))}"
            pattern = rf"(?<![\w.]){name}\s*(?:\.\s*|\[\s*[\"'])({re.escape(field)})\b"
            yield _problem(made, pattern, spot, f"`{name}` has no `{field}`", hint)


def needs(parts: Iterable[Expression | Template]) -> frozenset[str]:
    """Return what of ``file`` has to be read for these: ``sha256``, ``text``, ``json``."""
    needed: set[str] = set()
    for part in parts:
        fields = part.names.get("file")
        if fields is not None:
            needed |= (fields or _READ) & _READ
    return frozenset(needed | ({"text"} if "json" in needed else set()))


def _problem(made: Expression | Template, pattern: str, spot: Spot, message: str, hint: str) -> Problem:
    if isinstance(made, Template) and made.name:
        return spot.problem("WBX308", f"{message}, in templates/{made.name}", hint=hint)
    place = spot.find(pattern if isinstance(made, Expression) else _IN_TAG + pattern)
    return spot.document.source.problem(place, "WBX308", message, hint=hint)
