"""Triggers of a rule: files, webhooks, schedules, and what did not come in time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from wbox_notify.config.values import as_path
from wbox_notify.errors import ConfigError, WboxError
from wbox_notify.rules.models.triggers import Burst
from wbox_notify.rules.patterns import Matching, Miss
from wbox_notify.templates import Expression, Template
from wbox_notify.triggers.file.rows import Reading
from wbox_notify.triggers.schedule import Missed, Schedule
from wbox_notify.triggers.webhook.presets import Preset
from wbox_notify.triggers.webhook.signatures import Scheme

MARKED = re.compile(r"\{\{ *file\.(name|stem) *\}\}")
"""The name of a file in the name of another one that says that it is finished."""


Target = Template | Literal["delete"] | None
"""What becomes of a file: it is moved to a folder, deleted, or left where it is."""

TARGETS = ("done", "failed", "duplicate")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTrigger:
    """Sets off a rule for each finished file in a folder.

    Attributes:
        root: The folder, a plain path.
        match: Globs below the folder, of which one must match.
        ignore: Globs that hide files and folders, beside ``PASSED_OVER``.
        exact: Whether endings are told apart by their case.
        settle: Seconds that a file must rest before it is finished; None leaves it to the source.
        poll: Seconds between two listings of the folder; None leaves it to the source.
        min_size: Bytes that a file must have; a smaller one is waited for.
        ready: The name of a file that says that another is finished; ``MARKED`` stands in it for that one.
        existing: What becomes of files that are there when the rule is followed first.
        done: What becomes of a file when all its messages are accepted.
        failed: The same where one of them has finally failed.
        duplicate: The same where it was nothing new.
        read: How its rows are read.
        burst: When many files are told of in one message, if ever.

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "_matching", Matching(self.match, self.ignore, self.exact))

    def accepts(self, path: str) -> bool:
        """Return whether a file at this absolute path sets off the rule."""
        below = self._below(path)
        return below is not None and self._matching.takes(below)

    def miss(self, path: str) -> Miss | None:
        """Return why a file at this absolute path does not set off the rule, or None if it does."""
        below = self._below(path)
        if below is None:
            return Miss(f"it is outside {self.root}")
        return self._matching.miss(below)

    def _below(self, path: str) -> str | None:
        root = f"{str(self.root).rstrip('/')}/"
        if path.startswith(root):
            return path.removeprefix(root)
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
        """What becomes of a file when it is done, has failed, or is nothing new."""
        return self.done, self.failed, self.duplicate


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTrigger:
    """Sets off a rule for each call of ``/hook/PATH``.

    Attributes:
        path: The part after ``/hook/``.
        preset: What is known of the sender.
        scheme: How a call proves itself; None where ``open: true`` lets anybody in.
        id: What makes two deliveries the same, where the sender's own id does not.
    """

    path: str
    preset: Preset
    scheme: Scheme | None = None
    id: Expression | None = None

    def delivery_id(self, call: Mapping[str, Any]) -> str | None:
        """Return what ``id`` makes of a call; None where it gives nothing, so that the sender's id counts.

        Raises:
            WboxError: It fails, or gives what cannot tell one delivery from another.
        """
        value = self.id.value(call) if self.id else None
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise WboxError(f"`id` has to be a text or a number, and is {_kind(value)} here")
        return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTrigger:
    """Sets off a rule at nominal times."""

    schedule: Schedule
    missed: Missed = field(default_factory=Missed)


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingTrigger:
    """Sets off a rule when something did not come in time.

    Attributes:
        of: What should come.
        by: When it should have come at the latest.
        window: Seconds before that in which its coming counts.
        resolved: Whether the rule is followed once more when it comes late, with ``missing.resolved``.
    """

    of: FileTrigger | WebhookTrigger
    by: Schedule
    window: float
    resolved: bool = False


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
    """Return what a value is in the words of those who write rules."""
    kinds = {bool: "true or false", list: "a list", dict: "a map"}
    return kinds.get(type(value), "something else")
