"""Triggers of a rule: files, webhooks, schedules, and files or calls that did not come in time."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from wbox_notify.config.values import as_path
from wbox_notify.errors import ConfigError, WboxError
from wbox_notify.model.texts import Wording
from wbox_notify.rules.models.triggers import Burst
from wbox_notify.rules.patterns import Matching, Miss, any_nearly, composed
from wbox_notify.templates import Expression, Template
from wbox_notify.triggers.file.rows import Reading
from wbox_notify.triggers.schedule.schedule import Missed, Schedule
from wbox_notify.triggers.webhook.hooks import Headers
from wbox_notify.triggers.webhook.presets import Preset
from wbox_notify.triggers.webhook.signatures import Scheme

MARKED = re.compile(r"\{\{ *file\.(name|stem) *\}\}")
"""The name of a file in the name of another one that says that it is finished."""


Target = Template | Literal["delete"] | None
"""The target of a file: the folder to move it to, ``delete``, or None to leave it."""

TARGETS = ("done", "failed", "duplicate")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTrigger:
    """Starts a rule for each finished file in a folder.

    Attributes:
        root: The folder, a plain path.
        match: Globs below the folder, of which one must match.
        ignore: Globs that hide files and folders, beside ``PASSED_OVER``.
        exact: Whether endings are told apart by their case.
        settle: Seconds that a file must rest before it is finished; None leaves it to the source.
        poll: Seconds between two listings of the folder; None leaves it to the source.
        min_size: Bytes that a file must have; a smaller one is waited for.
        ready: The name of a file that says that another is finished; ``MARKED`` stands in it for that one.
        existing: What to do with files that exist when the rule first runs.
        done: The target of a file when all its messages are accepted.
        failed: The same when one of them has finally failed.
        duplicate: The same when it is a duplicate.
        read: How to read its rows.
        burst: When many files get one message, if ever.
        folder: What the path of each file below the root begins with.

    Raises:
        ConfigError: for a bad glob.
    """

    root: Path
    match: tuple[str, ...] = ("**/*",)
    ignore: tuple[str, ...] = ()
    exact: bool = False
    settle: float | None = None
    poll: float | None = None
    min_size: int = 0
    ready: str | None = None
    existing: Literal["process", "ignore"] | None = None
    done: Target = None
    failed: Target = None
    duplicate: Target = None
    read: Reading = field(default_factory=Reading)
    burst: Burst | None = None
    _matching: Matching = field(init=False, repr=False, compare=False)
    folder: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_matching", Matching(self.match, self.ignore, self.exact))
        object.__setattr__(self, "folder", f"{str(self.root).rstrip('/')}/")

    def accepts(self, path: str) -> bool:
        """Return whether a file at this absolute path sets off the rule."""
        below = self._below(path)
        return below is not None and self._matching.takes(below)

    def miss(self, path: str) -> Miss | None:
        """Return why a file at this absolute path does not set off the rule, or None if it does."""
        below = self._below(path)
        if below is None:
            return Miss(Wording("it is outside {root}", root=self.root))
        return self._matching.miss(below)

    def _below(self, path: str) -> str | None:
        if path.startswith(self.folder):
            return path.removeprefix(self.folder)
        return None

    def takes(self, file: Mapping[str, Any]) -> bool:
        """Return whether a file with these facts sets off the rule."""
        return self.accepts(file["path"]) and file.get("size", self.min_size) >= self.min_size

    def marker(self, path: str) -> str | None:
        """Return the file that must be there before the one at ``path`` is finished, if any must."""
        if self.ready is None:
            return None
        file = Path(path)
        return str(file.with_name(MARKED.sub(lambda part: getattr(file, part[1]), self.ready)))

    @property
    def targets(self) -> tuple[Target, Target, Target]:
        """The targets of a file that is done, has failed, or is a duplicate."""
        return self.done, self.failed, self.duplicate


class Nearness:
    """Many file triggers, asked at once: most files in a folder with many rules are for none of them."""

    def __init__(self, triggers: Iterable[FileTrigger]) -> None:
        globs: dict[str, set[str]] = {}
        for trigger in triggers:
            globs.setdefault(trigger.folder, set()).update(trigger.match)
        self._globs = [(folder, frozenset(those)) for folder, those in globs.items()]

    def __contains__(self, path: str) -> bool:
        """Return whether a trigger takes a path or nearly does; where it says no, none does."""
        return any(
            any_nearly(globs).fullmatch(composed(path.removeprefix(folder))) is not None
            for folder, globs in self._globs
            if path.startswith(folder)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTrigger:
    """Starts a rule for each call of ``/hook/PATH``.

    Attributes:
        path: The part after ``/hook/``.
        preset: The kind of sender.
        scheme: How a call is authenticated; None where ``open: true`` lets anybody call.
        id: The id of a delivery, where that of the sender is not enough.
        methods: How it may be called.
        origins: The origins whose pages may call it from a browser.
        redirect: Where a browser goes from a call that is taken.
    """

    path: str
    preset: Preset
    scheme: Scheme | None = None
    id: Expression | None = None
    methods: tuple[str, ...] = ("POST", "PUT")
    origins: frozenset[str] = frozenset()
    redirect: str | None = None

    def delivery_id(self, call: Mapping[str, Any]) -> str | None:
        """Return the value of ``id`` for a call; None where the id of the sender counts.

        Raises:
            WboxError: It fails, or its value cannot be an id.
        """
        value = None
        if self.id:
            value = self.id.value({**call, "headers": Headers(call["headers"])})
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise WboxError(
                Wording("`id` has to be a text or a number, and is {kind} here", kind=_kind(value))
            )
        return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTrigger:
    """Starts a rule at nominal times."""

    schedule: Schedule
    missed: Missed = field(default_factory=Missed)


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingTrigger:
    """Starts a rule when a file or a call did not come in time.

    Attributes:
        of: The expected file or call.
        conditions: Expressions about it that must all hold; else it does not count.
        by: The deadline.
        window: Seconds before the deadline in which it may come.
        repeat: Seconds after which the rule runs again while it has not come; None: never.
        resolved: Whether the rule runs again when it comes late, with ``missing.resolved``.
        missed: What to do about deadlines that passed while the daemon was down.
    """

    of: FileTrigger | WebhookTrigger
    conditions: tuple[Expression, ...] = ()
    by: Schedule
    window: float
    repeat: float | None = None
    resolved: bool = False
    missed: Missed = field(default_factory=Missed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A file whose rows a rule reads when it is due, and how."""

    path: Path
    reading: Reading


Trigger = FileTrigger | WebhookTrigger | ScheduleTrigger | MissingTrigger


def literal_path(template: Template, folder: Path) -> Path | None:
    """Return the path that a template is, or the folder that it begins with; a relative one is in ``folder``.

    None where it begins with a placeholder, or is no path.
    """
    text, placeholder, _ = template.source.partition("{")
    path = text.rpartition("/")[0] if placeholder else text.strip()
    try:
        return as_path(path, folder) if path else None
    except ConfigError:
        return None


def _kind(value: Any) -> str:
    """Return the type of a value in the words of the rule language."""
    kinds = {bool: Wording("true or false"), list: Wording("a list"), dict: Wording("a map")}
    return kinds.get(type(value), Wording("something else"))
