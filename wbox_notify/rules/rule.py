"""Rule: what sets it off, what must hold, who gets which messages."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wbox_notify.documents.yamlfile import Spot
from wbox_notify.messages import KINDS, Message
from wbox_notify.rules.globs import ignore_pattern, path_pattern
from wbox_notify.rules.people import Contact
from wbox_notify.templates import Expression, Template

IGNORED = (
    *(".*", "*.part", "*.tmp", "*.crdownload", "*.filepart", "*.swp", "*~", "~$*"),
    *("Thumbs.db", "desktop.ini", "@eaDir"),
)
"""Names that are never a finished file: hidden ones, unfinished downloads, what other tools leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTrigger:
    """Sets off a rule for each finished file in a folder.

    Attributes:
        root: The folder, absolute.
        match: Globs below the folder, of which one must match.
        ignore: Globs that hide files and folders, beside ``IGNORED``.
        settle: Seconds that a file must rest where nothing else tells that it is finished.

    Raises:
        ConfigError: for a bad glob.
    """

    root: Path
    match: tuple[str, ...] = ("**/*",)
    ignore: tuple[str, ...] = ()
    settle: float = 2.0
    _matching: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _ignoring: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_matching", _any(map(path_pattern, self.match)))
        object.__setattr__(self, "_ignoring", _any(map(ignore_pattern, IGNORED + self.ignore)))

    def accepts(self, path: str) -> bool:
        """Return whether a file at this absolute path sets off the rule."""
        root = f"{str(self.root).rstrip('/')}/"
        below = path.removeprefix(root)
        if not path.startswith(root) or self._ignoring.fullmatch(below):
            return False
        return self._matching.fullmatch(below) is not None


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be; ``fields`` are the templates of the message's own fields."""

    kind: str
    fields: Mapping[str, Template | tuple[Template, ...]]
    device: int | None = None

    def templates(self) -> Iterator[Template]:
        """Yield all templates of the message."""
        for template in self.fields.values():
            yield from template if isinstance(template, tuple) else (template,)

    def build(self, context: Mapping[str, Any], phone: str) -> Message:
        """Return the message with everything filled in.

        Raises:
            TemplateError: a template fails.
            MessageError: the message can not be sent.
        """
        filled: dict[str, Any] = {}
        for name, template in self.fields.items():
            if isinstance(template, tuple):
                filled[name] = tuple(part.render(context) for part in template)
            else:
                filled[name] = template.render(context)
        return KINDS[self.kind](phone=phone, device_id=self.device, **filled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule that is ready to run.

    Attributes:
        conditions: What must hold, all of them.
        dedupe: What makes two events the same; empty where each counts.
        to: Contacts, and templates that name some.
        send: The messages that each of them gets, in order.
        needs: What of ``file`` has to be read: ``sha256``, ``text``, ``json`` (never without ``text``).
        file: The file that it stands in; it begins at ``line``.
        spot: Where it stands, for those who find something wrong with it later.
    """

    id: str
    name: str
    trigger: FileTrigger
    conditions: tuple[Expression, ...] = ()
    dedupe: tuple[Expression, ...] = ()
    to: tuple[Contact | Template, ...]
    send: tuple[Draft, ...]
    needs: frozenset[str] = frozenset()
    file: str
    line: int
    spot: Spot = field(repr=False, compare=False)


def _any(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.DOTALL)
